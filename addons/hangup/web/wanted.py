"""What is looked for among events: the fields of a search, and the test that they make together.

Most lines of a recording do not fit and need not be decoded to tell: a :class:`Screen` looks at their bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

from msgspec import Struct

from hangup.errors import FilterError
from hangup.filters.json_test import parse_test, parse_text_test, required
from hangup.filters.patterns import TooLong
from hangup.messages.content import load
from hangup.messages.kind import kind_of, selects
from hangup.recording.events import AnyEvent, Frame, Handshake, Log, Note, Part, Raw
from hangup.web import wording
from hangup.web.query import RecordingQuery
from hangup.wire.frames import BINARY, TEXT

SEARCH = 0.2
"""Seconds that a search takes before it answers, and is asked to go on."""

Fits = Callable[[AnyEvent], bool]

_FRAME = b'{"kind":"frame"'
_AS_IT_IS = re.compile(r"[A-Za-z0-9 _.,:;=!?@#$%*()\[\]{}|~-]+")
"""What every program writes into JSON as it is."""

FOLDED = {"k": b"\xe2\x84\xaa", "i": b"\xc4\xb0"}
"""Letters that are ASCII in lower case and are not in upper case: the Kelvin sign, the I with a dot."""


class Wanted(RecordingQuery):
    """What an event must be; what is not given may be anything.

    ``opcode`` may also be ``heartbeat``, or the kind of what is no frame (``log``, ``filter``, ``end``, …); ``kind`` is
    that of messages, as filters have it; ``text`` is looked for in whole messages, in any case of its letters; ``path``
    is a test on JSON as filters have it. Whether an event is a heartbeat the index knows: :meth:`fits` does not look.
    """

    side: str = ""
    opcode: str = ""
    kind: str = ""
    text: str = ""
    path: str = ""
    problems: bool = False

    def fits(self) -> Fits:
        """The test of an event. Raises :class:`FilterError` for a path or a kind that is none."""
        path = self.path.strip()
        test = parse_test(path) if path else None
        kind = self._kind()
        needle = self.text.lower()
        side, opcode = self.side, self.opcode
        if not (side or opcode or self.problems or kind or needle) and test is not None:
            return _of_json(test, parse_text_test(path))
        if not (side or opcode or self.problems or kind or test):
            return partial(has, needle) if needle else lambda event: True

        def fits(event: AnyEvent) -> bool:
            if side and getattr(event, "side", None) != side:
                return False
            if opcode and opcode != "heartbeat":
                if opcode != (event.opcode if isinstance(event, Frame) else wording.kind(event)):
                    return False
            if self.problems and not getattr(event, "problems", None):
                return False
            if kind is not None and ((said := message_of(event)) is None or not kind(*said)):
                return False
            if test is not None and not (isinstance(event, Frame) and test(_Item(data_of(event)))):
                return False
            return not needle or has(needle, event)

        return fits

    def problem(self, error: Exception) -> str:
        """What is wrong with what was asked for, in a line for people."""
        if isinstance(error, TooLong):
            return f"{self.path}: searching for this takes far too long"
        return str(error).removeprefix("json=")

    def _kind(self) -> Callable[[int, bytes], bool] | None:
        if not self.kind:
            return None
        try:
            return selects(self.kind)
        except ValueError as error:
            raise FilterError(str(error)) from None

    def screen(self) -> Screen:
        """What tells by their bytes which lines may fit."""
        marks = [f'"{self.side}"'.encode()] if self.side else []
        if self.opcode not in ("", "text", "heartbeat"):
            marks.append(f'"{self.opcode}"'.encode())
        if self.problems:
            marks.append(b'"problems"')
        needle = _plain(self.text.lower())
        if needle:
            signs = [sign for letter, sign in FOLDED.items() if letter in needle]
            return Screen([needle.encode(), b'base64"', b'"close"', *signs], marks)
        needle = _plain(required(self.path.strip()))
        # An escape within the payload is written with two backslashes: there anything may be meant.
        return Screen([needle.encode(), b'base64"', *_ESCAPED] if needle else [], marks)


_ESCAPED = (b"\\\\", b"\\u005c")
"""A backslash, as it is written in JSON."""


def _plain(text: str) -> str:
    """The longest part of a text that stands in any JSON as it is, in lower case."""
    return max(_AS_IT_IS.findall(text), key=len, default="").lower()


def _of_json(test: Callable[[Any], bool], of_text: Callable[[str], bool]) -> Fits:
    """Whether a frame's message fulfils a test on JSON."""

    def fits(event: AnyEvent) -> bool:
        if not isinstance(event, Frame):
            return False
        text = event.text if event.message is None else event.message
        return of_text(text) if text is not None and event.message_base64 is None else test(_Item(data_of(event)))

    return fits


