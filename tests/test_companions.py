"""Laws of what other connections do to one: the same id twice, too many at once, too many within some time."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request

from bisecting import bisected, side_by_side
from conversing import Talk
from hangup.experiment.companions import seems_crowded
from hangup.experiment.evidence import Outcome
from hangup.experiment.reading import read_case
from hangup.experiment.same_id import identities
from hangup.experiment.search import Verdict
from harness import unhurried
from test_sequences import say
from test_sequences_real import ended
from test_transcript import InMemory
from test_varying import UPGRADED

pytestmark = [pytest.mark.experiment, pytest.mark.timeout(400)]  # the first of them waits for all bisects

WINDOW = 0.8
"""Seconds."""


class OfIds:
    """One connection for each id: a newer one takes the older one's place, or is turned away."""

    def __init__(self, *, turns_away: bool) -> None:
        self.turns_away = turns_away
        self.open: dict[str, ServerConnection] = {}

    async def __call__(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        url = urlsplit(connection.request.path)
        name = parse_qs(url.query).get("client_id", [url.path.rpartition("/")[2]])[0]
        older = self.open.get(name)
        if older is not None and self.turns_away:
            await connection.close(4000)
            return
        self.open[name] = connection
        if older is not None:
            await older.close(4000)
        try:
            await connection.wait_closed()
        finally:
            if self.open.get(name) is connection:
                del self.open[name]


class Window:
    """So many connections within a time, whether they are open still or not."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.seen: deque[float] = deque()

    async def __call__(self, connection: ServerConnection) -> None:
        now = asyncio.get_running_loop().time()
        while self.seen and now - self.seen[0] > WINDOW:
            self.seen.popleft()
        if len(self.seen) >= self.most:
            await connection.close(4000)
            return
        self.seen.append(now)
        await connection.wait_closed()


class AtOnce:
    """So many connections at once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.open = 0

    async def __call__(self, connection: ServerConnection) -> None:
        if self.open >= self.most:
            await connection.close(4000)
            return
        self.open += 1
        try:
            await connection.wait_closed()
        finally:
            self.open -= 1


class OfUsers:
    """So many connections for each user, whom ``who`` finds in the handshake or in the first message."""

    def __init__(self, who: Callable[[Request, dict[str, Any]], str], most: int = 1, *, waits: bool = False) -> None:
        self.who, self.most, self.waits = who, most, waits
        self.open: Counter[str] = Counter()

    async def __call__(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        said = json.loads(await connection.recv()) if self.waits else {}
        name = self.who(connection.request, said)
        if self.open[name] >= self.most:
            await connection.close(4000)
            return
        self.open[name] += 1
        try:
            await connection.wait_closed()
        finally:
            self.open[name] -= 1


def by_message(request: Request, said: dict[str, Any]) -> str:
    return str(said["auth"]["user"])


def by_cookie(request: Request, said: dict[str, Any]) -> str:
    pairs = request.headers.get("Cookie", "").split("; ")
    return dict(pair.split("=", 1) for pair in pairs if pair).get("sid", "nobody")


def by_path(request: Request, said: dict[str, Any]) -> str:
    return (urlsplit(request.path).path.split("/") + ["", ""])[2]


def by_query(request: Request, said: dict[str, Any]) -> str:
    return parse_qs(urlsplit(request.path).query).get("user", ["nobody"])[0]


def of_two(target: str, *, older: bool) -> Talk:
    """A client that connects again while it is connected, and one of the two is ended, again and again."""
    talk = Talk()
    for conn in (1, 2, 3):
        talk.open(conn, target=target, headers=UPGRADED)
        talk.say(conn, "client", "text", say("hello", name="ann").encode())
        talk.wait(3_000)
        if conn > 1:
            ended(talk, conn - 1 if older else conn, "server", 4000)
        talk.wait(200_000)
    return talk


def of_many(count: int) -> Talk:
    """Some that stay open, and two that do not."""
    talk = Talk()
    for conn in range(1, count + 2):
        talk.open(conn, headers=UPGRADED)
        talk.wait(4_000)
        if conn >= count:
            ended(talk, conn, "server", 4000)
        talk.wait(150_000)
    return talk


def of_users(target: str = "/ws", first: str = "", cookie: str = "", count: int = 2) -> Talk:
    """A client of which so many are connected at once, and each that comes after is turned away."""
    talk = Talk()
    for conn in range(1, count + 2):
        talk.open(conn, target=target, headers=[*UPGRADED, *([("Cookie", cookie)] if cookie else [])])
        talk.wait(1_000)
        if first:
            talk.say(conn, "client", "text", first.encode())
        talk.wait(3_000)
        if conn >= count:
            ended(talk, conn, "server", 4000)
        talk.wait(150_000)
    return talk


async def against(handler: Any, talk: Talk) -> Verdict:
    async def safely(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            await handler(connection)

    async with serve(safely, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        return await bisected(talk, port, failure="by=server code=4000 within=1s")


IDS = "with different ones, both stay open"
OF_A_USER = ("/ws?v=2&user=ann-7", say("hello", name="ann"))
OF_ANYBODY = {"third-within", "at-once", "two-of-anybody", "one-of-anybody"}
PLANTED = {
    "query": (OfIds(turns_away=False), of_two("/ws?v=2&client_id=ann", older=True), "same `client_id`", "older"),
    "path": (OfIds(turns_away=False), of_two("/ws/ann-17", older=True), "same `ann-17` in the path", "older"),
    "turned-away": (OfIds(turns_away=True), of_two("/ws?client_id=ann", older=False), "same `client_id`", "newer"),
    "third-within": (Window(2), of_many(3), "it is the 3rd connection within ", "survives 2, fails 3"),
    "at-once": (AtOnce(2), of_many(3), "3 connections are open at once", "survives 2, fails 3"),
    "said": (
        OfUsers(by_message, waits=True),
        of_users("/ws?v=2", say("login", auth={"user": "ann-7", "app": "web"})),
        "same `auth.user`",
        "newer",
    ),
    "cookie": (OfUsers(by_cookie), of_users(cookie="theme=dark; sid=k7f3a2c9"), "same cookie `sid`", "newer"),
    "segment": (OfUsers(by_path), of_users("/ws/ann-7/feed"), "same `ann-7` in the path", "newer"),
    "two-of-a-user": (
        OfUsers(by_query, 2), of_users(*OF_A_USER, count=3), "3 connections with the same `user` are open", "fails 3"
    ),
    "two-of-anybody": (AtOnce(2), of_users(*OF_A_USER, count=3), "when 3 connections are open", "survives 2, fails 3"),
    "one-of-anybody": (AtOnce(1), of_users(*OF_A_USER), "when 2 connections are open at once", "survives 1, fails 2"),
}


@pytest.fixture(scope="module")
def verdicts() -> dict[str, Verdict]:
    """Side by side: they mostly wait."""

    async def main() -> list[Verdict]:
        return await side_by_side(*(against(handler, talk) for handler, talk, _, _ in PLANTED.values()))

    return dict(zip(PLANTED, unhurried.run(main()), strict=True))


@pytest.mark.parametrize("name", PLANTED)
def test_the_planted_rule_is_the_law(verdicts: dict[str, Verdict], name: str) -> None:
    _, _, words, more = PLANTED[name]
    verdict = verdicts[name]
    law = verdict.law
    assert law is not None and words in law.sentence, (law, verdict.ladder, verdict.instead, verdict.untried)
    assert law.predicted == 8 and law.holds, law.missed
    assert more in law.sentence + law.boundary
    if name == "third-within":
        fails, stays = map(float, re.findall(r"within ([\d.]+) s (?:fail|survive)", law.boundary))
        assert fails <= WINDOW <= stays and stays - fails <= 0.15 * WINDOW
        assert float(law.sentence.partition("within ")[2].split()[0]) == pytest.approx(WINDOW, abs=0.04)
    assert verdict.proved and verdict.cure.startswith("unique-id") == ("same" in words)
    if name in OF_ANYBODY:
        assert verdict.verdict == "handshake/limit" and "same" not in law.sentence and not verdict.cure
        number = 2 if name == "one-of-anybody" else 3
        said = f"failed 6 of 6 trials with {number} connections, 0 of 6 with {number - 1}"
        assert verdict.claim.startswith(said)
    elif " connections with the same" in law.sentence and "two connections" not in law.sentence:
        assert verdict.verdict == "handshake/limit", "more than two of a user are too many"
    if "two connections" in law.sentence:
        assert IDS in law.sentence and verdict.verdict == "identity/id-collision", verdict.standing


def test_a_flicker_does_not_look_like_a_crowd() -> None:
    failed, survived = Outcome.FAILED, Outcome.SURVIVED
    assert seems_crowded([survived, survived, failed, failed, failed])
    assert not seems_crowded([failed, failed])
    assert not seems_crowded([survived, failed, survived, failed, failed, failed])
    assert not seems_crowded([survived] * 5)


def test_what_a_client_may_be_known_by() -> None:
    """The likeliest first; a value that is said in several places is one; what is short is only what stands at its
    place."""
    talk = Talk()
    talk.open(1, target="/ws/room-1?v=2&user=ann-7", headers=[*UPGRADED, ("Cookie", "sid=k7f3a2c9")])
    for message in (say("hello", user="ann-7", text="two words"), say("join", device="d-19", n=5)):
        talk.wait(5_000)
        talk.say(1, "client", "text", message.encode())
    ended(talk, 1, "server", 4000)
    found = {each.words: each for each in identities(read_case(InMemory(talk.stop())).case)}
    assert {words: each.filter for words, each in found.items()} == {
        "`user`": "unique-id value=ann-7",
        "`room-1` in the path": "unique-id value=room-1",
        "cookie `sid`": "unique-id value=k7f3a2c9",
        "`device`": "unique-id value=d-19",
        "`v`": "unique-id query=v",
        "`ws` in the path": "unique-id segment=1",
    }
    assert next(iter(found)) == "`user`" and "two words" not in str(found)
    assert [each.frames for each in found.values() if each.frames] == [(2,)], "a message of its own must be said"
