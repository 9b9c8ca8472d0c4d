"""What ``hangup replay`` does."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from secrets import randbits
from typing import Any

import click

from hangup.cli import replay_view
from hangup.cli.incomplete import exit_code
from hangup.cli.probe import parse_header
from hangup.cli.replay_view import ServerComparison
from hangup.cli.screen import console, tell
from hangup.cli.sources import Source, opened
from hangup.cli.targets import read_target, remark
from hangup.errors import RecordingError, UsageError
from hangup.filters.filter_set import FilterSet
from hangup.humanize import plural
from hangup.processes.ending import on_ending
from hangup.processes.tshark import open_recording
from hangup.recorder.recorder import Recorder
from hangup.recording.diff import collect, compare_messages
from hangup.recording.fates import choose
from hangup.recording.ledger import Ledger
from hangup.replay.all_clients import play_all
from hangup.replay.client_settings import ReplaySettings
from hangup.replay.outcome import ReplayOutcome
from hangup.replayable.client_script import Transcript
from hangup.wire.url import Target

COMPARED = 5000
"""So many messages of the server are compared."""


def carry_out(
    recording: str,
    target: str | None,
    conn: int | None,
    everything: bool,
    headers: tuple[str, ...],
    filters: tuple[str, ...],
    path: str | None,
    speed: float,
    pace: Any,
    record: Path,
    show_correlations: bool,
    sets: tuple[str, ...],
    no_correlate: bool,
    insecure: bool,
    ca: Path | None,
    timeout: float,
    patience: float,
    survive: float | None,
    as_json: bool,
) -> None:
    """Plays the recorded client, says how that differs from the recording, and exits with the code for it."""
    if conn is not None and everything:
        raise UsageError("use either --conn or --all, not both")
    if target is None and not show_correlations:
        raise UsageError("give a target, for instance: hangup replay run.jsonl ws://localhost:8000")
    where = read_target(target, path) if target is not None else None
    seed = randbits(32)
    settings = ReplaySettings(
        headers=[parse_header(header) for header in headers],
        pace=pace,
        speed=speed,
        patience=patience,
        survive=survive,
        timeout=timeout,
        insecure=insecure,
        ca=ca,
        correlate=not no_correlate,
        sets=dict(parse_set(each) for each in sets),
        seed=seed,
    )
    chosen = FilterSet(filters)
    with opened(recording) as source:
        transcripts = _transcripts(source, conn, everything, settings)
        source.confess()
        _remark(source, transcripts, chosen)
        if show_correlations and (where is None or not as_json):
            replay_view.correlations(console(), transcripts, as_json=as_json)
        if where is None:
            return
        for transcript in transcripts[:1]:
            remark(where, transcript.survey.request.target)
        out = console(stderr=True) if as_json else console()
        run = _Run(source, transcripts, where, settings, chosen, record, out)
        try:
            outcomes = asyncio.run(run.play())
        except asyncio.CancelledError:
            sys.exit(128 + signal.SIGTERM)
        said = _compare(source, run.path, outcomes)
        if as_json:
            click.echo(json.dumps(_document(run, outcomes, said), indent=2))
        else:
            replay_view.show(out, outcomes, said, recording, run.path)
    sys.exit(exit_code(run.recorder, 0 if all(outcome.same for outcome in outcomes) else 1))


def parse_set(text: str) -> tuple[str, str]:
    """``NAME=VALUE``; raises :class:`UsageError`."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--set {text!r}: write NAME=VALUE")
    return name.strip(), value


def _transcripts(source: Source, conn: int | None, everything: bool, settings: ReplaySettings) -> list[Transcript]:
    """The clients to play."""
    conns: list[int]
    if conn is not None:
        conns = [conn]
    else:
        ledger = Ledger()
        for event in source.events("looking for what failed"):
            ledger.feed(event)
        chosen = choose(ledger)
        if chosen is None:
            raise RecordingError(f"{source.name} has no WebSocket connection")
        conns = list(ledger.connections) if everything else [chosen.conn]
    found = [Transcript(source.recording, each, correlate=settings.correlate) for each in conns]
    names = {each.name for transcript in found for each in transcript.survey.correlations}
    given = {name for transcript in found for name in transcript.survey.asked_with}
    for name in settings.sets:
        if name not in names | given:
            known = ", ".join(sorted(names | given)) or "none"
            raise UsageError(f"--set {name}: there is no such value; known values: {known}")
    return found


