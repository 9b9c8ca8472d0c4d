"""What to try next: the one experiment that tells the likeliest cause from the next likely ones."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Sequence

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Trigger
from hangup.diagnosis.report import Alternative, Step
from hangup.diagnosis.sentences import of_messages
from hangup.errors import TargetError
from hangup.recording.connections import Connection
from hangup.recording.traffic import MessageSummary
from hangup.wire.url import parse_target

_SPECIAL = re.compile(r"[^\w:./#*+-]")

LIMIT = 3
LIKELY = 0.05
"""Confidence from which on a runner-up is worth an experiment."""

Make = Callable[[Case, Connection, MessageSummary | None], Step | None]


def after(
    case: Case, names: Sequence[str], alternatives: list[Alternative], trigger: Trigger, recording: str
) -> list[Step]:
    """At most three steps, the most telling first. ``names`` are the verdict's and what else it is called."""
    if names[0].startswith("none/"):
        return [Step("to be sure after a change: exits 0 when a connection stays open", command=_stable(case))]
    if not case.victims and any(life.untold for life in case.lives):
        target = shlex.quote(_target(case))
        source = shlex.quote(recording or "RECORDING")
        return [
            Step("record it here, to know who ends it and how", command=f"hangup proxy {target}"),
            Step("or let it find the proof with what the client said", command=f"hangup bisect {source} {target}"),
        ]
    life = case.by_conn.get(trigger.conn or 0) or (case.victims[0] if case.victims else None)
    if life is None:
        return []
    message = next((m for m in life.traffic.recent if m.n == trigger.frame), None)
    steps: list[Step] = []
    likely = [alternative.verdict for alternative in alternatives[:2] if alternative.confidence >= LIKELY]
    for name in (*names, *likely):
        step = _step(name, case, life, message)
        if step is not None and step.filter not in {known.filter for known in steps}:
            steps.append(step)
    steps = steps[: LIMIT - 1]
    target = _target(case)
    source = recording or "RECORDING"
    if case.closer == "client":
        steps.append(
            Step("let it find the proof with your own page", command=f"hangup bisect --live {shlex.quote(target)}")
        )
    elif case.mode not in ("unreachable",):
        command = f"hangup bisect {shlex.quote(source)} {shlex.quote(target)}"
        steps.append(Step("let it find the proof", command=command))
    if case.mode in ("refused", "unreachable"):
        url = _target(case, life.target)
        steps.insert(
            0,
            Step("ask for the handshake alone, checked line by line", command=f"hangup probe {shlex.quote(url[:300])}"),
        )
    return steps[:LIMIT]


def _target(case: Case, recorded: str = "") -> str:
    """The backend as a command takes it; with what was asked for, if that is ``recorded``."""
    try:
        target = parse_target(case.header.target)
    except TargetError:
        return "TARGET"
    return target.url_of(recorded) if recorded else target.base


def _stable(case: Case) -> str:
    return f"hangup proxy {shlex.quote(_target(case))} --expect-stable 30s"


def _step(verdict: str, case: Case, life: Connection, message: MessageSummary | None) -> Step | None:
    if verdict in _MADE:
        return _MADE[verdict](case, life, message)
    if verdict in _FIXED:
        filter, text = _FIXED[verdict]
        return Step(text, filter=filter)
    return None


def _without(case: Case, life: Connection, message: MessageSummary | None) -> Step | None:
    """Drop the message in question."""
    if message is None:
        return None
    side = message.side
    if message.shape.beat is not None:
        return Step("if it stays open with this on, the heartbeat is the cause", filter=f"drop-heartbeat side={side}")
    if message.opcode == "binary":
        return Step(
            "if it stays open with this on, binary messages are the cause", filter=f"drop side={side} opcode=binary"
        )
    if not message.shape.json and not message.shape.faults & {"utf8"}:
        return Step(
            "if it stays open with this on, what is not JSON is the cause",
            filter=f"drop-malformed side={side} what=not-json",
        )
    kind = case.ledger.shapes.kinds.get(message.shape, "")
    if not kind:
        return None
    return Step(
        "if it stays open with this on, this kind of message is the cause",
        filter=f"drop side={side} kind={_quoted(kind)}",
    )


def _quoted(kind: str) -> str:
    """As a filter's text form has it."""
    return json.dumps(kind, ensure_ascii=False) if _SPECIAL.search(kind) else kind


def _as_json(case: Case, life: Connection, message: MessageSummary | None) -> Step | None:
    if message is not None and message.shape.beat is not None and message.shape.beat.kind == "ping":
        return Step(
            "rewritten as JSON: if it stays open, it is not the ping but its form",
            filter=f'rewrite-heartbeat side={message.side} to={{"type":"ping"}}',
        )
    return _without(case, life, message)


def _kept_alive(text: str, *, idle: bool = True) -> Make:
    """A ping often enough: three times in the silence that ended it, or five in its age."""

    def make(case: Case, life: Connection, message: MessageSummary | None) -> Step | None:
        silences = [min(pair) for pair in zip(case.since_frame("client"), case.since_frame("server"), strict=True)]
        every = middle(silences) / 3 if idle and 0.1 < middle(silences) < 1e5 else max(middle(case.lived) / 5, 0.2)
        shown = f"{every * 1000:.0f}ms" if every < 1 else f"{every:.0f}s"
        return Step(text, filter=f"keepalive side=client every={shown}")

    return make


