"""Filters that were switched on and off: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hangup.diagnosis.signs import interventions
from hangup.recording.events import FilterEvent
from layouts import Line, Tape
from signs_seen import Lay, said_and_silent, says

FILTER = "drop-heartbeat side=client"
BEAT = {"type": "ping"}


def ends(tape: Tape, at: float, count: int = 3) -> float:
    """Connections that end at a heartbeat; when the last did."""
    for _ in range(count):
        line = tape.open(at)
        line.client({"type": "hello"}, 0.05).client(BEAT, 1.0).end("server", after=0.004)
        at = line.at + 0.5
    return at


def switch(tape: Tape, at: float, action: str = "add", name: str = FILTER) -> None:
    tape.events.append(FilterEvent(at=at, filter=name, action=action))


def act(tape: Tape, line: Line, name: str = FILTER) -> Line:
    """The filter acts on the last frame of a line."""
    event = FilterEvent(at=line.at, conn=line.conn, filter=name, action="drop", side="client", n=line.n)
    tape.events.append(event)
    return line


def then(play: Callable[[Line], Any], name: str = FILTER, before: int = 3, action: str = "add") -> Lay:
    """Some end without the filter, then it is switched on, and another connection begins."""

    def lay(tape: Tape) -> None:
        at = ends(tape, 0.5, before)
        switch(tape, at, action, name)
        play(tape.open(at + 0.1))

    return lay


def stays(line: Line) -> Line:
    for _ in range(20):
        act(line.tape, line.client(BEAT, 1.0))
    return line


def switched_on_late(tape: Tape) -> None:
    at = ends(tape, 0.5)
    stays(tape.open(at + 0.1))
    switch(tape, at + 10.0)


def some_end_with_it(tape: Tape) -> None:
    at = ends(tape, 0.5)
    switch(tape, at)
    at = ends(tape, at + 0.1, 2)
    stays(tape.open(at))


def never_switched(tape: Tape) -> None:
    ends(tape, 0.5)
    stays(tape.open(30.0))


def ended_with(play: Callable[[Line], Any] = lambda line: None, name: str = FILTER, off: float = 0.0) -> Lay:
    """It ends with the filter on as without it; the filter may be switched off before."""

    def lay(tape: Tape) -> None:
        at = ends(tape, 0.5)
        switch(tape, at)
        line = tape.open(at + 0.1)
        line.client({"type": "hello"}, 0.05)
        play(line)
        line.client(BEAT, 1.0).end("server", after=0.004)
        if off:
            switch(tape, line.at - off, "off")

    return lay


SPEAKS: dict[str, Lay] = {
    "stays-open-with-filter:drop-heartbeat": then(stays),
    "stays-open-with-filter:drop-side-server": then(stays, "drop kind=news side=server"),
    "stays-open-with-filter:drop": then(stays, "drop kind=ping side=client"),
    "stays-open-with-filter:strip-header-origin": then(stays, "strip-header Origin"),
    "drops-all-the-same-with-filter:drop-heartbeat": ended_with(lambda line: act(line.tape, line)),
}

SILENT: dict[str, list[Lay]] = {
    "stays-open-with-filter": [
        switched_on_late, some_end_with_it, never_switched, then(stays, before=1), then(lambda line: line.wait(1.0)),
        then(stays, action="off"), then(lambda line: stays(line).close("server", 1011, "", 0.1)), ended_with(),
        then(lambda line: line.client(BEAT, 20.0).end("server", "rst")),
    ],
    "drops-all-the-same-with-filter": [
        then(stays), ended_with(), ended_with(lambda line: act(line.tape, line, "delay 10ms")), never_switched,
        ended_with(lambda line: act(line.tape, line), off=0.3), switched_on_late,
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(interventions, SPEAKS, SILENT)


def test_how_long_it_stayed_open_is_said() -> None:
    (sign,) = says("stays-open-with-filter", then(stays))
    assert sign.text == (
        "with the filter `drop-heartbeat side=client` on, connection 4 stayed open for 20.0 s; "
        "without it 3 ended sooner"
    )
    assert sign.variety == "drop-heartbeat" and sign.strength == 2.5
