"""The web server beside a running proxy, and the file that leads to it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from hangup.errors import HangupError
from hangup.proxy.run import Proxy
from hangup.web.access import Access
from hangup.web.control import Control
from hangup.web.running import Running, StateFile
from hangup.web.server import Route, Server


def start(
    proxy: Proxy,
    sockets: Sequence[socket.socket],
    *,
    warn: Callable[[str], None] = lambda text: None,
    routes: Sequence[Route] = (),
) -> Server:
    """Serves on ``sockets`` until the proxy ends. To be called in its event loop once it listens, as ``on_ready``."""
    recorder = proxy.recorder
    assert recorder is not None
    settings = proxy.settings
    access = Access(*sockets[0].getsockname()[:2])
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
    control = Control(
        recorder,
        proxy.filters,
        listen=listen,
        web=access.address,
        target=running.target,
        mode=" ".join(settings.modes) or "reverse",
        started=running.started,
    )
    server = Server(sockets, access, control, routes)
    proxy.exits.push_async_callback(server.close)
    try:
        proxy.exits.callback(StateFile(running).remove)
    except HangupError as error:
        warn(str(error))
    return server
