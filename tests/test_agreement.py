"""What a foreign folder's configuration may not do unasked: run code, listen beyond loopback, record elsewhere."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hangup.cli import agreement, cli
from hangup.cli.config import Config, load
from hangup.errors import NotAllowed
from hangup.wire.url import is_loopback
from harness.programs import Program
from harness.proxies import HANGUP, hangup, home, surroundings
from test_run_command import Terminal

CODE = """
from hangup.filters.base import Filter, Kind
open({ran!r}, "a").write("ran ")
class Mine(Filter, frozen=True, kw_only=True):
    kinds = Kind.MESSAGE
"""
TOML = """
target = "ws://127.0.0.1:9"
listen = "127.0.0.1:0"
record = "runs"
web = false
[filters]
check = {{ filter = "script mine.py", on = {on} }}
"""
NEEDS = ("runs mine.py (filter check)", "hangup allow")
RUN = ["run", "--no-web", "--", sys.executable, "-c", "print('the command runs')"]


class Folder:
    """A foreign folder with a configuration, and a person in it; ``ran`` tells whether its code has been run."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        monkeypatch.chdir(path)
        for name, value in surroundings().items():
            monkeypatch.setenv(name, value)
        self._ran = path / "ran"
        self.write("mine.py", CODE.format(ran=str(self._ran)))
        self.write("hangup.toml", TOML.format(on="true"))
        self.write(".env", "VITE_WS_BASE=ws://127.0.0.1:9/ws\n")

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)

    @property
    def ran(self) -> bool:
        return self._ran.exists()

    def refused(self, *words: str, says: tuple[str, ...] = NEEDS) -> None:
        done = CliRunner().invoke(cli, words)
        assert isinstance(done.exception, NotAllowed) and done.exception.exit_code == 2, (done.output, done.exception)
        said = str(done.exception)
        assert all(each in said for each in says) and "\n" not in said and not done.output
        assert not self.ran and not (self.path / "runs").exists()

    def says(self, *words: str) -> str:
        done = CliRunner().invoke(cli, words)
        assert not done.exception and not self.ran, done.output
        return done.output

    def runs(self, *options: str, **environment: str) -> str:
        """That a proxy starts; what it said."""
        words = [*HANGUP, "proxy", *options]
        with Program(words, environment={**surroundings(), **environment}, cwd=self.path) as proxy:
            proxy.wait_for("recording to")
            proxy.stop()
            return proxy.output + proxy.errors


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    return Folder(tmp_path, monkeypatch)


@pytest.mark.parametrize("on", ["true", "false"])
@pytest.mark.parametrize("words", [["proxy"], ["proxy", "--quiet"], ["proxy", "--filter", "check"], RUN], ids=str)
def test_code_of_a_configuration_does_not_run_unasked(folder: Folder, words: list[str], on: str) -> None:
    folder.write("hangup.toml", TOML.format(on=on))
    folder.refused(*words)


def test_what_only_reads_a_configuration_runs_nothing(folder: Folder) -> None:
    (folder.path / "runs").mkdir()
    assert "no recordings in runs" in folder.says("recordings")
    assert "mine.py" in folder.says("allow", "--show")
    assert not folder.ran


def test_pyproject_is_asked_about_likewise(folder: Folder) -> None:
    (folder.path / "hangup.toml").unlink()
    text = TOML.format(on="true").replace("[filters]", "[tool.hangup.filters]")
    folder.write("pyproject.toml", "[tool.hangup]\n" + text)
    folder.refused("proxy", says=("pyproject.toml", *NEEDS))


def test_it_runs_once_agreed_to_and_is_named(folder: Folder) -> None:
    said = folder.says("allow")
    assert "hangup.toml runs mine.py (filter check)" in said and "agreed" in said and not folder.ran
    said = folder.runs()
    assert folder.ran and "settings from hangup.toml: target, listen, record, web, filters" in said
    assert "hangup.toml, as agreed: runs mine.py (filter check)" in said
    assert "as agreed: runs mine.py" in folder.runs("--quiet")
    (folder.path / "ran").unlink()
    assert "agreed to this" in folder.says("allow", "--show")
    folder.says("allow", "--withdraw")
    (folder.path / "runs").rename(folder.path / "before")
    folder.refused("proxy")


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("mine.py", lambda text: text + "#"),
        ("hangup.toml", lambda text: text.replace("ws://127.0.0.1:9", "ws://127.0.0.1:10")),
        ("hangup.toml", lambda text: text.replace("true", "false")),
    ],
)
def test_what_changes_is_asked_about_again(folder: Folder, file: str, change: object) -> None:
    folder.says("allow")
    path = folder.path / file
    assert callable(change)
    path.write_text(change(path.read_text()))
    folder.refused("proxy")


