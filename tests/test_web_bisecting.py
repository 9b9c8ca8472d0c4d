"""Live bisects that are started in a running proxy: what the page is told, more than once, beside ``--bisect``."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import reports
from hangup.demo import frontend as demo_frontend
from hangup.demo.backend import Backend
from hangup.demo.frontend import frontend
from hangup.errors import ControlError, UsageError
from hangup.recording import reader
from hangup.recording.events import Frame
from hangup.web.client import Remote
from harness import DEADLINE
from harness.proxies import HangupProxy
from harness.remotes import remote_of

State = dict[str, Any]

TOKEN = "-".join(["Zq7", "invented", "4u5v6w7x"])
"""What the frontend of these tests identifies itself by."""


class Loop:
    """The demo's two ends, and a proxy between them."""

    def __init__(self, proxy: HangupProxy) -> None:
        self.proxy = proxy
        self.remote: Remote = remote_of(proxy)

    async def ask(self, path: str = "bisect") -> State:
        state: State = await asyncio.to_thread(self.remote.get, path)
        return state

    async def post(self, path: str, **body: Any) -> State:
        state: State = await asyncio.to_thread(self.remote.post, path, **body)
        return state

    async def until(self, condition: Callable[[State], bool]) -> State:
        async with asyncio.timeout(DEADLINE):
            while not condition(state := await self.ask()):
                await asyncio.sleep(0.05)
        return state

    async def connections(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.ask("connections"))["connections"]
        return found

    def download(self, path: str) -> tuple[str, str]:
        """What a download is called, and what is in it."""
        running = self.remote.running
        request = urllib.request.Request(
            f"http://{running.web}/hangup/api/{path}", headers={"Authorization": f"Bearer {running.token}"}
        )
        with urllib.request.urlopen(request) as answer:
            return answer.headers["Content-Disposition"], answer.read().decode()


@asynccontextmanager
async def looping(*arguments: str) -> AsyncIterator[Loop]:
    async with Backend() as port:
        with HangupProxy(f"ws://127.0.0.1:{port}", *arguments) as proxy:
            proxy.wait_for("control on")
            page = asyncio.create_task(frontend(f"{proxy.url}/ws/client-1?token={TOKEN}"))
            try:
                yield Loop(proxy)
            finally:
                page.cancel()
                await asyncio.wait([page])


def run(scenario: Callable[[Loop], Awaitable[None]], *arguments: str) -> None:
    async def main() -> None:
        async with looping(*arguments) as loop:
            await scenario(loop)

    asyncio.run(main())


