"""Connections that end as another like them opens, and clients that are turned away until an older one is gone."""

from __future__ import annotations

import re

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle, steadiness, surprise, within
from hangup.diagnosis.findings import Trigger, cite_all
from hangup.diagnosis.signs import Found, Sign
from hangup.diagnosis.signs.client_closes import with_known_codes
from hangup.diagnosis.signs.client_pings import NEARLY_ALL, opened
from hangup.diagnosis.signs.seen import of
from hangup.humanize import duration, printable
from hangup.recording.connections import Connection
from hangup.recording.loops import host

KICK = 0.15
"""Seconds after a newcomer's opening within which the older one is ended."""

BEFORE = 0.03
"""Seconds by which the older one may end before the newcomer asks: clocks differ a little."""

KEPT = 1.0
"""Seconds for which a client keeps a connection that it wanted."""

MOVES = 2.0
"""Seconds within which a client that moves to its next connection has closed the older one: it may wait until the next
one delivers."""

BY_CHANCE = 2.0
"""So surprising, or less, is what may be by chance."""

OF_WHAT_SORT = ("client", "name", "station")
"""How names of fields end that may say of what sort a client is, and not which one it is."""

MOST = 6
"""More connections than these say no more."""

OF_THE_SERVER = (1001, 1011, 1012)
"""Close codes with which a server speaks of itself, and not of the connection."""

NEW_EACH_TIME = re.compile("(token|access|auth|jwt).*|ts?$|_$", re.IGNORECASE)
"""Query parameters that differ from one request of a client to its next."""

ABRUPT = ("fin", "rst", "timeout")

Pairs = list[tuple[Connection, Connection]]


def asked_for(life: Connection) -> str:
    """Path and query, without what is new each time."""
    query = {name: value for name, value in life.query.items() if not NEW_EACH_TIME.match(name)}
    return f"{life.path}?{sorted(query.items())}" if query or "{}" in life.route else life.path


def named(life: Connection) -> dict[str, str]:
    """What its first message says of who it is, where its request does not."""
    return life.traffic.ids if asked_for(life) == life.path and "{}" not in life.route else {}


def readings(case: Case) -> list[tuple[str, ...]]:
    """Which fields of the first messages may be the identity: all of them together, or one alone that tells clients
    apart, or is called so. ``{"deviceId": 7, "station": "grill"}`` may be of the client that was at another station.
    """
    values: dict[str, set[str]] = {}
    for life in case.lives:
        for name, value in named(life).items():
            values.setdefault(name, set()).add(value)
    alone = [
        name for name, found in values.items() if len(found) > 1 or not name.lower().endswith(OF_WHAT_SORT)
    ]
    return [tuple(values), *((name,) for name in alone if len(values) > 1)]


def _younger(other: Connection, life: Connection, fields: tuple[str, ...]) -> bool:
    """Whether it opened later, with the same identity: the same request, and the same of these fields."""
    both = other is not life and other.open_since is not None and life.open_since is not None
    if not both or other.open_since <= life.open_since or asked_for(other) != asked_for(life):  # type: ignore[operator]
        return False
    mine, its = named(life), named(other)
    return all(mine.get(name) == its.get(name) for name in fields)


def _late(pair: tuple[Connection, Connection]) -> float:
    """How long after the newcomer opened the older one ended."""
    return (pair[0].end or 0.0) - (pair[1].open_since or 0.0)


def _replaced(case: Case, fields: tuple[str, ...], late: float = KICK) -> Pairs:
    pairs: Pairs = []
    for life in case.once(opened) if case.closer in ("server", "client") else ():
        if (end := life.end) is not None:
            # The newcomer's 101 may be recorded just after the end: a server may end the older one while it accepts.
            near = [
                o
                for o in case.lives
                if o.began - BEFORE <= end <= (o.open_since or 0.0) + late and _younger(o, life, fields)
            ]
            pairs += [min(((life, other) for other in near), key=lambda pair: abs(_late(pair)))] if near else []
    # A client that comes back at once asks after the end, a newcomer before it.
    return pairs if pairs and middle([(life.end or 0.0) - other.began for life, other in pairs]) > 0.0005 else []


