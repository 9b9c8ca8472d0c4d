"""Pings of the client, as messages or as control frames, that the server answers, or leaves without an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle, steadiness
from hangup.diagnosis.findings import Cite, Trigger, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.humanize import duration, plural
from hangup.messages.shapes import OTHER, Shape
from hangup.recording.beats import Heartbeats
from hangup.recording.connections import Connection

NEARLY_ALL = 0.7

YOUNG = 0.3
"""Seconds; of what ends earlier nobody had to be patient."""

HURRIED = 0.05
"""Seconds after a ping in which no client waits for its answer and gives up."""


def opened(case: Case) -> list[Connection]:
    """The connections that ended so and had been open."""
    return [life for life in case.victims if life.open_since is not None]


def client_gave_up(case: Case) -> bool:
    """Whether it may have been the client that ended open connections, not at once."""
    lives = case.once(opened)
    ended = case.may_be("client") and case.mode in ("abrupt", "close")
    return ended and bool(lives) and middle([life.lasted for life in lives]) >= YOUNG


class ClientPings:
    """The client's pings of one level (``app``: messages, ``control``: frames) on the connections that ended so."""

    def __init__(self, case: Case, level: str) -> None:
        lives = case.once(opened)
        beats = ((life, life.traffic.beats.get(("client", level))) for life in lives)
        self.level = level
        self.found: list[tuple[Connection, Heartbeats]] = [
            (life, b) for life, b in beats if b is not None and b.sent and not life.lost
        ]
        self.usual = bool(self.found) and len(self.found) >= NEARLY_ALL * len(lives)
        self.sent = sum(b.sent for _, b in self.found)
        self.answered = sum(b.answered for _, b in self.found)
        self.cites = [Cite(life.conn, b.waiting_n or b.first_n) for life, b in self.found]
        self.waits = [life.since(b.waiting) for life, b in self.found if b.waiting is not None]
        """For how long the first ping without an answer had been waiting for it, where there was one."""
        self.waiting = self.usual and len(self.waits) >= NEARLY_ALL * len(self.found)
        """Whether nearly all ended while a ping had no answer."""
        self.left = self.waiting and middle(self.waits) >= HURRIED
        """Whether it had had none for a while."""

    @property
    def shape(self) -> Shape:
        """What the first of these clients sends."""
        return self.found[0][1].shape or OTHER

    @property
    def words(self) -> str:
        """The same in words."""
        return "ping frames" if self.level == "control" else f"pings ({self.shape.text})"

    def sign(self, text: str, strength: float = 1.0) -> Sign:
        """A fact about them."""
        life, beats = self.found[0]
        trigger = Trigger("time", life.conn, (beats.waiting and beats.waiting_n) or beats.last_n)
        return Sign(strength, text, self.cites, trigger, self.level)


def app(case: Case) -> ClientPings:
    """The pings that are messages."""
    return ClientPings(case, "app")


def usual(case: Case) -> list[ClientPings]:
    """Of either level, if there were such on nearly all connections."""
    return [pings for pings in (case.once(app), ClientPings(case, "control")) if pings.usual]


@sign(client_gave_up)
def client_sends_pings(case: Case) -> list[Sign]:
    """The client had sent pings, on nearly all connections."""
    return [pings.sign(f"the client had started to send {pings.words}") for pings in case.once(usual)]


@sign(client_gave_up)
def no_client_ping_answered(case: Case) -> list[Sign]:
    """No pong came on any of the connections."""
    alone = [pings for pings in case.once(usual) if pings.left and not pings.answered]
    return [pings.sign(f"the client sent {pings.sent} {pings.words} and got a pong to none of them") for pings in alone]


@sign(client_gave_up)
def last_client_pings_unanswered(case: Case) -> list[Sign]:
    """Pongs came, and then no more."""
    later = [pings for pings in case.once(usual) if pings.left and pings.answered]
    return [pings.sign(
        f"the client's {pings.words} were answered at first, but the last ones were "
        "not"
    ) for pings in later]


@sign(client_gave_up)
def steady_after_unanswered_client_ping(case: Case) -> Iterator[Sign]:
    """How steady the time from the first ping without an answer to the end is."""
    for pings in case.once(usual):
        if pings.left and len(pings.waits) > 1:
            text = f"the end came {duration(middle(pings.waits))} after the first of the client's {pings.words}"
            yield pings.sign(f"{text} that got no answer", steadiness(pings.waits))


