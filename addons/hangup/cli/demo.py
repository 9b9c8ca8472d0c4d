"""``hangup demo``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from hangup.cli.live import Live
from hangup.cli.params import TIME


@click.command(epilog="Example:  hangup demo   (needs nothing but the extra: pip install 'hangup[demo]')")
@click.option(
    "--seconds",
    default=10.0,
    show_default=True,
    type=TIME,
    metavar="TIME",
    help="How long the loop runs.",
)
@click.option(
    "--record",
    default="recordings",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder, or file, to record into.",
)
@click.option("--bisect", is_flag=True, help="Then find the cause by experiment, and cure it; under a minute.")
@click.pass_context
def demo(context: click.Context, seconds: float, record: Path, bisect: bool) -> None:
    """Watch a real reconnect loop: FastAPI behind the proxy, a frontend whose heartbeat kills it."""
    from hangup.peer.demo import require_extra

    require_extra()
    if bisect:
        _bisect(record)
    click.echo(
        "A FastAPI backend reads JSON; its frontend sends the text 'ping' as a heartbeat.\n"
        f"The frontend only sees 1006 and reconnects. {seconds:g} seconds of it, through the proxy:\n"
    )
    live = Live()
    asyncio.run(_run(seconds, record, live))
    recorder = live.proxy.recorder if live.proxy else None
    assert recorder is not None
    from hangup.cli.show import show

    click.echo()
    context.invoke(show, recording=str(recorder.path))


def _bisect(record: Path) -> None:
    from hangup.cli import demo_bisect
    from hangup.cli.screen import console

    click.echo(
        "A FastAPI backend reads JSON; its frontend sends the text 'ping' as a heartbeat.\n"
        "The frontend only sees 1006 and reconnects. Every reconnect becomes an experiment:\n"
    )
    live = Live(quiet=True)
    sys.exit(asyncio.run(demo_bisect.run(record, live, console())))


async def _run(seconds: float, record: Path, live: Live) -> None:
    from hangup.peer.demo import Backend, frontend
    from hangup.proxy.run import Proxy, Settings
    from hangup.wire.url import parse_target

    async with Backend() as port:
        started = asyncio.Event()

        def ready(proxy: Proxy) -> None:
            live.ready(proxy)
            started.set()

        settings = Settings(target=parse_target(f"ws://127.0.0.1:{port}"), port=0, record=record)
        proxy = Proxy(settings, on_ready=ready, warn=live.warn)
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
