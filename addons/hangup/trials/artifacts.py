"""After a live bisect: the smallest exchange that fails, by replay, and what is written down of it all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hangup.experiment.document import Document
from hangup.experiment.exchange import Trials, shrink
from hangup.experiment.keeping import Series, keep
from hangup.experiment.search import Verdict
from hangup.experiment.trial import Result, Trial
from hangup.proxy.run import RunningProxy
from hangup.recorder.recorder import Recorder
from hangup.recording.folder import by_product
from hangup.trials.live_runner import LiveRunner
from hangup.trials.replay_runner import Budget, ReplayRunner

SHRINKING = Budget(connections=80, seconds=30.0)
"""What may be used, after a live proof, to find the smallest exchange by replay."""


async def smaller(
    bisect: LiveRunner,
    proxy: RunningProxy,
    *,
    seed: int = 0,
    begins: Callable[[], None] = lambda: None,
    progress: Callable[[Trial, Result], None] = lambda trial, result: None,
) -> Series | None:
    """The smallest failing exchange of a live verdict: the page need not be troubled for it, but the proxy's backend
    must go on. None where replay cannot tell. ``begins`` is called when there is something to do, ``progress`` after
    each trial. Raises :class:`~hangup.errors.HangupError`.
    """
    verdict, reading, beside, target = bisect.verdict, bisect.reading, proxy.recorder, proxy.settings.target
    if verdict is None or reading is None or beside is None or target is None:
        return None
    # A client beside the page would be what some failures are of: two with one id.
    if not verdict.proved or verdict.trigger == "peer" or reading.failure.by == "client" or reading.case.overlaps:
        return None
    path = by_product(beside.path, "replayed.jsonl")
    recorder = Recorder(path, target=str(target), mode="bisect", source=f"replay of {beside.path.name}")
    begins()
    try:
        runner = ReplayRunner(
            reading.transcript,
            target,
            reading.failure,
            reading.case,
            recorder,
            budget=SHRINKING,
            survive=bisect.settings.survive,
            seed=seed,
            insecure=proxy.settings.insecure,
            ca=proxy.settings.ca,
            progress=progress,
        )
        await runner.run(shrink(reading.case, verdict))
        return Series("replayed", path, runner.trials)
    finally:
        recorder.close()


def write(
    bisect: LiveRunner, proxy: RunningProxy, verdict: Verdict, trials: Trials, replayed: Series | None
) -> Document:
    """What came of it, written down beside the proxy's recording. ``trials`` are the page's, ``replayed`` are from
    :func:`smaller`. Reads the recording, so that it may take its time."""
    recorder, target, reading = proxy.recorder, proxy.settings.target, bisect.reading
    assert recorder is not None
    series: Sequence[Series] = [Series("recording", recorder.path, trials), *([replayed] if replayed else [])]
    about = {"target": str(target) if target else None, "failure": str(reading.failure) if reading else None}
    document = keep(reading, verdict, series, target, about, bisect.seconds)
    document.replayed = sum(trial.clients for each in series[1:] for trial, _ in each.trials)
    return document
