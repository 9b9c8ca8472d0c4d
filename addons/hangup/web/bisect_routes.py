"""The page's live bisects: started and stopped in the running proxy, watched, and what they yield.

::

    GET  api/bisect             how it goes, as :func:`state` tells it; also of one that `--bisect` began
    POST api/bisect/start       {"fails_when": TEXT, "filters": [TEXT], "connections": N, "seconds": S, "survive": S,
                                "leave": true}, of which all may be left out
    POST api/bisect/stop        {}
    GET  api/bisect/markdown    the verdict for an issue
    GET  api/bisect/reproducer  a program that shows the failure
    GET  api/bisect/minimal     the smallest failing exchange as a recording
    GET  api/bisect/survives    the nearest to it that does not fail

After the verdict the smallest exchange is looked for by replay, and all of it is written down beside the recording:
as it was, secrets included, for this machine. What is downloaded or copied has placeholders for them.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from hangup.errors import ControlError, HangupError
from hangup.experiment import failure as failures
from hangup.experiment.document import Document
from hangup.experiment.keeping import TO_SHARE
from hangup.experiment.search import Tried
from hangup.experiment.trial import Result, Trial
from hangup.filters.text import parse as parse_filter
from hangup.proxy.run import RunningProxy
from hangup.recording.events import encoder
from hangup.recording.formats import open_recording
from hangup.recording.redaction.redactor import Redactor
from hangup.trials.artifacts import smaller, write
from hangup.trials.live_runs import LiveRun, LiveRuns, live_runs_of
from hangup.trials.live_settings import LiveSettings
from hangup.web.control import refuse_code
from hangup.web.server import JsonHandler, Route

logger = logging.getLogger(__name__)


class Start(Struct, forbid_unknown_fields=True):
    """What is asked for; see :class:`~hangup.trials.live_settings.LiveSettings`."""

    fails_when: str = ""
    filters: list[str] = []
    connections: Annotated[int, Meta(ge=1, le=10_000)] = 60
    seconds: Annotated[float, Meta(gt=0, le=86_400)] = 600.0
    survive: Annotated[float, Meta(ge=0, le=3_600)] | None = None
    leave: bool = False

    def settings(self) -> LiveSettings:
        """Raises :class:`HangupError` for a failure or a filter that is not understood."""
        return LiveSettings(
            failure=failures.parse(self.fails_when) if self.fails_when.strip() else None,
            given=tuple(str(parse_filter(text)) for text in self.filters if text.strip()),
            connections=self.connections,
            seconds=self.seconds,
            survive=self.survive,
            leave=self.leave,
        )


def state(runs: LiveRuns) -> dict[str, Any]:
    """How the latest bisect goes, for the page."""
    run = runs.run
    if run is None:
        return {"phase": runs.phase}
    bisect, verdict, settings = run.bisect, run.verdict, run.settings
    document = run.document()
    return {
        "phase": runs.phase,
        "changes": run.changes,
        "looking_for": str(run.failure) if run.failure else None,
        "conn": bisect.reading.transcript.conn if bisect.reading else None,
        "why": _why(run),
        "ladder": [_rung(tried) for tried in verdict.ladder],
        "standing": [[name, round(weight, 4)] for name, weight in run.ranking],
        "trials": [_trial(number, *each) for number, each in enumerate(run.trials, 1)],
        "trial": _current(run),
        "next": _next(run),
        "left": _left(run),
        "connections": verdict.connections,
        "seconds": round(bisect.seconds, 3),
        "budget": {"connections": settings.connections, "seconds": settings.seconds},
        "counts": {"with": verdict.cause.pair(), "without": verdict.without.pair()},
        "cure": verdict.cure or None,
        "headline": document.headline if run.over else None,
        "claim": verdict.claim if run.over and verdict.without.n else None,
        "verdict": document.summary() if run.over else None,
        "markdown": document.markdown() if run.over and run.vault is not None else None,
        "problem": str(bisect.problem) if bisect.problem else None,
        "problems": document.problems,
        "busy": run.busy or None,
        "folder": str(Path(document.recording).parent) if document.recording else None,
        "downloads": [name for name in DOWNLOADS if DOWNLOADS[name].path(document)],
    }


def _why(run: LiveRun) -> dict[str, Any] | None:
    """What reading the recording alone makes of it."""
    reading = run.bisect.reading
    if reading is None:
        return None
    report = reading.report
    return {"verdict": report.verdict, "confidence": round(report.confidence, 4), "sentence": report.sentence}


def _rung(tried: Tried) -> dict[str, Any]:
    return tried.summary() | {"survived": tried.counts.survived}


def _trial(number: int, trial: Trial, result: Result) -> dict[str, Any]:
    return {
        "number": number,
        "arm": trial.arm,
        "filters": list(trial.filters),
        "conn": result.conn,
        "outcome": result.outcome.value,
        "lifetime": result.lifetime,
        "sentence": result.sentence,
    }


def _current(run: LiveRun) -> dict[str, Any] | None:
    if run.bisect.trial is None:
        return None
    trial, conn = run.bisect.trial
    return {"arm": trial.arm, "filters": list(trial.filters), "conn": conn}


def _next(run: LiveRun) -> dict[str, Any] | None:
    trial = run.bisect.coming
    return {"arm": trial.arm, "filters": list(trial.filters)} if trial is not None else None


def _left(run: LiveRun) -> dict[str, Any] | None:
    """What it would still cost, if all goes as expected."""
    found = run.bisect.outlook
    if found is None:
        return None
    return {"steps": list(found.steps), "connections": found.trials, "seconds": round(found.seconds, 3)}


class Download(Struct, frozen=True):
    """A file that is written after the verdict: which of the document's, and as what it is sent."""

    keys: tuple[str, ...]
    name: str
    type: str

    def path(self, document: Document) -> str:
        """Where it is; empty when there is none."""
        return next((document.files[key] for key in self.keys if key in document.files), "")

    def data(self, path: str) -> bytes:
        """What is sent of the file, without its secrets. Raises OSError, and :class:`HangupError` for a recording that
        cannot be read."""
        return _redacted(path) if path.endswith(".jsonl") else Path(path).read_bytes()


