"""Signs: one function a fact of a case, each with the events that show it. They hold no weights and name no causes.

Which causes a sign speaks for or against stands in the causes' files (:mod:`hangup.diagnosis.causes`), what it weighs
there is fitted (:mod:`hangup.diagnosis.weights`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pkgutil import iter_modules
from typing import NamedTuple

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Cite, Trigger


class Sign(NamedTuple):
    """A fact about a case.

    ``strength`` is 1 for one that is simply there, the logarithm of a likelihood ratio for one that has a measure; a
    measure may be negative, where the opposite is so. ``text`` words it, without a name of any cause; a sign without a
    text counts and is not shown. ``trigger`` is the event that ended the connection, if the sign shows which one did.
    ``variety`` tells signs of one kind apart (which phrase of a close reason): they share what is learned of the kind.
    ``exact`` words what it is about the trigger, where the sign is that exact.
    """

    strength: float = 1.0
    text: str = ""
    cites: Iterable[Cite] = ()
    trigger: Trigger | None = None
    variety: str = ""
    exact: str = ""


Found = Sign | Iterable[Sign] | None
Reader = Callable[[Case], Found]
When = Callable[[Case], bool]

_READERS: dict[str, tuple[Reader, tuple[When, ...]]] = {}


def sign(*when: When) -> Callable[[Reader], Reader]:
    """Makes a function a sign, whose name is the function's with hyphens. It is asked where all of ``when`` hold."""

    def register(reader: Reader) -> Reader:
        name = reader.__name__.replace("_", "-")
        if name in _READERS:
            raise ValueError(f"two signs are called {name}")
        _READERS[name] = reader, when
        return reader

    return register


def readers() -> dict[str, tuple[Reader, tuple[When, ...]]]:
    """All signs by their names."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return _READERS


def read(case: Case) -> dict[str, Sign]:
    """What can be seen on a case: signs by ``name`` or ``name:variety``. Each is computed once."""
    found: dict[str, Sign] = {}
    for name, (reader, when) in readers().items():
        if not all(case.once(condition) for condition in when):
            continue
        seen = reader(case)
        for each in () if seen is None else (seen,) if isinstance(seen, Sign) else seen:
            full = f"{name}:{each.variety}" if each.variety else name
            if full not in found or abs(each.strength) > abs(found[full].strength):
                found[full] = each._replace(cites=tuple(each.cites))
    return found
