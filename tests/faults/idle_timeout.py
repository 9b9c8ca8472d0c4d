"""A silent client behind nginx with a ``proxy_read_timeout``: how long does ``hangup bisect`` take to prove it?

    cd tests && python -m faults.idle_timeout [--timeout 60] [--ends 2] [--recording FILE] [WORDS FOR BISECT ...]

The client's loop is recorded through the proxy first (with ``--recording`` of a file that is there, that one is taken),
then bisected against the same nginx. It ends with one line of JSON: what was proved, when it ends, and what it cost.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import websockets
from websockets.exceptions import ConnectionClosed

from faults.runner import child, proxy_command
from hangup.recording import events, reader
from lab.between import between

HELLO = '{"type":"hello"}'


@contextlib.asynccontextmanager
async def nginx(timeout: float) -> AsyncIterator[int]:
    """nginx with such a timeout (seconds) before a healthy server that says nothing by itself; gives its port."""

    async def answer(socket: Any) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for _ in socket:
                await socket.send('{"type":"ack"}')

    settings = {"kind": "nginx", "location": f"proxy_read_timeout {round(timeout * 1000)}ms;"}
    async with websockets.serve(answer, "127.0.0.1", 0, ping_interval=None) as server:
        origin = server.sockets[0].getsockname()[1]
        async with between([origin], settings) as port:
            yield port


async def silent(url: str, ends: int) -> None:
    """A client that says hello and nothing more, and comes again whenever it is dropped; for so many ends."""
    for _ in range(ends):
        async with websockets.connect(url, ping_interval=None) as socket:
            await socket.send(HELLO)
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await socket.recv()
        await asyncio.sleep(0.2)


async def record(port: int, ends: int, path: Path) -> None:
    """The client's loop, recorded through the proxy."""
    async with child("proxy", [*proxy_command(f"ws://127.0.0.1:{port}", path), "--no-web"]) as proxy:
        found = await proxy.wait_for(r"listening on 127\.0\.0\.1:(\d+)")
        await silent(f"ws://127.0.0.1:{found[1]}/ws/client-1", ends)
        async with asyncio.timeout(20):  # nothing tells of what another program has written
            while sum(isinstance(e, events.End) for e in reader.read(path)) < 2 * ends:
                await asyncio.sleep(0.05)


async def proved(port: int, recording: Path, folder: Path, *words: str, errors: Any = None) -> dict[str, Any]:
    """What ``hangup bisect --json`` says, and how many seconds it took in all."""
    began = time.monotonic()
    start = "from hangup.cli import main; main()"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", start, "bisect", str(recording), f"ws://127.0.0.1:{port}", "--json"),
        *("--record", str(folder), *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=errors,
    )
    output, _ = await process.communicate()
    said: dict[str, Any] = json.loads(output)
    return said | {"took": round(time.monotonic() - began, 1), "exit": process.returncode}


async def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--timeout", type=float, default=60.0)
    parser.add_argument("--ends", type=int, default=2)
    parser.add_argument("--recording", type=Path)
    options, words = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="hangup-idle-") as name:
        path = options.recording or Path(name) / "run.jsonl"
        async with nginx(options.timeout) as port:
            if not path.exists():
                await record(port, options.ends, path)
            said = await proved(port, path, Path(name), *words)
    law = said.get("law") or {}
    kept = ("proved", "verdict", "cure", "timers", "counts", "connections", "seconds", "took", "exit")
    short = {key: said[key] for key in kept} | {key: law.get(key) for key in ("sentence", "boundary", "predictions")}
    print(json.dumps(short))


if __name__ == "__main__":
    asyncio.run(main())
