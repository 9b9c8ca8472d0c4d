"""``hangup check``: its command line, and the contract of ``git bisect run``."""

from __future__ import annotations

from typing import Any

import click

from hangup.cli import MISUSED
from hangup.cli.params import TIME, junit_option
from hangup.cli.targets import path_option

CHECK_EXAMPLES = """\b
Examples:
  hangup check run.jsonl ws://localhost:8000 && echo fixed
  git bisect run hangup check run.jsonl --start "uvicorn app:app --port {port}"
  hangup check run.jsonl ws://localhost:8000 --junit results/hangup.xml
"""


class _Wrong(click.UsageError):
    exit_code = MISUSED["check"]


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
@junit_option
@click.option("--quiet", is_flag=True, help="Print nothing; only set the exit code.")
def check(**options: Any) -> None:
    """Does the failure in RECORDING still happen at TARGET?

    Exit code 0: no; 1: yes; 125: cannot tell (the backend is down, outcomes disagree, or anything else went wrong), as
    git bisect run expects. Without RECORDING, the newest one is used. The recorded path is requested; a path in TARGET
    is the base that it lies below.
    """
    from hangup.cli.checking import carry_out  # long to import, and completion waits for what stands above

    carry_out(**options)
