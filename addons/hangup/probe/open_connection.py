"""An open WebSocket, from the client's end: listen for a moment, then close as RFC 6455 7.1 asks."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Literal

from hangup.humanize import duration, printable, printable_bytes
from hangup.wire.deflate import Inflater, Params
from hangup.wire.frames import CLOSE, OPCODE_NAMES, TEXT, Frame, FrameReader, Item, Junk, header
from hangup.wire.masking import mask
from hangup.wire.messages import parse_close

CLOSE_WAIT = 2.0
"""Seconds to wait for the server's answer to our close frame."""
LINES = 8
"""How many of the server's frames are described."""

SHOWN = 60
"""Characters of a message, or of bytes, that are shown."""

Ended = Literal["", "close", "gone"]


class OpenConnection:
    """A connection that was just opened. ``said`` tells in words what the server did until we closed.

    ``ended`` is ``close`` or ``gone`` when the server ended it first, with a close frame or without. ``rest`` are
    the bytes that came with the handshake's answer.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rest: bytes, deflate: Params | None
    ) -> None:
        self.said: list[str] = []
        self.ended: Ended = ""
        self._reader = reader
        self._writer = writer
        self._rest = rest
        self._frames = FrameReader("server", rsv_data=4 if deflate else 0)
        self._inflater = Inflater(deflate, "server") if deflate else None
        self._opened = time.perf_counter()
        self._seen = 0
        self._lost = False

    async def leave(self, linger: float) -> None:
        """Listens for ``linger`` seconds, sends a close frame with 1000, and waits for the server's."""
        self.ended = await self._listen(linger)
        if self.ended == "gone":
            return
        key, payload = secrets.token_bytes(4), (1000).to_bytes(2, "big")
        try:
            self._writer.write(header(True, 0, CLOSE, key, len(payload)) + mask(key, payload))
            await self._writer.drain()
        except OSError:
            return
        if not self.ended and not self._lost:
            said, self.said = self.said, []
            await self._listen(CLOSE_WAIT)
            self.said = said

    async def _listen(self, seconds: float) -> Ended:
        try:
            async with asyncio.timeout(seconds):
                while True:
                    data, self._rest = self._rest, b""
                    for item in self._frames.feed(data):
                        self._say(self._describe(item))
                        self._lost = isinstance(item, Junk)  # after such bytes no close frame can be seen
                        if isinstance(item, Frame) and item.opcode == CLOSE:
                            return "close"
                    self._rest = await self._reader.read(1 << 16)
                    if not self._rest:
                        self._say("the server hung up without a close frame (a browser shows 1006)", last=True)
                        return "gone"
        except TimeoutError:
            return ""
        except OSError:
            self._say("the server reset the connection without a close frame (a browser shows 1006)", last=True)
            return "gone"

    def _say(self, what: str, *, last: bool = False) -> None:
        self._seen += 1
        if self._seen <= LINES or last:
            self.said.append(f"{what}, {duration(time.perf_counter() - self._opened)} after the 101")
        elif self._seen == LINES + 1:
            self.said.append("and more")

    def _describe(self, item: Item) -> str:
        if isinstance(item, Junk):
            return f"the server sent bytes that are not a frame: {printable_bytes(item.payload)}"
        payload = item.payload
        if isinstance(item, Frame) and item.opcode == CLOSE:
            code, reason, _ = parse_close(payload)
            words = "without a code" if code is None else f"with {code}"
            return f"the server closed {words}" + (f" {printable(reason)!r}" if reason else "")
        name = OPCODE_NAMES[item.opcode]
        if isinstance(item, Frame) and item.opcode == TEXT and item.fin:
            if item.rsv & 4 and self._inflater is not None:
                payload = self._inflater.message(payload, 1000).data
            return f"the server sent a text frame: {printable(payload.decode(errors='replace'), SHOWN)}"
        return f"the server sent a {name} frame of {len(payload)} bytes"
