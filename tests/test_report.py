"""The report in one HTML file, without a browser: what it holds, that it holds no more, and how large it is."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import recorded
import reports
from hangup.cli import cli
from hangup.errors import RecordingError, UsageError
from hangup.experiment import document_file
from hangup.experiment.document import Document
from hangup.experiment.verdict import Verdict
from hangup.recording import events as ev
from hangup.recording.formats import open_recording
from hangup.web import page_bundle
from hangup.web.report_room import embeddable

RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("[a-z]*.jsonl"))
LOOP = next(path for path in RECORDINGS if path.stem.startswith("a3-"))
MOST = 2 << 20
"""Bytes that an ordinary report may have."""

SECRET = "s3cr3t-s3cr3t-s3cr3t"


def told(*arguments: str | Path) -> Any:
    """What a command says in JSON."""
    return json.loads(CliRunner().invoke(cli, [*map(str, arguments), "--json"]).stdout)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_it_says_what_the_recording_says(path: Path, tmp_path: Path) -> None:
    text = reports.converted(path, tmp_path / "report.html", "--no-redact")
    assert len(text.encode()) < MOST
    data = reports.data_of(text)
    why = told("why", path)
    assert data["why"] == why | {"recording": path.name, "next": data["why"]["next"]}
    assert [step["text"] for step in data["why"]["next"]] == [step["text"] for step in why["next"]]
    shown = told("show", path)
    listed = {each["conn"]: each for each in data["overview"]["connections"]}
    assert listed.keys() == {each["conn"] for each in shown["connections"]} == set(map(int, data["connections"]))
    for each in shown["connections"]:
        mine = listed[each["conn"]]
        assert mine["frames"] == each["frames"] and mine["bytes"] == each["bytes"]
        assert mine["sentence"] == each["ending"]["sentence"] and mine["lifetime"] == each["lifetime"]
        assert mine["status"] == each["status"] and mine["path"] == each["target"]
    events = list(open_recording(path))
    for conn, told_of in data["connections"].items():
        own = [event for event in events if event.conn == int(conn) and not isinstance(event, ev.Log)]
        assert len([pair for pair in told_of["entries"] if pair[0]["kind"] != "log"]) == len(own)
        frames = [{**listed, **more} for listed, more in told_of["entries"] if listed["kind"] == "frame"]
        assert [(each["n"], each["side"], each["at"], each["opcode"], each["length"]) for each in frames] == [
            (each.n, each.side, each.at, each.opcode, each.size) for each in own if isinstance(each, ev.Frame)
        ]
        for mine, frame in zip(frames, (each for each in own if isinstance(each, ev.Frame)), strict=True):
            assert said(mine)[:2048] == whole(frame)[:2048]
        asked = [event for event in own if isinstance(event, ev.Handshake)]
        headers = told_of["detail"]["handshake"]["request"]["headers"] if asked else None
        opcodes = {side: each["opcodes"] for side, each in told_of["figures"]["sides"].items()}
        assert opcodes == {side: Counter(each["opcode"] for each in frames if each["side"] == side) for side in opcodes}
        assert headers == ([list(pair) for pair in asked[0].request.headers] if asked else None)
    logs = [event.text.splitlines()[0] for event in events if isinstance(event, ev.Log)]
    assert len(data["ticks"]["logs"]) == len(logs)


def said(entry: Any) -> bytes:
    """What an entry of a report says."""
    if entry.get("base64") is not None:
        return base64.b64decode(entry["base64"])
    return str(entry["text"]).encode()


def whole(frame: ev.Frame) -> bytes:
    """What a frame says, inflated."""
    if frame.message is not None:
        return frame.message.encode()
    return frame.message_base64 if frame.message_base64 is not None else frame.payload


def test_there_is_nothing_in_it_that_asks_for_anything(tmp_path: Path) -> None:
    text = reports.converted(LOOP, tmp_path / "report.html")
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    (script,) = re.findall(r'<script type="module">(.*?)</script>', text, re.S)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    assert rules == {
        "default-src": "'none'",
        "script-src": hashed(script),
        "style-src": hashed(style),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    outside = text.replace(script, "").replace(style, "")
    outside = reports.DATA.sub("", outside)
    assert not re.search(r"\b(?:src|href|style|on\w+)=", outside)
    assert "url(" not in style and "@import" not in style
    assert not re.search(r"^(?:import|export)\b", script, re.M)


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_what_is_embedded_is_neither_markup_nor_lost(value: Any) -> None:
    text = embeddable(value)
    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text) == value


def leaky(path: Path) -> Path:
    """A recording with a secret wherever one may stand."""
    request = ev.Request(target=f"/ws?token={SECRET}", headers=[("Cookie", f"session={SECRET}")])
    events: list[ev.Event] = []
    for conn in (1, 2, 3):
        at = float(conn)
        events += [
            ev.Handshake(at=at, conn=conn, request=request, response=ev.Response(status=101)),
            recorded.text(at + 0.1, "client", 1, json.dumps({"password": SECRET}), conn=conn),
            ev.Log(at=at + 0.11, conn=conn, source="app", text=f"password={SECRET}"),
            recorded.close(at + 0.12, "server", 2, 4001, f"token={SECRET}", conn=conn),
            recorded.end(at + 0.13, "server", conn=conn),
        ]
    return recorded.write(path, events)


def proved(path: Path, **changes: Any) -> Path:
    """A document such as ``hangup bisect --json`` prints."""
    rung = {"arm": "control", "title": "as it was recorded", "filters": [], "failed": [4, 4], "outcome": "failed"}
    filters = [f"query token {SECRET}"]
    cure = {**rung, "title": "without it", "filters": filters, "failed": [0, 5], "outcome": "survived"}
    found = {
        "verdict": "message/not-json",
        "proved": True,
        "headline": "proved: message/not-json",
        "claim": "failed 4 of 4 trials with the cause, 0 of 5 without it (p = 0.0079)",
        "counts": {"with": [4, 4], "without": [0, 5], "p": 0.0079},
        "ladder": [rung, cure],
        "law": {
            "sentence": "the server drops the connection on any text message that is not JSON",
            "predictions": [8, 8],
            "boundary": None,
        },
        "cure": f"query token {SECRET}",
        "minimal": {"frames": [1], "payload": SECRET, "opcode": "text", "neighbour": "without it"},
        "log": [{"at": 1.0, "source": "app", "text": f"password={SECRET}"}],
        "started": recorded.STARTED,
        **changes,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found))
    return path


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_no_secret_is_in_it(tmp_path: Path, suffix: str) -> None:
    path, proof = leaky(tmp_path / "run.jsonl"), proved(tmp_path / "proof.json")
    text = reports.converted(path, tmp_path / f"report.{suffix}", "--bisect", str(proof))
    assert SECRET not in text and "[redacted-1]" in text
    assert "the server drops the connection on any text message that is not JSON" in text
    kept = reports.converted(path, tmp_path / f"kept.{suffix}", "--bisect", str(proof), "--no-redact")
    assert kept.count(SECRET) > 5


def test_what_was_hidden_is_counted_once(tmp_path: Path) -> None:
    path = leaky(tmp_path / "run.jsonl")
    har = reports.convert(path, tmp_path / "a.jsonl").stderr
    assert reports.convert(path, tmp_path / "a.html").stderr == har
    places = re.findall(r"hidden in (\d+) places", har)
    assert [str(reports.data_of((tmp_path / "a.html").read_text())["hidden"])] == places


def test_one_connection_is_all_that_there_is(tmp_path: Path) -> None:
    text = reports.converted(LOOP, tmp_path / "one.html", "--conn", "4")
    data = reports.data_of(text)
    assert list(data["connections"]) == ["4"] and data["why"]["conn"] in (4, None)
    cited = {cite["conn"] for sign in data["why"]["evidence"] for cite in sign.get("cites", [])}
    assert cited <= {4}


def test_a_proof_lies_beside_its_recording(tmp_path: Path) -> None:
    path = leaky(tmp_path / "run.jsonl")
    proved(tmp_path / "bisects" / "other-verdict.json", started="2020-01-01T00:00:00Z")
    (tmp_path / "bisects" / "torn-verdict.json").write_text('{"verdict": "a')
    assert reports.data_of(reports.converted(path, tmp_path / "a.html"))["proof"] is None
    mine = proved(tmp_path / "bisects" / "mine-verdict.json")
    made = reports.convert(path, tmp_path / "b.html")
    assert f"using the proof in {mine}" in made.stderr
    data = reports.data_of((tmp_path / "b.html").read_text())
    assert [rung["failed"] for rung in data["proof"]["ladder"]] == [[4, 4], [0, 5]]
    assert data["summary"]["proved"] and data["summary"]["verdict"] == "message/not-json"
    assert data["summary"]["sure"] == (
        "Proved by experiment: it dropped in 4 of 4 trials with the cause and in 0 of 5 without it (p = 0.0079)."
    )


def test_a_proof_that_is_none(tmp_path: Path) -> None:
    path = leaky(tmp_path / "run.jsonl")
    wrong = proved(tmp_path / "wrong.json", ladder=[{"title": "a", "failed": [9, 4], "outcome": "failed"}])
    for file in (path, wrong, tmp_path / "none.json"):
        with pytest.raises(RecordingError) as caught:
            reports.convert(path, tmp_path / "a.html", "--bisect", str(file))
        assert str(file) in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="--bisect is for HTML and Markdown"):
        reports.convert(path, tmp_path / "a.har", "--bisect", str(wrong))
    assert not (tmp_path / "a.html").exists()


def test_a_document_is_written_and_found_again(tmp_path: Path) -> None:
    recording = tmp_path / "run.jsonl"
    document = Document(verdict=Verdict(verdict="message/not-json"), about={"started": recorded.STARTED})
    document_file.write(document, recording)
    found = document_file.find(recording, recorded.STARTED)
    assert found is not None and document.files == {"verdict": str(found)}
    assert document_file.read(found).headline == document.headline
    assert document_file.find(recording, "") is None
    assert document_file.find(tmp_path / "elsewhere" / "run.jsonl", recorded.STARTED) is None
    assert document_file.find(tmp_path / "elsewhere" / "run.jsonl", recorded.STARTED, [tmp_path]) == found


def test_of_a_large_recording_what_matters_is_there(tmp_path: Path) -> None:
    events: list[ev.Event] = []
    for conn in range(1, 1501):
        at = conn * 0.5
        events.append(recorded.handshake(at, conn))
        count = 3000 if conn == 1500 else 12
        events += [recorded.text(at + n * 1e-4, "client", n, "y" * 300, conn=conn) for n in range(1, count)]
        events.append(recorded.text(at + 0.4, "client", count, "ping", conn=conn))
        events.append(recorded.end(at + 0.401, "server", conn=conn))
    path = recorded.write(tmp_path / "run.jsonl", sorted(events, key=lambda event: event.at))
    made = reports.convert(path, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert len(text.encode()) < MOST
    data = reports.data_of(text)
    shown = [each["conn"] for each in data["overview"]["connections"]]
    assert len(shown) == 300 and 1500 in shown and data["why"]["conn"] in shown
    assert "showing 300 of 1,500 connections; the recording has the other 1,200" in data["overview"]["notes"]
    (loop,) = data["overview"]["loops"]
    assert loop["count"] == 1500 and set(loop["conns"]) <= set(shown)
    longest = data["connections"]["1500"]
    assert longest["total"] == 3002 and len(longest["entries"]) == 400
    assert longest["figures"]["sides"]["client"]["messages"] == 3000
    assert longest["entries"][-2][0]["preview"] == "ping"
    assert re.search(r"a report has no place for 1,200 connections and [\d,]+ events", made.stderr)


@pytest.mark.parametrize(
    "code",
    [
        'import * as all from "./store.js";',
        'import "./store.js";',
        "export default 1;",
        'const { a } = await import("./store.js");',
        "export let a = 1;",
        "const a = '</script>';",
        "// <!-- --",
    ],
)
def test_a_module_that_cannot_be_bundled_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(page_bundle, "FOLDER", tmp_path)
    (tmp_path / "store.js").write_text("export const a = 1;\n")
    (tmp_path / f"{tmp_path.name}.js").write_text(f"const b = 2;\n{code}\n")
    with pytest.raises(page_bundle.BundleError):
        page_bundle.script(f"{tmp_path.name}.js")


def test_modules_that_import_one_another_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_bundle, "FOLDER", tmp_path)
    (tmp_path / "one-of-two.js").write_text('import { b } from "./two.js";\nexport const a = 1;\n')
    (tmp_path / "two.js").write_text('import { a } from "./one-of-two.js";\nexport const b = 1;\n')
    with pytest.raises(page_bundle.BundleError, match="one-of-two.js -> two.js -> one-of-two.js"):
        page_bundle.script("one-of-two.js")
