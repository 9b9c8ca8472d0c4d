"""The minimiser at work: each of its candidates is an arm, tried until its outcomes speak."""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import product
from typing import TypeVar

from hangup.experiment.arms import Arms, Search
from hangup.experiment.asking import Begin, carry_out
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.exchanges import shared, values
from hangup.experiment.message_law import law_of
from hangup.experiment.message_trials import harmless_kin, stand_ins
from hangup.experiment.message_values import MISSING, split
from hangup.experiment.minimise import Asking, minimise_frames, minimise_payload, minimise_size
from hangup.experiment.sequence_trials import said_by
from hangup.experiment.size_law import LARGE, bare, least_size, of_size, of_this_size, size_law
from hangup.experiment.trial import Case, ClientFrame, Edit, Result, Trial
from hangup.experiment.verdict import Minimal

T = TypeVar("T")
R = TypeVar("R")

PAYLOAD_TRIES = 40

DIFFERENT = 3
"""From so many values on it may be how many there are."""

STAND_INS = 2
"""So many harmless messages are tried in the place of the one that ends it."""


def shrink(arms: Arms, verdict: str, *, count: bool) -> Search[Claim | None]:
    """Finds the smallest exchange that fails for what ``verdict`` says; with ``count`` what matters is how many
    messages there are. Returns the law about the message that matters, where there is one."""
    case = arms.case
    guesses = [f.n for f in ([case.suspect] if case.suspect else []) + case.beats[-1:]]
    whole = tuple(f.n for f in case.frames)
    frames = (yield from _first_so_many(arms, whole)) if count else None
    prelude: tuple[int, ...] = ()
    if frames is None and not count:
        frames = yield from _different_values(arms)
    if frames is None:
        kinds = {f.n: f.kind or f.opcode for f in case.frames}
        prelude = _opener(arms, guesses)
        rest = tuple(n for n in whole if n not in prelude)
        frames = yield from _least(
            arms,
            lambda frames: minimise_frames(frames, dict.fromkeys(guesses), kinds),
            rest,
            lambda kept: _only((*prelude, *kept)),
        )
        if not frames:
            prelude = ()
    prelude = prelude or ((yield from _missed(arms, frames)) if not count else ())
    frames = (*prelude, *frames)
    minimal = arms.verdict.minimal = Minimal(frames)
    if len(frames) > 1 and not arms.unsure:
        minimal.neighbour = "without any one of these frames it stays open"
    if count:
        return (yield from law_of(arms, minimal, count=True))
    if not frames:
        return None
    frame = next(f for f in case.frames if f.n == frames[-1])
    if len(frames) == 1:
        minimal.payload, minimal.opcode = frame.payload, frame.opcode
        minimal.neighbour = "without this frame it stays open"
    alone = len(frames) == 1 + len(prelude)
    if alone and (verdict == "message/oversize" or _large(case, frame)):
        claim = yield from _limit(arms, frame, minimal)
        if claim is not None:
            return claim
    steady = not arms.known.survived
    claim = yield from law_of(arms, minimal, prelude=len(prelude))
    if steady and arms.known.survived:  # it flickers, as was not known before
        claim = yield from law_of(arms, minimal, prelude=len(prelude))
    if len(frames) == 1 and (not frame.text or split(frame.payload)[1] is MISSING):
        yield from _payload(arms, frame, minimal)
    return claim


def _opener(arms: Arms, guesses: list[int]) -> tuple[int, ...]:
    """The client's first message, where the last one alone ended it in another way: a protocol mostly begins with one
    without which nothing else is heard."""
    alone, first = arms.named.get("suspect-only"), arms.case.frames[0].n
    needed = alone is not None and alone.outcome is Outcome.UNRESOLVED and alone.another
    return (first,) if needed and first not in guesses else ()


