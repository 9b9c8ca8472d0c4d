"""What is said in so many words: close codes and reasons, answers of a refused handshake, lines of the backend's log.

Each table maps what is said to verdicts and weights. A reason that a server gives for closing is the best evidence there
is, though servers have been known to give the wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Hypothesis, Trigger, cite, cite_all
from hangup.diagnosis.numbers import middle
from hangup.diagnosis.stack import stack_of
from hangup.recording.units import printable

Says = dict[str, float]

REASONS: tuple[tuple[str, str, Says], ...] = (
    ("server", r"keepalive ping timeout|ping timed out|no pong received|pong timeout", {"heartbeat/control-pong-missing": 5.0}),
    ("server", r"heart-?beat|keep-?alive|\bpong|\bping|idle|inactiv|stale|time(d)? ?-?out",
     {"heartbeat/app-pong-missing-from-client": 2.2, "heartbeat/control-pong-missing": 0.5, "intermediary/idle-timeout": -1.5}),
    ("server", r"too (big|large|long)|message size|payload.{0,20}(limit|size|exceed)|exceeds|max.{0,12}(size|length|payload)",
     {"message/oversize": 5.0}),
    ("server", r"utf-?8|invalid (text|payload) data|codec can't decode", {"message/invalid-utf8": 4.5}),
    ("server", r"rsv|reserved bit|compress|deflate|extension", {"handshake/extension": 4.0, "message/framing": 1.8}),
    ("server", r"\bmask|opcode|continuation|fragment|control frame|invalid frame", {"message/framing": 4.0}),
    ("server", r"json|unexpected token|expecting value|parse|syntax|decode|malformed|\bchar \d+",
     {"message/not-json": 4.0, "message/schema": 0.5}),
    ("server", r"schema|validation|missing|required|field|invalid (message|payload|request|format|data)|bad (message|request|payload)",
     {"message/schema": 2.6, "message/unknown-type": 0.8, "message/not-json": 0.8}),
    ("server", r"unknown (type|event|action|op|command|message|kind|method)|unsupported (type|event|action|op|message)|unrecogni[sz]ed",
     {"message/unknown-type": 3.5, "message/schema": 0.8}),
    ("server", r"text (only|frames?|expected)|binary|unsupported data|data type|only (text|json)", {"message/wrong-opcode": 3.5}),
    ("server", r"too many (requests|messages|connections|sessions|clients)|rate|limit|quota|throttl|capacity|\bfull\b|overload|try again",
     {"handshake/limit": 3.5, "process/message-count-limit": 0.8}),
    ("server", r"token|jwt|auth|credential|expired|signature|log ?in|not logged|forbidden|denied|permission|unauthori|api key",
     {"identity/token-expired-retry": 3.0, "handshake/auth-rejected": 1.2}),
    ("server", r"duplicate|replac|another|elsewhere|taken over|superse|already (connected|open|exists|in use)|kicked|new (session|connection|login|tab)|newer",
     {"identity/id-collision": 4.0}),
    ("server", r"resume|unknown session|session (not found|expired|invalid|closed|unknown)|invalid (seq|session)|no such session",
     {"identity/stale-resume": 3.0, "identity/token-expired-retry": 0.5, "intermediary/non-sticky": 0.3}),
    ("server", r"sub-?protocol", {"handshake/subprotocol": 4.5}),
    ("server", r"origin|host (not|header)|cross-site", {"handshake/origin": 4.0}),
    ("server", r"(init|hello|identify|handshake|auth\w*|login|connect\w*).{0,20}(time(d)? ?-?out|not received|too late|missing)|initiali[sz]ation timeout",
     {"message/init-missing": 5.0}),
    ("server", r"(before|not (yet )?(init|auth|identif|connect|ready|join|subscrib))|must (init|auth|join|identify)|first message",
     {"message/order-before-hello": 3.0, "message/init-missing": 1.0}),
    ("server", r"restart|shut(ting)? ?down|going away|deploy|reload|maintenance|upgrade in progress|service stop", {"process/restart": 3.5}),
    ("server", r"slow|back-?pressure|buffer|send queue|not reading|overflow", {"client-lifecycle/slow-consumer": 4.0}),
    ("server", r"internal (server )?error|exception|traceback|unhandled", {"server-handler/crash-on-message": 0.8, "server-handler/crash-on-own-event": 0.8}),
    ("client", r"heart-?beat|keep-?alive|\bpong|\bping", {"heartbeat/app-pong-missing-from-server": 3.0}),
    ("client", r"time(d)? ?-?out|no (answer|response|reply|ack)", {"heartbeat/app-pong-missing-from-server": 1.5, "client-lifecycle/connect-deadline": 1.0}),
    ("client", r"unmount|clean-?up|component|effect|dispose|dependenc", {"client-lifecycle/effect-churn": 3.0, "client-lifecycle/double-mount": 1.0}),
    ("client", r"parse|json|decode|invalid (message|data|frame)|unexpected token", {"client-lifecycle/throws-on-frame": 3.0}),
    ("client", r"rsv|opcode|mask|control frame|utf-?8|invalid frame", {"message/framing": 3.0}),
)  # fmt: skip
"""Who says it, a pattern of the close reason, and what it speaks for."""

CODES: dict[int, Says] = {
    1002: {"message/framing": 1.5, "handshake/extension": 1.2, "handshake/subprotocol": 0.8},
    1003: {"message/wrong-opcode": 2.2, "message/not-json": 1.0},
    1007: {"message/invalid-utf8": 3.5, "message/encoding": 0.8, "handshake/extension": 0.5},
    1008: {"message/schema": 0.6, "identity/token-expired-retry": 0.5, "handshake/limit": 0.5},
    1009: {"message/oversize": 5.5},
    1010: {"handshake/extension": 4.0},
    1011: {"heartbeat/control-pong-missing": 0.4},
    1013: {"handshake/limit": 3.0},
    4406: {"handshake/subprotocol": 2.0},
    4408: {"message/init-missing": 1.0, "heartbeat/app-pong-missing-from-client": 0.6},
    4409: {"identity/id-collision": 2.0},
    4429: {"handshake/limit": 2.5},
}
"""What a close code of the server speaks for, besides what the rules make of it."""

GRAPHQL: dict[int, Says] = {
    4400: {"message/vocabulary-mismatch": 5.0},
    4401: {"message/order-before-hello": 4.5, "identity/token-expired-retry": -1.0},
    4403: {"handshake/auth-rejected": 3.0, "identity/token-expired-retry": 2.0},
    4406: {"handshake/subprotocol": 5.0},
    4408: {"message/init-missing": 5.0},
    4409: {"message/unknown-type": 1.0},
    4429: {"message/order-before-hello": 3.5},
}
"""The same where GraphQL is spoken (graphql-ws, PROTOCOL.md)."""

DISCORD: dict[int, Says] = {
    4003: {"message/order-before-hello": 3.0},
    4007: {"identity/stale-resume": 3.0},
    4009: {"identity/stale-resume": 2.0, "heartbeat/app-pong-missing-from-client": 1.0},
}

BODIES: tuple[tuple[str, Says], ...] = (
    (r"session id unknown|invalid session", {"intermediary/non-sticky": 5.0}),
    (r"unsupported protocol version", {"handshake/parameter": 4.5}),
    (r"transport unknown|bad handshake method", {"handshake/parameter": 2.5}),
    (r"origin|cross-?site|cors", {"handshake/origin": 3.0}),
    (r"invalid host|host header|blocked request.*host", {"handshake/origin": 3.0}),
    (r"token|jwt|auth|log ?in|credential|permission|session expired", {"handshake/auth-rejected": 2.0, "identity/token-expired-retry": 0.8}),
    (r"expired", {"identity/token-expired-retry": 2.5}),
    (r"rate|too many|limit|quota", {"handshake/limit": 2.5}),
    (r"can ?\"?upgrade\"? only to \"?websocket|upgrade required|expected websocket|unsupported upgrade", {"handshake/no-ws-support": 1.5, "handshake/http-version": 1.5}),
    (r"sec-websocket-version|unsupported version", {"handshake/http-version": 3.0}),
    (r"subprotocol|sec-websocket-protocol", {"handshake/subprotocol": 3.0}),
    (r"not found|cannot get|no route|unknown path|no such", {"handshake/path": 1.2}),
    (r"<!doctype|<html", {"handshake/path": 0.5}),
    (r"header.{0,20}(large|long|size)|request line", {"handshake/header-size": 3.5}),
    (r"bad gateway|upstream|connection refused", {"process/crash": 2.0}),
    (r"validation|integer|not a valid|unprocessable", {"handshake/parameter": 3.0}),
    (r"already (connected|in use|exists|open)|duplicate|conflict", {"identity/ghost-session": 2.5, "identity/id-collision": 0.8}),
)  # fmt: skip
"""What the body of a refusal speaks for."""

LOGS: tuple[tuple[str, Says], ...] = (
    (r"JSONDecodeError|Unexpected token .*JSON|is not valid JSON|JSON\.parse|SyntaxError.*JSON|invalid character .* looking for",
     {"message/not-json": 4.0, "server-handler/crash-on-message": -0.5}),
    (r"\bKeyError|ValidationError|missing \d+ required|Field required|AttributeError|is not a valid|TypeError: '?NoneType",
     {"message/schema": 3.0, "server-handler/crash-on-message": 1.0}),
    (r"KeyError: '(text|bytes)'|data type .*bytes|expected str.*bytes|Received binary|text frames are not supported",
     {"message/wrong-opcode": 4.0, "message/schema": -1.5}),
    (r"not JSON serializable|is not serializable|circular structure|Converting circular", {"server-handler/crash-on-own-event": 5.0}),
    (r"UnicodeDecodeError|invalid utf-?8|codec can't decode", {"message/invalid-utf8": 3.5}),
    (r"message too big|PayloadTooBig|Max payload size exceeded|message too large|over size limit", {"message/oversize": 5.0}),
    (r"keepalive ping (failed|timeout)|ping timed out|no pong", {"heartbeat/control-pong-missing": 4.0}),
    (r"_drain_helper|drain_helper", {"heartbeat/control-ping-kills": 4.5}),
    (r"cannot call (recv|receive)|ConcurrencyError|already (waiting|reading)|Concurrent call", {"server-handler/concurrent-io": 5.0}),
    (r"Unexpected ASGI message 'websocket\.send'|Cannot call \"?send\"? once|send after (sending )?.?close|ConnectionClosed(Error|OK)? .*broadcast",
     {"server-handler/dead-peer-broadcast": 3.0}),
    (r"WORKER TIMEOUT|worker timeout|Worker \(pid:\d+\) was sent SIGKILL", {"process/worker-timeout": 5.0}),
    (r"Reloading|StatReload|WatchFiles detected|Shutting down|nodemon.*restart|Application shutdown", {"process/restart": 3.0}),
    (r"Segmentation fault|core dumped|process exited|exited with code [1-9]|uncaughtException|Unhandled.*rejection", {"process/crash": 3.5}),
    (r"No supported WebSocket library", {"handshake/no-ws-support": 5.0}),
    (r"jwt expired|ExpiredSignature|token (has )?expired|InvalidToken|invalid token", {"identity/token-expired-retry": 3.0, "handshake/auth-rejected": 1.5}),
    (r"origin.{0,30}(not allowed|rejected|denied|mismatch)|cross origin", {"handshake/origin": 4.0}),
    (r"upstream timed out", {"intermediary/idle-timeout": 4.0}),
    (r"TimeoutError|timed? ?out (waiting|after)|asyncio\.exceptions\.TimeoutError", {"server-handler/dependency-timeout": 2.0}),
    (r"\bTraceback|\bError:|Exception in ASGI", {"server-handler/crash-on-message": 0.8, "server-handler/crash-on-own-event": 0.3}),
)  # fmt: skip
"""What a line of the backend's log near the end speaks for."""


