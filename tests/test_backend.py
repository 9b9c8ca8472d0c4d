"""The backend beside the proxy: its log file followed, its output on stdin, or started and stopped with the proxy."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from hangup.recording.events import Log, Note
from harness import DEADLINE
from harness.peers import RawServer
from harness.programs import Program
from harness.proxies import HANGUP, HangupProxy, hangup

TRACEBACK = """Traceback (most recent call last):
  File "app.py", line 3, in handler
    await socket.receive_json()
json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)
"""


@pytest.fixture
def nobody() -> str:
    """A target that need not answer."""
    with RawServer() as server:
        return server.url


def logs(proxy: HangupProxy) -> list[str]:
    return [event.text for event in proxy.events() if isinstance(event, Log)]


def until(true: Callable[[], bool]) -> None:
    """Waits for what another process does to a file, or to its children: nothing tells of that everywhere."""
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_log_is_followed_from_its_end_through_being_cut_and_replaced(tmp_path: Path, nobody: str) -> None:
    log = tmp_path / "backend.log"
    log.write_text("of yesterday\n")
    with HangupProxy(nobody, "--backend-log", str(log)) as proxy:
        proxy.wait_for("control on")

        def follows(text: str, wanted: list[str], mode: str = "a") -> None:
            with log.open(mode) as file:
                file.write(text)
            until(lambda: logs(proxy) == wanted)

        follows("one\n", ["one"])
        follows(TRACEBACK, ["one", TRACEBACK.strip()])
        follows("cut\n", ["one", TRACEBACK.strip(), "cut"], mode="w")
        log.rename(tmp_path / "backend.log.1")
        follows("new\n", ["one", TRACEBACK.strip(), "cut", "new"])
        with log.open("a") as file:
            file.write("no end of line")
        proxy.stop()
        assert logs(proxy)[-2:] == ["new", "no end of line"]
    assert "backend.log | json.decoder.JSONDecodeError: Expecting value: line 1" in proxy.output
    assert "of yesterday" not in proxy.output


def test_a_log_that_is_not_there_yet_is_said_and_waited_for(tmp_path: Path, nobody: str) -> None:
    log = tmp_path / "later.log"
    with HangupProxy(nobody, "--backend-log", str(log), "--backend-log", str(tmp_path)) as proxy:
        proxy.wait_for(r"later\.log does not exist yet")
        proxy.wait_for(r"is not a file")
        log.write_text("here I am\n")
        proxy.wait_for("here I am")
        proxy.stop()
        assert logs(proxy) == ["here I am"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_log_on_standard_input(tmp_path: Path, nobody: str) -> None:
    words = [*HANGUP, "proxy", nobody, "--listen", "127.0.0.1:0", "--no-web", "--record", str(tmp_path / "run.jsonl")]
    (tmp_path / "log").write_text(TRACEBACK)
    line = f"exec {shlex.join(words)} --backend-log - < {shlex.quote(str(tmp_path / 'log'))}"
    with Program(["sh", "-c", line]) as piped:
        piped.wait_for(r"stdin \| .*JSONDecodeError")
        piped.stop()


def backend(tmp_path: Path, source: str) -> str:
    file = tmp_path / "backend.py"
    file.write_text(source)
    return shlex.join([sys.executable, file.as_posix()])


ENDLESS = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("started", child.pid, flush=True)
time.sleep(600)
"""


def test_a_backend_is_started_and_ended_with_the_proxy_and_all_that_it_started(tmp_path: Path, nobody: str) -> None:
    with HangupProxy(nobody, "--backend-cmd", backend(tmp_path, ENDLESS)) as proxy:
        child = psutil.Process(int(proxy.wait_for(r"\| started (\d+)")[1]))
        parent = child.parent()
        assert parent is not None and parent.is_running()
        proxy.stop()
        until(lambda: not any(each.is_running() and each.status() != "zombie" for each in (child, parent)))
        assert logs(proxy) == [f"started {child.pid}"]


def test_a_backend_that_ends_by_itself_is_said(tmp_path: Path, nobody: str) -> None:
    source = f"import sys; print({'x' * 100_000!r}); print('no module', file=sys.stderr); sys.exit(3)"
    with HangupProxy(nobody, "--backend-cmd", backend(tmp_path, source)) as proxy:
        proxy.wait_for("the backend ended by itself, with exit code 3")
        proxy.stop()
        assert logs(proxy)[-1] == "no module"
        assert any(isinstance(event, Note) and "exit code 3" in event.text for event in proxy.events())


@pytest.mark.parametrize(
    ("command", "said", "code"),
    [
        ("/no/such/program --x", "cannot start '/no/such/program'", 1),
        ("   ", "needs a command", 2),
        ("uvicorn 'app:app", "no closing quotation", 2),
    ],
)
def test_a_backend_that_cannot_be_started(tmp_path: Path, nobody: str, command: str, said: str, code: int) -> None:
    words = ["--listen", "127.0.0.1:0", "--no-web", "--record", tmp_path / "run.jsonl", "--backend-cmd", command]
    done = hangup("proxy", nobody, *words, check=False)
    assert done.returncode == code
    assert said in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
