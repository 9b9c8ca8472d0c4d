"""``hangup why``: what most probably ended the connections of a recording."""

from __future__ import annotations

import json
import sys

import click

from hangup.cli.redacted import learned
from hangup.cli.screen import console
from hangup.cli.sources import Source, opened, undisturbed
from hangup.cli.why import examples, page
from hangup.diagnosis.diagnose import report
from hangup.diagnosis.for_others import for_others
from hangup.errors import UsageError
from hangup.recording.folder import newest
from hangup.recording.redaction.redactor import Redactor
from hangup.recording.traffic_ledger import TrafficLedger, look_into_again

FOLDER = "recordings"

EXAMPLES = """\b
Examples:
  hangup why                        the newest in recordings/
  hangup why --conn 3               why connection 3 ended, and those that ended alike
  hangup why run.jsonl --markdown   to paste into an issue
  hangup why run.jsonl --json | jq -r .verdict
  hangup why --example a3           one of those that come with hangup

Exit code: 0 when a cause is named or nothing is wrong, 3 when it is unknown.
"""


@click.command(epilog=EXAMPLES)
@click.argument("recording", required=False)
@click.option("--conn", type=click.IntRange(min=1), metavar="N", help="Ask about the ending of connection N.")
@click.option(
    "--example",
    is_flag=False,
    flag_value="",
    metavar="[NAME]",
    help="Read a recording that comes with hangup; without NAME, list them.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--markdown", "as_markdown", is_flag=True, help="For an issue.")
def why(recording: str | None, conn: int | None, example: str | None, as_json: bool, as_markdown: bool) -> None:
    """Say why the connections of a recording ended: the likeliest cause, how sure, and which events say so.

    RECORDING is a file of any format that hangup reads, or - for standard input.
    """
    if as_json and as_markdown:
        raise UsageError("use either --json or --markdown, not both")
    if example is not None:
        if recording is not None:
            raise UsageError("use either RECORDING or --example, not both")
        if not example:
            for name in examples.examples():
                click.echo(name)
            return
        recording = str(examples.example(example))
    elif recording is None:
        recording = str(newest(FOLDER))
    with opened(recording) as source:
        with undisturbed():
            ledger = look_into_again(source.header, lambda: source.batches("reading"), conn)
        if conn is not None and conn not in ledger.connections:
            raise UsageError(f"{source.name} has no connection {conn}: `hangup show` lists them")
        found = report(ledger, conn, source.name)
        if as_json:
            click.echo(json.dumps(found.summary(), indent=2))
        elif as_markdown:
            click.echo(_redacted(source, conn, ledger))
        else:
            page.show(console(), found)
        source.confess()
    sys.exit(found.exit_code)


def _redacted(source: Source, conn: int | None, ledger: TrafficLedger) -> str:
    """The page as Markdown without the recording's secrets: it is meant for others."""
    redactor = Redactor()
    learned(source, redactor)
    found, _ = for_others(ledger, redactor, source.header, source.events("redacting"), conn, source.name)
    return page.markdown(found)
