"""Which recorded connection is played to the next client of a replay server."""

from __future__ import annotations

from hangup.recording.connections import Connection
from hangup.recording.formats import Recording
from hangup.recording.ledger import Ledger
from hangup.replayable.server_script import Repertoire

CACHED = 8
"""So many connections' repertoires are kept."""


class Playlist:
    """Which recorded connection is played to the next client: of those to the path that it asks for, else of all,
    the next in order, and the last one again and again. ``conn`` is always played when it is given."""

    def __init__(self, recording: Recording, conn: int | None = None, *, correlate: bool = True) -> None:
        self.recording = recording
        self._correlate = correlate
        ledger = Ledger()
        for event in recording:
            ledger.feed(event)
        chosen = [c for c in ledger.connections.values() if c.answered is not None and conn in (None, c.conn)]
        self.connections: list[Connection] = chosen
        self._next: dict[str, int] = {}
        self._cache: dict[int, Repertoire] = {}

    def next(self, target: str) -> int:
        """The connection to play to a client that asks for ``target``."""
        path = target.partition("?")[0]
        alike = [c for c in self.connections if c.path == path] or self.connections
        key = alike[0].path if len(alike) < len(self.connections) else ""
        at = self._next.get(key, 0)
        self._next[key] = at + 1
        return alike[min(at, len(alike) - 1)].conn

    def repertoire(self, conn: int) -> Repertoire:
        """What that connection's server can say."""
        found = self._cache.pop(conn, None) or Repertoire(self.recording, conn, correlate=self._correlate)
        self._cache[conn] = found
        if len(self._cache) > CACHED:
            del self._cache[next(iter(self._cache))]
        return found
