"""Ends that come soon after messages of the server, and what these last messages have in common."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.reactions import EndingContrast
from hangup.diagnosis.signs import Found, Sign, sign
from hangup.diagnosis.signs.client_pings import NEARLY_ALL, opened
from hangup.diagnosis.signs.last_messages import LEAST, after_server, cites, server_ended, unread
from hangup.diagnosis.signs.seen import of
from hangup.humanize import printable
from hangup.recording.traffic import MessageSummary

_LAST_WORDS = frozenset("done end ended complete completed finish finished final eos close closed bye goodbye".split())
"""Kinds of message after which a server may end in peace."""


def pushed(case: Case) -> EndingContrast | None:
    """The server's last messages before the ends that come soon after one, against all others; None where none do."""
    found = case.once(after_server)
    return None if found is None or found.weight < LEAST else EndingContrast(case, found)


def follows_none(case: Case) -> bool:
    """Whether open connections ended, and it was seen that none do."""
    lives = case.once(opened)
    known = not any(life.lost or life.traffic.server.opcode or "server" in life.half for life in lives)
    return bool(lives) and known and case.header.tells("times") and case.once(pushed) is None


@sign(follows_none)
def follows_no_server_message(case: Case) -> Sign:
    """The ends do not come soon after messages of the server, or no more than chance would have it."""
    return Sign(1.0, "the connections do not end soon after a message from the server, beyond coincidence")


def not_json(message: MessageSummary) -> bool:
    """Whether it is text and not JSON."""
    return message.opcode == "text" and not message.shape.json and not unread(message.shape)


def with_nan(case: Case) -> int:
    """How many hold NaN or Infinity, where nearly all do."""
    fatal = contrast.fatal if (contrast := case.once(pushed)) is not None else []
    found = sum("nan" in message.shape.faults for message in fatal)
    return found if found >= NEARLY_ALL * len(fatal) else 0


def without_json(case: Case) -> int:
    """How many are not JSON for another reason, where nearly all are such and JSON is what is spoken otherwise."""
    contrast = case.once(pushed)
    if contrast is None or case.once(with_nan):
        return 0
    found = sum(map(not_json, contrast.fatal))
    said = [shape for life in case.once(opened) for shape in life.traffic.client.shapes]
    spoken = contrast.mostly_json or (not contrast.safe_all and (not said or any(shape.json for shape in said)))
    return found if spoken and found >= NEARLY_ALL * len(contrast.fatal) else 0


@of(pushed)
def last_message_holds_nan(case: Case, contrast: EndingContrast) -> Found:
    """NaN or Infinity, which Python's json writes and a browser cannot read."""
    found = case.once(with_nan)
    text = f"{found} of {len(contrast.fatal)} last messages from the server contain NaN or Infinity, which is not JSON"
    return Sign(1.0, text, cites(contrast.found)) if found else None


@of(pushed)
def last_message_not_json(case: Case, contrast: EndingContrast) -> Found:
    """Text that is not JSON, where most else is."""
    found, others = case.once(without_json), contrast.trait(lambda shape: not shape.json)
    text = f"{found} of {len(contrast.fatal)} last messages from the server are not JSON ({contrast.shape.text})"
    if others.safe_all:
        text += ", all others are" if not others.safe else (
            f", and neither are {others.safe} of {others.safe_all} "
            "others"
        )
    return Sign(1.0, text, cites(contrast.found)) if found else None


@of(pushed)
def last_message_well_formed(case: Case, contrast: EndingContrast) -> Found:
    """None of the last messages is worse formed than the others."""
    for message in contrast.fatal:
        odd = message.problems or message.shape.faults or (not_json(message) and contrast.mostly_json)
        if odd or unread(message.shape):
            return None
    text = "the server's last message is as well-formed as the others"
    return Sign(1.0, text) if not case.once(without_json) else None


@of(pushed)
def last_server_messages_of_many_kinds(case: Case, contrast: EndingContrast) -> Found:
    """No one kind is what the ends follow."""
    text = f"the server's last messages are of {len(contrast.by_shape)} kinds"
    return Sign(1.0, text, cites(contrast.found)) if not contrast.one_shape else None


@of(pushed)
def last_messages_alike(case: Case, contrast: EndingContrast) -> Found:
    """How much the ends hang on one kind of message; below 0 where messages of that kind did no harm."""
    if not contrast.one_shape or not contrast.safe_all:
        return None
    same = contrast.trait(lambda shape: shape is contrast.shape)
    text = f"{same.fatal} of {same.hits} last messages from the server are {contrast.shape.text}"
    text += f", and {same.safe or 'none'} of {same.safe_all} that did no harm"
    return Sign(0.5 * max(same.weight, -2.0), text, cites(contrast.found))


@of(pushed, server_ended)
def server_said_that_it_was_done(case: Case, contrast: EndingContrast) -> Found:
    """The server's last message is of a kind that comes last."""
    last = [message.shape.kind for message in contrast.fatal if message.shape.kind.lower() in _LAST_WORDS]
    if len(last) <= NEARLY_ALL * len(case.once(opened)):
        return None
    return Sign(1.0, f'the server\'s last message is "{printable(last[0], 40)}"', cites(contrast.found))
