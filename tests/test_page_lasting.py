"""The page of a running proxy as time goes on: connections that come in, and a proxy that ends and is started again."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import recorded
from hangup.cli.incomplete import EXIT_CODE
from hangup.recording import events as ev
from harness import DEADLINE
from harness.peers import Peer, RawServer, open_websocket
from harness.proxies import SMALL_FILES, HangupProxy
from harness.remotes import remote_of
from opened import Browser, browser, opened

expect: Any = pytest.importorskip("playwright.sync_api").expect

WAIT = DEADLINE * 1000
"""Milliseconds, as Playwright has it."""


@pytest.fixture(scope="module")
def seen() -> Iterator[Browser]:
    with browser() as made:
        made.page.set_default_timeout(WAIT)
        yield made


@pytest.fixture(scope="module")
def backend() -> Iterator[RawServer]:
    """It hangs up at once."""
    with RawServer(script=Peer.close) as server:
        yield server


def dropped(proxy: HangupProxy, path: str, times: int = 1) -> None:
    """Connections that the backend ends."""
    for _ in range(times):
        open_websocket(proxy.address, path).wait_end()


def shown(proxy: HangupProxy) -> str:
    link: str = remote_of(proxy).post("link")["link"]
    return link


def test_another_proxy_in_its_place_is_not_mixed_with_it(seen: Browser, backend: RawServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        web = f"127.0.0.1:{free.getsockname()[1]}"
    with HangupProxy(backend.url, "--web", web) as first:
        first.wait_for("control on")
        dropped(first, "/first", 2)
        page = seen.open(shown(first))
        expect(page.locator(".lane")).to_have_count(2, timeout=WAIT)
        first.stop()
        expect(page.get_by_role("alert")).to_contain_text("does not answer", timeout=WAIT)
    with HangupProxy(backend.url, "--web", web) as second:
        second.wait_for("control on")
        expect(page.get_by_role("alert")).to_contain_text("another hangup is running here now", timeout=WAIT)
        dropped(second, "/second")
        page.evaluate("link => fetch(link)", shown(second))  # as another tab does, with the same cookies
        expect(page.locator(".lane")).to_have_text([re.compile("/second")], timeout=WAIT)
        expect(page.get_by_role("alert")).to_have_count(0)


def test_what_is_new_stays_in_sight(seen: Browser, backend: RawServer) -> None:
    """The page looks at a loop's last connection, wherever that stands, but does not scroll there while all is live."""
    with HangupProxy(backend.url) as proxy:
        proxy.wait_for("control on")
        dropped(proxy, "/loop", 4)
        for number in range(40):
            dropped(proxy, f"/other/{number}")
        page = seen.open(shown(proxy))
        expect(page.locator(".verdict h2")).to_contain_text("#4 ", timeout=WAIT)
        dropped(proxy, "/newest")
        expect(page.locator(".lane").first).to_contain_text("/newest", timeout=WAIT)
        expect(page.locator(".lane").first).to_be_in_viewport()
        assert page.locator(".lanes-scroller").evaluate("each => each.scrollTop") == 0


@pytest.mark.slow
def test_a_loop_that_begins_and_stops_is_told_also_in_the_title(seen: Browser) -> None:
    drops = [True]

    def end(peer: Peer) -> None:
        if drops[0]:
            peer.close()
        else:
            peer.wait_end()

    with RawServer(script=end) as server, HangupProxy(server.url) as proxy:
        proxy.wait_for("control on")
        page = seen.open(shown(proxy))
        notices = page.get_by_role("status", name="Notices")
        expect(page.get_by_text("Waiting for the first connection")).to_be_visible(timeout=WAIT)
        dropped(proxy, "/loop", 3)
        expect(notices).to_contain_text("A reconnect loop on /loop", timeout=WAIT)
        expect(page).to_have_title(re.compile("^⟲ A reconnect loop on /loop"))
        page.get_by_role("button", name="Close this notice").click()
        expect(page).to_have_title(re.compile(r"^⟲ [3-9] ws://"))
        drops[0] = False
        held = open_websocket(proxy.address, "/loop")
        expect(notices).to_contain_text("The loop of 3 on /loop stopped: connection 4 stays open", timeout=WAIT)
        expect(page).to_have_title(re.compile("^✓ The loop of 3"))
        notices.get_by_role("button", name="Show").click()
        expect(page.locator(".verdict h2")).to_contain_text("#4 ")
        expect(page).to_have_title(re.compile("^ws://"))
        held.close()


def test_all_loops_are_told(seen: Browser, backend: RawServer) -> None:
    with HangupProxy(backend.url) as proxy:
        proxy.wait_for("control on")
        for number in range(4):
            dropped(proxy, f"/loop/{number}", 3)
        page = seen.open(shown(proxy))
        more = page.get_by_role("button", name="and 2 loops more")
        more.click()
        expect(page.locator(".loop")).to_have_count(4)
        expect(page.locator(".loop").last).to_contain_text("/loop/0")
        page.get_by_role("button", name="fewer").click()
        expect(more).to_be_visible()


