"""What came out, against what was promised."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.contestants import CONTESTANTS
from benchmarks.measures import MEASURES, Measure, Sample, Scale

Row = dict[str, list[Sample] | str]
"""Contestant -> its samples in one measure, or why it has none."""
Results = dict[str, Row]
"""Measure -> row."""

LATE = 0.25  # seconds of work left after a round that are worth telling


@dataclass(frozen=True)
class Bar:
    """``contestant`` against another one (a ratio), or against ``limit`` itself when ``against`` is empty.

    Without a ``limit`` the ratio is only told.
    """

    measure: str
    limit: float | None
    against: str = ""
    contestant: str = "hangup"
    key: str = "value"
    at_least: bool = False


def _bars(measure: str, limits: dict[str, float | None], at_least: bool = False) -> list[Bar]:
    return [Bar(measure, limit, against, at_least=at_least) for against, limit in limits.items()]


BARS = [
    *_bars("echo-64", {"stock": 60, "relay": 0.5}, at_least=True),
    # With 16 under way even a bare relay is no 60 times as fast as stock: most of the time everybody waits.
    *_bars("echo-16", {"stock": None, "relay": 0.5}, at_least=True),
    *_bars("rtt", {"stock": 0.5, "relay": 2.0}),
    *_bars("bulk-text", {"stock": None, "relay": 0.5}, at_least=True),
    *_bars("bulk-binary", {"stock": None, "relay": 0.5}, at_least=True),
    *_bars("large-text", {"stock": None, "relay": 3.0}),
    *_bars("large-binary", {"stock": None, "relay": 3.0}),
    Bar("echo-64", 0.7, "hangup", "filter", at_least=True),
    Bar("echo-64", 0.3, "hangup", "filter-json", at_least=True),
    Bar("memory", 32),
    Bar("memory-binary", 32),
    Bar("memory-one", 32),
    Bar("frames", 32),
    Bar("frames", 4, key="after the first tenth"),
    Bar("idle", 1, key="alive", at_least=True),
]


def median(results: Results, measure: str, contestant: str, key: str = "value") -> float | None:
    samples = results.get(measure, {}).get(contestant)
    if not isinstance(samples, list) or key not in samples[0]:
        return None
    return statistics.median(sample[key] for sample in samples)


def _lost(samples: list[Sample] | str) -> float:
    return sum(sample.get("lost", 0.0) for sample in samples if isinstance(sample, dict))


def judge(results: Results) -> list[dict[str, Any]]:
    """Every bar that this run can speak to: what was reached, and whether it is enough."""
    rows = []
    for bar in BARS:
        reached = results.get(bar.measure, {})
        if bar.contestant not in reached or (bar.against and bar.against not in reached):
            continue
        value = median(results, bar.measure, bar.contestant, bar.key)
        base = median(results, bar.measure, bar.against, bar.key) if bar.against else 1.0
        ratio = value / base if value is not None and base else None
        met = None
        if bar.limit is not None:
            met = ratio is not None and (ratio >= bar.limit if bar.at_least else ratio <= bar.limit)
            met = met and not _lost(reached[bar.contestant])  # who does not record it all is not "recording"
        rows.append(
            {
                "measure": bar.measure, "contestant": bar.contestant, "against": bar.against, "of": bar.key,
                "reached": ratio, "at_least" if bar.at_least else "at_most": bar.limit, "met": met,
            }
        )  # fmt: skip
    return rows


def machine() -> str:
    """What it ran on, in one line."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else []:
        if line.startswith("model name"):
            model = line.split(": ", 1)[1]
            break
    return (
        f"{os.cpu_count()} × {model}, {platform.system()} {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, mitmproxy {version('mitmproxy')}"
    )


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}"


