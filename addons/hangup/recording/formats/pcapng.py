"""pcapng out: each connection as a TCP stream with its handshake and the very bytes of its frames, for Wireshark.

A recording holds what each side sent, not packets, so the packets are made up: the times, bytes and their order are the
recording's, the segments and acknowledgements are not. The server's port is 80 whatever it was, as that is where
Wireshark looks for HTTP without being told; what went over TLS is there in the clear.
"""

from __future__ import annotations

import ipaddress
from typing import Any, BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from hangup import __version__
from hangup.errors import MissingExtra
from hangup.recording.events import (
    AnyEvent,
    End,
    FilterEvent,
    Frame,
    Handshake,
    Header,
    Log,
    Note,
    Part,
    Raw,
    Request,
    Response,
    Side,
)
from hangup.recording.formats.imported import microseconds, moment
from hangup.recording.formats.losses import Losses
from hangup.recording.rebuild import Wire
from hangup.wire.inflation_budget import InflationBudget

try:
    import dpkt.ip  # type: ignore[import-untyped]
    import dpkt.pcapng  # type: ignore[import-untyped]
    import dpkt.tcp  # type: ignore[import-untyped]
except ImportError:
    raise MissingExtra("pcapng is written with the package dpkt: install the extra, hangup[pcapng]") from None

SEGMENT = 32 << 10
"""The most payload in a packet, in bytes. (IP allows 65,495.)"""

LINE = 64
"""Bytes of a recording that the shortest event takes."""

LINKTYPE_RAW = 101  # packets begin with their IP header
HTTP_PORT = 80
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

_CLIENT, _SERVER = b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02"  # where an address is not known, or not IPv4


class _Leg(Struct):
    """One side of a TCP stream: its address, its next sequence number, how its events become bytes."""

    address: bytes
    port: int
    wire: Wire
    sequence: int = 0
    ended: bool = False


class _Stream(Struct):
    client: _Leg
    server: _Leg


