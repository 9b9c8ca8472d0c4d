"""What a recorded server can say, and upon what: a script that does not depend on the client doing just the same.

A client that is played to is a live one: it says other things, at other times, more or less often. So what the server
said is taken apart. *Answers* belong to the client's message that they answered (a :class:`Cue`). All else the server
said by itself: such *pushes* run by the clock, each kind of them from where it first began, since a subscription's
news should neither come before the subscription nor end with the next click. The end belongs to a cue when it
followed one at once, and else to the clock.

What answers what is told by values that the client made (an id comes back with its answer, however late), and
otherwise by time, where nearly every message of a kind was followed by that kind of message at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from itertools import islice
from statistics import median

from msgspec import Struct, field

from hangup.messages.heartbeats import recognise
from hangup.messages.json_values import Path, Scalar, get, values
from hangup.messages.skeleton import kind, skeleton
from hangup.recording.formats import Recording
from hangup.replayable.client_script import Hear, Send, Transcript
from hangup.replayable.dynamic_values import Correlation
from hangup.replayable.survey import Survey
from hangup.wire.frames import OPCODE_NUMBERS

NEAR = 0.25
"""An answer that nothing but time gives away comes within so many seconds."""
SLOW = 5.0
"""The first message of its shape still answers the only message of its kind within so many seconds, when nothing else
came between."""
ECHO = 1.0
"""What is equal to the client's message answers it within so many seconds."""
USUAL = 0.8
"""Of the messages of a kind, this share must have been followed by what is to be their answer."""
OFTEN = 0.3
"""Of what is to be an answer, this share must have followed such a message."""
REACTION = 0.2
"""An end that followed the client's last message within this share of the lifetime was caused by it."""
CONSIDERED = 50
"""So many recorded messages of one shape are compared with one of the client's."""
MOST = 300_000
"""So many messages are kept; a longer recording is played up to there."""


class Line(Struct, gc=False):
    """A whole message, a control frame or odd bytes that the server said, ``delay`` seconds after its occasion.

    ``sends`` are its frames, which are said in one go. ``n`` is the first frame's number.
    """

    delay: float
    n: int | None
    opcode: str
    data: bytes | None
    sends: list[Send]


class Cue(Struct, gc=False):
    """A message of the client, with what it set off: its answers, the pushes that began with it, the end perhaps."""

    n: int
    at: float
    opcode: str
    data: bytes | None
    answers: list[Line] = field(default_factory=list)
    pushes: list[Line] = field(default_factory=list)
    ends: bool = False


class ServerHeartbeat(Struct):
    """A heartbeat of the server's own, which goes on beyond the recording: every ``period`` seconds."""

    line: Line
    period: float


