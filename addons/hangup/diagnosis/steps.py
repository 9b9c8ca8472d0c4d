"""What to try next: the one experiment that tells the likeliest cause from the next likely ones."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from hangup.commands import command_line
from hangup.diagnosis import causes
from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Trigger
from hangup.diagnosis.report import Alternative, NextStep
from hangup.diagnosis.sentences import of_messages
from hangup.diagnosis.signs.idle_times import evident_silence, silence
from hangup.errors import TargetError
from hangup.messages.openings import opening
from hangup.recording.connections import Connection
from hangup.recording.events import Side
from hangup.recording.traffic import MessageSummary
from hangup.wire.url import parse_target

_SPECIAL = re.compile(r"[^\w:./#*+-]")

SAID = 120
"""Bytes of a message that a command line has room for."""

LIMIT = 3
LIKELY = 0.05
"""Confidence from which on a runner-up is worth an experiment."""

LIKELY_BEAT = 0.25
"""The same for an experiment with heartbeats, which are seldom the cause where nothing else says so."""

_BEATS = re.compile(r"(?:answer-ping|keepalive|drop-heartbeat|rewrite-heartbeat)\b")
_OF_BEATS = re.compile(r"(?:answer-ping|drop-heartbeat|rewrite-heartbeat)\b")
"""Those of them that do nothing where there is no heartbeat."""

AS_IT_SHOULD = ("none/healthy", "client-lifecycle/done")
"""Verdicts under which ends are as they should be."""

Make = Callable[[Case, Connection, MessageSummary | None], NextStep | None]


def after(
    case: Case, names: Sequence[str], alternatives: list[Alternative], trigger: Trigger, recording: str
) -> list[NextStep]:
    """At most three steps, the most telling first. ``names`` are the verdict's and what else it is called."""
    target, source = _target(case), recording or "RECORDING"
    if names[0] in AS_IT_SHOULD and case.victims:
        return []  # there is nothing to prove, and connections end as they should
    if names[0].startswith("none/"):
        stable = command_line("proxy", target, "--expect-stable", "30s")
        return [NextStep("to check after a change: exits with 0 if a connection stays open", command=stable)]
    if not case.victims and any(life.untold for life in case.lives):
        prove = command_line("bisect", source, target)
        return [
            NextStep("record it with hangup, to see who closes it and how", command=command_line("proxy", target)),
            NextStep("or prove it by experiment, replaying what the client sent", command=prove),
        ]
    life = case.by_conn.get(trigger.conn or 0) or (case.victims[0] if case.victims else None)
    if life is None:
        return []
    message = next((m for m in life.traffic.recent if m.n == trigger.frame), None)
    steps: list[NextStep] = []
    sure = {alternative.verdict: alternative.confidence for alternative in alternatives[:2]}
    likely = [name for name, confidence in sure.items() if confidence >= LIKELY]
    for name in (*names, *likely):
        step = _step(name, case, life, message)
        if step is None or name in sure and name not in names and not _worth_it(step, sure[name], case):
            continue
        if step.filter not in {known.filter for known in steps}:
            step.command = command_line("proxy", target, "--filter", step.filter)
            steps.append(step)
    steps = steps[: LIMIT - 1]
    if case.closer == "client":
        live = command_line("bisect", "--live", target)
        steps.append(NextStep("prove it by experiment, on your own page's reconnects", command=live))
    elif case.mode not in ("unreachable",):
        steps.append(NextStep("prove it by experiment", command=command_line("bisect", source, target)))
    if case.mode in ("refused", "unreachable"):
        probe = command_line("probe", _target(case, life.target)[:300])
        steps.insert(0, NextStep("try the handshake alone, each check explained", command=probe))
    return steps[:LIMIT]


def _worth_it(step: NextStep, confidence: float, case: Case) -> bool:
    """Whether an experiment for a runner-up fits the case, if it is one with heartbeats."""
    if _BEATS.match(step.filter) is None:
        return True
    seen = any(beats.sent for life in case.victims for beats in life.traffic.beats.values())
    return confidence >= LIKELY_BEAT and (seen or _OF_BEATS.match(step.filter) is None)


def _target(case: Case, recorded: str = "") -> str:
    """The backend as a command takes it; with what was asked for, if that is ``recorded``."""
    try:
        target = parse_target(case.header.target)
    except TargetError:
        return "TARGET"
    return target.url_of(recorded) if recorded else target.base


def _step(verdict: str, case: Case, life: Connection, message: MessageSummary | None) -> NextStep | None:
    cause = causes.known().get(verdict)
    if cause is None or cause.next is None:
        return None
    made = cause.next.filter
    if made in MADE:
        found = MADE[made](case, life, message)
        return found if found is None or found.text else NextStep(cause.next.tells, filter=found.filter)
    return NextStep(cause.next.tells, filter=made)


def _without(case: Case, life: Connection, message: MessageSummary | None) -> NextStep | None:
    """Drop the message in question. Says itself what its success tells, which hangs on what it is."""
    if message is None:
        return None
    side, shape = message.side, message.shape
    if shape.beat is not None:
        what, filter = "the heartbeat is", f"drop-heartbeat side={side}"
    elif message.opcode == "binary":
        what, filter = "binary messages are", f"drop side={side} opcode=binary"
    elif not shape.json and not shape.faults & {"utf8"}:
        what, filter = "what is not JSON is", f"drop-malformed side={side} what=not-json"
    elif kind := case.ledger.shapes.kinds.get(shape, ""):
        what, filter = "this kind of message is", f"drop side={side} kind={_quoted(kind)}"
    else:
        return None
    return NextStep(f"blocks it: if the connection stays open, {what} the cause", filter=filter)


