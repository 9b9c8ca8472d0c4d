"""The pytest fixture ``hangup_server``: recorded once with a real backend, played from then on without one."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hangup.recording.reader import read
from harness.proxies import home

BACKEND = '''
import json, threading
import pytest
from websockets.sync.server import serve

SECRET = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"

def answer(socket):
    socket.send(json.dumps({"type": "hello", "token": SECRET}))
    for message in socket:
        said = json.loads(message)
        if said["type"] == "bye":
            socket.close(4001, "bye")
        else:
            socket.send(json.dumps({"type": "echo", "id": said["id"], "n": said["n"] + 1}))

@pytest.fixture
def backend():
    """Starts it when it is asked for, and not before."""
    ended = []
    def start():
        server = serve(answer, "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        ended.append((server, thread))
        return f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
    yield start
    for server, thread in ended:
        server.shutdown()
        thread.join()
'''

OFFLINE = '''
import socket
import pytest

@pytest.fixture
def backend():
    def start():
        raise AssertionError("the backend was asked for")
    return start

ALLOWED = set()
CONNECT = socket.socket.connect

@pytest.fixture(autouse=True)
def no_network(monkeypatch, hangup_server):
    def connect(self, address):
        assert not isinstance(address, tuple) or address[1] in ALLOWED, f"the network is off: {address}"
        return CONNECT(self, address)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(AssertionError, match="the network is off"):
        socket.create_connection(("127.0.0.1", 9), 1)

@pytest.fixture
def allow():
    return lambda url: ALLOWED.add(int(url.rpartition(":")[2]))
'''

CHAT = '''
import json, uuid
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

@pytest.fixture
def allow():
    return lambda url: None

{fixtures}

def test_the_chat(hangup_server, backend, allow):
    server = hangup_server("cassettes/chat.jsonl", target=backend, speed=None)
    assert server.live is {live}
    allow(server.url)
    with connect(server.url + "/chat", proxy=None) as socket:
        assert json.loads(socket.recv(10))["type"] == "hello"
        for n in range(3):
            mine = uuid.uuid4().hex
            socket.send(json.dumps({{"type": "say", "id": mine, "n": n}}))
            assert json.loads(socket.recv(10)) == {{"type": "echo", "id": mine, "n": n + 1}}
        {more}
        socket.send(json.dumps({{"type": "bye"}}))
        with pytest.raises(ConnectionClosed) as ended:
            socket.recv(10)
    assert (ended.value.rcvd.code, ended.value.rcvd.reason) == (4001, "bye")
'''


class Suite:
    """A test suite of somebody else's, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cassette = folder / "cassettes" / "chat.jsonl"

    def run(self, *options: str, live: bool, more: str = "pass") -> tuple[int, str]:
        """Its exit code, and what it said."""
        fixtures = BACKEND if live else OFFLINE
        (self.folder / "test_chat.py").write_text(textwrap.dedent(CHAT).format(fixtures=fixtures, live=live, more=more))
        words = ["-q", "-p", "no:hangup", "-p", "hangup.testing", "-p", "no:cacheprovider", "-p", "no:xdist"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words, "--basetemp", str(self.folder / "tmp"), *options, "."],
            cwd=self.folder,
            env={**os.environ, "HOME": str(home())},
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path)


@pytest.mark.slow
def test_the_same_test_passes_live_and_from_the_recording_without_network(suite: Suite) -> None:
    code, said = suite.run("--hangup-record=none", live=True)
    assert code == 1 and "cassettes/chat.jsonl is not recorded" in said, said
    code, said = suite.run(live=True)
    assert code == 0, said
    first = suite.cassette.read_bytes()
    assert b"sk_live" not in first and b"[redacted-" in first and (suite.cassette.stat().st_mode & 0o777) == 0o644
    code, said = suite.run("--hangup-record=none", live=False)
    assert code == 0 and suite.cassette.read_bytes() == first, said
    code, said = suite.run(live=False, more="""socket.send('{"type": "new", "of": ["another", "shape"]}')""")
    assert code == 1 and "has no answer to this message of the client" in said and "another" in said, said
    assert "--hangup-record=all" in said


@pytest.mark.long
def test_all_is_recorded_anew_where_that_is_asked_for(suite: Suite) -> None:
    assert suite.run(live=True)[0] == 0
    first = suite.cassette.read_bytes()
    code, said = suite.run("--hangup-record=all", live=True)
    assert code == 0 and suite.cassette.read_bytes() != first, said


@pytest.mark.slow
def test_a_test_that_fails_leaves_no_recording_and_has_a_report(suite: Suite) -> None:
    out = suite.folder / "out"
    code, said = suite.run(f"--hangup-report={out}", "--junit-xml=junit.xml", live=True, more="assert 0")
    assert code == 1 and not suite.cassette.exists(), said
    (report,) = out.glob("*.html")
    assert report.name.startswith("test-chat.py-test-the-chat") and report.read_text().startswith("<!doctype html>")
    assert f"report: {report}" in said and "hangup" in said
    assert f'<property name="hangup-report" value="{report}"' in (suite.folder / "junit.xml").read_text()
    assert list(read(suite.folder / "tmp" / "test_the_chat0" / "hangup-server-1.jsonl"))


def test_a_cassette_without_a_connection_is_not_written(tmp_path: Path) -> None:
    from hangup.errors import RecordingError
    from hangup.recording import events
    from hangup.testing.cassettes import keep

    (tmp_path / "a.jsonl").write_bytes(events.dump([events.Header(hangup=1, started="2026-11-01T10:00:00.000000Z")]))
    with pytest.raises(RecordingError, match="no connection was opened"):
        keep(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl"]
