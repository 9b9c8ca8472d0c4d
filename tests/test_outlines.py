"""Connections outlined many at a time, straight from their events: the same as those that are summed up one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

import recorded
from hangup.recording.events import Event, FilterEvent, Frame, Log, Note, Stop
from hangup.recording.outlines import OutlineLedger

lives = st.lists(
    st.tuples(
        st.sampled_from(["client", "server"]),
        st.sampled_from(
            "text ping pong binary close close-4001 close-empty close-cut odd large webpack fin rst fin-by open note "
            "log filter again lost".split()
        ),
    ),
    max_size=9,
)


def _life(conn: int, steps: list[tuple[str, str]], *, status: int = 101, pace: float = 0.05) -> list[Event]:
    """A connection with these steps, and an end of either leg."""
    at, n = conn * 0.5, 0
    found: list[Event] = [recorded.handshake(at, conn, "/base/ws", status=status)]
    for side, what in [*steps, ("server", "fin"), ("client", "fin")]:
        at += pace
        n += 1
        frame = Frame(at=at, conn=conn, n=n, side=side)  # type: ignore[arg-type]
        code = {"close": 1000, "close-4001": 4001}.get(what)
        match what.partition("-")[0]:
            case "text" | "large":
                frame.text = "hello" if what == "text" else "x" * 2000
            case "webpack":
                frame.text = '{"type":"hot"}'
            case "ping" | "pong" | "binary":
                frame.opcode, frame.base64 = what, b"\x00\xff"
            case "odd":
                frame.text, frame.problems = "x", ("rsv",)
            case "close":
                frame.opcode, frame.code, frame.reason = "close", code, "bye" if code == 4001 else None
                frame.base64 = b"\x03\xe8" if what != "close-empty" else None
            case "fin" | "rst" | "open":
                end = recorded.end(at, side, what.partition("-")[0], conn)  # type: ignore[arg-type]
                end.by = "proxy" if what == "fin-by" else ""
                found.append(end)
                continue
            case "note" | "lost":
                found.append(Note(at=at, conn=conn, text="x", lost=int(what == "lost")))
                continue
            case "log":
                found.append(Log(at=at, conn=conn, text="x"))
                continue
            case "filter":
                found.append(FilterEvent(at=at, conn=conn, filter="drop", action="drop", n=n, side=side))  # type: ignore[arg-type]
                continue
            case "again":
                found.append(recorded.handshake(at, conn, "/base/ws"))
                continue
        found.append(frame)
    return found


@given(
    scripts=st.lists(st.tuples(lives, st.sampled_from([101, 101, 101, 403]), st.sampled_from([0.05, 0.6])), max_size=8),
    kept=st.integers(0, 3),
    size=st.integers(1, 40),
    stopped=st.booleans(),
)
def test_many_at_a_time_are_outlined_as_one_by_one(
    scripts: list[tuple[list[tuple[str, str]], int, float]], kept: int, size: int, stopped: bool
) -> None:
    usual = [[("client", "text"), ("client", "close")], [("client", "text")], []]
    plain = [_life(conn, usual[conn % 3], pace=0.2 if conn % 2 else 1.5) for conn in range(1, 13)]
    odd = [_life(13 + i, steps, status=status, pace=pace) for i, (steps, status, pace) in enumerate(scripts)]
    events = sorted((event for life in (*plain, *odd, *plain[:1]) for event in life), key=lambda event: event.at)
    events += [Stop(at=99.0)] * stopped
    one, many_ = OutlineLedger(kept), OutlineLedger(kept)
    for event in events:
        one.feed(event)
    for first in range(0, len(events), size):
        many_.feed_all(events[first : first + size])  # type: ignore[arg-type]
    assert one.known() == many_.known() and one.order == many_.order
    assert one.outlines == many_.outlines and one.connections == many_.connections and one.examples == many_.examples
    assert (one.events, one.last_at, one.lost) == (many_.events, many_.last_at, many_.lost)
