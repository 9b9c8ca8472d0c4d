"""``hangup bisect --live`` and ``hangup proxy --bisect``: the trials are the page's own connections."""

from __future__ import annotations

import asyncio

from rich.console import Console
from rich.text import Text

from hangup.cli import bisecting_page
from hangup.cli.bisect_options import Options
from hangup.cli.live import Live
from hangup.cli.screen import console
from hangup.experiment.document import Document
from hangup.experiment.reading import Reading, read_case
from hangup.experiment.search import Verdict
from hangup.experiment.trial import Result, Trial
from hangup.peer.server import Program, Server
from hangup.peer.stage import Manner
from hangup.proxy import live_bisect
from hangup.proxy.live_bisect import LiveBisect
from hangup.proxy.recorder import Recorder
from hangup.proxy.run import Proxy, Settings
from hangup.recording.formats import open_recording
from hangup.recording.units import printable
from hangup.wire.url import Target


class Shown(live_bisect.Watcher):
    """Says how it goes, a line for each trial."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.number = 0

    def begun(self, reading: Reading) -> None:
        """The failure has shown."""
        self.console.print(Text(f"\nlooking for: {reading.failure}", "bold"))
        self.console.print(Text("every reconnect is the next trial\n", "dim"))
        self._flush()

    def tried(self, trial: Trial, result: Result) -> None:
        """A trial is over."""
        self.number += 1
        bisecting_page.progress(self.console, trial, result, self.number)
        self._flush()

    def standing(self, standing: list[tuple[str, float]]) -> None:
        """How probable each explanation is by now."""
        words = "   ".join(f"{verdict} {weight:.0%}" for verdict, weight in standing[:3])
        self.console.print(Text(f"      {words}", "dim"))
        self._flush()

    def _flush(self) -> None:
        self.console.file.flush()


class Experiment:
    """A proxy's live bisect: give :meth:`ready` to the proxy."""

    def __init__(self, live: Live, settings: live_bisect.Settings, console: Console) -> None:
        self.live = live
        self.settings = settings
        self.console = console
        self.bisect: LiveBisect | None = None

    def ready(self, proxy: Proxy) -> None:
        """The proxy listens; it ends with the search."""
        self.live.ready(proxy)
        assert proxy.recorder is not None
        watcher = Shown(self.console)
        self.bisect = LiveBisect(proxy.addon, self.settings, watcher, proxy.stop)
        self.bisect.begin(proxy.recorder)


def verdict_of(bisect: LiveBisect) -> Verdict:
    """The verdict, or one that says why there is none; ends the search if it is still under way."""
    bisect.end()
    if bisect.verdict is not None:
        return bisect.verdict
    why = "no two connections failed alike while the proxy was watching"
    return Verdict(reproduced=False, instead=printable(str(bisect.problem)) if bisect.problem else why)


def bisect_live(target: Target, listen: tuple[str, int], leave: bool, options: Options) -> int:
    """``hangup bisect --live``: until there is a verdict, or somebody ends it. Gives the exit code."""
    return asyncio.run(_bisect(target, listen, leave, options))


def bisect_served(recording: str, conn: int | None, listen: tuple[str, int], leave: bool, options: Options) -> int:
    """``hangup bisect RECORDING --serve``: the same, with the recorded server in the backend's place. It never hangs
    up, so that what still ends is the page's doing."""
    return asyncio.run(_served(recording, conn, listen, leave, options))


async def _served(recording: str, conn: int | None, listen: tuple[str, int], leave: bool, options: Options) -> int:
    source = open_recording(recording)
    reading = read_case(source, conn, options.failure)
    program = Program(source, reading.transcript.conn)
    recorder = Recorder(options.record, target="recorded", mode="serve", source=f"serve of {recording}")
    try:
        async with Server(program, recorder, Manner(stay_open=True)).listening("127.0.0.1", 0) as (host, port):
            return await _bisect(Target(False, host, port), listen, leave, options, watch=options.seconds)
    finally:
        recorder.close()


async def _bisect(
    target: Target, listen: tuple[str, int], leave: bool, options: Options, watch: float | None = None
) -> int:
    out = console(stderr=options.quiet)
    live = Live(quiet=True, console=Console(stderr=options.quiet, highlight=False, soft_wrap=True))
    settings = live_bisect.Settings(
        failure=options.failure,
        given=options.given,
        connections=options.connections or 60,
        seconds=options.seconds,
        watch=watch,
        survive=options.survive,
        leave=leave,
    )
    experiment = Experiment(live, settings, out)
    proxy = Proxy(
        Settings(
            target=target,
            host=listen[0],
            port=listen[1],
            record=options.record,
            insecure=options.insecure,
            ca=options.ca,
        ),
        on_ready=experiment.ready,
        warn=live.warn,
    )
    await proxy.serve()
    assert experiment.bisect is not None and proxy.recorder is not None
    verdict = verdict_of(experiment.bisect)
    verdict.seed = options.seed
    reading = experiment.bisect.reading
    document = Document(
        verdict=verdict,
        seconds=experiment.bisect.seconds,
        about={"target": str(target), "failure": str(reading.failure) if reading else None},
        files={"recording": str(proxy.recorder.path)},
    )
    return bisecting_page.present(out, document, options)
