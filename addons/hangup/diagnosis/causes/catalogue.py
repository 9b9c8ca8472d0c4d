"""The causes as a page of documentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from hangup.diagnosis.causes import ANY, HEARTBEAT, Cause

KINDS = {
    "message": "a message", "control": "a heartbeat (ping or pong)", "header": "the handshake",
    "age": "the connection's age", "idle": "silence", "count": "the number of messages",
    "rate": "the rate of messages", "connection": "another connection",
    "event": "an event on the other side", "none": "nothing from the other side",
}  # fmt: skip
"""Each trigger in words."""

PLACES = {
    "application": "the application", "library": "the framework or library", "process": "the server process",
    "intermediary": "something between client and server", "client": "the client", "none": "nowhere",
}  # fmt: skip
"""Each place in words."""


def facts(cause: Cause) -> list[tuple[str, str]]:
    """What is said of a cause, as pairs of a title and a text."""
    found = [
        ("ended by", "the " + " or the ".join(cause.closers)),
        ("trigger", _trigger(cause)),
        ("where to fix it", PLACES[cause.place]),
        ("how to prove it", cause.proof),
    ]
    if cause.next is not None and not cause.next.filter.startswith("{"):
        found.append(("filter to try", f"`{cause.next.filter}`: {cause.next.tells}"))
    for on, text in cause.fix.items():
        where = ", ".join(word for word in on.replace(HEARTBEAT, ", of a heartbeat").split(", ") if word != ANY)
        found.append((f"how to fix it ({where})" if where else "how to fix it", text))
    return found


def _trigger(cause: Cause) -> str:
    kind = KINDS[cause.trigger]
    if not cause.property:
        return kind
    # What is counted says more than that something is.
    return cause.property if cause.trigger in ("count", "rate") else f"{kind} ({cause.property})"


def markdown(causes: Iterable[Cause]) -> Iterator[str]:
    """The page's lines."""
    for category, members in groupby(causes, key=lambda cause: cause.verdict.partition("/")[0]):
        yield f"### {category}/"
        yield ""
        for cause in members:
            yield f"- **{cause.verdict}**: {cause.sentence}."
            for title, text in facts(cause):
                yield f"  - {title}: {text}"
        yield ""
