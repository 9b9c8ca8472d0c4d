"""One simulated client: plays the recorded client's connections in turn, with its pauses, until it is told to leave."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from hangup.errors import BackendError
from hangup.filters.base import SIDES, Kind
from hangup.filters.filter_set import FilterSet
from hangup.load.exchanges import Stopwatch
from hangup.load.failure_keys import key_of, lag_of, signature
from hangup.load.recorded_client import Turn
from hangup.load.watching_sink import WatchingSink
from hangup.load.wire_format import Begin, Ended, Plan
from hangup.recorder.recorder import Recorder
from hangup.recording.connections import Connection
from hangup.recording.events import Handshake
from hangup.replay.client import play
from hangup.replay.client_settings import ReplaySettings
from hangup.replay.outcome import ReplayOutcome, blank
from hangup.wire.url import Target

STAYS = 1e7
"""Seconds that stand for as long as the load test lasts."""

HANDSHAKE = Kind.REQUEST | Kind.RESPONSE

AGAIN = 1.0
"""Seconds before a client tries again that did not reach the server, at least."""


class Reporting(Protocol):
    """What a client needs of its player."""

    def sample(self, type: str, name: str, ms: float | None, size: int) -> None: ...
    def ended(self, end: Ended) -> None: ...
    def connected(self, change: int) -> int: ...
    def recorder_for(self, begin: Begin, told: str) -> tuple[Recorder | None, int]: ...


class SimulatedClient:
    """``turns`` are what it plays; ``player`` is told what comes of it."""

    def __init__(self, begin: Begin, turns: Sequence[Turn], target: Target, player: Reporting) -> None:
        self.begin = begin
        self.turns = turns
        self.target = target
        self.player = player
        self.told = ""
        """The key of its last failure."""

    async def run(self) -> None:
        """Plays until it is cancelled; once through, if that is what the plan says."""
        plan, number = self.begin.plan, 0
        while True:
            turn = self.turns[number % len(self.turns)]
            reached = await _Play(self, turn).run()
            number += 1
            if plan.once and number == len(self.turns):
                return
            pause = turn.pause / (plan.speed if math.isfinite(plan.speed) else 1.0)
            await asyncio.sleep(pause if reached else max(pause, AGAIN))


class _Play:
    """One connection of a client's."""

    def __init__(self, client: SimulatedClient, turn: Turn) -> None:
        self.client = client
        self.turn = turn
        self.player = client.player
        self.open = False
        self.before = 0
        """How many were connected right before it was over."""
        self.waited: float | None = None

    async def run(self) -> bool:
        """Plays it, and whether the server was reached."""
        client, turn, player = self.client, self.turn, self.player
        begin, plan = client.begin, client.begin.plan
        recorder, conn = player.recorder_for(begin, client.told)
        sink = WatchingSink(recorder, self._opened, self._over)
        watch = Stopwatch(turn.exchanges, asyncio.get_running_loop().time, player.sample)
        filters = FilterSet((*plan.filters, *turn.own))
        outcome: ReplayOutcome | None = None
        reached = True
        try:
            outcome = await play(
                turn.transcript,
                client.target,
                sink,
                settings_of(plan, begin, sums=recorder is None and not filters_messages(filters)),
                conn=conn,
                filters=filters,
                watcher=watch,
            )
        except BackendError as error:
            reached = False
            key = f"not connected: {error}"
            self._report("CONNECT", f"GET {turn.route}", key, "", str(error), 0, None)
        except asyncio.CancelledError:
            outcome = _cut_short(turn, sink.ledger.connections.get(conn), conn)
            raise
        finally:
            self._over()
            watch.close()
            if outcome is not None:
                self._account(outcome, watch, conn if recorder is not None else 0)
        return reached

    # What happens.

    def _opened(self, event: Handshake) -> None:
        self.waited = 1000 * event.waited
        response = event.returned or event.response
        if response is not None and response.status == 101:
            self.open = True
            self.player.connected(1)
            self.player.sample("CONNECT", f"GET {self.turn.route}", self.waited, 0)

    def _over(self) -> None:
        if self.open:
            self.open = False
            self.before = self.player.connected(-1)

    def _account(self, outcome: ReplayOutcome, watch: Stopwatch, conn: int) -> None:
        live = outcome.live
        key = key_of(outcome, watch.last[0] if watch.last is not None else None)
        if live.refused:
            self._report("CONNECT", f"GET {self.turn.route}", key, signature(live), outcome.fate, conn, None)
        else:
            self._report("END", self.turn.route, key, signature(live), outcome.fate, conn, lag_of(live))
        self.client.told = key

    def _report(
        self, type_: str, name: str, key: str, failure: str, sentence: str, conn: int, lag: float | None
    ) -> None:
        waited = self.waited if type_ == "CONNECT" else None
        ms = None if lag is None else 1000 * lag
        client = self.client.begin.client
        self.player.ended(Ended(client, type_, name, key, failure, sentence, self.before, conn, waited, ms))


def filters_messages(filters: FilterSet) -> bool:
    """Whether a filter is at work on more than handshakes."""
    return any(entry.filter.wants(side) & ~HANDSHAKE for entry in filters for side in SIDES)


def settings_of(plan: Plan, begin: Begin, *, sums: bool = False) -> ReplaySettings:
    """How a client's connections are played. The seed is the client's: so it keeps its ids when it comes again."""
    return ReplaySettings(
        headers=begin.headers,
        sets=begin.sets,
        pace=plan.pace,
        speed=plan.speed,
        timeout=plan.timeout,
        insecure=plan.insecure,
        ca=Path(plan.ca) if plan.ca else None,
        correlate=plan.correlate,
        survive=STAYS if plan.stays else None,
        leaves=False if plan.stays else None,
        seed=begin.seed,
        sums=sums,
    )


def _cut_short(turn: Turn, live: Connection | None, conn: int) -> ReplayOutcome | None:
    """What came of a connection that the test's end cut short: something only where the server had ended it before."""
    if live is None or live.ending.by != "server" or live.manner is None:
        return None
    return blank(turn.transcript.survey, live, conn)
