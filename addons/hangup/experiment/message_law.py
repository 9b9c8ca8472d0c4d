"""Laws of messages: what it is about one that ends the connection, whatever of its kind does, or what it lacks."""

from __future__ import annotations

from random import Random
from typing import Any

from msgspec.structs import replace

from hangup.diagnosis import causes
from hangup.experiment.any_message_law import any_message_law
from hangup.experiment.arms import Arms, Search
from hangup.experiment.asking import carry_out
from hangup.experiment.binary_law import binary_law
from hangup.experiment.claim import Claim
from hangup.experiment.content_length_law import content_length_law
from hangup.experiment.early_law import early_law
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.factors import Factor
from hangup.experiment.frame_law import frame_law
from hangup.experiment.isolate import Difference, isolate
from hangup.experiment.ladder import CRASH
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_trials import InPlace, said_by_us
from hangup.experiment.message_values import MISSING, Path, at, kind_path, leaves, named, neutral, put, split
from hangup.experiment.message_values import join as joined
from hangup.experiment.need_law import need_law
from hangup.experiment.nesting_law import nesting_law
from hangup.experiment.sequence_law import sequence_law
from hangup.experiment.spelling_law import spelling_law
from hangup.experiment.text_law import text_law
from hangup.experiment.trial import Trial
from hangup.experiment.verdict import Minimal
from hangup.humanize import printable, with_article
from hangup.recording.redaction.names import is_strong

ARRAYS = (b'[{"hangup":1}]', b"[1,2]", b'["hangup"]', b"[[]]")
"""Arrays that are as different as can be."""

A_FIELD, ITS_TYPE, ITS_CONTENT, CREDENTIALS = (
    causes.known()[name].property
    for name in ("message/schema", "message/unknown-type", CRASH, "identity/token-expired-retry")
)

FIELDS = 6
"""Of a message that says more it is not asked of each value whether it may be another."""

PRELUDE = 5
"""Of more messages it is not asked whether they only lead up to the last."""


def law_of(arms: Arms, minimal: Minimal, *, count: bool = False, prelude: int = 0) -> Search[Claim | None]:
    """The law about the messages of the smallest exchange: which, in which order and how often, and what they say. With
    ``count`` it is how many there are that matters. The first ``prelude`` of them are known only to lead up to the
    others. None where what else it may be could not be told apart."""
    # Before it is put down to what was said before: that may only make it early.
    early = yield from early_law(arms, minimal)
    if early is not None:
        return early
    if not prelude and len(minimal.frames) > 1:
        prelude = yield from _prelude(arms, minimal.frames)
    if len(minimal.frames) > prelude + 1:
        found = yield from sequence_law(arms, minimal, prelude)
        if found.pattern is None:
            arms.untold = True
            return None
        minimal.neighbour = minimal.neighbour or "without any one of these frames it stays open"
        if count or found.free or not found.pattern.ordered:
            return found.claim
        claim = yield from message_law(arms, minimal)
        if claim is not None and claim.difference is not None:
            # What another message says as well may be needed because it is the same.
            if found.shared & {condition.path for condition in claim.difference.conditions}:
                arms.untold = True
                return None
        return claim or found.claim
    if not minimal.frames:
        return None
    if len(minimal.frames) > 1:
        return None if count else (yield from message_law(arms, minimal))
    needs = yield from need_law(arms, minimal)
    if needs is not None:
        arms.untold = needs.pattern is None
        return needs.claim
    if count:
        return (yield from _first_message(arms, minimal))
    return (yield from message_law(arms, minimal))


def _first_message(arms: Arms, minimal: Minimal) -> Search[Claim | None]:
    """That one message is enough, whichever it is; or what it is about this one, where others do no harm."""
    frame = next(f for f in arms.case.frames if f.n == minimal.frames[-1])
    return (yield from law_in_place(said_by_us(arms, minimal, frame), minimal, whichever=True))


def _prelude(arms: Arms, frames: tuple[int, ...]) -> Search[int]:
    """How many of the first messages only lead up to the others: without any one of them it ends as well, in another
    way. The last one never does."""
    if not arms.unsure or len(frames) > PRELUDE:
        return 0
    for count, left in enumerate(frames[:-1]):
        outcome = yield from arms.decide(Trial("frames", frames=tuple(n for n in frames if n != left)), Counts())
        if outcome is not Outcome.UNRESOLVED or not arms.last.another:
            return count
    return len(frames) - 1


