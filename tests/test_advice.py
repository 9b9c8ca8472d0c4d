"""What to change and to try, which hangs on what a recording shows, and the causes that it shows not to be."""

from __future__ import annotations

from typing import Any

import pytest

import layouts
from hangup.diagnosis import causes, hints
from hangup.diagnosis.case import Case
from hangup.diagnosis.causes import Cause
from hangup.diagnosis.causes.catalogue import facts
from hangup.diagnosis.findings import Trigger
from hangup.diagnosis.hypotheses import hypotheses
from hangup.diagnosis.steps import MADE
from hangup.diagnosis.timeline import around
from hangup.recording.traffic_ledger import look_into
from layouts import Tape, greet


def case_of(tape: Tape) -> Case:
    return Case(look_into(layouts.header(), tape.done()))


def ends_after(message: object, count: int = 3) -> Tape:
    tape = Tape()
    tape.loop(lambda line, n: tape.talk(greet(line), 2.0).client(message, 0.3).end("server", after=0.002), count=count)
    return tape


class TestAdvice:
    CAUSE = Cause(
        sentence="It ends", trigger="message", place="application", proof="Try.",
        fix={"uvicorn": "u.", "uvicorn, heartbeat": "uh.", "any": "a.", "any, heartbeat": "ah."},
    )  # fmt: skip

    @pytest.mark.parametrize(
        ("names", "heartbeat", "advice"),
        [
            (["uvicorn", ""], False, "u."), (["uvicorn", ""], True, "uh."),
            (["tornado", "socket.io"], False, "a."), (["tornado", "uvicorn"], True, "uh."), (["", ""], True, "ah."),
        ],
    )  # fmt: skip
    def test_that_of_a_heartbeat_is_for_heartbeats(self, names: list[str], heartbeat: bool, advice: str) -> None:
        assert self.CAUSE.advice(names, heartbeat=heartbeat) == advice

    def test_that_of_what_the_client_ended_is_for_that(self) -> None:
        cause = Cause(
            sentence="It ends", trigger="message", place="application", proof="Try.",
            fix={"uvicorn": "u.", "any, ended by the client": "ac.", "any": "a."},
        )  # fmt: skip
        assert cause.advice(["uvicorn"], by_client=True) == "ac." and cause.advice(["uvicorn"]) == "u."
        assert "how to fix it (ended by the client)" in dict(facts(cause))

    def test_it_may_be_missing(self) -> None:
        assert Cause(sentence="", trigger="none", place="none", proof="").advice(["uvicorn"], heartbeat=True) == ""

    def test_its_title_says_so(self) -> None:
        titles = [title for title, _ in facts(self.CAUSE) if title.startswith("how to fix it")]
        assert titles == [
            "how to fix it (uvicorn)", "how to fix it (uvicorn, of a heartbeat)", "how to fix it",
            "how to fix it (of a heartbeat)",
        ]  # fmt: skip

    @pytest.mark.parametrize("verdict", ["message/schema", "message/not-json"])
    def test_heartbeats_are_spoken_of_only_where_the_last_message_was_one(self, verdict: str) -> None:
        def speaks_of_it(message: object) -> bool:
            case = case_of(ends_after(message))
            text = hints.hint(case, verdict, case.stack)
            return "heartbeat" in text or "the ping" in text

        assert speaks_of_it({"type": "ping"}) and not speaks_of_it({"type": "edit", "at": 3})

    def test_every_condition_is_one_that_there_is(self) -> None:
        for cause in causes.known().values():
            assert all(key.partition(", ")[2] in ("", "heartbeat", "ended by the client") for key in cause.fix)


def one_side_silent(side: Any) -> Case:
    """It ends 2 s after the last message of a side; the other one speaks until then, now and then."""

    def play(line: layouts.Line, n: int) -> None:
        greet(line)
        for _ in range(2 + n):
            line.say(side, {"op": "note", "n": n}, 0.4)
        start = line.at
        for at in (0.3, 0.9, 1.2 + 0.25 * n):
            line.at = start + at
            line.say("server" if side == "client" else "client", {"op": "move"})
        line.at = start + 2.0
        line.end("server")

    tape = Tape(jitter=0.0)
    tape.loop(play, count=3)
    return case_of(tape)


@pytest.mark.parametrize("side", ["client", "server"])
def test_the_silence_in_the_advice_is_that_of_the_evidence(side: str) -> None:
    case = one_side_silent(side)
    assert "about 2.00 s here" in hints.hint(case, "intermediary/idle-timeout", case.stack)
    step = MADE["{keepalive-within-the-silence}"](case, case.victims[0], None)
    assert step is not None and step.filter == f"keepalive side={side} every=667ms"


def handshakes(path: str, status: int = 500, served: str = "") -> Case:
    tape = Tape()
    for n in range(4):
        tape.open(0.5 + n, path, status=status, response=[])
    if served:
        tape.talk(greet(tape.open(6.0, served)), 5.0)
    return case_of(tape)


NEVER = ("handshake/never-accepted", "handshake/path", "handshake/no-ws-support")


def test_no_cause_says_never_where_the_route_was_served() -> None:
    assert not {h.verdict for h in hypotheses(handshakes("/notify", served="/notify"))} & set(NEVER)
    assert not {h.verdict for h in hypotheses(handshakes("/notify", 404, served="/notify"))} & set(NEVER)
    assert not {h.verdict for h in hypotheses(handshakes("/room/r17", 403, served="/room/r9"))} & set(NEVER)


def test_they_say_it_where_only_another_route_was() -> None:
    assert {"handshake/never-accepted"} < {h.verdict for h in hypotheses(handshakes("/notify", served="/ws"))}
    assert {"handshake/path"} < {h.verdict for h in hypotheses(handshakes("/ws/ws", 404, served="/ws"))}


class TestTimeline:
    @pytest.mark.parametrize(("back", "gap"), [(3, ""), (7, ""), (9, ""), (10, "… 4 frames"), (14, "… 8 frames")])
    def test_what_is_left_out_before_the_last_frames_is_said(self, back: int, gap: str) -> None:
        tape = Tape()
        tape.loop(lambda line, n: tape.talk(greet(line), 8.0).end("server"), count=1)
        case = case_of(tape)
        recent = case.victims[0].traffic.recent
        _, marks = around(case, Trigger("frame", 1, recent[-back - 1].n))
        numbers = [mark.n for mark in marks if mark.n is not None]
        said = [mark.text for mark in marks if mark.kind == "gap"]
        assert said == ([gap] if gap else [])
        assert recent[-back - 1].n in numbers
        if not gap:
            assert numbers == list(range(numbers[0], numbers[-1] + 1))
        else:
            assert numbers[1] - numbers[0] - 1 == int(gap.split()[1])
            kinds = [mark.kind for mark in marks if mark.n is not None or mark.kind == "gap"]
            assert kinds[1] == "gap"
