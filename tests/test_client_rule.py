"""A client that hangs up for something that the server did, or left undone: the rule that its recording tells, and what
a replay by that rule finds out about the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bisecting import bisected
from conversing import Talk
from hangup.experiment.reading import read_case
from hangup.experiment.search import Verdict
from hangup.recording.events import FilterEvent, Handshake
from hangup.replayable.client_rule import ClientRule, RuleWatch
from harness import unhurried
from test_sequences import say
from test_transcript import InMemory
from test_varying import UPGRADED

WAIT = 0.5
"""Seconds that the client waits for an answer."""
PING, PONG = say("ping", n=1), say("pong", n=1)
LARGE = say("listed", rows="x" * 6000)


def rule_of(talk: Talk) -> ClientRule | None:
    return read_case(InMemory(talk.stop())).case.client_rule


def spoken(*script: tuple[int, str, str], code: int | None = 4000, many: int = 3) -> Talk:
    """Connections on which this was said (milliseconds before it, side, text), each a little later than the one before
    it, until the client closed; the last step is how long it waited for that."""
    talk = Talk()
    for conn in range(1, many + 1):
        talk.open(conn, headers=UPGRADED)
        for wait, side, text in script:
            # What follows the other side's word follows it promptly; what is of its own time is of its own.
            talk.wait((wait + (conn * 7 if side == "client" else 0)) * 1000)
            if text:
                talk.say(conn, side, "text", text.encode())  # type: ignore[arg-type]
        if code is None:
            talk.end(conn, "client", "rst")
        else:
            talk.close(conn, "client", code)
        talk.wait(200_000)
    return talk


HELLO, BEGIN, TICK = say("hello", name="ann"), say("begin", task="t1"), say("tick", at=1)


def test_an_answer_that_did_not_come() -> None:
    talk = spoken(
        (10, "client", HELLO), (20, "client", PING), (1, "server", PONG), (100, "client", BEGIN),
        (150, "client", PING), (60, "server", TICK), (440, "server", ""),
    )  # fmt: skip
    rule = rule_of(talk)
    assert rule is not None and (rule.on, rule.kind, rule.answers) == ("unanswered", "ping", ("pong",))
    assert "`ping` is not answered within" in rule.sentence and "500 ms" in rule.sentence
    assert abs(rule.after - WAIT) < 0.05 and not rule.since_answer


def test_a_message_that_is_too_large_and_one_that_is_not_to_its_liking() -> None:
    talk = spoken((10, "client", HELLO), (20, "server", TICK), (90, "server", LARGE), (3, "server", ""), code=1009)
    rule = rule_of(talk)
    assert rule is not None and (rule.on, rule.size) == ("size", len(LARGE))
    other = rule_of(spoken((10, "client", HELLO), (20, "server", TICK), (90, "server", LARGE), (3, "server", "")))
    assert other is not None and (other.on, other.kind) == ("kind", "listed")


@pytest.mark.parametrize("rsv", [0, 4])
def test_who_minds_the_size_goes_by_the_header(rsv: int) -> None:
    """It closes while the rest of the message is still on its way. Of a compressed one the header says nothing."""
    talk, head = Talk(), bytes((0x81 | rsv << 4, 127)) + (3_000_000).to_bytes(8, "big")
    for conn in range(1, 4):
        talk.open(conn, headers=UPGRADED)
        talk.wait(20_000)
        talk.say(conn, "client", "text", HELLO.encode())
        talk.wait(40_000 + 7_000 * conn)
        talk.say(conn, "client", "text", BEGIN.encode())
        talk.wait(5_000)
        talk.raw(conn, "server", head + b"x" * 2_000_000)
        talk.wait(1_000)
        talk.close(conn, "client", 1009)
        talk.wait(200_000)
    rule = rule_of(talk)
    told = rule is not None and (rule.on, rule.size) == ("size", 3_000_000)
    assert told is (rsv == 0), rule


def test_what_breaks_the_protocol() -> None:
    talk = Talk()
    for conn in (1, 2):
        talk.open(conn, headers=UPGRADED)
        talk.wait(20_000)
        talk.frame(conn, "client", 9, b"abc")
        talk.wait(1_000)
        talk.frame(conn, "server", 10, b"another")
        talk.wait(2_000)
        talk.close(conn, "client", 1002)
        talk.wait(100_000)
    rule = rule_of(talk)
    assert rule is not None and (rule.on, rule.problem) == ("problem", "pong-mismatch")


def test_bytes_that_are_no_frame() -> None:
    """Somebody on the way makes a message longer, and leaves its length as it was."""
    talk = Talk()
    for conn in (1, 2):
        talk.open(conn, headers=UPGRADED)
        talk.wait(20_000)
        talk.say(conn, "client", "text", b'{"op":"share"}')
        talk.wait(1_000)
        talk.say(conn, "server", "text", b'{"link":"https://assets.exa')
        talk.raw(conn, "server", b'mple/f1"}')
        talk.wait(2_000)
        talk.close(conn, "client", 1002)
        talk.wait(100_000)
    rule = rule_of(talk)
    assert rule is not None and (rule.on, rule.problem) == ("problem", "not-a-frame")
    assert rule.sentence == "the client hangs up on bytes from the server that are not a frame"


def asked(wrong: tuple[int, ...] = (5,), place: int | None = None, again: bool = False) -> Talk:
    """Six questions, each with an id that its answer repeats; of those that are ``wrong`` it is another's."""
    talk = Talk()
    for conn in (1, 2, 3):
        talk.open(conn, headers=UPGRADED)
        for n in range(6):
            id_ = 10**16 + 8 * n + conn if not again else 1
            said = id_ - 1 if n in wrong else id_
            talk.wait(80_000 + 9_000 * conn)
            question, answer = ({"id": id_, "method": "quote"}, {"id": said, "result": n})
            if place is not None:
                question, answer = (["7", id_, "quote"], ["7", said, "reply"])  # type: ignore[assignment]
            talk.say(conn, "client", "text", json.dumps(question).encode())
            talk.wait(1_000)
            talk.say(conn, "server", "text", json.dumps(answer).encode())
        talk.wait(int(1e6 * WAIT) - 1_000)
        talk.close(conn, "client", 4000)
        talk.wait(200_000)
    return talk


