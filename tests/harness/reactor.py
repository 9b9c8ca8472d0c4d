"""One thread that owns every raw socket of the tests.

All socket calls happen in it: a socket that is closed while another thread sleeps in a system call on it
would send its FIN or RST late, and these tests are about exactly that. Test threads hand work in with
:meth:`Reactor.call` and wait for states with :meth:`Reactor.wait`.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from harness import DEADLINE

T = TypeVar("T")
Handler = Callable[[int], None]


class Reactor:
    """A poll loop in a daemon thread. ``changed`` guards all state that it alters."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self._poll = select.poll()
        self._handlers: dict[int, Handler] = {}
        self._work: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._waker, self._wakee = socket.socketpair()
        self._wakee.setblocking(False)
        self._poll.register(self._wakee.fileno(), select.POLLIN)
        self._thread = threading.Thread(target=self._run, name="raw sockets", daemon=True)
        self._thread.start()

    def call(self, work: Callable[[], T]) -> T:
        """Run ``work`` in the reactor's thread and return its result, or raise its error."""
        if threading.current_thread() is self._thread:
            return work()
        future: Future[T] = Future()
        self._work.append((work, future))
        self._waker.send(b"!")
        return future.result(DEADLINE)

    def wait(self, condition: Callable[[], T], what: Callable[[], str], deadline: float = DEADLINE) -> T:
        """Wait until ``condition()`` is true and return it; ``what()`` says what is missing."""
        until = time.monotonic() + deadline
        with self.changed:
            while not (result := condition()):
                if not self.changed.wait(until - time.monotonic()) and not (result := condition()):
                    raise AssertionError(f"{what()} (waited {deadline:g} s)")
                if result:
                    break
            return result

    def register(self, fd: int, events: int, handler: Handler) -> None:
        """Call ``handler`` for these poll events on ``fd``; again to change them."""
        self._handlers[fd] = handler
        self._poll.register(fd, events)

    def unregister(self, fd: int) -> None:
        """Forget ``fd``; no error when it is not known."""
        if self._handlers.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def _run(self) -> None:
        while True:
            ready = self._poll.poll()
            with self.changed:
                for fd, events in ready:
                    if fd == self._wakee.fileno():
                        self._wakee.recv(4096)
                    elif handler := self._handlers.get(fd):
                        handler(events)
                while self._work:
                    work, future = self._work.popleft()
                    try:
                        future.set_result(work())
                    except BaseException as error:
                        future.set_exception(error)
                self.changed.notify_all()


_shared: list[Reactor] = []


def reactor() -> Reactor:
    """The one of this process."""
    if not _shared:
        _shared.append(Reactor())
    return _shared[0]
