"""``hangup bisect RECORDING TARGET``: its JSON, its exit codes, and what is left of it when it is interrupted."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hangup.peer.demo import frontend
from hangup.recording import events, journal
from harness.proxies import HANGUP, hangup, home

RECORDINGS = Path(__file__).parent.parent / "recordings"
A3, F4 = RECORDINGS / "a3-text-ping-to-json-reader.jsonl", RECORDINGS / "f4-client-throws-on-text.jsonl"


@pytest.fixture(scope="module")
def backend() -> Iterator[str]:
    """The demo's backend."""
    code = "import asyncio, sys; from hangup.peer.demo import Backend\n" + (
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
    from harness.proxies import HangupProxy

    path = tmp_path_factory.mktemp("demo") / "run.jsonl"

    async def run(url: str) -> None:
        page = asyncio.create_task(frontend(f"{url}/ws/client-1"))
        while sum(isinstance(e, events.End) for e in journal.read(path)) < 6:
            await asyncio.sleep(0.1)
        page.cancel()
        await asyncio.wait([page])

    with HangupProxy(backend, "--no-web", record=path) as proxy:
        asyncio.run(run(proxy.url))
        proxy.stop()
    return path


def bisect(*words: str | Path) -> tuple[int, dict[str, Any]]:
    done = hangup("bisect", *words, "--json", check=False)
    return done.returncode, json.loads(done.stdout)


def test_the_cause_is_proved(recorded: Path, backend: str, tmp_path: Path) -> None:
    code, said = bisect(recorded, backend, "--record", tmp_path)
    assert code == 0, said
    assert said["verdict"] == "heartbeat/app-ping-kills" and said["proved"] is True
    assert said["closer"] == "server" and said["trigger"]["kind"] == "frame"
    failed, n = said["counts"]["with"]
    assert failed == n >= 4 and said["counts"]["without"][0] == 0 and said["counts"]["p"] < 0.01
    assert said["cure"] == "drop-heartbeat side=client"
    assert len(said["minimal"]["frames"]) == 1 and len(said["minimal"]["payload"]) <= 4
    assert {"arm", "filters", "failed", "outcome"} <= set(said["ladder"][0])
    assert said["connections"] > 0 and said["seconds"] > 0
    # The reproducer is a program that reproduces.
    reproducer = Path(said["files"]["reproducer"])
    done = subprocess.run([sys.executable, reproducer], capture_output=True, text=True, timeout=60)
    assert "it hung up" in done.stdout, done.stdout + done.stderr
    # Every trial is in the recording, which is complete.
    trials = list(journal.read(Path(said["files"]["trials"])))
    assert isinstance(trials[-1], events.Stop)
    assert sum(isinstance(e, events.Handshake) for e in trials) == said["connections"]


def test_a_failure_that_does_not_happen_here(tmp_path: Path) -> None:
    """Against a backend that closes nothing: exit code 3, and what happened instead."""
    import websockets

    async def main() -> None:
        async def handler(socket: Any) -> None:
            async for message in socket:
                await socket.send(message)

        async with websockets.serve(handler, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            code, said = await asyncio.to_thread(bisect, A3, url, "--survive", "0.1", "--record", tmp_path)
        assert code == 3 and not said["reproduced"] and not said["proved"] and said["instead"], said

    asyncio.run(main())


def test_what_the_client_ended_is_not_told_by_replay(tmp_path: Path) -> None:
    code, said = bisect(F4, "ws://127.0.0.1:1", "--record", tmp_path)
    assert code == 4 and not said["proved"] and said["connections"] == 0
    assert said["verdict"] == "client-lifecycle/throws-on-frame" and said["closer"] == "client"
    assert "--live" in said["stopped"]


def test_the_budget_ends_it(recorded: Path, backend: str, tmp_path: Path) -> None:
    code, said = bisect(recorded, backend, "--connections", "3", "--record", tmp_path)
    assert code == 4 and "3 connections" in said["stopped"] and said["ladder"], said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("lines", [1, 4])
def test_interrupted_it_says_what_it_has_learned(
    recorded: Path, backend: str, tmp_path: Path, number: signal.Signals, lines: int
) -> None:
    process = subprocess.Popen(
        [*HANGUP, "bisect", str(recorded), backend, "--record", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"HOME": str(home()), "PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    seen = 0
    for line in process.stdout:
        seen += bool(re.match(r" +\d+  \S", line))
        if seen == lines:
            break
    process.send_signal(number)
    said, errors = process.communicate(timeout=30)
    assert process.returncode == 4, said + errors
    assert "interrupted" in said and "as it was recorded" in said and not errors, said + errors
    assert not psutil.pid_exists(process.pid)
    trials = min(tmp_path.glob("*.jsonl"), key=lambda path: len(path.name))
    assert isinstance(list(journal.read(trials))[-1], events.Stop)


@pytest.mark.parametrize("words", [["bisect", "run.jsonl"], ["bisect", "--live", "run.jsonl", "ws://localhost:1"]])
def test_what_is_asked_for_must_make_sense(words: list[str]) -> None:
    done = hangup(*words, check=False)
    assert done.returncode == 2 and "RECORDING" in done.stderr
