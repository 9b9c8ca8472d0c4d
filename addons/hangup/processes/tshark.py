"""Packet captures taken apart by tshark, Wireshark's command line, where it is installed.

tshark knows every link type, puts TCP streams together (fragments, retransmissions, whatever came out of order) and
opens TLS with a key log. So it does that, and nothing else: the handshake and the frames are read here. A stream's
bytes come from its ``follow`` tap, with the time of each piece; who opened it, FINs and RSTs from the packets.

No library in Python does all of this: scapy and dpkt leave putting together to their user, pyshark is a wrapper around
the same program, and none of them opens TLS 1.3 in captures of any link type.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from hangup.errors import ForeignRecording, MissingExtra, RecordingError
from hangup.humanize import plural, printable
from hangup.recording import formats
from hangup.recording.events import Side
from hangup.recording.formats import Recording
from hangup.recording.formats.byte_streams import Chunk, Happened
from hangup.recording.formats.capture import Capture, Stream
from hangup.recording.formats.spool import Spool

AT_ONCE = 250
"""So many streams are followed in one run of tshark."""

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

_UPGRADE = 'http.upgrade || tcp.payload matches "(?i)\\r\\nupgrade:[ \\t]*websocket"'
_FILTER = f"tcp.flags.syn == 1 || tcp.flags.fin == 1 || tcp.flags.reset == 1 || tls.handshake.type == 1 || {_UPGRADE}"
_FIELDS = (
    "frame.number", "frame.time_epoch", "tcp.stream", "tcp.flags", "ip.src", "ipv6.src", "tcp.srcport",
    "ip.dst", "ipv6.dst", "tcp.dstport", "tls.handshake.type", "http.request.method",
)  # fmt: skip
_MISSING = re.compile(rb"\[\d+ bytes missing in capture file\]\x00?")
_CUT_SHORT = re.compile(r"cut short|cut off in the middle", re.I)
_RECORD = struct.Struct("<dBBI")
_WHATS: tuple[Happened, ...] = ("data", "fin", "rst", "gap")
_SIDES: tuple[Side, Side] = ("client", "server")


class _Packets(Struct):
    """What the packets of a stream tell, apart from its bytes. Addresses are ``host:port``."""

    number: int
    first: str
    other: str
    client: str = ""
    upgrades: dict[int, str] = {}
    """The packets that carry a head with an Upgrade, with the address that each is from."""
    secure: bool = False
    began: float = 0.0
    ends: list[tuple[float, str, bool]] = []
    """Time, who, and whether it is a RST; the first of each kind and side."""


def open_recording(source: str | os.PathLike[str], format: str | None = None, *, name: str | None = None) -> Recording:
    """:func:`hangup.recording.formats.open_recording`, which reads packet captures as well."""
    return formats.open_recording(source, format, name=name, dissect=dissect)


def dissect(path: Path) -> Capture:
    """Takes a capture apart. The keys of TLS are taken from the file that SSLKEYLOGFILE names, or from the capture.

    Raises :class:`~hangup.errors.MissingExtra` when there is no tshark, and
    :class:`~hangup.errors.ForeignRecording` when it cannot read the file.
    """
    tshark = shutil.which("tshark")
    if tshark is None:
        raise MissingExtra("packet captures are read with tshark: install Wireshark's command line (apt: tshark)")
    command = [tshark, "-n", "-r", os.fspath(path)]
    keys = os.environ.get("SSLKEYLOGFILE", "")
    if keys and Path(keys).is_file():
        command += ["-o", f"tls.keylog_file:{keys}"]
    streams, torn = _streams(command)
    wanted = [each for each in streams.values() if each.upgrades]
    sealed = sum(each.secure and not each.upgrades for each in streams.values())
    spool = Spool()
    for secure in (False, True):
        followed = [each for each in wanted if each.secure is secure]
        for at in range(0, len(followed), AT_ONCE):
            _follow(command, "tls" if secure else "tcp", followed[at : at + AT_ONCE], spool)
    found = [
        Stream(client, server, each.began, partial(_chunks, spool, each.number))
        for each in sorted(wanted, key=lambda each: (each.began, each.number))
        for client, server in [_ends(each)]
    ]
    told = ""
    if sealed:
        count = plural(sealed, "connection")
        told = f"{count} over TLS could not be decrypted (SSLKEYLOGFILE must name the file with the keys)"
    return Capture(found, secure=bool(wanted) and all(each.secure for each in wanted), unread=told, torn=torn)


def _ends(packets: _Packets) -> tuple[str, str]:
    """The client's and the server's address."""
    client = packets.client or packets.first
    return client, packets.other if client == packets.first else packets.first


def _streams(command: list[str]) -> tuple[dict[int, _Packets], bool]:
    """The capture's TCP streams by number, and whether the file breaks off."""
    fields = [word for field in _FIELDS for word in ("-e", field)]
    streams: dict[int, _Packets] = {}
    with _running([*command, "-Y", _FILTER, "-T", "fields", "-E", "occurrence=f", *fields]) as run:
        for line in run.lines():
            values = line.decode(errors="replace").rstrip("\r\n").split("\t")
            if len(values) == len(_FIELDS) and values[2].isdecimal():
                _packet(streams, values)
    return streams, run.torn


