"""The search, on simulated servers: the right explanation, proved, minimal, with few connections."""

from __future__ import annotations

import json
from random import Random

import pytest

from hangup.experiment.arms import Arms
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.factors import factors
from hangup.experiment.search import Verdict, search
from hangup.experiment.timers import Pulse
from hangup.experiment.trial import Case, Result, Trial
from hangup.filters.library.rewrite import Rewrite
from hangup.filters.text import parse
from hangup.recording.events import Request
from simulated import Fails, case, frame, not_json, run

HELLO, CHAT, PING = '{"type":"hello"}', '{"type":"chat","text":"hi"}', '{"type":"ping"}'


def missing_field(messages: list[tuple[str, bytes]]) -> bool:
    return any(b'"ping"' in payload and b'"ts"' not in payload for _, payload in messages)


def elsewhere(trial: Trial) -> bool:
    return any(form.startswith("path ") for form in trial.filters)


FAULTS: list[tuple[str, Case, Fails]] = [
    ("heartbeat/app-ping-kills", case(HELLO, CHAT, "ping"), lambda m, t: not_json(m)),
    ("message/not-json", case(HELLO, CHAT, "hello there"), lambda m, t: not_json(m)),
    ("message/schema", case(HELLO, CHAT, PING), lambda m, t: missing_field(m)),
    ("server-handler/returns-immediately", case(lifetime=0.01), lambda m, t: not elsewhere(t)),
    ("server-handler/returns-immediately", case(HELLO, lifetime=0.01), lambda m, t: not elsewhere(t)),
    ("server-handler/returns-after-message", case(HELLO, replied=True), lambda m, t: len(m) > 0),
    ("message/wrong-opcode", case(HELLO, CHAT, b"\x01\x02"), lambda m, t: any(o == "binary" for o, _ in m)),
    (
        "message/oversize",
        case(HELLO, json.dumps({"type": "paste", "text": "x" * 5000}), code=1009, how="close"),
        lambda m, t: any(len(p) > 3000 for _, p in m),
    ),
    (
        "intermediary/idle-timeout",
        case(HELLO, lifetime=2.0, reaction=1.8),
        lambda m, t: not any(f.startswith("keepalive") for f in t.filters),
    ),
    (
        "heartbeat/app-pong-missing-from-client",
        case(HELLO, lifetime=2.0, reaction=1.8, server_beats=3, how="close", code=1000),
        lambda m, t: "answer-ping side=server level=message" not in t.filters,
    ),
    (  # the client's own heartbeats have stopped, and the server asks for none
        "heartbeat/app-pong-missing-from-client",
        case('{"type":"ping"}', CHAT, lifetime=2.0, reaction=1.2),
        lambda m, t: not any(f.startswith("inject from=client") for f in t.filters),
    ),
    (
        "handshake/origin",
        case(how="refused", status=403, features=frozenset({"origin"}), lifetime=0.0),
        lambda m, t: "strip-header Origin" not in t.filters,
    ),
    (
        "handshake/extension",
        case(HELLO, features=frozenset({"extensions"}), lifetime=0.4),
        lambda m, t: bool(m) and "strip-extensions" not in t.filters,
    ),
    (
        "identity/id-collision",
        case(HELLO, overlaps=True, how="close", code=4000),
        lambda m, t: "unique-id" not in t.filters,
    ),
]


@pytest.mark.parametrize(("verdict", "case", "fails"), FAULTS, ids=[f"{v}-{i}" for i, (v, *_) in enumerate(FAULTS)])
def test_the_right_cause_is_found_and_proved(verdict: str, case: Case, fails: Fails) -> None:
    found = run(search(case), case, fails)
    assert found.verdict == verdict, found.standing
    assert found.proved, found.claim
    assert found.connections <= 90


def client_case(*server: str, **more: object) -> Case:
    """A page that closes, just after the server's last message if there is one."""
    says = [PING] if more.pop("ping", False) else []
    this = case(HELLO, *says, **{"by": "client", "how": "close", "lifetime": 1.0, "reaction": 0.8, **more})  # type: ignore[arg-type]
    if server:
        this.answer = frame(9, server[-1], 0.99)
        this.answer_kinds, this.answer_reaction, this.server_frames = len(server), 0.01, len(server)
    return this


def held(*forms: str) -> Fails:
    """A page that closes unless one of these filters is in force."""
    return lambda messages, trial: not any(f.startswith(forms) for f in trial.filters)


def _a_word(form: str) -> bool:
    """Whether a filter makes of the server's message something else that is no JSON."""
    found = parse(form)
    return isinstance(found, Rewrite) and not (found.to or b"").startswith(b"{")