class Repertoire:
    """Everything that the server of connection ``conn`` said.

    ``opening`` is what it said by itself from the opening on, and ``cues`` are the client's messages in their order.
    ``last_words`` are said when the server ends the connection, ``ends_after`` seconds after the cue that ``ends``, or
    else after opening; None when it did not end it. ``beats`` are heartbeats that go on beyond the recording.
    """

    def __init__(self, recording: Recording, conn: int, *, correlate: bool = True) -> None:
        transcript = Transcript(recording, conn, "server", correlate=True)
        self.survey: Survey = transcript.survey
        self.conn = conn
        self.correlations: list[Correlation] = self.survey.correlations if correlate else []
        self.opening: list[Line] = []
        self.cues: list[Cue] = []
        self.last_words: list[Send] = []
        self.ends_after: float | None = None
        self.complete = True
        said = self._collect(transcript)
        self._end()
        self._assign(said)
        self.beats = self._beats(said)

    # Reading.

    def _collect(self, transcript: Transcript) -> list[tuple[float, int, Line]]:
        """The server's lines, each with its time and the number of cues before it."""
        said: list[tuple[float, int, Line]] = []
        open_lines: Line | None = None
        closing = False
        for step in transcript.steps():
            if len(said) + len(self.cues) >= MOST:
                self.complete = False
                break
            if type(step) is Hear:
                if step.opcode != "pong":
                    self.cues.append(Cue(step.n, step.at, step.opcode, step.data))
                continue
            assert type(step) is Send
            if closing or step.opcode == "close" or (step.n is None and self._half(step)):
                closing = True
                self.last_words.append(step)
                continue
            if open_lines is not None and step.data and not step.begins and step.opcode != "pong":
                open_lines.sends.append(step)
                continue
            line = Line(0.0, step.n, step.opcode, step.message, [step])
            said.append((step.at, len(self.cues), line))
            if step.data:
                open_lines = line
        return said

    def _half(self, step: Send) -> bool:
        """Whether these bytes are the half frame with which the server left."""
        return self.survey.by == "server" and abs(step.at - self.survey.over) < 1e-9

    # What belongs to what.

    def _assign(self, said: list[tuple[float, int, Line]]) -> None:
        shapes = [_shape(line) for _, _, line in said]
        # Upon the last one the server left, where it would else have answered.
        kinds = Counter(_kind(cue) for cue in self.cues if not cue.ends)
        answering = self._usual(said, shapes, kinds)
        by_value = self._by_value()
        begun: dict[str, int | None] = {}
        firsts = _firsts(self.cues)
        alone = 0  # the number of lines since the latest cue
        before = 0
        for (at, seen, line), shape in zip(said, shapes, strict=True):
            alone = alone + 1 if seen == before else 1
            before = seen
            cue = self.cues[seen - 1] if seen else None
            owner = by_value.find(line, at, seen)
            if owner is None and cue is not None and line.opcode != "ping":
                near = at - cue.at <= NEAR and (_kind(cue), shape) in answering
                slow = shape not in begun and alone == 1 and at - cue.at <= SLOW and kinds[_kind(cue)] == 1
                owner = cue if near or slow else None
            if owner is not None:
                line.delay = at - owner.at
                owner.answers.append(line)
                begun.setdefault(shape, firsts[seen])
                continue
            origin = begun.setdefault(shape, None if line.opcode == "ping" else firsts[seen])
            if origin is None:
                line.delay = at - self.survey.opened
                self.opening.append(line)
            else:
                line.delay = at - self.cues[origin].at
                self.cues[origin].pushes.append(line)

    def _usual(
        self, said: list[tuple[float, int, Line]], shapes: list[str], kinds: Counter[str]
    ) -> set[tuple[str, str]]:
        """Which kinds of cues are usually followed by which shapes at once, or which shapes come in no other way."""
        totals = Counter(shapes)
        near: Counter[str] = Counter()
        followed: Counter[tuple[str, str]] = Counter()
        met: set[tuple[int, str]] = set()
        for (at, seen, _), shape in zip(said, shapes, strict=True):
            cue = self.cues[seen - 1] if seen else None
            if cue is None or at - cue.at > NEAR:
                continue
            near[shape] += 1
            if (seen, shape) not in met:
                met.add((seen, shape))
                followed[_kind(cue), shape] += 1
        return {
            (name, shape)
            for (name, shape), count in followed.items()
            if (count >= USUAL * kinds[name] and (count >= OFTEN * totals[shape] or totals[shape] <= 2))
            or near[shape] == totals[shape] > 1
        }

    def _by_value(self) -> _Owners:
        owners = _Owners(self.correlations or self.survey.correlations)
        for i, cue in enumerate(self.cues):
            owners.add(i, cue)
        return owners

    def _end(self) -> None:
        survey = self.survey
        if survey.by != "server":
            return
        last = self.cues[-1] if self.cues else None
        if last is not None and survey.over - last.at <= max(NEAR, REACTION * survey.lifetime):
            last.ends = True
            self.ends_after = survey.over - last.at
        else:
            self.ends_after = survey.lifetime

    def _beats(self, said: list[tuple[float, int, Line]]) -> list[ServerHeartbeat]:
        """Heartbeats among what the server said by itself."""
        pushed = {id(line) for lines in (self.opening, *(cue.pushes for cue in self.cues)) for line in lines}
        times: dict[str, list[float]] = defaultdict(list)
        lines: dict[str, Line] = {}
        for at, _, line in said:
            if id(line) not in pushed or not _is_beat(line.opcode, line.data):
                continue
            name = _shape(line)
            times[name].append(at)
            lines[name] = line
        found = []
        for name, moments in times.items():
            gaps = [moments[i] - moments[i - 1] for i in range(1, len(moments))]
            if gaps and median(gaps) > 0.05:
                found.append(ServerHeartbeat(lines[name], median(gaps)))
        if not found:
            found += self._engine_beat(lines)
        return found

    def _engine_beat(self, lines: dict[str, Line]) -> list[ServerHeartbeat]:
        """Engine.IO's server says on opening how often it will send its ping, which a short recording may not have."""
        period = 25.0 if self.survey.upgraded else 0.0  # then it was said over HTTP; this is the default
        for line in self.opening:
            if line.data is not None and line.data.startswith(b"0{"):
                said = get(line.data, ("pingInterval",))
                period = said / 1000 if isinstance(said, int) else 0.0
        if period <= 0:
            return []
        known = next((each for each in lines.values() if each.data == b"2"), None)
        ping = Send(0.0, None, "text", b"\x81\x012", begins=True, data=True, size=1, message=b"2")
        return [ServerHeartbeat(known or Line(period, None, "text", b"2", [ping]), period)]


