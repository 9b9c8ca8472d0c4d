"""What is fuzzed: a function of bytes each, which may raise nothing, and what it starts from."""

from __future__ import annotations

import gzip
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from hangup.diagnosis.diagnose import diagnose
from hangup.errors import HangupError
from hangup.filters.library import FILTERS
from hangup.filters.text import parse as parse_filter
from hangup.recording import events as ev
from hangup.recording.events import AnyEvent, Header, Side
from hangup.recording.formats import open_recording
from hangup.recording.ledger import Ledger
from hangup.recording.rebuild import sent_by
from hangup.recording.redaction.redactor import Redactor
from hangup.session import Session
from hangup.wire import deflate
from hangup.wire.frames import Frame, FrameReader, Junk
from hangup.wire.handshake import problems, review
from hangup.wire.http_head import parse_request, parse_response, split_head
from hangup.wire.inflation_budget import whole
from hangup.wire.url import parse_listen, parse_target

TESTS = Path(__file__).resolve().parents[1]
CORPUS = Path(__file__).resolve().parent / "corpus"
"""A folder for each target, with what once broke it, or does what nothing else there does."""

RECORDINGS = TESTS.parent / "recordings"
SIDES: tuple[Side, Side] = ("client", "server")
HEADER = Header(hangup=ev.FORMAT, started="2026-11-22T21:08:00.123456Z", target="ws://localhost:8000")


class Target(NamedTuple):
    """``run`` takes any bytes. ``seeds`` are what is tried first, beside the corpus; ``most`` is how long (bytes) those
    may become that are made."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    most: int = 4096

    def corpus(self) -> list[Path]:
        """The files of its folder."""
        return sorted((CORPUS / self.name).glob("*"))


class _Choices:
    """The first bytes decide how the rest is used."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, below: int) -> int:
        """A number from 0 on."""
        at, self._at = self._at, self._at + 1
        return self._data[at] % below if at < len(self._data) else 0

    @property
    def rest(self) -> bytes:
        """What is left."""
        return self._data[self._at :]


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


# The wire.


def frames(data: bytes) -> None:
    """No byte is lost, and how the bytes arrive does not change what is read."""
    choose = _Choices(data)
    side, rsv, size = SIDES[choose.number(2)], choose.number(8), 1 + choose.number(64)
    sent = choose.rest
    reader, at_once = (FrameReader(side, rsv_data=rsv, keep_wire=True) for _ in range(2))
    found = [item for piece in _pieces(sent, size) for item in reader.feed(piece)]
    if (half := reader.finish()) is not None:
        found.append(half)
    assert b"".join(item.payload if isinstance(item, Junk) else item.wire or b"" for item in found) == sent
    whole = at_once.feed(sent)
    assert [item for item in found if isinstance(item, Frame)] == [item for item in whole if isinstance(item, Frame)]


def deflated(data: bytes) -> None:
    """Any bytes at all inflate to something, or are told as broken, and never beyond the limit."""
    choose = _Choices(data)
    params = deflate.Params(
        bool(choose.number(2)), bool(choose.number(2)), 8 + choose.number(8), 8 + choose.number(8)
    )
    limit = (0, 50, 100_000)[choose.number(3)]
    budget = whole(lambda: 0.0) if choose.number(2) else None
    inflater = deflate.Inflater(params, SIDES[choose.number(2)], budget=budget)
    for message in choose.rest.split(b"\x00\x00\xff\xff"):
        inflated = inflater.message(message, limit)
        assert len(inflated.data) <= limit and len(inflated.data) <= inflated.length
        if inflated.problems:
            assert inflater.fault


def session(data: bytes) -> None:
    """What a proxy sees of a connection: what is recorded of it can be turned back into every byte that was sent."""
    choose = _Choices(data)
    params = deflate.parse(["permessage-deflate"]) if choose.number(2) else None
    size = 1 + choose.number(100)
    found: list[AnyEvent] = []
    watched = Session(1, found.append, deflate=params)  # type: ignore[arg-type]
    sent: dict[Side, bytes] = {"client": b"", "server": b""}
    for number, piece in enumerate(_pieces(choose.rest, size)):
        side = SIDES[piece[0] & 1] if choose.number(2) else SIDES[number & 1]
        sent[side] += piece
        watched.observe(side, piece, number / 1000)
    watched.end("client", "fin", 9.0)
    watched.end("server", "rst", 9.0)
    found = ev_again(found)
    for side in SIDES:
        assert b"".join(sent_by(found, 1, side)) == sent[side]


def ev_again(events: Iterable[AnyEvent]) -> list[AnyEvent]:
    """As they are read from the file."""
    return [ev.decode(ev.encode(event)) for event in events]


