"""Floor 5: recorded clients as the simulated users of a load test, with Locust.

::

    from hangup.load import ReplayUser         # in a locustfile

    class Page(ReplayUser):
        recording = "recordings/run.jsonl"
        host = "ws://localhost:8000"

Importing Locust patches the standard library for gevent, and clients are played with asyncio: so each Locust process
has a *player*, a process of its own, that it talks to over pipes (:mod:`hangup.load.wire_format`). What stands in
:mod:`~hangup.load.replay_user`, :mod:`~hangup.load.player_process` and :mod:`~hangup.load.reporting` runs within
Locust, and only there; the rest knows nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hangup.load.replay_user import ReplayUser

__all__ = ["ReplayUser"]


def __getattr__(name: str) -> Any:
    """``ReplayUser``, imported when it is asked for: it imports Locust."""
    if name != "ReplayUser":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hangup.load.replay_user import ReplayUser

    return ReplayUser
