"""Proofs by contrast, on simulated servers: what they prove, and what they must not."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from msgspec.structs import replace

from hangup.experiment.evidence import Outcome
from hangup.experiment.handshakes import credentials
from hangup.experiment.search import BudgetSpent, Verdict, search
from hangup.experiment.trial import Case, Result, Trial
from hangup.recording.events import Request
from simulated import case, frame

HELLO = '{"type":"hello"}'
ENDS, OTHERWISE, LIVES = Outcome.FAILED, Outcome.UNRESOLVED, Outcome.SURVIVED
Server = Callable[[Trial, Random], Outcome | Result]
"""What becomes of a trial: it ends as recorded, otherwise, or lives."""


def run(this: Case, server: Server, *, live: bool = False, seed: int = 0, most: int = 300) -> Verdict:
    random = Random(seed)
    searching = search(this, live=live)
    used = 0
    try:
        trial = next(searching)
        while True:
            used += trial.clients
            if used > most:
                trial = searching.throw(BudgetSpent("used up"))
                continue
            came = server(trial, random)
            if isinstance(came, Outcome):
                if came is OTHERWISE and trial.otherwise is not None:
                    came = LIVES
                came = Result(came)
            trial = searching.send(came)
    except StopIteration as stop:
        verdict: Verdict = stop.value
        return verdict


def has(trial: Trial, *words: str) -> bool:
    return any(form.startswith(words) for form in trial.filters)


# A handler that returns at once.

AT_ONCE = case(HELLO, lifetime=0.01, how="abrupt")


def test_a_handler_that_returns_is_told_by_a_path_without_one() -> None:
    found = run(AT_ONCE, lambda t, r: OTHERWISE if has(t, "path ") else ENDS)
    assert found.verdict == "server-handler/returns-immediately" and found.proved
    assert found.contrast is not None and "at a path that does not exist" in found.claim
    assert found.cause.failed == found.cause.n >= 4 and found.without.failed == 0


def test_where_every_path_ends_alike_it_may_be_anything_on_the_way() -> None:
    found = run(AT_ONCE, lambda t, r: ENDS)
    assert found.verdict == "server-handler/returns-immediately" and not found.proved


# Pongs.

PINGED = case(
    HELLO, lifetime=2.0, reaction=1.9, how="close", code=1011, reason="keepalive ping timeout", server_pings=1
)


def pongs_lost(trial: Trial, random: Random) -> Outcome:
    return OTHERWISE if any("as=ping rsv" in form for form in trial.filters) else ENDS


def pongs_arrive(trial: Trial, random: Random) -> Outcome:
    return OTHERWISE if any(" rsv=" in form for form in trial.filters) else ENDS


@pytest.mark.parametrize("live", [False, True])
def test_pongs_that_do_not_arrive(live: bool) -> None:
    found = run(PINGED, pongs_lost, live=live)
    assert found.verdict == "heartbeat/control-pong-missing" and found.proved
    assert not found.cure and "an invalid pong frame" in found.claim
    assert found.connections <= 20


def test_pongs_that_do_arrive_are_not_said_to_be_missing() -> None:
    assert not run(PINGED, pongs_arrive).proved


def test_a_server_that_any_frame_keeps_alive_is_not_taken_for_idleness() -> None:
    """Its pings time out as pongs are swallowed, but anything else counts as a pong: so a keepalive is a cure too."""
    swallowed = case(HELLO, lifetime=2.0, reaction=1.9, how="abrupt", server_pings=1)
    found = run(swallowed, lambda t, r: LIVES if has(t, "keepalive") else pongs_lost(t, r))
    assert not (found.proved and found.verdict == "intermediary/idle-timeout")
    assert found.verdict == "heartbeat/control-pong-missing" and found.proved


def test_an_invalid_frame_that_nobody_minds_says_nothing_of_pongs() -> None:
    """The server reads neither bits: that it takes no notice of such a pong does not show that it never came."""
    found = run(replace(PINGED, code=None, reason="", how="abrupt"), lambda t, r: ENDS)
    assert {"broken-pong", "broken-ping"} <= {tried.arm for tried in found.ladder}
    assert not (found.proved and found.verdict == "heartbeat/control-pong-missing")
    assert dict(found.standing).get("heartbeat/control-pong-missing", 0.0) < 0.8


# Credentials.

STALE = case(HELLO, lifetime=0.01, reaction=None, how="close", code=4401)
STALE.credentials = credentials(Request(target="/ws?token=abcdef0123456789", headers=[]))


def test_a_credential_on_which_the_end_hangs() -> None:
    found = run(STALE, lambda t, r: OTHERWISE if "query token" in t.filters else ENDS)
    assert found.verdict == "identity/token-expired-retry" and found.proved
    assert "with the recorded credential" in found.claim


@pytest.mark.parametrize(
    "server",
    [
        lambda t, r: ENDS,  # nobody looks at it, or having none is as good as having a wrong one
        lambda t, r: OTHERWISE if has(t, "query token") else ENDS,  # a limit: a wrong one would be refused before
    ],
)
def test_a_credential_on_which_it_does_not_hang(server: Server) -> None:
    assert not run(STALE, server).proved


def test_a_credential_under_another_name() -> None:
    """Which name it is is found out of all that were tried at once."""
    refused = case(HELLO, lifetime=0.0, reaction=None, how="refused", status=403)
    refused.credentials = STALE.credentials
    found = run(refused, lambda t, r: LIVES if "query auth from=token" in t.filters else ENDS)
    assert found.verdict == "handshake/auth-rejected" and found.proved
    assert found.cure == "query auth from=token"


# What happens to all at one moment.

OWN = case(HELLO, lifetime=1.0, reaction=0.5, how="abrupt", priors={"server-handler/crash-on-own-event": 0.9})


def clients(trial: Trial, end: Callable[[float], float | None]) -> Result:
    began = [k * trial.stagger for k in range(trial.clients)]
    spans = tuple((at, end(at)) for at in began)
    return Result(ENDS, spans=spans if trial.stagger else ())


def test_all_clients_go_at_one_moment() -> None:
    def server(trial: Trial, random: Random) -> Result:
        event = random.uniform(0.5, 1.3)
        return clients(trial, lambda began: event + random.uniform(0, 0.02))

    found = run(OWN, server)
    assert found.verdict == "server-handler/crash-on-own-event" and found.proved
    assert "at one moment" in found.claim and found.connections <= 40


OTHER_ENDS: dict[str, Callable[[float], float | None]] = {
    "each at its age": lambda began: began + 1.0,
    "by chance": lambda began: began + Random(began).uniform(0.1, 2.0),
    "the older when the younger comes": lambda began: None if began > 0.3 else began + 0.17,
}


@pytest.mark.parametrize("end", OTHER_ENDS.values(), ids=OTHER_ENDS.keys())
def test_clients_that_do_not_go_together(end: Callable[[float], float | None]) -> None:
    assert not run(OWN, lambda t, r: clients(t, end)).proved


def test_a_process_that_is_gone_is_not_its_handler() -> None:
    """Who comes next is not let in."""
    gone = lambda t, r: Result(ENDS, spans=((0.0, 0.9), (0.2, 0.9)) if t.stagger else ())  # noqa: E731
    assert not run(OWN, gone).proved


def test_flickering_contrasts_are_never_proved_wrongly() -> None:
    """A server that closes at random, whatever it is sent, and never for the reason that is suspected."""
    proved = 0
    for seed in range(200):
        this = [AT_ONCE, PINGED, STALE][seed % 3]
        rate = [0.5, 0.7, 0.9][seed % 3]
        found = run(this, lambda t, r, rate=rate: ENDS if r.random() < rate else LIVES, seed=seed)  # type: ignore[misc]
        proved += found.proved
    assert proved <= 4, f"{proved} of 200"


def test_a_backend_that_a_trial_took_down_is_told_of() -> None:
    down = ""

    def server(trial: Trial, random: Random) -> Result:
        nonlocal down
        if down:
            return Result(OTHERWISE, unreachable=True)
        down = "" if trial.arm == "control" else trial.arm
        return Result(OTHERWISE if down else ENDS)

    found = run(case(HELLO, '{"type":"chat"}', b"\x01"), server)
    assert not found.proved and down == "benign-instead"
    assert found.stopped == """the server stopped answering after hangup sent '{"type":"chat"}'"""


# Another subprotocol is another talk.

INIT = '{"type":"connection_init"}'


@pytest.mark.parametrize(("answered", "proved"), [(False, True), (True, False)])
def test_another_end_with_another_subprotocol_tells_something_only_where_nothing_was_said(
    answered: bool, proved: bool
) -> None:
    """Where the server has talked, another name may be what it does not take."""
    said = (frame(2, '{"type":"connection_ack"}', 0.2),) if answered else ()
    this = case(
        INIT, lifetime=1.0, how="close", code=4403, subprotocols=("graphql-transport-ws",), asked=said,
        features=frozenset({"subprotocol"}), priors={"handshake/subprotocol": 0.9},
    )  # fmt: skip
    found = run(this, lambda t, r: OTHERWISE if has(t, "subprotocol ", "strip-header Sec-WebSocket-Protocol") else ENDS)
    assert (found.proved and found.verdict == "handshake/subprotocol") is proved, (found.verdict, found.standing)
