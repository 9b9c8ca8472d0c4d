"""The causes: every part of each is there, what they name exists, and a new one is one file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import causes_page
import lab.faults  # noqa: F401  (fills the table)
import layouts
import recorded
from faults.table import FAULTS
from hangup.cli import cli
from hangup.diagnosis import causes, signs, steps
from hangup.diagnosis.causes import Cause
from hangup.diagnosis.diagnose import diagnose
from hangup.diagnosis.hypotheses import OF_UNKNOWN
from hangup.diagnosis.signs.words import phrases
from hangup.errors import HangupError
from hangup.experiment.client_side import CLIENT_RUNGS
from hangup.experiment.factors import PARTS, VARY
from hangup.experiment.priors import explanations
from hangup.experiment.server_side import RUNGS
from hangup.filters import text as filter_text
from lab import laid_out
from lab.table import FAULTS as LAB

KNOWN = causes.load(*causes.folders()[:1])
PHRASES = {
    *(f"close-reason:{phrase.name}" for by in phrases().reason.values() for phrase in by),
    *(f"answer-body:{phrase.name}" for phrase in phrases().body),
    *(f"backend-log:{phrase.name}" for phrase in phrases().log),
}
CODE = re.compile(r"(client-|graphql-)?close-code:\d{4}(-[a-z-]+)?|[a-z-]+:[a-z0-9-]*(though-valid|before-the-answer)")
BESIDE = {"amplifier/backoff-reset"}
"""What is added to another verdict and has no signs."""


@pytest.mark.parametrize("cause", KNOWN.values(), ids=KNOWN)
class TestEach:
    def test_it_says_all_that_it_must(self, cause: Cause) -> None:
        assert cause.sentence and not cause.sentence.endswith(".")
        assert cause.proof.endswith(".") and cause.fix["any"].endswith(".")
        assert all(text.endswith(".") for text in cause.fix.values())
        assert cause.closers and set(cause.closers) <= {"server", "client"}
        if cause.verdict not in BESIDE:
            assert cause.suggests or any(strength > 0 for strength in cause.said.values())
            assert cause.examples and cause.counterexamples, "an example, and what looks like it and is not"

    def test_what_it_names_exists(self, cause: Cause) -> None:
        named = [*cause.suggests, *cause.supports, *cause.against]
        assert len(named) == len(set(named)), "a sign speaks one way"
        assert {name.partition(":")[0] for name in named} <= set(signs.readers())
        assert {name for name in cause.said if not CODE.fullmatch(name)} <= PHRASES
        for predicts, rungs in ((cause.replay, RUNGS), (cause.in_message, RUNGS), (cause.page, CLIENT_RUNGS)):
            if predicts is not None:
                said = {*predicts.survives, *predicts.unsure, *predicts.cures}
                assert said <= {rung.name for rung in rungs} | {"as-many"} | {f"{VARY}{part}" for part in PARTS}

    def test_what_it_proposes_can_be_done(self, cause: Cause) -> None:
        if cause.next is not None and cause.next.filter not in steps.MADE:
            filter_text.parse(cause.next.filter)
        assert cause.next is None or cause.next.tells

    def test_its_examples_are_of_it_and_its_counterexamples_are_not(self, cause: Cause) -> None:
        for names, of_it in ((cause.examples, True), (cause.counterexamples, False)):
            for name in names:
                where, _, what = name.partition("/")
                if where == "lab":
                    assert (cause.verdict in (LAB[what].cause, *LAB[what].alternatives)) is of_it, name
                elif where == "faults":
                    assert (cause.verdict in (FAULTS[what].verdict, *FAULTS[what].also)) is of_it, name
                else:
                    laid = getattr(laid_out, what.replace("-", "_"), None)
                    report = diagnose(layouts.header(), laid(9_001) if laid is not None else layouts.build(what))
                    assert (cause.verdict in (report.verdict, *report.also)) is of_it, (name, report.verdict)


def test_every_sign_is_used() -> None:
    used = {name for cause in KNOWN.values() for name in (*cause.suggests, *cause.supports, *cause.against)}
    used |= {name.partition(":")[0] for cause in KNOWN.values() for name in cause.said}
    kinds = {name.partition(":")[0] for name in used} | {*OF_UNKNOWN, "close-reason-given"}
    assert set(signs.readers()) <= kinds
    assert PHRASES <= {name for cause in KNOWN.values() for name in cause.said}


def test_every_layout_is_of_a_cause() -> None:
    assert {verdict for verdicts, *_ in layouts.LAYOUTS.values() for verdict in verdicts} <= set(KNOWN)


def test_the_documentation_is_made_from_the_files() -> None:
    text = causes_page.PAGE.read_text("utf-8")
    assert text == causes_page.page(text), "cd tests && uv run python -m causes_page"


NEW = """
sentence = "The client asks for a thing on a Sunday"
trigger = "message"
place = "application"
closers = ["server"]
needs = "client-message"
proof = "Ask on a Monday: it stays open."
suggests = ["follows-client-message"]
supports = ["only-the-last-not-json", "last-is-not-json"]

[next]
filter = "drop side=client kind=sunday"
tells = "if it stays open with this on, it was Sunday"

[fix]
any = "Wait until Monday."

[replay]
trigger = "frame"
survives = ["silence", "suspect-dropped"]
"""


class TestANewOne:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        (tmp_path / "causes" / "message").mkdir(parents=True)
        monkeypatch.setenv(causes.FOLDERS, str(tmp_path / "causes"))
        return tmp_path / "causes"

    def test_is_found_everywhere(self, folder: Path, tmp_path: Path) -> None:
        (folder / "message" / "sunday.toml").write_text(NEW, "utf-8")
        recording = tmp_path / "x.jsonl"
        recorded.write(recording, layouts.build("a3-text-ping"), layouts.header())
        said = json.loads(CliRunner().invoke(cli, ["why", str(recording), "--json"], catch_exceptions=False).stdout)
        found = {said["verdict"]: said["confidence"]} | {a["verdict"]: a["confidence"] for a in said["alternatives"]}
        assert found["message/sunday"] > 0
        page = CliRunner().invoke(cli, ["why", str(recording)], catch_exceptions=False).stdout
        assert "message/sunday" in page
        assert "message/sunday" in {explanation.verdict for explanation in explanations("server")}
        told = CliRunner().invoke(cli, ["causes", "message/sunday"], catch_exceptions=False).stdout
        assert "on a Sunday" in told and "Wait until Monday." in told
        documented = CliRunner().invoke(cli, ["causes", "--markdown"], catch_exceptions=False).stdout
        assert "**message/sunday**: The client asks for a thing on a Sunday." in documented

    @pytest.mark.parametrize(
        ("text", "says"), [("sentence = 1", "str"), ("x", "x.toml"), (NEW.replace("proof", "prof"), "prof")]
    )
    def test_that_is_wrong_is_told_with_its_path(self, folder: Path, text: str, says: str) -> None:
        (folder / "message" / "x.toml").write_text(text, "utf-8")
        with pytest.raises(HangupError, match=re.escape(says)) as caught:
            causes.known()
        assert str(folder) in str(caught.value)
