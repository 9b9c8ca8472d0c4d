"""The player as a Locust process sees it: started when the first client begins, spoken to over its pipes.

Runs within Locust, under gevent: what waits here lets the other greenlets run.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

import gevent
from gevent.event import AsyncResult, Event

from hangup.load.wire_format import Batch, Begin, Command, Drain, Leave, Plan, Unpacker, batch, pack

logger = logging.getLogger(__name__)

CHUNK = 1 << 16

GONE = "the load player has ended unexpectedly"

BREATH = 1000
"""After so many samples other greenlets get their turn."""


class PlayerProcess:
    """``on_batch`` is called with each batch that comes."""

    def __init__(self, on_batch: Callable[[Batch], None]) -> None:
        self._on_batch = on_batch
        self._clients: dict[int, AsyncResult] = {}
        self._drains: dict[int, Event] = {}
        self._count = 0
        self._token = 0
        self._closing = False
        self.pid = os.getpid()
        """Of the process that started it: a fork of that has to start its own."""
        self.ended = Event()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "hangup.load.player"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        self._outgoing: list[bytes] = []
        self._something = Event()
        gevent.spawn(self._write)
        gevent.spawn(self._read)

    @property
    def child(self) -> int:
        """The player's process id."""
        return int(self._process.pid)

    # Clients.

    def begin(self, plan: Plan, seed: int, headers: list[tuple[str, str]], sets: dict[str, str]) -> int:
        """Begins a client; its number here."""
        self._count += 1
        self._clients[self._count] = AsyncResult()
        self._send(Begin(self._count, plan, seed, headers, sets))
        return self._count

    def wait(self, client: int) -> None:
        """Waits until a client has finished; raises :class:`RuntimeError` when the player cannot play."""
        self._clients[client].get()

    def leave(self, client: int) -> None:
        """Tells a client to leave, unless it has finished."""
        if self._clients.pop(client, None) is not None and not self.ended.is_set():
            self._send(Leave(client))

    # The pipes.

    def _send(self, command: Command) -> None:
        self._outgoing.append(pack(command))
        self._something.set()

    def _write(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(OSError, ValueError):
            while True:
                self._something.wait()
                self._something.clear()
                data = memoryview(b"".join(self._outgoing))
                self._outgoing.clear()
                while data:
                    data = data[stdin.write(data) :]
                if self._closing:
                    stdin.close()
                    return

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        unpacker = Unpacker()
        with suppress(OSError, ValueError):
            while data := stdout.read(CHUNK):
                for body in unpacker.feed(data):
                    self._took(batch(body))
        self._process.wait()
        if not self._closing:
            logger.error("%s (exit code %s)", GONE, self._process.returncode)
        self.ended.set()
        self._fail(GONE)
        for waiting in self._drains.values():
            waiting.set()

    def _took(self, told: Batch) -> None:
        self._on_batch(told)
        for text in told.trouble:
            logger.warning("hangup: %s", text)
        for client in told.done:
            result = self._clients.get(client)
            if result is not None:
                result.set(None)
        if told.fatal:
            self._fail(told.fatal)
        for token in told.drained:
            if (waiting := self._drains.pop(token, None)) is not None:
                waiting.set()

    def _fail(self, why: str) -> None:
        for result in list(self._clients.values()):
            if not result.ready():
                result.set_exception(RuntimeError(why))

    # The end.

    def drain(self, within: float) -> None:
        """Waits until all that has happened is reported, at most for so many seconds."""
        if self.ended.is_set():
            return
        self._token += 1
        waiting = self._drains[self._token] = Event()
        self._send(Drain(self._token))
        waiting.wait(within)

    def close(self, within: float = 5.0) -> None:
        """Ends it, in order if it does so within some seconds."""
        self._closing = True
        self._something.set()
        if not self.ended.wait(within):
            with suppress(OSError):
                self._process.kill()
            self.ended.wait(1.0)
