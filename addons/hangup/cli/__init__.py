"""Floor 6: the ``hangup`` command. Each command is a thin module, imported only when it is called."""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import sys
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from hangup import __version__
from hangup.errors import HangupError
from hangup.humanize import printable

COMMANDS: dict[str, tuple[str, str]] = {
    "proxy": ("proxy.command:proxy", "Record every WebSocket on its way to TARGET."),
    "run": ("run.command:run", "Run a frontend's COMMAND with the proxy in front of its backend."),
    "show": ("show.command:show", "Show a recording: who ended each connection, and how."),
    "open": ("opening:open_", "Show a recording in the browser."),
    "why": ("why.command:why", "Say why the connections of a recording ended."),
    "query": ("query.command:query", "Ask many recordings at once, by name or in SQL."),
    "causes": ("causes:causes", "List the causes of dropped connections, or explain one."),
    "recordings": ("recordings:recordings", "List the recordings, and delete old ones."),
    "demo": ("demo:demo", "Watch a real reconnect loop: named, proved, fixed."),
    "probe": ("probe:probe", "Do a WebSocket handshake with URL and check it."),
    "filters": ("filters:filters", "List the filters, or explain one."),
    "filter": ("filter:filter_", "Change the filters of a running proxy."),
    "allow": ("allow:allow", "Agree to what this folder's hangup.toml runs."),
    "bisect": ("bisect.command:bisect", "Prove by experiment why connections are dropped."),
    "check": ("check:check", "Does the failure in RECORDING still happen?"),
    "replay": ("replay:replay", "Play the recorded client against TARGET."),
    "load": ("load:load", "Play the recorded client many times at once, with Locust."),
    "serve": ("serve:serve", "Play the recorded server to a frontend."),
    "addon": ("proxy.command:addon", "Print the path of the addon for mitmproxy."),
    "convert": ("convert:convert", "Convert to and from HAR, mitmproxy flows, pcapng and others."),
    "diff": ("diff:diff", "Compare two connections side by side."),
    "mcp": ("mcp:mcp", "Let an AI assistant read recordings."),
    "doctor": ("doctor.command:doctor", "Check versions, permissions, ports, and what `run` would find."),
    "completion": ("completion:completion", "Print a shell's completion script for hangup."),
}
"""Name of a command -> where it is (``module:attribute`` in this package), and its line in the help, in order. The line
stands here so that the help need not import them all."""


MISUSED = {"check": 125}
"""Exit code of a command that was called wrongly, where that is not 2: for `git bisect run` 2 is a bad commit."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, so that ``--help`` and completion stay quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the order of :data:`COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command; None when there is no example of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        command = getattr(importlib.import_module(f"hangup.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; of a name that is none it says which one is near."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS, 1, 0.6)
            hint = f": did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"there is no command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names of commands, and the group's own options."""
        names = [CompletionItem(name, help=COMMANDS[name][1]) for name in COMMANDS if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]


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
        click.echo(f"hangup: {printable(str(error))}", err=True)
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
        click.echo(f"hangup: {printable(said)}", err=True)
        return error.exit_code
    click.echo(f"hangup: {printable(said)} ({context.command_path} --help tells more)", err=True)
    return MISUSED.get(context.info_name or "", error.exit_code)


def _give_up_stdout() -> NoReturn:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)
