"""``hangup convert``: a recording in another format."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import click

from hangup.cli.redacted import learned, only
from hangup.cli.screen import tell
from hangup.cli.sources import Source, opened
from hangup.errors import RecordingError, UsageError
from hangup.humanize import plural
from hangup.recording.events import AnyEvent, Header
from hangup.recording.formats import FORMATS, Format, format_for
from hangup.recording.formats.message_writer import Writer
from hangup.recording.formats.writing import writer
from hangup.recording.redaction.redactor import Redactor

EXAMPLES = """\b
Examples:
  hangup convert recordings/run.jsonl run.har
  hangup convert run.har run.jsonl                  then: hangup replay run.jsonl …
  hangup convert run.jsonl run.pcapng               then: wireshark run.pcapng
  hangup convert run.jsonl - --to markdown --conn 3 | pbcopy
  hangup convert run.jsonl run.flow                 then: mitmweb -r run.flow
  hangup convert run.jsonl shared.jsonl --redact 'user-\\d+'
"""

READ = [name for name, each in FORMATS.items() if each.reads and name != "playwright"]
WRITTEN = [name for name, each in FORMATS.items() if each.writes]


@click.command(epilog=EXAMPLES)
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option("--to", type=click.Choice(WRITTEN), help="The format to write; by default OUT's suffix says it.")
@click.option("--from", "given", type=click.Choice(READ), help="The format to read; by default IN's contents say it.")
@click.option("--conn", type=int, metavar="N", help="Only connection N.")
@click.option("--redact", "patterns", multiple=True, metavar="PATTERN", help="Hide this, too: a regular expression.")
@click.option("--no-redact", is_flag=True, help="Leave passwords, tokens and cookies in.")
def convert(
    source: str,
    target: str,
    to: str | None,
    given: str | None,
    conn: int | None,
    patterns: tuple[str, ...],
    no_redact: bool,
) -> None:
    """Write the recording IN to OUT in another format, without its secrets.

    IN may be a hangup recording, a HAR (Chrome, Firefox, Playwright, HTTP Toolkit, Proxyman, mitmproxy), also packed
    as .har.gz or .har.zip, Playwright's trace.zip, Chrome's netlog, a mitmproxy flow file or a packet capture
    (pcap or pcapng, by tshark; the keys of TLS are taken from the file that SSLKEYLOGFILE names), and - for standard
    input. OUT may also be pcapng (for Wireshark) or Markdown (for an issue), and -
    for standard output. What the format has no place for is said on stderr.

    Secrets become [redacted-1] and so on, equal ones the same: credentials and cookies in headers, tokens in
    queries, JSON members like password or token, whatever looks like a key of a known service or a JSON Web Token,
    also in base64 or gzip, and what --redact matches (the whole match, or its first group). A redacted hangup
    recording is no longer exact to the byte.
    """
    form = format_for(target, to)
    if no_redact and patterns:
        raise UsageError("--redact and --no-redact contradict each other")
    redactor = None if no_redact else Redactor(patterns)
    with opened(source, given) as recording:
        _check_apart(source, target)
        header = recording.header
        if redactor is not None:
            header = learned(recording, redactor, conn)
        with output(target, form) as out:
            made = _writer(form, out, header)
            try:
                _write(made, recording, redactor, conn)
            finally:
                made.close()
        recording.confess()
    if redactor is not None:
        _tell_redacted(redactor)
    if made.losses:
        tell(f"{form.title} has no place for {made.losses.words}")


def _write(made: Writer, recording: Source, redactor: Redactor | None, conn: int | None) -> None:
    events: Iterable[AnyEvent] = only(recording.events("writing"), conn)
    if redactor is not None:
        events = redactor.events(events)
    found = conn is None
    for event in events:
        found = found or event.conn == conn
        made.write(event)
    if not found:
        raise UsageError(f"{recording.name} has no connection {conn}")
    made.finish()


def _writer(form: Format, out: BinaryIO, header: Header) -> Writer:
    if form.name == "mitmproxy":
        from hangup.proxy.flows import FlowWriter  # mitmproxy takes long to import

        return FlowWriter(out, header)
    return writer(form.name, out, header)


def _tell_redacted(redactor: Redactor) -> None:
    if redactor.hidden:
        secrets = plural(redactor.vault.secrets, "secret")
        tell(f"{secrets} hidden in {plural(redactor.hidden, 'place')} (--no-redact keeps them)")
    if unchecked := redactor.unchecked + redactor.vault.left_out:
        which = plural(unchecked, "message")
        tell(f"the contents of {which} are left out, as they could not be looked through (--no-redact keeps them)")


def _check_apart(source: str, target: str) -> None:
    with suppress(OSError):
        if source != "-" and target != "-" and os.path.samefile(source, target):
            raise UsageError(f"IN and OUT are the same file, {target}")


@contextmanager
def output(target: str, form: Format) -> Iterator[BinaryIO]:
    """What is written to: a file that only its owner can read, and that is there only once it is complete."""
    if target == "-":
        if form.name in ("pcapng", "mitmproxy") and sys.stdout.isatty():
            raise UsageError(f"{form.title} is not for a terminal: name a file")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(target)
    try:
        if path.exists() and not path.is_file():
            if path.is_dir():
                raise UsageError(f"{target} is a folder")
            with open(path, "wb") as special:  # a device, or a named pipe
                yield special
            return
        folder = path.resolve().parent
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)
    except OSError as error:
        raise RecordingError(f"cannot write {target}: {error.strerror or error}") from None
    try:
        with os.fdopen(descriptor, "wb", 1 << 20) as file:
            yield file
        os.replace(name, path)
    except OSError as error:
        raise RecordingError(f"cannot write {target}: {error.strerror or error}") from None
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)
