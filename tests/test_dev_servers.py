"""``hangup run`` beside real dev servers: the link is not lost, an old build is noticed, recordings stay apart."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from hangup.cli import cli
from hangup.cli.run import unseen
from hangup.recording.folder import BISECTS, by_product, newest
from hangup.web.running import Running
from harness import DEADLINE
from harness.proxies import HANGUP
from recorded import end, handshake, write
from test_run_command import PAGE, Terminal, running, script

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals")

LINK = r"page: (http://127\.0\.0\.1:\d+/hangup/\S+/open\?key=\S+)"


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Where a browser was led to so far: it is given a file, whose link it follows."""
    asked = tmp_path / "asked"
    program = tmp_path / "browser.sh"
    link = """sed -n 's/.*<a href="\\([^"]*\\)".*/\\1/p' "${1#file://}" """
    program.write_text(f'#!/bin/sh\n{link} >> "{asked}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(program))
    return lambda: asked.read_text().split() if asked.exists() else []


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*words: str) -> Terminal:
        line = [*HANGUP, *words]
        at = line.index(words[0]) + 1
        line[at:at] = ["--web", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--record", str(tmp_path / "run.jsonl")]
        opened.append(Terminal(line, tmp_path))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


WAITS = "import sys; print('\\x1b[1;1H\\x1b[0Jready', flush=True); sys.stdin.readline(); print('got it', flush=True)"


def test_the_link_is_said_again_after_the_screen_was_cleared(
    terminal: Callable[..., Terminal], browser: Callable[[], list[str]]
) -> None:
    run = terminal("run", "--open", "--target", "ws://127.0.0.1:9", "--", sys.executable, "-c", WAITS)
    run.wait_for("ready")
    link = run.wait_for(rf"(?s)ready.*hangup {LINK}")[1]
    until(lambda: bool(browser()))
    (first,) = browser()
    assert re.fullmatch(LINK.removeprefix("page: "), first) and first != link, "each link lets in once"
    run.type("\n")
    run.wait_for("got it")
    assert run.wait() == 0, run.seen


def test_o_and_enter_open_the_page_of_a_proxy(
    terminal: Callable[..., Terminal], browser: Callable[[], list[str]], tmp_path: Path
) -> None:
    (tmp_path / "hangup.toml").write_text("open = true\n")
    proxy = terminal("proxy", "ws://127.0.0.1:9", "--no-open")
    proxy.wait_for(LINK)
    proxy.type("x\n")
    proxy.type("o\n")
    link = proxy.wait_for(f"hangup {LINK}")[1]
    until(lambda: bool(browser()))
    assert browser() == [link], "by --no-open nothing else was opened"
    proxy.type("\x03")
    assert proxy.wait() == 0, proxy.seen


def test_an_old_build_is_told_from_a_page_that_nobody_has_opened(tmp_path: Path) -> None:
    value, through = "ws://localhost:8000/ws", "ws://localhost:9000/ws"
    said = unseen.advice(tmp_path, "VITE_WS_BASE", value, through)
    assert said.startswith("no connection yet: open your app") and "--env-var" in said
    (tmp_path / "dist" / "assets").mkdir(parents=True)
    (tmp_path / "dist" / "assets" / "a.css").write_text(value)
    (tmp_path / "dist" / "assets" / "index.js").write_bytes(b"\xff const base='" + value.encode() + b"'")
    said = unseen.advice(tmp_path, "VITE_WS_BASE", value, through)
    assert f"{Path('dist/assets/index.js')} connects to localhost:8000 directly" in said
    assert f"VITE_WS_BASE={through} npm run build" in said and "\n" not in said
    assert unseen.built_with(tmp_path, "localhost:9000") is None


@pytest.mark.slow
def test_it_is_said_once_when_nothing_comes_through(tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "index.html").write_text("<script>new WebSocket('ws://127.0.0.1:9/ws')</script>")
    with running(tmp_path, script(tmp_path, "import time; time.sleep(60)")) as program:
        program.wait_for(r"hangup: no connection yet, and dist/index.html connects to 127\.0\.0\.1:9")


def test_recordings_are_kept_from_git_and_watchers(tmp_path: Path) -> None:
    with running(tmp_path, script(tmp_path, PAGE), "--record", str(tmp_path / "recordings")) as program:
        program.wait()
    assert (tmp_path / "recordings" / ".gitignore").read_text() == "*\n"
    made = by_product(tmp_path / "fresh" / "2026.jsonl", "minimal.jsonl")
    assert made == tmp_path / "fresh" / BISECTS / "2026-minimal.jsonl" and made.parent.is_dir()
    assert by_product(made, "x").parent == made.parent, "no deeper"
    assert (tmp_path / "fresh" / ".gitignore").exists()
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    by_product(theirs / "a.jsonl", "x")
    assert not (theirs / ".gitignore").exists(), "a folder that was there already is theirs"


def test_recordings_are_listed_and_old_ones_pruned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    events = [handshake(), end(1.0, "server"), end(1.1, "client")]
    folder = tmp_path / "recordings"
    folder.mkdir()
    old = write(folder / "2026-01-01T00-00-00-a.jsonl", list(events))
    new = write(folder / "2026-01-02T00-00-00-b.jsonl", list(events))
    own = write(folder / "keep-me.jsonl", list(events))
    smaller = write(by_product(old, "minimal.jsonl"), list(events))
    for path in (old, own, smaller):
        os.utime(path, (0, time.time() - 20 * 86_400))
    run = CliRunner()
    listed = run.invoke(cli, ["recordings", "--json"], catch_exceptions=False).output
    rows = {Path(row["file"]).name: row for row in json.loads(listed)["recordings"]}
    assert set(rows) == {old.name, new.name, own.name} and rows[old.name]["connections"] == 1
    assert 20 * 86_400 <= rows[old.name]["age"] < 20.1 * 86_400 and rows[new.name]["age"] < 600
    shown = run.invoke(cli, ["recordings"], catch_exceptions=False).output
    assert "20 d" in shown and "minimal" not in shown
    assert newest("recordings") == Path("recordings") / new.name
    done = run.invoke(cli, ["recordings", "--prune", "14"], catch_exceptions=False).output
    assert done.startswith("deleted 2 files")
    assert not old.exists() and not smaller.exists() and new.exists() and own.exists(), "what is theirs is not touched"


def test_of_recordings_the_oldest_are_deleted_beyond_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotated one file by file; never what a running proxy writes, or has rotated away from."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "recordings"
    folder.mkdir()
    names = ["0-mine", "2026-01-01-a", "2026-01-01-a.2", "2026-01-01-ab", "2026-01-02-b", "2026-01-02-b.2", "keep-me"]
    for number, name in enumerate(names):
        (folder / f"{name}.jsonl").write_bytes(b"x" * 1000)
        os.utime(folder / f"{name}.jsonl", (0, 1000 + number))
    used = Running(listen="", web="", token="", recording=str(folder / "2026-01-01-a.jsonl"))
    monkeypatch.setattr("hangup.cli.recordings.all_running", lambda: [(folder, used)])
    done = CliRunner().invoke(cli, ["recordings", "--keep", "2500", "--json"], catch_exceptions=False)
    assert [Path(each).stem for each in json.loads(done.output)["deleted"]] == ["2026-01-01-ab", "0-mine"]
    left = {path.stem for path in folder.iterdir()}
    assert left == {"2026-01-01-a", "2026-01-01-a.2", "2026-01-02-b", "2026-01-02-b.2", "keep-me"}


LATE = """
import asyncio, contextlib, os, time, websockets
time.sleep(3.5)  # as long as it takes: the link has been said twice by now
print("\\x1b[1;1H\\x1b[0Jcleared", flush=True)
async def main():
    with contextlib.suppress(Exception):  # there is no backend
        await websockets.connect(os.environ["VITE_WS_BASE"])
asyncio.run(main())
"""


def test_the_link_is_said_again_with_the_first_connection(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    """However late a dev server clears the screen, it has done so before its page connects."""
    run = terminal("run", "--target", "ws://127.0.0.1:9", "--", *script(tmp_path, LATE))
    run.wait_for("cleared")
    run.wait_for(rf"(?s)cleared.*hangup {LINK}")
    assert run.wait() == 0, run.seen
