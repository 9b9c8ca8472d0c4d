"""The bytes of both sides of a connection, from wherever they were captured, as the events of a recording.

A capture holds what was on the wire: the handshake's heads, then frames. They go through the same readers as what the
proxy sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from hangup.humanize import printable
from hangup.recording.events import BODY_KEPT, AnyEvent, Handshake, Request, Response, Side
from hangup.recording.formats.imported import Script
from hangup.recording.frame_events import frame_event, junk_event, last_part_event, part_event
from hangup.recording.negotiation import compression, extensions
from hangup.wire import handshake as checks
from hangup.wire.deflate import Inflater
from hangup.wire.frames import Frame, FrameReader, Piece
from hangup.wire.http_head import ResponseHead, parse_request, parse_response, split_head
from hangup.wire.inflation_budget import FILE_SPARE, InflationBudget
from hangup.wire.messages import Assembler

HEAD_LIMIT = 1 << 18
"""A head longer than this (bytes) is none."""

SIDES: tuple[Side, Side] = ("client", "server")

Happened = Literal["data", "fin", "rst", "gone", "gap"]


class Chunk(Struct):
    """Something that ``side`` did, ``at`` seconds since 1970: it sent ``data``, ended with a FIN or RST, or went
    (``gone``: closed, in which way is not known; ``data`` is then what it said of that). A ``gap`` is bytes of it that
    the capture has not."""

    at: float
    side: Side
    what: Happened
    data: bytes = b""


class Half:
    """What one side sends after the handshake: bytes in, events out."""

    def __init__(
        self, side: Side, script: Script, request: Request, response: Response, inflation: InflationBudget
    ) -> None:
        deflate = compression(response, request)
        unknown = bool(extensions(response)) and deflate is None
        self.side: Side = side
        self.over = False
        self._script = script
        self._reader = FrameReader(side, rsv_data=4 if deflate else 0, rsv_any=unknown)
        self._assembler = Assembler(Inflater(deflate, side, budget=inflation) if deflate else None)
        self._parts = 0
        self._part_of = 0

    def feed(self, data: bytes, at: float) -> Iterator[AnyEvent]:
        """The events of more bytes."""
        script, side = self._script, self.side
        for item in self._reader.feed(data):
            if isinstance(item, Frame):
                script.n += 1
                yield frame_event(item, self._assembler.frame(item), at, script.conn, script.n, side)
            elif isinstance(item, Piece):
                yield from self._piece(item, at)
            else:
                yield junk_event(item, at, script.conn, side)

    def finish(self, at: float) -> Iterator[AnyEvent]:
        """The event of half a frame, if that is what the bytes ended with."""
        if not self.over and (rest := self._reader.finish()) is not None:
            yield junk_event(rest, at, self._script.conn, self.side)
        self.over = True

    def _piece(self, piece: Piece, at: float) -> Iterator[AnyEvent]:
        """The events of a piece of a frame that is too large to be held."""
        script = self._script
        if piece.head is not None:
            script.n += 1
            self._part_of, self._parts = script.n, 0
        noted = self._assembler.piece(piece)
        self._parts += 1
        yield part_event(piece, at, script.conn, self._part_of, self.side)
        if piece.last:
            yield last_part_event(piece, noted, at, script.conn, self._part_of, self.side, self._parts)


class Conversation:
    """The events of one connection, chunk by chunk. Times in the events count from ``zero`` (seconds since 1970);
    ``client`` and ``server`` are addresses, ``inflation`` is what may be inflated of the whole
    capture. HTTP that came before the handshake on the same connection is passed over.
    """

    def __init__(
        self,
        script: Script,
        zero: float,
        client: str = "",
        server: str = "",
        inflation: InflationBudget | None = None,
    ) -> None:
        self._script = script
        self._zero = zero
        self._addresses = client, server
        self._inflation = InflationBudget(FILE_SPARE, within=inflation)
        self._unread: dict[Side, bytes] = {"client": b"", "server": b""}
        self._skip = 0
        self._request: Request | None = None
        self._asked = 0.0
        self._refusal: Handshake | None = None
        self._halves: dict[Side, Half] = {}
        self._told = False
        """Whether a handshake that failed was told, after which nothing is."""

    def events(self, chunks: Iterable[Chunk]) -> Iterator[AnyEvent]:
        """The events of all chunks."""
        for chunk in chunks:
            if self._halves:
                yield from self._after(chunk)
            elif not self._told:
                yield from self._before(chunk)
        if not self._halves and not self._told:
            yield from self._failed(None)

    # The handshake.

    def _before(self, chunk: Chunk) -> Iterator[AnyEvent]:
        if chunk.what != "data":
            if chunk.what != "gap" and not (chunk.what == "fin" and chunk.side == "client"):
                yield from self._failed(chunk)
        elif self._refusal is not None:
            if chunk.side == "server":
                self._body(chunk.data)
        elif chunk.side == "client":
            self._unread["client"] += chunk.data
            while self._request is None and self._asks(chunk.at):
                pass
        elif self._request is not None:
            self._unread["server"] = (self._unread["server"] + chunk.data)[: HEAD_LIMIT + len(chunk.data)]
            parts = split_head(self._unread["server"])
            answer = parse_response(parts[0]) if parts is not None else None
            if parts is not None and answer is not None:
                yield from self._answered(answer, parts[1], chunk.at)

    def _asks(self, at: float) -> bool:
        """Looks for the request in what the client sent; whether there may be more to look at."""
        waste = min(self._skip, len(self._unread["client"]))
        self._skip -= waste
        self._unread["client"] = self._unread["client"][waste:]
        parts = split_head(self._unread["client"])
        if parts is None:
            self._unread["client"] = self._unread["client"][-HEAD_LIMIT:]
            return False
        self._unread["client"] = parts[1]
        asked = parse_request(parts[0])
        if asked is None:
            return True
        if any("websocket" in value.lower() for value in checks.get_all(asked.headers, "upgrade")):
            self._request = Request(method=asked.method, target=asked.target, version=asked.version)
            self._request.headers = asked.headers
            self._asked = at
            self._unread["server"] = b""
            return False
        length = next(iter(checks.get_all(asked.headers, "content-length")), "")
        self._skip = int(length) if length.isdecimal() and len(length) < 15 else 0
        return True

    def _answered(self, answer: ResponseHead, rest: bytes, at: float) -> Iterator[AnyEvent]:
        shake = self._handshake(at)
        request = shake.request
        response = Response(status=answer.status, reason=answer.reason, version=answer.version, headers=answer.headers)
        shake.response = response
        review = checks.review(request.headers, answer.status, answer.headers, request.method, request.version)
        shake.problems = checks.problems(review)
        if answer.status != 101:
            self._refusal = shake
            self._body(rest)
            return
        yield shake
        for side in SIDES:
            self._halves[side] = Half(side, self._script, request, response, self._inflation)
        for side, data in (("client", self._unread["client"]), ("server", rest)):
            if data:
                yield from self._halves[side].feed(data, self._script.at)

    def _body(self, data: bytes) -> None:
        """The beginning of an answer that is no 101 is told with it."""
        if self._refusal is not None and (response := self._refusal.response) is not None:
            text = response.text + data[: BODY_KEPT + 1].decode(errors="replace")
            response.text, response.cut = text[:BODY_KEPT], response.cut or len(text) > BODY_KEPT

    def _failed(self, chunk: Chunk | None) -> Iterator[AnyEvent]:
        """The handshake that was refused, or that was not answered when ``chunk`` ended it, or the capture did."""
        if self._refusal is not None:
            self._told = True
            yield self._refusal
            return
        if self._request is None:
            return
        self._told = True
        shake = self._handshake(self._asked if chunk is None else chunk.at)
        if chunk is not None:
            sent = "answered with something other than HTTP and ended" if self._unread["server"] else "ended"
            who = f"the server {sent}" if chunk.side == "server" else "the client ended"
            shake.error = f"{who} the connection before the handshake was answered"
        yield shake
        if chunk is None:
            yield self._script.note("the capture ends before the handshake was answered", ending=True)

    def _handshake(self, at: float) -> Handshake:
        assert self._request is not None
        return Handshake(
            at=self._script.time(at - self._zero),
            conn=self._script.conn,
            client=self._addresses[0],
            server=self._addresses[1],
            request=self._request,
            waited=round(max(at - self._asked, 0.0), 6),
        )

    # The frames, and the end.

    def _after(self, chunk: Chunk) -> Iterator[AnyEvent]:
        script, side = self._script, chunk.side
        half, at = self._halves[side], script.time(chunk.at - self._zero)
        match chunk.what:
            case "data":
                if not half.over:
                    yield from half.feed(chunk.data, at)
            case "gap":
                if not half.over:
                    half.over = True
                    text = f"the capture lacks bytes from the {side}: what it sent after them is left out"
                    yield script.note(text, at)
            case "fin" | "rst":
                yield from half.finish(at)
                yield script.end(at, side, chunk.what)
            case "gone":
                yield from half.finish(at)
                words = printable(chunk.data.decode(errors="replace"), 300)
                text = f"the {side} closed the connection{f': {words}' if words else ', how is unknown'}"
                yield script.ended(text, at, by=side)
