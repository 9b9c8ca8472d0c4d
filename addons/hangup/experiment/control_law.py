"""Laws of the pings and pongs that a client sends by itself: any of them ends the connection."""

from __future__ import annotations

from random import Random

from hangup.experiment.arms import Arms, Search
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.law import Condition, Law
from hangup.experiment.margins import least
from hangup.experiment.trial import Trial
from hangup.experiment.verdict import Verdict
from hangup.filters.library.control_pings import DropPing, DropPong
from hangup.filters.library.inject import Inject
from hangup.filters.text import parse

LARGEST = 125
"""Bytes that the payload of a control frame has at most (RFC 6455, 5.5)."""


def control_law(arms: Arms, verdict: Verdict) -> Search[Claim | None]:
    """The law where it stays open without one sort of the client's control frames. None where a single new one does no
    harm: then it is more about them than that there is one."""
    cure = parse(verdict.cure) if verdict.cure and " + " not in verdict.cure else None
    if not isinstance(cure, DropPing):  # which a filter for pongs is as well
        return None
    word = "pong" if isinstance(cure, DropPong) else "ping"
    latest = max(0.2, 0.8 * arms.case.lifetime)
    numbers = tuple(frame.n for frame in arms.case.frames)

    def alone(at: float, payload: bytes, frames: tuple[int, ...] = ()) -> Trial:
        one = Inject(from_="client", as_=word, send=payload, at=round(at, 2))  # type: ignore[arg-type]
        patience = round(at + latest + 2 * least(latest), 3)
        return Trial("prediction", (verdict.cure, str(one)), frames=frames, patience=patience)

    if (yield from arms.decide(alone(latest / 2, b""), Counts())) is not Outcome.FAILED:
        return None
    what = f"any {word} frame from the client" + (" that answers no ping" if word == "pong" else "")
    condition = Condition(what, filter=verdict.cure, with_it=verdict.cause, without=verdict.without)
    sentence = f"{arms.case.ends} on {what}; with `{verdict.cure}` it stays open"
    law = Law(sentence, [condition], ["its payload", "the messages"])

    def some(rng: Random) -> tuple[int, ...]:
        return tuple(sorted(rng.sample(numbers, rng.randint(0, len(numbers)))))

    def failing(rng: Random) -> Trial:
        payload = "".join(rng.choice("abcdefghij") for _ in range(rng.choice((0, 1, 4, 16, LARGEST))))
        return alone(rng.uniform(0.1, latest), payload.encode(), some(rng))

    return Claim(law, failing, lambda rng: Trial("prediction", (verdict.cure,), frames=some(rng)))
