"""mitmproxy's error messages, in words for a person."""

from __future__ import annotations

import re

_KNOWN = (
    (
        r"Connect call failed|ECONNREFUSED|Connection refused|Errno 111|Errno 61|WinError 1225",
        "connection refused",
    ),
    (
        r"Name or service not known|getaddrinfo failed|nodename nor servname|No address associated",
        "no such host",
    ),
    (r"timed out|Errno 110|Errno 60", "no answer in time"),
    (r"Network is unreachable|No route to host", "the network is unreachable"),
    (r"does not speak TLS", "the backend does not speak TLS (is it ws:// rather than wss://?)"),
)


def connect_error(message: str) -> str:
    """What went wrong between proxy and backend: known messages in plain words, others as they are."""
    for pattern, words in _KNOWN:
        if re.search(pattern, message):
            return words
    if "ertificate verify failed" in message:
        return f"{message.rstrip('.')} (--insecure accepts any certificate, --ca FILE a certificate authority)"
    return message or "unknown error"
