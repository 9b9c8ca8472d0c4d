"""The ladder for connections that the server, or something in front of it, ends: what is tried, and what each
explanation predicts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from hangup.experiment.handshakes import PARAMETER
from hangup.experiment.ladder import (
    BROKEN_PONG,
    CLIENT_KEEPALIVE,
    Explanation,
    Make,
    Rung,
    broken,
    explain,
    filters_of,
    has_envelope,
    is_json,
    selector,
)
from hangup.experiment.trial import Case, ClientFrame, Edit, Trial
from hangup.filters.library.inject import Inject
from hangup.filters.library.target import Query

LATE = 0.5
"""Seconds from a message to the end, from which on something was waited for in between."""


def benign(case: Case, suspect: ClientFrame) -> ClientFrame | None:
    """An earlier message of another kind that did no harm."""
    kind = selector(suspect)
    for frame in reversed(case.frames):
        if frame.n < suspect.n and not frame.problems and selector(frame) != kind:
            return frame
    return None


def large(case: Case, suspect: ClientFrame) -> bool:
    """Whether the suspect is by far the largest message."""
    others = [len(f.payload) for f in case.frames if selector(f) != selector(suspect)]
    return len(suspect.payload) > 1024 and len(suspect.payload) > 4 * max(others, default=0)


# The rungs.


def _of_suspect(name: str, form: str, when: Callable[[Case, ClientFrame], bool] = lambda c, f: True) -> Make:
    """A filter on messages of the suspect's kind; ``{}`` stands for the settings that select them."""

    def make(case: Case) -> Trial | None:
        suspect = case.suspect
        if suspect is None or not when(case, suspect):
            return None
        return Trial(name, (form.format(selector(suspect)),))

    return make


def _unframed(case: Case, suspect: ClientFrame) -> bool:
    """Within a protocol's envelope another opcode says nothing of the application."""
    return not has_envelope(suspect)


def _suspect_only(case: Case) -> Trial | None:
    suspect = case.suspect
    return Trial("suspect-only", frames=(suspect.n,)) if suspect and len(case.frames) > 1 else None


def _first_only(case: Case) -> Trial | None:
    suspect = case.suspect
    if suspect is None or not case.frames or selector(case.frames[0]) == selector(suspect):
        return None
    return Trial("first-only", frames=(case.frames[0].n,))


def _benign(case: Case) -> Trial | None:
    suspect = case.suspect
    other = benign(case, suspect) if suspect else None
    if suspect is None or other is None:
        return None
    return Trial("benign-instead", edits=((suspect.n, Edit(other.payload, other.opcode)),))


def _keepalive(name: str, form: str) -> Make:
    def make(case: Case) -> Trial | None:
        every = max(0.05, round(case.lifetime / 4, 2))
        quiet = case.pause is None or case.pause > every  # else it would have nothing to do
        return Trial(name, (form.format(every),)) if case.lifetime > 0.3 and quiet else None

    return make


def _client_keepalive(case: Case) -> Trial | None:
    """The client's own heartbeat, or else something that did no harm, more often than it says it itself."""
    suspect = case.suspect
    for frame in [*reversed(case.beats), *reversed(case.frames)]:
        harmless = suspect is None or selector(frame) != selector(suspect)
        if harmless and frame.text and not frame.problems and len(frame.payload) < 4096 and case.lifetime > 0.3:
            every = max(0.1, round(case.lifetime / 4, 2))
            return Trial(CLIENT_KEEPALIVE, (str(Inject(from_="client", send=frame.payload, every=every)),))
    return None


GRAPHQL = {"graphql-ws": "graphql-transport-ws", "graphql-transport-ws": "graphql-ws"}
"""The names by which two libraries that do not understand one another go: each is one's name and the other's repository
(enisdenjo/graphql-ws#3)."""


def other_subprotocol(case: Case) -> Trial | None:
    """What the other of the two libraries would ask for."""
    other = [GRAPHQL[name] for name in case.subprotocols if name in GRAPHQL]
    return Trial("other-subprotocol", (f"subprotocol {other[0]}",)) if len(other) == 1 else None


CREDENTIAL_NAMES = (
    "access_token",
    "token",
    "auth_token",
    "jwt",
    "id_token",
    "auth",
    "api_key",
    "apikey",
    "key",
    "session",
    "ticket",
    "authorization",
    "accessToken",
    "authToken",
)
"""What a credential in a query may be called."""


