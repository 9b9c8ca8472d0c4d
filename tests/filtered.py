"""A session with filters, driven message by message: what each side sends, and what comes out for the other."""

from __future__ import annotations

from typing import Any

from hangup.filters import HOLD_LIMIT
from hangup.filters.chain import Chain
from hangup.filters.filter_set import FilterSet
from hangup.recording import events
from hangup.recording.events import FilterEvent, Side
from hangup.recording.rebuild import sent_by, sent_to
from hangup.session import Out, Session
from hangup.wire.deflate import Deflater, Inflater, Params
from hangup.wire.frames import Frame, FrameReader, serialize
from hangup.wire.messages import Assembler

KEY = b"\x11\x22\x33\x44"
OTHER: dict[Side, Side] = {"client": "server", "server": "client"}
Got = tuple[int, bytes]


class Filtered:
    """``at`` is the time of whatever comes next. ``got`` is what each side was sent: opcode and payload.

    When the test is over, :meth:`check` holds the recording against what went in and out.
    """

    express = False
    """Whether simple frames go by the express lane."""

    def __init__(
        self, *filters: str, deflate: Params | None = None, hold_limit: int = HOLD_LIMIT, **chain: Any
    ) -> None:
        self.lines: list[events.AnyEvent] = []
        self.filters = FilterSet(filters)
        self.at = 0.0
        self.chain = Chain(self.filters, 1, 0.0, emit=self.emit, **chain)
        write = (lambda lines: self.lines.extend(map(events.decode, lines.splitlines()))) if self.express else None
        self.session = Session(1, self.emit, deflate=deflate, emit_lines=write, chain=self.chain, hold_limit=hold_limit)
        self.deflaters = {side: Deflater(deflate, side) for side in OTHER} if deflate else {}
        self.sent: dict[Side, bytes] = {"client": b"", "server": b""}
        self.came: dict[Side, bytes] = {"client": b"", "server": b""}
        self.got: dict[Side, list[Got]] = {"client": [], "server": []}
        self.frames: dict[Side, list[Frame]] = {"client": [], "server": []}
        self.problems: dict[Side, list[str]] = {"client": [], "server": []}
        self.ends: list[tuple[Side, str]] = []
        self.cut: tuple[Side, str, str] | None = None
        rsv = 4 if deflate else 0
        self._readers = {side: FrameReader(OTHER[side], rsv_data=rsv, keep_wire=True) for side in OTHER}
        self._assemblers = {side: Assembler(Inflater(deflate, OTHER[side]) if deflate else None) for side in OTHER}

    def emit(self, event: events.Event) -> None:
        self.lines.append(events.decode(events.encode(event)))

    # What the sides do.

    def raw(self, side: Side, data: bytes) -> list[Got]:
        """``side`` sends bytes; gives what the other side got by it."""
        self.sent[side] += data
        before = len(self.got[OTHER[side]])
        if self.session.plain(side):
            self.take(Out(to_server=data) if side == "client" else Out(to_client=data))
            self.session.observe(side, data, self.at)
        else:
            self.take(self.session.receive(side, data, self.at))
        self.session.catch_up()
        return self.got[OTHER[side]][before:]

    def send(self, side: Side, data: bytes | str, opcode: int = 1, *, packed: bool = False, **frame: Any) -> list[Got]:
        """``side`` sends a message or control frame; gives what the other side got by it."""
        data = data.encode() if isinstance(data, str) else data
        if packed:
            data = self.deflaters[side].message(data)
        key = frame.pop("key", KEY if side == "client" else None)
        rsv = frame.pop("rsv", 4 if packed else 0)
        return self.raw(side, serialize(Frame(frame.pop("fin", True), rsv, opcode, key, data)))

    def client(self, data: bytes | str, opcode: int = 1, **frame: Any) -> list[Got]:
        """The client sends."""
        return self.send("client", data, opcode, **frame)

    def server(self, data: bytes | str, opcode: int = 1, **frame: Any) -> list[Got]:
        """The server sends."""
        return self.send("server", data, opcode, **frame)

    def end(self, side: Side, how: events.How = "fin") -> None:
        """``side`` ends its leg."""
        self.take(self.session.end(side, how, self.at))

    def wait(self, until: float) -> None:
        """Time passes; whatever is due happens when it is due."""
        while (due := self.session.deadline()) is not None and due <= until:
            self.at = max(due, self.at)
            self.take(self.session.tick(self.at))
        self.at = until

    def refresh(self) -> None:
        """The set has changed, and the session is told."""
        self.take(self.session.refresh(self.at))

    def take(self, out: Out) -> None:
        for side, data in (("client", out.to_client), ("server", out.to_server)):
            self._receive(side, data)  # type: ignore[arg-type]
        self.ends += out.ends
        self.cut = out.cut or self.cut

    def _receive(self, side: Side, data: bytes) -> None:
        self.came[side] += data
        for item in self._readers[side].feed(data):
            if not isinstance(item, Frame):
                self.problems[side] += item.problems
                continue
            noted = self._assemblers[side].frame(item)
            self.frames[side].append(item)
            self.problems[side] += item.problems + noted.problems
            if item.opcode >= 8:
                self.got[side].append((item.opcode, item.payload))
            elif noted.message is not None:
                self.got[side].append((noted.message.opcode, noted.message.data or b""))

    # What the recording says.

    def actions(self) -> list[tuple[str, int | None]]:
        """The actions recorded so far, each with its frame."""
        return [(e.action, e.n) for e in self.lines if isinstance(e, FilterEvent)]

    def check(self) -> None:
        """The recording rebuilds what went in and what came out, and nobody was sent anything malformed."""
        for side in OTHER:
            assert b"".join(sent_by(self.lines, 1, side)) == self.sent[side]
            assert b"".join(sent_to(self.lines, 1, side)) == self.came[side]
            assert self.problems[side] == []
