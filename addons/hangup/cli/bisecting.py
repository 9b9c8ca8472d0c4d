"""``hangup bisect``."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path

import click

from hangup.cli import bisecting_page
from hangup.cli.bisect_options import Options
from hangup.cli.screen import console
from hangup.errors import UsageError
from hangup.experiment import failure as failures
from hangup.experiment.document import Document
from hangup.experiment.reading import Reading, read_case
from hangup.experiment.search import Verdict, search
from hangup.experiment.trial import Result, Trial
from hangup.filters.text import parse as parse_filter
from hangup.recording.formats import open_recording
from hangup.wire.url import Target, parse_listen, parse_target

EXAMPLES = """\b
Examples:
  hangup bisect recordings/run.jsonl ws://localhost:8000
  hangup bisect --live ws://localhost:8000      (the page's own reconnects are the trials)
  hangup bisect run.jsonl --serve               (the page, against the recorded server)
  hangup bisect run.jsonl ws://localhost:8000 --fails-when "code=1006 within=2s"
  hangup bisect run.jsonl ws://localhost:8000 --json | jq .verdict
"""


@click.command(epilog=EXAMPLES)
@click.argument("what", nargs=-1, required=True, metavar="[RECORDING] TARGET")
@click.option("--live", is_flag=True, help="Experiment on the page itself: its reconnects are the trials.")
@click.option("--serve", is_flag=True, help="Experiment on the page, with the recorded server in the backend's place.")
@click.option(
    "--listen", default="127.0.0.1:9000", show_default=True, metavar="HOST:PORT", help="With --live, --serve."
)
@click.option("--leave", is_flag=True, help="With --live: do not end what survives; take its filters away.")
@click.option("--conn", type=int, metavar="N", help="The connection to study; by default the last that failed.")
@click.option("--fails-when", metavar="TEXT", help="The failure to look for, such as 'code=1006 within=2s'.")
@click.option(
    "--try",
    "given",
    multiple=True,
    metavar="FILTER",
    help="A cure that you have in mind, tried with the rest: 'query token FRESH' for instance. Repeatable.",
)
@click.option("--survive", type=float, metavar="SECONDS", help="By how much the failure must be outlived.")
@click.option("--connections", type=int, help="Budget: connections (400; with --live 60).")
@click.option("--seconds", default=600.0, show_default=True, help="Budget: seconds.")
@click.option("--seed", default=0, show_default=True, help="For a run that can be repeated.")
@click.option("--record", default="recordings", show_default=True, type=click.Path(path_type=Path))
@click.option("--insecure", is_flag=True, help="Accept any certificate of a wss:// target.")
@click.option("--ca", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Certificate authority (PEM).")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--markdown", is_flag=True, help="To paste into an issue.")
def bisect(
    what: tuple[str, ...],
    live: bool,
    serve: bool,
    listen: str,
    leave: bool,
    conn: int | None,
    fails_when: str | None,
    given: tuple[str, ...],
    survive: float | None,
    connections: int | None,
    seconds: float,
    seed: int,
    record: Path,
    insecure: bool,
    ca: Path | None,
    as_json: bool,
    markdown: bool,
) -> None:
    """Prove by experiment why connections to TARGET are dropped.

    RECORDING is played against TARGET; or with --live the page itself is asked, whose every reconnect is the next
    trial. One change at a time, repeated, reverted, down to the smallest failing exchange. Exit code 0: proved; 3: the
    failure does not happen here; 4: not told apart within the budget.
    """
    if live and serve:
        raise UsageError("--live and --serve: one of the two")
    if len(what) != (1 if live or serve else 2):
        raise UsageError("hangup bisect needs RECORDING and TARGET, or --live TARGET, or RECORDING --serve")
    options = Options(
        failure=failures.parse(fails_when) if fails_when else None,
        given=tuple(str(parse_filter(text)) for text in given),
        survive=survive,
        connections=connections,
        seconds=seconds,
        seed=seed,
        record=record,
        insecure=insecure,
        ca=ca,
        as_json=as_json,
        markdown=markdown,
    )
    if serve:
        from hangup.cli.live_bisecting import bisect_served

        sys.exit(bisect_served(what[0], conn, parse_listen(listen), leave, options))
    target = parse_target(what[-1])
    if live:
        from hangup.cli.live_bisecting import bisect_live

        sys.exit(bisect_live(target, parse_listen(listen), leave, options))
    sys.exit(_replayed(what[0], target, conn, options))


def _replayed(recording: str, target: Target, conn: int | None, options: Options) -> int:
    reading = read_case(open_recording(recording), conn, options.failure)
    out = console()
    files: dict[str, str] = {}
    took = 0.0
    if reading.failure.by == "client":
        verdict = bisecting_page.unasked(reading)
    else:
        if not options.quiet:
            out.print(f"looking for: {reading.failure}, as of connection {reading.transcript.conn}\n")
        verdict, trials, took = asyncio.run(_bisect(reading, target, options))
        files = _write(reading, verdict, target, trials)
    about: dict[str, object] = {"recording": recording, "target": str(target), "failure": str(reading.failure)}
    document = Document(verdict=verdict, seconds=took, about=about, files=files)
    return bisecting_page.present(out, document, options)


async def _bisect(reading: Reading, target: Target, options: Options) -> tuple[Verdict, Path, float]:
    from hangup.peer.lab import Budget, Lab
    from hangup.proxy.recorder import Recorder

    out = console()
    source = f"bisect of connection {reading.transcript.conn}"
    recorder = Recorder(options.record, target=str(target), mode="bisect", source=source)
    number = 0

    def progress(trial: Trial, result: Result) -> None:
        nonlocal number
        number += 1
        if not options.quiet:
            bisecting_page.progress(out, trial, result, number)

    task = asyncio.current_task()
    assert task is not None
    with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        lab = Lab(
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
            progress=progress,
        )
        verdict = await lab.run(search(reading.case, given=options.given))
        verdict.seed = options.seed
        return verdict, recorder.path, lab.seconds
    finally:
        recorder.close()


def _write(reading: Reading, verdict: Verdict, target: Target, trials: Path) -> dict[str, str]:
    """Writes the reproducer beside the trials."""
    from hangup.experiment.script import reproducer

    files = {"trials": str(trials)}
    if verdict.reproduced and verdict.minimal is not None:
        request = reading.transcript.survey.request
        path = trials.with_name(f"{trials.stem}-reproduce.py")
        wait = (reading.failure.within or reading.case.lifetime) + 1
        text = reproducer(reading.case, verdict, request, target.origin + request.target, wait, path.name)
        path.write_text(text, encoding="utf-8")
        files["reproducer"] = str(path)
    return files
