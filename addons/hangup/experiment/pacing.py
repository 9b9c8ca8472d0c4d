"""How fast the client says what it says: how much longer a trial takes that slows it down, and the slow trial itself.

The slower exchange comes to the same message later. So a failure may come later, too, and a survival is one only when
all of it was said.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from msgspec.structs import replace

from hangup.experiment.failure import Failure
from hangup.experiment.margins import WAIT
from hangup.experiment.trial import Case, Trial
from hangup.filters.library.timing import Delay, MaxUnanswered, Throttle
from hangup.filters.text import parse

FEWEST = 3
"""With fewer messages there is no pace."""

SEVERAL = 3.0
"""So many times slower than the fastest of it an exchange must be, to be called slower."""

DOSES = (6.0, 20.0)
"""By how many seconds the slower exchange may take longer: at first (less for a short one), and where that did not
help."""

SHORT = (1.5, 0.4)
"""At first it takes longer by so many seconds, or so many for each message, where that is more than four times what it
took."""


UNEVEN = 4
"""So many times as large as most of the messages some are, where it may be their bytes that come too fast."""


def failure_in(trial: Trial, case: Case, failure: Failure) -> Failure:
    """The failure as it would show in a trial, which may say all that leads to it later."""
    if failure.within is None or failure.how == "refused":
        return failure
    within = lasting(trial, case, failure.within)
    return failure if within == failure.within else replace(failure, within=within)


def lasting(trial: Trial, case: Case, seconds: float) -> float:
    """Until when (seconds from opening) something may happen in a trial that happened within ``seconds``."""
    if trial.within is not None:
        return trial.within
    return seconds / min(1.0, trial.speed) + kept_back(trial, case)


def patience(trial: Trial, case: Case, usual: float) -> float:
    """After how many seconds from opening a trial has survived; ``usual`` is that of one at the recorded pace."""
    if trial.patience is not None:
        return trial.patience
    return lasting(trial, case, usual) + (WAIT if trial.within is not None else 0.0)


def kept_back(trial: Trial, case: Case) -> float:
    """By how many seconds, at most, the filters of a trial keep the client's last message back."""
    seconds = 0.0
    for text in trial.filters:
        if text.startswith(("throttle", "delay", "max-unanswered")):
            filter = parse(text)
            if isinstance(filter, MaxUnanswered):
                seconds += filter.timeout * sum(trial.frames is None or f.n in trial.frames for f in case.frames)
            if isinstance(filter, Delay) and filter.side != "server":
                seconds += filter.by + filter.jitter
            elif isinstance(filter, Throttle) and filter.side != "server":
                kept = [f for f in case.frames if trial.frames is None or f.n in trial.frames]
                kept += [f for n, _ in trial.before for f in kept if f.n == n]
                moments = sorted(f.at / trial.speed for f in kept)
                if filter.messages is not None:
                    seconds += later(moments, [1 / filter.messages] * len(kept))
                elif filter.rate is not None and kept:
                    costs = [len(f.payload) / filter.rate for f in kept]
                    seconds += later(moments, costs) + costs[-1]  # it goes on once all its bytes could
    return seconds


def later(moments: Sequence[float], costs: Sequence[float]) -> float:
    """By how many seconds the last of these is late, when each keeps the line for its cost."""
    free, late = 0.0, 0.0
    for at, cost in zip(moments, costs, strict=True):
        start = max(at, free)
        late, free = start - at, start + cost
    return late


def fastest(case: Case) -> float:
    """The highest pace at which the client said some messages in a row, in messages per second; 0 for too few."""
    moments = [frame.at for frame in case.frames]
    paces = [(FEWEST - 1) / max(b - a, 1e-4) for a, b in zip(moments, moments[FEWEST - 1 :], strict=False)]
    return max(paces, default=0.0)


def slow(case: Case, seconds: float) -> float | None:
    """The pace (messages per second) at which the same takes so many seconds longer; None where that is not much
    slower than it was."""
    top = fastest(case)
    pace = _slowed(case, seconds, [1.0] * len(case.frames), top) if top else 0.0
    return shown(pace) if top and pace * SEVERAL <= top else None


def _slowed(case: Case, seconds: float, costs: Sequence[float], top: float) -> float:
    """At how much a second of what the messages cost the same takes so many seconds longer; ``top`` at most."""
    moments = [frame.at for frame in case.frames]
    low, high = 0.0, top
    for _ in range(30):
        middle = (low + high) / 2
        if later(moments, [cost / middle for cost in costs]) > seconds:
            low = middle
        else:
            high = middle
    return high


def shown(pace: float) -> float:
    """A pace with as many digits as somebody would type."""
    return float(f"{pace:.3g}")


def slower(case: Case, dose: int = 0, arm: str = "slower") -> Trial | None:
    """The same messages, several times slower."""
    if case.how == "refused":
        return None
    seconds = DOSES[dose]
    if dose == 0 and case.frames:
        span = case.frames[-1].at - case.frames[0].at
        seconds = min(seconds, max(SHORT[0], SHORT[1] * len(case.frames), (SEVERAL + 1) * span))
    pace = slow(case, seconds)
    if pace is None:
        return None
    sizes = [len(frame.payload) for frame in case.frames]
    if dose and max(sizes) > UNEVEN * median(sizes):
        # Far apart by their bytes: else large ones that follow each other would hardly be slower.
        rate = int(_slowed(case, seconds, sizes, float(sum(sizes))))
        return Trial(arm, (str(parse(f"throttle {max(rate, 1)} side=client")),))
    return Trial(arm, (at_most(pace),))


def at_most(pace: float, kind: str = "") -> str:
    """The filter that lets so many messages of the client through in a second; ``kind`` is a selector, or empty."""
    return str(parse(f"throttle messages={pace:g} side=client {kind}"))
