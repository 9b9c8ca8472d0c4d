"""Two legs and the session between them: forward first, record after, end as the other side ended."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from mitmproxy.connection import Connection
from OpenSSL import SSL

from hangup.proxy.leg import Leg
from hangup.proxy.resets import ResetWatch
from hangup.recorder.recorder import Recorder
from hangup.recording.events import How, Side
from hangup.session import Out, Session

logger = logging.getLogger(__name__)

Wiring = tuple[Connection, Any, Any, list[SSL.Connection]]
"""mitmproxy's connection, its reader and writer, and the TLS around it, outermost first."""


class Relay:
    """One WebSocket connection through the proxy.

    ``handler`` is mitmproxy's connection handler; ``on_done`` is called once both legs are gone.
    """

    def __init__(
        self, session: Session, recorder: Recorder, handler: Any, resets: ResetWatch, on_done: Any
    ) -> None:
        self.session = session
        self.resets = resets
        self.recorder = recorder
        self.handler = handler
        self.on_done = on_done
        self.client: Leg
        self.server: Leg
        self.done = False
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        """What the timer was set for, in the recording's time."""
        self._loop = asyncio.get_running_loop()
        # mitmproxy closes what was silent for ten minutes; how long a socket may be silent is not ours to say.
        self._awake = handler.timeout_watchdog.disarm()
        self._awake.__enter__()

    def attach(self, client: Wiring, server: Wiring) -> None:
        """Sets the legs and starts."""
        self.client = Leg(self, "client", *client)
        self.server = Leg(self, "server", *server)
        self.client.peer, self.server.peer = self.server, self.client
        self.take()
        self.refresh()

    def take(self, tries: int = 0) -> None:
        """Takes over reading on both legs, as soon as each is ready for it."""
        if self.done or (self.client.take() & self.server.take()):
            return
        # Usually ready in the next turn of the loop; a leg that is not waits for its other side to drain.
        self._loop.call_later(0 if tries < 50 else 0.05, self.take, tries + 1)

    def leg(self, side: Side) -> Leg:
        """The leg of a side."""
        return self.client if side == "client" else self.server

    # What happens on the legs.

    def deliver(self, leg: Leg, data: bytes) -> None:
        """Bytes from a leg: on to the other at once, then into the recording."""
        side = leg.side
        if self.session.plain(side):
            leg.peer.send(data)
            try:
                self.session.observe(side, data, self.recorder.now())
            except Exception:  # a fault of ours must not become the connection's
                self._failed()
        else:
            self._filter(leg, data)
        if self.recorder.congested and not leg.slowed:
            leg.slow(True)
            self.recorder.when_clear(lambda: leg.slow(False))

    def _failed(self) -> None:
        logger.exception("recording failed on connection %d", self.session.conn)
        self.recorder.lose("an internal error in the recorder (please report it)", 1)

    # What filters want.

    def _filter(self, leg: Leg, data: bytes) -> None:
        """Bytes from a leg that filters are to see first."""
        try:
            out = self.session.receive(leg.side, data, self.recorder.now())
        except Exception:
            self._failed()
            out = self.session.salvage(leg.side, data)
        self._carry_out(out)
        try:
            self.session.catch_up()
        except Exception:
            self._failed()

    def refresh(self) -> None:
        """The filters have changed."""
        if not self.done:
            self._carry_out(self.session.refresh(self.recorder.now()))

    def _tick(self) -> None:
        self._timer = None
        if not self.done:
            # Rounding must not make us early, or we would be called again and again.
            self._carry_out(self.session.tick(max(self.recorder.now(), self._due)))

    def _carry_out(self, out: Out) -> None:
        if out.to_client:
            self.client.send(out.to_client)
        if out.to_server:
            self.server.send(out.to_server)
        for side, how in out.ends:
            self._pass_end(self.leg(side), how)
        if out.cut is not None:
            self._cut(*out.cut)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = None if self.done else self.session.deadline()
        if deadline is not None:
            self._due = deadline
            self._timer = self._loop.call_later(max(0.0, deadline - self.recorder.now()), self._tick)

    def _pass_end(self, leg: Leg, how: How) -> None:
        """A leg has ended, and so is the other to end."""
        if how != "fin":
            leg.peer.abort()
            self._finish_if_over()
        else:
            leg.told = True
            self._follow(leg)

    def _follow(self, leg: Leg) -> None:
        """The other leg ends as far as this one has; when the TCP connections have in both directions, both close."""
        leg.peer.follow()
        if (leg.eof or leg.lost) and (leg.peer.eof or leg.peer.lost) and self.session.deadline() is None:
            leg.close()
            leg.peer.close()
        self._finish_if_over()

    def _cut(self, side: Side, how: How, by: str) -> None:
        """Both legs end on account of a filter."""
        for leg in (self.leg(side), self.leg(side).peer):
            if not leg.ended:
                self._end(leg.side, how, by=by)
            if how == "fin":
                leg.close()
            else:
                leg.abort()
        self._finish_if_over()

    def on_end(self, leg: Leg, note: str = "") -> None:
        """A leg's peer will send no more data: so does the other leg."""
        self._carry_out(self._end(leg.side, "fin", note=note))

    def on_fin(self, leg: Leg) -> None:
        """The FIN after a close_notify, of which the session knows: it follows where that has gone."""
        if leg.told:
            self._follow(leg)

    def on_lost(self, leg: Leg, how: How, error: Exception | None) -> None:
        """A leg is gone: unless that was an orderly end, the other is reset."""
        if how == "fin":
            leg.peer.close()
        elif not leg.gone:
            self._carry_out(self._end(leg.side, how, note=_words(error)))
        self._finish_if_over()

    def _finish_if_over(self) -> None:
        if self.client.over and self.server.over:
            self.finish()

    def finish(self) -> None:
        """Both legs are over: mitmproxy takes note, and the connection is done."""
        if self.done:
            return
        self.done = True
        if self._timer is not None:
            self._timer.cancel()
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
                self._end(leg.side, "fin", by=by, note=note)
            leg.close()
        self._finish_if_over()

    def note(self, text: str) -> None:
        """Records a remark about this connection."""
        self.recorder.note(text, self.session.conn)

    def _end(self, side: Side, how: How, *, by: str = "", note: str = "") -> Out:
        return self.session.end(side, how, self.recorder.now(), by=by, note=note)


def _words(error: Exception | None) -> str:
    if error is None or isinstance(error, ConnectionResetError):
        return ""
    return str(error)
