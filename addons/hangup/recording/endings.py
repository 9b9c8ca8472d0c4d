"""How a connection ended: the steps in their order, who took the first, and one sentence that says so.

The side whose CLOSE, FIN or RST is the first in the recording ended the connection. What follows is an answer
(the second CLOSE), a consequence (the FIN after it), or coincidence (two CLOSEs that crossed on the way).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from hangup.humanize import duration, plural, printable
from hangup.recording.events import Side
from hangup.wire import close_codes

if TYPE_CHECKING:
    from hangup.recording.connections import Connection

By = Literal["client", "server", "proxy", "unknown"]
EndingHow = Literal["close", "fin", "rst", "timeout", "unknown", "none"]
What = Literal["close", "fin", "rst", "timeout", "error", "open", "half-frame", "not-a-frame"]

CROSSING = 0.1
"""Seconds within which a CLOSE that differs from the other side's is taken for no answer to it."""

_ENDS: dict[What, EndingHow] = {
    "close": "close",
    "fin": "fin",
    "rst": "rst",
    "timeout": "timeout",
    "error": "rst",
}


class Last(Struct, frozen=True):
    """The last frame of a side: its number, time in seconds and opcode."""

    n: int
    at: float
    opcode: str


class Step(Struct, omit_defaults=True):
    """One thing that happened on the way to the end.

    ``side`` is whose leg, or who sent it (for what a filter sent: in whose name); ``by`` is empty when the
    peer did it by itself, else ``proxy`` or a filter's text form. ``after`` is the other side's last frame at
    that time and ``before`` how many it had sent.
    """

    at: float
    side: Side
    what: What
    by: str = ""
    code: int | None = None
    reason: str = ""
    n: int | None = None
    note: str = ""
    after: Last | None = None
    before: int = 0
    unread: bool = False
    """Of a close frame: whether its payload was not kept, and with it the code."""

    @property
    def text(self) -> str:
        """The step in words, without its time."""
        who = self.side
        match self.what:
            case "close":
                text = f"{who} CLOSE {_code(self.code)}{_reason(self.reason)}"
            case "half-frame":
                text = f"{who} left a frame half sent"
            case "not-a-frame":
                text = f"{who} sent bytes that are no frame"
            case "timeout":
                text = f"{who} timed out"
            case "error":
                text = f"{who} connection broke"
            case "open":
                text = f"{who} still open"
            case _:
                text = f"{who} {self.what.upper()}"
        if self.by:
            text += " by the proxy" if self.by == "proxy" else f" by the filter `{printable(self.by, 80)}`"
        return f"{text} ({printable(self.note, 120)})" if self.note else text


class Told(Struct, frozen=True):
    """What an import tells of an ending without a step that is known: when (seconds), and perhaps more."""

    at: float
    by: By = "unknown"
    code: int | None = None
    reason: str = ""


class Ending(Struct):
    """Who ended a connection and how. ``how`` is ``unknown`` when an import tells that it ended, and no more.

    ``by`` is ``proxy`` only for what hangup did itself, by a ``filter`` if that is named. ``at`` is the time
    of the first step in seconds, None while there is none; ``account`` are all steps. ``crossed`` says that
    both sides sent a CLOSE without knowing of the other's, ``half_closed`` that the other side went on
    sending after a FIN.
    """

    by: By
    how: EndingHow
    code: int | None = None
    reason: str | None = None
    sentence: str = ""
    at: float | None = None
    filter: str = ""
    crossed: bool = False
    half_closed: bool = False
    account: list[Step] = []

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


def judge(connection: Connection) -> Ending:
    """The ending of a connection, from its steps so far."""
    if connection.refused:
        return _refused(connection)
    steps = connection.steps
    at = next((i for i, step in enumerate(steps) if step.what in _ENDS), None)
    if at is None:
        return _as_told(connection)
    step, later = steps[at], steps[at + 1 :]
    by: By = step.side if not step.by else "proxy"
    answer = next((s for s in later if s.what == "close" and s.side != step.side), None)
    crossed = step.what == "close" and answer is not None and _crossed(step, answer)
    more = _went_on(connection, step, later)
    half = step.what == "fin" and more > 0
    ending = Ending(
        by,
        _ENDS[step.what],
        code=step.code,
        reason=step.reason if step.what == "close" else None,
        at=step.at,
        filter="" if step.by == "proxy" else step.by,
        crossed=crossed,
        half_closed=half,
        account=steps,
    )
    parts = [_first(step), _frame_cut(connection, step), _latency(connection, step)]
    if step.what == "close":
        parts.append(_answered(step, answer, crossed, later))
    elif step.what == "fin":
        parts.append(_afterwards(step, answer, more, later))
    if step.what != "close" and (junk := connection.junk.get(step.side)) is not None:
        parts.append(f"; it had sent bytes that are no WebSocket frame: `{junk}`")
    parts.append(_failed_checks(connection))
    ending.sentence = "".join(parts) + _losses(connection)
    return ending


