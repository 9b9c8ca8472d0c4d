"""``hangup.toml`` and ``[tool.hangup]``: what they may say, and that a wrong word is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.cli.config import Config, load, presets
from hangup.errors import FilterError, UsageError
from harness.programs import Program
from harness.proxies import HANGUP, HangupProxy, hangup, home

WHOLE = """
target = "ws://localhost:8000/ws"
listen = "127.0.0.1:0"
record = "runs"
web = "127.0.0.1:0"

[filters]
quiet = "drop-heartbeat side=client"
late = { filter = "delay 2s", on = false }
"""


def written(folder: Path, text: str, name: str = "hangup.toml") -> Path:
    (folder / name).write_text(text)
    return folder


def test_everything_it_may_say(tmp_path: Path) -> None:
    config = load(written(tmp_path, WHOLE))
    assert config == Config(
        source="hangup.toml",
        target="ws://localhost:8000/ws",
        listen="127.0.0.1:0",
        record=Path("runs"),
        web="127.0.0.1:0",
        filters={"quiet": ("drop-heartbeat side=client", True), "late": ("delay 2s", False)},
    )
    assert load(written(tmp_path, "web = false")).web is False


def test_a_table_of_pyproject_says_the_same(tmp_path: Path) -> None:
    text = "[project]\nname = 'x'\n[tool.hangup]\n" + WHOLE.replace("[filters]", "[tool.hangup.filters]")
    config = load(written(tmp_path, text, "pyproject.toml"))
    assert config.source == "pyproject.toml"
    assert config.filters.keys() == {"quiet", "late"} and config.target == "ws://localhost:8000/ws"
    assert load(written(tmp_path, "target = 'ws://other'")).target == "ws://other"  # hangup.toml goes first


@pytest.mark.parametrize("text", ["", "[project]\nname = 'x'", "tool = 3", "[tool.other]\ntarget = 1"])
def test_a_pyproject_of_others_says_nothing(tmp_path: Path, text: str) -> None:
    assert load(tmp_path) == Config()
    assert load(written(tmp_path, text, "pyproject.toml")) == Config()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("targt = 'ws://x'", ["hangup.toml: targt:", "did you mean target?"]),
        ("target = 'localhost:8000'", ["hangup.toml: target:", "'localhost:8000'", "ws://localhost:8000?"]),
        ("target = 8000", ["hangup.toml: target:", "8000"]),
        ("target = ''", ["hangup.toml: target:"]),
        ("listen = 'here'", ["hangup.toml: listen:", "'here'"]),
        ("web = true\nlisten = 1", ["hangup.toml: listen:", "1"]),
        ("web = 9001", ["hangup.toml: web:", "false"]),
        ("record = []", ["hangup.toml: record:"]),
        ("filters = 'drop-heartbeat'", ["hangup.toml: filters:", "table"]),
        ("[filters]\nquiet = 'drop-hartbeat'", ["hangup.toml: filters.quiet:", "did you mean drop-heartbeat?"]),
        ("[filters]\nquiet = 'drop-heartbeat site=client'", ["hangup.toml: filters.quiet:", "'site'"]),
        ("[filters]\nquiet = 1", ["hangup.toml: filters.quiet:"]),
        ("[filters]\n7 = 'drop-heartbeat'", ["hangup.toml: filters.7:", "must not be a number"]),
        ("[filters]\n'a b' = 'drop-heartbeat'", ["hangup.toml: filters.a b:"]),
        ("[filters.quiet]\non = false", ["hangup.toml: filters.quiet:", "missing"]),
        ("[filters.quiet]\nfilter = 'drop-ping'\nof = 1", ["hangup.toml: filters.quiet.of:"]),
        ("[filters.quiet]\nfilter = 'drop-ping'\non = 'no'", ["hangup.toml: filters.quiet.on:", "'no'"]),
        ("target = ", ["hangup.toml is not valid TOML"]),
        ("web = false\nlisten : 1", ["hangup.toml is not valid TOML", "line 2"]),
    ],
)
def test_a_wrong_word_is_named(tmp_path: Path, text: str, named: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        load(written(tmp_path, text))
    message = str(caught.value)
    assert all(word in message for word in named) and "\n" not in message


def test_a_wrong_word_of_pyproject_is_named_with_its_table(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^pyproject\.toml: tool\.hangup\.listen: "):
        load(written(tmp_path, "[tool.hangup]\nlisten = ''", "pyproject.toml"))
    with pytest.raises(UsageError, match=r"^pyproject\.toml: tool\.hangup: it must be a table"):
        load(written(tmp_path, "[tool]\nhangup = 1", "pyproject.toml"))


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_file_is_read_or_refused_in_one_line(content: bytes) -> None:
    folder = home() / "any"
    folder.mkdir(exist_ok=True)
    (folder / "hangup.toml").write_bytes(content)
    try:
        load(folder)
    except UsageError as error:
        assert "\n" not in str(error)


def test_the_command_line_names_filters_and_adds_others() -> None:
    config = Config(filters={"quiet": ("drop-heartbeat", False), "late": ("delay 2s", False)})
    shared, others = presets(config, ["quiet", "drop-ping"])
    assert [(p.name, p.on) for p in shared] == [("quiet", True), ("late", False)]
    assert others == ["drop-ping"]
    with pytest.raises(FilterError, match="quite"):
        presets(config, ["quite"])


def test_a_proxy_without_a_target_takes_what_the_file_says(tmp_path: Path) -> None:
    written(tmp_path, WHOLE)
    with Program([*HANGUP, "proxy"], environment={"HOME": str(home())}, cwd=tmp_path) as proxy:
        proxy.wait_for(r"in front of ws://localhost:8000/ws")
        proxy.wait_for(r"recording to runs/")
        proxy.wait_for(r"settings from hangup\.toml")
        proxy.stop()
    (recording,) = (tmp_path / "runs").glob("*.jsonl")
    assert '"filters":["drop-heartbeat side=client"]' in recording.read_text().partition("\n")[0]


def test_the_command_line_wins(tmp_path: Path) -> None:
    written(tmp_path, WHOLE.replace("127.0.0.1:0", "256.0.0.1:99"))
    record = tmp_path / "mine.jsonl"
    words = [*HANGUP, "proxy", "ws://localhost:1", "--listen", "127.0.0.1:0", "--record", str(record), "--no-web"]
    with Program(words, environment={"HOME": str(home())}, cwd=tmp_path) as proxy:
        proxy.wait_for(r"in front of ws://localhost:1$")
        proxy.wait_for(r"recording to .*mine\.jsonl")
        assert "control on" not in proxy.stop()
    assert not (tmp_path / "runs").exists()


def test_a_wrong_file_ends_the_command_with_2(tmp_path: Path) -> None:
    written(tmp_path, "port = 9000")
    done = hangup("proxy", "ws://localhost:1", check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("hangup: hangup.toml: port: unknown setting")
    assert done.stderr.count("\n") == 1


def test_no_target_anywhere(tmp_path: Path) -> None:
    done = hangup("proxy", check=False, cwd=tmp_path)
    assert done.returncode == 2 and "give a target" in done.stderr


def test_filters_of_the_file_are_switched_by_their_names(tmp_path: Path) -> None:
    written(tmp_path, WHOLE)
    command = ["env", "-C", str(tmp_path), *HANGUP]
    with HangupProxy("", command=command, record=tmp_path / "run.jsonl") as proxy:
        where = f"{proxy.host}:{proxy.port}"
        assert "late" in hangup("filter", "on", "late", "--proxy", where).stdout
        hangup("filter", "off", "quiet", "--proxy", where)
        proxy.stop()
        toggles = [(e.action, e.filter) for e in proxy.events() if e.__class__.__name__ == "FilterEvent"]
    assert toggles == [("on", "delay 2s"), ("off", "drop-heartbeat side=client")]