def test_an_agreement_is_for_one_folder(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.says("allow")
    (folder.path / "other").mkdir()
    other = Folder(folder.path / "other", monkeypatch)
    other.write("mine.py", (folder.path / "mine.py").read_text())
    other.refused("proxy")


def test_agreements_are_their_owners_only(folder: Folder) -> None:
    folder.says("allow")
    kept = home() / "state" / "hangup" / "agreed"
    if sys.platform != "win32":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o700
        assert {stat.S_IMODE(each.stat().st_mode) for each in kept.iterdir()} == {0o600}


@pytest.mark.parametrize(("options", "environment"), [(["--allow-config"], {}), ([], {"HANGUP_ALLOW_CONFIG": "1"})])
def test_in_ci_one_agrees_for_one_run(folder: Folder, options: list[str], environment: dict[str, str]) -> None:
    assert "as agreed: runs mine.py" in folder.runs(*options, **environment) and folder.ran
    (folder.path / "ran").unlink()
    (folder.path / "runs").rename(folder.path / "before")
    folder.refused("proxy")


@pytest.mark.skipif(sys.platform == "win32", reason="terminals")
@pytest.mark.parametrize(("answer", "runs"), [("y", True), ("n", False), ("", False)])
def test_at_a_terminal_it_is_asked(folder: Folder, answer: str, runs: bool) -> None:
    terminal = Terminal([*HANGUP, "proxy"], folder.path)
    try:
        terminal.wait_for(r"runs mine\.py \(filter check\)\s+Do you agree\? .*\[y/N\]")
        assert not folder.ran
        terminal.type(answer + "\n")
        if runs:
            terminal.wait_for("recording to")
            assert folder.ran
            os.kill(terminal.pid, 15)
            assert terminal.wait() == 0
            (folder.path / "ran").unlink()
            assert "you have agreed to this" in folder.says("allow", "--show"), "it is remembered"
        else:
            assert terminal.wait() == 2 and "not agreed to" in terminal.seen and not folder.ran
    finally:
        terminal.close()


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "myhost.example:0"])
def test_a_configuration_does_not_listen_beyond_loopback_unasked(folder: Folder, listen: str) -> None:
    folder.write("hangup.toml", f"target = 'ws://127.0.0.1:9'\nlisten = '{listen}'\nrecord = 'runs'\nweb = false")
    folder.refused("proxy", says=(f"listens on {listen}, which others may reach", "hangup allow"))
    folder.refused(*RUN, says=("others may reach",))
    if listen == "0.0.0.0:0":
        assert "others may reach" not in folder.runs("--listen", "127.0.0.1:0"), "what is typed needs no agreement"
        assert "as agreed: listens on 0.0.0.0:0, which others may reach" in folder.runs("--allow-config")


@pytest.mark.parametrize(
    ("setting", "says", "instead"),
    [
        ("metrics = '0.0.0.0:0'", "gives its metrics on 0.0.0.0:0, which others may reach", "--metrics"),
        ("metrics = '[::]:0'", "gives its metrics on [::]:0, which others may reach", "--metrics"),
        ("metrics = 'myhost.example:0'", "which others may reach", "--metrics"),
        ("otlp = 'https://other.example:4318/x'", "sends metrics and spans to https://other.example:4318/x", "--otlp"),
        ("otlp = 'http://127.0.0.1.example.org'", "sends metrics and spans to", "--otlp"),
    ],
)
def test_a_configuration_does_not_tell_others_unasked(folder: Folder, setting: str, says: str, instead: str) -> None:
    text = "target = 'ws://127.0.0.1:9'\nlisten = '127.0.0.1:0'\nrecord = 'runs'\nweb = false\n"
    folder.write("hangup.toml", text + setting)
    folder.refused("proxy", says=(says, "hangup allow"))
    folder.refused(*RUN, says=(says,))
    if setting == "metrics = '0.0.0.0:0'":
        assert "as agreed: gives its metrics on 0.0.0.0:0" in folder.runs("--allow-config")
    (folder.path / "runs").mkdir(exist_ok=True)
    typed = {"--metrics": "127.0.0.1:0", "--otlp": "http://127.0.0.1:9"}[instead]
    assert says not in folder.runs(instead, typed), "what is typed needs no agreement"


