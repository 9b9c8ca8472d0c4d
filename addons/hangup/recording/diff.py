"""Two connections side by side: handshake, messages, how they ended, and when; pure, from their events alone.

Each side's messages are aligned as sequences: first those that are equal but for what changes by nature
(:mod:`hangup.recording.diff_values`), then, between these, those of one shape. The order in which the messages of the
two sides mix is a matter of speed, and is not compared; nor are times.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any, Literal

from msgspec import Struct, field, to_builtins

from hangup.messages.skeleton import skeleton
from hangup.recording.assembling import Message, Messages
from hangup.recording.connections import Connection
from hangup.recording.diff_handshake import HeaderDifference, compare_handshakes
from hangup.recording.diff_values import ValueDifference, compare, normal
from hangup.recording.events import AnyEvent, Handshake, Header, Side, payload_fields
from hangup.recording.ledger import Ledger

KEPT_MESSAGES = 100_000
KEPT_BYTES = 64 << 20
"""So many messages, and so much of them, are kept to be compared; beyond that they are only counted."""

ALIGNED = 1000
"""Longer stretches of messages without an equal one are compared one by one, in order."""

Kind = Literal["changed", "only-a", "only-b"]


class ComparedConnection(Struct):
    """One connection: what it said, and the account of it. ``kept`` is False when not all messages were kept."""

    connection: Connection
    handshake: Handshake | None = None
    messages: dict[Side, list[Message]] = field(default_factory=lambda: {"client": [], "server": []})
    kept: bool = True
    says_ending: bool = True
    """Whether its recording would say how it ended: a HAR made by a browser does not."""
    only_messages: bool = False
    """Whether its recording has no pings and pongs, and nothing of what was wrong with frames."""


class MessageDifference(Struct):
    """A message that differs, or that only one of both has; ``differences`` are the places, of a changed one."""

    side: Side
    kind: Kind
    a: Message | None = None
    b: Message | None = None
    differences: list[ValueDifference] = []

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "side": self.side,
            "kind": self.kind,
            "a": _summary(self.a),
            "b": _summary(self.b),
            "differences": [{"path": place.path, "a": place.a, "b": place.b} for place in self.differences],
        }


def _summary(message: Message | None) -> dict[str, Any] | None:
    if message is None:
        return None
    text, data = payload_fields(message.data or b"")
    said = {"text": text} if data is None else {"base64": to_builtins(data)}
    return {"n": message.n, "at": message.at, "opcode": message.opcode, "length": message.length, **said}


class Comparison(Struct):
    """What differs between connection ``a`` and connection ``b``.

    ``equal`` counts messages that are the same, by side. ``same_ending`` is whether they ended alike, and None when one
    does not say how it ended; ``notes`` are differences of other kinds, in words.
    """

    a: ComparedConnection
    b: ComparedConnection
    handshake: list[HeaderDifference] = []
    messages: list[MessageDifference] = []
    equal: dict[Side, int] = field(default_factory=lambda: {"client": 0, "server": 0})
    same_ending: bool | None = True
    notes: list[str] = []
    complete: bool = True
    """Whether all messages were compared."""

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.handshake or self.messages or self.notes) and self.same_ending is not False

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        a, b = self.a.connection, self.b.connection
        return {
            "a": a.conn,
            "b": b.conn,
            "same": self.same,
            "handshake": [to_builtins(each) for each in self.handshake],
            "messages": [each.summary() for each in self.messages],
            "equal": self.equal,
            "complete": self.complete,
            "notes": self.notes,
            "ending": {"same": self.same_ending, "a": a.ending.summary(), "b": b.ending.summary()},
            "timing": {"a": _timing(self.a), "b": _timing(self.b)},
        }


def _timing(of: ComparedConnection) -> dict[str, Any]:
    connection = of.connection
    return {
        "opened": connection.opened,
        "handshake": of.handshake.waited if of.handshake is not None else None,
        "lifetime": connection.lifetime,
        "frames": connection.frames,
        "bytes": connection.bytes,
    }


class Collector:
    """The conversations of a recording by connection, from its events one by one."""

    def __init__(self) -> None:
        self.found: dict[int, ComparedConnection] = {}
        self._ledger = Ledger()
        self._assembler = Messages()
        self._room, self._weight = KEPT_MESSAGES, KEPT_BYTES

    def feed(self, event: AnyEvent) -> None:
        """Takes the next event."""
        self._ledger.feed(event)
        if not event.conn:
            return
        conversation = self.found.get(event.conn)
        if conversation is None:
            conversation = self.found[event.conn] = ComparedConnection(self._ledger.connections[event.conn])
        if isinstance(event, Handshake) and conversation.handshake is None:
            conversation.handshake = event
        message = self._assembler.feed(event)
        if message is None:
            return
        if self._room > 0 and self._weight > 0:
            conversation.messages[message.side].append(message)
            self._room -= 1
            self._weight -= message.length
        else:
            conversation.kept = False

    def conversations(self, header: Header | None = None) -> dict[int, ComparedConnection]:
        """All of them. ``header`` is the recording's, and says what it cannot tell."""
        for conversation in self.found.values():
            if header is None or not header.lacks:
                break
            conversation.only_messages = not (header.tells("pings") and header.tells("framing"))
            connection = conversation.connection
            conversation.says_ending = not connection.untold or connection.ending.by != "unknown"
        return self.found


