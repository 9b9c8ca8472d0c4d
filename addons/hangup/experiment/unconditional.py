"""Laws of ends on which nothing that a client does has any effect: each handshake is answered alike, or each connection
ends at one age. Nothing takes them away, so they are held against exchanges that are changed in many ways at once.
"""

from __future__ import annotations

from random import Random
from statistics import median

from hangup.experiment.arms import Arms
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.factors import VARY
from hangup.experiment.law import Condition, Law
from hangup.experiment.predict import Claim
from hangup.experiment.timers import SHORTEST, Clock, tolerance
from hangup.experiment.trial import Trial
from hangup.experiment.verdict import Verdict
from hangup.filters.library.headers import SetHeader
from hangup.humanize import printable

_SAID = {
    "query": "query",
    "cookie": "cookies",
    "header": "headers",
    "credential": "credentials",
    "origin": "Origin",
    "subprotocol": "subprotocols",
    "no-extensions": "extensions",
    "no-subprotocol": "subprotocols",
    "no-origin": "Origin",
    "no-cookie": "cookies",
}
"""The parts of a handshake in words, by what varies them."""


def unconditional(arms: Arms, verdict: Verdict) -> Claim | None:
    """The law where nothing that was tried made any difference; None where something did."""
    if verdict.cure or verdict.contrast is not None or arms.control.survived or arms.clients > 1:
        return None
    if any(tried.outcome is Outcome.SURVIVED for tried in verdict.ladder):
        return None
    return _refusals(arms, verdict) if arms.case.how == "refused" else _age(arms, verdict)


def _refusals(arms: Arms, verdict: Verdict) -> Claim | None:
    case = arms.case
    varied: dict[str, None] = {"headers": None}
    for tried in verdict.ladder:
        if tried.outcome is Outcome.FAILED and tried.filters:
            part = tried.arm.removeprefix(VARY).rpartition("-")[0] if tried.arm.startswith(VARY) else tried.arm
            varied |= dict.fromkeys([_SAID[part]] if part in _SAID else [])
    path = printable(case.request.target.partition("?")[0] or "/", 120)
    answered = f"is answered {case.status}" if case.status is not None else "is refused"
    sentence = f"every handshake to `{path}` {answered}, whatever its {_listed([*varied])}"
    able = [f for f in case.factors if f.part not in ("path", "credential", "size", "contents")]

    def fresh(rng: Random) -> Trial:
        some = {(f.part, f.name): f.filter for f in rng.sample(able, min(len(able), rng.randint(0, 3)))}
        new = SetHeader(name=f"X-Trial-{rng.randint(1, 9)}", value=str(rng.randint(1, 1 << 30)))
        return Trial("prediction", (*some.values(), str(new)))

    return Claim(Law(sentence, [Condition(f"the path is `{path}`")], [*varied]), fresh, None)


def _age(arms: Arms, verdict: Verdict) -> Claim | None:
    """One age, though the traffic was varied: silence, and speaking again and again."""
    ends = [pulse for pulse in arms.pulses if pulse.ended]
    age = next((timer.at for timer in verdict.timers if timer.clock is Clock.AGE), 0.0)
    if {timer.clock for timer in verdict.timers} != {Clock.AGE} or age < SHORTEST or len(ends) < 3:
        return None
    at = median(pulse.age for pulse in ends)
    slack = tolerance(at)
    numbers = tuple(frame.n for frame in arms.case.frames)

    def fresh(rng: Random) -> Trial:
        some = tuple(sorted(rng.sample(numbers, rng.randint(0, len(numbers)))))
        every = round(max(0.1, at * rng.uniform(0.15, 0.45)), 2)
        beat = (f"inject from=client as=ping send='' every={every:g}s",) if rng.random() < 0.5 else ()
        return Trial("prediction", beat, frames=some)

    words = f"it is {at:.2g} s old" if at < 10 else f"it is {at:.0f} s old"
    condition = Condition(words, f"survives {at - slack:.2f} s, fails {at + slack:.2f} s")
    law = Law(f"it ends when {words}, whatever is said", [condition], ["what the client says, and how often"])
    verdict.contrast = f"past the age of {at:.2g} s", "before"
    verdict.cause, verdict.without = Counts(), Counts()
    claim = Claim(law, fresh, None)
    claim.age = at - slack, at + slack
    return claim


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
