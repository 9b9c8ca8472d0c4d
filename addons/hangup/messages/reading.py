"""One message read by itself: its envelope, its discriminator or its form, and what of that is its kind.

The text of a kind has one of these forms; :mod:`hangup.messages.selection` reads them back.

- ``order``: the message calls itself so, in the field that says it best, or by the first word of an array
- ``data.type=order``, ``[0]=order``, ``op=2``: this field says so
- ``socket.io:order``, ``mqtt:PUBLISH:orders/#``: a protocol, the name within it, and for some what of that name
- ``{id,price}``: an object with these fields; ``[order+trade]``: an array of such messages
- ``a+b``: several messages that the protocol put into one
- ``text:LOGIN #``: plain text; ``binary:0a/16..255``: bytes, by the first one and the length
- ``ping``, ``pong``: a heartbeat that has no other name
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import Struct

from hangup.messages.content import NOTHING, MessageContent, load, of_value
from hangup.messages.discriminator import Path, find, path_text
from hangup.messages.envelope import Envelope
from hangup.messages.heartbeats import LONGEST as LONGEST_BEAT
from hangup.messages.heartbeats import Beat, recognise
from hangup.messages.names import keys_of, template_of
from hangup.messages.protocols import PROTOCOLS, possible_envelopes, read_envelopes
from hangup.wire.frames import BINARY, CLOSE, PING, PONG

SMALL = 1024
"""Bytes of the longest message that is remembered with its kind."""
REMEMBERED = 2048
DEEPEST = 4
"""So many envelopes are opened."""
SHOWN = 4
"""Of the messages in one, so many kinds are named."""


class MessageKind(Struct, frozen=True, gc=False):
    """What is the same in all messages that are the same message with other values.

    ``text`` is its stable form in one line, what a filter's ``kind=`` takes. ``protocol`` is the one whose envelope
    it has, or empty; ``name`` what the message calls itself, empty when only its form is known; ``detail`` what of
    that name, in some protocols (a topic, an operation); ``field`` where it says so (``type``, ``data.type``,
    ``[0]``), empty where a protocol says it; ``beat`` which half of a heartbeat it is.
    """

    text: str
    protocol: str = ""
    name: str = ""
    field: str = ""
    beat: Beat | None = None
    detail: str = ""


class MessageReading(NamedTuple):
    """The kind of a message, the name as it stands there (ids and all), and the messages that it holds."""

    kind: MessageKind
    raw: str = ""
    parts: tuple[MessageReading, ...] = ()


def kind_of(opcode: int, data: bytes) -> MessageKind:
    """The kind of a whole message, or of a control frame's payload. Never raises."""
    return read(opcode, data).kind


def read(opcode: int, data: bytes) -> MessageReading:
    """The same, with what it is made of."""
    return _read_small(opcode, data) if len(data) <= SMALL else read_content(MessageContent(opcode, data))


@lru_cache(REMEMBERED)
def _read_small(opcode: int, data: bytes) -> MessageReading:
    return read_content(MessageContent(opcode, data))


_CONTROL = {
    PING: MessageReading(MessageKind("control:ping", "control", "ping", beat=Beat("ping", "control"))),
    PONG: MessageReading(MessageKind("control:pong", "control", "pong", beat=Beat("pong", "control"))),
    CLOSE: MessageReading(MessageKind("control:close", "control", "close")),
}
PREFIXES = PROTOCOLS | {"control", "text", "binary"}
"""What has a meaning of its own before the first colon of a kind."""


def read_content(content: MessageContent, depth: int = 0) -> MessageReading:
    """The reading of a message that has been decoded."""
    if content.opcode > BINARY:
        return _CONTROL.get(content.opcode) or MessageReading(MessageKind(f"control:{content.opcode}", "control"))
    value = content.value
    small = not depth and len(content.data) <= LONGEST_BEAT
    beat = recognise(content.opcode, content.data, value) if small else None
    envelopes = read_envelopes(content)
    if envelopes:
        if len(envelopes) == 1:
            return read_envelope(envelopes[0], depth, beat)
        return together([read_envelope(envelope, depth) for envelope in envelopes])
    if value is not NOTHING:
        return read_value(value, beat, depth)
    if beat is not None:
        return MessageReading(MessageKind(beat.kind, name=beat.kind, beat=beat))
    if content.text is not None and (content.opcode != BINARY or _is_printable(content.text)):
        return _plain(content.text, depth)
    return MessageReading(MessageKind(binary_form(content.data)))


def read_envelope(envelope: Envelope, depth: int, beat: Beat | None = None) -> MessageReading:
    """The reading of a message in its envelope, or of the one within where that says more."""
    protocol, name, detail, _, inner, scope = envelope
    raw = name
    if inner is not None and depth < DEEPEST:
        within = read_content(inner, depth + 1)
        if within.kind.protocol:
            return within
        if within.kind.name:
            name, raw, detail = within.kind.name, within.raw, ""
    return MessageReading(_kind_within(protocol, scope, name, detail, beat), raw)


