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
from hangup.diagnosis.collector import collect
from hangup.errors import HangupError
from hangup.experiment.reading import read_case
from hangup.recording import events, reader
from hangup.recording.connections import Connection, Ledger

HEALTHY = (None, 1000, 1001)
"""Close codes after which nothing is to be found out; 1005 is none."""

_HOW = {"code": "close", "empty": "close", "notify": "fin", "fin": "fin", "cut": "fin", "close": "fin", "rst": "rst"}


class Truth(NamedTuple):
    """Who ended it first, how, with what code, and whether it failed."""

    by: Side
    how: str
    code: int | None
    failed: bool


def truth(order: Order) -> Truth:
    """Of an order that was played to its end."""
    first = next(step for step in order if step.act in _HOW)
    code = 4001 if first.act == "code" else None
    how = _HOW[first.act]
    return Truth(first.side, how, code, how != "close" or code not in HEALTHY)


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
        said = judgements(file, conn, connection)
        off = [where for where, failed in said.items() if failed is not expected]
        if off:
            yield f"{connection.target}: it {'failed' if expected else 'is healthy'}, not so: {', '.join(off)}"
        file.unlink()


def judgements(recording: Path, conn: int, connection: Connection) -> dict[str, bool]:
    """What each part says: whether this connection, alone in a recording, failed."""
    opened = reader.read(recording)
    ending = connection.ending
    said = {"show": ending.how in ("fin", "rst", "timeout") or (ending.how == "close" and ending.code not in HEALTHY)}
    case = Case(collect(opened.header, opened))
    said["why"] = bool(case.victims)
    try:
        read_case(reader.read(recording))
        said["bisect and check"] = True
    except HangupError:
        said["bisect and check"] = False
    return said
