"""The connections of a recording as a table, and what follows from it in sentences."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hangup.cli.screen import COLOURS, safe
from hangup.humanize import duration, plural, printable, size
from hangup.recording import loops, untold
from hangup.recording.connections import Connection
from hangup.recording.dev_server import DEV_SERVER
from hangup.recording.ending_words import Ending
from hangup.recording.events import AnyEvent, End, FilterEvent, Handshake, Header, Note
from hangup.recording.formats import Recording
from hangup.recording.ledger import Ledger
from hangup.recording.loops import Loop
from hangup.wire import close_codes
from hangup.wire.inflation_budget import LEFT_COMPRESSED

WIDE = 120
"""From so many columns on, all of the table is shown; below, what the sentences repeat is left out."""

GROUPS_SHOWN = 12
CHANGES_SHOWN = 20


def show(console: Console, source: Recording, ledger: Ledger, found: list[Loop], changes: list[FilterEvent]) -> None:
    """Prints a recording's head, its table and its sentences."""
    console.print(_head(source, ledger))
    connections = list(ledger.connections.values())
    if not connections:
        console.print("no WebSocket connection" + (f", {plural(ledger.http, 'HTTP request')}" if ledger.http else ""))
        return
    endings = [connection.ending for connection in connections]
    console.print()
    console.print(_table(connections, endings, console.width >= WIDE))
    console.print(Text("→ from the client, ← from the server", "dim"))
    for loop in found:
        console.print()
        console.print(_loop(loop))
    console.print()
    groups = _groups(connections, endings)
    console.print(_sentences(groups))
    for code in sorted({e.code for e in endings if e.code is not None and e.by != "proxy"})[:5]:
        console.print(Padding(Text(close_codes.explain(code), "dim"), (0, 0, 0, 2)))
    for connection in [c for c in connections if c.problems or c.checks or c.left_compressed][:GROUPS_SHOWN]:
        console.print(_problems(connection))
    if changes:
        console.print()
        for change in changes[:CHANGES_SHOWN]:
            console.print(Text(f"{change.at:10.3f}  filter {printable(change.action, 20)}  ") + safe(change.filter))
        if len(changes) > CHANGES_SHOWN:
            console.print(f"{'':12}and {len(changes) - CHANGES_SHOWN} more changes of filters")
    if ledger.lost:
        console.print(Text(f"{plural(ledger.lost, 'event')} could not be recorded", "bold red"))
    if source.path is not None:
        console.print()
        conn = _typical(found[-1], groups) if found else groups[-1][0].conn
        command = f"hangup show {shlex.quote(source.name)} --conn {conn}"
        console.print(Text(f"every frame of one: {printable(command)}", "dim"), soft_wrap=True)


def _head(source: Recording, ledger: Ledger) -> Text:
    header: Header = source.header
    head = Text().append(safe(source.name, "bold"))
    if header.target:
        head.append("  ").append(safe(header.target))
    elif header.mode:
        head.append("  ").append(safe(header.mode))
    when = f"from {_utc(header.started)} UTC" if header.started else "from an unknown day"
    head.append(f"\n{when}, {duration(ledger.last_at)}, ", "dim")
    head.append(plural(len(ledger.connections), "connection"), "dim")
    if ledger.http:
        head.append(f", {plural(ledger.http, 'HTTP request')}", "dim")
    if header.source:
        head.append(f", from {printable(header.source, 80)}", "dim")
    if header.note:
        head.append(f", {printable(header.note, 200)}", "dim")
    if lacks := untold.sentence(header):
        head.append(f"\n{lacks}", "dim")
    return head


def _utc(started: str) -> str:
    return printable(started, 40).replace("T", " ").partition(".")[0].removesuffix("Z")


