"""Filters as the page writes them: the catalogue, whether a text is right, one in another's place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.errors import FilterError, UsageError
from hangup.filters.filter_set import FilterSet
from hangup.filters.library import FILTERS
from hangup.filters.text import parse
from hangup.recording.events import FilterEvent
from hangup.web.client import Remote
from hangup.web.filter_routes import catalogue, check
from harness.proxies import HangupProxy
from harness.remotes import remote_of


@pytest.fixture(scope="module")
def proxy() -> Iterator[HangupProxy]:
    with HangupProxy("ws://127.0.0.1:9") as proxy:
        proxy.wait_for("control on")
        yield proxy


@pytest.fixture
def remote(proxy: HangupProxy) -> Iterator[Remote]:
    remote = remote_of(proxy)
    yield remote
    remote.post("filters/clear")


def listed(remote: Remote) -> list[dict[str, Any]]:
    filters: list[dict[str, Any]] = remote.get("filters")["filters"]
    return filters


def test_the_catalogue_has_every_filter_and_an_example_that_is_right() -> None:
    filters = [each for group in catalogue()["groups"] for each in group["filters"]]
    assert {each["name"] for each in filters} == set(FILTERS)
    for each in filters:
        assert check(each["example"])["ok"] == (each["name"] != "script"), each
        names = [setting["name"] for setting in each["settings"]]
        assert set(each["positional"]) <= set(names)
        for setting in each["settings"]:
            assert setting["help"], (each["name"], setting)


def test_the_values_that_it_offers_are_right() -> None:
    for group in catalogue()["groups"]:
        for each in group["filters"]:
            for setting in each["settings"]:
                for value in setting["values"]:
                    text = f"{each['name']} {setting['name']}={value}"
                    answer = check(text)
                    assert answer["ok"] or answer["at"] is None, (text, answer)


def test_forms_of_heartbeats_are_told() -> None:
    forms = {form["name"]: form for form in catalogue()["forms"]}
    assert forms["text"]["ping"] == "ping" and forms["engine.io"]["pong"] == "3"
    assert forms["mqtt"]["ping"] is None, "bytes that are no text"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("drop-heartbeet", "drop-heartbeet"),
        ("drop side=clinet", "side=clinet"),
        ("drop 😀 side=clinet", "😀"),
        ("drop text='😀' side=clinet", "side=clinet"),
        ("rewrite to={\"a\":", "{\"a\":"),
        ("rewrite-heartbeat side=client", None),
    ],
)
def test_an_error_names_its_place_in_characters(remote: Remote, text: str, wrong: str | None) -> None:
    answer = remote.post("filters/check", filter=text)
    assert not answer["ok"] and answer["error"]
    if wrong is None:
        assert answer["at"] is None
    else:
        assert text[answer["at"] : answer["to"]] == wrong


def test_what_is_right_is_told_as_it_will_be_listed(remote: Remote) -> None:
    assert remote.post("filters/check", filter="  drop-heartbeat   side=client ") == {
        "ok": True,
        "filter": "drop-heartbeat side=client",
    }
    assert listed(remote) == [], "to check is not to add"


def test_a_check_runs_no_script(remote: Remote, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    file = tmp_path / "mine.py"
    file.write_text(f"open({str(ran)!r}, 'w')")
    assert remote.post("filters/check", filter=f"script {file}")["ok"]
    assert not ran.exists()


def test_a_check_for_the_page_refuses_what_it_may_not_add(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("raise SystemExit")
    for text in (f"script {file}", "script nowhere.py", "  script"):
        answer = check(text)
        assert not answer["ok"] and "the page may not" in answer["error"]
        assert text[answer["at"] : answer["to"]] == "script"
    assert check(f"script {file}", trusted=True) == {"ok": True, "filter": f"script {file}"}
    assert not check("script nowhere.py", trusted=True)["ok"]


@given(st.text(max_size=60) | st.builds("{} {}".format, st.sampled_from(sorted(FILTERS)), st.text(max_size=40)))
def test_any_text_is_answered(text: str) -> None:
    answer = check(text)
    if answer["ok"]:
        assert answer["filter"] == str(parse(text)) and not text.split()[0] == "script"
    else:
        assert answer["at"] is None or 0 <= answer["at"] < answer["to"] <= len(text)


def test_an_edit_keeps_place_and_state(remote: Remote, proxy: HangupProxy) -> None:
    remote.post("filters/add", filter="drop text=a")
    remote.post("filters/add", filter="drop text=b", on=False)
    remote.post("filters/add", filter="drop text=c")
    second = listed(remote)[1]["id"]
    answer = remote.post("filters/edit", filter=str(second), to="mute side=server")
    assert [(each["filter"], each["on"]) for each in answer["filters"]] == [
        ("drop text=a", True),
        ("mute side=server", False),
        ("drop text=c", True),
    ]
    with pytest.raises(UsageError, match="several"):
        remote.post("filters/edit", filter="drop", to="mute side=client")
    with pytest.raises(UsageError, match="there is no filter 'mutt'"):
        remote.post("filters/edit", filter=str(answer["changed"][0]["id"]), to="mutt")
    assert [each["filter"] for each in listed(remote)] == ["drop text=a", "mute side=server", "drop text=c"]
    toggles: list[tuple[str, str]] = []
    while ("add", "mute side=server") not in toggles:  # lines may wait a little for their file
        toggles = [(e.action, e.filter) for e in proxy.events() if isinstance(e, FilterEvent)]
    assert toggles[-2:] == [("remove", "drop text=b"), ("add", "mute side=server")]


def test_an_edit_of_what_is_not_there() -> None:
    with pytest.raises(FilterError, match="no filter 'drop'"):
        FilterSet().edit("drop", "mute side=client")


@pytest.mark.parametrize("path", ["filters/check", "filters/edit"])
def test_a_body_that_is_none(remote: Remote, path: str) -> None:
    with pytest.raises(UsageError, match="the body"):
        remote.post(path, nonsense="100%s")
