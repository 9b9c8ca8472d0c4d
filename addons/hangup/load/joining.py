"""The recordings of several players as one: their events by time, their connections numbered anew."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from hangup.processes.tshark import open_recording
from hangup.recording.events import FORMAT, AnyEvent, Header, Stop
from hangup.recording.writer import write


def join(parts: Sequence[Path], path: Path, source: str, note: str) -> dict[tuple[str, int], int]:
    """Writes the recordings ``parts`` as one to ``path``; gives the new number of each part's connections. Raises
    :class:`~hangup.errors.RecordingError` when it cannot."""
    readers = [open_recording(part, None, name=str(part)) for part in parts]
    begins = [_started(reader.header) for reader in readers]
    first = min(begins)
    header = readers[begins.index(first)].header
    numbers: dict[tuple[str, int], int] = {}

    def moved(number: int) -> Iterator[tuple[float, int, AnyEvent]]:
        later = begins[number] - first
        for event in readers[number]:
            if not isinstance(event, Stop):
                event.at = round(event.at + later, 6)
                yield event.at, number, event

    def all_events() -> Iterator[AnyEvent]:
        last = 0.0
        for at, number, event in heapq.merge(*map(moved, range(len(parts))), key=lambda each: each[:2]):
            if event.conn:
                event.conn = numbers.setdefault((str(parts[number]), event.conn), len(numbers) + 1)
            last = at
            yield event
        yield Stop(at=last)

    write(path, replace(header, hangup=FORMAT, source=source, note=note), all_events())
    return numbers


def _started(header: Header) -> float:
    return datetime.fromisoformat(header.started.replace("Z", "+00:00")).timestamp()
