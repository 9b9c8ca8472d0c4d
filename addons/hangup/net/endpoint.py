"""One end of a TCP connection that knows how it was lost, and can half-close, close or reset it.

asyncio's streams hide the difference between a FIN and a RST, and a half-close cannot be told from a close. Both are
what this program is about. Who speaks TLS on it, and who is told what arrives, is a subclass's business.
"""

from __future__ import annotations

import asyncio
import socket
from asyncio.proactor_events import _ProactorBasePipeTransport as ProactorTransport
from typing import Protocol

from hangup.recording.events import How
from hangup.system import linger_reset


class ByteWriter(Protocol):
    """What bytes go out by: an asyncio transport, a stream's writer, or what is like one."""

    def write(self, data: bytes, /) -> None:
        """Sends, soon."""

    def write_eof(self) -> None:
        """Half-closes."""

    def close(self) -> None:
        """Closes, once what was written is sent."""

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""


def how_lost(error: BaseException | None) -> How:
    """What an asyncio transport's ``connection_lost`` error means on the wire."""
    if error is None:
        return "fin"
    if isinstance(error, ConnectionError):
        return "rst"
    return "timeout" if isinstance(error, TimeoutError) else "error"


def reset(transport: asyncio.Transport) -> None:
    """Closes a transport with a RST, after what is written already where the system takes it at once."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is not None:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_reset())
        except OSError:
            pass
    transport.abort()
    if isinstance(transport, ProactorTransport):
        # Windows' event loop would shut it down before it closes it, and so send a FIN before the RST.
        transport._sock.close()  # type: ignore[attr-defined]


class Endpoint(asyncio.Protocol):
    """One end. ``writer`` and ``transport`` are set by the subclass, ``transport`` stays None for a stream that is no
    asyncio transport."""

    writer: ByteWriter

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.shut = False
        """We send no more."""
        self.lost = False
        """The connection is gone."""
        self.error: Exception | None = None
        """Why, when it was lost otherwise than by an orderly end."""
        self.paused = False
        """More is written than the peer takes."""

    # What a subclass does about it.

    def on_lost(self, how: How) -> None:
        """The connection is gone; called once."""

    def on_pause(self) -> None:
        """``paused`` has changed."""

    # asyncio.

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        if self.lost:
            return
        self.lost = True
        self.error = exc
        self.on_lost(how_lost(exc))

    def pause_writing(self) -> None:
        """asyncio: the write buffer is full."""
        self.paused = True
        self.on_pause()

    def resume_writing(self) -> None:
        """asyncio: the write buffer has room again."""
        self.paused = False
        self.on_pause()

    # Our own doing.

    def send(self, data: bytes) -> None:
        """Sends, unless our half is over."""
        if not (self.shut or self.lost):
            self.writer.write(data)

    def half_close(self) -> None:
        """Ends our half with a FIN."""
        if self.shut or self.lost:
            return
        self.shut = True
        try:
            if not self.writer.is_closing():
                self.write_fin()
        except OSError:
            pass

    def write_fin(self) -> None:
        """Sends the FIN, or what comes nearest to it here."""
        self.writer.write_eof()

    def close(self) -> None:
        """Closes in order, once what was written is sent."""
        self.shut = True
        if not self.lost:
            self.writer.close()

    def reset(self) -> None:
        """Sends a RST; a stream that cannot is closed."""
        self.shut = True
        if self.lost:
            return
        if self.transport is None:
            self.writer.close()
        else:
            reset(self.transport)