def _quoted(kind: str) -> str:
    """As a filter's text form has it."""
    return json.dumps(kind, ensure_ascii=False) if _SPECIAL.search(kind) else kind


def _as_json(case: Case, life: Connection, message: MessageSummary | None) -> NextStep | None:
    if message is not None and message.shape.beat is not None and message.shape.beat.kind == "ping":
        return NextStep("", filter=f'rewrite-heartbeat side={message.side} to={{"type":"ping"}}')
    return _without(case, life, message)


def _kept_alive(case: Case, life: Connection, *, idle: bool) -> NextStep:
    """A ping often enough: three times in the silence that ended it, or five in its age."""
    quiet = case.once(evident_silence)
    told = idle and 0.1 < quiet < 1e5
    every = quiet / 3 if told else max(middle(case.lived) / 5, 0.2)
    shown = f"{every * 1000:.0f}ms" if every < 1 else f"{every:.0f}s"
    found = case.once(silence) if told else None
    if found is not None and found.only and found.side == "client":
        return _spoken(life, quiet) or NextStep("", filter=f"keepalive side=client every={shown}")
    side = (found.side if found is not None else None) or "client"
    return NextStep("", filter=f"keepalive side={side} every={shown}")


def _spoken(life: Connection, quiet: float) -> NextStep | None:
    """Say again what the client said last, three times in a silence of so many seconds; None where that is too long for
    a command."""
    last = life.last_message("client")
    if last is None or last.opcode != "text" or len(last.text) != last.size or last.size > SAID:
        return None
    said = last.text if last.text.startswith("{") else _quoted(last.text)
    text = "says that for the client now and then: if the connection stays open, messages were waited for"
    return NextStep(text, filter=f"inject from=client send={said} every={max(quiet / 3, 0.1):.1f}s")


def _other_path(case: Case, life: Connection, message: MessageSummary | None) -> NextStep | None:
    """The path without what stands there twice."""
    parts = life.path.split("/")
    for at, (first, second) in enumerate(zip(parts[1:], parts[2:], strict=False), 1):
        if first and first == second and first.replace("-", "").replace("_", "").isalnum():
            del parts[at]
            return NextStep("", filter=f"path replace=/{first}/{first} with=/{first}")
    return None


def _larger(case: Case, life: Connection, message: MessageSummary | None) -> NextStep | None:
    if message is None:
        return None
    return NextStep("", filter=f"drop side={message.side} size={message.size}..")


def _opening(case: Case, life: Connection, message: MessageSummary | None) -> NextStep | None:
    """What its protocol begins with, sent for the client; nothing where no such thing is known."""
    kinds = case.ledger.shapes.kinds
    first = life.traffic.server.first
    begun = [kinds.get(shape, "") for shape in life.traffic.client.shapes]
    needed = opening(life.subprotocol or "", begun, kinds.get(first.shape, "") if first is not None else "")
    if needed is None:
        return None
    text = needed.decode()
    said = text if text.startswith("{") else _quoted(text)
    return NextStep("", filter=f"inject from=client send={said} at=0s")


def _answered(case: Case, life: Connection, message: MessageSummary | None) -> NextStep:
    """Answer the pings of who ended it: its ping frames, where those had pongs of another payload."""
    side: Side = "server" if case.closer == "server" else "client"
    frames = life.traffic.beats.get((side, "control"))
    level = "control" if frames is not None and frames.mismatched else "message"
    return NextStep("", filter=f"answer-ping side={side} level={level}")


def _answered_or_spoken(case: Case, life: Connection, message: MessageSummary | None) -> NextStep:
    """Answer the server's heartbeats, or say again what the client said last where the server sends none."""
    quiet = case.once(evident_silence)
    asked = any(side == "server" and beats.sent for (side, _), beats in life.traffic.beats.items())
    spoken = _spoken(life, quiet) if quiet and not asked else None
    return spoken or NextStep("", filter="answer-ping side=server level=message")


def _fewer(case: Case, life: Connection, message: MessageSummary | None) -> NextStep:
    """Fewer of what there may be too many of: messages, or connections."""
    if of_messages(case):
        text = "lets only the first messages through: if it stays open, it is their number, or what a later one says"
        return NextStep(text, filter="only side=client first=3")
    return NextStep((
        "makes the client wait longer: if the connection stays open, it was the "
        "rate"
    ), filter="slow-reconnect 10s")


MADE: dict[str, Make] = {
    "{drop-this-message}": _without,
    "{rewritten-as-json}": _as_json,
    "{drop-this-size}": _larger,
    "{fewer}": _fewer,
    "{keepalive-within-the-silence}": lambda case, life, message: _kept_alive(case, life, idle=True),
    "{keepalive-within-the-age}": lambda case, life, message: _kept_alive(case, life, idle=False),
    "{other-path}": _other_path,
    "{opening}": _opening,
    "{answered-pings}": _answered,
    "{answered-or-spoken}": _answered_or_spoken,
}
"""Filters that are made from the recording, by what stands in a cause's file for them."""
