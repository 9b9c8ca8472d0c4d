"""What an export says first: who hung up, why, how sure, what to do, and how to see it again."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest

import recorded
import reports
from hangup.experiment.document_file import Held, Proof, Rung, Smallest
from hangup.experiment.summing_up import Summary
from hangup.recording import events as ev


def summed(*events: ev.Event, proof: Proof | None = None, **header: Any) -> Summary:
    made = ev.Header(hangup=ev.FORMAT, started=recorded.STARTED, **{"target": "ws://localhost:8000", **header})
    return reports.explained(events, made, proof).summary


def dropped(conn: int = 1, side: ev.Side = "server", said: str = "ping", **more: Any) -> list[ev.Event]:
    at = 1.0 * conn
    return [
        recorded.handshake(at, conn),
        recorded.text(at + 0.3, "client", 1, '{"type":"hello"}', conn=conn),
        recorded.text(at + 0.5, "client", 2, said, conn=conn),
        recorded.end(at + 0.501, side, conn=conn, **more),
    ]


LOOP = [event for conn in range(1, 5) for event in dropped(conn)]
CLIENT = [event for conn in range(1, 5) for event in dropped(conn, "client", "x", how="rst")]


@pytest.mark.parametrize(
    ("events", "headline", "tone"),
    [
        ([ev.Stop(at=1.0)], "No connection was recorded", "open"),
        ([recorded.handshake(0.1), ev.Stop(at=0.2)], "Nobody hung up, as far as the recording shows", "open"),
        (dropped(), "The server hung up", "dropped"),
        (LOOP, "The server hung up: 4 of 4 connections dropped", "dropped"),
        (CLIENT, "The client hung up: 4 of 4 connections dropped", "dropped"),
        ([recorded.handshake(0.1, status=403)], "The server refused the connection", "dropped"),
    ],
)
def test_who(events: list[ev.Event], headline: str, tone: str) -> None:
    found = summed(*events)
    assert (found.headline, found.tone) == (headline, tone)


def test_what_is_said_of_a_loop() -> None:
    found = summed(*LOOP)
    assert found.verdict == "heartbeat/app-ping-kills" and not found.proved
    assert found.sure.endswith("% sure, from the recording alone.")
    assert (found.backend, found.paths, found.started) == ("ws://localhost:8000", ["/ws"], recorded.STARTED)
    assert found.extent == "4 connections in 4.50 s"
    by_hand, check = found.reproduce
    assert by_hand.text == (
        "connect to `/ws` at `ws://localhost:8000`, send what the client sent, up to its frame 2: `ping`"
    )
    assert check.command == "hangup check run.jsonl ws://localhost:8000"
    assert found.next[0].command == "hangup proxy ws://localhost:8000 --filter 'drop-heartbeat side=client'"


def test_a_proof_says_more_than_the_recording() -> None:
    proof = Proof(
        verdict="message/not-json",
        ladder=[Rung("as it was recorded", (4, 4), "failed")],
        proved=True,
        headline="proved: message/not-json",
        claim="failed 4 of 4 trials with the cause, 0 of 5 without it (p = 0.0079)",
        law=Held("the server drops the connection on any text message that is not JSON", (8, 8)),
        minimal=Smallest([2], "`", "text"),
    )
    found = summed(*LOOP, proof=proof)
    assert found.proved and found.verdict == "message/not-json" and "heartbeat" not in found.sentence
    assert found.sure == "Proved by experiment: failed 4 of 4 trials with the cause, 0 of 5 without it (p = 0.0079)."
    assert found.next == [] and found.reproduce[0].text.endswith("send `'` (text)")


def test_a_bisect_that_proved_nothing_is_told_as_such() -> None:
    found = summed(*LOOP, proof=Proof(verdict="unknown/", ladder=[], headline="no explanation stands out"))
    assert not found.proved and found.verdict == "heartbeat/app-ping-kills"
    assert found.sure.endswith("alone. By experiment: no explanation stands out.")


def test_a_shell_takes_no_name_for_a_command() -> None:
    found = summed(*LOOP, target="ws://x/$(reboot)")
    for each in (found.reproduce[1], found.next[0]):
        assert "$(reboot)" in next(word for word in shlex.split(each.command) if word.startswith("ws://"))
        assert re.search(r"'ws://[^' ]*\$\(reboot\)'", each.command)
