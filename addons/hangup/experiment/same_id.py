"""Laws of two connections with one id: where each has an id of its own, both stay open.

What a client calls itself may stand in its handshake or in a message, and often in both. So a trial replaces a value
wherever the client says it, by another for each connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from hangup.experiment.arms import Arms, Search
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_values import says_kind
from hangup.experiment.trial import Case, Trial
from hangup.experiment.verdict import PROOF
from hangup.filters.library.target import UniqueId
from hangup.messages.discriminator import path_text
from hangup.messages.json_values import values
from hangup.replayable.handshake_values import request_values

COLLISION = "identity/id-collision"

GAP = 0.25
"""Seconds from one client to the next, where they come one after the other."""

IDS = 6
"""So many values are tried as the id."""

MESSAGES = 12
"""So many of the client's first messages are looked at: who it is, it says early."""

LONG = 3
"""A value of fewer characters is replaced at its place only: it may stand for something else elsewhere."""

_NAME = re.compile(
    r"(^|[_.\-\s])(u?u?id|name|user|device|client|session|sid|token|account|player|member|station|peer|login|email)s?$|"
    r"[a-z0-9](Id|ID|Uid|Uuid|UUID|Name|Token|Session)$",
)
"""What a place is called at which an id stands."""


class Identity(Struct, frozen=True):
    """A value that may be what the client is known by, in words, and the filter that gives each connection another."""

    words: str
    filter: str
    frames: tuple[int, ...] = ()
    """Where it is said in messages alone: the numbers of those."""


def identities(case: Case) -> list[Identity]:
    """The values that may be what the server knows the client by, the likeliest first."""
    places: dict[str, list[_Place]] = {}
    for place in (*_in_request(case), *_in_messages(case)):
        places.setdefault(place.value, []).append(place)
    ranked = sorted(places.values(), key=lambda found: -max(p.likely for p in found) - (len(found) > 1))
    return [
        Identity(found[0].words, str(found[0].own), tuple(dict.fromkeys(p.frame for p in found if p.frame)))
        if found[0].frame
        else Identity(found[0].words, str(found[0].own))
        for found in ranked[:IDS]
    ]


class _Place(Struct, frozen=True):
    """A value at a place: what it is called, the filter that replaces it, and the number of the message, 0 for the
    handshake."""

    value: str
    words: str
    own: UniqueId
    likely: float
    frame: int = 0


def _in_request(case: Case) -> Iterator[_Place]:
    last = case.request.target.partition("?")[0].count("/")
    for place, value in reversed(request_values(case.request)):
        text, part, name = str(value), str(place[0]), str(place[-1])
        whole = UniqueId(value=text) if len(text) >= LONG and text.isascii() else None
        if part == "path":
            segment = int(place[1]) + 1
            at = UniqueId() if segment == last > 1 else UniqueId(segment=segment)
            # The first parts of a path are mostly names of what is asked for, and the last one of who asks.
            yield _Place(text, f"`{text}` in the path", whole or at, 2.0 if segment == last > 1 else 0.0)
        elif part == "query":
            yield _Place(text, f"`{name}`", whole or UniqueId(query=name), _likely(name))
        elif whole is not None:
            words = f"cookie `{name}`" if part == "cookie" else f"{name.title()} header"
            yield _Place(text, words, whole, _likely(name))


def _in_messages(case: Case) -> Iterator[_Place]:
    for frame in case.frames[:MESSAGES]:
        for place, value in values(frame.payload):
            text = str(value)
            plain = isinstance(value, str | int) and len(text) >= LONG and text.isascii() and " " not in text
            if plain and text not in (frame.kind, *frame.kind.split(":")) and not says_kind(frame.kind, place, value):
                yield _Place(text, f"`{path_text(place)}`", UniqueId(value=text), _likely(str(place[-1])), frame.n)


def _likely(name: str) -> float:
    return 2.0 if _NAME.search(name) else 0.0


def same_id(arms: Arms) -> Search[Claim | None]:
    """The law of two connections with one id, where with an id of its own each stays open. To be asked when two at
    once fail, and one alone does not."""
    case = arms.case
    if arms.live or arms.clients < 2:
        return None
    for each in identities(case):
        counts = Counts()
        own = Trial("own-id", (each.filter,), clients=2)
        if (yield from arms.decide(own, counts)) is not Outcome.SURVIVED or not arms.last.acted:
            continue
        who = yield from who_ends(arms)
        arms.clients = 1  # from here on a trial says itself how many there are
        if (yield from arms.decide(Trial("alone"), Counts())) is not Outcome.SURVIVED:
            return None
        verdict = arms.verdict
        if not verdict.cure or verdict.p >= PROOF:
            verdict.cure, verdict.contrast = each.filter, None
            verdict.cause, verdict.without = arms.control, counts
        return of_id(case, each, who)
    return None


def who_ends(arms: Arms) -> Search[str]:
    """Which of two that come one after the other is ended, in words; empty where that varies."""
    older = newer = 0
    for _ in range(2):
        yield from arms.attempt(Trial("one-after-the-other", clients=2, stagger=GAP), Counts())
        spans = arms.last.spans
        if len(spans) == 2:
            ended = [end is not None for _, end in spans]
            older += ended == [True, False]
            newer += ended == [False, True]
    return "the older connection" if older == 2 else "the newer connection" if newer == 2 else "a connection"


def of_id(case: Case, each: Identity, who: str) -> Claim:
    words = f"two connections with the same {each.words} are open at once"
    condition = Condition(words, filter=each.filter)
    sentence = f"the server drops {who} when {words}; with different ones, both stay open"
    law = Law(sentence, [condition], ["what the client sends"])

    def some(rng: Random) -> tuple[int, ...]:
        numbers = [frame.n for frame in case.frames]
        return tuple(sorted({*rng.sample(numbers, rng.randint(0, len(numbers))), *each.frames}))

    def failing(rng: Random) -> Trial:
        return Trial("id", frames=some(rng), clients=rng.choice((2, 2, 3)), stagger=round(rng.uniform(0, GAP), 2))

    def surviving(rng: Random) -> Trial:
        if rng.random() < 0.3:
            return Trial("id", frames=some(rng))
        return replace(failing(rng), filters=(each.filter,))

    claim = Claim(law, failing, surviving)
    claim.counts, claim.name = True, COLLISION
    return claim
