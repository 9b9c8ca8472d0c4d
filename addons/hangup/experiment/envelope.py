"""What every message of a client says alike, whatever its kind: ``{"jsonrpc": "2.0", …}``. It is what the protocol
wants, and a message with another value there tells of nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from hangup.experiment.message_values import MISSING, Path, at, leaves, split
from hangup.experiment.trial import Case, ClientFrame

LEAST = 3
"""Of fewer different messages it is not known."""


def constants(frames: Iterable[ClientFrame]) -> frozenset[Path]:
    """Where all messages that are JSON or MessagePack have the same scalar; of one kind only that is told of none."""
    kinds = {frame.payload: frame.kind for frame in frames if split(frame.payload)[1] is not MISSING}
    if len(kinds) < LEAST or len(set(kinds.values())) < 2:
        return frozenset()
    said = [split(payload)[1] for payload in kinds]
    common = {(path, type(part), part) for path in leaves(said[0]) if path and _scalar(part := at(said[0], path))}
    for value in said[1:]:
        common = {(path, kind, part) for path, kind, part in common if _same(at(value, path), kind, part)}
    return frozenset(path for path, _, _ in common)


def with_constants(case: Case) -> None:
    """Notes it in all messages of a case."""
    found = constants([*case.frames, *(frame for frames in case.lived for frame in frames)])
    if found:
        case.frames = [replace(frame, constant=found) for frame in case.frames]
        case.lived = tuple(tuple(replace(frame, constant=found) for frame in frames) for frames in case.lived)


def _scalar(value: object) -> bool:
    return isinstance(value, str | int | float)


def _same(value: object, kind: type, part: object) -> bool:
    return type(value) is kind and value == part