class Screen:
    """Tells lines that cannot fit, without decoding them: those of frames that have none of the ``terms``, if there are
    any, or not all of the ``marks``.

    ``terms`` are in lower case. Only what hangup writes at a line's beginning tells that it is a frame's; any other
    line may fit, and so may a payload that does not stand there as it is.
    """

    def __init__(self, terms: Sequence[bytes], marks: Sequence[bytes] = ()) -> None:
        self._marks = marks
        self._terms = terms or [mark.lower() for mark in marks[:1]]

    def may(self, line: bytes) -> bool:
        """Whether this line may fit."""
        if not line.startswith(_FRAME):
            return True
        low = line.lower()
        return (not self._terms or any(term in low for term in self._terms)) and all(m in line for m in self._marks)

    def lines(self, block: bytes) -> list[tuple[int, bytes]] | None:
        """Of whole lines, those that may fit, with the place of each in the block; None for all of them.

        Where most have what is needed, looking for each takes longer than taking all.
        """
        if not self._terms:
            return None
        low = block.lower()
        count = block.count(b"\n")
        if 2 * max(low.count(term) for term in self._terms) > count:
            return None
        ends = [(start, block.find(b"\n", start)) for start in self._starts(block, low, count)]
        found = [(start, block[start:] if end < 0 else block[start:end]) for start, end in ends]
        if not self._marks:
            return found
        marks = self._marks
        return [(at, line) for at, line in found if not line.startswith(_FRAME) or all(mark in line for mark in marks)]

    def _starts(self, block: bytes, low: bytes, count: int) -> list[int]:
        found: set[int] = set()
        for term in self._terms:
            at = low.find(term)
            while at >= 0:
                found.add(low.rfind(b"\n", 0, at) + 1)
                end = low.find(b"\n", at)
                at = low.find(term, end) if end >= 0 else -1
        frames = block.count(b"\n" + _FRAME) + block.startswith(_FRAME)
        if frames < count + (block[-1:] != b"\n"):
            start = 0
            for line in block.split(b"\n"):
                if line and not line.startswith(_FRAME):
                    found.add(start)
                start += len(line) + 1
        return sorted(found)


def lines_of(block: bytes) -> list[tuple[int, bytes]]:
    """Whole lines with the place of each in the block."""
    lines = block.split(b"\n")
    starts = accumulate((len(line) + 1 for line in lines), initial=0)
    return [(start, line) for start, line in zip(starts, lines, strict=False) if line]


class _Item(Struct):
    """What a test on JSON looks at."""

    data: bytes

    @property
    def json(self) -> Any:
        return load(self.data)


def data_of(event: Frame | Part | Raw) -> bytes:
    """The message that a frame ends, or what an event has of one."""
    return event.message_bytes if isinstance(event, Frame) else event.payload


def message_of(event: AnyEvent) -> tuple[int, bytes] | None:
    """Opcode and data of the message that an event ends, where the event has the whole of it."""
    if not isinstance(event, Frame) or not event.fin or event.parts or event.length is not None:
        return None
    if event.message is not None or event.message_base64 is not None:
        return (TEXT if event.message is not None else BINARY), data_of(event)
    if event.rsv or event.opcode not in ("text", "binary"):
        return None
    return (TEXT if event.opcode == "text" else BINARY), event.payload


def kind_text(event: AnyEvent) -> str:
    """The kind of the message that an event ends, as a filter's ``kind=`` takes it; empty where it ends none."""
    said = message_of(event)
    return "" if said is None else kind_of(*said).text


def has(needle: str, event: AnyEvent) -> bool:
    """Whether a text, in lower case, is anywhere in an event."""
    if type(event) is Frame and event.message is None and event.text is not None and event.opcode != "close":
        return needle in event.text.lower()
    return any(needle in text.lower() for text in texts_of(event))


def texts_of(event: AnyEvent) -> Iterator[str]:
    """Where a text is looked for in an event."""
    if isinstance(event, Frame):
        if event.opcode == "close":
            yield f"{event.code or ''} {event.reason or ''}"
            return
        text = event.text if event.message is None else event.message
        yield text if text is not None else data_of(event).decode(errors="replace")
    elif isinstance(event, Log | Note):
        yield event.text
    elif isinstance(event, Raw | Part):
        yield event.payload.decode(errors="replace")
    elif isinstance(event, Handshake):
        for lines in (event.request.headers, event.response.headers if event.response else []):
            yield from (f"{name}: {value}" for name, value in lines)
        yield wording.words(event)
    else:
        yield wording.words(event)
