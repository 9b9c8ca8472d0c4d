"""Some connections of a recording as a recording of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from msgspec.structs import replace

from hangup.recording.events import AnyEvent, Handshake, Log, Stop
from hangup.recording.formats import Recording
from hangup.recording.writer import write

AFTERWARDS = 0.5
"""What the backend logs so many seconds after the last of the connections belongs to them, too."""


def excerpt(recording: Recording, conns: Collection[int]) -> Iterator[AnyEvent]:
    """The events of these connections, and what the backend logged meanwhile.

    Connections are numbered from 1 again, in the order given, and time begins with the first of their requests.
    """
    numbers = {conn: number for number, conn in enumerate(conns, 1)}
    began, ended = _span(recording, numbers)
    if began is None:
        return
    for event in recording:
        number = numbers.get(event.conn)
        if number is None and not (isinstance(event, Log) and began <= event.at <= ended + AFTERWARDS):
            continue
        yield replace(event, at=round(max(0.0, event.at - began), 6), conn=number or 0)
    yield Stop(at=round(ended - began, 6))


def write_excerpt(recording: Recording, conns: Collection[int], path: Path, note: str = "") -> Path:
    """Writes it to ``path``, or to ``NAME-2.jsonl`` and so on where that is taken; gives the path. Raises
    :class:`~hangup.errors.RecordingError` when it cannot be written."""
    taken, number = path, 2
    while taken.exists():
        taken = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    header = replace(recording.header, filters=[], note=note or recording.header.note)
    write(taken, header, excerpt(recording, conns))
    return taken


def _span(recording: Recording, numbers: Collection[int]) -> tuple[float | None, float]:
    began: float | None = None
    ended = 0.0
    for event in recording:
        if event.conn in numbers:
            asked = event.at - event.waited if isinstance(event, Handshake) else event.at
            began = asked if began is None else min(began, asked)
            ended = max(ended, event.at)
    return began, ended
