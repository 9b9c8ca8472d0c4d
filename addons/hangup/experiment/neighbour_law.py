"""Laws of what another connection does: one that stays open when it is played alone, and is ended when a certain other
of the recording is played beside it.

Which other, what its client must have sent, and whether it must have left: the rest of it is left away.
"""

from __future__ import annotations

from random import Random

from hangup.experiment.arms import Arms, Search
from hangup.experiment.asking import carry_out
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.law import Condition, Law
from hangup.experiment.minimise import minimise_frames
from hangup.experiment.trial import Neighbour, OtherConnection, Trial
from hangup.humanize import printable, with_article

ARM = "neighbour"

SHOWN = 3
"""So many messages are named."""


def neighbour_law(arms: Arms) -> Search[Claim | None]:
    """That law; None where it does not fail beside the others either, or it cannot be told which of them it is."""
    case, verdict = arms.case, arms.verdict
    if arms.live or case.asks_client or not case.others:
        return None
    clients, alone, arms.clients = arms.clients, arms.control, 1
    claim = yield from _law(arms)
    if claim is None:
        arms.clients, arms.control = clients, alone
        return None
    verdict.without = Counts(alone.failed, alone.survived)
    return claim


def _law(arms: Arms) -> Search[Claim | None]:
    case = arms.case
    everybody = Trial("neighbours", neighbours=tuple(Neighbour(other.conn) for other in case.others))
    tried = arms.add(everybody.arm, "with the other recorded connections beside it", everybody, Counts())
    for _ in range(2):
        yield from arms.attempt(everybody, tried.counts)
    if tried.counts.failed < 2:
        tried.outcome = Outcome.SURVIVED if tried.counts.survived == 2 else Outcome.UNRESOLVED
        return None
    tried.outcome = Outcome.FAILED
    arms.control = tried.counts  # which is what fails, from here on
    other = yield from _which(arms)
    if other is None:
        return None
    numbers = tuple(frame.n for frame in other.frames)
    leaves = False
    if other.left:
        stays = yield from arms.decide(_trial(other, numbers, False), Counts())
        if stays is Outcome.UNRESOLVED:
            return None
        leaves = stays is Outcome.SURVIVED

    def ask(frames: tuple[int, ...]) -> Search[bool | None]:
        outcome = yield from arms.decide(_trial(other, frames, leaves), Counts())
        return None if outcome is Outcome.UNRESOLVED else outcome is Outcome.FAILED

    kinds = {frame.n: frame.kind or frame.opcode for frame in other.frames}
    kept: tuple[int, ...] = yield from carry_out(
        arms,
        lambda: minimise_frames(numbers, numbers[-1:], kinds),
        ask,
        lambda frames: _trial(other, frames, leaves),
    )
    whole = Counts()
    for _ in range(2):
        yield from arms.attempt(_trial(other, kept, leaves), whole)
    if whole.failed < 2:
        return None
    arms.control = arms.verdict.cause = whole
    arms.verdict.neighbour = other.conn
    arms.verdict.contrast = f"where connection {other.conn} did so", "where it did not"
    return _claim(arms, other, kept, leaves)


def _which(arms: Arms) -> Search[OtherConnection | None]:
    """The one that is enough by itself."""
    if len(arms.case.others) == 1:
        return arms.case.others[0]
    for other in arms.case.others:
        if (yield from arms.decide(Trial(ARM, neighbours=(Neighbour(other.conn),)), Counts())) is Outcome.FAILED:
            return other
    return None


def _trial(other: OtherConnection, frames: tuple[int, ...], leaves: bool, arm: str = ARM) -> Trial:
    return Trial(arm, neighbours=(Neighbour(other.conn, frames, leaves),))


def _claim(arms: Arms, other: OtherConnection, kept: tuple[int, ...], leaves: bool) -> Claim:
    spare = [frame.n for frame in other.frames if frame.n not in kept]
    words = _words(arms, other, kept, leaves)
    law = Law(f"{arms.case.ends} when {words}", [Condition(words)])
    law.irrelevant += ["what else the other connection sends"] if spare else []
    law.irrelevant += ["that the other connection closes"] if other.left and not leaves else []

    def failing(rng: Random) -> Trial:
        more = rng.sample(spare, rng.randint(0, len(spare)))
        return _trial(other, tuple(sorted((*kept, *more))), leaves, "prediction")

    def surviving(rng: Random) -> Trial:
        more = rng.sample(spare, rng.randint(0, len(spare)))
        if kept and not (leaves and rng.random() < 0.5):
            without = rng.choice(kept)
            rest = [n for n in kept if n != without]
            return _trial(other, tuple(sorted((*rest, *more))), leaves, "prediction")
        if leaves:
            return _trial(other, tuple(sorted((*kept, *more))), False, "prediction")
        return Trial("prediction")

    claim = Claim(law, failing, surviving)
    claim.counts = True
    return claim


def _words(arms: Arms, other: OtherConnection, kept: tuple[int, ...], leaves: bool) -> str:
    whose = "another connection"
    if other.path != arms.case.request.target.partition("?")[0]:
        whose += f" (to `{printable(other.path, 60)}`)"
    said = [frame.kind or frame.opcode for frame in other.frames if frame.n in kept]
    acts = [f"sends {with_article(f'`{printable(kind, 40)}`')}" for kind in said[-SHOWN:]]
    acts += ["closes"] if leaves else []
    return f"{whose} {', then '.join(acts)}" if acts else f"{whose} is open at the same time"
