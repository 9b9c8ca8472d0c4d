"""A comparison on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hangup.cli.screen import ARROWS, COLOURS, safe
from hangup.humanize import duration, plural, size
from hangup.recording.assembling import Message
from hangup.recording.connections import Connection
from hangup.recording.diff import ComparedConnection, Comparison, MessageDifference
from hangup.recording.diff_handshake import HeaderDifference

DETAILED = 5
"""So many connections are shown in detail."""

SHOWN = 40
"""So many messages of a connection are shown, and so many places of one message."""

PLACES = 6
WIDTH = 300

ONLY_A, ONLY_B = "red", "green"


def show(
    console: Console, names: tuple[str, str], compared: Sequence[Comparison], only_a: list[int], only_b: list[int]
) -> None:
    """All comparisons of two recordings: what is the same in a line, what differs in detail."""
    different = [each for each in compared if not each.same]
    single = len(compared) == 1 and not only_a and not only_b
    if not single:
        _overview(console, names, compared, only_a, only_b)
    for i, each in enumerate(different if not single else compared):
        if i == DETAILED:
            rest = len(different) - DETAILED
            console.print(f"\n{plural(rest, 'more pair')} of connections differ: --conn N shows one of them")
            break
        if i or not single:
            console.print()
        _comparison(console, names, each)


def _overview(
    console: Console, names: tuple[str, str], compared: Sequence[Comparison], only_a: list[int], only_b: list[int]
) -> None:
    _names(console, [(name, "") for name in names])
    same = sum(each.same for each in compared)
    console.print(f"{plural(same, 'connection')} the same, {len(compared) - same} different")
    for which, conns, style in (("A", only_a, ONLY_A), ("B", only_b, ONLY_B)):
        if conns:
            shown = ", ".join(str(conn) for conn in conns[:20]) + (" …" if len(conns) > 20 else "")
            console.print(Text(f"only in {which}: connection {shown}", style))


def _names(console: Console, names: Sequence[tuple[str, str]]) -> None:
    for letter, style, (name, rest) in zip("AB", (ONLY_A, ONLY_B), names, strict=True):
        console.print(Text.assemble((f"{letter}  ", f"bold {style}"), safe(name, "bold"), rest))


def _comparison(console: Console, names: tuple[str, str], found: Comparison) -> None:
    of = (found.a.connection, found.b.connection)
    _names(console, [(name, f"  connection {each.conn}") for name, each in zip(names, of, strict=True)])
    console.print(Padding(_sums(found), (1, 0, 0, 0)))
    if found.same:
        equal = sum(found.equal.values())
        console.print(f"\nNothing differs: {plural(equal, 'message')} the same.")
    if found.handshake:
        console.print("\nHandshake", style="bold")
        console.print(_handshake(found.handshake))
    if found.messages:
        console.print(Text.assemble("\n", ("Messages", "bold"), f"  {_counts(found)}"))
        during, after = _parted(found)
        if during:
            console.print(messages(during[:SHOWN]))
        if len(during) > SHOWN:
            console.print(f"  … and {plural(len(during) - SHOWN, 'more difference')} (--json has all)")
        if after:
            letter, other, style = ("A", "B", ONLY_A) if after[0].kind == "only-a" else ("B", "A", ONLY_B)
            more = f" went on after {other} had ended: {plural(len(after), 'more message')} (--json has all)"
            console.print(Text.assemble("  ", (letter, style), more))
    if not found.complete:
        console.print("  not all messages were compared: there are too many", style="yellow")
    if found.notes:
        console.print("\nAlso", style="bold")
        for note in found.notes:
            console.print(Text.assemble("  ", safe(note)))
    _ending(console, found)


def _sums(found: Comparison) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=True)
    table.add_column("")
    table.add_column("A", style=ONLY_A)
    table.add_column("B", style=ONLY_B)
    rows: list[tuple[str, Callable[[ComparedConnection], str]]] = [
        ("path", lambda of: safe(of.connection.path, limit=60).plain),
        ("status", lambda of: str(of.connection.status or "no response")),
        ("handshake", lambda of: duration(of.handshake.waited) if of.handshake is not None else "not recorded"),
        ("lifetime", _lifetime),
        ("client sent", lambda of: _sent(of.connection, "client")),
        ("server sent", lambda of: _sent(of.connection, "server")),
    ]
    for name, cell in rows:
        left, right = cell(found.a), cell(found.b)
        table.add_row(Text(name, "dim"), left, "same" if name == "path" and left == right else right)
    return table


def _lifetime(of: ComparedConnection) -> str:
    lifetime = of.connection.lifetime
    if lifetime is None:
        return "open to the end" if of.says_ending else "not told"
    return duration(lifetime)


def _sent(connection: Connection, side: str) -> str:
    frames, octets = dict(connection.frames).get(side, 0), dict(connection.bytes).get(side, 0)  # type: ignore[call-overload]
    return f"{plural(frames, 'frame')}, {size(octets)}"


def _handshake(differences: Sequence[HeaderDifference]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(width=10)
    for each in differences[:SHOWN]:
        what = each.what if each.what in ("case", "order", "query") else ""
        name = safe(" ".join(filter(None, [each.name, f"({what})" if what else ""])), "bold", 60)
        table.add_row(Text("  " + each.where, "dim"), name, _values(each.a, each.b))
    return table


def _values(a: str | None, b: str | None) -> Text:
    missing = ("(missing)", "dim italic")
    left = missing if a is None else safe(a, ONLY_A, WIDTH)
    right = missing if b is None else safe(b, ONLY_B, WIDTH)
    return Text.assemble(left, " → ", right)


def _parted(found: Comparison) -> tuple[list[MessageDifference], list[MessageDifference]]:
    """What differs while both were open, and what one said when the other had ended already."""
    during: list[MessageDifference] = []
    after: list[MessageDifference] = []
    for each in found.messages:
        longer, shorter = (found.a, found.b) if each.kind == "only-a" else (found.b, found.a)
        message = each.a or each.b
        lifetime = shorter.connection.lifetime
        late = (
            each.kind != "changed"
            and message is not None
            and lifetime is not None
            and message.at - (longer.connection.opened or 0.0) > lifetime
        )
        (after if late else during).append(each)
    return during, after


def _counts(found: Comparison) -> str:
    counts = {kind: sum(each.kind == kind for each in found.messages) for kind in ("changed", "only-a", "only-b")}
    parts = [f"{sum(found.equal.values())} the same"]
    parts += [f"{counts['changed']} changed"] if counts["changed"] else []
    parts += [f"{counts['only-a']} only in A"] if counts["only-a"] else []
    parts += [f"{counts['only-b']} only in B"] if counts["only-b"] else []
    return ", ".join(parts)


def messages(differences: Sequence[MessageDifference]) -> Table:
    """A table of messages that differ."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=True, header_style="dim")
    for name in ("  ", "A", "B", ""):
        table.add_column(name, justify="right" if name in ("A", "B") else "left")
    for each in differences:
        arrow = Text(f"  {ARROWS[each.side]} {each.side}", COLOURS[each.side])
        numbers = [Text(str(m.n) if m is not None else "–", "dim") for m in (each.a, each.b)]
        table.add_row(arrow, *numbers, _difference(each))
    return table


