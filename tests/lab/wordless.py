"""A recording with all its words taken away: what is left is who sent how much when, and in what form.

Kinds of message get other names (the same kind the same name), close reasons, bodies of answers and lines of logs are
emptied, and headers that name software are left out. Control frames, opcodes, sizes, order and times stay.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from hangup.recording.events import Event, Frame, Handshake, Log

NAMING = {"server", "via", "x-powered-by", "user-agent"}
"""Headers that name software."""

_WORD = re.compile(r"[A-Za-z_]{2,}")


def wordless(events: Iterable[Event]) -> Iterator[Event]:
    """The same events, without words."""
    for event in events:
        if isinstance(event, Log):
            continue
        if isinstance(event, Handshake):
            event.request.headers = [h for h in event.request.headers if h[0].lower() not in NAMING]
            if event.response is not None:
                event.response.headers = [h for h in event.response.headers if h[0].lower() not in NAMING]
                event.response.text = ""
        elif isinstance(event, Frame):
            if event.opcode == "close":
                event.reason = "" if event.reason is not None else None
                event.text, event.base64 = None, event.payload[:2]
            else:
                event.text, event.message = _renamed(event.text), _renamed(event.message)
        yield event


def _renamed(text: str | None) -> str | None:
    """JSON with other strings for its values, other text with other words; what is neither stays."""
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _WORD.sub(lambda word: _other(word[0]), text)
    return json.dumps(_values(value), separators=(",", ":")) if isinstance(value, dict | list) else text


def _values(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _values(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_values(each) for each in value]
    return _other(value) if isinstance(value, str) and _WORD.search(value) else value


def _other(word: str) -> str:
    """Another word of the same length, the same for the same word."""
    letters = hashlib.sha256(word.encode()).hexdigest().translate(str.maketrans("0123456789", "ghijklmnop"))
    return (letters * (len(word) // len(letters) + 1))[: len(word)]
