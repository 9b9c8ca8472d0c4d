"""What ``hangup bisect`` shows: the ladder while it is climbed, then the verdict."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hangup.cli.screen import safe
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


NOT_REPRODUCED, UNRESOLVED = 3, 4


def exit_code(verdict: Verdict) -> int:
    """0: proved; 3: it does not happen here; 4: not told apart, or stopped before."""
    if not verdict.reproduced and not verdict.stopped:
        return NOT_REPRODUCED
    return 0 if verdict.proved else UNRESOLVED


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


def headline(verdict: Verdict) -> str:
    """The verdict in one line."""
    if not verdict.reproduced and verdict.stopped:
        return "stopped before it was seen whether the failure happens here"
    if not verdict.reproduced:
        return f"the failure does not happen here: {verdict.instead or 'nothing to bisect'}"
    if verdict.verdict.startswith("unknown"):
        return "not told apart within the budget" if verdict.stopped else "no explanation stands out"
    if verdict.proved:
        return f"proved: {verdict.verdict}"
    return f"most probably {verdict.verdict} ({verdict.probability:.0%}), not proved"


def show(console: Console, verdict: Verdict, files: list[tuple[str, str]]) -> None:
    """The whole page. ``files`` are what was written: what it is, and its path."""
    console.print()
    console.print(Text(headline(verdict), "bold green" if verdict.proved else "bold yellow"))
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
    for what, path in files:
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


def markdown(verdict: Verdict) -> str:
    """The page for an issue."""
    lines = [f"**{headline(verdict)}**", ""]
    if verdict.reproduced:
        lines += [verdict.claim, ""]
    lines += ["| what was changed | failed | outcome | filter |", "|---|---|---|---|"]
    for arm in verdict.ladder:
        filters = "<br>".join(f"`{_cell(f)}`" for f in arm.filters)
        lines.append(f"| {arm.title} | {arm.counts} | {arm.outcome.value} | {filters} |")
    minimal = verdict.minimal
    if minimal is not None and minimal.payload is not None:
        payload = minimal.payload[:1000].decode(errors="backslashreplace").replace("`", "'")
        lines += ["", f"Smallest failing message (client frame {minimal.frames[-1]}, {minimal.opcode}): `{payload}`"]
        if minimal.neighbour:
            lines.append(f"Nearest that does not fail: {minimal.neighbour}")
    if verdict.cure:
        lines += ["", f"Cure: `{verdict.cure}`"]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'")
