"""The report as it is opened from a disk, in Chromium with its network off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import recorded
import reports
from hangup.humanize import duration
from hangup.recording import events as ev
from hangup.recording.formats import open_recording
from harness import browser, node
from opened import Browser
from test_page import MARKUP, NASTY, ROW, expect_text, hostile

RECORDINGS = Path(__file__).parents[1] / "recordings"
LOOP = RECORDINGS / "a3-text-ping-to-json-reader.jsonl"

EVIL = (
    '</script><script>window.__hit=1</script><!--<script>"\u2028window.__hit=1\u2029" onload=window.__hit=1 '
    "javascript:window.__hit=1 ]]>"
)


@pytest.fixture(scope="module")
def seen() -> Iterator[Browser]:
    with browser.chromium() as page:
        page.context.set_offline(True)
        yield Browser(page)


def shown(seen: Browser, path: Path, **media: Any) -> Any:
    """The report in the browser; what goes wrong in it is noted."""
    seen.hosts.clear()
    seen.page.emulate_media(color_scheme=media.get("color_scheme", "light"))
    seen.page.set_viewport_size({"width": media.get("width", 1280), "height": 900})
    seen.page.goto(path.as_uri())
    seen.page.wait_for_selector(".lead h1")
    seen.page.wait_for_selector(".lane, .explorer .empty")
    seen.settle()
    return seen.page


def sound(seen: Browser) -> None:
    """It asked for nothing but itself, and no script of it failed or was foreign."""
    assert seen.problems == []
    assert seen.hosts == {""}, "something else than a file was asked for"
    assert seen.page.evaluate("performance.getEntriesByType('resource').map(each => each.name)") == []
    assert seen.page.evaluate("window.__hit") is None
    assert seen.page.locator("img, iframe, object, embed, base, form[action], script:not([type]), a[href]").count() == 0
    assert seen.page.locator("script").count() == 2
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_it_is_opened_offline_and_says_it_all(seen: Browser, tmp_path: Path) -> None:
    reports.converted(LOOP, tmp_path / "report.html")
    page = shown(seen, tmp_path / "report.html")
    expect_text(page, ".lead h1", "The server hung up: 6 of 6 connections dropped$")
    expect_text(page, ".lead .sentence", "^The client's heartbeat makes the server drop the connection")
    expect_text(page, ".answers", r"heartbeat/app-ping-kills.*98% sure From the recording alone\..*receive_text\(\)")
    events = list(open_recording(LOOP))
    lanes = page.get_by_role("listbox", name="Connections, the newest first").get_by_role("option")
    assert lanes.count() == len({event.conn for event in events if event.conn})
    expect_text(page, ".loop", "Loop of 6")
    for conn in (1, 4):
        page.locator(f"#lane-{conn}").click()
        expect_text(page, ".verdict h2", f"^#{conn} The server ended it, with a bare FIN")
        frames = [event for event in events if isinstance(event, ev.Frame) and event.conn == conn]
        page.wait_for_selector(f"{ROW}.frame:not(.waiting)")
        rows = page.locator(f"{ROW}.frame")
        assert [row.inner_text() for row in rows.locator(".row-text").all()] == [frame.text for frame in frames]
        assert [row.inner_text() for row in rows.locator(".row-number").all()] == [str(frame.n) for frame in frames]
        opened = next(event.at for event in events if isinstance(event, ev.Handshake) and event.conn == conn)
        assert [row.inner_text() for row in rows.locator(".row-time").all()] == [
            f"+{duration(frame.at - opened)}" for frame in frames
        ]
    page.get_by_role("tab", name="Handshake").click()
    expect_text(page, ".handshake", "Sec-WebSocket-Version 13.*uvicorn")
    page.get_by_role("tab", name="Ending").click()
    expect_text(page, ".steps", "server FIN.*client FIN")
    sound(seen)


def test_what_is_cited_is_shown(seen: Browser, tmp_path: Path) -> None:
    reports.converted(LOOP, tmp_path / "report.html")
    page = shown(seen, tmp_path / "report.html")
    page.get_by_role("button", name="connection 2, frame 6").first.click()
    expect_text(page, ".entry h3", "client frame 6: text, a heartbeat")
    expect_text(page, ".entry .payload", "ping")
    assert page.locator(".explorer").evaluate("each => each.getBoundingClientRect().top < innerHeight / 2")
    frames = [event for event in open_recording(LOOP) if isinstance(event, ev.Frame) and event.conn == 2]
    matching = sum("ping" in (frame.text or "") for frame in frames)
    page.get_by_role("searchbox", name="Text").fill("PING")
    expect_text(page, ".entries-count", f"^{matching} of {len(frames) + 3}")  # a handshake, and two ends
    page.get_by_role("searchbox", name="JSON path").fill("$.type==ping")
    expect_text(page, ".entries-count", "a report has no search by JSON path")
    sound(seen)


def test_what_a_server_would_be_asked_is_answered_or_not_offered(seen: Browser, tmp_path: Path) -> None:
    reports.converted(LOOP, tmp_path / "report.html")
    page = shown(seen, tmp_path / "report.html")
    tabs = page.get_by_role("tablist", name="Connection").get_by_role("tab")
    assert [tab.inner_text().split()[0] for tab in tabs.all()] == ["Frames", "Handshake", "Ending", "Statistics"]
    page.locator("#lane-2").click()
    page.locator("#lane-4").click(modifiers=["Control"])
    expect_text(page, ".verdict h2", "^#4 ")
    page.get_by_role("tab", name="Statistics").click()
    frames = [event for event in open_recording(LOOP) if isinstance(event, ev.Frame) and event.conn == 4]
    sent = {side: sum(each.side == side for each in frames) for side in ("client", "server")}
    expect_text(page, ".statistics", rf"messages\s+{sent['client']}\s+{sent['server']}")
    expect_text(page, ".statistics", "Round trips of the client's heartbeats 1 heartbeat of the client; 0 answered")
    page.locator(".kinds").get_by_role("button", name="typing").click()
    matching = sum('"typing"' in (frame.text or "") for frame in frames)
    expect_text(page, ".entries-count", f"^{matching} of {len(frames) + 3}")
    page.locator(ROW).first.click()
    expect_text(page, ".message-kind", "^kind typing Filter this kind$")
    page.keyboard.press("/")
    seen.settle()
    assert page.locator(".search-panel").count() == 0
    sound(seen)


def test_of_what_is_left_out_the_statistics_are_said_to_be(seen: Browser, tmp_path: Path) -> None:
    events: list[ev.Event] = []
    for conn in range(1, 301):
        said = [recorded.text(conn + n * 1e-4, "client", n, "<" * 300, conn=conn) for n in range(1, 21)]
        shake = recorded.handshake(float(conn), conn, client=f"10.0.{conn >> 8}.{conn & 255}:5000")  # no loop
        events += [shake, *said, recorded.end(conn + 0.5, "server", conn=conn)]
    path = recorded.write(tmp_path / "run.jsonl", events)
    told = reports.data_of(reports.converted(path, tmp_path / "report.html"))["connections"]
    missing = next(conn for conn in range(1, 301) if str(conn) not in told)
    page = shown(seen, tmp_path / "report.html")
    page.locator(".lanes").press("End")  # the oldest
    for _ in range(1, missing):
        page.locator(".lanes").press("ArrowUp")
    page.get_by_role("tab", name="Statistics").click()
    expect_text(page, ".statistics", f"^the statistics of connection {missing} are not in this report; the recording ")
    sound(seen)


TOLD = {"failed": "failed", "survived": "stayed open"}
RUNGS = [("as it was recorded", [4, 4], "failed"), ("client heartbeats blocked", [0, 5], "survived")]


def proof(path: Path) -> str:
    """The document of a bisect, foreign text in it."""
    document = {
        "verdict": "heartbeat/app-ping-kills",
        "proved": True,
        "headline": "proved: heartbeat/app-ping-kills",
        "claim": "failed 4 of 4 trials with the cause, 0 of 5 without it (p = 0.0079)",
        "ladder": [{"title": title, "failed": failed, "outcome": what} for title, failed, what in RUNGS],
        "law": {
            "sentence": "the server drops the connection on any text message that is not JSON",
            "predictions": [8, 8],
        },
        "minimal": {"frames": [6], "payload": EVIL, "opcode": "text"},
        "log": [{"text": f"Traceback (most recent call last)\n{EVIL}"}],
        "cure": EVIL,
    }
    path.write_text(json.dumps(document))
    return str(path)


def test_the_proof_is_in_it(seen: Browser, tmp_path: Path) -> None:
    reports.converted(LOOP, tmp_path / "report.html", "--bisect", proof(tmp_path / "proof.json"))
    page = shown(seen, tmp_path / "report.html")
    said = "Proved by experiment: failed 4 of 4 trials.*that is not JSON; it predicted 8 of 8 new"
    expect_text(page, ".answers", said)
    rows = page.get_by_role("table", name="The ladder").get_by_role("row")
    assert [" ".join(row.inner_text().split()) for row in rows.all()[1:]] == [
        f"{title} {failed[0]}/{failed[1]} {TOLD[what]}" for title, failed, what in RUNGS
    ]
    assert page.locator(".proof .pairs code").first.inner_text().startswith("</script><script>")
    assert "</script><script>" in page.locator(".proof pre").inner_text()
    sound(seen)


def evil(path: Path) -> Path:
    """Foreign text that would end the script it stands in, wherever a recording has any."""
    request = ev.Request(target=f"/{EVIL}", headers=[("Host", EVIL), (EVIL, EVIL)])
    response = ev.Response(status=101, reason=EVIL, headers=[(EVIL, EVIL)])
    events: list[ev.Event] = []
    for conn in (1, 2, 3):
        at = float(conn)
        events += [
            ev.Handshake(at=at, conn=conn, client=EVIL, server=EVIL, request=request, response=response),
            recorded.text(at + 0.1, "client", 1, json.dumps({EVIL: EVIL}), conn=conn),
            recorded.text(at + 0.2, "server", 2, EVIL, conn=conn),
            ev.FilterEvent(at=at + 0.21, conn=conn, filter=EVIL, action="drop", side="server", n=2, note=EVIL),
            ev.Log(at=at + 0.3, conn=conn, source=EVIL, text=EVIL),
            ev.Note(at=at + 0.31, text=EVIL),
            recorded.close(at + 0.4, "server", 3, 4001, EVIL[:110], conn=conn),
            ev.End(at=at + 0.5, conn=conn, side="server", how="fin", note=EVIL),
        ]
    header = ev.Header(hangup=ev.FORMAT, started=recorded.STARTED, target=EVIL, listen=EVIL, note=EVIL, version=EVIL)
    return recorded.write(path, events, header)


@pytest.mark.parametrize("make", [hostile, evil])
def test_nothing_foreign_becomes_markup(seen: Browser, tmp_path: Path, make: Any) -> None:
    reports.converted(make(tmp_path / f"{EVIL[:9].replace('/', '')}.jsonl"), tmp_path / "report.html", "--no-redact")
    page = shown(seen, tmp_path / "report.html")
    sound(seen)
    for name in ("Handshake", "Ending", "Statistics", "Frames"):
        page.get_by_role("tab", name=name).click()
        seen.settle()
        sound(seen)
    page.wait_for_selector(f"{ROW}:not(.waiting)")
    said = []
    for row in page.locator(ROW).all():
        row.click()
        page.wait_for_selector(".entry[aria-busy=false]")
        said.append(page.locator(".entry").inner_text())
        sound(seen)
    page.locator(".lanes-canvas").hover()
    seen.settle()
    sound(seen)
    everything = "\n".join(said)
    theirs = [MARKUP, "\\u202egnp.exe", "nul \\x00"]
    wanted = theirs if make is hostile else ["</script><script>", "<!--", "\\u2028window"]
    assert all(each in everything for each in wanted) and len(said) >= (len(NASTY) if make is hostile else 7)


def test_of_a_long_connection_the_gap_is_told_and_the_timeline_is_whole(seen: Browser, tmp_path: Path) -> None:
    events: list[ev.Event] = [recorded.handshake(0.0)]
    events += [recorded.text(n * 1e-3, "client", n) for n in range(1, 5001)]
    events += [recorded.end(5.1, "server")]
    path = recorded.write(tmp_path / "run.jsonl", events)
    reports.converted(path, tmp_path / "report.html")
    page = shown(seen, tmp_path / "report.html")
    rows = page.locator(ROW)
    page.wait_for_selector(f"{ROW}:not(.waiting)")
    page.get_by_role("listbox", name="What happened on connection 1").focus()
    page.keyboard.press("Home")
    for _ in range(60):
        page.keyboard.press("ArrowDown")
    expect_text(page, ".entry", "4,602 events left out of this report")
    page.keyboard.press("End")
    expect_text(page, ".entry h3", "server FIN")
    assert rows.count() < 100
    before = page.evaluate("document.querySelector('.lanes-canvas').toDataURL()")
    for _ in range(8):
        page.get_by_role("button", name="Zoom in").click()
    seen.settle()
    assert page.evaluate("document.querySelector('.lanes-canvas').toDataURL()") != before
    sound(seen)


@pytest.mark.parametrize("path", sorted(RECORDINGS.glob("[a-z]*.jsonl")), ids=lambda path: path.stem)
def test_every_recording_is_shown(seen: Browser, tmp_path: Path, path: Path) -> None:
    text = reports.converted(path, tmp_path / "report.html")
    page = shown(seen, tmp_path / "report.html")
    summary = reports.data_of(text)["summary"]
    assert page.locator(".lead h1").inner_text().endswith(f" {summary['headline']}")
    sound(seen)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 420])
def test_axe_finds_nothing_serious(seen: Browser, tmp_path: Path, scheme: Any, width: int) -> None:
    if why := node.problem("axe-core", folder=node.WEB):
        pytest.skip(why)
    axe = node.WEB / "node_modules" / "axe-core" / "axe.min.js"
    for name in ("a3-text-ping-to-json-reader", "d10-doubled-path", "healthy"):
        options = ["--bisect", proof(tmp_path / "proof.json")] if name.startswith("a3") else []
        reports.converted(RECORDINGS / f"{name}.jsonl", tmp_path / "report.html", *options)
        page = shown(seen, tmp_path / "report.html", color_scheme=scheme, width=width)
        assert browser.violations(page, axe) == []
        browser.keep(page, f"report-{name}-{scheme}-{width}", tmp_path, full_page=True)


def test_without_scripts_the_verdict_is_there(seen: Browser, tmp_path: Path) -> None:
    reports.converted(LOOP, tmp_path / "report.html")
    assert seen.page.context.browser is not None
    context = seen.page.context.browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto((tmp_path / "report.html").as_uri())
    assert "The server hung up: 6 of 6 connections dropped" in plain.locator("body").inner_text()
    context.close()
