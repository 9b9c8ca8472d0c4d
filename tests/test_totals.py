"""The sums of all connections: they never shrink, they are bounded, and at the end they are what the ledger says."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.recording import events as ev
from hangup.recording import loops, totals
from hangup.recording.ledger import Ledger
from hangup.recording.totals import PATHS, REST, VALUES, Distribution, Ended, Refused, Totals, Volume

SIDES: tuple[ev.Side, ev.Side] = ("client", "server")


class Told:
    """A ledger and its totals, told one event after the other, a tenth of a second apart."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.totals = Totals(self.ledger)
        self.at = 0.0
        self.n: Counter[int] = Counter()

    def tell(self, kind: type[ev.Event], **facts: Any) -> None:
        self.at = round(self.at + 0.1, 6)
        if kind is ev.Frame:
            self.n[facts["conn"]] += 1
            facts = {"n": self.n[facts["conn"]], **facts}
        event = kind(at=self.at, **facts)
        self.ledger.feed(event)
        self.totals.feed(event)

    def opens(self, conn: int, path: str = "/ws", status: int | None = 101, **more: Any) -> None:
        response = None if status is None else ev.Response(status=status)
        request = ev.Request(target=path)
        self.tell(ev.Handshake, conn=conn, client="127.0.0.1:5", request=request, response=response, **more)

    def counters(self) -> Counter[object]:
        """All that must never shrink."""
        found: Counter[object] = Counter(self.totals.ended)
        found.update(self.totals.refused)
        found.update({("opened", path): n for path, n in self.totals.opened.items()})
        for path, times in self.totals.lifetimes.items():
            found["times", path] = times.count
        for key, volume in self.totals.volumes().items():
            for name in ("frames", "bytes", "pings", "pongs"):
                found[key, name] = getattr(volume, name)
        for side in SIDES:
            found["round trips", side] = self.totals.round_trips[side].count
        return found


def by_ledger(ledger: Ledger) -> tuple[Counter[Ended], Counter[Refused], dict[tuple[str, str], Volume], float]:
    ended: Counter[Ended] = Counter()
    refused: Counter[Refused] = Counter()
    volumes: dict[tuple[str, str], Volume] = {}
    lived = 0.0
    for c in ledger.connections.values():
        ending = c.ending
        if c.refused:
            refused[Refused(c.path, ending.by, str(c.status or ""))] += 1
            continue
        if c.ended is not None:
            ended[Ended(c.path, ending.by, ending.how, "" if ending.code is None else str(ending.code))] += 1
            lived += c.lifetime or 0.0
        for side in SIDES:
            volume = volumes.setdefault((c.path, side), Volume())
            volume.add(c, side)
    return ended, refused, volumes, lived


STEPS = st.tuples(
    st.integers(1, 3),
    st.sampled_from(SIDES),
    st.sampled_from(("text", "text", "ping", "pong", "close", "fin", "rst", "timeout", "open", "filter", "handshake")),
    st.sampled_from((None, 1000, 1001, 4001)),
)


@given(st.lists(STEPS, max_size=40), st.sampled_from((101, 101, 101, 403, None)))
def test_whatever_happens_sums_only_grow_and_are_right_in_the_end(steps: list[Any], status: int | None) -> None:
    told = Told()
    asked: set[int] = set()
    gone: dict[int, dict[ev.Side, str]] = {}
    before: Counter[object] = Counter()
    for conn, side, what, code in steps:
        if conn not in asked:
            asked.add(conn)
            told.opens(conn, f"/{'abc'[conn - 1]}", status if conn == 1 else 101)
        mine = gone.setdefault(conn, {})
        if conn == 1 and status != 101 or len(mine) == 2 or what == "handshake":
            continue  # refused, or over: nothing comes any more
        if what in ("fin", "rst", "timeout"):
            if side in mine and (mine[side] != "fin" or what == "fin"):
                continue
            mine[side] = what
            told.tell(ev.End, conn=conn, side=side, how=what)
        elif what == "open":
            told.tell(ev.End, conn=conn, side=side, how="open")
        elif what == "filter":
            told.tell(ev.FilterEvent, conn=conn, side=side, filter="close", action="close")
        elif side not in mine:
            told.tell(ev.Frame, conn=conn, side=side, opcode=what, text=what, code=code if what == "close" else None)
        now = told.counters()
        assert all(now[name] >= count for name, count in before.items())
        assert sum(told.totals.open().values()) >= 0
        before = now
    told.tell(ev.Stop)
    ended, refused, volumes, lived = by_ledger(told.ledger)
    assert told.totals.ended == ended and told.totals.refused == refused and told.totals.volumes() == volumes
    assert sum(times.sum for times in told.totals.lifetimes.values()) == pytest.approx(lived)
    still = sum(c.opened is not None and c.ended is None for c in told.ledger.connections.values())
    assert sum(told.totals.open().values()) == still


