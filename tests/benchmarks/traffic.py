"""The messages that travel: built once, so that the ends of a measurement cost next to nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from dataclasses import dataclass
from functools import lru_cache

MASK = bytes.fromhex("37fa213d")  # the key of RFC 6455's own example; the load client uses no other
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


def mask(payload: bytes, key: bytes) -> bytes:
    """``payload`` under the masking key ``key`` (RFC 6455, 5.3); its own inverse."""
    size = len(payload)
    stream = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")


def frame(opcode: int, payload: bytes, key: bytes = b"") -> bytes:
    """One whole frame with FIN set, masked when a ``key`` is given."""
    bit, size = (0x80 if key else 0), len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, bit | size))
    elif size < 1 << 16:
        head = bytes((0x80 | opcode, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, bit | 127)) + size.to_bytes(8, "big")
    return head + key + mask(payload, key) if key else head + payload


def accept_key(key: str) -> str:
    """The ``Sec-WebSocket-Accept`` that answers a ``Sec-WebSocket-Key`` (RFC 6455, 4.2.2)."""
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    return base64.b64encode(digest).decode()


@dataclass(frozen=True)
class Message:
    """``sent`` as the client frames it, ``echo`` as the server answers it; ``size`` is the payload's."""

    sent: bytes
    echo: bytes
    size: int


@lru_cache(maxsize=4)
def message(size: int, binary: bool = False) -> Message:
    """A message of exactly ``size`` payload bytes: JSON text as an application sends it, or random bytes."""
    if binary:
        payload = random.Random(size).randbytes(size)
    elif size < 60:
        payload = b"x" * size
    elif size < 1000:
        payload = json.dumps({"type": "tick", "id": 4711, "price": 101.25, "pad": ""}).encode()
        payload = payload[:-2] + b"x" * (size - len(payload)) + payload[-2:]
    else:
        record = {"id": 4711, "name": "Zoë Quist", "tags": ["a", "b"], "price": 101.25, "note": 'said "hi"\n'}
        one = json.dumps(record, ensure_ascii=False).encode() + b","
        payload = b"[" + one * ((size - 4) // len(one))
        payload += b'"' + b"x" * (size - len(payload) - 3) + b'"]'
    assert len(payload) == size
    opcode = BINARY if binary else TEXT
    return Message(frame(opcode, payload, MASK), frame(opcode, payload), size)


class Pattern:
    """An endless repetition of one frame; answers cheaply whether a chunk is its continuation."""

    def __init__(self, one: bytes, chunk: int):
        self.size = len(one)
        self._repeated = (one * (chunk // len(one) + 2))[: len(one) + chunk]

    def matches(self, phase: int, data: bytes) -> bool:
        """Whether ``data`` (at most ``chunk`` bytes) is what follows ``phase`` bytes of a frame."""
        return self._repeated[phase : phase + len(data)] == data

    def head(self, phase: int) -> bytes:
        """The first ``phase`` bytes of the frame."""
        return self._repeated[:phase]
