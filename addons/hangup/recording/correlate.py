"""Values that change from run to run: made by one side, said back by the other.

A session id, a token, a sequence number: the server makes it, the client repeats it. In a new run the server makes
another, and a client that plays a recording must say that one instead. :class:`Finder` finds such values in a
recording by themselves, :class:`Names` knows in a new run what became of each, and :class:`Pairing` matches what is
said in the new run with what was said in the recording.

It works in either direction: ``maker`` is the server when a client is replayed, and the client when a server is. A
value is the maker's own only if the other side did not say it first. What is equal by chance must not be taken for
a repetition, so a value counts if it is telling (``a81bc81b-dead-4e5d``, ``48213``), if it stands under a key that
says that it is one (``id``, ``seq``, ``token``) on both sides, or if the same two places agree again and again.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, unquote, unquote_plus

from msgspec import Struct, field
from msgspec.structs import replace

from hangup.recording.events import Handshake, Request, Response, Side
from hangup.recording.leaves import KINDS, Path, Scalar, get, kind, replaced, values
from hangup.recording.units import printable

VALUES = 50_000
"""So many values of each side are remembered."""
PATTERNS = 500
PLACES = 4
"""So many places of one value are remembered, the latest."""
PENDING = 1000
"""So many messages of a kind wait for their counterpart."""
AGREEMENTS = 3
"""Two places that agree on so many different values belong together, whatever the values look like."""

HANDSHAKE = "handshake"
"""The kind of what the handshake says."""

_KEY_WORDS = frozenset(
    "id sid uid uuid guid gid pid cid seq sequence token session nonce key cursor offset version rev revision ref ack "
    "number no index ts time timestamp stamp code challenge connection conn socket handle hash etag ticket job epoch "
    "generation secret csrf xsrf auth signature sign tag".split()
)
_NOT_SAID_BACK = frozenset(
    "date server content-type content-length connection upgrade vary via access-control-allow-origin "
    "sec-websocket-accept sec-websocket-extensions sec-websocket-version transfer-encoding keep-alive cache-control "
    "strict-transport-security".split()
)
_NOT_ASKED = frozenset(
    "host connection upgrade sec-websocket-key sec-websocket-version sec-websocket-extensions user-agent accept "
    "accept-encoding accept-language cache-control pragma origin".split()
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


class _Seen(Struct):
    correlation: Correlation
    distinct: dict[Scalar, None] = field(default_factory=dict)
    misses: int = 0


class Finder:
    """Finds the correlations of one connection: feed it the handshake and all messages in order.

    ``maker`` is whose values are said back by the other side.
    """

    def __init__(self, maker: Side = "server") -> None:
        self.maker: Side = maker
        self._made: OrderedDict[Scalar, list[_Made]] = OrderedDict()
        self._own: OrderedDict[Scalar, None] = OrderedDict()
        self._seen: dict[tuple[Place, Place], _Seen] = {}
        self._latest: dict[str, int] = {}
        self._serial = 0
        self._used_places: dict[Place, int] = {}

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
                    for part in _parts(value):
                        self._own[part] = None
        while len(self._own) > VALUES:
            self._own.popitem(last=False)

    def _use(self, name: str, found: list[tuple[Path, Scalar]], n: int) -> None:
        for path, value in found:
            made = self._made.get(value)
            if made is not None:
                self._agree(Place(name, path), made, value, n)
            elif isinstance(value, str) and len(value) > 8:
                for part in _parts(value):
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
            seen = self._seen[key] = _Seen(Correlation("", source.place, use, value, source.n, n, 0, 0))
        correlation = seen.correlation
        correlation.count += 1
        if len(seen.distinct) < 8:
            seen.distinct[value] = None
            correlation.different = len(seen.distinct)
        if source.serial == self._latest.get(source.place.kind):
            correlation.fresh += 1
        if telling(value) and not telling(correlation.example):
            correlation.example, correlation.n, correlation.used_in = value, source.n, n

    def _accepted(self, seen: _Seen) -> bool:
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


def _words(key: str) -> list[str]:
    return [word.lower() for word in _PARTS.findall(key)]


def _may_vary(path: Path, value: Scalar) -> bool:
    last = path[-1] if path else ""
    if last in KINDS and not telling(value):
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


def _parts(value: str) -> list[str]:
    """The pieces of a text that could be a value by themselves, the longest first."""
    found: dict[str, None] = {}
    for split in _SPLITS:
        for part in split.findall(value[:4096])[:50]:
            if 5 <= len(part) < len(value):
                found[part] = None
    return list(found)


# Handshakes.


def request_values(request: Request) -> list[tuple[Path, Scalar]]:
    """What a request says: the segments of its path, its query, its cookies, tokens, subprotocols."""
    found: list[tuple[Path, Scalar]] = []
    where, _, query = request.target.partition("?")
    for i, segment in enumerate(where.split("/")[1:40]):
        if segment:
            found.append((("path", i), unquote(segment)))
    found += [(("query", key), value) for key, value in parse_qsl(query)[:100]]
    for name, value in request.headers:
        if name.lower() not in _NOT_ASKED:
            found += _header_values(name.lower(), value)
    return found


def with_values(request: Request, sets: Mapping[str, str]) -> Request:
    """The request with other values for these query parameters and cookies, wherever it has one of that name."""
    if not sets:
        return request
    path, mark, query = request.target.partition("?")
    pairs = []
    for pair in query.split("&"):
        key, equals, _ = pair.partition("=")
        name = unquote_plus(key)
        pairs.append(f"{key}={quote(sets[name], safe='')}" if equals and name in sets else pair)
    headers = []
    for name, value in request.headers:
        if name.lower() == "cookie":
            cookies = []
            for cookie in value.split(";"):
                key, equals, _ = cookie.partition("=")
                cookies.append(f"{key}={sets[key.strip()]}" if equals and key.strip() in sets else cookie)
            value = ";".join(cookies)
        headers.append((name, value))
    return replace(request, target=path + mark + "&".join(pairs), headers=headers)


def response_values(response: Response) -> list[tuple[Path, Scalar]]:
    """What a response says that a client may repeat: cookies, tokens in headers."""
    found: list[tuple[Path, Scalar]] = []
    for name, value in response.headers:
        if name.lower() not in _NOT_SAID_BACK:
            found += _header_values(name.lower(), value)
    return found


def _header_values(name: str, value: str) -> list[tuple[Path, Scalar]]:
    if name in ("cookie", "set-cookie"):
        pairs = value.split(";") if name == "cookie" else value.split(";")[:1]
        split = [pair.partition("=") for pair in pairs]
        return [(("cookie", key.strip()), text.strip()) for key, _, text in split if text.strip()]
    if name == "sec-websocket-protocol":
        return [((name, i), part.strip()) for i, part in enumerate(value.split(",")) if part.strip()]
    words = value.split()
    if name == "authorization" and len(words) == 2:
        return [((name,), words[1])]
    return [((name,), value)] if value else []


# A new run.


class Names:
    """What the values of a recording are called in a new run.

    ``sets`` gives values by the names of their correlations, whatever the run says. ``used`` tells which correlations
    were of use, with the last value, and ``missing`` the names of those whose value was not known when it was needed.
    """

    def __init__(self, correlations: Iterable[Correlation], sets: Mapping[str, str] | None = None) -> None:
        self._sets = dict(sets or {})
        self._by_source: dict[str, set[Path]] = {}
        self._by_use: dict[str, list[Correlation]] = {}
        self._known: dict[tuple[Place, Scalar], Scalar] = {}
        self._order: deque[tuple[Place, Scalar]] = deque()
        self.used: dict[str, Scalar] = {}
        self.missing: set[str] = set()
        for correlation in correlations:
            source, use = correlation.source, correlation.use
            self._by_source.setdefault(source.kind, set()).add(source.path)
            self._by_use.setdefault(use.kind, []).append(correlation)

    def __bool__(self) -> bool:
        return bool(self._by_use)

    def makes(self, name: str) -> bool:
        """Whether messages of this kind make values."""
        return name in self._by_source

    def pair(self, name: str, recorded: bytes, live: bytes) -> None:
        """``live`` is in the new run what ``recorded`` was in the recording; both are of this kind."""
        for path in self._by_source.get(name, ()):
            old, new = get(recorded, path), get(live, path)
            if old is not None and new is not None:
                self._learn(Place(name, path), old, new)

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
                for part in _parts(value) if isinstance(value, str) else ():
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

    def _now(self, correlation: Correlation, value: Scalar) -> Scalar | None:
        given = self._sets.get(correlation.name)
        new = given if given is not None else self._known.get((correlation.source, value))
        if new is not None:
            self.used[correlation.name] = new
        return new


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
        name = kind(opcode, data)
        if not self._names.makes(name):
            return
        others = self._waiting.get((name, not live))
        if others:
            other = others.popleft()
            self._names.pair(name, *((other, data) if live else (data, other)))
        else:
            self._waiting.setdefault((name, live), deque(maxlen=PENDING)).append(data)