def test_it_is_shown_as_it_goes_and_can_be_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is of the command line, the second of the page."""

    async def scenario(loop: Loop) -> None:
        with pytest.raises(ControlError, match="is running"):
            await loop.post("bisect/start")
        trying = await loop.until(lambda s: s["phase"] == "trying" and len(s["trials"]) > 3)
        assert trying["looking_for"].startswith("by=server how=abrupt") and trying["verdict"] is None
        assert trying["why"]["verdict"] and trying["why"]["sentence"]
        assert sum(rung["failed"][1] for rung in trying["ladder"]) <= len(trying["trials"])
        assert trying["left"]["steps"] and trying["left"]["connections"] > 0 < trying["left"]["seconds"]
        # What comes next is known between two connections, and is what is tried then.
        waiting = await loop.until(lambda s: s["phase"] == "done" or s["next"] is not None)
        if waiting["phase"] != "done":
            count = len(waiting["trials"])
            after = await loop.until(lambda s: len(s["trials"]) > count)
            assert after["trials"][count]["arm"] == waiting["next"]["arm"]
            assert after["trials"][count]["filters"] == waiting["next"]["filters"]
        done = await loop.until(lambda s: s["phase"] == "done" and s["markdown"])
        assert done["next"] is None and done["left"] is None
        assert done["verdict"]["verdict"] == "heartbeat/app-ping-kills" and done["verdict"]["proved"]
        assert done["headline"] == "proved: heartbeat/app-ping-kills"
        assert done["standing"][0][0] == "heartbeat/app-ping-kills"
        assert done["cure"] == "drop-heartbeat side=client" and done["cure"] in done["markdown"]
        assert done["counts"]["with"][0] == done["counts"]["with"][1] and done["counts"]["without"][0] == 0
        assert [trial["number"] for trial in done["trials"]] == list(range(1, len(done["trials"]) + 1))
        assert {trial["conn"] for trial in done["trials"]} <= {c["conn"] for c in (await loop.connections())}
        kept = await loop.until(lambda s: "minimal" in s["downloads"])
        assert kept["verdict"]["minimal"]["payload"] == "", "found by replay, and written down"
        name, text = loop.download("bisect/reproducer")
        assert "reproduce.py" in name and re.search(r"MESSAGES = \[\([\d.]+, ''\)\]", text)
        compile(text, "reproduce.py", "exec")
        assert loop.download("bisect/markdown")[1] == kept["markdown"]
        for what in ("reproducer", "minimal", "survives", "markdown"):
            assert TOKEN not in loop.download(f"bisect/{what}")[1], "what is taken along has no secrets"
        assert "token=[redacted-1]" in text and "token=[redacted-1]" in loop.download("bisect/minimal")[1]
        for what in ("reproducer", "minimal", "survives"):
            local = Path(kept["verdict"]["files"][what])
            assert TOKEN in local.read_text(), "what is replayed here is as it was"
            assert local.stat().st_mode & 0o077 == 0 and str(local.parent) == kept["folder"]
        page = (await asyncio.to_thread(loop.download, "export?format=html"))[1]
        assert TOKEN not in page
        report = reports.data_of(page)
        assert report["summary"]["proved"] and report["proof"]["cure"] == "drop-heartbeat side=client"
        loop.proxy.wait_for("proved: heartbeat/app-ping-kills")

        again = await loop.post("bisect/start", filters=["drop-heartbeat side=client"], fails_when="code=1006")
        assert again["phase"] == "watching" and again["trials"] == [] and again["looking_for"] == "how=abrupt"
        tried = await loop.until(lambda s: len(s["ladder"]) > 1)
        assert tried["verdict"] is None
        stopped = await loop.post("bisect/stop")
        assert stopped["phase"] == "done" and stopped["verdict"]["stopped"] == "stopped"
        kept = await loop.until(lambda s: not s["busy"] and "reproducer" in s["downloads"])
        name, text = loop.download("bisect/minimal")
        assert name.endswith('"minimal.jsonl"')
        (tmp_path / "minimal.jsonl").write_text(text)
        assert [e.message for e in reader.read(tmp_path / "minimal.jsonl") if isinstance(e, Frame)][-1] == "ping"

    monkeypatch.setattr(demo_frontend, "HEARTBEAT", 0.1)
    monkeypatch.setattr(demo_frontend, "RECONNECT", 0.05)
    run(scenario, "--bisect")


def test_what_is_stopped_leaves_nothing_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped while a trial has made the connection live: it does not live on with that, and the next can begin."""

    async def scenario(loop: Loop) -> None:
        await loop.until(lambda s: any("drop-heartbeat" in text for rung in s["ladder"] for text in rung["filters"]))
        stopped = await loop.post("bisect/stop")
        assert stopped["phase"] == "done"
        await loop.post("bisect/start")
        await loop.until(lambda s: s["phase"] == "trying")

    monkeypatch.setattr(demo_frontend, "HEARTBEAT", 0.1)
    monkeypatch.setattr(demo_frontend, "RECONNECT", 0.05)
    run(scenario, "--bisect")


@pytest.fixture(scope="module")
def idle() -> Iterator[Loop]:
    with HangupProxy("ws://127.0.0.1:9") as proxy:
        proxy.wait_for("control on")
        yield Loop(proxy)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({"fails_when": "code=x"}, "code=x"),
        ({"filters": ["drop-heartbeet"]}, "drop-heartbeet"),
        ({"connections": 0}, "connections"),
        ({"seconds": -1}, "seconds"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_what_is_wrong_is_said(idle: Loop, body: dict[str, Any], wrong: str) -> None:
    with pytest.raises(UsageError, match=wrong):
        idle.remote.post("bisect/start", **body)
    assert idle.remote.get("bisect")["phase"] == "idle"


def test_it_begins_and_ends_without_a_page(idle: Loop) -> None:
    assert idle.remote.get("bisect") == {"phase": "idle"}
    begun = idle.remote.post("bisect/start")
    assert begun["phase"] == "watching" and begun["verdict"] is None and begun["ladder"] == []
    ended = idle.remote.post("bisect/stop")
    assert ended["phase"] == "done" and "no two connections failed alike" in ended["headline"]


def test_there_is_nothing_to_download_yet(idle: Loop) -> None:
    with pytest.raises(ControlError, match="no verdict yet"):
        idle.remote.get("bisect/reproducer")
