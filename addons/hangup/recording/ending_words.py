"""Endings in words: one sentence that says who ended a connection and how, and each step by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Protocol

from hangup.humanize import duration, plural, printable
from hangup.recording.endings import ENDS, By, Course, EndingHow, Known, Last, Step, Told, course, in_words, quoted
from hangup.recording.events import Frame, Side


class Account(Known, Protocol):
    """What the words need to know of a connection."""

    @property
    def half(self) -> Mapping[Side, str]: ...
    @property
    def junk(self) -> Mapping[Side, str]: ...
    @property
    def checks(self) -> tuple[str, ...]: ...
    @property
    def lost(self) -> int: ...
    @property
    def answered_by(self) -> str: ...
    @property
    def error(self) -> str: ...
    @property
    def status(self) -> int | None: ...
    @property
    def phrase(self) -> str: ...
    @property
    def location(self) -> str: ...
    @property
    def untold(self) -> str: ...
    @property
    def stopped(self) -> bool: ...
    @property
    def last(self) -> dict[Side, Last | Frame]: ...


@dataclass
class Ending:
    """Who ended a connection and how. ``how`` is ``unknown`` when an import tells that it ended, and no more.

    ``by`` is ``proxy`` only for what hangup did itself, by a ``filter`` if that is named. ``at`` is the time
    of the first step in seconds, None while there is none; ``account`` are all steps. ``crossed`` says that
    both sides sent a CLOSE without knowing of the other's, ``half_closed`` that the other side went on
    sending after a FIN.
    """

    by: By
    how: EndingHow
    told: Account = field(repr=False, compare=False)
    code: int | None = None
    reason: str | None = None
    at: float | None = None
    filter: str = ""
    crossed: bool = False
    half_closed: bool = False

    @property
    def account(self) -> list[Step]:
        """All steps."""
        return self.told.steps

    @cached_property
    def sentence(self) -> str:
        """It in words."""
        return _sentence(self.told) + _losses(self.told)

    def summary(self) -> dict[str, object]:
        """For JSON."""
        account = [
            {"at": s.at, "side": s.side, "what": s.what, "by": s.by, "n": s.n, "text": s.text} for s in self.account
        ]
        return {
            "by": self.by,
            "how": self.how,
            "code": self.code,
            "reason": self.reason,
            "sentence": self.sentence,
            "at": self.at,
            "filter": self.filter or None,
            "crossed": self.crossed,
            "half_closed": self.half_closed,
            "account": account,
        }


def ending_of(connection: Account, read: Course) -> Ending:
    """The ending of a connection, as far as is known."""
    if read.state == "refused":
        by, _, filter = _refuser(connection)
        return Ending(by, "none", connection, at=connection.answered, filter=filter)
    first = read.first
    told = connection.told
    if first is None and told is not None:
        how: EndingHow = "unknown" if told.code is None else "close"
        reason = told.reason if how == "close" else None
        return Ending(told.by, how, connection, code=told.code, reason=reason, at=told.at)
    if first is None:
        return Ending("unknown", "none", connection)
    return Ending(
        first.side if not first.by else "proxy",
        ENDS[first.what],
        connection,
        code=first.code,
        reason=first.reason if first.what == "close" else None,
        at=first.at,
        filter="" if first.by == "proxy" else first.by,
        crossed=read.crossed,
        half_closed=read.half_closed,
    )


def _sentence(connection: Account) -> str:
    read = course(connection)
    if read.state == "refused":
        return _refused(connection)
    first = read.first
    if first is None:
        return _still_open(connection) if connection.told is None else _as_told(connection, connection.told)
    parts = [_first(first), _frame_cut(connection, first), _latency(connection, first)]
    if first.what == "close":
        parts.append(_answered(read, connection.steps))
    elif first.what == "fin":
        parts.append(_afterwards(read))
    if first.what != "close" and (junk := connection.junk.get(first.side)) is not None:
        parts.append(f"; it had sent bytes that are not a WebSocket frame: `{junk}`")
    parts.append(_failed_checks(connection))
    return "".join(parts)


def _as_told(connection: Account, told: Told) -> str:
    """Of a connection of which no step is known: what an import told."""
    sentence = _still_open(connection)
    last = max(connection.last.values(), key=lambda last: last.n, default=None)
    if last is not None and last.at <= told.at:
        side = next(side for side in connection.last if connection.last[side] is last)
        sentence += f", {duration(told.at - last.at)} after {side} frame {last.n}"
    elif connection.opened is not None and last is None:
        sentence += f", {duration(told.at - connection.opened)} after opening and before any frame"
    return sentence + _failed_checks(connection)


def _failed_checks(connection: Account) -> str:
    if not connection.checks or any(connection.frames.values()):
        return ""
    return f"; the handshake had failed checks ({printable(', '.join(connection.checks), 160)})"


def _refuser(connection: Account) -> tuple[By, str, str]:
    """Who refused the handshake: for programs, in words, and the filter if it was one."""
    by = connection.answered_by
    if by == "client" or connection.error.startswith("the client "):
        return "client", "the client", ""
    if by:
        return "proxy", _who("proxy", by), "" if by == "proxy" else by
    return "server", "the server", ""


def _refused(connection: Account) -> str:
    _, who, _ = _refuser(connection)
    status = connection.status
    if status is not None:
        phrase = connection.phrase or _phrase(status)
        to = f", to {printable(connection.location, 200)}" if connection.location else ""
        words = f" ({printable(phrase, 80)}{to})" if phrase or to else ""
        verb = "answered" if status < 400 else "refused"
        instead = " instead of 101" if status < 400 else ""
        return f"{who} {verb} the handshake with HTTP {status}{words}{instead}"
    error = printable(connection.error, 300) or "no answer"
    # A whole sentence says itself what happened; all else completes this one.
    return error if error.startswith(("the ", "hangup ")) else f"the backend could not be reached: {error}"


def _still_open(connection: Account) -> str:
    if connection.untold:
        return connection.untold
    if connection.stopped:
        return "still open when the recording ended"
    return "still open at the end of an incomplete recording (hangup was killed, or is still running)"


def _losses(connection: Account) -> str:
    if not connection.lost:
        return ""
    return f"; {plural(connection.lost, 'event')} could not be recorded meanwhile: this may be incomplete"


def _first(step: Step) -> str:
    who = _who(step.side, step.by)
    peer = step.side == "server"
    match step.what:
        case "close":
            if step.unread:
                text = f"{who} ended it with a close frame, whose code is not in the recording"
            elif step.code is not None:
                text = f"{who} ended it with close code {in_words(step.code)}{quoted(step.reason)}"
            else:
                sees = "a browser shows 1005" if peer else "the server sees 1005"
                text = f"{who} ended it with a close frame that carries no code ({sees})"
            return f"{text}, {printable(step.note, 120)}" if step.note else text
        case "fin":
            how = "with a bare FIN and no close frame"
        case "rst":
            how = "with a RST (connection reset) and no close frame"
        case "timeout":
            how = "because it no longer answered (timeout), with no close frame"
        case _:
            how = "because its connection broke, with no close frame"
    sees = "both sides see 1006" if step.by == "proxy" else "a browser shows 1006" if peer else "the server sees 1006"
    note = f" ({printable(step.note, 120)})" if step.note else ""
    return f"{who} ended it{note}, {how} ({sees})"


def _frame_cut(connection: Account, step: Step) -> str:
    half = connection.half.get(step.side)
    return f", in the middle of {half}" if half is not None and step.what != "close" else ""


def _latency(connection: Account, step: Step) -> str:
    other = "server" if step.side == "client" else "client"
    if step.after is not None:
        return f", {duration(step.at - step.after.at)} after {other} frame {step.after.n}"
    if connection.opened is None:
        return f", before any frame from the {other}"
    return f", {duration(step.at - connection.opened)} after opening and before any frame from the {other}"


def _answered(read: Course, steps: Sequence[Step]) -> str:
    step, answer = read.first, read.answer
    assert step is not None
    other = "server" if step.side == "client" else "client"
    if answer is not None:
        gap = duration(answer.at - step.at)
        own = f"{_with(answer.code)}{quoted(answer.reason)}"
        if read.crossed:
            return f"; the {other} closed at the same time, {own}, {gap} later: the two crossed"
        if read.own:
            return f"; the {other} sent a close of its own, {own}, {gap} later"
        if answer.code == step.code or (step.code is None and answer.code in (1000, 1005)):
            return f"; the {other} closed in turn {gap} later"
        return f"; the {other} closed in turn {gap} later, {own}"
    if read.end is not None and not read.end.by:
        gap = duration(read.end.at - step.at)
        return f"; the {other} did not answer the close, but {_END_WORDS[read.end.what]} {gap} later"
    if any(s is not step and s.side == step.side and s.what in ENDS for s in steps):
        return f"; the {other} had not answered the close"
    return ""


def _with(code: int | None) -> str:
    return in_words(code) if code is None else f"with {in_words(code)}"


_END_WORDS = {
    "fin": "ended with a FIN",
    "rst": "reset the connection",
    "timeout": "timed out",
    "error": "broke the connection",
}


def _afterwards(read: Course) -> str:
    step, end, more = read.first, read.end, read.more
    assert step is not None
    other = "server" if step.side == "client" else "client"
    if read.broke is not None:
        how = {"rst": "answered with a RST", "timeout": "did not answer"}.get(read.broke.what, "did not take")
        sent = f"; the {other}, unaware of it, sent {plural(more, 'more frame')}"
        return f"{sent}, which the {step.side}'s host {how} {duration(read.broke.at - step.at)} later"
    if read.half_closed:
        text = f"; that was a half-close: the {other} went on and sent {plural(more, 'more frame')}"
        if end is None:
            return f"{text}, and had not ended yet"
        how = f"closed {_with(end.code)}" if end.what == "close" else _END_WORDS[end.what]
        who = "" if end.side != step.side else f"until the {step.side} "
        return f"{text}, {who or 'and '}{how} {duration(end.at - step.at)} later"
    if read.answer is not None and not read.answer.by:
        return f"; the {other} then sent close {in_words(read.answer.code)}{quoted(read.answer.reason)}"
    return ""


def _who(side: str, by: str) -> str:
    if not by:
        return f"the {side}"
    return "hangup itself" if by == "proxy" else f"the filter `{printable(by, 120)}`"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