def _renamed_credential(case: Case) -> Trial | None:
    """Under all of these names at once; which of them it was is found out later."""
    found = next((c.parameter for c in case.credentials if c.parameter), "")
    if not found or max(_auth(case), _expired(case)) < 1:
        return None
    taken = {c.parameter for c in case.credentials}
    names = [name for name in CREDENTIAL_NAMES if name not in taken]
    return Trial("credential-renamed", tuple(str(Query(name=name, from_=found)) for name in names))


RUNGS: tuple[Rung, ...] = (
    Rung(
        "silence", "the client says nothing", filters_of("silence", "drop side=client", when=lambda c: bool(c.frames))
    ),
    Rung(
        "no-heartbeats",
        "all but the client's heartbeats",
        filters_of("no-heartbeats", "drop-heartbeat side=client", when=lambda c: bool(c.beats)),
    ),
    Rung(
        "suspect-dropped", "all but messages like the last one", _of_suspect("suspect-dropped", "drop side=client {}")
    ),
    Rung("suspect-only", "only the last message", _suspect_only, live=False),
    Rung("first-only", "only the first message", _first_only, live=False),
    Rung("benign-instead", "a harmless message in the place of the last one", _benign, live=False),
    Rung(
        "as-json",
        "the last message as JSON",
        _of_suspect("as-json", 'rewrite side=client {} to={{"type":"ping"}}', lambda c, f: f.text and not is_json(f)),
    ),
    Rung(
        "flipped",
        "text as binary and binary as text",
        _of_suspect("flipped", "flip-opcode side=client {}", _unframed),
    ),
    Rung(
        "no-large",
        "nothing large",
        lambda c: (
            Trial("no-large", (f"drop side=client size={len(c.suspect.payload) // 2}..",))
            if c.suspect and large(c, c.suspect)
            else None
        ),
    ),
    Rung(
        "repaired",
        "malformed messages repaired",
        filters_of("repaired", "repair-malformed side=client", when=lambda c: any(f.problems for f in c.frames)),
    ),
    Rung(
        "answer-server-heartbeats",
        "the server's heartbeats are answered for the client",
        filters_of(
            "answer-server-heartbeats", "answer-ping side=server level=message", when=lambda c: c.server_beats > 0
        ),
    ),
    Rung(
        "answer-control-pings",
        "the server's control pings are answered by the proxy",
        filters_of("answer-control-pings", "answer-ping side=server level=control", when=lambda c: c.server_pings > 0),
    ),
    Rung(BROKEN_PONG, "the client sends a pong that breaks the rules", broken("pong", lambda c: c.server_pings > 0)),
    Rung(
        "control-keepalive",
        "a control ping whenever it is quiet",
        _keepalive("control-keepalive", "keepalive every={}s"),
    ),
    Rung(CLIENT_KEEPALIVE, "a message of the client whenever it is quiet", _client_keepalive),
    Rung(
        "no-extensions",
        "no compression",
        filters_of("no-extensions", "strip-extensions", when=lambda c: "extensions" in c.features),
    ),
    Rung("other-subprotocol", "the other GraphQL subprotocol", other_subprotocol),
    Rung(
        "no-subprotocol",
        "no subprotocol",
        filters_of("no-subprotocol", "strip-header Sec-WebSocket-Protocol", when=lambda c: "subprotocol" in c.features),
    ),
    Rung(
        "no-origin", "no Origin", filters_of("no-origin", "strip-header Origin", when=lambda c: "origin" in c.features)
    ),
    Rung(
        "no-cookie", "no cookies", filters_of("no-cookie", "strip-header Cookie", when=lambda c: "cookie" in c.features)
    ),
    Rung("credential-renamed", "the credential under other usual names", _renamed_credential),
    Rung(
        "other-path",
        "another path that may be meant",
        lambda c: (
            Trial("other-path", (f"path replace={c.doubled} with={c.doubled[: len(c.doubled) // 2]}",))
            if c.doubled
            else None
        ),
    ),
    Rung(
        "unique-id",
        "an id of its own for each connection",
        lambda c: Trial("unique-id", ("unique-id",), clients=2) if c.overlaps else None,
    ),
)


# The explanations.

_FRAME = "silence suspect-dropped first-only benign-instead as-many"