class PcapngWriter:
    """Writes packets as the events come, so that memory grows only with the connections that are open."""

    def __init__(self, out: BinaryIO, header: Header) -> None:
        self.losses = Losses()
        self._started = microseconds(header)
        self._streams: dict[int, _Stream] = {}
        self._zeros = InflationBudget()
        self._gap = 0
        section = dpkt.pcapng.SectionHeaderBlockLE(
            opts=[
                dpkt.pcapng.PcapngOptionLE(code=4, data=f"hangup {__version__}".encode()),
                dpkt.pcapng.PcapngOptionLE(),
            ]
        )
        interface = dpkt.pcapng.InterfaceDescriptionBlockLE(snaplen=1 << 18, linktype=LINKTYPE_RAW)
        self._out: Any = dpkt.pcapng.Writer(out, shb=section, idb=interface)

    def write(self, event: AnyEvent) -> None:
        """Takes the next event."""
        if isinstance(event, Handshake):
            self._handshake(event)
        elif isinstance(event, Frame | Part | Raw):
            self._bytes(event)
        elif isinstance(event, End):
            self._end(event)
        elif isinstance(event, FilterEvent):
            self.losses.count("filter event")
        elif isinstance(event, Log):
            self.losses.count("log line")
        elif isinstance(event, Note):
            self.losses.count("note")

    def finish(self) -> None:
        """Nothing is left to be written."""

    def close(self) -> None:
        """Nothing is held."""

    def _handshake(self, event: Handshake) -> None:
        stream = self._open(event)
        asked = event.at - event.waited
        self._packet(stream, "client", asked, SYN)
        self._packet(stream, "server", asked, SYN | ACK)
        self._packet(stream, "client", asked, ACK)
        self._send(stream, "client", asked, _request(event.request))
        if event.response is not None:
            self._send(stream, "server", event.at, _response(event.response))
            if event.by:
                self.losses.fact("that a filter or hangup answered instead of the server")

    def _open(self, event: Handshake) -> _Stream:
        client = _address(event.client, _CLIENT, 49152 + event.conn % 16384)
        server = _address(event.server, _SERVER, HTTP_PORT)
        if client[0] == _CLIENT and server[0][0] == 127:
            client = server[0], client[1]
        stream = self._streams[event.conn] = _Stream(
            _Leg(*client, Wire()),
            _Leg(server[0], HTTP_PORT, Wire()),
        )
        return stream

    def _bytes(self, event: Frame | Part | Raw) -> None:
        stream = self._streams.get(event.conn)
        if stream is None:
            # Without a handshake nothing would be known for a WebSocket.
            self.losses.count("handshake that is not in the recording (made up)")
            headers = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
            request = Request(headers=headers)
            response = Response(status=101, reason="Switching Protocols", headers=headers)
            self._handshake(Handshake(at=event.at, conn=event.conn, request=request, response=response))
            stream = self._streams[event.conn]
        leg = stream.client if event.side == "client" else stream.server
        self._send(stream, event.side, event.at, b"".join(leg.wire.bytes(self._whole(event))))
        # Whoever reads the packets sees that there were more bytes, which are not in them.
        leg.sequence = leg.sequence + self._gap & 0xFFFFFFFF
        self._gap = 0

    def _whole(self, event: Frame | Part | Raw) -> Frame | Part | Raw:
        """With zeros for what was cut, so that the frames after it stay where they were."""
        payload = event.payload
        if isinstance(event, Raw):
            missing = (event.cut or 0) - len(payload)
            if event.cut is None:
                return event
            event = replace(event, cut=None)
        elif isinstance(event, Frame) and event.parts:
            return replace(event, sha256=None) if event.sha256 is not None else event
        else:
            missing = (event.length or 0) - len(payload)
            if missing <= 0:
                return event
            event = replace(event, length=None)
        self.losses.count("payload that was cut in the recording (padded with zeros)")
        # What a file says of its own cuts is believed only in proportion to what it has.
        self._zeros.earn(len(payload) + LINE)
        missing = max(missing, 0)
        filled = min(missing, self._zeros.allows())
        self._zeros.spend(filled)
        if filled < missing:
            self._gap = missing - filled
            self.losses.count("cut payload that is too long to pad")
        return replace(event, text=None, base64=payload + bytes(filled))

    def _end(self, event: End) -> None:
        stream = self._streams.get(event.conn)
        if stream is None:
            return
        leg = stream.client if event.side == "client" else stream.server
        other: Side = "server" if event.side == "client" else "client"
        if event.how == "fin":
            self._packet(stream, event.side, event.at, FIN | ACK)
            self._packet(stream, other, event.at, ACK)
        elif event.how == "rst" or event.how == "error":
            self._packet(stream, event.side, event.at, RST | ACK)
        leg.ended = True
        if stream.client.ended and stream.server.ended:
            del self._streams[event.conn]

    def _send(self, stream: _Stream, side: Side, at: float, data: bytes) -> None:
        for start in range(0, len(data), SEGMENT):
            self._packet(stream, side, at, PSH | ACK, data[start : start + SEGMENT])

    def _packet(self, stream: _Stream, side: Side, at: float, flags: int, data: bytes = b"") -> None:
        source, target = stream.client, stream.server
        if side == "server":
            source, target = target, source
        segment = dpkt.tcp.TCP(
            sport=source.port,
            dport=target.port,
            seq=source.sequence,
            ack=target.sequence if flags & ACK else 0,
            flags=flags,
            win=65535,
            data=data,
        )
        packet = dpkt.ip.IP(src=source.address, dst=target.address, p=dpkt.ip.IP_PROTO_TCP, data=segment)
        packet.len = len(packet)
        self._out.writepkt_time(bytes(packet), moment(self._started, at) / 1e6)
        source.sequence = source.sequence + len(data) + bool(flags & (SYN | FIN)) & 0xFFFFFFFF


def _address(text: str, otherwise: bytes, port: int) -> tuple[bytes, int]:
    host, _, number = text.rpartition(":")
    try:
        return ipaddress.IPv4Address(host).packed, int(number) & 0xFFFF
    except ValueError:
        return otherwise, port


def _request(request: Request) -> bytes:
    version = request.version if request.version.startswith("HTTP/1") else "HTTP/1.1"
    return _lines(f"{request.method} {request.target} {version}", request.headers)


def _response(response: Response) -> bytes:
    version = response.version if response.version.startswith("HTTP/1") else "HTTP/1.1"
    return _lines(f"{version} {response.status} {response.reason}", response.headers) + response.text.encode()


def _lines(first: str, headers: list[tuple[str, str]]) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode(errors="replace")
