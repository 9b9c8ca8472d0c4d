"""What ``hangup why`` does."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import msgspec
from msgspec.structs import replace

from hangup.cli import explained_markdown
from hangup.cli.redacted import learned
from hangup.cli.screen import console
from hangup.cli.sources import Source, opened, undisturbed
from hangup.cli.why import examples, page, under_load
from hangup.cli.why.annotation import annotation
from hangup.diagnosis.diagnose import report
from hangup.diagnosis.for_others import for_others
from hangup.diagnosis.report import Report
from hangup.errors import UsageError
from hangup.experiment.document_file import Proof
from hangup.experiment.summing_up import Explanation, sum_up, what_is_proved
from hangup.recording.folder import newest
from hangup.recording.redaction.redactor import Redactor
from hangup.recording.traffic_ledger import TrafficLedger, look_into_again
from hangup.web.explaining import proof_of


def explain(
    recordings: tuple[str, ...],
    conn: int | None,
    example: str | None,
    as_json: bool,
    as_markdown: bool,
    as_github: bool,
    parquet: Path | None,
    jobs: int | None,
    scheduler: str | None,
) -> None:
    """Prints why the connections of a recording ended, and exits with 0 if that is known."""
    if as_json + as_markdown + as_github > 1:
        raise UsageError("use only one of --json, --markdown and --github")
    if parquet is not None or jobs is not None or scheduler is not None:
        raise UsageError("--parquet, --jobs and --scheduler are for many recordings: a folder, or a pattern")
    recording = recordings[0] if recordings else None
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
        load = under_load.under_load(source.recording, ledger)
        if as_json:
            made = {} if proved is None else {"proved": msgspec.to_builtins(proved)}
            made |= {} if load is None else {"load": load.summary()}
            click.echo(json.dumps(found.summary() | made, indent=2))
        elif as_markdown:
            click.echo("\n".join(explained_markdown.lead(_redacted(source, conn, ledger, proof, found))))
        elif as_github:
            click.echo(annotation(_redacted(source, conn, ledger, proof, found)))
        else:
            if load is not None and conn is None:
                under_load.show(console(), load)
            page.show(console(), found, proved, str(where or ""), _said(proof))
        source.confess()
    sys.exit(0 if proved is not None else found.exit_code)


def _said(proof: Proof | None) -> str:
    """What a bisect said that proved nothing."""
    return "" if proof is None or proof.proved else proof.headline


def _redacted(
    source: Source, conn: int | None, ledger: TrafficLedger, proof: Proof | None, seen: Report
) -> Explanation:
    """What is said of the recording, without its secrets: it is meant for others."""
    redactor = Redactor()
    header = learned(source, redactor)
    if proof is not None:
        proof.teach(redactor.vault)
    found, shown = for_others(ledger, redactor, source.header, source.events("redacting"), conn, seen.recording)
    if proof is not None:
        proof = proof.redacted(redactor.vault)
        proof.leave_out_libraries()
    an_example = seen.next == examples.NEXT
    if an_example:
        found.next = seen.next
    summary = sum_up(found, header, shown.connections, shown.last_at, proof)
    if an_example:  # its backend is nowhere to be tried on
        summary = replace(summary, reproduce=[])
    return Explanation(found, summary, proof)
