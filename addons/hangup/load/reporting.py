"""Within Locust: what the player tells becomes Locust's requests and failures, and the load test's own summary.

Each Locust process has one :class:`Reporting`. Workers send what they know of the load to the master with Locust's own
reports; the master, or a Locust that is alone, sums it up when it quits.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import gevent
import msgspec
from locust import events
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerRunner

from hangup.errors import HangupError
from hangup.load import summary
from hangup.load.curve import EXAMPLES, SLICE, Curve, Kind, Part, Slice, class_of
from hangup.load.player_process import BREATH, PlayerProcess
from hangup.load.wire_format import Batch, Ended, Plan

logger = logging.getLogger(__name__)

SUMMARY = "HANGUP_LOAD_SUMMARY"
"""The variable that says where the summary is to be written."""

KEY = "hangup"
"""What it is called in a worker's report."""

LAST = 0.4
"""Seconds that the last reports may take: a master waits half a second for its workers'."""

START = 30.0
"""Seconds that the player may take to start."""

ANSWERS = frozenset(("ANSWER", "PING"))


class ConnectionDropped(Exception):
    """A connection ended as it should not have. ``failure`` is its signature, as in `--fails-when`, and ``sentence``
    says all of this one."""

    def __init__(self, key: str, failure: str, sentence: str) -> None:
        super().__init__(key)
        self.failure = failure
        self.sentence = sentence

    def __repr__(self) -> str:
        """Locust's tables show this, and count what is equal."""
        return str(self)


class Reporting:
    """What is known in this process."""

    def __init__(self) -> None:
        self.environment: Environment | None = None
        self.curve = Curve()
        self.child: int | None = None
        """The player's process id."""
        self._player: PlayerProcess | None = None
        self._part = Part()
        self._names: list[tuple[str, str]] = []

    # Clients.

    def player(self, environment: Environment) -> PlayerProcess:
        """This process's player."""
        self.environment = environment
        player = self._player
        if player is None or player.pid != os.getpid() or player.ended.is_set():
            self._names = []
            player = self._player = PlayerProcess(self._took)
            self.child = player.child
            logger.debug("started the load player as process %s", player.child)
        return player

    def fails(self, why: str) -> None:
        """Nothing can be played: ends the test with one line."""
        environment = self.environment
        if environment is None or environment.process_exit_code is not None:
            return
        environment.process_exit_code = 1
        logger.error("hangup: %s", why)
        if environment.runner is not None:
            gevent.spawn(environment.runner.quit)

    # What the player tells.

    def _took(self, batch: Batch) -> None:
        environment = self.environment
        assert environment is not None
        self._names += batch.names
        now = time.time()
        piece = self._part.slices.setdefault(int(now / SLICE), Slice())
        piece.connected = batch.connected
        if batch.recording:
            self._part.recordings.append(batch.recording)
        request, names = environment.events.request, self._names
        for count, (index, ms, size) in enumerate(batch.samples, 1):
            type_, name = names[index]
            if ms is not None:
                if type_ in ANSWERS:
                    took = class_of(ms)
                    piece.answers[took] = piece.answers.get(took, 0) + 1
                elif type_ == "CONNECT":
                    piece.opened += 1
            request.fire(
                request_type=type_,
                name=name,
                response_time=ms,
                response_length=size,
                exception=None,
                context={},
                start_time=now if ms is None else now - ms / 1000,
            )
            if not count % BREATH:
                gevent.sleep(0)
        for end in batch.ends:
            self._ended(end, piece, now)

    def _ended(self, end: Ended, piece: Slice, now: float) -> None:
        assert self.environment is not None
        dropped: ConnectionDropped | None = None
        if end.key:
            dropped = ConnectionDropped(end.key, end.failure, end.sentence)
            piece.ended[end.key] = piece.ended.get(end.key, 0) + 1
            piece.connected = max(piece.connected, end.connected)
            self._part.totals[end.key] = self._part.totals.get(end.key, 0) + 1
            if end.lag is not None:
                lags = self._part.lags.setdefault(end.key, {})
                took = class_of(end.lag)
                lags[took] = lags.get(took, 0) + 1
            kind = self._part.kinds.get(end.key)
            if kind is None:
                kind = self._part.kinds[end.key] = Kind(end.failure, end.sentence)
            if end.conn and len(kind.examples) < EXAMPLES:
                kind.examples.append((self._recording, end.conn))
        self.environment.events.request.fire(
            request_type=end.type,
            name=end.name,
            response_time=end.waited,
            response_length=0,
            exception=dropped,
            context={"sentence": end.sentence, "failure": end.failure},
            start_time=now,
        )

    @property
    def _recording(self) -> str:
        return self._part.recordings[-1] if self._part.recordings else self._last_recording

    _last_recording = ""

    # Locust's events.

    def take(self) -> Part:
        """What has not been told yet."""
        part, self._part = self._part, Part()
        if part.recordings:
            self._last_recording = part.recordings[-1]
        return part

    def restarted(self) -> None:
        """Another test begins."""
        self.curve = Curve()
        recordings = self._part.recordings
        self._part = Part(recordings=recordings)

    def drain(self) -> None:
        """Waits for what the player has not told yet."""
        if self._player is not None and self._player.pid == os.getpid():
            self._player.drain(LAST)

    def quits(self) -> None:
        """Locust ends: so does the player; and what was found is told, but by a worker."""
        if self._player is not None and self._player.pid == os.getpid():
            self._player.close()
        environment = self.environment
        if environment is None or isinstance(environment.runner, WorkerRunner):
            return
        self.curve.add("", self.take())
        found = summary.sum_up(self.curve)
        if not found.opened and not found.failures:
            return
        sys.stderr.write("\n".join(["", *found.lines(), ""]) + "\n")
        sys.stderr.flush()
        if path := os.environ.get(SUMMARY):
            try:
                summary.write(Path(path), found)
            except HangupError as error:
                logger.error("hangup: %s", error)


reporting = Reporting()


def _init(environment: Environment, runner: Runner | None, **_: Any) -> None:
    """The player is started with Locust, and waited for: it takes a second, in which the load would not rise."""
    reporting.environment = environment
    if not isinstance(runner, MasterRunner):
        reporting.player(environment).drain(START)


def _test_start(**_: Any) -> None:
    reporting.restarted()


def _test_stop(**_: Any) -> None:
    reporting.drain()


def _report_to_master(data: dict[str, Any], **_: Any) -> None:
    data[KEY] = msgspec.msgpack.encode(reporting.take())


def _worker_report(client_id: str, data: dict[str, Any], **_: Any) -> None:
    if KEY in data:
        reporting.curve.add(client_id, msgspec.msgpack.decode(data[KEY], type=Part))


def _quit(**_: Any) -> None:
    reporting.quits()


def listen() -> None:
    """From now on Locust's events are taken."""
    listeners = {
        events.init: _init,
        events.test_start: _test_start,
        events.test_stop: _test_stop,
        events.report_to_master: _report_to_master,
        events.worker_report: _worker_report,
        events.quit: _quit,
    }
    for event, listener in listeners.items():
        event.add_listener(listener)


listen()


__all__ = ["ConnectionDropped", "Plan", "Reporting", "reporting"]
