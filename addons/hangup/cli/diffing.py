"""What ``hangup diff`` does: two connections, or two recordings, side by side."""

from __future__ import annotations

import json
import sys

import click

from hangup.cli import diff_markdown, diff_view
from hangup.cli.redacted import learned
from hangup.cli.screen import console
from hangup.cli.sources import opened
from hangup.errors import UsageError
from hangup.recording.diff import ComparedConnection, collect
from hangup.recording.diff_recordings import compare_recordings
from hangup.recording.events import Header
from hangup.recording.redaction.redactor import Redactor


def carry_out(
    a: str, b: str | None, conn: int | None, conn_b: int | None, strict: bool, as_json: bool, as_markdown: bool
) -> None:
    """Compares them, and exits with 0 if they do not differ."""
    if b is None and (conn is None or conn_b is None):
        raise UsageError("give a second recording B, or two connections of A with --conn and --conn-b")
    if a == b == "-":
        raise UsageError("only one of A and B can be standard input")
    if as_json and as_markdown:
        raise UsageError("use either --json or --markdown, not both")
    # One for both, so that equal secrets stay equal.
    redactor = Redactor() if as_markdown else None
    if redactor is not None:
        for name in dict.fromkeys((a, b or a)):
            if name == "-":
                raise UsageError("--markdown has to read a recording twice: name a file instead of -")
            with opened(name) as source:
                learned(source, redactor)
    first = _read(a, conn, redactor)
    second = _read(b or a, conn_b if conn_b is not None else conn, redactor)
    found = compare_recordings(first, second, strict=strict)
    names = a, b or a
    if as_json:
        click.echo(json.dumps(found.summary(*names), indent=2))
    elif as_markdown:
        click.echo(diff_markdown.markdown(names, found.compared, found.only_a, found.only_b), nl=False)
    else:
        diff_view.show(console(), names, found.compared, found.only_a, found.only_b)
    sys.exit(0 if found.same else 1)


def _read(
    name: str, conn: int | None, redactor: Redactor | None
) -> tuple[dict[int, ComparedConnection], Header]:
    with opened(name) as source:
        events = source.events("reading")
        found = collect(redactor.events(events) if redactor else events, conn, header=source.header)
        source.confess()
        if conn is not None and conn not in found:
            raise UsageError(f"{source.name} has no connection {conn}")
        return found, source.header
