"""What is tried, what comes of it, and what the search must know of the recorded client."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from hangup.experiment.answers import Reply
from hangup.experiment.evidence import Outcome
from hangup.experiment.factors import Factor
from hangup.experiment.handshakes import Credential, Donated
from hangup.experiment.message_values import Path
from hangup.experiment.timers import Pulse
from hangup.humanize import duration
from hangup.messages.answers import Answered
from hangup.messages.heartbeats import Beat
from hangup.messages.kind import MessageKind, kind_of
from hangup.recording.events import Request
from hangup.replayable.client_rule import BAD_ANSWERS, ClientRule
from hangup.wire.frames import OPCODE_NUMBERS, TEXT


class Edit(Struct, frozen=True):
    """A recorded client frame with another payload, and another opcode when one is given.

    ``recorded`` says that it was recorded so at another place: what this run has other values for (an id, a token) is
    replaced in it, as in every recorded message."""

    payload: bytes
    opcode: str = ""
    recorded: bool = False


class Neighbour(Struct, frozen=True):
    """Another recorded connection ``conn`` that is played beside the one that is studied, at its own times. ``frames``
    are the numbers of the client's data frames that are sent, None for all; with ``leaves`` its client ends it when it
    did."""

    conn: int
    frames: tuple[int, ...] | None = None
    leaves: bool = True


class Trial(Struct, frozen=True):
    """One connection, or ``clients`` of them at once, or with ``stagger`` so many seconds one after the other.

    ``filters`` are text forms. ``frames`` are the numbers of the client's data frames that are sent, None for all.
    ``edits`` change some of them, ``before`` are messages that are said in addition, each right before the recorded
    one with that number. ``rest`` is for how many seconds nothing is played first. ``speed`` divides the client's own
    times: 1 is as it was recorded, 0.5 takes twice as long, infinity says all of it at once. ``within`` is until when
    (seconds from opening) an end may still be the failure, None for what the speed and the filters make of the usual.
    ``patience`` is for how long (seconds from opening) it must live to have survived, None for the usual. With
    ``otherwise`` it is only asked whether it ends as it was recorded: any other end will do to have survived, and one
    sooner than so many seconds after opening.
    With ``direct`` the backend itself is asked, past what stands between. ``alone`` is one that no other trial may run
    beside. ``gives_up`` is for how long (seconds) its client waits for the answer to its handshake, where the recorded
    one did not wait for it. ``neighbours`` are other recorded connections that are played with it.
    ``beside`` are trials that are likely to be asked for next: who can may carry them out at the same time.
    """

    arm: str
    filters: tuple[str, ...] = ()
    frames: tuple[int, ...] | None = None
    edits: tuple[tuple[int, Edit], ...] = ()
    clients: int = 1
    patience: float | None = None
    otherwise: float | None = None
    stagger: float = 0.0
    before: tuple[tuple[int, Edit], ...] = ()
    rest: float = 0.0
    beside: tuple[Trial, ...] = ()
    speed: float = 1.0
    within: float | None = None
    direct: bool = False
    alone: bool = False
    gives_up: float | None = None
    neighbours: tuple[Neighbour, ...] = ()


class Result(Struct, frozen=True):
    """What came of a trial: ``lifetime`` in seconds from opening, ``conn`` where it is recorded, ``conns`` all of its
    connections where there were several. ``spans`` are of all that opened: when, and when each was over (seconds of one
    clock, None if it was not). ``pulse`` is when either side spoke, where that was seen. ``unreachable`` says that the
    backend did not answer at all, ``untried`` why nothing could be tried: that, or a handshake that was refused though
    the recorded one was not. ``acted`` is how often its filters did something, None where nobody can tell."""

    outcome: Outcome
    lifetime: float | None = None
    conn: int | None = None
    sentence: str = ""
    conns: tuple[int, ...] = ()
    spans: tuple[tuple[float, float | None], ...] = ()
    pulse: Pulse | None = None
    unreachable: bool = False
    acted: int | None = None
    untried: str = ""
    late: float = 0.0
    """By how many seconds at most something was done later than it should have been, as this machine was busy."""
    together: bool = False
    """Whether other trials ran beside it."""
    another: str = ""
    """How it ended, where that was by itself and in another way than the failure: in words."""
    left_at: float | None = None
    """When the replay itself ended it (as ``spans``), as it had survived."""
    answered_after: float | None = None
    """Seconds from its handshake to the answer, where one came."""


class ClientFrame(Struct, frozen=True):
    """One recorded data message, of the client unless it is said otherwise, by its (first) frame's number; ``at`` is
    seconds from opening."""

    n: int
    opcode: str
    payload: bytes
    at: float
    beat: Beat | None = None
    problems: tuple[str, ...] = ()
    kind: str = ""
    """What a filter's ``kind=`` selects it by, where that was learned from more than this one message."""
    fragments: int = 1
    constant: frozenset[Path] = frozenset()
    """Where every message of this client says the same (:mod:`~hangup.experiment.envelope`)."""
    compressed: bool = False

    @property
    def text(self) -> bool:
        """Whether it is a text message."""
        return self.opcode == "text"

    @property
    def own_kind(self) -> MessageKind:
        """Its kind by this one message, as it is told of what a trial said."""
        return kind_of(OPCODE_NUMBERS.get(self.opcode, TEXT), self.payload)