def _difference(each: MessageDifference) -> Text:
    if each.kind == "only-a":
        return Text.assemble(("only in A: ", ONLY_A), _said(each.a))
    if each.kind == "only-b":
        return Text.assemble(("only in B: ", ONLY_B), _said(each.b))
    lines = []
    for place in each.differences[:PLACES]:
        path = safe(place.path + ": ", "bold", 80) if place.path else Text()
        lines.append(Text.assemble(path, _values(place.a, place.b)))
    if len(each.differences) > PLACES:
        lines.append(Text(f"… and {plural(len(each.differences) - PLACES, 'more place')}", "dim"))
    return Text("\n").join(lines)


def _said(message: Message | None) -> Text:
    if message is None or message.data is None:
        return Text(size(message.length) if message is not None else "")
    try:
        return safe(message.data.decode(), limit=WIDTH) if message.data else Text("(empty)", "dim")
    except UnicodeDecodeError:
        return Text(f"{size(message.length)} binary {message.data[:24].hex(' ')}")


def _ending(console: Console, found: Comparison) -> None:
    word, style = {True: ("the same", "green"), False: ("different", "red"), None: ("unknown of one", "yellow")}[
        found.same_ending
    ]
    console.print(Text.assemble("\n", ("Ending", "bold"), "  ", (word, style)))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for letter, colour, of in (("A", ONLY_A, found.a), ("B", ONLY_B, found.b)):
        table.add_row(Text(f"  {letter}", colour), safe(of.connection.ending.sentence))
    console.print(table)
