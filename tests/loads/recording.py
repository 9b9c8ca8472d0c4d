"""A real client, recorded through a real ``hangup proxy``: what the load tests multiply."""

from __future__ import annotations

import json
import time
from pathlib import Path

from websockets.sync.client import connect

from harness.proxies import HangupProxy


def record(backend: str, path: Path, *, orders: int, pause: float, connections: int = 1, apart: float = 0.2) -> Path:
    """Records a client that says so many orders, one every ``pause`` seconds, and then a heartbeat; so many times."""
    with HangupProxy(backend, record=path) as proxy:
        for number in range(connections):
            if number:
                time.sleep(apart)
            with connect(f"{proxy.url}/ws/client-7") as socket:
                session = json.loads(socket.recv())["session"]
                for n in range(orders):
                    time.sleep(pause)
                    socket.send(json.dumps({"type": "order", "session": session, "n": n}))
                    socket.recv()
                socket.send('{"type":"ping"}')
                socket.recv()
        proxy.stop()
    return path
