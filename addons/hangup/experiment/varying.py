"""What can be learned by varying the handshake alone: each of its parts in turn, until one lets the connection open,
and how long a header may be.

Trials of a handshake that is refused take milliseconds. So all parts are tried before it is said that nothing that is
known explains it, also where no explanation gains much by any single one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hangup.experiment.arms import Arms, Search
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.factors import VARY, Factor, head_size, largest
from hangup.experiment.handshake_laws import header_size_law
from hangup.experiment.ladder import DONATED, Rung
from hangup.experiment.minimise import minimise_size
from hangup.experiment.trial import Case, Trial
from hangup.experiment.verdict import Minimal, Tried
from hangup.filters.library.headers import SetHeader

LONGEST = 8.0
"""Seconds: of a connection that opens and lives longer, each part of the handshake would cost too much."""

HANDSHAKE = ("no-extensions", "no-subprotocol", "no-origin", "no-cookie", "other-subprotocol", "other-path")
"""Rungs of every ladder that vary a part of the handshake."""

Step = Callable[[Rung], Search[None]]


def vary(arms: Arms, rungs: Sequence[Rung], step: Step) -> Search[Claim | None]:
    """Tries the parts of the handshake that are not tried yet, where it can be they: of a connection that was refused,
    or that ends though nothing is said. Where one helps, the others of the same part are tried too, and what helps is
    put into the order of the factors: the smallest change first. Returns the law of their size, where it is that."""
    case = arms.case
    left = [rung for rung in rungs if _of_handshake(rung.name, case) and rung.name not in arms.named]
    left = [rung for rung in left if rung.make(case) is not None]
    if left and not (yield from _concerned(arms, rungs, step)):
        return None
    helped = _helped(arms)
    for rung in left:
        if case.how == "refused" or not helped or _part(rung.name, case) in helped:
            yield from step(rung)
            helped = _helped(arms)
    if helped:
        _order(arms.named, case)
    if "size" in {part for part, _ in helped} and arms.verdict.minimal is None:
        return (yield from _limit(arms))
    return None


def vary_with_message(arms: Arms, rungs: Sequence[Rung], step: Step) -> Search[Factor | None]:
    """Tries the parts of the handshake where a message ends the connection, and its like did no harm elsewhere: the
    server may have taken offence at what the handshake said before. Returns the smallest change that helps."""
    case, helped = arms.case, _helped(arms)
    left = [rung for rung in rungs if rung.name.startswith(VARY) and rung.name not in arms.named]
    left = [rung for rung in left if _part(rung.name, case)[0] != "path"]  # where it was opened, it is the right one
    trials = [trial for rung in left if (trial := rung.make(case)) is not None]
    if arms.live or arms.known.survived or case.lifetime > LONGEST:
        return None
    if trials and not helped:
        # All at once, where that may be; what comes of them is asked for one by one.
        yield from arms.attempt(trials[0], Counts(), beside=tuple(trials[1:]))
    for rung in left:
        if not helped or _part(rung.name, case) in helped:
            yield from step(rung)
            helped = _helped(arms)
    if not helped:
        return None
    _order(arms.named, case)
    survived = [n for n, t in arms.named.items() if n.startswith(VARY) and t.outcome is Outcome.SURVIVED]
    return case.factors[min(map(_number, survived))]


def _concerned(arms: Arms, rungs: Sequence[Rung], step: Step) -> Search[bool]:
    """Whether it may be the handshake: nothing was opened, or it ends in silence too."""
    case = arms.case
    if case.how == "refused":
        return True
    if arms.live or case.lifetime > LONGEST or any(t.filters and t.counts.survived for t in arms.named.values()):
        return False
    if not case.frames:
        return True
    if "silence" not in arms.named and case.suspect is None:
        for rung in rungs:
            if rung.name == "silence" and rung.make(case) is not None:
                yield from step(rung)
    tried = arms.named.get("silence")
    return tried is not None and tried.outcome is Outcome.FAILED


def _of_handshake(name: str, case: Case) -> bool:
    return name.startswith(VARY) or (case.how == "refused" and (name in HANDSHAKE or name.startswith(DONATED)))


def _part(name: str, case: Case) -> tuple[str, str]:
    """Which part of the handshake a rung varies."""
    if not name.startswith(VARY):
        return name, ""
    factor = case.factors[_number(name)]
    return factor.part, factor.name


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])


def _helped(arms: Arms) -> set[tuple[str, str]]:
    survived = (name for name, tried in arms.named.items() if tried.outcome is Outcome.SURVIVED)
    return {_part(name, arms.case) for name in survived if name.startswith(VARY)}


def _order(named: dict[str, Tried], case: Case) -> None:
    """The factors before all else, in their order: of what helps the first is taken for the cure."""
    places = {factor.filter: i for i, factor in enumerate(case.factors)}
    places = {name: places[f] for name, tried in named.items() for f in tried.filters if f in places}
    ordered = {name: named[name] for name in (*sorted(places, key=lambda n: places[n]), *named)}
    named.clear()
    named.update(ordered)


def _limit(arms: Arms) -> Search[Claim | None]:
    """How long the longest header may be. Where as many other letters are let in, it is not its size."""
    most = largest(arms.case.request)
    if most is None:
        return None
    name, value = most

    def trial(size: int) -> Trial:
        return Trial("size", (str(SetHeader(name=name, value="a" * size)),))

    alike = next((t for n, t in arms.named.items() if n.startswith(f"{VARY}contents-")), None)
    if alike is None or alike.outcome is not Outcome.FAILED:
        return None
    asking = minimise_size(len(value) // 4, len(value))
    try:
        size = next(asking)
        while True:
            outcome = yield from arms.decide(trial(size), Counts())
            size = asking.send(None if outcome is Outcome.UNRESOLVED else outcome is Outcome.FAILED)
    except StopIteration as stop:
        low, high = stop.value
    rest = head_size(arms.case.request) - len(value)
    words = f"survives {low:,} B of {name}, fails {high:,} B (headers of {low + rest:,} B and {high + rest:,} B in all)"
    arms.verdict.minimal = Minimal((), neighbour=words, size_limit=low)
    return header_size_law(arms.case, name, low, high, rest, trial)
