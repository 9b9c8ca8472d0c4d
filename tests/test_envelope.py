"""What a client says in every message: it is part of the protocol, and is not varied to see what a law goes by."""

from __future__ import annotations

import json
from typing import Any

from conversing import Talk
from hangup.experiment.envelope import constants, with_constants
from hangup.experiment.reading import read_case
from hangup.experiment.search import search
from simulated import case, run
from test_message_laws import kinds_said
from test_transcript import InMemory
from test_varying import UPGRADED

CALLS = [
    {"v": "2.0", "type": "list", "id": 1, "page": 0},
    {"v": "2.0", "type": "report", "id": 2, "of": "week"},
    {"v": "2.0", "type": "report", "id": 3, "of": "month"},
    {"v": "2.0", "type": "report", "id": 3, "of": "month"},
]


def said(*calls: dict[str, Any]) -> Any:
    return kinds_said(case(*map(json.dumps, calls)))


def test_what_all_say_whatever_their_kind() -> None:
    assert constants(said(*CALLS).frames) == {("v",)}
    assert constants([*said(*CALLS).frames, *case("PING").frames]) == {("v",)}  # that is no JSON
    assert constants([*said(*CALLS).frames, *said({"type": "list", "id": 8, "v": 2.0}).frames]) == set()


def test_of_one_kind_or_of_few_messages_nothing_is_known() -> None:
    assert constants(said(*CALLS[1:]).frames) == set()
    assert constants(said(*CALLS[:2]).frames) == set()


def test_a_recorded_client_says_it_on_all_its_connections() -> None:
    talk = Talk()
    for conn, calls in ((1, CALLS[:2]), (2, CALLS)):
        talk.open(conn, headers=UPGRADED)
        for call in calls:
            talk.wait(50_000)
            talk.say(conn, "client", "text", json.dumps(call).encode())
        talk.wait(1_000)
        talk.close(conn, "client" if conn == 1 else "server", 1000 if conn == 1 else 1002)
        talk.wait(300_000)
    found = read_case(InMemory(talk.stop())).case
    assert {frame.constant for frame in found.frames} == {frozenset({("v",)})}


def test_another_failure_that_looks_the_same_does_not_get_in_the_way() -> None:
    """An id that is still being worked on is refused; so is, with the same code, what is not of this version."""
    this = said(*CALLS)
    with_constants(this)

    def fails(messages: list[tuple[str, bytes]], trial: object) -> bool:
        calls = [json.loads(payload) for _, payload in messages if payload.startswith(b"{")]
        ids = [call["id"] for call in calls if call["type"] == "report"]
        return len(calls) < len(messages) or any(c["v"] != "2.0" for c in calls) or len(set(ids)) < len(ids)

    verdict = run(search(this), this, fails, most=900)
    law = verdict.law
    assert law is not None and law.holds and "whose `id` was used before on the same connection" in law.sentence, law
    assert verdict.proved and "framing" not in verdict.verdict
