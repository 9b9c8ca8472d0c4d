"""The control API: who gets in, what it does, and that the proxy's traffic never waits for it."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hangup.errors import ListenError, UsageError
from hangup.recorder.recorder import Recorder
from hangup.recording.events import FilterEvent, Note
from hangup.web.access import BASE, Access
from hangup.web.feed import Feed, Gap
from hangup.web.server import BODY_LIMIT, SKIPPED, bind
from harness import DEADLINE, frames
from harness.frames import MASK, TEXT
from harness.peers import Peer, RawServer, dial, open_websocket
from harness.proxies import HangupProxy, hangup, home


class Answer:
    """A response: ``status``, ``headers`` by lower-case name, and its JSON."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Running:
    """A proxy with one connection open through it, and its control API."""

    def __init__(self, proxy: HangupProxy, server: RawServer) -> None:
        self.proxy = proxy
        files = [json.loads(path.read_text()) for path in folder().glob("*.json")]
        self.state = next(each for each in files if each["listen"] == f"{proxy.host}:{proxy.port}")
        self.token: str = self.state["token"]
        self.host: str = self.state["web"]
        self.port = int(self.host.rpartition(":")[2])
        self.client = open_websocket(proxy.address, "/ws/client-1")
        self.backend = server.accept("/ws/client-1")
        self._said = 0

    def echo(self) -> None:
        """A message there and back on the connection that has been open from the start."""
        self._said += 1
        payload = f"message {self._said}".encode()
        there, back = frames.frame(TEXT, payload, mask=MASK), frames.frame(TEXT, payload)
        self.client.send(there)
        assert self.backend.take(len(there)) == there
        self.backend.send(back)
        assert self.client.take(len(back)) == back

    def raw(self, request: bytes, *, whole: bool = True) -> bytes:
        """Everything that comes back for these bytes, until the server closes; that it does so is up to a whole
        request, after any other the client does once the traffic has gone on."""
        peer = dial(("127.0.0.1", self.port))
        try:
            peer.send(request)
            if not whole:
                self.echo()
                peer.half_close()
            peer.wait_end()
            return peer.received
        finally:
            peer.close()

    def ask(self, method: str, path: str, body: Any = None, *, data: bytes | None = None, **headers: str) -> Answer:
        """A request with the token and a JSON body; ``headers`` replace what it has (``None`` takes one away)."""
        if body is not None:
            data = json.dumps(body).encode()
        fields: dict[str, str | None] = {"Host": self.host, "Authorization": f"Bearer {self.token}"}
        fields["Connection"] = "close"
        if data is not None:
            fields |= {"Content-Type": "application/json", "Content-Length": str(len(data))}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {path if path.startswith('/') else BASE + path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in fields.items() if value is not None]
        return Answer(self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + (data or b"")))

    def filters(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.ask("GET", "api/filters").json["filters"]
        return listed

    def toggles(self) -> list[FilterEvent]:
        """The changes that stand in the recording so far."""
        return [e for e in self.proxy.events() if isinstance(e, FilterEvent) and not e.conn]

    def change(self, action: str, **body: Any) -> list[dict[str, Any]]:
        answer = self.ask("POST", f"api/filters/{action}", body)
        assert answer.status == 200, answer.body
        changed: list[dict[str, Any]] = answer.json["changed"]
        return changed


NONE: Any = None


def folder() -> Path:
    return home() / "state" / "hangup"


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with RawServer() as server, HangupProxy(server.url) as proxy:
        proxy.wait_for("control on")
        yield Running(proxy, server)
        assert proxy.errors == "", proxy.report()


@pytest.fixture(autouse=True)
def never_stops(running: Running) -> Iterator[None]:
    running.echo()
    yield
    running.echo()
    running.change("clear")


# Who gets in.


@pytest.mark.parametrize("path", ["api/status", "api/filters", "api/connections", "api/recording", "", "x", "/x"])
def test_nobody_without_a_token(running: Running, path: str) -> None:
    answer = running.ask("GET", path, Authorization=NONE)
    assert answer.status == 401 and "token" in answer.json["error"]
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("action", ["add", "on", "off", "remove", "clear"])
def test_nobody_changes_anything_without_a_token(running: Running, action: str) -> None:
    body = {"filter": "drop-heartbeat"}
    assert running.ask("POST", f"api/filters/{action}", body, Authorization=NONE).status == 401
    assert running.filters() == []


@pytest.mark.parametrize("value", ["Bearer", "Bearer x", "bearer \xff", "Basic {}", "{}", "Bearer {}x", "Bearer {} {}"])
def test_a_wrong_token(running: Running, value: str) -> None:
    answer = running.ask("GET", "api/status", Authorization=value.replace("{}", running.token))
    assert answer.status == 401 and "wrong" in answer.json["error"]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_the_names_of_loopback(running: Running, name: str) -> None:
    assert running.ask("GET", "api/status", Host=f"{name}:{running.port}").status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:{port}",
        "127.0.0.1.evil.example:{port}",
        "localhost.evil.example:{port}",
        "evil.example",
        "127.0.0.1",
        "localhost:80",
        "127.0.0.1:{port}@evil.example",
        "localhost.:{port}",
        "127.0.0.1:0{port}",
        "",
        None,
    ],
)
def test_a_foreign_host_as_after_dns_rebinding(running: Running, host: str | None) -> None:
    given = host.replace("{port}", str(running.port)) if host is not None else NONE
    answer = running.ask("GET", "api/status", Host=given)
    assert answer.status in (400, 403)
    assert "now" not in answer.body.decode()


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://evil.example:{port}",
        "https://127.0.0.1:{port}",
        "http://localhost:{port}",  # a name of ours, but not the one that was asked
        "http://127.0.0.1:5173",
        "http://127.0.0.1",
        "null",
        "",
    ],
)
def test_a_foreign_origin(running: Running, origin: str) -> None:
    origin = origin.replace("{port}", str(running.port))
    body = {"filter": "drop-heartbeat"}
    assert running.ask("POST", "api/filters/add", body, Origin=origin).status == 403
    assert running.ask("GET", "open?key=x", Origin=origin).status == 403
    assert running.filters() == []


