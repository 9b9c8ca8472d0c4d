"""Which connections are a loop, and how it is described."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recorded
from hangup.recording import events as ev
from hangup.recording import loops
from hangup.recording.ledger import Ledger
from hangup.recording.loops import Loop, find
from hangup.recording.reader import read
from recorded import end, handshake


def found(events: list[ev.Event], **options: float) -> list[Loop]:
    ledger = Ledger()
    for event in events:
        ledger.feed(event)
    return find(ledger.connections.values(), now=ledger.last_at, **options)  # type: ignore[arg-type]


def lived(
    conn: int, asked: float, ended: float | None, client: str = "127.0.0.1:1", path: str = "/ws"
) -> list[ev.Event]:
    """A connection from request to end, open if that is None."""
    opening: list[ev.Event] = [handshake(asked + 0.005, conn, path, client=client, waited=0.005)]
    return opening if ended is None else [*opening, end(ended, "server", conn=conn)]


def inorder(*groups: list[ev.Event]) -> list[ev.Event]:
    return sorted((event for group in groups for event in group), key=lambda event: event.at)


def test_the_famous_loop() -> None:
    (loop,) = found(recorded.loop(7))
    assert (loop.count, loop.conns, loop.path, loop.client) == (7, [1, 2, 3, 4, 5, 6, 7], "/ws/client-1", "127.0.0.1")
    assert (loop.median_lifetime, loop.median_gap, loop.failed) == (0.013, 1.0, 0)
    assert (loop.ended_by, loop.how, loop.backing_off, loop.going_on, loop.settled) == (
        "server",
        "fin",
        False,
        True,
        None,
    )
    assert loop.sentence == (
        "connections 1 to 7 of one client on /ws/client-1, 7 in 6.09 s: each was open for 13 ms, ended by the "
        "server (FIN), reopened after 1.00 s (medians), not backing off, still going on at the end"
    )
    json.dumps(loop.summary())


def test_two_are_no_loop_and_three_are() -> None:
    assert found(recorded.loop(2)) == []
    assert len(found(recorded.loop(3))) == 1


def test_all_at_once_is_no_loop() -> None:
    assert found(inorder(*(lived(n, 1.0, 1.5) for n in range(1, 9)))) == []


def ages(*seconds: float, gap: float = 1.0, first: int = 1, at: float = 1.0) -> list[ev.Event]:
    """Connections one after the other that were open for so long each."""
    made: list[ev.Event] = []
    for conn, lifetime in enumerate(seconds, first):
        made += lived(conn, at, at + 0.005 + lifetime)
        at += 0.005 + lifetime + gap
    return made


def test_long_ones_of_any_age_are_no_loop() -> None:
    events = ages(15, 40, 11, 90, 25, 14, 60)
    assert found(events) == []
    assert len(found(events, short=91.0)) == 1


@pytest.mark.parametrize("lifetime", [30.0, 60.0, 100.0, 3600.0])
def test_long_ones_that_end_alike_are_a_loop(lifetime: float) -> None:
    """A heartbeat that is missed, an idle timeout, a lifetime cap: its clock is laid out, nobody waits for it."""
    shaken = (lifetime, lifetime * 1.1, lifetime * 0.95, lifetime * 1.02)
    (loop,) = found(ages(*shaken))
    assert (loop.conns, loop.going_on, loop.backing_off) == ([1, 2, 3, 4], True, False)
    assert loop.median_lifetime == pytest.approx(lifetime * 1.01, rel=0.01) and loop.median_gap == 1.0
    assert found(ages(*shaken[:2])) == [], "two are none"
    assert found(ages(*shaken, gap=1.2 * lifetime)) == [], "a client that stays away for longer than it was there"


def test_long_ones_that_end_after_the_same_silence_are_a_loop() -> None:
    events: list[ev.Event] = []
    at = 1.0
    for conn, busy in enumerate((2.0, 70.0, 15.0, 33.0), 1):
        opening, ending = lived(conn, at, at + busy + 60.0)
        events += [opening, recorded.text(at + busy, "client", 1, conn=conn), ending]
        at += busy + 61.0
    (loop,) = found(events)
    assert loop.conns == [1, 2, 3, 4]


def test_long_ones_that_end_in_different_ways_are_no_loop() -> None:
    events = ages(30, 30, 30, 30)
    events[3] = end(events[3].at, "client", conn=2)
    assert found(events) == []


def test_a_page_that_is_loaded_anew_now_and_then_is_no_loop() -> None:
    events: list[ev.Event] = []
    for n in range(1, 6):
        events += [handshake(40.0 * n, n, "/ws"), recorded.close(40.0 * n + 30, "client", 1, 1001, conn=n)]
        events += [recorded.close(40.0 * n + 30.01, "server", 2, 1001, conn=n), end(40.0 * n + 30.02, "server", conn=n)]
    assert found(events) == []


def test_a_refusal_on_the_way_does_not_part_a_loop() -> None:
    events = ages(30, 30, 30) + [handshake(95.0, 4, "/ws", status=503)] + ages(30, 30, 30, first=5, at=97.0)
    (loop,) = found(events)
    assert (loop.conns, loop.failed) == ([1, 2, 3, 4, 5, 6, 7], 1)


def test_a_long_one_that_is_open_yet_goes_on_until_it_outlives_the_others() -> None:
    events = [*ages(30, 30, 30), *lived(4, 95.0, None)]
    assert [(loop.going_on, loop.settled) for loop in found([*events, ev.Note(at=150.0, text="")])] == [(True, None)]
    assert [(loop.going_on, loop.settled) for loop in found([*events, ev.Note(at=160.0, text="")])] == [(False, 4)]


def test_short_ones_and_then_long_ones_are_two_loops() -> None:
    events = ages(0.1, 0.1, 0.1) + ages(30, 30, 30, first=4, at=5.0)
    assert [loop.conns for loop in found(events)] == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("lifetime", [0.4, 30.0])
@pytest.mark.parametrize("second", [0.004, 0.012])
def test_the_double_mount_of_strict_mode_is_no_part_of_a_loop(lifetime: float, second: float) -> None:
    """Its two connections overlap, or are one right after the other."""
    mount = [handshake(1.0, 1, "/ws", waited=0.004), end(1.01, "client", conn=1)]
    for count in (3, 6):
        events = inorder(mount, ages(*[lifetime] * count, first=2, at=1.0 + second))
        (loop,) = found(events)
        assert loop.conns == list(range(2, count + 2)) and not loop.backing_off
        assert loop.gaps == pytest.approx([1.0] * (count - 1))


def test_one_that_the_client_gives_up_again_and_again_is_a_loop() -> None:
    events: list[ev.Event] = []
    for n in range(1, 7):
        events += [handshake(n * 0.5, n, "/ws", waited=0.004), end(n * 0.5 + 0.45, "client", conn=n)]
    (loop,) = found(events)
    assert loop.conns == [2, 3, 4, 5, 6]


def test_failed_handshakes_are_a_loop() -> None:
    events: list[ev.Event] = [handshake(float(n), n, status=403, waited=0.1) for n in range(1, 6)]
    (loop,) = found(events)
    assert (loop.count, loop.failed, loop.median_lifetime, loop.median_gap) == (5, 5, 0.0, 0.9)
    assert (loop.ended_by, loop.how) == ("server", "none") and "every handshake failed" in loop.sentence


def test_most_endings_are_told() -> None:
    events = [*recorded.loop(4), *lived(5, 6.0, None, path="/ws/client-1"), recorded.close(6.1, "client", 1, conn=5)]
    (loop,) = found(events)
    assert (loop.count, loop.alike, loop.ended_by, loop.how) == (5, 4, "server", "fin")
    assert "each was open for 13 ms, ended 4 times by the server (FIN), reopened" in loop.sentence


def test_some_failed_handshakes() -> None:
    events = [*recorded.loop(3), handshake(5.0, 4, "/ws/client-1", status=503), *recorded.loop(2, start=6.0, first=5)]
    (loop,) = found(events)
    assert (loop.count, loop.failed) == (6, 1)
    assert "(1 handshake failed)" in loop.sentence


def test_other_clients_and_paths_are_other_loops() -> None:
    a = [lived(n, n * 1.0, n + 0.1, f"10.0.0.1:{n}") for n in (1, 2, 3)]
    b = [lived(n + 10, n + 0.2, n + 0.3, f"[fe80::1]:{n}") for n in (1, 2, 3)]
    c = [lived(n + 20, n + 0.4, n + 0.5, f"10.0.0.1:{n}", "/other") for n in (1, 2)]
    assert [(loop.client, loop.conns) for loop in found(inorder(*a, *b, *c))] == [
        ("10.0.0.1", [1, 2, 3]),
        ("[fe80::1]", [11, 12, 13]),
    ]


def test_a_query_does_not_make_another_path() -> None:
    events = inorder(*(lived(n, n * 1.0, n + 0.1, path=f"/ws?id={n}") for n in (1, 2, 3)))
    assert found(events)[0].path == "/ws"


def test_two_tabs_side_by_side_are_two_loops() -> None:
    # Both drop at once and wait for the same time, but one always comes a little later.
    tabs = inorder(
        *(lived(2 * n, n, n + 0.30) for n in range(1, 6)), *(lived(2 * n + 1, n + 0.1, n + 0.41) for n in range(1, 6))
    )
    assert [loop.conns for loop in found(tabs)] == [[2, 4, 6, 8, 10], [3, 5, 7, 9, 11]]


def test_tabs_that_kick_each_other_out_are_two_loops() -> None:
    events: list[ev.Event] = []
    for conn in range(1, 11):  # each opening ends the other tab's connection, which is opened again after 1 s
        events += lived(conn, float(conn), conn + 1.01)
    assert [loop.conns for loop in found(inorder(events))] == [[1, 3, 5, 7, 9], [2, 4, 6, 8, 10]]


def test_one_beside_a_lasting_connection() -> None:
    lasting = lived(1, 0.0, None)
    assert [loop.conns for loop in found([*lasting, *recorded.loop(3, first=2)])] == [[2, 3, 4]]


@pytest.mark.parametrize(
    ("gaps", "growing"),
    [
        ([1, 1, 1, 1, 1], False),
        ([1, 1.2, 0.9, 1.1], False),
        ([1, 2, 4, 8], True),
        ([1, 2], True),
        ([2, 1], False),
        ([0.5, 1, 2, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5], True),
        ([1.1, 2.3, 2.0, 3.9, 3.6], True),
        ([0.001, 0.004, 0.002, 0.009], False),
        ([8, 4, 2, 1], False),
    ],
)
def test_backing_off(gaps: list[float], growing: bool) -> None:
    at, events = 1.0, lived(1, 1.0, 1.1)
    for conn, gap in enumerate(gaps, 2):
        at += 0.1 + gap
        events += lived(conn, at, at + 0.1)
    (loop,) = found(events)
    assert loop.backing_off is growing
    assert ("not backing off" in loop.sentence) is not growing
    assert loop.median_gap == pytest.approx(sorted(gaps)[len(gaps) // 2], abs=1.01)


def test_a_loop_that_settles() -> None:
    (loop,) = found([*recorded.loop(4), *lived(5, 6.0, None, path="/ws/client-1"), ev.Note(at=60.0, text="")])
    assert (loop.conns, loop.settled, loop.going_on) == ([1, 2, 3, 4], 5, False)
    assert loop.sentence.endswith("; it stopped with connection 5, which stayed open")


def test_a_loop_whose_next_one_just_opened_goes_on() -> None:
    (loop,) = found([*recorded.loop(4), *lived(5, 6.0, None, path="/ws/client-1"), ev.Note(at=7.0, text="")])
    assert (loop.settled, loop.going_on) == (None, True)


def test_a_loop_that_was_given_up() -> None:
    (loop,) = found([*recorded.loop(4), ev.Note(at=60.0, text="")])
    assert not loop.going_on and loop.sentence.endswith("not backing off")


def test_two_loops_with_a_good_spell_between() -> None:
    events = [
        *recorded.loop(3),
        *lived(4, 5.0, 40.0, path="/ws/client-1"),
        *recorded.loop(4, start=41.0, first=5),
    ]
    assert [(loop.conns, loop.settled) for loop in found(events)] == [([1, 2, 3], 4), ([5, 6, 7, 8], None)]


def test_a_new_start_hours_later_is_another_loop() -> None:
    events = [*recorded.loop(3), *recorded.loop(3, start=9000.0, first=4)]
    assert [loop.conns for loop in found(events)] == [[1, 2, 3], [4, 5, 6]]


def test_connections_without_a_handshake_are_left_out() -> None:
    assert found([end(float(n), "server", conn=n) for n in range(1, 9)]) == []


def test_the_default_now() -> None:
    ledger = Ledger()
    for event in recorded.loop(3):
        ledger.feed(event)
    assert find(ledger.connections.values())[0].going_on and find([]) == []


def test_hosts() -> None:
    hosts = {"127.0.0.1:5000": "127.0.0.1", "[::1]:80": "[::1]", "::1": "::1", "": "", "unix": "unix", "a:b": "a:b"}
    assert {address: loops.host(address) for address in hosts} == hosts


@settings(max_examples=150, deadline=None)
@given(got=st.lists(recorded.events, max_size=15), minimum=st.integers(2, 3))
def test_any_events(got: list[ev.Event], minimum: int) -> None:
    for loop in found(got, minimum=minimum):
        assert loop.count >= minimum
        assert loop.sentence.isprintable()
        json.dumps(loop.summary(), allow_nan=False)


@given(
    lifetimes=st.lists(st.floats(0.001, 9.0), min_size=3, max_size=10),
    gaps=st.lists(st.floats(0.001, 200.0), min_size=9, max_size=9),
)
def test_every_run_of_short_ones_is_one_loop(lifetimes: list[float], gaps: list[float]) -> None:
    at, events = 1.0, []
    for conn, (lifetime, gap) in enumerate(zip(lifetimes, [*gaps, 0.0], strict=False), 1):
        events += lived(conn, at, at + 0.005 + lifetime)
        at += 0.005 + lifetime + gap
    (loop,) = found(events)
    assert loop.count == len(lifetimes) and len(loop.gaps) == loop.count - 1
    assert loop.gaps == pytest.approx(gaps[: loop.count - 1], abs=1e-5)
    assert loop.lifetimes == pytest.approx(lifetimes, abs=1e-5)


def test_what_was_open_when_hangup_was_stopped_is_not_one_that_dropped() -> None:
    """One restart of the backend: two connections that it ends, or refuses, and one that lives on, are no loop."""
    golden = Path(__file__).parents[1] / "recordings" / "healthy-one-restart.jsonl"
    ledger = Ledger()
    for event in read(golden):
        ledger.feed(event)
    assert loops.find(ledger.connections.values()) == []


def fresh(count: int, gap: float = 0.5, client: str = "127.0.0.1", first: int = 1) -> list[ev.Event]:
    """Connections one after the other, each with an id of its own in its path."""
    return inorder(
        *(
            lived(first + n, n * (1.0 + gap), n * (1.0 + gap) + 1.0, f"{client}:{n + 1}", f"/doc/d{n + 17}")
            for n in range(count)
        )
    )


def test_an_id_that_is_made_anew_each_time_is_no_other_path() -> None:
    (loop,) = found(fresh(5))
    assert (loop.path, loop.conns) == ("/doc/{}", [1, 2, 3, 4, 5])
    assert "5 connections" not in loop.sentence and "connections 1 to 5 of one client on /doc/{}" in loop.sentence


def test_ids_that_are_not_one_after_the_other_may_be_other_users() -> None:
    assert found(fresh(5, gap=loops.SOON + 1)) == []  # nobody waits so long with another id
    assert found(inorder(fresh(2), fresh(2, client="10.0.0.1", first=11))) == []
    at_once = [lived(n, 0.1 * n, 0.1 * n + 4.0, path=f"/doc/d{n + 17}") for n in range(1, 7)]
    assert found(inorder(*at_once)) == []


def test_one_that_may_follow_either_of_two_follows_none() -> None:
    two = [lived(2 * n + i, 2.0 * n, 2.0 * n + 1.0, path=f"/doc/d{20 + 2 * n + i}") for n in range(5) for i in (1, 2)]
    assert found(inorder(*two)) == []


def test_ids_that_come_again_are_users_and_kept_apart() -> None:
    again = [lived(n, n * 1.5, n * 1.5 + 1.0, path=f"/ws/user-{n % 2 + 30}") for n in range(1, 9)]
    assert [loop.path for loop in found(inorder(*again))] == ["/ws/user-31", "/ws/user-30"]
