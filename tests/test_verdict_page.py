"""What `hangup bisect` says in the end, in words: which causes are left, and why nothing could be tried."""

from __future__ import annotations

import io

from rich.console import Console

import layouts
from hangup.cli.bisect.progress import Lines
from hangup.cli.bisect.verdict_page import show, unasked
from hangup.experiment.document import Document
from hangup.experiment.evidence import Outcome
from hangup.experiment.reading import read_case
from hangup.experiment.search import search
from hangup.experiment.trial import Result, Trial
from hangup.experiment.verdict import Verdict
from layouts import Tape
from test_transcript import InMemory


def shown(verdict: Verdict) -> str:
    console = Console(file=io.StringIO(), width=160)
    show(console, Document(verdict=verdict))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_what_is_ruled_out_or_as_good_as_impossible_is_not_said_to_fit() -> None:
    standing = [("message/schema", 0.6), ("message/unknown-type", 0.02), ("unknown/", 0.004), ("process/crash", 0.006)]
    page = shown(Verdict(standing=standing, ruled_out={"message/unknown-type": "only the last message: failed 0/2"}))
    fitting, _, ruled_out = page.partition("ruled out")
    assert "message/schema" in fitting and "process/crash" in fitting and "1%" in fitting
    assert "message/unknown-type" not in fitting and "message/unknown-type" in ruled_out
    assert "unknown/" not in fitting and "0%" not in page.replace("60%", "")


def test_that_nothing_could_be_tried_is_no_spent_budget() -> None:
    """The client closes by a rule of its own that none of the server's acts explains."""
    tape = Tape()
    for n in range(4):
        line = tape.open(0.5 + 5 * n, "/ws?dev=4").client({"type": "hello"}, 0.01)
        line.server({"type": "tick"}, 0.05).server({"type": "tick"}, 0.1).server({"type": "tick"}, 0.07)
        line.end("client", after=0.001)
    reading = read_case(InMemory(tape.done(), layouts.header()))
    assert reading.case.asks_client
    page = shown(unasked(reading))
    assert "could not be tried: the client closed these connections, and a replay stands in for the client" in page
    assert "hangup bisect --live TARGET" in page and "budget" not in page and "stopped:" not in page
    assert Document(verdict=unasked(reading)).exit_code == 4


def test_a_rung_is_called_by_its_title_before_it_stands_in_the_ladder() -> None:
    verdict = Verdict(titles={"vary-query-0": "without the parameter dev"})
    console = Console(file=io.StringIO(), width=160)
    lines = Lines(console, verdict)
    lines.tried(Trial("vary-query-0"), Result(Outcome.FAILED, lifetime=4.74))
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "without the parameter dev" in said and "vary-" not in said


def test_each_rung_of_a_search_has_a_title_from_the_beginning() -> None:
    tape = Tape()
    for n in range(3):
        line = tape.open(0.5 + 5 * n, "/ws?dev=4").client({"type": "hello"}, 0.01).client({"type": "vote"}, 1.0)
        line.end("server", after=0.002)
    verdict = Verdict()
    next(search(read_case(InMemory(tape.done(), layouts.header())).case, verdict=verdict))
    assert verdict.titles["vary-query-0"].endswith("the parameter dev")
