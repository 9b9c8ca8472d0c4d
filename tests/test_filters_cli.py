"""``hangup filters``: the list, one of them explained, and the same for programs."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from hangup.cli import cli, main
from hangup.filters.library import FILTERS, GROUPS
from hangup.filters.text import parse


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["filters", *words], env={"COLUMNS": "300", "TERM": "dumb"})


def test_the_list_has_each_filter_with_an_example() -> None:
    result = run()
    assert result.exit_code == 0
    for group, members in GROUPS.items():
        assert group in result.output
        for cls in members:
            assert f"{cls.word()} " in result.output and cls.example in result.output


@pytest.mark.parametrize("word", FILTERS)
def test_each_is_explained(word: str) -> None:
    result = run(word)
    assert result.exit_code == 0
    assert result.output.startswith(word)
    assert f"Example:  {FILTERS[word].example}" in result.output
    assert "path=TEXT" in result.output and "``" not in result.output


def test_the_forms_of_heartbeats_are_listed() -> None:
    assert "engine.io" in run("drop-heartbeat").output


def test_for_programs() -> None:
    listed = json.loads(run("--json").output)
    assert [each["name"] for each in listed] == list(FILTERS)
    for each in listed:
        assert each["summary"] and each["help"]
        assert all(setting["help"] for setting in each["settings"])
        assert each["name"] == "script" or str(parse(each["example"])) == each["example"]
    one = json.loads(run("refuse", "--json").output)
    assert one["positional"] == ["status"]
    assert {"name": "status", "value": "NUMBER", "required": True, "default": None}.items() <= one["settings"][
        0
    ].items()


def test_a_name_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["filters", "drop-hartbeat"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "hangup: there is no filter 'drop-hartbeat'; did you mean drop-heartbeat? (`hangup filters` lists them all)\n"
    )
