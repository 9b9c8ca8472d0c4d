"""``hangup`` processes by the dozen: forked from one that has imported everything already."""

from __future__ import annotations

import multiprocessing
import os
import re
import select
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from harness import DEADLINE
from harness.proxies import home


def _run(arguments: list[str], output: Connection, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    from hangup.cli import main

    main(arguments)


class ForkedProxy:
    """``hangup proxy ARGUMENTS`` that shares its imports with its siblings; ``port`` is where it listens."""

    def __init__(self, *arguments: str) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["hangup.cli.proxy", "hangup.proxy.run", "harness.forks"])
        reader, writer = context.Pipe(duplex=False)
        words = ["proxy", *arguments, "--listen", "127.0.0.1:0"]
        self._output = reader
        self.process: BaseProcess = context.Process(target=_run, args=(words, writer, {"HOME": str(home())}))
        self.process.start()
        writer.close()
        self.output = ""
        self.port = int(self._wait_for(r"listening on 127\.0\.0\.1:(\d+)")[1])

    def _wait_for(self, pattern: str) -> re.Match[str]:
        until = time.monotonic() + DEADLINE
        while not (found := re.search(pattern, self.output)):
            ready, _, _ = select.select([self._output], [], [], max(0.0, until - time.monotonic()))
            more = os.read(self._output.fileno(), 65536) if ready else b""
            if not more:
                self.kill()
                raise AssertionError(f"{pattern!r} did not come: {self.output}")
            self.output += more.decode(errors="replace")
        return found

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self.process.kill()
        self.process.join(DEADLINE)
        self._output.close()
