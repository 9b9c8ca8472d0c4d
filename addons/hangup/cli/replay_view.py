"""A replay on the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isinf
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hangup.cli import diff_view
from hangup.cli.screen import safe
from hangup.commands import command_line
from hangup.humanize import plural, printable
from hangup.recording.diff import MessageDifference
from hangup.replay.client_settings import ReplaySettings
from hangup.replay.outcome import ReplayOutcome
from hangup.replayable.client_script import Transcript
from hangup.wire.url import Target

SHOWN = 20
"""So many messages that differ are shown of each connection."""


class ServerComparison(NamedTuple):
    """What the server said, then and now: the messages that differ, how many are equal, and if that is all."""

    different: list[MessageDifference]
    equal: int
    complete: bool


def begin(
    console: Console,
    name: str,
    transcripts: Sequence[Transcript],
    target: Target,
    settings: ReplaySettings,
    path: Path,
) -> None:
    """What is about to be played."""
    conns = [each.conn for each in transcripts]
    which = f"connection {conns[0]}" if len(conns) == 1 else f"{len(conns)} connections"
    speed = "as fast as possible" if isinf(settings.speed) else f"{settings.speed:g} times as fast"
    how = "" if settings.speed == 1 else f", {speed}"
    line = Text.assemble("replaying ", safe(name, "bold"), f" {which} against ", safe(str(target), "bold"), how)
    console.print(line, soft_wrap=True)
    console.print(Text(f"recording to {printable(str(path))}", "dim"), soft_wrap=True)


def show(
    console: Console,
    outcomes: Sequence[ReplayOutcome],
    said: dict[int, ServerComparison],
    name: str,
    path: Path,
) -> None:
    """What came of it."""
    for outcome in outcomes:
        console.print()
        _outcome(console, outcome)
        if outcome.conn in said:
            _messages(console, said[outcome.conn])
    if len(outcomes) > 1:
        same = sum(outcome.same for outcome in outcomes)
        console.print(f"\n{same} of {plural(len(outcomes), 'connection')} ended as recorded")
    console.print()
    conn = outcomes[-1].live_conn
    shown = printable(command_line("show", path, "--conn", conn))
    console.print(Text(f"every frame: {shown}", "dim"), soft_wrap=True)


def _outcome(console: Console, outcome: ReplayOutcome) -> None:
    number = Text(f"#{outcome.conn} ", "bold")
    if outcome.same_ending and not outcome.same:
        console.print(number + Text("the same ending at another point: ", "bold yellow") + safe(outcome.fate))
    elif outcome.same:
        console.print(number + Text("the same ending: ", "bold green") + safe(outcome.fate))
    elif outcome.survived:
        console.print(number + Text("another ending: ", "bold yellow") + safe(outcome.fate))
        console.print(Text("   recorded: ", "dim") + safe(outcome.recorded.ending.sentence))
    else:
        console.print(number + Text("another ending", "bold red"))
        console.print(Text("   recorded: ", "dim") + safe(outcome.recorded.ending.sentence))
        console.print(Text("   now:      ", "dim") + safe(outcome.fate))
    if outcome.diverged_at is not None:
        console.print(Text(f"   different from the recording from frame {outcome.diverged_at} on", "yellow"))
    for difference in outcome.differences():
        if not difference.startswith(("recorded: ", "now: ")):
            console.print(Text("   ") + safe(difference))
    for name, value in outcome.correlated.items():
        console.print(Text(f"   {printable(name, 60)}: taken from this run: {printable(str(value), 80)}", "dim"))
    for note in outcome.notes:
        console.print(Text("   ") + safe(note, "yellow"))


def _messages(console: Console, said: ServerComparison) -> None:
    first = "" if said.complete else " of the first ones (there are too many to compare)"
    if not said.different:
        if said.equal:
            line = f"   server messages: all {said.equal} as recorded, except for times and ids{first}"
            console.print(Text(line, "dim"))
        return
    counts = (
        f"{said.equal} as recorded except for times and ids, {len(said.different)} not{first} (A: recorded, "
        "B: now)"
    )
    console.print(Text.assemble(("   server messages: ", "bold"), counts))
    console.print(diff_view.messages(said.different[:SHOWN]))
    if len(said.different) > SHOWN:
        console.print(f"  … and {plural(len(said.different) - SHOWN, 'more difference')} (--json has all)")


def correlations(console: Console, transcripts: Sequence[Transcript], *, as_json: bool) -> None:
    """The values that a replay takes from its own run."""
    found = [(each.conn, correlation) for each in transcripts for correlation in each.survey.correlations]
    if as_json:
        click.echo(json.dumps([{"conn": conn, **each.summary()} for conn, each in found], indent=2))
        return
    if not found:
        console.print("no correlations: the client sent back nothing that the server had generated")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold dim")
    for heading in ("#", "name", "sent by the server in", "sent back by the client in", "", "recorded as"):
        table.add_column(heading, overflow="fold")
    for conn, each in found:
        source = f"frame {each.n}: {each.source}" if each.n is not None else str(each.source)
        use = f"frame {each.used_in}: {each.use}"
        times = f"{each.count} times" if each.count > 1 else "once"
        table.add_row(
            str(conn), safe(each.name, "bold"), safe(source), safe(use), times, safe(str(each.example), "", 60)
        )
    console.print(table)
    console.print(Text("--set NAME=VALUE sets one, --no-correlate keeps all as recorded", "dim"))
