"""Very many recordings: a bar that counts them, and what is said of those that could not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console

from hangup.cli.screen import tell
from hangup.errors import RecordingError
from hangup.humanize import plural, printable

TOLD = 3
"""So many recordings that could not be read are named."""


def complain(failed: Sequence[tuple[str, str]], total: int) -> None:
    """Says on stderr which recordings could not be read. Raises :class:`RecordingError` where none could."""
    if not failed:
        return
    first = "; ".join(f"{name} {error}" for name, error in failed[:TOLD])
    more = "; …" if len(failed) > TOLD else ""
    said = f"{len(failed):,} of {plural(total, 'recording')} could not be read: {first}{more}"
    if len(failed) == total:
        raise RecordingError(printable(said, 1000))
    tell(printable(said, 1000))


@contextmanager
def counting(doing: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal that counts recordings; what it gives is told how many are done, of how many."""
    screen = Console(stderr=True)
    if not screen.is_terminal:
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as progress:
        task = progress.add_task(doing, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
