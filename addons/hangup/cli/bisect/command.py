"""``hangup bisect``: its command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hangup.cli.params import AT_LEAST_ONE, TIME
from hangup.cli.targets import path_option

COMMAND = "hangup.command"

EXAMPLES = """\b
Examples:
  hangup bisect recordings/run.jsonl ws://localhost:8000
  hangup bisect --live ws://localhost:8000      (the page's own reconnects are the trials)
  hangup bisect run.jsonl --serve               (the page, against the recorded server)
  hangup bisect run.jsonl ws://localhost:8000 --fails-when "code=1006 within=2s"
  hangup bisect run.jsonl --start "uvicorn app:app --port {port}"
  hangup bisect run.jsonl ws://localhost:8000 --verify -- npm run dev
  hangup bisect run.jsonl ws://localhost:8000 --json | jq .verdict
"""


class WithCommand(click.Command):
    """A command that takes another one after ``--``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta[COMMAND] = tuple(args[at + 1 :])
            args = args[:at]
        return super().parse_args(ctx, args)


@click.command(cls=WithCommand, epilog=EXAMPLES)
@click.argument("what", nargs=-1, metavar="[RECORDING] [TARGET]")
@click.option("--live", is_flag=True, help="Experiment on the page itself: each of its reconnects is a trial.")
@click.option("--serve", is_flag=True, help="Experiment on the page, with the recorded server in place of the backend.")
@click.option(
    "--listen", default="127.0.0.1:9000", show_default=True, metavar="HOST:PORT", help=(
        "Where to listen, with --live or "
        "--serve."
    )
)
@click.option("--leave", is_flag=True, help=(
    "With --live: do not close connections that stay open; remove their "
    "filters."
))
@click.option("--conn", type=int, metavar="N", help="The connection to study; by default the last one that failed.")
@path_option
@click.option(
    "--direct",
    metavar="URL",
    help=(
        "The backend itself, if TARGET is a proxy in front of it: what fails only through TARGET is caused "
        "by that proxy."
    ),
)
@click.option("--fails-when", metavar="TEXT", help="The failure to look for, such as 'code=1006 within=2s'.")
@click.option(
    "--try",
    "given",
    multiple=True,
    metavar="FILTER",
    help="A fix to try along with the others, such as 'query token FRESH'. Repeatable.",
)
@click.option(
    "--survive", type=TIME, metavar="TIME", help=(
        "How much longer than usual a connection must stay open to count as "
        "fixed."
    )
)
@click.option("--connections", type=AT_LEAST_ONE, metavar="N", help=(
    "The most connections to use (default 400; with --live "
    "60)."
))
@click.option(
    "--parallel",
    type=AT_LEAST_ONE,
    default=8,
    show_default=True,
    metavar="N",
    help="How many trials may run at the same time, if they do not disturb one another; 1 runs them one by one.",
)
@click.option("--seconds", type=TIME, default="10min", show_default=True, metavar="TIME", help="The most time to take.")
@click.option("--seed", default=0, show_default=True, metavar="N", help="Seed for the random order, to repeat a run.")
@click.option(
    "--start",
    "--backend-cmd",
    "start",
    default="",
    metavar="COMMAND",
    help="Start this backend, and stop it afterwards; {port} stands for TARGET's port, or a free one. Its output "
    "is taken as its log.",
)
@click.option(
    "--backend-log",
    "backend_logs",
    multiple=True,
    metavar="FILE",
    help="Follow the backend's log, so that the verdict can quote it at the moment of the failure. Repeatable.",
)
@click.option("--wait", type=TIME, default="20s", show_default=True, metavar="TIME", help=(
    "How long to wait for a started "
    "backend."
))
@click.option(
    "--record", default="recordings", show_default=True, type=click.Path(path_type=Path), help=(
        "Folder or file to record "
        "into."
    )
)
@click.option(
    "--verify",
    is_flag=True,
    help="Try the proved fix on your own client: give its COMMAND after --; it gets the proxy's URL as with "
    "`hangup run`.",
)
@click.option(
    "--env-var",
    "env_vars",
    multiple=True,
    metavar="NAME",
    help="With --verify: the variable that leads COMMAND to its backend (VITE_WS_BASE). Repeatable.",
)
@click.option("--insecure", is_flag=True, help="Accept any certificate of a wss:// target.")
@click.option("--ca", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Certificate authority (PEM).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("--markdown", is_flag=True, help="Print Markdown without secrets, to paste into an issue.")
def bisect(**options: Any) -> None:
    """Prove by experiment why connections to TARGET are dropped.

    RECORDING is replayed against TARGET; with --live the page itself is used instead, and each of its reconnects is a
    trial. One change is made at a time, repeated and undone, down to the smallest exchange that fails. The recorded
    path is requested; a path in TARGET is the base that it lies below. With --verify the proved fix is then tried on
    your own client.

    Exit code 0: proved (and verified, if asked for). 3: the failure does not happen here. 4: no proof within the
    budget, not verified, could not be tried, or interrupted. The first Ctrl-C stops with the verdict so far, a second
    one at once.
    """
    from hangup.cli.bisect.carrying_out import carry_out  # long to import, and completion waits for what stands above

    carry_out(**options, command=click.get_current_context().meta.get(COMMAND, ()))
