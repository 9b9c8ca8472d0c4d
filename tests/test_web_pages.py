"""The page in a running proxy: who gets at its routes, what they give, and that it never keeps traffic waiting."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest
import wsproto
from wsproto.events import TextMessage

from hangup.proxy.run import ProxySettings, RunningProxy
from hangup.recorder.recorder import Recorder
from hangup.recording import reader
from hangup.recording.events import FilterEvent, Note
from hangup.web.access import BASE
from hangup.web.feed import LIMIT, Feed
from hangup.web.pages import FILE, FOLDER, TYPES, sources
from hangup.web.server import Server, bind
from hangup.web.start import start
from hangup.wire.url import parse_target
from harness import DEADLINE, frames
from harness.asking import Answer, Browser, ask
from harness.frames import MASK, TEXT
from harness.peers import RawServer, open_websocket, request_head
from harness.proxies import HangupProxy
from harness.remotes import remote_of

SCRIPT = """
from pathlib import Path
from hangup.filters.base import Filter, Kind
Path({proof!r}).touch()
class Mine(Filter, frozen=True, kw_only=True):
    kinds = Kind.MESSAGE
"""


class Running:
    """A proxy in a thread of this process, with a connection through it, and a browser that was let in."""

    def __init__(self, folder: Path, backend: RawServer) -> None:
        self.backend = backend
        self.script = folder / "mine.py"
        self.proof = folder / "it-ran"
        self.script.write_text(SCRIPT.format(proof=str(self.proof)))
        target = parse_target(backend.url)
        settings = ProxySettings(
            target=target, port=0, record=folder / "run.jsonl", filters=["drop-heartbeat", f"script {self.script}"]
        )
        self._ready = threading.Event()
        self.warnings: list[str] = []
        self._sockets = bind("127.0.0.1", 0)
        self.proxy = RunningProxy(settings, on_ready=self._begun, warn=self.warnings.append)
        self.thread = threading.Thread(target=self.proxy.run)
        self.thread.start()
        assert self._ready.wait(DEADLINE), self.warnings
        self.browser = Browser(self.server.access.link())
        self.client = open_websocket(self.proxy.address, "/ws/1")
        self.upstream = backend.accept("/ws/1")
        self._said = itertools.count(1)

    def _begun(self, proxy: RunningProxy) -> None:
        self.loop = asyncio.get_running_loop()
        self.server: Server = start(proxy, self._sockets)
        assert proxy.recorder is not None
        self.recorder: Recorder = proxy.recorder
        proxy.filters.off(1)
        proxy.filters.off(2)
        self._ready.set()

    def echo(self) -> None:
        """A message there and back."""
        payload = f"message {next(self._said)}".encode()
        there, back = frames.frame(TEXT, payload, mask=MASK), frames.frame(TEXT, payload)
        self.client.send(there)
        assert self.upstream.take(len(there)) == there
        self.upstream.send(back)
        assert self.client.take(len(back)) == back

    def within(self, work: Callable[[], Any]) -> Any:
        """Does something in the proxy's event loop."""

        async def call() -> Any:
            return work()

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(DEADLINE)

    def caught_up(self) -> dict[str, Any]:
        """The overview, once all that was written so far is in it."""
        until = time.monotonic() + DEADLINE
        self.within(self.recorder.journal.flush)
        while self.within(lambda: self.recorder.journal.behind):  # a thread of its own writes
            assert time.monotonic() < until
        size = self.recorder.path.stat().st_size
        while True:
            overview: dict[str, Any] = self.browser.json("overview")
            if overview["indexed"] >= size:
                return overview
            assert time.monotonic() < until

    def stop(self) -> None:
        self.client.close()
        self.loop.call_soon_threadsafe(self.proxy.stop)
        self.thread.join(DEADLINE)
        for each in self._sockets:
            each.close()
        assert not self.thread.is_alive() and self.warnings == []


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("page")
    own = pytest.MonkeyPatch()
    own.setenv("XDG_STATE_HOME", str(folder / "state"))
    own.setenv("HOME", str(folder))
    with RawServer() as backend:
        running = Running(folder, backend)
        running.proof.unlink()  # from the command line a script may run
        try:
            yield running
        finally:
            running.stop()
            own.undo()


