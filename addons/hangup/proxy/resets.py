"""Notices that a socket is reset while nobody reads it any more.

An event loop reads until a FIN and then no more, so that a RST which comes later shows with the next write only. Where
there is epoll, the kernel tells; elsewhere the socket's error is looked at, a few times a second, as long as there is a
socket whose reading is over.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import Callable
from typing import Any, Protocol

INTERVAL = 0.02
"""Seconds between two looks, where the kernel does not tell."""

Told = Callable[[OSError], None]


class ResetWatch(Protocol):
    """Calls, once and in the event loop, what was given for a socket, with the error that ended it."""

    def add(self, sock: Any, told: Told) -> None:
        """Begins to watch a socket whose reading is over."""

    def remove(self, sock: Any) -> None:
        """Forgets it, before it is closed; no error if it is not watched."""

    def close(self) -> None:
        """Forgets all of them."""


def reset_watch(loop: asyncio.AbstractEventLoop) -> ResetWatch:
    """The best for this platform and event loop."""
    if hasattr(select, "epoll"):
        try:
            return EpollWatch(loop)
        except (NotImplementedError, OSError):
            pass  # an event loop that watches no descriptors, or there are none left
    return PollingWatch(loop)


class EpollWatch:
    """By an epoll of its own in the event loop's: asked for no event, it still tells of errors."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._told: dict[int, tuple[Any, Told]] = {}
        try:
            loop.add_reader(self._epoll.fileno(), self._ready)
        except BaseException:
            self._epoll.close()
            raise

    def add(self, sock: Any, told: Told) -> None:
        """Begins to watch."""
        fd = sock.fileno()
        if fd >= 0 and not self._epoll.closed:
            self._told[fd] = sock, told
            self._epoll.register(fd, 0)

    def remove(self, sock: Any) -> None:
        """Forgets it."""
        if self._told.pop(fd := sock.fileno(), None) is not None:
            self._epoll.unregister(fd)

    def close(self) -> None:
        """Forgets all of them."""
        self._told.clear()
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _ready(self) -> None:
        for fd, _ in self._epoll.poll(0):
            sock, told = self._told.pop(fd)
            self._epoll.unregister(fd)
            # Without an error both directions have ended in order, which is no news.
            if (error := error_of(sock)) is not None:
                told(error)


class PollingWatch:
    """By looking."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._told: dict[Any, Told] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def add(self, sock: Any, told: Told) -> None:
        """Begins to watch."""
        if not self._closed:
            self._told.setdefault(sock, told)
            self._wait()

    def remove(self, sock: Any) -> None:
        """Forgets it."""
        self._told.pop(sock, None)

    def close(self) -> None:
        """Forgets all of them."""
        self._closed = True
        self._told.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        if self._timer is None and self._told:
            self._timer = self._loop.call_later(INTERVAL, self._look)

    def _look(self) -> None:
        self._timer = None
        for sock, told in list(self._told.items()):
            if (error := error_of(sock)) is not None and self._told.pop(sock, None) is not None:
                told(error)
        self._wait()


def error_of(sock: Any) -> OSError | None:
    """What went wrong on a socket since it was last asked, or None."""
    try:
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    except OSError:
        return None  # it is closed
    if not number:
        return None
    # Linux calls the RST after a FIN a broken pipe.
    return OSError(number, os.strerror(number))
