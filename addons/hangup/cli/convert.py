"""``hangup convert``: a recording in another format."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from hangup.cli.redacted import learned
from hangup.cli.screen import tell
from hangup.cli.sources import Source, opened
from hangup.errors import RecordingError, UsageError
from hangup.humanize import plural
from hangup.recording.choice import only
from hangup.recording.events import AnyEvent, Header
from hangup.recording.formats import FORMATS, Format, format_for
from hangup.recording.formats.markdown import MarkdownWriter
from hangup.recording.formats.message_writer import Writer
from hangup.recording.formats.writing import writer
from hangup.recording.redaction.redactor import Redactor

if TYPE_CHECKING:
    from hangup.experiment.summing_up import Explanation

EXAMPLES = """\b
Examples:
  hangup convert recordings/run.jsonl report.html   one file to send: verdict, timeline, frames
  hangup convert recordings/run.jsonl run.har
  hangup convert run.har run.jsonl                  then: hangup replay run.jsonl …
  hangup convert run.jsonl run.pcapng               then: wireshark run.pcapng
  hangup convert run.jsonl - --to markdown --conn 3 | pbcopy
  hangup convert run.jsonl run.flow                 then: mitmweb -r run.flow
  hangup convert run.jsonl shared.jsonl --redact 'user-\\d+'
  hangup convert 'recordings/*.jsonl' out.parquet   then: hangup query top-endings out.parquet
"""

READ = [name for name, each in FORMATS.items() if each.reads and name != "playwright"]
LEVELS = ("connections", "messages", "findings")
"""As in :data:`hangup.tables.schema.LEVELS`, which is not imported for the help."""
WRITTEN = [name for name, each in FORMATS.items() if each.writes]
PARQUET = "parquet"
"""What is a folder, and not written event by event."""


@click.command(epilog=EXAMPLES)
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option("--to", type=click.Choice([*WRITTEN, PARQUET]), help="The format to write; by default given by OUT's "
              "suffix.")
@click.option("--from", "given", type=click.Choice(READ), help=(
    "The format to read; by default recognised from IN's "
    "contents."
))
@click.option("--conn", type=int, metavar="N", help="Only connection N.")
@click.option(
    "--bisect",
    "document",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="For HTML and Markdown: the proof to include, as printed by `hangup bisect --json`. By default the newest "
    "one that a bisect of this recording has left beside it.",
)
@click.option("--redact", "patterns", multiple=True, metavar="PATTERN", help=(
    "Also hide what this regular expression "
    "matches."
))
@click.option("--no-redact", is_flag=True, help="Keep passwords, tokens and cookies.")
@click.option("--only", "only_levels", type=click.Choice(LEVELS), multiple=True, help="For Parquet: only these tables. "
              "connections, with recordings and loops, are quick; messages come with frames and pings.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="For Parquet: read with N processes; by default "
              "one for each processor.")
def convert(
    source: str,
    target: str,
    to: str | None,
    given: str | None,
    conn: int | None,
    document: Path | None,
    patterns: tuple[str, ...],
    no_redact: bool,
    only_levels: tuple[str, ...],
    jobs: int | None,
) -> None:
    """Write the recording IN to OUT in another format, without its secrets.

    IN may be a hangup recording, a HAR (Chrome, Firefox, Playwright, HTTP Toolkit, Proxyman, mitmproxy), also packed
    as .har.gz or .har.zip, a Playwright trace.zip, a Chrome netlog, a mitmproxy flow file or a packet capture (pcap or
    pcapng, read with tshark; TLS keys are taken from the file that SSLKEYLOGFILE names), or - for standard input. OUT
    may also be HTML (a report to send: one file that opens offline, for people without hangup), Markdown (for an issue)
    or pcapng (for Wireshark), or - for standard output. For a folder of Parquet files (out.parquet) IN may also be a
    folder or a pattern in quotes: they are tables for `hangup query`, Spark, Polars and pandas, by day and target.
    What the format cannot hold is reported on stderr.

    Secrets become [redacted-1] and so on, equal ones the same: credentials and cookies in headers, tokens in query
    strings, JSON members such as password or token, whatever looks like a JSON Web Token or the key of a known service,
    in base64 or gzip as well, and what --redact matches (the whole match, or its first group). A redacted hangup
    recording is no longer exact to the byte.
    """
    if no_redact and patterns:
        raise UsageError("use either --redact or --no-redact, not both")
    if to == PARQUET or (to is None and Path(target).suffix.lower() == f".{PARQUET}"):
        if conn is not None or given is not None or document is not None:
            raise UsageError("--conn, --from and --bisect are not for Parquet")
        from hangup.cli.converting_many import convert_many

        convert_many(source, target, None if no_redact else patterns, only_levels, jobs)
        return
    form = format_for(target, to)
    if document is not None and not form.explains:
        raise UsageError(f"--bisect is for HTML and Markdown: {form.title} has no place for a proof")
    if jobs is not None or only_levels:
        raise UsageError(f"--jobs and --only are for Parquet, and not for {form.title}")
    from hangup.web.explaining import Explaining  # it takes long to import, and completion waits for what stands above

    redactor = None if no_redact else Redactor(patterns)
    with opened(source, given) as recording:
        _check_apart(source, target)
        header = recording.header
        explaining = Explaining(recording, conn, document, say=tell) if form.explains else None
        if redactor is not None:
            if explaining is not None:
                explaining.teach(redactor)
            header = learned(recording, redactor, conn, explaining.watch if explaining is not None else iter)
        elif explaining is not None:
            deque(explaining.watch(only(recording.events("diagnosing"), conn)), maxlen=0)
        told = explaining.explain(header, redactor) if explaining is not None else None
        with output(target, form) as out:
            made = _writer(form, out, header, told, recording.name, redactor)
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


def _writer(
    form: Format, out: BinaryIO, header: Header, told: Explanation | None, name: str, redactor: Redactor | None
) -> Writer:
    if form.name == "mitmproxy":
        from hangup.proxy.flows import FlowWriter  # mitmproxy takes long to import

        return FlowWriter(out, header)
    if told is None:
        return writer(form.name, out, header)
    if form.name == "html":
        from hangup.web.report import HtmlWriter  # what belongs to the page takes long to import, too

        hidden = None if redactor is None else lambda: redactor.hidden
        return HtmlWriter(out, header, told, name=Path(name).name, hidden=hidden)
    from hangup.cli import explained_markdown

    return MarkdownWriter(out, header, explained_markdown.lead(told), told.report.spoken_of)


def _tell_redacted(redactor: Redactor) -> None:
    if redactor.hidden:
        secrets = plural(redactor.vault.secrets, "secret")
        tell(f"{secrets} hidden in {plural(redactor.hidden, 'place')} (--no-redact keeps them)")
    if unchecked := redactor.unchecked + redactor.vault.left_out:
        which = plural(unchecked, "message")
        tell(
            f"the contents of {which} are left out, as they could not be searched for secrets (--no-redact "
            "keeps them)"
        )


def _check_apart(source: str, target: str) -> None:
    with suppress(OSError):
        if source != "-" and target != "-" and os.path.samefile(source, target):
            raise UsageError(f"IN and OUT are the same file, {target}")


@contextmanager
def output(target: str, form: Format) -> Iterator[BinaryIO]:
    """What is written to: a file that only its owner can read, and that is there only once it is complete."""
    if target == "-":
        if form.name in ("pcapng", "mitmproxy") and sys.stdout.isatty():
            raise UsageError(f"{form.title} cannot be printed on a terminal: name a file")
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