def by_identity(case: Case) -> tuple[tuple[str, ...], Pairs]:
    """What explains the most ends: the fields of the identity, and those that ended just as another with the same one
    opened, each with that one."""
    found = [(fields, _replaced(case, fields)) for fields in case.once(readings)]
    return max(found, key=lambda one: len(one[1]))


def replaced(case: Case) -> Pairs:
    """Those that ended just as another with the same identity opened, with that one."""
    return case.once(by_identity)[1]


def by_server(case: Case) -> bool:
    """Whether it was the server that ended them."""
    return case.closer == "server"


@of(replaced)
def closed_as_a_newcomer_opened(case: Case, pairs: Pairs) -> Found:
    """How much likelier so many end as another opens than by chance."""
    whole = len(case.once(opened))
    shared = set.intersection(*(set(named(life).items()) & set(named(other).items()) for life, other in pairs))
    same = " and ".join(printable(name) for name, _ in sorted(shared)[:3])
    which = f"with the same {same}" if same else "that had asked for the same, apart from tokens"
    text = f"{len(pairs)} of {whole} ended just as another connection opened {which}"
    cites = cite_all([*(other for _, other in pairs), *(life for life, _ in pairs)])
    strength = min(surprise(len(pairs), whole, within(case.once(opened_a_second), KICK + 0.1)), 6.0)
    return Sign(strength, text, cites, Trigger("peer", pairs[0][1].conn))


@of(replaced)
def newcomer_client_s_own_next(case: Case, pairs: Pairs) -> Found:
    """It is the same client that opens the other and ends the older one."""
    own = case.closer == "client" and all(life.successor == other.conn for life, other in pairs)
    return Sign(1.0, "the new connection is the client's own next one") if own else None


def opened_a_second(case: Case) -> float:
    """How many connections are opened in a second, on average."""
    return sum(life.open_since is not None for life in case.lives) / max(case.last_at, 1.0)


def moved(case: Case) -> Pairs:
    """Those whose client closed them in order soon after its next connection was open, which it then kept: nearly all,
    and oftener than by chance."""
    by_client = case.closer == "client" and case.mode == "close"
    pairs = [
        (life, other)
        for life, other in (_replaced(case, case.once(by_identity)[0], MOVES) if by_client else ())
        if life.code in (1000, 1001) and _late((life, other)) > 0
    ]
    kept = [(life, other) for life, other in pairs if other.lasted - _late((life, other)) >= KEPT]
    whole = len(case.once(opened))
    if not kept or len(kept) < NEARLY_ALL * whole:
        return []
    by_chance = within(case.once(opened_a_second), max(map(_late, kept)))
    return kept if surprise(len(kept), whole, by_chance) > BY_CHANCE else []


@of(moved)
def client_moved_to_its_next(case: Case, pairs: Pairs) -> Found:
    """The client opened its next connection, closed the older one in order, and kept the new one; stronger the more
    often."""
    kept = middle([other.lasted - _late((life, other)) for life, other in pairs])
    text = (
        f"the client closed {len(pairs)} of {len(case.once(opened))} once its next connection was open, and kept that "
        f"one for {duration(kept)} (median)"
    )
    if len(reasons := {life.reason for life, _ in pairs if life.reason}) == 1:
        text += f', with the reason "{printable(reasons.pop(), 60)}"'
    cites = cite_all([*(other for _, other in pairs), *(life for life, _ in pairs)])
    return Sign(min(len(pairs), MOST), text, cites, Trigger("none", pairs[0][0].conn))


@of(replaced, by_server)
def both_asked(case: Case, pairs: Pairs) -> Found:
    """The older one and the newcomer asked for the very same."""
    text = f"both asked for {printable(pairs[0][0].target, 60)}"
    return Sign(1.0, text) if all(life.target == other.target for life, other in pairs) else None


@of(replaced, by_server, with_known_codes)
def server_closed_close_frame_purpose(case: Case, pairs: Pairs) -> Found:
    """The server closed the older one, with a code that does not speak of the server."""
    text = f"the server closed the older one with a close frame (code {case.code or 'none'})"
    return Sign(1.0, text) if case.code not in OF_THE_SERVER else None


