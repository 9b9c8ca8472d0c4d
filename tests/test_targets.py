"""What a recorded client asks for on a target, of every command: the recorded path, neither lost nor doubled."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest
from msgspec.structs import replace

from conversing import Talk
from hangup.cli import main
from hangup.recording.events import Event
from harness.peers import Answer, Head, Peer, RawServer
from recorded import HEADER, write
from replaying import serving

BASES = ["", "/", "/ws", "/ws/", "/api/v1/ws", "/ws?token=1"]
RECORDED = {"under": "/ws/portia-42?token=1", "beside": "/chat/a?token=1", "above": "/?token=1"}
TABLE = list(product(BASES, RECORDED.values()))
PARTS = [f"{base or 'none'}-{name}" for base, name in product(BASES, RECORDED)]


def drops(peer: Peer) -> None:
    """It hangs up on the first message."""
    peer.expect_frames(1)


@contextmanager
def backend(path: str, status: int = 403) -> Iterator[RawServer]:
    """A backend that knows one path only."""

    def answer(head: Head) -> Answer:
        return Answer() if head.target == path else Answer(status)

    with serving(drops, answer) as server:
        yield server


def recording(file: Path, path: str, target: str = "ws://localhost:8000", status: int = 101) -> Path:
    """Three connections of a loop."""
    talk = Talk()
    for conn in (1, 2, 3):
        talk.open(conn, target=path, status=status, headers=[("Sec-WebSocket-Key", "b" * 22 + "==")])
        talk.wait(2000)
        if status == 101:
            talk.say(conn, "client", "text", b"ping")
            talk.wait(1000)
            talk.end(conn, "server", "fin")
            talk.end(conn, "client", "fin")
        talk.wait(100_000)
    talk.stop()
    return write(file, list[Event](talk.events), replace(HEADER, target=target))


def run(*words: str | Path) -> int:
    """A command's exit code, in this process."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(ended.value.code or 0)


Command = Callable[[Path, str, Path], list[str | Path]]

COMMANDS: dict[str, Command] = {
    "replay": lambda file, url, folder: ["replay", file, url, "--record", folder, "--speed", "max", "--survive", "0.1"],
    "check": lambda file, url, folder: ["check", file, url],
    "bisect": lambda file, url, folder: ["bisect", file, url, "--record", folder, "--connections", "2"],
}


@pytest.mark.parametrize(("base", "path"), TABLE, ids=PARTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_the_recorded_path_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, base: str, path: str
) -> None:
    file = recording(tmp_path / "run.jsonl", path)
    with backend(path) as server:
        code = run(*COMMANDS[command](file, server.url + base, tmp_path / "runs"))
    said = capsys.readouterr()
    assert {head.target for head in server.requests} == {path}, said
    assert code == {"replay": 0, "check": 1, "bisect": 4}[command], said
    expected = base.rstrip("/") in ("", *([] if path[1] != "w" else ["/ws", "/ws?token=1"]))
    assert ("is not below" in said.err) is not expected


@pytest.mark.parametrize("command", COMMANDS)
def test_another_path_where_the_person_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    file = recording(tmp_path / "run.jsonl", "/ws/portia-42?token=1")
    with backend("/chat?token=1") as server:
        run(*COMMANDS[command](file, server.url + "/ws", tmp_path / "runs"), "--path", "/chat")
    said = capsys.readouterr()
    assert {head.target for head in server.requests} == {"/chat?token=1"}, said
    assert "is not below" not in said.err


@pytest.mark.parametrize(
    ("command", "code"), [("replay", 1), ("check", 125), ("bisect", 4)]
)
def test_a_refused_handshake_says_nothing_of_the_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, code: int
) -> None:
    file = recording(tmp_path / "run.jsonl", "/ws")
    with backend("/elsewhere") as server:
        words = [word if word != "2" else "9" for word in COMMANDS[command](file, server.url, tmp_path / "runs")]
        assert run(*words) == code
    said = capsys.readouterr()
    assert "could not be tried: the backend answered 403 to GET /ws" in said.out
    assert "not happen" not in said.out and "0/0" not in said.out


@pytest.mark.parametrize(("base", "path"), TABLE, ids=PARTS)
def test_what_is_suggested_asks_for_the_recorded_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], base: str, path: str
) -> None:
    """Each command that `why` suggests is run as it stands."""
    with backend(path) as server:
        dropped = recording(tmp_path / "dropped.jsonl", path, server.url + base)
        refused = recording(tmp_path / "refused.jsonl", path, server.url + base, status=403)
        kinds = set()
        for file in (dropped, refused):
            capsys.readouterr()
            run("why", file, "--json")
            for step in json.loads(capsys.readouterr().out)["next"]:
                words = shlex.split(step.get("command", ""))
                if words[1:2] in (["bisect"], ["probe"]) and "--live" not in words:
                    kinds.add(words[1])
                    more = ["--connections", "2", "--record", tmp_path / "runs"] if words[1] == "bisect" else []
                    run(*words[1:], *more)
    assert kinds == {"bisect", "probe"}
    assert {head.target for head in server.requests} == {path}
