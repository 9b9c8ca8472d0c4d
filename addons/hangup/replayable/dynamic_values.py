"""Values that change from run to run: made by one side, said back by the other.

A session id, a token, a sequence number: the server makes it, the client repeats it. In a new run the server makes
another, and a client that plays a recording must say that one instead. :class:`CorrelationFinder` finds such values in
a recording by themselves; :mod:`hangup.replayable.substitutions` knows in a new run what became of each.

It works in either direction: ``maker`` is the server when a client is replayed, and the client when a server is. A
value is the maker's own only if the other side did not say it first. What is equal by coincidence must not be taken for
a repetition, so a value counts if it is telling (``a81bc81b-dead-4e5d``, ``48213``), if it stands under a key that
says that it is one (``id``, ``seq``, ``token``) on both sides, or if the same two places agree again and again.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable

from msgspec import Struct, field

from hangup.humanize import printable
from hangup.messages.discriminator import SHORT, weight
from hangup.messages.json_values import Path, Scalar, values
from hangup.messages.skeleton import kind
from hangup.recording.events import Handshake, Side
from hangup.replayable.handshake_values import request_values, response_values

VALUES = 50_000
"""So many values of each side are remembered."""
PATTERNS = 500
PLACES = 4
"""So many places of one value are remembered, the latest."""
AGREEMENTS = 3
"""Two places that agree on so many different values belong together, whatever the values look like."""

HANDSHAKE = "handshake"
"""The kind of what the handshake says."""
ELSEWHERE = "over HTTP, before:"
"""The kind of what was said where no recording is, as in the polling before a Socket.IO session is upgraded. All that
is known of it is the key under which it came back."""

_KEY_WORDS = frozenset(
    "id sid uid uuid guid gid pid cid seq sequence token session nonce key cursor offset version rev revision ref ack "
    "number no index ts time timestamp stamp code challenge connection conn socket handle hash etag ticket job epoch "
    "generation secret csrf xsrf auth signature sign tag".split()
)
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SPLITS = tuple(re.compile(pattern) for pattern in (r"[^\s]+", r"[^\s/:,;|&=?#]+", r"[A-Za-z0-9_-]+"))


class Place(Struct, frozen=True):
    """Where a value stands: in messages of a kind, at a path. ``part`` says that it is only a part of what is there."""

    kind: str
    path: Path
    part: bool = False

    @property
    def key(self) -> str:
        """The last name on the path."""
        return next((step for step in reversed(self.path) if isinstance(step, str) and step != "$"), "")

    def __str__(self) -> str:
        path = ".".join(str(step) for step in self.path if step != "$")
        return f"{printable(self.kind, 60)} {printable(path, 80)}"


class Correlation(Struct):
    """Messages of the one side repeat at ``use`` what the other side said at ``source``.

    ``n`` is the frame that said ``example`` first (None: the handshake), ``used_in`` the frame that repeated it, and
    ``count`` how often that happened, with how many ``different`` values.
    """

    name: str
    source: Place
    use: Place
    example: Scalar
    n: int | None
    used_in: int
    count: int = 1
    different: int = 1
    fresh: int = 0

    def summary(self) -> dict[str, object]:
        """For JSON."""
        return {
            "name": self.name,
            "source": str(self.source),
            "source_frame": self.n,
            "use": str(self.use),
            "use_frame": self.used_in,
            "example": self.example,
            "count": self.count,
        }


class _Made(Struct):
    place: Place
    n: int | None
    serial: int


class _SeenValue(Struct):
    correlation: Correlation
    distinct: dict[Scalar, None] = field(default_factory=dict)
    misses: int = 0


class CorrelationFinder:
    """Finds the correlations of one connection: feed it the handshake and all messages in order.

    ``maker`` is whose values are said back by the other side. With ``elsewhere``, the maker had also spoken before,
    out of the recording's sight: then a telling value under a telling key counts even if nobody said it before.
    """

    def __init__(self, maker: Side = "server", *, elsewhere: bool = False) -> None:
        self.maker: Side = maker
        self.elsewhere = elsewhere
        self._made: OrderedDict[Scalar, list[_Made]] = OrderedDict()
        self._own: OrderedDict[Scalar, None] = OrderedDict()
        self._seen: dict[tuple[Place, Place], _SeenValue] = {}
        self._latest: dict[str, int] = {}
        self._serial = 0

    def handshake(self, event: Handshake) -> None:
        """What was asked and answered."""
        asked = request_values(event.request)
        answered = response_values(event.response) if event.response is not None else []
        if self.maker == "server":
            self._say_own(asked)
            self._make(HANDSHAKE, answered, None)
        else:
            self._make(HANDSHAKE, asked, None)
            self._say_own(answered)

    def message(self, side: Side, opcode: str, data: bytes, n: int) -> None:
        """A whole message."""
        found = values(data)
        if not found:
            return
        name = kind(opcode, data)
        if side == self.maker:
            self._make(name, found, n)
        else:
            self._use(name, found, n)

    def found(self) -> list[Correlation]:
        """The correlations, in the order in which they were first used; their names are unique."""
        chosen = [seen.correlation for seen in self._seen.values() if self._accepted(seen)]
        return named(_without_doubles(chosen))

    def _make(self, name: str, found: Iterable[tuple[Path, Scalar]], n: int | None) -> None:
        self._serial += 1
        self._latest[name] = self._serial
        made = self._made
        for path, value in found:
            if value in self._own or not _may_vary(path, value):
                continue
            place = Place(name, path)
            entry = _Made(place, n, self._serial)
            places = made.get(value)
            if places is None:
                made[value] = [entry]
                if len(made) > VALUES:
                    made.popitem(last=False)
            else:
                places[:] = [each for each in places if each.place != place][-(PLACES - 1) :] + [entry]
                made.move_to_end(value)

    def _say_own(self, found: Iterable[tuple[Path, Scalar]]) -> None:
        for _, value in found:
            if value not in self._made:
                self._own[value] = None
                if isinstance(value, str) and len(value) > 8:
                    for part in parts(value):
                        self._own[part] = None
        while len(self._own) > VALUES:
            self._own.popitem(last=False)

    def _use(self, name: str, found: list[tuple[Path, Scalar]], n: int) -> None:
        for path, value in found:
            made = self._made.get(value)
            use = Place(name, path)
            if made is None and self.elsewhere and value not in self._own and telling(value) and _is_key(use.key):
                made = [_Made(Place(ELSEWHERE, (use.key,)), None, 0)]
            if made is not None:
                self._agree(use, made, value, n)
            elif isinstance(value, str) and len(value) > 8:
                for part in parts(value):
                    made = self._made.get(part)
                    if made is not None and telling(part):
                        self._agree(Place(name, path, part=True), made, part, n)
        self._say_own(found)

    def _agree(self, use: Place, made: list[_Made], value: Scalar, n: int) -> None:
        source = max(made, key=lambda each: (_same_key(each.place, use), each.serial))
        key = (source.place, use)
        seen = self._seen.get(key)
        if seen is None:
            if len(self._seen) >= PATTERNS:
                return
            seen = self._seen[key] = _SeenValue(Correlation("", source.place, use, value, source.n, n, 0, 0))
        correlation = seen.correlation
        correlation.count += 1
        if len(seen.distinct) < 8:
            seen.distinct[value] = None
            correlation.different = len(seen.distinct)
        if source.serial == self._latest.get(source.place.kind):
            correlation.fresh += 1
        if telling(value) and not telling(correlation.example):
            correlation.example, correlation.n, correlation.used_in = value, source.n, n

    def _accepted(self, seen: _SeenValue) -> bool:
        correlation = seen.correlation
        if any(telling(value) for value in seen.distinct):
            return True
        if _same_key(correlation.source, correlation.use) == 2:
            return True
        return correlation.different >= AGREEMENTS and correlation.fresh == correlation.count


def _without_doubles(found: list[Correlation]) -> list[Correlation]:
    """One source for each place of use: the one that was right most often."""
    best: dict[Place, list[Correlation]] = {}
    for correlation in found:
        best.setdefault(correlation.use, []).append(correlation)
    kept = []
    for correlation in found:
        rivals = best[correlation.use]
        top = max(rivals, key=lambda each: each.count)
        if correlation is top or correlation.different > 1 or correlation.example != top.example:
            kept.append(correlation)
    return kept


def named(found: list[Correlation]) -> list[Correlation]:
    """Gives each source a name of its own, after its key."""
    names: dict[Place, str] = {}
    taken: set[str] = set()
    for correlation in found:
        name = names.get(correlation.source)
        if name is None:
            stem = re.sub(r"[^\w.-]+", "-", correlation.source.key or correlation.use.key).strip("-") or "value"
            name, number = stem, 2
            while name in taken:
                name, number = f"{stem}-{number}", number + 1
            taken.add(name)
            names[correlation.source] = name
        correlation.name = name
    return found


def _same_key(source: Place, use: Place) -> int:
    """2 when both keys say that they hold the same identifier, 1 when they are alike, else 0."""
    one, two = _words(source.key), _words(use.key)
    if not one or not two:
        return 0
    alike = one == two or one[-len(two) :] == two or two[-len(one) :] == one
    if not alike:
        return 0
    return 2 if one[-1] in _KEY_WORDS and two[-1] in _KEY_WORDS else 1


def _is_key(key: str) -> bool:
    words = _words(key)
    return bool(words) and words[-1] in _KEY_WORDS


def _words(key: str) -> list[str]:
    return [word.lower() for word in _PARTS.findall(key)]


def _may_vary(path: Path, value: Scalar) -> bool:
    last = path[-1] if path else ""
    if type(last) is str and weight(last) >= SHORT and not telling(value):
        return False
    return not (isinstance(value, str) and (len(value) > 4096 or len(value) < 1))


def telling(value: Scalar) -> bool:
    """Whether two sides hardly say this value both by chance."""
    if isinstance(value, str):
        digits = sum(map(str.isdigit, value))
        if digits == len(value):
            return digits >= 4 and not value.endswith("00")
        if not value or any(map(str.isspace, value)):
            return False
        size = len(value)
        return (
            (size >= 8 and digits >= 1) or (size >= 5 and digits >= 3) or (size >= 16 and not _WORDS.fullmatch(value))
        )
    number = abs(value)
    if isinstance(number, float):
        return number > 1 and len(repr(number)) >= 8
    return number >= 1000 and number % 100 != 0


_WORDS = re.compile(r"[A-Za-z]{1,12}(?:[ _./:-][A-Za-z]{1,12})*")


def parts(value: str) -> list[str]:
    """The pieces of a text that could be a value by themselves, the longest first."""
    found: dict[str, None] = {}
    for split in _SPLITS:
        for part in split.findall(value[:4096])[:50]:
            if 5 <= len(part) < len(value):
                found[part] = None
    return list(found)
