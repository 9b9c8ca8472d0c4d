"""A comparison for an issue, of recordings without their secrets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hangup.humanize import duration, plural, size
from hangup.markup import cell, code, plain, prose
from hangup.recording.assembling import Message
from hangup.recording.diff import ComparedConnection, Comparison, MessageDifference

DETAILED = 5
"""So many connections are shown in detail."""

SHOWN = 40
"""So many headers, and messages, of a connection are shown."""

PLACES = 6
VALUE = 200
"""So many characters of a value are shown."""


def markdown(names: tuple[str, str], compared: Sequence[Comparison], only_a: list[int], only_b: list[int]) -> str:
    """The whole document. ``names`` are those of the recordings, ``only_a`` and ``only_b`` connections that have no
    counterpart."""
    same = sum(each.same for each in compared)
    lines = [f"### {code(names[0])} (A) and {code(names[1])} (B)", ""]
    lines += [f"{plural(same, 'connection')} the same, {len(compared) - same} different."]
    for which, conns in (("A", only_a), ("B", only_b)):
        if conns:
            lines += ["", f"Only in {which}: {plural(len(conns), 'connection')} ({', '.join(map(str, conns[:20]))})."]
    different = [each for each in compared if not each.same]
    for each in different[:DETAILED]:
        lines += ["", *_comparison(each)]
    if len(different) > DETAILED:
        lines += ["", f"… and {plural(len(different) - DETAILED, 'more pair')} of connections."]
    return "\n".join([*lines, ""])


def _comparison(found: Comparison) -> Iterator[str]:
    yield f"#### Connection {found.a.connection.conn} of A, connection {found.b.connection.conn} of B"
    yield ""
    yield "| | A | B |"
    yield "|---|---|---|"
    for name, left, right in _sums(found.a, found.b):
        yield f"| {name} | {cell(left)} | {cell(right)} |"
    if found.handshake:
        yield ""
        yield "| handshake | A | B |"
        yield "|---|---|---|"
        for each in found.handshake[:SHOWN]:
            what = " ".join(filter(None, [plain(each.where), code(each.name), plain(each.what)]))
            yield f"| {cell(what)} | {_value(each.a)} | {_value(each.b)} |"
    if found.messages:
        yield ""
        yield "| from | A | B | what differs |"
        yield "|---|--:|--:|---|"
        for message in found.messages[:SHOWN]:
            numbers = [str(m.n) if m is not None else "–" for m in (message.a, message.b)]
            yield f"| {message.side} | {numbers[0]} | {numbers[1]} | {cell(_difference(message))} |"
        if len(found.messages) > SHOWN:
            yield f"| | | | … and {plural(len(found.messages) - SHOWN, 'more difference')} |"
    for note in found.notes:
        yield ""
        yield prose(note)
    yield ""
    yield f"A: {prose(found.a.connection.ending.sentence)}"
    yield ""
    yield f"B: {prose(found.b.connection.ending.sentence)}"


def _sums(a: ComparedConnection, b: ComparedConnection) -> Iterator[tuple[str, str, str]]:
    yield "path", code(a.connection.path, VALUE), code(b.connection.path, VALUE)
    yield "status", str(a.connection.status or "no response"), str(b.connection.status or "no response")
    yield "lifetime", _lifetime(a.connection.lifetime), _lifetime(b.connection.lifetime)


def _lifetime(seconds: float | None) -> str:
    return "not told" if seconds is None else duration(seconds)


def _value(value: str | None) -> str:
    return "(missing)" if value is None else cell(code(value, VALUE))


def _difference(each: MessageDifference) -> str:
    if each.kind != "changed":
        return f"only in {'A' if each.kind == 'only-a' else 'B'}: {_said(each.a or each.b)}"
    places = [
        f"{code(place.path, VALUE)} {_value(place.a)} → {_value(place.b)}".lstrip()
        for place in each.differences[:PLACES]
    ]
    more = len(each.differences) - PLACES
    return "<br>".join([*places, f"… and {plural(more, 'more place')}"] if more > 0 else places)


def _said(message: Message | None) -> str:
    if message is None or message.data is None:
        return size(message.length) if message is not None else ""
    try:
        return code(message.data.decode(), VALUE) or "(empty)"
    except UnicodeDecodeError:
        return f"{size(message.length)} binary {code(message.data[:24].hex(' '))}"
