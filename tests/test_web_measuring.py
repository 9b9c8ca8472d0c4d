"""A connection in figures."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import recorded as rec
from hangup.recording import events as ev
from hangup.recording.round_trips import WAITING, RoundTrips
from hangup.web.measuring import KINDS_KEPT, POINTS, Figures, round_trips
from test_web_index import opened, query


def ping(at: float, n: int, payload: str, opcode: str = "ping", side: ev.Side = "server") -> ev.Frame:
    return ev.Frame(at=at, conn=1, n=n, side=side, opcode=opcode, text=payload)


def figures(*events: ev.AnyEvent) -> dict[str, Any]:
    made = Figures()
    for event in events:
        made.feed(event)
    return made.summary()


def test_what_each_side_sent(tmp_path: Path) -> None:
    events = [
        rec.handshake(),
        rec.text(1.0, "client", 1, '{"type":"order","id":1}'),
        rec.text(1.1, "client", 2, '{"type":"order","id":22}'),
        rec.text(1.2, "client", 3, "hello"),
        ev.Frame(at=1.3, conn=1, n=4, side="server", opcode="binary", base64=b"\x00" * 100),
        rec.text(1.4, "server", 1, "other connection", conn=2),
    ]
    found = query(opened(rec.write(tmp_path / "run.jsonl", list(events))), "statistics", conn=1)
    client = {"messages": 3, "bytes": 52, "median": 23, "largest": 24, "opcodes": {"text": 3}}
    assert found["sides"]["client"] == client
    assert found["sides"]["server"]["opcodes"] == {"binary": 1} and found["sides"]["server"]["bytes"] == 100
    assert found["kinds"][0] == {"side": "client", "kind": "order", "count": 2, "bytes": 47}
    assert found["pings"] == [] and found["other_kinds"] == 0
    assert query(opened(tmp_path / "run.jsonl"), "find", conn=1, kind="order")["matches"] == [1, 2]


def test_round_trips_are_told_apart_by_payload() -> None:
    found = figures(
        ping(1.0, 1, "a"),
        ping(2.0, 2, "b"),
        ping(2.1, 3, "b", "pong", "client"),
        ping(2.2, 4, "a", "pong", "client"),
        ping(3.0, 5, "c"),
        ping(4.0, 6, "d", side="client"),
    )
    server, client = found["pings"]
    assert (server["side"], server["level"], server["sent"], server["answered"]) == ("server", "control", 3, 1)
    (trip,) = server["trips"]
    assert (trip.at, round(trip.took, 6), trip.n) == (2.0, 0.1, 2)
    # The answer to the second does for the first, too; only the third still waits.
    assert server["waiting"] == [(3.0, 5)] and client["waiting"] == [(4.0, 6)]
    assert client["answered"] == 0 and client["median"] is None and client["slowest"] is None


def test_heartbeats_of_the_application_have_round_trips_of_their_own() -> None:
    found = figures(
        rec.text(1.0, "client", 1, '{"type":"ping"}'),
        rec.text(1.2, "server", 2, '{"type":"pong"}'),
        rec.text(1.3, "server", 3, '{"type":"pong"}'),
    )
    (client,) = found["pings"]
    assert (client["side"], client["level"], client["sent"], client["answered"]) == ("client", "app", 1, 1)
    assert round(client["slowest"], 6) == 0.2


def test_of_many_round_trips_the_slowest_is_told() -> None:
    trips = RoundTrips()
    for n in range(5 * POINTS):
        trips.ping(float(n), n, b"")
        trips.pong(n + (0.5 if n == 777 else 0.01), b"")
    told = round_trips(trips)
    assert told["answered"] == 5 * POINTS and len(told["trips"]) <= POINTS
    assert max(trip.took for trip in told["trips"]) == 0.5 == told["slowest"]
    assert [trip.at for trip in told["trips"]] == sorted(trip.at for trip in told["trips"])


def test_what_is_remembered_is_bounded() -> None:
    trips = RoundTrips()
    for n in range(3 * WAITING):
        trips.ping(float(n), n, n.to_bytes(4))
    assert len(round_trips(trips)["waiting"]) == WAITING
    made = Figures()
    for n in range(2 * KINDS_KEPT):
        made.feed(rec.text(1.0, "client", n, f'{{"k{n}": 1, "z{n}": 2}}'))
    told = made.summary()
    assert sum(each["count"] for each in told["kinds"]) >= KINDS_KEPT and told["other_kinds"] <= KINDS_KEPT


@given(st.lists(rec.events, max_size=20))
def test_any_connection_has_figures(events: list[ev.AnyEvent]) -> None:
    with TemporaryDirectory() as folder:
        recorded = opened(rec.write(Path(folder) / "run.jsonl", [rec.handshake(0.0, 1), *events]))  # type: ignore[list-item]
        for conn in recorded.index.lanes:
            found = query(recorded, "statistics", conn=conn)
            frames = recorded.index.connection(conn).frames
            for side, told in found["sides"].items():
                assert sum(told["opcodes"].values()) == frames[side]
                assert told["messages"] <= frames[side]
