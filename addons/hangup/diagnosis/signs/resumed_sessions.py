"""Connections that go on with an earlier session, and the first one, which has none to go on with."""

from __future__ import annotations

import re

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Trigger, cite, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.client_pings import opened
from hangup.diagnosis.signs.credentials import plain
from hangup.diagnosis.signs.first_moments import age
from hangup.diagnosis.signs.ways_of_ending import failed, were_open
from hangup.humanize import printable
from hangup.recording.connections import Connection, numbered
from hangup.recording.traffic import MessageSummary

_KIND = re.compile(r"(?<![a-z])(?:resum(?:e|ing)|reconnect|restore)(?![a-z])")
_KEY = re.compile(r"(?<![a-z])(?:resume(?:_(?:token|id|key|from|seq))?|session_?id|last_?(?:seq|id|event))(?![a-z_])")
_QUERY = re.compile(r"(?<![a-z])(?:resume|sid|session(?:_?id)?|since|cursor|last_?(?:seq|id|event)\w*)(?![a-z])")

_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ].*)?|1\d{9}(?:\d{3}|\d{6})?(?:\.\d+)?")
"""A point in time, which names no session: as a date, or in seconds, milliseconds or microseconds."""


def resumes(message: MessageSummary) -> bool:
    """Whether a message goes on with something, or names a session."""
    shape = message.shape
    return bool(_KIND.search(plain(shape.kind))) or any(_KEY.search(plain(key)) for key in shape.keys)


def _named(life: Connection) -> str:
    """The parameter of the query that names a session, or a place from which to go on; a time is neither."""
    named = (name for name, value in life.query.items() if value and not _TIME.fullmatch(value))
    return next((name for name in named if _QUERY.search(plain(name))), "")


def resuming(case: Case) -> list[tuple[Connection, MessageSummary]]:
    """The clients' first messages that go on with a session, where nearly all do."""
    firsts = [(life, m) for life in case.once(opened) if (m := life.traffic.client.first) is not None and resumes(m)]
    return firsts if firsts and len(firsts) >= 0.7 * len(case.once(opened)) else []


def first_on_the_route(case: Case) -> Connection | None:
    """The first connection of the route that was opened."""
    return next((life for life in case.same_route if life.open_since is not None), None)


@sign(were_open)
def client_begins_by_resuming(case: Case) -> Sign | None:
    """The client's first message names an earlier session, or something to go on from."""
    firsts = case.once(resuming)
    if not firsts:
        return None
    life, message = firsts[0]
    text = f"the client starts with a message that names or resumes a session ({message.shape.text})"
    return Sign(1.0, text, [cite(*each) for each in firsts], Trigger("frame", life.conn, message.n))


@sign(failed)
def request_names_a_session(case: Case) -> Sign | None:
    """The request names a session, or a place from which to go on."""
    naming = [life for life in case.victims if _named(life)]
    if len(naming) < 0.7 * case.count:
        return None
    text = f"the request names a session, or a position to resume from (`{printable(_named(naming[0]), 40)}`)"
    return Sign(1.0, text, cite_all(naming[:3]), Trigger("header", naming[0].conn))


@sign(were_open)
def first_resumed_nothing_and_stayed_open(case: Case) -> Sign | None:
    """The first connection, on which nothing was gone on with, was open for longer than those on which it was."""
    first, resumed = case.once(first_on_the_route), [life for life, _ in case.once(resuming)]
    if first is None or not resumed or first in resumed or _named(first):
        return None
    if (said := first.traffic.client.first) is not None and resumes(said):
        return None
    text = "the first connection, which resumed nothing, was open longer"
    return Sign(1.0, text, [cite(first)]) if first.lasted > 3 * case.once(age) + 0.3 else None


@sign(were_open)
def another_resumed_and_stayed_open(case: Case) -> Sign | None:
    """Others went on with a session in the same way, and were open for longer."""
    named = {name for life in case.victims if (name := _named(life))}
    first = case.once(resuming)
    others = [
        life
        for life in case.others
        if life.open_since is not None and life.lasted > 3 * case.once(age) + 0.3
        and (_named(life) in named or (first and (m := life.traffic.client.first) is not None and resumes(m)))
    ]
    if not others:
        return None
    return Sign(1.0, f"{numbered(others)} also resumed a session, and stayed open longer", cite_all(others))


@sign(were_open)
def first_ended_so_too(case: Case) -> Sign | None:
    """The first connection of the route is among several that ended so."""
    first = case.once(first_on_the_route)
    if first is None or first not in case.victims or case.count < 2:
        return None
    return Sign(1.0, "the first connection on this route ended the same way", [cite(first)])
