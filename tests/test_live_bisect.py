"""Live bisects: a page's own reconnects as trials, with real clients; interrupted; survivors that are left."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from faults.bisected import bisect_live
from faults.table import FAULTS
from hangup.demo.backend import Backend
from hangup.demo.frontend import frontend
from hangup.experiment.trial import Trial
from hangup.filters.filter_set import FilterSet
from hangup.recording import events, reader
from hangup.trials.live_trial import LiveTrial
from harness.proxies import HANGUP, home

REAL = [
    ("a3-text-ping-to-json-reader", "ws"),
    ("d3-token-as-subprotocol", "chromium"),
]
MORE = [
    ("f4-client-throws-on-text", "ws"),
    ("a3-text-ping-to-json-reader", "websockets"),
    ("b3-app-pong-never-sent", "ws"),
    ("b4-server-never-pongs", "ws"),
    ("d4-deflate-not-implemented", "ws"),
    ("f2-effect-churn", "chromium"),
]


def of(name: str, client: str, *marks: pytest.MarkDecorator) -> Any:
    return pytest.param(name, client, id=f"{name.split('-')[0]}-{client}", marks=marks)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "client"), [*(of(*each) for each in REAL), *(of(*each, pytest.mark.long) for each in MORE)]
)
def test_the_cause_is_proved_within_twelve_reconnects(name: str, client: str) -> None:
    found = asyncio.run(bisect_live(FAULTS[name], client=client, seconds=90))
    if found.why.startswith("skipped"):
        pytest.skip(found.why)
    assert found.right == "sub" and found.summary["proved"], (found.why, found.summary)
    ladder = sum(arm["failed"][1] for arm in found.summary["ladder"])
    assert ladder <= 12 and found.summary["connections"] <= 40, found.summary  # the law's own trials are among these


@pytest.mark.experiment
@pytest.mark.real
@pytest.mark.slow
def test_why_the_page_hangs_up_on_the_recorded_server() -> None:
    """``--serve``: what the page itself ends is proved without the backend."""
    found = asyncio.run(bisect_live(FAULTS["f4-client-throws-on-text"], client="ws", seconds=60, served=True))
    if found.why.startswith("skipped"):
        pytest.skip(found.why)
    assert found.right == "sub" and found.summary["proved"], (found.why, found.summary)


Then = Callable[["Live"], Awaitable[None]]


class Live:
    """``hangup bisect --live`` between the demo's ends."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""

    async def until(self, words: str) -> None:
        assert self.process.stdout is not None
        while words not in self.said:
            line = await self.process.stdout.readline()
            assert line, self.said
            self.said += line.decode()

    async def rest(self) -> int:
        assert self.process.stdout is not None
        self.said += (await self.process.stdout.read()).decode()
        return await self.process.wait()


async def between(
    record: Path,
    then: Then,
    *words: str,
    command: tuple[str, ...] = ("bisect", "--live"),
    errors: int | None = None,
    target: bool = True,
) -> None:
    async with Backend() as port:
        process = await asyncio.create_subprocess_exec(
            *HANGUP,
            *command,
            *([f"ws://127.0.0.1:{port}/ws"] if target else []),
            "--listen",
            "127.0.0.1:0",
            "--record",
            str(record),
            *words,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env={"HOME": str(home()), "PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"},
        )
        live = Live(process)
        page = None
        try:
            await live.until("recording to")
            address = live.said.split("listening on ")[1].split()[0]
            page = asyncio.create_task(frontend(f"ws://{address}/ws/client-1"))
            await then(live)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            if page is not None:
                page.cancel()
                await asyncio.wait([page])


@pytest.mark.parametrize("when", ["recording to", "looking for", "the last message as JSON", " 5  "])
def test_interrupted_it_says_what_it_has_learned(tmp_path: Path, when: str) -> None:
    path = tmp_path / "run.jsonl"

    async def then(live: Live) -> None:
        await live.until(when)
        live.process.send_signal(signal.SIGINT)
        code = await live.rest()
        if when == "recording to":
            assert code == 3 and "does not happen here" in live.said, live.said
        else:
            assert code == 4 and "interrupted" in live.said and "as it was recorded" in live.said, live.said
        assert not psutil.pid_exists(live.process.pid)

    asyncio.run(between(path, then))
    assert isinstance(list(reader.read(path))[-1], events.Stop)


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str, int]]:
    """Live bisects to their end, at once, as they mostly wait: recording, output and exit code of each."""
    folder = tmp_path_factory.mktemp("proved")
    found: dict[str, tuple[Path, str, int]] = {}

    async def one(name: str, *words: str, **options: Any) -> None:
        async def then(live: Live) -> None:
            if name == "proxy":  # it goes on, until it is ended
                await live.until("reproducer")
                live.process.send_signal(signal.SIGTERM)
            code = await live.rest()
            found[name] = folder / f"{name}.jsonl", live.said, code

        await between(folder / f"{name}.jsonl", then, *words, **options)

    async def main() -> None:
        await asyncio.gather(
            # With --json what it says as it goes is on stderr, which is where the address is.
            one("json", "--json", errors=asyncio.subprocess.STDOUT),
            one("leave", "--leave"),
            one("proxy", "--bisect", "--no-web", "--quiet", command=("proxy",)),
        )

    asyncio.run(main())
    return found


