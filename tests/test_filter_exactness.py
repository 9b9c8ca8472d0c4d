"""Exactness under change: whatever filters do, and whenever they are switched, all else arrives as it was.

Streams of both sides, with permessage-deflate and without, fragmented, with control frames in between, cut
anywhere, go through a session whose filters are switched on and off at random moments. Three receivers judge what comes
out: hangup's own reader, the `websockets` library's protocol and npm ws's receiver, which must see no error.
"""

from __future__ import annotations

import json
import subprocess
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from msgspec import Struct
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Opcode
from websockets.protocol import Protocol, State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from hangup.filters.chain import Chain
from hangup.filters.filter_set import FilterSet
from hangup.recording import events
from hangup.recording.events import FilterEvent, Side
from hangup.recording.rebuild import sent_by, sent_to
from hangup.session import Out, Session
from hangup.wire.deflate import Deflater, Inflater, Params
from hangup.wire.frames import Frame, FrameReader, Junk, serialize
from hangup.wire.messages import Assembler
from harness import node
from streams import chunks, cut, streams

DEFLATES: list[Params | None] = [
    None,
    Params(),
    Params(client_no_context_takeover=True),
    Params(server_no_context_takeover=True, client_max_window_bits=10, server_max_window_bits=9),
]
FILTERS = [
    "drop contains=DROP",
    "rewrite contains=REWRITE to=rewritten-rewritten-rewritten",
    "drop-ping side=client",
    "drop opcode=pong contains=DROP",
    "flip-opcode contains=FLIP",
    "drop-heartbeat",
    "only side=server regex=^(?!ONLY-NOT)",
    "drop contains=never-seen-at-all",
    "rewrite opcode=ping contains=REWRITE to=r",
]
NEVER = ["drop contains=never-there", "drop-ping side=client path=/elsewhere", "mute side=server path=/elsewhere"]
NEVER += ["rewrite-heartbeat form=mqtt to=x", "drop-malformed what=bom", "delay 1h regex=never-there"]
"""Filters that never match what :mod:`streams` makes."""
WORDS = ["DROP ", "REWRITE ", "FLIP ", "ONLY-NOT ", "the quick brown fox ", "jumps over the lazy dog ", "{}", "grüße "]


class Sent(Struct):
    """A message or control frame as it was sent, and how."""

    opcode: int
    data: bytes
    packed: bool = False
    parts: tuple[int, ...] = ()
    """Where it is cut into fragments, in thirds of its payload; a control frame follows each but the last."""
    control: tuple[int, bytes] | None = None


_text = st.lists(st.sampled_from(WORDS), max_size=8).map(lambda words: "".join(words).encode())
_heartbeats = st.sampled_from([b"ping", b'{"type":"pong"}', b""])
_controls = st.tuples(st.sampled_from([9, 10]), st.sampled_from([b"", b"DROP", b"REWRITE me", b"x"]))
_messages = st.builds(
    Sent,
    st.sampled_from([1, 1, 2]),
    _text | _heartbeats,
    st.booleans(),
    st.lists(st.integers(0, 3), max_size=3).map(lambda cuts: tuple(sorted(cuts))),
    st.none() | _controls,
)
_sent = st.lists(_messages | _controls.map(lambda c: Sent(*c)), max_size=8)
_plan = st.lists(
    st.tuples(st.sampled_from(["client", "server"]), st.integers(1, 60), st.none() | st.integers(0, len(FILTERS) - 1)),
    max_size=40,
)


