"""The page's modules as one script, and its style sheets as one: for a file that is opened without a server.

The modules are put one after the other, each in a function of its own, in an order in which none is needed before it is
there. That takes the few forms of ``import`` and ``export`` that the page is written in; any other is an error.
"""

from __future__ import annotations

import re
from functools import cache
from posixpath import dirname, join, normpath

from hangup.web.pages import FOLDER

_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.{1,2}/[\w./-]+)";$', re.M)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.M)
_LIST = re.compile(r"\bexport\s*\{([^}]*)\};?\s*\Z")
_LEFT = re.compile(r"^(?:import|export)\b|(?:\bawait|\breturn|=>)\s*import\(", re.M)
_CLOSING = re.compile(r"</(?:script|style)|<!--", re.I)
"""What would end a script or a style sheet within HTML, or confuse its parser."""


class BundleError(Exception):
    """A module of the page is written in a way that cannot be put into one script: a fault of ours."""


@cache
def script(entry: str) -> str:
    """The module ``entry`` (a name within the page's folder) and all that it needs, as one module without imports.

    Raises :class:`BundleError`."""
    done: dict[str, str] = {}
    _add(entry, done, ())
    return _inert("".join(done.values()))


@cache
def styles(*names: str) -> str:
    """These style sheets, one after the other."""
    return _inert("\n".join(_read(name) for name in names))


def licences() -> str:
    """Under which terms others may pass on what is not ours in a script."""
    return _inert("\n".join(_read(f"vendor/LICENSE-{name}") for name in ("preact", "htm")))


def _add(name: str, done: dict[str, str], trail: tuple[str, ...]) -> None:
    if name in trail:
        raise BundleError(f"modules import one another: {' -> '.join([*trail, name])}")
    if name in done:
        return
    text = _read(name)

    def imported(found: re.Match[str]) -> str:
        other = normpath(join(dirname(name), found[2]))
        _add(other, done, (*trail, name))
        return f"const {{{_renamed(found[1])}}} = {_variable(other)};"

    exported = []

    def declared(found: re.Match[str]) -> str:
        exported.append(found[1])
        return ""

    text = _IMPORT.sub(imported, text)
    text = _EXPORT.sub(declared, text)
    if (last := _LIST.search(text)) is not None:
        text = text[: last.start()]
        exported += [f"{public}: {local}" for local, public in _pairs(last[1])]
    if (left := _LEFT.search(text)) is not None:
        line = text[: left.start()].count("\n") + 1
        raise BundleError(f"{name}, line {line}: {left[0]!r} is not understood")
    given = f"return {{ {', '.join(exported)} }};"
    done[name] = f"// {name}\nconst {_variable(name)} = (() => {{\n{text}\n{given}\n}})();\n"


def _pairs(names: str) -> list[tuple[str, str]]:
    """``a, b as c`` as (a, a), (b, c)."""
    found = []
    for each in filter(None, (part.strip() for part in names.split(","))):
        first, _, second = each.partition(" as ")
        found.append((first.strip(), second.strip() or first.strip()))
    return found


def _renamed(names: str) -> str:
    return ", ".join(name if name == local else f"{name}: {local}" for name, local in _pairs(names))


def _variable(name: str) -> str:
    return "$" + re.sub(r"\W", "_", name.removesuffix(".js"))


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _inert(text: str) -> str:
    if (found := _CLOSING.search(text)) is not None:
        raise BundleError(f"{found[0]!r} cannot stand within HTML")
    return text