class _Owners:
    """Finds the cue that a message of the server repeats a value of."""

    def __init__(self, correlations: Iterable[Correlation]) -> None:
        self._sources: dict[str, set[Path]] = defaultdict(set)
        self._uses: dict[str, list[Correlation]] = defaultdict(list)
        self._cues: dict[tuple[str, Path, Scalar], tuple[int, Cue]] = {}
        self._unechoed: dict[tuple[str, bytes], deque[tuple[int, Cue]]] = {}
        for each in correlations:
            if not each.use.part:
                self._sources[each.source.kind].add(each.source.path)
                self._uses[each.use.kind].append(each)

    def add(self, i: int, cue: Cue) -> None:
        """A message of the client."""
        if cue.data is None:
            return
        if not _is_beat(cue.opcode, cue.data):
            self._unechoed.setdefault((cue.opcode, cue.data), deque()).append((i, cue))
        if not self._sources:
            return
        name = kind(cue.opcode, cue.data)
        for path in self._sources.get(name, ()):
            value = get(cue.data, path)
            if value is not None:
                self._cues.setdefault((name, path, value), (i, cue))

    def find(self, line: Line, at: float, seen: int) -> Cue | None:
        """The cue that a line says back, or a value of it, among the first ``seen``."""
        if line.data is None:
            return None
        waiting = self._unechoed.get((line.opcode, line.data))
        while waiting and at - waiting[0][1].at > ECHO:
            waiting.popleft()
        if waiting and waiting[0][0] < seen:
            return waiting.popleft()[1]
        for each in self._uses.get(kind(line.opcode, line.data), ()):
            value = get(line.data, each.use.path)
            if value is not None:
                found = self._cues.get((each.source.kind, each.source.path, value))
                if found is not None and found[0] < seen:
                    return found[1]
        return None


def _firsts(cues: list[Cue]) -> list[int | None]:
    """For each number of cues: the latest of them that was the first of its kind."""
    known: set[str] = set()
    firsts: list[int | None] = [None]
    for i, cue in enumerate(cues):
        name = _kind(cue)
        firsts.append(firsts[-1] if name in known else i)
        known.add(name)
    return firsts


def _kind(cue: Cue) -> str:
    return kind(cue.opcode, cue.data or b"")


def _shape(line: Line) -> str:
    if line.data is None:
        return f"{line.opcode or 'bytes'}"
    return skeleton(line.opcode, line.data)


def _is_beat(opcode: str, data: bytes | None) -> bool:
    if opcode == "ping":
        return True
    beat = recognise(OPCODE_NUMBERS.get(opcode, 1), data) if data is not None else None
    return beat is not None and beat.kind == "ping"


class Matcher:
    """Finds for each message of a live client the recorded one that it is: an equal one, else one of the same shape
    (all keys and types), else of the same kind. Of these it is the one that has not come yet and has the most values in
    common, the earliest if there are several; or the last that came, when all have. Text or bytes without a shape are
    matched in their order."""

    def __init__(self, cues: list[Cue]) -> None:
        self._cues = cues
        self._used = bytearray(len(cues))
        self._left = len(cues)
        self._by: tuple[dict[object, deque[int]], ...] = ({}, {}, {})
        self._last: tuple[dict[object, int], ...] = ({}, {}, {})
        for i, cue in enumerate(cues):
            for level, key in enumerate(_keys(cue.opcode, cue.data)):
                self._by[level].setdefault(key, deque()).append(i)

    @property
    def done(self) -> bool:
        """Whether all have come."""
        return self._left == 0

    def match(self, opcode: str, data: bytes | None) -> Cue | None:
        """The recorded message that this one is."""
        keys = _keys(opcode, data)
        for level, key in enumerate(keys):
            waiting = self._by[level].get(key)
            if not waiting:
                continue
            while waiting and self._used[waiting[0]]:
                waiting.popleft()
            candidates = [i for i in islice(waiting, CONSIDERED) if not self._used[i]]
            if candidates:
                return self._take(candidates[0] if level == 0 else self._likest(candidates, data))
        for level, key in enumerate(keys):
            last = self._last[level].get(key)
            if last is not None:
                return self._cues[last]
        return None

    def _likest(self, candidates: list[int], data: bytes | None) -> int:
        if len(candidates) == 1 or data is None:
            return candidates[0]
        said = set(values(data))
        return max(candidates, key=lambda i: (len(said.intersection(values(self._cues[i].data or b""))), -i))

    def _take(self, i: int) -> Cue:
        self._used[i] = 1
        self._left -= 1
        cue = self._cues[i]
        for level, key in enumerate(_keys(cue.opcode, cue.data)):
            self._last[level][key] = i
        return cue


def _keys(opcode: str, data: bytes | None) -> tuple[object, ...]:
    if data is None:
        return (opcode, None), (opcode, ""), (opcode, "")
    return (opcode, data), (opcode, skeleton(opcode, data)), (opcode, kind(opcode, data))
