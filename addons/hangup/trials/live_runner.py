"""Bisecting a live page: every time that it reconnects is the next trial.

The first connections are watched, unchanged, until two of one client and path have failed alike. From then on each of
its new connections is given the filters of one trial, before its handshake goes on and for this connection only; what
becomes of it goes to the search. One that outlives the failure has survived, and is ended by us, so that the page
reconnects without them: the cause is put back and taken away in turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from msgspec.structs import replace

from hangup.errors import HangupError, RecordingError
from hangup.experiment.costs import RECONNECTING, Costs
from hangup.experiment.evidence import Outcome
from hangup.experiment.failure import derive, judge
from hangup.experiment.margins import Margins
from hangup.experiment.outlook import Outlook, outlook
from hangup.experiment.pacing import failure_in, patience
from hangup.experiment.reading import Reading, read_case
from hangup.experiment.search import BudgetSpent, Search, Verdict, search
from hangup.experiment.trial import Result, Trial
from hangup.filters.filter_set import FilterSet
from hangup.humanize import printable
from hangup.proxy.addon import Hangup
from hangup.recorder.recorder import Recorder
from hangup.recording import events
from hangup.recording.connections import Connection, route_of
from hangup.recording.formats import open_recording
from hangup.trials.live_settings import LiveSettings, Phase, Watcher
from hangup.trials.live_trial import LiveTrial
from hangup.trials.trial_result import result_of
from hangup.trials.trigger import FailureTrigger

logger = logging.getLogger(__name__)

ENDING = 1.0
"""Seconds that a connection has to be over altogether once it has begun to end."""

SHOWN = 300
"""Characters of a trial's filters that the recording's note of it has."""


class LiveRunner:
    """Experiments on the connections of a running proxy. ``on_done`` is called once, in the event loop.

    :meth:`begin` is for the moment when the proxy listens, :meth:`end` for when it stops: then what was learned so far
    is the verdict.
    """

    def __init__(
        self,
        addon: Hangup,
        settings: LiveSettings | None = None,
        watcher: Watcher | None = None,
        on_done: Callable[[], None] = lambda: None,
    ) -> None:
        self.addon = addon
        self.settings = settings or LiveSettings()
        self.watcher = watcher or Watcher()
        self.on_done = on_done
        self.phase = Phase.WATCHING
        self.verdict: Verdict | None = None
        self.reading: Reading | None = None
        self.problem: HangupError | None = None
        self.progress = Verdict()
        """What will be the verdict: its ladder and counts as far as they are."""
        self.trial: tuple[Trial, int] | None = None
        """What is tried just now, and on which connection."""
        self.began = self.ended = 0.0
        """When the trials began and ended, in seconds of the recording."""
        self._recorder: Recorder | None = None
        self._trigger = FailureTrigger(self.settings.failure)
        self._controls: list[Connection] = []
        """Those sighted that are still to be counted: they are the control's first trials."""
        self._margins: Margins | None = None
        self._search: Search[Verdict] | None = None
        self._pending: Trial | None = None
        self._running: LiveTrial | None = None
        self._free = asyncio.Event()
        self._free.set()
        """Whether a new connection may be let through at once: the one before it is not about to be judged."""
        self._used = 0
        self._budget: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def seconds(self) -> float:
        """How long the trials took, so far."""
        if not self.began or self._recorder is None:
            return 0.0
        return (self.ended or self._recorder.now()) - self.began

    @property
    def costs(self) -> Costs | None:
        """What a trial takes; None before the failure has shown."""
        if self._margins is None:
            return None
        return Costs(self._margins.fails_after + RECONNECTING, self._margins.survived + RECONNECTING)

    @property
    def outlook(self) -> Outlook | None:
        """What it would still cost, if all goes as expected; None before the failure has shown, and at the end."""
        costs = self.costs
        if costs is None or self.phase is not Phase.TRYING:
            return None
        return outlook(self.progress, costs, live=True)

    @property
    def coming(self) -> Trial | None:
        """What is tried on the next connection; None while one is under way: it depends on how that one ends."""
        return self._pending

    def begin(self, recorder: Recorder) -> None:
        """Starts to watch."""
        self._recorder = recorder
        recorder.listeners.append(self._event)
        self.addon.filtering.admit = self._admit
        if self.settings.watch is not None:
            self._budget = asyncio.get_running_loop().call_later(self.settings.watch, self.end, "it has not failed")

    def go_on(self, recorder: Recorder, reading: Reading, searching: Search[Verdict]) -> None:
        """The same with a failure that is known, as of a recording: the next connections to its route, of whatever
        client, are the trials of this search."""
        self._recorder = recorder
        self._trigger.route = route_of(reading.transcript.survey.request.target)
        recorder.listeners.append(self._event)
        self.addon.filtering.admit = self._admit
        self._try(reading, searching)

    def end(self, why: str = "interrupted") -> None:
        """Ends it now."""
        if self._search is not None and self.phase is Phase.TRYING:
            self._go_on(BudgetSpent(why))
        self._finish()

    def _spent(self) -> None:
        self.end(f"budget exhausted: {self.settings.seconds:g} seconds")

    # New connections.

    async def _admit(self, conn: int, request: events.Request, client: str) -> FilterSet | None:
        """The filters of a new connection, or None where the proxy's own hold."""
        if self.phase is Phase.DONE or not self._trigger.concerns(request, client):
            return None
        if not self._free.is_set():
            # The page has reconnected before its last connection was quite over, or while the recording is read.
            try:
                async with asyncio.timeout(ENDING + 5):
                    await self._free.wait()
            except TimeoutError:
                return None
        trial = self._pending
        if trial is None or self._running is not None:
            return None
        self._pending = None
        filters = FilterSet([*(e.filter for e in self.addon.filtering.filters.active), *trial.filters])
        self._running = LiveTrial(trial, conn, filters)
        self._used += 1
        assert self._recorder is not None
        text = printable(" + ".join(trial.filters) or "unchanged", SHOWN)
        self._recorder.note(f"bisect: trial {self._used}, {trial.arm}: {text}", conn)
        self.trial = trial, conn
        self.watcher.starts(trial, conn)
        return filters

    # What happens on them.

    def _event(self, event: events.Event) -> None:
        if self.phase is Phase.DONE or not event.conn:
            return
        if isinstance(event, events.Handshake):
            if event.response is not None and event.response.status == 101:
                self._opened(event.conn)
            else:
                self._over(event.conn)
        elif isinstance(event, events.End):
            self._ends(event)
        elif isinstance(event, events.Frame) and event.opcode == "close":
            self._about_to_end(event.conn)

    def _opened(self, conn: int) -> None:
        running = self._running
        if running is not None and running.conn == conn:
            loop = asyncio.get_running_loop()
            running.opened = True
            running.timer = loop.call_later(self._patience(running.trial), self._outlived, running)

    def _about_to_end(self, conn: int) -> None:
        """It has begun to end: whoever connects now waits until it is known how, as its next trial depends on it."""
        running = self._running
        if running is None or running.conn != conn or running.ending is not None:
            return
        self._free.clear()
        running.ending = asyncio.get_running_loop().call_later(ENDING, self._over, conn)

    def _ends(self, event: events.End) -> None:
        running = self._running
        loop = asyncio.get_running_loop()
        if running is None or running.conn != event.conn:
            if self.phase is Phase.WATCHING:
                loop.call_later(0.1, self._over, event.conn)
            return
        running.ends.add(event.side)
        self._about_to_end(event.conn)
        if len(running.ends) == 2:
            # In the next turn of the loop: the account of what led to it is complete then.
            loop.call_soon(self._over, event.conn)

    def _over(self, conn: int) -> None:
        assert self._recorder is not None
        connection = self._recorder.ledger.connections.get(conn)
        if connection is None:
            return
        running = self._running
        if running is not None and running.conn == conn:
            assert self.reading is not None and self._margins is not None
            studied = self.reading.transcript.survey.connection
            failure = failure_in(running.trial, self.reading.case, self._margins.failure)
            result = result_of(running.trial, connection, studied, failure)
            if result.outcome is Outcome.SURVIVED and (connection.ended is None or connection.manner is None):
                # It has not quite ended, or something here ended it before its time.
                result = replace(result, outcome=Outcome.UNRESOLVED)
            if connection.refused and connection.status is None:
                result = replace(result, unreachable=True, untried=result.sentence)
            self._tell(running, replace(result, acted=running.acted))
        elif self.phase is Phase.WATCHING:
            self._sighted(connection)

    def _outlived(self, running: LiveTrial) -> None:
        """It has survived: it is ended, or goes on without the trial's filters."""
        if self._running is not running or running.ending is not None:
            return
        patience = self._patience(running.trial)
        assert self._recorder is not None
        self._recorder.note(f"bisect: it stayed open for {patience:g} s, {running.trial.arm}", running.conn)
        acted = running.acted
        self._relieve(running)
        self._tell(running, Result(Outcome.SURVIVED, patience, running.conn, (
            "it stayed open past the "
            "failure"
        ), acted=acted))

    def _relieve(self, running: LiveTrial) -> None:
        """Ends the connection of a trial, or takes from it what the trial has changed."""
        assert self._recorder is not None
        driver = next((r for r in self.addon.drivers if r.session.conn == running.conn), None)
        if driver is not None and not self.settings.leave:
            driver.close("proxy")
            return
        kept = {e.text for e in self.addon.filtering.filters}
        for entry in list(running.filters):
            if entry.text not in kept:
                running.filters.remove(entry.id, self._recorder.now())
        if driver is not None:
            driver.refresh()

    def _patience(self, trial: Trial) -> float:
        """Until when a trial must live to have survived, in seconds from opening."""
        assert self._margins is not None and self.reading is not None
        return patience(trial, self.reading.case, self._margins.of(trial))

    # The failure shows.

    def _sighted(self, connection: Connection) -> None:
        if self._trigger.shows(connection):
            self.phase = Phase.READING
            self._free.clear()
            task = asyncio.get_running_loop().create_task(self._read())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _read(self) -> None:
        recorder = self._recorder
        assert recorder is not None
        failure = self.settings.failure or derive(self._trigger.alike)
        conn = self._trigger.alike[-1].conn
        try:
            for attempt in range(50):
                recorder.journal.flush()
                await asyncio.sleep(0.02)  # the journal's thread writes
                try:
                    recording = open_recording(str(recorder.path))
                    self.reading = await asyncio.to_thread(read_case, recording, conn, failure, page=True)
                    break
                except HangupError:
                    if attempt == 49:
                        raise
        except HangupError as error:
            self.problem = error
            self._finish()
            return
        except Exception as error:  # a fault of ours must not leave the page waiting
            logger.exception("reading the recording failed")
            self.problem = RecordingError(f"reading the recording failed: {error} (please report it)")
            self._finish()
            return
        if self.phase is not Phase.READING:  # it was ended meanwhile
            return
        assert self.reading is not None
        self._controls = self._trigger.watched(self.reading.failure)
        searching = search(
            self.reading.case,
            live=True,
            given=self.settings.given,
            watch=self.watcher.standing,
            verdict=self.progress,
        )
        self._try(self.reading, searching)

    def _try(self, reading: Reading, searching: Search[Verdict]) -> None:
        assert self._recorder is not None
        self.reading = reading
        self.phase = Phase.TRYING
        self.began = self._recorder.now()
        loop = asyncio.get_running_loop()
        if self._budget is not None:
            self._budget.cancel()
        self._budget = loop.call_later(self.settings.seconds, self._spent)
        self.watcher.begun(reading)
        self._margins = Margins(reading.failure, reading.case.lifetime, self.settings.survive)
        self._search = searching
        self._go_on(None)

    # The search.

    def _tell(self, running: LiveTrial, result: Result) -> None:
        for timer in (running.timer, running.ending):
            if timer is not None:
                timer.cancel()
        self._running = self.trial = None
        if self._margins is not None:
            self._margins.learn(running.trial, result)
        self.watcher.tried(running.trial, result)
        self._go_on(result)

    def _go_on(self, result: Result | BudgetSpent | None) -> None:
        """Gets the next trial from the search; controls are answered from what was watched while there is any."""
        assert self._search is not None and self.reading is not None
        try:
            while True:
                if isinstance(result, BudgetSpent):
                    trial = self._search.throw(result)
                    result = None
                else:
                    trial = next(self._search) if result is None else self._search.send(result)
                if trial.arm == "control" and self._controls:
                    result = self._watched(trial)
                    continue
                if self._used >= self.settings.connections:
                    result = BudgetSpent(f"budget exhausted: {self.settings.connections} connections")
                    continue
                break
        except StopIteration as stop:
            self.verdict = stop.value
            self._finish()
            return
        self._pending = trial
        self._free.set()

    def _watched(self, trial: Trial) -> Result:
        assert self.reading is not None
        connection = self._controls.pop(0)
        outcome = judge(connection, self.reading.failure)
        result = Result(outcome, connection.lifetime, connection.conn, connection.ending.sentence)
        if self._margins is not None:
            self._margins.learn(trial, result)
        self.watcher.tried(trial, result)
        return result

    def _finish(self) -> None:
        if self.phase is Phase.DONE:
            return
        self.phase = Phase.DONE
        if self._recorder is None:  # it never began
            return
        self.ended = self._recorder.now()
        if self._budget is not None:
            self._budget.cancel()
        self.addon.filtering.admit = None
        # A new list: this may be called while the old one is gone through.
        self._recorder.listeners = [each for each in self._recorder.listeners if each != self._event]
        running, self._pending, self._running, self.trial = self._running, None, None, None
        if running is not None and not self._recorder.closed:
            self._relieve(running)  # else what was tried last would stay on for as long as it lives
        self._free.set()
        if self.verdict is not None and not self._recorder.closed:
            proved = "proved" if self.verdict.proved else "not proved"
            self._recorder.note(f"bisect: {self.verdict.verdict}, {proved}: {self.verdict.claim}")
        if not self._recorder.closed:
            self.on_done()
