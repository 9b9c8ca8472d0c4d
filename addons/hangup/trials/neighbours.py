"""Other connections of the recording, played beside the one that is studied."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from hangup.errors import BackendError
from hangup.experiment.trial import Neighbour
from hangup.replay.client import play
from hangup.replay.client_settings import ReplaySettings
from hangup.replay.event_sink import EventSink
from hangup.replayable.client_script import Transcript
from hangup.wire.url import Target


class Others:
    """Plays them against ``target``. ``transcript`` gives that of a connection, by its number."""

    def __init__(
        self, transcript: Callable[[int], Transcript] | None, target: Target, *, insecure: bool, ca: Path | None
    ) -> None:
        self._transcript = transcript
        self._target = target
        self._insecure, self._ca = insecure, ca
        self._known: dict[int, Transcript] = {}

    @asynccontextmanager
    async def beside(
        self, studied: Transcript, neighbours: Sequence[Neighbour], conn: int, sink: EventSink, seed: int
    ) -> AsyncIterator[None]:
        """Within it, connection ``studied`` is to be played, which begins as long after the first of these as it did;
        they are called off with it. They are recorded under the numbers before ``conn``."""
        if not neighbours:
            yield
            return
        parts = [self._of(each.conn) for each in neighbours]
        first = min(_asked(part) for part in (*parts, studied))
        tasks = [
            asyncio.create_task(
                self._play(part, each, _asked(part) - first, conn - 1 - place, sink, seed)
            )
            for place, (part, each) in enumerate(zip(parts, neighbours, strict=True))
        ]
        try:
            await asyncio.sleep(_asked(studied) - first)
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _of(self, conn: int) -> Transcript:
        if conn not in self._known:
            if self._transcript is None:
                raise LookupError(f"there is no transcript of connection {conn}")
            self._known[conn] = self._transcript(conn)
        return self._known[conn]

    async def _play(
        self, part: Transcript, neighbour: Neighbour, after: float, conn: int, sink: EventSink, seed: int
    ) -> None:
        await asyncio.sleep(after)
        settings = ReplaySettings(
            pace="causal" if part.survey.correlations else "clock",  # what it says is timed by its own clock
            seed=seed + conn,
            insecure=self._insecure,
            ca=self._ca,
            leaves=neighbour.leaves,
            survive=LONG,
        )
        frames = None if neighbour.frames is None else frozenset(neighbour.frames)
        with suppress(BackendError):
            await play(part, self._target, sink, settings, conn=conn, frames=frames)


LONG = 3600.0
"""Seconds: they stay until they are called off, or their client leaves."""


def _asked(part: Transcript) -> float:
    """When it was asked for, in the recording's seconds."""
    connection = part.survey.connection
    return connection.first_seen if connection.asked is None else connection.asked
