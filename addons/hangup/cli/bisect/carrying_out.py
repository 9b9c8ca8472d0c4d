"""What ``hangup bisect`` does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from hangup.cli.bisect import verdict_page
from hangup.cli.bisect.options import Options, interruptible
from hangup.cli.bisect.progress import reporting, showing
from hangup.cli.incomplete import exit_code
from hangup.cli.screen import console, tell
from hangup.cli.targets import read_target, remark
from hangup.commands import command_line
from hangup.errors import RecordingError, UsageError
from hangup.experiment import failure as failures
from hangup.experiment.document import UNRESOLVED, Document
from hangup.experiment.exchange import complete
from hangup.experiment.keeping import Series, keep
from hangup.experiment.outlook import outlook
from hangup.experiment.reading import Reading, read_case
from hangup.experiment.search import Verdict, search
from hangup.filters.filter_set import FilterSet
from hangup.processes.tshark import open_recording
from hangup.recording.folder import for_bisect
from hangup.wire.url import Target, parse_listen

if TYPE_CHECKING:
    from hangup.recorder.recorder import Recorder
    from hangup.trials.replay_runner import ReplayRunner

INTERRUPTED = "interrupted"

DONE = "client-lifecycle/done"

SURE = 0.8
"""Confidence from which on a recording in which nothing is wrong is not bisected, unless somebody says which end."""


def carry_out(
    what: tuple[str, ...],
    live: bool,
    serve: bool,
    listen: str,
    leave: bool,
    conn: int | None,
    path: str | None,
    direct: str | None,
    fails_when: str | None,
    given: tuple[str, ...],
    survive: float | None,
    connections: int | None,
    parallel: int,
    seconds: float,
    seed: int,
    start: str,
    backend_logs: tuple[str, ...],
    wait: float,
    record: Path,
    verify: bool,
    env_vars: tuple[str, ...],
    insecure: bool,
    ca: Path | None,
    as_json: bool,
    markdown: bool,
    command: tuple[str, ...],
) -> None:
    """Carries out what was asked for, and exits with the code for what was found. ``command`` is the person's own
    client, if one is given."""
    if bool(command) is not verify:
        raise UsageError("--verify needs the client's command after --, and a command needs --verify")
    if verify and (live or serve):
        raise UsageError("--verify goes with a replayed recording: --live and --serve use the page itself")
    if live and serve:
        raise UsageError("use either --live or --serve, not both")
    need = (0 if live else 1) + (0 if serve or start else 1)
    if live and len(what) > 1:
        where, file = sorted(what[:2], key=lambda word: "://" not in word)
        asked, played = command_line("bisect", "--live", where), command_line("bisect", file, where)
        raise UsageError(
            f"--live takes no RECORDING, since it uses the page itself: type `{asked}`, "
            f"or `{played}` to play the recording"
        )
    if not need <= len(what) <= need + bool(start and not serve):
        raise UsageError("give RECORDING and TARGET, or --live TARGET, or RECORDING --serve")
    options = Options(
        failure=failures.parse(fails_when) if fails_when else None,
        given=tuple(entry.text for entry in FilterSet(given)),
        survive=survive,
        connections=connections,
        parallel=parallel,
        seconds=seconds,
        seed=seed,
        record=record,
        start=start,
        backend_logs=backend_logs,
        wait=wait,
        insecure=insecure,
        ca=ca,
        as_json=as_json,
        markdown=markdown,
        path=path,
        command=command,
        env_vars=env_vars,
        direct=read_target(direct, path) if direct is not None else None,
    )
    if direct is not None and (live or serve):
        raise UsageError("--direct goes with a replayed recording: with --live and --serve the page connects")
    if verify:
        from hangup.cli.bisect.verify import executable

        executable(command)  # that there is none had better be said before the trials than after
    if path is not None and (live or serve):
        raise UsageError("--path goes with a replayed recording: with --live and --serve the page connects")
    try:
        sys.exit(_carried_out(what, options, live=live, serve=serve, listen=listen, leave=leave, conn=conn))
    except KeyboardInterrupt:  # before there was a trial, or of somebody in a hurry
        tell(INTERRUPTED)
        sys.exit(UNRESOLVED)


def _carried_out(
    what: tuple[str, ...], options: Options, *, live: bool, serve: bool, listen: str, leave: bool, conn: int | None
) -> int:
    if serve:
        from hangup.cli.bisect.live import bisect_served

        return bisect_served(what[0], conn, parse_listen(listen), leave, options)
    target = read_target(what[-1], options.path) if len(what) > (0 if live else 1) else None
    if live:
        from hangup.cli.bisect.live import bisect_live

        return bisect_live(target, parse_listen(listen), leave, options)
    return _replayed(what[0], target, conn, options)


def _replayed(recording: str, target: Target | None, conn: int | None, options: Options) -> int:
    reading = read_case(open_recording(recording), conn, options.failure)
    if conn is None and options.failure is None:
        _must_be_wrong(reading)
    if reading.case.asks_client:
        document = Document(verdict=verdict_page.unasked(reading), about=_about(recording, target, reading))
        return verdict_page.present(console(), document, options)
    return asyncio.run(_bisect(recording, reading, target, options))


def _must_be_wrong(reading: Reading) -> None:
    """Raises where nobody has said which end is the failure, and the recording shows that nothing is wrong."""
    report = reading.report
    if (report.category == "none" or report.verdict == DONE) and report.confidence >= SURE:
        raise RecordingError(
            f"there is nothing to bisect. {report.sentence} To bisect an end all the same, say which one: "
            f"--conn {reading.transcript.conn}"
        )


async def _bisect(recording: str, reading: Reading, target: Target | None, options: Options) -> int:
    from hangup.trials.replay_runner import Budget, ReplayRunner

    out = console(stderr=options.quiet)  # what is printed to stdout then is for a program
    verdict = Verdict(reproduced=False, stopped=INTERRUPTED)
    runs: list[Series] = []
    recorder: Recorder | None = None
    seconds = 0.0
    tried = Document(verdict=verdict)
    with interruptible() as interruptions:
        out.print(f"looking for: {reading.failure}, as in connection {reading.transcript.conn}\n")
        out.file.flush()
        with suppress(asyncio.CancelledError):
            source = f"bisect of connection {reading.transcript.conn}"
            async with backend(target, options, mode="bisect", source=source) as (recorder, where):
                target = where if options.path is None else where.at(options.path)
                remark(target, reading.transcript.survey.request.target)
                runner = ReplayRunner(
                    reading.transcript,
                    target,
                    reading.failure,
                    reading.case,
                    recorder,
                    budget=Budget(options.connections or 400, options.seconds),
                    survive=options.survive,
                    seed=options.seed,
                    insecure=options.insecure,
                    ca=options.ca,
                    parallel=options.parallel,
                    direct=options.direct,
                    other=reading.transcript_of,
                )
                runs.append(Series("trials", recorder.path, runner.trials))
                verdict = await _search(runner, reading, out, options)
                # Some were carried out beforehand, and never asked for.
                verdict.connections = max(verdict.connections, runner.connections)
                seconds = runner.seconds
                if options.command:
                    from hangup.cli.bisect.verify import verify

                    tried.verdict = verdict
                    await verify(
                        tried, reading, runner.margins, target, recorder.path, options, out, interruptions.instead
                    )
                    interruptions.install()  # the command had them
        verdict.seed = options.seed
        document = keep(reading, verdict, runs, target, _about(recording, target, reading), seconds, tried)
        return exit_code(recorder, verdict_page.present(out, document, options))


async def _search(runner: ReplayRunner, reading: Reading, out: Console, options: Options) -> Verdict:
    growing = Verdict()
    with showing(out, growing) as shown:
        runner.progress = shown.tried
        shown.outlook = lambda: outlook(growing, runner.costs, beside=runner.company.room)
        searching = search(
            reading.case,
            given=options.given,
            watch=shown.standing,
            verdict=growing,
            direct=options.direct is not None,
        )
        async with reporting(shown.stands):
            return await runner.run(complete(reading.case, searching))


def _about(recording: str, target: Target | None, reading: Reading) -> dict[str, object]:
    return {
        "recording": recording,
        "target": str(target) if target is not None else None,
        "failure": str(reading.failure),
    }


@asynccontextmanager
async def backend(
    target: Target | None, options: Options, *, mode: str, source: str
) -> AsyncIterator[tuple[Recorder, Target]]:
    """A recorder, and the backend that is tried: started if that was asked for, its log in the recording."""
    from hangup.processes.backend import Backends, Follower
    from hangup.processes.program import words_of
    from hangup.recorder.recorder import Recorder
    from hangup.trials.check import started

    async with AsyncExitStack() as stack:
        record = for_bisect(options.record)
        recorder = Recorder(record, target=str(target or ""), mode=mode, source=source, on_loss=tell)
        stack.callback(recorder.close)
        logs = Backends(recorder, list(options.backend_logs), "")
        stack.push_async_callback(logs.stop)
        if options.start:
            follower = Follower(recorder, Path(words_of(options.start, "--start")[0]).name)
            stack.callback(follower.close)
            target = await stack.enter_async_context(started(options.start, target, options.wait, follower.line))
        assert target is not None
        yield recorder, target
