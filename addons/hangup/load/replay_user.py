"""A Locust user that is a recorded client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from secrets import randbits
from typing import Literal

from gevent.event import Event
from locust import User, task
from locust.exception import StopUser

from hangup.load.reporting import reporting
from hangup.load.wire_format import Plan


class ReplayUser(User):
    """Plays the client of ``recording`` against ``host``, with ids of its own, its pace and its reconnects.

    To be derived from in a locustfile. ``headers``, ``sets`` and ``ids`` may also be set for each user, in
    :meth:`on_start`: a token of its own, for instance. All else is as the options of `hangup load` of the same name.
    """

    abstract = True

    recording: str = ""
    host: str | None = None
    """The target: ``ws://localhost:8000``. Locust's own name for it; ``--host`` overrides it."""
    path: str | None = None
    conns: Sequence[int] = ()
    """The connections to play, in order; none for those of the client that failed last."""
    headers: Sequence[tuple[str, str]] = ()
    """Headers in the place of recorded ones; an empty value removes one."""
    sets: Mapping[str, str] = {}
    """Values for what the server made in the recording, by the names that `hangup replay --show-correlations` lists."""
    filters: Sequence[str] = ()
    own_ids: bool = True
    """Whether each client gets ids of its own, in the place of what the recorded one called itself by."""
    ids: Sequence[str] = ()
    """Further such values."""
    speed: float = 1.0
    pace: Literal["causal", "clock"] = "causal"
    timeout: float = 10.0
    insecure: bool = False
    ca: str | None = None
    correlate: bool = True
    stays: bool = False
    """Whether a connection stays open once all is said, instead of being closed and begun again."""
    once: bool = False
    """Whether a client plays its connections only once, and then does nothing until the test is over."""
    sample: float = 0.05
    """The share of clients that are recorded; 0 for none."""
    record: str = "recordings"
    """The folder that they are recorded into."""

    def plan(self) -> Plan:
        """What this user plays."""
        target = self.host or self.environment.host or ""
        return Plan(
            recording=self.recording,
            target=target,
            path=self.path,
            conns=tuple(self.conns),
            filters=tuple(self.filters),
            own_ids=self.own_ids,
            ids=tuple(self.ids),
            speed=float(self.speed),
            pace=self.pace,
            timeout=self.timeout,
            insecure=self.insecure,
            ca=self.ca,
            correlate=self.correlate,
            stays=self.stays,
            once=self.once,
            sample=self.sample,
            record=self.record if self.sample else "",
        )

    @task
    def play(self) -> None:
        """Plays until the test is over, or the script is."""
        player = reporting.player(self.environment)
        client = player.begin(self.plan(), randbits(48), list(self.headers), dict(self.sets))
        try:
            player.wait(client)
            # One that leaves while others are still spawned would be replaced.
            Event().wait()
        except RuntimeError as error:
            reporting.fails(str(error))
        finally:
            player.leave(client)
        raise StopUser
