"""A span per connection: from its handshake's request to its end, with who ended it and how.

The client's ``traceparent`` makes it a child of the client's span. It is passed on unchanged, as everything is, so that
the backend's span has the same parent; whether the span is recorded is the sampler's business, which goes by what the
client decided unless ``OTEL_TRACES_SAMPLER`` says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hangup.humanize import printable
from hangup.recorder.recorder import Recorder
from hangup.recording.connections import Connection
from hangup.recording.endings import SIDES
from hangup.recording.events import Event, Handshake, Stop
from hangup.recording.redaction.placeholders import Vault
from hangup.recording.redaction.single_events import handshake
from hangup.recording.totals import Totals

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

CARRIED = ("traceparent", "tracestate")
LONGEST = 300
"""Characters of a text."""


class Spans:
    """Makes a span with ``tracer`` of each connection of ``recorder`` that ends, or is refused. ``totals`` must be fed
    each event first."""

    def __init__(self, recorder: Recorder, totals: Totals, tracer: Tracer) -> None:
        self._recorder, self._totals, self._tracer = recorder, totals, tracer
        self._zero = round(recorder.started.timestamp() * 1e9)
        self._shaken: dict[int, Handshake] = {}
        """The handshakes of open connections: their clients' traces, and their secrets."""
        recorder.listeners.append(self._event)

    def _event(self, event: Event) -> None:
        if type(event) is Handshake:
            self._shaken[event.conn] = event
        elif type(event) is Stop:
            self.end()
            return
        if event.conn in self._shaken and not self._totals.under_way(event.conn):
            self._end(event.conn)

    def end(self) -> None:
        """Makes the spans of what is open, too: nothing will come any more."""
        for conn in list(self._shaken):
            self._end(conn)

    def _end(self, conn: int) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        shaken = self._shaken.pop(conn)
        headers = (shaken.original or shaken.request).headers
        carried = {name.lower(): value for name, value in headers if name.lower() in CARRIED}
        connection = self._recorder.ledger.connections.get(conn)
        if connection is None:
            return
        end = connection.ended
        span = self._tracer.start_span(
            f"WebSocket {self._totals.template(connection.path)}",
            context=TraceContextTextMapPropagator().extract(carried),
            kind=SpanKind.SERVER,
            start_time=self._time(connection.began),
            attributes={},
        )
        if span.is_recording():
            vault = Vault()
            handshake(vault, shaken)  # whose secrets are hidden in what follows, too
            span.set_attributes(self._attributes(connection, vault))
            for step in connection.steps:
                span.add_event(vault.text(step.text), {"hangup.side": step.side}, self._time(step.at))
            if connection.failed:
                span.set_status(Status(StatusCode.ERROR, vault.text(connection.ending.sentence)))
        span.end(self._time(connection.last_seen if end is None else max(end, connection.began)))

    def _time(self, at: float) -> int:
        """In nanoseconds since the epoch."""
        return self._zero + round(at * 1e9)

    def _attributes(self, connection: Connection, vault: Vault) -> dict[str, Any]:
        """What the semantic conventions for HTTP have a name for, by that; all else by one of ours."""
        ending = connection.ending
        host, _, port = connection.server.rpartition(":")
        found: dict[str, Any] = {
            "network.protocol.name": "websocket",
            "http.request.method": "GET",
            "http.response.status_code": connection.status,
            "http.route": self._totals.template(connection.path),
            "url.path": printable(vault.text(connection.path, url=True), LONGEST),
            "server.address": host.strip("[]") or None,
            "server.port": int(port) if port.isdecimal() else None,
            "client.address": printable(connection.client, LONGEST) or None,
            "hangup.conn": connection.conn,
            "hangup.subprotocol": _shown(vault.header("Sec-WebSocket-Protocol", connection.subprotocol or "")),
            "hangup.fate": connection.fate,
            "hangup.ended.by": ending.by,
            "hangup.ended.how": ending.how,
            "hangup.ended.code": ending.code,
            "hangup.ended.reason": _shown(vault.text(ending.reason or "")),
            "hangup.ended.filter": _shown(vault.text(ending.filter)),
            "hangup.ended.sentence": vault.text(ending.sentence),
            "hangup.lifetime": connection.lifetime,
        }
        for side in SIDES:
            found[f"hangup.{side}.frames"] = connection.frames[side]
            found[f"hangup.{side}.bytes"] = connection.bytes[side]
            found[f"hangup.{side}.pings"] = connection.pings[side]
            found[f"hangup.{side}.pongs"] = connection.pongs[side]
        return {name: value for name, value in found.items() if value is not None}


def _shown(text: str) -> str | None:
    return printable(text, LONGEST) or None