def _suspect(test: Callable[[Case, ClientFrame], float]) -> Callable[[Case], float]:
    return lambda case: test(case, case.suspect) if case.suspect is not None else 0.0


def _form(test: Callable[[Case, ClientFrame], float]) -> Callable[[Case], float]:
    """The form of a message is at fault: hardly, if one of the same form had done no harm before."""

    def prior(case: Case, frame: ClientFrame) -> float:
        before = frame.at - 3 * max(case.reaction or 0.0, 0.05)
        harmless = any(other.at < before and same_form(other, frame) for other in case.frames)
        return test(case, frame) * (0.05 if harmless else 1.0) * (0.3 if _late(case) else 1.0)

    return _suspect(prior)


def _limits(case: Case) -> bool:
    """Whether the server says that something was too much."""
    return bool(re.search(r"\brate|limit|too (many|fast|much)|throttl|quota|flood|slow down", case.reason, re.I))


def _late(case: Case) -> bool:
    """Whether the message that is enough ends the connection only after some time."""
    return case.culprit is not None and (case.reaction or 0.0) >= LATE


def same_form(one: ClientFrame, other: ClientFrame) -> bool:
    """Whether two messages are of the same kind, with the same fields of the same types, or say the very same."""
    if one.opcode != other.opcode or one.problems != other.problems:
        return False
    if one.payload == other.payload:
        return True
    if not (one.text and is_json(one) and is_json(other)) or selector(one) != selector(other):
        return False
    return form(json.loads(one.payload)) == form(json.loads(other.payload))


def form(value: object, depth: int = 8) -> object:
    """The fields of a JSON value and their types, so many levels deep."""
    if depth and isinstance(value, dict):
        return {key: form(each, depth - 1) for key, each in value.items()}
    if depth and isinstance(value, list):
        return [form(each, depth - 1) for each in value]
    return type(value).__name__


def _well_formed(case: Case, frame: ClientFrame) -> float:
    """How likely a message's content is at fault that is sound as JSON; of the very first message, less."""
    if not is_json(frame):
        return 0.05
    return 0.5 if frame is case.frames[0] else 1.5


def _timed(weight: float) -> Callable[[Case], float]:
    return lambda case: weight if case.lifetime > 0.3 and case.how != "refused" else 0.02 * weight


def _quick(case: Case) -> float:
    # Who returns says nothing, or what the library says of it; a code of its own has a reason.
    chosen = case.code is not None and case.code not in (1000, 1005, 1006, 1011)
    return (1.0 if case.lifetime <= 0.3 and case.how != "refused" else 0.05) * (0.1 if chosen else 1.0)


def _auth(case: Case) -> float:
    return (1.0 if case.status in (401, 403) else 0.0) if case.how == "refused" else 0.1


def _expired(case: Case) -> float:
    if case.how == "refused":
        return 0.0
    return 3.0 if case.code in (1008, 3000, 3003, 4001, 4003, 4401, 4403) and case.lifetime < 1 else 0.02