@pytest.mark.parametrize("setting", ["metrics = 9464", "metrics = 'nowhere'", "otlp = 'localhost:4318'", "otlp = true"])
def test_a_configuration_of_nonsense_is_told(folder: Folder, setting: str) -> None:
    folder.write("hangup.toml", f"target = 'ws://127.0.0.1:9'\n{setting}")
    done = CliRunner().invoke(cli, ["proxy"])
    assert f"hangup.toml: {setting.partition(' ')[0]}: " in str(done.exception) and "\n" not in str(done.exception)


def test_a_configuration_does_not_record_elsewhere_unasked(
    folder: Folder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (folder.path / "link").symlink_to(elsewhere)
    old = elsewhere / "2001-01-01T00-00-00-x.jsonl"
    old.write_text("x")
    os.utime(old, (0, 0))
    for record in (str(elsewhere), "../elsewhere", "runs/../../up", "link", "link/deeper/run.jsonl"):
        text = f"target = 'ws://127.0.0.1:9'\nlisten = '127.0.0.1:0'\nrecord = '{record}'\nweb = false"
        folder.write("hangup.toml", text)
        says = (f"records into {record}, outside this folder", "hangup allow")
        folder.refused("proxy", says=says)
        folder.refused(*RUN, says=says)
        folder.refused("recordings", "--prune", "1", says=says)
    assert list(elsewhere.iterdir()) == [old]
    assert "outside" not in folder.runs("--record", "runs/run.jsonl")


def test_every_setting_is_harmless_or_is_asked_about(folder: Folder) -> None:
    """A new setting must be put into either."""
    asked = Config(source="hangup.toml", listen="0.0.0.0:1", record=Path("/elsewhere"))
    asked.metrics, asked.otlp = "0.0.0.0:2", "http://collector.example:4318"
    asked.filters = {"check": (f"script {folder.path / 'mine.py'}", False)}
    settings = {want.setting for want in agreement.wants(asked, folder.path)}
    assert settings | agreement.HARMLESS == set(Config.__struct_fields__)
    assert not settings & agreement.HARMLESS and not folder.ran


def test_what_wants_nothing_is_not_asked_about(folder: Folder) -> None:
    local = "listen = '[::1]:9000'\nmetrics = '9464'\notlp = 'http://[::1]:1'"
    folder.write("hangup.toml", f"record = 'runs/deep'\n{local}\n[filters]\na = 'drop-ping'")
    assert agreement.wants(load(), Path()) == [] and "asks for nothing" in folder.says("allow")
    (folder.path / "hangup.toml").unlink()
    assert "there is no hangup.toml here" in hangup("allow", check=False).stderr


def test_what_is_loopback() -> None:
    for host in ("127.0.0.1", "127.1.2.3", "localhost", "::1"):
        assert is_loopback(host)
    for host in ("0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.org", "127.1", "example.org", ""):
        assert not is_loopback(host)


SHADOWS = ("uvicorn", "fastapi", "hangup", "click", "mitmproxy", "regex", "tornado", "websockets")
"""What could be imported from the folder in which hangup is started."""


@pytest.mark.parametrize("words", [["demo", "--short"], ["proxy", "ws://127.0.0.1:9", "--no-web"]], ids=str)
def test_no_module_that_lies_in_the_folder_is_imported(tmp_path: Path, words: list[str]) -> None:
    for name in SHADOWS:
        text = f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r}); raise SystemExit(9)"
        (tmp_path / f"{name}.py").write_text(text)
    program = [sys.executable, "-P", *HANGUP[1:]]
    with Program([*program, *words], environment={"HOME": str(home())}, cwd=tmp_path) as run:
        run.wait_for(r"recording to|the server ended it|did not start")
    assert not (tmp_path / "ran").exists(), (tmp_path / "ran").read_text() + run.report()
