"""``.env`` files are read as the dev server reads them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.cli.run.env_files import PROCESS, Environment, expand, mode_of, parse
from harness import DEADLINE, node

FILE = r"""
# a comment
VITE_PLAIN=ws://localhost:8000/ws?x=1&y=2
  export VITE_EXPORTED = "spaces around"   # and after
VITE_SINGLE='$VITE_PLAIN stays; no: all are expanded'
VITE_DOUBLE="two\nlines"
VITE_TICKS=`it's "both"`
VITE_HASH="a # b"
VITE_FRAGMENT=ws://h/#cut
VITE_EMPTY=
VITE_SPACE=   
VITE_MANY="first
second"
not a variable
VITE_LAST=1
VITE_LAST=2
"""


def test_the_syntax() -> None:
    assert parse(FILE) == {
        "VITE_PLAIN": "ws://localhost:8000/ws?x=1&y=2",
        "VITE_EXPORTED": "spaces around",
        "VITE_SINGLE": "$VITE_PLAIN stays; no: all are expanded",
        "VITE_DOUBLE": "two\nlines",
        "VITE_TICKS": "it's \"both\"",
        "VITE_HASH": "a # b",
        "VITE_FRAGMENT": "ws://h/",
        "VITE_EMPTY": "",
        "VITE_SPACE": "",
        "VITE_MANY": "first\nsecond",
        "VITE_LAST": "2",
    }
    assert parse(FILE.replace("\n", "\r\n")) == parse(FILE)


@pytest.mark.parametrize(
    ("value", "expanded"),
    [
        ("ws://$HOST:${PORT}/ws", "ws://localhost:8000/ws"),
        ("${NONE:-there}", "there"),
        ("${NONE-there}", "there"),
        ("${EMPTY:-there}", "there"),
        ("${HOST:-there}", "localhost"),
        ("${HOST:+set}${NONE:+set}", "set"),
        ("$NONE", ""),
        (r"\$HOST costs \$5", "$HOST costs $5"),
        ("$5 and $", "$5 and $"),
        ("$BOTH", "localhost:8000"),
        ("$SELF", "x"),
        ("$ONE", ""),
    ],
)
def test_references(value: str, expanded: str) -> None:
    known = {"HOST": "localhost", "PORT": "8000", "EMPTY": "", "BOTH": "$HOST:$PORT", "SELF": "$SELF${X}x"}
    assert expand(value, {**known, "ONE": "$TWO", "TWO": "$ONE"}) == expanded


@given(st.text(), st.dictionaries(st.sampled_from("ABC"), st.text("AB$C{}:-\\ x", max_size=9)))
def test_anything_can_be_read(text: str, known: dict[str, str]) -> None:
    for name, value in parse(text).items():
        assert name and "\r" not in name
        expand(value, known)
    for value in known.values():
        expand(value, known)


def test_later_files_win_and_the_environment_wins_over_all(tmp_path: Path) -> None:
    names = (".env", ".env.local", ".env.staging", ".env.staging.local")
    for number, name in enumerate(names):
        lines = [f"VITE_{n}={number}" for n in range(number + 1)]
        (tmp_path / name).write_text("\n".join([*lines, f"NEXT_PUBLIC_A={number}" if number in (1, 2) else ""]))
    (tmp_path / ".env.production").write_text("VITE_0=never")
    environment = Environment(tmp_path, {"VITE_3": "mine", "EMPTY": ""}, "staging")
    found = {name: environment.find(name) for name in ("VITE_0", "VITE_3", "EMPTY", "NONE", "NEXT_PUBLIC_A")}
    assert {name: each and (each.value, each.source) for name, each in found.items()} == {
        "VITE_0": ("3", ".env.staging.local"),
        "VITE_3": ("mine", PROCESS),
        "EMPTY": ("", PROCESS),
        "NONE": None,
        "NEXT_PUBLIC_A": ("1", ".env.local"),
    }
    assert environment.files() == names


def test_what_holds_a_socket_is_found_by_its_value(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=http://x\nB=wss://${HOST}/y\nC=ws.example.org\n")
    environment = Environment(tmp_path, {"HOST": "h", "D": "WS://z"})
    assert {each.name: each.value for each in environment.sockets()} == {"B": "wss://h/y", "D": "WS://z"}


@pytest.mark.parametrize(
    ("command", "mode"),
    [
        ("npm run dev", "development"),
        ("npm run staged", "staging"),
        ("npm run staged -- --mode test", "test"),
        ("yarn staged", "staging"),
        ("/usr/bin/pnpm staged", "staging"),
        ("npx vite --mode=x", "x"),
        ("npx vite -m x", "x"),
        ("python -m http.server", "development"),
        ("staged", "development"),
        ("npm", "development"),
        ("vite --mode", "development"),
    ],
)
def test_the_mode(tmp_path: Path, command: str, mode: str) -> None:
    scripts = {"dev": "vite", "staged": "vite --port 1 --mode 'staging'"}
    (tmp_path / "package.json").write_text(json.dumps({"scripts": scripts}))
    words = command.split()
    expected = "test" if "--mode test" in command else mode
    assert mode_of(words, tmp_path) == expected


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"scripts": 3}', "{" * 9999, "\ufeff{}"])
def test_a_package_json_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "package.json").write_text(text)
    assert mode_of(["npm", "run", "dev"], tmp_path) == "development"


LINES = (
    *("VITE_A=1", "VITE_A=$VITE_D", "VITE_B='$PORT x'", "export VITE_C=\"${VITE_D:-d}\" # c", "VITE_D=a b # c"),
    *("VITE_E=`$HOST`", "HOST=localhost", "PORT=8000", "VITE_F=ws://$HOST:${PORT}/ws?a=b", 'VITE_G="a\\nb"', "# no"),
    *("VITE_H=", "VITE_I='a\nb'", "VITE_J=\\$HOST", "VITE_K=${NONE:-$HOST}", "", "  VITE_L =  x  ", "VITE_M=a#b"),
)


@pytest.mark.real
def test_vite_reads_the_same(tmp_path: Path) -> None:
    """Vite itself, over many combinations of lines in four files."""
    if why := node.problem("vite", folder=node.WEB):
        pytest.skip(why)
    import random

    rng = random.Random(7)
    folders = []
    for number in range(60):
        folder = tmp_path / str(number)
        folder.mkdir()
        folders.append(folder)
        for name in (".env", ".env.local", ".env.test", ".env.test.local", ".env.development"):
            (folder / name).write_text("\n".join(rng.sample(LINES, rng.randint(0, 6))) + "\n")
    process = {"PATH": os.environ["PATH"], "VITE_L": "from the process", "NODE_NO_WARNINGS": "1"}
    done = subprocess.run(
        ["node", "load_env.mjs"],
        cwd=node.WEB,
        input=json.dumps([{"folder": str(folder), "mode": "test"} for folder in folders]),
        env=process,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stderr
    for folder, expected in zip(folders, json.loads(done.stdout), strict=True):
        environment = Environment(folder, process, "test")
        names = {f"VITE_{letter}" for letter in "ABCDEFGHIJKLM"}
        found = {name: each.value for name in names if (each := environment.find(name)) is not None}
        assert found == expected, {path.name: path.read_text() for path in sorted(folder.iterdir())}