def _missed(arms: Arms, frames: tuple[int, ...]) -> Search[tuple[int, ...]]:
    """What must lead up to the one message that is left for a harmless one in its place to stay open: without it the
    exchange fails for another reason, which looks the same (a server that knows no client before it has said hello)."""
    case = arms.case
    frame = next((f for f in case.frames if frames == (f.n,)), None)
    before = [f for f in case.frames if frame is not None and f.n < frame.n]
    if frame is None or not before:
        return ()
    for harmless in stand_ins(case, frame)[:STAND_INS]:

        def instead(prelude: tuple[int, ...], said: tuple[bytes, str] = harmless) -> Trial:
            return Trial("frames", frames=(*prelude, frame.n), edits=((frame.n, Edit(*said)),))

        if (yield from arms.decide(instead(()), Counts())) is not Outcome.FAILED:
            continue
        for prelude in dict.fromkeys(((before[0].n,), tuple(f.n for f in before))):
            if (yield from arms.decide(instead(prelude), Counts())) is Outcome.SURVIVED:
                fails = yield from arms.decide(_only((*prelude, frame.n)), Counts())
                return prelude if fails is Outcome.FAILED else ()
    return ()


def _large(case: Case, frame: ClientFrame) -> bool:
    """Whether it is by far larger than what did no harm: then how many it has of something, and how large it is, are
    two things."""
    others = [len(payload) for payload in harmless_kin(case, frame)]
    return len(frame.payload) >= LARGE and len(frame.payload) > 2 * max(others, default=0)


def _only(kept: tuple[int, ...]) -> Trial:
    return Trial("frames", frames=kept)


