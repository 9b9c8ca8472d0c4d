"""What is wrong with a frame, in words: the vocabulary of ``problems`` in a recording."""

from __future__ import annotations

PROBLEMS: dict[str, str] = {
    "reserved-opcode": "an opcode that RFC 6455 reserves (5.2): the receiver must fail the connection",
    "rsv": "a reserved bit is set that no negotiated extension gives a meaning (RFC 6455 5.2)",
    "unmasked": "a client must mask its frames (RFC 6455 5.3), and this one is not masked: servers close with 1002",
    "masked": "a server must not mask its frames (RFC 6455 5.1), and this one is masked: clients close with 1002",
    "control-too-long": "a control frame has a payload of at most 125 bytes (RFC 6455 5.5), this one has more",
    "control-fragmented": "a control frame must not be fragmented (RFC 6455 5.5), and this one has FIN 0",
    "length-not-minimal": "the payload length is not in its shortest form (RFC 6455 5.2)",
    "length-top-bit": "the most significant bit of the 64-bit length is set (RFC 6455 5.2 wants 0)",
    "orphan-continuation": "a continuation frame with no message to continue (RFC 6455 5.4)",
    "interleaved-data": "a new message begins within a fragmented one (RFC 6455 5.4 forbids it)",
    "invalid-utf8": "a text message that is not UTF-8 (RFC 6455 8.1): the receiver closes with 1007",
    "close-code": "a close code that must not be sent (RFC 6455 7.4)",
    "close-one-byte": "a close frame of one byte: a code has two (RFC 6455 5.5.1)",
    "close-reason-utf8": "a close reason that is not UTF-8 (RFC 6455 5.5.1)",
    "after-close": "sent after this side's close frame, when nothing more may be sent (RFC 6455 5.5.1)",
    "not-a-frame": "bytes that are not a WebSocket frame",
    "half-frame": "the connection ended within this frame",
    "deflate": "compressed data that cannot be decompressed (RFC 7692 7.2.2): the receiver closes with 1007",
}


def explain(problem: str) -> str:
    """The problem in words; itself when it is of a newer recording."""
    return PROBLEMS.get(problem, problem)