CLIENTS: list[tuple[str, Case, Fails]] = [
    (
        "client-lifecycle/throws-on-frame",
        client_case('{"type":"ack"}', "Welcome!"),
        lambda m, t: not any(f.startswith(("drop side=server", "rewrite")) and not _a_word(f) for f in t.filters),
    ),
    (
        "client-lifecycle/effect-churn",
        client_case('{"type":"ack"}', '{"type":"presence"}', priors={"client-lifecycle/effect-churn": 0.9}),
        lambda m, t: "drop side=server" not in t.filters,
    ),
    (
        "heartbeat/app-pong-missing-from-server",
        client_case(ping=True),
        held("answer-ping side=client level=message"),
    ),
    ("client-lifecycle/connect-deadline", client_case(lifetime=3.0), held("inject from=server")),
    (
        "handshake/subprotocol",
        client_case(features=frozenset({"subprotocol"}), lifetime=0.01),
        held("subprotocol answer=first"),
    ),
]


@pytest.mark.parametrize(("verdict", "case", "fails"), CLIENTS, ids=[v for v, *_ in CLIENTS])
def test_why_a_client_hangs_up_is_proved_live_within_twelve_connections(verdict: str, case: Case, fails: Fails) -> None:
    found = run(search(case, live=True), case, fails)
    assert found.verdict == verdict, found.standing
    assert found.proved and found.closer == "client", found.claim
    ladder = sum(tried.counts.n for tried in found.ladder)
    assert ladder <= 12 and found.connections <= 30, found.ladder


def test_a_filter_of_the_persons_own_may_be_the_proof() -> None:
    """A fresh token can be known by nobody else."""
    stale = case(HELLO, how="close", code=4401, lifetime=0.01, reaction=None)
    fresh = "query token fresh"
    without = run(search(stale), stale, lambda m, t: True)
    assert not without.proved
    found = run(search(stale, given=[fresh]), stale, lambda m, t: fresh not in t.filters)
    assert found.proved and found.verdict == "identity/token-expired-retry" and found.cure == fresh


SAVE = '{"type":"save","doc":1}'
OTHER = '{"type":"save","doc":2}'


@pytest.mark.parametrize(
    ("payloads", "fails", "verdict", "frames"),
    [
        # It is their number, and it is not: as many harmless ones do no harm.
        ([HELLO, CHAT, SAVE, CHAT, CHAT], lambda m, t: len(m) >= 5, "process/message-count-limit", 5),
        ([HELLO, CHAT, CHAT, SAVE, CHAT], lambda m, t: len(m) >= 4, "process/message-count-limit", 4),
        ([SAVE, CHAT, CHAT, OTHER], lambda m, t: sum(b"save" in p for _, p in m) > 1, "server-handler/", 2),
        ([HELLO, CHAT, PING], lambda m, t: m[:1] == [("text", HELLO.encode())] and missing_field(m), "message/", 2),
        # The same message did no harm before: it cannot be its form alone.
        ([PING, CHAT, HELLO, PING], lambda m, t: sum(b"ping" in p for _, p in m) > 1, "server-handler/", 2),
    ],
)
def test_the_number_of_messages_is_told_from_what_they_say(
    payloads: list[str], fails: Fails, verdict: str, frames: int
) -> None:
    made = case(*payloads)
    found = run(search(made), made, fails)
    assert found.verdict.startswith(verdict) and found.proved, (found.verdict, found.standing)
    assert found.minimal is not None and len(found.minimal.frames) == frames


@pytest.mark.parametrize("seed", range(20))
def test_two_messages_that_are_both_needed_are_no_count(seed: int) -> None:
    random = Random(seed)
    first, second = sorted(random.sample(range(12), 2))
    said = [{"type": "chat", "text": "x" * random.randrange(64)} for _ in range(12)]
    said[first]["first"] = said[second]["second"] = "1"
    made = case(*map(json.dumps, said), lifetime=3.0, reaction=random.choice((0.005, 1.0)))
    both = (b"first", b"second")
    found = run(search(made), made, lambda m, t: all(any(w in p for _, p in m) for w in both), most=900)
    assert found.verdict != "process/message-count-limit" or not found.proved, found.standing


def test_the_cure_and_the_smallest_exchange() -> None:
    noisy = case(HELLO, *[json.dumps({"type": "chat", "text": f"message {i}"}) for i in range(40)], "ping")
    found = run(search(noisy), noisy, lambda m, t: not_json(m))
    assert found.cure == "drop-heartbeat side=client"
    assert found.minimal is not None and found.minimal.frames == (noisy.frames[-1].n,)
    assert found.minimal.payload == b"" or not json_like(found.minimal.payload or b"")
    assert found.claim.startswith(f"failed {found.cause.failed} of {found.cause.n} trials with the cause, 0 of ")


