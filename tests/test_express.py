"""The express lane writes what the general way writes, and leaves to it whatever is not simple."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hangup.recording import events
from hangup.recording.fast_path import Lane, Simple
from hangup.session import Session
from hangup.wire.deflate import Params
from hangup.wire.frames import header
from hangup.wire.masking import mask


def frame(first: int, payload: bytes, key: bytes | None) -> bytes:
    head = header(bool(first & 0x80), first >> 4 & 7, first & 15, key, len(payload))
    return head + (payload if key is None else mask(key, payload))


payloads = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=100).map(str.encode),
    st.binary(min_size=60, max_size=70).map(lambda b: b * 1100),
)
frames = st.builds(
    frame,
    st.one_of(st.sampled_from([0x81, 0x82, 0x81, 0x82, 0x89, 0x88, 0x01, 0x80, 0xC1]), st.integers(0, 255)),
    payloads,
    st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=4, max_size=4), st.none()),
)
streams = st.lists(
    st.one_of(frames, frames, frames, st.just(b"\x82\x7e\x00\x05hello"), st.binary(max_size=9)), max_size=8
)


def run(chunks: list[tuple[events.Side, bytes]], express: bool, deflate: bool) -> tuple[list[events.Event], object]:
    lines: list[bytes] = []

    def emit(event: events.Event) -> None:
        lines.append(events.encode(event))

    def emit_lines(block: bytes) -> None:
        assert block.endswith(b"\n")
        lines.extend(block.split(b"\n")[:-1])

    session = Session(7, emit, deflate=Params() if deflate else None, emit_lines=emit_lines if express else None)
    for i, (side, chunk) in enumerate(chunks):
        session.observe(side, chunk, round(0.1 + i * 0.37, 6))
    session.end("client", "fin", 99.0)
    counters = [
        tuple(getattr(session.direction(side).counters, name) for name in session.client.counters.__slots__)
        for side in ("client", "server")
    ]
    merged: list[events.Event] = []
    for event in map(events.decode, lines):
        # How bytes that are no frame are cut into events is nobody's concern.
        last = merged[-1] if merged else None
        if isinstance(event, events.Raw) and isinstance(last, events.Raw) and last.problems == event.problems:
            last.text, last.base64 = events.payload_fields(last.payload + event.payload)
        else:
            merged.append(event)
    return merged, counters


@given(streams.map(b"".join), st.data(), st.sampled_from(["client", "server"]), st.booleans())
def test_the_same_events_and_sums_as_the_general_way(
    data: bytes, choose: st.DataObject, side: events.Side, deflate: bool
) -> None:
    cuts = sorted(choose.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    chunks = [(side, data[a:b]) for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert run(chunks, True, deflate) == run(chunks, False, deflate)


def test_what_looks_like_a_frame_after_what_is_none_is_none() -> None:
    """Once a side's bytes are no frames, there is no telling where one would begin."""
    chunks: list[tuple[events.Side, bytes]] = [("client", b"C\x85\x00\x00"), ("client", frame(0x81, b"x", b"abcd"))]
    assert run(chunks, True, False) == run(chunks, False, False)
    assert not any(isinstance(event, events.Frame) for event in run(chunks, True, False)[0])


def test_simple_frames_are_taken_and_the_rest_is_left() -> None:
    key = b"\x01\x02\x03\x04"
    simple = [frame(0x81, b'{"a": "\\u00e9"}', key), frame(0x82, b"\x00\xff", key), frame(0x81, b"x" * 126, key)]
    lane = Lane(3, "client", mask)
    frames, passed = list[Simple](), list[int]()
    pos, size = lane.scan(b"".join([*simple, frame(0x89, b"", key)]), 0, frames, None, passed)
    assert (pos, size, passed) == (sum(map(len, simple)), 15 + 2 + 126, [0, 1, 2])
    taken = [events.decode(line) for line in lane.lines(frames, 10, 1.5).splitlines()]
    assert [(e.n, e.opcode, e.payload) for e in taken if isinstance(e, events.Frame)] == [
        (11, "text", b'{"a": "\\u00e9"}'),
        (12, "binary", b"\x00\xff"),
        (13, "text", b"x" * 126),
    ]
