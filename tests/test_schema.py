"""The JSON Schema of the format: what the recorder writes is what the schema says, and not just anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

import recorded
from hangup.recording import events as ev
from recorded import HEADER, close, control, end, handshake, text

SCHEMA: dict[str, Any] = ev.schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
COMMON = {"kind", "at", "conn", "n", "side"}
"""Fields that mean the same in every event."""
RECORDINGS = Path(__file__).resolve().parent.parent / "recordings"

SAMPLES: list[ev.Event] = [
    handshake(waited=0.003, headers=[("Upgrade", "websocket")], returned=ev.Response(status=101)),
    ev.Handshake(at=0.1, conn=2, request=ev.Request(), error="connection refused"),
    text(0.2, "client", 1, "grün\n\x00"),
    ev.Frame(at=0.3, conn=1, n=2, side="server", opcode="0x3", fin=False, rsv=4, base64=b"\xff", problems=("rsv",)),
    ev.Frame(at=0.3, conn=1, n=2, side="server", head="81fe0002", message="", length=3, sha256="00", parts=2),
    control(0.4, "server", 3),
    close(0.5, "client", 4, 1001, "bye"),
    ev.Part(at=0.6, conn=1, n=5, side="server", head="827f", base64=b"\x00", length=7),
    ev.Raw(at=0.7, conn=1, side="server", text="HTTP/1.1 400", problems=("not-a-frame",), cut=5),
    ev.FilterEvent(at=0.8, conn=1, filter="drop-ping", action="drop", side="client", n=4, wire=b"\x89\x00"),
    end(0.9, "server", "rst", by="proxy", note="why"),
    ev.Log(at=1.0, source="uvicorn", text="Traceback"),
    ev.Note(at=1.1, text="lost", lost=3),
    ev.Stop(at=1.2, http=4),
]


def problems(line: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(line)]


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    kinds = {name: value["properties"].get("kind") for name, value in SCHEMA["$defs"].items()}
    assert {"Handshake", "Frame", "Part", "Raw", "FilterEvent", "End", "Log", "Note", "Stop"} <= kinds.keys()


@pytest.mark.parametrize("event", [HEADER, *SAMPLES], ids=lambda event: type(event).__name__)
def test_what_is_written_is_valid(event: ev.Event | ev.Header) -> None:
    assert problems(json.loads(ev.encode(event))) == []


@settings(max_examples=60, deadline=None)
@given(event=recorded.events)
def test_any_event_is_valid(event: ev.AnyEvent) -> None:
    assert problems(json.loads(ev.encode(event))) == []


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"kind": "frame", "at": 1, "n": 1},
        {"kind": "frame", "at": 1, "n": 1, "side": "middle"},
        {"kind": "end", "at": 1, "side": "client", "how": "slowly"},
        {"kind": "unknown", "at": 1},
        {"kind": "log", "text": "no time"},
        {"hangup": "one", "started": ""},
        [],
    ],
)
def test_what_is_no_line_is_not_valid(line: Any) -> None:
    assert problems(line)


def test_every_event_type_is_sampled() -> None:
    assert {type(event) for event in SAMPLES} == set(ev.AnyEvent.__args__)


def test_the_golden_recordings_are_valid() -> None:
    for path in RECORDINGS.glob("[!0-9]*.jsonl"):
        for line in path.read_text().splitlines():
            assert problems(json.loads(line)) == [], path


def test_the_readme_tells_every_kind_of_line_and_each_of_its_fields() -> None:
    readme = (RECORDINGS / "README.md").read_text()
    for kind, reference in SCHEMA["anyOf"][1]["discriminator"]["mapping"].items():
        row = next(line for line in readme.splitlines() if line.startswith(f"| `{kind}` |"))
        for name in SCHEMA["$defs"][reference.rpartition("/")[2]]["properties"]:
            assert f"`{name}`" in (readme if name in COMMON else row), (kind, name)
