"""The law of a message that is nested too deep for its reader: a limit of recursion."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

from hangup.experiment.arms import Search
from hangup.experiment.asking import carry_out
from hangup.experiment.claim import Claim
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_trials import InPlace
from hangup.experiment.message_values import MISSING, split
from hangup.experiment.minimise import minimise_size
from hangup.experiment.size_law import sizes_near
from hangup.humanize import with_article

DEEP = 16
"""Levels from which on a message may be nested too deep."""

Chain = list[tuple[Any, str | int]]
"""The objects and lists from the outermost down the deepest way, each with the key of the next."""


def nesting_law(place: InPlace) -> Search[Claim | None]:
    """That law: with levels in the middle left out it stays open. None where it is not nested deep, or ends all the
    same."""
    head, value = split(place.frame.payload)
    chain = _deepest(value) if value is not MISSING else []
    if len(chain) < DEEP:
        return None
    steps = len(chain) - 1

    def of(kept: int) -> bytes:
        return head + _shortened(chain, kept)

    if (yield from place.ask(of(1))) is not False or (yield from place.ask(of(steps))) is not True:
        return None

    def begin() -> Generator[int, bool | None, tuple[int, int]]:
        return minimise_size(1, steps)

    low, high = yield from carry_out(
        place.arms, begin, lambda kept: place.ask(of(kept)), lambda kept: place.trial(of(kept))
    )
    levels = [len(_deepest(json.loads(_shortened(chain, kept)))) for kept in (low, high)]
    kind = with_article(f"`{place.frame.kind}`") + " message" if place.frame.kind else "a message"
    words = f"{kind}{place.whose} is nested {levels[1]:,} levels deep or more"
    boundary = f"survives {levels[0]:,} levels of objects and lists, fails {levels[1]:,}"
    law = Law(f"{place.ends} when {words}{place.context}", [Condition(words, boundary)])
    return sizes_near(law, low, high, lambda kept: place.trial(of(max(1, min(kept, steps)))))


def _deepest(value: Any) -> Chain:
    """The way down to the deepest object or list, without recursion: it may be deeper than Python goes."""
    best: Chain = []
    waiting: list[tuple[Any, Chain]] = [(value, [])]
    while waiting:
        node, way = waiting.pop()
        items = node.items() if isinstance(node, dict) else enumerate(node)
        inner = [(key, each) for key, each in items if isinstance(each, dict | list)]
        if not inner and len(way) >= len(best):
            best = [*way, (node, "")]
        waiting += [(each, [*way, (node, key)]) for key, each in inner]
    return best


def _shortened(chain: Chain, kept: int) -> bytes:
    """The message with the first ``kept`` levels and the last; levels of a form that repeats are left out between."""
    made = chain[-1][0]
    for node, key in reversed(chain[:kept]):
        if isinstance(node, dict):
            made = {name: made if name == key else each for name, each in node.items()}
        else:
            made = [made if place == key else each for place, each in enumerate(node)]
    return json.dumps(made, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")
