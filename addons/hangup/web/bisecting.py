"""The page's live bisects: started and stopped in the running proxy, watched, and what they yield.

::

    GET  api/bisect             how it goes, as :func:`state` tells it; also of one that `--bisect` began
    POST api/bisect/start       {"fails_when": TEXT, "filters": [TEXT], "connections": N, "seconds": S, "survive": S,
                                "leave": true}, of which all may be left out
    POST api/bisect/stop        {}
    GET  api/bisect/reproducer  a program that shows the failure
    GET  api/bisect/markdown    the verdict for an issue
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from hangup.errors import ControlError, HangupError
from hangup.experiment import failure as failures
from hangup.experiment.document import headline
from hangup.experiment.script import reproducer
from hangup.experiment.search import Tried
from hangup.experiment.trial import Result, Trial
from hangup.filters.text import parse as parse_filter
from hangup.proxy.bench import Bench, Run
from hangup.proxy.live_bisect import Settings
from hangup.proxy.run import Proxy
from hangup.web.control import refuse_code
from hangup.web.server import JsonHandler, Route
from hangup.wire.url import Target


class Start(Struct, forbid_unknown_fields=True):
    """What is asked for; see :class:`~hangup.proxy.live_bisect.Settings`."""

    fails_when: str = ""
    filters: list[str] = []
    connections: Annotated[int, Meta(ge=1, le=10_000)] = 60
    seconds: Annotated[float, Meta(gt=0, le=86_400)] = 600.0
    survive: Annotated[float, Meta(ge=0, le=3_600)] | None = None
    leave: bool = False

    def settings(self) -> Settings:
        """Raises :class:`HangupError` for a failure or a filter that is not understood."""
        return Settings(
            failure=failures.parse(self.fails_when) if self.fails_when.strip() else None,
            given=tuple(str(parse_filter(text)) for text in self.filters if text.strip()),
            connections=self.connections,
            seconds=self.seconds,
            survive=self.survive,
            leave=self.leave,
        )


def state(bench: Bench, **about: object) -> dict[str, Any]:
    """How the latest bisect goes, for the page; ``about`` goes into the verdict's document."""
    run = bench.run
    if run is None:
        return {"phase": bench.phase}
    bisect, verdict, settings = run.bisect, run.verdict, run.settings
    document = run.document(**about, failure=str(run.failure) if run.failure else None)
    return {
        "phase": bench.phase,
        "changes": run.changes,
        "looking_for": str(run.failure) if run.failure else None,
        "conn": bisect.reading.transcript.conn if bisect.reading else None,
        "why": _why(run),
        "ladder": [_rung(tried) for tried in verdict.ladder],
        "standing": [[name, round(weight, 4)] for name, weight in run.ranking],
        "trials": [_trial(number, *each) for number, each in enumerate(run.trials, 1)],
        "trial": _current(run),
        "connections": verdict.connections,
        "seconds": round(bisect.seconds, 3),
        "budget": {"connections": settings.connections, "seconds": settings.seconds},
        "counts": {"with": verdict.cause.pair(), "without": verdict.without.pair()},
        "cure": verdict.cure or None,
        "headline": headline(verdict) if run.over else None,
        "claim": verdict.claim if run.over and verdict.without.n else None,
        "verdict": document.summary() if run.over else None,
        "markdown": document.markdown() if run.over else None,
        "problem": str(bisect.problem) if bisect.problem else None,
        "reproducer": _reproducible(run),
    }


def _why(run: Run) -> dict[str, Any] | None:
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


def _current(run: Run) -> dict[str, Any] | None:
    if run.bisect.trial is None:
        return None
    trial, conn = run.bisect.trial
    return {"arm": trial.arm, "filters": list(trial.filters), "conn": conn}


def _reproducible(run: Run) -> bool:
    """A replay plays the client: what the client itself ends it cannot show."""
    reading = run.bisect.reading
    return run.over and reading is not None and reading.failure.by != "client" and run.verdict.reproduced


def script(run: Run, target: Target) -> str:
    """The program that shows the failure, by replay of what the client said."""
    reading = run.bisect.reading
    assert reading is not None
    request = reading.transcript.survey.request
    wait = (reading.failure.within or reading.case.lifetime) + 1
    return reproducer(reading.case, run.verdict, request, target.origin + request.target, wait)


class _Handler(JsonHandler):
    def initialize(self, bench: Bench, target: Target | None) -> None:
        self.bench = bench
        self.target = target

    def show(self) -> None:
        """Answers with the state."""
        self.give(state(self.bench, target=str(self.target) if self.target else None))


class _State(_Handler):
    def get(self) -> None:
        self.show()


class _Start(_Handler):
    def post(self) -> None:
        try:
            asked = self.body(Start)
            for text in () if self.has_token else asked.filters:
                refuse_code(text)
            settings = asked.settings()
            self.bench.start(self.control.recorder, settings)
        except ControlError as error:
            self.fail(409, str(error))
        except HangupError as error:
            self.fail(400, str(error))
        else:
            self.show()


class _Stop(_Handler):
    def post(self) -> None:
        self.bench.stop()
        self.show()


class _Download(_Handler):
    def get(self) -> None:
        run = self.bench.run
        if run is None or not _reproducible(run) or self.target is None:
            self.fail(404, "there is no verdict that a program could show")
            return
        self.set_header("Content-Type", "text/x-python; charset=utf-8")
        self.set_header("Content-Disposition", 'attachment; filename="reproduce.py"')
        self.finish(script(run, self.target))


class _Markdown(_Handler):
    def get(self) -> None:
        run = self.bench.run
        if run is None or not run.over:
            self.fail(404, "there is no verdict yet")
            return
        self.set_header("Content-Type", "text/markdown; charset=utf-8")
        self.set_header("Content-Disposition", 'attachment; filename="verdict.md"')
        self.finish(run.document().markdown())


def routes(proxy: Proxy) -> list[Route]:
    """The routes, for one proxy."""
    arguments = {"bench": proxy.bench, "target": proxy.settings.target}
    return [
        ("api/bisect", _State, arguments),
        ("api/bisect/start", _Start, arguments),
        ("api/bisect/stop", _Stop, arguments),
        ("api/bisect/reproducer", _Download, arguments),
        ("api/bisect/markdown", _Markdown, arguments),
    ]
