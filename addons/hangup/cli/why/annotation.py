"""A verdict as an annotation of a GitHub workflow: a line that the runner takes from what a step prints.

The form is that of GitHub's "workflow commands": ``::error title=TITLE::TEXT``, with some characters escaped.
"""

from __future__ import annotations

from hangup.experiment.summing_up import Summary
from hangup.humanize import printable

LEVELS = {"dropped": "error", "open": "error", "fine": "notice"}
"""By the tone of a summary."""

LONGEST = 1000
"""Characters of the text: of more GitHub shows the beginning."""


def annotation(summary: Summary) -> str:
    """One line. What was recorded cannot begin another command: it stays on this line."""
    title = printable(f"hangup: {summary.headline}", 200)
    text = printable(" ".join(filter(None, [summary.sentence, summary.sure])), LONGEST)
    return f"::{LEVELS[summary.tone]} title={_property(title)}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
