"""Does the end follow a message, which one was the client's last, and what did the server say after it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import wraps

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import WINDOWS, middle
from hangup.diagnosis.findings import Cite, Trigger, TriggerKind, cite
from hangup.diagnosis.reactions import EndingContrast, Reaction, reaction, replied
from hangup.diagnosis.signs import Reader, Sign, When, sign
from hangup.diagnosis.told_errors import reports_an_error, words_of
from hangup.messages.shapes import Shape

LEAST = 0.2
"""The weight from which on an end follows a message rather than comes after it by chance."""


def server_ended(case: Case) -> bool:
    """Whether the server ended open connections, as far as the recording tells."""
    return case.may_be("server") and case.mode in ("abrupt", "close")


def after_client(case: Case) -> Reaction | None:
    """Ends that come soon after a message of the client."""
    return reaction(case, "client")


def after_server(case: Case) -> Reaction | None:
    """Ends that come soon after a message of the server."""
    return reaction(case, "server")


def last(case: Case) -> EndingContrast | None:
    """The client's last messages, where the server ends it right after them, against all its others."""
    found = case.once(after_client)
    if found is None or not server_ended(case):
        return None
    contrast = EndingContrast(case, found)
    all_at_once = len(found.hits) == found.tries and found.window <= WINDOWS[0] and not contrast.safe_all
    if found.weight < LEAST and all_at_once and case.mode == "abrupt" and middle(case.lived) < 0.15:
        # So soon after opening any end follows a message; it may be that one's doing all the same.
        contrast.found.weight = 0.8
    return contrast if contrast.found.weight >= LEAST else None


def whole(case: Case) -> bool:
    """Whether the recording has all that went over the connections of the route."""
    return not any(life.lost for life in case.same_route)


def unread(shape: Shape) -> bool:
    """Whether it stands for messages whose content is not known: too long, not recorded, of too many kinds."""
    return shape.text.startswith(("large ", "other ", 'text "{', 'text "['))


def of_the_last(reader: Callable[[EndingContrast], Sign | None], *when: When) -> Reader:
    """Makes a function of the client's last messages a sign, asked where the server ends it right after them; it cites
    them."""

    @wraps(reader)
    def read(case: Case) -> Sign | None:
        contrast = case.once(last)
        seen = None if contrast is None else reader(contrast)
        return seen if seen is None or contrast is None else seen._replace(cites=cites(contrast.found))

    return sign(*when)(read)


def of_all(reader: Callable[[EndingContrast], Sign | None]) -> Reader:
    """The same, where nothing is missing from the recording."""
    return of_the_last(reader, whole)


def cites(found: Reaction) -> list[Cite]:
    """The messages that the ends follow."""
    return [cite(life, message) for life, message in found.hits]


def trigger(found: Reaction, kind: TriggerKind = "frame") -> Trigger:
    """The first of them."""
    life, message = found.hits[0]
    return Trigger(kind, life.conn, message.n)


@sign()
def follows_client_message(case: Case) -> Sign | None:
    """The end comes soon after a message of the client."""
    contrast = case.once(last)
    return _follows(case.once(after_client) if contrast is None else contrast.found)


@sign()
def follows_server_message(case: Case) -> Sign | None:
    """The end comes soon after a message of the server."""
    return _follows(case.once(after_server))


def _follows(found: Reaction | None) -> Sign | None:
    if found is None or found.weight < LEAST:
        return None
    return Sign(found.weight, found.text, cites(found), trigger(found))


@sign(server_ended)
def follows_unasked_server_message(case: Case) -> Sign | None:
    """The end comes soon after a message of the server that answers none of the client's."""
    found = case.once(after_server)
    if found is None or found.window > 0.15:
        return None
    heard = {life.conn: m.at if (m := life.last_message("client")) else None for life, _ in found.hits}
    own = [hit for hit in found.hits if hit[0].since(heard[hit[0].conn]) > found.window + 0.05]
    weight = found.weight * len(own) / len(found.hits)
    text = (
        f"{len(own)} of {found.tries} ended right after a message from the server that the client had not "
        "just asked for"
    )
    alone = replace(found, hits=own)
    return Sign(weight, text, cites(alone), trigger(alone, "time")) if weight >= LEAST else None


@of_the_last
def answered_before_the_end(contrast: EndingContrast) -> Sign | None:
    """The server still said something after the client's last message."""
    hits, answered = len(contrast.fatal), replied(contrast.found)
    text = f"the server still sent a message after that one from the client, before the end{_often(answered, hits)}"
    return Sign(1.0, text) if answered >= 0.8 * hits else None


@of_all
def not_answered_before_the_end(contrast: EndingContrast) -> Sign | None:
    """The server said nothing more after the client's last message."""
    hits = len(contrast.fatal)
    silent = hits - replied(contrast.found)
    text = f"the server sent no message after that one from the client, before the end{_often(silent, hits)}"
    return Sign(1.0, text) if silent > 0.2 * hits else None


def _often(count: int, hits: int) -> str:
    return "" if count == hits else f" ({count} of {hits} times)"


@of_the_last
def last_word_of_an_error(contrast: EndingContrast) -> Sign | None:
    """The server's last message each time is of an error; what it says of it."""
    words = [life.traffic.server.last for life, _ in contrast.found.hits]
    told = [message for message in words if message is not None and reports_an_error(message)]
    if len(told) < len(words):
        return None
    said = Counter(quote for message in told if (quote := words_of(message)))
    if not said:
        return Sign(1.0, "the server's last message reports an error")
    quote, count = said.most_common(1)[0]
    return Sign(1.0, f'the server\'s last message reports an error: "{quote}"{_often(count, len(told))}')


@of_the_last
def server_went_on_sending(contrast: EndingContrast) -> Sign | None:
    """The server sent several messages after the client's last one."""
    hits = contrast.found.hits
    after = middle([sum(m.side == "server" and m.data and m.n > n.n for m in life.traffic.recent) for life, n in hits])
    return Sign(1.0, f"the server sent at least {after:.0f} more messages after it (median)") if after > 6 else None


@of_the_last
def last_messages_of_many_kinds(contrast: EndingContrast) -> Sign | None:
    """The client's last messages differ in kind."""
    kinds = len(contrast.by_shape)
    return (
        Sign(min(kinds - 1.0, 3.0), f"the client's last messages are of {kinds} kinds")
        if kinds > 1
        else None
    )


@of_the_last
def last_messages_of_one_kind(contrast: EndingContrast) -> Sign | None:
    """The client's last messages are all of one kind."""
    one = len(contrast.fatal) > 1 and len(contrast.by_shape) == 1 and not unread(contrast.shape)
    return (
        Sign(1.0, f"the client's {len(contrast.fatal)} last messages are all {contrast.shape.text}")
        if one
        else None
    )


@of_all
def only_one_shape_was_sent(contrast: EndingContrast) -> Sign | None:
    """The client never sent anything else, so that nothing can be compared."""
    shape, sent = contrast.shape, set(contrast.case.client_shapes)
    only = sent == {shape} and not contrast.safe_all and not unread(shape)
    return Sign(1.0, (
        f"the client only ever sent {shape.text}: so there is nothing to compare it "
        "with"
    )) if only else None
