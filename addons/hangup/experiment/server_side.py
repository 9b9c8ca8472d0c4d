"""The ladder for connections that the server, or something in front of it, ends: what is tried."""

from __future__ import annotations

from collections.abc import Callable

from hangup.experiment.ladder import (
    ACCEPT_CORRECTED,
    BROKEN_PONG,
    CLIENT_KEEPALIVE,
    DEFRAGMENT,
    KEEPALIVE,
    NO_CONTROL_FRAMES,
    NO_EXTENSIONS,
    OWN_ID,
    REPAIR,
    Make,
    Rung,
    control_frames,
    filters_of,
    has_envelope,
    is_json,
    quiet,
    repeated,
    selector,
)
from hangup.experiment.message_values import join, kind_path, split
from hangup.experiment.pacing import slower
from hangup.experiment.trial import Case, ClientFrame, Edit, Trial
from hangup.filters.library.answer_ping import AnswerPing
from hangup.filters.library.inject import Inject
from hangup.filters.library.target import Query
from hangup.messages.heartbeats import recognise
from hangup.messages.keepalives import keepalive_of
from hangup.wire.frames import OPCODE_NUMBERS, TEXT

MOSTLY = 0.5
"""The share of a client's messages of a kind from which on they answer what came right before."""


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


def _held_back(name: str, filters: Callable[[Case], tuple[str, ...]]) -> Make:
    def make(case: Case) -> Trial | None:
        held = filters(case)
        return Trial(name, held) if held else None

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


def _lived(case: Case) -> bool:
    """Whether it was open for long enough for something to be done in that time."""
    return case.lifetime > 0.3 and case.how != "refused"


def _keepalive(name: str, form: str) -> Make:
    def make(case: Case) -> Trial | None:
        every = max(0.05, round(case.lifetime / 4, 2))
        quiet = case.pause is None or case.pause > every  # else it would have nothing to do
        return Trial(name, (form.format(every),)) if _lived(case) and quiet else None

    return make


def _client_keepalive(case: Case) -> Trial | None:
    """The client's own heartbeat, or its protocol's, or else something that did no harm, more often than it says it
    itself; of a client that says nothing, a heartbeat in the form of what the server says."""
    suspect = case.suspect
    if case.lifetime <= 0.3:
        return None
    every = max(0.1, round(case.lifetime / 4, 2))
    usual = keepalive_of(frame.own_kind.protocol for frame in case.frames)
    protocols = [ClientFrame(0, *usual, 0.0)] if usual is not None else []
    for frame in [*reversed(case.beats), *protocols, *reversed(case.frames)]:
        harmless = suspect is None or selector(frame) != selector(suspect)
        if harmless and (again := repeated(frame, every)) is not None:
            return Trial(CLIENT_KEEPALIVE, (again,))
    if case.frames:
        return None
    return Trial(CLIENT_KEEPALIVE, (str(Inject(from_="client", send=_heartbeat_like(case), every=every)),))


def _heartbeat_like(case: Case) -> bytes:
    """A heartbeat as the server's own messages are written: of the kind ``ping``, with nothing else in it."""
    for frame in case.asked:
        head, value = split(frame.payload)
        path = kind_path(frame.kind, frame.payload)
        if frame.text and isinstance(value, dict) and len(path) == 1:
            empty = {key: type(each)() for key, each in value.items() if isinstance(each, dict | list)}
            return join(head, {**empty, path[0]: "ping"})
    return b'{"type":"ping"}'


def _answered(case: Case) -> Trial | None:
    """In the client's own form, where it has answered any: what the server waits for cannot be guessed."""
    if not case.server_beats:
        return None
    asked = {f.kind for f in case.asked if recognise(OPCODE_NUMBERS.get(f.opcode, TEXT), f.payload) is not None}
    learned = [reply for reply in case.replies if reply.question in asked and reply.direct > MOSTLY]
    templates = [each.template for each in case.answers]
    templates += [reply.template for reply in sorted(learned, key=lambda reply: -reply.direct)]
    own = next(iter(templates), None)
    form = AnswerPing(side="server", level="message", with_=own)
    return Trial("answer-server-heartbeats", (str(form),))


def _opening(case: Case) -> Trial | None:
    if case.opening is None:
        return None
    return Trial("opening", (str(Inject(from_="client", send=case.opening, at=0.0)),))


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