def paths(running: Running) -> list[str]:
    """Every address that the server has a route for, told by its own list."""
    found = []
    for pattern, _, _ in running.server.routes:
        if pattern == FILE:
            found += [f"page/{path.relative_to(FOLDER).as_posix()}" for path in FOLDER.rglob("*") if path.is_file()]
            continue
        choice = re.fullmatch(r"([\w/-]*)(?:\(([\w|-]+)\))?", pattern)
        assert choice is not None, f"this test does not know what to ask for: {pattern}"
        found += [choice[1] + each for each in (choice[2] or "").split("|")]
    assert {"", "live", "open", "api/overview", "api/export", "api/filters/add", "api/filters/check"} <= set(found)
    return found


# Who gets in. Each attack is driven against every route there is.


def attacks(running: Running) -> dict[str, tuple[dict[str, str | None], set[int]]]:
    """Headers of a request that must not pass, and how it is refused."""
    port = running.browser.address.rpartition(":")[2]
    own, cookie = running.browser.origin, running.browser.cookie
    token = f"Bearer {running.server.access.token}"
    rebound = {"Host": f"evil.example:{port}", "Cookie": cookie, "Origin": f"http://evil.example:{port}"}
    upgrade = dict(
        line.split(": ", 1) for line in request_head("/", "x").decode().strip().split("\r\n")[1:] if ":" in line
    )
    del upgrade["Host"]
    return {
        "nobody": ({}, {401}),
        "a wrong cookie": ({"Cookie": cookie[:-2]}, {401}),
        "a wrong token": ({"Authorization": token[:-2], "Cookie": cookie}, {401}),
        "DNS rebinding": (rebound, {403}),
        "DNS rebinding with the token": ({"Host": f"evil.example:{port}", "Authorization": token}, {403}),
        "a foreign page": ({"Cookie": cookie, "Origin": "http://evil.example"}, {403}),
        "a page on another port": ({"Cookie": cookie, "Origin": "http://127.0.0.1:5173"}, {403}),
        "a sandboxed page": ({"Cookie": cookie, "Origin": "null"}, {403}),
        "an image of a foreign page": (
            {"Cookie": cookie, "Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"},
            {403},
        ),
        "a frame in a foreign page": (
            {"Cookie": cookie, "Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"},
            {403},
        ),
        "a WebSocket of nobody": ({**upgrade, "Origin": own}, {401}),
        "a foreign WebSocket": ({**upgrade, "Cookie": cookie, "Origin": "http://evil.example"}, {403}),
        "a WebSocket after DNS rebinding": ({**upgrade, **rebound}, {403}),
        "a foreign WebSocket with the token": ({**upgrade, "Authorization": token, "Origin": "null"}, {403}),
    }


def test_no_attack_gets_through_on_any_route(running: Running) -> None:
    before = running.within(running.proxy.filters.describe)
    for path in paths(running):
        for name, (headers, statuses) in attacks(running).items():
            for method in ("GET", "POST", "HEAD"):
                if method != "GET" and "Upgrade" in headers:
                    continue
                if path == "open" and statuses == {401}:
                    continue  # the exchange of a key for a cookie needs none; without a key it gives nothing
                body = {} if method == "POST" else None
                answer = ask(running.browser.address, method, running.browser.home + path, body=body, **headers)
                assert answer.status in statuses, (name, method, path, answer)
                strict(answer)
                if method != "HEAD":
                    assert set(answer.json) == {"error"}, (name, method, path)
    assert running.within(running.proxy.filters.describe) == before
    assert ask(running.browser.address, "GET", running.browser.home + "open").status == 401


def test_by_cookie_nothing_is_changed_without_our_origin(running: Running) -> None:
    for path in paths(running):
        answer = running.browser.post(path, {}, Origin=None)
        assert answer.status == (405 if path == "open" else 403), (path, answer)


def strict(answer: Answer) -> None:
    """A strict policy, and no word to other origins."""
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy and "style-src 'self';" in policy
    assert "unsafe" not in policy and "*" not in policy and "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in answer.headers and "server" not in answer.headers


def test_every_answer_is_strict(running: Running) -> None:
    for path in paths(running):
        if path in ("live", "api/export", "api/filters/clear", "api/bisect/start"):
            continue  # the first two have tests of their own below
        answer = running.browser.get(path)
        assert answer.status in (200, 400, 404, 405), (path, answer)
        strict(answer)


# The page's own files.


def test_the_document_may_open_websockets_to_the_proxy_and_its_target_alone(running: Running) -> None:
    port = running.proxy.address[1]
    policy = running.browser.get("").headers["content-security-policy"]
    (allowed,) = re.findall(r"connect-src ([^;]*);", policy)
    assert allowed.split() == ["'self'", f"ws://127.0.0.1:{port}", f"ws://localhost:{port}", running.backend.url]
    elsewhere = running.browser.get("api/overview").headers["content-security-policy"]
    assert "connect-src 'self';" in elsewhere


