"""Which of the client's messages are answered, by kind: learned from the recording, and timed in a live run.

A server's kind answers a client's if nearly each of the server's comes after one of the client's that had none yet, if
nearly each of the client's gets one, and if it comes soon, or the client waits for it. In a live run the oldest
question of a kind is taken to be the one that is answered: where a server answers out of order, single times are wrong
and their mean is right.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from statistics import median
from typing import NamedTuple

import msgspec

from hangup.messages.answers import repeats
from hangup.messages.discriminator import Path, at, read_path
from hangup.messages.kind import Discriminators
from hangup.replay.receiver import Received
from hangup.replayable.client_script import Hear, Send, Step
from hangup.wire.frames import OPCODE_NUMBERS

PATIENT = 10.0
"""Seconds after a message in which what comes may be its answer."""

NEARLY = 0.8
"""The share of a kind's messages that must be answered, and of the answers that must follow one."""

PROMPTLY = 0.25
"""An answer takes no more than this share of the time until the client speaks again,"""

SOON = 0.05
"""or no more than so many seconds."""

PENDING = 10_000
"""So many questions of a connection wait for their answer; more are counted as messages without one."""

LOOKS = 4096
"""So many forms of messages are remembered with their kind."""

_decode = msgspec.json.Decoder().decode

Report = Callable[[str, str, float | None, int], None]
"""Takes a row's type and name, milliseconds (None for what has no answer), and bytes."""


class Exchanges:
    """What is known of a recorded connection's messages.

    ``said`` is the kind of each of the client's, by its frame, ``answers`` which kind of the server's answers which of
    the client's.
    """

    def __init__(self, steps: Iterable[Step]) -> None:
        self._ours, self._theirs = Discriminators(), Discriminators()
        self.said: dict[int, str] = {}
        self.answers: dict[str, str] = {}
        known = [step for step in steps if _message(step) is not None]
        for step in known:
            learner = self._ours if isinstance(step, Send) else self._theirs
            learner.feed(OPCODE_NUMBERS.get(step.opcode, 1), _message(step) or b"")
        kinds = [self._kind(step) for step in known]
        for step, kind in zip(known, kinds, strict=True):
            if isinstance(step, Send) and step.n is not None:
                self.said[step.n] = kind
        self._learn(known, kinds)
        fields = {self._field(step) for step in known if isinstance(step, Hear)} - {""}
        self._paths: list[Path] = [path for field in sorted(fields) if (path := read_path(field)) is not None]
        self._kinds: dict[object, str] = {}

    def _field(self, step: Hear) -> str:
        return self._theirs.kind(OPCODE_NUMBERS.get(step.opcode, 1), step.data or b"").field

    def _kind(self, step: Step) -> str:
        learner = self._ours if isinstance(step, Send) else self._theirs
        return learner.kind(OPCODE_NUMBERS.get(step.opcode, 1), _message(step) or b"").text

    def heard(self, opcode: str, data: bytes | None) -> str:
        """The kind of a message of the server's."""
        if data is None:
            return "compressed"
        look = _look(data, self._paths)
        kind = self._kinds.get(look) if look is not None else None
        if kind is None:
            kind = self._theirs.kind(OPCODE_NUMBERS.get(opcode, 1), data).text
            if look is not None and len(self._kinds) < LOOKS:
                self._kinds[look] = kind
        return kind

    def _learn(self, steps: list[Step], kinds: list[str]) -> None:
        asked: dict[str, int] = {}
        given: dict[str, int] = {}
        for step, kind in zip(steps, kinds, strict=True):
            counts = asked if isinstance(step, Send) else given
            counts[kind] = counts.get(kind, 0) + 1
        spoken = [step.at for step in steps if isinstance(step, Send)]
        found: list[tuple[float, str, str]] = []
        for answer, many in given.items():
            pairs: dict[str, list[_Pair]] = {}
            open_: list[tuple[str, Send]] = []
            for step, kind in zip(steps, kinds, strict=True):
                if isinstance(step, Send):
                    open_.append((kind, step))
                elif kind == answer:
                    open_ = [each for each in open_ if step.at - each[1].at <= PATIENT]
                    pair = _answered(open_, step, spoken)
                    if pair is not None:
                        pairs.setdefault(pair.kind, []).append(pair)
                        open_ = [each for each in open_ if each[1] is not pair.question]
            if sum(map(len, pairs.values())) < NEARLY * many:
                continue
            for question, each in pairs.items():
                # The last one may have been left without its answer by the end.
                if len(each) >= NEARLY * max(asked[question] - 1, 1) and _is_answer(each):
                    named = any(pair.named for pair in each)
                    found.append((median(pair.delay for pair in each) - PATIENT * named, question, answer))
        for _, question, answer in sorted(found):
            self.answers.setdefault(question, answer)


