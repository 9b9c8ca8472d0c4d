"""``hangup allow``: agrees to what a folder's configuration does beyond settings."""

from __future__ import annotations

from pathlib import Path

import click

from hangup.cli import agreement
from hangup.cli.config import load
from hangup.errors import UsageError
from hangup.humanize import printable

EXAMPLES = """\b
Examples:
  hangup allow               shows what this folder's hangup.toml asks for, and agrees to it
  hangup allow --show        shows what it asks for, and whether you have agreed
  hangup allow --withdraw    takes the agreement back
"""


@click.command(epilog=EXAMPLES)
@click.option("--show", is_flag=True, help="Only show what it asks for, and whether you have agreed.")
@click.option("--withdraw", is_flag=True, help="Take the agreement back.")
def allow(show: bool, withdraw: bool) -> None:
    """Agree to what this folder's hangup.toml does beyond plain settings: run code (a `script` filter), listen where
    others can reach it, record outside the folder.

    Without your agreement, `hangup proxy`, `run` and `recordings` ask at the terminal, or refuse if there is none. You
    agree to the file and the code as they are now, so look at them first; if either changes, you are asked again. In
    CI, --allow-config or HANGUP_ALLOW_CONFIG=1 in the environment agrees for one run.
    """
    if show and withdraw:
        raise UsageError("use either --show or --withdraw, not both")
    base = Path()
    config = load()
    if not config.source:
        raise UsageError("there is no hangup.toml here, and no [tool.hangup] in pyproject.toml")
    if withdraw:
        agreement.withdraw(config, base)
        click.echo(f"{config.source}: nothing is agreed to")
        return
    found = agreement.wants(config, base)
    if not found:
        click.echo(f"{config.source} asks for nothing that needs your agreement")
        return
    for want in found:
        click.echo(f"{config.source} {printable(want.does)}")
    if not show:
        agreement.agree(config, base)
        click.echo("agreed; if any of this changes, you will be asked again")
    elif agreement.is_agreed(config, base):
        click.echo("you have agreed to this")
    else:
        click.echo("you have not agreed to this, or it has changed since")
