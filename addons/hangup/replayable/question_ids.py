"""Questions that are answered by their ids, as JSON-RPC's and Phoenix's are: each answer says at one place what its
question says there. Then one that says something else there answers nothing, whatever else it says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from hangup.messages.content import load
from hangup.replayable.hearing import Heard

Id = str | int

ENOUGH = 4
"""So many questions must have been asked."""

MOSTLY = 0.6
"""The share of them of which an answer has the same id."""

SELDOM = 0.05
"""The share of them at most whose id was used before on the same connection."""


def ids(heard: Heard) -> dict[Id, Id]:
    """What may be an id in a message: the texts and whole numbers at its top, by key or place."""
    value = load(heard.data) if heard.data is not None and heard.opcode == "text" else None
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {place: each for place, each in pairs if type(each) in (str, int)}


def id_place(conversations: Iterable[Sequence[Heard]], asks: Callable[[Heard], bool]) -> Id | None:
    """Where questions have their ids and answers repeat them: a key, or a place in a list. None where they have none.
    ``asks`` tells the client's questions from all else that was heard."""
    asked, again, answered = Counter[Id](), Counter[Id](), Counter[Id]()
    for conversation in conversations:
        said: set[tuple[Id, Id]] = set()
        waiting: set[tuple[Id, Id]] = set()
        for heard in conversation:
            for place, value in ids(heard).items():
                if not heard.client:
                    answered[place] += (place, value) in waiting
                    waiting.discard((place, value))
                elif asks(heard):
                    asked[place] += 1
                    again[place] += (place, value) in said
                    said.add((place, value))
                    waiting.add((place, value))
    able = [
        place
        for place, count in asked.items()
        if count >= ENOUGH and again[place] <= SELDOM * count and answered[place] >= MOSTLY * count
    ]
    return max(able, key=lambda place: answered[place], default=None)
