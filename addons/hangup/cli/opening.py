"""``hangup open``: a recording in the browser."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from hangup.cli.browser import open_in_browser
from hangup.cli.screen import console
from hangup.cli.sources import Source, opened
from hangup.errors import RecordingError, UsageError
from hangup.processes.ending import on_ending
from hangup.recording import events
from hangup.recording.folder import newest
from hangup.recording.reader import Reader
from hangup.system import open_private, temporary_path
from hangup.wire.url import parse_listen

EXAMPLES = """\b
Examples:
  hangup open                                 the newest in recordings/
  hangup open run.har                         exported by a browser
  hangup open run.jsonl --web 127.0.0.1:8100 --no-browser
  hangup open --live                          the page of the running proxy, in another browser
"""


@click.command(name="open", epilog=EXAMPLES)
@click.argument("recording", required=False)
@click.option(
    "--web", metavar="HOST:PORT", show_default="127.0.0.1:9001, or the next free", help=(
        "Where to serve the page; loopback "
        "only."
    )
)
@click.option("--no-browser", is_flag=True, help="Print the link without opening a browser.")
@click.option("--live", is_flag=True, help=(
    "Print a new link to the page of the running proxy, instead of opening a "
    "recording."
))
def open_(recording: str | None, web: str | None, no_browser: bool, live: bool) -> None:
    """Show a recording in the browser: its timeline, every frame, and why connections ended.

    RECORDING is a file in any format that hangup reads, or - for standard input. The page is read-only, and only the
    link, which works once, lets a browser in. Ctrl-C stops it.
    """
    from hangup.web.server import bind

    if live:
        if recording is not None or web is not None:
            raise UsageError("--live uses the page of the running proxy: it takes no recording and no --web")
        _open_live(browse=not no_browser)
        return
    if recording is None:
        recording = str(newest())
    with ExitStack() as stack:
        source = stack.enter_context(opened(recording))
        path = stack.enter_context(_own(source))
        host, port = parse_listen(web) if web else ("127.0.0.1", None)
        sockets = bind(host, port)
        for each in sockets:
            stack.callback(each.close)
        asyncio.run(_serve(sockets, path, source.name, browse=not no_browser))


def _open_live(*, browse: bool) -> None:
    from hangup.web.client import find

    link = str(find().post("link")["link"])
    console().print(f"page: {link}", soft_wrap=True, markup=False)
    if browse:
        open_in_browser(link, outlived=True)


@contextmanager
def _own(source: Source) -> Iterator[Path]:
    """The recording as a file of hangup's own: itself, or a copy for as long as this lasts."""
    recording = source.recording
    if isinstance(recording, Reader) and recording.path is not None:
        yield recording.path
        return
    with temporary_path(".jsonl") as path:
        try:
            with open_private(path) as copy:
                copy.write(events.encode(recording.header) + b"\n")
                for event in source.events("reading"):
                    copy.write(events.encode(event) + b"\n")
        except OSError as error:
            raise RecordingError(f"cannot save the imported recording: {error.strerror or error}") from None
        source.confess()
        yield path


async def _serve(sockets: list[socket.socket], path: Path, name: str, *, browse: bool) -> None:
    from hangup.web.access import Access
    from hangup.web.exporting import Exporter
    from hangup.web.pages import routes
    from hangup.web.running import own_seed
    from hangup.web.server import Server
    from hangup.web.worker import Worker

    web_host, web_port = sockets[0].getsockname()[:2]
    access = Access(web_host, web_port, own_seed())
    worker = Worker(path, {"live": False, "readonly": True, "name": name})
    exporter = Exporter(worker)
    server = Server(sockets, access, routes=[*routes(worker), *exporter.routes()])
    ended = asyncio.Event()
    on_ending(ended.set)
    screen = console()
    link = access.link()
    screen.print(f"page: {link}", soft_wrap=True, markup=False)
    screen.print("Ctrl-C ends it", style="dim")
    screen.file.flush()
    if browse:
        await asyncio.to_thread(open_in_browser, link)
    try:
        await ended.wait()
    finally:
        await server.close()
        await exporter.close()
        await worker.close()
