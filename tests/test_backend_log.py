"""Backend logs: tracebacks whole, one event each, with their time."""

from __future__ import annotations

import subprocess
import sys
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.recording.backend_log import QUIET, Grouper, LogEntry


def group(text: str, step: float = 0.001) -> list[str]:
    grouper = Grouper()
    entries: list[LogEntry] = []
    for number, line in enumerate(text.splitlines()):
        entries += grouper.feed(line, number * step)
    entries += grouper.finish()
    return [entry.text for entry in entries]


def chained() -> str:
    try:
        try:
            raise KeyError("ts")
        except KeyError as error:
            raise ValueError("bad message") from error
    except ValueError:
        return traceback.format_exc()


def test_lines_are_entries() -> None:
    assert group("INFO: started\nINFO: ready\n\nGET / 200") == ["INFO: started", "INFO: ready", "GET / 200"]


def test_a_python_traceback_is_one_entry_with_the_line_that_logging_puts_before_it() -> None:
    text = f"INFO: open\nERROR:    Exception in ASGI application\n{chained()}INFO: closed"
    entries = group(text)
    assert entries[0] == "INFO: open" and entries[-1] == "INFO: closed" and len(entries) == 3
    assert entries[1].startswith("ERROR:    Exception in ASGI application\nTraceback")
    assert entries[1].endswith("ValueError: bad message") and "direct cause" in entries[1]


def test_the_fields_that_pydantic_names_are_part_of_its_traceback() -> None:
    def raised(message: str) -> str:
        return f'Traceback (most recent call last):\n  File "app.py", line 1, in f\n{message}'

    told = "\n  Field required [type=missing]\n    For further information visit https://errors.pydantic.dev/"
    two = raised(f"pydantic_core._pydantic_core.ValidationError: 2 validation errors for Msg\na{told}\nb.x{told}")
    assert group(f"{two}\nINFO: closed") == [two, "INFO: closed"]
    whole = raised(f"ValidationError: 1 validation error for Msg{told}")
    assert group(f"{whole}\nINFO: closed") == [whole, "INFO: closed"], "one that concerns no field"


def test_a_node_stack_is_one_entry() -> None:
    text = "ready\nError: boom\n    at handle (/srv/app.js:3:9)\n    at node:internal/main:1:1\nready"
    assert group(text) == [
        "ready",
        "Error: boom\n    at handle (/srv/app.js:3:9)\n    at node:internal/main:1:1",
        "ready",
    ]


def test_an_exception_group_of_a_real_python() -> None:
    code = "raise ExceptionGroup('two', [ValueError(1), KeyError('x')])"
    err = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr
    assert len(group("before\n" + err)) in (1, 2)
    assert "KeyError: 'x'" in group("before\n" + err)[-1]


def test_two_tracebacks_one_after_the_other_are_two() -> None:
    once = 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: a'
    assert group(f"{once}\n{once}") == [once, once]


def test_colours_are_taken_off() -> None:
    assert group("\x1b[31mERROR\x1b[0m: no") == ["ERROR: no"]


def test_what_is_quiet_is_complete() -> None:
    grouper = Grouper()
    assert grouper.feed("one", 1.0) == [] and grouper.tick(1.0 + QUIET / 2) == []
    assert grouper.tick(1.0 + QUIET) == [LogEntry(1.0, "one")] and grouper.deadline is None


@pytest.mark.parametrize("size", [1 << 15, 1 << 20])
def test_memory_is_bounded(size: int) -> None:
    entries = group("Traceback (most recent call last):\n" + "  x" * size + "\nE: y")
    assert len(entries) == 1 and len(entries[0]) <= (1 << 16) + 10


@given(st.lists(st.text(max_size=30), max_size=20))
def test_no_line_is_lost_and_none_is_made_up(lines: list[str]) -> None:
    grouper = Grouper()
    entries: list[LogEntry] = []
    for number, line in enumerate(lines):
        entries += grouper.feed(line.replace("\x1b", ""), number * 0.03)
    entries += grouper.finish()
    said = "".join("".join(line.replace("\x1b", "").split()) for line in lines)
    kept = "".join("".join(entry.text.split()) for entry in entries)
    assert kept == said