def json_like(payload: bytes) -> bool:
    return not not_json([("text", payload)])


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 50_000 + "1" + "}" * 50_000])
def test_a_message_that_no_parser_bears_is_a_message(deep: str) -> None:
    made = case(HELLO, CHAT, deep)
    found = run(search(made), made, lambda m, t: any(len(p) > 1000 for _, p in m))
    assert found.reproduced and found.minimal is not None and found.minimal.frames == (5,)


def test_a_rate_is_no_count() -> None:
    """Six messages within a second, and not six of them."""

    def result(trial: Trial) -> Result:
        kept = [f for f in made.frames if trial.frames is None or f.n in trial.frames]
        silent = any(form.startswith("drop side=client") and "=" not in form[17:] for form in trial.filters)
        if any(form.startswith("inject") for form in trial.filters):
            said = [0.9 * k for k in range(1, 20)]
            return Result(Outcome.SURVIVED, pulse=Pulse(18.0, False, tuple((at, True) for at in said)))
        moments = () if silent else tuple((f.at, True) for f in kept)
        failed = len(moments) >= 6
        return Result(Outcome.FAILED if failed else Outcome.SURVIVED, pulse=Pulse(1.2, failed, moments))

    made = case(*[HELLO, CHAT, CHAT, SAVE, CHAT, CHAT], lifetime=1.2, how="close", code=1008, reason="rate limit")
    searching = search(made)
    trial = next(searching)
    try:
        while True:
            trial = searching.send(result(trial))
    except StopIteration as stop:
        found = stop.value
    assert found.verdict == "handshake/limit", found.standing
    assert "process/message-count-limit" in found.ruled_out


def test_who_does_not_answer_may_not_have_liked_what_was_said() -> None:
    """The only message, and no answer: to return after it and to stumble over it look alike in every trial."""
    found = run(search(case(HELLO)), case(HELLO), lambda m, t: len(m) > 0)
    assert found.reproduced and found.verdict == "unknown/", found.standing
    assert found.law is not None and found.proved == found.law.holds  # the law may be proved, and no name


def test_what_reading_alone_is_sure_of_and_no_rung_can_try_is_not_overruled() -> None:
    made = case(HELLO, replied=True, priors={"identity/stale-resume": 0.95})
    found = run(search(made), made, lambda m, t: len(m) > 0)
    assert found.verdict == "unknown/" and found.probability < 0.95, found.standing


