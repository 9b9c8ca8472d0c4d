"""What of an experiment goes to others: without the secrets of the exchange, all known before anything is told."""

from __future__ import annotations

from collections.abc import Iterable

from hangup.errors import HangupError
from hangup.experiment.reading import Reading
from hangup.experiment.trial import Case
from hangup.recording.events import Log, Request
from hangup.recording.formats import Recording
from hangup.recording.redaction.placeholders import Vault
from hangup.recording.redaction.redactor import Redactor
from hangup.recording.redaction.single_events import request as hidden_request


def vault_of(reading: Reading | None, recordings: Iterable[Recording] = (), log: Iterable[Log] = ()) -> Vault:
    """Knows the secrets of the exchange that was studied, of what was recorded of it (``recordings``, short ones) and
    of the backend's log."""
    redactor = Redactor()
    vault = redactor.vault
    if reading is not None:
        _learn(vault, reading.case, reading.transcript.survey.request)
    for recording in recordings:
        try:
            redactor.learn(recording, recording.header)
        except HangupError:
            continue
    vault.learning = True
    for line in log:
        vault.text(line.text)
    vault.learning = False
    return vault


def _learn(vault: Vault, case: Case, request: Request) -> None:
    vault.learning = True
    hidden_request(vault, request)
    said = [*case.frames, *case.asked, *(frame for others in case.lived for frame in others)]
    for frame in said if case.answer is None else [*said, case.answer]:
        vault.payload(frame.payload)
    for payloads in case.harmless.values():
        for payload in payloads:
            vault.payload(payload)
    for donated in case.donated:
        vault.text(donated.filter)
    vault.text(case.reason)
    vault.learning = False
