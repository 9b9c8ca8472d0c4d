"""Both byte streams of a connection, rebuilt exactly from its recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recorded
from hangup.errors import RecordingError
from hangup.recorder.journal import Journal
from hangup.recording import events as ev
from hangup.recording.reader import read
from hangup.recording.rebuild import sent_by, sent_to
from hangup.session import Session
from recorded import HEADER, text

KEY = b"\xa1\xb2\xc3\xd4"


def naive_mask(key: bytes, data: bytes, offset: int) -> bytes:
    """RFC 6455 5.3, as it is written there."""
    return bytes(octet ^ key[(i + offset) % 4] for i, octet in enumerate(data))


def wire(opcode: int, payload: bytes, key: bytes | None = KEY, fin: bool = True, rsv: int = 0) -> bytes:
    """A frame's bytes, RFC 6455 5.2, written apart from the product's own."""
    length = len(payload)
    code, extended = (length, b"")
    if length >= 126:
        code, extended = (126, length.to_bytes(2)) if length < 65536 else (127, length.to_bytes(8))
    head = bytes([fin << 7 | rsv << 4 | opcode, (0x80 if key else 0) | code]) + extended
    return head + key + naive_mask(key, payload, 0) if key else head + payload


def joined(events: list[Any], conn: int = 1, side: ev.Side = "client") -> bytes:
    return b"".join(sent_by(events, conn, side))


@given(
    opcode=st.integers(0, 15),
    payload=st.binary(max_size=200) | st.integers(65530, 65540).map(bytes) | st.integers(120, 130).map(bytes),
    key=st.none() | st.binary(min_size=4, max_size=4),
    fin=st.booleans(),
    rsv=st.integers(0, 7),
)
def test_canonical_frames(opcode: int, payload: bytes, key: bytes | None, fin: bool, rsv: int) -> None:
    names = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
    as_text, as_bytes = ev.payload_fields(payload)
    frame = ev.Frame(
        at=0.0,
        conn=1,
        n=1,
        side="client",
        opcode=names.get(opcode, f"0x{opcode:x}"),
        fin=fin,
        rsv=rsv,
        mask=None if key is None else key.hex(),
        text=as_text,
        base64=as_bytes,
    )
    assert joined([ev.decode(ev.encode(frame))]) == wire(opcode, payload, key, fin, rsv)


def test_a_header_that_is_not_canonical_is_taken_as_it_was() -> None:
    long_form = bytes.fromhex("81fe0002") + KEY
    frame = ev.Frame(at=0.0, conn=1, n=1, side="client", mask=KEY.hex(), text="hi", head=long_form.hex())
    assert joined([frame]) == long_form + naive_mask(KEY, b"hi", 0)


def test_a_large_frame_in_parts_cut_off_with_its_sides_and_connections_apart() -> None:
    head = bytes.fromhex("82fe0400") + KEY
    events: list[ev.AnyEvent] = [
        recorded.handshake(),
        ev.Part(at=0.0, conn=1, n=1, side="client", head=head.hex(), base64=b"\x00\x01\x02"),
        text(0.1, "server", 2, "meanwhile"),
        text(0.1, "client", 1, "another connection's", conn=2),
        ev.Part(at=0.2, conn=1, n=1, side="client", text="abcdefg"),
        ev.Raw(at=0.3, conn=1, side="client", base64=b"\xff", problems=("half-frame",)),
        recorded.end(0.3, "client"),
    ]
    assert joined(events) == head + naive_mask(KEY, b"\x00\x01\x02abcdefg", 0) + b"\xff"
    assert joined(events, 1, "server") == wire(1, b"meanwhile", None)
    assert joined(events, 3) == b""


streams = st.lists(
    st.binary(max_size=40)
    | st.builds(
        wire,
        st.integers(0, 15),
        st.binary(max_size=200) | st.integers(0, 300).map(lambda n: b"text " * n),
        st.none() | st.binary(min_size=4, max_size=4),
        st.booleans(),
        st.sampled_from([0, 0, 4, 7]),
    ),
    max_size=6,
).map(b"".join)


@settings(max_examples=150, deadline=None)
@given(client=streams, server=streams, sizes=st.lists(st.integers(1, 200), min_size=1, max_size=8))
def test_any_bytes_in_any_chunks_are_rebuilt_from_the_file(
    tmp_path_factory: pytest.TempPathFactory, client: bytes, server: bytes, sizes: list[int]
) -> None:
    path = tmp_path_factory.getbasetemp() / "rebuilt.jsonl"
    path.unlink(missing_ok=True)
    out = Journal(path, HEADER)
    session = Session(7, out.write)
    left: dict[ev.Side, bytes] = {"client": client, "server": server}
    turn = 0
    while any(left.values()):
        for side in left:
            size = sizes[turn % len(sizes)]
            turn += 1
            if left[side]:
                session.observe(side, left[side][:size], turn / 1000)
                left[side] = left[side][size:]
    session.end("server", "fin", 1.0)
    session.end("client", "rst", 1.0)
    out.close()
    recording = read(path)
    assert b"".join(sent_by(recording, 7, "client")) == client
    assert b"".join(sent_by(recording, 7, "server")) == server
    assert b"".join(sent_to(recording, 7, "server")) == client
    assert b"".join(sent_to(recording, 7, "client")) == server


LARGE = b"\x82\x7f" + (2 << 20).to_bytes(8)


@pytest.mark.parametrize("sent", [LARGE, LARGE + b"x", LARGE + bytes(2 << 20), LARGE + bytes(2 << 20) + b"\x81"])
def test_a_large_frame_that_ends_anywhere(sent: bytes) -> None:
    events: list[Any] = []
    session = Session(1, events.append)
    for chunk in (sent[:12], sent[12:]):
        session.observe("server", chunk, 0.1)
        session.observe("client", wire(9, b""), 0.1)
    session.end("server", "fin", 0.2)
    assert joined(events, 1, "server") == sent
    whole = [event for event in events if isinstance(event, ev.Frame) and event.side == "server"]
    if whole:
        assert (session.server.counters.last_n, whole[-1].n) == (1, 1)


def act(action: str, n: int | None, sent: bytes | None = None, side: ev.Side = "client") -> ev.FilterEvent:
    return ev.FilterEvent(at=0.5, conn=1, filter="a filter", action=action, side=side, n=n, wire=sent)


def test_what_filters_did_on_the_way() -> None:
    events: list[ev.AnyEvent] = [
        text(0.1, "client", 1, "stays"),
        text(0.2, "client", 2, "dropped"),
        act("drop", 2),
        text(0.3, "client", 3, "replaced"),
        act("replace", 3, b"[3]"),
        ev.FilterEvent(at=0.3, filter="a filter", action="off"),
        text(0.4, "client", 4, "held"),
        act("hold", 4),
        text(0.4, "client", 5, "overtakes"),
        act("forward", 4, b"[4]"),
        act("inject", None, b"[new]"),
        text(0.5, "server", 6, "other way"),
        act("inject", None, b"[to the client]", "server"),
        text(0.6, "client", 7, "occasion"),
        act("close", 7, b"[close]"),
        ev.FilterEvent(at=0.6, conn=2, filter="a filter", action="drop", side="client", n=1),
    ]
    stays, overtakes, occasion = (wire(1, word) for word in (b"stays", b"overtakes", b"occasion"))
    expected = stays + b"[3]" + overtakes + b"[4]" + b"[new]" + occasion + b"[close]"
    for source in (events, iter(events)):
        assert b"".join(sent_to(source, 1, "server")) == expected
    assert b"".join(sent_to(events, 1, "client")) == wire(1, b"other way", None) + b"[to the client]"
    assert len(joined(events)) > len(expected) - 20


def test_a_dropped_frame_in_parts_is_dropped_whole() -> None:
    events: list[ev.AnyEvent] = [
        ev.Part(at=0.1, conn=1, n=1, side="server", head="8202", text="a"),
        ev.Part(at=0.1, conn=1, n=1, side="server", text="b"),
        ev.Frame(at=0.1, conn=1, n=1, side="server", opcode="binary", parts=2, length=2),
        act("drop", 1, None, "server"),
        text(0.2, "server", 2, "c"),
    ]
    assert b"".join(sent_to(events, 1, "client")) == wire(1, b"c", None)


MISSING: dict[str, list[ev.AnyEvent]] = {
    "cut frame": [ev.Frame(at=0.0, conn=1, n=1, side="client", text="abc", length=10, sha256="00")],
    "cut part": [ev.Part(at=0.0, conn=1, n=1, side="client", head="827e", text="abc", length=10)],
    "cut in parts": [ev.Frame(at=0.0, conn=1, n=1, side="client", opcode="binary", parts=2, length=10, sha256="00")],
    "cut raw": [ev.Raw(at=0.0, conn=1, side="client", text="abc", cut=10)],
    "lost events": [ev.Note(at=0.0, text="the disk was full", lost=3)],
    "opcode": [ev.Frame(at=0.0, conn=1, n=1, side="client", opcode="nonsense")],
    "rsv": [ev.Frame(at=0.0, conn=1, n=1, side="client", rsv=8)],
    "mask": [ev.Frame(at=0.0, conn=1, n=1, side="client", mask="xyz")],
    "short mask": [ev.Frame(at=0.0, conn=1, n=1, side="client", mask="a1b2")],
    "head": [ev.Frame(at=0.0, conn=1, n=1, side="client", head="8")],
    "half a head": [ev.Part(at=0.0, conn=1, n=1, side="client", head="81")],
    "length": [ev.Frame(at=0.0, conn=1, n=1, side="client", length=-1)],
    "huge length": [ev.Frame(at=0.0, conn=1, n=1, side="client", length=2**64)],
}


@pytest.mark.parametrize("name", MISSING)
def test_what_cannot_be_rebuilt_is_told(name: str) -> None:
    with pytest.raises(RecordingError) as caught:
        joined(MISSING[name])
    assert "\n" not in str(caught.value)
    with pytest.raises(RecordingError):
        list(sent_to(MISSING[name], 1, "server"))


def test_what_another_connection_lost_does_not_matter() -> None:
    assert joined([ev.Note(at=0.0, conn=2, text="", lost=1), text(0.1, "client", 1, "a")]) == wire(1, b"a")


def test_cut_by_the_recorder(tmp_path: Path) -> None:
    out = Journal(tmp_path / "run.jsonl", HEADER, max_payload=4)
    session = Session(1, out.write)
    session.observe("server", wire(1, b"hi", None) + wire(1, b"longer", None), 0.1)
    out.close()
    rebuilt = sent_by(read(out.path), 1, "server")
    assert next(rebuilt) + next(rebuilt) == wire(1, b"hi", None)
    with pytest.raises(RecordingError, match="frame 2 cannot be rebuilt: only the first of its 6 bytes"):
        b"".join(rebuilt)


@settings(max_examples=150, deadline=None)
@given(got=st.lists(recorded.events, max_size=8))
def test_any_events_give_bytes_or_one_error(got: list[ev.AnyEvent]) -> None:
    for conn in {event.conn for event in got}:
        for side in ("client", "server"):
            for rebuild in (sent_by, sent_to):
                try:
                    assert all(isinstance(piece, bytes) for piece in rebuild(got, conn, side))
                except RecordingError as error:
                    assert "\n" not in str(error)
