"""permessage-deflate (RFC 7692): what was negotiated, and inflating and deflating whole messages.

A sender may refer back to its earlier messages (context takeover), so an :class:`Inflater` must see every
compressed message of its side, in order, also those nobody wants to read. When one cannot be inflated, what
it would have said is lost as context. The inflater then starts over with an empty window: zlib refuses any
reference beyond it, so that a later message comes out right or is marked, and never comes out wrong.

zlib cannot deflate with a window of 256 bytes (``max_window_bits`` 8): it silently used 512, and in raw mode
now refuses (madler/zlib#171). A :class:`Deflater` then sends stored blocks, which refer to nothing and are
valid with any window. Inflating with 8 works.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable
from typing import Literal, NamedTuple

from msgspec import Struct

from hangup.wire.header_lists import Extension, parse_extensions
from hangup.wire.inflation_budget import InflationBudget

Side = Literal["client", "server"]
NAME = "permessage-deflate"
EFFORT = 1 << 30
"""A message that decompresses to more than this (bytes) is given up, and its rest is lost as context."""

_TAIL = b"\x00\x00\xff\xff"  # 7.2.1: what a sender removes from the end of each message
_FINAL = b"\x01\x00\x00\xff\xff"  # an empty last block: it ends a stream that stands between blocks
_WINDOW = 1 << 15
_INPUT = 1 << 16
_OUTPUT = 1 << 20
_READ_TWICE = 1 << 20


class Params(Struct, frozen=True, omit_defaults=True):
    """What was negotiated (7.1). Window bits are 8 to 15; ``problems`` are the rules it breaks, in words."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = 15
    client_max_window_bits: int = 15
    problems: tuple[str, ...] = ()

    def takeover(self, side: Side) -> bool:
        """Whether messages that ``side`` sends may refer back to earlier ones."""
        return not (self.client_no_context_takeover if side == "client" else self.server_no_context_takeover)

    def bits(self, side: Side) -> int:
        """The window that ``side`` may use when it sends: the logarithm to base 2 of its size in bytes."""
        return self.client_max_window_bits if side == "client" else self.server_max_window_bits


class Inflated(NamedTuple):
    """An inflated message: ``data``, cut to the limit, and ``length``, its true size in bytes.

    ``problems`` is ``("deflate",)`` when the payload breaks RFC 7692. ``data`` is then empty unless it is
    certain, and ``length`` is how far inflating came.
    """

    data: bytes
    length: int
    problems: tuple[str, ...] = ()


def parse(lines: Iterable[str], offered: Iterable[str] | None = None) -> Params | None:
    """The parameters in a response's ``Sec-WebSocket-Extensions`` lines, or None when it does not choose the
    extension. With the request's lines in ``offered``, the choice is checked against the offers too (7.1).
    A parameter that makes no sense is left out and told in ``problems``."""
    chosen = [item for item in parse_extensions(lines) if item.name == NAME]
    if not chosen:
        return None
    values: dict[str, int | bool] = {}
    problems: list[str] = []
    for key, value in chosen[0].params:
        if key in values:
            problems.append(f"{key} is given twice")
        elif key in ("server_no_context_takeover", "client_no_context_takeover"):
            values[key] = True
            if value is not None:
                problems.append(f"{key} has a value ({value})")
        elif key in ("server_max_window_bits", "client_max_window_bits"):
            if (bits := _bits(value)) is not None:
                values[key] = bits
            else:
                problems.append(f"{key} must be 8 to 15, not {'absent' if value is None else value}")
        else:
            problems.append(f"unknown parameter {key}")
    if len(chosen) > 1:
        problems.append("chosen twice")
    if offered is not None:
        offers = [item for item in parse_extensions(offered) if item.name == NAME]
        unmet = [_unmet(offer, values) for offer in offers]
        if unmet and all(unmet):
            problems += unmet[0]
    return Params(**values, problems=tuple(problems))  # type: ignore[arg-type]


