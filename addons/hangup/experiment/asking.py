"""Carrying out what asks of one candidate after the other whether it fails: a minimiser, an isolation, patterns that
are told apart.

Such a generator goes by nothing but the answers. So it can be begun anew, given them again, and asked what it would
want to know next, whatever the next answer is: that is tried at the same time, where trials take long.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar, cast

from hangup.experiment.arms import Arms
from hangup.experiment.costs import TWICE
from hangup.experiment.trial import Result, Trial

T = TypeVar("T")
R = TypeVar("R")

Begin = Callable[[], Generator[T, bool | None, R]]
"""Begins to ask; each time in the same way."""

AHEAD = 3
"""So many candidates are tried beside the one that is asked of."""

LONGEST = 200
"""After so many answers it costs too much to begin anew."""


def upcoming(begin: Begin[T, R], answers: Sequence[bool | None], most: int = AHEAD) -> list[T]:
    """What is likely to be asked next, beside the candidate that these answers lead to, the likeliest first: that most
    candidates stay open is more probable than that they fail."""
    found: list[T] = []
    for suffix in ((False,), (False, False), (True,), (False, False, False), (True, False)):
        if len(found) == most or len(answers) > LONGEST:
            break
        asking = begin()
        try:
            candidate = next(asking)
            for answer in (*answers, *suffix):
                candidate = asking.send(answer)
        except StopIteration:
            continue
        if candidate not in found:
            found.append(candidate)
    return found


def carry_out(
    arms: Arms,
    begin: Begin[T, R],
    ask: Callable[[T], Generator[Trial, Result, bool | None]],
    make: Callable[[T], Trial],
) -> Generator[Trial, Result, R]:
    """Answers until it has what it wanted. ``ask`` finds out whether a candidate fails, by trials that ``make`` makes;
    None is its answer where nobody can tell."""
    answers: list[bool | None] = []
    asking = begin()
    try:
        candidate = next(asking)
        while True:
            if not arms.live and arms.costs.long:
                arms.ahead = tuple(trial for each in upcoming(begin, answers) for trial in [make(each)] * TWICE)
            answers.append((yield from ask(candidate)))
            candidate = asking.send(answers[-1])
    except StopIteration as stop:
        return cast(R, stop.value)
