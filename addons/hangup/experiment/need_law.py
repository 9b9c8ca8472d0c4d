"""The law of a message that needs another before it: what clients who stayed open had said by then, and this one had
not."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from hangup.experiment.arms import Arms, Search
from hangup.experiment.exchanges import Exchange, Said, fresh, related, renamed, values
from hangup.experiment.sequence_law import Finding, finding_of, free_of
from hangup.experiment.sequence_trials import Sequences, said_by
from hangup.experiment.sequences import needed
from hangup.experiment.trial import Case, ClientFrame
from hangup.experiment.verdict import Minimal
from hangup.messages.kind import kind_of
from hangup.wire.frames import TEXT

UNHURRIED = 4.0
"""Messages in a second, where what a server answers may have to be waited for."""

MOST_UNDOING = 6
"""So many kinds of messages are asked whether they undo what is needed."""


def need_law(arms: Arms, minimal: Minimal) -> Search[Finding | None]:
    """Whether the one message that is enough lacks something that clients said before it who stayed open. None where it
    does not; a finding without a pattern where that could not be told."""
    case = arms.case
    frame = next(frame for frame in case.frames if frame.n == minimal.frames[-1])
    last = said_by(frame)
    found = next(iter(_befores(case, frame)), None)
    if found is None:
        return None
    before, theirs = found
    asked = Sequences(arms, minimal.frames)
    asked.known[(last,)] = True
    if not arms.unsure:
        asked.known[()] = False
    helped = yield from asked.ask((*before, last))
    if helped is True and theirs is None:
        # It may have to be answered first.
        slowly = Sequences(arms, minimal.frames, pace=UNHURRIED)
        slowly.known |= {said: fails for said, fails in asked.known.items() if len(said) < 2}
        if (yield from slowly.ask((*before, last))) is False:
            asked, helped = slowly, False
    if helped is True and theirs is not None and theirs != last:
        if (yield from asked.ask((theirs,))) is False:
            return None  # theirs does no harm by itself: it is what the message says
        last = theirs
        helped = yield from asked.ask((*before, last))
    if helped is not False:
        return None if helped else Finding()
    before = yield from _fewest(asked, before, last)
    undone = yield from _undoing(asked, case, frame, before, last)
    others = yield from asked.harmless({*(said.kind for said in (*before, *undone)), last.kind})
    others = (*undone, *others)
    rng = Random(len(before))
    free = yield from free_of(asked, (last,), rng)
    if free:
        free = (yield from asked.ask(renamed((*before, last), rng))) is False
    if not free and any(related(said, last) for said in before):
        return Finding()
    pool = list(_around(before, last, others, free, rng))
    told = [p for p in needed(last, before, undone) if free or not p.valued]
    pattern = yield from asked.told_apart(told, pool)
    if pattern is None:
        return Finding()
    return finding_of(asked, (*before, last), others, pattern, told, free)


def _befores(case: Case, frame: ClientFrame) -> Iterable[tuple[Exchange, Said | None]]:
    """What others said before a message of the kind, and that message; those that said one first, and what is new. And
    what the client itself said only after it."""
    kind, own = said_by(frame).kind, {f.kind for f in case.frames}
    found: list[tuple[bool, int, Exchange, Said | None]] = []
    if case.opening is not None:  # what its protocol begins with
        opening = Said(kind_of(TEXT, case.opening).text, case.opening)
        found.append((False, 0, (opening,), None))
    alike = [i for i, f in enumerate(case.frames) if f.kind == frame.kind and f.n < frame.n]
    if alike:  # the same did no harm earlier on this connection
        before = tuple(said_by(f) for f in case.frames[: alike[-1]])
        found.append((False, len(before), before, said_by(case.frames[alike[-1]])))
    for frames in case.lived:
        said = [said_by(frame) for frame in frames]
        at = next((i for i, each in enumerate(said) if each.kind == kind), None)
        before = tuple(said[: at if at is not None else len(said)])
        if any(each.kind not in own for each in before):
            found.append((at is None, len(before), before, said[at] if at is not None else None))
    earlier = {f.kind for f in case.frames if f.n <= frame.n}
    after = tuple({f.kind: said_by(f) for f in case.frames if f.kind not in earlier}.values())
    if after:
        found.append((True, len(after), after, None))
    found.sort(key=lambda each: (each[0], each[1]))
    return [(before, theirs) for _, _, before, theirs in found]


def _fewest(asked: Sequences, before: Exchange, last: Said) -> Search[Exchange]:
    """Of what comes before, as little as still keeps the connection open."""
    one_each = tuple({said.kind: said for said in before}.values())
    if len(one_each) < len(before) and (yield from asked.ask((*one_each, last))) is False:
        before = one_each
    for said in before:
        if len(before) > 1:
            rest = tuple(each for each in before if each is not said)
            if (yield from asked.ask((*rest, last))) is False:
                before = rest
    return before


def _undoing(asked: Sequences, case: Case, frame: ClientFrame, before: Exchange, last: Said) -> Search[Exchange]:
    """What undoes the one message that is needed, where that was said before it failed: a tip is dropped, a room left.
    The latest before it, of each kind."""
    if len(before) != 1:
        return ()
    needed = [i for i, f in enumerate(case.frames) if f.n < frame.n and said_by(f).kind == before[0].kind]
    since = case.frames[needed[-1] + 1 :] if needed else ()
    kinds = {said_by(f).kind: said_by(f) for f in since if f.n < frame.n and said_by(f).kind != last.kind}
    found = []
    for said in list(kinds.values())[-MOST_UNDOING:]:
        if (yield from asked.ask((*before, said, last))) is True and (yield from asked.ask((*before, said))) is False:
            found.append(said)
    return tuple(found)


def _around(before: Exchange, last: Said, others: Exchange, free: bool, rng: Random) -> Iterable[Exchange]:
    yield (*before, last)
    yield (last, *before)
    for i in range(len(before)):
        yield (*before[:i], *before[i + 1 :], last)
        yield (before[i],)
        yield (before[i], last)
    yield (*before, last, last)
    for x in others:
        yield (x, last)
        yield (x,)
        yield (x, *before, last)
        yield (*before, x, last)
        yield (*before, last, x)
    if free:
        yield (*before, fresh(last, rng))
        yield (*(fresh(said, rng) for said in before), last)
        for said in before:
            for p, q in related(said, last):
                other = tuple(fresh(each, rng, (p,)) if each is said else each for each in before)
                yield (*other, fresh(last, rng, (q,)))
                yield (*before, fresh(last, rng, kept=[path for path in values(last) if path != q]))
