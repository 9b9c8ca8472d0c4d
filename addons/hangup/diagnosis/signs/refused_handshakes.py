"""Handshakes that are not answered with a 101: what the answer says, and which others were answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Trigger, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.credentials import credentials
from hangup.diagnosis.signs.ways_of_ending import failed
from hangup.humanize import duration, printable
from hangup.recording.connections import Connection, numbered
from hangup.wire.statuses import explain_status

STATUSES = (
    200, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 407, 408, 409, 410, 414, 421, 422, 426, 429, 431,
    500, 501, 502, 503, 504,
)  # fmt: skip

LONG_OPEN = 2.0
"""Seconds after which a connection is taken for one that was served."""

_HABITS: tuple[tuple[tuple[str, ...], int, str, str], ...] = (
    (("uvicorn",), 404, "without-a-library", "answers 404 when it has no WebSocket library"),
    (("uvicorn",), 404, "not-to-an-unknown-path", "does not answer 404 to an unknown path, but 403"),
    (("aiohttp", "tornado", "websockets"), 403, "not-to-an-unknown-path", "does not answer 403 to an unknown path"),
    (("daphne", "tornado"), 403, "to-an-unknown-origin", "answers 403 to an Origin that it does not know"),
    (("daphne",), 500, "to-an-unknown-path", "answers 500 when no route matches"),
)
"""What servers answer by themselves (measured): which servers, the status, when, and that in words."""

_LOGIN = re.compile(r"(?<![a-z])(?:log-?in|sign[-_]?in|sso|oauth2?|auth(?:\w*i[sz]e|enticat\w+)?)(?![a-z])", re.I)


def refused(case: Case) -> bool:
    """Whether it is about handshakes that failed, and not because the client went away."""
    return case.mode == "refused" and case.closer != "client"


def answered(case: Case) -> bool:
    """Whether they got an answer."""
    return refused(case) and case.code is not None


def unanswered(case: Case) -> bool:
    """Whether they got none."""
    return refused(case) and case.code is None


def served(case: Case) -> list[Connection]:
    """What was opened on the same route; where all were, those that stayed open for a while."""
    least = 0.0 if case.mode == "refused" else LONG_OPEN
    return [life for life in case.others if life.open_since is not None and life.lasted >= least]


def served_at_the_same_url(case: Case) -> list[Connection]:
    """Those of them with the target of the first that was not."""
    return [life for life in case.once(served) if life.target == case.victims[0].target]


def _status(case: Case) -> Sign:
    """The status of the answer, and what it usually means."""
    first = case.victims[0]
    words = explain_status(case.code, lambda name: [v] if (v := first.header(name.lower(), response=True)) else [])
    return Sign(1.0, printable(words), cite_all(case.victims), Trigger("header", first.conn))


def _sign_of(status: int) -> None:
    """Makes a sign of one HTTP status."""

    def status_sign(case: Case) -> Sign | None:
        return _status(case) if case.code == status else None

    status_sign.__name__ = f"status_{status}"
    status_sign.__doc__ = f"The handshake was answered with HTTP status {status}."
    sign(answered)(status_sign)


for _code in STATUSES:
    _sign_of(_code)


@sign(answered)
def another_status(case: Case) -> Sign | None:
    """The handshake was answered with an HTTP status that has no sign of its own; of which hundred it is."""
    return None if case.code in STATUSES else _status(case)._replace(variety=f"{(case.code or 0) // 100}xx")


@sign(unanswered)
def handshake_not_answered(case: Case) -> Sign:
    """No answer came, or none that is one."""
    lives = case.victims
    error = printable(lives[0].error, 120) or "no answer"
    return Sign(1.0, (
        "the handshake got no valid response "
        f"({error})"
    ), cite_all(lives), Trigger("header", lives[0].conn))


@sign(unanswered)
def waited_in_vain(case: Case) -> Sign | None:
    """The client waited for an answer, a second or more, and got none."""
    waited = middle([life.waited for life in case.victims])
    text = f"the client waited {duration(waited)} for a response, and got no valid one"
    return Sign(1.0, text, cite_all(case.victims)) if waited >= 1 else None


@sign(answered)
def redirects(case: Case) -> Sign | None:
    """The answer redirects: to where one logs in, to the same path (but for a slash, or elsewhere), or to another."""
    life = case.victims[0]
    try:
        target = urlsplit(life.location)
    except ValueError:
        return None
    where = "to-the-same-path" if target.path.rstrip("/") == life.path.rstrip("/") else "to-another-path"
    where = "to-a-login" if _LOGIN.search(target.netloc + target.path) else where
    text = f"it redirects to {printable(life.location, 80)}, which a browser does not follow for a WebSocket"
    return Sign(1.0, text, cite_all(case.victims), variety=where) if life.location else None


@sign(answered)
def habit_of_the_server(case: Case) -> Iterator[Sign]:
    """When the server, if it is known, answers with this status by itself, and when it does not."""
    for servers, status, when, text in _HABITS:
        if case.stack.server in servers and case.code == status:
            yield Sign(1.0, f"{case.stack.server} {text}", cite_all(case.victims), variety=when)


@sign(refused)
def some_such_requests_served(case: Case) -> Sign | None:
    """Of the requests for the same route some were served and some were not."""
    some = case.once(served)
    text = f"{len(some)} of {len(case.same_route)} requests for this route were accepted"
    return Sign(1.0, text, cite_all(some)) if some else None


@sign(failed)
def same_request_served_another_time(case: Case) -> Sign | None:
    """The same URL was served at another time."""
    same = case.once(served_at_the_same_url)
    return Sign(1.0, f"the same URL was accepted at another time ({numbered(same)})", cite_all(same)) if same else None


@sign(failed)
def same_request_served_later(case: Case) -> Sign | None:
    """The same URL was served after it was not: nothing in it is used up."""
    first = case.victims[0]
    later = [life for life in case.once(served_at_the_same_url) if life.began > first.began]
    return Sign(1.0, f"the same URL was accepted again later ({numbered(later)})", cite_all(later)) if later else None


@sign(refused)
def same_request_without_credential_served(case: Case) -> Sign | None:
    """The same URL was served at another time, and what was refused carries no credential."""
    same = case.once(served_at_the_same_url)
    if not same or credentials(case.victims[0]) or not case.header.tells("headers"):
        return None
    return Sign(1.0, "the same URL was accepted at another time, and it takes no credential", cite_all(same))