@pytest.mark.parametrize(
    ("listen", "target", "expected"),
    [
        ("127.0.0.1:9000", "wss://example.org/ws?x=1", "ws://127.0.0.1:9000 ws://localhost:9000 wss://example.org:443"),
        ("192.0.2.7:9000", None, "ws://192.0.2.7:9000"),
        ("[::1]:9000", "ws://localhost:8000", "ws://127.0.0.1:9000 ws://localhost:9000 ws://localhost:8000"),
        ("", None, ""),
    ],
)
def test_where_test_connection_may_go(listen: str, target: str | None, expected: str) -> None:
    given = parse_target(target) if target else None
    assert [each.removesuffix(":443") for each in sources(listen, given)] == expected.replace(":443", "").split()


def test_the_files_come_as_what_they_are(running: Running) -> None:
    for path in FOLDER.rglob("*"):
        if not path.is_file():
            continue
        answer = running.browser.get(f"page/{path.relative_to(FOLDER).as_posix()}")
        assert answer.status == 200 and answer.body == path.read_bytes(), path
        assert answer.headers["content-type"] == TYPES[path.suffix]
    assert running.browser.get("").headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "page/",
        "page/nothing.js",
        "page/../server.py",
        "page/..%2fserver.py",
        "page/%2e%2e/server.py",
        "page/vendor/../../server.py",
        "page//etc/passwd",
        "page/.hidden",
        "page/vendor",
        "page/index.html%00.js",
        "page/..\\server.py",
        "server.py",
    ],
)
def test_no_other_file_is_sent(running: Running, path: str) -> None:
    answer = running.browser.get(path)
    assert answer.status == 404 and b"import" not in answer.body


# What it tells.


def test_the_page_sees_what_goes_through(running: Running) -> None:
    running.echo()
    overview = running.caught_up()
    assert overview["live"] and not overview["readonly"] and not overview["complete"]
    (connection,) = [each for each in overview["connections"] if each["conn"] == 1]
    assert connection["path"] == "/ws/1" and connection["class"] == "open" and connection["frames"]["client"] >= 1
    entries = running.browser.json("entries?conn=1")["entries"]
    assert [entry["kind"] for entry in entries[:3]] == ["handshake", "frame", "frame"]
    shown = running.browser.json("connection?conn=1")
    assert {check["name"]: check["ok"] for check in shown["handshake"]["checks"]}["accept-key"]
    assert running.browser.json("find?conn=1&side=server&text=MESSAGE")["matches"]
    assert running.browser.json("why")["verdict"].startswith("none/")
    assert running.browser.get("api/entries?conn=99").status == 404
    assert running.browser.get("api/entries").json["error"]
    assert running.browser.get("api/entries?conn=%ff").status == 400


FORMS = [("har", "har"), ("md", "md"), ("jsonl", "jsonl"), ("markdown", "md"), ("html", "html")]


@pytest.mark.parametrize(("form", "suffix"), FORMS)
def test_a_download(running: Running, form: str, suffix: str) -> None:
    running.echo()
    running.caught_up()
    answer = running.browser.get(f"api/export?format={form}&conn=1")
    assert answer.status == 200 and b"/ws/1" in answer.body
    strict(answer)
    assert answer.headers["content-disposition"] == f'attachment; filename="run-connection-1.{suffix}"'


def test_what_the_page_opens_is_a_test_for_the_proxy_too(running: Running) -> None:
    client = open_websocket(running.proxy.address, "/ws/tested", headers=[("Origin", running.browser.origin)])
    running.backend.accept("/ws/tested")
    connections = running.caught_up()["connections"]
    assert {each["path"]: each["kind"] for each in connections} == {"/ws/1": "app", "/ws/tested": "test"}
    kinds = running.within(lambda: {each.path: each.kind for each in running.recorder.sums()})
    assert kinds == {"/ws/1": "app", "/ws/tested": "test"}
    client.close()


def test_a_download_that_cannot_be(running: Running) -> None:
    assert "must be one of" in running.browser.get("api/export?format=exe").json["error"]
    missing = running.browser.get("api/export?format=har&conn=77")
    assert missing.status == 400 and "no connection 77" in missing.json["error"]


# What a page may not do.