def message_law(arms: Arms, minimal: Minimal) -> Search[Claim | None]:
    """What it is about the message that ends the connection; the smallest exchange becomes one that says just that."""
    case = arms.case
    frames = minimal.frames
    frame = next((f for f in case.frames if frames and f.n == frames[-1]), None)
    if frame is None:
        return None
    place = said_by_us(arms, minimal, frame)
    return (yield from frame_law(place)) or (yield from law_in_place(place, minimal))


def law_in_place(place: InPlace, minimal: Minimal, *, whichever: bool = False) -> Search[Claim | None]:
    """The same of a message, however others are put in its place; ``whichever`` as in
    :func:`~hangup.experiment.any_message_law.any_message_law`."""
    if (anything := (yield from any_message_law(place, whichever=whichever))) is not None:
        return anything
    if (length := (yield from content_length_law(place))) is not None:
        return length
    if (spelled := (yield from spelling_law(place))) is not None:
        return spelled
    arms, frame = place.arms, place.frame
    if (deep := (yield from nesting_law(place))) is not None:
        return deep
    # Of a binary one that has no harmless like it may be that it is binary at all.
    path = kind_path(frame.kind, frame.payload)
    if split(frame.payload)[1] is not MISSING and (frame.text or place.kin):
        arms.unsure = False
        found: Difference | None = yield from carry_out(
            arms, lambda: isolate(frame.payload, place.kin, path), place.ask, place.trial
        )
        if found is not None:
            minimal.payload = found.payload
            minimal.opcode = frame.opcode
            shown = printable(found.neighbour[:300].decode(errors="backslashreplace"), 200)
            minimal.neighbour = f"{shown!r} in its place stays open"
            return _of_values(place, found)
        kept: list[Path] | None = []
        if arms.unsure:  # a like of it that nobody can tell of is none that fails
            kept = yield from _not_to_vary(place)
        return None if kept is None else (yield from _of_kind(place, kept))
    if frame.text:
        return (yield from text_law(place))
    return (yield from binary_law(place))


def refined(arms: Arms, minimal: Minimal, claim: Claim) -> Search[Claim | None]:
    """A law that said too much, narrowed: what else sets the message apart from one that did no harm after all."""
    found = claim.difference
    frame = next((f for f in arms.case.frames if minimal.frames and f.n == minimal.frames[-1]), None)
    if found is None or frame is None or not claim.stayed:
        return None
    place = said_by_us(arms, minimal, frame)
    path = kind_path(frame.kind, frame.payload)
    more = yield from carry_out(
        arms, lambda: isolate(found.payload, claim.stayed[:1], path), place.ask, place.trial
    )
    known = {condition.path for condition in found.conditions}
    new = [condition for condition in more.conditions if condition.path not in known] if more is not None else []
    if not new:
        return None
    found.conditions += new
    found.irrelevant = [name for name in found.irrelevant if name not in {named(c.path) for c in new}]
    return _of_values(place, found)


def _of_values(place: InPlace, found: Difference) -> Claim:
    frame, trial = place.frame, place.trial
    conditions = found.conditions
    words = " and ".join(condition.words for condition in conditions)
    kind = with_article(f"`{frame.kind}`") + " message" if frame.kind else "a message"
    sentence = f"{place.ends} on {kind}{place.whose} in which {words}{place.context}"
    law = Law(sentence, conditions, found.irrelevant)

    def fresh(rng: Random, healed: Condition | None) -> Trial:
        makers = {c.path: (c.survives if c is healed else c.fails) for c in conditions}
        new = {path: make(rng) for path, make in makers.items() if make is not None}
        return trial(found.with_values(new, rng.choice([found.base, *found.kin])), "", rng)

    def failing(rng: Random) -> Trial:
        return fresh(rng, None)

    def surviving(rng: Random) -> Trial:
        return fresh(rng, rng.choice(conditions))

    claim = Claim(law, failing, surviving)
    for condition in conditions:
        others = {c.path: c.fails(Random(0)) for c in conditions if c is not condition and c.fails is not None}
        for fails, value in enumerate(condition.edge or ()):
            claim.edges.append((trial(found.with_values({**others, condition.path: value})), bool(fails)))
    claim.difference = found
    paths = [condition.path for condition in conditions]
    if kind_path(frame.kind, frame.payload) in paths:
        claim.property = ITS_TYPE
    elif all(isinstance(c.edge[0], int | float) for c in conditions if c.edge):  # else of a length: it may be a size
        secret = any(isinstance(key, str) and is_strong(key) for path in paths for key in path)
        claim.property = CREDENTIALS if secret else A_FIELD
    return claim


