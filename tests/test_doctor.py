"""``hangup doctor``: what it finds where something is wrong, and that all is well where nothing is."""

from __future__ import annotations

import json
import os
import socket
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from hangup.cli.config import Config
from hangup.cli.doctor import advisories, checks
from hangup.cli.doctor.checks import Check
from hangup.web.running import Running
from hangup.wire.url import parse_target
from harness.proxies import HangupProxy, hangup

OLD = {
    **{"tornado": "6.4.2", "h11": "0.14.0", "h2": "4.1.0"},
    **{"brotli": "1.1.0", "cryptography": "44.0.3", "mitmproxy": "11.0.2"},
}
"""As Python 3.11 gets them."""
NEW = {
    **{"tornado": "6.6.1", "h11": "0.16.0", "h2": "4.4.1"},
    **{"brotli": "1.2.1", "cryptography": "50.0.2", "mitmproxy": "12.3.1"},
}


def version_in(known: dict[str, str]) -> Any:
    def version(package: str) -> str:
        try:
            return known[package]
        except KeyError:
            raise metadata.PackageNotFoundError(package) from None

    return version


def levels(found: Iterator[Check]) -> list[str]:
    return [each.level for each in found]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory and a state folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def doctor(folder: Path, *arguments: str, **environment: str) -> tuple[int, dict[str, Any]]:
    """Its exit code and JSON, run in a folder."""
    state = {"XDG_STATE_HOME": str(folder / "state"), "NO_PROXY": "*", **environment}
    done = hangup("doctor", "--json", *arguments, check=False, environment=state, cwd=folder)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def about(said: dict[str, Any], subject: str) -> list[dict[str, str]]:
    return [each for each in said["checks"] if each["about"] == subject]


class TestAdvisories:
    def test_each_says_all(self) -> None:
        known = advisories.known()
        assert len({each.id for each in known}) == len(known) > 20
        for each in known:
            assert each.id.startswith(("GHSA-", "CVE-", "PYSEC-")) and each.what and each.why
            assert advisories.numbers(each.fixed)

    def test_what_python_3_11_gets(self) -> None:
        found = advisories.found(version_in(OLD))
        assert {each.advisory.package for each in found} == set(OLD)
        assert {each.advisory.id for each in found if each.advisory.package == "h11"} == {"GHSA-vqfr-h8mv-ghfj"}
        assert advisories.found(version_in(NEW)) == []

    @pytest.mark.parametrize(
        ("version", "least", "older"),
        [("6.5", "6.5.0", False), ("6.4.2", "6.5.0", True), ("6.10.0", "6.9", False), ("1.2.0rc1", "1.2", False)],
    )
    def test_versions(self, version: str, least: str, older: bool) -> None:
        assert (advisories.numbers(version) < advisories.numbers(least)) is older

    def test_one_that_is_reached(self, monkeypatch: pytest.MonkeyPatch) -> None:
        known = advisories.Advisory(package="h11", fixed="9", id="X", what="a flaw", reached="yes", why="in the proxy")
        monkeypatch.setattr(advisories, "known", lambda: [known])
        monkeypatch.setattr(sys, "version_info", (3, 13))
        (found,) = checks.advised(version_in(OLD))
        assert (found.level, found.do) == ("problem", "upgrade h11 to 9 or later")
        assert found.text == "X in h11 0.14.0: a flaw; in the proxy"

    def test_a_newer_python_is_recommended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "version_info", (3, 11))
        assert "use Python 3.12 or later" in [*checks.advised(version_in(OLD))][-1].do
        monkeypatch.setattr(sys, "version_info", (3, 13))
        assert levels(checks.advised(version_in(NEW))) == ["fine"]

    def test_they_are_in_the_package(self) -> None:
        path = Path(advisories.__file__).with_name("advisories.toml")
        assert tomllib.loads(path.read_text())["checked"].isoformat() == advisories.checked()

    def test_who_speaks_tls_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(advisories, "found", lambda: [])
        assert advisories.about_tls() == ""
        old = advisories.Advisory(package="x", fixed="2", id="X-1", what="", reached="by TLS", why="")
        monkeypatch.setattr(advisories, "found", lambda: [advisories.Found(old, "1.0")])
        assert "x 1.0 (X-1)" in advisories.about_tls()


    @pytest.mark.parametrize("target", ["wss://127.0.0.1:1", "ws://127.0.0.1:1"])
    def test_the_proxy_tells_at_its_start(self, target: str) -> None:
        with HangupProxy(target) as proxy:
            proxy.wait_for("control on")
            proxy.stop()
            told = "published vulnerabilities" in proxy.output
        assert told == (target.startswith("wss") and bool(advisories.about_tls()))


