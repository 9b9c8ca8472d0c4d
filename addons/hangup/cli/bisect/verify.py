"""``hangup bisect … --verify -- COMMAND``: the proved fix on the person's own client."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from hangup.cli.bisect.options import Options
from hangup.cli.config import Config
from hangup.cli.run.command import NAME, Redirected, redirect
from hangup.cli.run.env_files import Environment, mode_of
from hangup.errors import CommandError, HangupError, UsageError
from hangup.experiment.document import Document
from hangup.experiment.evidence import Counts
from hangup.experiment.margins import Margins
from hangup.experiment.reading import Reading
from hangup.experiment.trial import Trial
from hangup.experiment.verification import Verification
from hangup.humanize import printable
from hangup.recording.folder import by_product
from hangup.trials.live_settings import Watcher
from hangup.wire.url import Target, parse_target


class Says(Watcher):
    """Says what is watched just now, and that the client has not come yet."""

    def __init__(self, out: Console, verification: Verification) -> None:
        self.out = out
        self.verification = verification
        self._connected = False

    def starts(self, trial: Trial, conn: int) -> None:
        """A connection of the client."""
        self._connected = True
        with_fix = f"with the fix; watching it for {self.verification.stays:.1f} s"
        self.say(f"the client has connected, {with_fix if trial.filters else 'without the fix'}")

    def stands(self, seconds: float) -> None:
        """How it stands after so many seconds."""
        waits = "watching the client" if self._connected else "the client has not connected yet: open its page"
        self.say(f"after {seconds:.0f} s: {waits}; Ctrl-C stops")

    def say(self, text: str) -> None:
        """A line."""
        self.out.print(Text(text, "dim"))
        self.out.file.flush()


def executable(command: Sequence[str]) -> list[str]:
    """The command with its program's path; raises :class:`CommandError` when there is none."""
    found = shutil.which(command[0])
    if found is None:
        raise CommandError(f"cannot start {command[0]!r}: it is not on the PATH", found=os.path.exists(command[0]))
    return [found, *command[1:]]


def redirected(names: Sequence[str], command: Sequence[str], target: Target) -> list[Redirected]:
    """What the variables are to lead to: where they lead to already, as far as their paths go, else to the target."""
    environment = Environment(Path(), os.environ, mode_of(command, Path()))
    found = []
    for name in dict.fromkeys(names or (NAME,)):
        variable = environment.find(name)
        value = variable.value.strip() if variable is not None else ""
        try:
            where = parse_target(value) if "://" in value else None
        except HangupError as error:
            raise UsageError(f"{name}: {error}") from None
        if where is not None and variable is not None:
            found.append(Redirected(name, value, variable.source, where))
        else:
            found += redirect((name,), environment, str(target), Config())
    return found


async def verify(
    document: Document,
    reading: Reading,
    margins: Margins,
    target: Target,
    beside: Path,
    options: Options,
    out: Console,
    stoppable: Callable[[Callable[[], object]], None],
) -> None:
    """Puts into the document what came of it. ``beside`` is the recording beside which the client's own is written;
    ``stoppable`` is told what Ctrl-C is to do meanwhile."""
    from hangup.cli.bisect.progress import reporting
    from hangup.proxy.run import ProxySettings, RunningProxy
    from hangup.trials.verifying import verified

    verdict = document.verdict
    if not verdict.proved or not verdict.cure:
        why = "the fix is not a filter" if verdict.proved else "nothing is proved"
        document.verification = [f"Not verified: {why}."]
        return
    lives = [c.lifetime for c in reading.connections if c.failed and c.lifetime is not None]
    longest = max([reading.case.lifetime, *lives])
    verification = Verification(tuple(verdict.cure.split(" + ")), longest, margins.survived)
    command = executable(options.command)
    variables = redirected(options.env_vars, options.command, target)
    path = by_product(beside, "verified.jsonl")
    says = Says(out, verification)

    def environment(host: str, port: int) -> Mapping[str, str]:
        given = {each.name: each.through(host, port) for each in variables}
        for name, value in given.items():
            says.say(f"{name}={value}")
        return {**os.environ, **given}

    def ready(proxy: RunningProxy) -> None:
        stoppable(proxy.stop)

    says.say(f"\ntrying the fix on the client itself: {' '.join(printable(word, 100) for word in options.command)}")
    document.verification = ["Not verified: interrupted."]
    settings = ProxySettings(
        target=target, host="127.0.0.1", port=0, record=path, insecure=options.insecure, ca=options.ca
    )
    try:
        async with reporting(says.stands):
            await verified(
                verification,
                reading,
                Counts(verdict.cause.failed, verdict.cause.survived),
                settings,
                command,
                environment,
                seconds=options.seconds,
                watcher=says,
                ready=ready,
                stdout=sys.stderr.fileno() if options.quiet else None,
            )
    except HangupError as error:
        verification.why = str(error)
    document.verified = verification.verified
    document.verification = verification.lines()
    if path.exists():
        document.files["verified"] = str(path)