def _not_to_vary(place: InPlace) -> Search[list[Path] | None]:
    """Where a message says what, if that is something else, ends the connection in another way. None where it does no
    harm then, or where that is everything that it says."""
    head, value = split(place.frame.payload)
    path = kind_path(place.frame.kind, place.frame.payload)
    said = [each for each in leaves(value) if each and each != path]
    kept, rng = [], Random(len(place.frame.payload))
    for each in said[:FIELDS]:
        fails = yield from place.ask(joined(head, put(value, each, _other(at(value, each), rng))))
        if fails is False:
            return None
        kept += [each] if fails is None else []
    return kept if len(kept) < len(said) <= FIELDS else None


def _of_kind(place: InPlace, kept: list[Path]) -> Search[Claim | None]:
    """All messages of the kind fail, whatever they say; but for what is ``kept``, of which nobody can tell."""
    frame, trial = place.frame, place.trial
    if not place.others and place.left_out is None:
        return None
    if place.kin and (yield from _spared(place)):
        place.arms.untold = True
        return None
    path = kind_path(frame.kind, frame.payload)
    head, value = split(frame.payload)
    said = f"any `{frame.kind}` message" if frame.kind else "any such message"
    pool, strange = [frame.payload, *place.kin], False
    if path:
        strange = (yield from place.ask(joined(head, put(value, path, "hangup-unheard-of")))) is True
        if strange:
            said = f"a message of a type that the {place.reader} does not know"
            pool += [joined(head, put(value, path, f"hangup-{n}")) for n in range(6)]
    elif isinstance(value, list) and not head and (yield from _whatever_is_in_it(place)):
        said = "any message that is a JSON array"
        pool += ARRAYS
    varied = [p for p in leaves(value) if p and p != path and p not in kept and p not in frame.constant]

    def failing(rng: Random) -> Trial:
        head, value = split(rng.choice(pool))
        for each in varied:
            if rng.random() < 0.5 and at(value, each) is not MISSING:
                value = put(value, each, _other(at(value, each), rng))
        return trial(joined(head, value), "", rng)

    besides = f"; with another {' or '.join(map(named, kept))} it ends in another way" if kept else ""
    sentence = f"{place.ends} on {said}{place.whose}{place.context}{besides}"
    law = Law(sentence, [Condition(said)], [named(each) for each in varied])
    claim = Claim(law, failing, place.harmless)
    if place.kin:
        # What the backend remembers makes the difference, or who says it.
        claim.nameless, claim.though = True, "such messages did no harm in the recording"
    else:
        claim.property = ITS_TYPE if strange else ITS_CONTENT
    return claim


def _spared(place: InPlace) -> Search[bool]:
    """Whether messages of its kind that this client said before are survived, where all is said that led up to them:
    then those that fail in the smallest exchange fail for what was left out of it."""
    arms, frame = place.arms, place.frame
    before = [each for each in arms.case.frames if each.n < frame.n]
    if arms.live or place.whose or not any(each.kind == frame.kind for each in before):
        return False
    trial = Trial("frames", frames=tuple(each.n for each in before))
    return (yield from arms.decide(trial, Counts())) is Outcome.SURVIVED


def _whatever_is_in_it(place: InPlace) -> Search[bool]:
    """Whether other arrays fail as well, where what is no array does no harm."""
    if any(isinstance(split(payload)[1], list) for payload, _ in place.others):
        return False
    for array in ARRAYS[:2]:
        if (yield from place.ask(array)) is not True:
            return False
    return True


def _other(value: Any, rng: Random) -> Any:
    if isinstance(value, bool):
        return rng.random() < 0.5
    if isinstance(value, int):
        return rng.randint(0, max(abs(value), 3))
    if isinstance(value, str):
        return "".join(rng.choice("abcdefghij") for _ in range(max(len(value), 1)))
    return neutral(value)


def with_factor(claim: Claim, factor: Factor) -> Claim:
    """The law of a message, where it also takes a part of the handshake as it is."""
    condition = Condition(f"the handshake as it was, not with {factor.title}", filter=factor.filter)
    sentence = f"{claim.law.sentence}, unless the handshake is changed: {factor.title}"
    law = Law(sentence, [*claim.law.conditions, condition], claim.law.irrelevant)

    def surviving(rng: Random) -> Trial:
        if claim.surviving is not None and rng.random() < 0.25:
            return claim.surviving(rng)
        trial = claim.failing(rng)
        return replace(trial, filters=(*trial.filters, *factor.filter.split(" + ")))

    return Claim(law, claim.failing, surviving)