def _other_path(case: Case, life: Connection, message: MessageSummary | None) -> Step | None:
    """The path without what stands there twice."""
    parts = life.path.split("/")
    for at, (first, second) in enumerate(zip(parts[1:], parts[2:], strict=False), 1):
        if first and first == second and first.replace("-", "").replace("_", "").isalnum():
            del parts[at]
            return Step("if it opens, the path was wrong", filter=f"path replace=/{first}/{first} with=/{first}")
    return None


def _larger(case: Case, life: Connection, message: MessageSummary | None) -> Step | None:
    if message is None:
        return None
    return Step(
        "if it stays open without messages of that size, it is the size",
        filter=f"drop side={message.side} size={message.size}..",
    )


def _fewer(case: Case, life: Connection, message: MessageSummary | None) -> Step:
    """Fewer of what there may be too many of: messages, or connections."""
    if of_messages(case):
        return Step("a client that says less: if it stays open, it was the number", filter="only side=client first=3")
    return Step("a client that waits longer: if it stays open, it was the rate", filter="slow-reconnect 10s")


_MADE: dict[str, Make] = {
    "handshake/limit": _fewer,
    "process/message-rate-limit": _fewer,
    "message/not-json": _as_json,
    "message/schema": _without,
    "message/unknown-type": _without,
    "message/oversize": _larger,
    "server-handler/crash-on-message": _without,
    "client-lifecycle/throws-on-frame": _without,
    "client-lifecycle/poison-replay": _without,
    "heartbeat/interval-race": _kept_alive("one more ping in between: if it stays open, the interval is too long"),
    "heartbeat/throttled": _kept_alive("sent here for the page: if it stays open, its timers are too slow"),
    "intermediary/idle-timeout": _kept_alive("something to carry now and then: if it stays open, it was idleness"),
    "intermediary/lifetime-cap": _kept_alive(
        "pings now and then: if it still ends at that age, it is the age", idle=False
    ),
    "process/worker-timeout": _kept_alive(
        "pings now and then: if it still ends at that age, it is the age", idle=False
    ),
    "server-handler/dependency-timeout": _kept_alive(
        "pings now and then: if it still ends at that age, it is the age", idle=False
    ),
    "handshake/path": _other_path,
}
"""Filters that depend on the recording."""

_SILENT = "mute side=client"

_FIXED: dict[str, tuple[str, str]] = {
    "message/wrong-opcode": ("flip-opcode side=client", "sent as text instead: if it stays open, it is the opcode"),
    "message/invalid-utf8": ("repair-malformed side=client", "repaired on the way: if it stays open, it is the bytes"),
    "message/encoding": ("repair-malformed side=client", "repaired on the way: if it stays open, it is the encoding"),
    "message/framing": ("defragment side=client", "fragments put together: if it stays open, it is the fragmentation"),
    "message/init-missing": (
        'inject from=client at=0s send={"type":"connection_init"}',
        "greeted here for the client: if it stays open, the greeting was missing",
    ),
    "server-handler/crash-on-own-event": (
        _SILENT,
        "a client that says nothing: if it still drops, the server is the cause",
    ),
    "server-handler/returns-immediately": (
        _SILENT,
        "a client that says nothing: if it still drops, no message is the cause",
    ),
    "server-handler/returns-after-message": (
        _SILENT,
        "a client that says nothing: if it stays open, one message ends it",
    ),
    "heartbeat/app-ping-kills": (
        "drop-heartbeat side=client",
        "if it stays open without pings, the ping is the cause",
    ),
    "heartbeat/app-pong-missing-from-client": (
        "answer-ping side=server level=message",
        "answered here for the client: if it stays open, the answer was missing",
    ),
    "heartbeat/app-pong-missing-from-server": (
        "answer-ping side=client level=message",
        "answered here for the server: if it stays open, the answer was missing",
    ),
    "heartbeat/pong-mismatch": (
        "answer-ping side=client level=message",
        "answered here in the usual form: if it stays open, it is the form",
    ),
    "heartbeat/control-pong-missing": (
        "answer-ping side=server level=control",
        "answered here for the client: if it stays open, pongs are lost further on",
    ),
    "heartbeat/control-ping-kills": (
        "drop-ping side=server",
        "if it stays open without control pings, they are to blame",
    ),
    "heartbeat/direction": (
        "answer-ping side=server level=message",
        "answered here: if it stays open, nobody else did",
    ),
    "handshake/subprotocol": (
        "strip-header Sec-WebSocket-Protocol",
        "offered nothing: if it stays open, it was the subprotocol",
    ),
    "handshake/extension": ("strip-extensions", "no compression: if it stays open, one side cannot do it"),
    "handshake/origin": ("origin", "from the server's own origin: if it opens, it was the Origin"),
    "identity/id-collision": ("unique-id", "an id of its own for each connection: if both stay open, it was the id"),
    "identity/ghost-session": (
        "slow-reconnect 30s",
        "a client that waits longer: if it is let in, a session had to expire",
    ),
    "client-lifecycle/effect-churn": (
        "mute side=server",
        "nothing reaches the page: if it stops, a message sets it off",
    ),
}
"""Filters that do not: each with what its success would tell."""
