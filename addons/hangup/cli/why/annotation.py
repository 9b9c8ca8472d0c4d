"""A verdict as an annotation of a GitHub workflow: a line that the runner takes from what a step prints.

The form is that of GitHub's "workflow commands": ``::error title=TITLE::TEXT``, with some characters escaped.
"""

from __future__ import annotations

from hangup.experiment.summing_up import Explanation
from hangup.humanize import printable

LONGEST = 1000
"""Characters of the text: of more GitHub shows the beginning."""


def annotation(told: Explanation) -> str:
    """One line: an error where a connection dropped, else a notice. What was recorded cannot begin another command."""
    summary, dropped = told.summary, told.report.connections.get("dropped", 0)
    level = "error" if summary.tone == "dropped" or summary.tone == "open" and dropped else "notice"
    title = printable(f"hangup: {summary.headline}", 200)
    text = printable(" ".join(filter(None, [summary.sentence, summary.sure])), LONGEST)
    return f"::{level} title={_property(title)}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
