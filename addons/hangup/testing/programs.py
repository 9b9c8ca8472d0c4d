"""The proxy before a backend, and a recorded server in a backend's place, each in a process of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from hangup.commands import command_line
from hangup.errors import ListenError
from hangup.processes.tied import Tie
from hangup.recording.events import Note
from hangup.recording.ledger import Ledger
from hangup.recording.reader import read
from hangup.recording.stability import failed_signs
from hangup.wire.url import is_loopback, parse_target

START_WITHIN = 30.0

ROUTE = r"""(([from, to]) => {
  window.WebSocket = new Proxy(window.WebSocket, {
    construct: (Socket, [url, ...more], made) => {
      const at = new URL(url, location.href)
      const host = at.hostname.replace(/^(127\.0\.0\.1|\[::1\])$/, 'localhost')
      const port = at.port || (/^(wss|https):$/.test(at.protocol) ? '443' : '80')
      const through = `${host}:${port}` === from ? `ws://${to}${at.pathname}${at.search}` : url
      return Reflect.construct(Socket, [through, ...more], made)
    },
  })
})"""
"""What a page runs before its own scripts: a function of which place is replaced, and by which one."""


UNKNOWN = re.compile(r"nothing in the recording resembles this message from the client: (.*)")


class _Recording:
    """``hangup WORDS``, which listens and records; ``url`` is where, ``recording`` the file that it writes."""

    def __init__(self, words: Sequence[str], recording: Path) -> None:
        self.recording = recording
        words = [*words, "--listen", "127.0.0.1:0", "--record", str(recording), "--quiet"]
        # -P: a module of the suite's folder must not be taken for one of ours.
        self._tie = Tie([sys.executable, "-P", "-m", "hangup", *words], "process")
        self._process = subprocess.Popen(
            self._tie.words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **self._tie.options,
        )
        self._tie.begun(self._process.pid)
        self._said: list[str] = []
        self._address = ""
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._ready.wait(START_WITHIN)
        if not self._address:
            self.close()
            raise ListenError(f"hangup {words[0]} did not start: " + " ".join("".join(self._said).split()))
        self.url = f"ws://{self._address}"

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                self._said.append(line)
                if found := re.search(r"listening on (\S+)", line):
                    self._address = found[1]
                if self._address and "recording to" in line:
                    self._ready.set()
        self._ready.set()

    def close(self) -> None:
        """Ends it, the recording complete."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(5)
        self._tie.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Proxy(_Recording):
    """A recording proxy in front of ``target``, in a process of its own.

    ``url`` is what the frontend connects to in the target's place, ``recording`` the file. Raises
    :class:`~hangup.errors.ListenError` when it does not start.
    """

    live = True
    """Whether there is a real backend behind it."""

    def __init__(self, target: str, recording: Path, filters: tuple[str, ...] = ()) -> None:
        self.target = target
        words = ["proxy", target, "--no-web"]
        for text in filters:
            words += ["--filter", text]
        super().__init__(words, recording)

    def failed_signs(self) -> list[str]:
        """Which signs of success are missing by now; see :func:`hangup.recording.stability.failed_signs`."""
        reader = read(self.recording)
        ledger = Ledger()
        for event in reader:
            ledger.feed(event)
        started = datetime.fromisoformat(reader.header.started)
        return failed_signs(ledger.connections.values(), (datetime.now(UTC) - started).total_seconds())

    def assert_stable(self, seconds: float = 3.0) -> None:
        """Waits ``seconds``; then a connection must have been open longer than two seconds and be open still, with
        messages in both directions, and none may have reconnected."""
        with suppress(subprocess.TimeoutExpired):  # its end would be the end of the waiting, too
            self._process.wait(seconds)
        signs = self.failed_signs()
        assert not signs, f"not stable: {'; '.join(signs)} ({command_line('why', self.recording)})"

    def route(self, page: Any) -> Any:
        """Leads the WebSockets of a Playwright page, or of all pages of a context, that go to the target's host and
        port through the proxy instead, whatever the page was built with; to be called before it is opened. What it
        gives is to be awaited with Playwright's asynchronous interface."""
        target = parse_target(self.target)
        place = f"localhost:{target.port}" if is_loopback(target.host) else target.authority
        return page.add_init_script(f"{ROUTE}({json.dumps([place, self.url.partition('://')[2]])})")


class Server(_Recording):
    """The recorded server of ``cassette``, a recording: it answers as it did then, without a backend.

    ``url`` is what the frontend connects to; ``recording`` is the file of this run. Raises
    :class:`~hangup.errors.ListenError` when it does not start, or the cassette cannot be read.
    """

    live = False
    """Whether there is a real backend behind it."""

    def __init__(self, cassette: Path, recording: Path, *, speed: float | None = 1.0) -> None:
        self.cassette = cassette
        super().__init__(["serve", str(cassette), "--speed", "max" if speed is None else f"{speed:g}"], recording)

    def unanswered(self) -> list[str]:
        """The messages from the client so far that nothing in the cassette resembles, so that it has no answer."""
        notes = (event for event in read(self.recording) if isinstance(event, Note))
        return [found[1] for note in notes if (found := UNKNOWN.match(note.text))]
