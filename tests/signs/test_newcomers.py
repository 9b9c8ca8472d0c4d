"""Connections that end as another opens: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from typing import Any

import pytest

from hangup.diagnosis.signs import newcomers
from hangup.recording.events import Frame, Handshake, Side
from layouts import Line, Tape, greet
from signs_seen import Lay, said_and_silent, says


def end(line: Line, side: Side, code: int | None) -> Line:
    return line.end(side) if code is None else line.close(side, code)


def kicks(
    count: int = 4, late: float = 0.005, side: Side = "server", code: int | None = 4000, path: str = "/ws/1?id=7",
    other: str = "", alone: int = 0, stays: bool = False,
) -> Lay:  # fmt: skip
    """So many times another opens, and the older one ends so much later; then some end without that."""

    def lay(tape: Tape) -> None:
        at, older = 0.5, greet(tape.open(0.2, path))
        for n in range(count):
            at += 3.0 + 0.8 * n
            newer = tape.open(at, (other if n % 2 == 0 else "") or path)
            older.at = newer.at + late
            end(older, side, code)
            older = greet(newer)
        for n in range(alone):
            older.at += 2.0 + n
            end(older, side, code)
            older = greet(tape.open(older.at + 1.0, path))
        if stays:
            greet(tape.open(at + 4.0, path)).wait(9.0).client("still here")
        older.wait(6.0).client("bye")

    return lay


def comes_back(side: Side = "server", code: int = 4000) -> Lay:
    """A client that opens the next one as soon as the last one ended."""

    def lay(tape: Tape) -> None:
        tape.delay = 0.002
        tape.loop(lambda line, n: tape.talk(greet(line), 1.0 + n).close(side, code), "/ws/1?id=7")

    return lay


def of_another_client(lay: Lay) -> Lay:
    """The newcomers come from elsewhere, so that none is the client's next."""

    def elsewhere(tape: Tape) -> None:
        lay(tape)
        for event in tape.events:
            if isinstance(event, Handshake):
                event.client = f"10.0.0.{event.conn}:5000"

    return elsewhere


def own_next_beside_a_newcomer(tape: Tape) -> None:
    """The client comes back by itself; the newcomer that opened before the end is from elsewhere."""
    for n in range(4):
        line = greet(tape.open(0.5 + 5.0 * n, "/ws/1?id=7")).wait(2.0)
        tape.open(line.at - 0.01, "/ws/1?id=7").end("server", by="proxy", after=0.2)
        tape.events[-3].client = "10.0.0.9:4000"  # type: ignore[attr-defined]
        line.close("client", 4000)
        greet(tape.open(line.at + 0.03, "/ws/1?id=7")).end("server", by="proxy", after=0.2)


def code_not_kept(tape: Tape) -> None:
    kicks(code=4000)(tape)
    for event in tape.events:
        if isinstance(event, Frame) and event.opcode == "close":
            event.length, event.text, event.base64, event.code, event.reason = 9, None, None, None, None


def moves(
    after: float = 0.005, code: int | None = 1000, *, side: Side = "client", keeps: float = 4.0, count: int = 4
) -> Lay:
    """A client that opens its next connection, and closes the older one so much later."""

    def lay(tape: Tape) -> None:
        at, older = 0.5, greet(tape.open(0.5, "/ws/1?id=7"))
        for _ in range(count):
            at += keeps
            newer = tape.open(at, "/ws/1?id=7")
            older.at = newer.at + after
            end(older, side, code)
            older = greet(newer)
        older.wait(6.0).client("still here")

    return lay


def ghosts(
    status: int = 409,
    how: Any = "rst",
    waits: float = 4.0,
    elsewhere: bool = False,
    path: str = "/ws/1",
    stays: float = 9.0,
) -> Lay:
    """After a loss the client is refused twice and let in later."""

    def lay(tape: Tape) -> None:
        line = greet(tape.open(0.5, "/ws/1")).wait(3.0)
        line = line.close("client", 4000) if how == "close" else line.end("client", how)
        for n in range(2):
            tape.open(line.at + 1.0 + n, "/ws/1", status=status)
        greet(tape.open(line.at + waits, path)).wait(stays).client("bye")
        if elsewhere:
            last = [event for event in tape.events if isinstance(event, Handshake)][-1]
            last.client = "10.0.0.9:4000"

    return lay


def again_and_again(tape: Tape) -> None:
    """Three times lost, each time refused thrice, and let in 3.7 s after the loss; longer open each time."""
    at = 0.5
    for n in range(4):
        line = greet(tape.open(at, "/ws/1")).wait(4.0 + 3 * n)
        line.end("client", "rst")
        for tried in range(3):
            tape.open(line.at + 1.0 + 0.9 * tried, "/ws/1", status=409)
        at = line.at + 3.7


def closed_at_once(code: int, age: float = 0.02, count: int = 3) -> Lay:
    """The server accepts and closes soon."""

    def lay(tape: Tape) -> None:
        for n in range(count):
            tape.open(0.5 + n, "/ws/1").wait(age).close("server", code)

    return lay


