"""How a bisect goes: a line for each trial, or on a terminal the ladder with a bar below it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from math import log

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from hangup.experiment.client_side import CLIENT_RUNGS
from hangup.experiment.contrasts import CONTRASTS
from hangup.experiment.evidence import Outcome
from hangup.experiment.outlook import Outlook, certain
from hangup.experiment.search import PROOF, Tried, Verdict
from hangup.experiment.server_side import RUNGS
from hangup.experiment.trial import Result, Trial
from hangup.humanize import duration, plural, printable

COLOURS = {Outcome.FAILED: "red", Outcome.SURVIVED: "green", Outcome.UNRESOLVED: "yellow"}

CONTRASTED = [
    rung for each in CONTRASTS for rung in (each.cause, each.without, *each.guards) if rung is not None
]
TITLES = {rung.name: rung.title for rung in (*CONTRASTED, *RUNGS, *CLIENT_RUNGS)} | {
    "alone": "one client alone",
    "answer": "an answer to the server's message",
    "at-once": "all messages at once",
    "control": "as it was recorded",
    "control-with-fix": "with the fix",
    "crowd": "several clients",
    "in-all": "more or fewer bytes in all",
    "fix-applied": "the fix applied",
    "fix-removed": "the fix removed",
    "frames": "fewer messages",
    "handshake-value": "another value in the handshake",
    "id": "two clients with the same id",
    "later": "the message sent later",
    "neighbour": "less of the other connection",
    "neighbours": "with the other recorded connections",
    "one-after-the-other": "two clients, one after the other",
    "one-by-one": "several clients, one after the other",
    "own-id": "an id of its own for each client",
    "pace": "messages at another pace",
    "payload": "shorter messages",
    "prediction": "a new exchange",
    "rested": "after a pause",
    "sequence": "other messages, or in another order",
    "size": "another size",
    "spread": "several clients, spread over time",
    "waits-longer": "a client that waits longer for the answer",
    "values": "other values in the message",
    "with-fix": "with the fix",
}


def title(trial: Trial, verdict: Verdict) -> str:
    """What a trial tries, in words."""
    named = TITLES | verdict.titles | {tried.arm: tried.title for tried in verdict.ladder}
    return named.get(trial.arm, trial.arm)


SHRINKING = ("frames", "payload", "size", "values", "prediction")
SHRINKS = 40
"""Trials that the minimiser usually takes; the bar must go by something."""


REPORTED = 60.0
"""After so many seconds it is said how it stands, and again after as many more."""


class Lines:
    """Where there is no terminal: a line for each trial, and from time to time one that says how it stands."""

    def __init__(self, console: Console, verdict: Verdict) -> None:
        self.console = console
        self.verdict = verdict
        self.number = 0
        self.outlook: Callable[[], Outlook | None] = lambda: None
        """What it would still cost; None where nobody knows."""
        self._best: list[tuple[str, float]] = []

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def tried(self, trial: Trial, result: Result) -> None:
        """A trial is over."""
        self.number += 1
        line = Text(f"{self.number:4}  ", "dim")
        line.append(f"{title(trial, self.verdict):<44}  ")
        line.append("another failure" if result.another else result.outcome.words, COLOURS[result.outcome])
        if result.lifetime is not None:
            line.append(f"  after {result.lifetime:.2f} s", "dim")
        if result.outcome is Outcome.UNRESOLVED and result.sentence:
            line.append(f"  {printable(result.sentence, 100)}", "dim")
        self.say(line)

    def standing(self, standing: list[tuple[str, float]]) -> None:
        """How probable each explanation is by now."""
        self._best = standing
        words = "   ".join(f"{verdict} {weight:.0%}" for verdict, weight in standing[:3])
        self.say(Text(f"      {words}", "dim"))

    def remark(self, text: str) -> None:
        """Something between the trials."""
        self.say(Text(f"\n{text}\n", "dim"))

    def stands(self, seconds: float) -> None:
        """How it stands after so many seconds: what is certain, what is likely, and what it would still cost."""
        parts = [f"after {duration(seconds)}, {plural(self.number, 'trial')}"]
        parts += certain(self.verdict) or ["nothing is certain yet"]
        if self._best and self.verdict.reproduced:
            parts.append(f"most probably {self._best[0][0]} ({self._best[0][1]:.0%})")
        text = "; ".join(parts)
        ahead = self.outlook()
        if ahead is not None and ahead.steps:
            text += f". Still to do: {ahead}"
        self.say(Text(f"{text}. Ctrl-C stops with the verdict so far", "dim"))

    def say(self, text: Text) -> None:
        """Prints it at once: whoever reads a pipe reads it now."""
        self.console.print(text)
        self.console.file.flush()


class Page(Lines):
    """On a terminal: the ladder as it is climbed, what stands, and a bar; gone when it is over."""

    def __init__(self, console: Console, verdict: Verdict) -> None:
        super().__init__(console, verdict)
        self._standing: list[tuple[str, float]] = []
        self._arm = ""
        self._shrunk = 0
        self._done = 0.0
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(32),
            TextColumn("{task.fields[trials]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._progress.add_task("control", total=1.0, trials="")
        self._live = Live(console=console, get_renderable=self._render, transient=True, refresh_per_second=8)

    def __enter__(self) -> Page:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def tried(self, trial: Trial, result: Result) -> None:
        """A trial is over."""
        self.number += 1
        self._arm = trial.arm
        self._shrunk += trial.arm in SHRINKING
        stage, done = self._stage(trial)
        self._done = max(self._done, done)  # a bar that goes back helps nobody
        doing = title(trial, self.verdict)
        said = f"{plural(self.number, 'trial')}  {doing}: {result.outcome.words}"
        self._progress.update(self._task, description=stage, completed=self._done, trials=said)

    def standing(self, standing: list[tuple[str, float]]) -> None:
        """How probable each explanation is by now."""
        self._standing = self._best = standing

    def remark(self, text: str) -> None:
        """The bar says it."""

    def _stage(self, trial: Trial) -> tuple[str, float]:
        """Where it is, and how far that is of the whole."""
        verdict = self.verdict
        if trial.arm in SHRINKING:
            return "smaller", 0.8 + 0.2 * (1 - 0.5 ** (self._shrunk / SHRINKS * 3))
        if verdict.cure:
            return "proof", 0.6 + 0.2 * min(1.0, log(max(verdict.p, PROOF)) / log(PROOF))
        if not verdict.reproduced:
            return "control", 0.05 * min(2, self.number)
        return "ladder", 0.6 - 0.5 * 0.75 ** len(verdict.ladder)

    def _render(self) -> RenderableType:
        parts: list[RenderableType] = []
        room = max(3, self.console.size.height - 6)
        if self.verdict.ladder:
            parts += [ladder(self.verdict.ladder[-room:], trying=self._arm), Text()]
        if self._standing:
            words = Text("standing  ", "bold")
            for verdict, weight in self._standing[:3]:
                words.append(f"{verdict} ").append(f"{weight:.0%}   ", "dim")
            words.no_wrap, words.overflow = True, "ellipsis"
            parts.append(words)
        return Group(*parts, self._progress)


Pause = Callable[[float], Awaitable[object]]
"""Waits for so many seconds."""


@asynccontextmanager
async def reporting(
    stands: Callable[[float], None],
    every: float | None = None,
    *,
    clock: Callable[[], float] | None = None,
    pause: Pause = asyncio.sleep,
) -> AsyncIterator[None]:
    """Has it said from time to time how it stands, for as long as it goes on; ``every`` in seconds. ``stands`` is given
    the seconds since it began, by this ``clock``."""
    now = clock or asyncio.get_running_loop().time
    step = REPORTED if every is None else every
    began = now()

    async def report() -> None:
        due = began + step
        while True:
            await pause(max(0.0, due - now()))
            if now() >= due:
                stands(now() - began)
                due += step

    task = asyncio.create_task(report())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def showing(console: Console, verdict: Verdict) -> Lines:
    """What fits the console; ``verdict`` is the one that grows."""
    terminal = console.is_terminal and not console.is_dumb_terminal
    return Page(console, verdict) if terminal else Lines(console, verdict)


def ladder(tried: list[Tried], trying: str = "") -> Table:
    """The rungs that were tried, and what came of them. Of the one that is being tried it is not known yet."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    table.add_column("what was changed")
    table.add_column("failed", justify="right")
    table.add_column("", no_wrap=not any(arm.another for arm in tried))
    table.add_column("filter", overflow="fold", style="dim")
    for arm in tried:
        outcome = Text(arm.outcome.words, COLOURS[arm.outcome])
        if arm.arm == trying and arm.outcome is Outcome.UNRESOLVED:
            outcome = Text("trying", "dim")
        elif arm.another and arm.outcome is Outcome.UNRESOLVED:
            outcome = Text(f"another failure: {printable(arm.another, 100)}", "yellow")
        table.add_row(arm.title, str(arm.counts), outcome, Text(" + ".join(arm.filters)))
    return table