def ended_at(connection: Connection) -> float | None:
    """When it was over, in seconds: at the first step, or after a half-close at the other side's first."""
    if connection.refused:
        return connection.answered
    steps = [step for step in connection.steps if step.what in _ENDS]
    if not steps:
        return connection.told.at if connection.told is not None else None
    if steps[0].what == "fin" and _went_on(connection, steps[0], steps[1:]):
        return next((step.at for step in steps[1:] if step.side != steps[0].side), None)
    return steps[0].at


def _went_on(connection: Connection, step: Step, later: list[Step]) -> int:
    """How many frames but closes the other side sent after ``step``."""
    other: Side = "server" if step.side == "client" else "client"
    closes = sum(s.what == "close" and s.side == other and not s.by for s in later)
    return max(connection.frames[other] - step.before - closes, 0)


def _refused(connection: Connection) -> Ending:
    by: By = "server"
    who = "the server"
    if connection.answered_by == "client" or connection.error.startswith("the client "):
        by, who = "client", "the client"
    elif connection.answered_by:
        by, who = "proxy", _who("proxy", connection.answered_by)
    status = connection.status
    if status is not None:
        phrase = connection.phrase or _phrase(status)
        to = f", to {printable(connection.location, 200)}" if connection.location else ""
        words = f" ({printable(phrase, 80)}{to})" if phrase or to else ""
        verb = "answered" if status < 400 else "refused"
        sentence = f"{who} {verb} the handshake with HTTP {status}{words}"
        if status < 400:
            sentence += " instead of 101"
    else:
        error = printable(connection.error, 300) or "no answer"
        # A whole sentence says itself what happened; all else completes this one.
        whole = error.startswith(("the ", "hangup "))
        sentence = error if whole else f"the backend could not be reached: {error}"
    return Ending(
        by,
        "none",
        sentence=sentence + _losses(connection),
        at=connection.answered,
        filter=connection.answered_by if by == "proxy" and connection.answered_by != "proxy" else "",
        account=connection.steps,
    )


def _as_told(connection: Connection) -> Ending:
    """The ending of a connection of which no step is known: what an import told, or none."""
    sentence, steps = _still_open(connection), connection.steps
    told = connection.told
    if told is None:
        return Ending("unknown", "none", sentence=sentence, account=steps)
    last = max(connection.last.values(), key=lambda last: last.n, default=None)
    if last is not None and last.at <= told.at:
        side = next(side for side in connection.last if connection.last[side] is last)
        sentence += f", {duration(told.at - last.at)} after {side} frame {last.n}"
    elif connection.opened is not None and last is None:
        sentence += f", {duration(told.at - connection.opened)} after opening and before any frame"
    sentence += _failed_checks(connection)
    how: EndingHow = "unknown" if told.code is None else "close"
    reason = told.reason if how == "close" else None
    return Ending(told.by, how, code=told.code, reason=reason, sentence=sentence, at=told.at, account=steps)


def _still_open(connection: Connection) -> str:
    if connection.untold:
        return connection.untold + _losses(connection)
    if connection.stopped:
        return "still open when the recording ended" + _losses(connection)
    return "still open where the recording breaks off (it has no end: hangup was killed, or is still running)" + (
        _losses(connection)
    )


def _failed_checks(connection: Connection) -> str:
    if not connection.checks or any(connection.frames.values()):
        return ""
    return f"; the handshake had failed checks ({printable(', '.join(connection.checks), 160)})"


def _losses(connection: Connection) -> str:
    if not connection.lost:
        return ""
    return f"; {plural(connection.lost, 'event')} could not be recorded meanwhile: this may not be all"


