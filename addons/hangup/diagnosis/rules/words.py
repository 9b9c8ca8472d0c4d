"""What is said in so many words: close codes and reasons, answers of a refused handshake, lines of the backend's log.

A reason that a server gives for closing is the best evidence there is, though servers have been known to give the
wrong one. What each phrase speaks for stands in :mod:`hangup.diagnosis.rules.tables`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Hypothesis, Trigger, cite, cite_all
from hangup.diagnosis.rules.tables import BODIES, CLIENT_CODES, CODES, GRAPHQL, LIBRARIES, LOGS, REASONS
from hangup.humanize import printable
from hangup.recording.connections import Connection

LOGGED = "the backend logged"

LOG_LOOKED_AT = 20_000
"""Characters of an event of the log."""


def spoken(case: Case) -> Iterator[Hypothesis]:
    """Evidence from words alone, to be added to what the rules say of the same verdicts."""
    yield from _reasons(case)
    yield from _codes(case)
    yield from _bodies(case)
    yield from _logs(case)


def _make(case: Case, verdict: str) -> Hypothesis:
    trigger = Trigger("none", case.victims[0].conn) if case.victims else Trigger()
    return Hypothesis(verdict, closer=case.closer or "unknown", trigger=trigger, adds=True)


def _reasons(case: Case) -> Iterator[Hypothesis]:
    reasons = case.reasons
    if not reasons:
        return
    shown = printable(reasons, 80)
    matched = False
    for side, pattern, says in REASONS:
        if side == case.closer and re.search(pattern, reasons, re.I):
            scale = 0.4 if matched else 1.0  # the first pattern is the more special one
            for verdict, strength in says.items():
                yield _told(case, verdict, "close-reason", strength * scale, f'the close reason is "{shown}"')
            matched = True


def _codes(case: Case) -> Iterator[Hypothesis]:
    code = case.code
    if code is None or case.mode != "close" or case.closer not in ("server", "client"):
        return
    protocol = case.stack.protocol
    table = GRAPHQL if protocol == "graphql" and code in GRAPHQL else CODES
    if case.closer == "client":
        # Its library closes so by itself, upon what the server sent; all other codes are the application's own.
        table = CLIENT_CODES
    for verdict, strength in table.get(code, {}).items():
        pinged = any(_pinged(life) for life in case.victims) or not case.header.tells("pings")
        if verdict == "heartbeat/control-pong-missing" and not pinged:
            continue
        whose = " (graphql-ws)" if table is GRAPHQL else ""
        yield _told(case, verdict, f"close-code-{code}", strength, f"close code {code}{whose}")


def _told(case: Case, verdict: str, sign: str, strength: float, text: str) -> Hypothesis:
    """What a server's words speak for. It may call bytes spoiled that were sound when they passed here."""
    if verdict != "message/invalid-utf8" or case.closer != "server" or not _sound(case.victims):
        return _make(case, verdict).says(sign, strength, text, cite_all(case.victims))
    hypothesis = _make(case, "intermediary/frame-corruption")
    return hypothesis.says(sign, strength, f"{text}, and what the client sent is valid UTF-8", cite_all(case.victims))


def _sound(lives: list[Connection]) -> bool:
    """Whether the clients' last messages are text and valid UTF-8 as recorded here."""
    last = [m for life in lives if (m := life.last_message("client")) is not None]
    bad = [m for m in last if m.opcode != "text" or "utf8" in m.shape.faults or "invalid-utf8" in m.problems]
    return bool(last) and len(last) == len(lives) and not bad


def _pinged(life: Connection) -> bool:
    """Whether the server sent control pings."""
    beats = life.traffic.beats.get(("server", "control"))
    return beats is not None and beats.sent > 0


def _bodies(case: Case) -> Iterator[Hypothesis]:
    response = case.victims[0].traffic.response if case.mode == "refused" and case.victims else None
    if response is None:
        return
    body = response.text[:1000]
    for pattern, says in BODIES:
        if re.search(pattern, body, re.I):
            text = f'the answer says "{printable(body, 80)}"'
            for verdict, strength in says.items():
                yield _make(case, verdict).says("answer-body", strength, text, cite_all(case.victims[:3]))


def _logs(case: Case) -> Iterator[Hypothesis]:
    seen: dict[str, tuple[str, set[int]]] = {}
    for log, lives in case.logs_near():
        text = log.text[:LOG_LOOKED_AT]
        for pattern, _ in LOGS:
            if re.search(pattern, text):
                seen.setdefault(pattern, (last_line(text), set()))[1].update(life.conn for life in lives)
    for pattern, says in LOGS:
        if pattern in seen:
            line, found = seen[pattern]
            share = min(1.0, len(found) / max(case.count, 1) + 0.3)
            lives = [life for life in case.victims if life.conn in found]
            text = f'{LOGGED} "{printable(line, 120)}"'
            if case.mode == "refused" and case.code == 500 and _EXCEPTION.search(line):
                # Whatever it says: what fails before the handshake is answered never accepts.
                says = {"handshake/never-accepted": FIRM}
            for verdict, strength in says.items():
                yield _make(case, verdict).says("backend-log", strength * share, text, cite_all(lives))