EXPLANATIONS: tuple[Explanation, ...] = (
    explain("server-handler/returns-immediately", "none", prior=_quick),
    explain(
        "server-handler/returns-after-message",
        "count",
        "silence",
        "suspect-dropped no-heartbeats flipped",
        _suspect(
            lambda c, f: (3.0 if f is c.frames[0] else 0.3) * (2.0 if c.replied else 1.0) * (0.05 if c.passed else 1.0)
        ),
    ),
    explain(
        "process/message-count-limit",
        "count",
        "silence suspect-only first-only",
        "suspect-dropped no-heartbeats no-large",
        _suspect(lambda c, f: 0.3 if len(c.frames) > 2 else 0.0),
    ),
    explain(
        "handshake/limit",
        "count",
        "silence suspect-only first-only",
        "suspect-dropped no-heartbeats no-large",
        _suspect(lambda c, f: 0.25 if len(c.frames) > 2 and _limits(c) else 0.0),
    ),
    explain(
        "heartbeat/app-ping-kills",
        "frame",
        f"{_FRAME} no-heartbeats",
        "as-json",
        _form(lambda c, f: (3.0 if not is_json(f) else 0.25) if f.beat is not None else 0.01),
    ),
    explain(
        "message/not-json",
        "frame",
        f"{_FRAME} as-json",
        "flipped",
        _form(lambda c, f: 0.0 if is_json(f) or not f.text else (1.0 if f.beat is None else 0.8)),
    ),
    explain("message/schema", "frame", _FRAME, "flipped", _form(_well_formed)),
    explain("message/unknown-type", "frame", _FRAME, "flipped", _form(lambda c, f: 0.4 if is_json(f) else 0.05)),
    explain("server-handler/crash-on-message", "frame", _FRAME, "flipped", _suspect(lambda c, f: 0.3)),
    explain(
        "server-handler/dependency-timeout", "frame", _FRAME, "flipped", _suspect(lambda c, f: 1.5 if _late(c) else 0.0)
    ),
    explain("message/wrong-opcode", "frame", f"{_FRAME} flipped", "", _form(lambda c, f: 0.4 if f.text else 2.0)),
    explain(
        "message/oversize",
        "frame",
        f"{_FRAME} no-large",
        "flipped",
        _suspect(lambda c, f: 5.0 if c.code == 1009 else (1.0 if large(c, f) else 0.0)),
    ),
    explain(
        "message/invalid-utf8",
        "frame",
        f"{_FRAME} repaired flipped",
        "",
        _suspect(lambda c, f: 4.0 if "invalid-utf8" in f.problems or c.code == 1007 else 0.0),
    ),
    explain(
        "message/framing",
        "frame",
        f"{_FRAME} repaired",
        "flipped",
        _suspect(lambda c, f: 4.0 if set(f.problems) - {"invalid-utf8"} or c.code == 1002 else 0.0),
    ),
    explain(
        "message/encoding",
        "frame",
        f"{_FRAME} repaired",
        "flipped",
        _suspect(lambda c, f: 4.0 if f.payload.startswith(b"\xef\xbb\xbf") else 0.0),
    ),
    explain(
        "heartbeat/app-pong-missing-from-client",
        "time",
        "answer-server-heartbeats",
        "control-keepalive client-keepalive",  # any word of the client may do, or only the right one
        lambda c: _timed(1.5 if c.server_beats else 0.3)(c),
        cures=CLIENT_KEEPALIVE,
    ),
    explain(
        "heartbeat/control-pong-missing",
        "time",
        "answer-control-pings",
        "answer-control-pings control-keepalive broken-pong",  # pongs may get lost beyond us
        lambda c: 4.0 if "ping timeout" in c.reason else (_timed(0.7)(c) if c.server_pings else 0.02),
    ),
    explain(
        "intermediary/idle-timeout",
        "time",
        "control-keepalive",
        "answer-server-heartbeats answer-control-pings client-keepalive",
        # Where the server pings there is no idleness, unless it is one direction that is watched.
        lambda c: (0.3 if c.server_pings else 1.0) * (_timed(1.0)(c) if c.how == "abrupt" else 0.1),
    ),
    explain(
        "message/init-missing",
        "time",
        "",
        "control-keepalive client-keepalive",
        lambda c: 3.0 if c.code == 4408 else (_timed(0.3)(c) if not c.frames else 0.05),
    ),
    explain("process/worker-timeout", "time", prior=_timed(0.2)),
    explain("intermediary/lifetime-cap", "time", prior=_timed(0.1)),
    explain("server-handler/crash-on-own-event", "peer", prior=_timed(0.2)),
    explain("identity/token-expired-retry", "header", "", "no-cookie", _expired),
    explain("handshake/auth-rejected", "header", "credential-renamed", "no-cookie", _auth),
    explain(PARAMETER, "header", prior=lambda c: 1.0 if any(PARAMETER in d.verdicts for d in c.donated) else 0.0),
    explain("handshake/origin", "header", "no-origin", "", lambda c: 0.5 if "origin" in c.features else 0.0),
    explain(
        "handshake/extension",
        "header",
        "no-extensions",
        f"{_FRAME} flipped no-heartbeats",
        lambda c: 0.5 if "extensions" in c.features else 0.0,
    ),
    explain(
        "handshake/subprotocol",
        "header",
        "other-subprotocol",
        "no-subprotocol",
        lambda c: 0.5 if "subprotocol" in c.features else 0.0,
    ),
    explain(
        "handshake/path",
        "header",
        "other-path",
        prior=lambda c: 1.0 if c.how == "refused" and c.status in (403, 404) else 0.0,
    ),
    explain("identity/id-collision", "peer", "unique-id", "", lambda c: 4.0 if c.overlaps else 0.0),
)
