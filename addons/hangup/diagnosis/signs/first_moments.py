"""How soon after opening it ended, what had been said by then, and how the server closed."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle, spread
from hangup.diagnosis.findings import Trigger, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.client_pings import opened
from hangup.diagnosis.signs.ways_of_ending import were_open
from hangup.humanize import duration, plural, printable
from hangup.recording.connections import Connection

AT_ONCE = 0.1
SOON = 0.4
"""Seconds after opening within which an end needs no cause from the conversation."""

OF_LIBRARIES = (None, 1000, 1005, 1011)
"""Close codes that libraries send by themselves when a handler returns or fails."""


def age(case: Case) -> float:
    """For how long they were open (median)."""
    return middle(case.lived)


def spoken(case: Case) -> list[Connection]:
    """Those on which the client had sent a message."""
    return [life for life in case.once(opened) if life.traffic.client.messages]


def closed_by_server(case: Case) -> bool:
    """Whether the server, as far as is known, sent a close frame."""
    return case.may_be("server") and case.mode == "close"


def _ended(case: Case) -> Sign:
    median = " (median)" if len(case.once(opened)) > 1 else ""
    text = f"it ended {duration(case.once(age))} after opening{median}"
    return Sign(1.0, text, cite_all(case.once(opened)), Trigger("none", case.victims[0].conn))


@sign(were_open)
def ended_at_once(case: Case) -> Sign | None:
    """It ended as soon as it was open."""
    return _ended(case) if case.once(age) < AT_ONCE else None


@sign(were_open)
def ended_soon_after_opening(case: Case) -> Sign | None:
    """It ended soon after it was open."""
    return _ended(case) if AT_ONCE <= case.once(age) < SOON else None


@sign(were_open)
def ended_later(case: Case) -> Sign | None:
    """It had been open for a while."""
    return _ended(case) if case.once(age) >= SOON else None


@sign(were_open)
def same_lifetime(case: Case) -> Sign | None:
    """The lifetimes hardly differ."""
    ages = case.lived
    if len(ages) < 2 or spread(ages) >= AT_ONCE:
        return None
    but = " (except for one)" if max(ages) - min(ages) >= AT_ONCE else ""
    return Sign(1.0, f"the lifetimes{but} differ by only {duration(spread(ages))}", cite_all(case.once(opened)))


@sign(were_open)
def client_had_said_nothing(case: Case) -> Sign | None:
    """On most of the connections the client had not sent a message yet."""
    lives = case.once(opened)
    silent = [life for life in lives if not life.traffic.client.messages]
    text = f"in {len(silent)} of {len(lives)} the client had not sent a message yet"
    return Sign(1.0, text, cite_all(silent)) if lives and len(silent) >= 0.7 * len(lives) else None


@sign(were_open)
def client_had_spoken(case: Case) -> Sign | None:
    """On many of the connections the client had sent a message."""
    lives, said = case.once(opened), case.once(spoken)
    text = f"in {len(said)} of {len(lives)} the client had already sent a message"
    return Sign(1.0, text, cite_all(said, "client")) if len(said) > 0.3 * len(lives) else None


@sign(were_open)
def server_had_said_much(case: Case) -> Sign | None:
    """The server had sent several messages."""
    told = middle([life.traffic.server.messages for life in case.once(opened)])
    text = f"the server had sent {told:.0f} messages (median)"
    return Sign(1.0, text, cite_all(case.once(opened), "server")) if told > 5 else None


@sign(closed_by_server)
def closed_as_libraries_close(case: Case) -> Sign | None:
    """The close frame is one that libraries send by themselves."""
    code = f"close code {case.code}" if case.code else "a close frame without a code"
    text = f"{code}: this is how libraries close by themselves when a handler returns or fails"
    return Sign(1.0, text, cite_all(case.victims)) if case.code in OF_LIBRARIES else None


@sign(closed_by_server)
def close_code_names_a_reason(case: Case) -> Sign | None:
    """The close code is one that no library sends because a handler is done."""
    text = f"close code {case.code}, which no common library sends just because a handler returned"
    return Sign(1.0, text, cite_all(case.victims)) if case.code not in OF_LIBRARIES else None


@sign(were_open)
def gave_a_reason(case: Case) -> Sign | None:
    """The close frame says why in words."""
    text = f'the close frame gives a reason: "{printable(case.reasons, 60)}"'
    return Sign(1.0, text, cite_all(life for life in case.victims if life.reason)) if case.reasons else None


# What was agreed in the handshake.


@sign(were_open)
def client_offers_a_subprotocol(case: Case) -> Sign | None:
    """The client offers a subprotocol, or several."""
    offered = printable(case.victims[0].header("sec-websocket-protocol"), 60)
    text = f"the client offers the {plural(offered.count(',') + 1, 'subprotocol').partition(' ')[2]} {offered}"
    return Sign(1.0, text, cite_all(case.victims[:1]), Trigger("header", case.victims[0].conn)) if offered else None


@sign(were_open)
def subprotocol_not_agreed(case: Case) -> Sign | None:
    """What the server answered about the subprotocol breaks the handshake."""
    first = case.victims[0]
    failed = [check for check in first.checks if "subprotocol" in check]
    text = f"the server chose {printable(first.subprotocol or '', 60) or 'no subprotocol'}: {', '.join(failed)}"
    return Sign(1.0, text, cite_all([first]), Trigger("header", first.conn)) if failed else None


@sign(closed_by_server)
def close_code_of_the_handshake(case: Case) -> Sign | None:
    """Soon after opening came a close code for what is wrong in the handshake or in the first frame."""
    if case.code not in (4406, 1002) or case.once(age) >= SOON:
        return None
    text = f"close code {case.code} came {duration(case.once(age))} after the handshake"
    return Sign(1.0 if case.code == 4406 else 0.6, text, cite_all(case.victims))


@sign(were_open)
def speaks_graphql(case: Case) -> Sign | None:
    """It speaks GraphQL."""
    text = "it speaks GraphQL, which has two incompatible protocols"
    return Sign(1.0, text, cite_all(case.victims[:1])) if case.stack.protocol == "graphql" else None