def spoken(case: Case) -> Iterator[Hypothesis]:
    """Evidence from words alone, to be added to what the rules say of the same verdicts."""
    yield from _reasons(case)
    yield from _codes(case)
    yield from _bodies(case)
    yield from _logs(case)


def _make(case: Case, verdict: str) -> Hypothesis:
    trigger = Trigger("none", case.victims[0].conn) if case.victims else Trigger()
    return Hypothesis(verdict, 0.0, closer=case.closer or "unknown", trigger=trigger, adds=True)


def _reasons(case: Case) -> Iterator[Hypothesis]:
    reasons = case.reasons
    if not reasons:
        return
    shown = printable(reasons, 80)
    matched = False
    for side, pattern, says in REASONS:
        if side == case.closer and re.search(pattern, reasons, re.I):
            scale = 0.4 if matched else 1.0  # the first pattern is the more special one
            for verdict, weight in says.items():
                yield _make(case, verdict).says(weight * scale, f'the close reason is "{shown}"', cite_all(case.victims))
            matched = True


def _codes(case: Case) -> Iterator[Hypothesis]:
    code = case.code
    if code is None or case.mode != "close" or case.closer != "server":
        return
    protocol = stack_of(case).protocol
    table = GRAPHQL if protocol == "graphql" and code in GRAPHQL else CODES
    for verdict, weight in table.get(code, {}).items():
        whose = " (graphql-ws)" if table is GRAPHQL else ""
        yield _make(case, verdict).says(weight, f"close code {code}{whose}", cite_all(case.victims))


