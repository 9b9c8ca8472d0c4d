"""What is said of one recording agrees with itself: its diagnosis, its loop, and what a bisect has proved of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import layouts
import recorded
from hangup.cli import cli
from hangup.diagnosis.diagnose import diagnose
from hangup.diagnosis.report import Report
from hangup.recording import events as ev
from hangup.web.queries import ask
from hangup.web.recorded import Recorded

HELLO = '{"type":"hello"}'


def contradictions(report: Report) -> list[str]:
    """What in a report denies something else in it."""
    found = []
    if report.amplifier and report.loop and "not backing off" not in report.loop:
        found.append("the client backs off, and never waits longer")
    if report.category == "none" and (report.loop or report.amplifier):
        found.append("nothing is wrong, and it loops")
    if report.verdict in {other.verdict for other in report.alternatives}:
        found.append("it is this, or else this")
    closer = report.parts.get("closer")
    if closer is not None and report.closer != "none" and closer.value != report.closer:
        found.append(f"closed by the {closer.value}, and by the {report.closer}")
    for one, other in (("client", "server"), ("server", "client")):
        if f"the {one} ended it" in report.sentence and report.closer == other:
            found.append(f"the {one} ended it, and the {other}")
    weights: dict[str, list[float]] = {}
    for sign in report.evidence:
        weights.setdefault(sign.text, []).append(sign.weight)
    found += [f"for and against: {text}" for text, each in weights.items() if min(each) < 0 < max(each)]
    return found


@pytest.mark.parametrize("name", layouts.LAYOUTS)
def test_no_report_contradicts_itself(name: str) -> None:
    for seed, noise in ((0, False), (1, True), (2, False)):
        report = diagnose(layouts.header(), layouts.build(name, seed, noise))
        assert not contradictions(report), f"{name}, seed {seed}"


def mounted_twice(lifetime: float, count: int = 5) -> list[ev.Event]:
    """StrictMode's two connections, and then a loop; all times are laid out."""
    found: list[ev.Event] = [recorded.handshake(1.0, 1, waited=0.004), recorded.end(1.01, "client", conn=1)]
    at = 1.02
    for conn in range(2, count + 2):
        found += [
            recorded.handshake(at, conn, waited=0.004),
            recorded.text(at + 0.02, "client", 1, HELLO, conn),
            recorded.text(at + lifetime - 0.01, "client", 2, "ping", conn),
            recorded.end(at + lifetime, "server", conn=conn),
        ]
        at += lifetime + 1.0
    return [*found, ev.Stop(at=at)]


@pytest.mark.parametrize("lifetime", [0.5, 30.0, 100.0])
def test_a_double_mount_is_not_backing_off(lifetime: float) -> None:
    report = diagnose(layouts.header(), mounted_twice(lifetime))
    assert report.verdict == "heartbeat/app-ping-kills"
    assert "connections 2 to 6" in report.loop and "not backing off" in report.loop
    assert not contradictions(report)


def test_pauses_that_grow_are_not_said_to_stay_as_they_are() -> None:
    """The first pause is short by chance, and the second one too: the client waits longer, and hardly longer."""
    events: list[ev.Event] = []
    at = 1.0
    for conn, gap in enumerate((1.0, 0.3, 1.0, 1.0, 1.0, 1.0, 1.0), 1):
        events += [recorded.handshake(at, conn), recorded.text(at + 0.1, "client", 1, "ping", conn)]
        events.append(recorded.end(at + 0.2, "server", conn=conn))
        at += 0.2 + gap
    report = diagnose(layouts.header(), [*events, ev.Stop(at=at)])
    assert report.loop and not contradictions(report)


LAW = "the server drops the connection on any text message that is not JSON"
PROOF: dict[str, Any] = {
    "verdict": "message/not-json",
    "proved": True,
    "headline": "proved: message/not-json",
    "claim": "failed 4 of 4 trials with the cause, 0 of 5 without it (p = 0.0079)",
    "counts": {"with": [4, 4], "without": [0, 5], "p": 0.0079},
    "ladder": [],
    "law": {"sentence": LAW, "predictions": [8, 8], "boundary": None},
    "cure": "drop side=client kind=ping",
    "started": recorded.STARTED,
}