def handshake(data: bytes) -> None:
    """A request, and the response after it."""
    first = split_head(data)
    asked = parse_request(first[0]) if first else None
    second = split_head(first[1]) if first else None
    answered = parse_response(second[0]) if second else None
    checks = review(
        asked.headers if asked else [],
        answered.status if answered else None,
        answered.headers if answered else [],
        asked.method if asked else "GET",
        asked.version if asked else "HTTP/1.1",
    )
    problems(checks)
    lines = [value for _, value in (answered.headers if answered else [])]
    deflate.parse(lines, [value for _, value in (asked.headers if asked else [])])


def urls(data: bytes) -> None:
    """A target, and an address to listen on."""
    text = data.decode(errors="surrogateescape")
    with suppress(HangupError):
        target = parse_target(text)
        assert str(parse_target(str(target))) == str(target)
    with suppress(HangupError):
        parse_listen(text)


# Files.


def recording(data: bytes) -> None:
    """A recording of our own, or what claims to be one: read, summed up, explained."""
    header = ev.encode(HEADER) + b"\n" if not data.startswith(b"{") else b""
    with _file(header + data, ".jsonl") as path:
        try:
            opened = open_recording(path)
            one_by_one = list(opened)
            told = opened.torn, opened.skipped
            assert [event for batch in opened.batches() for event in batch] == one_by_one
            assert (opened.torn, opened.skipped) == told
        except HangupError as error:
            _one_line(error)
            return
        _understood(opened.header, one_by_one)


def _summed_up(events: list[AnyEvent]) -> None:
    ledger = Ledger()
    for event in events:
        ev.encode(event)
        ledger.feed(event)
    for connection in ledger.connections.values():
        assert "\n" not in connection.ending.sentence
        msgspec.json.encode(connection.summary())


def _understood(header: Header, events: list[AnyEvent]) -> None:
    _summed_up(events)
    report = diagnose(header, events)
    msgspec.json.encode(report.summary())


def imported(suffix: str) -> Callable[[bytes], None]:
    """Another program's file: what can be read of it is sound, what cannot is refused in one line."""

    def run(data: bytes) -> None:
        with _file(data, suffix) as path:
            try:
                opened = open_recording(path)
                events = list(opened)
            except HangupError as error:
                _one_line(error)
                return
            _summed_up(events)

    return run


def _one_line(error: HangupError) -> None:
    said = str(error)
    assert said.isprintable() and len(said) <= 1000, said


class _file:
    """A file with these bytes."""

    def __init__(self, data: bytes, suffix: str) -> None:
        self._path = _folder() / f"file{suffix}"
        self._path.write_bytes(data)

    def __enter__(self) -> Path:
        return self._path

    def __exit__(self, *_: object) -> None:
        pass


