"""A recording as others may read it: Markdown on stdout, and the events that it is made of, without their secrets."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator

from hangup.cli.sources import Source
from hangup.errors import UsageError
from hangup.recording.choice import only
from hangup.recording.events import AnyEvent, Header
from hangup.recording.formats.writing import writer
from hangup.recording.redaction.redactor import Redactor


def learned(
    source: Source,
    redactor: Redactor,
    conn: int | None = None,
    watch: Callable[[Iterable[AnyEvent]], Iterable[AnyEvent]] = iter,
) -> Header:
    """The header without secrets, after all of them were met; ``watch`` passes on what it sees of the events."""
    redactor.learn(watch(only(source.events("looking for secrets"), conn)), source.header)
    return redactor.header(source.header)


def hidden(source: Source, redactor: Redactor, conn: int | None = None) -> Iterator[AnyEvent]:
    """The events without secrets. Raises :class:`UsageError` when there is no connection ``conn``."""
    found = conn is None
    for event in redactor.events(only(source.events("writing"), conn)):
        found = found or event.conn == conn
        yield event
    if not found:
        raise UsageError(f"{source.name} has no connection {conn}")


def show_markdown(source: Source, conn: int | None) -> None:
    """The recording for an issue, on stdout."""
    redactor = Redactor()
    made = writer("markdown", sys.stdout.buffer, learned(source, redactor, conn))
    try:
        for event in hidden(source, redactor, conn):
            made.write(event)
        made.finish()
    finally:
        made.close()
    sys.stdout.buffer.flush()
