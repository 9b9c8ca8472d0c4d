"""What a load test found: how connections ended, how often, and at which load that began. As a file it stands beside
the test's own recording, ``NAME.load.json``, where `hangup why` finds it."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from hangup.errors import RecordingError
from hangup.humanize import duration, printable
from hangup.load.curve import Curve, middle
from hangup.load.onset import Onset, Slowing, levels, onset, slowing
from hangup.recording.writer import write_private

SUFFIX = ".load.json"

LARGEST = 8 << 20
"""Bytes of a file that is looked into."""


class Failing(Struct, kw_only=True):
    """A failure: its ``key`` and signature, how often it ended a connection, at which load that begins (None where it
    is not the load, or cannot be told), the sentence of the first, and recorded examples (file and connection)."""

    key: str
    failure: str
    count: int
    onset: Onset | None = None
    lag: float | None = None
    """Milliseconds from the last message, or from opening, to the end (median)."""
    sentence: str = ""
    examples: list[tuple[str, int]] = []


class Summary(Struct, kw_only=True):
    """``connected`` is how many clients were connected at most, ``opened`` how many handshakes succeeded."""

    connected: int = 0
    opened: int = 0
    seconds: float = 0.0
    failures: list[Failing] = []
    slowing: Slowing | None = None
    recordings: list[str] = []
    levels: list[tuple[int, float]] = []
    """How many were connected, and the median answer then, in milliseconds."""
    answered: int = 0
    median: float | None = None

    def lines(self) -> list[str]:
        """It in words."""
        found = [f"{self.connected:,} clients were connected at most"]
        if not self.failures:
            found.append("no connection was dropped, none was refused")
        for each in self.failures:
            lag = f" (median: {duration(each.lag / 1000)})" if each.lag is not None else ""
            found.append(f"{each.count:>7,}  {printable(each.key)}{lag}")
            found += [f"         {line}" for line in failing_lines(each)]
        if self.slowing is not None:
            found.append(slowing_line(self.slowing))
        return found


def failing_lines(each: Failing) -> list[str]:
    """At which load it begins, and the first one."""
    found = [begins(each.onset)] if each.onset is not None else []
    if each.sentence:
        found.append(f"the first: {printable(each.sentence, 400)}")
    return found


def begins(found: Onset) -> str:
    """``begins at 400 connected clients``, with the counts."""
    (few, less), (many, more) = found.below, found.above
    return (
        f"begins at {found.clients:,} connected clients: {few:,} in {less:,.0f} client-seconds below, "
        f"{many:,} in {more:,.0f} from there on"
    )


def slowing_line(found: Slowing) -> str:
    """From how many connected clients on answers take longer."""
    return (
        f"answers take longer from about {found.clients:,} connected clients on: {found.before:.3g} ms (median) up to "
        f"there, {found.at_most:.3g} ms at {found.most:,}"
    )


def sum_up(curve: Curve) -> Summary:
    """What is in a curve."""
    slices = curve.slices()
    answers: dict[int, int] = {}
    for _, each in slices:
        for took, count in each.answers.items():
            answers[took] = answers.get(took, 0) + count
    failures = [
        Failing(
            key=key,
            failure=kind.failure,
            count=curve.totals.get(key, 0),
            onset=onset(slices, key),
            lag=middle(curve.lags.get(key, {})),
            sentence=kind.sentence,
            examples=kind.examples,
        )
        for key, kind in curve.kinds.items()
    ]
    return Summary(
        connected=max((each.connected for _, each in slices), default=0),
        opened=sum(each.opened for _, each in slices),
        seconds=slices[-1][0] - slices[0][0] if slices else 0.0,
        failures=sorted(failures, key=lambda each: -each.count),
        slowing=slowing(slices),
        recordings=curve.recordings,
        levels=levels(slices),
        answered=sum(answers.values()),
        median=middle(answers),
    )


def beside(recording: Path) -> Path:
    """Where the summary of a recording's load test stands."""
    return recording.with_suffix(SUFFIX)


def write(path: Path, summary: Summary) -> None:
    """Writes it; raises :class:`~hangup.errors.RecordingError` when it cannot."""
    write_private(path, msgspec.json.format(msgspec.json.encode(summary)) + b"\n")


def read(path: Path) -> Summary | None:
    """Reads it; None where there is none that can be read."""
    try:
        if path.stat().st_size > LARGEST:
            return None
        return msgspec.json.decode(path.read_bytes(), type=Summary)
    except (OSError, msgspec.DecodeError, RecordingError):
        return None
