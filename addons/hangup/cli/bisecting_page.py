"""What ``hangup bisect`` shows: the ladder while it is climbed, then the verdict."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hangup.cli.bisect_options import Options
from hangup.cli.screen import safe
from hangup.experiment.document import Document
from hangup.experiment.evidence import Outcome
from hangup.experiment.reading import Reading
from hangup.experiment.search import Tried, Verdict
from hangup.experiment.trial import Result, Trial
from hangup.recording.units import printable

COLOURS = {Outcome.FAILED: "red", Outcome.SURVIVED: "green", Outcome.UNRESOLVED: "yellow"}


def progress(console: Console, trial: Trial, result: Result, number: int) -> None:
    """One line for one trial."""
    line = Text(f"{number:4}  ", "dim")
    line.append(f"{trial.arm:<24}")
    line.append(result.outcome.value, COLOURS[result.outcome])
    if result.lifetime is not None:
        line.append(f"  after {result.lifetime:.2f} s", "dim")
    if result.outcome is Outcome.UNRESOLVED and result.sentence:
        line.append(f"  {printable(result.sentence, 100)}", "dim")
    console.print(line)


def unasked(reading: Reading) -> Verdict:
    """What reading alone makes of a recording whose connections the client ended: no replay can tell."""
    report = reading.report
    stopped = (
        "the client ended these connections, and replay plays the client: it cannot tell why. Ask the page itself: "
        "hangup bisect --live TARGET"
    )
    return Verdict(
        verdict=report.verdict,
        closer="client",
        probability=report.confidence,
        standing=[(report.verdict, report.confidence), *((a.verdict, a.confidence) for a in report.alternatives)],
        stopped=stopped,
    )


def present(console: Console, document: Document, options: Options) -> int:
    """Prints the result, in the form that was asked for. Gives the exit code."""
    if options.as_json:
        click.echo(json.dumps(document.summary(), indent=2))
    elif options.markdown:
        click.echo(document.markdown(), nl=False)
    else:
        show(console, document)
        console.print(f"{document.verdict.connections} connections, {document.seconds:.1f} s", style="dim")
    return document.exit_code


def show(console: Console, document: Document) -> None:
    """The whole page."""
    verdict = document.verdict
    console.print()
    console.print(Text(document.headline, "bold green" if verdict.proved else "bold yellow"))
    if verdict.reproduced and (verdict.cause.n or verdict.without.n):
        console.print(Text(f"  {verdict.claim}"))
    console.print()
    if verdict.ladder:
        console.print(_ladder(verdict.ladder))
    minimal = verdict.minimal
    if minimal is not None:
        frames = ", ".join(map(str, minimal.frames)) or "none at all"
        console.print(Text("smallest failing exchange  ", "bold") + Text(f"client frame {frames}"))
        if minimal.payload is not None:
            shown = printable(minimal.payload[:200].decode(errors="backslashreplace"), 160)
            console.print(Text(f"  {minimal.opcode} {shown!r}"))
        if minimal.size_limit is not None:
            console.print(Text(f"  the limit is {minimal.size_limit} bytes"))
        if minimal.neighbour:
            console.print(Text("  ") + safe(minimal.neighbour, "dim", 160))
    if verdict.cure:
        console.print(Text("cure  ", "bold") + Text(verdict.cure, "green"))
    if not verdict.proved and verdict.standing and verdict.reproduced:
        console.print(Text("still standing", "bold"))
        for name, weight in verdict.standing[:5]:
            console.print(Text(f"  {name:<40}") + Text(f"{weight:.0%}", "dim"))
    if verdict.ruled_out:
        console.print(Text("ruled out", "bold"))
        for name, why in verdict.ruled_out.items():
            console.print(Text(f"  {name:<40}") + Text(why, "dim"))
    if verdict.stopped:
        console.print(Text(f"stopped: {verdict.stopped}", "yellow"))
    for what, path in document.files.items():
        console.print(Text(f"{what}  ", "bold") + safe(path))


def _ladder(tried: list[Tried]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column("what was changed")
    table.add_column("failed", justify="right")
    table.add_column("", no_wrap=True)
    table.add_column("filter", overflow="fold", style="dim")
    for arm in tried:
        outcome = Text(arm.outcome.value, COLOURS[arm.outcome])
        table.add_row(arm.title, str(arm.counts), outcome, Text(" + ".join(arm.filters)))
    return table
