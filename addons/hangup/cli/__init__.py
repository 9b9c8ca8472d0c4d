"""Floor 6: the ``hangup`` command. Each command is a thin module, imported only when it is called."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Any, NoReturn

import click

from hangup import __version__
from hangup.errors import HangupError

COMMANDS: dict[str, str] = {
    "proxy": "hangup.cli.proxy:proxy",
    "run": "hangup.cli.run:run",
    "show": "hangup.cli.show:show",
    "open": "hangup.cli.opening:open_",
    "why": "hangup.cli.why:why",
    "recordings": "hangup.cli.recordings:recordings",
    "demo": "hangup.cli.demo:demo",
    "probe": "hangup.cli.probe:probe",
    "filters": "hangup.cli.filters:filters",
    "filter": "hangup.cli.filter:filter_",
    "bisect": "hangup.cli.bisecting:bisect",
    "check": "hangup.cli.checking:check",
    "replay": "hangup.cli.replay:replay",
    "serve": "hangup.cli.serve:serve",
    "addon": "hangup.cli.proxy:addon",
    "convert": "hangup.cli.convert:convert",
    "diff": "hangup.cli.diff:diff",
}
"""Name of a command -> ``module:attribute``, in the order in which help lists them."""


MISUSED = {"check": 125}
"""Exit code of a command that was called wrongly, where that is not 2: for `git bisect run` 2 is a bad commit."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, so that ``--help`` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the order of :data:`COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command; None when there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hangup")
def cli() -> None:
    """Find out who hung up on your WebSocket, and prove why."""


def main(args: list[str] | None = None) -> Any:
    """The entry point: what a user can mend becomes one line on stderr and an exit code."""
    try:
        sys.exit(cli.main(args=args, prog_name="hangup", standalone_mode=False))
    except (click.ClickException, click.Abort) as error:
        sys.exit(_misused(error))
    except HangupError as error:
        click.echo(f"hangup: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader went away (`hangup show | head`): nothing more to say, and nothing at exit either.
        _give_up_stdout()
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        click.echo(f"hangup: the output cannot be written: {error.strerror}", err=True)
        _give_up_stdout()


def _misused(error: click.ClickException | click.Abort) -> int:
    if isinstance(error, click.Abort):
        click.echo("Aborted!", err=True)
        return 1
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    said = " ".join(error.format_message().split()).rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        click.echo(f"hangup: {said}", err=True)
        return error.exit_code
    click.echo(f"hangup: {said} ({context.command_path} --help tells more)", err=True)
    return MISUSED.get(context.info_name or "", error.exit_code)


def _give_up_stdout() -> NoReturn:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)
