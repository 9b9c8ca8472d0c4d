"""``hangup check``: exit codes, and ``git bisect run`` with a backend that is started for each check."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
import websockets

from hangup.recorder.journal import Journal
from hangup.recording import events
from harness.proxies import HANGUP, hangup, home

BACKEND = """
import asyncio, json, sys, websockets
{comment}
async def handler(socket):
    async for message in socket:
        {body}
        await socket.send(json.dumps({{"type": "ack"}}))

async def main():
    async with websockets.serve(handler, "127.0.0.1", int(sys.argv[1])):
        await asyncio.Event().wait()

asyncio.run(main())
"""
SOUND, BROKEN = "json.loads(message) if message != 'ping' else None", "json.loads(message)"


def recording(path: Path) -> Path:
    """A client that says hello and then ``ping``, of which the server dies with 1011."""
    header = events.Header(hangup=events.FORMAT, started="2026-01-01T00:00:00.000000Z", target="ws://127.0.0.1:1")
    journal = Journal(path, header)
    key = [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13")]
    upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
    accept = [("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")]
    for conn in (1, 2, 3):
        at = float(conn)
        journal.write(
            events.Handshake(
                at=at,
                conn=conn,
                client=f"127.0.0.1:{5000 + conn}",
                server="127.0.0.1:1",
                request=events.Request(
                    method="GET", target="/ws", version="HTTP/1.1", headers=[("Host", "localhost"), *upgrade, *key]
                ),
                response=events.Response(
                    status=101, reason="", version="HTTP/1.1", headers=[*upgrade, *accept], text=""
                ),
                waited=0.001,
            )
        )
        mask = "01020304"
        for n, delay, side, fields in (
            (1, 0.01, "client", {"text": '{"type":"hello"}', "mask": mask}),
            (2, 0.02, "server", {"text": '{"type": "ack"}'}),
            (3, 0.1, "client", {"text": "ping", "mask": mask}),
        ):
            journal.write(events.Frame(at=at + delay, conn=conn, side=side, n=n, **fields))  # type: ignore[arg-type]
        journal.write(
            events.Frame(at=at + 0.102, conn=conn, side="server", n=4, opcode="close", base64=b"\x03\xf3", code=1011)
        )
        for side in ("server", "client"):
            journal.write(events.End(at=at + 0.103, conn=conn, side=side, how="fin"))  # type: ignore[arg-type]
    journal.write(events.Stop(at=5.0))
    journal.close()
    return path


def check(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return hangup("check", *words, check=False, cwd=cwd)


def test_the_exit_code_is_that_of_git_bisect_run(tmp_path: Path) -> None:
    rec = recording(tmp_path / "run.jsonl")

    async def main() -> None:
        broken = True

        async def handler(socket: Any) -> None:
            async for message in socket:
                if broken and message == "ping":
                    await socket.close(1011)
                    return
                await socket.send('{"type": "ack"}')

        async with websockets.serve(handler, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            done = await asyncio.to_thread(check, str(rec), url)
            assert done.returncode == 1 and "it still happens" in done.stdout, done.stdout + done.stderr
            broken = False
            done = await asyncio.to_thread(check, str(rec), url)
            assert done.returncode == 0 and "no longer happens" in done.stdout, done.stdout + done.stderr
        done = await asyncio.to_thread(check, str(rec), url)
        assert done.returncode == 125 and "cannot tell" in done.stdout, done.stdout + done.stderr

    asyncio.run(main())


def test_a_backend_that_does_not_start_cannot_be_judged(tmp_path: Path) -> None:
    rec = recording(tmp_path / "run.jsonl")
    done = check(str(rec), "--start", f"{sys.executable} -c 'import nothing_of_the_kind' {{port}}")
    assert done.returncode == 125 and "ended by itself" in done.stdout
    assert "No module named 'nothing_of_the_kind'" in done.stdout, "its own last words"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--nonsense"], "No such option"),
        (["nowhere.jsonl", "ws://127.0.0.1:1"], "nowhere.jsonl"),
        (["run.jsonl", "no target"], "not a WebSocket URL"),
        (["run.jsonl"], "give a target"),
        (["run.jsonl", "ws://127.0.0.1:1", "--fails-when", "code=x"], "code=x"),
        (["run.jsonl", "--start", "sleep 1"], "put {port}"),
    ],
)
def test_whatever_goes_wrong_is_no_bad_commit(tmp_path: Path, words: list[str], said: str) -> None:
    """Any other code than 125 would be an answer to ``git bisect run``."""
    recording(tmp_path / "run.jsonl")
    done = check(*words, cwd=tmp_path)
    assert done.returncode == 125 and said in done.stdout + done.stderr, done.stdout + done.stderr


@pytest.mark.experiment
def test_git_bisect_run_finds_the_commit(tmp_path: Path) -> None:
    """64 commits, of which one broke the handler: at most seven checks."""
    rec = recording(tmp_path / "run.jsonl")
    repository = tmp_path / "repository"
    repository.mkdir()
    who = {f"GIT_{role}_{what}": "test" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    env = {**os.environ, **who, "HOME": str(home()), "GIT_CONFIG_NOSYSTEM": "1"}

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=repository, env=env, capture_output=True, text=True, timeout=170)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    git("init", "-q", "-b", "main")
    bad = Random(64).randrange(5, 60)
    shas = []
    for number in range(1, 65):
        body = BROKEN if number >= bad else SOUND
        (repository / "backend.py").write_text(BACKEND.format(comment=f"# {number}", body=body))
        git("add", "-A")
        git("commit", "-q", "-m", f"change {number}")
        shas.append(git("rev-parse", "HEAD").strip())
    git("bisect", "start", shas[-1], shas[0])
    start = f"{sys.executable} backend.py {{port}}"
    said = git("bisect", "run", *HANGUP, "check", str(rec), "--start", start)
    assert f"{shas[bad - 1]} is the first bad commit" in said, said
    checks = said.count("it still happens") + said.count("it no longer happens")
    assert checks <= 7, said
