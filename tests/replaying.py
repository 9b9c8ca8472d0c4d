"""Recorded clients played against servers of the tests' own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

from conversing import Talk
from hangup.filters.filter_set import FilterSet
from hangup.recording.events import AnyEvent
from hangup.replay.client import play
from hangup.replay.client_settings import ReplaySettings
from hangup.replay.event_sink import MemorySink
from hangup.replay.outcome import ReplayOutcome
from hangup.replayable.client_script import Transcript
from hangup.wire.url import parse_target
from harness.peers import Answer, Head, Peer, RawServer
from test_transcript import InMemory

FAST = ReplaySettings(speed=inf, survive=0.2)
"""As fast as it goes, and quick to say that it survived."""


class Played:
    """What came of it: the outcome, and the run's events."""

    def __init__(self, outcome: ReplayOutcome, sink: MemorySink) -> None:
        self.outcome = outcome
        self.sink = sink

    @property
    def events(self) -> list[Any]:
        """The run's events."""
        return self.sink.events


def transcript_of(talk: Talk | Sequence[AnyEvent], conn: int = 1, **more: Any) -> Transcript:
    """The client of a conversation."""
    events = talk.events if isinstance(talk, Talk) else list(talk)
    return Transcript(InMemory(events), conn, **more)


def run(
    talk: Talk | Transcript,
    target: str | RawServer,
    settings: ReplaySettings = FAST,
    *,
    filters: Sequence[str] = (),
    **more: Any,
) -> Played:
    """Plays a conversation's client."""
    transcript = talk if isinstance(talk, Transcript) else transcript_of(talk)
    where = parse_target(target if isinstance(target, str) else target.url)

    async def main() -> Played:
        sink = MemorySink(keep=10_000)
        outcome = await play(transcript, where, sink, settings, filters=FilterSet(filters), **more)
        return Played(outcome, sink)

    return asyncio.run(main())


def serving(script: Callable[[Peer], None], answer: Answer | Callable[[Head], Answer] | None = None) -> RawServer:
    """A server that does just this with each connection; afterwards it closes, if it has not."""

    def whole(peer: Peer) -> None:
        try:
            script(peer)
        finally:
            peer.close()

    return RawServer(answer=answer or Answer(), script=whole)
