"""What the tests of the signs share: the signs of a laid-out recording, and the two tables in which each stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import pytest

from hangup.diagnosis import signs
from hangup.diagnosis.case import Case
from hangup.diagnosis.signs import Sign
from hangup.recording.events import Note
from hangup.recording.traffic_ledger import look_into
from layouts import Tape, header

Lay = Callable[[Tape], Any]
Test = Callable[..., None]


def case_of(lay: Lay, lacks: Sequence[str] = ()) -> Case:
    """The case of a recording, which may be an import that lacks something."""
    tape, told = Tape(), header()
    told.lacks = list(lacks)
    lay(tape)
    return Case(look_into(told, tape.done()))


def seen(lay: Lay, lacks: Sequence[str] = ()) -> dict[str, Sign]:
    """The signs of a recording. What they cite is there."""
    case = case_of(lay, lacks)
    found = signs.read(case)
    for sign in found.values():
        assert all(cite.conn in case.by_conn for cite in sign.cites)
    return found


def lossy(lay: Lay) -> Lay:
    """The same, and of each connection the recorder lost something."""

    def lay_and_lose(tape: Tape) -> None:
        lay(tape)
        last = max(event.at for event in tape.events)
        tape.events += [Note(at=last, conn=conn + 1, text="", lost=1) for conn in range(tape.conns)]

    return lay_and_lose


def says(name: str, lay: Lay, lacks: Sequence[str] = ()) -> list[Sign]:
    """The signs of a name, whatever their variety, or those of the variety that is named."""
    return [sign for full, sign in seen(lay, lacks).items() if name in (full, full.partition(":")[0])]


def untested(module: ModuleType, *tables: Mapping[str, object]) -> set[str]:
    """The signs of a module that are missing from some of the tables."""
    mine = {name for name, (reader, _) in signs.readers().items() if reader.__module__ == module.__name__}
    return {name for table in tables for name in mine - {key.partition(":")[0] for key in table}}


def said_and_silent(
    module: ModuleType, speaks: Mapping[str, Lay], silent: Mapping[str, Sequence[Lay]]
) -> tuple[Test, ...]:
    """The tests that all modules of signs have: each sign is said where it is so, and not of what looks alike; and both
    tables have every sign."""

    @pytest.mark.parametrize("name", speaks)
    def said(name: str) -> None:
        assert says(name, speaks[name]), name

    @pytest.mark.parametrize(("name", "lay"), [(name, lay) for name, lays in silent.items() for lay in lays])
    def not_said(name: str, lay: Lay) -> None:
        found = [sign.text for sign in says(name, lay)]
        assert not found, (name, found)

    def complete() -> None:
        missing = untested(module, speaks, silent)
        assert not missing, missing

    return said, not_said, complete
