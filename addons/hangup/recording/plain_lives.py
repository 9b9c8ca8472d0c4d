"""Of a connection that opened, said a little and was ended as most are: what an outline has, straight from its events.

Where a recording has hundreds of thousands of connections, nearly all are such, and to sum each up in a
:class:`~hangup.recording.connections.Connection` takes several times as long as reading it. What is anything else is
not taken here; a test holds the two ways together.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from hangup.recording.connections import AT_ONCE
from hangup.recording.dev_server import Kind, is_webpack, kind_and_origin
from hangup.recording.endings import SETTLED
from hangup.recording.events import AnyEvent, End, Frame, Handshake

MOST = 32
LARGEST = 1000
"""Events of a connection, and characters or bytes of a message: one with more is not kept as events."""

TEXT_KEPT = 2048
_ABSURD = 1e9
_DATA = frozenset(("text", "binary", "continuation"))
_CONTROL = frozenset(("ping", "pong"))

Way = tuple[str, str, str, int | None, str, bool]
"""Of the first step: side, what, by, code, reason, and whether its payload was not kept."""


class PlainLife(Struct, gc=False):
    """Times in seconds. ``ended`` is that of the first step towards the end, and ``way`` what it was. ``spoke`` is when
    a side last sent a frame whose last one is no CLOSE, None for neither; ``settled`` whether it had lasted."""

    client: str
    path: str
    kind: Kind
    origin: str | None
    waited: float
    opened: float
    ended: float
    last_seen: float
    way: Way
    spoke: float | None
    settled: bool


def begins_plainly(event: Handshake) -> bool:
    """Whether a connection may be such, by its handshake."""
    response = event.response
    return (
        response is not None
        and response.status == 101
        and event.returned is None
        and event.conn > 0
        and not event.problems
        and not event.error
        and not event.by
    )


def plain_life(events: Sequence[AnyEvent]) -> PlainLife | None:
    """The life of one connection by all its events: a handshake for which :func:`begins_plainly`, frames and ends. None
    where it was anything else than plain."""
    shake = events[0]
    assert isinstance(shake, Handshake)
    asked = shake.original or shake.request
    kind, origin = kind_and_origin(asked)
    path = shake.request.target[:TEXT_KEPT].partition("?")[0]
    first: Frame | End | None = None
    client_spoke: float | None = None
    server_spoke: float | None = None
    said = 0
    for event in events[1:]:
        if type(event) is Frame:
            opcode, of_client = event.opcode, event.side == "client"
            if event.problems or event.left_compressed:
                return None
            if opcode == "close":
                if event.code is None and (event.text or event.base64 or event.length is not None):
                    return None
                if first is None:
                    first = event
                elif of_client:
                    said += 1
                spoke = None
            elif opcode in _DATA or opcode in _CONTROL:
                if first is not None and event.side != first.side and type(first) is End and first.how == "fin":
                    return None  # a half-close, perhaps
                if event.n == 1 and not of_client and is_webpack(path, event):
                    return None
                spoke = event.at
                said += of_client and opcode in _DATA
            else:
                return None
            if of_client:
                client_spoke = spoke
            else:
                server_spoke = spoke
        elif type(event) is End:
            if event.by or event.how == "open":
                return None
            if first is None:
                first = event
        else:
            return None
    opened = shake.at
    if first is None or not -_ABSURD < opened <= first.at < _ABSURD:
        return None
    ended = first.at
    if first.side == "client" and not (said > 0 and ended - opened > 2 * AT_ONCE):
        return None  # it may have been given up
    if type(first) is Frame:
        way: Way = (first.side, "close", "", first.code, (first.reason or "")[:TEXT_KEPT], False)
    else:
        assert isinstance(first, End)
        way = (first.side, first.how, "", None, "", False)
    latest = client_spoke if server_spoke is None else server_spoke
    if client_spoke is not None and latest is not None and client_spoke > latest:
        latest = client_spoke
    return PlainLife(
        shake.client[:TEXT_KEPT], path, kind, origin and origin[:TEXT_KEPT], shake.waited, opened, ended, events[-1].at,
        way, latest, ended - opened >= SETTLED,
    )  # fmt: skip
