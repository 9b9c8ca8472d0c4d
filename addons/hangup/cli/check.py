"""``hangup check``: the contract of ``git bisect run``."""

from __future__ import annotations

import asyncio
import signal
import sys
import traceback

import click

from hangup.cli.bisect.options import interruptible
from hangup.cli.params import TIME
from hangup.cli.screen import tell
from hangup.cli.targets import path_option, read_target, remark
from hangup.errors import BackendError, HangupError, UsageError
from hangup.experiment import failure as failures
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.reading import Reading, read_case
from hangup.humanize import printable
from hangup.processes.tshark import open_recording
from hangup.recording.folder import newest
from hangup.wire.url import Target

CANNOT_TELL = 125
"""What ``git bisect run`` takes for a commit that cannot be judged. Whatever goes wrong must be this: any other code
but 0 would say that the failure happens."""

INTERRUPTED = 128 + signal.SIGINT
"""At codes from 128 on ``git bisect run`` gives up."""

CHECK_EXAMPLES = """\b
Examples:
  hangup check run.jsonl ws://localhost:8000 && echo fixed
  git bisect run hangup check run.jsonl --start "uvicorn app:app --port {port}"
"""

WORDS = {
    Outcome.FAILED: "it still happens",
    Outcome.SURVIVED: "it no longer happens",
    Outcome.UNRESOLVED: "cannot tell",
}


class _Wrong(click.UsageError):
    exit_code = CANNOT_TELL


class _CheckCommand(click.Command):
    """Also what is wrong with the command line is no answer."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise _Wrong(error.format_message(), error.ctx) from None


@click.command(cls=_CheckCommand, epilog=CHECK_EXAMPLES)
@click.argument("recording", required=False)
@click.argument("target", required=False)
@click.option("--start", metavar="COMMAND", help="Start this backend for the check; {port} stands for a free port.")
@click.option("--conn", type=int, metavar="N", help="The connection to study; by default the last one that failed.")
@path_option
@click.option("--fails-when", metavar="TEXT", help="The failure to look for, such as 'code=1006 within=2s'.")
@click.option("--wait", type=TIME, default="20s", show_default=True, metavar="TIME", help=(
    "How long to wait for a started "
    "backend."
))
@click.option("--insecure", is_flag=True, help="Accept any certificate of a wss:// target.")
@click.option("--quiet", is_flag=True, help="Print nothing; only set the exit code.")
def check(
    recording: str | None,
    target: str | None,
    start: str | None,
    conn: int | None,
    path: str | None,
    fails_when: str | None,
    wait: float,
    insecure: bool,
    quiet: bool,
) -> None:
    """Does the failure in RECORDING still happen at TARGET?

    Exit code 0: no; 1: yes; 125: cannot tell (the backend is down, outcomes disagree, or anything else went wrong), as
    git bisect run expects. Without RECORDING, the newest one is used. The recorded path is requested; a path in TARGET
    is the base that it lies below.
    """
    if recording is not None and target is None and start is None and "://" in recording:
        recording, target = None, recording
    try:
        reading = _read(recording, conn, fails_when)
        where = read_target(target, path) if target else None
        outcome, counts, why = asyncio.run(_check(reading, where, path, start, wait, insecure))
    except (KeyboardInterrupt, asyncio.CancelledError):
        tell("interrupted")
        sys.exit(INTERRUPTED)
    except HangupError as error:
        outcome, counts, why = Outcome.UNRESOLVED, Counts(), str(error)
    except Exception:  # a fault of ours is no bad commit of theirs
        traceback.print_exc()
        sys.exit(CANNOT_TELL)
    if not quiet:
        counted = f" (failed {counts})" if counts.n else ""
        click.echo(f"{WORDS[outcome]}{counted}{': ' + printable(why) if why else ''}")
    sys.exit({Outcome.SURVIVED: 0, Outcome.FAILED: 1}.get(outcome, CANNOT_TELL))


def _read(recording: str | None, conn: int | None, fails_when: str | None) -> Reading:
    wanted = failures.parse(fails_when) if fails_when else None
    reading = read_case(open_recording(recording or str(newest("recordings"))), conn, wanted)
    if reading.case.asks_client:
        raise UsageError(
            "the client closed these connections, and a replay plays the client, so it could not tell"
        )
    return reading


async def _check(
    reading: Reading, target: Target | None, path: str | None, start: str | None, wait: float, insecure: bool
) -> tuple[Outcome, Counts, str]:
    from hangup.trials.check import check_once, started

    with interruptible():
        if start is None:
            if target is None:
                raise BackendError("give a target, or --start with a command")
            remark(target, reading.transcript.survey.request.target)
            return await check_once(reading, target, insecure=insecure)
        async with started(start, target, wait) as where:
            return await check_once(reading, where.at(path) if path is not None else where, insecure=insecure)
