"""Connections that are closed once their work is done: where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from hangup.diagnosis.diagnose import diagnose
from hangup.diagnosis.report import Report
from hangup.diagnosis.signs import finished_work
from hangup.recording.events import Side
from layouts import Line, Tape, greet, header
from signs_seen import Lay, lossy, said_and_silent, says

LASTS = (3.1, 5.4, 2.2, 4.2, 6.3, 2.7)
ASK, LINE, EXIT = {"job": 4, "follow": True}, {"type": "line", "text": "ERROR: refused"}, {"type": "exit", "code": 1}


def jobs(
    done: Any = EXIT,
    code: int = 1000,
    reason: str = "job finished",
    *,
    after: float = 0.001,
    side: Side = "server",
    count: int = 5,
    lasts: Sequence[float] = LASTS,
    instead: Callable[[Line, int], Any] | None = None,
) -> Lay:
    """A job's lines, and its end; ``instead`` plays what comes before the last message."""

    def play(line: Line, n: int) -> None:
        start = greet(line).at
        line.client(ASK, 0.1).server(LINE, 0.5).server(LINE, 0.4)
        line.at = start + lasts[n % len(lasts)]
        if instead is not None:
            instead(line, n)
        line.server(done).close(side, code, reason, after)

    def lay(tape: Tape) -> None:
        tape.delay = 0.8
        tape.loop(play, count=count)

    return lay


def told_twice(line: Line, n: int) -> Line:
    line.at -= 0.9
    return line.server(EXIT).wait(0.6)


def asked_just_now(line: Line, n: int) -> Line:
    return line.client({"type": "vote"}).wait(0.002)


QUIET = (0.65, 1.07, 0.82, 0.71, 0.9, 1.2)


def searches(
    code: int | None = 1000,
    reason: str = "",
    *,
    side: Side = "client",
    quiet: Sequence[float] = QUIET,
    answers: int = 1,
    last: bool = True,
    pause: float = 1.2,
    count: int = 6,
    ping: bool = False,
    thought: float = 0.0,
) -> Lay:
    """A few questions, each answered, and a while later a close."""

    def play(line: Line, n: int) -> None:
        line.wait(thought)
        for asked in range(2 + n % 3):
            line.client({"q": "bi" + "c" * asked}, 0.3)
            for _ in range(answers):
                line.server({"hits": asked}, 0.2)
        if not last:
            line.client({"q": "x"}, 0.3)
        if ping:
            line.client({"type": "ping"}, 0.1).server({"hits": 1}, 0.1)
        line.close(side, code, reason, quiet[n % len(quiet)])

    def lay(tape: Tape) -> None:
        tape.delay = pause
        tape.loop(play, count=count)

    return lay


def cut(tape: Tape) -> None:
    tape.loop(lambda line, n: line.client(ASK, 0.3).server(LINE, 0.2).end("client", after=QUIET[n]), count=5)


SPEAKS: dict[str, Lay] = {
    "server-closed-when-done": jobs(),
    "client-closed-when-done": jobs(side="client"),
    "client-closed-with-all-answered": searches(),
    "client-says-it-is-done": jobs(LINE, side="client", reason="sync complete"),
}

SILENT: dict[str, list[Lay]] = {
    "client-closed-when-done": [
        jobs(),
        jobs(side="client", code=4000),
        jobs(side="client", count=2),
        jobs(side="client", after=1.0),
        jobs(side="client", instead=told_twice),
        jobs(side="client", instead=asked_just_now),
        jobs(LINE, side="client"),
        jobs({"type": "error", "state": "finished", "error": "no such job"}, side="client"),
        jobs(side="client", lasts=(3.0,)),
    ],
    "server-closed-when-done": [
        jobs(LINE), jobs(code=1001), jobs(code=1011), jobs(code=4000), jobs(reason="ping timed out"), jobs(after=2.0),
        jobs(side="client"), jobs(count=2), jobs(lasts=(5.0,), count=6), jobs(instead=told_twice),
        jobs(instead=asked_just_now), jobs({"type": "error", "status": "done"}), jobs({"type": "append"}),
        jobs({"type": "abandoned"}), jobs({"text": "done"}),
    ],
    "client-closed-with-all-answered": [
        searches(4000), searches(1011), searches(None), searches(reason="no heartbeat"), searches(side="server"),
        searches(quiet=(0.8,)), searches(quiet=(0.01, 0.02)), searches(answers=3), searches(answers=0),
        searches(last=False), searches(pause=0.05), searches(count=2), searches(ping=True), searches(thought=2.0),
        lossy(searches()), cut,
    ],
    "client-says-it-is-done": [
        jobs(LINE), jobs(LINE, side="client", reason="incomplete"), jobs(LINE, side="client", reason="stale"),
        jobs(LINE, 4000, side="client"), jobs(LINE, 1011, side="client"), cut,
    ],
}  # fmt: skip

