"""What a failed test is told of its connections: who hung up, in a sentence, and a report in one HTML file."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from hangup.errors import HangupError
from hangup.humanize import printable


class Told(Struct):
    """``text`` says what was found, ``path`` is the report; None where none could be made."""

    text: str
    path: Path | None


def tell(recording: Path, path: Path) -> Told:
    """Writes the report of a recording, also while it goes on, to ``path``. Never raises: a test has failed already."""
    from hangup.web.report_file import save_report  # long to import, and only needed when something fails

    try:
        told = save_report(recording, path)
    except (HangupError, OSError) as error:
        return Told(f"no report: {printable(str(error), 300)}", None)
    summary = told.summary
    said = [summary.headline, summary.sentence, f"report: {path}"]
    return Told("\n".join(printable(text, 1000) for text in said if text), path)


def file_name(nodeid: str) -> str:
    """What a file is called that belongs to a test."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", nodeid).strip("-.")[-120:]