class TestFolder:
    def test_one_that_will_be_made(self, folder: Path) -> None:
        (found,) = checks.writable(Path("recordings"))
        assert found.level == "fine" and "can be made" in found.text
        assert not (folder / "recordings").exists()

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user whom the system refuses")
    def test_one_that_must_not_be_written(self, folder: Path) -> None:
        (folder / "recordings").mkdir(mode=0o500)
        assert levels(checks.writable(Path("recordings"))) == ["problem"]

    def test_one_that_is_a_file(self, folder: Path) -> None:
        (folder / "recordings").write_text("")
        (found,) = checks.writable(Path("recordings/deeper"))
        assert found.level == "problem" and "cannot be written to" in found.text

    def test_a_full_disk(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(checks, "SCARCE", 1 << 62)
        (found,) = checks.writable(Path("recordings"))
        assert found.level == "problem" and "--keep" in found.do

    @pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
    def test_a_state_folder_that_others_may_look_into(self, folder: Path) -> None:
        assert levels(checks.private_state()) == []
        (folder / "state" / "hangup").mkdir(parents=True)
        (folder / "state" / "hangup").chmod(0o755)
        assert levels(checks.private_state()) == ["note"]
        (folder / "state" / "hangup").chmod(0o700)
        assert levels(checks.private_state()) == []


class TestPorts:
    def test_a_port_that_is_taken(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            (found,) = checks.ports(Config(source="hangup.toml", listen=address, web=False), [])
            assert (found.level, found.text) == ("problem", f"cannot listen on {address}: Address already in use")
            ours = Running(listen=address, web="127.0.0.1:1", token="x")
            said = [*checks.ports(Config(source="hangup.toml", listen=address, web=False), [ours])]
            assert [each.level for each in said] == ["fine", "note"]
            assert said[1].text == f"cannot listen on {address}: a running hangup has it"
        (found,) = checks.ports(Config(source="hangup.toml", listen=address, web=False), [])
        assert (found.level, found.text) == ("fine", f"{address} is free")


class TestProxies:
    SET = {"http": "http://ann:secret@proxy.corp:3128", "ftp": "ftp://x"}

    def test_none(self) -> None:
        assert levels(checks.proxies(dict, lambda host: False)) == ["fine"]

    def test_one_that_localhost_goes_by(self) -> None:
        (found,) = checks.proxies(lambda: self.SET, lambda host: host == "localhost")
        assert found.level == "note" and "also for 127.0.0.1:" in found.text and "NO_PROXY" in found.do
        assert "http://proxy.corp:3128" in found.text and "secret" not in found.text and "ann" not in found.text

    def test_one_that_localhost_does_not_go_by(self) -> None:
        assert levels(checks.proxies(lambda: self.SET, lambda host: True)) == ["fine"]

    def test_by_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1080")
        assert levels(checks.proxies()) == ["note"]
        monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
        assert levels(checks.proxies()) == ["fine"]


class TestClock:
    def looked(self, *, set_by: float = 0.0, tick: float = 1e-9, folder: Path | None = None) -> list[Check]:
        now = [1000.0, 1000.0]

        def wait(seconds: float) -> None:
            now[0] += seconds + set_by
            now[1] += seconds

        record = folder or Path("nowhere")
        return [*checks.clock(record, wall=lambda: now[0], steady=lambda: now[1], wait=wait, tick=tick)]

    def test_a_steady_one(self) -> None:
        assert [each.text for each in self.looked()] == ["steady"]

    def test_one_that_is_being_set(self) -> None:
        (found,) = self.looked(set_by=-0.1)
        assert found.level == "note" and found.text.startswith("the system time shifted by -100 ms")

    def test_a_coarse_one(self) -> None:
        (found,) = self.looked(tick=0.0156)
        assert found.level == "note" and "every 16 ms" in found.text

    def test_one_that_was_set_back(self, tmp_path: Path) -> None:
        (tmp_path / "2026-11-29T10-00-00-x.jsonl").write_text("")  # dated now, and the clock says 1970
        assert [each.level for each in self.looked(folder=tmp_path)] == ["problem"]


class TestRun:
    def test_what_run_would_find(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as backend:
            url = f"ws://127.0.0.1:{backend.getsockname()[1]}/ws"
            (folder / ".env.local").write_text(f"VITE_WS_BASE={url}\n")
            found, reached = checks.run(Config(), ["VITE_WS_BASE"], None)
            assert found.level == reached.level == "fine"
            assert found.text.startswith(f"VITE_WS_BASE={url} from .env.local; a command is given ws://127.0.0.1:90")
        assert checks.reachable(parse_target(url)).level == "note"

    def test_nothing_to_find(self, folder: Path) -> None:
        (found,) = checks.run(Config(), ["VITE_WS_BASE"], None)
        assert found.level == "note" and "--env-var" in found.text


class TestCommand:
    def test_all_is_well(self, tmp_path: Path) -> None:
        code, said = doctor(tmp_path)
        assert code == 0 and not said["problem"]
        assert {"hangup", "libraries", "recordings", "ports", "proxies", "clock", "run"} <= {
            each["about"] for each in said["checks"]
        }
        assert said["advisories_checked"] == advisories.checked()
        assert {each["id"] for each in said["advisories"]} == {each.advisory.id for each in advisories.found()}

    def test_settings_that_are_wrong(self, tmp_path: Path) -> None:
        (tmp_path / "hangup.toml").write_text('listne = "x"\n')
        code, said = doctor(tmp_path)
        assert code == 1 and said["problem"]
        (found,) = about(said, "settings")
        assert found["level"] == "problem" and "did you mean listen" in found["text"]

    def test_settings_that_want_an_agreement(self, tmp_path: Path) -> None:
        (tmp_path / "hangup.toml").write_text('listen = "0.0.0.0:0"\n')
        code, said = doctor(tmp_path)
        (found,) = about(said, "settings")
        assert code == 0 and found["level"] == "note" and "hangup allow" in found["do"]

    def test_a_proxy_that_runs(self, tmp_path: Path) -> None:
        with HangupProxy("ws://127.0.0.1:1", environment={"XDG_STATE_HOME": str(tmp_path / "state")}) as proxy:
            _, said = doctor(tmp_path)
            (found,) = about(said, "running")
            assert f"{proxy.host}:{proxy.port}" in found["text"]

    def test_what_people_read(self, tmp_path: Path) -> None:
        (tmp_path / "hangup.toml").write_text('web = "127.0.0.1"\n')
        state = {"XDG_STATE_HOME": str(tmp_path / "state")}
        done = hangup("doctor", check=False, environment=state, cwd=tmp_path)
        assert done.returncode == 1 and done.stderr == ""
        assert "✗ settings    hangup.toml: web: not an address to listen on" in done.stdout
        assert "correct the file" in done.stdout
