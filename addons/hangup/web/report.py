"""A recording as one HTML file that stands alone: what somebody is sent who has never seen hangup.

It is opened by a double click, from a disk, offline: the page's own code in read-only form (``page/report.js`` and what
it needs), and what it would ask a server for, embedded as JSON. Nothing in it asks for anything, which its policy sees
to: scripts and styles are let in by their hashes, and nothing else is.
"""

from __future__ import annotations

import base64
import hashlib
import html
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from hangup import __version__
from hangup.experiment.summing_up import Explanation, Summary
from hangup.humanize import printable
from hangup.recording import events
from hangup.recording.events import AnyEvent, Header
from hangup.recording.formats.losses import Losses
from hangup.web import page_bundle
from hangup.web.query import Answer
from hangup.web.recorded import Recorded
from hangup.web.report_data import Embedding
from hangup.web.report_room import LIMIT, Room, embeddable, fitted, rooms

STYLES = ("style.css", "timeline.css", "connection.css", "panels.css", "report.css")

ENTRY = "report.js"

ITEMS = 64
"""So many of anything the diagnosis and the proof list at most, where they are too long."""

SLICE = 1.0
"""Seconds of reading between two looks whether there is more."""


class HtmlWriter:
    """Keeps the events in a temporary file, and makes the report of them at the end.

    ``told`` is what is said of the recording; it and the events are redacted already, if that was asked for. ``name``
    is the recording's. ``hidden`` tells in the end in how many places a secret was replaced; None where none was looked
    for.
    """

    def __init__(
        self,
        out: BinaryIO,
        header: Header,
        told: Explanation,
        *,
        name: str = "",
        hidden: Callable[[], int] | None = None,
        room: Room | None = None,
    ) -> None:
        self.losses = Losses()
        self._out = out
        self._room = room or Room()
        self._told = told
        self._name = name
        self._hidden = hidden
        self._folder = tempfile.TemporaryDirectory(prefix="hangup-", ignore_cleanup_errors=True)
        self._path = Path(self._folder.name, "recording.jsonl")
        self._file = open(self._path, "wb", 1 << 20)
        self._file.write(events.encode(header) + b"\n")

    def write(self, event: AnyEvent) -> None:
        """Takes the next event."""
        self._file.write(events.encode(event) + b"\n")

    def finish(self) -> None:
        """Writes the document."""
        self._file.close()
        recorded = Recorded(self._path, {"readonly": True, "name": self._name})
        try:
            while recorded.read(SLICE):
                pass
            embedding = Embedding(recorded, self._told.report.spoken_of)
            for room in rooms(self._room):
                self.losses = Losses()
                made = self._made(embedding.answers(room, self.losses))
                if len(made) <= LIMIT:
                    break
        finally:
            recorded.tail.close()
        self._out.write(made)

    def _made(self, answers: Answer) -> bytes:
        """The document with these answers."""
        told = self._room.told
        data = answers | {
            "why": fitted(self._told.report.summary(), told, ITEMS),
            "summary": fitted(msgspec.to_builtins(self._told.summary), told, ITEMS),
            "proof": fitted(msgspec.to_builtins(self._told.proof), told, ITEMS),
            "hidden": self._hidden() if self._hidden is not None else None,
            "version": __version__,
        }
        return document(self._told.summary, data).encode()

    def close(self) -> None:
        """Removes what was kept."""
        self._file.close()
        self._folder.cleanup()


def document(summary: Summary, data: dict[str, Any]) -> str:
    """The whole file. Raises :class:`~hangup.web.page_bundle.BundleError`."""
    script = f"/*\n{page_bundle.licences()}\n*/\n{page_bundle.script(ENTRY)}"
    style = page_bundle.styles(*STYLES)
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(script)}",
            f"style-src {_hash(style)}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    title = html.escape(printable(f"{summary.headline} – {summary.backend or 'hangup'}", 200))
    said = "".join(f"<p>{html.escape(printable(text, 2000))}</p>" for text in _words(summary) if text)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="hangup {html.escape(__version__)}">
<title>{title}</title>
<style>{style}</style>
</head>
<body class="report-body">
<div id="page"></div>
<noscript><h1>{html.escape(summary.headline)}</h1>{said}<p>The timeline and the frames need JavaScript.</p></noscript>
<script type="application/json" id="data">{embeddable(data)}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def _words(summary: Summary) -> list[str]:
    return [summary.sentence, summary.sure, summary.fix]


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
