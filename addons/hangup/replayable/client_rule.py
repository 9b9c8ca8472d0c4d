"""By which rule a recorded client hangs up: the act of the server's, or the missing answer, that its ends follow from.

A replay plays the client, so it cannot tell why a client does what it does. But where every end follows the same thing
in the server's part, and none comes without it, a replay can hang up by the same rule, and so find out what makes the
server do it. A rule is read from the recording, and it must tell the ends of all its connections.

:class:`RuleWatch` is the one reading of a rule, for recorded events and for those of a run.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from math import inf
from statistics import median
from typing import Literal

from msgspec import Struct

from hangup.humanize import duration, printable, with_article
from hangup.messages.heartbeats import recognise
from hangup.messages.kind import Discriminators, selects
from hangup.recording.events import AnyEvent, Handshake
from hangup.replayable.hearing import NO_FRAME, Heard, Hearing
from hangup.replayable.question_ids import Id, id_place, ids
from hangup.wire.frames import OPCODE_NUMBERS

PROMPT = 0.25
"""Seconds: what comes sooner after a message is a reaction to it, if it always is."""

SHORTEST = 0.3
"""Seconds: no client waits shorter for an answer."""

GRAIN, SHARE = 0.15, 0.2
"""By so many seconds, or by this share of its wait where that is more, may an end be missed."""

LEAST = 2
"""So many ends must follow the rule."""

STUDIED = 12
"""So many connections that ended so, and as many others, are looked at."""

FRAMES = 4000
"""So many of the last events of each are looked at."""

PING, PONG = "PING", "PONG"

BAD_ANSWERS = {
    "accept-key": "whose Sec-WebSocket-Accept does not match its key",
    "upgrade": "that does not say `Upgrade: websocket`",
    "connection": "that does not say `Connection: Upgrade`",
    "subprotocol-not-offered": "that chooses a subprotocol which was not offered",
    "subprotocol-not-echoed": "that confirms none of the subprotocols which were offered",
    "subprotocol-several": "that chooses several subprotocols",
    "subprotocol-invalid": "that chooses a subprotocol with an invalid name",
    "extension-not-offered": "that uses an extension which was not offered",
    "extension-params": "that uses an extension with invalid parameters",
}
"""Failed checks of an answer to a handshake for which a client must fail the connection, in words."""


class ClientRule(Struct, frozen=True):
    """``on`` is what the client hangs up on: a frame of the server's with the ``problem``; a message of ``size`` bytes
    or more; a message of the ``kind``; that a message of the client's of the ``kind`` (empty: any) is ``unanswered``;
    or the server's ``silence``, whether or not it was asked anything. It does so ``after`` so many seconds: from that
    frame, from its question (from the last answer or the opening where it is ``since_answer``), from the server's last
    message. ``answers`` are the kinds of messages that answer the question, None where any message does; what is known
    as the answer to a heartbeat always answers one; where the ``id`` of each question is known (a key, or a place in a
    list), it is what has the same there that answers it. Before it is open, it may be that there is ``no-answer`` to
    its handshake, or a ``bad-answer``, one that fails the check ``problem``.

    Among kinds, the control frames are called ``PING`` and ``PONG``.
    """

    on: Literal["problem", "size", "kind", "unanswered", "silence", "no-answer", "bad-answer"]
    after: float = 0.0
    since_answer: bool = False
    problem: str = ""
    size: int = 0
    kind: str = ""
    answers: tuple[str, ...] | None = None
    id: Id | None = None

    @property
    def sentence(self) -> str:
        """In words."""
        names = {PING: "a ping frame", "": "a message of its own"}
        asked = names.get(self.kind) or with_article(f"`{printable(self.kind, 60)}`")
        wait = duration(self.after)
        return "the client hangs up " + {
            "problem": "on bytes from the server that are not a frame"
            if self.problem == NO_FRAME
            else f"on a frame from the server that violates the protocol ({self.problem})",
            "size": f"on a message from the server with {self.size:,} bytes or more",
            "kind": f"on {asked} from the server",
            "unanswered": f"when {asked} is not answered within {wait}"
            + (" of the last answer" if self.since_answer else "")
            + ("" if self.id is None else f", by its `{printable(str(self.id), 40)}`" if isinstance(self.id, str)
               else f", by its value {self.id + 1}"),
            "silence": f"when the server has sent nothing for {wait}",
            "no-answer": f"when its handshake is not answered within {wait}",
            "bad-answer": f"on an answer to its handshake {BAD_ANSWERS.get(self.problem, self.problem)}",
        }[self.on]


class RuleWatch:
    """Tells when a client with this rule hangs up: ``due`` is the time (seconds, as the events have it) at which it
    will, unless something comes before; infinity where it has no reason to. ``opened`` is when it was opened."""

    def __init__(self, rule: ClientRule, opened: float, failed_checks: Sequence[str] = ()) -> None:
        """``failed_checks`` are those of the handshake that opened it."""
        self.rule = rule
        self.answered = opened
        """When the last answer came, the server's last message where it is its silence that counts, or the opening."""
        self.asked: float | None = None
        """When it asked what is not answered yet."""
        self._minded = opened if rule.on == "bad-answer" and rule.problem in failed_checks else None
        self._hearing = Hearing()
        self._open: dict[Id, float] = {}
        """When each question was asked that is not answered yet, by its id."""

    @property
    def due(self) -> float:
        """When it hangs up."""
        after = self.rule.after
        if self.rule.on == "silence":
            return self.answered + after
        if self.rule.on != "unanswered":
            return inf if self._minded is None else self._minded + after
        if self.asked is None:
            return inf
        # A timer that was up before there was a question goes by the question.
        by_answers = self.rule.since_answer and self.answered + after > self.asked
        return (self.answered if by_answers else self.asked) + after

    def feed(self, event: AnyEvent) -> None:
        """Takes an event of the connection."""
        for heard in self._hearing.feed(event):
            self.take(heard)

    def settle(self) -> None:
        """No filter has anything to say of the last frame."""
        for heard in self._hearing.rest():
            self.take(heard)

    def take(self, heard: Heard) -> None:
        """Takes what has passed."""
        rule = self.rule
        if heard.at >= self.due or (heard.announced and rule.on not in ("size", "silence")):
            return
        if rule.on == "unanswered" and rule.id is not None:
            self._take_by_id(heard, rule.id)
        elif rule.on == "unanswered":
            if heard.client and self.asked is None and is_kind(rule.kind, heard):
                self.asked = heard.at
            elif _answer(rule.answers, heard):
                self.asked, self.answered = None, heard.at
        elif heard.client:
            return
        elif rule.on == "silence":
            self.answered = heard.at
        elif self._minded is None and (
            (rule.on == "problem" and rule.problem in heard.problems)
            or (rule.on == "size" and heard.size >= rule.size)
            or (rule.on == "kind" and is_kind(rule.kind, heard))
        ):
            self._minded = heard.at


    def _take_by_id(self, heard: Heard, place: Id) -> None:
        value = ids(heard).get(place)
        if value is not None and heard.client and is_kind(self.rule.kind, heard):
            self._open.setdefault(value, heard.at)
        elif value in self._open and not heard.client:
            del self._open[value]
            self.answered = heard.at
        self.asked = min(self._open.values(), default=None)


