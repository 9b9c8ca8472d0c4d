"""The proxy's two legs and the session between them: forward first, record after, end as the other side ended."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mitmproxy.connection import Connection
from OpenSSL import SSL

from hangup.net.driver import OTHER, Driver
from hangup.proxy.endpoint import ProxyEndpoint
from hangup.proxy.resets import ResetWatch
from hangup.recorder.recorder import Recorder
from hangup.recording.events import How, Side
from hangup.session import Session

logger = logging.getLogger(__name__)

TURN = 0.003
"""Seconds that one connection may look into what came before all others have a turn."""
GRAIN = 1 << 10
"""Bytes that are looked into at once where they are inflated: they may be a megabyte then."""

Wiring = tuple[Connection, Any, Any, list[SSL.Connection]]
"""mitmproxy's connection, its reader and writer, and the TLS around it, outermost first."""


class ProxyDriver(Driver):
    """One WebSocket connection through the proxy.

    ``handler`` is mitmproxy's connection handler; ``on_done`` is called once both legs are gone.
    """

    def __init__(
        self, session: Session, recorder: Recorder, handler: Any, resets: ResetWatch, on_done: Any
    ) -> None:
        super().__init__(session, recorder.now)
        self.resets = resets
        self.recorder = recorder
        self.handler = handler
        self.on_done = on_done
        self.inflates = False
        """Whether what arrives is inflated to be recorded."""
        self.busy = False
        """There is something that has arrived and is not looked into yet; until it is, nothing more is read."""
        self._rest: Iterator[None] | None = None
        self.client: ProxyEndpoint
        self.server: ProxyEndpoint
        self._awake = _awake(handler.timeout_watchdog)
        self._awake.__enter__()

    def attach(self, client: Wiring, server: Wiring) -> None:
        """Sets the legs and starts."""
        self.client = ProxyEndpoint(self, "client", *client)
        self.server = ProxyEndpoint(self, "server", *server)
        self.client.peer, self.server.peer = self.server, self.client
        self.take()
        self.refresh()

    def take(self, tries: int = 0) -> None:
        """Takes over reading on both legs, as soon as each is ready for it."""
        if self.done or (self.client.take() & self.server.take()):
            return
        # Usually ready in the next turn of the loop; a leg that is not waits for its other side to drain.
        self.loop.call_later(0 if tries < 50 else 0.05, self.take, tries + 1)

    def leg(self, side: Side) -> ProxyEndpoint:
        """The leg of a side."""
        return self.client if side == "client" else self.server

    # What the session says.

    def send(self, to: Side, data: bytes) -> None:
        """Sends on the leg of a side."""
        (self.client if to == "client" else self.server).send(data)

    def pass_end(self, side: Side, how: How) -> None:
        """A leg has ended, and so is the other to end."""
        leg = self.leg(side)
        if how != "fin":
            leg.peer.reset()
            self._finish_if_over()
        else:
            leg.told = True
            self._follow(leg)

    def cut(self, side: Side, how: How, by: str) -> None:
        """Both legs end on account of a filter."""
        super().cut(side, how, by)
        self._finish_if_over()

    def hang_up(self, side: Side, how: How) -> None:
        """Closes or resets a leg."""
        if how == "fin":
            self.leg(side).close()
        else:
            self.leg(side).reset()

    def has_ended(self, side: Side) -> bool:
        """Whether a leg's peer will send no more data."""
        return self.leg(side).ended

    def failed(self) -> None:
        """A fault of ours is told of, and the connection goes on."""
        logger.exception("recording failed on connection %d", self.session.conn)
        self.recorder.lose("an internal error in the recorder (please report it)", 1)

    # What happens on the legs.

    def deliver(self, leg: ProxyEndpoint, data: bytes) -> None:
        """Bytes from a leg's peer."""
        self._look_into_rest()
        if self.inflates and len(data) > GRAIN:
            self._rest = self._in_grains(leg.side, data)
            self._go_on()
        else:
            self.forward(leg.side, data)
        if self.recorder.congested and not leg.slowed:
            leg.slow(True)
            self.recorder.when_clear(lambda: leg.slow(False))

    # What takes long to be looked into: in turns with everybody else. Whatever comes meanwhile waits, or is after it.

    def _in_grains(self, side: Side, data: bytes) -> Iterator[None]:
        """Takes bytes of a side as :meth:`forward` does, some at a time."""
        plain = self.session.plain(side)
        if plain:
            self.send(OTHER[side], data)
        for start in range(0, len(data), GRAIN):
            if start:
                yield
            grain = data[start : start + GRAIN]
            if plain:
                self.observe(side, grain)
            elif self.leg(side).gone:
                return  # a filter has cut it: as if the rest had come later
            else:
                self.filter(side, grain)

    def _go_on(self) -> None:
        until = self.loop.time() + TURN
        rest, self._rest = self._rest, None  # while it is looked into, nobody else may
        while rest is not None and self.loop.time() < until:
            if next(rest, self) is self:
                rest = None
        self._rest = rest
        if self.busy is not (rest is not None):
            self.busy = not self.busy
            self.client.pace()
            self.server.pace()
        if rest is not None:
            self.loop.call_soon(self._go_on)

    def _look_into_rest(self) -> None:
        """All of it now, before what comes after it."""
        rest, self._rest = self._rest, None
        if rest is not None:
            for _ in rest:
                pass

    def end(self, side: Side, how: How, *, by: str = "", note: str = "") -> None:
        """A side has ended."""
        self._look_into_rest()
        super().end(side, how, by=by, note=note)

    def refresh(self) -> None:
        """The filters have changed."""
        self._look_into_rest()
        super().refresh()

    def tick(self) -> None:
        """What the session waited for is due."""
        self._look_into_rest()
        super().tick()

    def _follow(self, leg: ProxyEndpoint) -> None:
        """The other leg ends as far as this one has; when the TCP connections have in both directions, both close."""
        leg.peer.follow()
        if (leg.eof or leg.lost) and (leg.peer.eof or leg.peer.lost) and self.session.deadline() is None:
            leg.close()
            leg.peer.close()
        self._finish_if_over()

    def on_end(self, leg: ProxyEndpoint, note: str = "") -> None:
        """A leg's peer will send no more data: so does the other leg."""
        self.end(leg.side, "fin", note=note)

    def on_fin(self, leg: ProxyEndpoint) -> None:
        """The FIN after a close_notify, of which the session knows: it follows where that has gone."""
        if leg.told:
            self._follow(leg)

    def on_leg_lost(self, leg: ProxyEndpoint, how: How) -> None:
        """A leg is gone: unless that was an orderly end, the other is reset."""
        if how == "fin":
            leg.peer.close()
        elif not leg.gone:
            self.end(leg.side, how, note=_words(leg.error))
        self._finish_if_over()

    def _finish_if_over(self) -> None:
        if self.client.over and self.server.over:
            self.finish()

    def finish(self) -> None:
        """Both legs are over: mitmproxy takes note, and the connection is done."""
        if self.done:
            return
        self._look_into_rest()
        self.done = True
        self.stop()
        self._awake.__exit__(None, None, None)
        # The server's first: mitmproxy drops what is left of a connection when its client has gone.
        for leg in (self.server, self.client):
            leg.release()
        self.on_done(self)

    def close(self, by: str, note: str = "") -> None:
        """Ends both legs ourselves; the recording says ``by`` whom, and why."""
        if self.done:
            return
        for leg in (self.client, self.server):
            if not leg.ended:
                self.end(leg.side, "fin", by=by, note=note)
            leg.close()
        self._finish_if_over()

    def note(self, text: str) -> None:
        """Records a remark about this connection."""
        self.recorder.note(text, self.session.conn)


@contextmanager
def _awake(watchdog: Any) -> Iterator[None]:
    """mitmproxy closes what was silent for ten minutes; how long a socket may be silent is not ours to say.

    To be disarmed does not keep it from acting on what it sleeps for already, if it wakes so late that what came since
    it fell asleep, the handshake, is as long ago. Nothing is as long ago as this.
    """
    timeout, watchdog.timeout = watchdog.timeout, math.inf
    try:
        with watchdog.disarm():
            yield
    finally:
        watchdog.timeout = timeout


def _words(error: Exception | None) -> str:
    if error is None or isinstance(error, ConnectionResetError):
        return ""
    return str(error)