def _remark(source: Source, transcripts: Sequence[Transcript], filters: FilterSet) -> None:
    """What a person should know of the recording before it is played."""
    acted = [each for each in transcripts if each.survey.filters]
    if acted and not len(filters):
        recorded = "; ".join(source.header.filters[:3])
        which = f" ({recorded})" if recorded else ""
        tell(f"filters changed the recorded traffic{which}: this replay goes without them, as no --filter is given")
    if "redacted:" in source.header.note:
        tell("the recording is redacted: secrets are placeholders (set the real ones with --header and --set)")
    lost = sum(each.survey.lost for each in transcripts)
    if lost:
        tell(f"{plural(lost, 'event')} could not be recorded: the replay may be incomplete")


class _Run:
    """A replay and its recording."""

    def __init__(
        self,
        source: Source,
        transcripts: list[Transcript],
        target: Target,
        settings: ReplaySettings,
        filters: FilterSet,
        record: Path,
        out: Any,
    ) -> None:
        self.source = source
        self.transcripts = transcripts
        self.target = target
        self.settings = settings
        self.filters = filters
        self.record = record
        self.out = out
        self.path = record
        self.recorder: Recorder | None = None

    async def play(self) -> list[ReplayOutcome]:
        """Plays all, and records it."""
        task = asyncio.current_task()
        assert task is not None
        on_ending(task.cancel, but=("SIGINT",))
        self.recorder = recorder = Recorder(
            self.record,
            target=str(self.target),
            mode="replay",
            filters=[entry.text for entry in self.filters],
            source=f"replay of {self.source.name}",
            note=f"seed {self.settings.seed}",
            on_loss=tell,
        )
        self.path = recorder.path
        replay_view.begin(self.out, self.source.name, self.transcripts, self.target, self.settings, self.path)
        try:
            return await play_all(self.transcripts, self.target, recorder, self.settings, filters=self.filters)
        except asyncio.CancelledError:
            tell(f"interrupted; what was played so far is in {self.path}")
            raise
        finally:
            recorder.close()


def _compare(source: Source, path: Path, outcomes: Sequence[ReplayOutcome]) -> dict[int, ServerComparison]:
    """What the servers said, then and now."""
    live = collect(open_recording(path))
    found: dict[int, ServerComparison] = {}
    for outcome in outcomes:
        now = live.get(outcome.live_conn)
        then = collect(source.recording, outcome.conn).get(outcome.conn)
        if now is not None and then is not None:
            a, b = then.messages["server"], now.messages["server"]
            different, equal = compare_messages(a[:COMPARED], b[:COMPARED], "server")
            complete = max(len(a), len(b)) <= COMPARED and then.kept and now.kept
            found[outcome.conn] = ServerComparison(different, equal, complete)
    return found


def _document(run: _Run, outcomes: Sequence[ReplayOutcome], said: dict[int, ServerComparison]) -> dict[str, Any]:
    """For programs. With one connection its account stands at the top; with several they are in ``connections``."""
    connections = []
    correlations = {each.conn: each.survey.correlations for each in run.transcripts}
    for outcome in outcomes:
        summary = outcome.summary()
        messages = said[outcome.conn] if outcome.conn in said else ServerComparison([], 0, True)
        summary["messages"] = [each.summary() for each in messages.different]
        summary["correlations"] = [each.summary() for each in correlations[outcome.conn]]
        connections.append(summary)
    same = all(outcome.same for outcome in outcomes)
    head = {"same": same, "recording": str(run.path), "seed": run.settings.seed}
    if len(connections) == 1:
        return {**head, **connections[0]}
    return {**head, "connections": connections}