SPEAKS: dict[str, Lay] = {
    "closed-as-a-newcomer-opened": kicks(),
    "newcomer-client-s-own-next": kicks(side="client"),
    "client-moved-to-its-next": moves(),
    "both-asked": kicks(),
    "server-closed-close-frame-purpose": kicks(),
    "ended-within-moments-of-the-newcomer": kicks(),
    "ended-without-newcomer": kicks(2, alone=4),
    "older-connection-same-identity-stayed": kicks(stays=True),
    "turned-away-then-let-in": ghosts(),
    "refused-conflict": ghosts(),
}
SILENT: dict[str, list[Lay]] = {
    "closed-as-a-newcomer-opened": [
        comes_back(), kicks(late=1.0), kicks(path="/ws/1?id=7", other="/ws/1?id=8"), kicks(path="/a", other="/b"),
        kicks(late=-0.2),
    ],
    "newcomer-client-s-own-next": [
        kicks(), of_another_client(kicks(side="client")), comes_back("client"), own_next_beside_a_newcomer,
    ],
    "client-moved-to-its-next": [
        kicks(), moves(code=4000), moves(code=None), moves(side="server"), moves(keeps=0.5), moves(after=2.5),
        comes_back("client", 1000),
    ],
    "both-asked": [kicks(path="/ws?id=7&token=a", other="/ws?id=7&token=b"), comes_back(), kicks(side="client")],
    "server-closed-close-frame-purpose": [
        kicks(code=None), kicks(code=1001), kicks(code=1012), kicks(side="client"), comes_back(), code_not_kept,
    ],
    "ended-within-moments-of-the-newcomer": [kicks(late=0.1), kicks(2), kicks(side="client"), comes_back()],
    "ended-without-newcomer": [kicks(), kicks(4, alone=1), comes_back(), kicks(2, alone=4, side="client")],
    "older-connection-same-identity-stayed": [kicks(), kicks(side="client", stays=True), comes_back()],
    "turned-away-then-let-in": [
        ghosts(401), ghosts(404), ghosts(how="close"), ghosts(waits=30.0), ghosts(elsewhere=True),
        ghosts(path="/other"),
        ghosts(stays=0.2), closed_at_once(4409, count=1),
    ],
    "refused-conflict": [
        ghosts(503), ghosts(401), closed_at_once(4000), closed_at_once(4409, 2.0), closed_at_once(4409, count=1),
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(newcomers, SPEAKS, SILENT)


def test_tokens_do_not_tell_clients_apart() -> None:
    assert says("closed-as-a-newcomer-opened", kicks(path="/ws?id=7&token=a", other="/ws?id=7&token=b"))


def test_the_newcomer_is_what_it_comes_from() -> None:
    (sign,) = says("closed-as-a-newcomer-opened", kicks(1))
    assert sign.trigger is not None
    assert (sign.trigger.kind, sign.trigger.conn) == ("peer", 2)


def test_who_is_closed_at_once_is_turned_away() -> None:
    assert "4409" in says("refused-conflict", closed_at_once(4409))[0].text


def test_each_wait_is_from_the_loss_before_it() -> None:
    (sign,) = says("turned-away-then-let-in", again_and_again)
    assert sign.text == (
        "after an abrupt end the client was turned away, and accepted again 3.70 s after that end (median)"
    )
    assert sign.strength > 5  # it is as long each time


@pytest.mark.parametrize("key", ["who", "playerId", "nick"])
def test_who_says_another_name_is_another_client(key: str) -> None:
    """All ask for the same path, and say who they are in their first message."""

    def entering(names: list[str]) -> Lay:
        def lay(tape: Tape) -> None:
            older = greet(tape.open(0.2, "/board").client({"ev": "enter", key: names[0]}, 0.01))
            for n, name in enumerate(names[1:], 1):
                newer = tape.open(0.5 + 3.0 * n + 0.7 * n * n, "/board")
                older.at = newer.at + 0.005
                end(older, "server", 4000)
                older = greet(newer.client({"ev": "enter", key: name}, 0.01))
            older.wait(6.0).client("bye")

        return lay

    assert says("closed-as-a-newcomer-opened", entering(["ann"] * 5))
    assert not says("closed-as-a-newcomer-opened", entering(["ann", "bob", "cy", "dee", "eve"]))


@pytest.mark.parametrize(
    ("roles", "silent"), [((("deviceId", "kds-7"),), False), ((("deviceId", "kds-7"), ("client", "web")), False),
                          ((("client", "web"),), True)],
)  # fmt: skip
def test_one_id_is_enough(roles: tuple[tuple[str, str], ...], silent: bool) -> None:
    """Two tabs of one device at two stations: they are one device; that both are on the web says nothing."""

    def lay(tape: Tape) -> None:
        older = greet(tape.open(0.2, "/kitchen").client({"ev": "enter", **dict(roles), "station": "s0"}, 0.01))
        for n in range(1, 6):
            newer = tape.open(0.5 + 3.0 * n + 0.7 * n * n, "/kitchen")
            older.at = newer.at + 0.005
            end(older, "server", 1000)
            older = greet(newer.client({"ev": "enter", **dict(roles), "station": f"s{n % 2}"}, 0.01))
        older.wait(6.0).client("bye")

    found = says("closed-as-a-newcomer-opened", lay)
    assert not found if silent else "deviceId" in found[0].text.partition("with the same")[2]


def test_a_topic_is_no_token() -> None:
    assert not says("closed-as-a-newcomer-opened", kicks(path="/ws?topic=a", other="/ws?topic=b"))


def test_a_client_may_wait_until_its_next_connection_delivers() -> None:
    assert says("client-moved-to-its-next", moves(after=0.4))


def test_an_end_that_is_soon_after_any_opening_tells_of_no_move() -> None:
    """Four others come and go every second, so that each end is soon after some opening."""

    def lay(tape: Tape) -> None:
        moves(after=1.2)(tape)
        for n in range(160):
            greet(tape.open(0.3 + 0.2 * n, "/ws/1")).wait(3.0).client("bye")

    assert not says("client-moved-to-its-next", lay)