def test_a_half_close_is_not_counted_before_the_other_side_has_ended() -> None:
    told = Told()
    told.opens(1)
    told.tell(ev.End, conn=1, side="client", how="fin")
    assert told.ledger.connections[1].ended is not None, "as it looks so far"
    assert told.totals.open() == {"/ws": 1} and not told.totals.ended, "what may be taken back is not said"
    for _ in range(4):
        told.tell(ev.Frame, conn=1, side="server", text="more")
    told.tell(ev.End, conn=1, side="server", how="fin")
    assert told.totals.ended == {Ended("/ws", "client", "fin", ""): 1} and told.totals.open() == {"/ws": 0}
    assert told.totals.lifetimes["/ws"].sum == pytest.approx(0.6), "up to the other side's end"


@pytest.mark.parametrize("how", ["rst", "timeout", "close"])
def test_what_cannot_be_taken_back_is_counted_at_once(how: str) -> None:
    told = Told()
    told.opens(1)
    if how == "close":
        told.tell(ev.Frame, conn=1, side="server", opcode="close", code=4001, reason="bye")
    else:
        told.tell(ev.End, conn=1, side="server", how=how)
    assert told.totals.ended == {Ended("/ws", "server", how, "4001" if how == "close" else ""): 1}
    assert told.totals.under_way(1), "frames may still come"
    told.tell(ev.Frame, conn=1, side="client", text="late")
    told.tell(ev.End, conn=1, side="client", how="fin")
    told.tell(ev.End, conn=1, side="server", how="fin")
    assert told.totals.ended.total() == 1 and not told.totals.under_way(1)
    assert told.totals.volumes()["/ws", "client"].frames == 1


def words(count: int) -> list[str]:
    letters = "abcdefghijklmnop"
    return ["".join(letters[int(digit)] for digit in f"{number:06}") for number in range(count)]


def test_whatever_clients_ask_for_there_are_only_so_many_sums() -> None:
    told = Told()
    for number, word in enumerate(words(2000), 1):
        told.opens(number, f"/open/{word}")
        code = 3000 + number % 500
        told.tell(ev.Frame, conn=number, side="server", opcode="close", code=code)
        told.tell(ev.End, conn=number, side="server", how="fin")
        told.tell(ev.End, conn=number, side="client", how="fin")
        told.opens(10_000 + number, f"/refused/{word}", 400 + number % 500)
    totals = told.totals
    assert len(totals.opened) == PATHS + 1 and totals.opened[REST] == 2000 - PATHS
    assert len({each.path for each in totals.ended}) == PATHS + 1
    assert len({each.code for each in totals.ended}) == VALUES + 1
    assert len({each.path for each in totals.refused}) == PATHS + 1, "which do not take the place of those that open"
    assert len({each.status for each in totals.refused}) == VALUES + 1
    assert totals.ended.total() == totals.refused.total() == totals.opened.total() == 2000
    assert len(totals.volumes()) == 2 * (PATHS + 1) and len(totals.lifetimes) == PATHS + 1


