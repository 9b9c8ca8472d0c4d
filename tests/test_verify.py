"""A proved fix on the person's own client: ``hangup bisect … --verify -- COMMAND``, with real servers and clients."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hangup.demo.backend import BACKEND
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.trial import Result, Trial
from hangup.experiment.verdict import BudgetSpent
from hangup.experiment.verification import Verification, verify
from hangup.recording import events, reader
from harness.proxies import HANGUP, hangup, home

A3 = Path(__file__).parent.parent / "recordings" / "a3-text-ping-to-json-reader.jsonl"
START = f"{sys.executable} -m uvicorn --factory {BACKEND} --host 127.0.0.1 --port {{port}}"

# On the search alone.


def carried_out(verification: Verification, *results: Result | str, control: Counts | None = None) -> list[Trial]:
    """Sends it these; a text is why it ends before. Gives the trials that it asked for."""
    searching = verify(verification, control or Counts(5, 0))
    asked: list[Trial] = []
    try:
        asked.append(next(searching))
        for result in results:
            trial = searching.throw(BudgetSpent(result)) if isinstance(result, str) else searching.send(result)
            asked.append(trial)
    except StopIteration:
        return asked
    pytest.fail(f"it goes on after {results}")


def fix() -> Verification:
    return Verification(("drop-heartbeat side=client",), longest=2.0, survived=3.4)


STAYED = Result(Outcome.SURVIVED, 12.0, acted=3)
DROPPED = Result(Outcome.FAILED, 2.0, acted=1)
LEFT = Result(Outcome.UNRESOLVED, 0.5, sentence="the client ended it")


def test_the_client_stays_with_the_fix_and_is_dropped_without_it() -> None:
    this = fix()
    with_fix, without = carried_out(this, STAYED, DROPPED)
    assert with_fix.filters == this.filters and with_fix.patience == 12.0 and not without.filters
    assert this.verified is True
    assert this.lines() == [
        "Fix applied: the client stayed connected for 12.0 s, 6 times as long as ever before.",
        "Fix removed: it dropped again after 2.0 s.",
    ]


def test_a_fix_that_does_not_help_is_not_verified() -> None:
    this = fix()
    assert len(carried_out(this, DROPPED)) == 1
    assert this.verified is False and this.lines() == ["Fix applied: the client was still dropped after 2.0 s."]


def test_a_failure_that_does_not_return_shows_nothing() -> None:
    this = fix()
    alive = Result(Outcome.SURVIVED, 3.4)
    assert len(carried_out(this, STAYED, alive, alive)) == 3
    assert this.verified is False and "this proves nothing" in this.lines()[1]


def test_one_that_flickers_is_given_time_to_return() -> None:
    this = fix()
    alive = Result(Outcome.SURVIVED, 3.4)
    trials = carried_out(this, STAYED, alive, alive, DROPPED, control=Counts(10, 10))
    assert len(trials) == 4 and this.verified is True


@pytest.mark.parametrize(
    ("results", "says"),
    [
        ((LEFT, LEFT, LEFT), "in another way: the client ended it"),
        (("the command ended by itself",), "the command ended by itself"),
        ((STAYED, "interrupted"), "interrupted"),
        ((Result(Outcome.SURVIVED, 12.0, acted=0),) * 3, "had nothing to act on"),
    ],
)
def test_where_nothing_can_be_told_it_is_not_claimed(results: tuple[Any, ...], says: str) -> None:
    this = fix()
    carried_out(this, *results)
    assert this.verified is None and says in this.lines()[-1]


@pytest.mark.parametrize(("longest", "survived", "stays"), [(0.4, 1.2, 2.4), (60.0, 64.0, 70.0), (0.01, 0.8, 0.8)])
def test_how_long_it_is_watched(longest: float, survived: float, stays: float) -> None:
    assert Verification((), longest, survived).stays == pytest.approx(stays)


# The whole command.

CLIENT = """
import asyncio, os, sys
from hangup.demo.frontend import frontend
print("on its standard output", flush=True)
asyncio.run(frontend(os.environ[sys.argv[1]] + "/ws/client-1"))
"""
LEAVES = "print('good bye')"

Said = tuple[int, dict[str, Any], str]


async def bisect(folder: Path, *words: str, client: str = CLIENT, name: str = "VITE_WS_BASE") -> Said:
    process = await asyncio.create_subprocess_exec(
        *(*HANGUP, "bisect", str(A3), "--start", START, "--record", str(folder), "--json", *words, "--verify"),
        *("--", sys.executable, "-c", client, name),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "HOME": str(home()), "PYTHONUNBUFFERED": "1"},
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    try:
        return process.returncode, json.loads(output), errors.decode()
    except ValueError:
        pytest.fail(f"{output.decode()}\n{errors.decode()}")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Said]]:
    """Three at once, as they mostly wait. None of them leaves a process."""
    folder = tmp_path_factory.mktemp("verify")

    async def main() -> list[Said]:
        return await asyncio.gather(
            bisect(folder / "client", "--env-var", "MY_BACKEND", name="MY_BACKEND"),
            bisect(folder / "leaves", client=LEAVES),
            bisect(folder / "budget", "--connections", "3"),
        )

    yield dict(zip(("client", "leaves", "budget"), asyncio.run(main()), strict=True))
    left = [p.info for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or [])]
    assert not left


def test_the_fix_is_tried_on_the_client_itself(found: dict[str, Said]) -> None:
    code, said, errors = found["client"]
    assert code == 0 and said["proved"] and said["verified"] is True, (said, errors)
    applied, removed = said["verification"]
    assert applied.startswith("Fix applied: the client stayed connected for ") and "as long as ever before" in applied
    assert removed.startswith("Fix removed: it dropped again after ")
    assert "MY_BACKEND=ws://" in errors and "on its standard output" in errors, "stdout is for the JSON"
    kept = list(reader.read(Path(said["files"]["verified"])))
    notes = [e.text for e in kept if isinstance(e, events.Note) and e.text.startswith("bisect: trial")]
    assert notes == [f"bisect: trial 1, fix-applied: {said['cure']}", "bisect: trial 2, fix-removed: unchanged"]
    assert isinstance(kept[-1], events.Stop)


def test_a_client_that_ends_by_itself_tells_nothing(found: dict[str, Said]) -> None:
    code, said, _ = found["leaves"]
    assert code == 4 and said["proved"] and said["verified"] is None, said
    assert said["verification"] == ["Not verified: the command ended by itself."]


def test_what_is_not_proved_is_not_tried(found: dict[str, Said]) -> None:
    code, said, errors = found["budget"]
    assert code == 4 and said["verified"] is None and said["verification"] == ["Not verified: nothing is proved."]
    assert "on its standard output" not in errors


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["a.jsonl", "ws://localhost:1", "--verify"], "--verify needs the client's command"),
        (["a.jsonl", "ws://localhost:1", "--", "true"], "a command needs --verify"),
        (["--live", "ws://localhost:1", "--verify", "--", "true"], "use the page itself"),
        (["a.jsonl", "ws://localhost:1", "--verify", "--", "no-such-command"], "not on the PATH"),
    ],
)
def test_what_is_asked_for_must_make_sense(words: list[str], says: str) -> None:
    done = hangup("bisect", *words, check=False)
    assert done.returncode in (2, 127) and says in done.stderr, done.stderr


@pytest.mark.experiment
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_interrupted_while_the_client_is_watched(tmp_path: Path) -> None:
    """The proof stays, the client and its backend do not."""

    async def main() -> None:
        process = await asyncio.create_subprocess_exec(
            *(*HANGUP, "bisect", str(A3), "--start", START, "--record", str(tmp_path), "--verify"),
            *("--", sys.executable, "-c", CLIENT, "VITE_WS_BASE"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "HOME": str(home()), "PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout is not None
        said = ""
        while "the client has connected" not in said:
            line = await process.stdout.readline()
            assert line, said
            said += line.decode()
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        output, errors = await process.communicate()
        said += output.decode()
        assert process.returncode == 4 and "\nproved" in said and "Not verified: " in said, said + errors.decode()
        assert len(children) >= 2
        assert not [c for c in children if c.is_running() and c.status() != psutil.STATUS_ZOMBIE]

    asyncio.run(main())
