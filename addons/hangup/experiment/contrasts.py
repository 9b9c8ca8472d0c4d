"""Proofs of causes that no filter takes away: two arms that differ in one thing, of which one ends as it was recorded
and the other does not.

What a handler does right after accepting, the pongs that somebody beyond us swallows, a credential that nobody here can
renew: none of them can be cured from the outside. But each can be asked whether the end hangs on it.
"""

from __future__ import annotations

from collections.abc import Generator

from msgspec import Struct
from msgspec.structs import replace

from hangup.experiment.arms import Arms, Search
from hangup.experiment.evidence import Counts, Outcome, fisher
from hangup.experiment.handshakes import CREDENTIALS
from hangup.experiment.ladder import BROKEN_PING, BROKEN_PONG, Rung, quiet
from hangup.experiment.server_side import other_subprotocol
from hangup.experiment.trial import Case, Result, Trial
from hangup.experiment.turns import compare
from hangup.experiment.verdict import PROOF, Tried

NOWHERE = "/hangup-nothing-here"
"""A path at which no server is expected to have anything."""

STEPS = (1.0, 1.4, 0.8, 1.2, 0.9, 1.3, 1.1)
"""How the gap between clients that come one after the other is varied from trial to trial."""

TOGETHER = 0.4
"""Two moments are one when they are nearer than this share of the gap between the clients."""


class Contrast(Struct, frozen=True):
    """What shows one of ``verdicts``. ``cause`` is the arm that must end as it was recorded, None for the unchanged
    exchange; ``without`` must not; ``guards`` must fail as well, or the contrast would say something else. ``words``
    name the two."""

    verdicts: tuple[str, ...]
    words: tuple[str, str]
    cause: Rung | None
    without: Rung
    guards: tuple[Rung, ...] = ()


def _removed(case: Case) -> Trial | None:
    filters = tuple(c.remove for c in case.credentials)
    return Trial("no-credential", filters, otherwise=0.0) if filters else None


def _false(case: Case) -> Trial | None:
    filters = tuple(c.falsify for c in case.credentials)
    return Trial("false-credential", filters) if filters else None


def _past_subprotocol(case: Case) -> Trial | None:
    if case.asked:
        return None  # it is past the handshake as it is, and another name may be what does not get so far
    trial = other_subprotocol(case)
    return replace(trial, arm="past-subprotocol", otherwise=0.0) if trial is not None else None


def _elsewhere(case: Case) -> Trial | None:
    if case.how == "refused" or case.junk:
        return None  # that an HTTP server answers elsewhere shows nothing of a handler that it never came to
    return Trial("elsewhere", (f"path {NOWHERE}",), otherwise=0.0)


CONTRASTS = (
    # The handler of this path does it, and nothing before it: where there is no handler, there is another end.
    Contrast(
        ("server-handler/returns-immediately",),
        ("at the recorded path", "at a path that does not exist"),
        None,
        Rung("elsewhere", "at a path that does not exist", _elsewhere),
        (Rung("silence", "everything from the client blocked", lambda case: Trial("silence", quiet(case))),),
    ),
    # Pongs do not arrive, though pings do: of the one the server takes no notice, of the other it dies.
    Contrast(
        ("heartbeat/control-pong-missing",),
        ("with an invalid pong frame", "with an invalid ping frame"),
        BROKEN_PONG,
        BROKEN_PING,
    ),
    # With the other library's name for it the handshake is past, and what fails next is another thing.
    Contrast(
        ("handshake/subprotocol",),
        ("with the subprotocol that was offered", "with the other one"),
        None,
        Rung("past-subprotocol", "the other GraphQL subprotocol: any different ending counts", _past_subprotocol),
    ),
    # The credential is what the server looks at: without it the end is another, and with any other the same.
    Contrast(
        CREDENTIALS,
        ("with the recorded credential", "with none"),
        None,
        Rung("no-credential", "no credential", _removed),
        (Rung("false-credential", "an invalid credential", _false),),
    ),
)

OF_ONE_MOMENT = ("server-handler/crash-on-own-event",)
"""Verdicts by which all clients go at once, however long each was there."""


