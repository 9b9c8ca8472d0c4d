"""Accepting connections where the system gives no more sockets: told once, and tried again after a pause.

A listening socket is readable as long as somebody waits, so that an event loop that cannot accept would turn in
circles. asyncio knows that, and pauses for a second, but first goes on with its hundred attempts at once, each with a
traceback and a timer of its own; tornado does not pause at all.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Callable
from typing import Any

from tornado.ioloop import IOLoop

EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
"""What a system says when it has no socket to give."""

PAUSE = 1.0
"""Seconds until it is tried again."""

CALM = 5.0
"""Seconds without a failure after which it is over: until then each connection that ends lets in just one more."""


class Exhaustion:
    """Whether connections cannot be accepted at present. ``say(why)`` is called when that begins, with the error's
    number, and with 0 when it is over."""

    def __init__(self, say: Callable[[int], None]) -> None:
        self._say = say
        self._why = 0
        self._failed_at = 0.0

    def begin(self, why: int) -> None:
        """None could be accepted."""
        self._failed_at = time.monotonic()
        if not self._why:
            self._why = why
            self._say(why)

    def end(self) -> None:
        """One was accepted."""
        if self._why and time.monotonic() - self._failed_at > CALM:
            self._why = 0
            self._say(0)

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sees to what ``loop`` accepts by itself: asyncio's servers. For as long as the loop is there."""
        accept = getattr(loop, "_accept_connection", None)  # of selector event loops; others have ways of their own
        if accept is not None:
            loop._accept_connection = (  # type: ignore[attr-defined]
                lambda factory, sock, *more, **named: accept(factory, _Once(_bare(sock), self), *more, **named)
            )

    def handles(self, context: dict[str, Any]) -> bool:
        """Whether what an event loop's exception handler was given is no news but this."""
        error = context.get("exception")
        return "socket" in context and isinstance(error, OSError) and error.errno in EXHAUSTED


class _Once:
    """A listening socket that asyncio accepts from once more at most where there is nothing to be had."""

    def __init__(self, sock: socket.socket, exhaustion: Exhaustion) -> None:
        self.sock = sock
        self._exhaustion = exhaustion
        self._failed = False

    def accept(self) -> tuple[socket.socket, Any]:
        """As a socket does."""
        if self._failed:
            raise BlockingIOError
        try:
            accepted = self.sock.accept()
        except OSError as error:
            self._failed = error.errno in EXHAUSTED
            if self._failed:
                self._exhaustion.begin(error.errno or 0)
            raise
        self._exhaustion.end()
        return accepted

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)


def _bare(sock: Any) -> socket.socket:
    return sock.sock if isinstance(sock, _Once) else sock


class PatientSocket(socket.socket):
    """A listening socket for tornado, which pauses where there is nothing to be had."""

    exhaustion: Exhaustion | None = None

    @classmethod
    def of(cls, sock: socket.socket, exhaustion: Exhaustion | None) -> PatientSocket:
        """The same socket, which is no longer ``sock``'s."""
        made = cls(sock.family, sock.type, sock.proto, sock.detach())
        made.setblocking(False)
        made.exhaustion = exhaustion
        return made

    def accept(self) -> tuple[socket.socket, Any]:
        """As a socket does."""
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in EXHAUSTED:
                raise
            if self.exhaustion is not None:
                self.exhaustion.begin(error.errno or 0)
            loop = IOLoop.current()
            loop.update_handler(self, 0)
            loop.call_later(PAUSE, self._again, loop)
            raise BlockingIOError from None

    def _again(self, loop: IOLoop) -> None:
        if self.fileno() >= 0:
            loop.update_handler(self, IOLoop.READ)
