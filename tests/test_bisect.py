"""``hangup bisect RECORDING TARGET``: its JSON, its exit codes, and what is left of it when it is interrupted."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest
import websockets

import layouts
from hangup.demo.backend import BACKEND
from hangup.demo.frontend import frontend
from hangup.recording import events, reader
from hangup.recording.folder import BISECTS
from hangup.trials.replay_runner import PARALLEL
from harness import DEADLINE
from harness.proxies import HANGUP, HangupProxy, hangup, home

RECORDINGS = Path(__file__).parent.parent / "recordings"
A3, F4 = RECORDINGS / "a3-text-ping-to-json-reader.jsonl", RECORDINGS / "f4-client-throws-on-text.jsonl"
START = f"{sys.executable} -m uvicorn --factory {BACKEND} --host 127.0.0.1 --port {{port}}"
MINE = "set-header User-Agent mine"
OURS = ("_hangup", "_webSocketEnd", "_webSocketClose")
"""What only hangup writes into a HAR."""
INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
Said = tuple[int, dict[str, Any]]


@pytest.fixture(scope="module")
def backend() -> Iterator[str]:
    """The demo's backend."""
    code = "import asyncio, sys; from hangup.demo.backend import Backend\n" + (
        "async def main():\n async with Backend() as port:\n  print(port, flush=True)\n"
        "  await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)\nasyncio.run(main())"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdin is not None
    yield f"ws://127.0.0.1:{process.stdout.readline().strip()}"
    process.stdin.close()
    process.wait(20)
    process.stdout.close()


@pytest.fixture(scope="module")
def recorded(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's loop, recorded through the proxy."""
    path = tmp_path_factory.mktemp("demo") / "run.jsonl"

    async def run(url: str) -> None:
        page = asyncio.create_task(frontend(f"{url}/ws/client-1"))
        while sum(isinstance(e, events.End) for e in reader.read(path)) < 6:
            await asyncio.sleep(0.1)
        page.cancel()
        await asyncio.wait([page])

    with HangupProxy(backend, "--no-web", record=path) as proxy:
        asyncio.run(run(proxy.url))
        proxy.stop()
    return path


async def spawn(*words: str | Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *HANGUP,
        *map(str, words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "HOME": str(home()), "PYTHONUNBUFFERED": "1"},
    )


async def bisect(*words: str | Path) -> Said:
    process = await spawn("bisect", *words, "--json")
    output, errors = await process.communicate()
    for line in errors.decode().splitlines():  # how it goes, and nothing else
        assert re.match(r"$|looking for: | +\d+  \S.*? +(failed|stayed open|unresolved|another)| {6}\S+/", line), line
    if "looking for" in errors.decode():
        assert re.search(r"^ +1  as it was recorded ", errors.decode(), re.MULTILINE)
    assert process.returncode is not None
    return process.returncode, json.loads(output)


@pytest.fixture(scope="module")
def found(recorded: Path, backend: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Said]:
    """Bisects to their end, all at once: they mostly wait."""
    folder = tmp_path_factory.mktemp("found")

    async def nowhere() -> Said:
        """Against a backend that closes nothing."""

        async def handler(socket: Any) -> None:
            async for message in socket:
                await socket.send(message)

        async with websockets.serve(handler, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            return await bisect(A3, url, "--survive", "0.1", "--record", folder)

    async def main() -> list[Said]:
        return await asyncio.gather(
            bisect(recorded, "--start", START, "--record", folder / "proved.jsonl", "--try", MINE),
            nowhere(),
            bisect(recorded, backend, "--connections", "3", "--record", folder),
            bisect(of_a_browser(recorded, folder / "page.har"), backend, "--record", folder / "har.jsonl"),
        )

    return dict(zip(("proved", "nowhere", "budget", "har"), asyncio.run(main()), strict=True))


def of_a_browser(recorded: Path, har: Path) -> Path:
    """The recording as a browser would have exported it: who ended a connection, and how, a browser does not know."""

    def known(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: known(v) for k, v in value.items() if not k.startswith(OURS)}
        return [known(each) for each in value] if isinstance(value, list) else value

    hangup("convert", recorded, har)
    har.write_text(json.dumps(known(json.loads(har.read_text()))))
    return har


def test_the_cause_is_proved(found: dict[str, Said]) -> None:
    code, said = found["proved"]
    assert code == 0, said
    assert said["verdict"] == "heartbeat/app-ping-kills" and said["proved"] is True
    assert said["closer"] == "server" and said["trigger"]["kind"] == "frame"
    failed, n = said["counts"]["with"]
    assert failed == n >= 4 and said["counts"]["without"][0] == 0 and said["counts"]["p"] < 0.01
    assert said["cure"] == "drop-heartbeat side=client"
    assert len(said["minimal"]["frames"]) == 1 and len(said["minimal"]["payload"]) <= 4
    assert {"arm", "filters", "failed", "outcome"} <= set(said["ladder"][0])
    assert [MINE] in [rung["filters"] for rung in said["ladder"]]
    assert said["connections"] > 0 and said["seconds"] > 0
    # Every trial is in the recording, which is complete.
    trials = list(reader.read(Path(said["files"]["trials"])))
    assert isinstance(trials[-1], events.Stop)
    assert sum(isinstance(e, events.Handshake) for e in trials) == said["connections"]


def test_the_backends_words_at_that_moment(found: dict[str, Said]) -> None:
    """The backend was started for it: what it printed when it hung up, and not what it prints anyhow."""
    log = found["proved"][1]["log"]
    assert any("JSONDecodeError" in entry["text"] for entry in log), log
    assert all(entry["source"] and "[accepted]" not in entry["text"] for entry in log), log


def test_the_smallest_exchange_fails_again(found: dict[str, Said], backend: str, tmp_path: Path) -> None:
    """As a recording that `hangup replay` plays, and as a program; its neighbour does not fail."""
    _, said = found["proved"]
    minimal = said["minimal"]
    frames = [e for e in reader.read(Path(minimal["recording"])) if isinstance(e, events.Frame) and e.opcode == "text"]
    assert sum(frame.side == "client" for frame in frames) == 1
    again = hangup("replay", minimal["recording"], backend, "--record", tmp_path, "--json", check=False)
    account = json.loads(again.stdout)
    assert again.returncode == 0 and account["same"], account
    near = hangup("replay", minimal["neighbour_recording"], backend, "--record", tmp_path, "--json", check=False)
    assert json.loads(near.stdout)["survived"], near.stdout
    url = f"{backend}/ws/client-1"
    done = subprocess.run(
        [sys.executable, said["files"]["reproducer"], url], capture_output=True, text=True, timeout=60
    )
    assert "it hung up" in done.stdout, done.stdout + done.stderr
    for path in (minimal["recording"], minimal["neighbour_recording"], said["files"]["reproducer"]):
        assert Path(path).stat().st_mode & 0o077 == 0, "it may hold secrets"


def test_what_a_browser_exported_is_enough(found: dict[str, Said], recorded: Path, tmp_path: Path) -> None:
    code, said = found["har"]
    assert code == 0 and said["proved"], said
    assert (said["verdict"], said["closer"]) == ("heartbeat/app-ping-kills", "server")
    why = hangup("why", of_a_browser(recorded, tmp_path / "page.har"), "--json", check=False)
    commands = [step["command"] for step in json.loads(why.stdout)["next"]]
    assert why.returncode == 3 and any(command.startswith("hangup bisect") for command in commands)


def test_a_failure_that_does_not_happen_here(found: dict[str, Said]) -> None:
    """Exit code 3, and what happened instead."""
    code, said = found["nowhere"]
    assert code == 3 and not said["reproduced"] and not said["proved"] and said["instead"], said


def test_what_the_client_ended_is_asked_of_its_server(tmp_path: Path) -> None:
    """By the rule that the recording tells; here there is no server to ask."""
    code, said = asyncio.run(bisect(F4, "ws://127.0.0.1:1", "--record", tmp_path))
    assert code == 4 and not said["proved"] and said["closer"] == "client"
    assert said["client_rule"].startswith("the client hangs up on ") and "127.0.0.1:1" in said["untried"]


def test_the_budget_ends_it(found: dict[str, Said]) -> None:
    code, said = found["budget"]
    assert code == 4 and "3 connections" in said["stopped"] and said["ladder"], said


async def interrupted(folder: Path, recorded: Path, where: list[str], after: int | float, number: int) -> None:
    """Interrupts it after so many trials, or so many seconds of a whole that takes twenty."""
    folder.mkdir()
    process = await spawn("bisect", recorded, *where, "--record", folder)
    try:
        await check_interrupted(process, folder, after, number)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def check_interrupted(process: asyncio.subprocess.Process, folder: Path, after: int | float, number: int) -> None:
    assert process.stdout is not None and process.stderr is not None
    seen, said = 0, ""
    if isinstance(after, float):
        await asyncio.sleep(after)  # any moment, also one at which nothing happens
    while isinstance(after, int) and seen < after:
        said += (line := (await process.stdout.readline()).decode())
        assert line, said
        seen += bool(re.match(r" +\d+  \S", line))
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(number)
    output, errors = await process.communicate()
    said += output.decode()
    context = f"{number} after {after}: {process.returncode}\n{said}\n{errors.decode()}"
    # Where it was ended before it listened to signals, the watcher ends the backend.
    _, left = await asyncio.to_thread(psutil.wait_procs, family, DEADLINE)
    assert not [each for each in left if each.status() != psutil.STATUS_ZOMBIE], context
    began = "looking for" in said
    if began:
        proved = "\nproved" in said  # what was proved before the signal stays proved
        assert process.returncode == (0 if proved else 4) and "interrupted" in said and not errors, context
    if seen:
        assert "as it was recorded" in said, context
    trials = min((folder / BISECTS).glob("*.jsonl"), key=lambda path: len(path.name), default=None)
    if trials is None:
        assert not seen, context
        return
    kept = list(reader.read(trials))
    assert isinstance(kept[-1], events.Stop), context
    asked = sum(isinstance(e, events.Handshake) for e in kept)
    tried = len(re.findall(r"^ +\d+  \S", said, re.MULTILINE))
    assert tried <= asked <= tried + PARALLEL, context


def test_interrupted_at_any_moment_it_says_what_it_has_learned(recorded: Path, backend: str, tmp_path: Path) -> None:
    """No process is left, neither its own nor the backend's; and the recording is complete."""
    random = Random(6)
    moments: list[tuple[list[str], int | float]] = [([backend], 1), ([backend], 4), ([backend], 13)]
    moments += [(["--start", START], random.uniform(0.3, 3.0)) for _ in range(2)]
    moments += [(["--start", START], random.uniform(3.0, 12.0)) for _ in range(2)]

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for i, (where, after) in enumerate(moments):
                for j, number in enumerate(INTERRUPTS):
                    if i > 2 or (i + j) % 2:
                        group.create_task(interrupted(tmp_path / f"{i}-{j}", recorded, where, after, number))

    asyncio.run(main())


@pytest.mark.parametrize(
    "words",
    [
        ["bisect", "run.jsonl"],
        ["bisect", "--live", "run.jsonl", "ws://localhost:1"],
        ["bisect"],
        ["bisect", "--live"],
        ["bisect", "a.jsonl", "ws://localhost:1", "ws://localhost:2", "--start", "x {port}"],
    ],
)
def test_what_is_asked_for_must_make_sense(words: list[str]) -> None:
    done = hangup(*words, check=False)
    assert done.returncode == 2 and "RECORDING" in done.stderr


def test_where_nothing_is_wrong_nothing_is_bisected_unless_it_is_said_which_end(tmp_path: Path) -> None:
    def job(line: layouts.Line, n: int) -> None:
        line.client({"type": "start", "job": f"j{n}"}, 0.1)
        for i in range(3 + n % 3):
            line.server({"type": "progress", "n": i}, 0.1 + 0.1 * n)
        line.server({"type": "jobDone", "ok": True}, 0.1).close("server", 1000, "", 0.002)

    tape = layouts.Tape()
    tape.loop(job, count=5)
    path = tmp_path / "jobs.jsonl"
    path.write_bytes(events.dump([layouts.header(), *tape.done()]))
    words = ("bisect", str(path), "ws://127.0.0.1:9", "--connections", "1")
    done = hangup(*words, check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("hangup: there is nothing to bisect. Nothing is wrong: the server closed")
    assert done.stderr.endswith("--conn 4\n") and len(done.stderr.splitlines()) == 1
    assert "looking for: by=server" in hangup(*words, "--conn", "4", check=False).stdout
