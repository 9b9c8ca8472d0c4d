"""The server ends it as soon as it is open: a handler that returns, a token, a subprotocol, a limit."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from datetime import datetime

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle, spread, steadiness
from hangup.diagnosis.findings import Hypothesis, Trigger, cite, cite_all
from hangup.diagnosis.reactions import reaction
from hangup.humanize import duration
from hangup.recording.connections import Connection
from hangup.recording.traffic import MessageSummary

SOON = 0.4
"""Seconds after opening within which an end needs no cause from the conversation."""


AUTH_CODES = frozenset((1008, 3000, 3003, 4001, 4003, 4401, 4403, 4004, 4010))
_SECRET = re.compile(r"token|jwt|auth|key|sid|session|ticket|secret|credential|bearer", re.I)
_JWT = re.compile(r"eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*")


def at_opening(case: Case) -> Iterator[Hypothesis]:
    """Causes that need no message."""
    if not case.may_be("server") or case.mode not in ("abrupt", "close"):
        return
    lives = [life for life in case.victims if life.open_since is not None]
    if not lives or middle([life.lasted for life in lives]) > 1.5:
        return
    found = reaction(case, "client")
    # Ends that follow a message need no other cause; a message sent while opening is no such thing.
    spoken = [life for life in lives if life.traffic.client.messages]
    after_open = middle([life.lasted for life in lives])
    early = after_open <= SOON
    followed = found.weight if found is not None and len(spoken) >= 0.7 * len(lives) else 0.0
    yield from _returns(case, lives, spoken, followed)
    if early:
        yield from _token(case, lives, spoken, followed)
        yield from _subprotocol(case, lives)
    yield from _limit(case, lives)
    yield from _resume(case, lives, found.weight if found is not None else 0.0)


def soon(hypothesis: Hypothesis, lives: list[Connection]) -> None:
    """That it ended at once, for causes that lie in the request."""
    ages = [life.lasted for life in lives]
    age = middle(ages)
    hypothesis.says("steady-age", max(steadiness(ages), 0.0), "")
    hypothesis.says(
        "ended-at-once" if age < 0.1 else "ended-soon-after-opening" if age < SOON else "ended-later",
        1.0 if age < SOON else -1.0,
        f"it ended {duration(age)} after opening",
        cite_all(lives),
    )


def _returns(case: Case, lives: list[Connection], spoken: list[Connection], followed: float) -> Iterator[Hypothesis]:
    ages = [life.lasted for life in lives]
    hypothesis = Hypothesis(
        "server-handler/returns-immediately", closer="server", trigger=Trigger("none", lives[0].conn)
    )
    age = middle(ages)
    if age < 0.1:
        hypothesis.says("ended-at-once", 1.0, f"it ended {duration(age)} after opening", cite_all(lives))
    elif age < SOON:
        hypothesis.says("ended-soon-after-opening", 1.0, f"it ended {duration(age)} after opening", cite_all(lives))
    else:
        hypothesis.says(
            "ended-later", -1.0, f"it was open for {duration(age)}: no handler takes that long to return at once"
        )
    silent = len(lives) - len(spoken)
    if silent >= 0.7 * len(lives):
        hypothesis.says(
            "client-had-said-nothing",
            1.0,
            f"in {silent} of {len(lives)} the client had not sent a message yet",
            cite_all(lives),
        )
    else:
        hypothesis.says("client-had-spoken", -1.0 - min(followed, 3.0), "the client had sent a message before")
    if len(lives) > 1 and spread(ages) < 0.1:
        hypothesis.says("same-lifetime", 1.0, "the lifetime is the same each time")
    if case.mode == "abrupt":
        hypothesis.says("no-close-frame", 1.0, "no close frame, as when a handler just returns or raises")
    elif case.code in (None, 1000, 1005, 1011):
        hypothesis.says("closed-as-libraries-close", 1.0, "closed as libraries do when a handler returns")
    else:
        hypothesis.says("application-close-code", -1.0, f"close code {case.code} was chosen: the server had a reason")
    told = middle([life.traffic.server.messages for life in lives])
    if told > 5:
        hypothesis.says("server-spoke-before", -1.0, f"the server had sent {told:.0f} messages")
    if case.reasons:
        hypothesis.says("gave-a-reason", -1.0, f'it gave a reason: "{case.reasons[:60]}"')
    longer = [life for life in case.others if life.open_since is not None and life.lasted > 5 * max(age, 0.1)]
    if longer:
        beside = _open_then(longer, lives)
        text = "others were open on the same route at that time, and stayed open" if all(beside) else ""
        text = text or "other connections on the same route stayed open"
        hypothesis.says(
            "others-stayed-open-beside" if all(beside) else "others-stayed-open", -1.0, text, cite_all(longer)
        )
    if sum(_outlived(life, lives) for life in lives) >= 0.25 * len(lives):
        return  # a handler that returns at once does so each time
    if any(_outlived(life, lives) for life in lives):
        older = 1.0 + 3.0 * sum(_outlived(life, lives) for life in lives) / len(lives)
        hypothesis.says("some-got-older", -older, "some that ended so had stayed open for a while")
    yield hypothesis


def _outlived(life: Connection, lives: list[Connection]) -> bool:
    """Whether one lived on, where most ended at once."""
    return life.lasted > 5 * max(middle([other.lasted for other in lives]), 0.1)


def _open_then(others: list[Connection], lives: list[Connection]) -> list[int]:
    """For each connection, how many of the others were open when it was opened."""
    return [
        sum(o.open_since is not None and o.open_since <= (v.open_since or v.began) < (o.end or 1e12) for o in others)
        for v in lives
    ]


def credentials(life: Connection) -> list[str]:
    """Where the request carries something that looks like a credential."""
    found = [f"query `{name}`" for name in life.query if _SECRET.search(name)]
    if life.header("authorization"):
        found.append("Authorization")
    if life.header("cookie"):
        found.append("Cookie")
    if _JWT.search(life.target) and not found:
        found.append("a JWT in the target")
    offered = life.header("sec-websocket-protocol")
    if re.search(r"bearer|token|jwt|auth", offered, re.I) or _JWT.search(offered):
        found.append("Sec-WebSocket-Protocol")
    return found


def _secret(message: MessageSummary) -> bool:
    """Whether a message carries something that looks like a credential."""
    shape = message.shape
    return bool(_SECRET.search(shape.kind)) or any(_SECRET.search(key) for key in shape.keys)


def expiry(life: Connection) -> float | None:
    """When the JWT in the target or a header expires, as a Unix time."""
    request = life.traffic.request
    texts = [life.target, *(value for _, value in request.headers[:64])] if request else []
    for text in texts:
        for token in _JWT.findall(text[:8192]):
            body = token.split(".")[1]
            try:
                claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
                return float(claims["exp"])
            except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
                continue
    return None


def started(case: Case) -> float | None:
    """When the recording began, as a Unix time."""
    try:
        return datetime.fromisoformat(case.header.started.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None


def _token(case: Case, lives: list[Connection], spoken: list[Connection], followed: float) -> Iterator[Hypothesis]:
    hypothesis = Hypothesis(
        "identity/token-expired-retry",
        closer="server",
        trigger=Trigger("header", lives[0].conn),
    )
    soon(hypothesis, lives)
    carried = credentials(lives[0])
    firsts = [m for life in spoken if (m := life.traffic.client.first) is not None]
    if not carried and len(firsts) >= 0.7 * len(lives) and all(map(_secret, firsts)):
        text = f"the client begins with a credential ({firsts[0].shape.text})"
        hypothesis.says("client-begins-with-a-credential", 1.0, text, cite_all(spoken, "client"))
    elif carried:
        hypothesis.says(
            "request-carries-credential",
            1.0,
            f"the request carries a credential ({', '.join(carried[:2])})",
            cite_all(lives[:3]),
        )
        targets = {life.target for life in lives}
        if len(lives) > 1 and len(targets) == 1:
            hypothesis.says("same-credential-each-time", 1.0, "the same one each time")
    elif case.header.tells("headers"):
        hypothesis.says("no-credential", -1.0, "no credential is to be seen in the request")
    begin, exp = started(case), expiry(lives[0])
    if exp is not None and begin is not None:
        when = begin + (lives[0].began or 0.0)
        if exp < when:
            hypothesis.says(
                "token-expired", 1.0, f"the token expired {duration(when - exp)} before", cite_all(lives[:3])
            )
        else:
            hypothesis.says("token-not-expired", -1.0, "the token had not expired")
    if case.mode == "close":
        if case.code in AUTH_CODES:
            strong = case.code in (4401, 4403, 3000, 3003)
            hypothesis.says(
                "close-code-of-refused-credentials",
                1.0 if strong else 0.6,
                f"close code {case.code} is used for refused credentials",
            )
        elif case.code in (None, 1000, 1001, 1011):
            hypothesis.says("close-code-does-not-say-so", -1.0, "the close code does not say so")
    else:
        hypothesis.says("no-close-frame", -1.0, "no close frame")
    if spoken and len(spoken) >= 0.7 * len(lives):
        hypothesis.says("client-had-spoken", -min(followed, 3.0), "the client had sent a message before")
    if any(life.lasted > 2.0 for life in case.others if life.open_since is not None):
        lived = [life for life in case.others if life.open_since is not None and life.lasted > 2.0]
        same = [life for life in lived if life.target == lives[0].target]
        hypothesis.says(
            "same-request-served" if same else "others-stayed-open",
            -1.0 if same else 1.0,
            "the same request was served before" if same else "",
            cite_all(lived),
        )
    if any(_outlived(life, lives) for life in lives):
        hypothesis.says("some-got-older", -1.0, "some that ended so had stayed open for a while")
    yield hypothesis


def _subprotocol(case: Case, lives: list[Connection]) -> Iterator[Hypothesis]:
    offered = lives[0].header("sec-websocket-protocol")
    chosen = lives[0].subprotocol
    failed = [check for check in lives[0].checks if "subprotocol" in check]
    if not offered and not chosen:
        return
    hypothesis = Hypothesis(
        "handshake/subprotocol",
        closer="server",
        trigger=Trigger("header", lives[0].conn),
    )
    soon(hypothesis, lives)
    hypothesis.says(
        "client-offers-a-subprotocol", 1.0, f"the client offers the subprotocol {offered[:60]}", [cite(lives[0])]
    )
    if failed:
        hypothesis.says(
            "subprotocol-not-agreed", 1.0, f"the server chose {chosen or 'none'}: {failed[0]}", [cite(lives[0])]
        )
    if case.code in (4406, 1002):
        hypothesis.says(
            "close-code-of-the-handshake",
            1.0 if case.code == 4406 else 0.6,
            f"close code {case.code} right after the handshake",
            cite_all(lives),
        )
    elif case.mode == "abrupt":
        hypothesis.says("no-close-frame", -1.0, "no close frame")
    if case.stack.protocol == "graphql" and case.mode == "close":
        hypothesis.says("speaks-graphql", 1.0, "it speaks GraphQL, of which there are two incompatible protocols")
    yield hypothesis


def _limit(case: Case, lives: list[Connection]) -> Iterator[Hypothesis]:
    lived = [life for life in case.others if life.open_since is not None and life.lasted > 1.0]
    open_then = _open_then(lived, lives)
    full = min(open_then) == max(open_then) > 0
    told = case.mode == "close" and case.code in (1008, 1013, 4029, 4429, 4408, 1011, 4000)
    if not told and not (full and len(lives) > 2 and case.code in (None, 1000)):
        return
    hypothesis = Hypothesis("handshake/limit", closer="server", trigger=Trigger("count", lives[0].conn))
    if middle([life.lasted for life in lives]) < SOON:
        soon(hypothesis, lives)
    if case.code in (4429, 4029):
        hypothesis.says("close-code-of-too-many", 1.0, f"close code {case.code}: too many", cite_all(lives))
    if lived:
        hypothesis.says("earlier-ones-served", 1.0, "connections before the limit were served", cite_all(lived))
        if full:
            hypothesis.says(
                "as-many-open-each-time", 1.0, f"{open_then[0]} were open each time that one was turned away"
            )
    if not told:
        hypothesis.says(
            "turned-away-again", 0.5 * min(len(lives) - 2, 3), f"it was turned away {len(lives)} times", cite_all(lives)
        )
    yield hypothesis


def _resume(case: Case, lives: list[Connection], followed: float) -> Iterator[Hypothesis]:
    """The first connection was fine, and all that resume it are not."""
    resumed: list[tuple[Connection, MessageSummary | None]] = []
    for life in lives:
        first = life.traffic.client.first
        query = [name for name in life.query if re.search(r"resume|sid|session|last|since|cursor", name, re.I)]
        if first is not None and (
            re.search(r"resume|reconnect|restore", first.shape.kind, re.I)
            or any(re.search(r"resume|session_?id|last_?(seq|id|event)", key, re.I) for key in first.shape.keys)
        ):
            resumed.append((life, first))
        elif query:
            resumed.append((life, None))
    if len(resumed) < 0.7 * len(lives):
        return
    hypothesis = Hypothesis("identity/stale-resume", closer="server", trigger=Trigger("frame", lives[0].conn))
    with_frame = [(life, message) for life, message in resumed if message is not None]
    if with_frame:
        hypothesis.trigger = Trigger("frame", with_frame[0][0].conn, with_frame[0][1].n)
        hypothesis.says(
            "client-begins-by-resuming",
            1.0,
            "the client begins by resuming an earlier session",
            [cite(life, m) for life, m in with_frame],
        )
        if all(life.traffic.client.messages == 1 for life, _ in with_frame):
            hypothesis.says(
                "follows-client-message",
                followed,
                "and it ended right after that",
                [cite(life, m) for life, m in with_frame],
            )
    else:
        hypothesis.says("request-names-a-session", 1.0, "the request names an earlier session", cite_all(lives[:3]))
    earliest = next((life for life in case.same_route if life.open_since is not None), None)
    if earliest is not None and earliest not in [life for life, _ in resumed]:
        if earliest.lasted > 3 * middle([life.lasted for life in lives]) + 0.3:
            hypothesis.says(
                "first-stayed-open-longest",
                1.0,
                "the first connection, which resumed nothing, stayed open longer",
                [cite(earliest)],
            )
    elif earliest is not None and earliest in lives:
        hypothesis.says("first-ended-so-too", -1.0, "the first connection ended so too", [cite(earliest)])
    yield hypothesis
