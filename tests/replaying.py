"""Recorded clients played against servers of the tests' own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from math import inf
from typing import Any

from conversing import Talk
from hangup.filters.filter_set import FilterSet
from hangup.peer.outcome import Outcome
from hangup.peer.player import Settings, play
from hangup.peer.tape import Tape
from hangup.recording.events import AnyEvent
from hangup.replayable.client_script import Transcript
from hangup.wire.url import parse_target
from harness.peers import Answer, Head, Peer, RawServer
from test_transcript import InMemory

FAST = Settings(speed=inf, survive=0.2)
"""As fast as it goes, and quick to say that it survived."""


class Played:
    """What came of it: the outcome, and the run's events."""

    def __init__(self, outcome: Outcome, tape: Tape) -> None:
        self.outcome = outcome
        self.tape = tape

    @property
    def events(self) -> list[Any]:
        """The run's events."""
        return self.tape.events


def transcript_of(talk: Talk | Sequence[AnyEvent], conn: int = 1, **more: Any) -> Transcript:
    """The client of a conversation."""
    events = talk.events if isinstance(talk, Talk) else list(talk)
    return Transcript(InMemory(events), conn, **more)


def run(
    talk: Talk | Transcript,
    target: str | RawServer,
    settings: Settings = FAST,
    *,
    filters: Sequence[str] = (),
    **more: Any,
) -> Played:
    """Plays a conversation's client."""
    transcript = talk if isinstance(talk, Transcript) else transcript_of(talk)
    where = parse_target(target if isinstance(target, str) else target.url)

    async def main() -> Played:
        tape = Tape(keep=10_000)
        outcome = await play(transcript, where, tape, settings, filters=FilterSet(filters), **more)
        return Played(outcome, tape)

    return asyncio.run(main())


def serving(script: Callable[[Peer], None], answer: Answer | Callable[[Head], Answer] | None = None) -> RawServer:
    """A server that does just this with each connection; afterwards it closes, if it has not."""

    def whole(peer: Peer) -> None:
        try:
            script(peer)
        finally:
            peer.close()

    return RawServer(answer=answer or Answer(), script=whole)
