"""What ``hangup why`` does of many recordings: they are analysed side by side, and what is the same is told once."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hangup.cli.counting import complain, counting
from hangup.cli.screen import console, safe
from hangup.commands import command_line
from hangup.errors import RecordingError, UsageError
from hangup.fleet.analysis import Analysis, analyse_all
from hangup.fleet.incidents import Fleet, Incident, grouped
from hangup.fleet.selection import many, names, selected
from hangup.fleet.subjects import subjects
from hangup.fleet.workers import Workers, dask, shares
from hangup.humanize import plural, printable
from hangup.markup import cell, code, prose

SHOWN = 50
"""So many incidents are shown."""

SENTENCES = 5
"""Of so many an example is told in words."""

PIECE = 20
"""So many recordings at most are analysed before the next answer."""


def is_for_many(given: Mapping[str, Any]) -> bool:
    """Whether the command line asks for more than one recording."""
    return bool(given["recordings"]) and many(given["recordings"])


def explain_many(
    recordings: tuple[str, ...],
    conn: int | None,
    example: str | None,
    as_json: bool,
    as_markdown: bool,
    as_github: bool,
    parquet: Path | None,
    jobs: int | None,
    scheduler: str | None,
) -> None:
    """Prints the incidents, and exits with 0 if the cause of each is known."""
    if as_json and as_markdown:
        raise UsageError("use either --json or --markdown, not both")
    if conn is not None or example is not None or as_github:
        raise UsageError("--conn, --example and --github are for one recording")
    if jobs is not None and scheduler is not None:
        raise UsageError("use either --jobs or --scheduler, not both")
    if parquet is not None:
        from hangup.tables.parquet import arrow

        arrow()
    if scheduler is not None:
        dask()
    paths = selected(recordings)
    leaves = as_markdown or parquet is not None
    called = names(paths) if leaves else [str(path) for path in paths]
    fleet = analysed(paths, called, () if leaves else None, Workers(jobs or 0, scheduler or ""))
    complain([(each.recording, each.error) for each in fleet.failed], len(paths))
    if parquet is not None:
        _write(fleet, parquet)
    if as_json:
        click.echo(json.dumps(fleet.summary(), indent=2))
    elif as_markdown:
        click.echo("\n".join(markdown(fleet)))
    else:
        show(console(), fleet, dict(zip(called, paths, strict=True)))
    sys.exit(3 if any(each.verdict.startswith("unknown/") and not each.proved for each in fleet.incidents) else 0)


def analysed(paths: list[Path], called: list[str], hiding: tuple[str, ...] | None, workers: Workers) -> Fleet:
    """The incidents among these recordings; what to hide is as in :func:`~hangup.fleet.analysis.analyse`."""
    those = subjects(paths, called)
    size = shares(len(those), workers.count, PIECE)
    pieces = [(those[at : at + size], hiding) for at in range(0, len(those), size)]
    found: list[Analysis] = []
    with counting("analysing") as progress:
        for _, some in workers.carry_out(analyse_all, pieces, "hangup.fleet.analysis"):
            found += some
            progress(len(found), len(those))
    return grouped(found)


def _write(fleet: Fleet, path: Path) -> None:
    from hangup.tables.incident_file import write_incidents

    if path.is_dir():
        raise RecordingError(f"cannot write {path}: it is a folder")
    write_incidents(fleet.incidents, path)


def _sum(fleet: Fleet) -> str:
    bad = fleet.analysed - fleet.fine
    said = f"{plural(fleet.analysed, 'recording')}: {fleet.fine:,} with nothing wrong"
    return f"{said}, {bad:,} with failures, in {plural(len(fleet.incidents), 'incident')}" if bad else said


def show(screen: Console, fleet: Fleet, paths: Mapping[str, Path]) -> None:
    """The incidents as a table, and some in words; ``paths`` are the recordings' files by their names."""
    screen.print(Text(_sum(fleet), "bold"))
    if not fleet.incidents:
        return
    screen.print()
    shown = fleet.incidents[:SHOWN]
    released = any(each.release for each in shown)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold dim", pad_edge=False)
    for heading in ("recordings", "dropped"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("cause", overflow="fold", min_width=20)
    table.add_column("sure", justify="right", no_wrap=True)
    table.add_column("path", overflow="fold")
    if released:
        table.add_column("release", overflow="fold")
    table.add_column("first seen", no_wrap=True)
    table.add_column("last seen (UTC)", no_wrap=True)
    for each in shown:
        table.add_row(
            f"{each.recordings:,}", f"{each.dropped:,}", safe(each.cause, "red", limit=200), Text(_sure(each)),
            safe(each.path, limit=200), *([safe(each.release)] if released else []), _when(each.first),
            _when(each.last),
        )  # fmt: skip
    screen.print(table)
    if len(fleet.incidents) > SHOWN:
        screen.print(Text(f"and {plural(len(fleet.incidents) - SHOWN, 'more incident')} (--json has all)", "bold"))
    for each in shown[:SENTENCES]:
        screen.print()
        screen.print(safe(each.cause, "bold", limit=200))
        screen.print(Padding(safe(each.sentence), (0, 0, 0, 2), expand=False))
        if each.fix:
            screen.print(Padding(Text("fix: ", "dim") + safe(each.fix), (0, 0, 0, 2), expand=False))
        path = os.fspath(paths.get(each.example, each.example))
        screen.print(Text(f"  {printable(command_line('why', path))}", "dim"), soft_wrap=True)


def _sure(incident: Incident) -> str:
    if incident.proved:
        return "proved"
    return "" if incident.verdict.startswith("unknown/") else f"{incident.sure:.0%}"


def _when(moment: str | None) -> str:
    return "" if moment is None else moment.replace("T", " ")[:19]


def markdown(fleet: Fleet) -> list[str]:
    """The incidents in Markdown."""
    lines = [f"**{_sum(fleet)}**"]
    if fleet.incidents:
        lines += ["", "| recordings | dropped | cause | sure | path | release | first seen | last seen | example |"]
        lines.append("|---:|---:|---|---:|---|---|---|---|---|")
    for each in fleet.incidents:
        cells = (
            f"{each.recordings:,}", f"{each.dropped:,}", prose(each.cause, 300), _sure(each), code(each.path, 200),
            code(each.release, 100), _when(each.first), _when(each.last), code(each.example, 200),
        )  # fmt: skip
        lines.append(f"| {' | '.join(map(cell, cells))} |")
    for each in fleet.incidents[:SENTENCES]:
        lines += ["", f"**{prose(each.cause, 300)}**: {prose(each.sentence)}"]
        if each.fix:
            lines += ["", f"How to fix it: {prose(each.fix)}"]
    return lines
