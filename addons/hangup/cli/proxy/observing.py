"""What ``hangup proxy`` and ``hangup run`` tell programs that watch them: ``--metrics`` and ``--otlp``."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import click

from hangup.cli.config import Config
from hangup.wire.url import parse_endpoint

if TYPE_CHECKING:
    from hangup.cli.proxy.live import Live
    from hangup.proxy.run import RunningProxy

metrics_option = click.option(
    "--metrics",
    metavar="HOST:PORT",
    help="Serve metrics for Prometheus, and /healthz, on this address (pip install 'hangup[metrics]').",
)
otlp_option = click.option(
    "--otlp",
    metavar="URL",
    help="Send metrics, and a span per connection, to this OpenTelemetry receiver, such as http://127.0.0.1:4318 "
    "(pip install 'hangup[otel]').",
)


class Observing:
    """What was asked for, on the command line or else in the configuration. Sockets are bound at once, so that what is
    wrong is told before anything is started. Raises :class:`HangupError`."""

    def __init__(self, config: Config, metrics: str | None, otlp: str | None) -> None:
        address = metrics or config.metrics
        endpoint = otlp or config.otlp
        self.endpoint = parse_endpoint(endpoint) if endpoint else ""
        self._sockets: list[socket.socket] = []
        if self.endpoint:
            from hangup.telemetry.otlp import require

            require()
        if address:
            from hangup.telemetry.exposition import require as require_prometheus
            from hangup.telemetry.listener import bind

            require_prometheus()
            self._sockets = bind(address)

    def start(self, proxy: RunningProxy, live: Live) -> None:
        """The proxy listens: begins, until it ends."""
        if not self._sockets and not self.endpoint:
            return
        from hangup.telemetry.observer import Observer

        assert proxy.recorder is not None
        observer = Observer(proxy.recorder)
        if self._sockets:
            from hangup.telemetry.listener import Listener

            listener = Listener(self._sockets, observer)
            proxy.exits.push_async_callback(listener.close)
            live.tell(f"metrics: {listener.url}")
        if self.endpoint:
            from hangup.telemetry.otlp import Otlp

            proxy.exits.push_async_callback(Otlp(observer, self.endpoint, live.warn).close)
            live.tell(f"OTLP: metrics and spans to {self.endpoint}")

    def close(self) -> None:
        """Lets go of the address, if it never began."""
        for each in self._sockets:
            each.close()
