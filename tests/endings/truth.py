"""What is true of an order of ending, and what the parts of hangup say of a recording in which orders were played.

Both are functions of their own: whoever changes how endings are read can ask :func:`wrong` and :func:`disagreements`
of any recording of ``endings.run --keep FILE``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from endings.orders import Act, Order, Side, Step
from hangup.diagnosis.case import Case
from hangup.errors import HangupError
from hangup.experiment.reading import read_case
from hangup.recording import events, reader
from hangup.recording.connections import Connection
from hangup.recording.fates import settle
from hangup.recording.ledger import Ledger
from hangup.recording.traffic_ledger import look_into
from hangup.web.query import describe
from hangup.web.recorded import Recorded

HEALTHY = (None, 1000, 1001)
"""Close codes with which a client leaves in order; 1005 is none."""

_HOW = {"code": "close", "empty": "close", "notify": "fin", "fin": "fin", "cut": "fin", "close": "fin", "rst": "rst"}


class Truth(NamedTuple):
    """Who ended it first, how, with what code, and whether it failed."""

    by: Side
    how: str
    code: int | None
    failed: bool


def truth(order: Order) -> Truth:
    """Of an order that was played to its end. A server that ends what has just been opened fails whatever it says; a
    client that leaves for good, and is not heard of again, fails only where its close code says so."""
    first = next(step for step in order if step.act in _HOW)
    code = 4001 if first.act == "code" else None
    how = _HOW[first.act]
    return Truth(first.side, how, code, first.side == "server" or code not in HEALTHY)


def order_of(target: str) -> Order:
    """The order that was played at this path."""
    steps: list[Step] = []
    for word in target.removeprefix("/").split(","):
        side, act = word.split(":")
        steps.append(Step("client" if side == "client" else "server", _act(act)))
    return tuple(steps)


def _act(word: str) -> Act:
    return word  # type: ignore[return-value]


def ledger(recording: Path) -> Ledger:
    """Its connections."""
    found = Ledger()
    for event in reader.read(recording):
        found.feed(event)
    return found


def wrong(recording: Path) -> Iterator[str]:
    """Where ``show --json`` does not say the truth, one line each."""
    for connection in ledger(recording).connections.values():
        true, said = truth(order_of(connection.target)), connection.summary()
        ending = said["ending"]
        for name, value in (("by", true.by), ("how", true.how), ("code", true.code)):
            if ending[name] != value:
                yield f"{connection.target}: {name} is {ending[name]!r}, not {value!r}"
        if said["lifetime"] is None:
            yield f"{connection.target}: no lifetime: {ending['sentence']}"


def disagreements(recording: Path, folder: Path) -> Iterator[str]:
    """Where the parts of hangup do not agree with the truth whether a connection failed, one line each.

    Each connection is looked at alone, in a recording of its own in ``folder``.
    """
    opened = reader.read(recording)
    lines: dict[int, list[events.AnyEvent]] = {}
    for event in opened:
        lines.setdefault(event.conn, []).append(event)
    for conn, connection in ledger(recording).connections.items():
        file = folder / f"{conn}.jsonl"
        file.write_bytes(events.dump([opened.header, *lines[conn]]))
        expected = truth(order_of(connection.target)).failed
        said = judgements(file, connection)
        off = [where for where, failed in said.items() if failed is not expected]
        if off:
            yield f"{connection.target}: it {'failed' if expected else 'is healthy'}, not so: {', '.join(off)}"
        file.unlink()


def judgements(recording: Path, connection: Connection) -> dict[str, bool]:
    """What each part says: whether this connection, alone in a recording, failed."""
    alone = ledger(recording)
    settle(alone)
    said = {"show": bool(alone.connections[connection.conn].summary()["failed"])}
    opened = reader.read(recording)
    said["why"] = bool(Case(look_into(opened.header, opened)).victims)
    try:
        read_case(reader.read(recording))
        said["bisect and check"] = True
    except HangupError:
        said["bisect and check"] = False
    page = Recorded(recording)
    while page.read(5.0):
        pass
    page.loops()
    said["page"] = bool(describe(page, page.index.lanes[connection.conn])["failed"])
    return said
