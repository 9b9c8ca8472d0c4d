"""Planted secrets: of every kind, in every place, none is in what is made for others."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator

import pytest

import planted_secrets as planting
from conversing import HEADER
from hangup.proxy.flows import FlowWriter
from hangup.recording.events import AnyEvent, Header
from hangup.recording.formats import FORMATS
from hangup.recording.formats.writing import writer
from hangup.recording.redaction.redactor import Redactor

WRITTEN = [name for name, each in FORMATS.items() if each.writes]


def exported(events: list[AnyEvent]) -> Iterator[tuple[str, list[bytes]]]:
    """What each format makes of a recording, redacted: its name, and all bytes that are in it."""
    redactor = Redactor()
    redactor.learn(events, HEADER)
    header: Header = redactor.header(HEADER)
    hidden = list(redactor.events(events))
    yield "events", list(planting.everything(hidden))
    for name in WRITTEN:
        out = io.BytesIO()
        made = FlowWriter(out, header) if name == "mitmproxy" else writer(name, out, header)
        for event in hidden:
            made.write(event)
        made.finish()
        made.close()
        yield name, [out.getvalue()]


COMBINATIONS = list(planting.combinations())


def test_there_is_enough_to_be_found() -> None:
    assert len({secret for _, _, secret in COMBINATIONS}) >= 80
    assert len({kind for kind, _, _ in COMBINATIONS}) >= 40
    assert len({place for _, place, _ in COMBINATIONS}) >= 15


@pytest.mark.parametrize("place", dict.fromkeys(place for _, place, _ in COMBINATIONS))
def test_no_secret_is_in_any_export(place: str) -> None:
    leaked: Counter[tuple[str, str]] = Counter()
    for name, where, secret in COMBINATIONS:
        if where == place:
            events = planting.planted(place, planting.KINDS[name], secret)
            assert planting.leaks(secret, planting.everything(events)), f"{name} is not there at all"
            for form, data in exported(events):
                leaked[name, form] += len(planting.leaks(secret, data))
    assert not +leaked
