"""A reconnecting frontend that plays a scenario (``faults.scenarios``), on ``websockets`` or ``aiohttp``.

``frontend.py --url ws://127.0.0.1:8000 --fault a3-text-ping-to-json-reader`` loops until it is ended. Every opening and
ending is told on stdout, one JSON object a line, as this end saw it. ``frontend.mjs`` is the same on npm ``ws``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "backends"))

from faults.shape import Filler, Shape, compact  # noqa: E402

Scenario = dict[str, Any]


class Ended(Exception):
    """The connection is over: ``by`` whom, ``how``, ``code`` and ``reason`` or the handshake's ``status``."""

    def __init__(self, by: str, how: str, code: int | None = None, reason: str = "", status: int | None = None):
        self.account = {"by": by, "how": how, "code": code, "reason": reason, "status": status}


class OnWebsockets:
    """The ``websockets`` library."""

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, url: str, socket: Scenario) -> AsyncIterator[OnWebsockets]:
        from websockets.asyncio.client import connect
        from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus

        headers = dict(socket.get("headers", {}))
        agent = {"user_agent_header": headers.pop("User-Agent")} if "User-Agent" in headers else {}
        try:
            ws = await connect(
                url,
                additional_headers=headers,
                subprotocols=socket.get("protocols") or None,
                compression="deflate" if socket.get("deflate") else None,
                ping_interval=None,
                max_size=None,
                proxy=None,
                **agent,
            )
        except InvalidStatus as error:
            raise Ended("server", "refused", status=error.response.status_code) from None
        except (OSError, InvalidMessage, InvalidHandshake, TimeoutError):
            raise Ended("server", "unreachable") from None
        self = cls()
        self.ws = ws
        try:
            yield self
        finally:
            ws.transport.abort()

    async def recv(self) -> str | bytes:
        from websockets.exceptions import ConnectionClosed

        try:
            return await self.ws.recv()
        except ConnectionClosed as error:
            rcvd, sent = error.rcvd, error.sent
            if rcvd is not None and (error.rcvd_then_sent or sent is None):
                raise Ended("server", "close", rcvd.code, rcvd.reason) from None
            if sent is not None:
                raise Ended("client", "close", sent.code, sent.reason) from None
            raise Ended("server", "fin", 1006) from None

    async def send(self, data: str | bytes) -> None:
        await self.ws.send(data)

    async def close(self, code: int | None, reason: str) -> None:
        await self.ws.close(code or 1000, reason)

    def abort(self) -> None:
        self.ws.transport.abort()


class OnAiohttp:
    """The ``aiohttp`` client."""

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(cls, url: str, socket: Scenario) -> AsyncIterator[OnAiohttp]:
        import aiohttp

        async with aiohttp.ClientSession() as session:
            try:
                ws = await session.ws_connect(
                    url,
                    headers=socket.get("headers"),
                    protocols=socket.get("protocols") or (),
                    compress=15 if socket.get("deflate") else 0,
                    max_msg_size=0,
                )
            except aiohttp.WSServerHandshakeError as error:
                raise Ended("server", "refused", status=error.status) from None
            except (OSError, aiohttp.ClientError):
                raise Ended("server", "unreachable") from None
            self = cls()
            self.ws, self.closing = ws, False
            yield self

    async def recv(self) -> str | bytes:
        import aiohttp

        message = await self.ws.receive()
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            return message.data  # type: ignore[no-any-return]
        if message.type is aiohttp.WSMsgType.CLOSE:
            raise Ended("server", "close", message.data or 1005, message.extra or "")
        if self.closing or message.type is aiohttp.WSMsgType.ERROR:
            raise Ended("client", "close", self.ws.close_code)
        raise Ended("server", "fin", 1006)

    async def send(self, data: str | bytes) -> None:
        await (self.ws.send_str(data) if isinstance(data, str) else self.ws.send_bytes(data))

    async def close(self, code: int | None, reason: str) -> None:
        self.closing = True
        await self.ws.close(code=code or 1000, message=reason.encode())

    def abort(self) -> None:
        if transport := self.ws._response.connection and self.ws._response.connection.transport:
            transport.abort()


LIBRARIES = {"websockets": OnWebsockets, "aiohttp": OnAiohttp}


def report(**line: Any) -> None:
    print(json.dumps({k: v for k, v in line.items() if v is not None}), flush=True)


