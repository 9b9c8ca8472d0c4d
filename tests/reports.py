"""Exports for tests, above all reports: made of events or by the command, and read again without a browser."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from hangup.cli import cli, explained_markdown
from hangup.diagnosis.diagnose import report
from hangup.diagnosis.for_others import for_others
from hangup.experiment.document_file import Proof
from hangup.experiment.summing_up import Explanation, sum_up
from hangup.proxy.flows import FlowWriter
from hangup.recording.events import AnyEvent, Header
from hangup.recording.formats.markdown import MarkdownWriter
from hangup.recording.formats.message_writer import Writer
from hangup.recording.formats.writing import writer
from hangup.recording.redaction.redactor import Redactor
from hangup.recording.traffic_ledger import look_into
from hangup.web import page_bundle
from hangup.web.report import ENTRY, STYLES, HtmlWriter

DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.S)


def explained(events: Iterable[AnyEvent], header: Header, proof: Proof | None = None) -> Explanation:
    """What is said of these events."""
    ledger = look_into(header, events)
    found = report(ledger, recording="run.jsonl")
    return Explanation(found, sum_up(found, header, ledger.connections, ledger.last_at, proof), proof)


def redacted(name: str, events: list[AnyEvent], header: Header) -> bytes:
    """What the format of that name makes of a recording without its secrets; of a report what is not the page's own."""
    redactor = Redactor()
    redactor.learn(events, header)
    hidden = redactor.header(header)
    out = io.BytesIO()
    made: Writer
    if name == "mitmproxy":
        made = FlowWriter(out, hidden)
    elif name not in ("html", "markdown"):
        made = writer(name, out, hidden)
    else:
        found, shown = for_others(look_into(header, events), redactor, header, events, recording="run.jsonl")
        said = Explanation(found, sum_up(found, hidden, shown.connections, shown.last_at))
        if name == "html":
            made = HtmlWriter(out, hidden, said, name="run.jsonl")
        else:
            made = MarkdownWriter(out, hidden, explained_markdown.lead(said), said.report.spoken_of)
    for event in redactor.events(events):
        made.write(event)
    made.finish()
    made.close()
    return of_the_recording(out.getvalue().decode()) if name == "html" else out.getvalue()


def of_the_recording(text: str) -> bytes:
    """A report without the page's own code, and what is embedded in it also as it reads."""
    own = text.replace(page_bundle.script(ENTRY), "").replace(page_bundle.styles(*STYLES), "")
    assert len(own) < len(text) - 50_000
    return f"{own}{json.dumps(data_of(text), ensure_ascii=False)}".encode()


def convert(source: Path, target: Path, *options: str) -> Result:
    """``hangup convert``."""
    return CliRunner().invoke(cli, ["convert", str(source), str(target), *options], catch_exceptions=False)


def converted(source: Path, target: Path, *options: str) -> str:
    """The report of a recording, as text."""
    assert convert(source, target, *options).exit_code == 0
    return target.read_text(encoding="utf-8")


def data_of(text: str) -> Any:
    """What is embedded in a report."""
    (found,) = DATA.findall(text)
    return json.loads(found)
