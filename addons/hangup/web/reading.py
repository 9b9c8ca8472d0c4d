"""The process that reads the recording for the page: ``python -m hangup.web.reading``.

It is started by :mod:`hangup.web.worker`, with low priority, so that reading never keeps the proxy's traffic waiting.
Requests come by standard input, answers go by standard output, both in :data:`HEAD` and JSON. It ends when standard
input does, which the system sees to when whoever started it is gone, whatever the reason.
"""

from __future__ import annotations

import gc
import os
import queue
import signal
import struct
import sys
import threading
import traceback
from collections import deque
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from hangup.errors import HangupError
from hangup.web.queries import ask
from hangup.web.query import QueryError, Slices
from hangup.web.recorded import Recorded

HEAD = struct.Struct(">IHI")
"""Number of the request, HTTP status (0 in a request), bytes that follow."""

SLICE = 0.05
"""Seconds of reading on between two looks for new requests."""

PATIENCE = 0.05
"""Seconds that a query may wait for what was written to the file before it was asked."""

IDLE = 0.25
"""Seconds between two looks at a file that grows, as long as anybody asks."""

FORGOTTEN = 30.0
"""Seconds after the last request when it stops looking."""

ALLOCATED = 100_000
"""The collector looks for cycles after so many more objects: an index grows by millions, which have none, and to look
at them again and again takes a third of the time."""

Request = tuple[int, dict[str, Any]]


class RecordingReader:
    """Answers requests on ``recorded``: what is quick at once, the rest in slices, and reads on in between."""

    def __init__(self, recorded: Recorded, out: BinaryIO) -> None:
        self._recorded = recorded
        self._out = out
        self._slices: deque[tuple[int, Slices]] = deque()

    def run(self, requests: queue.SimpleQueue[Request]) -> None:
        """Never ends by itself."""
        more, idle = True, 0.0
        while True:
            busy = more or bool(self._slices)
            try:
                request = requests.get(block=not busy, timeout=None if busy or idle >= FORGOTTEN else IDLE)
            except queue.Empty:
                idle += 0.0 if busy else IDLE
            else:
                idle = 0.0
                self._begin(*request)
                more = True
                continue
            more = self._recorded.read(SLICE)
            if not more:  # what takes long concerns all of the recording: it waits for the rest of it
                self._go_on()

    def _begin(self, number: int, request: dict[str, Any]) -> None:
        try:
            self._recorded.read(PATIENCE)
            answer = ask(self._recorded, request["query"], request["given"])
        except Exception as error:
            self._fail(number, error)
        else:
            if isinstance(answer, dict):
                self._answer(number, 200, answer)
            else:
                self._slices.append((number, answer))

    def _go_on(self) -> None:
        if not self._slices:
            return
        number, slices = self._slices.popleft()
        try:
            next(slices)
        except StopIteration as stop:
            self._answer(number, 200, stop.value)
        except Exception as error:
            self._fail(number, error)
        else:
            self._slices.append((number, slices))

    def _fail(self, number: int, error: Exception) -> None:
        if isinstance(error, HangupError):
            self._answer(number, error.status if isinstance(error, QueryError) else 500, {"error": str(error)})
            return
        traceback.print_exception(error)
        self._answer(number, 500, {"error": f"this could not be read: {type(error).__name__}"})

    def _answer(self, number: int, status: int, answer: Any) -> None:
        send(self._out, number, status, answer)


def send(out: BinaryIO, number: int, status: int, value: Any) -> None:
    """Writes one message."""
    body = msgspec.json.encode(value)
    out.write(HEAD.pack(number, status, len(body)) + body)
    out.flush()


def _listen(source: BinaryIO, requests: queue.SimpleQueue[Request]) -> None:
    while len(head := source.read(HEAD.size)) == HEAD.size:
        number, _, length = HEAD.unpack(head)
        requests.put((number, msgspec.json.decode(source.read(length))))
    os._exit(0)  # nobody is there any more; whatever is under way is of no use


def main() -> None:
    """Reads the recording that the first request names; that request is answered once it is open."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(ALLOCATED)
    requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests), daemon=True).start()
    out = sys.stdout.buffer
    number, first = requests.get()
    try:
        recorded = Recorded(Path(first["path"]), first["facts"])
    except HangupError as error:
        send(out, number, 500, {"error": str(error)})
        return
    send(out, number, 200, {})
    RecordingReader(recorded, out).run(requests)


if __name__ == "__main__":
    try:
        main()
    except Exception:
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(1)  # the other thread waits for standard input, and would keep the interpreter from ending in order
