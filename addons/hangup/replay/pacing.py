"""The pace of a played client: when what it does next is due, and how long the server is waited for."""

from __future__ import annotations

import asyncio

from hangup.replay.driver import ReplayDriver
from hangup.replay.receiver import Received
from hangup.replayable.client_script import Hear
from hangup.replayable.survey import Survey

SOON = 0.0005
"""What is due within so many seconds is due: timers are no finer."""
MARGIN = (1.0, 10.0)
"""The margin by which the recorded end is outlived is a quarter of the time, and between these (seconds)."""


class Pacing:
    """``opened`` is when the recorded handshake was over, in the recording's seconds.

    ``speed`` divides the client's own times, ``patience`` (seconds, for the whole run) bounds what the server may be
    late by. When ``causal``, the client goes on after the server's messages, else at the recorded times.
    ``missing`` counts messages that were given up, ``first_missing`` is the recorded frame number of the first.
    """

    def __init__(self, opened: float, speed: float, patience: float, *, causal: bool) -> None:
        self.speed = speed
        self.patience = patience
        self.causal = causal
        self.waived = False
        """Set when what comes next may answer something that was not said."""
        self.missing = 0
        self.first_missing: int | None = None
        # The step before this one was recorded at ``_then``, and due in this run at ``_base``. ``_late`` is how much
        # of the patience is spent.
        self._then = opened
        self._base = 0.0
        self._late = 0.0
        self._loop = asyncio.get_running_loop()

    def begin(self, now: float) -> None:
        """The handshake is over, at ``now`` of the loop's clock."""
        self._base = now

    async def due(self, driver: ReplayDriver, at: float) -> None:
        """Waits until it is time for what was recorded at ``at``, or the connection is over."""
        if at > self._then:
            self._base += (at - self._then) / self.speed
            self._then = at
        if self._base > self._loop.time() + SOON:
            await driver.until(lambda: driver.over, self._base)

    async def hear(self, driver: ReplayDriver, step: Hear) -> Received | None:
        """Waits for the message that comes where ``step`` did; None when it is given up, or not waited for."""
        queue = driver.receiver.queue
        gap = step.at - self._then
        if gap > 0.0:
            self._then = step.at
        else:
            gap = 0.0
        own = gap / self.speed
        if self.causal and not queue:
            # The server's own time does not pass faster, but what answers something that was not said need not come.
            due = max(self._base, driver.said_at) + (own if self.waived else gap)
            patience = 0.0 if self.waived else max(0.0, self.patience - self._late)
            if not await driver.until(lambda: bool(queue) or driver.over, due + patience):
                self._base = due
                if not self.waived:
                    self._late += self._loop.time() - due
                    self.missing += 1
                    self.first_missing = self.first_missing or step.n
                return None
        if not queue:
            self._base += own
            return None
        heard = queue.popleft()
        # One that was there already tells nothing of when the client would have gone on: its clock does.
        self._base = heard.at if self.causal and heard.at > self._base else self._base + own
        return heard


def wait_for_end(survey: Survey, age: float, survive: float | None = None) -> float:
    """For how many seconds the end of a connection of this ``age`` (seconds) is waited for, once all is said.

    ``survive`` is the age that it must reach to have survived, None for as long as the recorded one lived, plus a
    margin.
    """
    if survive is not None:
        return max(survive - age, min(1.5 * survey.reaction + 0.25, survive))
    if survey.by == "nobody":
        return min(survey.reaction, MARGIN[0])
    wait = max(survey.reaction, survey.lifetime - age)
    return wait + min(max(0.25 * max(survey.lifetime, wait), MARGIN[0]), MARGIN[1])
