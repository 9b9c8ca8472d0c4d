"""Streams of WebSocket bytes, sound or not, and cut anywhere."""

from __future__ import annotations

from hypothesis import strategies as st

from hangup.wire.frames import Frame, serialize

KEY = b"\x01\x02\x03\x04"


def frame(opcode: int, payload: bytes, key: bytes | None = KEY, *, fin: bool = True, rsv: int = 0) -> bytes:
    return serialize(Frame(fin, rsv, opcode, key, payload))


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    """``data`` in chunks of these sizes, again and again."""
    chunks = []
    sizes = iter(cuts * (len(data) // max(1, sum(cuts)) + 1)) if cuts else iter(())
    while data:
        size = next(sizes, len(data)) or 1
        chunks.append(data[:size])
        data = data[size:]
    return chunks


frames = st.builds(
    frame,
    st.sampled_from([0, 1, 2, 8, 9, 10, 3, 11]),
    st.binary(max_size=200) | st.text(max_size=60).map(str.encode),
    st.sampled_from([KEY, b"\0\0\0\0", None]),
    fin=st.booleans(),
    rsv=st.sampled_from([0, 0, 0, 4, 2]),
)
streams = st.lists(frames | st.binary(max_size=40), max_size=12).map(b"".join)
chunks = st.lists(st.integers(1, 50), max_size=6)