_EXCEPTION = re.compile(
    r"(?:[\w$]+\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Timeout|Disconnect|Signature|Warning)\b.*"
)


def last_line(text: str) -> str:
    """What a traceback ends with: the exception and the beginning of its message; else the last line."""
    lines = [line.rstrip() for line in text[:LOG_LOOKED_AT].splitlines() if line.strip()]
    if not lines:
        return ""
    raised = [at for at, line in enumerate(lines) if _EXCEPTION.fullmatch(line)]
    if not raised:
        named = (line for line in lines if re.search(r"Error\b|Exception\b", line))
        return (
            next(named, lines[0]).strip()
            if any(line.lstrip().startswith("at ") for line in lines)
            else lines[-1].strip()
        )
    if any(line.lstrip().startswith("at ") for line in lines):
        return lines[raised[0]]  # Node: the message stands before its stack
    message = [line.strip() for line in lines[raised[-1] : raised[-1] + 3]]
    return " ".join(line for line in message if not line.startswith("For further information"))


_RAISES = frozenset((
    "server-handler/crash-on-message", "server-handler/crash-on-own-event", "message/not-json", "message/schema",
    "message/unknown-type", "message/wrong-opcode", "message/encoding", "heartbeat/app-ping-kills",
))  # fmt: skip


FIRM = 1.0
"""A strength from which on words are a statement, which also speaks against what it does not mention."""


def contradicted(said: list[Hypothesis], hypotheses: list[Hypothesis]) -> None:
    """Takes a little from every cause that a plain statement passes over."""
    if not any(h.spoken_for >= FIRM for h in said):
        return
    meant = {h.verdict for h in said if h.spoken_for >= FIRM}
    for hypothesis in hypotheses:
        if hypothesis.verdict not in meant and hypothesis.category not in ("none", "unknown"):
            hypothesis.says("not-what-was-said", -1.0, "what was said about the end does not mention it")


def by_stack(case: Case, hypotheses: list[Hypothesis]) -> None:
    """Adds what the server's library, where it is known, makes of its handler's end."""
    if case.closer != "server" or not case.victims:
        return
    server = case.stack.server
    how = "abrupt" if case.mode == "abrupt" else str(case.code or 1005)
    says = LIBRARIES.get((server, how), {})
    chosen = server == "uvicorn" and case.mode == "close" and case.code not in (1012, 1011, 1009, 1007, 1002)
    for hypothesis in hypotheses:
        verdict = hypothesis.verdict
        if verdict.startswith("server-handler/returns"):
            weight = says.get("server-handler/returns", 0.0)
        elif verdict in _RAISES:
            weight = says.get("crash", 0.0)
        else:
            continue
        if chosen:
            hypothesis.says(
                "application-chose-to-close",
                -1.0,
                "uvicorn sends no close frame by itself when a handler ends: the application chose to",
            )
        elif weight:
            word = "supports" if weight > 0 else "contradicts"
            ending = "no close frame" if how == "abrupt" else f"code {how}"
            hypothesis.says(
                "library-ends-so" if weight > 0 else "library-ends-otherwise",
                weight,
                f"{ending} from {server} {word} it",
            )


def late_burst(case: Case) -> Iterator[Hypothesis]:
    """The server ends it while it was sending a burst that the client did not keep up with."""
    if case.closer != "server" or case.mode not in ("abrupt", "close"):
        return
    bursts = []
    for life in case.victims:
        if life.open_since is None or life.lasted <= 0:
            continue
        server, client = life.traffic.server, life.traffic.client
        half = any("half" in step.what and step.side == "server" for step in life.steps)
        rate = server.messages / max(life.lasted, 0.05)
        if half or (server.messages >= 50 and rate > 50 and server.messages > 20 * max(client.messages, 1)):
            bursts.append((life, half))
    if len(bursts) < 0.6 * case.count:
        return
    lives = [life for life, _ in bursts]
    hypothesis = Hypothesis("client-lifecycle/slow-consumer", closer="server", trigger=Trigger("time", lives[0].conn))
    count = middle([life.traffic.server.messages for life in lives])
    if count >= 100:
        hypothesis.says("a-hundred-messages", 1.0, "")
    if middle(case.since_message("server")) < 0.1:
        hypothesis.says(
            "last-message-sent-just-before", 1.0, "the last message was sent just before", cite_all(lives, "server")
        )
    text = f"the server ended it in the middle of a burst of its own (about {count:.0f} messages)"
    hypothesis.says("in-the-middle-of-a-burst", 1.0, text, [cite(life, life.last_message("server")) for life in lives])
    if any(half for _, half in bursts):
        hypothesis.says("frame-server-left-half-sent", 1.0, "a frame of the server was left half sent", cite_all(lives))
    yield hypothesis
