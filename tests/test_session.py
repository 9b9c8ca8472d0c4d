"""The session's transparent path: any bytes, cut anywhere, are in the events again, exactly and in order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.recording import events
from hangup.recording.rebuild import sent_by, sent_to
from hangup.session import Out, Session
from hangup.wire.deflate import Deflater, Params
from hangup.wire.frames import PIECE_LIMIT
from streams import KEY, chunks, cut, frame, streams


class Recorded:
    """A session and what it recorded, in order, whichever way it came."""

    def __init__(self, express: bool, **options: Any) -> None:
        self.lines: list[events.AnyEvent] = []
        write = (lambda lines: self.lines.extend(map(events.decode, lines.splitlines()))) if express else None
        self.session = Session(1, self.emit, emit_lines=write, **options)

    def emit(self, event: events.Event) -> None:
        self.lines.append(events.decode(events.encode(event)))

    def frames(self, side: str = "client") -> list[events.Frame]:
        return [e for e in self.lines if isinstance(e, events.Frame) and e.side == side]


@given(streams, streams, chunks, chunks, st.booleans(), st.sampled_from([None, Params()]))
def test_the_events_rebuild_both_streams(
    client: bytes, server: bytes, cuts: list[int], others: list[int], express: bool, deflate: Params | None
) -> None:
    recorded = Recorded(express, deflate=deflate)
    session = recorded.session
    mine, theirs = cut(client, cuts), cut(server, others)
    for i in range(max(len(mine), len(theirs))):
        for side, pieces in (("client", mine), ("server", theirs)):
            if i < len(pieces):
                assert session.plain(side)
                session.observe(side, pieces[i], float(i))
    session.end("client", "fin", 99.0)
    session.end("server", "rst", 99.0)
    for side, data in (("client", client), ("server", server)):
        assert b"".join(sent_by(recorded.lines, 1, side)) == data
        assert b"".join(sent_to(recorded.lines, 1, "server" if side == "client" else "client")) == data
    numbers = [e.n for e in recorded.lines if isinstance(e, events.Frame | events.Part)]
    assert sorted(set(numbers)) == list(range(1, session.n + 1))


@pytest.mark.parametrize("express", [False, True])
def test_the_counters_count_frames_payload_messages_and_control_frames(express: bool) -> None:
    recorded = Recorded(express)
    direction = recorded.session.client
    data = frame(1, b"hello") + frame(9, b"") + frame(1, b"a", fin=False) + frame(10, b"x") + frame(0, b"bc")
    for chunk in cut(data, [3, 9]):
        recorded.session.observe("client", chunk, 2.5)
    counters = direction.counters
    assert (counters.frames, counters.bytes, counters.last_n, counters.last_at) == (5, 9, 5, 2.5)
    assert counters.last_opcode == "continuation"
    assert (direction.messages, direction.controls) == (2, 2)


@pytest.mark.parametrize("express", [False, True])
def test_a_frame_larger_than_is_held_comes_in_parts(express: bool) -> None:
    recorded = Recorded(express)
    payload = bytes(range(256)) * 4096 + b"and more"
    assert len(payload) > PIECE_LIMIT
    data = frame(2, payload) + frame(1, b"after")
    for chunk in cut(data, [1 << 18]):
        recorded.session.observe("client", chunk, 1.0)
    assert b"".join(sent_by(recorded.lines, 1, "client")) == data
    large, after = recorded.frames()
    assert large.length == len(payload) and large.parts > 1
    assert (after.text, after.n) == ("after", 2)
    assert recorded.session.client.messages == 2


def test_the_last_frame_of_a_compressed_message_carries_it_whole() -> None:
    recorded = Recorded(False, deflate=Params())
    packed = Deflater(Params(), "client").message(b"hello hello hello")
    data = frame(1, packed[:4], fin=False, rsv=4) + frame(0, packed[4:])
    recorded.session.observe("client", data, 1.0)
    first, last = recorded.frames()
    assert (first.message, last.message) == (None, "hello hello hello")
    assert b"".join(sent_by(recorded.lines, 1, "client")) == data


def test_an_end_is_recorded_once_and_passed_on() -> None:
    recorded = Recorded(False)
    session = recorded.session
    session.observe("server", b"\x81", 1.0)
    assert session.end("server", "fin", 1.5).ends == (("server", "fin"),)
    assert session.end("server", "fin", 1.6).ends == ()
    assert session.end("server", "rst", 1.7).ends == (("server", "rst"),)
    assert session.end("client", "fin", 1.8, by="proxy").ends == ()
    ends = [(e.side, e.how, e.by) for e in recorded.lines if isinstance(e, events.End)]
    assert ends == [("server", "fin", ""), ("server", "rst", ""), ("client", "fin", "proxy")]
    half = next(e for e in recorded.lines if isinstance(e, events.Raw))
    assert half.problems == ("half-frame",) and half.payload == b"\x81"


def test_what_is_received_without_filters_goes_out_as_it_is() -> None:
    recorded = Recorded(False)
    out = recorded.session.receive("client", b"\x81\x85half a fr", 1.0)
    assert (out.to_server, out.to_client, out.ends, out.cut) == (b"\x81\x85half a fr", b"", (), None)
    assert recorded.session.deadline() is None


def test_a_client_that_was_told_of_no_compression_sends_without() -> None:
    recorded = Recorded(False, deflate=Params(), given=None)
    packed = Deflater(Params(), "server").message(b"hello")
    recorded.session.observe("server", frame(1, packed, None, rsv=4), 1.0)
    recorded.session.observe("client", frame(1, b"hello", rsv=4), 1.0)
    assert [(e.side, e.message, e.problems) for e in recorded.lines if isinstance(e, events.Frame)] == [
        ("server", "hello", ()),
        ("client", None, ("rsv",)),
    ]


_whole = st.builds(
    frame,
    st.sampled_from([1, 1, 2, 9, 10]),
    st.binary(max_size=100) | st.text(max_size=200).map(str.encode),
    st.sampled_from([KEY, KEY, None]),
)


@given(st.lists(_whole, max_size=12).map(b"".join), chunks)
def test_the_recording_is_the_same_whichever_way_the_bytes_went(data: bytes, cuts: list[int]) -> None:
    plain, express, filtered = Recorded(False), Recorded(True), Recorded(True)
    filtered.session.chain.filters.add("drop contains=never-there path=*")
    for side in ("client", "server"):
        for piece in cut(data, cuts):
            for recorded in (plain, express):
                recorded.session.observe(side, piece, 1.5)
            assert not filtered.session.plain(side)
            filtered.session.receive(side, piece, 1.5)
    for recorded in (plain, express, filtered):
        recorded.session.end("client", "fin", 2.0)
    assert plain.lines == express.lines == filtered.lines
    counted = [
        [(d.messages, d.controls, *(getattr(d.counters, name) for name in d.counters.__slots__)) for d in directions]
        for directions in ((r.session.client, r.session.server) for r in (plain, express, filtered))
    ]
    assert counted[0] == counted[1] == counted[2]


@pytest.mark.parametrize("side", ["client", "server"])
def test_when_receiving_fails_what_was_decided_goes_out_or_else_what_came(
    side: events.Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = Recorded(False)
    session = recorded.session
    session.chain.filters.add("drop text=secret")
    key = KEY if side == "client" else None
    secret, hello = frame(1, b"secret", key), frame(1, b"hello", key)

    def failing(at: float) -> Out:
        raise RuntimeError("which must not happen")

    def salvaged(data: bytes) -> tuple[bytes, bytes]:
        """What went on to the other side, and back to the one that sent."""
        with monkeypatch.context() as broken, pytest.raises(RuntimeError):
            broken.setattr(session, "_out", failing)
            session.receive(side, data, 1.0)
        out = session.salvage(side, data)
        return (out.to_server, out.to_client) if side == "client" else (out.to_client, out.to_server)

    assert salvaged(secret + hello) == (hello, b"")
    assert salvaged(secret) == (secret, b""), "nothing had been decided, as far as anybody can tell"
