"""A recording as the tests ask for it: events by connection, the problems, messages and endings of a side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from hangup.recording import rebuild
from hangup.recording.events import AnyEvent, End, Frame, Handshake, Side


class Connection:
    """One connection's events, all of them or as far as it got."""

    def __init__(self, number: int, events: Sequence[AnyEvent]) -> None:
        self.number = number
        self.events = events

    @property
    def handshake(self) -> Handshake:
        """Its handshake."""
        return next(e for e in self.events if isinstance(e, Handshake))

    def frames(self, side: Side) -> list[Frame]:
        """The frames of a side."""
        return [e for e in self.events if isinstance(e, Frame) and e.side == side]

    def sent(self, side: Side) -> bytes:
        """The bytes of a side after the handshake, rebuilt."""
        return b"".join(rebuild.sent_by(self.events, self.number, side))

    def problems(self, side: Side) -> set[str]:
        """All that is named as wrong with what a side sent."""
        return {
            problem
            for event in self.events
            if getattr(event, "side", None) == side
            for problem in getattr(event, "problems", ())
        }

    def messages(self, side: Side) -> Iterator[bytes | int]:
        """The data messages of a side as its application sent them; of one too large to be kept, its size."""
        for frame in self.frames(side):
            if frame.opcode not in ("text", "binary", "continuation"):
                continue
            if frame.message is not None:
                yield frame.message.encode()
            elif frame.message_base64 is not None:
                yield frame.message_base64
            elif frame.message_length is not None:
                yield frame.message_length
            elif frame.fin and not frame.rsv and frame.opcode != "continuation":
                yield frame.payload

    @property
    def ends(self) -> list[tuple[str, str]]:
        """Who ended a direction, and how, in order."""
        return [(e.side, e.how) for e in self.events if isinstance(e, End)]


def connections(events: Iterable[AnyEvent]) -> dict[str, Connection]:
    """The connections of a recording, by the path and query that they asked for (the last, if there were several)."""
    grouped: dict[int, list[AnyEvent]] = defaultdict(list)
    for event in events:
        grouped[event.conn].append(event)
    found = [Connection(number, group) for number, group in grouped.items() if number]
    return {c.handshake.request.target: c for c in found if any(isinstance(e, Handshake) for e in c.events)}
