"""The help: every command has an example in it, and every option says what it does."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from hangup.cli import cli


def commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield words, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        yield from commands(child, (*words, name))


COMMANDS = dict(commands(cli))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_an_example(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*words, "--help"], prog_name="hangup")
    assert result.exit_code == 0
    # A line of its own, or within one, as in `mitmdump -s $(hangup addon)`; the first is the usage.
    assert result.output.count("hangup " + " ".join(words)) > 1, result.output


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_and_option_says_what_it_is(words: tuple[str, ...]) -> None:
    command = COMMANDS[words]
    assert command.help
    assert not [each.name for each in command.params if isinstance(each, click.Option) and not each.help]
