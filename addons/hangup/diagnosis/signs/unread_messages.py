"""What shows that the server does not read: no answer to a CLOSE or ping while it sends, messages that pile up."""

from __future__ import annotations

from collections.abc import Sequence

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Cite, Trigger, cite, cite_all
from hangup.diagnosis.signs import Sign
from hangup.diagnosis.signs.client_pings import NEARLY_ALL, opened
from hangup.diagnosis.signs.seen import of
from hangup.humanize import duration, plural
from hangup.recording.connections import Connection
from hangup.recording.traffic import MessageSummary

CROSSING = 0.25
"""Seconds after a ping or CLOSE in which what the server sends may have crossed it."""

PILE = 3
"""So many messages in a row, and more than at any other time, are a pile."""


def _most(part: Sequence[object], lives: list[Connection]) -> bool:
    return bool(part) and len(part) >= NEARLY_ALL * len(lives)


def _of(part: Sequence[object], lives: list[Connection]) -> str:
    return f"on {len(part)} of {plural(len(lives), 'connection')} "


@of(opened)
def close_unanswered_while_server_sends(case: Case, lives: list[Connection]) -> Sign | None:
    """After the client's CLOSE the server went on sending messages, and no CLOSE."""
    deaf = []
    for life in lives:
        read, last = life.course, life.last.get("server")
        first = read.first
        if first is None or first.what != "close" or first.side != "client" or first.by or life.lost:
            continue
        if read.answer is None and read.more and last is not None and last.at - first.at > CROSSING:
            deaf.append((life, last.at - first.at, first.n))
    if not _most(deaf, lives):
        return None
    text = (
        f"did not answer the client's CLOSE, and kept sending for another {duration(middle([d for _, d, _ in deaf]))}"
    )
    trigger = Trigger("time", deaf[0][0].conn, deaf[0][2])
    return Sign(1.0, _of(deaf, lives) + "the server " + text, [Cite(c.conn, n) for c, _, n in deaf], trigger)


@of(opened)
def pings_unanswered_while_server_sends(case: Case, lives: list[Connection]) -> Sign | None:
    """The server's library answered no control ping any more, and the server went on sending messages."""
    deaf = []
    for life in lives:
        pings, last = life.traffic.beats.get(("client", "control")), life.last_message("server")
        if pings is None or pings.waiting is None or pings.mismatched or last is None or life.lost:
            continue
        if last.at - pings.waiting > CROSSING:
            deaf.append((life, pings.waiting_n, last.at - pings.waiting))
    if not _most(deaf, lives):
        return None
    if not case.header.tells("pings"):
        return None
    text = "the server kept sending messages "
    text += f"for {duration(middle([d for _, _, d in deaf]))} after a ping frame from the client that it did not answer"
    trigger = Trigger("time", deaf[0][0].conn, deaf[0][1])
    return Sign(1.0, _of(deaf, lives) + text, [Cite(c.conn, n) for c, n, _ in deaf], trigger)


def _runs(life: Connection) -> list[list[MessageSummary]]:
    """The client's messages, as far as kept: in one list those in a row, the last list being that of the end."""
    runs: list[list[MessageSummary]] = [[]]
    for message in life.traffic.recent:
        if message.side == "server" and message.opcode != "close":
            runs.append([])
        elif message.data:
            runs[-1].append(message)
    return runs


@of(opened)
def client_messages_pile_up(case: Case, lives: list[Connection]) -> Sign | None:
    """Before the ends the client sent more messages in a row, without a word of the server, than at other times."""
    piles = [(life, _runs(life)[-1]) for life in lives if not life.lost]
    others = [run for life in case.same_route for run in _runs(life)[: -1 if life in case.victims else None]]
    usual = max(map(len, others), default=0)
    grown = [(life, pile) for life, pile in piles if len(pile) >= PILE and len(pile) > 1.5 * usual]
    answered = any(life.traffic.server.frame is not None for life, _ in grown)
    if not _most(grown, lives) or not answered:
        return None
    least = min(len(pile) for _, pile in grown)
    text = f"before the end the client sent {least} messages or more in a row without a message from the server, "
    text += f"at most {usual} earlier, as far as recorded"
    trigger = Trigger("time", grown[0][0].conn, grown[0][1][0].n)
    return Sign(1.0, text, [cite(life, pile[0]) for life, pile in grown], trigger)


@of(opened)
def server_reset_it_with_messages_unanswered(case: Case, lives: list[Connection]) -> Sign | None:
    """A RST, which a host sends that closes while something is unread; and the server had not answered the client."""
    found = []
    for life in lives:
        pile = _runs(life)[-1]
        if life.ending.by == "server" and life.ending.how == "rst" and pile and not life.lost:
            found.append((life, pile))
    if not _most(found, lives):
        return None
    text = _of(found, lives) + "the server closed with a RST, "
    text += f"{duration(middle([life.since(pile[0].at) for life, pile in found]))} after a message from the client, "
    text += "and had sent nothing since"
    return Sign(1.0, text, [cite(life, pile[0]) for life, pile in found])


@of(opened)
def client_frame_left_half_sent(case: Case, lives: list[Connection]) -> Sign | None:
    """The server ended it while the client was sending a frame."""
    cut = [life for life in lives if life.ending.by == "server" and "client" in life.half]
    if not _most(cut, lives):
        return None
    return Sign(1.0, _of(cut, lives) + (
        "the server closed it in the middle of a frame from the "
        "client"
    ), cite_all(cut, "client"))
