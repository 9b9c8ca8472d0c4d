"""A recording of more connections than the page lists: the newest are there, others are chosen, found and shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import recorded as rec
from hangup.diagnosis.diagnose import report
from hangup.recording import events as ev
from hangup.recording.reader import read
from hangup.recording.traffic_ledger import look_into_again
from hangup.web.index import Index
from hangup.web.overview import EARLY, MOST
from hangup.web.recorded import MANY, Recorded
from harness import DEADLINE
from opened import Browser, browser, opened
from test_web_index import opened as whole
from test_web_index import query

expect: Any = pytest.importorskip("playwright.sync_api").expect

COUNT = MOST + 2000


def each(conn: int) -> list[ev.Event]:
    """One in three fails, and no two are of the same client."""
    at, client = conn * 0.1, f"10.0.{conn >> 8}.{conn & 255}:5000"
    shake = rec.handshake(at, conn, f"/ws/{conn % 4}/{conn}", client=client)
    found: list[ev.Event] = [shake, rec.text(at + 0.01, "client", 1, f"m{conn}", conn)]
    if conn % 3:
        found.append(rec.close(at + 0.02, "client", 2, 1000, conn=conn))
        found.append(rec.close(at + 0.021, "server", 3, 1000, conn=conn))
    return [*found, rec.end(at + 0.03, "server", conn=conn), rec.end(at + 0.031, "client", conn=conn)]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    events = [event for conn in range(1, COUNT + 1) for event in each(conn)]
    return rec.write(tmp_path_factory.mktemp("many") / "run.jsonl", events)


def test_the_newest_are_told_of_and_those_that_are_chosen(many: Path) -> None:
    recorded = whole(many)
    found = query(recorded, "overview")
    conns = [one["conn"] for one in found["connections"]]
    assert conns == list(range(COUNT - MOST + 1, COUNT + 1)) and found["earliest"] == conns[0] and not found["partial"]
    assert (found["total"], found["fitting"]) == (COUNT, COUNT)
    assert any(note.startswith(f"{COUNT - MOST:,} more connections") for note in found["notes"])
    chosen = query(recorded, "overview", path="/ws/3/*")
    assert chosen["fitting"] == COUNT // 4 and {one["conn"] % 4 for one in chosen["connections"]} == {3}
    failed = query(recorded, "overview", path="/ws/3/*", failed=1)
    assert {one["conn"] % 12 for one in failed["connections"]} == {3} and failed["connections"][0]["failed"]
    assert query(recorded, "overview", since=found["rev"], path="/ws/3/*")["connections"] == []


def test_while_they_are_read_only_the_newest_are_told_of(many: Path) -> None:
    recorded = Recorded(many)
    while len(recorded.index.lanes) <= MANY:
        assert recorded.read(0.0)
    found = query(recorded, "overview", since=1)
    assert found["partial"] and len(found["connections"]) == EARLY and found["loops"] == []
    while recorded.read(1.0):
        pass
    assert not query(recorded, "overview")["partial"]


def test_why_reads_only_what_went_over_those_that_are_looked_into(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = whole(many)
    decoded: list[int] = []
    original = Index.decode

    def decode(lines: bytes) -> list[ev.AnyEvent]:
        decoded.append(len(lines))
        return original(lines)

    monkeypatch.setattr(Index, "decode", staticmethod(decode))
    source = read(many)
    for conn in (None, 1, COUNT, COUNT // 2):
        decoded.clear()
        given = {} if conn is None else {"conn": conn}
        ledger = look_into_again(source.header, source.batches, conn)
        said = report(ledger, conn, str(many)).summary()
        assert query(recorded, "why", **given) == msgspec.json.decode(msgspec.json.encode(said))
        assert sum(decoded) < many.stat().st_size / 2
        assert bool(decoded) == (conn in (None, COUNT // 2)), "what was looked into is not read again"


@pytest.fixture(scope="module")
def seen() -> Iterator[Browser]:
    with browser() as made:
        made.page.set_viewport_size({"width": 1440, "height": 900})
        made.page.set_default_timeout(DEADLINE * 1000)
        yield made


def test_they_are_chosen_and_found_on_the_page(seen: Browser, many: Path) -> None:
    with opened(many) as link:
        page = seen.open(link)
        head = page.locator(".lane-head")
        # What was selected while they were read is listed as well, though it is none of the newest.
        listed = re.compile(f"({MOST:,}|{MOST + 1:,}) of {COUNT:,} connections")
        expect(head).to_contain_text(listed, timeout=DEADLINE * 1000)
        choosing = page.get_by_role("group", name="Which connections")
        choosing.get_by_role("searchbox", name="Path").fill("/ws/3/*")
        expect(head).to_contain_text(f"{COUNT // 4:,} of {COUNT // 4:,} that fit")
        choosing.get_by_role("checkbox", name="failed").check()
        expect(head).to_contain_text(f"{COUNT // 12:,} of {COUNT // 12:,} that fit")
        choosing.get_by_role("searchbox", name="Path").fill("/nowhere")
        expect(head).to_contain_text("0 of 0 that fit")
        choosing.get_by_role("checkbox", name="failed").uncheck()
        choosing.get_by_role("searchbox", name="Path").fill("")
        expect(head).to_contain_text(f"of {COUNT:,} connections")
        # One that is not listed is found, and shown when it is selected.
        page.locator(".lanes").focus()
        page.keyboard.press("/")
        panel = page.get_by_role("tabpanel", name="Search")
        expect(panel.get_by_label("Text", exact=True)).to_be_focused(timeout=DEADLINE * 1000)
        page.keyboard.type("m17")
        expect(panel.get_by_role("status")).to_have_text("111 in 111 connections", timeout=DEADLINE * 1000)
        panel.get_by_role("listbox").press("ArrowDown")
        expect(page.locator(".verdict h2")).to_contain_text("#17 ", timeout=DEADLINE * 1000)
        assert seen.problems == []
        page.goto("about:blank")
