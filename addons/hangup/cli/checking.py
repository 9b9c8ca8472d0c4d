"""What ``hangup check`` does."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Literal

import click

from hangup.cli import MISUSED
from hangup.cli.bisect.options import interruptible
from hangup.cli.screen import tell
from hangup.cli.targets import read_target, remark
from hangup.errors import BackendError, HangupError, UsageError
from hangup.experiment import failure as failures
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.reading import Reading, read_case
from hangup.humanize import printable
from hangup.processes.tshark import open_recording
from hangup.recording.folder import newest
from hangup.wire.url import Target

CANNOT_TELL = MISUSED["check"]
"""What ``git bisect run`` takes for a commit that cannot be judged. Whatever goes wrong must be this: any other code
but 0 would say that the failure happens."""

INTERRUPTED = 128 + signal.SIGINT
"""At codes from 128 on ``git bisect run`` gives up."""

WORDS = {
    Outcome.FAILED: "it still happens",
    Outcome.SURVIVED: "it no longer happens",
    Outcome.UNRESOLVED: "cannot tell",
}


RESULTS: dict[Outcome, Literal["passed", "failed", "error"]] = {
    Outcome.FAILED: "failed",
    Outcome.SURVIVED: "passed",
    Outcome.UNRESOLVED: "error",
}


def carry_out(
    recording: str | None,
    target: str | None,
    start: str | None,
    conn: int | None,
    path: str | None,
    fails_when: str | None,
    wait: float,
    insecure: bool,
    junit: Path | None,
    quiet: bool,
) -> None:
    """Tells whether the failure still happens, and exits with the code for it."""
    if recording is not None and target is None and start is None and "://" in recording:
        recording, target = None, recording
    began = time.monotonic()
    try:
        recording = recording or str(newest("recordings"))
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
    if junit is not None:
        seconds = time.monotonic() - began
        try:
            _write_junit(junit, recording, target or start or "", outcome, counts, why, seconds)
        except HangupError as error:
            outcome, counts, why = Outcome.UNRESOLVED, Counts(), str(error)
    if not quiet:
        counted = f" (failed {counts})" if counts.n else ""
        click.echo(f"{WORDS[outcome]}{counted}{': ' + printable(why) if why else ''}")
    sys.exit({Outcome.SURVIVED: 0, Outcome.FAILED: 1}.get(outcome, CANNOT_TELL))


def _write_junit(
    path: Path, recording: str | None, target: str, outcome: Outcome, counts: Counts, why: str, seconds: float
) -> None:
    from hangup.cli import junit

    counted = f" (failed {counts})" if counts.n else ""
    result = junit.JunitResult(
        group="check",
        name=f"{Path(recording).name if recording else 'the newest recording'} no longer fails",
        outcome=RESULTS[outcome],
        message=f"{WORDS[outcome]}{counted}{': ' + why if why else ''}",
        seconds=seconds,
        properties=[("recording", recording or ""), ("target", target)],
        recording=Path(recording) if recording and Path(recording).is_file() else None,
    )
    junit.write(path, result)


def _read(recording: str, conn: int | None, fails_when: str | None) -> Reading:
    wanted = failures.parse(fails_when) if fails_when else None
    reading = read_case(open_recording(recording), conn, wanted)
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