@cache
def _folder() -> Path:
    kept = tempfile.TemporaryDirectory(prefix="hangup-fuzzing-", dir=_memory())
    _KEPT.append(kept)
    return Path(kept.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []
"""Removed when the program ends."""


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


# What people and programs write.


def filters(data: bytes) -> None:
    """A filter's text form is refused in one line, or means the same when it is written again."""
    text = data.decode(errors="surrogateescape")
    try:
        found = parse_filter(text)
    except HangupError as error:
        _one_line(error)
        return
    assert parse_filter(str(found)) == found


SECRET = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJlc2lnbmF0dXJlc2ln"


def redaction(data: bytes) -> None:
    """Whatever surrounds it, a secret that a header gives away does not leave."""
    choose = _Choices(data)
    opcode, cut = ("text", "binary")[choose.number(2)], choose.number(256)
    before, _, after = choose.rest.partition(b"\x00")
    payload = before + b' "' + SECRET.encode() + b'" ' + after
    if opcode == "text":
        payload = payload.decode(errors="replace").encode()
    headers = [("Host", "localhost"), ("Authorization", f"Bearer {SECRET}"), ("X-Fuzz", before.decode("latin-1"))]
    request = ev.Request(target="/ws", headers=headers)
    events: list[AnyEvent] = [ev.Handshake(at=0.1, conn=1, request=request, response=ev.Response(status=101))]
    for number, piece in enumerate((payload[:cut], payload[cut:])):
        shown, hidden = ev.payload_fields(piece)
        events.append(
            ev.Frame(
                at=0.2, conn=1, n=number + 1, side="client", opcode="continuation" if number else opcode,
                fin=bool(number), mask="00000000", text=shown, base64=hidden,
            )
        )  # fmt: skip
    redactor = Redactor()
    left = list(redactor.events(events))
    assert len(left) == len(events)
    carried = b"".join(event.payload for event in left if isinstance(event, ev.Frame))
    assert SECRET.encode() not in carried
    assert SECRET.encode() not in b"".join(map(ev.encode, left))


def control(data: bytes) -> None:
    """A request to the control API: refused, or answered as it should be; never a fault of ours."""
    from fuzzing.control import ask

    ask(data)


# What they start from.


def _recordings() -> Iterator[bytes]:
    for path in sorted(RECORDINGS.glob("[a-z]*.jsonl")):
        if path.stat().st_size < 6000:
            yield path.read_bytes()


def _streams() -> Iterator[bytes]:
    yield b"\x00\x00\x05" + bytes.fromhex("818501020304") + bytes(5)
    yield b"\x01\x00\x40" + b"\x81\x05hello" + b"\x89\x00" + b"\x88\x02\x03\xe8"
    yield b"\x01\x04\x01" + b"\x01\x02ab" + b"\x80\x01c" + b"\x82\x7e\x00\x80" + bytes(128)
    yield b"\x00\x00\x3f" + b"HTTP/1.1 400 Bad Request\r\n\r\n"
    yield b"\x01\x00\x40" + b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"
    yield b"\x00\x07\x02" + b"\x82\x7f" + bytes(7) + b"\x03abc"


def _compressed() -> Iterator[bytes]:
    for config in (bytes(7), b"\x01\x01\x07\x07\x01\x01\x01"):
        packer = deflate.Deflater(deflate.Params(), "client")
        yield config + b"\x00\x00\xff\xff".join(packer.message(text) for text in (b"hello", b"hello " * 40, b""))
        yield config + b"\x01\x02\x00\xfd\xffhi" + b"\x00"


def _handshakes() -> Iterator[bytes]:
    yield (
        b"GET /ws?a=b HTTP/1.1\r\nHost: localhost:8000\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: a, b\r\n"
        b'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x; y="z"\r\n\r\n'
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n\r\n"
    )
    yield b"GET / HTTP/1.1\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"


def _hars() -> Iterator[bytes]:
    for path in sorted((TESTS / "imports").glob("*.har")):
        if path.stat().st_size < 12_000:
            yield path.read_bytes()
    message = {"type": "send", "time": 1.5, "opcode": 1, "data": "hi"}
    entry = {
        "startedDateTime": "2026-11-22T21:08:00Z", "request": {"url": "ws://h/ws", "headers": []},
        "response": {"status": 101, "headers": []}, "_webSocketMessages": [message],
    }  # fmt: skip
    yield json.dumps({"log": {"creator": {"name": "WebInspector"}, "entries": [entry]}}).encode()
    yield gzip.compress(json.dumps({"log": {"entries": [entry]}}).encode())


def _netlogs() -> Iterator[bytes]:
    from netlogs import Netlog

    log = Netlog(raw=True)
    log.ask()
    log.answer()
    log.frame(True, 1, b"hello")
    log.frame(False, 8, b"\x0f\xa1over")
    yield log.dump()


def _flows() -> Iterator[bytes]:
    from hangup.proxy.flows import FlowWriter

    out = io.BytesIO()
    writer = FlowWriter(out, HEADER)
    with (RECORDINGS / "a3-text-ping-to-json-reader.jsonl").open("rb") as file:
        next(file)
        for line, _ in zip(file, range(12), strict=False):
            writer.write(ev.decode(line))
    writer.finish()
    writer.close()
    yield out.getvalue()


def _zips() -> Iterator[bytes]:
    trace = b'{"type":"resource-snapshot","snapshot":{}}\n'
    for name, data in (("a.har", next(iter(_hars()))), ("trace.network", trace)):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(name, data)
        yield packed.getvalue()


def _filters() -> Iterator[bytes]:
    for each in FILTERS.values():
        yield each.example.encode()


def _secrets() -> Iterator[bytes]:
    yield b'\x00\x10{"token": \x00}'
    yield b"\x01\x40" + bytes(range(1, 60)) + b"\x00" + b"password=hunter2hunter2&x="
    yield b"\x00\xff" + b"eyJhbGciOiJIUzI1NiJ9 AKIAIOSFODNN7EXAMPLE " * 3 + b"\x00"


def _requests() -> Iterator[bytes]:
    yield b'POST api/filters/add\n{"filter": "drop-heartbeat side=client"}'
    yield b'POST api/filters/edit\n{"filter": "1", "to": "delay seconds=1"}'
    yield b"GET api/connections?after=0&limit=5\n"
    yield b"GET api/overview?since=1\n"
    yield b"GET api/entries?conn=1&from=0&count=20\n"
    yield b"GET api/search?text=ping&from=0\n"
    yield b"POST api/filters/clear\n{}"


def _targets() -> Iterator[bytes]:
    yield b"wss://user@example.org:8443/ws?x=1"
    yield b"http://[::1]:8000/"
    yield b"127.0.0.1:9000"


TARGETS: dict[str, Target] = {
    each.name: each
    for each in (
        Target("frames", frames, _streams),
        Target("deflate", deflated, _compressed),
        Target("session", session, _streams),
        Target("handshake", handshake, _handshakes),
        Target("urls", urls, _targets, 200),
        Target("recording", recording, _recordings, 6000),
        Target("har", imported(".har"), _hars, 12_000),
        Target("netlog", imported(".json"), _netlogs, 6000),
        Target("flow", imported(".flow"), _flows, 8000),
        Target("zip", imported(".zip"), _zips, 8000),
        Target("filters", filters, _filters, 300),
        Target("redaction", redaction, _secrets, 2000),
        Target("control", control, _requests, 1000),
    )
}
