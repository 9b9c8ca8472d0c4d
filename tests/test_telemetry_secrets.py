"""Planted secrets: of every kind, in every place, none is in a metric or a span."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import planted_secrets as planting
from hangup.recorder.recorder import Recorder
from hangup.recording.events import AnyEvent, Frame, Handshake, Part, Stop
from hangup.telemetry.exposition import Exposition
from hangup.telemetry.observer import Observer
from hangup.telemetry.spans import Spans

COMBINATIONS = list(planting.combinations())
HEAD = ("query", "encoded query", "cookie", "authorization", "header", "login")
PLACES = (*HEAD, "close reason", "close reason, told", "filter", "ping", "half a frame", "member")
"""Those of which a span might tell, and one in a message, of which none does."""


async def told(connections: Iterable[list[AnyEvent]], path: Path) -> tuple[str, list[str]]:
    """The metrics and the spans of these connections."""
    recorder = Recorder(path, target="ws://127.0.0.1:1")
    observer = Observer(recorder)
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans = Spans(recorder, observer.totals, provider.get_tracer("test"))
    try:
        for number, events in enumerate(connections, 1):
            for event in events:
                if isinstance(event, Stop | Part) or isinstance(event, Frame) and event.opcode not in ("close", "ping"):
                    continue
                event.conn = number if event.conn else 0
                recorder.emit(event)
        spans.end()
        text = (await Exposition(observer).answer(""))[0].decode()
        made = sorted(exporter.get_finished_spans(), key=lambda span: int((span.attributes or {})["hangup.conn"]))
        return text, [span.to_json() for span in made]
    finally:
        recorder.journal.close()


@pytest.mark.parametrize("place", PLACES)
def test_no_secret_is_in_a_metric_or_a_span(place: str, tmp_path: Path) -> None:
    here = [(name, secret) for name, where, secret in COMBINATIONS if where == place]
    connections = [planting.planted(place, planting.KINDS[name], secret) for name, secret in here]
    shaken = sum(any(isinstance(event, Handshake) for event in events) for events in connections)
    text, spans = asyncio.run(told(connections, tmp_path / "run.jsonl"))
    assert len(spans) == shaken == len(here)
    leaked = [name for name, secret in here if planting.leaks(secret, [text.encode()])]
    for (name, secret), span in zip(here, spans, strict=True):
        leaked += [name] * len(planting.leaks(secret, [span.encode()]))
    assert not leaked