test_said, test_silent, test_complete = said_and_silent(finished_work, SPEAKS, SILENT)


@pytest.mark.parametrize(
    "done",
    [
        {"type": "complete"}, {"event": "jobDone"}, {"type": "status", "status": "finished"}, {"done": True, "n": 3},
        {"type": "stream_end"}, {"line": "ok", "final": True},
    ],
)  # fmt: skip
def test_in_many_words(done: Any) -> None:
    (sign,) = says("server-closed-when-done", jobs(done, reason=""))
    assert "with the reason" not in sign.text and sign.strength == 4  # the last of all is not known to have dropped


def reported(lay: Lay) -> Report:
    tape = Tape()
    lay(tape)
    return diagnose(header(), tape.done())


@pytest.mark.parametrize(("lay", "verdict"), [(jobs(), "none/healthy"), (searches(), "client-lifecycle/done")])
def test_it_is_no_fault_and_there_is_nothing_to_prove(lay: Lay, verdict: str) -> None:
    report = reported(lay)
    assert report.verdict == verdict and report.next == [] and not report.amplifier
    assert report.evidence[0].sign in SPEAKS


def test_each_code_with_which_it_was_closed_is_told() -> None:
    def lay(tape: Tape) -> None:
        tape.delay = 1.2

        def play(line: Line, n: int) -> None:
            line.client({"q": "b"}, 0.3 + 0.4 * (n % 3)).server({"hits": n}, 0.2)
            line.close("client", 1000 + n % 2, "", 2.0 + QUIET[n])

        tape.loop(play, count=6)

    report = reported(lay)
    assert "the client ended it with close code 1000 or 1001 in " in report.sentence


@pytest.mark.parametrize("lay", [jobs(reason="ping timed out"), jobs(code=1011), searches(quiet=(0.8,))])
def test_what_looks_like_it_is_not_called_fine(lay: Lay) -> None:
    assert reported(lay).verdict not in ("none/healthy", "client-lifecycle/done")


@pytest.mark.parametrize("lay", [searches(count=2), jobs(count=2), jobs(LINE)])
def test_no_heartbeat_is_advised_where_there_is_none(lay: Lay) -> None:
    report = reported(lay)
    named = {report.verdict, *report.also}
    assert not any(name.startswith("heartbeat/") for name in named)
    assert not any(step.filter.startswith(("answer-ping", "drop-heartbeat")) for step in report.next)


def operations(line: Line, n: int, *, left: bool = False, early: bool = False, ids: bool = True) -> Line:
    """Two operations at once, as a lazy client of graphql-ws asks for them, each of which is told to be complete."""
    names = [f"op-{n}-{i}" for i in range(2)]
    for name in names[: 1 if early else 2]:
        line.client({"id": name, "type": "subscribe"} if ids else {"type": "subscribe"}, 0.1)
    for name in names:
        if early and name == names[1]:
            line.client({"id": name, "type": "subscribe"}, 0.4)
        line.server({"id": name, "type": "next", "n": n}, 0.05 + n / 10)
        if not (left and name == names[0]):
            line.server({"id": name, "type": "complete"}, 0.001)
    return line.close("client", 1000, "Normal Closure", 0.001)


@pytest.mark.parametrize(
    ("more", "said"), [({}, True), ({"left": True}, False), ({"early": True}, False), ({"ids": False}, False)]
)
def test_a_client_goes_when_nothing_that_it_asked_is_open_any_more(more: dict[str, bool], said: bool) -> None:
    """Also where it had asked just now, and where the code's own name is given as the reason."""

    def lay(tape: Tape) -> None:
        tape.delay = 0.8
        tape.loop(lambda line, n: operations(line, n, **more), count=5)

    assert bool(says("client-closed-when-done", lay)) is said
