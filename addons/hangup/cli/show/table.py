"""The connections of a recording as a table, and what follows from it in sentences."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hangup.cli.screen import COLOURS, safe
from hangup.cli.show.chosen import Chosen
from hangup.commands import command_line
from hangup.experiment.document_file import Proof
from hangup.humanize import duration, plural, printable, size
from hangup.recording import loops, untold
from hangup.recording.choice import Choice
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

LOOPS_SHOWN = 20
CHANGES_SHOWN = 20


def show(
    console: Console, source: Recording, chosen: Chosen, choice: Choice, proof: Proof | None = None
) -> None:
    """Prints a recording's head, its table and its sentences; what a bisect found out about it, too."""
    ledger = chosen.ledger
    console.print(_head(source, chosen))
    if not chosen.total:
        console.print("no WebSocket connection" + (f", {plural(ledger.http, 'HTTP request')}" if ledger.http else ""))
        return
    if choice.words:
        count = f"{chosen.count:,}" if chosen.count else "none"
        console.print(safe(f"{count} of them with {choice.words}", "bold", limit=200))
    connections = chosen.connections
    if not connections:
        return
    console.print()
    console.print(_table(connections, [each.ending for each in connections], console.width >= WIDE))
    if chosen.count > len(connections):
        more = f"and {chosen.count - len(connections):,} more before these"
        console.print(Text(f"{more} (--path, --failed, --since and --loop choose, --rows 0 shows all)", "bold"))
    console.print(Text("→ from the client, ← from the server", "dim"))
    for loop in chosen.loops[-LOOPS_SHOWN:]:
        console.print()
        console.print(_loop(loop))
    if len(chosen.loops) > LOOPS_SHOWN:
        console.print(Text(f"and {plural(len(chosen.loops) - LOOPS_SHOWN, 'earlier loop')}", "dim"))
    console.print()
    console.print(_sentences(chosen))
    for code in chosen.codes[:5]:
        console.print(Padding(Text(close_codes.explain(code), "dim"), (0, 0, 0, 2)))
    for connection in chosen.odd:
        console.print(_problems(connection))
    changes = chosen.changes
    if changes:
        console.print()
        for change in changes[:CHANGES_SHOWN]:
            console.print(Text(f"{change.at:10.3f}  filter {printable(change.action, 20)}  ") + safe(change.filter))
        if len(changes) > CHANGES_SHOWN:
            console.print(f"{'':12}and {len(changes) - CHANGES_SHOWN} more filter changes")
    if ledger.lost:
        console.print(Text(f"{plural(ledger.lost, 'event')} could not be recorded", "bold red"))
    if proof is not None:
        console.print()
        console.print(Text("bisect: ", "bold") + safe(proof.headline, "bold green" if proof.proved else "yellow"))
    if source.path is not None:
        console.print()
        conn = _typical(chosen.loops[-1], chosen) if chosen.loops else chosen.groups[-1].last
        shown = printable(command_line("show", source.name, "--conn", conn))
        console.print(Text(f"every frame of one: {shown}", "dim"), soft_wrap=True)


def _head(source: Recording, chosen: Chosen) -> Text:
    ledger = chosen.ledger
    header: Header = source.header
    head = Text().append(safe(source.name, "bold"))
    if header.target:
        head.append("  ").append(safe(header.target))
    elif header.mode:
        head.append("  ").append(safe(header.mode))
    when = f"from {_utc(header.started)} UTC" if header.started else "from an unknown date"
    head.append(f"\n{when}, {duration(ledger.last_at)}, ", "dim")
    head.append(plural(chosen.total, "connection"), "dim")
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


def _sentences(chosen: Chosen) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(justify="right", style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for group in chosen.groups:
        ending = chosen.known[group.last].ending
        text = Text(ending.sentence, COLOURS[ending.by])
        if group.others:
            text.append(f"  (likewise {ranges(group.others)})", "dim")
        grid.add_row(f"#{group.last}", text)
    if chosen.more_groups:
        grid.add_row("", Text(f"and {chosen.more_groups} earlier ones, each different", "dim"))
    return grid


def _typical(loop: Loop, chosen: Chosen) -> int:
    """The last connection of a loop that ended as most of them did."""
    endings = ((group, chosen.known[group.last].ending) for group in chosen.groups)
    alike = (group.last for group, ending in endings if (ending.by, ending.how) == (loop.ended_by, loop.how))
    members = set(loop.conns)
    return next((conn for conn in alike if conn in members), loop.conns[0])


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
    # A name has the time in it, and is to be copied whole.
    dated = not aged or console.width >= WIDE
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold dim", pad_edge=False)
    table.add_column("recording", overflow="fold", min_width=16)
    if dated:
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
            table.add_row(safe(Path(row["file"]).name), *[""] * dated, *age, why, "", "", size(row["size"]))
            continue
        started = [_utc(row["started"])] * dated
        loops_text = Text(str(row["loops"]), "bold red" if row["loops"] else "dim")
        table.add_row(
            safe(Path(row["file"]).name),
            *started,
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
