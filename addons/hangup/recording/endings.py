"""How a connection ended: the steps in their order, who took the first, and what that makes of the connection.

The state theory, in the manner of h11's. A *leg* is the TCP connection of one side; it is

=============  ====================================================  ================================================
state          entered from ``open`` by                              left by
=============  ====================================================  ================================================
open
half-closed    its FIN, and the other side sends more than a CLOSE   the other side's end, or its own: to ``fin``
fin            its FIN, and the other side sends no more, or a CLOSE,
               or its host answers what is sent with a RST:
               nobody reads there
rst            its RST
timeout        its silence: TCP gave up
error          any other error of its socket
ours           hangup, or one of its filters, ends it
=============  ====================================================  ================================================

and the *connection*, of which both legs are, is

=============  ======================================================================================================
refused        the handshake was not answered with 101
open           neither leg has ended and nobody has sent a CLOSE
half-closed    one leg is half-closed and the other is open: the other side may go on for as long as it likes
over           anything else: since the first CLOSE, RST, timeout or error; since a FIN that was no half-close; after a
               half-close, since the other side's end
=============  ======================================================================================================

The side whose CLOSE, FIN or RST is the first in the recording ended the connection, also where that was a half-close.
What follows is an answer (the second CLOSE), a consequence (the FIN after it, the RST that answers what a client sent
into a closed socket), or coincidence (two CLOSEs that crossed on the way, which is only said where it is sure).
Everything that asks whether a connection is over, since when, by whom, how, and whether that was a failure asks here.
"""

from __future__ import annotations

from math import isfinite
from typing import Literal, Protocol

from msgspec import Struct

from hangup.humanize import printable
from hangup.recording.events import AnyEvent, End, FilterEvent, Frame, Side
from hangup.wire import close_codes

By = Literal["client", "server", "proxy", "unknown"]
EndingHow = Literal["close", "fin", "rst", "timeout", "unknown", "none"]
What = Literal["close", "fin", "rst", "timeout", "error", "open", "half-frame", "not-a-frame"]
State = Literal["refused", "open", "half-closed", "over"]
Leg = Literal["open", "half-closed", "fin", "rst", "timeout", "error", "ours"]

Fate = Literal[
    "open", "stopped", "filtered", "dropped", "refused", "unreachable", "abandoned", "left", "finished"
]
"""What became of a connection: it is ``open``; hangup ended it (``stopped``) or a filter (``filtered``); it was
``dropped``; its handshake was ``refused``, its backend ``unreachable``, or its client gave up waiting for the answer
(``abandoned``); its client ``left`` in order, or its server had ``finished``."""

FAILED: frozenset[Fate] = frozenset(("dropped", "refused", "unreachable"))
"""The fates that are failures by themselves."""

UNHEARD = 2
REFUSAL = 1.0
"""The host of a side that has closed, and not only half-closed, answers the first data with a RST: after so many frames
at the most, or within so many seconds of the FIN."""

CROSSING = 0.0005
"""Seconds within which nobody gets a CLOSE, reads it and answers it, over whatever way: what comes sooner was sent
before the other side's could arrive. What comes later may be an answer, and may have crossed it."""

ANY_ANSWER = (None, 1000, 1005)
"""The codes with which many clients answer every CLOSE."""

SETTLED = 2.0
"""Seconds after which an open connection counts as a success: what a server closes in order before that was of no use
to anybody."""

ENDS: dict[What, EndingHow] = {
    "close": "close",
    "fin": "fin",
    "rst": "rst",
    "timeout": "timeout",
    "error": "rst",
}
"""The steps that end a connection."""

SIDES: tuple[Side, Side] = ("client", "server")

_GONE = frozenset(("rst", "timeout", "error"))


def fate_among(alone: Fate, successor: int | None) -> Fate:
    """What became of a connection: by itself (``alone``), and by what its client did next: ``successor`` is the number
    of the connection that it opened after it, None for none."""
    # Whoever comes again at once had not done what they came for.
    return "dropped" if alone in ("left", "finished") and successor is not None else alone


def is_failure(fate: Fate, successor: int | None) -> bool:
    """Whether that is one. A client that gives up waiting for the answer and comes again failed, too."""
    return fate in FAILED or (fate == "abandoned" and successor is not None)


def in_words(code: int | None) -> str:
    """A close code with its name."""
    if code is None:
        return "without a code"
    name = close_codes.name(code)
    return f"{code} ({name.lower()})" if name else str(code)


def quoted(reason: str) -> str:
    """A close reason, as it goes on after the code; nothing where there is none."""
    return f' and the reason "{printable(reason, 123)}"' if reason else ""


class Last(Struct, frozen=True, gc=False):
    """The last frame of a side: its number, time in seconds and opcode."""

    n: int
    at: float
    opcode: str


class Step(Struct, omit_defaults=True, gc=False):
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
                text = f"{who} CLOSE {in_words(self.code)}{quoted(self.reason)}"
            case "half-frame":
                text = f"{who} left a frame half sent"
            case "not-a-frame":
                text = f"{who} sent bytes that are not a frame"
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