class Sender:
    """Writes what a side sends. ``wires`` are the bytes of each message, its control frames left out."""

    def __init__(self, side: Side, sent: list[Sent], deflate: Params | None) -> None:
        self.side = side
        self.deflater = Deflater(deflate, side) if deflate else None
        self.takeover = deflate is not None and deflate.takeover(side)
        self.key = b"\x11\x22\x33\x44" if side == "client" else None
        self.wires: dict[int, bytes] = {}
        self.ends: dict[int, tuple[int, int]] = {}
        """Of the data message or control frame with this ordinal: where it begins and ends in the stream."""
        self.contents: dict[int, tuple[int, bytes]] = {}
        self.stream = b""
        self._ordinal = 0
        for item in sent:
            self._message(item) if item.opcode < 8 else self._control(item.opcode, item.data)

    def _frame(self, opcode: int, payload: bytes, fin: bool = True, rsv: int = 0) -> bytes:
        return serialize(Frame(fin, rsv, opcode, self.key, payload))

    def _note(self, opcode: int, data: bytes, start: int, wire: bytes) -> None:
        self.contents[self._ordinal] = (opcode, data)
        self.ends[self._ordinal] = (start, len(self.stream))
        self.wires[self._ordinal] = wire
        self._ordinal += 1

    def _control(self, opcode: int, data: bytes) -> None:
        start, wire = len(self.stream), self._frame(opcode, data)
        self.stream += wire
        self._note(opcode, data, start, wire)

    def _message(self, item: Sent) -> None:
        packed = item.packed and self.deflater is not None
        payload = self.deflater.message(item.data) if packed and self.deflater is not None else item.data
        cuts = [0, *(len(payload) * part // 3 for part in item.parts), len(payload)]
        start, wire = len(self.stream), b""
        for i in range(len(cuts) - 1):
            last = i == len(cuts) - 2
            frame = self._frame(
                0 if i else item.opcode, payload[cuts[i] : cuts[i + 1]], last, 4 if packed and not i else 0
            )
            self.stream += frame
            wire += frame
            if not last and item.control is not None:
                self._control(*item.control)
        self._note(item.opcode, item.data, start, wire)


class Receiver:
    """Reads what came out: messages and control frames in order, each with its bytes; and with `websockets`."""

    def __init__(self, side: Side, deflate: Params | None) -> None:
        self.reader = FrameReader(side, rsv_data=4 if deflate else 0, keep_wire=True)
        self.assembler = Assembler(Inflater(deflate, side) if deflate else None)
        self.got: list[tuple[int, bytes, bytes, bool]] = []
        self.problems: list[str] = []
        self._wire = b""
        self.peer = _peer(side, deflate)

    def feed(self, data: bytes) -> None:
        self.peer.receive_data(data)
        for item in self.reader.feed(data):
            assert isinstance(item, Frame)
            noted = self.assembler.frame(item)
            self.problems += item.problems + noted.problems
            if item.opcode >= 8:
                self.got.append((item.opcode, item.payload, item.wire or b"", False))
                continue
            self._wire += item.wire or b""
            if noted.message is not None:
                data = noted.message.data or b""
                self.got.append((noted.message.opcode, data, self._wire, noted.message.compressed))
                self._wire = b""

    def peer_got(self) -> list[tuple[int, bytes]]:
        """What `websockets` made of it."""
        got: list[tuple[int, bytes]] = []
        parts: list[bytes] = []
        opcode = 0
        for event in self.peer.events_received():
            if event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                opcode = opcode if event.opcode is Opcode.CONT else int(event.opcode)
                parts.append(bytes(event.data))
                if event.fin:
                    got.append((opcode, b"".join(parts)))
                    parts = []
            else:
                got.append((int(event.opcode), bytes(event.data)))
        return got


def _peer(side: Side, deflate: Params | None) -> Protocol:
    """The `websockets` protocol that receives what ``side`` sends."""
    peer: Protocol
    if side == "client":
        peer = ServerProtocol(state=State.OPEN, max_size=None)
    else:
        peer = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)
    if deflate is not None:
        mine, theirs = ("server", "client") if side == "client" else ("client", "server")
        peer.extensions = [
            PerMessageDeflate(
                remote_no_context_takeover=not deflate.takeover(theirs),  # type: ignore[arg-type]
                local_no_context_takeover=not deflate.takeover(mine),  # type: ignore[arg-type]
                remote_max_window_bits=deflate.bits(theirs),  # type: ignore[arg-type]
                local_max_window_bits=deflate.bits(mine),  # type: ignore[arg-type]
            )
        ]
    return peer


class Run:
    """A session, both streams through it, and what came out."""

    def __init__(self, deflate: Params | None, express: bool, filters: list[str], **options: Any) -> None:
        self.lines: list[events.AnyEvent] = []
        self.filters = FilterSet()
        for text in filters:
            self.filters.add(text, enabled=False)
        chain = Chain(self.filters, 1, 0.0, emit=self.emit)
        write = (lambda lines: self.lines.extend(map(events.decode, lines.splitlines()))) if express else None
        self.session = Session(1, self.emit, deflate=deflate, emit_lines=write, chain=chain, **options)
        self.out: dict[Side, bytes] = {"client": b"", "server": b""}
        self.receivers = {side: Receiver(side, deflate) for side in self.out}

    def emit(self, event: events.Event) -> None:
        self.lines.append(events.decode(events.encode(event)))

    def take(self, out: Out) -> None:
        for side, data in (("server", out.to_client), ("client", out.to_server)):
            self.out[side] += data  # type: ignore[index]
            self.receivers[side].feed(data)  # type: ignore[index]

    def feed(self, side: Side, data: bytes, at: float) -> None:
        if self.session.plain(side):
            self.take(Out(to_server=data) if side == "client" else Out(to_client=data))
            self.session.observe(side, data, at)
        else:
            self.take(self.session.receive(side, data, at))
            if at % 2:  # whether it is told to catch up or not, the recording is the same
                self.session.catch_up()


def _ordinals(lines: list[events.AnyEvent], side: Side) -> dict[int, int]:
    """For each frame number of a side, the ordinal of the message (or control frame) that it is part of."""
    found: dict[int, int] = {}
    pending: list[int] = []
    ordinal = 0
    for event in lines:
        if not isinstance(event, events.Frame) or event.side != side:
            continue
        if event.opcode in ("ping", "pong"):
            found[event.n] = ordinal
            ordinal += 1
        else:
            pending.append(event.n)
            if event.fin:
                found.update(dict.fromkeys(pending, ordinal))
                pending = []
                ordinal += 1
    return found


def _touches(text: str, side: Side, opcode: int, data: bytes) -> bool:
    """Whether a filter of :data:`FILTERS` concerns a message, said independently of the filters."""
    word = text.split()[0]
    if word == "drop-ping":
        return side == "client" and opcode == 9
    if word == "drop-heartbeat":
        # An empty object is one only as text.
        return opcode < 8 and (data in (b"ping", b'{"type":"pong"}', b"") or (opcode, data) == (1, b"{}"))
    if "opcode=pong" in text:
        return opcode == 10 and b"DROP" in data
    if "opcode=ping" in text:
        return opcode == 9 and b"REWRITE" in data
    if opcode >= 8:
        return False
    if word == "only":
        return side == "server" and data.startswith(b"ONLY-NOT")
    return text.split("contains=")[1].split()[0].encode() in data


class Scenario(Struct):
    """Both streams, how they are cut, and which filter is switched when."""

    client: list[Sent]
    server: list[Sent]
    plan: list[tuple[Side, int, int | None]]
    deflate: Params | None
    express: bool
    enabled: set[int]


scenarios = st.builds(
    Scenario,
    _sent,
    _sent,
    _plan,
    st.sampled_from(DEFLATES),
    st.booleans(),
    st.sets(st.integers(0, len(FILTERS) - 1)),
)
Stretches = dict[str, list[tuple[dict[Side, int], dict[Side, int]]]]


def play(scenario: Scenario) -> tuple[Run, dict[Side, Sender], Stretches]:
    """Also gives, for each filter, the stretches of each stream during which it was on."""
    run = Run(scenario.deflate, scenario.express, FILTERS)
    senders: dict[Side, Sender] = {
        "client": Sender("client", scenario.client, scenario.deflate),
        "server": Sender("server", scenario.server, scenario.deflate),
    }
    position: dict[Side, int] = {"client": 0, "server": 0}
    on: Stretches = defaultdict(list)
    since: dict[str, dict[Side, int]] = {}

    def toggle(i: int) -> None:
        (entry,) = [e for e in run.filters if e.text == FILTERS[i]]
        if entry.enabled:
            on[entry.text].append((since.pop(entry.text), dict(position)))
            run.filters.off(entry.id, 0.0)
        else:
            since[entry.text] = dict(position)
            run.filters.on(entry.id, 0.0)

    for i in sorted(scenario.enabled):
        toggle(i)
    for step, (side, size, switch) in enumerate([*scenario.plan, ("client", 1 << 20, None), ("server", 1 << 20, None)]):
        if switch is not None:
            toggle(switch)
            if size % 2:  # at once, as the proxy does, or with the next bytes
                run.take(run.session.refresh(float(step)))
        chunk = senders[side].stream[position[side] : position[side] + size]
        if chunk:
            run.feed(side, chunk, float(step))
            position[side] += len(chunk)
    for i, text in enumerate(FILTERS):
        if text in since:
            toggle(i)
    run.take(run.session.refresh(99.0))
    for side in senders:
        run.take(run.session.end(side, "fin", 99.0))
    for event in run.lines:
        note(events.encode(event).decode())
    return run, senders, on


class Expected(Struct):
    """What a side must have got: opcode and payload in order, and the bytes of what must be as it was."""

    got: list[tuple[int, bytes]]
    exact: dict[int, bytes]
    dirty: bool


def expectation(run: Run, sender: Sender, on: Stretches) -> Expected:
    """From what was sent and what the recording says of the filters; that they acted where they should is checked."""
    side = sender.side
    ordinals = _ordinals(run.lines, side)
    acted: dict[int, list[FilterEvent]] = defaultdict(list)
    for event in run.lines:
        if isinstance(event, FilterEvent) and event.side == side and event.action in ("drop", "replace"):
            assert event.n is not None
            acted[ordinals[event.n]].append(event)
    expected = Expected([], {}, False)
    for ordinal in sorted(sender.contents, key=lambda o: sender.ends[o][1]):
        opcode, data = sender.contents[ordinal]
        start, end = sender.ends[ordinal]
        packed = opcode < 8 and bool(sender.wires[ordinal][0] & 0x40)
        by = {event.filter for event in acted[ordinal]}
        for text in by:
            assert _touches(text, side, opcode, data), f"{text} acted on {data!r}"
        for text, stretches in on.items():
            was_on = any(a[side] <= start and end <= b[side] for a, b in stretches)
            # An earlier filter in the chain may have dropped or changed it first.
            assert not was_on or not _touches(text, side, opcode, data) or by, f"{text} missed {data!r}"
        if any(event.action == "drop" for event in acted[ordinal]):
            expected.dirty = expected.dirty or (packed and sender.takeover)
            continue
        for event in acted[ordinal]:
            if event.n != acted[ordinal][-1].n:
                continue  # an event for each of its frames
            if event.filter.startswith("flip"):
                opcode = 3 - opcode
            else:
                data = event.filter.partition(" to=")[2].encode()
        if by:
            expected.dirty = expected.dirty or (packed and sender.takeover)
        elif not (packed and expected.dirty):
            expected.exact[len(expected.got)] = sender.wires[ordinal]
        expected.got.append((opcode, data))
    return expected


@given(scenarios)
def test_all_that_is_not_touched_arrives_as_it_was(scenario: Scenario) -> None:
    run, senders, on = play(scenario)
    for side, sender in senders.items():
        receiver = run.receivers[side]
        assert receiver.problems == []
        assert receiver.peer.parser_exc is None
        other: Side = "server" if side == "client" else "client"
        assert b"".join(sent_by(run.lines, 1, side)) == sender.stream
        assert b"".join(sent_to(run.lines, 1, other)) == run.out[side]
        expected = expectation(run, sender, on)
        assert [(opcode, data) for opcode, data, _, _ in receiver.got] == expected.got
        assert receiver.peer_got() == expected.got
        for i, wire in expected.exact.items():
            assert receiver.got[i][2] == wire
        assert run.session.plain(side) or expected.dirty


@given(
    streams,
    streams,
    chunks,
    chunks,
    st.sampled_from([None, Params()]),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(NEVER))),
)
def test_whatever_a_side_sends_filters_that_never_match_change_nothing(
    client: bytes,
    server: bytes,
    cuts: list[int],
    others: list[int],
    deflate: Params | None,
    express: bool,
    toggles: list[tuple[int, str]],
) -> None:
    run = Run(deflate, express, NEVER)
    sent: dict[Side, list[bytes]] = {"client": cut(client, cuts), "server": cut(server, others)}
    out: dict[Side, bytes] = {"client": b"", "server": b""}

    def take(got: Out) -> None:
        out["client"] += got.to_server
        out["server"] += got.to_client

    for step in range(max(map(len, sent.values()), default=0)):
        for at, text in toggles:
            if at == step:
                (entry,) = run.filters.find(text)
                (run.filters.off if entry.enabled else run.filters.on)(entry.id)
        for side, pieces in sent.items():
            if step < len(pieces):
                take(run.session.receive(side, pieces[step], float(step)))
    for side in sent:
        take(run.session.end(side, "fin", 99.0))
    for side, data in out.items():
        whole = b"".join(sent[side])
        assert _apart(side, data) == _apart(side, whole)
        assert b"".join(sent_by(run.lines, 1, side)) == whole
        assert b"".join(sent_to(run.lines, 1, "server" if side == "client" else "client")) == data


