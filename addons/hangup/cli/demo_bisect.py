"""``hangup demo``: the whole way, from the loop to the page that stays connected."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from hangup.cli.bisect import verdict_page
from hangup.cli.bisect.live import Experiment, Shown
from hangup.cli.proxy.live import Live
from hangup.demo.backend import Backend
from hangup.demo.frontend import frontend
from hangup.experiment.reading import Reading
from hangup.processes.backend import Follower
from hangup.proxy.run import ProxySettings, RunningProxy
from hangup.recording.connections import Connection
from hangup.recording.loops import Known
from hangup.recording.stability import failed_signs
from hangup.wire.url import parse_target

LONGEST = 35.0
"""Seconds that the experiments may take."""

HOLDS = 4.0
"""Seconds for which the page is watched with the cure in force."""


class _Told(Shown):
    """Says what reading the recording alone makes of it before the trials begin."""

    def begun(self, reading: Reading) -> None:
        """The failure has shown."""
        report = reading.report
        likeliest = f"{report.verdict} ({report.confidence:.0%} sure)"
        self.console.print(Text(f"\nlikeliest cause, from the recording alone: {likeliest}", "bold"))
        self.console.print(Text(f"  {report.sentence}"))
        super().begun(reading)


async def run(record: Path, live: Live, console: Console) -> int:
    """Loop, why, trials, proof, fix, and the page that stays connected. Gives an exit code."""
    backend = Backend()
    async with backend as port:
        over, started = asyncio.Event(), asyncio.Event()
        experiment = Experiment(console)
        experiment.shown = _Told(console)

        def ready(proxy: RunningProxy) -> None:
            live.ready(proxy)
            assert proxy.recorder is not None
            backend.heard = Follower(proxy.recorder, "uvicorn").line
            experiment.begin(proxy, over.set)
            started.set()

        settings = ProxySettings(target=parse_target(f"ws://127.0.0.1:{port}"), port=0, record=record)
        proxy = RunningProxy(settings, on_ready=ready, warn=live.warn)
        serving = asyncio.create_task(proxy.serve())
        await _either(serving, started, None)
        if not started.is_set():
            await serving
            return 1
        page = asyncio.create_task(frontend(f"ws://127.0.0.1:{proxy.address[1]}/ws/client-1"))
        await _either(serving, over, LONGEST)
        await experiment.close()
        document = experiment.document()
        verdict_page.show(console, document)
        verdict = document.verdict
        signs = ["the cause was not found"]
        if verdict.cure and not serving.done():
            signs = await _cured(proxy, verdict.cure.split(" + "), serving, console)
        page.cancel()
        await asyncio.wait([page])
        proxy.stop()
        await serving
        return 0 if verdict.proved and not signs else 1


async def _cured(proxy: RunningProxy, cure: list[str], serving: asyncio.Task[None], console: Console) -> list[str]:
    """Puts the cure in force for all connections; the signs of success that are missing a while later."""
    recorder = proxy.recorder
    assert recorder is not None
    since = recorder.now()
    for text in cure:
        proxy.filters.add(text, since)
    console.print(Text("\nFix applied. Does the page stay connected?", "bold"))
    await asyncio.wait([serving], timeout=HOLDS)
    signs = failed_signs(cured(recorder.sums(), since), recorder.now())
    for sign in signs:
        console.print(Text(f"  no: {sign}", "red"))
    if not signs:
        console.print(Text("  yes: one connection, open and talking", "green"))
    return signs


def cured(connections: Iterable[Known], since: float) -> list[Known]:
    """Those that lived under a cure that is in force ``since`` then (seconds): what was opened later, and what was open
    already and is still. What ended may have had from before what it died of."""
    return [
        c
        for c in connections
        if (c.began if c.answered is None else c.answered) >= since
        or (isinstance(c, Connection) and c.opened is not None and c.ended is None)
    ]


async def _either(serving: asyncio.Task[None], event: asyncio.Event, timeout: float | None) -> None:
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait([serving, waiting], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