class OtherConnection(Struct):
    """Another connection of the recording that was there shortly before the end of the one that is studied: its
    number, its path, what its client said until then, and whether it had ended it by then."""

    conn: int
    path: str
    frames: tuple[ClientFrame, ...]
    left: bool


class Case(Struct):
    """The recorded failure, as far as the search needs it.

    ``lifetime`` is that of the recorded connection and ``reaction`` the time from the client's last message to the
    end, both in seconds. ``features`` are what the handshake had: ``extensions``, ``subprotocol``, ``cookie``,
    ``query``, ``origin``. ``server_beats`` and ``server_pings`` count the server's heartbeats of either level,
    ``client_pings`` the client's control pings, ``client_pongs`` its pongs that answer nothing; ``wrong_pongs`` is
    whether others of them say something else than their pings. ``priors`` are what reading the recording alone makes of
    it: verdict -> weight.
    """

    frames: list[ClientFrame]
    lifetime: float
    reaction: float | None = None
    by: str = "server"
    how: str = ""
    code: int | None = None
    reason: str = ""
    status: int | None = None
    features: frozenset[str] = frozenset()
    server_beats: int = 0
    server_pings: int = 0
    client_pings: int = 0
    client_pongs: int = 0
    wrong_pongs: bool = False
    server_frames: int = 0
    overlaps: bool = False
    ages: tuple[float, float] | None = None
    """The shortest and the longest life (seconds) of those recorded that ended so, where they are known."""
    lately: int = 0
    """How many others of the same client were opened in the ten seconds before it."""
    says_secret: bool = False
    """Whether a message of the client's has a field that is called as a secret is."""
    passed: bool = False
    """Whether another connection of the recording said more than this one and lived on."""
    served_as: int = 0
    """The number of an earlier connection with the same request, which was accepted; 0 where there is none."""
    let_in: float = 0.0
    """Of a refused handshake: so many seconds after the end before it the same was accepted, where this one came sooner
    after an end; 0 where that was never so."""
    replied: bool = False
    """Whether the server answered the client's last message before the end."""
    answer: ClientFrame | None = None
    """The server's last message, of which the client may have hung up."""
    answer_kinds: int = 0
    """How many kinds of messages the server sent."""
    answer_reaction: float | None = None
    """Seconds from the server's last message to the end."""
    subprotocols: tuple[str, ...] = ()
    """What the client offered."""
    failed_checks: tuple[str, ...] = ()
    """Those of its handshake."""
    echoed: str = ""
    """The subprotocol that the server chose."""
    opening: bytes | None = None
    """What its protocol begins with, where the client has not said it."""
    pause: float | None = None
    """The longest time (seconds) in which neither side said anything, where that is known."""
    junk: str = ""
    """What the server sent that is no frame, such as an HTTP answer in the stream: then no handler did it."""
    malformed: tuple[str, ...] = ()
    """In what frames of the client that are no data messages break the rules: control frames, continuations of
    nothing."""
    doubled: str = ""
    """A part of the path that stands twice in a row, such as ``/ws/ws``."""
    credentials: tuple[Credential, ...] = ()
    donated: tuple[Donated, ...] = ()
    """What connections of the same recording that lived had in their handshakes."""
    request: Request = field(default_factory=Request)
    """What the client asked for."""
    factors: tuple[Factor, ...] = ()
    """The parts of its handshake that can be changed, and how."""
    answers: tuple[Answered, ...] = ()
    """How clients of the recording answer the server's heartbeats."""
    server_answers: tuple[Answered, ...] = ()
    """How the server answers its clients'."""
    priors: Mapping[str, float] = field(default_factory=dict)
    harmless: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    """Messages of the client that did no harm on other connections, by kind, as far as they were kept."""
    asked: tuple[ClientFrame, ...] = ()
    """Of each kind of the server's messages the first and the last."""
    asked_often: Mapping[str, int] = field(default_factory=dict)
    """How many messages of each kind the server sent."""
    replies: tuple[Reply, ...] = ()
    """How the client answered the server's messages on other connections that did not fail."""
    lived: tuple[tuple[ClientFrame, ...], ...] = ()
    """What the client said on other connections that did not fail, in order, as far as it was kept."""
    others: tuple[OtherConnection, ...] = ()
    """Those that were there beside it, the ones that did something last before its end first."""
    client_rule: ClientRule | None = None
    """By which rule the client hangs up, where it is the client that does, and its rule was found: then it is the
    server that is asked, for what makes the client do so."""
    culprit: int | None = None
    """The number of the message that was found to be enough, though it was not the last."""

    @property
    def ends(self) -> str:
        """How a law begins about what makes the end come: who does what."""
        if self.client_rule is not None and self.client_rule.on == "no-answer":
            return f"the client gives up, its handshake unanswered for {duration(self.client_rule.after)}"
        if self.how == "refused":
            return "the server refuses the connection"
        return "the client closes the connection" if self.by == "client" else "the server drops the connection"

    @property
    def badly_answered(self) -> str:
        """What is wrong with the answer to the handshake, in words, where the client hangs up on that."""
        rule = self.client_rule
        return BAD_ANSWERS[rule.problem] if rule is not None and rule.on == "bad-answer" else ""

    @property
    def asks_client(self) -> bool:
        """Whether it is the client that is to be asked, and so what the server says that must be varied."""
        return self.by == "client" and self.client_rule is None

    @property
    def suspect(self) -> ClientFrame | None:
        """The client's last message, when the end followed it closely; or the one that was found to be enough."""
        if self.culprit is not None:
            return next((frame for frame in self.frames if frame.n == self.culprit), None)
        if not self.frames or self.reaction is None or self.reaction > max(0.25, 0.2 * self.lifetime):
            return None
        return self.frames[-1]

    @property
    def beats(self) -> list[ClientFrame]:
        """The client's application heartbeats."""
        return [f for f in self.frames if f.beat is not None]


def messages(case: Case, trial: Trial) -> list[tuple[str, bytes]]:
    """What the client says in a trial, in order and before any filter: opcode and payload."""
    edits = dict(trial.edits)
    said: list[tuple[str, bytes]] = []
    for frame in case.frames:
        if trial.frames is None or frame.n in trial.frames:
            said += [(edit.opcode or "text", edit.payload) for n, edit in trial.before if n == frame.n]
            edit = edits.get(frame.n)
            said.append((frame.opcode, frame.payload) if edit is None else (edit.opcode or frame.opcode, edit.payload))
    return said
