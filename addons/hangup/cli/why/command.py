"""``hangup why``: what most probably ended the connections of a recording."""

from __future__ import annotations

import json
import sys

import click
import msgspec

from hangup.cli.explaining import proof_of
from hangup.cli.redacted import learned
from hangup.cli.screen import console
from hangup.cli.sources import Source, opened, undisturbed
from hangup.cli.why import examples, page
from hangup.diagnosis.diagnose import report
from hangup.diagnosis.for_others import for_others
from hangup.diagnosis.report import Report
from hangup.errors import UsageError
from hangup.experiment.document_file import Proof
from hangup.experiment.summing_up import what_is_proved
from hangup.recording.folder import newest
from hangup.recording.redaction.redactor import Redactor
from hangup.recording.traffic_ledger import TrafficLedger, look_into_again

EXAMPLES = """\b
Examples:
  hangup why                        the newest in recordings/
  hangup why --conn 3               why connection 3 ended, and those that ended alike
  hangup why run.jsonl --markdown   to paste into an issue
  hangup why run.jsonl --json | jq -r .verdict
  hangup why --example a3           one of the example recordings

Once `hangup bisect` has proved the cause for a recording, that proof is shown.

Exit code: 0 when a cause is named or proved, or nothing is wrong; 3 when it is unknown.
"""


@click.command(epilog=EXAMPLES)
@click.argument("recording", required=False)
@click.option("--conn", type=click.IntRange(min=1), metavar="N", help="Explain only how connection N ended.")
@click.option(
    "--example",
    is_flag=False,
    flag_value="",
    metavar="[NAME]",
    help="Use one of the example recordings that come with hangup; without NAME, list them.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, to paste into an issue.")
def why(recording: str | None, conn: int | None, example: str | None, as_json: bool, as_markdown: bool) -> None:
    """Say why the connections of a recording ended: the most likely cause, how sure that is, and the evidence.

    RECORDING is a file in any format that hangup reads, or - for standard input.
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
        recording = str(newest())
    with opened(recording) as source:
        with undisturbed():
            ledger = look_into_again(source.header, lambda: source.batches("reading"), conn)
        if conn is not None and conn not in ledger.connections:
            raise UsageError(f"{source.name} has no connection {conn}: `hangup show` lists them")
        name = "" if recording == "-" else source.name  # what came by a pipe has no name to be called by
        found = report(ledger, conn, name)
        if example is not None:
            found.next = list(examples.NEXT)
        where, proof = proof_of(source.recording, conn, ledger)
        proved = what_is_proved(found, proof)
        if as_json:
            made = {} if proved is None else {"proved": msgspec.to_builtins(proved)}
            click.echo(json.dumps(found.summary() | made, indent=2))
        elif as_markdown:
            click.echo(_redacted(source, conn, ledger, proof, found))
        else:
            page.show(console(), found, proved, str(where or ""), _said(proof))
        source.confess()
    sys.exit(0 if proved is not None else found.exit_code)


def _said(proof: Proof | None) -> str:
    """What a bisect said that proved nothing."""
    return "" if proof is None or proof.proved else proof.headline


def _redacted(source: Source, conn: int | None, ledger: TrafficLedger, proof: Proof | None, seen: Report) -> str:
    """The page as Markdown without the recording's secrets: it is meant for others."""
    redactor = Redactor()
    learned(source, redactor)
    if proof is not None:
        proof.teach(redactor.vault)
    found, _ = for_others(ledger, redactor, source.header, source.events("redacting"), conn, seen.recording)
    if seen.next == examples.NEXT:
        found.next = seen.next
    if proof is not None:
        proof = proof.redacted(redactor.vault)
    return page.markdown(found, what_is_proved(found, proof), _said(proof))