def collect(
    recording: Iterable[AnyEvent], conn: int | None = None, *, header: Header | None = None
) -> dict[int, ComparedConnection]:
    """The conversations of a recording by connection, or of one of its connections. ``header`` is the recording's, and
    says what it cannot tell."""
    collector = Collector()
    for event in recording:
        if conn is None or event.conn in (conn, 0):
            collector.feed(event)
    return collector.conversations(header)


def pair(
    a: dict[int, ComparedConnection], b: dict[int, ComparedConnection]
) -> list[tuple[ComparedConnection | None, ComparedConnection | None]]:
    """Which connection of one recording to compare with which of the other: those to the same path, in their order.

    When nothing has the same path, simply in their order.
    """
    left, right = [a[conn] for conn in sorted(a)], [b[conn] for conn in sorted(b)]
    if not {each.connection.path for each in left} & {each.connection.path for each in right}:
        return list(zip_longest(left, right))
    pairs: list[tuple[ComparedConnection | None, ComparedConnection | None]] = []
    waiting: dict[str, list[ComparedConnection]] = {}
    for each in right:
        waiting.setdefault(each.connection.path, []).append(each)
    for each in left:
        same_path = waiting.get(each.connection.path)
        pairs.append((each, same_path.pop(0) if same_path else None))
    return pairs + [(None, each) for rest in waiting.values() for each in rest]


def compare_conversations(
    a: ComparedConnection, b: ComparedConnection, *, strict: bool = False, ordered: bool = True
) -> Comparison:
    """What differs between two connections. ``strict`` counts what changes by nature, too; ``ordered`` is whether the
    order and the case of headers were recorded."""
    result = Comparison(a, b)
    result.handshake = compare_handshakes(a.handshake, b.handshake, strict=strict, ordered=ordered)
    sides: tuple[Side, Side] = ("client", "server")
    for side in sides:
        differences, equal = compare_messages(a.messages[side], b.messages[side], side, strict=strict)
        result.messages += differences
        result.equal[side] = equal
    result.messages.sort(key=lambda each: _when(each, a, b))
    result.complete = a.kept and b.kept
    unknown = not (a.says_ending and b.says_ending)
    result.same_ending = None if unknown else same_ending(a.connection, b.connection)
    if not a.only_messages and not b.only_messages:
        result.notes = _control(a.connection, b.connection)
    return result


def compare_messages(
    a: Sequence[Message], b: Sequence[Message], side: Side, *, strict: bool = False
) -> tuple[list[MessageDifference], int]:
    """What differs between the messages that ``side`` sent, in order, and how many are the same."""
    found: list[MessageDifference] = []
    equal = 0
    for left, right in align(a, b, strict=strict):
        if left is None or right is None:
            kind: Kind = "only-b" if left is None else "only-a"
            found.append(MessageDifference(side, kind, left, right))
            continue
        differences = message_differences(left, right, strict=strict)
        if differences:
            found.append(MessageDifference(side, "changed", left, right, differences))
        else:
            equal += 1
    return found, equal


def message_differences(a: Message, b: Message, *, strict: bool = False) -> list[ValueDifference]:
    """In what two messages differ."""
    differences = []
    if a.opcode != b.opcode:
        differences.append(ValueDifference("(opcode)", a.opcode, b.opcode))
    if a.data is None or b.data is None:
        if a.length != b.length:
            differences.append(ValueDifference("(length)", str(a.length), str(b.length)))
        return differences
    return differences + compare(a.data, b.data, strict=strict)


def align(
    a: Sequence[Message], b: Sequence[Message], *, strict: bool = False
) -> list[tuple[Message | None, Message | None]]:
    """Pairs the messages of two runs: each with its counterpart, or with None."""
    of_a, of_b = [_key(each, strict) for each in a], [_key(each, strict) for each in b]
    pairs: list[tuple[Message | None, Message | None]] = []
    for i, j, size in _blocks(of_a, of_b):
        pairs += _by_shape(a[i[0] : i[1]], b[j[0] : j[1]])
        pairs += zip(a[i[1] : i[1] + size], b[j[1] : j[1] + size], strict=True)
    return pairs


