"""What ``hangup bisect`` shows in the end: the verdict, in the form that was asked for."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.text import Text

from hangup.cli.bisect.options import Options
from hangup.cli.bisect.progress import ladder
from hangup.cli.screen import safe
from hangup.commands import command_line
from hangup.experiment.document import Document, telling_lines
from hangup.experiment.keeping import TO_SHARE
from hangup.experiment.law import Law
from hangup.experiment.reading import Reading
from hangup.experiment.search import Minimal, Verdict
from hangup.humanize import plural, printable

PRIVATE = (
    f"These files contain what was sent, including secrets: keep them on this machine. Only {TO_SHARE!r} has none; "
    "`hangup convert` and --markdown take them out."
)


def unasked(reading: Reading) -> Verdict:
    """What reading alone makes of a recording whose connections the client ended: no replay can tell."""
    report = reading.report
    untried = "the client closed these connections, and a replay stands in for the client"
    stopped = (
        "Nothing that the server did, or failed to do, explains every close. Only the client itself can show why it "
        "closes: hangup bisect --live TARGET"
    )
    return Verdict(
        verdict=report.verdict,
        closer="client",
        probability=report.confidence,
        standing=[(report.verdict, report.confidence), *((a.verdict, a.confidence) for a in report.alternatives)],
        untried=untried,
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
        connections = plural(document.verdict.connections, "connection")
        beside = f"; {document.replayed} more by replay" if document.replayed else ""
        console.print(f"{connections}, {document.seconds:.1f} s{beside}", style="dim")
    return document.exit_code


def show(console: Console, document: Document) -> None:
    """The whole page."""
    verdict = document.verdict
    console.print()
    console.print(safe(document.headline, "bold green" if verdict.proved else "bold yellow"))
    if verdict.reproduced and (verdict.cause.n or verdict.without.n):
        console.print(safe(f"  {verdict.claim}"))
    if verdict.cure:
        console.print(Text("  stays open with  ", "bold") + safe(verdict.cure, "green"))
    if verdict.law is not None:
        _law(console, verdict.law)
    if document.client_part:
        console.print(safe(f"  {document.client_part}"))
    for line in document.verification:
        console.print(Text("  ") + safe(line, "green" if document.verified else "yellow", 300))
    if verdict.place:
        console.print(safe(f"  {document.where}"))
    if document.clocks:
        console.print(safe(f"  {document.clocks}"))
    console.print()
    if verdict.ladder:
        console.print(ladder(verdict.ladder))
        console.print()
    if verdict.minimal is not None:
        _minimal(console, verdict.minimal)
    if document.log:
        console.print(Text("the backend's log at that moment", "bold"))
        for entry in document.log:
            for line in telling_lines(entry.text):
                console.print(Text("  ") + safe(line, "dim", 300))
    unnamed = not verdict.proved or verdict.verdict == "unknown/"
    if unnamed and verdict.fitting and verdict.reproduced:
        console.print(Text("causes that still fit", "bold"))
        for name, weight in verdict.fitting[:5]:
            console.print(Text(f"  {name:<40}") + Text(f"{weight:.0%}", "dim"))
    if verdict.ruled_out:
        console.print(Text("ruled out", "bold"))
        for name, why in verdict.ruled_out.items():
            console.print(Text(f"  {name:<40}") + safe(why, "dim"))
    if verdict.stopped:
        console.print(safe(verdict.stopped if verdict.untried else f"stopped: {verdict.stopped}", "yellow"))
    width = max((len(what) for what in document.files), default=0)
    for what, path in document.files.items():
        console.print(Text(f"{what:<{width}}  ", "bold") + safe(path))
    if document.files:
        console.print(Text(PRIVATE, "dim"))
    for problem in document.problems:
        console.print(safe(problem, "red"))
    if verdict.proved and document.of:
        for number, (words, text) in enumerate(_next(document.of)):
            shown = f"{'' if number else 'next:':<6}{printable(words)}"
            console.print(Text.assemble((shown, "bold"), (f"  {text}", "dim")), soft_wrap=True)


def _next(recording: str) -> list[tuple[str, str]]:
    """How to pass it on: the commands, and what each is for."""
    return [
        (command_line("why", recording, "--markdown"), "the proof, to paste into an issue"),
        (command_line("convert", recording, "report.html"), "one file to send: the proof, the timeline, the frames"),
    ]


def _law(console: Console, law: Law) -> None:
    refuted = law.right < law.predicted
    console.print(Text("  ") + safe(law.told, "yellow" if refuted else "bold", 300))
    if law.boundary and not refuted:
        console.print(Text("  ") + safe(law.boundary, "", 200))
    if law.irrelevant and not refuted:
        console.print(Text("  makes no difference: ") + safe(", ".join(law.irrelevant[:8]), "dim", 200))
    if law.predicted:
        console.print(Text(f"  predicted {law.right} of {law.predicted} new exchanges", "" if law.holds else "yellow"))
    for miss in law.missed[:3]:
        console.print(Text("    ") + safe(miss, "yellow", 200))


def _minimal(console: Console, minimal: Minimal) -> None:
    frames = ", ".join(map(str, minimal.frames)) or "none: no message is needed"
    what = "client frame" if len(minimal.frames) == 1 else "client frames"
    console.print(Text("smallest failing exchange  ", "bold") + Text(f"{what} {frames}"))
    if minimal.payload is not None:
        shown = printable(minimal.payload[:200].decode(errors="backslashreplace"), 160)
        console.print(safe(f"  {minimal.opcode} {shown!r}"))
    if minimal.size_limit is not None:
        console.print(Text(f"  the limit is {minimal.size_limit} bytes"))
    if minimal.neighbour:
        console.print(Text("  ") + safe(minimal.neighbour, "dim", 160))
