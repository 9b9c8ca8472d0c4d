"""All clients of a recording, played together: each begins as it had, before, beside or after the others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from hangup.filters.filter_set import FilterSet
from hangup.replay.client import play
from hangup.replay.client_settings import ReplaySettings
from hangup.replay.event_sink import EventSink
from hangup.replay.outcome import ReplayOutcome
from hangup.replayable.client_script import Transcript
from hangup.replayable.survey import Survey
from hangup.wire.url import Target

AT_ONCE = 0.001
"""Connections that were asked for within so many seconds were asked for together."""


class _Client:
    """One client: when it was, in the recording, and how far it is now."""

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript
        survey: Survey = transcript.survey
        connection = survey.connection
        self.asked = connection.first_seen if connection.asked is None else connection.asked
        self.ended = survey.over if survey.by != "nobody" or connection.refused else None
        self.opened = asyncio.Event()
        self.done = asyncio.Event()
        self.done_at = 0.0


async def play_all(
    transcripts: Sequence[Transcript],
    target: Target,
    sink: EventSink,
    settings: ReplaySettings,
    *,
    filters: FilterSet | None = None,
    on_done: Callable[[ReplayOutcome], None] = lambda outcome: None,
) -> list[ReplayOutcome]:
    """Plays all of them over one sink, under the numbers that they had.

    A connection is opened when those that had ended before it have ended, as long after the last of them as in the
    recording; and not before those that had been opened before it. The first failure to connect ends them all.
    """
    loop = asyncio.get_running_loop()
    parts = sorted(map(_Client, transcripts), key=lambda part: (part.asked, part.transcript.conn))
    began = loop.time()
    outcomes: dict[int, ReplayOutcome] = {}

    async def perform(i: int, part: _Client) -> None:
        earlier = parts[:i]
        over = [each for each in earlier if each.ended is not None and each.ended <= part.asked]
        for each in over:
            await each.done.wait()
        last = max(over, key=lambda each: each.ended or 0.0, default=None)
        then, now = (parts[0].asked, began) if last is None else (last.ended or 0.0, last.done_at)
        for each in earlier:
            if part.asked - each.asked > AT_ONCE:
                await each.opened.wait()
        await asyncio.sleep(max(0.0, now + (part.asked - then) / settings.speed - loop.time()))
        try:
            outcome = await play(
                part.transcript,
                target,
                sink,
                settings,
                conn=part.transcript.conn,
                filters=filters,
                on_open=part.opened.set,
            )
            outcomes[part.transcript.conn] = outcome
            on_done(outcome)
        finally:
            part.opened.set()
            part.done_at = loop.time()
            part.done.set()

    try:
        async with asyncio.TaskGroup() as group:
            for i, part in enumerate(parts):
                group.create_task(perform(i, part))
    except* Exception as failures:
        raise _first(failures) from None
    return [outcomes[part.transcript.conn] for part in parts]


def _first(group: BaseExceptionGroup[Exception]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