def auth(case: Case) -> float:
    """How likely it is that the handshake's credential is refused."""
    if case.how != "refused":
        return 0.1
    if case.status in (401, 403):
        return 1.0
    return 0.3 if case.credentials or any(factor.part == "credential" for factor in case.factors) else 0.0


def expired(case: Case) -> float:
    """How likely it is that the credential has expired."""
    if case.how == "refused":
        return 0.0
    return 3.0 if case.code in (1008, 3000, 3003, 4001, 4003, 4401, 4403) and case.lifetime < 1 else 0.02


def _renamed_credential(case: Case) -> Trial | None:
    """Under all of these names at once; which of them it was is found out later."""
    found = next((c.parameter for c in case.credentials if c.parameter), "")
    if not found or max(auth(case), expired(case)) < 1:
        return None
    taken = {c.parameter for c in case.credentials}
    names = [name for name in CREDENTIAL_NAMES if name not in taken]
    return Trial("credential-renamed", tuple(str(Query(name=name, from_=found)) for name in names))


RUNGS: tuple[Rung, ...] = (
    Rung("silence", "everything from the client blocked", _held_back("silence", quiet)),
    Rung(
        NO_CONTROL_FRAMES,
        "the client's own pings and pongs blocked",
        _held_back(NO_CONTROL_FRAMES, control_frames),
    ),
    Rung(
        "no-heartbeats",
        "client heartbeats blocked",
        filters_of("no-heartbeats", "drop-heartbeat side=client", when=lambda c: bool(c.beats)),
    ),
    Rung(
        "suspect-dropped", "messages like the last one blocked", _of_suspect("suspect-dropped", "drop side=client {}")
    ),
    Rung("suspect-only", "only the last message", _suspect_only, live=False),
    Rung("first-only", "only the first message", _first_only, live=False),
    Rung("benign-instead", "a harmless message instead of the last one", _benign, live=False),
    Rung(
        "as-json",
        "the last message as JSON",
        _of_suspect("as-json", 'rewrite side=client {} to={{"type":"ping"}}', lambda c, f: f.text and not is_json(f)),
    ),
    Rung(
        "flipped",
        "text and binary swapped",
        _of_suspect("flipped", "flip-opcode side=client {}", _unframed),
    ),
    Rung(
        "no-large",
        "large messages blocked",
        lambda c: (
            Trial("no-large", (f"drop side=client size={len(c.suspect.payload) // 2}..",))
            if c.suspect and large(c, c.suspect)
            else None
        ),
    ),
    Rung("slower", "the same messages, several times slower", slower, live=False),
    Rung(
        "repaired",
        "malformed messages repaired",
        filters_of("repaired", REPAIR, when=lambda c: bool(c.malformed) or any(f.problems for f in c.frames)),
    ),
    Rung(
        "one-frame",
        "fragmented messages joined",
        filters_of("one-frame", DEFRAGMENT, when=lambda c: any(f.fragments > 1 for f in c.frames)),
    ),
    Rung(
        "answer-server-heartbeats",
        "server heartbeats answered for the client",
        _answered,
    ),
    Rung(
        "answer-control-pings",
        "server ping frames answered by the proxy",
        filters_of("answer-control-pings", "answer-ping side=server level=control", when=lambda c: c.server_pings > 0),
    ),
    BROKEN_PONG,
    Rung(
        KEEPALIVE,
        "a ping frame whenever it is quiet",
        _keepalive(KEEPALIVE, "keepalive every={}s"),
    ),
    Rung("opening", "the protocol's opening message sent for the client", _opening),
    Rung(CLIENT_KEEPALIVE, "a further client message now and then", _client_keepalive),
    Rung(
        "no-extensions",
        "compression off",
        filters_of("no-extensions", *NO_EXTENSIONS, when=lambda c: "extensions" in c.features),
    ),
    ACCEPT_CORRECTED,
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
    Rung("credential-renamed", "the credential under other common names", _renamed_credential),
    Rung(
        "other-path",
        "the path without its doubled part",
        lambda c: (
            Trial("other-path", (f"path replace={c.doubled} with={c.doubled[: len(c.doubled) // 2]}",))
            if c.doubled
            else None
        ),
    ),
    Rung(
        OWN_ID,
        "its own id for each connection",
        lambda c: Trial(OWN_ID, ("unique-id",), clients=2) if c.overlaps else None,
    ),
)