def _key(message: Message, strict: bool) -> str:
    if message.data is None:
        return f"{message.opcode} {message.length} bytes"
    said = repr(message.data) if strict else normal(message.data)
    return f"{message.opcode} {said}"


Block = tuple[tuple[int, int], tuple[int, int], int]


def _blocks(a: list[str], b: list[str]) -> list[Block]:
    """What two sequences have in common: where the stretch before it lies in each, and its length."""
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end_a, end_b = len(a), len(b)
    while end_a > start and end_b > start and a[end_a - 1] == b[end_b - 1]:
        end_a, end_b = end_a - 1, end_b - 1
    blocks: list[Block] = [((0, 0), (0, 0), start)]
    at_a = at_b = start
    if max(end_a, end_b) - start <= ALIGNED:
        matcher = SequenceMatcher(None, a[start:end_a], b[start:end_b], autojunk=False)
        for match in matcher.get_matching_blocks()[:-1]:
            blocks.append(((at_a, start + match.a), (at_b, start + match.b), match.size))
            at_a, at_b = start + match.a + match.size, start + match.b + match.size
    blocks.append(((at_a, end_a), (at_b, end_b), len(a) - end_a))
    return blocks


def _by_shape(a: Sequence[Message], b: Sequence[Message]) -> list[tuple[Message | None, Message | None]]:
    """Pairs messages none of which are equal: by their shape, and between these in their order."""
    if not a or not b:
        return [(each, None) for each in a] + [(None, each) for each in b]
    if max(len(a), len(b)) > ALIGNED:
        return _in_order(a, b)
    pairs: list[tuple[Message | None, Message | None]] = []
    matcher = SequenceMatcher(None, [_shape(each) for each in a], [_shape(each) for each in b], autojunk=False)
    at_a = at_b = 0
    for match in matcher.get_matching_blocks():
        pairs += _unlike(a[at_a : match.a], b[at_b : match.b])
        pairs += zip(a[match.a : match.a + match.size], b[match.b : match.b + match.size], strict=True)
        at_a, at_b = match.a + match.size, match.b + match.size
    return pairs


def _unlike(a: Sequence[Message], b: Sequence[Message]) -> list[tuple[Message | None, Message | None]]:
    """Of different shapes. Plain texts may be the same message, changed; JSON of another shape is another message."""
    if len(a) == len(b) and not any(_is_json(each) for each in (*a, *b)):
        return _in_order(a, b)
    return [(each, None) for each in a] + [(None, each) for each in b]


def _in_order(a: Sequence[Message], b: Sequence[Message]) -> list[tuple[Message | None, Message | None]]:
    count = min(len(a), len(b))
    pairs: list[tuple[Message | None, Message | None]] = list(zip(a[:count], b[:count], strict=True))
    return pairs + [(each, None) for each in a[count:]] + [(None, each) for each in b[count:]]


def _shape(message: Message) -> str:
    return skeleton(message.opcode, message.data or b"")


def _is_json(message: Message) -> bool:
    return (message.data or b"").lstrip(b"0123456789 \t\r\n")[:1] in (b"{", b"[")


def _when(difference: MessageDifference, a: ComparedConnection, b: ComparedConnection) -> float:
    """When a difference showed, in seconds from the opening of the connection that has it."""
    if difference.a is not None:
        return difference.a.at - (a.connection.opened or 0.0)
    assert difference.b is not None
    return difference.b.at - (b.connection.opened or 0.0)


def same_ending(a: Connection, b: Connection) -> bool:
    """Whether two connections ended alike: by the same side, in the same way, with the same code and reason."""
    if (a.status, a.refused) != (b.status, b.refused):
        return False
    left, right = a.ending, b.ending
    return (left.by, left.how, left.code, left.reason or "") == (right.by, right.how, right.code, right.reason or "")


def _control(a: Connection, b: Connection) -> list[str]:
    """Pings and pongs: how many there are is a matter of time, but whether there are any is not."""
    notes = []
    sides: tuple[Side, Side] = ("client", "server")
    for side in sides:
        for name, of_a, of_b in (("pings", a.pings, b.pings), ("pongs", a.pongs, b.pongs)):
            if bool(of_a[side]) != bool(of_b[side]):
                notes.append(f"{side} {name}: {of_a[side]} → {of_b[side]}")
    for problem in sorted({*a.problems} ^ {*b.problems}):
        notes.append(f"frames with the problem {problem}: {a.problems.get(problem, 0)} → {b.problems.get(problem, 0)}")
    return notes
