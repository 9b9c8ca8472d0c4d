"""``hangup check``: the contract of ``git bisect run``."""

from __future__ import annotations

import asyncio
import sys

import click

from hangup.errors import BackendError
from hangup.experiment import failure as failures
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.reading import Reading, read_case
from hangup.recording.formats import open_recording
from hangup.recording.journal import newest
from hangup.wire.url import Target, parse_target

CANNOT_TELL = 125
"""What ``git bisect run`` takes for a commit that cannot be judged."""

CHECK_EXAMPLES = """\b
Examples:
  hangup check run.jsonl ws://localhost:8000 && echo mended
  git bisect run hangup check run.jsonl --start "uvicorn app:app --port {port}"
"""


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
