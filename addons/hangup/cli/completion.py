"""``hangup completion``."""

from __future__ import annotations

import click
from click.shell_completion import ShellComplete, get_completion_class

EXAMPLES = """\b
Examples, to be run once:
  echo 'eval "$(hangup completion bash)"' >> ~/.bashrc
  echo 'eval "$(hangup completion zsh)"' >> ~/.zshrc
  hangup completion fish > ~/.config/fish/completions/hangup.fish
"""


@click.command(epilog=EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that makes SHELL complete hangup's commands and options."""
    from hangup.cli import cli

    kind = get_completion_class(shell)
    assert kind is not None
    # Not bash's own method, which runs bash to ask for its version.
    click.echo(ShellComplete.source(kind(cli, {}, "hangup", "_HANGUP_COMPLETE")))
