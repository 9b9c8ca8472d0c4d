"""What other users of the machine, and other ports of the host, get of the page: nothing."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from hangup.cli import browser as browsers
from hangup.net import peer_user
from hangup.web import running as state
from hangup.web.access import Access
from harness import browser as chromium
from harness.asking import Browser, ask
from harness.peers import RawServer
from harness.programs import Program
from harness.proxies import HANGUP, HangupProxy, hangup, surroundings

GOLDEN = Path(__file__).parents[1] / "recordings" / "a3-text-ping-to-json-reader.jsonl"
LINK = r"page: (http://\S+)"
posix = pytest.mark.skipif(sys.platform == "win32", reason="users and modes")


@pytest.fixture(scope="module")
def proxy() -> Iterator[HangupProxy]:
    with RawServer() as server, HangupProxy(server.url) as proxy:
        proxy.wait_for("control on")
        yield proxy
        assert proxy.errors == "", proxy.report()


def another_link(proxy: HangupProxy) -> str:
    found = re.search(LINK, hangup("open", "--live", "--no-browser").stdout)
    assert found is not None
    return found[1]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a browser was asked for; the state of hangup is in ``tmp_path``."""
    asked: list[str] = []
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("webbrowser.open", lambda url: bool(asked.append(url)) or True)
    monkeypatch.setattr(browsers, "SNAPS", tmp_path / "none")
    return asked


def led_to(url: str) -> str:
    text = Path(unquote(urlsplit(url).path)).read_text()
    found = re.search(r'<a href="([^"]+)">', text)
    assert found is not None and f"url={found[1]}" in text
    return found[1]


# The link.


