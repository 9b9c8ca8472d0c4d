"""What came of a replay, beside what was recorded."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from hangup.experiment.failure import untried
from hangup.humanize import duration, plural, span
from hangup.recording.connections import Connection
from hangup.recording.ending_words import Ending
from hangup.replayable.survey import Survey
from hangup.wire import close_codes

SAME_TIME = 0.1
"""Lifetimes that differ by no more than this share are the same."""


class ReplayOutcome(Struct, kw_only=True):
    """What came of playing one connection.

    ``live`` is the account of the run, ``recorded`` that of the recording. ``survived`` says that nobody ended it until
    the replay did. ``sent`` counts what the client said of its own (messages, control frames, odd bytes) before the
    end, ``expected`` how much it had said in the recording. ``stopped_at`` is the recorded frame that would have come
    next when the end came too early. ``missing`` server messages did not come in time, the first is the recorded frame
    ``first_missing``; ``extra`` came beyond the recorded ones; ``unlike`` is the first recorded server frame whose
    counterpart was of another shape. ``correlated`` are the values that were taken from the run, by their name.
    """

    conn: int
    recorded: Connection
    live: Connection
    survived: bool = False
    sent: int = 0
    expected: int = 0
    stopped_at: int | None = None
    last_n: int | None = None
    missing: int = 0
    first_missing: int | None = None
    extra: int = 0
    unlike: int | None = None
    correlated: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    live_conn: int = 1
    real_time: bool = True
    """Whether it was played neither faster nor slower than it was recorded."""

    @property
    def same(self) -> bool:
        """Whether it ended as it had, and where it had."""
        return self.same_ending and self.same_place

    @property
    def same_ending(self) -> bool:
        """Whether it was ended by the same side and in the same manner (with the same close code, without a CLOSE,
        or with the same status), or in neither case at all. A FIN and a RST count as the same manner, as it is often
        chance which of them is seen."""
        return _signature(self.live) == _signature(self.recorded)

    @property
    def same_frame(self) -> bool:
        """Whether it ended after as many of the client's frames."""
        return self.sent == self.expected

    @property
    def same_place(self) -> bool:
        """Whether it ended after as many of the client's frames; or, played in real time, at the same time, as what a
        timer ends may get one frame more or less."""
        if self.same_frame:
            return True
        then, now = self.recorded.lifetime, self.live.lifetime
        if not self.real_time or then is None or now is None:
            return False
        return abs(now - then) <= max(SAME_TIME * then, 0.05)

    @property
    def diverged_at(self) -> int | None:
        """The first recorded frame at which the run was another; None if there was none."""
        found = [n for n in (self.unlike, self.first_missing) if n is not None]
        if self.stopped_at is not None:
            found.append(self.stopped_at)
        elif not self.same_ending and self.last_n is not None:
            # All was said; what came of it is different.
            found.append(self.last_n)
        return min(found, default=None)

    def differences(self) -> list[str]:
        """In what the run was another than the recording, in words; the ending first."""
        found = []
        recorded, live = self.recorded, self.live
        if not self.same_ending:
            found.append(f"recorded: {recorded.ending.sentence}")
            found.append(f"now: {self.fate}")
        else:
            found += _alike(recorded.ending, live.ending)
        if not self.same_frame and live.opened is not None and recorded.opened is not None:
            when = "earlier" if self.sent < self.expected else "later"
            frames = plural(self.sent, "frame")
            found.append(f"it ended {when}: after {frames} from the client, not {self.expected} as in the recording")
        if self.missing and self.first_missing is not None:
            what = "message from the server" if self.missing == 1 else "messages from the server"
            found.append(
                f"{self.missing} {what} had not arrived when the client went on; the first was expected as frame "
                f"{self.first_missing}"
            )
        if self.unlike is not None:
            found.append(f"frame {self.unlike} from the server had a different structure")
        if self.extra:
            found.append(f"the server sent {plural(self.extra, 'message')} more")
        if recorded.subprotocol != live.subprotocol:
            found.append(
                f"the subprotocol was {live.subprotocol or 'none'} instead of {recorded.subprotocol or 'none'}"
            )
        return found

    @property
    def fate(self) -> str:
        """What happened in the run, in one sentence."""
        if self.survived:
            lived = span(self.live.opened or 0.0, self.live.ending.at or self.live.last_seen)
            return f"it stayed open: hangup closed it after {duration(lived)}"
        if why := untried(self.live, self.recorded):
            return f"could not be tried: {why}"
        return self.live.ending.sentence

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "conn": self.conn,
            "same": self.same,
            "same_ending": self.same_ending,
            "same_frame": self.same_frame,
            "survived": self.survived,
            "recorded": self.recorded.summary(),
            "live": self.live.summary(),
            "live_conn": self.live_conn,
            "sent": self.sent,
            "expected": self.expected,
            "diverged_at": self.diverged_at,
            "missing": self.missing,
            "extra": self.extra,
            "differences": self.differences(),
            "correlated": self.correlated,
            "notes": self.notes,
            "seconds": round(self.seconds, 3),
        }


def _signature(connection: Connection) -> tuple[object, ...]:
    how = connection.manner
    ending = connection.ending
    if how == "refused":
        return (how, ending.by, connection.status)
    if how is None:
        return ("open",)
    return (how, ending.by, ending.code if how == "close" else None)


def _alike(recorded: Ending, live: Ending) -> list[str]:
    found = []
    if recorded.how != live.how:
        found.append(f"it ended with a {live.how.upper()} instead of a {recorded.how.upper()}")
    if (recorded.reason or "") != (live.reason or ""):
        code = f"{live.code} ({close_codes.name(live.code)})" if live.code is not None else "the close"
        found.append(f"the reason given with {code} was {live.reason!r} instead of {recorded.reason!r}")
    return found


def blank(survey: Survey, live: Connection, live_conn: int) -> ReplayOutcome:
    """The beginning of an account."""
    return ReplayOutcome(
        conn=survey.connection.conn,
        recorded=survey.connection,
        live=live,
        live_conn=live_conn,
        expected=survey.sent,
        last_n=survey.last_n,
    )
