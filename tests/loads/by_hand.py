"""A locustfile as one writes it by hand, with the library websockets: what ``hangup load`` is measured beside.

It says what the recorded client says, and reports what ``hangup load`` reports.
"""

from __future__ import annotations

import json
import os
import time
import uuid

from locust import User, task
from websockets.sync.client import connect

ORDERS = int(os.environ.get("ORDERS", "100"))
PAUSE = float(os.environ.get("PAUSE", "0"))


class ByHand(User):
    """Orders, and waits for what is done."""

    @task
    def play(self) -> None:
        began = time.perf_counter()
        with connect(f"{self.host}/ws/client-{uuid.uuid4().hex}") as socket:
            self.report("CONNECT", "GET /ws", began, 0)
            welcome = socket.recv()
            self.report("RECV", "welcome", None, len(welcome))
            session = json.loads(welcome)["session"]
            for n in range(ORDERS):
                if PAUSE:
                    time.sleep(PAUSE)
                said = json.dumps({"type": "order", "session": session, "n": n})
                began = time.perf_counter()
                socket.send(said)
                heard = socket.recv()
                self.report("ANSWER", f"order -> {json.loads(heard)['type']}", began, len(said) + len(heard))

    def report(self, type_: str, name: str, began: float | None, size: int) -> None:
        self.environment.events.request.fire(
            request_type=type_,
            name=name,
            response_time=None if began is None else (time.perf_counter() - began) * 1000,
            response_length=size,
            exception=None,
            context={},
        )