def proof(folder: Path, **changes: Any) -> Path:
    path = folder / "bisects" / "run-verdict.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(PROOF | changes))
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return recorded.write(tmp_path / "run.jsonl", mounted_twice(0.5))


def said(*words: object, **environment: str) -> str:
    done = CliRunner(env={"COLUMNS": "100", **environment}).invoke(cli, list(map(str, words)))
    assert done.exit_code == 0, done.output
    return done.output


class TestAfterAProof:
    """The reading alone would say ``heartbeat/app-ping-kills``; the experiment says ``message/not-json``."""

    def test_why_speaks_of_it_and_guesses_no_more(self, recording: Path) -> None:
        before = said("why", recording)
        assert before.startswith("heartbeat/app-ping-kills") and "% sure" in before and "hangup bisect" in before
        path = proof(recording.parent)
        after = said("why", recording)
        assert after.startswith("message/not-json  proved\n")
        assert "it dropped in 4 of 4 trials with the cause and in 0 of 5 without it (p = 0.0079)" in after
        assert LAW in after and "predicted 8 of 8 new exchanges" in after
        assert "stays open with  drop side=client kind=ping" in after and path.name in after
        assert "% sure" not in after and "app-ping-kills" not in after and "hangup bisect" not in after

    def test_in_markdown_too(self, recording: Path) -> None:
        proof(recording.parent)
        text = said("why", recording, "--markdown")
        assert "| cause | `message/not-json` |" in text and "Stays open with `drop side=client" in text
        assert "Proved by experiment: it dropped in 4 of 4 trials" in text and LAW in text
        assert "What to try next" not in text and "app-ping-kills" not in text

    def test_for_programs_it_stands_beside_what_reading_says(self, recording: Path) -> None:
        assert "proved" not in json.loads(said("why", recording, "--json"))
        proof(recording.parent)
        found = json.loads(said("why", recording, "--json"))
        assert found["verdict"] == "heartbeat/app-ping-kills" and found["proved"]["verdict"] == "message/not-json"
        assert json.loads(said("show", recording, "--json"))["proved"] == "message/not-json"

    def test_show_speaks_of_it(self, recording: Path) -> None:
        assert "bisect:" not in said("show", recording)
        proof(recording.parent)
        assert "bisect: proved: message/not-json" in said("show", recording)

    def test_only_of_the_connections_that_it_is_about(self, recording: Path) -> None:
        proof(recording.parent)
        assert said("why", recording, "--conn", 3).startswith("message/not-json  proved")
        mount = CliRunner().invoke(cli, ["why", str(recording), "--conn", "1"])
        assert "not-json" not in mount.output

    def test_one_that_proved_nothing_is_told_as_such(self, recording: Path) -> None:
        proof(recording.parent, verdict="unknown/", proved=False, headline="no explanation stands out")
        text = said("why", recording)
        assert text.startswith("heartbeat/app-ping-kills") and "no explanation stands out" in text
        assert "no explanation stands out" in said("show", recording)

    def test_a_law_without_a_name_is_told_as_such(self, recording: Path) -> None:
        headline = f"proved: {LAW} (which cause that is cannot be told)"
        proof(recording.parent, verdict="unknown/", headline=headline)
        text = said("why", recording)
        assert text.startswith(f"unnamed cause  proved\nT{LAW[1:]} (which cause that is ")
        text = said("why", recording, "--markdown")
        assert f"\nT{LAW[1:]} (which cause that is cannot be told)." in text and "% sure" not in text

    def test_that_of_another_recording_says_nothing(self, recording: Path) -> None:
        proof(recording.parent, started="2020-01-01T00:00:00Z")
        assert said("why", recording).startswith("heartbeat/app-ping-kills")

    def test_the_page_hears_of_it_while_it_is_open(self, recording: Path) -> None:
        read = Recorded(recording)
        while read.read(1.0):
            pass

        def why(**given: str) -> Any:
            slices = ask(read, "why", given)
            try:
                while True:
                    next(slices)  # type: ignore[call-overload]
            except StopIteration as stop:
                return stop.value

        assert "proved" not in why()
        proof(recording.parent)
        assert why()["proved"]["verdict"] == "message/not-json"
        assert why(conn="3")["proved"]["cure"] == PROOF["cure"] and "proved" not in why(conn="1")
        read.tail.close()