def _first(step: Step) -> str:
    who = _who(step.side, step.by)
    peer = step.side == "server"
    match step.what:
        case "close":
            if step.unread:
                text = f"{who} ended it with a close frame, whose code is not in the recording"
            elif step.code is not None:
                text = f"{who} ended it with close code {_code(step.code)}{_reason(step.reason)}"
            else:
                sees = "a browser shows 1005" if peer else "the server sees 1005"
                text = f"{who} ended it with a close frame that carries no code ({sees})"
            return f"{text}, {printable(step.note, 120)}" if step.note else text
        case "fin":
            how = "with a bare FIN and no close frame"
        case "rst":
            how = "with a RST (connection reset) and no close frame"
        case "timeout":
            how = "as it no longer answered (timeout), with no close frame"
        case _:
            how = "as its connection broke, with no close frame"
    sees = "both sides see 1006" if step.by == "proxy" else "a browser shows 1006" if peer else "the server sees 1006"
    note = f" ({printable(step.note, 120)})" if step.note else ""
    return f"{who} ended it{note}, {how} ({sees})"


def _frame_cut(connection: Connection, step: Step) -> str:
    half = connection.half.get(step.side)
    return f", in the middle of {half}" if half is not None and step.what != "close" else ""


def _latency(connection: Connection, step: Step) -> str:
    other = "server" if step.side == "client" else "client"
    if step.after is not None:
        return f", {duration(step.at - step.after.at)} after {other} frame {step.after.n}"
    if connection.opened is None:
        return f", before any frame of the {other}"
    return f", {duration(step.at - connection.opened)} after opening and before any frame of the {other}"


def _answered(step: Step, answer: Step | None, crossed: bool, later: list[Step]) -> str:
    other = "server" if step.side == "client" else "client"
    if answer is not None:
        gap = duration(answer.at - step.at)
        if crossed:
            own = f"{_code(answer.code)}{_reason(answer.reason)}"
            return f"; the {other} closed at the same time, with {own}, {gap} later: the two crossed"
        if answer.code == step.code or (step.code is None and answer.code in (1000, 1005)):
            return f", which the {other} answered {gap} later"
        return f", which the {other} answered {gap} later with {_code(answer.code)}{_reason(answer.reason)}"
    for s in later:
        if s.side != step.side and s.what in _ENDS and not s.by:
            gap = duration(s.at - step.at)
            return f"; the {other} did not answer the close, but {_END_WORDS[s.what]} {gap} later"
    if any(s.side == step.side and s.what in _ENDS for s in later):
        return f"; the {other} had not answered the close"
    return ""


_END_WORDS = {
    "fin": "ended with a FIN",
    "rst": "reset the connection",
    "timeout": "timed out",
    "error": "broke the connection",
}


def _afterwards(step: Step, answer: Step | None, more: int, later: list[Step]) -> str:
    other = "server" if step.side == "client" else "client"
    end = next((s for s in later if s.side != step.side and s.what in _ENDS), None)
    if more:
        text = f"; that was a half-close: the {other} went on and sent {plural(more, 'more frame')}"
        if end is None:
            return f"{text}, and had not ended yet"
        how = f"closed with {_code(end.code)}" if end.what == "close" else _END_WORDS[end.what]
        return f"{text}, and {how} {duration(end.at - step.at)} later"
    if answer is not None and not answer.by:
        return f"; the {other} then sent close {_code(answer.code)}{_reason(answer.reason)}"
    return ""


def _crossed(step: Step, answer: Step) -> bool:
    differs = answer.code != step.code or (bool(answer.reason) and answer.reason != step.reason)
    # RFC 6455 5.5.1: an answer typically echoes the code; an empty close has none to echo.
    if step.code is None and answer.code in (None, 1000, 1005):
        differs = False
    return differs and not answer.by and answer.at - step.at < CROSSING


def _who(side: str, by: str) -> str:
    if not by:
        return f"the {side}"
    return "hangup itself" if by == "proxy" else f"the filter `{printable(by, 120)}`"


def _code(code: int | None) -> str:
    if code is None:
        return "without a code"
    name = close_codes.name(code)
    return f"{code} ({name.lower()})" if name else str(code)


def _reason(reason: str) -> str:
    return f' and the reason "{printable(reason, 123)}"' if reason else ""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