def _apart(side: Side, data: bytes) -> tuple[bytes, bytes]:
    """The pings and pongs of a stream, which may overtake a message that is not finished, and all else."""
    reader = FrameReader(side, rsv_data=4, keep_wire=True)
    pings = rest = b""
    for item in reader.feed(data):
        wire = (item.payload if isinstance(item, Junk) else item.wire) or b""
        if not isinstance(item, Junk) and item.opcode in (9, 10):
            pings += wire
        else:
            rest += wire
    return pings, rest + reader.buffered


class Judge:
    """npm ws's receiver, in a process of its own."""

    def __init__(self) -> None:
        if why := node.problem("ws"):
            pytest.skip(why)
        command = ["node", str(node.FOLDER / "judge.mjs")]
        self.process = subprocess.Popen(command, cwd=node.FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def judge(self, side: Side, deflate: Params | None, data: bytes) -> tuple[list[tuple[int, bytes]], str]:
        """What it makes of a stream that ``side`` sends, and what it complains of."""
        params = None
        if deflate is not None:
            params = {name: value for name, value in msgspec.to_builtins(deflate).items() if value not in ((), [])}
        ask = {"server": side == "client", "deflate": params, "data": b64encode(data).decode()}
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(ask).encode() + b"\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return [(opcode, b64decode(payload)) for opcode, payload in answer["got"]], answer["error"]

    def stop(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def ws() -> Iterator[Judge]:
    judge = Judge()
    yield judge
    judge.stop()


@pytest.mark.real
@settings(max_examples=100)
@given(scenario=scenarios)
def test_npm_ws_accepts_all_of_it(ws: Judge, scenario: Scenario) -> None:
    run, senders, on = play(scenario)
    for side, sender in senders.items():
        got, error = ws.judge(side, scenario.deflate, run.out[side])
        assert error == ""
        assert got == expectation(run, sender, on).got


@pytest.mark.real
def test_npm_ws_would_complain(ws: Judge) -> None:
    packed = Deflater(Params(), "server")
    packed.message(b"hello hello hello hello")
    second = serialize(Frame(True, 4, 1, None, packed.message(b"hello hello hello hello")))
    assert ws.judge("server", Params(), second)[1] != ""  # the message that it refers to is missing
    assert ws.judge("client", None, serialize(Frame(True, 0, 1, None, b"x")))[1] != ""


@pytest.mark.parametrize("express", [False, True])
@pytest.mark.parametrize("takeover", [False, True])
def test_from_the_first_dropped_message_on_a_direction_is_compressed_anew(takeover: bool, express: bool) -> None:
    deflate = Params(client_no_context_takeover=not takeover)
    fox = b"the quick brown fox jumps over the lazy dog"
    parts = (1, 2)
    sent = [Sent(1, fox, True), Sent(1, b"DROP " + fox, True), Sent(1, fox, True, parts), Sent(1, fox, False, parts)]
    run = Run(deflate, express, ["drop contains=DROP"])
    sender = Sender("client", sent, deflate)
    run.filters.on(1)
    run.feed("client", sender.stream, 1.0)
    got = run.receivers["client"].got
    assert [data for _, data, _, _ in got] == [fox, fox, fox]
    assert got[0][2] == sender.wires[0]
    assert (got[1][2] == sender.wires[2]) is not takeover
    assert got[2][2] == sender.wires[3]
    # Compressed anew, it keeps its fragments, RSV1 and masking keys.
    frames = FrameReader("client", rsv_data=4).feed(got[1][2])
    assert [(f.fin, f.rsv, f.opcode, f.key) for f in frames if isinstance(f, Frame)] == [
        (False, 4, 1, sender.key),
        (False, 0, 0, sender.key),
        (True, 0, 0, sender.key),
    ]
    actions = [event.action for event in run.lines if isinstance(event, FilterEvent)]
    assert ("reencode" in actions) is takeover
    run.filters.clear()
    run.take(run.session.refresh(2.0))
    assert run.session.plain("client") is not takeover  # dirty to the end


@pytest.mark.parametrize("express", [False, True])
def test_what_cannot_be_held_passes_unfiltered_and_the_recording_says_so(express: bool) -> None:
    run = Run(None, express, ["drop contains=x", "drop contains=y"], hold_limit=1000)
    run.filters.on(1)
    big = Sent(1, b"x" * 3000, False, (1, 2), (9, b""))
    sender = Sender("client", [big, Sent(1, b"x"), Sent(1, b"after")], None)
    for i in range(0, len(sender.stream), 100):
        run.feed("client", sender.stream[i : i + 100], 1.0)
    assert [data for _, data, _, _ in run.receivers["client"].got] == [b"", b"", b"x" * 3000, b"after"]
    passed = [event for event in run.lines if isinstance(event, FilterEvent) and event.action == "pass"]
    assert [(event.n, event.filter) for event in passed] == [(1, "drop contains=x")]
    assert "1000" in passed[0].note
    assert b"".join(sent_to(run.lines, 1, "server")) == run.out["client"]


def test_the_real_size_of_a_held_message_is_bounded_for_large_frames() -> None:
    run = Run(None, False, ["drop contains=x"], hold_limit=2 << 20)
    run.filters.on(1)
    sender = Sender("client", [Sent(2, b"a" * (5 << 20)), Sent(2, b"b" * (3 << 19))], None)
    out = bytearray()
    for i in range(0, len(sender.stream), 1 << 16):
        out += run.session.receive("client", sender.stream[i : i + (1 << 16)], 1.0).to_server
        assert len(sender.stream[: i + (1 << 16)]) - len(out) <= (2 << 20) + (1 << 17)
    assert bytes(out) == sender.stream
    assert b"".join(sent_to(run.lines, 1, "server")) == sender.stream


def test_a_filter_that_is_removed_lets_go_of_what_it_held() -> None:
    run = Run(None, False, ["drop contains=x"])
    run.filters.on(1)
    first, rest = (serialize(Frame(False, 0, 1, None, b"half")), serialize(Frame(True, 0, 0, None, b" x")))
    run.feed("server", first + rest[:1], 1.0)
    assert run.out["server"] == b""
    run.filters.remove(1)
    run.take(run.session.refresh(2.0))
    assert run.out["server"] == first + rest[:1]
    assert run.session.plain("server")
    run.feed("server", rest[1:], 3.0)
    assert [data for _, data, _, _ in run.receivers["server"].got] == [b"half x"]


def test_a_message_that_had_begun_to_pass_passes_to_its_end() -> None:
    run = Run(None, False, ["drop contains=x"])
    first, rest = (serialize(Frame(False, 0, 1, None, b"x")), serialize(Frame(True, 0, 0, None, b"x")))
    again = serialize(Frame(True, 0, 1, None, b"x"))
    run.feed("server", first[:1], 1.0)
    run.filters.on(1)
    run.feed("server", first[1:] + rest[:2], 2.0)
    run.feed("server", rest[2:] + again, 3.0)
    assert run.out["server"] == first + rest


def test_a_close_within_a_message_that_is_held_stands_after_it() -> None:
    """Found by the test above: the recording had the close frame first, though the message went out before it."""
    run = Run(None, False, NEVER)
    (entry,) = run.filters.find("drop contains=never-there")
    (run.filters.off if entry.enabled else run.filters.on)(entry.id)
    mask = b"\x01\x02\x03\x04"
    data = b"\x01\x80" + mask + b"\x89\x80" + mask + b"\x88\x80" + mask
    out = run.session.receive("server", data, 0.0).to_client
    assert out == b"\x89\x80" + mask + b"\x01\x80" + mask + b"\x88\x80" + mask
    assert b"".join(sent_to(run.lines, 1, "client")) == out
