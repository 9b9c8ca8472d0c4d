"""Credentials that a request or a first message carries, when they expire, and whether they were accepted before."""

from __future__ import annotations

import base64
import json
import math
import re
from datetime import datetime

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Trigger, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.client_pings import opened
from hangup.diagnosis.signs.ways_of_ending import failed, were_open
from hangup.humanize import duration, printable
from hangup.recording.connections import Connection
from hangup.recording.redaction.names import Meaning, meaning
from hangup.recording.traffic import MessageSummary

CODES = frozenset((1008, 3000, 3003, 4001, 4003, 4401, 4403, 4004, 4010))
"""Close codes that servers use for refused credentials."""

PLAIN_CODES = frozenset((4401, 4403, 3000, 3003))
"""Those of them that are hardly used for anything else."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SECRET = re.compile(
    r"(?:token|jwt|secret|password|ticket|bearer|signature|credentials?|(?:api|auth|access)_?key|sess(?:ion)?_?id)(?![a-z])"
    r"|(?<![a-z])(?:sid|auth(?:ori[sz]\w*|entic\w*)?)(?![a-z])"
)
_SECRET_QUERY = re.compile(r"(?<![a-z])(?:key|session)(?![a-z])")
_JWT = re.compile(r"eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*")
_NOTHING = frozenset(("", "undefined", "null", "None", "NaN"))


def plain(name: str) -> str:
    """A name in lower case, its words apart: ``sessionId`` is ``session_id``."""
    return _CAMEL.sub("_", name).lower().replace("-", "_")


def credentials(life: Connection) -> dict[str, str]:
    """What in the request looks like a credential: where it stands, and its value."""
    found = {
        f"query `{printable(name, 40)}`": value
        for name, value in life.query.items()
        if value not in _NOTHING and (_is_secret(name) or _SECRET_QUERY.search(plain(name)))
    }
    for name in ("Authorization", "Cookie"):
        if value := life.header(name.lower()):
            found[name] = value
    if not found and (token := _JWT.search(life.target)):
        found["a JWT in the target"] = token[0]
    offered = life.header("sec-websocket-protocol")
    if _SECRET.search(plain(offered)) or _JWT.search(offered):
        found["Sec-WebSocket-Protocol"] = offered
    return found


def _is_secret(name: str) -> bool:
    """Whether a parameter's name is one of a secret, or of what goes for one."""
    return _SECRET.search(plain(name)) is not None or meaning(name) is Meaning.HELD


def carried(case: Case) -> dict[str, str]:
    """What the first of these requests carries."""
    return credentials(case.victims[0]) if case.victims else {}


def begun(case: Case) -> list[tuple[Connection, MessageSummary]]:
    """The first messages of the clients, where nearly all begin with what looks like a credential."""
    lives = case.once(opened)
    firsts = [(life, m) for life in lives if (m := life.traffic.client.first) is not None]
    alike = bool(firsts) and len(firsts) >= 0.7 * len(lives) and all(_secret(message) for _, message in firsts)
    return firsts if alike else []


def _secret(message: MessageSummary) -> bool:
    return any(_SECRET.search(plain(name)) for name in (message.shape.kind, *message.shape.keys))


def ages(case: Case) -> list[tuple[Connection, float]]:
    """For how long a token of each request had been expired when it was sent; below 0 if it was not."""
    try:
        begin = datetime.fromisoformat(case.header.started.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return []
    return [(life, begin + life.began - min(times)) for life in case.victims if (times := _expiries(life))]


def _expiries(life: Connection) -> list[float]:
    """When the JWTs in the target and the headers expire, as Unix times."""
    request, found = life.traffic.request, []
    for text in (life.target, *(value for _, value in (request.headers[:64] if request else ()))):
        for token in _JWT.findall(text[:8192]):
            body = token.split(".")[1]
            try:
                found.append(float(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["exp"]))
            except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
                continue
    return [time for time in found if math.isfinite(time)]


@sign(failed)
def request_carries_credential(case: Case) -> Sign | None:
    """The request carries something that looks like a credential."""
    if not (names := list(case.once(carried))):
        return None
    text = f"the request carries what looks like a credential ({', '.join(names[:2])})"
    return Sign(1.0, text, cite_all(case.victims[:3]), Trigger("header", case.victims[0].conn))


@sign(failed)
def same_credential_each_time(case: Case) -> Sign | None:
    """Several requests that ended so carry the same credential."""
    mine = case.once(carried)
    same = bool(mine) and case.count > 1 and all(credentials(life) == mine for life in case.victims)
    return Sign(1.0, "the credential was the same each time", cite_all(case.victims[:3])) if same else None


@sign(failed)
def same_credential_served_first(case: Case) -> Sign | None:
    """The same request with the same credential had been served before."""
    first, mine = case.victims[0], case.once(carried)
    before = [life for life in case.others if life.open_since is not None and life.began < first.began]
    same = [life for life in before if life.target == first.target and credentials(life) == mine]
    return Sign(1.0, "the same credential was accepted at first", cite_all(same)) if mine and same else None


@sign(were_open)
def client_begins_with_a_credential(case: Case) -> Sign | None:
    """Not the request but the client's first message carries something that looks like a credential."""
    firsts = case.once(begun)
    if not firsts or case.once(carried):
        return None
    text = f"the client starts with what looks like a credential ({firsts[0][1].shape.text})"
    return Sign(1.0, text, cite_all((life for life, _ in firsts), "client"))


@sign(failed)
def no_credential(case: Case) -> Sign | None:
    """Neither the request nor the client's first message carries anything that looks like a credential."""
    if case.once(carried) or not case.header.tells("headers"):
        return None
    return None if case.once(begun) else Sign(1.0, "the request carries no visible credential")


@sign(failed)
def token_expired(case: Case) -> Sign | None:
    """A token in the request had expired before it was sent."""
    expired = [(life, age) for life, age in case.once(ages) if age > 0]
    if not expired:
        return None
    text = f"a token in the request had expired {duration(expired[0][1])} before"
    return Sign(1.0, text, cite_all(life for life, _ in expired), Trigger("header", expired[0][0].conn))


@sign(failed)
def token_not_expired(case: Case) -> Sign | None:
    """No token in the requests had expired when they were sent."""
    tokens = case.once(ages)
    valid = bool(tokens) and all(age <= 0 for _, age in tokens)
    return (
        Sign(1.0, "the token in the request had not expired", cite_all(life for life, _ in tokens)) if valid else None
    )


@sign(were_open)
def close_code_of_refused_credentials(case: Case) -> Sign | None:
    """The server closed with a code that is used for refused credentials."""
    if case.mode != "close" or case.closer != "server" or case.code not in CODES:
        return None
    text = f"close code {case.code} is often used for rejected credentials"
    return Sign(1.0 if case.code in PLAIN_CODES else 0.6, text, cite_all(case.victims))
