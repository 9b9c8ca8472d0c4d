"""The law of a client none of whose messages did no harm: any message ends the connection, or any of its sort."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hangup.experiment.arms import Search
from hangup.experiment.claim import Claim
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_trials import ARM, InPlace
from hangup.experiment.message_values import join, split
from hangup.experiment.trial import Trial
from hangup.filters.library.inject import Inject

Message = tuple[bytes, str]
Sort = Callable[[Random], Message]


def _word(rng: Random) -> str:
    return "".join(rng.choice("abcdefghijklmnop") for _ in range(rng.randint(3, 12)))


JSON, TEXT, BINARY = "JSON", "other text", "binary"

SORTS: dict[str, Sort] = {
    JSON: lambda rng: (join(b"", {"type": _word(rng), "n": rng.randint(0, 999)}), "text"),
    TEXT: lambda rng: (_word(rng).encode(), "text"),
    BINARY: lambda rng: (b"\x00" + rng.randbytes(rng.randint(4, 40)), "binary"),
}
"""Messages that no server knows."""

TOGETHER = {
    frozenset({JSON, TEXT, BINARY}): "any message",
    frozenset({JSON, TEXT}): "any text message",
    frozenset({TEXT, BINARY}): "any message that is not JSON",
    frozenset({BINARY}): "any binary message",
}
"""What they have in common, where these sorts fail and the others do not. Of any other set it is what they say."""

REFUTED = ("message/wrong-opcode", "message/not-json", "message/schema", "message/unknown-type")
"""What it is not where both text and binary messages fail, or JSON and other text."""


def any_message_law(place: InPlace, *, whichever: bool = False) -> Search[Claim | None]:
    """The law, where messages that were never said before end it just as well, and silence does not. None where
    something harmless is known, which tells more, or where it is what the message says. With ``whichever``, what was
    said before this one may not have been harmless: it may have been enough."""
    if place.left_out is None or ((place.kin or place.others) and not whichever):
        return None
    for payload, opcode in place.others[-1:]:
        if (yield from place.ask(payload, opcode)) is not True:
            return None
    rng, own = Random(len(place.frame.payload)), _sort_of(place)
    found: dict[str, bool | None] = {}
    for name in sorted(SORTS, key=lambda name: name != own):
        found[name] = yield from place.ask(*SORTS[name](rng))
        if not found[own]:
            return None  # others of its own sort do no harm
    failing = [name for name, fails in found.items() if fails]
    harmless = [name for name, fails in found.items() if fails is False]
    what = TOGETHER.get(frozenset(failing))
    if what is None:
        return None
    words = f"{what}{place.whose or ' from the client'}"
    law = Law(f"{place.ends} on {words}{place.context}", [Condition(words)], ["what the message says"])

    def fails(rng: Random) -> Trial:
        return place.trial(*SORTS[rng.choice(failing)](rng), rng)

    def survives(rng: Random) -> Trial:
        if harmless and rng.random() < 0.5:
            return place.trial(*SORTS[rng.choice(harmless)](rng))
        return _quiet(place, rng)

    claim = Claim(law, fails, survives)
    claim.refutes = REFUTED if len(failing) > 1 and JSON in failing else ()
    claim.nameless = len(failing) > 1 and not place.arms.case.replied
    return claim


def _quiet(place: InPlace, rng: Random) -> Trial:
    """Nothing is said, or only a ping frame."""
    assert place.left_out is not None
    if rng.random() < 0.5:
        return place.left_out
    ping = Inject(from_="client", send=b"", as_="ping", at=round(rng.uniform(0.0, place.frame.at + 0.1), 2))
    return Trial(ARM, (str(ping),), frames=place.left_out.frames)


def _sort_of(place: InPlace) -> str:
    if not place.frame.text:
        return BINARY
    return JSON if isinstance(split(place.frame.payload)[1], dict | list) else TEXT
