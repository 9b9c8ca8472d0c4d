"""Which field discriminates in the messages of one recording: learned over them, said so that it holds without them.

A discriminator has few values, and its value predicts the shape of the rest of the message (its fields and their
types). Both are measured in bits: how much shorter the shapes can be told when the value is known, less what it costs
to tell the values apart. Ids, numbers and free text have too many values, a constant predicts nothing. How the key is
called (:mod:`hangup.messages.discriminator`) is only the first guess, and is outweighed by a few dozen messages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import log2
from typing import Any

from hangup.messages.content import NOTHING, MessageContent, load
from hangup.messages.discriminator import CODES, NEVER, SHORT, STRONG, Path, at, is_key, path_text, weight
from hangup.messages.names import head_of, keys_of, name_of
from hangup.messages.reading import MessageKind, binary_form, possible_readings, read

PATHS = 256
"""So many fields are followed."""
VALUES = 64
"""A field with more values than this is no discriminator."""
SHAPES = 512
"""So many shapes are told apart."""
LEAVES = 64
"""Of a message so many values are looked at."""
DEEPEST = 3
ENOUGH = 3
"""A first word must have come so often to be a name."""


class Discriminators:
    """Learns from the messages of one side of a recording. Takes a bounded amount of memory."""

    def __init__(self) -> None:
        self._fields = _Fields()
        self._protocols: Counter[str] = Counter()
        self._arrays = 0
        self._in_arrays: Counter[str] = Counter()
        self._heads: Counter[str] = Counter()
        self._texts = 0
        self._bytes: Counter[int] = Counter()

    def feed(self, opcode: int, data: bytes) -> None:
        """Learns from one message."""
        kind = read(opcode, data).kind
        if kind.protocol:
            self._protocols[kind.protocol] += 1
        if kind.text.startswith("text:"):
            self._texts += 1
            head = head_of(data[:1024].decode(errors="replace"))
            if head and (head in self._heads or len(self._heads) < PATHS):
                self._heads[head] += 1
        elif kind.text.startswith("binary:"):
            self._bytes.update(data[:1])
        elif opcode < 3:
            content = MessageContent(opcode, data)
            if content.value is not NOTHING:
                self._fields.feed(content.value)
            if type(content.value) is list:
                self._arrays += 1
                self._in_arrays.update({reading.kind.protocol for reading in possible_readings(content)})

    def kind(self, opcode: int, data: bytes) -> MessageKind:
        """The kind of a message, by what has been learned."""
        reading = read(opcode, data)
        kind = reading.kind
        if reading.parts or opcode > 2:
            return kind
        content = MessageContent(opcode, data)
        if kind.protocol:
            chance = type(content.value) is list and self._is_chance(kind.protocol)
            return self._of_value(kind, content.value) if chance else kind
        for other in possible_readings(content):
            if other.kind.protocol in self._protocols and not self._is_chance(other.kind.protocol):
                of = other.kind
                return MessageKind(of.text, of.protocol, of.name, beat=kind.beat, detail=of.detail)
        if kind.text.startswith("text:"):
            return self._of_text(kind, data)
        if kind.text.startswith("binary:"):
            many = len(self._bytes) > max(16, self._bytes.total() // 4)
            return MessageKind(binary_form(data, head=False)) if many else kind
        return kind if content.value is NOTHING else self._of_value(kind, content.value)

    def _is_chance(self, protocol: str) -> bool:
        """Whether a few arrays look like a protocol only because their numbers happen to."""
        return self._in_arrays[protocol] * 4 < self._arrays and self._protocols[protocol] <= self._in_arrays[protocol]

    def _of_value(self, kind: MessageKind, value: Any) -> MessageKind:
        if kind.beat is not None and not kind.field:
            return kind
        number: tuple[str, str] | None = None
        for path in self._fields.ranking():
            name, is_number = code_of(at(value, path))
            if name and not is_number:
                return self._said(kind, path_text(path), name)
            if name and number is None:
                number = path_text(path), name
        if number is not None:  # a name says more than a number
            return self._said(kind, *number)
        if kind.field and type(value) is dict and self._fields.is_free(kind.field):
            return MessageKind(keys_of(value), beat=kind.beat)
        return kind

    def _said(self, kind: MessageKind, field: str, name: str) -> MessageKind:
        if field == kind.field and not (field[0] == "[" and any(map(self._is_chance, self._protocols))):
            return kind
        return MessageKind(f"{field}={name}", name=name, field=field, beat=kind.beat)

    def _of_text(self, kind: MessageKind, data: bytes) -> MessageKind:
        if kind.name:
            many = len(self._heads) > max(VALUES, self._texts // 4)
            return MessageKind("text:*") if many and self._heads[kind.name] < ENOUGH else kind
        head = head_of(data[:1024].decode(errors="replace"))
        if self._heads[head] < ENOUGH or len(self._heads) > 4 + self._texts**0.5:
            return kind
        return MessageKind(f"text:{head} *", name=head)


def code_of(value: Any) -> tuple[str, bool]:
    """The name or the small number that a value is, as text; empty for any other value."""
    if type(value) is str:
        name = name_of(value)
        return ("" if " " in name else name), False
    if type(value) is int and 0 <= value < CODES:
        return str(value), True
    return "", False


class _Field:
    """What a field has said, and with which shapes."""

    __slots__ = ("values", "free")

    def __init__(self) -> None:
        self.values: dict[str, Counter[int]] = {}
        self.free = 0
        """How often it said what is no name nor code, or one too many."""


class _Fields:
    def __init__(self) -> None:
        self._seen = 0
        self._shapes: dict[frozenset[tuple[Path, str]], int] = {}
        self._fields: dict[Path, _Field] = {}
        self._ranking: list[Path] | None = None

    def feed(self, value: Any) -> None:
        leaves = list(_leaves(value))
        shape = frozenset((path, kind) for path, kind, _ in leaves)
        number = self._shapes.get(shape)
        if number is None:
            number = len(self._shapes)
            if number < SHAPES:
                self._shapes[shape] = number
        self._seen += 1
        self._ranking = None
        for path, kind, said in leaves:
            if kind != "str" and kind != "int":
                continue
            field = self._fields.get(path)
            if field is None:
                if len(self._fields) >= PATHS:
                    continue
                field = self._fields[path] = _Field()
            name, _ = code_of(said)
            counts = field.values.get(name) if name else None
            if counts is None:
                if not name or len(field.values) >= VALUES:
                    field.free += 1
                    continue
                counts = field.values[name] = Counter()
            counts[number] += 1

    def is_free(self, text: str) -> bool:
        """Whether a field says anything whatever rather than one of a few names."""
        field = next((field for path, field in self._fields.items() if path_text(path) == text), None)
        if field is None:
            return False
        said = field.free + sum(counts.total() for counts in field.values.values())
        return said >= 8 and (field.free + len(field.values)) * 2 > said

    def ranking(self) -> list[Path]:
        """The discriminators, the best first."""
        if self._ranking is None:
            scores = {path: self._score(path, field) for path, field in self._fields.items()}
            self._ranking = sorted((path for path in scores if scores[path] > 0), key=lambda path: -scores[path])
        return self._ranking

    def _score(self, path: Path, field: _Field) -> float:
        values = field.values
        if not values or field.free * 4 > self._seen:
            return 0
        together: Counter[int] = Counter()
        for counts in values.values():
            together.update(counts)
        gain = _bits(together) - sum(map(_bits, values.values()))
        heavy = _prior(path)
        each = log2(self._seen + 1) + 3
        cost = (len(values) + field.free) * (1 if heavy >= SHORT else each)
        return gain - cost + heavy * (3 if len(values) > 1 else 1.5) - 2 * (len(path) - 1)


def _prior(path: Path) -> float:
    last = path[-1]
    if type(last) is str:
        return weight(last)
    return (STRONG, SHORT, NEVER)[min(last, 2)] if len(path) == 1 and type(last) is int else NEVER


def _bits(counts: Counter[int]) -> float:
    """What it takes to tell which of these it is, for all of them."""
    total = counts.total()
    return total * log2(total) - sum(n * log2(n) for n in counts.values()) if total > 1 else 0.0


def _leaves(value: Any) -> Iterator[tuple[Path, str, Any]]:
    """The values in a message that a path can lead to, with their types."""
    stack: list[tuple[Path, Any]] = [((), value)]
    left = LEAVES
    while stack and left:
        path, value = stack.pop()
        if type(value) is str and value[:1] == "{" and len(path) < DEEPEST:
            inner = load(value)
            value = inner if type(inner) is dict else value
        left -= 1
        if type(value) is dict and len(path) < DEEPEST:
            yield path, "dict", None
            stack += [((*path, key), inner) for key, inner in list(value.items())[:LEAVES][::-1] if is_key(key)]
        elif type(value) is list and not path:
            yield path, "list", None
            stack += [((i,), inner) for i, inner in enumerate(value[:4])][::-1]
        else:
            yield path, type(value).__name__, value