def _significant(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _cell(measure: Measure, samples: list[Sample] | str | None) -> str:
    if samples is None:
        return ""
    if isinstance(samples, str):
        return "failed"
    text = _number(statistics.median(sample["value"] for sample in samples), measure.digits)
    if "p99" in samples[0]:
        text += " / " + _number(statistics.median(sample["p99"] for sample in samples), measure.digits)
    if samples[0].get("alive", 1.0) < 1:
        text += f" ({samples[0]['alive']:.0%} alive)"
    if samples[0].get("share", 1.0) < 1:
        text += f" at 1/{1 / samples[0]['share']:.0f}"
    return text


def processor(results: Results) -> tuple[list[str], list[list[str]]]:
    """The table of processor time, which holds on a busy machine too: microseconds per message there and back."""
    names = [each.name for each in CONTESTANTS if any(each.name in row for row in results.values())]
    rows = []
    for measure, row in results.items():
        cells = [median(results, measure, name, "cpu") if name in row else None for name in names]
        if any(cells):
            rows.append([measure] + ["" if each is None else f"{each:.1f}" for each in cells])
    return ["processor time, µs a message", *names], rows


def values(results: Results, scale: Scale, long: bool) -> tuple[list[str], list[list[str]]]:
    """The table of values: a row per measure, a column per contestant; ``long`` has titles, not names."""
    columns = [each for each in CONTESTANTS if any(each.name in row for row in results.values())]
    measures = [each for each in MEASURES if each.name in results]
    rows = [
        [f"{each.title.format(scale) if long else each.name}, {each.unit}"]
        + [_cell(each, results[each.name].get(column.name)) for column in columns]
        for each in measures
    ]
    return ["measure"] + [each.title if long else each.name for each in columns], rows


def ratios(results: Results, scale: Scale) -> tuple[list[str], list[list[str]]]:
    """The table of ratios, with what was promised."""
    titles = {each.name: each.title.format(scale) for each in MEASURES}
    rows = []
    for row in judge(results):
        what = row["contestant"] + (f" ÷ {row['against']}" if row["against"] else "")
        if row["of"] != "value":
            what += f", {row['of']}"
        limit = row.get("at_least", row.get("at_most"))
        target = "" if limit is None else f"{'≥' if 'at_least' in row else '≤'} {limit:g}"
        reached = "failed" if row["reached"] is None else _significant(row["reached"])
        verdict = "" if row["met"] is None else "pass" if row["met"] else "MISS"
        rows.append([titles[row["measure"]], what, reached, target, verdict])
    return ["measure", "of", "reached", "target", ""], rows


def notes(results: Results) -> list[str]:
    """What the tables do not say: failures, and who still worked when a round was over."""
    lines = []
    for measure, row in results.items():
        for contestant, samples in row.items():
            if isinstance(samples, str):
                lines.append(f"{contestant} failed in {measure}: {samples}")
                continue
            if lost := _lost(samples):
                lines.append(f"{contestant} did not record {lost:,.0f} events of {measure}.")
            if (late := max(sample.get("late", 0.0) for sample in samples)) > LATE:
                lines.append(f"{contestant} still worked for {late:.1f} s after a round of {measure}.")
    return lines


def markdown(results: Results, scale: Scale) -> str:
    parts = [f"Medians of interleaved rounds in one run on {machine()}."]
    for head, rows in (values(results, scale, True), ratios(results, scale), processor(results)):
        if rows:
            lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
            parts.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
    parts += notes(results)
    return "\n\n".join(parts)


def show(results: Results, scale: Scale) -> None:
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=170)
    console.print(machine())
    for head, rows in (values(results, scale, False), ratios(results, scale), processor(results)):
        table = Table(*head, box=SIMPLE_HEAD)
        for column in table.columns[1:]:
            column.justify = "right"
        for row in rows:
            table.add_row(*row, style="red" if row[-1] == "MISS" else None)
        if rows:
            console.print(table)
    for line in notes(results):
        console.print(line)


def as_json(results: Results) -> dict[str, Any]:
    return {"machine": machine(), "results": results, "bars": judge(results)}
