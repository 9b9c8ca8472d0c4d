"""Recordings of real clients and servers, replayed against fresh ones of the same kind."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any

import pytest

from hangup.demo import backend as demo_backend
from hangup.recording import reader
from hangup.replay.client import play
from hangup.replay.client_settings import ReplaySettings
from hangup.replay.event_sink import MemorySink
from hangup.replay.outcome import ReplayOutcome
from hangup.replayable.client_script import Transcript
from hangup.wire.url import parse_target
from harness import node
from harness.programs import TESTS, Program
from harness.proxies import HangupProxy, hangup

pytestmark = pytest.mark.real


# The demo.


@pytest.fixture(scope="module")
def demo_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "demo.jsonl"
    hangup("demo", "--short", "--seconds", "3", "--record", path)
    return path


def test_the_demo_ends_the_same_at_the_same_frame_twenty_times(demo_recording: Path) -> None:
    transcript = Transcript(reader.read(demo_recording), 1)

    async def main() -> list[ReplayOutcome]:
        async with demo_backend.Backend() as port:
            target = parse_target(f"ws://127.0.0.1:{port}")
            settings = [ReplaySettings(speed=1.0 if i < 3 else inf) for i in range(20)]
            return [await play(transcript, target, MemorySink(), each) for each in settings]

    outcomes = asyncio.run(main())
    assert [outcome.differences() for outcome in outcomes] == [[]] * 20
    assert all(outcome.same and outcome.same_frame and outcome.diverged_at is None for outcome in outcomes)
    assert {(o.live.ending.by, o.live.ending.how) for o in outcomes} == {("server", "fin")}


def test_against_the_mended_backend_it_survives(demo_recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_backend, "BACKEND", "mended:backend")
    monkeypatch.setenv("PYTHONPATH", str(TESTS))

    async def main() -> tuple[int, str]:
        async with demo_backend.Backend() as port:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "hangup", "replay", str(demo_recording)),
                *(f"ws://127.0.0.1:{port}", "--json", "--record", str(demo_recording.with_name("mended.jsonl"))),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            output, _ = await process.communicate()
            return process.returncode or 0, output.decode()

    code, output = asyncio.run(main())
    report = json.loads(output)
    assert code == 1 and report["same"] is False and report["survived"] is True
    assert report["live"]["ending"]["by"] == "proxy" and report["diverged_at"] is not None
    shown = hangup("show", demo_recording.with_name("mended.jsonl")).stdout
    assert "hangup itself ended it with close code 1000" in shown


# Socket.IO and graphql-ws.


@contextmanager
def server(script: str) -> Iterator[str]:
    """A Node server; its ``HOST:PORT``."""
    with node.program(script) as program:
        yield "127.0.0.1:" + program.wait_for(r"listening on (\d+)")[1]


def record(path: Path, backend: str, client: str, scheme: str, *arguments: str) -> list[Any]:
    """Records one session of real ends; what the client printed."""
    with server(backend) as address, HangupProxy(f"ws://{address}", record=path) as proxy:
        with node.program(client, f"{scheme}://127.0.0.1:{proxy.port}", *arguments) as program:
            assert program.wait() == 0, program.report()
            said = lines(program)
        proxy.stop()
    return said


def lines(program: Program) -> list[Any]:
    return [json.loads(line) for line in program.output.splitlines() if line.startswith("{")]


def replay(path: Path, address: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    out = path.with_name(f"live-{len(list(path.parent.iterdir()))}.jsonl")
    done = hangup("replay", path, f"ws://{address}", "--json", "--record", out, *arguments, check=False)
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module", params=["websocket", "polling,websocket"])
def tickets(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if why := node.problem("socket.io", "socket.io-client"):
        pytest.skip(why)
    path = tmp_path_factory.mktemp("tickets") / "run.jsonl"
    said = record(path, "tickets_server.mjs", "tickets_client.mjs", "http", request.param)
    assert {"joined": True} in said and said[-1] == {"over": "transport close"}
    return path


def test_a_socket_io_session_replays_against_a_fresh_server(tickets: Path) -> None:
    with server("tickets_server.mjs") as address:
        code, report = replay(tickets, address)
        assert code == 0, report["differences"]
        assert report["same"] and report["same_frame"] and report["differences"] == [] and report["messages"] == []
        assert set(report["correlated"]) == {"token", "seq", "ticket"}
        code, report = replay(tickets, address, "--speed", "max")
        assert code == 0 and report["same"], report["differences"]
        code, report = replay(tickets, address, "--no-correlate")
        assert code == 1 and not report["same"] and report["correlated"] == {}


def test_a_graphql_session_replays_against_a_fresh_server(tmp_path: Path) -> None:
    if why := node.problem("graphql-ws", "graphql", "ws"):
        pytest.skip(why)
    path = tmp_path / "run.jsonl"
    said = record(path, "subscriptions_server.mjs", "subscriptions_client.mjs", "ws")
    assert {"redeemed": "welcome"} in said and said[-1] == {"over": 4200, "reason": "redeemed"}
    with server("subscriptions_server.mjs") as address:
        code, report = replay(path, address)
        assert code == 0 and report["same"] and report["messages"] == [], report["differences"]
        assert list(report["correlated"]) == ["tickets"]
        code, report = replay(path, address, "--no-correlate")
        assert code == 1 and report["live"]["ending"]["code"] == 4403
        code, report = replay(path, address, "--set", "tickets=made-up")
        assert code == 1 and report["live"]["ending"]["reason"] == "no such ticket"
    shown = hangup("replay", path, "--show-correlations").stdout
    assert re.search(r"tickets\s+frame \d+: graphql-ws:next:tickets", shown) and "payload.data.tickets" in shown
