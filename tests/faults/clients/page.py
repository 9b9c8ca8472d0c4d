"""A page in the system's Chromium as the client: ``--page react`` or ``--page token``.

The page is served from a port of its own, as a frontend's dev server would; React comes unbuilt from ``tests/node``.
What the page logs as JSON is told on stdout.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec
from playwright.async_api import ConsoleMessage, async_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from faults.shape import Filler, Shape  # noqa: E402

PAGES = Path(__file__).parent / "pages"
MODULES = Path(__file__).resolve().parents[2] / "node" / "node_modules"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
TYPES = {".html": "text/html", ".js": "text/javascript"}


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serves one file of the pages, or of a package under ``/modules/``."""
    with contextlib.suppress(asyncio.IncompleteReadError, OSError):
        request = await reader.readuntil(b"\r\n\r\n")
        path = request.split()[1].decode().partition("?")[0].lstrip("/")
        base, rest = (MODULES, path.removeprefix("modules/")) if path.startswith("modules/") else (PAGES, path)
        file = (base / rest).resolve()
        found = file.is_file() and file.is_relative_to(base.resolve())
        body = file.read_bytes() if found else b""
        kind = TYPES.get(file.suffix, "application/octet-stream")
        status = "200 OK" if found else "404 Not Found"
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
    writer.close()


def config_of(url: str, shape: Shape, mode: str, delay: float) -> dict[str, Any]:
    """What the page is told: a few messages are filled in here, since a page needs no more of them."""
    filler = Filler(f"page {shape.seed}")
    words = shape.words
    return {
        "url": url.rstrip("/") + shape.target(),
        "mode": mode,
        "key": shape.key,
        "news": words["news"][0],
        "hello": filler.fill(shape.wrap(*words["hello"])),
        "says": [filler.fill(shape.wrap(*words["says"][n % len(words["says"])])) for n in range(9)],
        "chatter": shape.chatter * 1.7,
        "delay": delay,
        "code": shape.code,
        "protocols": ["bearer", f"not-a-real-token-{shape.seed:04d}"],
    }


def relay(message: ConsoleMessage) -> None:
    with contextlib.suppress(ValueError):
        line = json.loads(message.text)
        if isinstance(line, dict) and "event" in line:
            print(json.dumps(line), flush=True)
            return
    print(message.text, file=sys.stderr, flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--page", choices=["react", "token"], required=True)
    parser.add_argument("--mode", default="stable", help="react: churn, strict or stable")
    parser.add_argument("--shape", default=os.environ.get("FAULT_SHAPE") or "{}")
    parser.add_argument("--fixed", action="store_true", default=os.environ.get("FIXED") == "1")
    parser.add_argument("--delay", type=float)
    options = parser.parse_args()
    shape = msgspec.json.decode(options.shape, type=Shape)
    mode = "stable" if options.fixed and options.mode == "churn" else options.mode
    config = config_of(options.url, shape, mode, shape.delay if options.delay is None else options.delay)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = await browser.new_page()
        page.on("console", relay)
        await page.add_init_script(f"window.CONFIG = {json.dumps(config)}")
        await page.goto(f"http://127.0.0.1:{port}/{options.page}.html")
        await stop.wait()
        await browser.close()
    server.close()


asyncio.run(main())
