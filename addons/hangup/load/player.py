"""The player: a process that plays the simulated clients of one Locust process, with asyncio.

``python -m hangup.load.player`` reads commands from stdin and writes batches to stdout
(:mod:`hangup.load.wire_format`). It ends when stdin does. Signals are for Locust, which ends it.
"""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from hangup.errors import HangupError
from hangup.load.recorded_client import Turn, read_turns
from hangup.load.simulated_client import SimulatedClient
from hangup.load.wire_format import Batch, Begin, Command, Drain, Ended, Leave, Plan, Unpacker, command, pack
from hangup.recorder.recorder import Recorder
from hangup.recording.folder import new_path
from hangup.wire.url import Target, parse_target

EVERY = 0.05
"""Seconds between two batches."""

MOST_SAMPLES = 2000
"""What waits longer than for so many samples is sent at once."""

REPRESENTED = 20
"""Of each failure so many connections are recorded, whichever clients were chosen: whoever had it is recorded when it
comes again."""

FILES = 65536
"""Open files that are asked for: each client has one."""


class Player:
    """Plays clients, and gathers what is to be reported. Must be made within the running event loop; ``write`` takes
    the bytes for the pipe, and may be called from the loop only."""

    def __init__(self, write: queue.SimpleQueue[bytes | None]) -> None:
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._batch = Batch()
        self._names: dict[tuple[str, str], int] = {}
        self._clients: dict[int, asyncio.Task[None]] = {}
        self._plans: dict[Plan, tuple[list[Turn], Target] | HangupError] = {}
        self._connected = 0
        self._told = -1
        self._represented: Counter[str] = Counter()
        self._recorders: dict[str, Recorder] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._tick()

    # What clients report.

    def sample(self, type: str, name: str, ms: float | None, size: int) -> None:
        """A message, or an exchange."""
        row = (type, name)
        index = self._names.get(row)
        if index is None:
            index = self._names[row] = len(self._names)
            self._batch.names.append(row)
        samples = self._batch.samples
        samples.append((index, ms, size))
        if len(samples) >= MOST_SAMPLES:
            self.flush()

    def ended(self, end: Ended) -> None:
        """A connection is over."""
        if end.key and end.conn:
            self._represented[end.key] += 1
        self._batch.ends.append(end)

    def connected(self, change: int) -> int:
        """One more is connected, or one less; how many were before."""
        before = self._connected
        self._connected += change
        return before

    def recorder_for(self, begin: Begin, told: str) -> tuple[Recorder | None, int]:
        """What records a client's next connection, and its number there."""
        plan = begin.plan
        if not plan.record or not plan.sample:
            return None, 1
        chosen = int(begin.client * plan.sample) != int((begin.client - 1) * plan.sample)
        if not chosen and not (told and self._represented[told] < REPRESENTED):
            return None, 1
        recorder = self._recorders.get(plan.record)
        if recorder is None:
            try:
                recorder = Recorder(
                    new_path(Path(plan.record), datetime.now(UTC), f"load-{os.getpid()}"),
                    target=plan.target,
                    mode="load",
                    filters=list(plan.filters),
                    source=f"load of {os.path.basename(plan.recording)}",
                    on_loss=self.trouble,
                )
            except HangupError as error:
                self.trouble(f"nothing is recorded: {error}")
                self._plans.pop(plan, None)
                return None, 1
            self._recorders[plan.record] = recorder
            self._batch.recording = str(recorder.path)
        return recorder, recorder.next_conn()

    def trouble(self, text: str) -> None:
        """What a person must know; from any thread."""
        self._loop.call_soon_threadsafe(lambda: self._batch.trouble.append(text))

    # What Locust asks for.

    def take(self, asked: Command) -> None:
        """Carries out a command."""
        if isinstance(asked, Begin):
            self._begin(asked)
        elif isinstance(asked, Leave):
            task = self._clients.get(asked.client)
            if task is not None:
                task.cancel()
        elif isinstance(asked, Drain):
            self._loop.create_task(self._drain(asked.token))

    async def _drain(self, token: int) -> None:
        """Once those that are leaving have left."""
        leaving = [task for task in self._clients.values() if task.cancelling()]
        if leaving:
            await asyncio.wait(leaving, timeout=1.0)
        for recorder in self._recorders.values():
            recorder.journal.flush()
        self._batch.drained.append(token)
        self.flush()

    def _begin(self, begin: Begin) -> None:
        known = self._plans.get(begin.plan)
        if known is None:
            known = self._plans[begin.plan] = _read(begin.plan)
        if isinstance(known, HangupError):
            self._batch.fatal = str(known)
            self.flush()
            return
        turns, target = known
        client = SimulatedClient(begin, turns, target, self)
        task = self._clients[begin.client] = self._loop.create_task(client.run())
        task.add_done_callback(lambda task: self._finished(begin.client, task))

    def _finished(self, client: int, task: asyncio.Task[None]) -> None:
        self._clients.pop(client, None)
        self._batch.done.append(client)
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, HangupError):
                self._batch.fatal = str(error)
            else:
                self._batch.trouble.append(f"a client could not be played: {error!r}")

    # The pipe.

    def _tick(self) -> None:
        self.flush()
        self._timer = self._loop.call_later(EVERY, self._tick)

    def flush(self) -> None:
        """Sends what has been gathered."""
        batch = self._batch
        if batch.empty and self._told == self._connected and not batch.recording:
            return
        batch.connected = self._told = self._connected
        self._batch = Batch()
        self._write.put(pack(batch))

    async def close(self) -> None:
        """All clients leave, and the recordings are completed."""
        tasks = list(self._clients.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=2.0)
        for recorder in self._recorders.values():
            recorder.close()
        if self._timer is not None:
            self._timer.cancel()
        self.flush()
        self._write.put(None)


def _read(plan: Plan) -> tuple[list[Turn], Target] | HangupError:
    try:
        target = parse_target(plan.target)
        if plan.path is not None:
            target = target.at(plan.path)
        turns = read_turns(plan.recording, plan.conns, own=plan.own_ids, ids=plan.ids, correlate=plan.correlate)
        return turns, target
    except HangupError as error:
        return error


def _many_files() -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource  # not on Windows

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        if soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _run(source: int, sink: int) -> None:
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    player = Player(outgoing)

    def read() -> None:
        unpacker = Unpacker()
        with suppress(OSError, RuntimeError):  # the pipe, or the loop, is gone
            try:
                while data := os.read(source, 1 << 16):
                    asked = [command(body) for body in unpacker.feed(data)]
                    loop.call_soon_threadsafe(_take_all, player, asked)
            finally:
                loop.call_soon_threadsafe(over.set)

    def write() -> None:
        while (data := outgoing.get()) is not None:
            view = memoryview(data)
            try:
                while view:
                    view = view[os.write(sink, view) :]
            except OSError:  # Locust is gone, and stdin will tell so
                return

    threading.Thread(target=read, name="hangup commands", daemon=True).start()
    writer = threading.Thread(target=write, name="hangup reports", daemon=True)
    writer.start()
    await over.wait()
    await player.close()
    await asyncio.to_thread(writer.join, 2.0)


def _take_all(player: Player, asked: list[Command]) -> None:
    for each in asked:
        player.take(each)


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it is installed: clients take a third less of the processor."""
    try:
        import uvloop  # not on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop


def main() -> None:
    """Runs the player until its stdin ends."""
    for name in ("SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    _many_files()
    sink = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever is printed is no part of the protocol
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        runner.run(_run(sys.stdin.fileno(), sink))


if __name__ == "__main__":
    main()
