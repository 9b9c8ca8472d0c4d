"""The few events around one end, for a small drawing of it."""

from __future__ import annotations

import re

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Trigger
from hangup.diagnosis.report import Mark
from hangup.diagnosis.told_errors import from_the_words_on, reports_an_error
from hangup.humanize import printable
from hangup.recording.backend_log import last_line
from hangup.recording.connections import Connection
from hangup.recording.traffic import MessageSummary

BEFORE = 5
"""Messages shown before the end."""

SURELY_SHOWN = 40
"""So many characters of a message have room on a terminal of usual width."""

FEW = 3
"""So many more are shown, rather than left out between the one in question and those."""

_FAILURE = re.compile(r"(?:Error|Exception|Traceback|FATAL|panic)\b|\bERROR\b")

NEARBY = 0.5
"""Seconds around the end within which other connections and the log are shown."""


def around(case: Case, trigger: Trigger) -> tuple[int | None, list[Mark]]:
    """The connection shown (the trigger's, or the first that dropped) and its marks in order of time."""
    life = case.by_conn.get(trigger.conn or 0)
    if trigger.kind == "peer":  # it is the other one that ended
        life = next((victim for victim in case.victims if victim.conn != trigger.conn), life)
    if life is None or (case.victims and life not in case.victims):
        life = case.victims[0] if case.victims else life
    if life is None:
        return None, []
    end = life.end
    if end is None:
        end = life.last_seen
    marks = [*_frames(life, end, trigger), *_end(life), *_others(case, life, end), *_logs(case, end)]
    order = {"open": 0, "message": 1, "ping": 1, "pong": 1, "gap": 2, "log": 2, "other": 3, "close": 4, "end": 5}
    marks.sort(key=lambda mark: (round(mark.at, 4), order.get(mark.kind, 1)))
    return life.conn, marks


def _frames(life: Connection, end: float, trigger: Trigger) -> list[Mark]:
    recent = list(life.traffic.recent)
    start = max(len(recent) - BEFORE - 1, 0)
    asked = trigger.frame if trigger.conn == life.conn else None
    named = next((i for i, m in enumerate(recent) if m.n == asked), start)
    left_out = max(start - named - 1, 0)
    if left_out <= FEW:
        shown, left_out = recent[min(named, start) :], 0
    else:
        shown = [recent[named], *recent[start:]]
    marks = []
    if left_out:
        marks.append(Mark(recent[named].at - end, recent[named].side, f"… {left_out} frames", kind="gap"))
    if life.open_since is not None and (len(recent) < BEFORE + 2 or end - life.open_since < 1.0):
        marks.append(Mark(life.open_since - end, "server", "101, open", kind="open"))
    elif life.open_since is None and life.traffic.request is not None:
        target = printable(life.target, 60)
        marks.append(Mark(life.began - end, "client", f"GET {target}", kind="open"))
    for message in shown:
        if message.opcode == "close":
            marks.append(
                Mark(message.at - end, message.side, f"CLOSE {printable(message.text, 60)}".strip(), message.n, "close")
            )
            continue
        beat = message.shape.beat
        kind = message.opcode if message.opcode in ("ping", "pong") else beat.kind if beat is not None else "message"
        text = message.opcode.upper() if not message.data else printable(_telling(message), 60) or message.shape.text
        marks.append(Mark(message.at - end, message.side, text, message.n, kind))
    return marks


def _telling(message: MessageSummary) -> str:
    """What is shown of a message: of an error the words, if all of it has no room."""
    return from_the_words_on(message.text, SURELY_SHOWN) if reports_an_error(message) else message.text


def _end(life: Connection) -> list[Mark]:
    steps = [step for step in life.ending.account if step.what in ("fin", "rst", "timeout", "error")]
    if life.open_since is None:
        status = life.status
        return [
            Mark(
                0.0,
                "server",
                f"HTTP {status}" if status else printable(life.error, 60) or "no answer",
                kind="end",
            )
        ]
    if not steps or life.end is None:
        return []
    step = steps[0]
    return [Mark(step.at - life.end, step.side, step.text.partition(" ")[2], kind="end")]


def _others(case: Case, life: Connection, end: float) -> list[Mark]:
    marks = []
    for other in case.lives:
        if other is life:
            continue
        if other.open_since is not None and abs(other.open_since - end) <= NEARBY:
            marks.append(Mark(other.open_since - end, "client", f"connection {other.conn} opens", kind="other"))
        elif other.open_since is None and 0 <= other.began - end <= NEARBY:
            marks.append(Mark(other.began - end, "client", f"connection {other.conn} asks", kind="other"))
        if other.end is not None and other.open_since is not None and abs(other.end - end) <= NEARBY:
            marks.append(Mark(other.end - end, other.ending.by, f"connection {other.conn} ends", kind="other"))
    return sorted(marks, key=lambda mark: abs(mark.at))[:4]


def _logs(case: Case, end: float) -> list[Mark]:
    near = [log for log in case.ledger.logs if abs(log.at - end) <= NEARBY]
    if failures := [log for log in near if _FAILURE.search(log.text[:20_000])]:
        near = failures
    marks = [Mark(log.at - end, "server", printable(last_line(log.text), 80), kind="log") for log in near]
    return sorted(marks, key=lambda mark: abs(mark.at))[:3]
