"""The diagnosis of a recording as others may read it: what is quoted is redacted."""

from __future__ import annotations

from collections.abc import Iterable

from hangup.diagnosis.diagnose import report
from hangup.diagnosis.report import Report
from hangup.recording.events import AnyEvent, Header
from hangup.recording.redaction.redactor import Redactor
from hangup.recording.traffic_ledger import TrafficLedger


def for_others(
    ledger: TrafficLedger,
    redactor: Redactor,
    header: Header,
    events: Iterable[AnyEvent],
    only: int | None = None,
    recording: str = "",
) -> tuple[Report, TrafficLedger]:
    """The report, and what is known of the redacted recording.

    ``ledger`` is of the recording as it is, which decides the verdict (a token's date tells something); ``header`` and
    ``events`` are the same recording, which the ``redactor`` has learned. ``only`` and ``recording`` as in
    :func:`~hangup.diagnosis.diagnose.report`.
    """
    shown = TrafficLedger(redactor.header(header))
    shown.feed_all(redactor.events(events))
    found = report(ledger, only, recording, shown)
    found.censor(redactor.vault.excerpt)
    return found, shown
