"""The filters in docs/CREATING_FILTERS.md are what it says that they are."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from filtered import Filtered
from hangup.filters import base, library
from hangup.filters.base import Action, Filter, Kind
from hangup.filters.catalogue import describe
from hangup.filters.text import parse
from hangup.recording.events import FilterEvent
from harness.frames import MASK, TEXT, frame
from harness.peers import RawServer, open_websocket
from harness.proxies import HangupProxy

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "CREATING_FILTERS.md").read_text()
SCRIPT, BUILT_IN = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "drop_repeats.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def built_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Filter]]:
    """The class, in the library's list for as long as the test lasts."""
    module = ModuleType("drop_repeats_of_the_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(BUILT_IN, "CREATING_FILTERS.md", "exec"), module.__dict__)
    cls: type[Filter] = module.DropRepeats
    monkeypatch.setitem(library.FILTERS, cls.word(), cls)
    yield cls


def test_the_script(script: Path) -> None:
    run = Filtered(f"""script '{script}' args={{"within":0.5}}""")
    assert run.client("subscribe") == [(TEXT, b"subscribe")]
    run.at = 0.25
    assert run.client("subscribe") == [] and run.server("subscribe") == [(TEXT, b"subscribe")]
    run.at = 1.0
    assert run.client("subscribe") == [(TEXT, b"subscribe")]
    assert run.client("other") == [(TEXT, b"other")] and run.client("subscribe") == [(TEXT, b"subscribe")]
    assert [each.note for each in run.lines if isinstance(each, FilterEvent)] == ["sent 0.250 s earlier"]
    run.check()


def test_the_script_in_a_proxy(script: Path) -> None:
    with RawServer() as server, HangupProxy(server.url, "--filter", f"script '{script}'") as proxy:
        client = open_websocket(proxy.address, "/x")
        backend = server.accept()
        once, last = (frame(TEXT, said, mask=MASK) for said in (b"subscribe", b"last"))
        client.send(once + once + last)
        backend.expect(len(once + last))
        assert bytes(backend.received) == once + last
        client.close()
        backend.close()
        proxy.stop()
        (dropped,) = [each for each in proxy.events() if isinstance(each, FilterEvent) and each.action == "drop"]
        assert dropped.filter.startswith("script ") and dropped.note.startswith("sent 0.")


def test_the_built_in_one(built_in: type[Filter]) -> None:
    assert str(parse(built_in.example)) == built_in.example
    said = describe(built_in)
    assert said["name"] == "drop-repeats"
    assert said["summary"] == "Drops a message that its side has just sent."
    assert said["positional"] == ["within"] and "kind" in [each["name"] for each in said["settings"]]
    run = Filtered("drop-repeats 200ms side=client contains=sub")
    assert run.client("sub") == [(TEXT, b"sub")] and run.client("ping") == [(TEXT, b"ping")]
    assert run.client("sub") == [] and run.server("sub") == run.server("sub") == [(TEXT, b"sub")]
    assert run.client("ping") == [(TEXT, b"ping")]
    run.at = 0.2
    assert run.client("sub") == [(TEXT, b"sub")]
    run.check()


def test_all_kinds_and_actions_are_told_of() -> None:
    for kind in Kind:
        assert f"`{kind.name}`" in PAGE
    for action in Action.__subclasses__():
        assert f"`{action.__name__}(" in PAGE
    for item in base.Item.__args__:  # type: ignore[attr-defined]
        assert f"`{item.__name__}`" in PAGE
