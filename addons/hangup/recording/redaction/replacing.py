"""Places in a payload, and what is put there."""

from __future__ import annotations

from collections.abc import Sequence

Replacement = tuple[int, int, bytes]
"""From where to where in a message (bytes), and what is put there."""


def replaced(payload: bytes, offset: int, found: Sequence[Replacement]) -> bytes:
    """A piece of a message, beginning at ``offset`` in it. What is put in goes where the thing replaced begins."""
    parts = []
    at, end = offset, offset + len(payload)
    for start, stop, placeholder in found:
        if stop <= at or start >= end:
            continue
        parts.append(payload[at - offset : max(start - offset, 0)])
        if start >= offset:
            parts.append(placeholder)
        at = max(at, min(stop, end))
    parts.append(payload[at - offset :])
    return b"".join(parts)