def show(arms: Arms, verdict: str) -> Search[None]:
    """Tries to show a cause that nothing cures; the counts are the verdict's."""
    if verdict in OF_ONE_MOMENT:
        yield from _one_moment(arms)
    for contrast in CONTRASTS:
        if verdict in contrast.verdicts:
            yield from _compare(arms, contrast)


def _known(arms: Arms, rung: Rung, trial: Trial) -> Tried:
    """The arm of that, which may have been tried on the ladder."""
    return arms.named.get(rung.name) or arms.add(rung.name, rung.title, trial, Counts())


def _compare(arms: Arms, contrast: Contrast) -> Search[None]:
    case, verdict = arms.case, arms.verdict
    cause = contrast.cause.make(case) if contrast.cause is not None else Trial("control")
    without = contrast.without.make(case)
    if cause is None or without is None:
        return
    tried = _known(arms, contrast.without, without)
    counts = arms.control if contrast.cause is None else _known(arms, contrast.cause, cause).counts
    yield from arms.attempt(without, tried.counts)
    if not tried.counts.survived or not (yield from _guarded(arms, contrast)):
        tried.outcome = Outcome.FAILED if tried.counts.failed else Outcome.UNRESOLVED
        return
    verdict.contrast = contrast.words
    yield from compare(arms, (cause, counts), (without, tried.counts), patient=False)
    tried.outcome = arms.says(tried.counts) or Outcome.UNRESOLVED
    if contrast.cause is not None:
        arms.named[contrast.cause.name].outcome = arms.says(counts) or Outcome.UNRESOLVED


def _guarded(arms: Arms, contrast: Contrast) -> Search[bool]:
    for guard in contrast.guards:
        trial = guard.make(arms.case)
        if trial is None or (guard.name == "silence" and not trial.filters):
            continue
        tried = arms.named.get(guard.name) or arms.add(guard.name, guard.title, trial, Counts())
        while tried.counts.failed < 3 and not tried.counts.survived and tried.counts.unresolved < 2:
            yield from arms.attempt(trial, tried.counts)
        tried.outcome = arms.says(tried.counts) or Outcome.UNRESOLVED
        if tried.outcome is not Outcome.FAILED:
            return False
    return True


def _one_moment(arms: Arms) -> Generator[Trial, Result, None]:
    """Clients that say nothing come one after the other: do they end at one moment, or each at the same age?"""
    case, verdict = arms.case, arms.verdict
    if arms.live or arms.clients > 1 or case.lifetime < 0.3:
        return
    moment, age = Counts(), Counts()
    filters = quiet(case)
    title = "silent clients connect one after the other"
    tried = arms.add("staggered", title, Trial("staggered", filters), moment)
    verdict.cause, verdict.without = moment, age
    verdict.contrast = ("at one moment", "at one age")
    for step in STEPS:
        gap = step * min(1.0, max(0.15, case.lifetime / 6))
        told = Counts()
        yield from arms.attempt(Trial("staggered", filters, clients=3, stagger=gap), told)
        spans = arms.last.spans
        if len(spans) < 3:  # somebody was not let in: then it may be the whole process that goes
            break
        at_once, alike = _together(spans, gap)
        if at_once is None:
            continue
        moment.add(Outcome.FAILED if at_once else Outcome.SURVIVED)
        age.add(Outcome.FAILED if alike else Outcome.SURVIVED)
        if fisher(moment, age) < PROOF or moment.survived > 1:
            break
    tried.outcome = Outcome.FAILED if fisher(moment, age) < PROOF else Outcome.UNRESOLVED


def _together(spans: tuple[tuple[float, float | None], ...], gap: float) -> tuple[bool | None, bool]:
    """Whether those that were there when the first one ended ended with it, None when that was but one; and whether
    they ended at the same age."""
    ended = [(began, end) for began, end in spans if end is not None]
    if not ended:
        return None, False
    first = min(end for _, end in ended)
    near = TOGETHER * gap
    there = [(began, end) for began, end in spans if began < first - near / 4]
    if len(there) < 2:
        return None, False
    at_once = all(end is not None and end - first <= near for _, end in there)
    ages = [end - began for began, end in ended]
    return at_once, len(ages) == len(spans) and max(ages) - min(ages) <= near