def test_who_asks_for_what_there_is_not_takes_no_place_of_those_that_are_there() -> None:
    told = Told()
    for number, word in enumerate(words(500), 1):
        told.opens(number, f"/{word}.php", 404)
    told.opens(1000, "/chat")
    assert told.totals.opened == {"/chat": 1}


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/ws/client-7", "/ws/{}"),
        ("/rooms/42/members", "/rooms/{}/members"),
        ("/v2/socket.io/", "/v2/socket.io/"),
        ("/ws/0af76519-16cd-43dd-8448-eb211c80319c", "/ws/{}"),
        ("/hooks/kJHgfdWqLmNbVcXzAsDf", "/hooks/{}"),
        ("/ws/eyJhbGciOiJIUzI.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9Pl", "/ws/{}"),
        ("/\udcff\x1b[m/x\u202e", "/\\udcff\\x1b[m/x\\u202e"),
        ("/rooms/7", "/rooms/{}"),
        ("/v1/rooms/7/x", "/v1/rooms/{}/x"),
        ("", ""),
    ],
)
def test_templates_have_neither_ids_nor_secrets(path: str, template: str) -> None:
    assert Totals(Ledger()).template(path) == template


def test_round_trips_are_of_a_ping_and_its_own_pong() -> None:
    told = Told()
    told.opens(1)
    told.tell(ev.Frame, conn=1, side="server", opcode="pong", text="unasked")
    told.tell(ev.Frame, conn=1, side="client", opcode="ping", text="a")
    told.tell(ev.Frame, conn=1, side="server", opcode="pong", text="another's")
    told.tell(ev.Frame, conn=1, side="server", opcode="pong", text="a")
    told.tell(ev.Frame, conn=1, side="server", opcode="ping", text="b")
    times = told.totals.round_trips
    assert times["client"].count == 1 and times["client"].sum == pytest.approx(0.2) and not times["server"].count
    assert told.totals.volumes()["/ws", "server"].pongs == 3


def test_times_are_counted_in_the_class_that_they_are_in() -> None:
    times = Distribution((1.0, 2.0))
    for value in (1.0, 1.5, 2.0, 7.0):
        times.add(value)
    assert times.counts == [1, 2, 1] and times.count == 4 and times.sum == 11.5
    assert (times.least, times.most) == (1.0, 7.0)


def test_a_recording_that_begins_in_the_middle_is_no_error() -> None:
    told = Told()
    told.tell(ev.Frame, conn=7, side="client", opcode="close", code=1000)
    told.tell(ev.End, conn=7, side="client", how="fin")
    told.tell(ev.Handshake, conn=0, request=ev.Request())
    assert not told.totals.opened and not told.totals.volumes()


def test_loops_are_summed_by_path_and_by_whether_they_go_on() -> None:
    told = Told()
    for number in range(1, 7):
        told.opens(number, f"/ws/client-{number}")
        told.tell(ev.End, conn=number, side="server", how="fin")
        told.tell(ev.End, conn=number, side="client", how="fin")
    found = loops.find(told.ledger.connections.values(), now=told.at)
    assert [loop.count for loop in found] == [6]
    assert told.totals.looping(found) == {("/ws/{}", True): (1, 6)}
    late = loops.find(told.ledger.connections.values(), now=told.at + 60)
    assert told.totals.looping([*late, *late]) == {("/ws/{}", False): (2, 12)}
    assert Totals(Ledger()).looping(late) == {(REST, False): (1, 6)}, "of a path without sums of its own"


def test_templates_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "ROUTES", 10)
    made = Totals(Ledger())
    for word in words(25):
        assert made.template(f"/{word}/7") == f"/{word}/{{}}"
        assert len(made._templates) <= 10


def test_what_comes_after_all_is_over_changes_nothing() -> None:
    told = Told()
    told.opens(1)
    told.tell(ev.Frame, conn=1, side="client", opcode="ping", text="a")
    for side in SIDES:
        told.tell(ev.End, conn=1, side=side, how="rst")
    before = told.counters()
    told.tell(ev.Frame, conn=1, side="server", opcode="pong", text="a")
    told.tell(ev.End, conn=1, side="client", how="fin")
    told.tell(ev.Stop)
    assert told.counters() == before