Proved = dict[str, tuple[Path, str, int]]


@pytest.mark.experiment
def test_each_trial_is_noted_in_the_recording(proved: Proved) -> None:
    path, output, code = proved["json"]
    said: dict[str, Any] = json.loads(output[output.index("{") :])
    assert code == 0 and said["verdict"] == "heartbeat/app-ping-kills" and said["proved"], said
    assert said["counts"]["without"] == [0, 4]
    notes = [e for e in reader.read(path) if isinstance(e, events.Note) and e.text.startswith("bisect: trial")]
    assert len(notes) >= 6 and all(note.conn for note in notes)
    touched = {
        e.conn for e in reader.read(path) if isinstance(e, events.FilterEvent) and e.action not in ("add", "on")
    }
    trials = {note.conn for note in notes if not note.text.endswith("unchanged")}
    assert touched and touched <= trials, "filters act on their trial's connection only"


def test_the_smallest_exchange_is_found_by_replay(proved: Proved) -> None:
    """While the page goes on; and it is a recording, as is the nearest to it that does not fail."""
    _, output, _ = proved["json"]
    said: dict[str, Any] = json.loads(output[output.index("{") :])
    minimal = said["minimal"]
    assert len(minimal["frames"]) == 1 and minimal["shrunk"] and len(minimal["payload"]) <= 4, minimal
    fails = [e for e in reader.read(Path(minimal["recording"])) if isinstance(e, events.Frame) and e.side == "client"]
    assert [frame.text if frame.message is None else frame.message for frame in fails] == [minimal["payload"]], fails
    near = Path(minimal["neighbour_recording"])
    assert isinstance(list(reader.read(near))[-1], events.Stop)
    ladder = sum(arm["failed"][1] for arm in said["ladder"])
    assert said["replayed"] >= 6 and ladder <= 12 and said["connections"] <= 40


def test_survivors_may_be_left(proved: Proved) -> None:
    """Their filters are taken away instead: the page fails by itself, and reconnects."""
    path, said, code = proved["leave"]
    assert code == 0 and "proved: heartbeat/app-ping-kills" in said, said
    ends = [e for e in reader.read(path) if isinstance(e, events.End)]
    assert not [e for e in ends[:-2] if e.by == "proxy"]


def test_a_proxy_that_bisects_goes_on(proved: Proved) -> None:
    _, said, code = proved["proxy"]
    assert code == 0 and "proved: heartbeat/app-ping-kills" in said and "stays open with  drop-heartbeat" in said, said


def test_the_page_against_the_recorded_server(tmp_path: Path) -> None:
    """``--serve``: without its backend the demo's page does not hang up, as it was the server that did."""

    async def then(live: Live) -> None:
        assert await live.rest() == 3, live.said

    recording = Path(__file__).parent.parent / "recordings" / "a3-text-ping-to-json-reader.jsonl"
    command = ("bisect", str(recording), "--serve", "--seconds", "4")
    asyncio.run(between(tmp_path / "out", then, command=command, target=False))


def test_interrupted_against_the_recorded_server(tmp_path: Path) -> None:
    """``--serve``: no process is left, and what was recorded is whole."""

    async def then(live: Live) -> None:
        live.process.send_signal(signal.SIGINT)
        assert await live.rest() == 3 and "does not happen here" in live.said, live.said
        assert not psutil.pid_exists(live.process.pid)

    recording = Path(__file__).parent.parent / "recordings" / "a3-text-ping-to-json-reader.jsonl"
    asyncio.run(between(tmp_path / "out", then, command=("bisect", str(recording), "--serve"), target=False))
    kept = list((tmp_path / "out").rglob("*.jsonl"))
    assert len(kept) == 2 and all(isinstance(list(reader.read(path))[-1], events.Stop) for path in kept)


def test_a_live_trial_knows_what_its_own_filters_did() -> None:
    """They stand after the proxy's own, and may be written otherwise than the trial has them (0.2s, 200ms)."""
    trial = Trial("quiet", ("keepalive every=0.2s", "drop side=client kind=ping"))
    filters = FilterSet(["drop-pong", *trial.filters])
    running = LiveTrial(trial, 1, filters)
    for entry, hits in zip(filters, (7, 2, 1), strict=True):
        entry.hits = hits
    assert running.acted == 3
    assert LiveTrial(Trial("control"), 1, FilterSet(["drop-pong"])).acted == 0