def test_our_own_origin(running: Running) -> None:
    body = {"filter": "drop-heartbeat"}
    assert running.ask("POST", "api/filters/add", body, Origin=f"http://{running.host}").status == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_that_another_page_makes_without_an_origin(running: Running, site: str) -> None:
    asked = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "script"}
    assert running.ask("GET", "api/status", **asked).status == 403
    navigates = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert running.ask("GET", "api/status", **navigates).status == 200
    framed = {**navigates, "Sec_Fetch_Dest": "iframe"}
    assert running.ask("GET", "api/status", **framed).status == 403


def test_a_foreign_websocket(running: Running) -> None:
    peer = dial(("127.0.0.1", running.port))
    headers = [("Authorization", f"Bearer {running.token}"), ("Origin", "http://evil.example")]
    open_websocket(peer, BASE + "api/status", headers=headers, host=running.host, status=403).close()


def test_the_link_lets_a_browser_in_once(running: Running) -> None:
    link = running.ask("POST", "api/link", {}).json["link"]
    home, _, key = link.removeprefix(f"http://{running.host}").partition("open?key=")
    assert re.fullmatch(rf"{BASE}[\w-]{{16}}/", home) and key
    path = link.removeprefix(f"http://{running.host}")
    assert running.token not in link

    assert running.ask("GET", path + "x", Authorization=NONE).status == 401
    first = running.ask("GET", path, Authorization=NONE)
    assert first.status == 200 and f"url={home}" in first.body.decode()
    cookie, *attributes = first.headers["set-cookie"].split("; ")
    assert set(attributes) == {f"Path={home}", "HttpOnly", "SameSite=Strict"}
    assert running.token not in cookie

    again = running.ask("GET", path, Authorization=NONE)
    assert again.status == 401 and "set-cookie" not in again.headers
    assert running.ask("GET", path, Authorization=NONE, Cookie=cookie).status == 200  # as when it is reloaded
    assert running.ask("GET", f"{home}api/status", Authorization=NONE, Cookie=f"a=b; {cookie}").status == 200
    # A browser sends it nowhere else, so who comes with it there has got it from somewhere else.
    assert running.ask("GET", "api/status", Authorization=NONE, Cookie=cookie).status == 401
    assert running.ask("GET", f"{home[:-2]}/api/status", Authorization=NONE, Cookie=cookie).status == 401
    for wrong in (cookie[:-1], cookie + "x", cookie.replace("hangup-", "hangup"), "\xff=\xfe; ;;=", cookie + "\u00e9"):
        assert running.ask("GET", f"{home}api/status", Authorization=NONE, Cookie=wrong).status == 401