def _answer(answers: tuple[str, ...] | None, heard: Heard) -> bool:
    """Whether it answers a question that is answered so."""
    if heard.client or answers is None:
        return not heard.client
    return any(is_kind(kind, heard) for kind in answers) or (PONG not in answers and _beat(heard) == "pong")


def _beat(heard: Heard) -> str:
    """Which half of an application's heartbeat it is, if any."""
    if heard.data is None or heard.opcode not in ("text", "binary"):
        return ""
    beat = recognise(OPCODE_NUMBERS[heard.opcode], heard.data)
    return beat.kind if beat is not None else ""


def is_kind(kind: str, heard: Heard) -> bool:
    """Whether it is of the kind; ``PING`` and ``PONG`` are the control frames, and no kind is any message."""
    if not kind:
        return heard.data is not None and heard.opcode in ("text", "binary")
    if heard.opcode in ("ping", "pong"):
        return kind == heard.opcode.upper()
    return kind not in (PING, PONG) and heard.data is not None and selects(kind)(
        OPCODE_NUMBERS.get(heard.opcode, 1), heard.data
    )


class _Told(Struct):
    """What was recorded of one connection. ``over`` is when it ended, in the recording's seconds."""

    conn: int
    opened: float
    over: float
    failed: bool
    heard: deque[Heard]

    def last(self, client: bool) -> Heard | None:
        """The last thing that a side said."""
        return next((each for each in reversed(self.heard) if each.client is client), None)


