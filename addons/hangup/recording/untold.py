"""What an imported recording cannot tell, in words: its absence is evidence of nothing."""

from __future__ import annotations

from hangup.humanize import printable
from hangup.recording.events import Fact, Header

WORDS: dict[Fact, str] = {
    "endings": "whether and when a connection ended",
    "closer": "who ended it",
    "manner": "how it ended (close frame, FIN or RST)",
    "pings": "control pings and pongs",
    "framing": "masks, fragments and compression",
    "payloads": "what the messages contained",
    "headers": "the handshake's headers as they were sent",
    "times": "when a message was sent",
}
"""In the order in which they are told."""


def sentence(header: Header) -> str:
    """``har (WebInspector 537.36) does not tell who ended it, control pings and pongs``; empty when all is told."""
    lacks = [words for fact, words in WORDS.items() if not header.tells(fact)]
    if not lacks:
        return ""
    listed = lacks[0] if len(lacks) == 1 else f"{'; '.join(lacks[:-1])}; or {lacks[-1]}"
    return f"{printable(header.source, 60) or 'this file'} does not say {listed}"
