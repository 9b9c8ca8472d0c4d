"""The golden recordings that travel with the package, one for each cause."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from hangup.commands import command_line
from hangup.diagnosis.report import NextStep
from hangup.errors import UsageError

NEXT = [NextStep("see a loop named, proved and fixed, with its backend running", command=command_line("demo"))]
"""What to try next where there is nothing to try it on: the backends of the examples run no longer."""


def examples() -> dict[str, Path]:
    """Their paths by their names."""
    folder = Path(str(files("hangup"))) / "examples"
    if not folder.is_dir():  # a clone
        folder = Path(str(files("hangup"))).parents[1] / "recordings"
    # What begins with a digit, a date, is the user's own.
    return {path.stem: path for path in sorted(folder.glob("[a-z]*.jsonl"))}


def example(name: str) -> Path:
    """The path of one, which may be called by the beginning of its name; raises :class:`UsageError`."""
    known = examples()
    found = [known[name]] if name in known else [path for each, path in known.items() if each.startswith(name)]
    if len(found) != 1:
        many = "several names start like this" if found else "there is no example of this name"
        raise UsageError(f"--example {name}: {many}; --example alone lists them")
    return found[0]
