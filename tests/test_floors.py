"""The house plan, checked: imports go down only, and what each floor must never import."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent / "addons" / "hangup"
FLOORS = (
    ("errors", "unreachable", "system", "humanize", "markup", "commands", "wire", "messages"),
    ("recording", "replayable"),
    ("filters", "direction", "session"),
    ("diagnosis",),
    ("experiment",),
    (
        "net", "recorder", "telemetry", "processes", "proxy", "replay", "probe", "demo", "trials", "load", "fleet",
        "tables",
    ),
    ("web", "mcp_server", "testing", "cli", "__main__"),
)
"""Imports go down; within a floor, from a later room to an earlier one."""
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
ORDER = [room for rooms in FLOORS for room in rooms]
APART = {("proxy", "replay"), ("probe", "proxy"), ("probe", "replay")}
"""Rooms of one floor that know nothing of one another."""
NEVER_BELOW_5 = {
    *("mitmproxy", "click", "tornado", "asyncio", "socket", "subprocess", "time", "random"),
    *("threading", "signal", "multiprocessing", "concurrent"),
}
SEEDED = {"random"}
"""May be imported below floor 5, but only for ``random.Random`` with a seed."""
MODULES = sorted(ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = ["hangup", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """Every imported module, also what is imported for type checking only: what it says is a dependency, too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            for alias in node.names:
                if (ROOT.parent / Path(*node.module.split("."), alias.name)).with_suffix(".py").exists():
                    yield f"{node.module}.{alias.name}"


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def floor_of(module: str) -> int | None:
    return FLOOR.get(room_of(module))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_down_only(path: Path) -> None:
    name = name_of(path)
    mine = floor_of(name)
    if mine is None:
        assert name == "hangup", f"{name} is in no floor of the table"
        return
    room = room_of(name)
    for module in imports(path):
        top = module.split(".")[0]
        if top == "hangup" and (other := room_of(module)) in FLOOR:
            assert ORDER.index(other) <= ORDER.index(room), f"{name} imports {module}, which comes after it"
            assert tuple(sorted((room, other))) not in APART, f"{name} imports {module}"
            if room == "diagnosis":
                assert other not in ("filters", "experiment"), f"{name} imports {module}"
        elif mine < 5 and top in NEVER_BELOW_5 - SEEDED:
            pytest.fail(f"{name} (floor {mine}) imports {module}")
        assert top != "mitmproxy" or room == "proxy", f"{name} imports mitmproxy"
        assert top != "click" or room == "cli", f"{name} imports click"


def test_randomness_below_floor_5_is_seeded() -> None:
    for path in MODULES:
        mine = floor_of(name_of(path))
        if mine is None or mine >= 5 or "random" not in imports(path):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random":
                assert node.attr == "Random", f"{path}: random.{node.attr} is not seeded"


def test_no_module_hides_one_of_the_standard_library() -> None:
    taken = [p for p in MODULES if p.stem in sys.stdlib_module_names and p.stem != "__init__"]
    assert not taken and not [p for p in MODULES if p.stem == "utils"]


def test_there_are_no_cycles() -> None:
    known = {name_of(p) for p in MODULES}
    graph = {name_of(p): {m for m in imports(p) if m in known} - {name_of(p)} for p in MODULES}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            pytest.fail("cycle: " + " -> ".join([*trail[trail.index(name) :], name]))
        if name in done:
            return
        for other in sorted(graph[name]):
            # A package's own __init__ is imported with any of its modules; that is no dependency.
            if not name.startswith(other + ".") and not other == "hangup":
                visit(other, (*trail, name))
        done.add(name)

    for name in sorted(graph):
        visit(name, ())


def test_coverage_is_of_the_lower_floors() -> None:
    settings = tomllib.loads((ROOT.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    counted = settings["tool"]["coverage"]["run"]["source_pkgs"]
    assert sorted(counted) == sorted(f"hangup.{room}" for rooms in FLOORS[:3] for room in rooms)