@of(replaced, by_server)
def ended_within_moments_of_the_newcomer(case: Case, pairs: Pairs) -> Found:
    """The time from the newcomer's opening to the end is short each time."""
    longest = max(abs(_late(pair)) for pair in pairs)
    text = f"the older one ended within {duration(longest)} of the new one's opening each time"
    return Sign(1.0, text) if len(pairs) >= 3 and longest < 0.06 else None


@of(replaced, by_server)
def ended_without_newcomer(case: Case, pairs: Pairs) -> Found:
    """Many others ended so while no newcomer opened."""
    replaced = {life.conn for life, _ in pairs}
    alone = [life for life in case.once(opened) if life.conn not in replaced]
    text = f"{len(alone)} ended like this without a new connection"
    return Sign(1.0, text, cite_all(alone)) if len(alone) > 0.4 * len(case.once(opened)) else None


@of(replaced, by_server)
def older_connection_same_identity_stayed(case: Case, pairs: Pairs) -> Found:
    """Elsewhere an older connection outlasted the opening of a newcomer by a second."""
    fields, stayed = case.once(by_identity)[0], []
    for life in case.survivors:
        end = life.end if life.end is not None else case.last_at
        if any(_younger(other, life, fields) and (other.open_since or 0.0) < end - 1.0 for other in case.lives):
            stayed.append(life)
    text = "an older connection stayed open when another opened that had asked for the same, apart from tokens"
    return Sign(1.0, text, cite_all(stayed)) if stayed else None


def turned_away(case: Case) -> list[Connection]:
    """Those that were refused, not for a wrong path or a lack of rights; else those that the server closed at once."""
    refused = [life for life in case.lives if life.fate == "refused" and life.code not in (401, 404, 426)]
    closed = case.once(opened) if case.closer == "server" and case.mode == "close" else []
    return refused or [life for life in closed if life.lasted < 0.5]


def _of_one_client(one: Connection, other: Connection) -> bool:
    return one.route == other.route and host(one.client) == host(other.client)


def waits_to_get_in(case: Case) -> list[float]:
    """For each run of being turned away: from the abrupt end of what the client had open before it, to the beginning of
    what it was let in with after it."""
    turned = case.once(turned_away)
    of_turned = {life.conn for life in turned}
    waits = []
    for life in case.lives:
        if life.lasted < 1.0 or life.conn in of_turned or life.open_since is None:
            continue
        mine = [other for other in case.lives if other.began < life.began and _of_one_client(other, life)]
        held = [other for other in mine if other.open_since is not None and other.conn not in of_turned]
        lost = max(held, key=lambda other: other.began, default=None)
        if lost is None or lost.end is None or lost.end > life.began or lost.ending.how not in ABRUPT:
            continue
        run = [other for other in mine if other.conn in of_turned and other.began >= lost.end]
        if run and life.began - run[-1].began < 15:
            waits.append(life.began - lost.end)
    return waits


@of(turned_away)
def turned_away_then_let_in(case: Case, turned: list[Connection]) -> Found:
    """After an abrupt end the client is turned away, and let in later. How steady the time from the end to that is."""
    waits = case.once(waits_to_get_in)
    text = (
        f"after an abrupt end the client was turned away, and accepted again {duration(middle(waits))} after that end"
        f"{' (median)' if len(waits) > 1 else ''}"
    )
    strength = 1.0 + max(steadiness(waits), 0.0)
    return Sign(strength, text, cite_all(turned[:4]), Trigger("time", turned[0].conn)) if waits else None


@of(turned_away)
def refused_conflict(case: Case, turned: list[Connection]) -> Found:
    """With a code that tells of a conflict, or of a lock."""
    found = [life for life in turned if life.code in (409, 423, 4409)] if len(turned) >= 2 else []
    return (
        Sign(1.0, f"turned away with {found[0].code}, the code for a conflict", cite_all(found[:4])) if found else None
    )