@lru_cache(REMEMBERED)
def _kind_within(protocol: str, scope: str, name: str, detail: str, beat: Beat | None) -> MessageKind:
    text = f"{protocol}:{scope}{name}:{detail}" if detail else f"{protocol}:{scope}{name}"
    return MessageKind(text, protocol, name, beat=beat, detail=detail)


@lru_cache(REMEMBERED)
def _kind_at(path: Path, name: str, number: bool, beat: Beat | None) -> MessageKind:
    field = path_text(path)
    return MessageKind(f"{field}={name}" if number else name_text(name, field), name=name, field=field, beat=beat)


def read_value(value: Any, beat: Beat | None, depth: int = 0) -> MessageReading:
    """The reading of an object or an array of no protocol."""
    found = find(value)
    if found is not None:
        number = type(found.value) is int
        return MessageReading(_kind_at(found.path, found.name, number, beat), str(found.value))
    if beat is not None:
        return MessageReading(MessageKind(beat.kind, name=beat.kind, beat=beat))
    if type(value) is dict:
        name = next(iter(value)) if len(value) == 1 else ""
        text = keys_of(value)
        # {"order": {…}}: its one field says what it is.
        named = type(value.get(name)) is dict and text == f"{{{name}}}"
        return MessageReading(MessageKind(text, name=name if named else ""), name if named else "")
    if type(value) is list and depth < DEEPEST:
        parts = [_item(item, depth + 1) for item in value[:16]]
        if any(type(item) in (dict, list) for item in value):
            whole = together(parts)
            return MessageReading(MessageKind(f"[{whole.kind.text}]"), parts=whole.parts)
        return MessageReading(MessageKind(f"[{'+'.join(sorted({part.kind.text for part in parts}))}]"))
    return MessageReading(MessageKind("[]"))


def _item(item: Any, depth: int) -> MessageReading:
    if type(item) in (dict, list):
        return read_content(of_value(item), depth)
    kind = "string" if type(item) is str else "null" if item is None else "number" if type(item) is not bool else "bool"
    return MessageReading(MessageKind(kind))


def together(parts: list[MessageReading]) -> MessageReading:
    """The reading of several messages that came as one."""
    texts = sorted({part.kind.text for part in parts})
    if len(texts) == 1:
        first = parts[0]
        return MessageReading(first.kind, first.raw, tuple(parts))
    more = "+~" if len(texts) > SHOWN else ""
    protocols = {part.kind.protocol for part in parts}
    protocol = protocols.pop() if len(protocols) == 1 else ""
    return MessageReading(MessageKind("+".join(texts[:SHOWN]) + more, protocol), parts=tuple(parts))


def _plain(text: str, depth: int) -> MessageReading:
    lines = _json_lines(text) if depth < DEEPEST else []
    if lines:
        return together([read_content(line, depth + 1) for line in lines])
    template, name = template_of(text)
    return MessageReading(MessageKind(f"text:{template}", name=name), name)


def _json_lines(text: str | None) -> list[MessageContent]:
    """The messages in one that holds several objects, one a line."""
    if not text or text[0] != "{" or "\n" not in text or len(text) > 1 << 20:
        return []
    lines = [line for line in text.split("\n")[:64] if line]
    values = [load(line) for line in lines] if len(lines) > 1 and lines[1][0] == "{" else []
    return [of_value(value) for value in values] if all(type(value) is dict for value in values) else []


def values_in(content: MessageContent, depth: int = 0) -> Iterator[Any]:
    """The objects and arrays that a message is, or holds as messages of their own."""
    value = content.value
    if value is not NOTHING:
        yield value
        if type(value) is list:
            yield from (item for item in value[:64] if type(item) is dict)
    if depth < DEEPEST:
        within = _json_lines(content.text) if value is NOTHING else []
        for inner in [*within, *(e.inner for e in possible_envelopes(content) if e.inner is not None)]:
            yield from values_in(inner, depth + 1)


def _is_printable(text: str) -> bool:
    return text[:256].replace("\n", "").replace("\r", "").replace("\t", "").isprintable()


def name_text(name: str, field: str) -> str:
    """The shortest text that means this name: the name alone where that cannot be read as anything else."""
    prefix = name.partition(":")[0]
    if "=" in name or "+" in name or name[0] in "{[" or (prefix != name and prefix in PREFIXES):
        return f"{field}={name}"
    return name


def binary_form(data: bytes, head: bool = True) -> str:
    """``binary:0a/16..255``: the first byte, and a class of lengths."""
    size = len(data)
    if not size:
        return "binary:/0"
    low = 1
    while size >= low * 16 and low < 1 << 20:
        low *= 16
    first = f"{data[0]:02x}" if head else "*"
    return f"binary:{first}/{low}..{low * 16 - 1 if low < 1 << 20 else ''}"


def possible_readings(content: MessageContent, depth: int = 0) -> list[MessageReading]:
    """All readings of a message by protocols that it may be of, sure or not, and of what is within."""
    found = []
    for envelope in possible_envelopes(content):
        found.append(read_envelope(envelope, depth))
        if envelope.inner is not None and depth < DEEPEST:
            found += possible_readings(envelope.inner, depth + 1)
    return found


