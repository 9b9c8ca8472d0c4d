"""What ``hangup query`` does: who is asked, and how the answer is printed."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hangup.cli.counting import complain, counting
from hangup.cli.screen import console, safe
from hangup.errors import UsageError
from hangup.fleet.selection import names, selected
from hangup.fleet.workers import Workers
from hangup.tables.database import Answer, Asked, duckdb, plain
from hangup.tables.dataset import ask_dataset, is_dataset
from hangup.tables.questions import QUESTIONS, question_of
from hangup.tables.schema import TABLES, VIEWS

WIDE = 48
"""Characters from which on a cell may be broken into lines."""

CELL = 300
"""Characters of a cell that are shown on a terminal."""



def carry_out(
    question: str | None,
    recordings: tuple[str, ...],
    since: str | None,
    rows: int,
    as_json: bool,
    as_csv: bool,
    only_sql: bool,
    jobs: int | None,
    patterns: tuple[str, ...],
    no_redact: bool,
) -> None:
    """Prints the answer."""
    if as_json and as_csv:
        raise UsageError("use either --json or --csv, not both")
    if no_redact and patterns:
        raise UsageError("use either --redact or --no-redact, not both")
    if question is None:
        _list(as_json)
        return
    asked = question_of(question, since, 0 if as_json or as_csv else rows)
    if only_sql:
        click.echo(dedent(QUESTIONS[question].sql).strip() if question in QUESTIONS else question)
        return
    answer = _ask(recordings, asked, no_redact, patterns, jobs)
    if as_json:
        click.echo(json.dumps([{k: plain(v) for k, v in row.items()} for row in answer.dicts()], indent=2))
    elif as_csv:
        _csv(answer)
    else:
        show(console(), answer)


def _ask(
    recordings: Sequence[str], asked: Asked, no_redact: bool, patterns: tuple[str, ...], jobs: int | None
) -> Answer:
    duckdb()
    folder = Path(recordings[0]) if len(recordings) == 1 else None
    if folder is not None and is_dataset(folder):
        if no_redact or patterns:
            raise UsageError(f"what is hidden in {folder} was decided when it was written")
        return ask_dataset(folder, asked)
    # What reads recordings takes long to import.
    from hangup.fleet.subjects import subjects
    from hangup.recording.redaction.redactor import Redactor
    from hangup.tables.asking import ask_recordings
    from hangup.tables.cache import Cache

    hiding = None if no_redact else patterns
    if hiding:
        Redactor(hiding)  # which says what is wrong with them
    paths = selected(recordings)
    those = subjects(paths, names(paths))
    with ExitStack() as stack:
        # Secrets are not kept.
        folder = None if hiding is not None else Path(stack.enter_context(TemporaryDirectory(prefix="hangup-")))
        progress = stack.enter_context(counting("reading"))
        answer, failed = ask_recordings(those, asked, hiding, Workers(jobs or 0), Cache(folder), progress)
    complain(list(failed.items()), len(paths))
    return answer


def _list(as_json: bool) -> None:
    """What can be asked."""
    tables = {name: table.says for name, table in TABLES.items()} | {name: view.says for name, view in VIEWS.items()}
    if as_json:
        columns = {name: {each.name: each.says for each in table.columns} for name, table in TABLES.items()}
        questions = {name: each.says for name, each in QUESTIONS.items()}
        click.echo(json.dumps({"questions": questions, "tables": tables, "columns": columns}, indent=2))
        return
    screen = console()
    for title, lines in (
        ("questions", {name: each.says for name, each in QUESTIONS.items()}),
        ("tables (`hangup query \"describe messages\"` lists the columns of one)", tables),
    ):
        screen.print(Text(title, "bold"))
        grid = Table.grid(padding=(0, 2))
        for name, says in lines.items():
            grid.add_row(f"  {name}", Text(says, "dim"))
        screen.print(grid)
        screen.print()


def show(screen: Console, answer: Answer) -> None:
    """The answer as a table for people."""
    if not answer.rows:
        screen.print("no rows")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold dim", pad_edge=False)
    for at, name in enumerate(answer.columns):
        number = all(isinstance(row[at], int | float | None) and not isinstance(row[at], bool) for row in answer.rows)
        wide = any(len(_cell(row[at])) > WIDE for row in answer.rows)
        table.add_column(
            safe(name), justify="right" if number else "left", no_wrap=not wide, overflow="fold" if wide else "ellipsis"
        )
    for row in answer.rows:
        table.add_row(*(safe(_cell(value), limit=CELL) for value in row))
    screen.print(table)
    if answer.more:
        screen.print(Text("and more (--rows 0 shows all)", "bold"))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    return str(value)


def _csv(answer: Answer) -> None:
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(answer.columns)
    for row in answer.rows:
        out.writerow(json.dumps(each) if isinstance(each, list | dict) else each for each in map(plain, row))
