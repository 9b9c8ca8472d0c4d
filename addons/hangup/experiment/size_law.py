"""The law of a limit of size, and messages of a given one."""

from __future__ import annotations

from hangup.experiment.claim import Claim
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_values import MISSING, at, leaves, put, split
from hangup.experiment.message_values import join as joined
from hangup.experiment.trial import ClientFrame, Edit, Trial


def of_this_size(frame: ClientFrame, size: int, frames: tuple[int, ...], arm: str = "size") -> Trial:
    """The trial in which a message has so many bytes, among these ``frames``."""
    return Trial(arm, frames=frames, edits=((frame.n, Edit(of_size(frame.payload, size))),))


def size_law(frame: ClientFrame, frames: tuple[int, ...], low: int, high: int) -> Claim:
    """A limit of size: ``low`` bytes survive, ``high`` fail; ``frames`` are those that are sent with it."""
    words = f"a message has {high:,} bytes or more"
    condition = Condition(words, f"survives {low:,} B, fails {high:,} B")
    law = Law(f"it ends when {words}", [condition], ["what the message says"])

    def trial(size: int) -> Trial:
        return of_this_size(frame, size, frames, "values")

    claim = Claim(
        law,
        lambda rng: trial(high + rng.choice((0, 1, rng.randint(0, max(high // 4, 1))))),
        lambda rng: trial(max(0, low - rng.choice((0, 1, rng.randint(0, max(low // 2, 1)))))),
    )
    claim.edges = [(trial(low), False), (trial(high), True)]
    return claim


def of_size(payload: bytes, size: int) -> bytes:
    """A message as this one, of so many bytes: JSON by its longest text, other payloads cut or repeated."""
    head, value = split(payload)
    texts = [path for path in leaves(value) if isinstance(at(value, path), str)] if value is not MISSING else []
    if texts:
        longest = max(texts, key=lambda path: len(at(value, path)))
        bare = joined(head, put(value, longest, ""))
        if size >= len(bare):
            return joined(head, put(value, longest, "a" * (size - len(bare))))
        return bare
    if not payload:
        return b"a" * size
    return (payload * (size // len(payload) + 1))[:size]


def least_size(payload: bytes) -> int:
    """The fewest bytes to which a message can be made: JSON must stay JSON of the same parts."""
    return len(of_size(payload, 0))
