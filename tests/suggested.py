"""The commands that hangup prints for a person to copy: found in its output, and held against the command line.

Whatever the suite makes hangup print comes by here (``conftest.py`` sees to that), so that a command which nobody could
run is a failure of the test that printed it. ``test_suggested.py`` also runs them.
"""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator

import click
from click.testing import CliRunner, Result

from hangup.cli import COMMANDS, cli
from hangup.errors import HangupError
from hangup.filters.text import parse as parse_filter
from harness.programs import Program

_BEGINS = re.compile(rf"(`+ ?|^ *|Usage: |next: +|: |\()(?=hangup (?:{'|'.join(COMMANDS)})\b)", re.M)
"""Where a command is to be copied: between backticks, or where a line or a sentence gives it."""

_BRACKET = re.compile(r"\)|$", re.M)
_COMMENT = re.compile(r" {2,}(?=\S)|$", re.M)
"""What explains a command comes after two spaces, or more."""

_MENTIONS = re.compile(r"hangup \S+(?: --\S+)*")
"""A sentence that speaks of a command, or of one of its options: that is not to be copied."""

_COLOURS = re.compile(r"\x1b\[[\d;]*m")

_SHELLS = re.compile(r"[|&;<>]+")
"""What a shell does with the output is another program's business."""

ELLIPSIS = "…"

_outputs: list[str] = []


def commands_in(text: str) -> Iterator[str]:
    """The commands in a text, each as one line."""
    text = _COLOURS.sub("", text)
    for begin in _BEGINS.finditer(text):
        if begin[1] == "Usage: ":
            continue
        end = _end_of(begin[1].strip()).search(text, begin.end())
        line = text[begin.end() : end.start() if end else len(text)].strip()
        if not begin[1].startswith("`") or not _MENTIONS.fullmatch(line):
            yield line


def _end_of(begin: str) -> re.Pattern[str]:
    """What ends a command that began so; as many backticks as there were before it."""
    if begin.startswith("`"):
        return re.compile(rf"(?<!`) ?{begin}(?!`)")
    return _BRACKET if begin == "(" else _COMMENT


def words_of(line: str) -> list[str]:
    """A command's words, without hangup's own name, up to what a shell does with the output."""
    words = shlex.split(line, comments=True)[1:]
    shell = next((at for at, word in enumerate(words) if _SHELLS.fullmatch(word)), len(words))
    return words[:shell]


@functools.cache
def problem(line: str) -> str:
    """Why this command cannot be run as it stands; empty if it can."""
    if ELLIPSIS in line:
        return ""  # it is shortened, and says so
    try:
        words = words_of(line)
        context = parsed(words)
    except ValueError as error:
        return f"{line}: a shell cannot read it: {error}"
    except click.exceptions.Exit:
        return ""
    except (click.ClickException, HangupError) as error:
        return f"{line}: {error.format_message() if isinstance(error, click.ClickException) else error}"
    filters = [*context.params.get("filters", ())] if "COMMAND" not in words else []
    if words[:2] == ["filter", "add"]:
        filters.append(" ".join(context.params["text"]))
    for text in filters:
        try:
            parse_filter(text)
        except HangupError as error:
            return f"{line}: {error}"
    return ""


def parsed(words: list[str]) -> click.Context:
    """The context in which a command would run; raises what it would say of its words."""
    context, command, left = click.Context(cli, info_name="hangup"), cli, list(words)
    while isinstance(command, click.Group):
        name, found, left = command.resolve_command(context, left)
        assert found is not None
        context = found.make_context(name, left, parent=context)
        command, left = found, [*context._protected_args, *context.args]
    return context


def watch() -> None:
    """From now on whatever hangup prints in this process's tests is kept until :func:`problems` is asked."""
    invoke, follow = CliRunner.invoke, Program._follow

    def invoked(self: CliRunner, *arguments: object, **options: object) -> Result:
        result = invoke(self, *arguments, **options)  # type: ignore[arg-type]
        _outputs.append(result.output)
        if isinstance(result.exception, HangupError):
            _outputs.append(f"hangup: {result.exception}")
        return result

    def followed(self: Program, name: str, pipe: object) -> None:
        follow(self, name, pipe)
        _outputs.append(self.output if name == "output" else self.errors)

    CliRunner.invoke = invoked  # type: ignore[assignment,method-assign]
    Program._follow = followed  # type: ignore[method-assign]


def printed(text: str) -> None:
    """Something else that hangup has printed."""
    _outputs.append(text)


def problems() -> list[str]:
    """What is wrong with the commands printed since it was asked last."""
    found = [problem(line) for text in _outputs if "hangup " in text for line in commands_in(text)]
    _outputs.clear()
    return [each for each in dict.fromkeys(found) if each]
