"""Which value sets the messages that the ends follow apart from harmless ones of the same kind?

Every field is looked at in turn, and every way in which its value can differ. What is different each time, as an id or
a time is, differs in harmless messages just as well; what only ever grows is largest in the last message by its nature:
neither tells anything.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import surprise
from hangup.diagnosis.leaves import FIRST, LENGTH, Leaves, decimals, is_empty, leaves, number, parent, size_of, sort_of
from hangup.diagnosis.reactions import EndingContrast
from hangup.humanize import printable
from hangup.recording.connections import Connection
from hangup.recording.traffic import MessageSummary

ENOUGH = 5
"""So many harmless messages there must be to compare with."""

MOST = 0.7
"""The share of the last messages that must have it."""

RARE = 0.35
"""The share of the harmless messages that may have it at most: what fails by chance does no harm now and then."""

READ = 0.7
"""The share of the messages of which the content must be known."""

DECIMALS = 6
"""So many more than all others have are what a sum of floating-point numbers has."""

FORMS = 2
"""Of so many forms at most are the values of a field that is always written alike."""

WORD = 32
"""Characters; of what is longer there are not few values."""

LEAST, LIMIT = 1.0, 6.0
"""Of the strength (natural logarithm of a likelihood ratio), from which on a difference is told, and at most."""

VARIETIES = (
    "null", "missing", "present", "type", "empty", "form", "negative", "never-seen", "decimals", "longer", "larger",
    "smaller",
)  # fmt: skip
"""How a value can differ; of those that differ alike, the first says it best."""

_WORD = re.compile(r"[\w .:/+-]{1,32}")
_DIGITS = re.compile(r"\d+")
_LETTERS = re.compile(r"[^\W\d_]+")
_FIRST_WORD = re.compile(r"[A-Za-z_-]+")


class SaidValues(NamedTuple):
    """A message: its connection, when it was sent (seconds), and its values."""

    conn: int
    at: float
    values: Leaves


class FieldDifference(NamedTuple):
    """A difference. ``words`` names the field and the value; ``hits`` of ``fatal`` last messages have it, ``so`` of
    ``safe`` harmless ones. ``lives`` are the last messages that have it."""

    variety: str
    path: str
    words: str
    strength: float
    hits: int
    fatal: int
    so: int
    safe: int
    lives: list[tuple[Connection, MessageSummary]]

    @property
    def text(self) -> str:
        """In words."""
        where = f"{self.hits} of {self.fatal} last messages" if self.fatal > 1 else "the last message"
        rest = f"{self.so or 'none'} of the {self.safe} of this kind that did no harm"
        return f"{self.words} in {where}, and in {rest}"


Has = Callable[[list[Any] | None], bool]


class _Facet(NamedTuple):
    """A way to differ: whether the values at a path do, that in words, and how likely it is of a harmless message, if
    counting them does not tell."""

    variety: str
    has: Has
    words: str
    chance: float = 0.0
    ranked: bool = False
    """Whether it is to be beyond all harmless ones, of which there is always one that is the outermost."""


def difference(case: Case, contrast: EndingContrast) -> FieldDifference | None:
    """The difference that stands out most, if one does."""
    hits = contrast.found.hits
    kinds = Counter(_kind(case, message) for _, message in hits)
    kind, count = kinds.most_common(1)[0]
    if count < MOST * len(hits):
        return None
    mine = [(life, message) for life, message in hits if _kind(case, message) == kind]
    fatal = [(hit, SaidValues(hit[0].conn, hit[1].at, found)) for hit in mine if (found := leaves(hit[1])) is not None]
    others = harmless(case, contrast, kind)
    safe = [SaidValues(life.conn, m.at, found) for life, m in others if (found := leaves(m)) is not None]
    if len(safe) < max(ENOUGH, READ * len(others)) or len(fatal) < MOST * len(hits):
        return None
    return _strongest(fatal, safe, len(hits))


def _kind(case: Case, message: MessageSummary) -> str:
    """What the messages that are compared have in common. Of a text that is not JSON its first word tells it."""
    shape = message.shape
    if not shape.json:
        word = _FIRST_WORD.match(message.text) if message.opcode == "text" else None
        return f"{message.opcode} {shape.kind or (word[0] if word else '')}"
    return case.ledger.shapes.kinds.get(shape) or shape.text


def harmless(case: Case, contrast: EndingContrast, kind: str) -> list[tuple[Connection, MessageSummary]]:
    """The messages of a kind that arrived and did no harm, as far as they were kept."""
    side = contrast.found.side
    fatal = {life.conn: message.n for life, message in contrast.found.hits}
    ended = {life.conn for life in case.victims}
    found = []
    for life in case.same_route:
        kept = life.traffic.halves[side].kept
        messages = {m.n: m for m in (*life.traffic.opening, *life.traffic.recent) if m.side == side and m.data}
        last = max(messages, default=0)
        # What came after a deadly one nobody read; and the last one of another that ended so may be deadly as well.
        until = fatal.get(life.conn, last if life.conn in ended else last + 1)
        for n, message in messages.items():
            if n < until and message.shape not in kept and _kind(case, message) == kind:
                found.append((life, message))
    return found


def _strongest(
    fatal: Sequence[tuple[tuple[Connection, MessageSummary], SaidValues]], safe: Sequence[SaidValues], all_hits: int
) -> FieldDifference | None:
    paths = list(dict.fromkeys(path for said in (*(said for _, said in fatal), *safe) for path in said.values))
    best: FieldDifference | None = None
    for path in paths:
        for facet in _facets(path, [said for _, said in fatal], safe):
            lives = [hit for hit, said in fatal if facet.has(said.values.get(path))]
            so = sum(facet.has(said.values.get(path)) for said in safe)
            if len(lives) < MOST * all_hits or so > RARE * len(safe) or so > len(lives):
                continue
            chance = max(facet.chance, (so + 0.5) / (len(safe) + 1))
            # So many fields were looked at, each in more than one way.
            strength = surprise(len(lives), all_hits, chance)
            if facet.ranked:
                strength = min(strength, _outermost(len(lives), len(safe))) - 0.7
            strength -= math.log(len(paths)) + 0.7 + so / len(lives)
            seen = FieldDifference(
                facet.variety, path, facet.words, min(strength, LIMIT), len(lives), all_hits, so, len(safe), lives
            )
            if strength >= LEAST and (best is None or _rank(seen) < _rank(best)):
                best = seen
    return best


def _outermost(hits: int, safe: int) -> float:
    """How surprising it is that so many values in a row are beyond all of so many others (natural logarithm)."""
    return math.lgamma(hits + safe + 1) - math.lgamma(hits + 1) - math.lgamma(safe + 1)


def _rank(seen: FieldDifference) -> tuple[float, int, int]:
    return -round(seen.strength), VARIETIES.index(seen.variety), seen.path.count(".")


def _facets(path: str, fatal: Sequence[SaidValues], safe: Sequence[SaidValues]) -> Iterator[_Facet]:
    """The ways in which the values of a path can differ that some of the last ones do."""
    name = "the message" if not path else path if path.startswith("the ") else f"`{printable(path, 60)}`"
    mine, others = ([value for said in some for value in said.values.get(path, ())] for some in (fatal, safe))
    if path in (LENGTH, FIRST):
        yield from (_beyond if path == LENGTH else _never_seen)(path, name, fatal, safe)
        return
    if not mine:
        above = parent(path)
        if all(_holds(said, above) for said in fatal):
            yield _Facet("missing", lambda values: values is None, f"{name} is missing")
        return
    if not others:
        above = parent(path)
        if sum(_holds(said, above) for said in safe) >= ENOUGH:
            yield _Facet("present", lambda values: values is not None, f"{name} is present")
        return
    yield _Facet("missing", lambda values: values is None, f"{name} is missing")
    yield _Facet("null", _any(lambda value: value is None), f"{name} is null")
    yield _Facet("empty", _any(is_empty), f"{name} is empty")
    known = {sort_of(value) for value in others}
    if known - {"null"}:
        sorts = [sort for value in mine if (sort := sort_of(value)) not in known and sort != "null"]
        if sorts:
            yield _Facet("type", _any(lambda value: sort_of(value) in sorts), f"{name} is {sorts[0]}")
    yield from _unlike(path, name, fatal, safe)
    yield _Facet("negative", _any(lambda value: (number(value) or 0.0) < 0), f"{name} is negative")
    yield from _beyond(path, name, fatal, safe)
    yield from _never_seen(path, name, fatal, safe)


def _form(text: str) -> str:
    """What a text is made of: ``2026-11-30T22:58:03.84`` is of the form ``0-0-0A0:0:0.0``."""
    return _LETTERS.sub("A", _DIGITS.sub("0", text))


def _unlike(path: str, name: str, fatal: Sequence[SaidValues], safe: Sequence[SaidValues]) -> Iterator[_Facet]:
    """A form that no other value of the field has, where they have few: a time without fractions, say."""
    theirs, mine = (
        [value for said in some for value in said.values.get(path, ()) if isinstance(value, str)]
        for some in (safe, fatal)
    )
    known = {_form(value) for value in theirs}
    new = {_form(value) for value in mine} - known
    made = any(_DIGITS.search(value) for value in (*mine, *theirs))  # of words and names there are many forms
    if len(theirs) < ENOUGH or not made or len(known) > FORMS or len(new) != 1:
        return
    unlike = next(value for value in mine if _form(value) in new)
    words = f'{name} has another form than usual ("{printable(unlike, 40)}", not "{printable(theirs[-1], 40)}")'
    yield _Facet("form", _any(lambda value: isinstance(value, str) and _form(value) in new), words)


def _holds(said: SaidValues, path: str) -> bool:
    """Whether an object or a list is there for a field to be in."""
    return not path or any(isinstance(value, dict | list) and value for value in said.values.get(path, ()))


def _any(is_so: Callable[[Any], bool]) -> Has:
    return lambda values: values is not None and any(map(is_so, values))


def _beyond(path: str, name: str, fatal: Sequence[SaidValues], safe: Sequence[SaidValues]) -> Iterator[_Facet]:
    """Numbers and lengths that are larger than all others, or smaller."""
    lists = any(isinstance(value, list) for said in fatal for value in said.values.get(path, ()))
    unit = "element" if lists else "character"
    measures: tuple[tuple[str, Callable[[Any], float | None], bool, str], ...] = (
        ("decimals", decimals, True, f"{name} has more than {{}} decimal"),
        ("longer", size_of, True, f"{name} has more than {{}} {unit}"),
        ("larger", number, True, f"{name} is larger than {{}}"),
        ("smaller", number, False, f"{name} is smaller than {{}}"),
    )
    for variety, measure, up, words in measures:
        edge = max if up else min
        theirs = [(said, found) for said in safe if (found := _measured(said, path, measure, edge)) is not None]
        mine = [found for said in fatal if (found := _measured(said, path, measure, edge)) is not None]
        if len(theirs) < ENOUGH or not mine:
            continue
        values = [value for _, value in theirs]
        limit, reach = edge(values), max(values) - min(values)
        # One value that is the outermost tells little by itself; and a few decimals more are no other sort of number.
        margin = DECIMALS if variety == "decimals" else (reach or abs(limit)) if len(fatal) == 1 else 0.0
        past = [(v > limit + margin) if up else (v < limit - margin) for v in mine]
        if sum(past) < MOST * len(fatal) or grows([(said, float(value)) for said, value in theirs]):
            continue
        shown = limit + margin if variety == "decimals" else limit
        ending = "s" if variety in ("decimals", "longer") and shown != 1 else ""
        past_it = _past(measure, limit + margin if up else limit - margin, up)
        yield _Facet(variety, past_it, words.format(_shown(shown)) + ending, ranked=True)


def _measured(
    said: SaidValues, path: str, measure: Callable[[Any], float | None], edge: Callable[[list[float]], float]
) -> float | None:
    found = [size for value in said.values.get(path, ()) if (size := measure(value)) is not None]
    return edge(found) if found else None


def _past(measure: Callable[[Any], float | None], limit: float, up: bool) -> Has:
    def has(value: Any) -> bool:
        size = measure(value)
        return size is not None and (size > limit if up else size < limit)

    return _any(has)


def _shown(value: float) -> str:
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:g}"


def grows(values: Sequence[tuple[SaidValues, Any]]) -> bool:
    """Whether values go one way only as time passes, in each connection or over all: a counter, a clock. Also where
    they change too seldom to see that they do not."""
    in_time = sorted(values, key=lambda pair: pair[0].at)
    by_conn: dict[int, list[Any]] = {}
    for said, value in in_time:
        by_conn.setdefault(said.conn, []).append(value)
    return _goes_one_way([[value for _, value in in_time]]) or _goes_one_way(list(by_conn.values()))


def _goes_one_way(series: Sequence[Sequence[Any]]) -> bool:
    up = down = 0
    for values in series:
        for before, after in zip(values, values[1:], strict=False):
            up += after > before
            down += after < before
    return up + down > 0 and min(up, down) <= 0.15 * (up + down)


def _never_seen(path: str, name: str, fatal: Sequence[SaidValues], safe: Sequence[SaidValues]) -> Iterator[_Facet]:
    """A value that no other message has, of a field that has few."""
    theirs = [(said, values[0]) for said in safe if len(values := said.values.get(path, [])) == 1]
    plain = [(said, value) for said, value in theirs if isinstance(value, str | int)]
    if len(plain) < ENOUGH or len(plain) < len(theirs):
        return
    known: set[Any] = {value for _, value in plain}
    new: set[Any] = {value for said in fatal for value in said.values.get(path, ()) if isinstance(value, str | int)}
    new -= known
    if not new or len(known) > max(2, len(plain) // 3) or not _of_a_sort(known | new):
        return
    if any(_counts(value) for value in known | new) and grows([(said, _key(value)) for said, value in plain]):
        return
    lengths = [(said, len(value)) for said, value in plain if isinstance(value, str)]
    if any(isinstance(value, str) and len(value) > WORD for value in known | new) or (lengths and grows(lengths)):
        return  # no names of something, but text
    one: Any = next(iter(new))
    if sort_of(one) == "a number" and all(value < min(known) or value > max(known) for value in new):
        return  # which is for the larger and the smaller to say
    told = len(new) == 1 and (not isinstance(one, str) or _WORD.fullmatch(one))
    value = str(one).lower() if isinstance(one, bool) else printable(str(one), 34)
    value = f'"{value}"' if isinstance(one, str) and path != FIRST else value
    words = f"{name} is {value}" if told else f"{name} has a value that it never has otherwise"
    yield _Facet("never-seen", _any(_is_one_of(new)), words, _novelty(plain))


def _is_one_of(new: set[Any]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str | int) and value in new


def _of_a_sort(values: set[Any]) -> bool:
    return len({sort_of(value) for value in values}) == 1


def _counts(value: Any) -> bool:
    """Whether it may be a counter's or a clock's: anything with a digit in it."""
    return not isinstance(value, bool) and (not isinstance(value, str) or _DIGITS.search(value) is not None)


def _key(value: Any) -> tuple[Any, ...]:
    """Orders numbers, and texts with numbers in them by these."""
    if not isinstance(value, str):
        return (value,)
    return [int(digits[:30]) for digits in _DIGITS.findall(value)], value


def _novelty(plain: Sequence[tuple[SaidValues, Any]]) -> float:
    """How likely a harmless message has a value that no other connection's have (or, of one, no other message's)."""
    several = len({said.conn for said, _ in plain}) > 1
    where: dict[Any, set[int]] = {}
    for place, (said, value) in enumerate(plain):
        where.setdefault(value, set()).add(said.conn if several else place)
    alone = sum(len(where[value]) == 1 for _, value in plain)
    return (alone + 0.5) / (len(plain) + 1)