def test_a_change_by_cookie_needs_our_origin(running: Running) -> None:
    link = running.ask("POST", "api/link", {}).json["link"]
    path = link.removeprefix(f"http://{running.host}")
    opened = running.ask("GET", path, Authorization=NONE)
    cookie = opened.headers["set-cookie"].partition(";")[0]
    asked = {"Authorization": NONE, "Cookie": cookie}
    add = path.partition("open?")[0] + "api/filters/add"
    assert running.ask("POST", add, {"filter": "drop-ping"}, **asked).status == 403
    own = f"http://{running.host}"
    assert running.ask("POST", add, {"filter": "drop-ping"}, **asked, Origin=own).status == 200


def test_every_answer_has_the_headers_of_caution(running: Running) -> None:
    for answer in (
        running.ask("GET", "api/status"),
        running.ask("GET", "api/status", Authorization=NONE),
        running.ask("GET", "api/nothing"),
        running.ask("DELETE", "api/filters"),
        running.ask("GET", "/"),
    ):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers and "server" not in answer.headers


# What is malformed, or too large.


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "filter"),
        (b"{", "filter"),
        (b"[]", "filter"),
        (b"\xff", "filter"),
        (b"[" * 5000, "filter"),
        (b'{"filter": 7}', "filter"),
        (b'{"filtre": "drop-ping"}', "filtre"),
        (b'{"filter": "drop-ping", "on": "yes"}', "on"),
        (b"{}", "a filter is needed"),
        (b'{"filter": "drop-hartbeat"}', "did you mean drop-heartbeat?"),
        (b'{"filter": "drop-heartbeat site=client"}', "site"),
        (b'{"filter": "\\ud800"}', "filter"),
    ],
)
def test_a_malformed_filter(running: Running, data: bytes, named: str) -> None:
    answer = running.ask("POST", "api/filters/add", data=data)
    assert answer.status == 400 and named in answer.json["error"]
    assert "\n" not in answer.json["error"]
    assert running.filters() == []


@pytest.mark.parametrize("size", [BODY_LIMIT + 1, SKIPPED])
def test_an_oversized_body(running: Running, size: int) -> None:
    answer = running.ask("POST", "api/filters/add", data=b" " * size)
    assert answer.status == 413 and str(BODY_LIMIT) in answer.json["error"]


def test_a_body_that_announces_far_too_much_is_not_waited_for(running: Running) -> None:
    peer = dial(("127.0.0.1", running.port))
    head = f"POST {BASE}api/filters/add HTTP/1.1\r\nHost: {running.host}\r\nAuthorization: Bearer {running.token}\r\n"
    peer.send(head.encode() + b"Content-Type: application/json\r\nContent-Length: 9999999999999\r\n\r\n")
    assert peer.take(b"\r\n").startswith(b"HTTP/1.1 413 ")
    peer.wait_end()
    peer.close()


def test_the_largest_body_that_fits(running: Running) -> None:
    data = b'{"filter": "drop-ping"}'.ljust(BODY_LIMIT)
    assert running.ask("POST", "api/filters/add", data=data).status == 200


