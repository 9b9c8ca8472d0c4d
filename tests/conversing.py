"""Conversations as hypothesis makes them, said in real bytes to the real Session, so that their recordings are true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from msgspec import Struct

from hangup.recording import events as ev
from hangup.recording.events import AnyEvent, Header, Side
from hangup.session import Session
from hangup.wire import deflate
from hangup.wire.frames import header
from hangup.wire.masking import mask

HEADER = Header(
    hangup=ev.FORMAT, started="2026-11-22T21:08:00.123456Z", target="ws://127.0.0.1:8000", listen="127.0.0.1:9000"
)
EXTENSION = "permessage-deflate; client_max_window_bits=12"
KEY = b"\xa1\xb2\xc3\xd4"


class Said(Struct):
    """A message that was said: what a recording of it must give back."""

    side: Side
    opcode: str
    data: bytes
    at: float


class Talk:
    """Writes the recording of some connections."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []
        self.said: dict[int, list[Said]] = {}
        self.at = 0.0
        self._sessions: dict[int, Session] = {}
        self._deflaters: dict[tuple[int, Side], deflate.Deflater] = {}

    def wait(self, micros: int) -> None:
        """Time passes."""
        self.at = round(self.at + micros / 1e6, 6)

    def open(
        self,
        conn: int,
        *,
        target: str = "/ws",
        headers: list[tuple[str, str]] | None = None,
        compressed: bool = False,
        status: int = 101,
    ) -> None:
        """A handshake."""
        extension = [("Sec-WebSocket-Extensions", EXTENSION)] if compressed else []
        upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
        request = [("Host", "127.0.0.1:8000"), *upgrade, *extension, *(headers or [])]
        self.said[conn] = []
        self.events.append(
            ev.Handshake(
                at=self.at,
                conn=conn,
                client=f"127.0.0.1:{50000 + conn}",
                server="127.0.0.1:8000",
                request=ev.Request(target=target, headers=request),
                response=ev.Response(
                    status=status,
                    reason="Switching Protocols" if status == 101 else "Forbidden",
                    headers=[*upgrade, *extension] if status == 101 else [],
                ),
                waited=min(0.002, self.at),
            )
        )
        if status == 101:
            params = deflate.parse([EXTENSION]) if compressed else None
            self._sessions[conn] = Session(conn, self._emit, deflate=params)
            for side in ("client", "server") if params else ():
                self._deflaters[conn, side] = deflate.Deflater(params, side)  # type: ignore[arg-type, index]

    def _emit(self, event: ev.Event) -> None:
        self.events.append(event)  # type: ignore[arg-type]

    def say(
        self, conn: int, side: Side, opcode: str, data: bytes, *, cuts: list[int] | None = None, packed: bool = False
    ) -> None:
        """A message, cut into fragments at ``cuts`` (bytes)."""
        number = 1 if opcode == "text" else 2
        self.said[conn].append(Said(side, opcode, data, self.at))
        rsv = 0
        payload = data
        if packed and (conn, side) in self._deflaters:
            payload, rsv = self._deflaters[conn, side].message(data), 4
        places = [0, *sorted({min(cut, len(payload)) for cut in cuts or []}), len(payload)]
        pieces = [payload[a:b] for a, b in zip(places, places[1:], strict=False)]
        for i, piece in enumerate(pieces):
            self.frame(conn, side, number if i == 0 else 0, piece, fin=i == len(pieces) - 1, rsv=rsv if i == 0 else 0)

    def frame(self, conn: int, side: Side, opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0) -> None:
        """One frame."""
        key = KEY if side == "client" else None
        wire = header(fin, rsv, opcode, key, len(payload)) + (mask(key, payload) if key else payload)
        self.raw(conn, side, wire)

    def raw(self, conn: int, side: Side, wire: bytes) -> None:
        """Bytes as they are."""
        for start in range(0, len(wire), 1 << 16):  # as they come from a socket
            self._sessions[conn].observe(side, wire[start : start + (1 << 16)], self.at)

    def close(self, conn: int, side: Side, code: int | None, reason: str = "") -> None:
        """A close frame, and TCP's end after it."""
        payload = b"" if code is None else code.to_bytes(2, "big") + reason.encode()
        self.frame(conn, side, 8, payload)
        self.end(conn, side, "fin")

    def end(self, conn: int, side: Side, how: ev.How) -> None:
        """One side ends TCP."""
        self._sessions[conn].end(side, how, self.at)

    def stop(self) -> list[AnyEvent]:
        """The recording ends."""
        self.events.append(ev.Stop(at=self.at))
        return self.events


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ['{"type":"ping","n":1}', "ping", "", "x" * 200, "\u2028 \U0001f600", "a\x00b", "</script>", "\\u0041", "\ufeff"]
)
SIDES: list[Side] = ["client", "server"]


@st.composite
def conversations(
    draw: Callable[..., Any],
    *,
    texts: st.SearchStrategy[str] = texts,
    conns: int = 3,
    odd: bool = True,
) -> Talk:
    """Some connections, mixed: text and binary messages, fragments, compression, pings, and all ways to end.

    With ``odd`` there are refused handshakes, and connections that are still open or end within a frame.
    """
    talk = Talk()
    numbers = list(range(1, draw(st.integers(1, conns)) + 1))
    open_ones = []
    for conn in numbers:
        talk.wait(draw(st.integers(0, 5000)))
        refused = odd and draw(st.integers(0, 5)) == 0
        target = draw(st.sampled_from(["/ws", "/chat?room=a&x=%20", "/", "/a/b?z"]))
        talk.open(conn, target=target, compressed=draw(st.booleans()), status=403 if refused else 101)
        if not refused:
            open_ones.append(conn)
    for _ in range(draw(st.integers(0, 12)) if open_ones else 0):
        talk.wait(draw(st.integers(0, 3_000_000)))
        conn, side = draw(st.sampled_from(open_ones)), draw(st.sampled_from(SIDES))
        kind = draw(st.sampled_from(["text", "text", "binary", "ping", "pong"]))
        if kind in ("ping", "pong"):
            talk.frame(conn, side, 9 if kind == "ping" else 10, draw(st.binary(max_size=10)))
            continue
        data = draw(texts).encode() if kind == "text" else draw(st.binary(max_size=60))
        cuts = draw(st.lists(st.integers(0, 60), max_size=3))
        talk.say(conn, side, kind, data, cuts=cuts, packed=draw(st.booleans()))
    for conn in open_ones:
        talk.wait(draw(st.integers(0, 2_000_000)))
        side = draw(st.sampled_from(SIDES))
        how = draw(st.sampled_from(["close", "close", "fin", "rst", *(["open", "half"] if odd else [])]))
        if how == "close":
            code = draw(st.sampled_from([1000, 1001, 1011, 4001, None]))
            talk.close(conn, side, code, draw(st.sampled_from(["", "bye", "späť"])) if code else "")
        elif how in ("fin", "rst"):
            talk.end(conn, side, how)
        elif how == "half":
            talk.raw(conn, side, b"\x81\x85abcdhe" if side == "client" else b"\x81\x05he")
            talk.end(conn, side, "fin")
    talk.stop()
    return talk
