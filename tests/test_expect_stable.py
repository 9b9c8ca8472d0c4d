"""The signs of success: judged from sums, by ``hangup proxy --expect-stable``, and by the pytest fixture."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import websockets

from hangup.cli.demo_bisect import cured
from hangup.recording import events
from hangup.recording.connections import Connection
from hangup.recording.ledger import Ledger
from hangup.recording.stability import failed_signs
from harness.proxies import HANGUP, home


def ledger(*lives: tuple[float, float | None], talk: bool = True, by: str = "server") -> list[Connection]:
    """Connections that opened and ended at these times; None is open still."""
    made = Ledger()
    for conn, (opened, ended) in enumerate(lives, 1):
        made.feed(
            events.Handshake(
                at=opened,
                conn=conn,
                client=f"127.0.0.1:{5000 + conn}",
                server="127.0.0.1:1",
                request=events.Request(method="GET", target="/ws", version="HTTP/1.1", headers=[]),
                response=events.Response(status=101, reason="", version="HTTP/1.1", headers=[], text=""),
                waited=0.001,
            )
        )
        for side in ("client", "server") if talk else ("client",):
            made.feed(events.Frame(at=opened + 0.1, conn=conn, side=side, n=1, opcode="text", text="hi"))  # type: ignore[arg-type]
        if ended is not None:
            made.feed(events.End(at=ended, conn=conn, side=by, how="fin"))  # type: ignore[arg-type]
    return list(made.connections.values())


def test_a_connection_that_holds() -> None:
    assert failed_signs(ledger((0.1, None)), 5.0) == []


@pytest.mark.parametrize(
    ("connections", "said"),
    [
        ([], "no client has connected"),
        (ledger((0.1, 0.9)), "no connection is open"),
        (ledger((4.0, None)), "longer than 2 s"),
        (ledger((0.1, 0.9), (1.0, None)), "reconnected 1 time"),
        (ledger((0.1, 0.9), (1.0, 1.5), (1.6, None)), "reconnected 2 times"),
        (ledger((0.1, None), talk=False), "the server sent none"),
    ],
)
def test_each_sign_is_named(connections: list[Connection], said: str) -> None:
    signs = failed_signs(connections, 5.0)
    assert len(signs) == 1 and said in signs[0], signs


def test_pings_are_no_messages() -> None:
    """They show that the other end is there, and nothing of the application."""
    held = ledger((0.1, None), talk=False)
    for side in ("client", "server"):
        held[0].frames[side] += 3  # type: ignore[index]
        held[0].pings = {**held[0].pings, side: held[0].pings[side] + 3}  # type: ignore[dict-item]
    (sign,) = failed_signs(held, 5.0)
    assert "the server sent none" in sign


def test_mounting_twice_is_no_reconnect() -> None:
    """StrictMode: the page closes its first connection at once."""
    assert failed_signs(ledger((0.1, 0.12), (0.13, None), by="client"), 5.0) == []
    again = failed_signs(ledger((0.1, 0.12), (0.13, 0.15), (0.16, None), by="client"), 5.0)
    assert again == ["it reconnected 1 time"]


async def backend(kill: bool) -> websockets.Server:
    async def handler(socket: Any) -> None:
        async for message in socket:
            await socket.send(message)
            if kill:
                await socket.close(1011)
                return

    return await websockets.serve(handler, "127.0.0.1", 0)


async def page(url: str) -> None:
    while True:
        with contextlib.suppress(websockets.ConnectionClosed):
            async with websockets.connect(url) as socket:
                await socket.send("hi")
                async for _ in socket:
                    pass
        await asyncio.sleep(0.2)


async def beside_page(record: Path, kill: bool, wait: str, *more: str) -> tuple[int, str]:
    """``hangup proxy --expect-stable`` between a backend and a page: exit code and output."""
    server = await backend(kill)
    port = server.sockets[0].getsockname()[1]
    words = ["proxy", f"ws://127.0.0.1:{port}", "--listen", "127.0.0.1:0", "--record", str(record), "--no-web"]
    process = await asyncio.create_subprocess_exec(
        *HANGUP,
        *words,
        "--expect-stable",
        wait,
        *more,
        stdout=asyncio.subprocess.PIPE,
        env={"HOME": str(home()), "PATH": "/usr/bin:/bin"},
    )
    client = None
    said = ""
    try:
        assert process.stdout is not None
        async for line in process.stdout:
            said += line.decode()
            if client is None and "listening on" in said:
                client = asyncio.create_task(page(f"ws://{said.split('listening on ')[1].split()[0]}"))
        return await process.wait(), said
    finally:
        if process.returncode is None:
            process.kill()
        if client is not None:
            client.cancel()
            await asyncio.wait([client])
        server.close()
        await server.wait_closed()


@pytest.mark.slow
@pytest.mark.parametrize("kill", [False, True])
def test_the_exit_code_says_it(tmp_path: Path, kill: bool) -> None:
    code, said = asyncio.run(beside_page(tmp_path / "run.jsonl", kill, "3s"))
    assert code == int(kill), said
    assert ("not stable: it reconnected" in said) if kill else ("stable: the connection stayed open" in said)


@pytest.mark.experiment
@pytest.mark.slow
def test_the_fixture(tmp_path: Path) -> None:
    """In a test suite of somebody else's: a page that holds, and one that does not."""
    (tmp_path / "test_theirs.py").write_text(
        textwrap.dedent(
            """
            import asyncio, threading, pytest, websockets
            from contextlib import contextmanager
            from test_expect_stable import backend, page

            @contextmanager
            def running(kill, hangup_proxy):
                loop = asyncio.new_event_loop()
                thread = threading.Thread(target=loop.run_forever)
                thread.start()
                server = asyncio.run_coroutine_threadsafe(backend(kill), loop).result()
                proxy = hangup_proxy(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
                client = asyncio.run_coroutine_threadsafe(page(proxy.url), loop)
                try:
                    yield proxy
                finally:
                    client.cancel()
                    async def end():
                        server.close()
                        await server.wait_closed()
                    asyncio.run_coroutine_threadsafe(end(), loop).result()
                    loop.call_soon_threadsafe(loop.stop)
                    thread.join()
                    loop.close()

            def test_it_holds(hangup_proxy):
                with running(False, hangup_proxy) as proxy:
                    proxy.assert_stable(4)
                assert proxy.recording.exists()

            def test_it_does_not(hangup_proxy):
                with running(True, hangup_proxy) as proxy:
                    with pytest.raises(AssertionError, match="reconnected"):
                        proxy.assert_stable(3)
            """
        )
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:hangup",
            "-p",
            "hangup.testing",
            "-p",
            "no:cacheprovider",
            ".",
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{Path(__file__).parent}", "HOME": str(home()), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_what_was_open_when_the_cure_came_is_watched_too() -> None:
    """It may be the only connection there is: the page reconnects no more."""
    lives = ledger((0.0, 0.4), (0.9, 1.3), (1.8, None))
    assert [c.conn for c in cured(lives, 2.0)] == [3] and failed_signs(cured(lives, 2.0), 6.0) == []
    lives = ledger((0.9, 2.1), (2.6, None))
    assert [c.conn for c in cured(lives, 2.0)] == [2], "the ping was under way already"
    assert failed_signs(cured(ledger((0.9, 1.3)), 2.0), 6.0) == ["no client has connected"]
