"""Packet captures in: the TCP streams that somebody else put together, read by the same readers as the proxy's.

Who takes packets apart is a parameter (:data:`Dissect`), as that needs a program of its own
(:mod:`hangup.processes.tshark`). A capture tells all: pings, frames as they were on the wire, each side's FIN or RST.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from msgspec import Struct

from hangup.errors import ForeignRecording
from hangup.recording.events import FORMAT, AnyEvent, Header
from hangup.recording.formats.byte_streams import Chunk, Conversation
from hangup.recording.formats.imported import Imported, MakeEvents, Script, iso
from hangup.wire.inflation_budget import InflationBudget

CONNECTIONS = 100_000
"""So many connections are read."""


class Stream(Struct):
    """A TCP stream with a WebSocket in it. ``client`` and ``server`` are addresses with ports, ``began`` is the time of
    what there is first of it (seconds since 1970), ``chunks`` gives what both sides did, in order, anew each time."""

    client: str
    server: str
    began: float
    chunks: Callable[[], Iterator[Chunk]]


class Capture(Struct):
    """A capture's streams, in the order in which they began. ``unread`` says of what could not be read, ``torn``
    whether the file breaks off."""

    streams: list[Stream]
    secure: bool = False
    unread: str = ""
    torn: bool = False


Dissect = Callable[[Path], Capture]
"""Takes a capture apart; raises :class:`~hangup.errors.HangupError` when it cannot."""


def read(capture: Capture, name: str, path: Path | None) -> Imported:
    """The WebSockets of a capture. Raises :class:`~hangup.errors.ForeignRecording` when there are none."""
    if not capture.streams:
        why = f": {capture.unread}" if capture.unread else ""
        raise ForeignRecording(f"{name} is a packet capture without any WebSocket that can be read{why}")
    zero = min(stream.began for stream in capture.streams)
    servers = {stream.server for stream in capture.streams}
    target = f"{'wss' if capture.secure else 'ws'}://{servers.pop()}" if len(servers) == 1 else ""
    header = Header(hangup=FORMAT, started=iso(zero), mode="import", source="pcap", target=target, note=capture.unread)
    connections: list[MakeEvents] = [
        partial(_events, conn, stream, zero) for conn, stream in enumerate(capture.streams[:CONNECTIONS], 1)
    ]
    left_out = len(capture.streams) - len(connections)
    skips = [(CONNECTIONS + 1, f"there are more than {CONNECTIONS} connections")] if left_out else []
    recording = Imported(name, path, header, connections, skips, left_out)
    recording.torn = capture.torn
    return recording


def _events(conn: int, stream: Stream, zero: float, inflation: InflationBudget) -> Iterator[AnyEvent]:
    yield from Conversation(Script(conn), zero, stream.client, stream.server, inflation).events(stream.chunks())
