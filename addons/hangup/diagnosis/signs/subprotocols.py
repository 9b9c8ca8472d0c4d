"""Protocols over the socket with rules of their own: GraphQL's vocabularies, STOMP's heart-beats."""

from __future__ import annotations

import re

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Trigger, cite
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.client_pings import NEARLY_ALL, opened
from hangup.diagnosis.told_errors import words_of
from hangup.humanize import duration
from hangup.recording.connections import Connection
from hangup.recording.events import Side
from hangup.recording.traffic import MessageSummary

_ALIEN = {
    "graphql-transport-ws": frozenset(("start", "stop", "connection_terminate", "data", "ka")),
    "graphql-ws": frozenset(("subscribe", "next", "ping", "pong")),
}
"""The two subprotocols of GraphQL, each with what only the other one knows."""

AT_ONCE = 0.1
"""Seconds within which an ERROR answers what the client said."""

Said = list[tuple[Connection, MessageSummary]]


def speaks_graphql(case: Case) -> bool:
    """Whether open connections ended that speak it."""
    return case.stack.protocol == "graphql" and bool(case.once(opened)) and case.closer in ("server", "client")


def last_words(case: Case) -> Said:
    """The last message of each client."""
    return [(life, m) for life in case.once(opened) if (m := life.last_message("client")) is not None]


def _shown(text: str, said: Said) -> Sign:
    life, message = said[0]
    return Sign(text=text, cites=[cite(*each) for each in said], trigger=Trigger("frame", life.conn, message.n))


@sign(speaks_graphql)
def not_of_its_subprotocol(case: Case) -> Sign | None:
    """The client's last message is of the other one of GraphQL's two subprotocols."""
    life = case.once(opened)[0]
    chosen = (life.subprotocol or life.header("sec-websocket-protocol")).strip().lower()
    said = [each for each in case.once(last_words) if each[1].shape.kind in _ALIEN.get(chosen, ())]
    kinds = ", ".join(sorted({message.shape.kind for _, message in said}))
    return _shown(f"`{kinds}` does not belong to the subprotocol {chosen}", said) if said else None


@sign(speaks_graphql)
def subscribed_before_init(case: Case) -> Sign | None:
    """The client subscribed and had not sent connection_init."""
    said = [
        (life, message)
        for life, message in case.once(last_words)
        if message.shape.kind in ("subscribe", "start")
        and not any(shape.kind == "connection_init" for shape in life.traffic.client.shapes)
    ]
    if case.closer != "server" or len(said) < NEARLY_ALL * len(case.once(opened)):
        return None
    return _shown("the client subscribed before connection_init", said)


_HEART_BEAT = re.compile(r"^heart-beat:\s*(\d{1,9}),(\d{1,9})", re.M)


class HeartBeats:
    """What the first STOMP client and server agreed to: ``every`` so many seconds one of them sends a heart-beat."""

    def __init__(self, case: Case) -> None:
        self.every = 0.0
        offers: dict[Side, tuple[int, int]] = {}
        self.shown: Said = []
        for life in case.once(opened)[:1] if case.stack.protocol == "stomp" else ():
            for message in life.traffic.opening:
                found = _HEART_BEAT.search(message.text)
                if found is not None and message.side not in offers:
                    offers[message.side] = int(found[1]), int(found[2])
                    self.shown.append((life, message))
        if len(offers) == 2:
            (can, wants), (server_can, server_wants) = offers["client"], offers["server"]
            pairs = ((can, server_wants), (server_can, wants))
            self.every = min((max(pair) / 1000 for pair in pairs if all(pair)), default=0.0)


def heart_beats_are_agreed(case: Case) -> bool:
    """Whether there is something to keep to."""
    return case.once(HeartBeats).every > 0


@sign(heart_beats_are_agreed)
def heart_beats_agreed(case: Case) -> Sign:
    """STOMP's client and server agreed to heart-beats."""
    found = case.once(HeartBeats)
    text = f"STOMP heart-beats were agreed on, one every {duration(found.every)}"
    trigger = Trigger("time", case.once(opened)[0].conn)
    return Sign(text=text, cites=[cite(*each) for each in found.shown], trigger=trigger)


@sign(heart_beats_are_agreed)
def no_heart_beat_sent(case: Case) -> Sign | None:
    """And none was ever sent, though there was time for it."""
    lives = case.once(opened)
    halves = [half for life in lives for half in life.traffic.halves.values()]
    sent = any(shape.beat is not None and shape.beat.form == "stomp" for half in halves for shape in half.shapes)
    late = middle([life.lasted for life in lives]) > case.once(HeartBeats).every
    return Sign(text="no STOMP heart-beat was ever sent") if late and not sent else None


@sign(heart_beats_are_agreed)
def stomp_error(case: Case) -> Sign | None:
    """The server sent STOMP's ERROR before the end, and not as an answer to what the client had just said."""
    seen = ((life, m) for life in case.once(opened) for m in life.traffic.recent)
    said = [each for each in seen if each[1].side == "server" and each[1].shape.kind == "ERROR"]
    said = [(life, message) for life, message in said if not _answers(life, message)]
    if not said:
        return None
    words = words_of(said[0][1])
    return Sign(text=f'the server sent the ERROR "{words}" before the end', cites=[cite(*each) for each in said])


def _answers(life: Connection, message: MessageSummary) -> bool:
    """Whether it comes right after a message of the client that is no heart-beat."""
    before = [m for m in life.traffic.recent if m.n < message.n and m.side == "client" and m.data]
    return any(m.shape.beat is None and message.at - m.at <= AT_ONCE for m in before)
