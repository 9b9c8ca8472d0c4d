"""Which element of a list ends the connection, and an element like it that does not.

A message fails by its list, and its neighbour has a list of another length: as they stand nothing in them can be
compared. Where one element is enough, the two are brought to lists of one element each.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from msgspec import Struct

from hangup.experiment.message_values import MISSING, Path, at, join, kind_of_value, neutral, put
from hangup.experiment.minimise import minimise_frames

LONGEST = 64
"""A longer list is not looked into: it may as well be its length."""

LIKE = 4
"""So many harmless elements are tried in its place."""

PARTS = 8
"""So many parts of an element are left away, one by one."""


class Elements(Struct, frozen=True):
    """The element that fails, and one in its place that does not."""

    fails: Any
    survives: Any


def one_element(
    head: bytes, bad: Any, rest: Any, path: Path, values: Sequence[Any]
) -> Generator[bytes, bool | None, Elements | None]:
    """The one element of the list at ``path`` that is enough, in ``rest``, which is otherwise known to survive with a
    harmless list there. ``values`` are harmless messages. None where several are needed, or none."""
    items = at(bad, path)

    def with_items(items: Sequence[Any]) -> bytes:
        return join(head, put(rest, path, list(items)))

    if not isinstance(items, list) or not 0 < len(items) <= LONGEST or (yield with_items(())) is not False:
        return None
    asking = minimise_frames(range(len(items)))
    try:
        chosen = next(asking)
        while True:
            told = False if not chosen else (yield with_items([items[n] for n in chosen]))
            chosen = asking.send(told)
    except StopIteration as stop:
        (first, *more) = stop.value
    fails = items[first]
    if more:
        return None
    for other in _like(fails, [*items[:first], *items[first + 1 :]], at(rest, path), *(at(v, path) for v in values)):
        if (yield with_items([other])) is False:
            return Elements(fails, other)
    if isinstance(fails, dict):
        for key in list(fails)[:PARTS]:
            without = put(fails, (key,), MISSING)
            if (yield with_items([without])) is False:
                return Elements(fails, without)
    return None


def _like(fails: Any, *lists: Any) -> list[Any]:
    """Other elements, those of the same type and with the same parts first, and a plain one."""
    others = [each for items in lists if isinstance(items, list) for each in items if each != fails]
    distinct = list({repr(each): each for each in others}.values())

    def unlike(each: Any) -> tuple[bool, int]:
        both = isinstance(fails, dict) and isinstance(each, dict)
        return kind_of_value(each) != kind_of_value(fails), len(fails.keys() ^ each.keys()) if both else 0

    plain = [] if fails is None or isinstance(fails, dict | list) else [neutral(fails)]
    return [*sorted(distinct, key=unlike)[:LIKE], *plain]