def test_a_message_that_kills_late_is_told_from_a_count() -> None:
    """The end comes with the third message after it."""

    def late(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        return any(b'"save"' in payload for _, payload in messages)

    made = case(HELLO, CHAT, SAVE, CHAT, CHAT, CHAT)
    found = run(search(made), made, late)
    assert found.proved and found.verdict.partition("/")[0] in ("message", "server-handler"), found.standing
    assert found.minimal is not None and found.minimal.frames == (5,)


def test_a_size_limit_is_found_exactly() -> None:
    _, big, fails = FAULTS[7]
    found = run(search(big), big, fails)
    assert found.minimal is not None and found.minimal.size_limit == 3000
    assert found.connections <= 80


def test_a_healthy_server_is_not_blamed() -> None:
    sound = case(HELLO, "ping")
    found = run(search(sound), sound, lambda m, t: False)
    assert not found.reproduced and not found.proved and found.verdict == "unknown/"


def test_what_no_rung_changes_is_not_proved() -> None:
    """Something beyond this connection ends it: time, or the server's own doing."""
    odd = case(HELLO, CHAT, lifetime=3.0, reaction=1.2)
    found = run(search(odd), odd, lambda m, t: True)
    assert not found.proved


def test_what_was_learned_survives_the_end_of_the_budget() -> None:
    _, ping, fails = FAULTS[0]
    found = run(search(ping), ping, fails, most=5)
    assert found.stopped and not found.proved and found.ladder and found.connections <= 6


@pytest.mark.parametrize("live", [False, True])
def test_flickering_failures_are_seldom_proved_wrongly(live: bool) -> None:
    """200 runs at rates from 0.3 to 0.9: what is proved is right, and what cannot be told is left open."""
    wrong = proved = 0
    rates = [0.3, 0.5, 0.7, 0.9]
    for seed in range(200):
        verdict, this, fails = FAULTS[Random(seed).choice([0, 2, 6, 8])]
        found = run(search(this, minimise=False, live=live), this, fails, rate=rates[seed % 4], seed=seed, most=400)
        proved += found.proved and found.verdict == verdict
        wrong += found.proved and found.verdict != verdict
    assert wrong <= 4, f"{wrong} wrong of 200"
    assert proved >= 120, f"{proved} of 200 proved"


class TestNoEvidence:
    """A trial whose filter acted on nothing says nothing of what it should have changed."""

    IDLE = Trial("planted", ("drop side=client kind=nobody-says-this",))

    def decided(self, trial: Trial, acted: int | None, outcome: Outcome) -> tuple[Outcome, Counts, Arms]:
        arms = Arms(case(HELLO, CHAT, PING), False, Verdict())
        arms.control.failed = 5
        counts = Counts()
        trials = arms.decide(trial, counts)
        try:
            next(trials)
            while True:
                trials.send(Result(outcome, 0.1, acted=acted))
        except StopIteration as stop:
            return stop.value, counts, arms

    @pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.SURVIVED])
    def test_it_is_unresolved_and_one_more_unchanged_run(self, outcome: Outcome) -> None:
        said, counts, arms = self.decided(self.IDLE, 0, outcome)
        assert said is Outcome.UNRESOLVED
        assert (counts.failed, counts.survived, counts.unresolved) == (0, 0, 2)
        runs = arms.control.failed - 5 if outcome is Outcome.FAILED else arms.control.survived
        assert runs == 2

    @pytest.mark.parametrize("acted", [1, None])
    def test_one_that_acted_or_of_which_nobody_knows_counts(self, acted: int | None) -> None:
        said, counts, arms = self.decided(self.IDLE, acted, Outcome.FAILED)
        assert said is Outcome.FAILED and counts.failed and arms.control.failed == 5

    def test_what_changes_more_than_filters_is_no_unchanged_run(self) -> None:
        for trial in (
            Trial("together", self.IDLE.filters, clients=3, stagger=0.1),
            Trial("longer", self.IDLE.filters, patience=9.0),
        ):
            said, counts, arms = self.decided(trial, 0, Outcome.FAILED)
            assert said is Outcome.UNRESOLVED and not counts.failed and arms.control.failed == 5

    def test_a_planted_selector_moves_no_belief(self) -> None:
        """The search is given such a filter of the person's own: it proves the same, and says nothing of that one."""

        def verdict_of(*given: str) -> Verdict:
            search_ = search(case(HELLO, CHAT, "ping"), given=given)
            trial = next(search_)
            try:
                while True:
                    idle = trial.filters == self.IDLE.filters
                    cured = any("drop-heartbeat" in f or "rewrite" in f or f == SILENCE for f in trial.filters)
                    failed = (idle or not cured) and (trial.frames is None or 3 in trial.frames)
                    outcome = Outcome.FAILED if failed else Outcome.SURVIVED
                    trial = search_.send(Result(outcome, 0.1, acted=0 if idle else 1))
            except StopIteration as stop:
                return stop.value

        plain, planted = verdict_of(), verdict_of(*self.IDLE.filters)
        assert (plain.verdict, plain.proved) == (planted.verdict, planted.proved)
        (tried,) = [tried for tried in planted.ladder if tried.filters == self.IDLE.filters]
        assert tried.outcome is Outcome.UNRESOLVED and not tried.counts.failed and not tried.counts.survived


SILENCE = "drop side=client"


# What stays open against all expectation.

SURE = ["process/worker-timeout", "server-handler/crash-on-own-event", "server-handler/returns-immediately"]


def of_parameters(**more: object) -> Case:
    """A client that asks with two parameters."""
    made = case(HELLO, how="close", code=1011, lifetime=0.4, **more)
    made.factors = factors(Request(target="/ws?team=a&v=2", headers=[("User-Agent", "x")]))
    return made


@pytest.mark.parametrize("sure", SURE)
def test_a_parameter_that_helps_is_heard_though_reading_was_sure_of_something_else(sure: str) -> None:
    made = of_parameters(priors={sure: 0.97})
    found = run(search(made), made, lambda m, t: "query v" not in t.filters)
    assert (found.verdict, found.proved, found.cure) == ("handshake/parameter", True, "query v"), found.standing
    assert found.law is not None and found.law.holds and found.connections <= 40


@pytest.mark.parametrize("sure", SURE)
def test_a_parameter_that_helped_by_accident_is_not_heard(sure: str) -> None:
    """The first trials without it stayed open for reasons of their own."""
    made = of_parameters(priors={sure: 0.97})
    tries = iter(range(1000))

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        return "query v" not in trial.filters or next(tries) >= 2

    found = run(search(made), made, fails)
    assert next(tries) > 2, "it was tried again"
    assert found.cure != "query v" and found.verdict != "handshake/parameter", found.standing
