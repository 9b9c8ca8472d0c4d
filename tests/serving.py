"""``hangup serve`` as a process, and the recordings that it plays."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hangup.recording import reader
from hangup.recording.connections import Connection
from hangup.recording.events import AnyEvent, Event, Header
from hangup.recording.ledger import Ledger
from harness import DEADLINE
from harness.programs import Program
from harness.proxies import HANGUP
from recorded import write


class Served:
    """A running ``hangup serve``."""

    def __init__(self, program: Program, recording: Path) -> None:
        self.program = program
        found = program.wait_for(r"listening on (\S+):(\d+)")
        self.address = (found[1], int(found[2]))
        program.wait_for("recording to ")
        self.recording = recording
        self._events: list[AnyEvent] = []

    @property
    def url(self) -> str:
        """For a client."""
        return f"ws://127.0.0.1:{self.address[1]}"

    def header(self) -> Header:
        """The header of what it recorded."""
        return reader.read(self.recording).header

    def events(self) -> list[AnyEvent]:
        """What it recorded."""
        if self.recording.exists():
            self._events = list(reader.read(self.recording))
        return self._events

    def connection(self, conn: int) -> Connection:
        """A connection's account, once it has ended."""
        until = time.monotonic() + DEADLINE
        while True:
            ledger = Ledger()
            for event in self.events():
                ledger.feed(event)
            connection = ledger.connections.get(conn)
            if connection is not None and connection.ended is not None:
                return connection
            assert time.monotonic() < until, f"connection {conn} does not end:\n{self.program.report()}"
            time.sleep(0.02)


@contextmanager
def served(source: Sequence[AnyEvent] | Path, *arguments: str) -> Iterator[Served]:
    """``hangup serve`` of these events, or of a file; what it recorded can be read afterwards, too."""
    with tempfile.TemporaryDirectory(prefix="hangup-serve-", ignore_cleanup_errors=True) as folder:
        path = source if isinstance(source, Path) else write(Path(folder) / "source.jsonl", list[Event](source))
        out = Path(folder) / "live.jsonl"
        command = [*HANGUP, "serve", str(path), "--listen", "127.0.0.1:0", "--record", str(out), *arguments]
        with Program(command) as program:
            found = Served(program, out)
            try:
                yield found
            finally:
                if program.process.poll() is None:
                    program.process.terminate()
                    program.wait()
                found.events()
                header = found.header()
        found.header = lambda: header  # type: ignore[method-assign]
