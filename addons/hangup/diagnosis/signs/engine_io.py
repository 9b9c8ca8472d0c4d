"""Engine.IO, which carries Socket.IO: who pings, who answers, and whether the client asked for a namespace.

In version 4 the server sends ``2`` and the client answers ``3``; in version 3 it is the other way round.
"""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Cite, Trigger, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.client_pings import NEARLY_ALL, opened
from hangup.humanize import plural
from hangup.recording.connections import Connection
from hangup.recording.events import Side
from hangup.recording.traffic import KindCount


def speaks_engine_io(case: Case) -> bool:
    """Whether open connections ended that speak it. A ``2`` alone may be anybody's number."""
    lives = case.once(opened)
    asked = any("EIO" in life.query or "socket.io" in life.path or _counts(life, "server", "0") for life in lives)
    return asked and case.stack.protocol == "engine.io" and case.closer in ("server", "client")


def version(case: Case) -> str:
    """The version that the client asked for."""
    return case.once(opened)[0].query.get("EIO", "")


def _counts(life: Connection, side: Side, packet: str) -> list[KindCount]:
    shapes = life.traffic.halves[side].shapes
    return [count for shape, count in shapes.items() if shape.kind == packet and shape.protocol == "engine.io"]


def _all(case: Case, side: Side, packet: str) -> int:
    return sum(count.count for life in case.once(opened) for count in _counts(life, side, packet))


def _first_pings(case: Case, side: Side) -> list[Cite]:
    return [Cite(life.conn, count.first_n) for life in case.once(opened) for count in _counts(life, side, "2")]


def server_pings_in_vain(case: Case) -> bool:
    """Whether the server pings and no client ever answers."""
    return _all(case, "server", "2") > 0 and not _all(case, "client", "3")


def neither_pings(case: Case) -> bool:
    """Whether no side sends pings."""
    return not _all(case, "server", "2") and not _all(case, "client", "2")


def _by_time(case: Case) -> Trigger:
    return Trigger("time", case.once(opened)[0].conn)


@sign(speaks_engine_io, server_pings_in_vain)
def engine_io_pings_unanswered(case: Case) -> Sign:
    """The server's pings got no answer."""
    pings = plural(_all(case, "server", "2"), "Engine.IO ping")
    return Sign(
        text=f"the server sent {pings} (`2`) and got no `3`",
        cites=_first_pings(case, "server"),
        trigger=_by_time(case),
    )


@sign(speaks_engine_io, server_pings_in_vain)
def both_sides_ping(case: Case) -> Sign | None:
    """The client sends pings of its own, and answers none."""
    sent = _all(case, "client", "2")
    text = f"the client sent {plural(sent, 'Engine.IO ping')} of its own: each side waits for the other"
    return Sign(text=text, cites=_first_pings(case, "client")) if sent else None


@sign(speaks_engine_io)
def asked_for_engine_io_3(case: Case) -> Sign | None:
    """The client asked for the version in which it is the one to ping."""
    if case.once(version) != "3":
        return None
    text = "the client asked for EIO=3, in which the client pings and the server answers"
    return Sign(text=text, cites=cite_all(case.once(opened)))


@sign(speaks_engine_io)
def client_pings_in_engine_io_4(case: Case) -> Sign | None:
    """The client pings where the server ought to, and gets no answer."""
    sent = _all(case, "client", "2")
    if not sent or _all(case, "server", "2") or _all(case, "server", "3") or case.once(version) != "4":
        return None
    text = f"the client sent {plural(sent, 'Engine.IO ping')} (`2`), which in version 4 only the server sends"
    return Sign(text=text, cites=_first_pings(case, "client"), trigger=_by_time(case))


@sign(speaks_engine_io, neither_pings)
def no_engine_io_pings(case: Case) -> Sign | None:
    """The client asked for version 3, and does not ping."""
    if case.once(version) != "3" or case.mode != "close":
        return None
    return Sign(text="EIO=3, and neither side sends pings", cites=cite_all(case.once(opened)), trigger=_by_time(case))


@sign(speaks_engine_io)
def no_namespace_asked_for(case: Case) -> Sign | None:
    """Socket.IO 4 closes a client that has not asked for a namespace (``40``) within ``connectTimeout``."""
    mute = [
        life
        for life in case.once(opened)
        if _counts(life, "server", "0")
        and not _counts(life, "client", "40")
        and not any(shape.opcode == "binary" for shape in life.traffic.client.shapes)  # another parser's packets
        and "engine.io" not in life.path  # which is without Socket.IO
    ]
    if case.closer != "server" or case.once(version) == "3" or len(mute) < NEARLY_ALL * len(case.once(opened)):
        return None
    text = "the client never connected to a namespace (`40`), which is how Socket.IO starts"
    return Sign(text=text, cites=cite_all(mute), trigger=Trigger("time", mute[0].conn))
