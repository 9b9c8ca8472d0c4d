"""``--metrics`` as a scraper, a probe and a person meet it: addresses, answers, what is refused, what goes wrong."""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from hangup.cli import cli
from hangup.errors import HangupError
from harness import frames, until
from harness.peers import RawServer, open_websocket
from harness.programs import Program
from harness.proxies import HANGUP, SMALL_FILES, HangupProxy, hangup, surroundings
from scraped import equal, expected, key, read, scrape

METRICS = ("--metrics", "127.0.0.1:0")
MASK = b"\x01\x02\x03\x04"
WITHOUT = "import sys; sys.modules[{!r}] = None; from hangup.cli import main; main()"


def url_of(proxy: Program) -> str:
    return proxy.wait_for(r"metrics: (http://\S+/metrics)")[1]


def asked(url: str, method: str = "GET", path: str = "/metrics", **headers: str) -> tuple[int, dict[str, str], str]:
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
    finally:
        connection.close()


def test_what_is_under_way_is_told_as_it_stands() -> None:
    with RawServer() as server, HangupProxy(server.url, *METRICS) as proxy:
        url = url_of(proxy)
        client = open_websocket(proxy.address, "/ws/client-1")
        upstream = server.accept("/ws/client-1")
        client.send(frames.frame(frames.TEXT, b"hello", mask=MASK) + frames.frame(frames.PING, b"?", mask=MASK))
        upstream.expect_frames(2)
        until(lambda: read(scrape(url)).get(key("hangup_pings_total", path="/ws/{}", side="client")) == 1)
        told = read(scrape(url))
        assert told[key("hangup_connections_open", path="/ws/{}")] == 1
        assert told[key("hangup_frames_total", path="/ws/{}", side="client")] == 2
        assert told[key("hangup_payload_bytes_total", path="/ws/{}", side="client")] == 6
        assert told[key("hangup_ping_round_trip_seconds_count", side="client")] == 0
        upstream.send(frames.frame(frames.PONG, b"?"))
        client.expect_frames(1)
        pongs = key("hangup_ping_round_trip_seconds_count", side="client")
        until(lambda: read(scrape(url))[pongs] == 1)
        upstream.rst()
        client.wait_end()
        ended = key("hangup_connections_ended_total", path="/ws/{}", by="server", how="rst", code="")
        until(lambda: read(scrape(url)).get(ended) == 1)
        last = read(scrape(url))
        proxy.stop()
        equal(last, expected(proxy.show()))


def test_a_scraper_gets_what_it_asks_for() -> None:
    with RawServer() as server, HangupProxy(server.url, *METRICS) as proxy:
        url = url_of(proxy)
        open_websocket(proxy.address, "/a").close()
        status, headers, plain = asked(url)
        assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
        assert headers["cache-control"] == "no-store" and "server" not in headers
        # What Prometheus sends.
        accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
        status, headers, text = asked(url, Accept=accept)
        assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert text.endswith("# EOF\n") and text.count("# EOF") == 1
        status, headers, body = asked(url, "HEAD")
        assert status == 200 and not body and int(headers["content-length"]) > 1000
        assert asked(url, path="/")[0] == 404 and "/healthz" in asked(url, path="/")[2]
        assert asked(url, "POST")[0] == 405


