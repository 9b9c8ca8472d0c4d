"""What is kept of an experiment: the smallest failing exchange and its neighbour as recordings, a program that shows
the failure, the backend's words at that moment; and the document that names them all, as a file too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from hangup.errors import HangupError, RecordingError
from hangup.experiment import document_file
from hangup.experiment.document import Document
from hangup.experiment.exchange import Trials, nearest, smallest
from hangup.experiment.logged import logged
from hangup.experiment.reading import Reading
from hangup.experiment.script import reproducer
from hangup.experiment.search import Verdict
from hangup.experiment.sharing import vault_of
from hangup.experiment.summing_up import advice
from hangup.experiment.trial import Result
from hangup.recording.events import Log
from hangup.recording.excerpt import write_excerpt
from hangup.recording.folder import by_product
from hangup.recording.formats import Recording, open_recording
from hangup.recording.redaction.placeholders import Vault
from hangup.recording.writer import write_private
from hangup.wire.url import Target

TO_SHARE = "to share"
"""What the reproducer without secrets is called among the files."""


class Series(Struct):
    """Trials, and the recording in which they are; ``what`` it is called among the files."""

    what: str
    path: Path
    trials: Trials


def keep(
    reading: Reading | None,
    verdict: Verdict,
    runs: Sequence[Series],
    target: Target | None,
    about: Mapping[str, object] | None = None,
    seconds: float = 0.0,
    tried: Document | None = None,
) -> Document:
    """Writes it all beside the first of ``runs``. ``tried`` has what came of the fix with the person's own client."""
    document = Document(verdict=verdict, seconds=seconds, about=dict(about or {}))
    document.files = {run.what: str(run.path) for run in runs}
    if tried is not None:
        document.verified, document.verification = tried.verified, tried.verification
        document.files |= tried.files
    if reading is None:
        return document
    introduce(document, reading)
    recordings = [_open(run.path) for run in runs]
    document.log = _logged([*recordings, reading.transcript.recording], reading)
    document.vault = vault_of(reading, log=document.log)
    if not verdict.reproduced:
        return document
    if verdict.unshrunk:
        document.problems.append(f"the exchange could not be reduced by replay: {verdict.unshrunk}")
    try:
        _write_exchange(document, reading, list(zip(runs, recordings, strict=True)))
        kept = [_open(Path(path)) for path in (document.recording, document.neighbour) if path]
        document.vault = vault_of(reading, filter(None, kept), document.log)
        alone = verdict.neighbour is None  # the program plays one client
        if reading.failure.by != "client" and alone and target is not None:
            document.files |= _reproducers(reading, verdict, target, runs[0].path, document.vault)
        document_file.write(document, runs[0].path)
    except RecordingError as error:
        document.problems.append(str(error))
    return document


def introduce(document: Document, reading: Reading) -> None:
    """Says what the verdict is about: the recorded request, when that was, and how what was found is fixed."""
    document.about["started"] = reading.transcript.recording.header.started
    document.asked = reading.transcript.survey.request.target
    document.fix = advice(reading.report, document.verdict.verdict)


def _write_exchange(document: Document, reading: Reading, runs: Sequence[tuple[Series, Recording | None]]) -> None:
    verdict = document.verdict
    beside = runs[0][0].path
    for run, recording in reversed(runs):
        found = smallest(reading.case, verdict, run.trials)
        if found is None or recording is None:
            continue
        what = "minimal" if verdict.minimal is not None else "failing"
        document.recording = _excerpt(recording, found, beside, what, f"fails: {verdict.verdict}")
        document.files[what] = document.recording
        # Of a search that was interrupted the neighbour may be among the page's own trials.
        for other, theirs in ((run, recording), *runs):
            near = nearest(reading.case, verdict, other.trials)
            if near is not None and theirs is not None:
                document.neighbour = _excerpt(theirs, near, beside, "survives", (
                    "the closest exchange that does not "
                    "fail"
                ))
                document.files["survives"] = document.neighbour
                break
        return


def _open(path: Path) -> Recording | None:
    try:
        return open_recording(str(path))
    except HangupError:  # the disk was full, say: the verdict holds all the same
        return None


def _logged(recordings: Sequence[Recording | None], reading: Reading) -> list[Log]:
    """From the trials if the backend's log was followed, else from the recording that it began with."""
    for recording in recordings:
        if recording is not None and (log := logged(recording, reading.failure)):
            return log
    return []


def _excerpt(recording: Recording, result: Result, beside: Path, what: str, note: str) -> str:
    conns = result.conns or ((result.conn,) if result.conn is not None else ())
    return str(write_excerpt(recording, conns, by_product(beside, f"{what}.jsonl"), note))


def _reproducers(
    reading: Reading, verdict: Verdict, target: Target, beside: Path, vault: Vault
) -> dict[str, str]:
    """The program as it is run here, and the same without secrets, to be passed on."""
    request = reading.transcript.survey.request
    wait = (reading.failure.within or reading.case.lifetime) + 1
    files = {}
    for what, name, hidden in (("reproducer", "reproduce.py", None), (TO_SHARE, "reproduce-to-share.py", vault)):
        path = by_product(beside, name)
        text = reproducer(reading.case, verdict, request, target.url_of(request.target), wait, path.name, hidden)
        write_private(path, text.encode(errors="backslashreplace"))
        files[what] = str(path)
    return files
