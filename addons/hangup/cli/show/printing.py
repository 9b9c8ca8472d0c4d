"""What ``hangup show`` does: what is in a recording."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import msgspec

from hangup.cli.redacted import show_markdown
from hangup.cli.screen import console, tell
from hangup.cli.show import table
from hangup.cli.show.chosen import choose
from hangup.cli.show.frames import Frames
from hangup.cli.sources import opened
from hangup.errors import RecordingError, UsageError
from hangup.humanize import plural, printable
from hangup.processes.tshark import open_recording
from hangup.recording import events, loops
from hangup.recording.choice import Choice
from hangup.recording.events import AnyEvent
from hangup.recording.fates import settle
from hangup.recording.folder import listing, newest
from hangup.recording.formats import Recording
from hangup.recording.ledger import Ledger
from hangup.recording.reader import Reader, follow
from hangup.web.explaining import proof_of
from hangup.web.listing import row


def carry_out(
    recording: str | None,
    conn: int | None,
    following: bool,
    path: str,
    failed: bool,
    since: float | None,
    looping: bool,
    rows: int,
    as_json: bool,
    as_markdown: bool,
    schema: bool,
) -> None:
    """Prints what was asked for."""
    if schema:
        if recording is not None or conn is not None or following:
            raise UsageError("--schema takes no other arguments")
        click.echo(json.dumps(events.schema(), indent=2))
        return
    choice = Choice(path, failed, since, looping)
    if choice.words and (conn is not None or following or as_markdown):
        raise UsageError(f"{choice.words} goes with none of --conn, --follow and --markdown")
    if recording is None:
        recording = str(newest())
    if recording != "-" and Path(recording).is_dir():
        if conn is not None or following or choice.words:
            asked = "--conn and --follow need" if not choice.words else f"{choice.words} needs"
            raise UsageError(f"{recording} is a folder: {asked} one recording")
        if as_markdown:
            raise UsageError(f"{recording} is a folder: --markdown needs one recording")
        _show_folder(recording, as_json)
        return
    if as_markdown:
        if as_json or following:
            raise UsageError("use --markdown without --json and --follow")
        with opened(recording) as read:
            show_markdown(read, conn)
            read.confess()
        return
    source = open_recording(recording)
    stream: Iterable[AnyEvent] = source
    if following:
        if not isinstance(source, Reader):
            raise UsageError(f"{recording} is not hangup's own format: --follow works only with that")
        stream = follow(source, _wait)
    try:
        if conn is not None:
            _show_conn(source, stream, recording, conn, following, as_json)
        elif following:
            table.follow(console(), stream, as_json)
        else:
            _show(source, recording, as_json, choice, rows)
    except KeyboardInterrupt:
        if not following:
            raise
    _confess(source)


def _wait() -> bool:
    sys.stdout.flush()
    time.sleep(0.1)  # a file that grows tells nobody, on every platform
    return True


def _show(source: Recording, recording: str, as_json: bool, choice: Choice, rows: int) -> None:
    if not as_json:
        table.show(console(), source, choose(source, choice, rows), choice, proof_of(source)[1])
        return
    chosen = choose(source, choice, 0)
    # One after the other, so that their text is never all in memory.
    rest = json.dumps(_document(source, recording, chosen.ledger, [], chosen.loops), indent=2)
    before, after = rest.split('"connections": []', 1)
    click.echo(before + '"connections": [', nl=False)
    for number, connection in enumerate(chosen.connections):
        text = json.dumps(connection.summary(), indent=2).replace("\n", "\n    ")
        click.echo((",\n    " if number else "\n    ") + text, nl=False)
    click.echo(("\n  ]" if chosen.connections else "]") + after)


def _document(
    source: Recording, recording: str, ledger: Ledger, connections: list[dict[str, Any]], found: list[loops.Loop]
) -> dict[str, Any]:
    _, proof = proof_of(source)
    return {
        "recording": recording,
        "header": msgspec.to_builtins(source.header),
        "duration": ledger.last_at,
        "complete": source.complete,
        "torn": source.torn,
        "skipped": source.skipped,
        "lost": ledger.lost,
        "http": ledger.http,
        "connections": connections,
        "loops": [loop.summary() for loop in found],
        "proved": proof.verdict if proof is not None and proof.proved else None,
    }


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


def _show_conn(
    source: Recording, stream: Iterable[AnyEvent], recording: str, conn: int, following: bool, as_json: bool
) -> None:
    ledger = Ledger()
    frames = Frames(console(), conn)
    begun = False
    for event in stream:
        ledger.feed(event)
        if not as_json:
            frames.show(event, ledger.connections.get(conn))
        elif event.conn == conn:
            # Streamed, so that the events of a connection of any length fit into memory.
            line = json.dumps(msgspec.to_builtins(event))
            before = "" if following else ",\n" if begun else '{"events": [\n'
            click.echo(before + line, nl=following)
            begun = True
    connection = ledger.connections.get(conn)
    if connection is None:
        raise UsageError(_no_such(recording, conn, ledger))
    if not as_json:
        frames.end(connection)
    elif not following:
        settle(ledger)
        found = [loop for loop in loops.find(ledger.connections.values(), now=ledger.last_at) if conn in loop.conns]
        rest = json.dumps(_document(source, recording, ledger, [connection.summary()], found), indent=2)
        click.echo(f"\n], {rest.removeprefix('{').lstrip()}")


def _no_such(recording: str, conn: int, ledger: Ledger) -> str:
    known = table.ranges(sorted(ledger.connections))
    return f"{recording} has no connection {conn}" + (f", only {known}" if known else "")


def _show_folder(folder: str, as_json: bool) -> None:
    rows = [row(path) for path in listing(folder)]
    if as_json:
        _print_json({"folder": folder, "recordings": rows})
    elif not rows:
        raise RecordingError(f"there is no recording in {folder}")
    else:
        table.folder(console(), rows)


def _confess(source: Recording) -> None:
    """What could not be read, on stderr: it may matter, and it must not spoil what a program reads."""
    if source.torn:
        tell(f"{source.name} ends in the middle of a line (the recorder was killed): that line is ignored")
    if source.skipped:
        first, why = source.skips[0]
        tell(f"{plural(source.skipped, 'line')} of {source.name} ignored, the first at {first}: {printable(why, 200)}")
