"""Each part of a handshake by itself, against real servers: what lets the connection open, and how long a header may
be. And what a failure is, and what is another end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request as Asked
from websockets.http11 import Response

from bisecting import bisected as bisected_at
from conversing import Talk
from hangup.errors import UsageError
from hangup.experiment.answers import Answers
from hangup.experiment.client_side import CLIENT_RUNGS
from hangup.experiment.evidence import Outcome
from hangup.experiment.factors import LARGE, factors, is_credential
from hangup.experiment.failure import Failure, another, derive, judge, parse
from hangup.experiment.reading import read_case
from hangup.experiment.search import Verdict
from hangup.experiment.trial import Trial
from hangup.filters.text import parse as parse_filter
from hangup.messages.answers import fill, template
from hangup.recording.connections import Connection
from hangup.recording.events import FilterEvent, Request
from hangup.recording.ledger import Ledger
from hangup.replay.event_sink import MemorySink
from hangup.trials.replay_runner import ReplayRunner
from hangup.wire.url import parse_target
from harness import unhurried
from test_transcript import InMemory

Check = Callable[[Asked], bool]
"""Whether a server lets this request in."""

Header = tuple[str, str]


def recorded(target: str, headers: list[Header], served: tuple[str, list[Header]] | None, status: int) -> Talk:
    """Two connections that were refused, and one before them that lived, if there is one."""
    talk = Talk()
    if served is not None:
        talk.open(1, target=served[0], headers=served[1])
        talk.wait(2_000_000)
        talk.close(1, "client", 1000)
        talk.end(1, "server", "fin")
    for conn in (2, 3):
        talk.open(conn, target=target, headers=headers, status=status)
        talk.wait(500_000)
    return talk


async def bisected(talk: Talk, check: Check, status: int) -> Verdict:
    """The verdict of a bisect against a server that refuses with a status whom ``check`` does not let in."""

    def asked(connection: ServerConnection, request: Asked) -> Response | None:
        return None if check(request) else connection.respond(HTTPStatus(status), "no\n")

    async def handler(connection: ServerConnection) -> None:
        async for _ in connection:
            pass

    async with serve(handler, "127.0.0.1", 0, process_request=asked) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        return await bisected_at(talk, port)


def time_is_read(request: Asked) -> bool:
    since = parse_qs(urlsplit(request.path).query).get("since")
    try:
        return since is None or bool(datetime.fromisoformat(since[0]))
    except ValueError:
        return False


AT = "2026-11-22T21:08:00"
UPGRADED = [("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "headers", "served", "check", "status", "verdict", "cure"),
    [
        (  # the + of a time zone is read as a space
            f"/ws?room=1&since={AT}+00:00",
            [],
            None,
            time_is_read,
            500,
            "handshake/parameter",
            f"query since {AT}+00:00",
        ),
        (
            "/ws?room=1&v=1",
            [],
            ("/ws?room=1&v=2", []),
            lambda r: "v=1" not in r.path,
            400,
            "handshake/parameter",
            "query v 2",
        ),
        (
            "/ws",
            [("Cookie", "theme=dark; session=abc=="), ("Origin", "http://localhost")],
            None,
            lambda r: "session=abc==" not in r.headers.get("Cookie", ""),
            500,
            "handshake/auth-rejected",
            "set-header Cookie 'theme=dark; session=abc'",
        ),
        (
            "/ws",
            [("X-Mode", "fast"), ("Origin", "http://localhost")],
            None,
            lambda r: "X-Mode" not in r.headers,
            400,
            "handshake/parameter",
            "strip-header X-Mode",
        ),
        (
            "/ws",
            [("Origin", "http://a"), ("X-Mode", "fast")],
            ("/ws", [("Origin", "http://b"), ("X-Mode", "fast")]),
            lambda r: r.headers.get("Origin") != "http://a",
            403,
            "handshake/origin",
            "origin http://b",
        ),
        ("/app/ws/", [], None, lambda r: r.path == "/app/ws", 404, "handshake/path", "path /app/ws"),
        ("/ws?EIO=3", [], None, lambda r: "EIO=4" in r.path, 400, "handshake/parameter", "query EIO 4"),
        ("/ws?api=v2", [], None, lambda r: "api=v1" in r.path, 400, "handshake/parameter", "query api v1"),
        (
            "/ws",
            [],
            None,
            lambda r: "mqtt" in r.headers.get("Sec-WebSocket-Protocol", ""),
            400,
            "handshake/subprotocol",
            "subprotocol mqtt",
        ),
    ],
    ids=["plus", "value", "cookie", "header", "origin", "slash", "newer", "older", "subprotocol"],
)
def test_the_part_on_which_the_handshake_hangs(
    target: str,
    headers: list[Header],
    served: tuple[str, list[Header]] | None,
    check: Check,
    status: int,
    verdict: str,
    cure: str,
) -> None:
    if served is not None:
        served = served[0], [*UPGRADED, *served[1]]
    talk = recorded(target, [*UPGRADED, *headers], served, status)
    found = unhurried.run(bisected(talk, check, status))
    assert (found.verdict, found.proved, found.cure) == (verdict, True, cure), (found.standing, found.ladder)
    assert not {v for v, _ in found.standing if v.partition("/")[0] in ("intermediary", "process", "heartbeat")}
    assert found.law is not None and (found.law.right, found.law.predicted) == (8, 8), found.law
    path = urlsplit(target).path
    _, answered, said = found.law.sentence.partition(f"every handshake to `{path}` is answered {status}")
    # Of a number it is said which of them are; else what must be changed.
    assert answered and said.startswith(" when the parameter `EIO` is 3" if "EIO" in target else ", unless "), found.law
    assert not found.law.missed


@pytest.mark.slow
def test_a_value_that_is_good_only_with_another() -> None:
    """Each session has its own token, so that neither of those of a connection that lived helps by itself; what helps
    is a `+` that is read as one."""
    tokens = {"s1": "kPBBVyhrn6umv4nu5FHUZO1mtjr5", "s2": "ghpk9GnEns+6/2ciLOoNlmcJaUE4"}

    def let_in(request: Asked) -> bool:
        said = parse_qs(urlsplit(request.path).query)
        return said.get("token", [""])[0] == tokens.get(said.get("session_id", [""])[0])

    targets = [f"/agents/helper/ws?session_id={session}&token={token}" for session, token in tokens.items()]
    talk = recorded(targets[1], UPGRADED, (targets[0], UPGRADED), 401)
    found = unhurried.run(bisected(talk, let_in, 401))
    assert found.law is not None and found.law.holds and found.proved, (found.law, found.standing)
    assert "unless the handshake is changed: parameter token with its + escaped" in found.law.sentence
    assert found.cure == f"query token {tokens['s2']}"
    assert not {v for v, weight in found.standing if weight > 0.05} & {"handshake/http-version", "handshake/path"}


def test_where_nothing_that_is_known_helps_all_was_tried() -> None:
    headers = [*UPGRADED, ("Origin", "http://a"), ("Cookie", "a=1; session=x"), ("X-Mode", "fast")]
    talk = recorded("/app/ws?room=1&token=abc", headers, None, 500)
    found = unhurried.run(bisected(talk, lambda request: False, 500))
    assert found.verdict == "handshake/never-accepted" and not found.proved
    assert found.law is not None and (found.law.right, found.law.predicted) == (8, 8)
    assert found.law.sentence.startswith("every handshake to `/app/ws` is answered 500, whatever its headers")
    tried = {filter for arm in found.ladder for filter in arm.filters}
    assert {"query room", "query token", "strip-header X-Mode", "strip-header Origin", "path /ws"} <= tried
    assert {"set-header Cookie session=x", "set-header Cookie 'a=1'"} <= tried or len(tried) > 8, tried
    assert all(arm.outcome is Outcome.FAILED for arm in found.ladder)


@pytest.mark.slow
def test_what_was_accepted_before_is_said_to_have_been() -> None:
    """A ticket for one connection: whatever else is changed, it is refused from then on."""
    target, ticket = "/ws?ticket=7f3a91c2d4", [("Origin", "http://a")]
    talk = recorded(target, ticket, (target, ticket), 401)
    verdict = unhurried.run(bisected(talk, lambda request: False, 401))
    assert verdict.law is not None and verdict.law.holds
    assert "though the same request was accepted before, on connection 1: something in it" in verdict.law.sentence
    assert not {name for name, _ in verdict.standing} & {"handshake/no-ws-support", "handshake/path"}
    other = recorded(target, ticket, (target, [("Origin", "http://b")]), 401)
    verdict = unhurried.run(bisected(other, lambda request: False, 401))
    assert verdict.law is not None and "accepted before" not in verdict.law.sentence


@pytest.mark.experiment
def test_how_long_a_header_may_be() -> None:
    headers = [*UPGRADED, ("Cookie", f"prefs={'x' * (LARGE + 2000)}")]
    talk = recorded("/ws", headers, None, 431)
    found = unhurried.run(bisected(talk, lambda r: len(r.headers.get("Cookie", "")) <= 5001, 431))
    assert (found.verdict, found.proved) == ("handshake/header-size", True), (found.standing, found.ladder)
    assert found.minimal is not None and found.minimal.size_limit == 5001
    assert "survives 5,001 B of Cookie, fails 5,002 B" in found.minimal.neighbour
    assert found.law is not None and (found.law.right, found.law.predicted) == (8, 8), found.law
    assert found.law.boundary == "survives 5,001 B, fails 5,002 B"


@pytest.mark.experiment
@pytest.mark.slow
def test_a_long_header_whose_contents_matter_is_not_too_long() -> None:
    headers = [*UPGRADED, ("Cookie", f"prefs={'x' * (LARGE + 2000)}")]
    talk = recorded("/ws", headers, None, 400)
    found = unhurried.run(bisected(talk, lambda r: "x" not in r.headers.get("Cookie", ""), 400))
    assert found.minimal is None or found.minimal.size_limit is None
    assert found.verdict != "handshake/header-size" or not found.proved, found.standing


def test_every_factor_can_be_written_and_changes_something() -> None:
    request = Request(
        target="/a/b c/ws?since=1+2&x=%2520&token=abc&flag",
        headers=[
            ("Host", "h"),
            ("Origin", "http://a"),
            ("Cookie", 'q="v"; sid=a%2Fb; t=x=='),
            ("User-Agent", "curl"),
            ("Authorization", "Bearer x"),
            ("Sec-WebSocket-Protocol", "one, two"),
            ("Bad", "a\x00"),
        ],
    )
    found = factors(request, [(7, Request(target="/z?since=9", headers=[("Cookie", "t=y")]))])
    assert all(str(parse_filter(factor.filter)) == factor.filter for factor in found)
    assert len({factor.filter for factor in found}) == len(found)
    by_part = {part: [f.title for f in found if f.part == part] for part in {f.part for f in found}}
    assert by_part["query"][:3] == [
        "parameter since with its + escaped",
        "parameter since with %20 for +",
        "parameter since as in connection 7, which stayed open",
    ]
    assert "parameter x escaped only once" in by_part["query"]
    assert {"without the parameter token", "without the Authorization header", "cookie sid not escaped"} <= set(
        by_part["credential"]
    )
    assert {"cookie t without its trailing =", "cookie q without its quotes"} <= set(by_part["cookie"])
    assert "size" not in by_part and "only the subprotocol one" in by_part["subprotocol"]


@pytest.mark.parametrize("name", ["token", "session", "sessionid", "sid", "access_token", "X-Api-Key", "csrftoken"])
def test_names_of_credentials(name: str) -> None:
    assert is_credential(name, "x")


@pytest.mark.parametrize("name", ["room", "keyboard", "inside", "author", "since", "monkey", "lang"])
def test_names_of_no_credentials(name: str) -> None:
    assert not is_credential(name, "x")


# What a failure is.


def ended(
    *ends: tuple[str, int | None], lived: int = 1_000_000, last: int | None = 5_000, many: int = 4
) -> list[Connection]:
    """Connections that end so: by whom, and with which code (0 for none at all); ``lived`` and ``last``, the time since
    the client's last message, in microseconds."""
    talk = Talk()
    for conn, (by, code) in enumerate(ends, 1):
        talk.open(conn)
        for _ in range(many if last is not None else 0):
            talk.wait(((lived if len(ends) == 1 else lived * conn) - (last or 0)) // many)
            talk.say(conn, "client", "text", b"{}")
        talk.wait(last if last is not None else lived)
        if code == 0:
            talk.end(conn, by, "fin")  # type: ignore[arg-type]
            talk.end(conn, "client" if by == "server" else "server", "fin")
        else:
            talk.close(conn, by, code)  # type: ignore[arg-type]
            talk.end(conn, "client" if by == "server" else "server", "fin")
    ledger = Ledger()
    for event in talk.stop():
        ledger.feed(event)
    return list(ledger.connections.values())


def test_a_close_without_a_code_is_not_one_with_1000() -> None:
    failed = ended(("client", None), ("client", None), lived=500_000)
    failure = derive(failed)
    assert failure is not None and failure.code == 1005 and "code=1005" in str(failure)
    assert [judge(c, failure) for c in failed] == [Outcome.FAILED] * 2
    # It leaves as pages do: later than those that failed, it lives; earlier, it is another end.
    assert judge(*ended(("client", 1000), lived=1_200_000), failure) is Outcome.SURVIVED
    (left,) = ended(("client", 1000), lived=300_000)
    assert judge(left, failure) is Outcome.UNRESOLVED and "1000" in another(left, failure)
    (other,) = ended(("client", 4000), lived=1_200_000)
    assert judge(other, failure) is Outcome.UNRESOLVED and another(other, failure)


def test_an_orderly_close_of_the_client_is_not_the_failure_where_others_are() -> None:
    failure = derive(ended(*[("client", 1001)] * 6, ("server", 0), ("server", 0)))
    assert failure is not None and (failure.by, failure.how) == ("server", "abrupt")
    failure = derive(ended(*[("client", 1001)] * 6, ("server", 0)))
    assert failure is not None and failure.by == "client", "one may be an accident"


def test_a_timeout_is_not_the_crash_that_is_looked_for() -> None:
    crashed = ended(("server", 0), ("server", 0), ("server", 0))
    failure = derive(crashed)
    assert failure is not None and failure.reaction == (None, 1.0) and "reaction=..1s" in str(failure)
    assert [judge(c, failure) for c in crashed] == [Outcome.FAILED] * 3
    (late,) = ended(("server", 0), lived=3_000_000, last=2_000_000)
    assert judge(late, failure) is Outcome.UNRESOLVED and another(late, failure)
    (silent,) = ended(("server", 0), lived=3_000_000, last=None)
    assert judge(silent, failure) is Outcome.UNRESOLVED


def test_a_crash_is_not_the_timeout_that_is_looked_for() -> None:
    idle = ended(("server", 0), ("server", 0), ("server", 0), lived=3_000_000, last=2_000_000)
    failure = derive(idle)
    assert failure is not None and failure.reaction == (0.2, None)
    assert judge(*ended(("server", 0), lived=1_000_000), failure) is Outcome.UNRESOLVED


def test_ends_of_one_age_may_come_at_any_moment() -> None:
    talk = ended(("server", 0), ("server", 0))
    assert (derive(talk) or Failure(code=1)).reaction == (None, None), "two are too few"
    talk = ended(("server", 0), ("server", 0), ("server", 0), many=100)
    found = derive(talk)
    assert found is not None and found.reaction == (None, None), "so many messages come as soon by chance"


@pytest.mark.parametrize(
    ("action", "opcode", "seen"), [("inject", 1, True), ("forward", 2, True), ("inject", 9, False)]
)
def test_an_end_may_react_to_what_a_filter_said_for_the_client(action: str, opcode: int, seen: bool) -> None:
    talk = Talk()
    talk.open(1)
    talk.wait(2_000_000)
    wire = bytes([0x80 | opcode, 2]) + b"{}"
    talk.events.append(FilterEvent(at=talk.at, conn=1, filter="x", action=action, side="client", wire=wire))
    talk.wait(1_000)
    talk.close(1, "server", 1008)
    ledger = Ledger()
    for event in talk.stop():
        ledger.feed(event)
    failure = Failure(by="server", how="close", code=1008, within=5.0, reaction=(None, 1.0))
    assert judge(ledger.connections[1], failure) is (Outcome.FAILED if seen else Outcome.UNRESOLVED)


def test_a_failure_in_words() -> None:
    failure = parse("by=server how=abrupt within=2s reaction=..250ms")
    assert failure.reaction == (None, 0.25) and parse(str(failure)) == failure
    assert parse("code=1005") == Failure(how="close", code=1005)
    for wrong in ("reaction=2s", "reaction=..x"):
        with pytest.raises(UsageError, match="reaction"):
            parse(wrong)


# How heartbeats are answered.


@pytest.mark.parametrize(
    ("pairs", "answer"),
    [
        ([(b'{"op":"hb","seq":1}', b'{"op":"hb_ack","seq":1}')], b'{"op":"hb_ack","seq":{{seq}}}'),
        ([(b'{"t":"ping","id":"x"}', b'{"t":"pong","re":"x"}')], b'{"t":"pong","re":{{id}}}'),
        ([(b'{"t":"ping"}', b'{"t":"pong"}')], b'{"t":"pong"}'),
        ([(b"ping 7", b"pong"), (b"ping 8", b"pong")], b"pong"),
        ([(b"ping 7", b"pong 7"), (b"ping 8", b"pong 8")], None),
        ([(b'{"t":"ping","n":1}', b'{"t":"pong","n":5}'), (b'{"t":"ping","n":2}', b'{"t":"pong","n":6}')], None),
        ([], None),
    ],
)
def test_the_answer_in_the_clients_own_form(pairs: list[tuple[bytes, bytes]], answer: bytes | None) -> None:
    assert template(pairs) == answer
    if answer is not None:
        assert all(fill(answer, ping) == said for ping, said in pairs)


def test_what_the_ping_does_not_say_cannot_be_repeated() -> None:
    assert fill(b'{"seq":{{seq}}}', b'{"op":"hb"}') is None
    assert fill(b'{"seq":{{seq}}}', b"ping") is None


def test_answers_are_learned_from_any_connection() -> None:
    talk = Talk()
    for conn in (1, 2):
        talk.open(conn)
        for seq in (1, 2):
            talk.say(conn, "server", "text", b'{"op":"hb","seq":%d}' % seq)
            talk.wait(10_000)
            if conn == 1:
                talk.say(conn, "client", "text", b'{"op":"hb_ack","seq":%d}' % seq)
            talk.say(conn, "client", "text", b'{"op":"move"}')
    learning = Answers()
    learning.feed(talk.stop())
    assert [each.template for each in learning.found("server")] == [b'{"op":"hb_ack","seq":{{seq}}}']


def test_a_page_s_heartbeats_are_answered_as_its_server_did() -> None:
    """An echo would be no answer to a client that waits for another message."""
    talk = Talk()
    for conn, answers in ((1, 2), (2, 1), (3, 1)):
        talk.open(conn)
        for seq in range(answers + (conn > 1)):
            talk.wait(300_000)
            talk.say(conn, "client", "text", b'{"action":"heartbeat","n":%d}' % seq)
            talk.wait(10_000)
            if seq < answers:
                talk.say(conn, "server", "text", b'{"action":"heartbeat_ack","n":%d}' % seq)
        talk.wait(600_000)
        if conn > 1:
            talk.close(conn, "client", 4000)
    case = read_case(InMemory(talk.stop()), page=True).case
    rung = next(rung for rung in CLIENT_RUNGS if rung.name == "heartbeats-answered")
    trial = rung.make(case)
    assert trial is not None and "heartbeat_ack" in trial.filters[0] and "{{n}}" in trial.filters[0]


# Engine.IO's heartbeat.


@pytest.mark.parametrize("filters", [(), ("drop side=client",)], ids=["fewer messages", "silence"])
@pytest.mark.parametrize("answers", [True, False])
def test_a_client_of_engine_io_answers_pings_in_any_trial(answers: bool, filters: tuple[str, ...]) -> None:
    """It has nothing to do with what else it says; but one that did not answer does not begin to."""
    talk = Talk()
    talk.open(1, target="/socket.io/?EIO=4&transport=websocket", headers=UPGRADED)
    talk.say(1, "client", "text", b"40")
    talk.wait(50_000)
    talk.say(1, "server", "text", b"2")
    talk.wait(2_000 if answers else 1_500_000)
    if answers:
        talk.say(1, "client", "text", b"3")
    talk.say(1, "client", "text", b'42["bad"]')
    talk.end(1, "server", "fin")
    said: list[str | bytes] = []

    async def handler(connection: ServerConnection) -> None:
        async def ping() -> None:
            for _ in range(5):
                await asyncio.sleep(0.05)
                await connection.send("2")

        pinging = asyncio.create_task(ping())
        async for message in connection:
            said.append(message)
        pinging.cancel()

    async def main() -> None:
        async with serve(handler, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            reading = read_case(InMemory(talk.stop()))
            where = parse_target(f"ws://127.0.0.1:{port}")
            runner = ReplayRunner(reading.transcript, where, reading.failure, reading.case, MemorySink())
            frames = None if filters else ()
            await runner.carry_out(Trial("a", filters, frames=frames, patience=0.5))

    unhurried.run(main())
    assert said == (["3"] * 5 if answers else [])
