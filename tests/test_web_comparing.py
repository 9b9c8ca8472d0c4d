"""Two connections compared for the page: what ``hangup diff`` says of them, and no more than can be shown."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import recorded as rec
from hangup.cli import cli
from hangup.recording import events as ev
from hangup.web import comparing
from hangup.web.query import QueryError
from test_web_index import GOLDEN, opened, query

LOOPS = [path for path in GOLDEN if path.name.startswith(("a3", "b", "c"))]


@pytest.mark.parametrize("path", LOOPS, ids=lambda path: path.stem)
@pytest.mark.parametrize("strict", [False, True])
def test_it_is_what_diff_says(path: Path, strict: bool) -> None:
    recorded = opened(path)
    conns = list(recorded.index.lanes)[:2]
    if len(conns) < 2:
        pytest.skip("one connection")
    a, b = conns
    arguments = ["diff", str(path), "--conn", str(a), "--conn-b", str(b), "--json", *(["--strict"] if strict else [])]
    told = json.loads(CliRunner().invoke(cli, arguments).output)["pairs"][0]
    found = query(recorded, "compare", conn=a, with_=b, strict=int(strict))
    assert found.pop("differing") == len(told["messages"])
    found["messages"] = told["messages"] = None
    assert found == told


@pytest.mark.experiment
def test_of_many_differences_the_first_are_told_and_long_ones_are_cut(tmp_path: Path) -> None:
    events: list[ev.Event] = []
    for conn in (1, 2):
        events.append(rec.handshake(conn, conn))
        for n in range(1, 401):
            events.append(rec.text(conn + n / 1000, "client", n, json.dumps({"v": f"{conn} " * 3000}), conn))
    found = query(opened(rec.write(tmp_path / "run.jsonl", events)), "compare", conn=1, with_=2)
    assert found["differing"] == 400 and len(found["messages"]) == comparing.MESSAGES
    (place,) = found["messages"][0]["differences"]
    assert place["path"] == "v" and len(place["a"]) == comparing.LONGEST and place["a"].endswith("…")
    assert not found["same"] and found["complete"]


def test_a_connection_does_not_differ_from_itself_and_must_be_there(tmp_path: Path) -> None:
    recorded = opened(rec.write(tmp_path / "run.jsonl", rec.loop(2)))
    assert query(recorded, "compare", conn=1, with_=1)["same"]
    for given_ in ({"conn": 1, "with_": 9}, {"conn": 9, "with_": 1}):
        with pytest.raises(QueryError, match="there is no connection 9"):
            query(recorded, "compare", **given_)


@given(st.lists(rec.events.filter(lambda each: 0 <= each.conn <= 2), max_size=12))
def test_any_two_connections_can_be_compared(events: list[ev.Event]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        recorded = opened(rec.write(path, [rec.handshake(0.0, 1), rec.handshake(0.0, 2), *events]))
        found = query(recorded, "compare", conn=1, with_=2)
        assert found["a"] == 1 and found["b"] == 2
