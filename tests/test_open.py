"""``hangup open``: a recording of any kind in the browser, read-only, and gone without a trace."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import recorded as rec
from hangup.recorder import journal
from hangup.recording import events as ev
from harness import DEADLINE
from harness.asking import Browser, ask
from harness.programs import Program
from harness.proxies import HANGUP, HangupProxy, hangup

GOLDEN = Path(__file__).parents[1] / "recordings" / "a3-text-ping-to-json-reader.jsonl"


class Opened(Program):
    """``hangup open`` on a free port, and a browser that came by its link."""

    def __init__(self, *arguments: str | Path, folder: Path) -> None:
        words = ["open", *map(str, arguments), "--web", "127.0.0.1:0", "--no-browser"]
        super().__init__([*HANGUP, *words], environment={"TMPDIR": str(folder)}, cwd=folder)
        self.browser = Browser(self.wait_for(r"page: (http://\S+)")[1])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    with Opened(GOLDEN, folder=tmp_path_factory.mktemp("open")) as opened:
        yield opened
        assert opened.errors == "", opened.report()


def test_an_old_recording(opened: Opened) -> None:
    overview = opened.browser.json("overview")
    while not overview["complete"]:
        overview = opened.browser.json("overview")
    assert overview["readonly"] and not overview["live"] and overview["path"] == str(GOLDEN)
    assert overview["indexed"] == overview["size"] == GOLDEN.stat().st_size
    assert [each["class"] for each in overview["connections"]] == ["abnormal"] * 6
    assert len(overview["loops"]) == 1 and overview["loops"][0]["conns"] == [1, 2, 3, 4, 5, 6]
    lanes = opened.browser.json("ticks?conns=1,2,3,4,5,6")["lanes"]
    assert all(lane["ticks"][-1][2] == "heartbeat" for lane in lanes.values()), "each ends right after a ping"
    assert opened.browser.json("why")["verdict"] == "heartbeat/app-ping-kills"
    assert b"<!doctype html>" in opened.browser.get("").body.lower()


def test_there_is_nothing_to_change(opened: Opened) -> None:
    for path in ("api/filters", "api/status", "api/bisect", "live", "api/filters/help"):
        assert opened.browser.get(path).status == 404, path
    for path in ("api/filters/add", "api/link", "api/bisect/start"):
        assert opened.browser.post(path, {"filter": "drop-ping"}).status == 404, path
    policy = opened.browser.get("").headers["content-security-policy"]
    assert "connect-src 'self';" in policy and "unsafe" not in policy


@pytest.mark.parametrize("path", ["", "page/main.js", "api/overview", "api/export?format=har"])
def test_nobody_gets_in_without_the_link(opened: Opened, path: str) -> None:
    browser = opened.browser
    asked = opened.browser.home + path
    port = browser.address.rpartition(":")[2]
    assert ask(browser.address, "GET", asked).status == 401
    rebound = {"Host": f"evil.example:{port}", "Cookie": browser.cookie}
    assert ask(browser.address, "GET", asked, **rebound).status == 403
    assert browser.get(path, Origin="http://evil.example").status == 403


def test_who_is_not_let_in_is_told_so_in_words(opened: Opened) -> None:
    address = opened.browser.address
    page = {"Accept": "text/html,application/xhtml+xml"}
    shut = ask(address, "GET", "/hangup/", **page)
    assert shut.status == 401 and shut.headers["content-type"].startswith("text/html")
    assert b"with the link that hangup printed" in shut.body
    assert b"unsafe" not in shut.headers["content-security-policy"].encode()
    assert ask(address, "GET", "/hangup/api/overview", **page).json["error"]
    rebound = ask(address, "GET", "/hangup/", **{**page, "Host": "evil.example"})
    assert rebound.status == 403 and rebound.headers["content-type"] == "application/json"
    used = ask(address, "GET", opened.browser.home + "open?key=used", **page)
    assert used.status == 401 and b"has been used" in used.body and b"hangup open" in used.body


def test_a_download_has_no_secrets(tmp_path: Path) -> None:
    event = rec.handshake()
    event.request.headers.append(("Authorization", "Bearer s3cr3t-t0ken"))
    path = rec.write(tmp_path / "run.jsonl", [event, rec.text(1.0, "client", 1, "hello")])
    with Opened(path, folder=tmp_path) as opened:
        assert "s3cr3t" in opened.browser.get("api/connection?conn=1").body.decode()
        for form in ("har", "md", "jsonl"):
            answer = opened.browser.get(f"api/export?format={form}")
            assert answer.status == 200 and b"s3cr3t" not in answer.body and b"hello" in answer.body
            assert answer.headers["content-disposition"] == f'attachment; filename="run.{form}"'


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    har = tmp_path / "run.har"
    hangup("convert", GOLDEN, har)
    folder = tmp_path / "temporary"
    folder.mkdir()
    with Opened(har, folder=folder) as opened:
        overview = opened.browser.json("overview")
        assert overview["path"] == str(har) and len(overview["connections"]) == 6
        assert opened.browser.json("entries?conn=1")["total"] > 5
        assert opened.browser.get("api/export?format=md").headers["content-disposition"].endswith('"run.md"')
        me = psutil.Process(opened.pid)
        while len(list(folder.iterdir())) > 1 or len(me.children()) > 1:  # the export's are gone after it was sent
            assert opened.browser.get("api/overview").status == 200
        (reader,), (copy,) = me.children(), folder.iterdir()
        if sys.platform != "win32":
            assert copy.stat().st_mode & 0o077 == 0
        assert opened.stop(number) == 0, opened.report()
        assert opened.errors == ""
        reader.wait(DEADLINE)
        assert list(folder.iterdir()) == []


def test_a_recording_that_goes_on_in_further_files(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    written = journal.Journal(path, rec.HEADER, max_size=3000)
    for event in rec.loop(40):
        written.write(event)
        written.flush()
    written.write(ev.Stop(at=99.0))
    written.close()
    assert len(written.files) > 3
    with Opened(path, folder=tmp_path) as opened:
        while not (overview := opened.browser.json("overview"))["complete"]:
            pass
        assert len(overview["connections"]) == 40 and overview["files"] == len(written.files)
        exported = opened.browser.get("api/export?format=jsonl").body.splitlines()
        assert sum(b'"kind":"handshake"' in line for line in exported) == 40
        assert sum(line.startswith(b'{"hangup"') for line in exported) == 1


def test_standard_input_and_the_newest(tmp_path: Path) -> None:
    with open(GOLDEN, "rb") as source:
        command = [*HANGUP, "open", "-", "--web", "127.0.0.1:0", "--no-browser"]
        with subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                overview = Browser(process.stdout.readline().removeprefix("page: ").strip()).json("overview")
                assert overview["path"] == "standard input" and len(overview["connections"]) == 6
            finally:
                process.terminate()
            assert process.wait(DEADLINE) == 0
    (tmp_path / "recordings").mkdir()
    rec.write(tmp_path / "recordings" / "2026-11-22T21-08-00-x.jsonl", rec.loop(2))
    with Opened(folder=tmp_path) as opened:
        assert len(opened.browser.json("overview")["connections"]) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.jsonl"], "there is no recording nothing.jsonl"),
        ([], "there is no recording in recordings yet"),
        (["foreign.txt"], "foreign.txt is neither a hangup recording"),
        (["run.jsonl", "--web", "0.0.0.0:9001"], "loopback only"),
    ],
)
def test_what_cannot_be_opened(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "foreign.txt").write_text("hello")
    rec.write(tmp_path / "run.jsonl", rec.loop(1))
    done = hangup("open", *words, "--no-browser", check=False, cwd=tmp_path)
    assert done.returncode in (1, 2) and said in done.stderr and done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_another_link_to_the_page_of_the_running_proxy() -> None:
    with HangupProxy("ws://127.0.0.1:9") as proxy:
        proxy.wait_for(r"page: http")
        link = re.search(r"page: (http://\S+)", hangup("open", "--live", "--no-browser").stdout)
        assert link is not None and Browser(link[1]).json("overview")["live"]
        done = hangup("open", "--live", GOLDEN, check=False)
        assert done.returncode == 2 and done.stderr.count("\n") == 1
        proxy.stop()
    done = hangup("open", "--live", "--no-browser", check=False)
    assert done.returncode == 1 and "no proxy is running" in done.stderr and done.stderr.count("\n") == 1


def test_help_has_examples() -> None:
    assert "hangup open run.har" in hangup("open", "--help").stdout
