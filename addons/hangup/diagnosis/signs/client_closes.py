"""How clients close: after which handshake, how soon they come again, how many of them, and after which frames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Trigger, cite, cite_all
from hangup.diagnosis.signs import Found, Sign, sign
from hangup.diagnosis.signs.client_pings import NEARLY_ALL, opened
from hangup.diagnosis.signs.seen import of
from hangup.diagnosis.signs.silent_servers import silent_from_the_start, spoken_with, unheard
from hangup.humanize import duration, printable
from hangup.recording.connections import Connection

SAME_STEP = 0.05
"""Seconds within which a new connection is part of the same step as the end of the old one."""

SOON = 0.12
"""The same on a busy machine."""

_FRAME_FAULTS = re.compile(
    r"too-long|reserved|rsv|masked|invalid-utf8|fragment|not-a-frame|deflate|close-|orphan|interleaved|length-"
)


def closed_by_client(case: Case) -> bool:
    """Whether clients ended connections that were open, as far as the recording tells."""
    return case.may_be("client") and case.mode in ("abrupt", "close") and bool(case.once(opened))


def with_known_codes(case: Case) -> bool:
    """Whether they did so with close frames that were kept."""
    firsts = (life.course.first for life in case.once(opened))
    return case.mode == "close" and not any(first is not None and first.unread for first in firsts)


def seen_opening(case: Case) -> list[Connection]:
    """Those whose handshake is in the recording."""
    return [life for life in case.once(opened) if life.opened is not None]


def _nearly_all(case: Case, some: Sequence[Connection], text: str) -> Sign | None:
    """A sign of these, if they are nearly all that ended so."""
    whole = len(case.once(opened))
    return Sign(1.0, f"{len(some)} of {whole} {text}", cite_all(some)) if len(some) >= NEARLY_ALL * whole else None


# The handshake.


@sign(closed_by_client)
def response_breaks_the_handshake(case: Case) -> list[Sign]:
    """The 101 fails a check of the subprotocol, or of the extensions."""
    found = []
    for word in ("subprotocol", "extension"):
        failed = [life for life in case.once(opened) if any(word in check for check in life.checks)]
        if len(failed) >= NEARLY_ALL * len(case.once(opened)):
            check = next(check for check in failed[0].checks if word in check)
            offered = printable(failed[0].header("sec-websocket-protocol"), 60) if "echo" in check else ""
            text = f"the response fails a handshake check ({check}{offered and f': {offered} was offered'})"
            found.append(Sign(1.0, text, cite_all(failed), Trigger("header", failed[0].conn), word))
    return found


@sign(closed_by_client)
def accept_key_wrong(case: Case) -> Sign | None:
    """The 101 does not prove that the server read the request."""
    wrong = [life for life in case.once(opened) if "accept-key" in life.checks]
    found = _nearly_all(case, wrong, "with a Sec-WebSocket-Accept that does not match the client's key")
    return found and found._replace(trigger=Trigger("header", wrong[0].conn))


@sign(closed_by_client, silent_from_the_start)
def client_ended_before_any_message(case: Case) -> Sign | None:
    """The server had not spoken yet."""
    return _nearly_all(case, case.once(unheard), "ended before any message from the server")


@sign(closed_by_client, spoken_with)
def client_listened_first(case: Case) -> Sign | None:
    """The server had spoken on some."""
    heard = [life for life in case.once(opened) if life.traffic.server.messages]
    text = f"{len(heard)} of {len(case.once(opened))} ended right after a message from the server"
    return Sign(1.0, text, cite_all(heard, "server")) if heard else None


@sign(closed_by_client)
def soon_after_opening(case: Case) -> Sign | None:
    """Within a second."""
    return _nearly_all(
        case, [life for life in case.once(seen_opening) if life.lasted < 1.0], "ended within 1 s of opening"
    )


@sign(closed_by_client)
def long_after_opening(case: Case) -> Sign | None:
    """Not within a second."""
    late, whole = [life for life in case.once(opened) if life.lasted >= 1.0], len(case.once(opened))
    text = f"{len(late)} of {whole} ended 1 s or more after opening"
    return Sign(1.0, text, cite_all(late)) if len(late) > (1 - NEARLY_ALL) * whole else None


@sign(closed_by_client)
def client_ended_without_a_word(case: Case) -> Sign | None:
    """At once, and the client had said nothing; a greeting of the server may cross that."""
    lives = [life for life in case.once(seen_opening) if life.lasted < 0.5 and not life.lost]
    mute = [life for life in lives if not life.traffic.client.messages and not life.traffic.client.opcode]
    return _nearly_all(case, mute, "ended within 0.5 s of opening, without a message from the client")


# Coming again.


def pause(case: Case) -> str:
    """How long it usually took until the next one was asked for, in words."""
    usual, usually = middle(case.gaps), "usually " if len(case.gaps) > 1 else ""
    when = f"{duration(usual)} later" if usual >= 0 else f"{duration(-usual)} before the end"
    return f"the next connection was {usually}asked for {when}" if case.gaps else ""


@of(pause, closed_by_client)
def reopened_soon(case: Case, text: str) -> Found:
    """The next one was asked for at once; stronger in the same step."""
    usual = middle(case.gaps)
    return Sign(1.0 if usual <= SAME_STEP else 0.5, text, cite_all(case.once(opened))) if usual <= SOON else None


@of(pause, closed_by_client)
def waited_before_reopening(case: Case, text: str) -> Found:
    """It was not."""
    return Sign(1.0, text, cite_all(case.once(opened))) if middle(case.gaps) > SOON else None


def at_once(case: Case) -> int:
    """How many of them were open at the same time, at most; 0 for a crowd that is none."""
    spans = [(life.open_since or 0.0, life.end) for life in case.once(opened) if life.end is not None]
    changes = sorted(change for start, end in spans for change in ((start, 1), (end, -1)))
    most = max(accumulate(step for _, step in changes), default=0)
    return most if most > 2 and len(case.once(opened)) <= 2 * most else 0


@of(at_once, closed_by_client)
def a_crowd_at_once(case: Case, most: int) -> Found:
    """Most of them were open side by side: so many clients, and none that comes again and again."""
    return Sign(1.0, f"{most} of them were open at once")


@sign(closed_by_client)
def again_and_again(case: Case) -> Sign | None:
    """One after the other ended so."""
    count = len(case.once(opened))
    return Sign(1.0, f"it happened {count} times") if count >= 3 and not case.once(at_once) else None


# The close frame.


@sign(closed_by_client, with_known_codes)
def client_closed_1000(case: Case) -> Sign | None:
    """All with code 1000 and without a reason, as one closes that is done."""
    done = all(life.code == 1000 and not life.reason for life in case.once(opened))
    text = "closed with code 1000 and no reason, as a client does when it is done"
    return Sign(1.0, text, cite_all(case.once(opened))) if done else None


@sign(closed_by_client, with_known_codes)
def client_closed_in_order(case: Case) -> Sign | None:
    """No code of an error, and a sound frame."""
    lives = case.once(opened)
    orderly = all(life.code in (None, 1000, 1001, 1005) for life in lives)
    orderly = orderly and not any(problem.startswith("close-") for life in lives for problem in life.problems)
    return Sign(1.0, "closed cleanly, without an error code") if orderly else None


@sign(closed_by_client)
def client_cut_it(case: Case) -> Sign | None:
    """The client surely sent no close frame: none was lost, half sent, or not told by an import."""
    firsts = [life.course.first is not None and not life.lost and not life.half for life in case.once(opened)]
    return Sign(1.0, "cut without a close frame") if case.mode == "abrupt" and all(firsts) else None


# What the server sent.


def faults(life: Connection) -> set[str]:
    """What is wrong with the server's frames before the end, also where that is known of the connection only."""
    said = [(message.side, problem) for message in life.traffic.recent for problem in message.problems]
    client, server = ({problem for who, problem in said if who == side} for side in ("client", "server"))
    rest = {*life.problems} - client - {"unmasked", "not-a-frame"} if not life.traffic.late else set()
    found = server | rest
    found |= {"not-a-frame"} if life.traffic.junk.startswith("server") else set()
    return {problem for problem in found if _FRAME_FAULTS.search(problem)}


def broken(case: Case) -> list[tuple[Connection, set[str]]]:
    """The connections with such faults."""
    return [(life, found) for life in case.once(opened) if (found := faults(life))]


@of(broken, closed_by_client)
def server_frames_malformed(case: Case, found: list[tuple[Connection, set[str]]]) -> Found:
    """The share of connections on which the server sent a malformed frame, or what is none."""
    first, what = found[0]
    recent, whole = first.traffic.recent, len(case.once(opened))
    trigger = Trigger("frame", first.conn, recent[-1].n if recent else None)
    text = f"on {len(found)} of {whole} connections the server's frames are malformed ({', '.join(sorted(what))})"
    return Sign(len(found) / whole, text, [cite(life) for life, _ in found], trigger)
