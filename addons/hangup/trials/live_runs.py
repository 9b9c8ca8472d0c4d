"""The live bisects of a running proxy: started at any time, one after the other, and looked at while they go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hangup.errors import ControlError
from hangup.experiment.document import Document
from hangup.experiment.failure import Failure
from hangup.experiment.keeping import introduce
from hangup.experiment.reading import Reading
from hangup.experiment.search import Verdict
from hangup.experiment.sharing import vault_of
from hangup.experiment.trial import Result, Trial
from hangup.proxy.addon import Hangup
from hangup.recorder.recorder import Recorder
from hangup.recording.redaction.placeholders import Vault
from hangup.trials.live_runner import LiveRunner
from hangup.trials.live_settings import LiveSettings, Phase, Watcher

NEVER_FAILED = "no two connections failed alike while the proxy was watching"


class LiveRun(Watcher):
    """One live bisect, and what it has said so far. ``also`` is told the same."""

    def __init__(
        self, addon: Hangup, settings: LiveSettings, also: Watcher | None, on_done: Callable[[], None]
    ) -> None:
        self.settings = settings
        self.trials: list[tuple[Trial, Result]] = []
        self.ranking: list[tuple[str, float]] = []
        """The explanations that stand, the most probable first."""
        self.changes = 0
        """Is raised with every change."""
        self.busy = ""
        """What is still done after the verdict, in words."""
        self.kept: Document | None = None
        """What was written down of it, once it was."""
        self.vault: Vault | None = None
        """Knows the secrets of the exchange, once it is over: before that nothing of it is for others."""
        self._also = also or Watcher()
        self._on_done = on_done
        self.bisect = LiveRunner(addon, settings, self, self._done)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.bisect.phase is Phase.DONE

    @property
    def failure(self) -> Failure | None:
        """What is looked for, once that is known."""
        reading = self.bisect.reading
        return reading.failure if reading is not None else self.settings.failure

    @property
    def verdict(self) -> Verdict:
        """The verdict, or before there is one the beginnings of it."""
        bisect = self.bisect
        if bisect.verdict is None and self.over:
            return Verdict(reproduced=False, instead=str(bisect.problem or NEVER_FAILED))
        return bisect.verdict or bisect.progress

    def document(self) -> Document:
        """The verdict as a document, before anything is written down."""
        if self.kept is not None:
            return self.kept
        document = Document(verdict=self.verdict, seconds=self.bisect.seconds, vault=self.vault or Vault())
        if (reading := self.bisect.reading) is not None:
            recording = reading.transcript.recording
            document.about = {"target": recording.header.target or None, "recording": str(recording.path or "")}
            introduce(document, reading)
        return document

    async def learn(self) -> None:
        """Meets the secrets of the exchange, of which there may be so many that it is done beside the event loop."""
        self.vault = await asyncio.to_thread(vault_of, self.bisect.reading)
        self.changes += 1

    def tell(self, busy: str) -> None:
        """What is still done; empty when nothing is."""
        self.busy = busy
        self.changes += 1

    def keep(self, document: Document) -> None:
        """It has been written down."""
        self.kept = document
        self.changes += 1

    def begun(self, reading: Reading) -> None:
        """The failure has shown."""
        self.changes += 1
        self._also.begun(reading)

    def starts(self, trial: Trial, conn: int) -> None:
        """A connection has become a trial."""
        self.changes += 1
        self._also.starts(trial, conn)

    def tried(self, trial: Trial, result: Result) -> None:
        """A trial is over."""
        self.trials.append((trial, result))
        self.changes += 1
        self._also.tried(trial, result)

    def standing(self, standing: list[tuple[str, float]]) -> None:
        """How probable each explanation is by now."""
        self.ranking = standing
        self.changes += 1
        self._also.standing(standing)

    def _done(self) -> None:
        self.ranking = self.verdict.standing or self.ranking
        self.changes += 1
        self._on_done()


class LiveRuns:
    """Where live bisects are run, one at a time; ``run`` is the latest, which stays when it is over."""

    def __init__(self, addon: Hangup) -> None:
        self._addon = addon
        self.run: LiveRun | None = None

    @property
    def phase(self) -> str:
        """``idle`` before the first, else the latest's."""
        return "idle" if self.run is None else self.run.bisect.phase.value

    def start(
        self,
        recorder: Recorder,
        settings: LiveSettings | None = None,
        watcher: Watcher | None = None,
        on_done: Callable[[], None] = lambda: None,
    ) -> LiveRun:
        """Starts to watch. Raises :class:`ControlError` while another one goes on, or when the proxy is about to stop.

        ``on_done`` is called once, in the event loop, when it is over.
        """
        if recorder.closed:
            raise ControlError("the proxy is about to stop")
        if self.run is not None and not self.run.over:
            raise ControlError("a bisect is running: stop it first")
        self.run = LiveRun(self._addon, settings or LiveSettings(), watcher, on_done)
        self.run.bisect.begin(recorder)
        return self.run

    def stop(self) -> None:
        """Ends the one that goes on, if any; what it has learned is its verdict."""
        if self.run is not None:
            self.run.bisect.end("stopped")


def live_runs_of(addon: Hangup) -> LiveRuns:
    """Those of a running proxy, made for whoever asks first."""
    if addon.experiments is None:
        addon.experiments = LiveRuns(addon)
    runs = addon.experiments
    assert isinstance(runs, LiveRuns)
    return runs
