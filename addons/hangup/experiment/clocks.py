"""Varying the traffic, to see which clock ends a connection: in as few trials as possible."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median

from msgspec.structs import replace

from hangup.experiment.arms import Arms, Search
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.ladder import CLIENT_KEEPALIVE, KEEPALIVE, quiet, repeated, selector
from hangup.experiment.margins import least
from hangup.experiment.timers import SHORTEST, Clock, Timer, fitting
from hangup.experiment.trial import Case, Trial
from hangup.filters.library.inject import Inject

OFTEN = 3
"""How many times the client speaks in the time that a clock may run."""

EVERY = 0.1
"""No client speaks more often than every so many seconds, or it would be a load and no sign of life."""

SPARE = 3
"""So many messages more than any trial had must be lived through, before a count is out of the question."""

_SETS_BACK = {
    "silence": frozenset[Clock](),
    "pongs": frozenset((Clock.CLIENT, Clock.EITHER)),
    "pings": frozenset((Clock.CLIENT, Clock.SERVER, Clock.EITHER)),
    "messages": frozenset(
        (Clock.CLIENT_MESSAGES, Clock.CLIENT, Clock.SERVER_MESSAGES, Clock.SERVER, Clock.EITHER, Clock.COUNT)
    ),
}
"""The ways for a client to speak, and the clocks that each sets back (or on, for the count)."""

_TITLES = {
    "silence": "client messages blocked",
    "pongs": "the client sends only an occasional pong",
    "pings": "the client sends only an occasional ping",
    "messages": "the client repeats one message",
}


def find_timers(arms: Arms) -> Search[None]:
    """Finds the clocks that agree with all trials, old and new, and tells the verdict. Of trials without a pulse (of a
    live page, say) nothing can be told."""
    timers = arms.verdict.timers = fitting(arms.pulses)
    left = _planned(arms, timers)
    if "silence" in arms.named:
        left.pop("silence", None)
    while True:
        timers = arms.verdict.timers = fitting(arms.pulses, arms.rate)
        name = _next(timers, left)
        if _seconds(arms) < SHORTEST or not name:
            return
        trial = left.pop(name)
        tried = arms.add(f"clock-{name}", _TITLES[name], trial, Counts())
        # Where they take long the others are tried beside it; and the exchange without a message, asked for later.
        arms.ahead = (*left.values(), *([Trial("frames", frames=())] * 2 if arms.case.frames else []))
        yield from arms.attempt(trial, tried.counts)
        tried.outcome = arms.last.outcome


def _seconds(arms: Arms) -> float:
    return median([pulse.age for pulse in arms.pulses if pulse.ended] or [0.0])


def speaking(arms: Arms) -> Trial | None:
    """What the client may say now and then besides, where that alone kept the connection open."""
    for name in ("clock-pings", "clock-messages"):
        tried = arms.named.get(name)
        if tried is not None and tried.outcome is Outcome.SURVIVED:
            return Trial(KEEPALIVE, tuple(each for each in tried.filters if each.startswith("inject")))
    return None


def counting(arms: Arms) -> Trial | None:
    """A message of the client's that sets the clock back by which all trials so far may have ended, now and then: where
    that is one of messages of a sort."""
    for timer in fitting(arms.pulses, arms.rate):
        for frame in reversed(arms.case.frames):
            if timer.set_back_by(frame.own_kind.text):
                again = repeated(frame, round(max(EVERY, timer.at / OFTEN), 3))
                if again is not None:
                    return Trial(CLIENT_KEEPALIVE, (again,))
    return None


def _planned(arms: Arms, timers: list[Timer]) -> dict[str, Trial]:
    """The ways to speak that this exchange allows, each with the time in which these clocks would have run out."""
    seconds = _seconds(arms)
    if not timers or seconds < SHORTEST:
        return {}
    shortest = min([seconds, *(t.at for t in timers if t.clock is not Clock.COUNT)])
    every = max(EVERY, shortest / OFTEN)
    most = SPARE + max(sum(message for _, message in pulse.client) for pulse in arms.pulses)
    count = any(timer.clock is Clock.COUNT for timer in timers)
    planned = {}
    for name, make in _WAYS.items():
        # So many messages within the time of the clocks, if that is no load.
        counts = count and name == "messages"
        pace = max(EVERY, min(every, shortest / most)) if counts else every
        last = most * pace if counts else 0.0
        last = max([last, *(timer.at for timer in timers if timer.clock is not Clock.COUNT)])
        trial = make(arms.case, pace)
        if trial is not None and all(timer.started for timer in timers):
            trial = _begun(arms.case, trial)
        if trial is not None:
            planned[name] = replace(trial, patience=last + 2 * least(last))
    return planned


def _begun(case: Case, trial: Trial) -> Trial | None:
    """The same, where the client says its first message before: without it no clock runs."""
    spoken = tuple(each for each in trial.filters if each.startswith("inject"))
    return replace(trial, filters=spoken, frames=(case.frames[0].n,)) if case.frames else None


def _next(timers: list[Timer], left: Iterable[str]) -> str:
    """The way to speak that splits these best; when none does, the one that would disprove what is left."""
    split = {name: _parts(timers, name) for name in left}
    name = max(split, key=lambda each: split[each], default="")
    if name and split[name] > 1:
        return name
    for timer in timers:
        telling = "messages" if timer.clock in (Clock.AGE, Clock.COUNT) else "silence"
        if telling in split:
            return telling
    return ""


def _parts(timers: list[Timer], name: str) -> int:
    """Into how many groups an arm splits these: those that it sets back, and the others; and a count apart."""
    sets_back = _SETS_BACK[name]
    groups = {(t.clock in sets_back, t.clock is Clock.COUNT and t.clock in sets_back) for t in timers}
    return len(groups)


def _silence(case: Case, every: float) -> Trial | None:
    filters = quiet(case)
    return Trial("clock-silence", filters) if filters else None


def _control(name: str, opcode: str) -> Callable[[Case, float], Trial | None]:
    def make(case: Case, every: float) -> Trial | None:
        word = Inject(from_="client", send=b"", as_=opcode, every=round(every, 3))  # type: ignore[arg-type]
        return Trial(name, (*quiet(case), str(word)))

    return make


def _messages(case: Case, every: float) -> Trial | None:
    suspect = case.suspect
    for frame in reversed(case.frames):
        harmless = suspect is None or selector(frame) != selector(suspect) or len(case.frames) == 1
        if harmless and (again := repeated(frame, round(every, 3))) is not None:
            return Trial("clock-messages", (*quiet(case), again))
    return None


_WAYS: dict[str, Callable[[Case, float], Trial | None]] = {
    "silence": _silence,
    "messages": _messages,
    "pongs": _control("clock-pongs", "pong"),
    "pings": _control("clock-pings", "ping"),
}
