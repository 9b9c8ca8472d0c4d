"""Is it what a message says, or that it is compressed? A law about messages is not believed before that is asked."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from hangup.experiment.ladder import NO_EXTENSIONS
from hangup.experiment.search import search
from hangup.experiment.trial import Case, Trial
from simulated import run
from test_message_laws import said

HELLO = '{"type":"hello","name":"edge-17"}'
BATCHES = [json.dumps({"type": "batch", "rows": ["x" * 40] * n}) for n in (30, 34, 37, 39)]


def client(*packed: int) -> Case:
    """One that compresses these of its messages, by their place."""
    this = said(HELLO, *BATCHES[: max(packed)], features=frozenset({"extensions"}))
    this.frames = [replace(frame, compressed=n in packed) for n, frame in enumerate(this.frames)]
    return this


@pytest.mark.parametrize("packed", [(0, 1), (1,)])
def test_the_second_compressed_message_cannot_be_inflated(packed: tuple[int, ...]) -> None:
    this = client(*packed)

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        return len(messages) >= 2 and NO_EXTENSIONS[0] not in trial.filters

    verdict = run(search(this), this, fails, most=900)
    assert verdict.law is not None and verdict.law.holds and verdict.proved
    assert "unless the handshake is changed: compression off" in verdict.law.sentence, verdict.law
    assert verdict.verdict == "handshake/extension", verdict.standing


def test_what_fails_without_compression_too_is_no_matter_of_it() -> None:
    this = client(0, 1, 2, 3, 4)

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        return any(len(payload) >= len(BATCHES[3]) for _, payload in messages)

    verdict = run(search(this), this, fails, most=900)
    assert verdict.law is not None and verdict.law.holds, verdict.law
    assert "compression" not in verdict.law.sentence and verdict.verdict == "message/oversize"