@sign(client_gave_up)
def client_pings_answered(case: Case) -> Iterator[Sign]:
    """On many connections no ping was without an answer at the end."""
    for pings in case.once(usual):
        if not pings.waiting:
            rest, of = len(pings.found) - len(pings.waits), plural(len(pings.found), "connection")
            yield pings.sign(f"the server had answered the client's {pings.words} on {rest} of {of}")


@sign(client_gave_up)
def ping_followed_by_something_else(case: Case) -> Sign | None:
    """No pong comes, and nearly every ping is followed by one and the same other message, which nothing else is."""
    pings = case.once(app)
    instead = _instead(case.once(opened)) if pings.left and not pings.answered else None
    if instead is None:
        return None
    return pings.sign(
        f"the client's {pings.words} are followed by {instead.text}, which is not a pong in any known "
        "form"
    )


@sign(client_gave_up)
def answered_in_another_form(case: Case) -> Sign | None:
    """Of ping and pong one is JSON and the other is not; negative where they are alike in this."""
    pings = case.once(app)
    answer = pings.found[0][1].answer if pings.usual and pings.answered else None
    if answer is None:
        return None
    alike = pings.shape.json == answer.json
    text = f"the server answers {pings.words} with {answer.text}{'' if alike else ', which has another form'}"
    return pings.sign(text, -1.0 if alike else 1.0)


@sign(client_gave_up)
def clockwork_messages_unanswered(case: Case) -> Sign | None:
    """What the client sends like clockwork is no known ping, and nothing follows it as an answer would."""
    shape = None if case.once(app).usual else case.once(_like_clockwork)
    if shape is None:
        return None
    text = f"the client sends {shape.text} at regular intervals, and nothing looks like an answer to it"
    return Sign(1.0, text, cite_all(case.once(opened), "client"))


@sign(client_gave_up)
def no_client_ping(case: Case) -> Sign | None:
    """No message of the client is a known ping, nor comes like one."""
    told = case.header.tells("payloads") and not any(life.lost for life in case.victims)
    seen = case.once(app).found or case.once(_like_clockwork) is not None
    return Sign(1.0, "none of the client's messages looks like a ping") if told and not seen else None


def _like_clockwork(case: Case) -> Shape | None:
    """A small message of the client that comes like clockwork and without an answer, though it is no known ping."""
    lives = case.once(opened)
    regular: Counter[Shape] = Counter()
    for life in lives:
        for shape, count in life.traffic.client.shapes.items():
            if shape.beat is None and count.regular and count.largest <= 128:
                regular[shape] += 1
    found = (shape for shape, n in regular.items() if n >= 0.5 * len(lives) and not _answered(lives, shape))
    return next(found, None)


def _answered(lives: list[Connection], shape: Shape) -> bool:
    """Whether the server says something after most of these before the client goes on."""
    asked = answers = 0
    for life in lives:
        said = [m for m in life.traffic.recent if m.data]
        for message, following in zip(said, said[1:], strict=False):
            if message.side == "client" and message.shape is shape:
                asked += 1
                answers += following.side == "server"
    return answers > 0.5 * asked


def _instead(lives: list[Connection]) -> Shape | None:
    """The one shape that follows nearly every ping of the client, and seldom anything else, if there is one."""
    following: Counter[Shape] = Counter()
    elsewhere: Counter[Shape] = Counter()
    pings = 0
    for life in lives:
        frames = [m for m in life.traffic.recent if m.data]
        for at, message in enumerate(frames):
            if message.side != "client":
                continue
            ping = message.shape.beat is not None and message.shape.beat.kind == "ping"
            pings += ping
            answer = next((m for m in frames[at + 1 :] if m.side == "server"), None)
            if answer is not None and (not ping or answer.at - message.at < 0.25):
                (following if ping else elsewhere)[answer.shape] += 1
    best, count = following.most_common(1)[0] if following else (OTHER, 0)
    return best if pings > 1 and count >= NEARLY_ALL * pings and elsewhere[best] <= 0.3 * count else None
