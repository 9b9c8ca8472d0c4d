"""mitmproxy's error messages, in words for a person."""

from __future__ import annotations

from hangup.unreachable import of_message


def connect_error(message: str) -> str:
    """What went wrong between proxy and backend: known messages in plain words, others as they are."""
    if "does not speak TLS" in message:
        return "the backend does not speak TLS (is it ws:// rather than wss://?)"
    if said := of_message(message):
        return said
    if "ertificate verify failed" in message:
        return f"{message.rstrip('.')} (--insecure accepts any certificate, --ca FILE a certificate authority)"
    return message or "unknown error"