def _packet(streams: dict[int, _Packets], values: list[str]) -> None:
    packet, time, number, flag, *addresses, hello, method = values
    try:
        at, flags, mark = float(time), int(flag, 16), int(packet)
    except ValueError:
        return
    source, target = _address(*addresses[:3]), _address(*addresses[3:])
    stream = streams.setdefault(int(number), _Packets(int(number), source, target, began=at))
    ending = flags & (FIN | RST)
    if flags & SYN:
        stream.client = stream.client or (target if flags & ACK else source)
    if hello:
        stream.secure = True
        stream.client = stream.client or source
    if method:
        stream.client = source
    if method or not (flags & SYN or ending or hello):
        stream.upgrades[mark] = source
    if ending:
        end = source, bool(flags & RST)
        if end not in [each[1:] for each in stream.ends]:
            stream.ends.append((at, *end))


def _address(ip: str, ip6: str, port: str) -> str:
    return f"{ip}:{port}" if ip else f"[{ip6}]:{port}"


def _follow(command: list[str], what: str, streams: list[_Packets], spool: Spool) -> None:
    """Puts what was sent on these streams into the spool, by their numbers, with how they ended."""
    taps = [word for each in streams for word in ("-z", f"follow,{what},yaml,{each.number}")]
    # The taps come out in an order of tshark's own, and not always with both addresses: each is recognised by a packet.
    whose = {mark: each for each in streams for mark in each.upgrades}
    with _running([*command, "-q", *taps]) as run:
        for pieces in _follows(run.lines()):
            marked = next((piece for piece in pieces if piece.packet in whose), None)
            if marked is not None:
                stream = whose[marked.packet]
                client = marked.peer if stream.upgrades[marked.packet] == _ends(stream)[0] else 1 - marked.peer
                for chunk in _ordered(stream, client, pieces):
                    _keep(spool, stream.number, chunk)


class _Piece(NamedTuple):
    """A piece of a stream: the packet that it came with, its time (seconds since 1970), which peer's (0 or 1) it is."""

    packet: int
    at: float
    peer: int
    data: bytes


def _follows(lines: Iterator[bytes]) -> Iterator[list[_Piece]]:
    """The taps' output: the pieces of one stream each, in order."""
    pieces: list[_Piece] = []
    packet, peer, at = 0, 0, 0.0
    data: list[bytes] = []
    inside = False

    def flush() -> None:
        if data:
            try:
                pieces.append(_Piece(packet, at, peer, base64.b64decode(b"".join(data))))
            except binascii.Error:
                pass
            data.clear()

    for line in lines:
        words = line.strip()
        if inside and words and not words.startswith((b"- ", b"peers:")) and b":" not in words:
            data.append(words)
            continue
        flush()
        inside = False
        if words == b"peers:":
            if pieces:
                yield pieces
            pieces = []
            continue
        name, _, value = words.removeprefix(b"- ").partition(b": ")
        text = value.decode(errors="replace").strip()
        match name:
            case b"packet":
                packet = int(text) if text.isdecimal() else 0
            case b"peer":
                peer = int(text == "1")
            case b"timestamp":
                at = float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else at
            case b"data":
                inside = True
    flush()
    if pieces:
        yield pieces


def _ordered(stream: _Packets, client_peer: int, pieces: list[_Piece]) -> Iterator[Chunk]:
    """What both sides did, in order: bytes as soon as all before them are there, a FIN when all that it ends is."""
    client, _ = _ends(stream)
    latest: dict[Side, float] = {}
    chunks: list[Chunk] = []
    now = 0.0
    for _, at, peer, data in pieces:
        side: Side = "client" if peer == client_peer else "server"
        latest[side] = at = now = max(now, at)  # what was ahead of its time waited for what was sent again
        chunks.append(Chunk(at, side, "gap") if _MISSING.fullmatch(data) else Chunk(at, side, "data", data))
    for at, who, reset in stream.ends:
        side = "client" if who == client else "server"
        chunks.append(Chunk(at if reset else max(at, latest.get(side, at)), side, "rst" if reset else "fin"))
    return iter(sorted(chunks, key=lambda chunk: chunk.at))


def _keep(spool: Spool, number: int, chunk: Chunk) -> None:
    head = _RECORD.pack(chunk.at, _SIDES.index(chunk.side), _WHATS.index(chunk.what), len(chunk.data))
    spool.append(number, head + chunk.data)


def _chunks(spool: Spool, number: int) -> Iterator[Chunk]:
    buffer = b""
    for piece in spool.read(number):
        buffer += piece
        at = 0
        while len(buffer) - at >= _RECORD.size:
            moment, side, what, length = _RECORD.unpack_from(buffer, at)
            end = at + _RECORD.size + length
            if len(buffer) < end:
                break
            yield Chunk(moment, _SIDES[side], _WHATS[what], buffer[at + _RECORD.size : end])
            at = end
        buffer = buffer[at:]


class _running:
    """A run of tshark: its output line by line, and whether it found that the file breaks off."""

    def __init__(self, command: list[str]) -> None:
        self.torn = False
        self._errors = tempfile.TemporaryFile(prefix="hangup-")
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._errors, env=_environment()
            )
        except OSError as error:
            self._errors.close()
            raise RecordingError(f"cannot start tshark: {error.strerror or error}") from None

    def __enter__(self) -> _running:
        return self

    def lines(self) -> Iterator[bytes]:
        """What it prints."""
        assert self._process.stdout is not None
        yield from self._process.stdout

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        assert self._process.stdout is not None
        if kind is not None:
            self._process.kill()
        self._process.stdout.close()
        code = self._process.wait()
        with self._errors:
            self._errors.seek(0)
            said = self._errors.read(1 << 16).decode(errors="replace")
        self.torn = _CUT_SHORT.search(said) is not None
        if kind is None and code and not self.torn:
            lines = [line for line in said.splitlines() if line.strip() and not line.startswith("Running as user")]
            why = printable(lines[-1] if lines else f"exit code {code}", 200)
            raise ForeignRecording(f"tshark cannot read this packet capture: {why}")


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