def test_a_body_in_chunks_and_a_body_that_is_no_json(running: Running) -> None:
    chunks = {"Transfer_Encoding": "chunked", "Content_Length": NONE}
    assert running.ask("POST", "api/filters/add", data=b"2\r\n{}\r\n0\r\n\r\n", **chunks).status == 411
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert running.ask("POST", "api/filters/add", data=b"filter=drop-ping", **form).status == 415


@pytest.mark.parametrize(("method", "status"), [("PUT", 405), ("DELETE", 405), ("GET", 405), ("BREW", 405)])
def test_other_methods(running: Running, method: str, status: int) -> None:
    answer = running.ask(method, "api/filters/clear", Origin=f"http://{running.host}")
    assert answer.status == status and answer.json["error"]


def test_nothing_is_there(running: Running) -> None:
    assert running.ask("GET", "api/nothing").status == 404
    assert running.ask("GET", "api/connections?after=x").status == 400


# What it does.


def test_status_connections_and_recording(running: Running) -> None:
    status = running.ask("GET", "api/status").json
    assert status["listen"] == f"{running.proxy.host}:{running.proxy.port}"
    assert status["connections"] == {"open": 1, "all": 1} and status["now"] > 0
    assert status["recording"] == str(running.proxy.recording) == running.ask("GET", "api/recording").json["path"]
    (connection,) = running.ask("GET", "api/connections").json["connections"]
    assert connection["path"] == "/ws/client-1"
    assert connection["frames"]["client"] == connection["frames"]["server"] > 0  # also while it is open
    assert running.ask("GET", "api/connections?after=1").json == {"connections": []}
    assert running.ask("GET", "api/connections?limit=0").json == {"connections": []}


def test_a_filter_is_added_switched_and_removed_on_an_open_connection(running: Running) -> None:
    def passes(text: bytes) -> bool:
        there = frames.frame(TEXT, text, mask=MASK)
        running.client.send(there)
        running.client.send(mark := frames.frame(TEXT, b"mark", mask=MASK))
        got = running.backend.take(mark)
        return got == there + mark

    before = len(running.toggles())
    assert passes(b"ping")
    assert running.change("on", filter="drop-heartbeat")[0]["on"]
    assert not passes(b"ping")
    assert [(f["filter"], f["on"], f["hits"]) for f in running.filters()] == [("drop-heartbeat", True, 1)]
    running.change("off", filter="drop-heartbeat")
    assert passes(b"ping")
    running.change("on", filter="drop-heartbeat")
    assert not passes(b"ping")
    (removed,) = running.change("remove", filter="drop-heartbeat")
    assert passes(b"ping") and running.filters() == []
    (added,) = running.change("add", filter="drop-heartbeat path=/other*", on=False)
    assert not added["on"] and added["id"] != removed["id"]
    running.change("on", filter=str(added["id"]))
    assert passes(b"ping")  # another path
    toggles = ["add", "off", "on", "remove", "add", "on"]
    until = time.monotonic() + DEADLINE
    while len(events := running.toggles()[before:]) < len(toggles):  # lines may wait a little for their file
        assert time.monotonic() < until, events
        time.sleep(0.01)
    assert [e.action for e in events] == toggles
    assert all(earlier.at <= later.at for earlier, later in zip(events, events[1:], strict=False))


