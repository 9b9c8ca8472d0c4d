"""Laws of too many connections: so many at once, or within some time."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from msgspec.structs import replace

from hangup.experiment.arms import Arms, Search
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.law import Condition, Law
from hangup.experiment.same_id import Identity, identities, of_id, who_ends
from hangup.experiment.sequences import ordinal
from hangup.experiment.trial import Case, Trial

LIMIT, GHOST = "handshake/limit", "identity/ghost-session"

RESTS = (0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6)
"""So many seconds nothing is played, until what was there before is forgotten."""

MOST = 12
"""So many clients are tried at most."""

EXACT = 0.05
"""Times are found to this share of them."""

NOISE = 0.03
"""Seconds by which connections may come late."""

def crowd(arms: Arms) -> Search[Claim | None]:
    """The law of too many connections, where the first ones stay open and later ones do not: so many at once, or within
    so many seconds, though none is open any more."""
    if arms.live or arms.case.asks_client:
        return None
    verdict = arms.verdict
    before = arms.clients, arms.control, verdict.cause, verdict.without, verdict.contrast
    arms.clients = 1
    claim = yield from _crowd(arms)
    if claim is None:
        arms.clients, arms.control, verdict.cause, verdict.without, verdict.contrast = before
    return claim


def _crowd(arms: Arms) -> Search[Claim | None]:
    most = min(MOST, max(arms.case.lately, 2) + 2)
    # Where the recording shows after how long one is let in again, no longer is waited for that.
    for rest in (each for each in RESTS if not arms.case.let_in or each < 2 * arms.case.let_in):
        told = Counts()
        for _ in range(2):
            yield from arms.attempt(Trial("rested", rest=rest, alone=True), told)
        if told.unresolved:
            return None
        if told.failed:
            continue  # those before are remembered still
        yield from arms.attempt(_together(most, rest), told)
        if not told.failed:
            return None
        found = yield from _smallest(arms, most, rest)
        if found is not None:
            # Those trials took their time as well, and what follows is over sooner.
            rest = round(rest + 1.1 * (arms.last.lifetime or 0.0), 2)
            break
    else:
        return None
    brief = _brief(arms.case)
    # As many, but each is gone before the next one comes.
    apart = Trial("one-by-one", clients=found, stagger=_in_turn(brief), rest=rest, patience=brief)
    told = Counts()
    for _ in range(2):
        yield from arms.attempt(apart, told)
    if told.survived != 2 and told.failed != 2:
        return None
    ids = identities(arms.case)
    anybody, mine = yield from _whose(arms, ids, found, rest)
    if mine is not None and found == 2 and told.survived:
        return of_id(arms.case, mine, (yield from who_ends(arms)))
    whose = "" if anybody else f" with the same {mine.words}" if mine is not None else " of this client"
    if told.survived:
        return _at_once(arms.case.ends, found, rest, brief, whose)
    span = yield from _window(arms, found, rest, brief)
    if span is None:
        return None
    if found == 2 and (yield from _since_the_end(arms, rest, brief, span)):
        return _after_the_end(arms.case.ends, rest, brief, (span[0] - brief, span[1] - brief), whose)
    return _within(arms.case.ends, found, rest, brief, span, whose)


def _whose(arms: Arms, ids: Sequence[Identity], number: int, rest: float) -> Search[tuple[bool, Identity | None]]:
    """Whether as many fail that all call themselves otherwise; else what they need to have in common, if it can be
    told. A replay plays one client several times, and what it is known by is the same in all of them."""

    def own(some: Sequence[Identity]) -> Trial:
        return replace(_together(number, rest), arm="own-id", filters=tuple(each.filter for each in some))

    if not ids:
        return True, None  # there is nothing by which they could be told apart
    told = yield from arms.decide(own(ids), Counts())
    if told is not Outcome.FAILED:  # also where all together are not let in, as one of them is no id
        for each in ids:
            if (yield from arms.decide(own([each]), Counts())) is Outcome.SURVIVED and arms.last.acted:
                if not arms.verdict.cure:
                    arms.verdict.cure = each.filter
                return False, each
    return told is Outcome.FAILED, None


def seems_crowded(outcomes: Sequence[Outcome]) -> bool:
    """Whether the first trials were survived, and then none: that is no flicker, mostly."""
    told = [outcome for outcome in outcomes if outcome is not Outcome.UNRESOLVED]
    kept = next((i for i, outcome in enumerate(told) if outcome is Outcome.FAILED), len(told))
    return 0 < kept <= len(told) - 3 and Outcome.SURVIVED not in told[kept:]


def _brief(case: Case) -> float:
    """Seconds in which it is seen that a connection was not ended at once."""
    return round(1.5 * case.lifetime + 0.1, 2)


def _in_turn(brief: float) -> float:
    """Seconds from one to the next where each is just gone before the next one comes."""
    return round(brief + max(0.1, 0.1 * brief), 3)


def _together(number: int, rest: float) -> Trial:
    return Trial("crowd", clients=number, stagger=0.02, rest=rest)


def _smallest(arms: Arms, fails: int, rest: float) -> Search[int | None]:
    """The least number of clients of which one fails: that is the control, from here on, and it is steady. None where
    it is not, or one less fails after it: then they are remembered for longer than the ``rest`` (seconds)."""
    stays = 1
    while fails - stays > 1:
        middle = (stays + fails) // 2
        yield from arms.attempt(_together(middle, rest), told := Counts())
        if told.unresolved:
            return None
        stays, fails = (stays, middle) if told.failed else (middle, fails)
    with_it, without = Counts(), Counts()
    for _ in range(2):
        yield from arms.attempt(_together(fails, rest), with_it)
        yield from arms.attempt(_together(stays, rest), without)
    if with_it.failed < 2 or without.survived < 2:
        return None
    arms.control, arms.verdict.cause, arms.verdict.without = with_it, with_it, without
    arms.verdict.contrast = (f"with {fails} connections", f"with {stays}")
    return fails


def _window(arms: Arms, number: int, rest: float, brief: float) -> Search[tuple[float, float] | None]:
    """The longest time in which so many fail, and the shortest in which they do not, in seconds."""
    gaps = number - 1
    fails, stays = _in_turn(brief) * gaps, 2 * rest
    while stays - fails > max(EXACT * fails, NOISE):
        middle = (fails + stays) / 2
        told = Counts()
        spread = Trial("spread", clients=number, stagger=middle / gaps, rest=rest, patience=brief)
        yield from arms.attempt(spread, told)
        if told.unresolved:
            return None
        if told.failed:
            fails = middle
        else:
            stays = middle
    margin = max(EXACT / 2 * fails, NOISE)  # no two trials take just as long
    fails, stays = fails - margin, stays + margin
    for time, outcome in ((fails, Outcome.FAILED), (stays, Outcome.SURVIVED)):
        again = Trial("spread", clients=number, stagger=time / gaps, rest=rest, patience=brief)
        if (yield from arms.attempt(again, Counts())) is not outcome:
            return None
    return fails, stays


def _within(ends: str, number: int, rest: float, brief: float, span: tuple[float, float], whose: str) -> Claim:
    fails, stays = span
    gaps = number - 1
    words = f"it is the {ordinal(number)} connection{whose} within {(fails + stays) / 2:.2g} s"
    boundary = (
        f"connections: survives {number - 1}, fails {number}; {number} within {fails:.3g} s fail, "
        f"within {stays:.3g} s survive"
    )
    law = Law(f"{ends} when {words}, even when the others are already closed", [Condition(words, boundary)])

    def failing(rng: Random) -> Trial:
        more = rng.choice((0, 0, 1))
        time = rng.uniform(min(_in_turn(brief) * gaps, fails), fails)
        return Trial("crowd", clients=number + more, stagger=round(time / gaps, 3), rest=rest, patience=brief)

    def surviving(rng: Random) -> Trial:
        if number > 2 and rng.random() < 0.5:
            return Trial(
                "crowd", clients=number - 1, stagger=round(rng.uniform(0.02, brief), 3), rest=rest, patience=brief
            )
        time = stays * rng.uniform(1.0, 1.2)
        return Trial("crowd", clients=number, stagger=round(time / gaps, 3), rest=rest, patience=brief)

    claim = Claim(law, failing, surviving)
    claim.counts, claim.name = True, _named(number, whose)
    return claim


SHORTER = 0.25
"""The share of its time after which the first of two is closed to see whether the pause counts, or its beginning."""


def _since_the_end(arms: Arms, rest: float, brief: float, span: tuple[float, float]) -> Search[bool]:
    """Whether what counts is how long ago the one before ended: where it is over sooner, a second one is let in that
    begins as soon after its beginning as one that was not."""
    sooner = round(SHORTER * brief, 2)
    if span[0] - sooner <= span[1] - brief:
        return False  # too near to one another to be told apart
    again = Trial("spread", clients=2, stagger=span[0], rest=rest, patience=sooner)
    return (yield from arms.decide(again, Counts())) is Outcome.SURVIVED


def _after_the_end(ends: str, rest: float, brief: float, span: tuple[float, float], whose: str) -> Claim:
    fails, stays = span
    words = f"another connection{whose} ended less than {(fails + stays) / 2:.2g} s ago"
    boundary = f"{fails:.3g} s after the end fails, {stays:.3g} s survives"
    law = Law(f"{ends} when {words}", [Condition(words, boundary)], ["how long the other was open"])

    def after(rng: Random, pause: float) -> Trial:
        open_for = round(brief * rng.uniform(SHORTER, 1.0), 2)
        return Trial("crowd", clients=2, stagger=round(open_for + pause, 3), rest=rest, patience=open_for)

    def failing(rng: Random) -> Trial:
        return after(rng, fails * rng.uniform(0.1, 1.0))

    claim = Claim(law, failing, lambda rng: after(rng, stays * rng.uniform(1.0, 1.3)))
    claim.counts, claim.name = True, GHOST if whose else ""
    return claim


def _named(number: int, whose: str) -> str:
    """Of two it may be that they are one client's; of more it is how many there are, whosever they are."""
    return LIMIT if number > 2 or not whose else ""


def _at_once(ends: str, number: int, rest: float, brief: float, whose: str) -> Claim:
    words = f"{number} connections{whose} are open at once"
    condition = Condition(words, f"connections: survives {number - 1}, fails {number}")
    law = Law(f"{ends} when {words}", [condition], ["how quickly they follow one another"])

    def failing(rng: Random) -> Trial:
        stagger = round(rng.uniform(0.0, brief / number), 3)
        return Trial("crowd", clients=number + rng.choice((0, 0, 1)), stagger=stagger, rest=rest)

    def surviving(rng: Random) -> Trial:
        if rng.random() < 0.5:
            return Trial("crowd", clients=number - 1, stagger=round(rng.uniform(0, brief), 3), rest=rest)
        stagger = round(brief * rng.uniform(1.5, 2.5), 2)
        return Trial("crowd", clients=number + rng.choice((0, 1)), stagger=stagger, rest=rest, patience=brief)

    claim = Claim(law, failing, surviving)
    claim.counts, claim.name = True, _named(number, whose)
    return claim
