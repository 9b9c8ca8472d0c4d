"""What ``hangup serve`` does: the recorded server for a real frontend."""

from __future__ import annotations

import asyncio
import sys
from math import inf
from pathlib import Path

from rich.text import Text

from hangup.cli.incomplete import exit_code
from hangup.cli.screen import COLOURS, console, safe, tell
from hangup.cli.sources import Source, opened
from hangup.errors import RecordingError, UsageError
from hangup.filters.filter_set import FilterSet
from hangup.humanize import plural, printable
from hangup.processes.ending import on_ending
from hangup.recorder.recorder import Recorder
from hangup.recording.connections import Connection
from hangup.replay.playlist import Playlist
from hangup.replay.server import ReplayServer
from hangup.replay.server_connection import ServerSettings
from hangup.wire.url import parse_listen


def carry_out(
    recording: str,
    conn: int | None,
    listen: str,
    stay_open: bool,
    speed: float,
    filters: tuple[str, ...],
    no_correlate: bool,
    record: Path,
    quiet: bool,
) -> None:
    """Plays the recorded server until it is ended, and exits with the code for what was recorded of that."""
    host, port = parse_listen(listen)
    settings = ServerSettings(speed=speed, stay_open=stay_open, correlate=not no_correlate)
    with opened(recording) as source:
        playlist = Playlist(source.recording, conn, correlate=not no_correlate)
        source.confess()
        if not playlist.connections:
            if conn is not None:
                raise UsageError(f"{source.name} has no connection {conn}")
            raise RecordingError(f"{source.name} has no WebSocket connection")
        if "redacted:" in source.header.note:
            tell("the recording is redacted: the frontend gets placeholders instead of secrets")
        code = asyncio.run(_serve(source, playlist, settings, FilterSet(filters), (host, port), record, quiet))
    sys.exit(code)


async def _serve(
    source: Source,
    playlist: Playlist,
    settings: ServerSettings,
    filters: FilterSet,
    where: tuple[str, int],
    record: Path,
    quiet: bool,
) -> int:
    out = console()
    stop = asyncio.Event()
    on_ending(stop.set)
    recorder = Recorder(
        record,
        target=f"recorded-{source.header.target.rpartition('/')[2] or 'server'}",
        listen=f"{where[0]}:{where[1]}",
        mode="serve",
        filters=[entry.text for entry in filters],
        source=f"serve of {source.name}",
        on_loss=tell,
    )

    def ended(connection: Connection) -> None:
        if quiet:
            return
        played = server.played.get(connection.conn)
        ending = connection.ending
        head = Text.assemble((f"#{connection.conn} ", "bold"), safe(connection.target, limit=200))
        out.print(head + Text(f"  played as connection {played}: ", "dim") + safe(ending.sentence, COLOURS[ending.by]))
        out.file.flush()

    server = ReplayServer(playlist, recorder, settings, filters=filters, on_end=ended, warn=tell)
    try:
        async with server.listening(*where) as (host, port):
            shown = f"[{host}]" if ":" in host else host
            name = "localhost" if host in ("127.0.0.1", "::1", "0.0.0.0", "::") else shown
            count = plural(len(playlist.connections), "connection")
            speed = settings.speed
            pace = "" if speed == 1 else ", at once" if speed == inf else f", {speed:g} times as fast"
            out.print(Text.assemble("serving ", safe(source.name, "bold"), f": the server of {count}{pace}"))
            out.print(f"  listening on {shown}:{port}")
            out.print(Text(f"  VITE_WS_BASE=ws://{name}:{port}", "bold green"), soft_wrap=True)
            out.print(Text(f"  recording to {printable(str(recorder.path))}"), soft_wrap=True)
            out.file.flush()
            await stop.wait()
    finally:
        recorder.close()
    live = plural(len(recorder.ledger.known()), "connection")
    out.print(Text(f"\n{live} served; recording: {printable(str(recorder.path))}"), soft_wrap=True)
    return exit_code(recorder)