def find_rule(
    events: Iterable[AnyEvent],
    failed: Sequence[tuple[int, float, float]],
    others: Sequence[tuple[int, float, float]],
    code: int | None,
) -> ClientRule | None:
    """The rule that tells the ends of all ``failed`` connections, and of ``others`` that there was no reason to hang
    up. Of each is given: its number, when it was opened, and when it ended. ``code`` is what it closes with. None
    where no rule does."""
    told = {
        conn: _Told(conn, opened, over, which is failed, deque(maxlen=FRAMES))
        for which in (others, failed)
        for conn, opened, over in which[-STUDIED:]
    }
    hearings = {conn: Hearing() for conn in told}
    for event in events:
        one = told.get(event.conn)
        if one is None or isinstance(event, Handshake) or event.at > one.over:
            continue
        one.heard.extend(hearings[event.conn].feed(event))
    kinds: dict[bool, Discriminators] = {False: Discriminators(), True: Discriminators()}
    for one in told.values():
        one.heard.extend(hearings[one.conn].rest())
        for heard in one.heard:
            if heard.opcode in ("text", "binary") and heard.data is not None:
                kinds[heard.client].feed(OPCODE_NUMBERS[heard.opcode], heard.data)
    ends = [one for one in told.values() if one.failed]
    if len(ends) < LEAST:
        return None
    candidates = _candidates(ends, list(told.values()), kinds, code)
    return next((rule for rule in candidates if all(_tells(rule, one) for one in told.values())), None)


def _tells(rule: ClientRule, one: _Told) -> bool:
    """Whether the rule says of this connection what became of it."""
    watch = RuleWatch(rule, one.opened)
    slack = max(GRAIN, SHARE * rule.after)
    for heard in one.heard:
        if watch.due < heard.at - slack:
            return False  # it had reason to, and stayed
        watch.take(heard)
    return abs(watch.due - one.over) <= slack if one.failed else watch.due >= one.over - slack


def _candidates(
    ends: Sequence[_Told], told: Sequence[_Told], kinds: dict[bool, Discriminators], code: int | None
) -> list[ClientRule]:
    """What may be the rule, the likeliest first: what breaks the protocol before what is silent, and that before what
    is only said."""
    found: list[ClientRule] = []
    last = [(one, one.last(client=False)) for one in ends]
    waits = [one.over - (heard.at if heard is not None else one.opened) for one, heard in last]
    after = median(waits)
    minded = [heard for _, heard in last if heard is not None] if max(waits) <= PROMPT else []
    if len(minded) == len(ends):
        shared = set.intersection(*(set(heard.problems) for heard in minded))
        found += [ClientRule("problem", after, problem=problem) for problem in sorted(shared)]
        if code == 1009:
            found.append(ClientRule("size", after, size=min(heard.size for heard in minded)))
    found += _unanswered(ends, told, kinds)
    found += _unanswered_by_id(ends, told, kinds)
    if min(waits) >= SHORTEST:
        found.append(ClientRule("silence", after))
    if len(minded) == len(ends):
        found += [ClientRule("kind", after, kind=kind) for kind in _kinds(minded, kinds[False])]
    return found


