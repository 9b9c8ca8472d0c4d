"""The lines that a running proxy prints: on a terminal they are wrapped at words, in a file each is one line."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
import pytest

from hangup.cli.proxy.live import INDENT
from harness.peers import RawServer, open_websocket
from harness.proxies import HANGUP, HangupProxy, surroundings

SENTENCE = "the server ended it, with a bare FIN and no close frame (a browser shows 1006)"


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize("columns", [60, 80])
def test_on_a_terminal_they_are_wrapped_at_words(columns: int, tmp_path: Path) -> None:
    import fcntl
    import os
    import pty
    import select
    import signal
    import struct
    import subprocess
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {key: value for key, value in surroundings().items() if key not in ("COLUMNS", "LINES")}
    with RawServer() as server:
        command = [*HANGUP, "proxy", server.url, "--listen", "127.0.0.1:0", "--no-web", "--record", str(tmp_path)]
        process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env={**environment, "NO_COLOR": "1"}, cwd=tmp_path
        )
        os.close(theirs)
        printed = b""

        def until(words: str) -> str:
            nonlocal printed
            deadline = time.monotonic() + 15
            while words not in " ".join((text := click.unstyle(printed.decode(errors="replace"))).split()):
                assert select.select([ours], [], [], max(deadline - time.monotonic(), 0))[0], text
                printed += os.read(ours, 4096)
            return text.replace("\r\n", "\n")

        try:
            until("listening on")
            address = until("recording to").partition("listening on ")[2].split()[0]
            host, _, port = address.rpartition(":")
            client = open_websocket((host, int(port)), "/ws/ada")
            server.accept().close()
            said = until(SENTENCE)
            client.close()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
            os.close(ours)
    first = next(at for at, line in enumerate(said.split("\n")) if "the server ended it" in line)
    lines = said.split("\n")[first:]
    lines = lines[: next(at for at, line in enumerate(lines) if "1006)" in line) + 1]
    assert len(lines) > 1 and all(len(line) <= columns for line in lines)
    assert [line[:INDENT].strip() for line in lines[1:]] == [""] * (len(lines) - 1)
    assert " ".join(line[INDENT:].strip() for line in lines).startswith(SENTENCE), "no word is broken"


def test_in_a_file_each_is_one_line() -> None:
    with RawServer() as server, HangupProxy(server.url) as proxy:
        client = open_websocket(proxy.address, "/ws/ada")
        server.accept().close()
        proxy.wait_for("the server ended it")
        client.close()
        proxy.stop()
        assert any(SENTENCE in line for line in proxy.output.split("\n"))
