"""Carries out what a session says: bytes to either side, their ends, what is due later.

The session decides and has neither clock nor sockets; the driver has them and decides nothing. Where the two sides are
is a subclass's business: two sockets in the proxy, a socket and a played side in a replay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hangup.recording.events import How, Side
from hangup.session import Out, Session

OTHER: dict[Side, Side] = {"client": "server", "server": "client"}


class Driver:
    """Drives ``session``; ``now`` gives the recording's seconds. Must be made within the running event loop."""

    def __init__(self, session: Session, now: Callable[[], float]) -> None:
        self.session = session
        self.now = now
        self.done = False
        """Both sides are over: nothing more is to be sent."""
        self.loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        """What the timer was set for, in the recording's time."""

    # What a subclass does.

    def send(self, to: Side, data: bytes) -> None:
        """Sends to a side."""
        raise NotImplementedError

    def pass_end(self, side: Side, how: How) -> None:
        """A side has ended its stream: the other's is to end likewise."""
        raise NotImplementedError

    def hang_up(self, side: Side, how: How) -> None:
        """Closes or resets what leads to a side, on account of a filter."""
        raise NotImplementedError

    def has_ended(self, side: Side) -> bool:
        """Whether a side has said that it sends no more."""
        return side in self.session.ended

    def failed(self) -> None:
        """The session has raised, which must not happen; called while the exception is handled. When this returns,
        the connection goes on without what the session had to say."""
        raise

    # Bytes of a side.

    def forward(self, side: Side, data: bytes) -> None:
        """Takes bytes of a side: on to the other at once and into the recording after it, or as the filters say."""
        if self.session.plain(side):
            self.send(OTHER[side], data)
            self.observe(side, data)
        else:
            self.filter(side, data)

    def observe(self, side: Side, data: bytes) -> None:
        """Records bytes of a side that no filter wants to see."""
        try:
            self.session.observe(side, data, self.now())
        except Exception:  # a fault of ours must not become the connection's
            self.failed()

    def filter(self, side: Side, data: bytes) -> None:
        """Bytes of a side that filters are to see first."""
        try:
            out = self.session.receive(side, data, self.now())
        except Exception:
            self.failed()
            out = self.session.salvage(side, data)
        self.carry_out(out)
        try:
            self.session.catch_up()
        except Exception:
            self.failed()

    # What the session says.

    def end(self, side: Side, how: How, *, by: str = "", note: str = "") -> None:
        """A side has ended, or was ended ``by`` somebody else; then the other does not follow."""
        self.carry_out(self.session.end(side, how, self.now(), by=by, note=note))

    def refresh(self) -> None:
        """The filters have changed."""
        if not self.done:
            self.carry_out(self.session.refresh(self.now()))

    def carry_out(self, out: Out) -> None:
        """Sends, passes ends on, and comes back when something is due."""
        if out.to_client:
            self.send("client", out.to_client)
        if out.to_server:
            self.send("server", out.to_server)
        for side, how in out.ends:
            self.pass_end(side, how)
        if out.cut is not None:
            self.cut(*out.cut)
        self._schedule()

    def cut(self, side: Side, how: How, by: str) -> None:
        """Both sides end on account of a filter, as if ``side`` had ended."""
        for each in (side, OTHER[side]):
            if not self.has_ended(each):
                self.session.end(each, how, self.now(), by=by)
            self.hang_up(each, how)

    # Time.

    def stop(self) -> None:
        """No more timers."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self) -> None:
        self.stop()
        deadline = None if self.done else self.session.deadline()
        if deadline is not None:
            self._due = deadline
            self._timer = self.loop.call_later(max(0.0, deadline - self.now()), self.tick)

    def tick(self) -> None:
        """What the session waited for is due."""
        self._timer = None
        if not self.done:
            # Rounding must not make us early, or we would be called again and again.
            self.carry_out(self.session.tick(max(self.now(), self._due)))