class _Pair(NamedTuple):
    """A question and what may be its answer: seconds until that, and until the client's next message, from the question
    and from the answer. ``named`` says that it repeats the question's id."""

    kind: str
    question: Send
    delay: float
    until_next: float | None
    then_next: float | None
    named: bool


def _answered(open_: list[tuple[str, Send]], step: Hear, spoken: list[float]) -> _Pair | None:
    """Which of the open questions a message may answer: the one whose id it repeats, or else the oldest of the kind
    that was said last."""
    if not open_:
        return None
    naming = [each for each in open_ if repeats(each[1].message or b"", step.data or b"")]
    last = open_[-1][0]
    kind, question = naming[0] if naming else next(each for each in open_ if each[0] == last)
    place = bisect_right(spoken, step.at)
    after = spoken[place] if place < len(spoken) else None
    until, then = (None, None) if after is None else (after - question.at, after - step.at)
    return _Pair(kind, question, step.at - question.at, until, then, bool(naming))


def _is_answer(pairs: list[_Pair]) -> bool:
    """Whether these come as answers do: soon, by the client's pace, or the client goes on as soon as they have come.
    What a server sends by its own clock does neither."""
    if any(pair.named for pair in pairs):
        return True
    gaps = [(p.delay, p.until_next, p.then_next) for p in pairs if p.until_next is not None]
    if not gaps:
        return True
    pace = max(PROMPTLY * median(until or 0.0 for _, until, _ in gaps), SOON)
    return median(delay for delay, _, _ in gaps) <= pace or median(then or 0.0 for _, _, then in gaps) <= pace


def _look(data: bytes, paths: list[Path]) -> object:
    """What two objects have in common that are of one kind: their keys, and what stands where their kinds stood in the
    recording. To compare that takes a tenth of the time of finding the kind. None for what is no object."""
    if data[:1] != b"{":
        return None
    try:
        value = _decode(data)
    except msgspec.DecodeError:
        return None
    said = [at(value, path) for path in paths]
    return (*value, *(each if type(each) in (str, int, bool) else None for each in said))


def _message(step: Step) -> bytes | None:
    if isinstance(step, Send):
        return step.message if step.begins else None
    return step.data if step.opcode in ("text", "binary") else None


class Stopwatch:
    """Watches one connection of a live run and reports its messages; a :class:`~hangup.replay.watcher.Watcher`.

    What is answered is reported when the answer comes, as one exchange; else each message by itself, without a time.
    """

    def __init__(self, exchanges: Exchanges, clock: Callable[[], float], report: Report) -> None:
        self._exchanges = exchanges
        self._clock = clock
        self._report = report
        self._waiting: dict[str, deque[tuple[str, float, int]]] = {}
        self._count = 0
        self.last: tuple[str, float] | None = None
        """The client's last message: its kind, and when it was said."""

    def said(self, step: Send) -> None:
        """The client speaks."""
        if step.opcode == "ping":
            self._ask("pong", "ping", len(step.wire))
        elif step.begins:
            kind = self._exchanges.said.get(step.n or 0, "other")
            self.last = kind, self._clock()
            answer = self._exchanges.answers.get(kind)
            if answer is None or self._count >= PENDING:
                self._report("SEND", kind, None, len(step.wire))
            else:
                self._ask(f"={answer}", kind, len(step.wire))

    def _ask(self, answer: str, kind: str, size: int) -> None:
        self._count += 1
        self._waiting.setdefault(answer, deque()).append((kind, self._clock(), size))

    def heard(self, heard: Received) -> None:
        """The server speaks."""
        if heard.opcode == "pong":
            kind, wanted = "pong", "pong"
        else:
            kind = self._exchanges.heard(heard.opcode, heard.data)
            wanted = f"={kind}"
        size = len(heard.data or b"")
        waiting = self._waiting.get(wanted)
        if not waiting:
            self._report("RECV", kind, None, size)
            return
        question, at, sent = waiting.popleft()
        self._count -= 1
        row = "PING" if wanted == "pong" else "ANSWER"
        self._report(row, f"{question} -> {kind}", 1000 * max(0.0, heard.at - at), sent + size)

    def close(self) -> None:
        """It is over: what is still without an answer gets none any more."""
        for waiting in self._waiting.values():
            for kind, _, size in waiting:
                self._report("SEND", f"{kind} (no answer)", None, size)
        self._waiting.clear()