def _bodies(case: Case) -> Iterator[Hypothesis]:
    if case.mode != "refused" or not case.victims:
        return
    response = case.victims[0].trace.response
    text = f"{response.text[:1000]} {response.reason}" if response is not None else case.victims[0].trace.junk
    for pattern, says in BODIES:
        if response is not None and re.search(pattern, response.text[:1000], re.I):
            for verdict, weight in says.items():
                yield _make(case, verdict).says(weight, f'the answer says "{printable(text, 80)}"', cite_all(case.victims[:3]))


def _logs(case: Case) -> Iterator[Hypothesis]:
    seen: dict[str, tuple[str, list[int]]] = {}
    for log, life in case.logs_near():
        line = last_line(log.text)
        for pattern, _ in LOGS:
            if re.search(pattern, log.text[:20_000]):
                seen.setdefault(pattern, (line, []))[1].append(life.conn)
    if not seen:
        return
    for pattern, says in LOGS:
        if pattern in seen:
            line, found = seen[pattern]
            share = min(1.0, len(set(found)) / max(case.count, 1) + 0.3)
            lives = [life for life in case.victims if life.conn in found]
            for verdict, weight in says.items():
                text = f'the backend logged "{printable(line, 100)}"'
                yield _make(case, verdict).says(weight * share, text, cite_all(lives))