@posix
def test_the_link_is_in_no_argument_of_the_browser(tmp_path: Path) -> None:
    """With the real programs: a stand-in for the browser writes down what it was started with."""
    asked = tmp_path / "asked"
    stub = tmp_path / "stub.sh"
    stub.write_text(f'#!/bin/sh\necho "$@" > {asked}.new; mv {asked}.new {asked}\n')
    stub.chmod(0o755)
    environment = {**surroundings(), "XDG_STATE_HOME": str(tmp_path / "state"), "BROWSER": str(stub)}
    words = [*HANGUP, "open", str(GOLDEN), "--web", "127.0.0.1:0"]
    with Program(words, environment=environment) as program:
        printed = program.wait_for(LINK)[1]
        while not asked.exists():
            time.sleep(0.01)
        (url,) = asked.read_text().split()
        assert "key=" not in url and url.startswith("file://")
        path = Path(urlsplit(url).path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert led_to(url) == printed and Browser(printed).json("overview")
        program.stop()
    assert list(path.parent.iterdir()) == []


def test_a_browser_follows_the_file(proxy: HangupProxy, opened: list[str]) -> None:
    """Chromium: from a file to another site, whose cookie is strict."""
    browsers.open_in_browser(another_link(proxy))
    with chromium.chromium() as page:
        page.goto(opened[0])
        page.wait_for_url(re.compile(r"http://127\.0\.0\.1:\d+/hangup/[\w-]+/$"))
        page.wait_for_selector("text=connections")
        page.reload()
        page.wait_for_selector("text=connections")


def test_files_that_were_left_go_with_the_next(opened: list[str], tmp_path: Path) -> None:
    browsers.open_in_browser("http://127.0.0.1:1/hangup/x/open?key=a&b", outlived=True)
    assert led_to(opened[0]).endswith("key=a&amp;b")
    (first,) = (tmp_path / "hangup" / "links").iterdir()
    browsers.open_in_browser("http://127.0.0.1:1/", outlived=True)
    assert first.exists(), "it may not have been read yet"
    os.utime(first, (0, 0))
    browsers.open_in_browser("http://127.0.0.1:1/", outlived=True)
    assert not first.exists() and len(opened) == 3


@posix
@pytest.mark.parametrize("told", [True, False])
def test_where_no_file_can_be_handed_over_that_is_said(
    opened: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], told: bool
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(peer_user, "told", lambda: told)
    browsers.open_in_browser("http://127.0.0.1:1/x")
    assert opened == ["http://127.0.0.1:1/x"]
    assert ("other users of this machine can read the link" in capsys.readouterr().err) != told


@pytest.mark.skipif(sys.platform != "linux", reason="snaps")
@pytest.mark.parametrize(
    ("default", "direct"), [("firefox_firefox.desktop", True), ("org.mozilla.firefox.desktop", False)]
)
def test_a_browser_in_a_snap_may_not_read_files_and_is_given_the_link(
    opened: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, default: str, direct: bool
) -> None:
    (tmp_path / "xdg-settings").write_text(f"#!/bin/sh\necho {default}\n")
    (tmp_path / "xdg-settings").chmod(0o755)
    (tmp_path / "firefox_firefox.desktop").touch()
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("BROWSER", raising=False)
    monkeypatch.setattr(browsers, "SNAPS", tmp_path)
    browsers.open_in_browser("http://127.0.0.1:1/x")
    assert (opened == ["http://127.0.0.1:1/x"]) == direct
    monkeypatch.setattr(peer_user, "told", lambda: False)
    browsers.open_in_browser("http://127.0.0.1:1/x")
    assert opened[1].startswith("file://"), "where users cannot be told apart it is not given"


GET = """
import encodings.idna, http.client, os, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
c = http.client.HTTPConnection(sys.argv[1], timeout=20)
c.request("GET", sys.argv[2])
r = c.getresponse()
print(r.status, r.getheader("Set-Cookie"), r.read().decode())
"""


@pytest.mark.skipif(not peer_user.told() or os.getuid() != 0, reason="to be another user one must be root, on Linux")
def test_another_user_who_has_read_the_link_does_not_get_in_and_does_not_use_it_up(proxy: HangupProxy) -> None:
    link = another_link(proxy)
    parts = urlsplit(link)
    words = [sys.executable, "-I", "-c", GET, parts.netloc, f"{parts.path}?{parts.query}"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("403 None") and "only for the user who runs hangup" in done.stdout, done.stdout
    assert Browser(link).json("overview")["live"]


@pytest.mark.skipif(not peer_user.told(), reason="only Linux tells")
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_who_has_connected_is_told(family: socket.AddressFamily, monkeypatch: pytest.MonkeyPatch) -> None:
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    try:
        listening = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip("there is no IPv6")
    with listening, socket.create_connection(listening.getsockname()[:2]) as client:
        addresses = client.getsockname()[:2], listening.getsockname()[:2]
        assert not peer_user.is_foreign(*addresses)
        monkeypatch.setattr(peer_user, "_ours", lambda: {-1})
        assert peer_user.is_foreign(*addresses)
        monkeypatch.undo()
        assert peer_user.is_foreign((host, 1), addresses[1]), "whom the table does not know while it knows us"
        assert not peer_user.is_foreign((host, 1), (host, 1)), "a table that does not know us tells nothing"


TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2329 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: {local} 0100007F:2329 {st} 00000000:00000000 00:00000000 00000000  {uid}        0 {inode} 1
"""


@pytest.mark.parametrize(
    ("line", "foreign"),
    [
        ({}, True),
        ({"uid": "0"}, False),
        ({"uid": "1000"}, False),
        ({"st": "08"}, True),
        ({"st": "06", "uid": "0", "inode": "0"}, True),  # who has hung up: the system has forgotten whose it was
        ({"local": "0000000000000000FFFF00000100007F:C350"}, True),
        ({"local": "0000000000000000FFFF00000100007F:C350", "uid": "1000"}, False),
        ({"local": "broken"}, True),
    ],
)
@pytest.mark.skipif(sys.byteorder == "big", reason="the table is in the machine's order")
def test_the_table_is_read(
    line: dict[str, str], foreign: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "tcp"
    table.write_text(TABLE.format(**{"local": "0100007F:C350", "st": "01", "uid": "1001", "inode": "77", **line}))
    monkeypatch.setattr(peer_user, "TABLES", (table, tmp_path / "none"))
    monkeypatch.setattr(peer_user, "told", lambda: True)
    monkeypatch.setattr(peer_user, "_ours", lambda: {0, 1000})
    assert peer_user.is_foreign(("127.0.0.1", 50000), ("127.0.0.1", 9001)) == foreign


# The cookie.


def test_the_cookie_is_for_one_port_of_the_host(proxy: HangupProxy) -> None:
    """A browser sends it to other ports, too, but to no path that they could know."""
    paths = {"/", "/hangup/", "/hangup/open?key=x", "/hangup/api/status"}
    with RawServer() as other, chromium.chromium() as page:
        page.goto(another_link(proxy))
        page.wait_for_url(re.compile(r"/hangup/[\w-]+/$"))
        home = urlsplit(page.url).path
        assert [cookie["path"] for cookie in page.context.cookies()] == [home]
        for path in (*sorted(paths), home):
            with contextlib.suppress(Exception):  # it answers as no web server does
                page.goto(f"http://127.0.0.1:{other.port}{path}", timeout=3000, wait_until="commit")
        given = {request.target: request.get("cookie") for request in other.requests}
        assert {path: given[path] for path in paths} == dict.fromkeys(paths)
        assert given[home] is not None, "who knew the path would be given it"


def test_a_cookie_is_good_below_its_page_only(proxy: HangupProxy) -> None:
    browser = Browser(another_link(proxy))
    assert browser.json("overview")["live"]
    elsewhere = Browser(another_link(proxy))
    assert elsewhere.home == browser.home and elsewhere.cookie != browser.cookie, "one page, each browser its own"
    for path in ("/hangup/api/overview", "/hangup/", "/hangup/x/api/overview", browser.home[:-1] + "x/api/overview"):
        assert ask(browser.address, "GET", path, Cookie=browser.cookie).status == 401


def test_the_path_of_a_page_is_another_for_each_user_and_port_and_the_same_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    seed = state.own_seed()
    assert len(seed) == 32 and state.own_seed() == seed
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "hangup" / "page.key").stat().st_mode) == 0o600
    homes = {Access("127.0.0.1", port, key).home for port in (9001, 9002) for key in (seed, b"another's", b"", b"")}
    assert len(homes) == 8 and Access("127.0.0.1", 9001, seed).home in homes
    monkeypatch.setenv("XDG_STATE_HOME", os.devnull)
    assert state.own_seed() == b""


# The file that leads to a proxy.


@posix
def test_the_file_of_a_proxy_that_was_killed_is_recognised_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def files() -> list[str]:
        return sorted(path.name for path in (tmp_path / "hangup").glob("proxy-*"))

    environment = {"XDG_STATE_HOME": str(tmp_path)}
    with HangupProxy("ws://127.0.0.1:9", environment=environment) as first:
        first.wait_for("control on")
        assert [running.listen for _, running in state.all_running()] == [f"127.0.0.1:{first.port}"]
        first.kill()
        assert len(files()) == 1
        # Another program may have its port, and its process id, by now: neither is asked.
        assert list(state.all_running()) == [] and files() == []
    with HangupProxy("ws://127.0.0.1:9", environment=environment) as second:
        second.wait_for("control on")
        second.kill()
        with HangupProxy("ws://127.0.0.1:9", environment=environment) as third:
            third.wait_for("control on")
            assert files() == [f"proxy-127.0.0.1-{third.port}.json"], "the next proxy removes it"
            third.stop()
            assert files() == []


def test_a_file_of_a_system_that_cannot_hold_it_is_left_to_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(state, "hold", lambda descriptor: False)
    kept = state.StateFile(state.Running(listen="127.0.0.1:9", web="127.0.0.1:8", token="t", pid=1))
    assert [running.held for _, running in state.all_running()] == [False]
    kept.remove()
    assert list(state.all_running()) == [] and not kept.path.exists()