def test_the_command_line(running: Running) -> None:
    where = ("--proxy", f"{running.proxy.host}:{running.proxy.port}")
    assert "no filters" in hangup("filter", "list", *where).stdout
    shown = hangup("filter", "on", "drop-heartbeat", "side=client", "--path", "/ws/*", *where).stdout
    assert "drop-heartbeat path=/ws/* side=client" in shown or "drop-heartbeat side=client path=/ws/*" in shown
    hangup("filter", "add", "rewrite", "side=server", "json=$.type==ping", 'to={"a": "b c"}', "--off", *where)
    listed = json.loads(hangup("filter", "list", "--json", *where).stdout)["filters"]
    assert [f["on"] for f in listed] == [True, False] and '{"a": "b c"}' in listed[1]["filter"]
    hangup("filter", "on", "rewrite", *where)
    hangup("filter", "off", "drop-heartbeat", *where)
    assert [f["on"] for f in running.filters()] == [False, True]
    hangup("filter", "remove", str(running.filters()[0]["id"]), *where)
    assert len(running.filters()) == 1
    cleared = json.loads(hangup("filter", "clear", "--json", "--proxy", running.host).stdout)
    assert cleared["filters"] == [] and len(cleared["changed"]) == 1


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (["on", "drop-hartbeat"], 2, "did you mean drop-heartbeat?"),
        (["off", "drop-ping"], 2, "drop-ping"),
        (["on", "77"], 2, "77"),
        (["on", "77", "--path", "/x"], 2, "--path"),
        (["add", "delay", "soon"], 2, "soon"),
    ],
)
def test_the_command_line_says_what_is_wrong(running: Running, words: list[str], code: int, named: str) -> None:
    done = hangup("filter", *words, "--proxy", str(running.proxy.port), check=False)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1)
    assert done.stderr.startswith("hangup: ") and named in done.stderr
    assert running.filters() == []


# Any bytes.

REQUESTS = st.binary(max_size=400) | st.builds(
    lambda method, path, headers, body: b"%s %s HTTP/1.1\r\n%s\r\n%s" % (method, path, b"".join(headers), body),
    st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b"X"]) | st.binary(min_size=1, max_size=9),
    st.sampled_from(
        [b"/", b"*", b"/hangup/open?key=%ff", b"/hangup/api/filters", b"/hangup/api/filters/add",
         b"//hangup/api/status", b"http://127.0.0.1/hangup/api/status",
         b"/hangup/../hangup/api/status", b"/hangup/%61pi/status"]
    )
    | st.binary(max_size=40),
    st.lists(
        st.builds(
            lambda name, value: name + b": " + value + b"\r\n",
            st.sampled_from(
                [b"Host", b"Origin", b"Authorization", b"Cookie", b"Content-Length", b"Content-Type", b"Expect",
                 b"Transfer-Encoding", b"Connection", b"Upgrade", b"Content-Encoding", b"Sec-Fetch-Site"]
            )
            | st.binary(max_size=20),
            st.sampled_from([b"HOST", b"TOKEN", b"application/json", b"chunked", b"100-continue", b"5", b"-1", b"gzip"])
            | st.binary(max_size=40),
        ),
        max_size=6,
    ),
    st.binary(max_size=100) | st.just(b'{"filter": "drop-ping"}'),
)  # fmt: skip


@settings(max_examples=150)
@given(request=REQUESTS)
def test_no_bytes_get_in_or_stop_the_traffic(running: Running, request: bytes) -> None:
    answer = running.raw(request.replace(b"HOST", running.host.encode()), whole=False)
    for line in answer.split(b"HTTP/1.1 ")[1:]:
        status = int(line[:3])
        assert status in (100, 302, 400, 401, 403, 405, 411, 413, 415), answer
    assert running.filters() == []


@settings(max_examples=80)
@given(
    action=st.sampled_from(["add", "on", "off", "remove", "clear", "x"]),
    body=st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.just("drop-ping"),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["filter", "on"]) | st.text(max_size=5), inner, max_size=3),
    ).map(lambda value: json.dumps(value).encode()),
)
def test_no_body_breaks_it(running: Running, action: str, body: bytes) -> None:
    answer = running.ask("POST", f"api/filters/{action}", data=body)
    running.echo()
    assert answer.status in (200, 400, 404)
    assert answer.status == 200 or answer.json["error"]


def test_who_sends_half_a_request_and_waits_stops_nobody(running: Running) -> None:
    head = f"POST {BASE}api/filters/add HTTP/1.1\r\nHost: {running.host}\r\n".encode()
    token = f"Authorization: Bearer {running.token}\r\nContent-Type: application/json\r\n".encode()
    halves = [b"", b"GE", head, head + token + b"Content-Length: 50\r\n\r\n{", head + b"Content-Length: 50\r\n\r\n{"]
    waiting: list[Peer] = []
    for half in halves * 4:
        peer = dial(("127.0.0.1", running.port))
        peer.send(half)
        waiting.append(peer)
    running.echo()
    assert running.change("add", filter="drop-ping")
    for peer in waiting:
        peer.close()