def last_line(text: str) -> str:
    """What a traceback ends with: the exception and its message; of a Node stack, its first line."""
    lines = [line.strip() for line in text[:20_000].splitlines() if line.strip()]
    if not lines:
        return ""
    if any(line.startswith("at ") for line in lines):
        return next((line for line in lines if re.search(r"Error|Exception", line)), lines[0])
    return lines[-1]


_STACKS: dict[tuple[str, str], Says] = {
    ("websockets", "1000"): {"server-handler/returns": 1.2, "crash": -2.0},
    ("websockets", "1011"): {"server-handler/returns": -3.0, "crash": 1.0},
    ("websockets", "cut"): {"server-handler/returns": -1.5, "crash": -1.0},
    ("aiohttp", "1000"): {"server-handler/returns": 1.2, "crash": -2.5},
    ("aiohttp", "cut"): {"server-handler/returns": -2.0, "crash": 0.6},
    ("tornado", "cut"): {"server-handler/returns": -1.5, "crash": 0.6},
    ("tornado", "1000"): {"server-handler/returns": 0.5, "crash": -2.0},
    ("uvicorn", "1011"): {"server-handler/returns": -2.5},
    ("daphne", "1011"): {"crash": 1.0, "server-handler/returns": -1.0},
    ("hypercorn", "1011"): {"server-handler/returns": 0.5},
}
"""What a server's library ends a connection with (measured): after the handler returned, and after an exception.

``crash`` stands for all verdicts by which the handler raises."""

