"""A recorded server, played to one live client: its greeting, its answers, what it says by the clock, its end."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

from msgspec import Struct

from hangup.messages.skeleton import kind
from hangup.replay.driver import ReplayDriver
from hangup.replay.pong_timer import PongTimer
from hangup.replay.receiver import Received, Receiver
from hangup.replay.sender import Sender
from hangup.replayable.server_script import Cue, Line, Matcher, Repertoire, ServerHeartbeat
from hangup.replayable.substitutions import Names
from hangup.wire.deflate import Params

CLOSE_WAIT = 2.0
"""Seconds to wait for the answer to a CLOSE, and for the end of the stream after it."""
TURNED = 0.25
"""A line waits for so many seconds for one that was said before it."""
SORTED = 2000
"""With more lines due, their order is not looked after."""
POSTPONED = 0.05


class ServerSettings(Struct, kw_only=True):
    """How to play. ``speed`` shortens the server's times, ``inf`` to nothing; with ``stay_open`` the server never ends
    the connection, and its heartbeats go on."""

    speed: float = 1.0
    stay_open: bool = False
    correlate: bool = True


class _End(Struct):
    """The end is due. One that comes by the clock, which may be fast, waits until ``last`` (the loop's time) for what
    the client had said before it."""

    last: float = 0.0


class _Said(Struct):
    """A line that is due, and what it says in this run."""

    line: Line
    data: bytes | None


class ServerConnection:
    """One performance. ``on_unknown(opcode, data)`` is told of messages that nothing recorded resembles.

    Make it, give its receiver (:func:`receiver_for`) to a :class:`ReplayDriver`, and :meth:`run` it.
    """

    def __init__(
        self,
        repertoire: Repertoire,
        names: Names,
        sender: Sender,
        settings: ServerSettings,
        on_unknown: Callable[[str, bytes | None], None] = lambda opcode, data: None,
    ) -> None:
        self.repertoire = repertoire
        self.matched = 0
        """How many of the client's messages were recognised."""
        self._names = names
        self._sender = sender
        self._settings = settings
        self._on_unknown = on_unknown
        self._loop = asyncio.get_running_loop()
        self._matcher = Matcher(repertoire.cues)
        self._due: list[tuple[float, int, _Said | ServerHeartbeat | _End]] = []
        self._order = count()
        self._last_beat = {id(beat.line): beat for beat in repertoire.beats}
        self._news = False
        self.pongs = PongTimer(repertoire.survey.pongs, self._pong)
        self._client_close = b""
        self.driver: ReplayDriver

    # What the client does.

    def on_message(self, heard: Received) -> None:
        """The client has said something."""
        self._news = True
        if heard.opcode == "pong":
            return
        cue = self._matcher.match(heard.opcode, heard.data)
        if cue is None:
            self._on_unknown(heard.opcode, heard.data)
            return
        self.matched += 1
        if cue.data is not None and heard.data is not None:
            self._names.pair(kind(cue.opcode, cue.data), cue.data, heard.data)
        self._schedule(cue, heard.at)

    def _pong(self, payload: bytes) -> None:
        if not self.driver.closing and not self.driver.endpoint.shut:
            self.driver.say(self._sender.pong(payload))

    def on_close(self, payload: bytes) -> None:
        """The client has sent a CLOSE."""
        self._client_close = payload
        self.driver.over = True

    # What is due.

    def _schedule(self, cue: Cue, at: float) -> None:
        for line in (*cue.answers, *cue.pushes):
            self._add(at + line.delay / self._settings.speed, line)
        if cue.ends and not self._settings.stay_open:
            assert self.repertoire.ends_after is not None
            self._push(at + self.repertoire.ends_after / self._settings.speed, _End())

    def _add(self, due: float, line: Line) -> None:
        data = line.data
        if data is not None and self._names:
            data = self._names.rewrite(line.opcode, data)  # now: a later message may give other names
        self._push(self._in_order(due, line), _Said(line, data))

    def _in_order(self, due: float, line: Line) -> float:
        """A quick client must not turn the server's words around: what was said just before a line still is."""
        if line.n is None or len(self._due) > SORTED:
            return due
        earlier = (
            when
            for when, _, what in self._due
            if isinstance(what, _Said) and what.line.n is not None and what.line.n < line.n and when - due <= TURNED
        )
        return max(due, max(earlier, default=due))

    def _push(self, due: float, what: _Said | ServerHeartbeat | _End) -> None:
        heapq.heappush(self._due, (due, next(self._order), what))

    # The performance.

    async def run(self, driver: ReplayDriver, early: bytes = b"") -> None:
        """Plays until the connection is over."""
        self.driver = driver
        repertoire, speed = self.repertoire, self._settings.speed
        began = self._loop.time()
        for line in repertoire.opening:
            self._add(began + line.delay / speed, line)
        by_clock = not any(cue.ends for cue in repertoire.cues) and not self._settings.stay_open
        if by_clock and repertoire.ends_after is not None:
            self._push(began + repertoire.ends_after / speed, _End(began + repertoire.ends_after))
        for beat in repertoire.beats:
            if beat.line.n is None:  # not one of the recorded ones
                self._push(began + beat.line.delay / speed, beat)
        driver.start(early)
        while not driver.over:
            while self._due and self._due[0][0] <= self._loop.time() and not driver.over:
                what = heapq.heappop(self._due)[2]
                if not isinstance(what, _End):
                    self._say(what)
                elif self._loop.time() < what.last and not self._matcher.done:
                    self._push(min(what.last, self._loop.time() + POSTPONED), what)
                else:
                    await self._end()
                    return
            if driver.endpoint.paused:
                driver.flush()
                await driver.endpoint.drain()
            self._news = False
            if self._due:
                await driver.until(lambda: self._news or driver.over, self._due[0][0])
            else:
                await driver.until(lambda: self._news or driver.over)
        await self._react()

    def _say(self, what: _Said | ServerHeartbeat) -> None:
        line = what.line
        data = line.data if isinstance(what, ServerHeartbeat) else what.data
        for step in line.sends:
            self.driver.put(self._sender.say(step, data if step.begins else None))
        beat = self._last_beat.get(id(line))
        if beat is not None:  # the recording has no more of them: it goes on
            self._push(self._loop.time() + beat.period, beat)

    async def _end(self) -> None:
        """The recorded server ended it: so do we."""
        driver, leave = self.driver, self.repertoire.survey.leave
        for step in self.repertoire.last_words:
            driver.put(self._sender.say(step))
            driver.closing = driver.closing or step.opcode == "close"
        if driver.closing and leave.how != "rst":
            await driver.until(lambda: driver.receiver.closed or driver.left, self._loop.time() + CLOSE_WAIT)
        driver.leave("rst" if leave.how in ("rst", "timeout", "error") else "fin")
        await driver.until(lambda: driver.left, self._loop.time() + CLOSE_WAIT)

    async def _react(self) -> None:
        """The client ended it."""
        driver = self.driver
        if driver.done:
            return
        if driver.receiver.closed and not driver.closing and self.repertoire.survey.leave.answers:
            driver.closing = True
            driver.say(self._sender.close(self._client_close))
        driver.leave("fin")
        await driver.until(lambda: driver.left, self._loop.time() + CLOSE_WAIT)


def receiver_for(connection: ServerConnection, params: Params | None, clock: Callable[[], float]) -> Receiver:
    """What receives the client's frames."""
    return Receiver("client", params, clock, connection.pongs.ping, connection.on_close, connection.on_message)
