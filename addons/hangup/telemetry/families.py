"""The metrics of a running proxy as data: what Prometheus is given, and what is sent by OTLP, is made of these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import attrgetter
from typing import Literal

from msgspec import Struct

from hangup import __version__
from hangup.recorder.recorder import Recorder
from hangup.recording.events import Side
from hangup.recording.loops import Loop
from hangup.recording.totals import Distribution, Totals

Kind = Literal["counter", "gauge", "histogram"]
Value = float | Distribution


class Sample(Struct, frozen=True):
    """A value, and the values of its family's labels in their order."""

    labels: tuple[str, ...]
    value: Value


class Family(Struct, frozen=True, kw_only=True):
    """All samples of one metric, as of when they are :attr:`read`. ``name`` is without ``_total``; ``unit`` is UCUM's,
    empty for none. Two with the same ``version`` (not None) have the same samples, which need not be read again."""

    name: str
    kind: Kind
    help: str
    unit: str = ""
    labels: tuple[str, ...] = ()
    read: Callable[[], Sequence[Sample]]
    version: object = None


def _one(value: float) -> Callable[[], Sequence[Sample]]:
    return lambda: (Sample((), value),)


def families(totals: Totals, recorder: Recorder, loops: Sequence[Loop]) -> list[Family]:
    """All of them, as of now. ``loops`` are those that were found last."""
    return [*_connections(totals), *_traffic(totals, recorder), *_loops(totals, loops), *_recorder(recorder)]


def _connections(totals: Totals) -> Iterable[Family]:
    version = totals.version
    yield Family(
        name="hangup_connections_opened",
        kind="counter",
        help="WebSocket connections that were opened, by path template.",
        unit="{connection}",
        labels=("path",),
        read=lambda: [Sample((path,), count) for path, count in totals.opened.items()],
        version=version,
    )
    yield Family(
        name="hangup_connections_open",
        kind="gauge",
        help="WebSocket connections that are open now.",
        unit="{connection}",
        labels=("path",),
        read=lambda: [Sample((path,), count) for path, count in totals.open().items()],
        version=version,
    )
    yield Family(
        name="hangup_connections_ended",
        kind="counter",
        help="Connections that ended: by whom (client, server, proxy, unknown), how (close, fin, rst, timeout, "
        "unknown) and with what close code (empty for none).",
        unit="{connection}",
        labels=("path", "by", "how", "code"),
        read=lambda: [Sample((each.path, each.by, each.how, each.code), n) for each, n in totals.ended.items()],
        version=version,
    )
    yield Family(
        name="hangup_connection_lifetime_seconds",
        kind="histogram",
        help="From opening to the end, of connections that ended.",
        unit="s",
        labels=("path",),
        read=lambda: [Sample((path,), times) for path, times in totals.lifetimes.items()],
        version=version,
    )
    yield Family(
        name="hangup_handshakes_refused",
        kind="counter",
        help="Handshakes that were not answered by 101: by whom they were refused, and with what HTTP status (empty "
        "for no answer).",
        unit="{handshake}",
        labels=("path", "by", "status"),
        read=lambda: [Sample((each.path, each.by, each.status), n) for each, n in totals.refused.items()],
        version=version,
    )
    yield Family(
        name="hangup_handshake_wait_seconds",
        kind="histogram",
        help="From a handshake's request to its answer.",
        unit="s",
        read=lambda: [Sample((), totals.waits)],
        version=version,
    )
    yield Family(
        name="hangup_ping_round_trip_seconds",
        kind="histogram",
        help="From a ping frame to its pong, as they pass hangup, by the side that sent the ping.",
        unit="s",
        labels=("side",),
        read=lambda: [Sample((side,), times) for side, times in totals.round_trips.items()],
        version=version,
    )


def _traffic(totals: Totals, recorder: Recorder) -> Iterable[Family]:
    volumes = totals.volumes(recorder.tally)
    for name, noun, of in (
        ("frames", "frame", "Frames, control frames included, by who sent them."),
        ("payload_bytes", "By", "Payload bytes of whole frames as on the wire, by who sent them."),
        ("pings", "frame", "Ping frames, by who sent them."),
        ("pongs", "frame", "Pong frames, by who sent them."),
    ):
        values = tuple(map(attrgetter(name.removeprefix("payload_")), volumes.values()))
        yield Family(
            name=f"hangup_{name}",
            kind="counter",
            help=of,
            unit=noun if noun == "By" else f"{{{noun}}}",
            labels=("path", "side"),
            read=partial(_by_side, volumes, values),
            version=values,
        )


def _by_side(volumes: Iterable[tuple[str, Side]], values: Sequence[int]) -> list[Sample]:
    return [Sample(key, value) for key, value in zip(volumes, values, strict=True)]


def _loops(totals: Totals, found: Sequence[Loop]) -> Iterable[Family]:
    sums = totals.looping(found)
    version = tuple(sums.items())
    states = {True: "going_on", False: "over"}
    yield Family(
        name="hangup_loops",
        kind="gauge",
        help="Reconnect loops found so far: runs of connections that one client reopens.",
        unit="{loop}",
        labels=("path", "state"),
        read=lambda: [Sample((path, states[now]), loops) for (path, now), (loops, _) in sums.items()],
        version=version,
    )
    yield Family(
        name="hangup_loop_connections",
        kind="gauge",
        help="Connections that are part of a reconnect loop.",
        unit="{connection}",
        labels=("path", "state"),
        read=lambda: [Sample((path, states[now]), connections) for (path, now), (_, connections) in sums.items()],
        version=version,
    )


def _recorder(recorder: Recorder) -> Iterable[Family]:
    journal = recorder.journal
    yield Family(
        name="hangup_recorder_backlog_bytes",
        kind="gauge",
        help="Bytes that wait to be written to the recording.",
        unit="By",
        read=_one(journal.backlog),
    )
    yield Family(
        name="hangup_recorder_lost_events",
        kind="counter",
        help="Events that are not in the recording.",
        unit="{event}",
        read=_one(recorder.lost),
        version=recorder.lost,
    )
    yield Family(
        name="hangup_recorder_writing",
        kind="gauge",
        help="1 while the recording can be written, 0 while it cannot (a full disk, say).",
        read=_one(0 if journal.outage else 1),
        version=journal.outage,
    )
    yield Family(
        name="hangup_http_requests",
        kind="counter",
        help="Requests that passed and were no WebSocket handshakes.",
        unit="{request}",
        read=_one(recorder.http),
        version=recorder.http,
    )
    yield Family(
        name="hangup_build_info",
        kind="gauge",
        help="1; the label has hangup's version.",
        labels=("version",),
        read=lambda: (Sample((__version__,), 1),),
        version=__version__,
    )
