"""The help: every command has an example in it, and every option says what it does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hangup.cli import COMMANDS as LISTED
from hangup.cli import cli
from harness.proxies import HANGUP, hangup


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


def spent(*words: str, **environment: str) -> float:
    """Processor seconds of a program of its own."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, env={**os.environ, **environment}, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


@pytest.fixture(scope="module")
def nothing() -> float:
    """What Python's own start takes of the processor, in seconds: the least of five."""
    return max(min(spent(sys.executable, "-c", "pass") for _ in range(5)), 0.005)


def quick(nothing: float, *words: str, **environment: str) -> bool:
    """Whether a program is over in twenty times that, at the best of five: others have the processor as well."""
    return any(spent(*words, **environment) < 20 * nothing for _ in range(5))


COMPLETING = {"COMP_WORDS": "hangup re", "COMP_CWORD": "1", "_HANGUP_COMPLETE": "bash_complete"}


def completing(words: str) -> dict[str, str]:
    return {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")), "_HANGUP_COMPLETE": "bash_complete"}


@pytest.mark.skipif(sys.platform == "win32", reason="no getrusage")
@pytest.mark.parametrize(("words", "environment"), [(["--help"], {}), (["--version"], {}), ([], COMPLETING)])
def test_help_and_completion_are_quick(nothing: float, words: list[str], environment: dict[str, str]) -> None:
    """In times of Python's own start, which is about 15 ms; 0.3 s are twenty of them."""
    assert quick(nothing, *HANGUP, *words, **environment)


@pytest.mark.skipif(sys.platform == "win32", reason="no getrusage")
@pytest.mark.parametrize("name", LISTED)
def test_the_options_of_a_command_are_completed_quickly(nothing: float, name: str) -> None:
    """What a command does is imported when it does it. Without bytecode Python would compile everything each time."""
    kept = {"PYTHONDONTWRITEBYTECODE": ""}
    assert quick(nothing, *HANGUP, **completing(f"hangup {name} --"), **kept)


def test_the_list_of_commands_needs_none_of_them() -> None:
    code = "import sys; from hangup.cli import cli; cli(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()
    assert not [name for name in loaded if name.split(".")[0] in ("mitmproxy", "tornado", "rich", "msgspec")]
    assert [name for name in loaded if name.startswith("hangup.cli.")] == []


@pytest.mark.parametrize("name", ["proxy", "run", "demo"])
def test_the_options_of_a_command_are_completed_without_mitmproxy(name: str) -> None:
    module = LISTED[name][0].partition(":")[0]
    code = f"import sys, hangup.cli.{module}; sys.exit('mitmproxy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("typed", "said"),
    [("bisct", "did you mean bisect?"), ("shw", "did you mean show?"), ("re-play", "did you mean replay?")],
)
def test_a_command_that_is_near_is_proposed(typed: str, said: str) -> None:
    done = hangup(typed, check=False)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1
    assert "did you mean" not in hangup("xyzzy", check=False).stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_for_each_shell(shell: str, tmp_path: Path) -> None:
    script = hangup("completion", shell).stdout
    assert "_HANGUP_COMPLETE" in script
    if shutil.which(shell):
        file = tmp_path / "completion"
        file.write_text(script)
        subprocess.run([shell, "-n", str(file)], check=True)
    done = hangup(environment={**COMPLETING, "_HANGUP_COMPLETE": "bash_complete"})
    assert done.stdout.split() == ["plain,recordings", "plain,replay"]