@pytest.mark.parametrize("place", [None, 1])
def test_an_answer_under_another_id_answers_nothing(place: int | None) -> None:
    rule = rule_of(asked(place=place))
    assert rule is not None and (rule.on, rule.id) == ("unanswered", "id" if place is None else 1)
    assert rule.sentence.endswith("within 500 ms, by its `id`" if place is None else "within 500 ms, by its value 2")
    assert abs(rule.after - WAIT) < 0.01


def test_where_all_are_answered_it_is_the_silence() -> None:
    for talk in (asked(()), asked(again=True)):
        rule = rule_of(talk)
        assert rule is not None and (rule.on, rule.id) == ("silence", None)


def test_no_rule_where_the_ends_have_nothing_before_them_alone() -> None:
    """It closes on a message that did no harm before, and after nothing that was long in coming."""
    ticks = (50, "server", TICK), (100, "server", TICK), (70, "server", TICK)
    talk = spoken((10, "client", HELLO), *ticks, (1, "server", ""))
    case = read_case(InMemory(talk.stop())).case
    assert case.client_rule is None and case.asks_client, "then only the page itself can tell"
    once = spoken((10, "client", HELLO), (20, "server", LARGE), (3, "server", ""), many=1)
    assert rule_of(once) is None, "one end tells no rule"


def test_a_client_that_waited_longer_elsewhere_has_no_such_rule() -> None:
    talk = spoken((10, "client", PING), (int(1000 * WAIT), "server", ""))
    assert rule_of(talk) is not None
    talk = spoken((10, "client", PING), (int(1000 * WAIT), "server", ""))
    talk.open(9, headers=UPGRADED)
    talk.say(9, "client", "text", PING.encode())
    talk.wait(3_000_000)
    talk.say(9, "server", "text", PONG.encode())
    talk.wait(100_000)
    assert rule_of(talk) is None


QUESTION = ClientRule("unanswered", 1.0, kind="ping", answers=("pong",))


def watched(rule: ClientRule, talk: Talk) -> float:
    watch = RuleWatch(rule, 0.0)
    for event in talk.events:
        watch.feed(event)
    watch.settle()
    return watch.due


def test_the_watch_hears_what_passed() -> None:
    talk = Talk()
    talk.open(1, headers=UPGRADED)
    talk.wait(100_000)
    talk.say(1, "client", "text", PING.encode())
    assert watched(QUESTION, talk) == 1.1
    number = talk.events[-1].n  # type: ignore[union-attr]
    asked = list(talk.events)
    talk.events.append(FilterEvent(at=0.1, conn=1, filter="drop", action="drop", side="client", n=number))
    assert watched(QUESTION, talk) == inf, "what was not asked is not waited for"
    talk.events[:] = asked
    answer = bytes([0x81, len(PONG)]) + PONG.encode()
    talk.events.append(FilterEvent(at=0.2, conn=1, filter="answer", action="inject", side="server", wire=answer))
    assert watched(QUESTION, talk) == inf, "a filter's answer is one"


WORDS = ("client", PING), ("server", PONG), ("server", TICK)


