"""A recording without words: its form stays, and most causes can still be told."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

import layouts
from hangup.diagnosis.diagnose import diagnose
from hangup.recording.events import Frame, Handshake, Log
from lab.wordless import _other, _renamed, wordless


@given(st.text(st.characters(codec="ascii", categories=("L",)), min_size=1, max_size=200))
def test_a_word_becomes_another_of_its_length(word: str) -> None:
    assert len(_other(word)) == len(word)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_json_stays_json_of_the_same_form(value: object) -> None:
    def form(value: object) -> object:
        if isinstance(value, dict):
            return {key: form(each) for key, each in value.items()}
        return [form(each) for each in value] if isinstance(value, list) else type(value)

    text = json.dumps(value)
    changed = _renamed(text)
    assert changed is not None
    if isinstance(value, dict | list):
        assert form(json.loads(changed)) == form(value)


def test_nothing_that_names_anything_is_left() -> None:
    for name in layouts.LAYOUTS:
        for event in wordless(layouts.build(name)):
            assert not isinstance(event, Log)
            if isinstance(event, Frame):
                assert not event.reason and "join" not in (event.text or "")
            if isinstance(event, Handshake) and event.response is not None:
                assert not event.response.text and "server" not in {key.lower() for key, _ in event.response.headers}


def test_most_causes_can_still_be_told() -> None:
    right = total = 0
    for name, (verdicts, _) in layouts.LAYOUTS.items():
        whole = diagnose(layouts.header(), layouts.build(name, 31))
        if whole.category in {verdict.partition("/")[0] for verdict in verdicts}:
            total += 1
            right += diagnose(layouts.header(), wordless(layouts.build(name, 31))).category == whole.category
    assert right >= 0.8 * total, (right, total)
