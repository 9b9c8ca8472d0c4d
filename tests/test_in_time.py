"""In time: what is said while a bisect goes on, what runs side by side, and what is left when it is interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import websockets
from rich.console import Console
from websockets.exceptions import ConnectionClosed

from faults.idle_timeout import nginx, proved, record
from hangup import experiment
from hangup.cli.bisect.progress import TITLES, Lines, Page, reporting
from hangup.experiment.costs import Costs, rungs_ahead, turns_ahead
from hangup.experiment.evidence import Counts, Outcome, fisher
from hangup.experiment.ladder import Standing
from hangup.experiment.outlook import certain, outlook
from hangup.experiment.priors import explanations
from hangup.experiment.reading import read_case
from hangup.experiment.search import search
from hangup.experiment.trial import Result, Trial
from hangup.experiment.verdict import PROOF, Tried, Verdict
from hangup.recording.formats import open_recording
from hangup.replay.event_sink import MemorySink
from hangup.trials import replay_runner
from hangup.trials.company import TOGETHER, WIDELY, Company
from hangup.trials.replay_runner import ReplayRunner
from hangup.wire.url import parse_target
from harness.proxies import HANGUP, home
from lab.between import where
from simulated import case

HELLO = '{"type":"hello"}'
A3 = Path(__file__).parent.parent / "recordings" / "a3-text-ping-to-json-reader.jsonl"

# What is said meanwhile.


class Time:
    """A clock that somebody else moves on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._moved = asyncio.Condition()

    def clock(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        until = self.now + seconds
        async with self._moved:
            await self._moved.wait_for(lambda: self.now >= until)

    async def move(self, seconds: float) -> None:
        async with self._moved:
            self.now += seconds
            self._moved.notify_all()
        for _ in range(5):  # whoever waits for it gets a turn
            await asyncio.sleep(0)


def test_every_minute_it_says_how_it_stands() -> None:
    said: list[float] = []

    async def main() -> None:
        time = Time()
        async with reporting(said.append, clock=time.clock, pause=time.pause):
            await asyncio.sleep(0)
            await time.move(59.9)
            assert said == []
            for _ in range(4):
                await time.move(30.1)
        await time.move(600)

    asyncio.run(main())
    assert said == pytest.approx([90.0, 120.1, 180.3], abs=0.2), "and no more once it is over"


def grown() -> Verdict:
    """As it is in the middle of a search."""
    verdict = Verdict()
    verdict.ladder = [
        Tried("control", "as it was recorded", (), Counts(3, 0), Outcome.FAILED),
        Tried("silence", "client messages blocked", ("drop side=client",), Counts(2, 0), Outcome.FAILED),
    ]
    verdict.ruled_out = {"message/schema": "", "message/not-json": ""}
    return verdict


@pytest.mark.parametrize("terminal", [False, True])
def test_it_says_what_is_certain_and_what_it_would_still_cost(terminal: bool) -> None:
    """A line, on a terminal above the bar."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=400, highlight=False)
    verdict = grown()
    lines = (Page if terminal else Lines)(console, verdict)
    lines.outlook = lambda: outlook(verdict, Costs(60.0, 64.0), beside=8)
    with lines:
        lines.standing([("intermediary/idle-timeout", 0.61), ("process/worker-timeout", 0.2)])
        lines.stands(120.0)
    said = out.getvalue()
    for words in (
        "after 2 min",
        "the failure happens here (failed 3/3)",
        "it is not message/schema, message/not-json",
        "most probably intermediary/idle-timeout (61%)",
        "Still to do: finding what prevents it, the proof, ",
        "and testing the rule on new exchanges: about ",
        "more connections",
        "Ctrl-C stops with the verdict so far",
    ):
        assert words in said, said


def test_what_is_still_to_come_grows_less() -> None:
    verdict = Verdict(reproduced=False)
    costs = Costs(60.0, 64.0)
    seen = [outlook(verdict, costs, beside=8)]
    assert certain(verdict) == []
    verdict = grown()
    seen.append(outlook(verdict, costs, beside=8))
    verdict.cure, verdict.cause, verdict.without = "keepalive every=15s", Counts(5, 0), Counts(0, 5)
    seen.append(outlook(verdict, costs, beside=8))
    assert [each.trials for each in seen] == sorted((each.trials for each in seen), reverse=True)
    assert all(a.seconds > b.seconds for a, b in zip(seen, seen[1:], strict=False))
    alone = outlook(verdict, costs, beside=1)
    assert alone.trials == seen[-1].trials and alone.seconds > 3 * seen[-1].seconds
    assert "the connection stays open with keepalive every=15s" in certain(verdict)
    assert "about" in str(alone) and "at least" not in str(alone)
    verdict.connections = 112
    assert "at least" in str(outlook(verdict, costs, beside=8)), "what was expected has been taken already"
    live = outlook(verdict, costs, live=True)
    assert live.steps == ()


# What runs side by side.


def test_information_is_weighed_against_seconds() -> None:
    """Of two rungs that tell as much, the one that will fail is tried first where a survival takes long, and costs
    that are the same make no difference."""
    standing = Standing(case(HELLO, lifetime=2.0, reaction=1.8), explanations("server"))
    names = ("control-keepalive", "no-extensions", "suspect-dropped")
    alike = {name: standing.gain(name, Costs(1.0, 1.0)) for name in names}
    for name in names:
        fails = standing.fails(name)
        dear = standing.gain(name, Costs(1.0, 100.0))
        assert dear == pytest.approx(alike[name] / (fails + 100 * (1 - fails)))
        assert standing.gain(name, Costs(60.0, 60.0)) == pytest.approx(alike[name] / 60)


def test_what_goes_beside_a_long_trial() -> None:
    trials = {name: Trial(name) for name in "abc"}
    gains = {"a": 3.0, "b": 1.0, "c": 2.0}
    assert [t.arm for t in rungs_ahead("a", trials, gains, 0.9)] == ["c", "c", "b", "b"]
    ahead = rungs_ahead("a", trials, gains, 0.1)
    assert [t.arm for t in ahead][:5] == ["a", "a", "control", "control", "control"]


def test_the_turns_ahead_are_enough_for_a_proof_and_no_more() -> None:
    control, cure = Trial("control"), Trial("fix", ("drop-pong",))
    ahead = [cure, *turns_ahead((control, Counts(2, 0)), (cure, Counts(0, 2)), cure)]
    failed, survived = 2 + ahead.count(control), 2 + ahead.count(cure)
    assert fisher(Counts(failed, 0), Counts(0, survived)) < PROOF
    assert fisher(Counts(failed - 1, 0), Counts(0, survived - 1)) >= PROOF
    assert turns_ahead((control, Counts(9, 0)), (cure, Counts(0, 9))) == ()


@pytest.mark.parametrize(("lifetime", "beside"), [(0.5, False), (30.0, True)])
def test_only_where_it_takes_long_more_is_tried_than_was_asked_for(lifetime: float, beside: bool) -> None:
    this = case(HELLO, lifetime=lifetime, reaction=0.9 * lifetime)
    searching = search(this)
    trial = next(searching)
    rungs = []
    for _ in range(6):
        if trial.arm != "control":
            rungs.append(trial)
        keeps = any(f.startswith("keepalive") for f in trial.filters)
        outcome = Outcome.SURVIVED if keeps else Outcome.FAILED
        trial = searching.send(Result(outcome, lifetime * (1.1 if keeps else 1)))
    assert any(set(each.beside) - {Trial(each.arm, each.filters)} for each in rungs) is beside


def played(company: Company, trial: Trial, *lifetimes: float) -> tuple[int, bool]:
    """Plans a trial, and takes these results for what was planned: how many that were, and whether they are good."""
    plan = company.plan(trial)
    results = [Result(Outcome.FAILED, each) for each in (lifetimes * len(plan))[: len(plan)]]
    return len(plan), company.learn(plan, results)


CONTROL = Trial("control")


def test_the_recorded_connection_stands_for_the_one_that_fails_alone() -> None:
    company = Company(8, recorded=60.0)
    assert played(company, CONTROL, 60.1) == (TOGETHER, True)
    assert company.harmless and company.room == 8
    assert company.take(CONTROL) is None, "what ended one of them may have ended them all: they count as one"


def test_where_they_fail_otherwise_together_it_is_tried_alone_first() -> None:
    """Two clients with one id: each ends the one before it, and what was seen of them says nothing."""
    company = Company(8, recorded=60.0)
    assert played(company, CONTROL, 0.1) == (TOGETHER, False)
    assert not company.harmless and company.take(CONTROL) is None
    assert played(company, CONTROL, 60.0) == (1, True)
    assert played(company, CONTROL, 60.0, 0.1) == (TOGETHER, True)
    assert not company.harmless and company.room == 1
    assert played(company, Trial("other", beside=(Trial("more"),)), 60.0) == (1, True)


def test_what_takes_no_time_is_tried_alone_first() -> None:
    company = Company(8, recorded=0.5)
    assert [played(company, CONTROL, 0.5)[0] for _ in range(2)] == [1, TOGETHER]
    assert company.harmless


def test_what_was_kept_is_not_tried_again() -> None:
    company = Company(8, recorded=60.0)
    played(company, CONTROL, 60.0)
    played(company, Trial("first", beside=(CONTROL,) * 3), 60.0)  # the three are kept
    other = Trial("other", beside=(CONTROL,) * 4)
    assert company.plan(other) == [other, CONTROL]


@pytest.mark.parametrize(("ends", "harmless"), [((0.5, 0.58, 0.66, 0.74), True), ((0.5, 0.5, 0.501, 0.502), False)])
def test_what_ends_all_of_them_at_once_ends_not_each_of_them(ends: tuple[float, ...], harmless: bool) -> None:
    """A process that restarts: whatever runs beside what restarts it ends as well."""
    company = Company(8, recorded=0.5)
    assert played(company, CONTROL, 0.5) == (1, True)
    plan = company.plan(CONTROL)
    apart = company.apart(plan)
    assert len(plan) == TOGETHER and apart > 0
    begun = [n * apart for n in range(len(plan))]
    spans = [(began, over) for began, over in zip(begun, ends, strict=True)]
    company.learn(plan, [Result(Outcome.FAILED, over - began, spans=((began, over),)) for began, over in spans])
    assert company.harmless is harmless and company.apart(plan) == 0.0


def test_those_whose_ends_vary_begin_so_far_apart_that_no_two_end_together_by_chance() -> None:
    company = Company(8, recorded=0.5)
    assert played(company, CONTROL, 2.8) == (1, True)
    apart = company.apart(company.plan(CONTROL))
    assert apart == pytest.approx(2.8 / TOGETHER)
    company = Company(8, recorded=60.0)
    assert played(company, CONTROL, 0.1) == (TOGETHER, False) and played(company, CONTROL, 60.0) == (1, True)
    assert company.apart(company.plan(CONTROL)) == WIDELY


# The whole command.


@pytest.mark.experiment
@pytest.mark.skipif(where("nginx") is None, reason="nginx is not installed")
def test_an_idle_timeout_is_proved_in_the_time_of_a_few(tmp_path: Path) -> None:
    """Three seconds here; a minute by ``python -m faults.idle_timeout``. In one trial after another it takes ten times
    as long, and is not yet predicted then."""
    timeout = 3.0

    async def main() -> dict[str, Any]:
        async with nginx(timeout) as port:
            await record(port, 2, tmp_path / "run.jsonl")
            return await proved(port, tmp_path / "run.jsonl", tmp_path, errors=asyncio.subprocess.DEVNULL)

    said = asyncio.run(main())
    assert said["proved"] and said["verdict"] == "intermediary/idle-timeout", said
    law = said["law"]
    assert law["predictions"] == [8, 8], law
    found = re.fullmatch(r"silence: survives ([\d.]+) s, fails ([\d.]+) s", law["boundary"])
    assert found is not None, law
    assert float(found[1]) < timeout and abs(float(found[2]) - timeout) < 0.05 * timeout
    assert timeout - float(found[1]) < 0.35
    assert said["seconds"] < 8 * timeout and said["connections"] <= 40, said["seconds"]


BACKEND = """
import asyncio, json, pathlib, signal, sys, websockets
async def answer(socket):
    async for message in socket:
        try:
            json.loads(message)
        except ValueError:
            socket.transport.abort()
async def main():
    signal.signal(signal.SIGTERM, lambda *_: pathlib.Path(sys.argv[2]).touch())
    async with websockets.serve(answer, "127.0.0.1", int(sys.argv[1]), ping_interval=None):
        pathlib.Path(sys.argv[3]).touch()
        await asyncio.Event().wait()
asyncio.run(main())
"""
"""Drops who sends no JSON; and does not end when it is asked to."""


async def until(holds: Callable[[], bool]) -> None:
    """Waits for what other processes do."""
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.02)


async def started(folder: Path, *words: str, what: tuple[str, ...] = (str(A3),)) -> asyncio.subprocess.Process:
    (folder / "backend.py").write_text(BACKEND)
    start = f"{sys.executable} {folder / 'backend.py'} {{port}} {folder / 'asked'} {folder / 'ready'}"
    return await asyncio.create_subprocess_exec(
        *(*HANGUP, "bisect", *what, "--start", start, "--record", str(folder), *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "HOME": str(home()), "PYTHONUNBUFFERED": "1"},
    )


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("what", "begun"),
    [((str(A3),), r"^ +2  as it was recorded"), (("--live", "--listen", "127.0.0.1:0"), "recording to")],
    ids=["replay", "live"],
)
def test_the_second_interrupt_ends_it_at_once(tmp_path: Path, what: tuple[str, ...], begun: str) -> None:
    """The first one waits until all has ended in order: here for a backend that takes its time."""

    async def main() -> None:
        process = await started(tmp_path, what=what)
        assert process.stdout is not None
        said = ""
        while not re.search(begun, said, re.MULTILINE):
            line = await process.stdout.readline()
            assert line, said
            said += line.decode()
        await until(lambda: bool(psutil.Process(process.pid).children()))
        children = psutil.Process(process.pid).children(recursive=True)
        await until((tmp_path / "ready").exists)
        process.send_signal(signal.SIGINT)
        await until((tmp_path / "asked").exists)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        output, errors = await process.communicate()
        assert time.monotonic() - began < 3.0, "the backend would have been given five seconds"
        assert process.returncode == 4, errors.decode()
        assert "interrupted" in errors.decode() and "Traceback" not in errors.decode(), errors.decode()
        assert not [c for c in children if c.is_running() and c.status() != psutil.STATUS_ZOMBIE]

    asyncio.run(main())


def of_json(rest: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(rest)
    return said


def test_the_seconds_of_the_budget_end_it_in_the_midst_of_a_trial(tmp_path: Path) -> None:
    """With the verdict so far, as any other end before the time."""

    async def main() -> tuple[int | None, dict[str, Any], float]:
        process = await started(tmp_path, "--json", "--seconds", "3", "--survive", "60")
        began = time.monotonic()
        output, _ = await process.communicate()
        return process.returncode, of_json(output.decode()), time.monotonic() - began

    code, said, took = asyncio.run(main())
    assert code == 4 and "3 seconds" in said["stopped"] and said["reproduced"], said
    assert said["counts"]["with"][0] >= 2 and took < 30, took


def test_a_backend_that_is_gone_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was learned before is the verdict."""
    monkeypatch.setattr(replay_runner, "RETURN", 0.05)
    monkeypatch.setattr(replay_runner, "RESPITE", 0.01)

    async def main() -> Verdict:
        reading = read_case(open_recording(str(A3)))
        left = 4

        async def answer(socket: Any) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                server.close(close_connections=False)
            async for message in socket:
                with contextlib.suppress(ConnectionClosed):
                    await socket.send('{"type":"ack"}')
                if not message.startswith("{"):
                    socket.transport.abort()

        async with websockets.serve(answer, "127.0.0.1", 0) as server:
            target = parse_target(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            here = ReplayRunner(reading.transcript, target, reading.failure, reading.case, MemorySink(), parallel=1)
            return await here.run(search(reading.case))

    verdict = asyncio.run(main())
    assert verdict.stopped.startswith("the server stopped answering after hangup tried it with `")
    assert not verdict.proved
    assert verdict.reproduced and verdict.cause.failed >= 2 and verdict.ladder


def test_every_trial_is_told_in_words() -> None:
    folder = Path(experiment.__file__).parent
    sources = [path.read_text("utf-8") for path in folder.glob("*.py")]
    arms = {arm for source in sources for arm in re.findall(r'Trial\("([a-z-]+)"', source)}
    on_the_ladder = {arm for source in sources for arm in re.findall(r'arms\.add\(\s*f?"([a-z-]+)', source)}
    never_tried = {"fix"}  # an outlook reckons with it
    named = {arm for arm in arms if not any(arm.startswith(each) for each in on_the_ladder)}
    assert len(arms) > 30 and named - never_tried <= TITLES.keys()
