"""The recorded client that a load test multiplies: its connections in order, and the pauses between them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from msgspec import Struct

from hangup.errors import RecordingError, UsageError
from hangup.load.exchanges import Exchanges
from hangup.load.own_ids import own_ids
from hangup.processes.tshark import open_recording
from hangup.recording.connections import Connection
from hangup.recording.fates import choose
from hangup.recording.ledger import Ledger
from hangup.recording.loops import chains, host
from hangup.replayable.client_script import ScriptReader, Transcript

PAUSE = 1.0
"""Seconds before a client comes again, where the recording does not show for how long it waits."""

LEAST_PAUSE = 0.02
"""Seconds, so that a client that comes back at once does not take a processor for itself."""

MOST = 40
"""So many connections of the recorded client are played in turn; the last ones of more."""


class Turn(Struct):
    """A connection to play, then a ``pause`` in seconds. ``route`` is its path without ids; ``own`` are the filters
    that give it ids of its own, for the values in ``ids``."""

    transcript: Transcript
    exchanges: Exchanges
    pause: float
    route: str
    own: tuple[str, ...]
    ids: tuple[str, ...]


def read_turns(
    path: str, conns: Sequence[int] = (), *, own: bool = True, ids: Sequence[str] = (), correlate: bool = True
) -> list[Turn]:
    """The connections ``conns`` of a recording, or those of the client that failed last.

    Raises :class:`~hangup.errors.RecordingError` for what is no recording or has no such connection.
    """
    recording = open_recording(Path(path), None, name=path)
    ledger = Ledger()
    for event in recording:
        ledger.feed(event)
    if missing := [conn for conn in conns if conn not in ledger.connections]:
        raise UsageError(f"{path} has no connection {missing[0]}: `hangup show` lists them")
    chosen = [ledger.connections[conn] for conn in conns] or _client(ledger)
    if not chosen:
        raise RecordingError(f"{path} has no WebSocket connection")
    chosen = chosen[-MOST:]
    readers = {each.conn: ScriptReader(each.conn, correlate=correlate) for each in chosen}
    for event in recording:
        if (reader := readers.get(event.conn)) is not None:
            reader.feed(event)
    stopped_at = ledger.last_at if ledger.stopped else None
    pauses = _pauses(chosen)
    turns = []
    for connection, pause in zip(chosen, pauses, strict=True):
        read = readers[connection.conn]
        transcript = Transcript(recording, connection.conn, read=read, connection=connection, stopped_at=stopped_at)
        steps = list(transcript.steps())  # raises where bytes are missing
        found = own_ids(transcript) if own else []
        named = {value for value, _ in found}
        found += [(value, f"unique-id value={value}") for value in ids if value not in named]
        turns.append(
            Turn(
                transcript,
                Exchanges(steps),
                pause,
                connection.route,
                tuple(filter_ for _, filter_ in found),
                tuple(value for value, _ in found),
            )
        )
    return turns


def _client(ledger: Ledger) -> list[Connection]:
    """The connections of the client whose last one failed last, those that it opened one after the other."""
    chosen = choose(ledger)
    if chosen is None:
        return []
    alike = [
        each
        for each in ledger.connections.values()
        if each.answered is not None
        and (each.route, each.origin) == (chosen.route, chosen.origin)
        and host(each.client) == host(chosen.client)
    ]
    return next((list(chain) for chain in chains(list(alike)) if chosen in chain), [chosen])  # type: ignore[arg-type]


def _pauses(chosen: Sequence[Connection]) -> list[float]:
    gaps = []
    for before, after in zip(chosen, chosen[1:], strict=False):
        ended = before.ended
        gap = after.began - ended if ended is not None else -1.0
        gaps.append(max(gap, LEAST_PAUSE) if gap >= 0 else PAUSE)
    return [*gaps, median(gaps) if gaps else PAUSE]