_RAISES = frozenset((
    "server-handler/crash-on-message", "server-handler/crash-on-own-event", "message/not-json", "message/schema",
    "message/unknown-type", "message/wrong-opcode", "message/encoding", "heartbeat/app-ping-kills",
))  # fmt: skip


_FIRM = 2.5
"""A weight from which on words are a statement, which also speaks against what it does not mention."""


def contradicted(said: list[Hypothesis], hypotheses: list[Hypothesis]) -> None:
    """Takes a little from every cause that a plain statement passes over."""
    strongest = max((sign.weight for h in said for sign in h.evidence), default=0.0)
    if strongest < _FIRM:
        return
    meant = {h.verdict for h in said if h.score > 0}
    for hypothesis in hypotheses:
        if hypothesis.verdict not in meant and hypothesis.category not in ("none", "unknown"):
            hypothesis.says(-0.45 * strongest, "what was said about the end does not mention it")


def by_stack(case: Case, hypotheses: list[Hypothesis]) -> None:
    """Adds what the server's library, where it is known, makes of its handler's end."""
    if case.closer != "server" or not case.victims:
        return
    server = stack_of(case).server
    how = "cut" if case.mode == "cut" else str(case.code or 1005)
    says = _STACKS.get((server, how), {})
    chosen = server == "uvicorn" and case.mode == "close" and case.code not in (1012, 1011, 1009, 1007, 1002)
    for hypothesis in hypotheses:
        verdict = hypothesis.verdict
        if verdict.startswith("server-handler/returns"):
            weight = says.get("server-handler/returns", 0.0)
            if chosen:
                weight = -1.5
        elif verdict in _RAISES:
            weight = says.get("crash", 0.0)
            if chosen:
                weight = -0.8
        else:
            continue
        if chosen:
            hypothesis.says(weight, "uvicorn sends no close frame by itself when a handler ends: the application chose to")
        elif weight:
            word = "supports" if weight > 0 else "contradicts"
            ending = "no close frame" if how == "cut" else f"code {how}"
            hypothesis.says(weight, f"{ending} from {server} {word} it")


def late_burst(case: Case) -> Iterator[Hypothesis]:
    """The server ends it while it was sending a burst that the client did not keep up with."""
    if case.closer != "server" or case.mode not in ("cut", "close"):
        return
    bursts = []
    for life in case.victims:
        if life.opened is None or life.lasted <= 0:
            continue
        server, client = life.trace.server, life.trace.client
        half = any("half" in step.what and step.side == "server" for step in life.trace.account.steps)
        rate = server.messages / max(life.lasted, 0.05)
        if half or (server.messages >= 50 and rate > 50 and server.messages > 20 * max(client.messages, 1)):
            bursts.append((life, half))
    if len(bursts) < 0.6 * case.count:
        return
    lives = [life for life, _ in bursts]
    hypothesis = Hypothesis("client-lifecycle/slow-consumer", -0.6, closer="server", trigger=Trigger("time", lives[0].conn))
    count = middle([life.trace.server.messages for life in lives])
    if count >= 100:
        hypothesis.says(1.0, "")
    if middle(case.since_message("server")) < 0.1:
        hypothesis.says(1.0, "the last message was sent just before", cite_all(lives, "server"))
    hypothesis.says(1.5, f"the server ended it in the middle of a burst of its own (about {count:.0f} messages)",
                    [cite(life, life.last("server")) for life in lives])  # fmt: skip
    if any(half for _, half in bursts):
        hypothesis.says(1.2, "a frame of the server was left half sent", cite_all(lives))
    yield hypothesis
