"""Where a frontend's settings come from: the process environment, and ``.env`` files in the order of its dev server.

The syntax is that of Node and Vite: ``NAME=value``, ``export`` before it, quotes of three kinds, ``#`` begins a
comment, ``\\n`` in double quotes is a line break, ``$NAME``, ``${NAME}`` and ``${NAME:-default}`` stand for other
variables, and ``\\$`` for a dollar. Python's libraries for such files read some of this otherwise, and what is read
otherwise than the dev server reads it is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

DEVELOPMENT = "development"
PROCESS = "the environment"

_LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[\w.-]+)[ \t]*=[ \t]*
        (?: (?P<quote>['"`])(?P<quoted>.*?)(?P=quote) | (?P<plain>[^\#\n]*) )""",
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
_REFERENCE = re.compile(r"(?<!\\)\$(?:\{(?P<braced>[^{}]+)\}|(?P<bare>[A-Za-z_]\w*))")
_OPERATOR = re.compile(r":\+|\+|:-|-")
_LONGEST = 1 << 16
_RUNNERS = ("npm", "pnpm", "yarn", "bun")


class Variable(Struct, frozen=True):
    """A variable that was found; ``source`` says where, for people."""

    name: str
    value: str
    source: str


class Environment:
    """What the variables of a command will be, in ``folder``. ``process`` is the process environment: it always wins.

    Vite reads ``.env``, ``.env.local``, ``.env.MODE`` and ``.env.MODE.local``, later ones winning. In Next.js and
    Create React App, known by their names' prefix, ``.env.local`` wins over ``.env.MODE``.
    """

    def __init__(self, folder: Path, process: Mapping[str, str], mode: str = DEVELOPMENT) -> None:
        self.folder = folder
        self.process = process
        self.mode = mode
        self._known: dict[tuple[str, ...], dict[str, Variable]] = {}

    def files(self, name: str = "") -> tuple[str, ...]:
        """The names of the files in which a variable is looked for, the last one winning."""
        local, mode = ".env.local", f".env.{self.mode}"
        ordered = (mode, local) if name.startswith(("NEXT_PUBLIC_", "REACT_APP_")) else (local, mode)
        return (".env", *ordered, f"{mode}.local")

    def find(self, name: str) -> Variable | None:
        """A variable, or None; it may be empty."""
        if name in self.process:
            return Variable(name, self.process[name], PROCESS)
        return self._of(self.files(name)).get(name)

    def sockets(self) -> list[Variable]:
        """Variables that hold the URL of a WebSocket, whatever their name."""
        found = dict(self._of(self.files()))
        found.update({name: Variable(name, value, PROCESS) for name, value in self.process.items()})
        return [each for each in found.values() if re.match(r"wss?://", each.value.strip(), re.IGNORECASE)]

    def _of(self, files: tuple[str, ...]) -> dict[str, Variable]:
        if files not in self._known:
            raw: dict[str, Variable] = {}
            for name in files:
                for key, value in parse(_text(self.folder / name)).items():
                    raw[key] = Variable(key, value, name)
            values = {key: variable.value for key, variable in raw.items()}
            for key, variable in raw.items():
                values[key] = expand(variable.value, {**values, **self.process})
            self._known[files] = {key: Variable(key, values[key], raw[key].source) for key in raw}
        return self._known[files]


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig", errors="replace")
    except OSError:
        return ""


def parse(text: str) -> dict[str, str]:
    """The variables of a file, references not expanded; lines that are none are left out."""
    found = {}
    for line in _LINE.finditer(re.sub(r"\r\n?", "\n", text)):
        quoted = line["quoted"]
        if quoted is None:
            found[line["name"]] = line["plain"].strip()
        else:
            found[line["name"]] = quoted.replace("\\n", "\n") if line["quote"] == '"' else quoted
    return found


def expand(value: str, known: Mapping[str, str]) -> str:
    """References replaced by what is ``known``, also within what they were replaced by; one to itself by nothing."""
    return _expand(value, known, frozenset()).replace("\\$", "$")


def _expand(value: str, known: Mapping[str, str], within: frozenset[str]) -> str:
    def replaced(reference: re.Match[str]) -> str:
        expression = reference["braced"] or reference["bare"]
        operator = _OPERATOR.search(expression) if reference["braced"] else None
        name = expression[: operator.start()] if operator else expression
        other = expression[operator.end() :] if operator else ""
        held = known.get(name, "") if name not in within else ""
        if operator and operator[0].endswith("+"):
            held, other = (other if held else ""), ""
        return _expand(held or other, known, within | {name})[:_LONGEST]

    return _REFERENCE.sub(replaced, value)[:_LONGEST]


def mode_of(command: Sequence[str], folder: Path) -> str:
    """Vite's mode: what ``--mode`` says on the command line, or in the script that ``npm run`` and the like run."""
    words = list(command)
    if command and Path(command[0]).stem.lower() in _RUNNERS:
        scripts = _scripts(folder / "package.json")
        script = next((scripts[word] for word in command[1:] if word in scripts), "")
        words += re.split(r"[\s;&|]+", script)
    flags = ("--mode", "-m") if any(Path(word).stem == "vite" for word in words) else ("--mode",)
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word in flags and after:
            return after.strip("'\"")
        if word.startswith("--mode="):
            return word.removeprefix("--mode=").strip("'\"")
    return DEVELOPMENT


def _scripts(path: Path) -> dict[str, str]:
    try:
        scripts = json.loads(path.read_text("utf-8-sig")).get("scripts")
        return {str(name): str(script) for name, script in scripts.items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