def test_a_page_may_not_bring_a_script_along(running: Running) -> None:
    other = running.script.with_name("other.py")
    other.write_text(SCRIPT.format(proof=str(running.proof)))
    text = f"script {other}"
    (given,) = [each for each in running.within(running.proxy.filters.describe) if "mine.py" in each["filter"]]
    attempts: list[tuple[str, dict[str, Any]]] = [
        *((f"api/filters/{action}", {"filter": text}) for action in ("add", "on", "off", "remove")),
        ("api/filters/add", {"filter": f"  script   '{running.script}'"}),
        ("api/filters/edit", {"filter": "1", "to": text}),
        ("api/filters/edit", {"filter": text, "to": "drop-ping"}),
        ("api/bisect/start", {"filters": [text]}),
    ]
    for path, body in attempts:
        answer = running.browser.post(path, body)
        assert answer.status == 400 and "on the command line" in answer.json["error"], (path, body, answer)
    assert not running.browser.post("api/filters/check", {"filter": text}).json["ok"]
    assert not running.proof.exists()
    # The one from the command line is switched as any other, also by its text.
    for which in (str(given["id"]), given["filter"], "script"):
        assert running.browser.post("api/filters/on", {"filter": which}).status == 200
        assert running.browser.post("api/filters/off", {"filter": which}).status == 200
    # A program with the token could run the file anyway.
    token = f"Bearer {running.server.access.token}"
    added = ask(running.browser.address, "POST", f"{BASE}api/filters/add", body={"filter": text}, Authorization=token)
    assert added.status == 200 and running.proof.exists()
    running.browser.post("api/filters/remove", {"filter": str(added.json["changed"][0]["id"])})


# The live socket.


class Page:
    """A page's live socket, which reads only when it is told to."""

    def __init__(self, browser: Browser, buffer: int = 0) -> None:
        host, _, port = browser.address.rpartition(":")
        self.sock = socket.socket()
        self.sock.settimeout(DEADLINE)
        if buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.sock.connect((host, int(port)))
        headers = [("Origin", browser.origin), ("Cookie", browser.cookie)]
        self.sock.sendall(request_head(browser.home + "live", browser.address, headers))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.sock.recv(1)
        assert head.startswith(b"HTTP/1.1 101 "), head
        self._ws = wsproto.Connection(wsproto.ConnectionType.CLIENT)
        self._text = ""
        self._whole: deque[dict[str, Any]] = deque()

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def messages(self) -> Iterator[dict[str, Any]]:
        """What it is told, until the end."""
        while True:
            while self._whole:
                yield self._whole.popleft()
            data = self.sock.recv(1 << 16)
            if not data:
                return
            self._ws.receive_data(data)
            for event in self._ws.events():
                if isinstance(event, TextMessage):
                    self._text += event.data
                    if event.message_finished:
                        self._whole.append(json.loads(self._text))
                        self._text = ""

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        return next(message for message in self.messages() if wanted(message))


def test_the_live_socket_says_what_changed(running: Running) -> None:
    with Page(running.browser) as page:
        first = next(page.messages())
        assert first["open"] >= 1 and first["all"] >= 1 and first["bisect"] == "idle"
        assert [each["filter"] for each in first["filters"]][:1] == ["drop-heartbeat"]
        running.echo()
        later = page.until(lambda told: told["size"] > first["size"])
        assert later["now"] > first["now"]
        running.browser.post("api/filters/on", {"filter": "1"})
        assert page.until(lambda told: told["filters"][0]["on"])
        running.browser.post("api/filters/off", {"filter": "1"})
        assert page.until(lambda told: not told["filters"][0]["on"])
        # Where nothing happens, time goes on.
        still = next(page.messages())
        assert page.until(lambda told: told["size"] == still["size"] and told["now"] > still["now"])


def test_a_page_that_is_stuck_costs_nothing_and_is_told_what_it_missed(running: Running) -> None:
    recorder = running.recorder
    long = "x" * 2000
    ids = [running.browser.post("api/filters/add", {"filter": f"drop text={long}{n}", "on": False}) for n in range(8)]

    def feeds() -> list[Feed]:
        return [each.__self__ for each in recorder.listeners if isinstance(getattr(each, "__self__", None), Feed)]

    before = running.within(feeds)
    with Page(running.browser, buffer=4096) as page:
        until = time.monotonic() + DEADLINE
        numbers = itertools.count()
        while True:
            (feed,) = [each for each in running.within(feeds) if each not in before] or [None]
            if feed is not None and running.within(lambda feed=feed: len(feed._queue)) >= LIMIT:
                break
            # So few between two looks that only a page which does not read can be behind by so many.
            running.within(lambda: [recorder.note(f"note {next(numbers)}") for _ in range(200)])
            running.echo()
            assert time.monotonic() < until
        running.within(lambda: [recorder.note(f"note {next(numbers)}") for _ in range(300)])
        running.echo()
        last = recorder.now()
        told = page.until(lambda told: "missed" in told)
        assert told["missed"]["events"] > 0 and told["missed"]["since"] <= told["missed"]["until"] <= last
        # From then on as before.
        size = told["size"]
        running.echo()
        assert "missed" not in page.until(lambda told: told["size"] > size)
    # All of it is in the file.
    running.caught_up()
    notes = [event.text for event in reader.read(recorder.path) if isinstance(event, Note)]
    assert notes == [f"note {n}" for n in range(next(numbers))]
    for answer in ids:
        running.browser.post("api/filters/remove", {"filter": str(answer.json["changed"][0]["id"])})
    deadline = time.monotonic() + DEADLINE
    while len(running.within(feeds)) > len(before):
        assert time.monotonic() < deadline


