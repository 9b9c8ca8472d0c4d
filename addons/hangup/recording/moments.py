"""When something happened by the calendar: a recording's events have seconds from its start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def absolute(started: str, at: float | None) -> datetime | None:
    """The moment ``at`` seconds after a recording was ``started``, in UTC; None where that is no time."""
    try:
        begun = datetime.fromisoformat(started)
        moment = begun if begun.tzinfo is not None else begun.replace(tzinfo=UTC)
        return None if at is None else moment.astimezone(UTC) + timedelta(seconds=at)
    except (ValueError, OverflowError):
        return None
