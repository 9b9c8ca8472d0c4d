"""Connections that are closed in order once their work is done: the server said so, or all questions were answered."""

from __future__ import annotations

import re

from hangup.diagnosis.case import Case, names_the_code
from hangup.diagnosis.figures import middle, steadiness
from hangup.diagnosis.findings import Trigger, cite, cite_all
from hangup.diagnosis.signs import Found, Sign, sign
from hangup.diagnosis.signs.answered_clients import PROMPTLY
from hangup.diagnosis.signs.client_closes import SOON, closed_by_client, with_known_codes
from hangup.diagnosis.signs.client_pings import NEARLY_ALL, opened
from hangup.diagnosis.signs.seen import of
from hangup.diagnosis.told_errors import reports_an_error
from hangup.humanize import duration, printable
from hangup.messages.farewells import apart
from hangup.messages.shapes import Shape
from hangup.recording.connections import Connection
from hangup.recording.traffic import MessageSummary

AT_ONCE = 0.25
"""Seconds after its last message within which a server closes that has said that it is done."""

SEVERAL = 3
"""So many connections at least: one may end so by accident."""

MOST = 6
"""More connections than these say no more."""

TIMER = 2.0
"""The steadiness from which on times are those of a timer."""

IN_ORDER = (1000, 1001)

NOTHING_WRONG = (1000, None)

_DONE = r"(?:exit(?:ed)?|done|completed?|finish(?:ed)?|final|end(?:ed)?|eof|eos)"
_WORD = re.compile(rf"(?<![a-z]){_DONE}(?![a-z])")
_SAID = re.compile(
    r'"(?:type|event|ev|evt|op|action|kind|k|t|status|state|phase)"\s*:\s*"([^"\\]{1,40})"'
    rf'|"({_DONE})"\s*:\s*true'
)

_ID = re.compile(r'"id"\s*:\s*("[^"\\]{1,80}"|\d+)')

Ends = list[tuple[Connection, MessageSummary]]


def says_done(words: str) -> bool:
    """Whether a kind, or a reason, is one of something that is over (``exit``, ``jobDone``, ``job finished``)."""
    return _WORD.search(apart(words)) is not None


def _finishing(message: MessageSummary) -> bool:
    said = [message.shape.kind, *(one or other for one, other in _SAID.findall(message.text))]
    return any(map(says_done, said)) and not reports_an_error(message)


def _known(life: Connection) -> list[MessageSummary]:
    """Its first messages and its last ones, as far as they are kept."""
    kept = {message.n: message for message in (*life.traffic.opening, *life.traffic.recent)}
    return [kept[n] for n in sorted(kept)]


def _id(message: MessageSummary) -> str:
    """The id that a message begins with, or has before any other."""
    found = _ID.search(message.text) if message.data else None
    return found[1] if found is not None else ""


def _of_a_request(life: Connection, message: MessageSummary) -> bool:
    """Whether a message of the server has the id of something that the client had asked: what is over is just that."""
    asked = (_id(each) for each in _known(life) if each.side == "client" and each.n < message.n)
    return bool(_id(message)) and _id(message) in asked


def _open_until_the_end(life: Connection) -> bool:
    """Whether something that the client had asked, by its id, was not over yet until the server's last message."""
    asked: set[str] = set()
    open_: set[str] = set()
    last = life.last_message("server")
    for message in _known(life):
        name = _id(message)
        if message.side == "client" and name:
            asked.add(name)
            open_.add(name)
        elif name in open_ and (_finishing(message) or reports_an_error(message)):
            open_.discard(name)
            if not open_ and last is not None and message.n < last.n:
                return False
    return bool(asked) and not open_


def _answered(life: Connection, asked: MessageSummary) -> bool:
    """Whether a message had an answer before the last one: then that one is hardly its answer."""
    since = [each for each in life.traffic.recent if each.side == "server" and each.n > asked.n]
    return sum(each.opcode in ("text", "binary") for each in since) > 1


def _repeats(reason: str, text: str) -> bool:
    """Whether a reason says nothing but what the message said (``job success``, of a ``job`` with that status)."""
    said = set(re.findall(r"\w+", text.lower()))
    return set(re.findall(r"\w+", reason.lower())) <= said


def finished(case: Case) -> Ends:
    """Those that the server closed with 1000, or without a code, right after it had said that it is done, with that
    message: nearly all, and it never said so otherwise."""
    return _closed_when_done(case) if case.closer == "server" and case.code in NOTHING_WRONG else []


def taken(case: Case) -> Ends:
    """The same of those that the client closed with 1000."""
    return _closed_when_done(case) if case.closer == "client" else []