def _table(connections: list[Connection], endings: list[Ending], wide: bool) -> Table:
    pings = any(any(c.pings.values()) for c in connections)
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold dim", pad_edge=False)
    right: dict[str, Any] = {"justify": "right", "no_wrap": True}
    table.add_column("#", **right)
    table.add_column("opened", **right)
    table.add_column("path", overflow="fold", min_width=6)
    if wide:
        table.add_column("status", **right)
    table.add_column("lifetime", **right)
    table.add_column("frames→", **right)
    table.add_column("←", **right)
    if wide:
        table.add_column("bytes→", **right)
        table.add_column("←", **right)
        if pings:
            table.add_column("pings→", **right)
            table.add_column("←", **right)
        table.add_column("ended by", no_wrap=True)
        table.add_column("how", no_wrap=True)
        table.add_column("code", **right)
        table.add_column("reason", overflow="fold", max_width=30)
    else:
        table.add_column("ended by", overflow="fold", min_width=8)
    for c, ending in zip(connections, endings, strict=True):
        colour = COLOURS[ending.by]
        cells: list[str | Text] = [str(c.conn), _seconds(c), _path(c)]
        if wide:
            cells.append(Text("" if c.status is None else str(c.status), "" if c.status == 101 else "red"))
        cells.append("" if c.lifetime is None else duration(c.lifetime))
        cells += [str(c.frames["client"]), str(c.frames["server"])]
        if wide:
            cells += [size(c.bytes["client"]), size(c.bytes["server"])]
            if pings:
                cells += [str(c.pings["client"]), str(c.pings["server"])]
            cells += [
                Text(_by(ending), colour),
                Text(_how(c, ending), colour),
                Text("" if ending.code is None else str(ending.code), colour),
                safe(ending.reason or "", limit=123),
            ]
        else:
            code = "" if ending.code is None else f" {ending.code}"
            how = "" if code and ending.how == "close" else f" {_how(c, ending)}"
            cells.append(Text(f"{_by(ending)}{how}{code}".strip(), colour))
        table.add_row(*cells)
    return table


def _path(connection: Connection) -> Text:
    path = safe(connection.path, limit=400)
    return path if connection.kind == "app" else path.append(f" ({DEV_SERVER})", "dim")


def _seconds(connection: Connection) -> str:
    at = connection.answered if connection.opened is None else connection.opened
    return "" if at is None else f"{at:.3f}" if abs(at) < 1e9 else f"{at:.3g}"


def _by(ending: Ending) -> str:
    if ending.by == "unknown":
        return ""
    return "filter" if ending.filter else ending.by


def _how(connection: Connection, ending: Ending) -> str:
    if connection.refused:
        if connection.status is None and ending.by == "client":
            return "given up"
        return "down" if connection.status is None else f"HTTP {connection.status}"
    if ending.how in ("none", "unknown"):
        return "not told" if connection.untold else "open"
    return ending.how.upper() if ending.how in ("fin", "rst") else ending.how


def _groups(connections: list[Connection], endings: list[Ending]) -> list[tuple[Connection, Ending, list[int]]]:
    """Endings that are alike: the last connection of each kind stands for them."""
    groups: dict[tuple[object, ...], tuple[Connection, Ending, list[int]]] = {}
    for connection, ending in zip(connections, endings, strict=True):
        failure = connection.status, connection.error, connection.untold
        key = (ending.by, ending.how, ending.code, ending.reason, ending.filter, failure)
        _, _, conns = groups.pop(key, (connection, ending, []))
        groups[key] = (connection, ending, [*conns, connection.conn] if len(conns) < 1000 else conns)
    return list(groups.values())


