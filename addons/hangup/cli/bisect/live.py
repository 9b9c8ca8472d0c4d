"""``hangup bisect --live`` and ``hangup proxy --bisect``: the trials are the page's own connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import ExitStack

from rich.console import Console
from rich.text import Text

from hangup.cli.bisect import verdict_page
from hangup.cli.bisect.options import Interruptions, Options
from hangup.cli.bisect.progress import Lines, reporting, showing
from hangup.cli.incomplete import exit_code
from hangup.cli.proxy.live import Live
from hangup.cli.screen import Screen, console, tell
from hangup.errors import HangupError, UsageError
from hangup.experiment.document import Document
from hangup.experiment.keeping import Series
from hangup.experiment.outlook import Outlook
from hangup.experiment.reading import Reading, read_case
from hangup.experiment.search import Verdict
from hangup.experiment.trial import Result, Trial
from hangup.humanize import duration, printable
from hangup.processes.tshark import open_recording
from hangup.proxy.run import ProxySettings, RunningProxy
from hangup.recorder.recorder import Recorder
from hangup.replay.playlist import Playlist
from hangup.replay.server import ReplayServer
from hangup.replay.server_connection import ServerSettings
from hangup.trials.artifacts import smaller, write
from hangup.trials.check import free_port
from hangup.trials.live_runner import LiveRunner
from hangup.trials.live_runs import NEVER_FAILED, live_runs_of
from hangup.trials.live_settings import LiveSettings, Watcher
from hangup.wire.url import Target

logger = logging.getLogger(__name__)


class Shown(Watcher):
    """Says how it goes, in lines with ``plain``, as others print there too. ``bisect`` is set once there is one."""

    def __init__(self, console: Console, plain: bool = False) -> None:
        self.console = console
        self.plain = plain
        self.bisect: LiveRunner | None = None
        self.trials: list[tuple[Trial, Result]] = []
        self._stack = ExitStack()
        self._lines: Lines | None = None

    def begun(self, reading: Reading) -> None:
        """The failure has shown."""
        self.console.print(Text(f"\nlooking for: {reading.failure}", "bold"))
        self.console.print(Text("every reconnect is the next trial\n", "dim"))
        self.console.file.flush()
        growing = self.bisect.progress if self.bisect is not None else Verdict()
        lines = Lines(self.console, growing) if self.plain else showing(self.console, growing)
        lines.outlook = self._outlook
        self._lines = self._stack.enter_context(lines)

    def _outlook(self) -> Outlook | None:
        return self.bisect.outlook if self.bisect is not None else None

    def tried(self, trial: Trial, result: Result) -> None:
        """A trial is over."""
        self.trials.append((trial, result))
        if self._lines is not None:
            self._lines.tried(trial, result)

    def say(self, text: str) -> None:
        """A remark between the trials."""
        if self._lines is not None:
            self._lines.remark(text)

    def stands(self, seconds: float) -> None:
        """How it stands after so many seconds."""
        if self._lines is not None:
            self._lines.stands(seconds)
        else:
            waits = "waiting for two connections that fail alike; Ctrl-C stops"
            self.console.print(Text(f"after {duration(seconds)}: {waits}", "dim"))
            self.console.file.flush()

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
    """A live bisect on a proxy, and after it the smallest exchange: while the proxy and its backend go on."""

    def __init__(self, console: Console, settings: LiveSettings | None = None, seed: int = 0) -> None:
        self.settings = settings or LiveSettings()
        self.seed = seed
        self.shown = Shown(console)
        self.replayed: Series | None = None
        self._proxy: RunningProxy | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, proxy: RunningProxy, on_done: Callable[[], None]) -> None:
        """The proxy listens. ``on_done`` is called once, in its event loop, when all is over."""
        assert proxy.recorder is not None

        def done() -> None:
            self._task = asyncio.get_running_loop().create_task(self._shrink(on_done))

        self._proxy = proxy
        self.shown.bisect = live_runs_of(proxy.addon).start(proxy.recorder, self.settings, self.shown, done).bisect

    @property
    def bisect(self) -> LiveRunner:
        """The search; there is one once it has begun."""
        assert self.shown.bisect is not None
        return self.shown.bisect

    async def _shrink(self, on_done: Callable[[], None]) -> None:
        try:
            assert self._proxy is not None
            if (run := live_runs_of(self._proxy.addon).run) is not None:
                await run.learn()
            self.replayed = await smaller(
                self.bisect,
                self._proxy,
                seed=self.seed,
                begins=lambda: self.shown.say("now looking for the smallest exchange that fails, by replay"),
                progress=self.shown.shrinks,
            )
        except HangupError as error:
            tell(str(error))
        except Exception as error:  # a fault of ours: the proof holds without it
            logger.exception("looking for the smallest exchange failed")
            tell(f"the smallest exchange was not found: {error!r} (please report it)")
        finally:
            self.shown.close()
            on_done()

    async def close(self) -> None:
        """The proxy has ended: so does what is still under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self.shown.close()

    def verdict(self) -> Verdict:
        """The verdict, or one that says why there is none; ends the search if it is still under way."""
        bisect = self.bisect
        bisect.end()
        if bisect.verdict is not None:
            bisect.verdict.seed = self.seed
            return bisect.verdict
        return Verdict(reproduced=False, instead=printable(str(bisect.problem or NEVER_FAILED)), seed=self.seed)

    def document(self) -> Document:
        """What came of it, written down beside the proxy's recording."""
        assert self._proxy is not None
        document = write(self.bisect, self._proxy, self.verdict(), self.shown.trials, self.replayed)
        if (run := live_runs_of(self._proxy.addon).run) is not None and run.bisect is self.bisect:
            run.keep(document)
        return document