def test_a_handshake_without_an_answer_is_given_up(seen: Browser) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, HangupProxy(
        f"ws://127.0.0.1:{silent.getsockname()[1]}"
    ) as proxy:
        proxy.wait_for("control on")
        page = seen.open(shown(proxy))
        said = page.evaluate(
            """async url => {
              const { account, attempt } = await import("./page/attempt.js");
              const plan = { url, protocols: [], messages: [], beat: null, every: 1, hold: 1, patience: 0.2 };
              return account(await attempt(plan, () => {}, new AbortController().signal), each => `${each > 0.19}`);
            }""",
            f"{proxy.url}/x",
        )
        assert said == "no response to the handshake for true: the page gave up"


def test_what_the_policy_does_not_allow_is_said_and_over(seen: Browser) -> None:
    """Chromium fires no close event then. Where the target's address has no place in a policy, it is not tried."""
    with HangupProxy("ws://[::1]:9") as proxy:
        proxy.wait_for("control on")
        page = seen.open(shown(proxy))
        said = page.evaluate(
            """async () => {
              const { account, attempt } = await import("./page/attempt.js");
              const plan = { url: "ws://[::1]:9/x", protocols: [], messages: [], beat: null, every: 1, hold: 1 };
              const outcome = await attempt(plan, () => {}, new AbortController().signal);
              return [outcome.code, account(outcome, String)];
            }"""
        )
        assert said == [None, "this page's policy allows it to connect only to the proxy and the target"]
        page.get_by_role("tab", name="Test Connection").click()
        expect(page.get_by_label("Path")).to_be_visible(timeout=WAIT)
        expect(page.get_by_text("for comparison also direct")).to_have_count(0)


def test_a_pasted_url_and_what_no_timer_can_wait_for(seen: Browser, backend: RawServer) -> None:
    with HangupProxy(backend.url) as proxy:
        proxy.wait_for("control on")
        page = seen.open(shown(proxy))
        page.get_by_role("tab", name="Test Connection").click()
        page.get_by_label("Path").fill(" ws://localhost:8000/ws?a=b")
        through = page.locator(".test-form .buttons code")
        expect(through).to_have_text(f"{proxy.url}/ws?a=b")
        page.get_by_label("Keep open for at most").fill("3000000")
        page.get_by_role("button", name="Test Connection").click()
        assert page.get_by_label("Keep open for at most").evaluate("each => each.validity.rangeOverflow")
        expect(page.locator(".try")).to_have_count(0)


def test_a_recording_that_breaks_off_has_been_read_all_the_same(seen: Browser, tmp_path: Path) -> None:
    golden = (Path(__file__).parents[1] / "recordings" / "a3-text-ping-to-json-reader.jsonl").read_bytes()
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(golden[: golden.index(b'"kind":"frame"') + 400])
    with opened(torn) as link:
        page = seen.open(link)
        page.locator("summary", has_text="1 note").click()
        expect(page.get_by_text("the file ends in the middle of a line")).to_be_visible()
        expect(page.locator(".top")).not_to_contain_text("reading")
        page.locator(".lane").first.click()
        expect(page.locator(".verdict h2")).not_to_contain_text("not read to its end yet")


@pytest.mark.skipif(sys.platform == "win32", reason="no RLIMIT_FSIZE")
def test_that_nothing_is_recorded_stands_on_the_page(seen: Browser, backend: RawServer) -> None:
    with HangupProxy(backend.url, command=[sys.executable, "-c", SMALL_FILES]) as proxy:
        dropped(proxy, "/first")
        page = seen.open(shown(proxy))
        expect(page.locator(".state")).to_have_text("recording", timeout=WAIT)
        dropped(proxy, f"/{'long' * 5000}", 6)
        expect(page.locator(".state")).to_have_text("not recording", timeout=WAIT)
        expect(page.get_by_role("alert")).to_contain_text("not recorded: cannot write", timeout=WAIT)
        proxy.stop(code=EXIT_CODE)


def test_nothing_is_wider_than_a_narrow_window(seen: Browser, backend: RawServer) -> None:
    with HangupProxy(backend.url, "--filter", "drop-heartbeat side=client") as proxy:
        proxy.wait_for("control on")
        dropped(proxy, "/loop", 3)
        page = seen.open(shown(proxy))
        try:
            page.set_viewport_size({"width": 320, "height": 740})
            if not page.locator(".drawer").count():
                page.get_by_role("button", name="Panels").click()
            expect(page.get_by_role("tab", name="Filters")).to_contain_text("1 on", timeout=WAIT)
            page.locator(".lane").first.click()
            seen.settle()
            assert page.evaluate("document.documentElement.scrollWidth") == 320
            page.get_by_label("JSON path").fill("$.none==1")
            nothing = page.get_by_text("Nothing matches.")
            expect(nothing).to_be_visible(timeout=WAIT)
            above, note = page.locator(".entries-count").bounding_box(), nothing.bounding_box()
            assert above["y"] + above["height"] <= note["y"]
        finally:
            page.set_viewport_size({"width": 1280, "height": 720})


def test_of_a_message_too_large_to_be_kept_it_is_said_that_these_are_the_bytes_on_the_wire(
    seen: Browser, tmp_path: Path
) -> None:
    frame = ev.Frame(at=0.1, conn=1, n=1, side="server", rsv=4, base64=b"\xec\xc2", message_length=4_000_000)
    with opened(recorded.write(tmp_path / "large.jsonl", [recorded.handshake(), frame])) as link:
        page = seen.open(link)
        page.locator(".list .row", has_text="text").click()
        expect(page.locator(".entry")).to_contain_text("The whole message has 3.8 MiB, too much to be kept inflated")
