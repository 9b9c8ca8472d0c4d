"""The table of programs: what each fault is called, who ends the connection and why, and on which stacks it runs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lab.app import FORMS, App

PULLED = ("fastapi", "websockets", "aiohttp", "raw")
PYTHON = ("fastapi", "starlette", "websockets", "aiohttp", "tornado", "channels", "raw")
GENERIC = (*PYTHON, "ws")
REACHING = ("fastapi", "starlette", "websockets", "aiohttp", "tornado", "raw", "ws")
"""Stacks whose handler can reach below the library: control frames, resets, raw bytes."""
EVERYWHERE = (*GENERIC, "socketio", "socket.io", "graphql-ws")

LIBRARIES = ("websockets", "websockets", "ws", "ws", "aiohttp", "raw")


@dataclass
class Label:
    """What a perfect expert could conclude from the recording.

    ``cause`` is ``category/subcategory``, or ``unknown/`` where the vocabulary has no word; ``alternatives`` name the
    same thing as far as the recording can tell; ``never_sure`` are what must not be named with confidence.
    ``trigger`` is what makes it end: ``message``, ``control``, ``header``, ``age``, ``idle``, ``count``, ``rate``,
    ``connection`` (another one), ``event`` (of the server or of the page, nothing of the client's), or ``none``;
    ``property`` is which message or value. ``place`` is where to mend it: ``application``, ``library``, ``process``,
    ``intermediary`` or ``client``. ``told`` is whether what would keep it open can be known from the recording and the
    target: which origin or subprotocol is allowed, or a valid token, stands nowhere.
    """

    cause: str
    closer: str
    trigger: str
    place: str
    property: str = ""
    alternatives: list[str] = field(default_factory=list)
    never_sure: list[str] = field(default_factory=list)
    told: bool = True


@dataclass
class Expected:
    """What a recording must show for its label to be true.

    ``closer`` ends at least ``least`` connections first, with one of ``codes`` (0 for none sent) where there are any;
    or ``statuses`` answer at least ``least`` handshakes. For healthy programs ``most`` is how many may end at all by
    themselves. ``enough`` endings end the run, else ``seconds`` do.
    """

    closer: str = ""
    least: int = 2
    codes: tuple[int, ...] = ()
    statuses: tuple[int, ...] = ()
    most: int | None = None
    enough: int = 4
    seconds: float = 9.0
    unanswered: bool = False


@dataclass(frozen=True)
class Fault:
    """An entry: ``build`` writes it into an application."""

    name: str
    build: Callable[[App], None]
    cause: str
    closer: str
    trigger: str
    place: str
    stacks: tuple[str, ...]
    libraries: tuple[str, ...]
    forms: tuple[str, ...]
    property: str
    alternatives: tuple[str, ...]
    never_sure: tuple[str, ...]
    open_set: bool
    kind: int | None
    expected: dict[str, Any]
    needs: tuple[str, ...]
    __test__ = False

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return self.cause.startswith("none/")


FAULTS: dict[str, Fault] = {}


def fault(
    cause: str,
    closer: str,
    trigger: str,
    place: str,
    *,
    stacks: tuple[str, ...] = GENERIC,
    libraries: tuple[str, ...] = LIBRARIES,
    forms: tuple[str, ...] = FORMS,
    property: str = "",
    also: tuple[str, ...] = (),
    never: tuple[str, ...] = (),
    kind: int | None = None,
    needs: tuple[str, ...] = (),
    **expected: Any,
) -> Callable[[Callable[[App], None]], Callable[[App], None]]:
    """Enters a builder into the table, under its own name. ``cause`` ``unknown/`` makes it an open-set fault."""

    def enter(build: Callable[[App], None]) -> Callable[[App], None]:
        name = build.__name__.replace("_", "-")
        assert name not in FAULTS, name
        FAULTS[name] = Fault(
            name,
            build,
            cause,
            closer,
            trigger,
            place,
            stacks,
            libraries,
            forms,
            property,
            also,
            never,
            cause == "unknown/",
            kind,
            expected,
            needs,
        )
        return build

    return enter


@dataclass
class Program:
    """A fault on a stack, drawn from a seed, ready to run."""

    fault: Fault
    stack: str
    seed: int
    library: str
    app: App
    label: Label
    expected: Expected

    @property
    def name(self) -> str:
        """What it is called: the fault and the stack."""
        return f"{self.fault.name}--{self.stack}"

    @property
    def folder(self) -> str:
        """A folder name of its own."""
        return f"{self.name}--{self.seed}"

    def as_json(self) -> dict[str, Any]:
        """The label file."""
        label = self.label
        return {
            "program": self.name,
            "fault": self.fault.name,
            "stack": self.stack,
            "client": self.library,
            "cause": label.cause,
            "alternatives": label.alternatives,
            "never_sure": label.never_sure,
            "closer": label.closer,
            "trigger": label.trigger,
            "property": label.property,
            "place": label.place,
            "open_set": self.fault.open_set,
            "sibling_of": self.fault.kind,
            "seed": self.seed,
        }


def program(fault: Fault, stack: str, seed: int) -> Program:
    """The program that a fault is on this stack with this seed; always the same."""
    rng = random.Random(f"program {fault.name} {stack} {seed}")
    library = rng.choice(fault.libraries)
    app = App(rng, stack, library, fault.forms)
    label = Label(
        fault.cause,
        fault.closer,
        fault.trigger,
        fault.place,
        fault.property,
        [*fault.alternatives],
        [*fault.never_sure],
    )
    closer = fault.closer if fault.closer in ("client", "server") else ""
    expected = Expected(**{"closer": closer, **fault.expected})
    if fault.healthy and expected.most is None:
        expected.most = 0
    app.label, app.expected = label, expected
    fault.build(app)
    return Program(fault, stack, seed, app.library, app, label, expected)


def plan(count: int, seed: int, only: str = "") -> Iterator[Program]:
    """So many programs: faults and healthy ones in turn, every stack of an entry before one comes again."""
    import lab.faults  # noqa: F401  (fills the table)

    rng = random.Random(f"plan {seed}")
    chosen = [entry for entry in FAULTS.values() if only in entry.name]
    groups = [[e for e in chosen if not e.healthy], [e for e in chosen if e.healthy]]
    decks: dict[str, list[str]] = {}
    queues: list[list[Fault]] = [[], []]
    for n in range(count):
        which = n % 2 if all(groups) else int(not groups[0])
        if not groups[which]:
            return
        if not queues[which]:
            queues[which] = rng.sample(groups[which], len(groups[which]))
        entry = queues[which].pop()
        if not decks.get(entry.name):
            decks[entry.name] = rng.sample(entry.stacks, len(entry.stacks))
        yield program(entry, decks[entry.name].pop(), seed * 100_000 + n)


__all__ = [
    "EVERYWHERE",
    "FAULTS",
    "FORMS",
    "GENERIC",
    "LIBRARIES",
    "PULLED",
    "PYTHON",
    "REACHING",
    "Expected",
    "Fault",
    "Label",
    "Program",
    "fault",
    "plan",
    "program",
]