def _unanswered(ends: Sequence[_Told], told: Sequence[_Told], kinds: dict[bool, Discriminators]) -> list[ClientRule]:
    """A question of the client's that had no answer when it hung up: the more alike the waits for it are the likelier,
    and then the more promptly it is answered where it is."""
    found = []
    asked = {kind for one in ends for kind in _kinds((h for h in one.heard if h.client), kinds[True])}
    for kind in (PING, *sorted(asked - {PING, PONG}), ""):
        for answers in _answers(kind, told, kinds[False]):
            questions, clocks = [], []
            for one in ends:
                watch = RuleWatch(ClientRule("unanswered", inf, kind=kind, answers=answers), one.opened)
                for heard in one.heard:
                    watch.take(heard)
                if watch.asked is not None:
                    questions.append(one.over - watch.asked)
                    clocks.append(one.over - watch.answered)
            if len(questions) == len(ends) and min(questions) > 0:
                for since_answer, waits in ((False, questions), (True, clocks)):
                    if min(waits) >= SHORTEST:
                        rule = ClientRule("unanswered", median(waits), since_answer, kind=kind, answers=answers)
                        found.append(((round(_spread(waits), 2), _lag(kind, answers, told)), rule))
    return [rule for _, rule in sorted(found, key=lambda each: each[0])]


def _unanswered_by_id(
    ends: Sequence[_Told], told: Sequence[_Told], kinds: dict[bool, Discriminators]
) -> list[ClientRule]:
    """The same of questions with ids, of which one had no answer of its own."""
    found = []
    asked = {kind for one in ends for kind in _kinds((h for h in one.heard if h.client), kinds[True])}
    for kind in (*sorted(asked - {PING, PONG}), ""):
        place = id_place((one.heard for one in told), lambda heard, kind=kind: is_kind(kind, heard))  # type: ignore[misc]
        waits = []
        for one in ends if place is not None else ():
            watch = RuleWatch(ClientRule("unanswered", inf, kind=kind, id=place), one.opened)
            for heard in one.heard:
                watch.take(heard)
            waits += [one.over - watch.asked] if watch.asked is not None else []
        if place is not None and len(waits) == len(ends) and min(waits) >= SHORTEST:
            found.append((_spread(waits), ClientRule("unanswered", median(waits), kind=kind, id=place)))
    return [rule for _, rule in sorted(found, key=lambda each: each[0])]


def _spread(waits: Sequence[float]) -> float:
    return (max(waits) - min(waits)) / median(waits)


def _lag(kind: str, answers: tuple[str, ...] | None, told: Sequence[_Told]) -> float:
    """Seconds from a question to its answer, typically."""
    lags = []
    for one in told:
        asked: float | None = None
        for heard in one.heard:
            if heard.client and is_kind(kind, heard):
                asked = heard.at
            elif asked is not None and _answer(answers, heard):
                lags.append(heard.at - asked)
                asked = None
    return median(lags) if lags else inf


def _answers(kind: str, told: Sequence[_Told], kinds: Discriminators) -> list[tuple[str, ...] | None]:
    """How it may be answered: by a kind that the server never says more often than it was asked; and if it is any
    message that is waited for, by any. Of a heartbeat that was never answered it is known how its answer would look."""
    if kind == PING:
        return [(PONG,)]
    if not kind:
        return [None]
    beat = False
    fits: dict[str, bool] = {}
    for one in told:
        asked, said = 0, Counter[str]()
        for heard in one.heard:
            if heard.client and is_kind(kind, heard):
                beat = beat or _beat(heard) == "ping"
                asked += 1
            elif not heard.client:
                for name in _kinds([heard], kinds):
                    said[name] += 1
                    fits[name] = fits.get(name, name != PONG) and said[name] <= asked
    return [*((name,) for name, fit in fits.items() if fit), *([()] if beat else [])]


def _kinds(heard: Iterable[Heard], learned: Discriminators) -> list[str]:
    """The kinds of these."""
    found: dict[str, None] = {}
    for each in heard:
        if each.opcode in ("ping", "pong"):
            found[each.opcode.upper()] = None
        elif each.data is not None:
            found[learned.kind(OPCODE_NUMBERS.get(each.opcode, 1), each.data).text] = None
    return list(found)
