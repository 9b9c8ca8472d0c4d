"""How likely each cause is before any trial, given the exchange alone; and the explanations that are tried."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec.structs import replace

from hangup.diagnosis import causes
from hangup.experiment.handshakes import PARAMETER
from hangup.experiment.ladder import (
    IN_MESSAGE,
    SOMETHING_SAID,
    UNKNOWN,
    Explanation,
    control_frames,
    is_json,
    selector,
)
from hangup.experiment.message_values import MISSING, split
from hangup.experiment.pacing import slower
from hangup.experiment.server_side import auth, expired, large
from hangup.experiment.size_law import LARGE
from hangup.experiment.trial import Case, ClientFrame

Prior = Callable[[Case], float]

SOON = 1.5
"""Seconds after opening, in which a message may come before its time."""

LATE = 0.5
"""Seconds from a message to the end, from which on something was waited for in between."""


def _suspect(test: Callable[[Case, ClientFrame], float]) -> Callable[[Case], float]:
    return lambda case: test(case, case.suspect) if case.suspect is not None else 0.0


def _before(case: Case, frame: ClientFrame) -> list[ClientFrame]:
    """The messages that had done no harm when this one came."""
    before = frame.at - 3 * max(case.reaction or 0.0, 0.05)
    return [other for other in case.frames if other.at < before]


def _json_expected(case: Case, frame: ClientFrame) -> float:
    """How likely it is that the server reads JSON and nothing else: hardly, where it got over other text before, or
    sends other text itself."""
    theirs = (f.payload for f in (*_before(case, frame), *case.asked) if f.opcode == "text")
    elsewhere = (payload for payloads in case.harmless.values() for payload in payloads)
    others = [payload for payload in (*theirs, *elsewhere) if payload != frame.payload]
    return 0.03 if any(split(other)[1] is MISSING for other in others) else 1.0


def _opcode_is_harmless(case: Case, frame: ClientFrame) -> bool:
    """Whether other messages with its opcode did no harm."""
    return any(other.opcode == frame.opcode and not other.problems for other in _before(case, frame))


def _form(test: Callable[[Case, ClientFrame], float]) -> Callable[[Case], float]:
    """The form of a message is at fault: hardly, if one of the same form had done no harm before."""

    def prior(case: Case, frame: ClientFrame) -> float:
        harmless = any(same_form(other, frame) for other in _before(case, frame))
        return test(case, frame) * (0.05 if harmless else 1.0) * (0.3 if _late(case) else 1.0)

    return _suspect(prior)


def _limits(case: Case) -> bool:
    """Whether the server says that something was too much."""
    return bool(re.search(r"\brate|limit|too (many|fast|much)|throttl|quota|flood|slow down", case.reason, re.I))


def _too_fast(case: Case) -> float:
    """How likely it is that messages came too fast."""
    return (2.0 if _limits(case) else 0.3) if slower(case) is not None else 0.0


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
    return form(split(one.payload)[1]) == form(split(other.payload)[1])


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
    quick = case.lifetime <= 0.3 and case.how != "refused"
    # What is no frame was not written by a handler: it never came to one.
    return (1.0 if quick else 0.05) * (0.1 if chosen else 1.0) * (0.02 if case.junk else 1.0)


def _answer(test: Callable[[Case, ClientFrame], float]) -> Callable[[Case], float]:
    return lambda case: test(case, case.answer) if case.answer is not None else 0.0


def _close_to_answer(case: Case) -> bool:
    return case.answer_reaction is not None and case.answer_reaction <= max(0.1, 0.1 * case.lifetime)


def _own_words(case: Case) -> float:
    """What a library finds wrong with a frame it says with these codes, of itself: an application hardly does."""
    return 0.1 if case.code in (1002, 1007, 1009) else 1.0


def _too_large(case: Case, answer: ClientFrame) -> float:
    return 6.0 if case.code == 1009 else (0.3 if len(answer.payload) >= LARGE and case.code != 1000 else 0.0)


def _odd_frames(case: Case) -> bool:
    """Whether a frame of the client breaks the rules, or the suspected message is in several."""
    suspect = case.suspect
    odd = suspect is not None and (suspect.fragments > 1 or set(suspect.problems) - {"invalid-utf8"})
    return bool(odd or case.malformed)


def _framing(case: Case) -> float:
    """Where all frames of the client are sound and whole, the code for a protocol error is hardly about one of them;
    still less where none came before the end."""
    if _odd_frames(case):
        return 4.0
    soon = case.suspect is not None and (case.reaction or 0.0) < LATE
    return (1.0 if soon else 0.1) if case.code == 1002 else 0.0


def _throws(case: Case, answer: ClientFrame) -> float:
    weight = (2.0 if _close_to_answer(case) else 0.1) * _own_words(case)
    return weight * (2.0 if answer.text and not is_json(answer) else 0.3)


def _churns(case: Case, answer: ClientFrame) -> float:
    weight = (1.5 if _close_to_answer(case) else 0.2) * _own_words(case)
    return weight * (0.3 if answer.text and not is_json(answer) else 1.0)


CONNECT_DEADLINE = "client-lifecycle/connect-deadline"

HANDSHAKE = ("handshake", "identity", "unknown")
"""Categories of what can keep a connection from being opened."""


UNNAMED = 0.01
"""How likely it is that something about a message is at fault for which there is no name."""

LONG_AGO = 0.05
"""The same, where the end did not follow the last message closely: no named cause is about a message then, though what
one begins may take its time."""

WITHOUT_IT = frozenset({"silence", "suspect-dropped", "first-only", "benign-instead", "as-many"})
PERHAPS = frozenset({"flipped", "as-json", "repaired", "one-frame", "no-large", "no-heartbeats"})
"""What takes such a message away, and what may change that about it."""


def _able(cause: causes.Cause | None, prior: Prior) -> Prior:
    """Of a connection that was never opened, neither time nor messages can be the cause; and of one whose request was
    accepted before, nothing that refuses it always."""
    if cause is None:
        return lambda case: 0.0 if case.how == "refused" else prior(case)
    if cause.needs == "never-served":
        return lambda case: 0.0 if case.served_as else prior(case)
    if cause.verdict.partition("/")[0] in HANDSHAKE or _refuses(cause) or cause.verdict == CONNECT_DEADLINE:
        return prior
    return lambda case: 0.0 if case.how == "refused" else prior(case)


def _refuses(cause: causes.Cause) -> bool:
    """Whether it keeps connections from being opened, whatever a client may change in its handshake."""
    return cause.replay is None and cause.trigger == "header" and "server" in cause.closers


def _refused(case: Case) -> float:
    return 1.0 if case.how == "refused" else 0.0


WHATEVER = causes.Prediction("none")
"""What is predicted by a cause on which no change of the exchange has any effect."""


def _factor(*parts: str) -> Callable[[Case], bool]:
    """Whether the handshake has a part of one of these kinds that can be changed."""
    return lambda case: any(factor.part in parts for factor in case.factors)


def _parameter(case: Case) -> float:
    if any(PARAMETER in d.verdicts for d in case.donated):
        return 1.0
    if case.how != "refused":
        return 0.05 if _factor("query", "cookie")(case) else 0.0
    return 0.5 if _factor("query", "cookie", "header")(case) else 0.0


def _headers(case: Case) -> float:
    """How likely it is that the headers are too large."""
    if case.how != "refused":
        return 0.0
    if not _factor("size")(case):
        return 0.05 if case.status in (400, 413, 414, 431, 494) else 0.0
    return 3.0 if case.status in (413, 431, 494) else 0.5


def _wrong_accept(case: Case) -> float:
    return 4.0 if "accept-key" in case.failed_checks else 0.0


def _subprotocol(case: Case) -> float:
    """One that is not offered is missed where the server says so, or wanted nothing to do with the client at all."""
    if "subprotocol" in case.features:
        return 0.5
    if case.code == 4406 or "subprotocol" in case.reason.lower():
        return 2.0
    return 0.3 if case.how == "refused" or _at_once(case) else 0.0


def _at_once(case: Case) -> bool:
    return not case.frames and case.lifetime <= 0.3


def _pong_awaited(case: Case) -> float:
    """Whether the server may have ended it for want of a pong, or of the right one, which the recording tells apart."""
    if "ping timeout" in case.reason:
        return 4.0
    return _timed(0.7)(case) if case.server_pings else 0.02


PRIORS: dict[str, Prior] = {
    "server-handler/returns-immediately": _quick,
    "server-handler/returns-after-message": _suspect(
        lambda c, f: (3.0 if f is c.frames[0] else 0.3) * (2.0 if c.replied else 1.0) * (0.05 if c.passed else 1.0)
    ),
    "process/message-count-limit": _suspect(lambda c, f: 0.3 * _own_words(c) if len(c.frames) > 2 else 0.0),
    "process/message-rate-limit": _too_fast,
    "handshake/limit": _suspect(lambda c, f: 0.25 if len(c.frames) > 2 and _limits(c) else 0.0),
    "heartbeat/app-ping-kills": _form(
        lambda c, f: (0.25 + 2.75 * _json_expected(c, f) if not is_json(f) else 0.25) if f.beat is not None else 0.01
    ),
    "message/not-json": _form(
        lambda c, f: 0.0 if is_json(f) or not f.text else _json_expected(c, f) * (1.0 if f.beat is None else 0.8)
    ),
    "message/schema": _form(_well_formed),
    "message/unknown-type": _form(lambda c, f: 0.4 if is_json(f) else 0.05),
    "message/order-before-hello": _suspect(lambda c, f: 0.03 if f.at < SOON else 0.0),
    "server-handler/crash-on-message": _suspect(lambda c, f: 0.3),
    "server-handler/dependency-timeout": _suspect(lambda c, f: 1.5 if _late(c) else 0.0),
    "message/wrong-opcode": _form(lambda c, f: (0.4 if f.text else 2.0) * (0.05 if _opcode_is_harmless(c, f) else 1)),
    "message/oversize": _suspect(lambda c, f: 5.0 if c.code == 1009 else (1.0 if large(c, f) else 0.0)),
    "message/invalid-utf8": _suspect(lambda c, f: 4.0 if "invalid-utf8" in f.problems or c.code == 1007 else 0.0),
    "message/framing": _framing,
    "message/encoding": _suspect(lambda c, f: 4.0 if f.payload.startswith(b"\xef\xbb\xbf") else 0.0),
    "heartbeat/app-pong-missing-from-client": lambda c: _timed(1.5 if c.server_beats else 0.3)(c),
    "heartbeat/control-pong-missing": _pong_awaited,
    "heartbeat/pong-mismatch": lambda c: _pong_awaited(c) if c.wrong_pongs else 0.0,
    "heartbeat/control-ping-kills": lambda c: 1.0 if control_frames(c) else 0.0,
    "intermediary/idle-timeout": lambda c: (
        (0.3 if c.server_pings else 1.0) * (_timed(1.0)(c) if c.how == "abrupt" else 0.1)
    ),
    "message/init-missing": lambda c: 3.0 if c.code == 4408 else (_timed(0.3)(c) if not c.frames else 0.05),
    "process/worker-timeout": _timed(0.2),
    "intermediary/lifetime-cap": _timed(0.1),
    "server-handler/crash-on-own-event": _timed(0.2),
    "identity/token-expired-retry": expired,
    "handshake/auth-rejected": auth,
    PARAMETER: _parameter,
    "handshake/header-size": _headers,
    "handshake/origin": lambda c: 0.5 if "origin" in c.features else 0.0,
    "handshake/extension": lambda c: 0.5 if "extensions" in c.features else 0.0,
    "handshake/subprotocol": _subprotocol,
    "handshake/path": lambda c: (1.0 if c.status in (403, 404) else 0.2) if c.how == "refused" else 0.0,
    "handshake/accept-key": _wrong_accept,
    "identity/id-collision": lambda c: 4.0 if c.overlaps else 0.0,
    UNKNOWN: lambda c: 0.3 if c.how == "refused" else 0.02,
}
"""Where the client is played against the server. A cause that is not here depends on what the recording alone says."""

CLIENT_PRIORS: dict[str, Prior] = {
    "client-lifecycle/throws-on-frame": _answer(_throws),
    "client-lifecycle/effect-churn": _answer(_churns),
    "client-lifecycle/done": _answer(lambda c, f: (0.5 if c.code == 1000 else 0.0) if _close_to_answer(c) else 0.0),
    "message/oversize": _answer(_too_large),
    "message/invalid-utf8": lambda c: 4.0 if c.code == 1007 else 0.0,
    "message/framing": lambda c: 4.0 if c.code == 1002 else 0.0,
    "intermediary/frame-corruption": lambda c: 0.5 if c.code in (1002, 1007) else 0.0,
    "heartbeat/app-pong-missing-from-server": lambda c: (1.0 if c.beats else 0.0) * (0.2 if c.replied else 1.0),
    "heartbeat/pong-mismatch": lambda c: (
        (0.4 if c.beats and c.answer is not None else 0.0) * (1.0 if c.replied else 0.3)
    ),
    "heartbeat/control-pong-missing": lambda c: 1.0 if c.client_pings else 0.0,
    CONNECT_DEADLINE: lambda c: 1.0 if not c.server_frames and (c.lifetime > 0.3 or c.how == "refused") else 0.0,
    "handshake/subprotocol": lambda c: 2.0 if "subprotocol" in c.features and not c.echoed else 0.0,
    "handshake/extension": lambda c: 0.1 if "extensions" in c.features else 0.0,
    "handshake/accept-key": _wrong_accept,
    "client-lifecycle/stale-close-handler": lambda c: 0.15 if c.overlaps else 0.02,
    UNKNOWN: lambda c: 0.02 if c.overlaps else 0.15,
}
"""Where the client closes."""


def _said_in_message(case: Case) -> float:
    """How likely it is that a credential is said in a message, and refused there."""
    if case.suspect is None:
        return 0.0
    return 0.5 if case.says_secret else UNNAMED / 2  # as it may be refused, or have expired


def _unnamed(case: Case) -> float:
    if case.suspect is not None:
        return UNNAMED
    return LONG_AGO if case.frames else 0.0


def _explanation(verdict: str, predicts: causes.Prediction, prior: Prior) -> Explanation:
    survives, unsure, cures = map(frozenset, (predicts.survives, predicts.unsure, predicts.cures))
    return Explanation(verdict, predicts.trigger, survives, unsure, prior, cures)


def explanations(by: str) -> tuple[Explanation, ...]:
    """What may explain an end by ``by``: all causes that predict something of a trial, those that refuse a handshake
    whatever it says, and the unknown, which nothing on the wire takes away."""
    priors = CLIENT_PRIORS if by == "client" else PRIORS
    found = []
    for verdict, cause in causes.known().items():
        predicts = cause.page if by == "client" else cause.replay
        usual: Prior = lambda case: 1.0  # noqa: E731
        if predicts is None and by != "client" and _refuses(cause):
            predicts, usual = WHATEVER, _refused
        if predicts is not None:
            found.append(_explanation(verdict, predicts, _able(cause, priors.get(verdict, usual))))
        if cause.in_message is not None and by != "client":
            said = _explanation(IN_MESSAGE.format(verdict), cause.in_message, _able(None, _said_in_message))
            found.append(replace(said, of=verdict))
    if UNKNOWN in priors:
        found.append(Explanation(UNKNOWN, "none", frozenset(), frozenset(), priors[UNKNOWN]))
    if by != "client":
        unnamed = _able(None, _unnamed)
        found.append(Explanation(SOMETHING_SAID, "frame", WITHOUT_IT, PERHAPS, unnamed, of=UNKNOWN))
    order = list(priors)
    return tuple(sorted(found, key=lambda e: order.index(e.verdict) if e.verdict in order else len(order)))
