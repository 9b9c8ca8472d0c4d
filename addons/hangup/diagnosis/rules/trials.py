"""Filters that were switched while the recording was made: somebody's experiment, and its outcome."""

from __future__ import annotations

from collections.abc import Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Hypothesis, cite_all
from hangup.humanize import printable
from hangup.recording.connections import Connection, numbered
from hangup.recording.endings import SETTLED

_MESSAGE = ("message/not-json", "message/schema", "message/unknown-type", "message/wrong-opcode", "message/oversize")
_PING = ("heartbeat/app-ping-kills", *_MESSAGE)
_PONG = (
    "heartbeat/app-pong-missing-from-client",
    "heartbeat/app-pong-missing-from-server",
    "heartbeat/control-pong-missing",
    "heartbeat/pong-mismatch",
    "heartbeat/direction",
)
_IDLE = (
    "intermediary/idle-timeout",
    "heartbeat/interval-race",
    "heartbeat/throttled",
    "heartbeat/app-pong-missing-from-client",
)
_READ = ("client-lifecycle/effect-churn", "client-lifecycle/throws-on-frame")

MEANS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("drop-heartbeat", _PING),
    ("rewrite-heartbeat", _PING),
    ("drop-ping", ("heartbeat/control-ping-kills",)),
    ("answer-ping", _PONG),
    ("keepalive", _IDLE),
    ("drop-malformed", ("message/not-json", "message/encoding", "message/invalid-utf8", "message/framing")),
    ("repair-malformed", ("message/not-json", "message/encoding", "message/invalid-utf8", "message/framing")),
    ("flip-opcode", ("message/wrong-opcode",)),
    ("defragment", ("message/framing",)),
    ("strip-extensions", ("handshake/extension",)),
    ("strip-header sec-websocket-protocol", ("handshake/subprotocol",)),
    ("subprotocol", ("handshake/subprotocol",)),
    ("strip-header origin", ("handshake/origin",)),
    ("origin", ("handshake/origin",)),
    ("unique-id", ("identity/id-collision",)),
    ("path", ("handshake/path",)),
    ("slow-reconnect", ("handshake/limit", "identity/ghost-session")),
    ("mute side=server", _READ),
    ("drop side=server", _READ),
    ("mute", (*_PING, "server-handler/returns-after-message", "server-handler/crash-on-message")),
    ("drop", (*_PING, "server-handler/crash-on-message")),
    ("rewrite", (*_PING, "server-handler/crash-on-message")),
)
"""How a filter's text begins, and the causes that it would cure. The first that fits counts."""

MOST = 0.8
"""The share of a connection's life for which a filter must have been on to count as on."""


def spans(case: Case) -> dict[str, list[tuple[float, float]]]:
    """For each filter that was switched: when it was on, in seconds."""
    on: dict[str, float] = {name: 0.0 for name in case.header.filters}
    found: dict[str, list[tuple[float, float]]] = {}
    switched = False
    for event in case.ledger.filters:
        switched = True
        if event.action in ("on", "add"):
            on.setdefault(event.filter, event.at)
        elif event.action in ("off", "remove") and event.filter in on:
            found.setdefault(event.filter, []).append((on.pop(event.filter), event.at))
    for name, at in on.items():
        found.setdefault(name, []).append((at, case.last_at))
    return found if switched else {}


def _share(life: Connection, on: list[tuple[float, float]]) -> float:
    start = life.began
    end = start + max(life.lasted, 0.01)
    covered = sum(max(0.0, min(end, stop) - max(start, begin)) for begin, stop in on)
    return covered / (end - start)


def _at_the_end(life: Connection, on: list[tuple[float, float]]) -> bool:
    """Whether it was still on: one that was switched off in time to let the cause through has not failed."""
    end = life.end if life.end is not None else life.began
    return any(begin <= end <= stop for begin, stop in on)


def trials(case: Case) -> Iterator[Hypothesis]:
    """Connections with a filter against those without it."""
    if not case.victims:
        return
    usual = middle(case.lived)
    for name, on in list(spans(case).items())[:16]:
        low = name.lower()
        cures = next((causes for word, causes in MEANS if low.startswith(word)), ())
        if not cures:
            continue
        died = [life for life in case.victims if _share(life, on) >= MOST and _at_the_end(life, on)]
        died_without = [life for life in case.victims if _share(life, on) <= 1 - MOST]
        lived = [
            life
            for life in case.others
            if life.open_since is not None and _share(life, on) >= MOST and life.lasted > max(2 * usual, SETTLED)
        ]
        shown = printable(name, 60)
        for verdict in cures:
            hypothesis = Hypothesis(verdict, closer=case.closer, adds=True)
            if lived and not died and len(died_without) >= 2:
                text = (
                    f"with the filter `{shown}` on, {numbered(lived)} stayed open; without it {len(died_without)} ended"
                )
                yield hypothesis.says(
                    "stayed-open-with-its-filter",
                    2.0 + 0.5 * min(len(lived), 3),
                    text,
                    cite_all([*lived, *died_without]),
                )
            elif any(life.traffic.acted for life in died):
                yield hypothesis.says(
                    "ended-with-its-filter-on", -3.0, f"with the filter `{shown}` on it ended as well", cite_all(died)
                )
