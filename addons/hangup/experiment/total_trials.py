"""Exchanges with so many bytes in all: recorded messages, made larger or smaller, that are still valid ones."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hangup.experiment.message_values import MISSING, Path, at, join, leaves, put, split
from hangup.experiment.size_law import SHORT, of_size
from hangup.experiment.trial import Case, ClientFrame, Edit, Trial, messages


class Totals:
    """Makes them. ``speed`` is that of the trials, ``characters`` says that these are counted, and not bytes."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.frames = [frame for frame in case.frames if not frame.problems]
        self.numbers = tuple(frame.n for frame in self.frames)
        self.speed, self.characters = math.inf, False

    def of_total(self, total: int) -> Trial:
        """As many of the messages as have no more bytes in all, the last one larger for what is missing."""
        count = max(n for n in range(1, len(self.frames) + 1) if n == 1 or self.size(self.numbers[:n]) <= total)
        numbers = self.numbers[:count]
        return self.exchange(numbers, total, even=False) or self.trial(numbers, {})

    def exchange(
        self,
        numbers: tuple[int, ...],
        total: int,
        said: Mapping[int, bytes] | None = None,
        speed: float | None = None,
        *,
        even: bool = True,
    ) -> Trial | None:
        """These messages, with so many bytes in all; None where they cannot be made so small, or no larger. ``said``
        are other payloads of some of them. What is added goes to all but the first alike, or else to the last."""
        says = {f.n: f.payload for f in self.frames if f.n in numbers} | dict(said or {})
        later = [f for f in self.frames if f.n in numbers and resizable(f.opcode, says[f.n])]
        later = [f for f in later if f.n != self.numbers[0]] or later
        if sum(map(self.length, says.values())) > total:
            says |= {f.n: shorter(says[f.n]) for f in later}
        spare = total - sum(map(self.length, says.values()))
        if spare < 0 or (spare and not later):
            return None
        for frame in later if even else ():
            says[frame.n] = self._larger(says[frame.n], spare // len(later))
        if later:
            payload = says[later[-1].n]
            says[later[-1].n] = self._larger(payload, total - sum(map(self.length, says.values())))
        return self.trial(numbers, says, speed)

    def trial(self, numbers: tuple[int, ...], says: Mapping[int, bytes], speed: float | None = None) -> Trial:
        """These messages, some of which say something else."""
        speed = self.speed if speed is None else speed
        changed = [f for f in self.frames if says.get(f.n, f.payload) != f.payload]
        edits = tuple((f.n, Edit(says[f.n], f.opcode)) for f in changed)
        patience = max(0.75, 0.5 + 3 * (self.case.reaction or 0.0)) if speed == math.inf else None
        return Trial("in-all", frames=numbers, edits=edits, speed=speed, patience=patience)

    def largest_of(self, trial: Trial) -> Trial:
        """The largest of these messages after the first, by itself."""
        n, edit = max(trial.edits, key=lambda each: len(each[1].payload))
        return self.trial((self.numbers[0], n), {n: edit.payload})

    def length(self, payload: bytes) -> int:
        return len(payload.decode(errors="replace")) if self.characters else len(payload)

    def size(self, numbers: tuple[int, ...]) -> int:
        return sum(self.length(frame.payload) for frame in self.frames if frame.n in numbers)

    def _larger(self, payload: bytes, more: int) -> bytes:
        return of_size(payload, len(payload) + more)  # what is added is one byte a character

    def length_of(self, trial: Trial) -> int:
        return sum(self.length(payload) for _, payload in messages(self.case, trial))


def resizable(opcode: str, payload: bytes) -> bool:
    """Whether more may be added to a message: spaces after JSON, or the same again where it is of ASCII."""
    return opcode == "text" and bool(payload) and (payload.isascii() or split(payload)[1] is not MISSING)


def shorter(payload: bytes) -> bytes:
    """The same with its longest text left out, where it is JSON and has a long one."""
    head, value = split(payload)
    path = _longest(value)
    return payload if path is None else join(head, put(value, path, ""))


def wider(frame: ClientFrame) -> bytes | None:
    """The same, with its longest text in characters that have three bytes each."""
    head, value = split(frame.payload)
    path = _longest(value) if frame.text else None
    return None if path is None else join(head, put(value, path, "€" * len(at(value, path))))


def _longest(value: object) -> Path | None:
    texts = [path for path in leaves(value) if isinstance(at(value, path), str) and len(at(value, path)) > SHORT]
    return max(texts, key=lambda path: len(at(value, path)), default=None)
