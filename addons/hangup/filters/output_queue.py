"""What is sent on of one side's stream, and in what order, when filters are at work on it.

An outlet knows where the stream that the receiver gets stands: within a frame, within a message, closed. It keeps
what is held in order: data waits behind held data (a stream has one order), pings and pongs overtake it, a close frame
does not. What a filter injects waits for the next place where the standard allows it.

Each event is written when its bytes go out, so that the file's order is the wire's (:mod:`hangup.recording.rebuild`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from msgspec import Struct

from hangup.filters.chain import Bound
from hangup.filters.encoder import Encoder
from hangup.recording.events import FilterEvent, How, Side
from hangup.wire.frames import CLOSE

Emit = Callable[[FilterEvent], None]


class Unit(Struct):
    """Bytes that go out together, and what the recording says of them: ``action`` of filter ``by`` on the frames
    ``ns``. Empty, it says nothing, as what goes out is what was received, where it was received.

    ``open`` is whether the last frame leaves a message unfinished (None: no data frame), ``inside`` whether there is
    more of it to come. With ``ends`` the side's stream ends here instead.
    """

    wire: bytes
    ns: tuple[int, ...] = ()
    action: str = ""
    by: str = ""
    open: bool | None = None
    close: bool = False
    due: float = 0.0
    holder: Bound | None = None
    ends: How | None = None
    note: str = ""
    inside: bool = False


class Outlet:
    """The way from ``side`` to the other leg. ``emit`` takes the events, ``ends`` is told when the stream's end is
    to be passed on; ``limit`` bounds what is held, in bytes."""

    def __init__(
        self, side: Side, conn: int, emit: Emit, encoder: Encoder, ends: Callable[[Side, How], None], limit: int
    ) -> None:
        self.side = side
        self.conn = conn
        self.emit = emit
        self.encoder = encoder
        self.limit = limit
        self.sent = 0
        """Goes up with everything that goes out."""
        self.in_frame = False
        self.in_message = False
        self.closed = False
        """A close frame, or the stream's end, has gone out, or what goes out is no longer made of frames."""
        self.sealed = ""
        """The filter that closed it: what the side sends is not passed on any more."""
        self._chunks: list[bytes] = []
        self._queue: deque[Unit] = deque()
        self._queued = 0
        self._controls: list[Unit] = []
        self._waiting: deque[Unit] = deque()
        self._ends = ends

    @property
    def empty(self) -> bool:
        """Nothing is held here."""
        return not (self._queue or self._controls or self._waiting)

    @property
    def busy(self) -> bool:
        """Data is held here, so that later data has to wait."""
        return bool(self._queue)

    def take(self) -> bytes:
        """The bytes to be sent now."""
        if not self._chunks:
            return b""
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks = []
        return data

    # The fast ways: what was received goes out, where it was received.

    def plain(self, wire: bytes) -> None:
        """Whole messages, untouched; only while nothing is held."""
        self._chunks.append(wire)
        self.sent += 1

    def rest(self, wire: bytes, *, inside: bool, open: bool | None) -> None:
        """What was left of a frame whose beginning has gone out; ``inside`` if this is not its end either."""
        self._chunks.append(wire)
        self.sent += 1
        self.in_frame = inside
        if open is not None:
            self.in_message = open

    # All else.

    def control(self, unit: Unit, at: float) -> None:
        """A control frame: it overtakes what is held, unless it is held itself or closes the stream."""
        if unit.close:
            self.data(unit, at)
        elif unit.due > at:
            self._controls.append(unit)
        else:
            self._between_frames(unit, at)

    def _between_frames(self, unit: Unit, at: float) -> None:
        if self.in_frame:
            unit.action = unit.action or "forward"
            self._waiting.append(unit)
        else:
            self._put(unit, at)

    def data(self, unit: Unit, at: float) -> None:
        """Anything whose order matters."""
        if not self._queue and unit.due <= at:
            self._put(unit, at)
            return
        if not unit.action:  # by now it is no longer sent where it was received
            unit.action = "forward"
            head = self._queue[0].holder if self._queue else unit.holder
            unit.by = unit.by or (head.entry.text if head is not None else "")
        self._queue.append(unit)
        self._queued += len(unit.wire)
        while self._queued > self.limit:
            head_unit = self._queue[0]
            head_unit.due = at
            head_unit.note = f"{self._queued} bytes are held, the limit is {self.limit}: passed on early"
            self._release(at)

    def inject(self, opcode: int, data: bytes, by: str, n: int | None, note: str, at: float, rsv: int = 0) -> None:
        """A frame of ours, as soon as the standard allows it; never after a close frame."""
        if self.closed or self.sealed:
            return
        wire = self.encoder.injected(opcode, data, rsv)
        close = opcode == CLOSE
        is_data = opcode < CLOSE
        unit = Unit(
            wire,
            () if n is None else (n,),
            "close" if close else "inject",
            by,
            False if is_data else None,
            close,
            note=note,
        )
        self._waiting.append(unit)
        self.settle(at)

    def settle(self, at: float) -> None:
        """Sends what was waiting for the end of a frame or a message, if that is here."""
        while self._waiting and not self.in_frame and not self.closed:
            unit = self._waiting[0]
            if unit.open is not None and self.in_message:
                # Control frames may pass the data that has to wait.
                unit = next((u for u in self._waiting if u.open is None and not u.close), None)  # type: ignore[assignment]
                if unit is None:
                    return
            self._waiting.remove(unit)
            self._put(unit, at)
        if self.closed:
            self._waiting.clear()

    def end(self, how: How, at: float, wait: float = 0.0, holder: Bound | None = None) -> None:
        """The side's stream has ended: so will the other leg, after ``wait`` and once all that is held has gone out."""
        self.data(Unit(b"", due=at + wait if wait > 0 else 0.0, holder=holder, ends=how), at)

    # Time.

    def deadline(self) -> float | None:
        """When something that is held is due, or None."""
        times = [unit.due for unit in self._controls]
        if self._queue:
            times.append(self._queue[0].due)
        return min(times, default=None)

    def tick(self, at: float) -> None:
        """Sends what is due."""
        for unit in [u for u in self._controls if u.due <= at]:
            self._controls.remove(unit)
            self._between_frames(unit, at)
        self._release(at)

    def let_go(self, at: float) -> None:
        """Sends what was held by filters that are no longer there."""
        for unit in [*self._queue, *self._controls]:
            if unit.holder is not None and not unit.holder.active:
                unit.due = at
        self.tick(at)

    def release(self, holder: Bound, at: float) -> None:
        """Sends the first that this filter holds, and what waits behind that alone."""
        held = next((unit for unit in self._queue if unit.holder is holder and unit.due > at), None)
        if held is not None:
            held.due = at
            self._release(at)

    def _release(self, at: float) -> None:
        queue = self._queue
        while queue and queue[0].due <= at:
            unit = queue.popleft()
            self._queued -= len(unit.wire)
            self._put(unit, at)

    def _put(self, unit: Unit, at: float) -> None:
        """Sends a unit and says so in the recording."""
        if unit.ends is not None:
            self.closed = True
            self._ends(self.side, unit.ends)
            return
        self.sent += 1
        self.in_frame = unit.inside
        if unit.wire:
            self._chunks.append(unit.wire)
        if unit.open is not None:
            self.in_message = unit.open
        if unit.close:
            self.closed = True
        if unit.action:
            self.say(at, unit.action, unit.by, unit.ns, unit.wire, unit.note)
        if self._waiting:
            self.settle(at)

    def say(
        self, at: float, action: str, by: str, ns: tuple[int, ...], wire: bytes | None = None, note: str = ""
    ) -> None:
        """Records an action on frames; the last of its events has the bytes."""
        last = ns[-1] if ns else None
        for n in ns or (None,):
            self.emit(
                FilterEvent(
                    at=at,
                    conn=self.conn,
                    filter=by,
                    action=action,
                    side=self.side,
                    n=n,
                    wire=(wire or None) if n == last else None,
                    note=note if n == last else "",
                )
            )