def bisect_live(target: Target | None, listen: tuple[str, int], leave: bool, options: Options) -> int:
    """``hangup bisect --live``: until there is a verdict, or somebody ends it. Gives the exit code."""
    start = options.start
    if target is None:
        if "{port}" not in start:
            raise UsageError("--start: put {port} into the command where the port belongs, or give a target")
        target = Target(False, "127.0.0.1", free_port())
    return asyncio.run(_bisect(target, listen, leave, options, start=start.replace("{port}", str(target.port))))


def bisect_served(recording: str, conn: int | None, listen: tuple[str, int], leave: bool, options: Options) -> int:
    """``hangup bisect RECORDING --serve``: the same, with the recorded server in the backend's place. It never hangs
    up, so that what still ends is the page's doing."""
    return asyncio.run(_served(recording, conn, listen, leave, options))


async def _served(recording: str, conn: int | None, listen: tuple[str, int], leave: bool, options: Options) -> int:
    source = open_recording(recording)
    reading = read_case(source, conn, options.failure, page=True)
    playlist = Playlist(source, reading.transcript.conn)
    recorder = Recorder(options.record, target="recorded", mode="serve", source=f"serve of {recording}", on_loss=tell)
    try:
        server = ReplayServer(playlist, recorder, ServerSettings(stay_open=True))
        async with server.listening("127.0.0.1", 0) as (host, port):
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
    live = Live(quiet=True, console=Screen(stderr=options.quiet, highlight=False, soft_wrap=True))
    settings = LiveSettings(
        failure=options.failure,
        given=options.given,
        connections=options.connections or 60,
        seconds=options.seconds,
        watch=watch or options.seconds,
        survive=options.survive,
        leave=leave,
    )
    experiment = Experiment(out, settings, options.seed)

    def ready(proxy: RunningProxy) -> None:
        interruptions.install()
        live.ready(proxy)
        experiment.begin(proxy, proxy.stop)

    proxy = RunningProxy(
        ProxySettings(
            target=target,
            host=listen[0],
            port=listen[1],
            record=options.record,
            insecure=options.insecure,
            ca=options.ca,
            backend_logs=list(options.backend_logs),
            backend_command=start,
        ),
        on_ready=ready,
        warn=live.warn,
    )
    with Interruptions(proxy.stop) as interruptions:
        try:
            async with reporting(experiment.shown.stands):
                await proxy.serve()
        finally:
            interruptions.install()  # the proxy has given them back
            await experiment.close()
        return exit_code(proxy.recorder, verdict_page.present(out, experiment.document(), options), live.warn)
