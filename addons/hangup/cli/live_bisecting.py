"""``hangup bisect --live`` and ``hangup proxy --bisect``: the trials are the page's own connections."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from rich.console import Console
from rich.text import Text

from hangup.cli import bisecting_page
from hangup.cli.bisect_options import Options
from hangup.cli.bisect_progress import Lines, showing
from hangup.cli.live import Live
from hangup.cli.screen import console
from hangup.errors import HangupError, UsageError
from hangup.experiment.document import Document
from hangup.experiment.exchange import shrink
from hangup.experiment.keeping import Run, keep
from hangup.experiment.reading import Reading, read_case
from hangup.experiment.search import Verdict
from hangup.experiment.trial import Result, Trial
from hangup.peer.check import free_port
from hangup.peer.lab import Budget, Lab
from hangup.peer.server import Program, Server
from hangup.peer.stage import Manner
from hangup.proxy import live_bisect
from hangup.proxy.live_bisect import LiveBisect
from hangup.proxy.recorder import Recorder
from hangup.proxy.run import Proxy, Settings
from hangup.recording.formats import open_recording
from hangup.recording.units import printable
from hangup.wire.url import Target

SHRINKING = Budget(connections=80, seconds=30.0)
"""What may be used, after a live proof, to find the smallest exchange by replay."""


class Shown(live_bisect.Watcher):
    """Says how it goes. ``bisect`` is set once there is one."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bisect: LiveBisect | None = None
        self.trials: list[tuple[Trial, Result]] = []
        self._stack = ExitStack()
        self._lines: Lines | None = None

    def begun(self, reading: Reading) -> None:
        """The failure has shown."""
        self.console.print(Text(f"\nlooking for: {reading.failure}", "bold"))
        self.console.print(Text("every reconnect is the next trial\n", "dim"))
        self.console.file.flush()
        growing = self.bisect.progress if self.bisect is not None else Verdict()
        self._lines = self._stack.enter_context(showing(self.console, growing))

    def tried(self, trial: Trial, result: Result) -> None:
        """A trial is over."""
        self.trials.append((trial, result))
        if self._lines is not None:
            self._lines.tried(trial, result)

    def say(self, text: str) -> None:
        """A remark between the trials."""
        if self._lines is not None:
            self._lines.remark(text)

    def shrinks(self, trial: Trial, result: Result) -> None:
        """A trial of the minimiser, which replays, is over."""
        if self._lines is not None:
            self._lines.tried(trial, result)

    def standing(self, standing: list[tuple[str, float]]) -> None:
        """How probable each explanation is by now."""
        if self._lines is not None:
            self._lines.standing(standing)

    def close(self) -> None:
        """It is over: the terminal is for the verdict."""
        self._stack.close()


class Experiment:
    """A proxy's live bisect: give :meth:`ready` to the proxy, which ends with the search."""

    def __init__(self, live: Live, settings: live_bisect.Settings, options: Options, console: Console) -> None:
        self.live = live
        self.settings = settings
        self.options = options
        self.shown = Shown(console)
        self.bisect: LiveBisect | None = None
        self.replayed: Run | None = None
        self._task: asyncio.Task[None] | None = None

    def ready(self, proxy: Proxy) -> None:
        """The proxy listens."""
        self.live.ready(proxy)
        assert proxy.recorder is not None

        def done() -> None:
            # The proxy and its backend go on until the exchange is as small as it will be.
            self._task = asyncio.get_running_loop().create_task(self._shrink(proxy))

        self.bisect = self.shown.bisect = LiveBisect(proxy.addon, self.settings, self.shown, done)
        self.bisect.begin(proxy.recorder)

    async def _shrink(self, proxy: Proxy) -> None:
        try:
            assert self.bisect is not None
            self.replayed = await smaller(self.bisect, proxy, self.shown, self.options)
        except HangupError as error:
            self.live.warn(str(error))
        finally:
            proxy.stop()

    async def close(self) -> None:
        """The proxy has ended: so does what is still under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self.shown.close()


def verdict_of(bisect: LiveBisect) -> Verdict:
    """The verdict, or one that says why there is none; ends the search if it is still under way."""
    bisect.end()
    if bisect.verdict is not None:
        return bisect.verdict
    why = "no two connections failed alike while the proxy was watching"
    return Verdict(reproduced=False, instead=printable(str(bisect.problem)) if bisect.problem else why)


def document_of(bisect: LiveBisect, recorder: Recorder, target: Target, runs: list[Run], verdict: Verdict) -> Document:
    """What came of a live bisect, written down beside its recording."""
    reading = bisect.reading
    about = {"target": str(target), "failure": str(reading.failure) if reading else None}
    recorder.journal.flush()
    document = keep(reading, verdict, runs, target.origin, about, bisect.seconds)
    document.replayed = sum(trial.clients for run in runs[1:] for trial, _ in run.trials)
    return document


async def smaller(bisect: LiveBisect, proxy: Proxy, shown: Shown, options: Options) -> Run | None:
    """The smallest failing exchange of a live verdict, found by replay: the page need not be troubled for it."""
    verdict, reading, beside, target = bisect.verdict, bisect.reading, proxy.recorder, proxy.settings.target
    if verdict is None or reading is None or beside is None or target is None:
        return None
    # A client beside the page would be what some failures are of: two with one id.
    if not verdict.proved or verdict.trigger == "peer" or reading.failure.by == "client" or reading.case.overlaps:
        return None
    path = beside.path.with_name(f"{beside.path.stem}-replayed.jsonl")
    recorder = Recorder(path, target=str(target), mode="bisect", source=f"replay of {beside.path.name}")
    shown.say("and now the smallest exchange that fails, by replay")
    try:
        lab = Lab(
            reading.transcript,
            target,
            reading.failure,
            reading.case,
            recorder,
            budget=SHRINKING,
            survive=options.survive,
            seed=options.seed,
            insecure=options.insecure,
            ca=options.ca,
            progress=shown.shrinks,
        )
        await lab.run(shrink(reading.case, verdict))
        return Run("replayed", path, lab.trials)
    finally:
        recorder.close()


def bisect_live(target: Target | None, listen: tuple[str, int], leave: bool, options: Options) -> int:
    """``hangup bisect --live``: until there is a verdict, or somebody ends it. Gives the exit code."""
    start = options.start
    if target is None:
        if "{port}" not in start:
            raise UsageError("--start: {port} must stand in the command where the port belongs, or a target be given")
        target = Target(False, "127.0.0.1", free_port())
    return asyncio.run(_bisect(target, listen, leave, options, start=start.replace("{port}", str(target.port))))


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
    target: Target,
    listen: tuple[str, int],
    leave: bool,
    options: Options,
    watch: float | None = None,
    start: str = "",
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
    experiment = Experiment(live, settings, options, out)
    proxy = Proxy(
        Settings(
            target=target,
            host=listen[0],
            port=listen[1],
            record=options.record,
            insecure=options.insecure,
            ca=options.ca,
            backend_logs=list(options.backend_logs),
            backend_command=start,
        ),
        on_ready=experiment.ready,
        warn=live.warn,
    )
    try:
        await proxy.serve()
    finally:
        await experiment.close()
    bisect, recorder = experiment.bisect, proxy.recorder
    assert bisect is not None and recorder is not None
    verdict = verdict_of(bisect)
    verdict.seed = options.seed
    runs = [Run("recording", recorder.path, experiment.shown.trials)]
    if experiment.replayed is not None:
        runs.append(experiment.replayed)
    return bisecting_page.present(out, document_of(bisect, recorder, target, runs, verdict), options)