# The process that reads.


def readers(pid: int) -> list[psutil.Process]:
    """The processes that read for the page of this proxy."""
    found = []
    for each in psutil.Process(pid).children(recursive=True):
        try:
            if "hangup.web.reading" in each.cmdline():
                found.append(each)
        except psutil.Error:
            pass
    return found


def gone(process: psutil.Process) -> bool:
    try:
        process.wait(DEADLINE)
    except psutil.TimeoutExpired:
        return False
    return True


def test_there_is_one_process_that_reads_and_it_is_not_in_the_way(running: Running) -> None:
    for _ in range(3):
        running.browser.json("overview")
    (reader,) = readers(os.getpid())
    if sys.platform != "win32":
        assert reader.nice() >= min(19, psutil.Process().nice() + 10)
        reader.send_signal(signal.SIGINT)  # as a Ctrl-C on the terminal may
    running.browser.json("overview")
    assert readers(os.getpid()) == [reader]
    reader.kill()
    # Not waited for by its id: that is for the event loop, whose child it is.
    until = time.monotonic() + DEADLINE
    while (answer := running.browser.get("api/overview")).status != 200 or readers(os.getpid()) == [reader]:
        assert answer.status in (200, 503) and time.monotonic() < until
    assert len(readers(os.getpid())) == 1


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer")
@pytest.mark.parametrize("match", ["regex=^(a|aa)+$", "json=$.a~^(a|aa)+$", "json=$[?search(@,'^(a|aa)+$')]"])
def test_no_regular_expression_stops_the_traffic(match: str) -> None:
    with RawServer() as server, HangupProxy(server.url) as proxy:
        proxy.wait_for("control on")
        client, upstream = open_websocket(proxy.address, "/ws"), server.accept("/ws")
        remote_of(proxy).post("filters/add", filter=f"drop {match}")
        said = b"a" * 64 + b"!" if match.startswith("regex") else b'{"a":"%s!"}' % (b"a" * 64)
        for payload in (said, b"{}"):
            there = frames.frame(TEXT, payload, mask=MASK)
            client.send(there)
            assert upstream.take(len(there)) == there
        (filter,) = remote_of(proxy).get("filters")["filters"]
        assert not filter["on"]
        proxy.wait_for("failed and was skipped")
        proxy.wait_for("filter off")
        client.send(frames.frame(TEXT, said, mask=MASK))  # it is asked no more
        assert upstream.take(len(said))
        proxy.stop()
        added, failed, off = [each for each in proxy.events() if isinstance(each, FilterEvent)]
        assert (added.action, failed.action, off.action) == ("add", "error", "off")
        assert "took more than" in failed.note


def test_a_name_longer_than_any_file_has(running: Running) -> None:
    assert running.browser.get(f"page/{'a' * 20_000}").status == 404


@pytest.mark.parametrize("how", ["stopped", "killed", "with a reader that is stuck"])
def test_it_ends_with_the_proxy(how: str) -> None:
    with RawServer() as server, HangupProxy(server.url) as proxy:
        proxy.wait_for("control on")
        link = proxy.wait_for(r"page: (http://\S+/hangup/\S+/open\?key=\S+)")[1]
        assert psutil.Process(proxy.pid).is_running() and readers(proxy.pid) == []
        assert Browser(link).json("overview")["live"]
        assert remote_of(proxy).get("overview")["connections"] == []
        (reader,) = readers(proxy.pid)
        if "stuck" in how:
            reader.suspend()
        if how == "killed":
            proxy.kill()
        else:
            proxy.stop()
        assert gone(reader)


def test_the_query_of_an_address_is_passed_on_as_it_is(running: Running) -> None:
    odd = quote("$.type=='<script>alert(1)</script>' & \"x\"")
    answer = running.browser.json(f"find?conn=1&path={odd}")
    assert answer["matches"] == []