# Where it is, and how it is found.


def test_the_file_is_its_users_own_and_goes_with_the_proxy() -> None:
    with RawServer() as server, HangupProxy(server.url) as proxy:
        proxy.wait_for("control on")
        (path,) = folder().glob(f"*-{proxy.port}.json")
        if sys.platform != "win32":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert json.loads(path.read_text())["pid"] == proxy.pid
        proxy.stop()
        assert not path.exists()


def test_the_newest_living_proxy_is_found(tmp_path: Path) -> None:
    own = {"XDG_STATE_HOME": str(tmp_path)}

    def run(*words: str) -> str:
        done = hangup("filter", *words, check=False, environment=own)
        return done.stdout + done.stderr

    assert "no proxy is running" in run("list")
    with RawServer() as server, HangupProxy(server.url, environment=own) as first:
        first.wait_for("control on")
        with HangupProxy(server.url, environment=own) as second:
            second.wait_for("control on")
            assert f":{second.port} " in run("list")
            assert f":{first.port} " in run("list", "--proxy", f"localhost:{first.port}")
            second.kill()  # and leaves its file behind
        assert len(list((tmp_path / "hangup").glob("proxy-*"))) == 2
        assert f":{first.port} " in run("list")
        assert len(list((tmp_path / "hangup").glob("proxy-*"))) == 1
        assert f"there is one on 127.0.0.1:{first.port}" in run("list", "--proxy", "1")
        first.stop()
    assert "no proxy is running" in run("list")


def test_without_a_web_server_there_is_none() -> None:
    with RawServer() as server, HangupProxy(server.url, "--no-web") as proxy:
        proxy.wait_for("recording to")
        done = hangup("filter", "list", "--proxy", str(proxy.port), check=False)
        assert done.returncode == 1 and "no proxy is running on" in done.stderr
        assert "control on" not in proxy.stop()


def test_it_listens_on_loopback_only() -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        with pytest.raises(UsageError, match="loopback"):
            bind(host, 0)


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=f"127.0.0.1:{port} is taken"):
            bind("127.0.0.1", port)
        done = hangup("proxy", "ws://localhost:1", "--web", f"127.0.0.1:{port}", "--listen", "127.0.0.1:0", check=False)
        assert done.returncode == 1 and done.stderr.count("\n") == 1


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=60), st.text(max_size=60))
def test_no_header_gets_past_the_rules(host: str, origin: str, authorization: str, cookie: str) -> None:
    access = Access("127.0.0.1", 9001)
    headers = {"Host": host, "Origin": origin, "Authorization": authorization, "Cookie": cookie}
    assert access.refuse("GET", BASE, headers) is not None
    for path in (BASE, access.home):
        assert access.refuse("GET", path, {"Host": "127.0.0.1:9001", "Cookie": cookie}) is not None
    assert access.refuse("GET", BASE, {"Host": "127.0.0.1:9001", "Authorization": authorization}) is not None
    assert access.redeem(cookie) is None


# A subscriber that is slow.


def test_a_slow_subscriber_is_told_what_it_missed(tmp_path: Path) -> None:
    async def run() -> None:
        recorder = Recorder(tmp_path / "run.jsonl", target="ws://x")
        with Feed(recorder, limit=3) as feed:
            for number in range(8):
                recorder.emit(Note(at=float(number), text="x"))
            *events, gap = await asyncio.wait_for(feed.batch(), DEADLINE)
            assert [e.at for e in events if isinstance(e, Note)] == [0.0, 1.0, 2.0]
            assert gap == Gap(missed=5, since=3.0, until=7.0)
            recorder.emit(Note(at=8.0, text="x"))
            (event,) = await asyncio.wait_for(feed.batch(), DEADLINE)
            assert isinstance(event, Note) and event.at == 8.0
        assert recorder.listeners == []
        recorder.close()

    asyncio.run(run())
