"""Is it mended? The signs of a connection that holds, judged from what is known of a run's connections."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from hangup.humanize import duration
from hangup.recording import loops
from hangup.recording.connections import Connection
from hangup.recording.double_mounts import mounted_twice
from hangup.recording.events import Side
from hangup.recording.known import Known

SIDES: tuple[Side, Side] = ("client", "server")

HELD = 2.0
"""Seconds that a connection must have been open, to the end of the wait."""


def failed_signs(connections: Iterable[Known], now: float) -> list[str]:
    """Which signs of success are missing at ``now`` (seconds from the recording's start); empty when it is stable.

    A connection must have been open longer than two seconds and be open still; there must have been no reconnect;
    and messages must have passed in both directions. A dev server's own socket is none of them.
    """
    all_of_them = [connection for connection in connections if connection.kind == "app"]
    if not all_of_them:
        return ["no client has connected"]
    signs: list[str] = []
    # What is open is known in full.
    open_ = [c for c in all_of_them if c.ended is None and isinstance(c, Connection)]
    held = [c for c in open_ if c.opened is not None and now - c.opened > HELD]
    if not held:
        signs.append(_why_none_held(all_of_them, now))
    again = _reconnects(all_of_them)
    if again:
        signs.append(f"it reconnected {again} time{'' if again == 1 else 's'}")
    said = [_messages(c) for c in held]
    if held and not any(each["client"] and each["server"] for each in said):
        silent = [side for side in SIDES if not any(each[side] for each in said)]
        who = " and ".join(silent) or "one side of each connection"
        signs.append(f"no messages in both directions: the {who} sent none")
    return signs


def _messages(connection: Connection) -> dict[Side, int]:
    """How many data frames each side sent: pings and pongs show that the other end is there, and no more."""
    return {side: connection.frames[side] - connection.pings[side] - connection.pongs[side] for side in SIDES}


def _why_none_held(connections: list[Known], now: float) -> str:
    # What was over last is known in full, too.
    last = next(c for c in reversed(connections) if isinstance(c, Connection))
    if last.opened is not None and last.ended is None:
        return (
            f"no connection was open longer than {HELD:g} s (the last one has been for {duration(now - last.opened)})"
        )
    return f"no connection is open: {last.ending.sentence}"


def _reconnects(connections: list[Known]) -> int:
    """How often a client connected again to a path where a connection of its had ended before."""
    count = 0
    ended: dict[tuple[str, str], float] = {}
    clients: dict[tuple[str, str], list[Known]] = defaultdict(list)
    for c in connections:
        clients[loops.host(c.client), c.path].append(c)
    twice = {conn for members in clients.values() for conn in mounted_twice(members)}
    for c in sorted(connections, key=lambda c: c.began):
        where = (loops.host(c.client), c.path)
        if where in ended and ended[where] <= c.began:
            count += 1
        if c.ended is not None and c.conn not in twice:
            ended[where] = min(c.ended, ended.get(where, c.ended))
    return count