def _closed_when_done(case: Case) -> Ends:
    lives = case.once(opened)
    if case.mode != "close" or len(lives) < SEVERAL:
        return []
    found: Ends = []
    for life in lives:
        client, server = life.last_message("client"), life.last_message("server")
        if server is None or not _finishing(server):
            continue
        if life.code not in NOTHING_WRONG or life.since(server.at) > AT_ONCE:
            continue
        asked = client is not None and server.at - client.at <= AT_ONCE and not _answered(life, client)
        if case.closer == "client" and _of_a_request(life, server):
            asked = not _open_until_the_end(life)  # that its last request is done is what it has waited for
        given = life.reason if not names_the_code(life) else ""
        other_reason = bool(given) and not says_done(given) and not _repeats(given, server.text)
        if not asked and not other_reason and (client is None or client.n < server.n):
            found.append((life, server))
    shapes = {message.shape for _, message in found}
    timed = steadiness([life.lasted for life, _ in found]) > TIMER  # a limit may be announced in such words
    last = all(only_last(life, shapes) or (life in lives and _open_until_the_end(life)) for life in case.same_route)
    return found if len(found) >= NEARLY_ALL * len(lives) and last and not timed else []


def only_last(life: Connection, shapes: set[Shape]) -> bool:
    """Whether the server said none of these on a connection, or said one as its last message only."""
    said = sum(count.count for shape, count in life.traffic.server.shapes.items() if shape in shapes)
    last = life.last_message("server")
    return said == 0 or (said == 1 and last is not None and last.shape in shapes)


@of(finished)
def server_closed_when_done(case: Case, found: Ends) -> Found:
    """The server said that its work is done, and closed with 1000; stronger the more often."""
    return _when_done(case, found, "server", "it had said")


@of(taken)
def client_closed_when_done(case: Case, found: Ends) -> Found:
    """The client closed with 1000 as soon as the server had said that its work is done; stronger the more often."""
    return _when_done(case, found, "client", "the server had said")


def _when_done(case: Case, found: Ends, who: str, after: str) -> Sign:
    life, message = found[0]
    how = f"with code {case.code}" if case.code else "without a code"
    text = (
        f"the {who} closed {len(found)} of {len(case.once(opened))} {how} right after {after} that it is "
        f"done ({message.shape.text})"
    )
    if life.reason:
        alike = all(each.reason == life.reason for each, _ in found)
        text += f', with {"the reason" if alike else "reasons such as"} "{printable(life.reason, 60)}"'
    return Sign(min(len(found), MOST), text, [cite(*each) for each in found], Trigger("none", life.conn, message.n))


@sign(closed_by_client, with_known_codes)
def client_says_it_is_done(case: Case) -> Sign | None:
    """The reason that the client gives says that its work is done."""
    lives = case.once(opened)
    done = [life for life in lives if life.code in IN_ORDER and says_done(life.reason)]
    if not done or len(done) < NEARLY_ALL * len(lives):
        return None
    reason = printable(done[0].reason, 60)
    return Sign(1.0, f'the client closed {len(done)} of {len(lives)} with the reason "{reason}"', cite_all(done))


def answered_all(case: Case) -> Ends:
    """Those that the client closed in order when each message of its own had had an answer and it had asked nothing for
    longer than ever before, with the last answer: nearly all, and not by a timer."""
    lives = case.once(opened)
    if len(lives) < SEVERAL:
        return []
    found: Ends = []
    for life in lives:
        client, server, first = life.last_message("client"), life.last_message("server"), life.course.first
        if client is None or server is None or first is None or server.n < client.n:
            continue
        in_order = first.what == "close" and not first.by and first.code in IN_ORDER and not first.reason
        spare = life.traffic.server.messages - life.traffic.client.messages
        at_once = life.gap is not None and life.gap <= SOON
        stopped = life.since(client.at) > life.traffic.client.pause  # in the middle of a talk it was not done
        if in_order and 0 <= spare <= 1 and stopped and not at_once and not life.lost and not _waiting(life):
            found.append((life, server))
    quiet = [life.since(message.at) for life, message in found]
    by_a_timer = max(steadiness(quiet), steadiness([life.lasted for life, _ in found])) > TIMER
    enough = len(found) >= NEARLY_ALL * len(lives) and middle(quiet) > PROMPTLY
    return found if enough and not by_a_timer else []


def _waiting(life: Connection) -> bool:
    """Whether a ping of the client had no answer yet."""
    return any(beats.waiting is not None for (side, _), beats in life.traffic.beats.items() if side == "client")


@of(answered_all, closed_by_client, with_known_codes)
def client_closed_with_all_answered(case: Case, found: Ends) -> Found:
    """All that the client asked had been answered, and it closed when it asked no more; stronger the more often."""
    quiet = [life.since(message.at) for life, message in found]
    text = (
        f"each message of the client had been answered, and it had stopped asking, when it closed "
        f"{len(found)} of {len(case.once(opened))} in order, "
        f"{duration(min(quiet))} to {duration(max(quiet))} after the last answer"
    )
    trigger = Trigger("none", found[0][0].conn, found[0][1].n)
    return Sign(min(len(found), MOST) / 2, text, [cite(*each) for each in found], trigger)
