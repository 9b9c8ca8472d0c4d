"""``hangup bisect`` and ``hangup check``."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import click

from hangup.cli import bisecting_page
from hangup.cli.screen import console
from hangup.errors import BackendError
from hangup.experiment import failure as failures
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.reading import Reading, read_case
from hangup.experiment.search import Verdict, search
from hangup.experiment.trial import Result, Trial
from hangup.recording.formats import open_recording
from hangup.recording.journal import newest
from hangup.wire.url import Target, parse_target

NOT_REPRODUCED, UNRESOLVED = 3, 4
CANNOT_TELL = 125
"""What ``git bisect run`` takes for a commit that cannot be judged."""

EXAMPLES = """\b
Examples:
  hangup bisect recordings/run.jsonl ws://localhost:8000
  hangup bisect run.jsonl ws://localhost:8000 --fails-when "code=1006 within=2s"
  hangup bisect run.jsonl ws://localhost:8000 --json | jq .verdict
"""
CHECK_EXAMPLES = """\b
Examples:
  hangup check run.jsonl ws://localhost:8000 && echo mended
  git bisect run hangup check run.jsonl --start "uvicorn app:app --port {port}"
"""


@click.command(epilog=EXAMPLES)
@click.argument("recording")
@click.argument("target")
@click.option("--conn", type=int, metavar="N", help="The connection to study; by default the last that failed.")
@click.option("--fails-when", metavar="TEXT", help="The failure to look for, such as 'code=1006 within=2s'.")
@click.option("--survive", type=float, metavar="SECONDS", help="By how much the failure must be outlived.")
@click.option("--connections", default=400, show_default=True, help="Budget: connections.")
@click.option("--seconds", default=600.0, show_default=True, help="Budget: seconds.")
@click.option("--seed", default=0, show_default=True, help="For a run that can be repeated.")
@click.option("--record", default="recordings", show_default=True, type=click.Path(path_type=Path))
@click.option("--insecure", is_flag=True, help="Accept any certificate of a wss:// target.")
@click.option("--ca", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Certificate authority (PEM).")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--markdown", is_flag=True, help="To paste into an issue.")
def bisect(
    recording: str,
    target: str,
    conn: int | None,
    fails_when: str | None,
    survive: float | None,
    connections: int,
    seconds: float,
    seed: int,
    record: Path,
    insecure: bool,
    ca: Path | None,
    as_json: bool,
    markdown: bool,
) -> None:
    """Prove by experiment why the connections in RECORDING are dropped by TARGET.

    One change at a time, repeated, reverted, down to the smallest failing exchange. Exit code 0: proved; 3: the failure
    does not happen here; 4: not told apart within the budget.
    """
    where = parse_target(target)
    wanted = failures.parse(fails_when) if fails_when else None
    reading = read_case(open_recording(recording), conn, wanted)
    quiet = as_json or markdown
    out = console()
    if not quiet:
        out.print(f"looking for: {reading.failure}, as of connection {reading.transcript.conn}\n")
    verdict, trials, took = asyncio.run(
        _bisect(reading, where, record, survive, connections, seconds, seed, insecure, ca, quiet)
    )
    files = _write(reading, verdict, where, record, trials)
    if as_json:
        document: dict[str, object] = {
            "recording": recording,
            "target": str(where),
            "failure": str(reading.failure),
        }
        document |= verdict.summary() | {"seconds": round(took, 3)}
        document |= {"files": {what: path for what, path in files}}
        click.echo(json.dumps(document, indent=2))
    elif markdown:
        click.echo(bisecting_page.markdown(verdict), nl=False)
    else:
        bisecting_page.show(out, verdict, files)
        out.print(f"{verdict.connections} connections, {took:.1f} s", style="dim")
    if not verdict.reproduced:
        sys.exit(NOT_REPRODUCED)
    sys.exit(0 if verdict.proved else UNRESOLVED)


async def _bisect(
    reading: Reading,
    target: Target,
    record: Path,
    survive: float | None,
    connections: int,
    seconds: float,
    seed: int,
    insecure: bool,
    ca: Path | None,
    quiet: bool,
) -> tuple[Verdict, Path, float]:
    from hangup.peer.lab import Budget, Lab
    from hangup.proxy.recorder import Recorder

    out = console()
    recorder = Recorder(
        record, target=str(target), mode="bisect", source=f"bisect of connection {reading.transcript.conn}"
    )
    number = 0

    def progress(trial: Trial, result: Result) -> None:
        nonlocal number
        number += 1
        if not quiet:
            bisecting_page.progress(out, trial, result, number)

    try:
        lab = Lab(
            reading.transcript,
            target,
            reading.failure,
            reading.case,
            recorder,
            budget=Budget(connections, seconds),
            survive=survive,
            seed=seed,
            insecure=insecure,
            ca=ca,
            progress=progress,
        )
        verdict = await lab.run(search(reading.case))
        verdict.seed = seed
        return verdict, recorder.path, lab.seconds
    finally:
        recorder.close()


def _write(reading: Reading, verdict: Verdict, target: Target, record: Path, trials: Path) -> list[tuple[str, str]]:
    """Writes the reproducer beside the trials."""
    from hangup.experiment.script import reproducer

    files = [("trials", str(trials))]
    if verdict.reproduced and verdict.minimal is not None:
        request = reading.transcript.survey.request
        path = trials.with_name(f"{trials.stem}-reproduce.py")
        wait = (reading.failure.within or reading.case.lifetime) + 1
        text = reproducer(reading.case, verdict, request, target.origin + request.target, wait, path.name)
        path.write_text(text, encoding="utf-8")
        files.append(("reproducer", str(path)))
    return files


@click.command(epilog=CHECK_EXAMPLES)
@click.argument("recording", required=False)
@click.argument("target", required=False)
@click.option("--start", metavar="COMMAND", help="Start this backend for the check; {port} stands for a free port.")
@click.option("--conn", type=int, metavar="N", help="The connection to study; by default the last that failed.")
@click.option("--fails-when", metavar="TEXT", help="The failure to look for, such as 'code=1006 within=2s'.")
@click.option("--wait", default=20.0, show_default=True, help="Seconds that a backend may take to start.")
@click.option("--insecure", is_flag=True, help="Accept any certificate of a wss:// target.")
@click.option("--quiet", is_flag=True, help="Nothing but the exit code.")
def check(
    recording: str | None,
    target: str | None,
    start: str | None,
    conn: int | None,
    fails_when: str | None,
    wait: float,
    insecure: bool,
    quiet: bool,
) -> None:
    """Does the failure in RECORDING still happen at TARGET?

    Exit code 0: no; 1: yes; 125: cannot tell (the backend is down, or outcomes disagree), as git bisect run wants it.
    """
    if recording is not None and target is None and start is None and "://" in recording:
        recording, target = None, recording
    source = open_recording(recording or str(newest("recordings")))
    wanted = failures.parse(fails_when) if fails_when else None
    reading = read_case(source, conn, wanted)
    where = parse_target(target) if target else None
    try:
        outcome, counts, why = asyncio.run(_check(reading, where, start, wait, insecure))
    except BackendError as error:
        outcome, counts, why = Outcome.UNRESOLVED, Counts(), str(error)
    if not quiet:
        words = {
            Outcome.FAILED: "it still happens",
            Outcome.SURVIVED: "it does not happen any more",
            Outcome.UNRESOLVED: "cannot tell",
        }
        click.echo(f"{words[outcome]} (failed {counts}){': ' + why if why else ''}")
    sys.exit({Outcome.SURVIVED: 0, Outcome.FAILED: 1}.get(outcome, CANNOT_TELL))


async def _check(
    reading: Reading, target: Target | None, start: str | None, wait: float, insecure: bool
) -> tuple[Outcome, Counts, str]:
    from hangup.peer.check import check_once, started

    if start is None:
        if target is None:
            raise BackendError("a target is needed, or --start with a command")
        return await check_once(reading, target, insecure=insecure)
    async with started(start, target, wait) as where:
        return await check_once(reading, where, insecure=insecure)
