"""For test suites: does the application's WebSocket hold?

With hangup installed, pytest has the fixture ``hangup_proxy``::

    def test_the_socket_holds(hangup_proxy):
        proxy = hangup_proxy("ws://127.0.0.1:8000")
        with my_frontend(proxy.url):
            proxy.assert_stable()

The proxy records into the test's ``tmp_path``; the recording's path is in the message of a failure, for
``hangup why``. Without pytest, :class:`Proxy` is a context manager.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from hangup.errors import ListenError
from hangup.processes.tied import Tie
from hangup.recording.ledger import Ledger
from hangup.recording.reader import read
from hangup.recording.stability import failed_signs

try:
    import pytest
except ImportError:  # it is imported as a pytest plugin, but may be used without
    pytest = None  # type: ignore[assignment]

START_WITHIN = 30.0


class Proxy:
    """A recording proxy in front of ``target``, in a process of its own.

    ``url`` is what the frontend connects to in the target's place, ``recording`` the file. Raises
    :class:`~hangup.errors.ListenError` when it does not start.
    """

    def __init__(self, target: str, recording: Path, filters: tuple[str, ...] = ()) -> None:
        self.recording = recording
        words = ["proxy", target, "--listen", "127.0.0.1:0", "--record", str(recording), "--quiet", "--no-web"]
        for text in filters:
            words += ["--filter", text]
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
            raise ListenError("hangup proxy did not start: " + " ".join("".join(self._said).split()))
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
        assert not signs, f"not stable: {'; '.join(signs)} (hangup why {self.recording})"

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

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


if pytest is not None:

    @pytest.fixture
    def hangup_proxy(tmp_path: Path) -> Iterator[Callable[..., Proxy]]:
        """A factory: ``hangup_proxy("ws://127.0.0.1:8000")`` starts a :class:`Proxy`, which ends with the test."""
        made: list[Proxy] = []

        def start(target: str, *filters: str) -> Proxy:
            proxy = Proxy(target, tmp_path / f"hangup-{len(made) + 1}.jsonl", filters)
            made.append(proxy)
            return proxy

        yield start
        for proxy in made:
            proxy.close()
