"""Two recordings side by side: which connections go together, and what differs between those."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from hangup.recording.diff import ComparedConnection, Comparison, compare_conversations, pair
from hangup.recording.events import Header

Conversations = dict[int, ComparedConnection]


class ComparedRecordings(Struct):
    """``compared`` are the pairs, ``only_a`` and ``only_b`` the numbers of connections without a counterpart."""

    compared: list[Comparison]
    only_a: list[int]
    only_b: list[int]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.only_a and not self.only_b and all(each.same for each in self.compared)

    def summary(self, a: str, b: str) -> dict[str, Any]:
        """For JSON; ``a`` and ``b`` are what the recordings are called."""
        pairs = [each.summary() for each in self.compared]
        return {"same": self.same, "a": a, "b": b, "pairs": pairs, "only_a": self.only_a, "only_b": self.only_b}


def compare_recordings(
    a: tuple[Conversations, Header], b: tuple[Conversations, Header], *, strict: bool = False
) -> ComparedRecordings:
    """Compares what was collected of each; two single connections are compared whatever their paths."""
    (of_a, header_a), (of_b, header_b) = a, b
    pairs = pair(of_a, of_b)
    if len(of_a) == len(of_b) == 1:
        pairs = list(zip(of_a.values(), of_b.values(), strict=True))
    # Browsers' HARs have lost the headers' order and case.
    ordered = header_a.tells("headers") and header_b.tells("headers")
    return ComparedRecordings(
        [
            compare_conversations(left, right, strict=strict, ordered=ordered)
            for left, right in pairs
            if left is not None and right is not None
        ],
        [left.connection.conn for left, right in pairs if left is not None and right is None],
        [right.connection.conn for left, right in pairs if right is not None and left is None],
    )
