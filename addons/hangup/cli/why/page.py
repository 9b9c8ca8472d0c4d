"""A diagnosis on one short page: for the terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hangup.cli.screen import COLOURS, safe
from hangup.diagnosis.findings import Cite, Evidence
from hangup.diagnosis.report import Alternative, Mark, NextStep, Report
from hangup.diagnosis.sentences import what_is_known
from hangup.experiment.summing_up import Proved
from hangup.humanize import duration, printable
from hangup.markup import block, prose

SHOWN = 3
"""Pieces of evidence on the page; ``--json`` has them all."""

CITED = 2
RUNNERS_UP = 3


class Extent(NamedTuple):
    """How much is shown: of the timeline the marks around the end, the other causes, and what speaks for them."""

    marks: int | None = None
    others: bool = True
    reasons: bool = True


EXTENTS = [
    Extent(),
    Extent(reasons=False),
    Extent(marks=8, reasons=False),
    Extent(marks=5, reasons=False),
    Extent(marks=5, others=False),
]
"""From all down to what is shown on any terminal."""


def show(screen: Console, report: Report, proved: Proved | None = None, where: str = "", said: str = "") -> None:
    """Prints the page. What was ``proved``, by the bisect that is written down in ``where``, comes first, and then
    nothing else is guessed; ``said`` is what a bisect said that proved nothing. A terminal gets one screen of it, as
    far as that is possible."""
    steps = report.next if proved is None else []
    remarks = [*notes(report), *([f"a bisect of this recording: {said}"] if said else [])]
    after = [Text("note: ", "dim") + safe(note, "dim") for note in remarks]
    room = screen.height - 1 - _height(screen, after) - _height_of_next(screen, steps) if screen.is_terminal else None
    for extent in EXTENTS:
        parts = _parts(report, proved, where, screen.width, extent)
        if room is None or _height(screen, parts) <= room:
            break
    for part in parts:
        screen.print(part)
    if steps:
        _next(screen, steps)
    for part in after:
        screen.print(part)


def _parts(
    report: Report, proved: Proved | None, where: str, width: int, extent: Extent
) -> list[RenderableType]:
    """The page down to what to do next."""
    parts: list[RenderableType] = [
        _head(report) if proved is None else safe(proved.title, "bold red").append("  proved", "bold green")
    ]
    if proved is None and (known := what_is_known(report.parts)):
        parts.append(safe(known, "dim"))
    sentence = report.sentence if proved is None else proved.sentence
    parts.append(Padding(safe(sentence), (0, 0, 1, 0), expand=False))
    if proved is not None:
        parts.append(_proof(proved, where))
    if (evidence := _evidence(report)) is not None:
        parts.append(evidence)
    if report.timeline and report.category != "none":
        parts.append(_timeline(report, width, extent.marks))
    if proved is None and runners_up(report) and extent.others:
        parts.append(_alternatives(report, extent.reasons))
    if fix := report.hint if proved is None else proved.fix:
        parts.append(_titled("how to fix it", [safe(fix)]))
    return parts


def _height(screen: Console, parts: Sequence[RenderableType]) -> int:
    return sum(len(screen.render_lines(part)) for part in parts)


def _height_of_next(screen: Console, steps: Sequence[NextStep]) -> int:
    if not steps:
        return 0
    lines = 2  # the title, and the empty line below
    for step in steps:
        command, width = 2 + len(printable(step.command)), screen.width
        together = command + 2 + len(step.text) <= width
        lines += 1 if together else -(-command // width) + _height(screen, [Padding(Text(step.text), (0, 0, 0, 4))])
    return lines


def _proof(proved: Proved, where: str) -> RenderableType:
    lines = [safe(line) for line in proved.lines]
    if proved.cure:
        lines.append(Text("stays open with  ") + safe(proved.cure, "green"))
    return _titled("proof", [*lines, safe(where, "dim")])


def _head(report: Report) -> Text:
    style = "green" if report.category == "none" else "yellow" if report.category == "unknown" else "red"
    head = safe(report.verdict, f"bold {style}")
    if report.category != "unknown":
        head.append(f"  {report.confidence:.0%} sure", "bold")
    if report.also and report.category != "none":
        head.append(f"  also {', '.join(report.also)}", "dim")
    return head


def _titled(title: str, lines: list[Text]) -> RenderableType:
    return Group(Text(title, "bold"), Padding(Group(*lines), (0, 0, 1, 2), expand=False))


def _evidence(report: Report) -> RenderableType | None:
    signs = strongest(report)
    if not signs:
        return None
    table = Table.grid(padding=(0, 1))
    table.add_column()
    table.add_column(ratio=1)
    for sign in signs:
        mark = Text("+", "green") if sign.weight > 0 else Text("−", "red") if sign.weight < 0 else Text("·", "dim")
        text = safe(sign.text)
        if cites := cited(sign):
            text.append(f"  ({cites})", "dim")
        table.add_row(mark, text)
    title = "signs of success" if report.category == "none" else "because"
    return Group(Text(title, "bold"), Padding(table, (0, 0, 1, 2), expand=False))


def strongest(report: Report) -> list[Evidence]:
    """The strongest pieces of evidence, and with them the strongest that speaks against."""
    best = [sign for sign in report.evidence if sign.weight >= 0][:SHOWN]
    against = [sign for sign in report.evidence if sign.weight <= -0.5][:1]
    return best + against


def runners_up(report: Report) -> list[Alternative]:
    """What else it could be, if that is worth a line."""
    others = [a for a in report.alternatives if a.verdict not in report.also]
    return [a for a in others if a.confidence >= 0.01][:RUNNERS_UP]


def notes(report: Report) -> list[str]:
    """Remarks, also on what makes it worse."""
    if report.amplifier == "amplifier/backoff-reset":
        worse = "the client retries without backing off (amplifier/backoff-reset)"
        return [worse, *report.notes]
    return report.notes


def cited(sign: Evidence) -> str:
    """``conn 3 frame 7, conn 4 frame 9``."""
    cites: list[Cite] = sign.cites[:CITED]
    words = [f"conn {c.conn}" + (f" frame {c.frame}" if c.frame is not None else "") for c in cites]
    return ", ".join(words) + (", …" if len(sign.cites) > CITED else "")


def _around_the_end(marks: Sequence[Mark], most: int | None) -> Sequence[Mark]:
    """So many of the marks: one of what follows the end, and for the rest what leads up to it."""
    if most is None or len(marks) <= most:
        return marks
    end = next((at for at, mark in enumerate(marks) if mark.at >= 0), len(marks) - 1)
    stop = min(len(marks), max(end + 2, most))
    return marks[stop - most : stop]


def _timeline(report: Report, width: int, most: int | None) -> RenderableType:
    lane = max(16, min(44, (width - 34) // 2))
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True, width=lane)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, width=lane)
    table.add_row("", "", Text("client", COLOURS["client"]), "", Text("server", COLOURS["server"]))
    for mark in _around_the_end(report.timeline, most):
        left, right, arrow = _lanes(mark, lane)
        table.add_row(_when(mark.at), f"{mark.n}" if mark.n is not None else "", left, arrow, right)
    title = f"how connection {report.conn} ended"
    return Group(Text(title, "bold"), Padding(table, (0, 0, 1, 2), expand=False))


def _when(at: float) -> str:
    return "0" if abs(at) < 0.00005 else f"−{duration(-at)}" if at < 0 else f"+{duration(at)}"


def _lanes(mark: Mark, lane: int) -> tuple[Text, Text, Text]:
    style = {"message": "", "ping": "green", "pong": "green", "close": "bold red", "end": "bold red"}.get(
        mark.kind, "dim"
    )
    text = safe(mark.text, style, lane)
    empty = Text("")
    if mark.kind in ("other", "log", "gap"):
        return (text, empty, Text("·····", "dim")) if mark.side == "client" else (empty, text, Text("·····", "dim"))
    if mark.side == "client":
        arrow = "──╳  " if mark.kind == "end" else "────▶"
        return text, empty, Text(arrow, style or "cyan")
    arrow = "  ╳──" if mark.kind == "end" else "◀────"
    return empty, text, Text(arrow, style or "magenta")


def _alternatives(report: Report, reasons: bool) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", no_wrap=True, min_width=4)
    table.add_column(no_wrap=True)
    table.add_column(style="dim")
    for other in runners_up(report):
        mine = {sign.text for sign in report.evidence}
        own = [sign.text for sign in other.evidence if sign.weight > 0 and sign.text not in mine]
        table.add_row(f"{other.confidence:.0%}", safe(other.verdict), safe(own[0] if own and reasons else ""))
    title = "it could be" if report.category == "unknown" else "or else"
    return Group(Text(title, "bold"), Padding(table, (0, 0, 1, 2), expand=False))


def _next(screen: Console, steps: Sequence[NextStep]) -> None:
    """What to do next. No command is broken into lines: it is to be copied."""
    screen.print(Text("next", "bold"))
    for step in steps:
        what = printable(step.command)
        line = Text.assemble("  ", (what, "bold"), (f"  {step.text}", "dim"))
        if line.cell_len <= screen.width:
            screen.print(line)
            continue
        screen.print(Text(f"  {what}", "bold"), soft_wrap=True)
        screen.print(Padding(Text(step.text, "dim"), (0, 0, 0, 4), expand=False))
    screen.print()


def evidence_lines(report: Report) -> list[str]:
    """The strongest evidence, in Markdown."""
    lines = []
    for sign in strongest(report):
        sort = "+" if sign.weight > 0 else "−" if sign.weight < 0 else "·"
        cites = f" ({cited(sign)})" if sign.cites else ""
        lines.append(f"- {sort} {prose(sign.text)}{cites}")
    if report.loop:
        lines.append(f"- {prose(report.loop)}")
    return lines


def timeline_lines(report: Report) -> list[str]:
    """How a connection ended, in Markdown; nothing where nothing is wrong."""
    if not report.timeline or report.category == "none":
        return []
    title = f"How connection {report.conn} ended (`→` from the client, `←` from the server):"
    return ["", title, "", *block(map(_line, report.timeline))]


def _line(mark: Mark) -> str:
    arrow = "→" if mark.side == "client" else "←"
    number = f"{mark.n:>4}" if mark.n is not None else "    "
    return f"{_when(mark.at):>10} {number} {arrow} {printable(mark.text, 90)}"


def others_line(report: Report) -> str:
    """What else it could be, in Markdown; empty where nothing else is worth a line."""
    others = ", ".join(f"{prose(a.verdict)} ({a.confidence:.0%})" for a in runners_up(report))
    return f"{'It could be' if report.category == 'unknown' else 'Or else'} {others}." if others else ""
