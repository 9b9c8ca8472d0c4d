"""The web server beside a running proxy, and the file that leads to it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import partial

from hangup.errors import HangupError
from hangup.proxy.run import RunningProxy
from hangup.recorder.recorder import Recorder
from hangup.recording.events import Event, Handshake
from hangup.trials.live_runs import live_runs_of
from hangup.web import bisect_routes, filter_routes
from hangup.web.access import Access
from hangup.web.control import ProxyControl
from hangup.web.exporting import Exporter
from hangup.web.index import mark_test
from hangup.web.live import LiveState
from hangup.web.pages import routes as page
from hangup.web.pages import sources
from hangup.web.running import Running, StateFile, own_seed
from hangup.web.server import Route, Server
from hangup.web.worker import Worker


def _mark(recorder: Recorder, origins: Collection[str], event: Event) -> None:
    if type(event) is Handshake:
        mark_test(recorder.ledger, event.conn, origins)


def start(
    proxy: RunningProxy,
    sockets: Sequence[socket.socket],
    *,
    warn: Callable[[str], None] = lambda text: None,
    routes: Sequence[Route] = (),
) -> Server:
    """Serves on ``sockets`` until the proxy ends. To be called in its event loop once it listens, as ``on_ready``."""
    recorder = proxy.recorder
    assert recorder is not None
    settings = proxy.settings
    web_host, web_port = sockets[0].getsockname()[:2]
    access = Access(web_host, web_port, own_seed())
    try:
        host, port = proxy.address
        listen = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    except IndexError:
        listen = ""  # the system sends its traffic to it
    running = Running(
        listen=listen,
        web=access.address,
        token=access.token,
        target=str(settings.target or ""),
        recording=str(recorder.path.absolute()),
        started=datetime.now(UTC).isoformat(),
        pid=os.getpid(),
    )
    control = ProxyControl(
        recorder,
        proxy.filters,
        listen=listen,
        web=access.address,
        target=running.target,
        backend=settings.target.origin if settings.target is not None else "",
        mode=" ".join(settings.modes) or "reverse",
        started=running.started,
    )
    facts = {"live": True, "readonly": False, "origins": sorted(access.origins)}
    recorder.listeners.append(partial(_mark, recorder, access.origins))
    worker = Worker(recorder.path.absolute(), facts)
    proxy.exits.push_async_callback(worker.close)
    exporter = Exporter(worker)
    proxy.exits.push_async_callback(exporter.close)
    live = LiveState(recorder, proxy.filters, lambda: live_runs_of(proxy.addon).phase)
    proxy.exits.callback(live.close)
    pages = [*page(worker, sources(listen, settings.target)), *exporter.routes(), *live.routes()]
    every = [*pages, *filter_routes.ROUTES, *bisect_routes.routes(proxy), *routes]
    server = Server(sockets, access, control, every, proxy.exhaustion)
    proxy.exits.push_async_callback(server.close)
    try:
        proxy.exits.callback(StateFile(running).remove)
    except HangupError as error:
        warn(str(error))
    return server
