"""What to try next: the one experiment that tells the likeliest cause from the next likely ones."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from hangup.diagnosis.case import Case, Life
from hangup.diagnosis.findings import Trigger
from hangup.diagnosis.report import Alternative, Step
from hangup.diagnosis.traces import Message

LIMIT = 3
Make = Callable[[Case, Life, Message | None], Step | None]


def after(
    case: Case, verdict: str, alternatives: list[Alternative], trigger: Trigger, recording: str
) -> list[Step]:
    """At most three steps, the most telling first."""
    if verdict.startswith("none/"):
        return [Step("to be sure after a change: exits 0 when a connection stays open", command=_stable(case))]
    life = case.by_conn.get(trigger.conn or 0) or (case.victims[0] if case.victims else None)
    if life is None:
        return []
    message = next((m for m in life.trace.recent if m.n == trigger.frame), None)
    steps: list[Step] = []
    for name in [verdict, *(alternative.verdict for alternative in alternatives[:2])]:
        make = _STEPS.get(name)
        step = make(case, life, message) if make is not None else None
        if step is not None and step.filter not in {known.filter for known in steps}:
            steps.append(step)
    steps = steps[: LIMIT - 1]
    target = case.header.target or "TARGET"
    source = recording or "RECORDING"
    if case.closer == "client":
        steps.append(Step("let it find the proof with your own page", command=f"hangup bisect --live {shlex.quote(target)}"))
    elif case.mode not in ("unreachable",):
        command = f"hangup bisect {shlex.quote(source)} {shlex.quote(target)}"
        steps.append(Step("let it find the proof", command=command))
    if case.mode in ("refused", "unreachable"):
        url = target.rstrip("/") + life.trace.account.target if "://" in target else target
        steps.insert(0, Step("ask for the handshake alone, checked line by line", command=f"hangup probe {shlex.quote(url[:300])}"))
    return steps[:LIMIT]


def _stable(case: Case) -> str:
    return f"hangup proxy {shlex.quote(case.header.target or 'TARGET')} --expect-stable 30s"


def _fixed(text: str, filter: str) -> Make:
    return lambda case, life, message: Step(text, filter=filter)


def _without(case: Case, life: Life, message: Message | None) -> Step | None:
    """Drop the message in question."""
    if message is None:
        return None
    side = message.side
    if message.shape.beat is not None:
        return Step("if it lives with this on, the heartbeat is what it dies of", filter=f"drop-heartbeat side={side}")
    if message.opcode == "binary":
        return Step("if it lives with this on, it dies of binary messages", filter=f"drop side={side} opcode=binary")
    if not message.shape.json and not message.shape.faults & {"utf8"}:
        return Step("if it lives with this on, it dies of what is not JSON", filter=f"drop-malformed side={side}")
    match = _match(message)
    return Step("if it lives with this on, this message is what it dies of", filter=f"drop side={side} {match}") if match else None


def _match(message: Message) -> str:
    for key in ("type", "event", "action", "op", "kind", "method", "t", "cmd", "command"):
        kind = message.shape.kind
        if kind and key in message.shape.keys and kind.replace("_", "").replace("-", "").replace(":", "").isalnum():
            return f"json=$.{key}=={kind}"
    return ""


def _as_json(case: Case, life: Life, message: Message | None) -> Step | None:
    if message is not None and message.shape.beat is not None and message.shape.beat.kind == "ping":
        return Step(
            "rewritten as JSON: if it lives, it is not the ping but its form",
            filter=f'rewrite-heartbeat side={message.side} to={{"type":"ping"}}',
        )
    return _without(case, life, message)


def _larger(case: Case, life: Life, message: Message | None) -> Step | None:
    if message is None:
        return None
    return Step("if it lives without messages of that size, it is the size", filter=f"drop side={message.side} size>={message.size}")


_STEPS: dict[str, Make] = {
    "message/not-json": _as_json,
    "message/schema": _without,
    "message/unknown-type": _without,
    "message/wrong-opcode": _fixed("sent as text instead: if it lives, it is the opcode", "flip-opcode side=client opcode=binary"),
    "message/oversize": _larger,
    "message/invalid-utf8": _fixed("repaired on the way: if it lives, it is the bytes", "repair-malformed side=client"),
    "message/encoding": _fixed("repaired on the way: if it lives, it is the encoding", "repair-malformed side=client"),
    "message/framing": _fixed("fragments put together: if it lives, it is the fragmentation", "defragment side=client"),
    "server-handler/crash-on-message": _without,
    "server-handler/crash-on-own-event": _fixed(
        "a client that says nothing: if it still ends, it is the server's own doing", "mute side=client"
    ),
    "server-handler/returns-immediately": _fixed(
        "a client that says nothing: if it still ends at once, no message is to blame", "mute side=client"
    ),
    "server-handler/returns-after-message": _fixed(
        "a client that says nothing: if it lives, one message is enough to end it", "mute side=client"
    ),
    "heartbeat/app-ping-kills": _fixed("if it lives without pings, the ping is what it dies of", "drop-heartbeat side=client"),
    "heartbeat/app-pong-missing-from-client": _fixed("answered here for the client: if it lives, the answer was missing", "answer-ping side=server"),
    "heartbeat/app-pong-missing-from-server": _fixed("answered here for the server: if it lives, the answer was missing", "answer-ping side=client"),
    "heartbeat/pong-mismatch": _fixed("answered here in the usual form: if it lives, it is the form", "answer-ping side=client"),
    "heartbeat/control-pong-missing": _fixed("answered here for the client: if it lives, pongs are lost further on", "answer-ping side=server"),
    "heartbeat/control-ping-kills": _fixed("if it lives without control pings, they are what it dies of", "drop-ping side=server"),
    "heartbeat/direction": _fixed("answered here: if it lives, nobody sent the heartbeat", "answer-ping side=server"),
    "heartbeat/interval-race": _fixed("one more ping in between: if it lives, the interval is too long", "keepalive 10s side=client"),
    "heartbeat/throttled": _fixed("sent here for the page: if it lives, its timers are too slow", "keepalive 10s side=client"),
    "intermediary/idle-timeout": _fixed("something to carry now and then: if it lives, it was idleness", "keepalive 10s"),
    "intermediary/lifetime-cap": _fixed("something to carry now and then: if it still ends at that age, it is the age", "keepalive 10s"),
    "process/worker-timeout": _fixed("something to carry now and then: if it still ends at that age, it is the age", "keepalive 10s"),
    "handshake/subprotocol": _fixed("offered nothing: if it lives, it was the subprotocol", "strip-header Sec-WebSocket-Protocol"),
    "handshake/extension": _fixed("no compression: if it lives, one side cannot do it", "strip-extensions"),
    "handshake/origin": _fixed("without Origin: if it opens, it was the Origin", "strip-header Origin"),
    "identity/id-collision": _fixed("an id of its own for each connection: if both live, it was the id", "unique-id"),
    "client-lifecycle/effect-churn": _fixed("nothing of the server reaches the page: if it stops, a message sets it off", "mute side=server"),
    "client-lifecycle/throws-on-frame": _without,
    "handshake/limit": _fixed("a client that waits longer: if it lives, it was the rate", "slow-reconnect 10s"),
    "identity/ghost-session": _fixed("a client that waits longer: if it is let in, a session had to expire", "slow-reconnect 30s"),
    "client-lifecycle/poison-replay": _without,
}  # fmt: skip