class Tab:
    """One socket of the frontend, reconnecting for ever."""

    def __init__(self, base: str, scenario: Scenario, number: int, library: type[Any]) -> None:
        self.socket: Scenario = scenario["sockets"][number]
        self.scenario, self.number, self.library = scenario, number, library
        self.url = base + self.socket["path"]
        self.rng = random.Random(f"tab {scenario['seed']} {number}")
        self.filler = Filler(f"tab {scenario['seed']} {number}")

    def jittered(self, seconds: float, jitter: float | None = None) -> float:
        jitter = self.scenario["jitter"] if jitter is None else jitter
        return max(0.0, seconds * self.rng.uniform(1 - jitter, 1 + jitter))

    async def run(self) -> None:
        await asyncio.sleep(self.socket.get("after", 0))
        delay = self.scenario["delay"]
        for conn in range(1, 1_000_000):
            started = time.monotonic()
            try:
                await self.live(conn)
            except Ended as ended:
                lifetime = time.monotonic() - getattr(self, "opened", started)
                report(event="end", tab=self.number, conn=conn, lifetime=round(lifetime, 4), **ended.account)
                if ended.account["code"] in self.socket.get("final", ()):
                    return
            await asyncio.sleep(self.jittered(delay))
            delay = min(delay * self.scenario["backoff"], 5.0)

    async def live(self, conn: int) -> None:
        async with self.library.connect(self.url, self.socket) as ws:
            self.opened = self.heard = time.monotonic()
            report(event="open", tab=self.number, conn=conn)
            work = [self.timer(ws, timer) for timer in self.socket.get("timers", ())]
            if "patience" in self.socket:
                work.append(self.wait_for_pong(ws, **self.socket["patience"]))
            tasks = [asyncio.ensure_future(self.safely(w)) for w in work]
            try:
                while True:
                    await self.hear(ws, await ws.recv())
            finally:
                for task in tasks:
                    task.cancel()

    @staticmethod
    async def safely(work: Any) -> None:
        """Sending on a connection that is going is no event of its own: ``recv`` tells the ending."""
        with contextlib.suppress(Exception):
            await work

    async def timer(self, ws: Any, timer: Scenario) -> None:
        await asyncio.sleep(self.jittered(timer["first"]))
        low, high = timer.get("times") or (1_000_000, 1_000_000)
        for n in range(self.rng.randint(low, high)):
            await self.say(ws, timer["send"][n % len(timer["send"])])
            if "every" not in timer:
                return
            await asyncio.sleep(self.jittered(timer["every"], timer.get("jitter")))

    async def wait_for_pong(self, ws: Any, kind: str, within: float, code: int | None = None, reason: str = "") -> None:
        while (left := self.heard + within - time.monotonic()) > 0:
            await asyncio.sleep(left)
        await ws.close(code, reason)

    async def hear(self, ws: Any, data: str | bytes) -> None:
        patience, answers = self.socket.get("patience"), self.socket.get("answers", {})
        if patience and patience["kind"] == "*":
            self.heard = time.monotonic()
        try:
            message = json.loads(data)
            kind = message.get(self.scenario["key"])
        except (ValueError, AttributeError) as error:
            match self.socket.get("on_error"):
                case "close":
                    await ws.close(self.socket.get("code"), "")
                    raise Ended("client", "close", self.socket.get("code")) from error
                case "terminate":
                    ws.abort()
                    raise Ended("client", "rst", 1006) from error
            return
        if patience and kind == patience["kind"]:
            self.heard = time.monotonic()
        if kind in answers:
            await self.say(ws, answers[kind])

    async def say(self, ws: Any, message: Any) -> None:
        if isinstance(message, dict) and "$text" in message:
            await ws.send(message["$text"])
        elif isinstance(message, dict) and "$bytes" in message:
            await ws.send(bytes.fromhex(message["$bytes"]))
        else:
            await ws.send(compact(self.filler.fill(message)))


async def play(base: str, scenario: Scenario, library: type[Any]) -> None:
    tabs = [Tab(base, scenario, n, library) for n in range(len(scenario["sockets"]))]
    task = asyncio.gather(*(tab.run() for tab in tabs))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, os._exit, 0)
    await task
    await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def without_pongs(url: str, wanted: bool) -> AsyncIterator[str]:
    """The URL by way of a relay that swallows pongs, on this side of whatever is to be observed."""
    if not wanted:
        yield url
        return
    from _relay import relay

    parts = urlsplit(url)
    async with relay(parts.hostname or "127.0.0.1", parts.port or 80, swallow_pongs=True) as port:
        yield f"ws://127.0.0.1:{port}{parts.path}"


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True, help="the backend's base, without the scenario's path")
    parser.add_argument("--fault", help="play this fault's scenario")
    parser.add_argument("--scenario", help="play this one, in JSON")
    parser.add_argument("--shape", default=os.environ.get("FAULT_SHAPE") or "{}")
    parser.add_argument("--fixed", action="store_true", default=os.environ.get("FIXED") == "1")
    parser.add_argument("--delay", type=float, help="reconnect after this many seconds")
    parser.add_argument("--library", choices=sorted(LIBRARIES), default="websockets")
    parser.add_argument("--swallow-pongs", action="store_true", help="go by way of a relay that does")
    options = parser.parse_args()
    if options.scenario:
        scenario = json.loads(options.scenario)
    else:
        from faults.table import FAULTS

        shape = msgspec.json.decode(options.shape, type=Shape)
        scenario = FAULTS[options.fault].scenario(shape, options.fixed)
    if options.delay is not None:
        scenario["delay"] = options.delay
    async with without_pongs(options.url.rstrip("/"), options.swallow_pongs and not options.fixed) as base:
        await play(base, scenario, LIBRARIES[options.library])


if __name__ == "__main__":
    asyncio.run(main())
