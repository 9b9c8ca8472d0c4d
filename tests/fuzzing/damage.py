"""Bytes that something happened to."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


@st.composite
def damaged(draw: Any, whole: bytes) -> bytes:
    """A file that something happened to."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["cut", "flip", "insert", "remove", "double"])):
            case "cut":
                del data[at:]
            case "flip" if at < len(data):
                data[at] ^= draw(st.integers(1, 255))
            case "insert":
                data[at:at] = draw(st.binary(max_size=8) | st.sampled_from([b"[" * 5000, b"null", b"9" * 30, b'"']))
            case "remove":
                del data[at : at + draw(st.integers(0, 40))]
            case "double":
                data[at:at] = data[at : at + 50]
    return bytes(data)
