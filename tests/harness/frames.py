"""The bytes of WebSocket frames (RFC 6455 section 5.2), sound or not, independent of ``hangup.wire``."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from typing import Literal, NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

MASK = b"\x37\xfa\x21\x3d"
"""The key of RFC 6455's own examples; a fixed one keeps every test's bytes the same."""

Form = Literal["shortest", "16", "64"]


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = None,
    form: Form = "shortest",
    length: int | None = None,
) -> bytes:
    """One frame. ``rsv`` is 0 to 7 (4 is RSV1); ``form`` forces a length field; ``length`` lies in it."""
    size = len(payload) if length is None else length
    masked = 0x80 if mask is not None else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if form == "64" or (form == "shortest" and size > 0xFFFF):
        head += bytes([masked | 127]) + size.to_bytes(8, "big")
    elif form == "16" or size > 125:
        head += bytes([masked | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([masked | size])
    return head + (payload if mask is None else mask + apply_mask(payload, mask))


def apply_mask(payload: bytes, mask: bytes) -> bytes:
    """The payload XORed with the key (RFC 6455 section 5.3)."""
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(len(payload), "big")


def close(code: int | None = None, reason: bytes = b"", *, mask: bytes | None = None) -> bytes:
    """A close frame; without a code its payload is empty."""
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason, mask=mask)


def accept_key(key: str) -> str:
    """The ``Sec-WebSocket-Accept`` that answers this ``Sec-WebSocket-Key`` (RFC 6455 section 4.2.2)."""
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    return b64encode(digest).decode()


class Parsed(NamedTuple):
    """A well-formed frame that was read back; ``payload`` is unmasked."""

    fin: bool
    rsv: int
    opcode: int
    masked: bool
    payload: bytes


def parse(data: bytes) -> Iterator[Parsed]:
    """The whole frames at the start of ``data``; half a frame at the end is left out."""
    at = 0
    while len(data) - at >= 2:
        first, second = data[at], data[at + 1]
        size, start = second & 0x7F, at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size = int.from_bytes(data[start : start + width], "big")
            start += width
        mask = b""
        if second & 0x80:
            mask, start = data[start : start + 4], start + 4
        if len(data) < start + size:
            return
        payload = data[start : start + size]
        yield Parsed(
            bool(first & 0x80),
            first >> 4 & 7,
            first & 15,
            bool(mask),
            apply_mask(payload, mask) if mask else payload,
        )
        at = start + size