def _sentences(groups: list[tuple[Connection, Ending, list[int]]]) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(justify="right", style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for connection, ending, conns in groups[-GROUPS_SHOWN:]:
        text = Text(ending.sentence, COLOURS[ending.by])
        if len(conns) > 1:
            text.append(f"  (likewise {ranges(conns[:-1])})", "dim")
        grid.add_row(f"#{connection.conn}", text)
    if len(groups) > GROUPS_SHOWN:
        grid.add_row("", Text(f"and {len(groups) - GROUPS_SHOWN} earlier ones, each of another kind", "dim"))
    return grid


def _typical(loop: Loop, groups: list[tuple[Connection, Ending, list[int]]]) -> int:
    """The last connection of a loop that ended as most of them did."""
    alike = (c.conn for c, ending, _ in groups if (ending.by, ending.how) == (loop.ended_by, loop.how))
    return next((conn for conn in alike if conn in loop.conns), loop.conns[0])


def _loop(loop: Loop) -> Text:
    return Text("loop: ", "bold red").append(loop.sentence, "red")


def _problems(connection: Connection) -> Text:
    text = Text(f"#{connection.conn} ", "bold")
    if connection.checks:
        text.append(f"handshake: {printable(', '.join(connection.checks), 300)}  ", "red")
    if connection.problems:
        counted = ", ".join(f"{name} ({count})" for name, count in connection.problems.items())
        text.append(f"problems: {printable(counted, 300)}  ", "red")
    if connection.left_compressed:
        text.append(f"{plural(connection.left_compressed, 'message')} {LEFT_COMPRESSED}", "yellow")
    return text


def ranges(numbers: list[int], most: int = 6) -> str:
    """``1 to 6, 8, 10 to 12``; at most so many pieces."""
    pieces: list[list[int]] = []
    for number in numbers:
        if pieces and number == pieces[-1][-1] + 1:
            pieces[-1][1:] = [number]
        else:
            pieces.append([number])
    words = [" to ".join(map(str, piece)) for piece in pieces[:most]]
    return ", ".join(words) + (", …" if len(pieces) > most else "")


def folder(console: Console, rows: list[dict[str, Any]]) -> None:
    """Prints the recordings of a folder, oldest first; with their ages where these are known."""
    aged = any("age" in row for row in rows)
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold dim", pad_edge=False)
    table.add_column("recording", overflow="fold", min_width=16)
    table.add_column("started (UTC)", no_wrap=True)
    if aged:
        table.add_column("age", justify="right", no_wrap=True)
    table.add_column("target", overflow="fold", min_width=8)
    for heading in ("connections", "loops", "size"):
        table.add_column(heading, justify="right", no_wrap=console.width >= WIDE, min_width=5)
    for row in rows:
        age = [_rough(row["age"])] if aged else []
        if row["error"]:
            why = Text(printable(row["error"], 300), "red")
            table.add_row(safe(Path(row["file"]).name), "", *age, why, "", "", size(row["size"]))
            continue
        started = _utc(row["started"])
        loops_text = Text(str(row["loops"]), "bold red" if row["loops"] else "dim")
        table.add_row(
            safe(Path(row["file"]).name),
            started,
            *age,
            safe(row["target"]),
            str(row["connections"]),
            loops_text,
            size(row["size"]),
        )
    console.print(table)


def _rough(seconds: float) -> str:
    """An age in its largest unit."""
    for name, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {name}"
    return f"{seconds:.0f} s"


def follow(console: Console, stream: Iterable[AnyEvent], as_json: bool) -> None:
    """Prints a line when a connection opens and when it ends, and now and then what loop it is."""
    ledger = Ledger()
    told: set[int] = set()
    counts: dict[tuple[str, int], int] = {}
    for event in stream:
        ledger.feed(event)
        line: Text | None = None
        connection = ledger.connections.get(event.conn)
        if connection is not None and event.conn not in told:
            if isinstance(event, Handshake) and not connection.refused:
                line = Text("opened ", "green") + _path(connection)
            elif isinstance(event, End) or connection.refused:
                told.add(event.conn)
                if as_json:
                    print(json.dumps(connection.summary()))
                ending = connection.ending
                line = Text(ending.sentence, COLOURS[ending.by])
        if isinstance(event, FilterEvent) and not event.conn:
            line = Text(f"filter {printable(event.action, 20)}: {printable(event.filter)}", "yellow")
        elif isinstance(event, Note):
            line = safe(event.text, "yellow")
        if line is None or as_json:
            continue
        number = f"#{event.conn:<4} " if event.conn else ""
        console.print(Text(f"{event.at:10.3f}  ", "dim") + Text(number, "bold") + line, soft_wrap=True)
        if event.conn in told and connection is not None:
            _tell_loop(console, ledger, connection, counts)


def _tell_loop(console: Console, ledger: Ledger, connection: Connection, counts: dict[tuple[str, int], int]) -> None:
    """Tells of the loop that a connection belongs to, when it is new and whenever it has doubled since."""
    client = loops.host(connection.client)
    alike = [c for c in ledger.connections.values() if c.route == connection.route and loops.host(c.client) == client]
    for loop in loops.find(alike, now=ledger.last_at):
        key = loop.path, loop.conns[0]
        if connection.conn in loop.conns and loop.count >= 2 * counts.get(key, 1):
            counts[key] = loop.count
            console.print(_loop(loop), soft_wrap=True)
