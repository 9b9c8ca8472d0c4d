"""Connections that pile up: where it is said, and what looks like it and is not so."""

from __future__ import annotations

from hangup.diagnosis.signs import piled_up_connections
from layouts import Line, Tape, greet
from signs_seen import Lay, said_and_silent, says


def opened(count: int = 6, every: float = 1.0, path: str = "/ws/1", closed: bool = False, ended: str = "server") -> Lay:
    """One connection after the other, then ends."""

    def lay(tape: Tape) -> None:
        lines: list[Line] = []
        for n in range(count):
            line = greet(tape.open(0.5 + every * n, path.format(n)))
            if closed and lines:
                lines[-1].at = line.at
                lines[-1].close("client", 1001)
            lines.append(line)
        if ended == "refused":
            for n in range(3):
                tape.open(0.5 + every * count + n, path.format(count + n), status=503)
        for line in lines[-1:] if closed else lines:
            line.at = every * count + 5.0
            line.end("client" if ended == "client" else "server", by="proxy" if ended == "refused" else "")

    return lay


def from_many_hosts(tape: Tape) -> None:
    opened()(tape)
    for event in tape.events:
        if hasattr(event, "client"):
            event.client = f"10.0.0.{event.conn}:5000"


def some_ended_before(tape: Tape) -> None:
    greet(tape.open(0.1)).end("server", after=0.5)
    opened()(tape)


SPEAKS: dict[str, Lay] = {"connections-pile-up": opened()}

SILENT: dict[str, list[Lay]] = {
    "connections-pile-up": [
        opened(3), opened(every=0.05), opened(path="/ws/{}"), opened(closed=True), opened(ended="client"),
        from_many_hosts, some_ended_before,
    ]
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(piled_up_connections, SPEAKS, SILENT)


def test_also_where_the_next_are_refused() -> None:
    (sign,) = says("connections-pile-up", opened(8, ended="refused"))
    assert sign.strength == 2.0 and "8 connections within 7.00 s" in sign.text