@given(st.lists(st.tuples(st.integers(0, 900), st.sampled_from(WORDS))))
def test_the_watch_goes_by_the_first_question_that_is_open(script: list[tuple[int, tuple[str, str]]]) -> None:
    talk = Talk()
    talk.open(1, headers=UPGRADED)
    open_since, due = None, inf
    for wait, (side, text) in script:
        talk.wait(wait * 1000)
        if talk.at >= due:
            break
        talk.say(1, side, "text", text.encode())  # type: ignore[arg-type]
        if text == PING and open_since is None:
            open_since, due = talk.at, talk.at + 1.0
        elif text == PONG:
            open_since, due = None, inf
    assert watched(QUESTION, talk) == due


async def forgets(connection: ServerConnection) -> None:
    """Answers pings, until it has something to do."""
    busy = False
    async for message in connection:
        kind = json.loads(message)["type"]
        busy = busy or kind == "begin"
        if kind == "ping" and not busy:
            await connection.send(PONG)


async def lists(connection: ServerConnection) -> None:
    """Answers with what may be too much."""
    async for message in connection:
        kind = json.loads(message)["type"]
        await connection.send(LARGE if kind == "list" else TICK)


async def answers(connection: ServerConnection) -> None:
    """Nothing is wrong with it."""
    async for message in connection:
        if json.loads(message)["type"] == "ping":
            await connection.send(PONG)


HANDLERS = {"forgets": forgets, "lists": lists, "answers": answers}


@asynccontextmanager
async def backends() -> AsyncIterator[int]:
    async def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        with suppress(ConnectionClosed):
            await HANDLERS[connection.request.path.strip("/")](connection)

    async with serve(handle, "127.0.0.1", 0) as server:
        yield next(iter(server.sockets)).getsockname()[1]


def recorded(name: str, talk: Talk) -> Talk:
    for event in talk.events:
        if isinstance(event, Handshake):
            event.request.target = f"/{name}"
    return talk


UNANSWERED = (
    (10, "client", HELLO), (20, "client", PING), (1, "server", PONG), (100, "client", BEGIN), (50, "client", PING),
    (int(1000 * WAIT), "server", ""),
)  # fmt: skip
OVERSIZE = (
    (10, "client", HELLO), (1, "server", TICK), (30, "client", say("list", of="rows")), (1, "server", LARGE),
    (2, "server", ""),
)  # fmt: skip


@pytest.fixture(scope="module")
def verdicts() -> dict[str, Verdict]:
    async def main() -> dict[str, Verdict]:
        async with backends() as port:
            talks = {
                "forgets": spoken(*UNANSWERED),
                "lists": spoken(*OVERSIZE, code=1009),
                "answers": spoken(*UNANSWERED),
            }
            found = await asyncio.gather(
                *(bisected(recorded(name, talk), port) for name, talk in talks.items())
            )
        return dict(zip(talks, found, strict=True))

    return unhurried.run(main())


@pytest.mark.experiment
@pytest.mark.slow
def test_what_makes_the_server_leave_it_unanswered(verdicts: dict[str, Verdict]) -> None:
    verdict = verdicts["forgets"]
    assert verdict.proved and verdict.closer == "client" and verdict.law is not None, verdict.standing
    assert "`begin` comes before `ping`" in verdict.law.sentence and verdict.law.right == verdict.law.predicted == 8
    assert verdict.client_rule is not None and verdict.client_rule.kind == "ping"


@pytest.mark.experiment
@pytest.mark.slow
def test_what_makes_the_server_say_too_much(verdicts: dict[str, Verdict]) -> None:
    verdict = verdicts["lists"]
    assert verdict.proved and verdict.law is not None and "`list` message" in verdict.law.sentence, verdict.law
    assert verdict.verdict == "message/oversize"


@pytest.mark.experiment
@pytest.mark.slow
def test_a_server_that_does_nothing_of_the_kind_is_not_blamed(verdicts: dict[str, Verdict]) -> None:
    verdict = verdicts["answers"]
    assert not verdict.reproduced and not verdict.proved and verdict.law is None


async def deaf(connection: ServerConnection) -> None:
    """Never answers a ping, whatever else it is told."""
    async for _ in connection:
        pass


HANDLERS["deaf"] = deaf


@pytest.mark.experiment
@pytest.mark.slow
def test_that_the_client_asks_is_no_law_of_the_server() -> None:
    """It waits for an answer whenever it asks: that is the client's own rule, and nothing is found out by it."""

    async def main() -> Verdict:
        async with backends() as port:
            talk = spoken((10, "client", HELLO), (60, "client", PING), (int(1000 * WAIT), "server", ""))
            return await bisected(recorded("deaf", talk), port, seconds=60)

    verdict = unhurried.run(main())
    assert verdict.client_rule is not None and verdict.reproduced and not verdict.proved, verdict.law
