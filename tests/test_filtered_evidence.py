"""What a filter kept from the server did the server no harm, and proves nothing."""

from __future__ import annotations

import recorded
from hangup.diagnosis.diagnose import diagnose
from hangup.recording import events as ev
from recorded import end, handshake, text

PING = '{"type":"ping"}'
FILTER = "drop-heartbeat side=client"


def looping(first: int, count: int, start: float) -> list[ev.Event]:
    """Connections that end at their first heartbeat, a second after opening."""
    found: list[ev.Event] = []
    for conn in range(first, first + count):
        at = start + 2.0 * (conn - first)
        found += [
            handshake(at, conn),
            text(at + 0.01, "client", 1, '{"type":"hello","page":"/inbox"}', conn),
            text(at + 0.02, "server", 1, '{"type":"welcome"}', conn),
            text(at + 1.0, "client", 2, PING, conn),
            end(at + 1.002, "server", conn=conn),
            end(at + 1.01, "client", conn=conn),
        ]
    return found


def spared(conn: int, start: float, beats: int) -> list[ev.Event]:
    """One whose heartbeats are dropped; the filter is switched off, and the next of them ends it."""
    on = ev.FilterEvent(at=start, filter=FILTER, action="add")
    found: list[ev.Event] = [on, *looping(conn, 1, start + 0.1)[:3]]
    at = start + 0.1
    for n in range(2, beats + 2):
        at += 1.0
        found.append(text(at, "client", n, PING, conn))
        found.append(ev.FilterEvent(at=at, conn=conn, filter=FILTER, action="drop", side="client", n=n))
    found.append(ev.FilterEvent(at=at + 0.5, filter=FILTER, action="off"))
    found += [text(at + 1.0, "client", beats + 2, PING, conn), end(at + 1.002, "server", conn=conn)]
    return [*found, end(at + 1.01, "client", conn=conn)]


def test_dropped_heartbeats_did_no_harm_because_they_never_came() -> None:
    before = diagnose(recorded.HEADER, looping(1, 5, 1.0))
    after = diagnose(recorded.HEADER, [*looping(1, 5, 1.0), *spared(6, 20.0, 40), *looping(7, 2, 70.0)])
    assert (after.verdict, "heartbeat/app-ping-kills" in (after.verdict, *after.also)) == (before.verdict, True)
    assert after.confidence >= before.confidence - 0.05
    said = [item.text for item in after.evidence]
    assert not any("did no harm" in line and "such did" in line for line in said), said
    assert not any("on it dropped just the same" in line for line in said), said


def test_a_filter_under_which_it_ends_as_well_still_speaks_against_the_cause() -> None:
    on = ev.FilterEvent(at=19.0, filter="drop-heartbeat side=server", action="add")
    acted = ev.FilterEvent(at=20.5, conn=6, filter="drop-heartbeat side=server", action="drop", side="server", n=9)
    events = sorted([*looping(1, 5, 1.0), on, *looping(6, 3, 20.0), acted], key=lambda event: event.at)
    found = diagnose(recorded.HEADER, events)
    said = [*found.evidence, *(item for other in found.alternatives for item in other.evidence)]
    assert any("on it dropped just the same" in item.text and item.weight < 0 for item in said)
