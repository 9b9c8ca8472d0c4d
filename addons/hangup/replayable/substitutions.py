"""What the values of a recording are called in a new run."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from hangup.messages.json_values import WITHIN, Cut, Path, Scalar, cuts, get, put_in, replaced, values
from hangup.messages.skeleton import kind
from hangup.replayable.dynamic_values import ELSEWHERE, HANDSHAKE, VALUES, Correlation, Place, parts

SMALL = 1024
"""Bytes of a message at most, of which that is worth it."""

RECIPES = 4096
"""Of so many small messages of a recording it is remembered where their values stand."""

PENDING = 1000
"""So many messages of a kind wait for their counterpart."""


class Recipe(NamedTuple):
    """How a message of the recording is said in a new run, whatever the values are then: which correlation gives the
    value at which place, what was recorded there, and what stands around."""

    slots: list[tuple[Correlation, Path, Scalar]]
    cuts: list[Cut]
    rest: str


class Uses:
    """What is the same of correlations in all runs: by what makes the values, and by what says them back."""

    def __init__(self, correlations: Iterable[Correlation]) -> None:
        self.by_source: dict[str, set[Path]] = {}
        self.by_use: dict[str, list[Correlation]] = {}
        for correlation in correlations:
            source, use = correlation.source, correlation.use
            self.by_source.setdefault(source.kind, set()).add(source.path)
            self.by_use.setdefault(use.kind, []).append(correlation)
        self.elsewhere = frozenset(path[-1] for path in self.by_source.pop(ELSEWHERE, ()))
        self.marks = _marks(self.by_source)
        self._recipes: dict[tuple[str, bytes], Recipe | None] = {}

    def recipe(self, opcode: str, data: bytes) -> Recipe | None:
        """The recipe for a message; None where it has none, and must be looked into."""
        key = (opcode, data)
        if key in self._recipes:
            return self._recipes[key]
        made = self._made(opcode, data)
        if len(self._recipes) < RECIPES and len(data) <= SMALL:
            self._recipes[key] = made
        return made

    def _made(self, opcode: str, data: bytes) -> Recipe | None:
        uses = self.by_use.get(kind(opcode, data), [])
        if len(data) > SMALL or any(each.use.part or WITHIN in each.use.path for each in uses):
            return None
        found = [(each, each.use.path, get(data, each.use.path)) for each in uses]
        slots = [(each, path, value) for each, path, value in found if value is not None]
        return Recipe(slots, *cuts(data, tuple({path for _, path, _ in slots})))


class Names:
    """What the values of a recording are called in a new run.

    ``sets`` gives values by the names of their correlations, whatever the run says. ``used`` tells which correlations
    were of use, with the last value, and ``missing`` the names of those whose value was not known when it was needed.
    """

    def __init__(self, correlations: Iterable[Correlation] | Uses, sets: Mapping[str, str] | None = None) -> None:
        self._sets = dict(sets or {})
        self._uses = uses = correlations if isinstance(correlations, Uses) else Uses(correlations)
        self._by_source, self._by_use, self._marks = uses.by_source, uses.by_use, uses.marks
        self._elsewhere = set(uses.elsewhere)
        self._known: dict[tuple[Place, Scalar], Scalar] = {}
        self._order: deque[tuple[Place, Scalar]] = deque()
        self.used: dict[str, Scalar] = {}
        self.missing: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._by_use)

    def makes(self, name: str) -> bool:
        """Whether messages of this kind make values."""
        return name in self._by_source

    def may_make(self, data: bytes) -> bool:
        """Whether a message may make a value: False where it has the key of none. Quick, for each message that is
        heard."""
        return self._marks is None or self._marks.search(data) is not None

    def pair(self, name: str, recorded: bytes, live: bytes) -> None:
        """``live`` is in the new run what ``recorded`` was in the recording; both are of this kind."""
        for path in self._by_source.get(name, ()):
            old, new = get(recorded, path), get(live, path)
            if old is not None and new is not None:
                self._learn(Place(name, path), old, new)

    def overhear(self, data: bytes) -> None:
        """The maker said this; it may be what it said elsewhere in the recording."""
        if not self._elsewhere:
            return
        for path, value in values(data):
            if path and path[-1] in self._elsewhere:
                self._elsewhere.discard(path[-1])
                self._known[Place(ELSEWHERE, (path[-1],)), ""] = value

    def pair_values(self, recorded: list[tuple[Path, Scalar]], live: list[tuple[Path, Scalar]]) -> None:
        """The same for handshakes."""
        said = dict(live)
        paths = self._by_source.get(HANDSHAKE, ())
        for path, old in recorded:
            if path in paths and path in said:
                self._learn(Place(HANDSHAKE, path), old, said[path])

    def _learn(self, place: Place, old: Scalar, new: Scalar) -> None:
        key = (place, old)
        if key not in self._known:
            self._order.append(key)
            if len(self._order) > VALUES:
                self._known.pop(self._order.popleft(), None)
        self._known[key] = new

    def wants(self, name: str) -> bool:
        """Whether messages of this kind say such values back."""
        return name in self._by_use

    def rewrite(self, opcode: str, data: bytes) -> bytes:
        """The message as it must be said in the new run."""
        recipe = self._uses.recipe(opcode, data)
        if recipe is not None:
            return self._by_recipe(recipe, data)
        uses = self._by_use.get(kind(opcode, data))
        if not uses:
            return data
        changes: dict[Path, Scalar] = {}
        settled: set[Path] = set()
        wanting: dict[Path, str] = {}
        for correlation in uses:
            use = correlation.use
            value = changes.get(use.path)
            if value is None:
                value = get(data, use.path)
            if value is None or (use.path in settled and not use.part):
                continue
            if use.part:
                for part in parts(value) if isinstance(value, str) else ():
                    new = self._now(correlation, part)
                    if new is not None and isinstance(value, str):
                        value = value.replace(part, str(new))
                        changes[use.path] = value
                continue
            new = self._now(correlation, value)
            if new is None:
                wanting[use.path] = correlation.name
            else:
                settled.add(use.path)
                changes[use.path] = new
        self.missing.update(name for path, name in wanting.items() if path not in settled)
        return replaced(data, changes)

    def _by_recipe(self, recipe: Recipe, data: bytes) -> bytes:
        changes: dict[Path, Scalar] = {}
        wanting: dict[Path, str] = {}
        for correlation, path, value in recipe.slots:
            if path in changes:
                continue
            new = self._now(correlation, value)
            if new is None:
                wanting[path] = correlation.name
            else:
                changes[path] = new
        if wanting:
            self.missing.update(name for path, name in wanting.items() if path not in changes)
        return put_in(changes, recipe.cuts, recipe.rest) if changes else data

    def _now(self, correlation: Correlation, value: Scalar) -> Scalar | None:
        given = self._sets.get(correlation.name)
        source = correlation.source
        new: Scalar | None = given
        if new is None:
            new = self._known.get((source, "" if source.kind == ELSEWHERE else value))
        if new is not None:
            self.used[correlation.name] = new
        return new


def _marks(sources: Mapping[str, set[Path]]) -> re.Pattern[bytes] | None:
    """Finds a key of each place at which a value is made, and what may be one in other letters; None where a place has
    no key, or one that JSON might spell otherwise."""
    found: set[bytes] = set()
    for name, paths in sources.items():
        for path in paths if name != HANDSHAKE else ():
            key = next((step for step in reversed(path) if isinstance(step, str) and step != WITHIN), "")
            if not key.isascii() or not key.isidentifier():
                return None
            found.add(key.encode())
    return re.compile(b"|".join([rb"\\u", *sorted(found)]))


class Pairing:
    """Pairs what the maker says in a new run with what it said in the recording: of each kind the first with the
    first, the second with the second, in whatever order the kinds come."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._waiting: dict[tuple[str, bool], deque[bytes]] = {}

    def recorded(self, opcode: str, data: bytes) -> None:
        """The next message of the recording."""
        self._add(opcode, data, live=False)

    def live(self, opcode: str, data: bytes) -> None:
        """The next message of the new run."""
        self._add(opcode, data, live=True)

    def _add(self, opcode: str, data: bytes, *, live: bool) -> None:
        if not self._names.may_make(data):
            return
        name = kind(opcode, data)
        if not self._names.makes(name):
            return
        others = self._waiting.get((name, not live))
        if others:
            other = others.popleft()
            self._names.pair(name, *((other, data) if live else (data, other)))
        else:
            self._waiting.setdefault((name, live), deque(maxlen=PENDING)).append(data)
