"""Real clients in front of a recorded server: what they see is what they saw of the real one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness import node
from harness.browser import chromium
from harness.programs import Program
from harness.proxies import HangupProxy
from serving import served

pytestmark = pytest.mark.real

PAGE = """
async ({url, times}) => {
  const log = [];
  for (let n = 0; n < times; n++) {
    await new Promise((resolve) => {
      const socket = new WebSocket(url);
      let heartbeat;
      socket.onopen = () => {
        log.push(["open", socket.protocol, socket.extensions]);
        socket.send(JSON.stringify({type: "hello", page: "/inbox"}));
        heartbeat = setTimeout(() => socket.send("ping"), 200);
      };
      socket.onmessage = ({data}) => log.push(["message", data]);
      socket.onclose = ({code, reason, wasClean}) => {
        clearTimeout(heartbeat);
        log.push(["close", code, reason, wasClean]);
        resolve();
      };
    });
  }
  return log;
}
"""


@contextmanager
def demo_backend() -> Iterator[str]:
    """The demo's FastAPI backend, which hangs up on ``ping``."""
    command = [sys.executable, "-m", "uvicorn", "--factory", "hangup.demo.backend:backend"]
    with Program([*command, "--host", "127.0.0.1", "--port", "0"]) as program:
        yield program.wait_for(r"running on http://(127\.0\.0\.1:\d+)")[1]


def test_a_page_in_chromium_cannot_tell(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with chromium() as page:
        with demo_backend() as address, HangupProxy(f"ws://{address}", record=path) as proxy:
            url = f"ws://127.0.0.1:{proxy.port}/ws/client-1"
            seen = page.evaluate(PAGE, {"url": url, "times": 2})
            proxy.stop()
        with served(path) as server:
            again = page.evaluate(PAGE, {"url": f"{server.url}/ws/client-1", "times": 3})
            other = page.evaluate(PAGE, {"url": f"{server.url}/ws/client-2", "times": 1})
            endings = [server.connection(n).ending for n in (1, 2, 3, 4)]
    assert [line[0] for line in seen] == ["open", "message", "message", "close"] * 2 and seen[3][1] == 1006
    assert again == seen + seen[4:], "the last connection is played once more"
    assert other[1] == ["message", '{"type":"welcome","client":"client-2"}'], "its own id comes back"
    assert {(ending.by, ending.how) for ending in endings} == {("server", "fin")}


def test_a_page_that_is_kept_open(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with chromium() as page:
        with demo_backend() as address, HangupProxy(f"ws://{address}", record=path) as proxy:
            page.evaluate(PAGE, {"url": f"ws://127.0.0.1:{proxy.port}/ws/client-1", "times": 1})
            proxy.stop()
        with served(path, "--stay-open") as server:
            script = """async (url) => {
              const socket = new WebSocket(url);
              const closed = new Promise((resolve) => { socket.onclose = resolve; });
              await new Promise((resolve) => { socket.onopen = resolve; });
              socket.send("ping");
              socket.send(JSON.stringify({type: "hello", page: "/inbox"}));
              await new Promise((resolve) => { socket.onmessage = ({data}) => data.includes("ack") && resolve(); });
              const open = socket.readyState === WebSocket.OPEN;
              socket.close(1000, "done");
              const {code, wasClean} = await closed;
              return [open, code, wasClean];
            }"""
            assert page.evaluate(script, f"{server.url}/ws/client-1") == [True, 1000, True]
            assert server.connection(1).ending.by == "client"


def printed(program: Program) -> list[Any]:
    assert program.wait() == 0, program.report()
    return [json.loads(line) for line in program.output.splitlines() if line.startswith("{")]


@contextmanager
def node_server(script: str) -> Iterator[str]:
    with node.program(script) as program:
        yield "127.0.0.1:" + program.wait_for(r"listening on (\d+)")[1]


@pytest.mark.parametrize(
    ("backend", "client", "scheme", "arguments", "packages"),
    [
        ("echo_server.mjs", "echo_client.mjs", "ws", (), ("ws",)),
        ("tickets_server.mjs", "tickets_client.mjs", "http", ("websocket",), ("socket.io", "socket.io-client")),
        ("subscriptions_server.mjs", "subscriptions_client.mjs", "ws", (), ("graphql-ws", "graphql")),
    ],
    ids=["ws", "socket.io", "graphql-ws"],
)
def test_a_node_client_cannot_tell(
    backend: str, client: str, scheme: str, arguments: tuple[str, ...], packages: tuple[str, ...], tmp_path: Path
) -> None:
    if why := node.problem(*packages):
        pytest.skip(why)
    path = tmp_path / "run.jsonl"
    with node_server(backend) as address, HangupProxy(f"ws://{address}", record=path) as proxy:
        with node.program(client, f"{scheme}://127.0.0.1:{proxy.port}", *arguments) as program:
            seen = printed(program)
        proxy.stop()
    with served(path) as server:
        with node.program(client, f"{scheme}://127.0.0.1:{server.address[1]}", *arguments) as program:
            again = printed(program)
    assert seen and again == seen


def test_socket_io_comes_by_polling_first(tmp_path: Path) -> None:
    """As it does by default. What the server said over HTTP is in no recording, but the client comes to its socket."""
    if why := node.problem("socket.io", "socket.io-client"):
        pytest.skip(why)
    path = tmp_path / "run.jsonl"
    both = "polling,websocket"
    with node_server("tickets_server.mjs") as address, HangupProxy(f"ws://{address}", record=path) as proxy:
        with node.program("tickets_client.mjs", f"http://127.0.0.1:{proxy.port}", both) as program:
            printed(program)
        proxy.stop()
    with served(path) as server:
        url = f"http://127.0.0.1:{server.address[1]}"
        with node.program("tickets_client.mjs", url, both) as program:
            program.wait_for('"connected":true')
            while not any(getattr(e, "text", None) == "5" for e in server.events()):
                assert program.process.poll() is None, program.report()
        assert server.connection(1).ending.by == "client"