def _first_so_many(arms: Arms, whole: tuple[int, ...]) -> Search[tuple[int, ...] | None]:
    """The first so many messages that are enough, where it is their number: one less, whichever, is not, and as many
    others are. None where it is not; to try each message by itself would take as many trials as there are messages."""
    low, high = yield from _ask(arms, lambda: minimise_size(0, len(whole)), lambda k: _only(whole[:k]))
    if high - low > 1 or high < 2:
        return None
    kept = whole[:high]
    less = dict.fromkeys(i for i in (1, high // 2, high - 2) if 0 < i < high - 1)
    wanted = [(kept[:i] + kept[i + 1 :], Outcome.SURVIVED) for i in less]
    if high < len(whole):
        wanted.append((whole[:1] + whole[1 - high :], Outcome.FAILED))
    for frames, outcome in wanted:
        found = yield from arms.decide(_only(frames), Counts())
        if found not in (outcome, Outcome.UNRESOLVED):
            return None
    return kept


def _different_values(arms: Arms) -> Search[tuple[int, ...] | None]:
    """One message for each value of a field, of the last one's kind, where so many different ones are enough and fewer
    are not; None where they are not. To find the same by leaving away messages takes a trial for each of them."""
    suspect, case = arms.case.suspect, arms.case
    alone = arms.named.get("suspect-only")
    if suspect is None or alone is None or alone.outcome is not Outcome.SURVIVED:
        return None
    alike = [(f, said_by(f)) for f in case.frames if f.n <= suspect.n and f.own_kind.text == suspect.own_kind.text]
    for path in shared(tuple(said for _, said in alike)):
        first: dict[object, int] = {}
        for frame, said in alike:
            first.setdefault(values(said)[path], frame.n)
        there = tuple(first.values())
        # The last one says something new, and some before it did not.
        if there[-1] != suspect.n or not DIFFERENT <= len(there) < len(alike):
            continue
        if (yield from arms.decide(_only(there), Counts())) is Outcome.FAILED:
            return (yield from _first_so_many(arms, there))
    return None


def fewest(arms: Arms, trial: Trial) -> Search[Trial]:
    """Of a trial that survives by its filters, one with as few of them as still do it."""
    filters = trial.filters

    def make(kept: tuple[int, ...]) -> Trial:
        return Trial(trial.arm, tuple(filters[i] for i in kept), clients=trial.clients)

    asking = minimise_frames(range(len(filters)), guesses=[0])
    answer = False
    kept = next(asking)
    try:
        while True:
            if kept:  # without any of them it fails: that is the control
                answer = (yield from arms.decide(make(kept), Counts())) is Outcome.SURVIVED
            kept = asking.send(answer)
    except StopIteration as stop:
        return make(stop.value)


def _payload(arms: Arms, frame: ClientFrame, minimal: Minimal) -> Search[None]:
    def trial(payload: bytes) -> Trial:
        return Trial("payload", frames=(frame.n,), edits=((frame.n, Edit(payload)),))

    def begin(payload: bytes) -> Asking[bytes]:
        return minimise_payload(payload, text=frame.text, most=PAYLOAD_TRIES)

    survivors: list[bytes] = []
    payload = yield from _least(arms, begin, frame.payload, trial, survivors)
    minimal.payload = payload
    near = min(survivors, key=lambda s: abs(len(s) - len(payload)), default=None)
    if near is not None:
        minimal.neighbour = f"{near[:60].decode(errors='backslashreplace')!r} in its place stays open"


def _limit(arms: Arms, frame: ClientFrame, minimal: Minimal) -> Search[Claim | None]:
    # What leads up to it may be needed for a smaller one to stay open, and the smallest may lack what is read in it.
    earlier = tuple(f.n for f in arms.case.frames if f.n <= frame.n)
    size = len(frame.payload)
    for frames, base in product(dict.fromkeys([(frame.n,), earlier]), _bases(arms.case, frame)):
        least = least_size(base)
        if (yield from arms.decide(of_this_size(frame, of_size(base, least), frames), Counts())) is Outcome.SURVIVED:
            break
    else:
        return None  # however small it is it does not stay open: it is not its size
    if (yield from arms.decide(of_this_size(frame, of_size(base, size), frames), Counts())) is not Outcome.FAILED:
        return None  # as large as it was, but with less in it, it stays open: it is what it says
    low, high = yield from _ask(
        arms, lambda: minimise_size(least, size), lambda each: of_this_size(frame, of_size(base, each), frames)
    )
    minimal.size_limit = low
    minimal.payload = of_size(base, high)
    between = "" if high - low == 1 else f", with {low + 1} to {high - 1} it ends in another way, or inconclusively"
    minimal.neighbour = f"with {low} bytes it stays open{between}"
    most: tuple[int, int] | None = None
    larger = min((each for each in _harmless_sizes(arms.case, frame) if each > size), default=0)
    if larger and (yield from arms.decide(of_this_size(frame, of_size(base, larger), frames), Counts())) is not (
        Outcome.FAILED
    ):
        # A larger one did no harm, and does none: then there is a largest that does.
        _, far = yield from _ask(
            arms,
            lambda: minimise_size(0, larger - size),
            lambda less: of_this_size(frame, of_size(base, larger - less), frames),
        )
        most = larger - far, larger - far + 1
        minimal.size_limit = None
    return size_law(arms.case.ends, frame, base, frames, low, high, most)


def _bases(case: Case, frame: ClientFrame) -> list[bytes]:
    """What a message may say that is to be of any size: the least that one of its kind may have to say. The largest
    that did no harm is the safest; it leaves the least to try, too."""
    smaller = [each for each in harmless_kin(case, frame) if len(each) < len(frame.payload)]
    kin = sorted((each for each in smaller if split(each)[1] is not MISSING), key=len)
    return [*kin[-1:], bare(frame.payload, 0.0), bare(frame.payload, 0.5)]


def _harmless_sizes(case: Case, frame: ClientFrame) -> list[int]:
    """How large the client's messages of the same opcode were that did no harm."""
    own = [len(f.payload) for f in case.frames if f.n < frame.n and f.opcode == frame.opcode]
    return own + [len(payload) for payloads in case.harmless.values() for payload in payloads]


def _least(
    arms: Arms,
    begin: Callable[[T], Asking[T]],
    whole: T,
    make: Callable[[T], Trial],
    survivors: list[T] | None = None,
) -> Search[T]:
    steady = not arms.known.survived
    found = yield from _ask(arms, lambda: begin(whole), make, survivors)
    if steady and arms.known.survived:
        # It flickers, as was not known before: what was survived may have been by luck.
        if survivors is not None:
            survivors.clear()
        smaller = found
        found = yield from _ask(arms, lambda: begin(smaller), make, survivors)
    return found


def _ask(
    arms: Arms, begin: Begin[T, R], make: Callable[[T], Trial], survivors: list[T] | None = None
) -> Generator[Trial, Result, R]:
    def ask(candidate: T) -> Search[bool | None]:
        outcome = yield from arms.decide(make(candidate), Counts())
        if outcome is Outcome.UNRESOLVED:
            arms.unsure = True
        elif outcome is Outcome.SURVIVED and survivors is not None:
            survivors.append(candidate)
        return None if outcome is Outcome.UNRESOLVED else outcome is Outcome.FAILED

    return (yield from carry_out(arms, begin, ask, make))