def test_whatever_is_sent_the_next_one_is_answered() -> None:
    def sent(data: bytes, all_of_it: bool = False) -> bytes:
        with socket.create_connection((where.hostname or "", where.port or 0), timeout=30) as sock:
            sock.sendall(data)
            if all_of_it:
                sock.shutdown(socket.SHUT_WR)
            got = b""
            try:
                while piece := sock.recv(1 << 16):
                    got += piece
            except ConnectionResetError:
                pass  # closed with something unread
            return got

    with RawServer() as server, HangupProxy(server.url, *METRICS) as proxy:
        where = urlsplit(url_of(proxy))
        close = b"Host: localhost\r\nConnection: close\r\n\r\n"
        assert sent(b"\x16\x03\x01\x02\x00\x01\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert sent(b"GET /metrics HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400 "), "without a Host"
        assert sent(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 20_000).startswith(b"HTTP/1.1 431 ")
        assert sent(b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999\r\n" + close + b"x" * 100_000) == b""
        assert sent(b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n" + close + b"abc").startswith(b"HTTP/1.1 405 ")
        assert sent(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        upgrade = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade, "
        assert sent(upgrade + b"close\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        twice = sent(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\n" + close)
        assert twice.count(b"HTTP/1.1 200 ") == 2, "one after the other, before the first was answered"
        rng = random.Random(1)
        for _ in range(30):
            sent(rng.randbytes(rng.randrange(1, 200)) + b"\r\n\r\n", all_of_it=True)
        assert asked(where.geturl())[0] == 200 and "Traceback" not in proxy.errors
        proxy.stop()


def test_no_page_reads_it_under_a_name_of_its_own() -> None:
    with RawServer() as server, HangupProxy(server.url, *METRICS) as proxy:
        url = url_of(proxy)
        for path in ("/metrics", "/healthz", "/nowhere"):
            for host in ("evil.example", "evil.example:80", "10.0.0.1", "", "127.0.0.1.evil.example"):
                status, headers, text = asked(url, path=path, Host=host)
                assert status in (400, 403) and "hangup_" not in text and "ok" not in text
        for host in ("localhost:1", "127.0.0.1", "[::1]:9464"):
            status, headers, _ = asked(url, Host=host, Origin="http://evil.example")
            assert status == 200 and "access-control-allow-origin" not in headers


def test_beyond_loopback_where_it_is_asked_for() -> None:
    with RawServer() as server, HangupProxy(server.url, "--metrics", "0.0.0.0:0") as proxy:
        port = urlsplit(url_of(proxy)).port
        assert asked(f"http://127.0.0.1:{port}", Host="hangup.monitoring.svc")[0] == 200


def test_health_is_told_and_a_full_disk_is_no_reason_to_be_restarted() -> None:
    command = [sys.executable, "-c", SMALL_FILES]
    with RawServer() as server, HangupProxy(server.url, *METRICS, command=command) as proxy:
        url = url_of(proxy)
        assert json.loads(asked(url, path="/healthz")[2]) == {"status": "ok", "recording": "ok", "lost": 0, "open": 0}
        client = open_websocket(proxy.address)
        server.accept()
        client.send(frames.frame(frames.BINARY, os.urandom(100_000), mask=MASK))
        until(lambda: "cannot be written" in asked(url, path="/healthz")[2])
        status, headers, text = asked(url, path="/healthz")
        told = json.loads(text)
        assert status == 200 and headers["content-type"] == "application/json"
        assert told["status"] == "ok" and told["open"] == 1 and "File too large" in told["recording"]
        samples = read(scrape(url))
        assert samples[key("hangup_recorder_writing")] == 0 and samples[key("hangup_connections_open", path="/")] == 1
        text = next(line for line in scrape(url).splitlines() if line.startswith("hangup_recorder_backlog_bytes "))
        assert float(text.split()[1]) > 30_000
        proxy.stop(code=74)


def test_run_serves_metrics_too(tmp_path: Path) -> None:
    look = (
        "import os, re, sys, time, urllib.request\n"
        "print(urllib.request.urlopen(sys.argv[1]).read().decode())\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["run", "--target", "ws://127.0.0.1:9", "--no-web", "--listen", "127.0.0.1:0", "--metrics", str(port)]
    done = hangup(*words, "--", sys.executable, "-c", look, f"http://127.0.0.1:{port}/metrics", cwd=tmp_path)
    assert read(done.stdout)[key("hangup_recorder_writing")] == 1
    assert f"metrics: http://127.0.0.1:{port}/metrics" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--metrics", "nowhere"], "not an address to listen on: 'nowhere'"),
        (["--metrics", "192.0.2.1:1"], "--metrics: 192.0.2.1:1 cannot be listened on"),
        (["--otlp", "localhost:4318"], "not a URL to send OTLP to: 'localhost:4318'"),
        (["--otlp", "ftp://localhost"], "not a URL to send OTLP to"),
        (["--otlp", "http://h:99999"], "not a URL to send OTLP to"),
        (["--otlp", "http://h/\nx"], "not a URL to send OTLP to"),
        (["--otlp", "http://me:secret@h"], "set OTEL_EXPORTER_OTLP_HEADERS instead"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, words: list[str], says: str) -> None:
    for command in (["proxy", "ws://127.0.0.1:9"], ["run", "--target", "ws://127.0.0.1:9"]):
        more = ["--", sys.executable, "-c", ""] if command[0] == "run" else []
        done = CliRunner().invoke(cli, [*command, "--no-web", "--record", str(tmp_path / "r"), *words, *more])
        assert isinstance(done.exception, HangupError), (done.output, done.exception)
        assert says in str(done.exception) and "\n" not in str(done.exception) and "secret" not in str(done.exception)
    assert not (tmp_path / "r").exists(), "nothing has been started"


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = hangup("proxy", "ws://127.0.0.1:9", "--no-web", "--metrics", address, check=False, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"--metrics: {address} is taken by another program" in done.stderr


@pytest.mark.parametrize(
    ("library", "words", "says"),
    [
        ("prometheus_client", ["--metrics", "0"], 'pip install "hangup[metrics]"'),
        ("opentelemetry.sdk.trace", ["--otlp", "http://127.0.0.1:1"], 'pip install "hangup[otel]"'),
        ("opentelemetry", ["--otlp", "http://127.0.0.1:1"], 'pip install "hangup[otel]"'),
    ],
)
def test_without_the_extra_it_is_said_what_to_install(
    tmp_path: Path, library: str, words: list[str], says: str
) -> None:
    command = [sys.executable, "-c", WITHOUT.format(library), "proxy", "ws://127.0.0.1:9", "--no-web", *words]
    with Program(command, environment=surroundings(), cwd=tmp_path) as program:
        assert program.wait() == 1
        assert says in program.errors and program.errors.count("\n") == 1, program.errors


def test_neither_library_is_imported_unless_it_is_asked_for(tmp_path: Path) -> None:
    look = (
        "import sys, threading, os, signal\n"
        "from hangup.cli.proxy import live\n"
        "ready = live.Live.ready\n"
        "def look(self, *rest):\n"
        "    ready(self, *rest)\n"
        "    heavy = [n for n in sys.modules if n.split('.')[0] in ('prometheus_client', 'opentelemetry')]\n"
        "    print('heavy:', heavy, flush=True)\n"
        "    self.proxy.stop()\n"
        "live.Live.ready = look\n"
        "from hangup.cli import main; main()\n"
    )
    command = [sys.executable, "-c", look, "proxy", "ws://127.0.0.1:9", "--no-web", "--listen", "127.0.0.1:0"]
    with Program(command, environment=surroundings(), cwd=tmp_path) as program:
        assert program.wait() == 0
        assert "heavy: []" in program.output


def test_a_configuration_on_loopback_is_used(tmp_path: Path) -> None:
    text = "target = 'ws://127.0.0.1:9'\nlisten = '127.0.0.1:0'\nweb = false\nmetrics = '127.0.0.1:0'\n"
    (tmp_path / "hangup.toml").write_text(text)
    with Program([*HANGUP, "proxy"], environment=surroundings(), cwd=tmp_path) as proxy:
        assert read(scrape(url_of(proxy)))[key("hangup_http_requests_total")] == 0
        proxy.stop()
        assert "settings from hangup.toml: target, listen, web, metrics" in proxy.errors


@pytest.mark.real
def test_prometheus_itself_scrapes_it(tmp_path: Path) -> None:
    """A server that we did not write, ten times a second, and what it then answers a query of the dashboard's kind."""
    prometheus, promtool = shutil.which("prometheus"), shutil.which("promtool")
    if prometheus is None or promtool is None:
        pytest.skip("prometheus is not here")
    with socket.create_server(("127.0.0.1", 0)) as free:
        api = f"127.0.0.1:{free.getsockname()[1]}"
    with RawServer() as server, HangupProxy(server.url, *METRICS) as proxy:
        url = url_of(proxy)
        for number in range(4):
            client = open_websocket(proxy.address, f"/ws/client-{number}")
            server.accept(f"/ws/client-{number}").send(frames.close(4001))
            client.expect_frames(1)
            client.rst()
        ended = key("hangup_connections_ended_total", path="/ws/{}", by="server", how="close", code="4001")
        until(lambda: read(scrape(url)).get(ended) == 4)
        checked = subprocess.run([promtool, "check", "metrics"], input=scrape(url), capture_output=True, text=True)
        assert checked.returncode == 0 and not checked.stdout + checked.stderr
        config = tmp_path / "prometheus.yml"
        job = f"job_name: hangup, static_configs: [{{targets: ['{urlsplit(url).netloc}']}}]"
        config.write_text(f"global: {{scrape_interval: 100ms, scrape_timeout: 100ms}}\nscrape_configs: [{{{job}}}]\n")
        words = [f"--config.file={config}", f"--web.listen-address={api}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
        with Program([prometheus, *words]) as program:
            program.wait_for("Server is ready to receive web requests")
            query = "sum%20by%20(path,by,how,code)%20(hangup_connections_ended_total)"

            def found() -> list[dict[str, object]]:
                told = json.loads(scrape(f"http://{api}/api/v1/query?query={query}"))
                return list(told["data"]["result"])

            until(lambda: bool(found()))
            (series,) = found()
            assert series["metric"] == {"path": "/ws/{}", "by": "server", "how": "close", "code": "4001"}
            assert series["value"][1] == "4"  # type: ignore[index]
