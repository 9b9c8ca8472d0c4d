"""The messages that every real client sends; ``tests/node/messages.mjs`` makes the same."""

from __future__ import annotations

MESSAGES: list[str | bytes | list[str]] = [
    "grüß dich 👋",
    "",
    bytes(range(256)),
    ["in ", "three ", "fragments"],
    "0123456789abcdef" * (1 << 16),
    bytes(n * n % 251 for n in range(1 << 20)),
]
"""Text, nothing, binary, one message in fragments, a MiB of text that compresses well and of bytes that does not."""


def payload(message: str | bytes | list[str]) -> bytes:
    """A message's bytes."""
    if isinstance(message, list):
        message = "".join(message)
    return message.encode() if isinstance(message, str) else message


PAYLOADS = [payload(message) for message in MESSAGES]
CLOSE = "close 4001 bye"
"""Makes the echo servers close with 4001 and the reason ``bye``."""
