"""``hangup demo``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from hangup.cli.params import TIME
from hangup.cli.proxy.live import Live
from hangup.errors import UsageError

LOOP = 10.0
"""Seconds for which the loop is shown alone."""

ABOUT = """A FastAPI backend reads JSON; its frontend sends the text 'ping' as a heartbeat.
The frontend only sees 1006 and reconnects."""

YOURS = """
Now your own project:
  hangup run -- npm run dev               Vite: reads VITE_WS_BASE from .env; --env-var NAME for another variable
  hangup proxy ws://localhost:8000/ws     anything else: prints the line to start your frontend with
and once it has dropped:
  hangup why                              the likeliest cause of the newest recording
"""


@click.command(epilog="Example:  hangup demo   (about 40 seconds)")
@click.option("--short", is_flag=True, help="Show only the loop, and who closed each connection.")
@click.option(
    "--seconds", show_default=f"{LOOP:g} s", type=TIME, metavar="TIME", help="With --short: how long the loop runs."
)
@click.option(
    "--record",
    default="recordings",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder or file to record into.",
)
@click.pass_context
def demo(context: click.Context, short: bool, seconds: float | None, record: Path) -> None:
    """Watch a real reconnect loop: its cause is named, proved by experiment, and fixed.

    A FastAPI backend behind the proxy, and a frontend whose heartbeat the backend does not understand.
    """
    if not short:
        if seconds is not None:
            raise UsageError("use --seconds with --short: the full demo takes as long as the proof")
        code = _whole(record)
        click.echo(YOURS, nl=False)
        sys.exit(code)
    seconds = seconds or LOOP
    click.echo(f"{ABOUT} {seconds:g} seconds of it, through the proxy:\n")
    live = Live()
    asyncio.run(_run(seconds, record, live))
    recorder = live.proxy.recorder if live.proxy else None
    assert recorder is not None
    from hangup.cli.show.command import show

    click.echo()
    context.invoke(show, recording=str(recorder.path))
    click.echo(YOURS, nl=False)


def _whole(record: Path) -> int:
    from hangup.cli import demo_bisect
    from hangup.cli.screen import console

    click.echo(f"{ABOUT} Every reconnect becomes an experiment:\n")
    return asyncio.run(demo_bisect.run(record, Live(quiet=True), console()))


async def _run(seconds: float, record: Path, live: Live) -> None:
    from hangup.demo.backend import Backend
    from hangup.demo.frontend import frontend
    from hangup.proxy.run import ProxySettings, RunningProxy
    from hangup.wire.url import parse_target

    async with Backend() as port:
        started = asyncio.Event()

        def ready(proxy: RunningProxy) -> None:
            live.ready(proxy)
            started.set()

        settings = ProxySettings(target=parse_target(f"ws://127.0.0.1:{port}"), port=0, record=record)
        proxy = RunningProxy(settings, on_ready=ready, warn=live.warn)
        serving = asyncio.create_task(proxy.serve())
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if started.is_set():
            page = asyncio.create_task(frontend(f"ws://127.0.0.1:{proxy.address[1]}/ws/client-1"))
            await asyncio.wait([serving], timeout=seconds)
            page.cancel()
            await asyncio.wait([page])
            proxy.stop()
        await serving
