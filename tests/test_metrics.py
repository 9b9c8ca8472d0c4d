"""Metrics say what ``show`` says, on every fault of the fault set: replayed through a real recorder, and for real."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner

from faults import runner
from faults.table import FAULTS
from hangup.cli import cli
from hangup.direction import Counters
from hangup.recorder.recorder import Recorder
from hangup.recording import reader
from hangup.recording.events import AnyEvent, Frame, Handshake, Part, Side
from hangup.recording.traffic_ledger import TrafficLedger
from hangup.session import Session
from hangup.telemetry.exposition import Exposition
from hangup.telemetry.families import Family
from hangup.telemetry.observer import Observer
from scraped import Key, equal, expected, key, read, scrape

RECORDINGS = Path(__file__).resolve().parents[1] / "recordings"
GOLDEN = sorted(path.stem for path in RECORDINGS.glob("[a-z]*.jsonl"))


def show(path: Path) -> dict[str, object]:
    done = CliRunner().invoke(cli, ["show", str(path), "--json"])
    assert done.exit_code == 0, done.output
    return cast(dict[str, object], json.loads(done.stdout))


class _Direction:
    def __init__(self) -> None:
        self.counters = Counters()


class _Counting:
    """What a recorder asks of a session: the sums of its frames."""

    def __init__(self) -> None:
        self.directions: dict[Side, _Direction] = {"client": _Direction(), "server": _Direction()}

    def direction(self, side: Side) -> _Direction:
        return self.directions[side]

    def count(self, event: Frame) -> None:
        counters = self.directions[event.side].counters
        counters.frames += 1
        counters.bytes += event.size
        counters.last_n, counters.last_at, counters.last_opcode = event.n, event.at, event.opcode


async def replayed(events: list[AnyEvent], folder: Path) -> tuple[str, Observer]:
    """What is scraped once a recorder has taken these events as it takes those of a running proxy: data frames by their
    sums, all else one by one."""
    recorder = Recorder(folder / "run.jsonl", target="ws://127.0.0.1:1")
    observer = Observer(recorder)
    sessions: dict[int, _Counting] = {}
    for event in events:
        if type(event) is Handshake:
            sessions[event.conn] = recorder.sessions[event.conn] = cast(Session, _Counting())  # type: ignore[assignment]
        if isinstance(event, Frame) and event.conn in sessions:
            sessions[event.conn].count(event)
        if not isinstance(event, Part):
            recorder.emit(event)
    recorder.http = observer.recorder.ledger.http
    try:
        return (await Exposition(observer).answer(""))[0].decode(), observer
    finally:
        recorder.journal.close()


@pytest.mark.parametrize("name", GOLDEN)
def test_metrics_are_what_show_says(name: str, tmp_path: Path) -> None:
    path = RECORDINGS / f"{name}.jsonl"
    text, _ = asyncio.run(replayed(list(reader.read(path)), tmp_path))
    equal(read(text), expected(show(path)))


@pytest.mark.parametrize("name", GOLDEN)
def test_round_trips_and_waits_are_what_why_goes_by(name: str, tmp_path: Path) -> None:
    events = list(reader.read(RECORDINGS / f"{name}.jsonl"))
    ledger = TrafficLedger()
    ledger.feed_all(events)
    text, _ = asyncio.run(replayed(events, tmp_path))
    told = read(text)
    connections = ledger.connections.values()
    for side in ("client", "server"):
        beats = [c.traffic.beats[side, "control"] for c in connections if (side, "control") in c.traffic.beats]
        assert told[key("hangup_ping_round_trip_seconds_count", side=side)] == sum(b.answered for b in beats)
    waited = [c.waited for c in connections if c.status is not None]
    assert told[key("hangup_handshake_wait_seconds_count")] == len(waited)
    assert told[key("hangup_handshake_wait_seconds_sum")] == pytest.approx(sum(waited), abs=1e-6)


def test_the_golden_recordings_are_all_of_the_fault_set() -> None:
    assert set(FAULTS) <= set(GOLDEN)


def test_several_who_ask_at_once_are_told_of_the_same_loops(tmp_path: Path) -> None:
    async def ask() -> list[str]:
        _, observer = await replayed(list(reader.read(RECORDINGS / "a1-handler-returns-after-accept.jsonl")), tmp_path)
        observer._as_of, observer._not_before, observer._loops = None, 0.0, ()
        expositions = [Exposition(observer) for _ in range(5)]
        return [text.decode() for text, _ in await asyncio.gather(*(each.answer("") for each in expositions))]

    texts = asyncio.run(ask())
    loops = {line for text in texts for line in text.splitlines() if line.startswith("hangup_loops{")}
    assert len(loops) == 1 and all(loops <= set(text.splitlines()) for text in texts)


def test_a_text_that_takes_long_to_make_is_given_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0

    async def ask() -> int:
        _, observer = await replayed([], tmp_path)
        exposition, families = Exposition(observer), observer.families

        def toil() -> list[Family]:
            nonlocal made
            made += 1
            end = time.thread_time() + 0.1
            while time.thread_time() < end:
                pass
            return families()

        monkeypatch.setattr(observer, "families", toil)
        for _ in range(20):
            await exposition.answer("")
        return made

    assert asyncio.run(ask()) == 1, "20 in much less than six seconds"


async def _real(name: str, path: Path) -> dict[Key, float]:
    told: dict[Key, float] = {}

    async def watched(proxy: runner.Child) -> None:
        url = (await proxy.wait_for(r"metrics: (\S+)"))[1]
        async with asyncio.timeout(20):
            while json.loads(await asyncio.to_thread(scrape, url.replace("/metrics", "/healthz")))["open"]:
                await asyncio.sleep(0.02)  # until the last connection of the client that was stopped has ended
        told.update(read(await asyncio.to_thread(scrape, url)))

    fault = FAULTS[name]
    try:
        await runner.run(fault, record=path, connections=min(fault.connections, 6), seconds=8.0, watched=watched)
    except runner.Skipped as why:
        pytest.skip(str(why))
    return told


@pytest.mark.real
@pytest.mark.parametrize(
    "name",
    [
        name if name[:2] in ("a1", "a3", "d8") else pytest.param(name, marks=pytest.mark.long)
        for name in FAULTS
    ],
)
def test_a_running_proxy_is_scraped(name: str, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    told = asyncio.run(_real(name, path))
    shown = show(path)
    # Whether a loop goes on is another question at the recording's end than when it was scraped, a moment before.
    equal(_without_states(told), _without_states(expected(shown)))
    assert shown["connections"]


def _without_states(samples: dict[Key, float]) -> dict[Key, float]:
    found: dict[Key, float] = {}
    for (name, labels), value in samples.items():
        at = name, tuple(each for each in labels if each[0] != "state")
        found[at] = found.get(at, 0.0) + value
    return found
