"""The proxies under test as processes: ``hangup proxy``, and stock ``mitmdump`` beside it."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import suggested
from harness import DEADLINE, forks
from harness.programs import Program

if TYPE_CHECKING:
    from hangup.recording.events import AnyEvent

HANGUP = [sys.executable, "-c", "from hangup.cli import main; main()"]
"""The command line of ``hangup`` in this interpreter's environment."""

MITMDUMP = [sys.executable, "-c", "from mitmproxy.tools.main import mitmdump; mitmdump()"]

IMPATIENCE = 2
"""Seconds."""
_IMPATIENT = f"""
from mitmproxy.proxy import server

class Impatient(server.TimeoutWatchdog):
    def __init__(self, timeout, callback):
        super().__init__({IMPATIENCE}, callback)

server.TimeoutWatchdog = Impatient
"""
IMPATIENT_HANGUP = [*HANGUP[:-1], _IMPATIENT + HANGUP[-1]]
IMPATIENT_MITMDUMP = [*MITMDUMP[:-1], _IMPATIENT + MITMDUMP[-1]]
"""The same on a mitmproxy that closes what is silent for so long, instead of ten minutes."""


SMALL_FILES = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
from hangup.cli import main
main()
"""
"""``hangup`` where no file may grow beyond 64 KiB, as on a disk that is full."""


@functools.cache
def home() -> Path:
    """A home of the tests' own, where mitmproxy keeps the authority that it makes."""
    folder = Path(tempfile.mkdtemp(prefix="hangup-home-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def surroundings() -> dict[str, str]:
    return {"HOME": str(home()), "XDG_STATE_HOME": str(home() / "state")}


class _Hangup(Program):
    """``hangup ARGUMENTS``: forked (:mod:`harness.forks`), or where that is not possible a fresh interpreter."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: dict[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        command: Sequence[str] = (),
    ) -> None:
        self._arguments = list(arguments)
        self._fork = not command and forks.possible()
        own = {**surroundings(), **(environment or {})}
        super().__init__([*(command or HANGUP), *arguments], environment=own, cwd=cwd)

    def _start(
        self, environment: dict[str, str], cwd: str | os.PathLike[str] | None
    ) -> subprocess.Popen[str] | forks.Forked:
        if self._fork:
            return forks.Forked(self._arguments, {**os.environ, **environment}, cwd)
        return super()._start(environment, cwd)


def hangup(
    *arguments: str | os.PathLike[str],
    check: bool = True,
    environment: dict[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    input: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``hangup ARGUMENTS`` to its end; what is to come by its standard input needs a fresh interpreter."""
    words = [os.fspath(word) for word in arguments]
    if input is None:
        with _Hangup(words, environment, cwd) as program:
            code = program.wait(2 * DEADLINE)
        done = subprocess.CompletedProcess(program.command, code, program.output, program.errors)
    else:
        done = subprocess.run(
            [*HANGUP, *words],
            env={**os.environ, **surroundings(), **(environment or {})},
            cwd=cwd,
            input=input,
            capture_output=True,
            text=True,
            timeout=2 * DEADLINE,
        )
    suggested.printed(done.stdout)
    suggested.printed(done.stderr)
    assert not check or done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


class _Proxy(Program):
    host = "127.0.0.1"
    port = 0
    """Where it listens."""

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    @property
    def url(self) -> str:
        """``ws://HOST:PORT``, for a client."""
        return f"ws://{self.host}:{self.port}"

    @property
    def authority(self) -> Path:
        """The certificate that a client has to trust for TLS towards the proxy."""
        return home() / ".mitmproxy" / "mitmproxy-ca-cert.pem"

    def _await_address(self, pattern: str) -> None:
        try:
            found = self.wait_for(pattern)
        except BaseException:
            self.kill()
            raise
        self.host, self.port = found["host"].strip("[]"), int(found["port"])


class HangupProxy(_Hangup, _Proxy):
    """``hangup proxy TARGET --listen 127.0.0.1:0 --record FILE ARGUMENTS``, once it says where it listens.

    It is forked (:mod:`harness.forks`), or with ``command`` (``HANGUP`` is the usual one) a fresh interpreter.

    ``recording`` is the file. :meth:`stop` ends it in order and gives what it printed; :meth:`events` and
    :meth:`show` read the recording, also while it runs.
    """

    def __init__(
        self,
        target: str,
        *arguments: str,
        listen: str = "127.0.0.1:0",
        record: Path | None = None,
        command: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="hangup-recording-", ignore_cleanup_errors=True)
        self.recording = record or Path(self._folder.name) / "run.jsonl"
        words = ["proxy", *([target] if target else []), "--listen", listen, "--record", str(self.recording)]
        if "--web" not in arguments and "--no-web" not in arguments:
            words += ["--web", "127.0.0.1:0"]
        super().__init__([*words, *arguments], environment, command=command)
        self._await_address(r"listening on (?P<host>\S+):(?P<port>\d+)")

    def __enter__(self) -> HangupProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._folder.cleanup()

    def events(self) -> list[AnyEvent]:
        """The recording's events so far."""
        from hangup.recording import reader

        return list(reader.read(self.recording))

    def show(self) -> dict[str, Any]:
        """What ``hangup show --json`` says of the recording."""
        shown: dict[str, Any] = json.loads(hangup("show", self.recording, "--json").stdout)
        return shown


class Mitmdump(_Proxy):
    """Stock ``mitmdump ARGUMENTS`` on a free port of the loopback."""

    def __init__(
        self, *arguments: str, command: Sequence[str] = MITMDUMP, environment: dict[str, str] | None = None
    ) -> None:
        words = ["--listen-host", "127.0.0.1", "--listen-port", "0", "--set", "ssl_insecure=true"]
        super().__init__([*command, *words, *arguments], environment={**surroundings(), **(environment or {})})
        self._await_address(r"listening at \*?(?:\w+://)?(?P<host>[\d.]+|\[[\w:]+\]):(?P<port>\d+)")

    def __enter__(self) -> Mitmdump:
        return self