DOWNLOADS = {
    "reproducer": Download((TO_SHARE,), "reproduce.py", "text/x-python; charset=utf-8"),
    "minimal": Download(("minimal", "failing"), "minimal.jsonl", "application/x-ndjson"),
    "survives": Download(("survives",), "survives.jsonl", "application/x-ndjson"),
}


def _redacted(path: str) -> bytes:
    recording = open_recording(path)
    redactor = Redactor()
    redactor.learn(recording, recording.header)
    events = redactor.events(recording)
    return b"".join(encoder.encode(each) + b"\n" for each in (redactor.header(recording.header), *events))


class Bisects:
    """The bisects of one proxy, and what follows each."""

    def __init__(self, proxy: RunningProxy) -> None:
        self.runs = live_runs_of(proxy.addon)
        self._proxy = proxy
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, settings: LiveSettings) -> None:
        """Raises :class:`ControlError` while another one goes on."""
        recorder = self._proxy.recorder
        assert recorder is not None

        def done() -> None:
            task = asyncio.get_running_loop().create_task(self._follow(run))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        run = self.runs.start(recorder, settings, on_done=done)

    async def close(self) -> None:
        """The proxy ends, and with it what is still under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _follow(self, run: LiveRun) -> None:
        count = 0

        def begins() -> None:
            run.tell("looking for the smallest exchange that fails, by replay")

        def progress(trial: Trial, result: Result) -> None:
            nonlocal count
            count += 1
            run.tell(f"looking for the smallest exchange that fails, by replay: {count} trials")

        replayed, problems = None, []
        await run.learn()
        try:
            replayed = await smaller(run.bisect, self._proxy, begins=begins, progress=progress)
        except HangupError as error:  # the backend is gone, say: the verdict holds all the same
            problems.append(str(error))
        except Exception as error:  # a fault of ours
            logger.exception("the replay failed")
            problems.append(f"the replay failed: {error!r} (please report it)")
        run.tell("saving the result")
        document = run.document()
        try:
            assert self._proxy.recorder is not None
            self._proxy.recorder.journal.flush()
            document = await asyncio.to_thread(write, run.bisect, self._proxy, run.verdict, run.trials, replayed)
        except HangupError as error:
            problems.append(str(error))
        finally:
            document.problems += problems
            run.keep(document)
            run.tell("")


class _Handler(JsonHandler):
    def initialize(self, bisects: Bisects) -> None:
        self.bisects = bisects
        self.runs = bisects.runs

    def attach(self, name: str, kind: str, data: bytes) -> None:
        """Answers with a file."""
        self.set_header("Content-Type", kind)
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        self.finish(data)


class _StateHandler(_Handler):
    def get(self) -> None:
        self.give(state(self.runs))


class _Start(_Handler):
    def post(self) -> None:
        try:
            asked = self.body(Start)
            for text in () if self.has_token else asked.filters:
                refuse_code(text)
            self.bisects.start(asked.settings())
        except ControlError as error:
            self.fail(409, str(error))
        except HangupError as error:
            self.fail(400, str(error))
        else:
            self.give(state(self.runs))


class _Stop(_Handler):
    def post(self) -> None:
        self.runs.stop()
        self.give(state(self.runs))


class _Download(_Handler):
    async def get(self, name: str) -> None:
        run = self.runs.run
        download = DOWNLOADS[name]
        path = download.path(run.document()) if run is not None else ""
        try:
            data = await asyncio.to_thread(download.data, path) if path else None
        except (OSError, HangupError):
            data = None
        if data is None:
            self.fail(404, "there is no such file: there is no verdict yet, or it has nothing to put there")
        else:
            self.attach(download.name, download.type, data)


class _Markdown(_Handler):
    def get(self) -> None:
        run = self.runs.run
        if run is None or not run.over or run.vault is None:
            self.fail(404, "there is no verdict yet")
        else:
            self.attach("verdict.md", "text/markdown; charset=utf-8", run.document().markdown().encode())


def routes(proxy: RunningProxy) -> list[Route]:
    """The routes, for one proxy; to be called in its event loop."""
    bisects = Bisects(proxy)
    proxy.exits.push_async_callback(bisects.close)
    arguments = {"bisects": bisects}
    return [
        ("api/bisect", _StateHandler, arguments),
        ("api/bisect/start", _Start, arguments),
        ("api/bisect/stop", _Stop, arguments),
        ("api/bisect/markdown", _Markdown, arguments),
        (f"api/bisect/({'|'.join(DOWNLOADS)})", _Download, arguments),
    ]