def _bits(value: str | None) -> int | None:
    # 7.1.2: "a decimal integer value without leading zeroes between 8 to 15, inclusive"
    return int(value) if value in ("8", "9", "10", "11", "12", "13", "14", "15") else None


def _unmet(offer: Extension, chosen: dict[str, int | bool]) -> list[str]:
    """In what ``chosen`` is no answer to ``offer``."""
    wanted = dict(offer.params)
    unmet = []
    key = "server_no_context_takeover"
    if key in wanted and key not in chosen:  # 7.1.1.1
        unmet.append(f"{key} was requested, but not granted")
    key = "server_max_window_bits"
    limit = _bits(wanted.get(key))
    if limit is not None and (key not in chosen or chosen[key] > limit):  # 7.1.2.1
        unmet.append(f"{key} was requested to be at most {limit}, not {chosen.get(key, 'absent')}")
    key = "client_max_window_bits"
    if key in chosen:  # 7.1.2.2
        limit = _bits(wanted.get(key)) or 15
        if key not in wanted:
            unmet.append(f"{key} was set though the client did not offer it")
        elif chosen[key] > limit:
            unmet.append(f"{key} was offered up to {limit}, not {chosen[key]}")
    return unmet


class _Window:
    """The last 32 KiB that a stream said."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def add(self, data: bytes) -> None:
        self._parts.append(data)
        if len(self._parts) > 64 or len(data) >= _WINDOW:
            self._parts = [self.get()]

    def extend(self, other: _Window) -> None:
        for part in other._parts:
            self.add(part)

    def get(self) -> bytes:
        return b"".join(self._parts)[-_WINDOW:]


class _TooMuch(Exception):
    """A message decompresses to more than the effort that it is worth."""


class _OverBudget(Exception):
    """A message inflates to more than there is a budget for."""


class _MessageStream:
    """Inflates one message's bytes, bounded in memory: keeps the first ``limit`` bytes and counts the rest.

    ``inflater`` is zlib's, or None to begin with ``window`` as the context.
    """

    def __init__(
        self,
        inflater: zlib._Decompress | None,
        bits: int,
        window: _Window,
        limit: int,
        effort: int,
        budget: InflationBudget | None,
    ) -> None:
        self.bits = bits
        self.before = window
        self.inflater = inflater or zlib.decompressobj(-bits, zdict=window.get())
        self.limit = limit
        self.effort = effort
        self.budget = budget
        self.length = 0
        self.said = _Window()
        self._kept = io.BytesIO()  # which gives away what it holds, where joining pieces would copy it

    def kept(self) -> bytes:
        """The first bytes; once only."""
        kept, self._kept = self._kept, io.BytesIO()
        return kept.getvalue()

    def feed(self, payload: bytes, tail: bytes = b"") -> None:
        """Raises ``zlib.error`` for what is no deflate stream."""
        if len(payload) <= _INPUT:
            self._feed(payload + tail)
        else:  # zlib copies what it has not read yet: in pieces, that stays small
            view = memoryview(payload)
            for start in range(0, len(view), _INPUT):
                self._feed(view[start : start + _INPUT])
            self._feed(tail)

    def _feed(self, data: bytes | memoryview) -> None:
        while True:
            most = _OUTPUT
            if self.budget is not None and (most := min(most, self.budget.allows())) == 0:
                raise _OverBudget
            output = self.inflater.decompress(data, most)
            if output:
                self._take(output)
            if self.inflater.eof:
                # 7.2.1: a block with BFINAL set ends the stream, but neither the message nor the context
                rest = self.inflater.unused_data
                if not rest:
                    return
                self._spend(_WINDOW)
                context = (self.before.get() + self.said.get())[-_WINDOW:]
                self.inflater = zlib.decompressobj(-self.bits, zdict=context)
                data = rest
            elif len(output) == most:
                data = self.inflater.unconsumed_tail
            else:
                return

    def _take(self, output: bytes) -> None:
        self.length += len(output)
        self.said.add(output)
        if self.limit > 0:
            self.limit -= self._kept.write(memoryview(output)[: self.limit])
        self._spend(len(output))

    def _spend(self, effort: int) -> None:
        self.effort -= effort
        if self.budget is not None:
            self.budget.spend(effort)
        if self.effort < 0:
            raise _TooMuch

    def between_blocks(self, *, last: bool = False) -> bool:
        """Whether a message may end here; with ``last``, the stream need not survive the question."""
        if self.inflater.eof:
            return False
        probe = self.inflater if last else self.inflater.copy()
        try:
            return not probe.decompress(_FINAL) and probe.eof and not probe.unused_data
        except zlib.error:
            return False


class Inflater:
    """Inflates the compressed messages that ``side`` sends, each as a whole (its fragments joined), or piece by piece.

    ``fault`` says in words what was wrong with the last message that had a problem. No more is inflated than ``budget``
    allows: ``left`` says of the last message that it was left compressed, with nothing wrong about it; its data is then
    empty, and its length is how far inflating came.
    """

    def __init__(
        self, params: Params, side: Side, *, effort: int = EFFORT, budget: InflationBudget | None = None
    ) -> None:
        self._bits = params.bits(side)
        self._takeover = params.takeover(side)
        self._effort = effort
        self._budget = budget
        self._inflater: zlib._Decompress | None = None
        self._window = _Window()
        self._lost = False
        self._left_before = False
        """Whether what later messages may refer to was left compressed."""
        self.left = False
        self._stream: _MessageStream | None = None
        """Of a message of which not all has come."""
        self._failed: Exception | None = None
        """Why there is no sense in inflating the rest of it."""
        self._begun: list[bytes] = []
        """What has come of it; for a second reading, so no more than what is worth one."""
        self._begun_size = 0
        self.fault = ""

    def feed(self, data: bytes, limit: int) -> None:
        """Takes a piece of a message's payload, of which more will come; at most ``limit`` bytes of the message are
        kept. Never raises."""
        if self._stream is None:
            # The context stays as it is until the message is whole: it may never be.
            before = self._inflater.copy() if self._inflater is not None else None
            self._stream = self._begin(before, self._bits, limit)
            self._failed = None
        self._begun_size += len(data)
        if self._begun_size <= _READ_TWICE:
            self._begun.append(data)
        else:
            self._begun = []
        self._take(self._stream, data, b"")

    def abandon(self) -> None:
        """The rest of a message that was begun will not come."""
        self._stream = None
        self._begun, self._begun_size = [], 0

    def message(self, data: bytes, limit: int) -> Inflated:
        """Inflates a message's payload, or the last piece of it, and keeps at most ``limit`` bytes of it. Never
        raises."""
        stream, begun, twice = self._stream, self._begun, self._begun_size <= _READ_TWICE
        if stream is None:
            stream = self._begin(self._inflater, self._bits, limit)
            self._failed = None
        self.abandon()
        self.left = False
        self._take(stream, data, _TAIL)
        if self._failed is None:
            if stream.between_blocks(last=not self._takeover):
                return self._accept(stream)
            self.fault = "ends within a block"
        elif isinstance(self._failed, zlib.error):
            self.fault = str(self._failed).rpartition(": ")[2]
        elif isinstance(self._failed, _TooMuch):
            self.fault = f"decompresses to more than {self._effort} bytes"
            self._lose()
            return Inflated(stream.kept(), stream.length, ("deflate",))
        if self._left_before or isinstance(self._failed, _OverBudget):
            self._lose()
            self.left, self._left_before = True, self._takeover
            return Inflated(b"", stream.length)
        if self._lost and "too far back" in self.fault:
            self.fault = "refers to an earlier message that could not be decompressed"
        if twice and (lenient := self._second_reading(b"".join([*begun, data]) if begun else data, limit)) is not None:
            return lenient
        self._lose()
        return Inflated(b"", stream.length, ("deflate",))

    def _begin(self, inflater: zlib._Decompress | None, bits: int, limit: int) -> _MessageStream:
        return _MessageStream(inflater, bits, self._window, limit, self._effort, self._budget)

    def _take(self, stream: _MessageStream, data: bytes, tail: bytes) -> None:
        if self._budget is not None:
            self._budget.earn(len(data))
        if self._failed is not None:
            return
        try:
            stream.feed(data, tail)
        except (zlib.error, _TooMuch, _OverBudget) as error:
            self._failed = error.with_traceback(None)

    def _second_reading(self, data: bytes, limit: int) -> Inflated | None:
        """What lenient receivers make of a payload that breaks the rules in one of the common ways."""
        for tail, fault in (
            (_TAIL, "refers back beyond the negotiated window"),
            (b"", "the end of the compressed data was not removed, as it must be"),
        ):
            stream = self._begin(None, 15, limit)
            try:
                stream.feed(data, tail)
            except (zlib.error, _TooMuch, _OverBudget):
                continue
            if tail or data.endswith(_TAIL):
                whole = stream.between_blocks(last=True)
            else:  # a block with BFINAL set, and nothing after it
                whole = stream.inflater.eof
            if whole:
                self.fault = fault
                return self._accept(stream, keep=False)._replace(problems=("deflate",))
        return None

    def _accept(self, stream: _MessageStream, *, keep: bool = True) -> Inflated:
        if self._takeover:
            self._inflater = stream.inflater if keep else None
            self._window.extend(stream.said)
        return Inflated(stream.kept(), stream.length)

    def _lose(self) -> None:
        self._inflater = None
        self._window = _Window()
        self._lost = self._takeover


class TrustingInflater(Inflater):
    """Inflates what comes from a sender that is believed to keep the rules: in a fraction of the time, but what is
    wrong with a message is not found out. After one that cannot be inflated, none is, but for those that stand
    alone."""

    def __init__(self, params: Params, side: Side, *, most: int = 1 << 20) -> None:
        super().__init__(params, side)
        self._most = most
        self._plain: zlib._Decompress | None = None
        self._broken = False
        self._waiting: list[bytes] = []

    def feed(self, data: bytes, limit: int) -> None:
        """As :meth:`Inflater.feed`."""
        self._waiting.append(data)

    def abandon(self) -> None:
        """As :meth:`Inflater.abandon`."""
        self._waiting = []

    def message(self, data: bytes, limit: int) -> Inflated:
        """As :meth:`Inflater.message`; a message of more than ``most`` bytes (a million by default) counts as one that
        cannot be inflated."""
        if self._waiting:
            data, self._waiting = b"".join([*self._waiting, data]), []
        found = self.whole(data)
        return Inflated(b"", 0, ("deflate",)) if found is None else Inflated(found, len(found))

    def whole(self, data: bytes) -> bytes | None:
        """A message in one piece; None where it cannot be inflated."""
        if self._plain is None or not self._takeover:
            self._plain = zlib.decompressobj(-self._bits)
            self._broken = self._broken and self._takeover
        if not self._broken:
            try:
                output = self._plain.decompress(data + _TAIL, self._most)
                if not self._plain.unconsumed_tail:
                    return output
            except zlib.error as error:
                self.fault = str(error)
            self._broken = True
        return None


class Deflater:
    """Compresses messages as ``side`` would send them.

    It may step in in the middle of a connection, as it refers only to what it compressed itself. From then on
    every compressed message of its side must come from it.
    """

    def __init__(self, params: Params, side: Side, *, level: int = zlib.Z_DEFAULT_COMPRESSION) -> None:
        self._bits = params.bits(side)
        self._takeover = params.takeover(side)
        self._level = level
        self._deflater: zlib._Compress | None = None

    def message(self, data: bytes) -> bytes:
        """The payload of a message with RSV1 set (7.2.1)."""
        deflater = self._deflater
        if deflater is None:
            level, bits = (0, 9) if self._bits == 8 else (self._level, self._bits)
            deflater = zlib.compressobj(level, zlib.DEFLATED, -bits)
            if self._takeover:
                self._deflater = deflater
        payload = deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH)
        # 7.2.3.6: an empty message is one byte. (zlib writes nothing at all for a second flush in a row.)
        return payload.removesuffix(_TAIL) or b"\x00"
