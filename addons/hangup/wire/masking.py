"""Masking, RFC 6455 section 5.3, in pure Python. Unmasking is the same operation."""

from __future__ import annotations


def mask(key: bytes, data: bytes, offset: int = 0) -> bytes:
    """``data`` XOR the four-byte ``key``, repeated; ``offset`` (bytes) is where in the payload ``data`` begins."""
    size = len(data)
    if not size:
        return b""
    shift = offset & 3
    if shift:
        key = key[shift:] + key[:shift]
    # One big-integer XOR is by far the fastest that the language itself offers.
    stream = key * (size + 3 >> 2)
    number = int.from_bytes(data, "little") ^ int.from_bytes(stream[:size], "little")
    return number.to_bytes(size, "little")