class Known(Protocol):
    """What the theory needs to know of a connection; a :class:`~hangup.recording.connections.Connection` has it."""

    @property
    def steps(self) -> list[Step]: ...
    @property
    def frames(self) -> dict[Side, int]: ...
    @property
    def answered(self) -> float | None: ...
    @property
    def opened(self) -> float | None: ...
    @property
    def told(self) -> Told | None: ...


class Told(Struct, frozen=True, gc=False):
    """What an import tells of an ending without a step that is known: when (seconds), and perhaps more."""

    at: float
    by: By = "unknown"
    code: int | None = None
    reason: str = ""


class Course(Struct, frozen=True, gc=False):
    """The steps of a connection, read by the theory.

    ``first`` is the step that ended it, None while there is none, and ``over`` the time (seconds) since when it is
    over. ``more`` is how many frames but CLOSEs the other side sent after the first step. ``answer`` is the other
    side's CLOSE, and ``end`` what ended it altogether: mostly the other side's first step after that. ``broke`` is the
    RST, timeout or error of the leg that had sent a FIN: what the other side sent after it reached nobody.
    """

    state: State
    first: Step | None = None
    over: float | None = None
    more: int = 0
    answer: Step | None = None
    end: Step | None = None
    broke: Step | None = None

    @property
    def began(self) -> float | None:
        """When it began to end (seconds): the first step, which may be a half-close. None while there is none."""
        at = self.over if self.first is None else self.first.at
        return at if at is not None and isfinite(at) else None

    @property
    def half_closed(self) -> bool:
        """Whether the first step was a half-close, after which the other side went on."""
        return self.first is not None and self.first.what == "fin" and self.more > 0 and self.broke is None

    @property
    def own(self) -> bool:
        """Whether the other side's CLOSE is not as an answer is: with a code or a reason of its own choice."""
        first, answer = self.first, self.answer
        if first is None or answer is None or first.what != "close" or answer.by:
            return False
        # RFC 6455 5.5.1: an answer typically echoes the code; an empty close has none to echo.
        code = answer.code != first.code and answer.code not in ANY_ANSWER
        return code or (bool(answer.reason) and answer.reason != first.reason)

    @property
    def crossed(self) -> bool:
        """Whether both sides surely sent a CLOSE without knowing of the other's."""
        first, answer = self.first, self.answer
        return self.own and first is not None and answer is not None and answer.at - first.at < CROSSING


def course(connection: Known) -> Course:
    """Reads a connection's steps so far."""
    if connection.answered is not None and connection.opened is None:
        return Course("refused", over=connection.answered)
    # Of each kind the first, in one go, as this is asked of every connection.
    first: Step | None = None
    answer = end = own = None
    closes = 0
    for step in connection.steps:
        what = step.what
        if what not in ENDS:
            continue
        if first is None:
            first = step
        elif step.side == first.side:
            if own is None and what in _GONE:
                own = step
        else:
            end = end or step
            if what == "close":
                answer = answer or step
                closes += not step.by
    if first is None:
        return Course("open") if connection.told is None else Course("over", over=connection.told.at)
    other: Side = "server" if first.side == "client" else "client"
    # How many frames but closes the other side sent after the first step.
    more = max(connection.frames[other] - first.before - closes, 0)
    state: State = "over"
    over: float | None = first.at
    broke = None
    if first.what == "fin" and more:
        if own is not None and (end is None or own.at <= end.at or end.by):
            if more <= UNHEARD or own.at - first.at <= REFUSAL:
                broke = own
            else:  # so much, for so long: somebody had read it
                over, end = own.at, own
        elif end is None:
            state, over = "half-closed", None
        else:
            over = end.at
    return Course(state, first, over, more, answer, end, broke)


def over_for_good(connection: Known, read: Course) -> bool:
    """Whether a connection is over (``read`` is its course), and nothing that may still come changes when, how and by
    whom. After a FIN that is so with the other side's end: until then it may turn out to have been a half-close."""
    first = read.first
    if read.over is None or first is None or first.what != "fin":
        return read.over is not None
    return all(any(s.side == side and s.what in ENDS and s.what != "close" for s in connection.steps) for side in SIDES)


def leg(connection: Known, side: Side) -> Leg:
    """The state of a side's leg."""
    read = course(connection)
    step = next((s for s in connection.steps if s.side == side and s.what in ENDS and s.what != "close"), None)
    if step is None:
        return "open"
    if step.by:
        return "ours"
    if step.what != "fin":
        return step.what  # type: ignore[return-value]
    return "half-closed" if step is read.first and read.half_closed else "fin"


def closer(event: AnyEvent) -> Literal["client", "server", "proxy"] | None:
    """Who takes a step towards the end with this event, None where nobody does: for who follows a connection event by
    event, and has no sums. The first such event is the connection's end, or its half-close."""
    if isinstance(event, Frame):
        return event.side if event.opcode == "close" else None
    if isinstance(event, End):
        return None if event.how == "open" else "proxy" if event.by else event.side
    if isinstance(event, FilterEvent):
        wire = event.wire
        closes = event.action == "close" or (wire and event.action != "replace" and wire[0] & 15 == 8)
        return "proxy" if closes else None
    return None
