"""A client none of whose messages did no harm: any message ends it, any of a sort, or what this one says."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from hangup.experiment.search import Verdict, search
from hangup.experiment.trial import ClientFrame, Trial
from simulated import case, run
from test_message_laws import said

Mind = Callable[[str, bytes], bool]
"""Whether the server ends the connection on this message: its opcode and payload."""


def is_json(payload: bytes) -> bool:
    try:
        json.loads(payload)
    except ValueError:
        return False
    return True


def verdict_of(payload: str | bytes, minds: Mind, *before: str | bytes) -> Verdict:
    this = said(*before, payload)

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        return any(minds(*message) for message in messages)

    return run(search(this), this, fails, most=400)


@pytest.mark.parametrize("payload", ['{"type":"chat","n":1}', "hey you", b"\x20\x01\x02\x03"])
@pytest.mark.parametrize(
    ("minds", "words"),
    [
        (lambda opcode, payload: True, "any message"),
        (lambda opcode, payload: opcode == "text", "any text message"),
        (lambda opcode, payload: opcode == "binary", "any binary message"),
        (lambda opcode, payload: opcode == "binary" or not is_json(payload), "any message that is not JSON"),
    ],
)
def test_the_sort_of_messages_that_ends_it(payload: str | bytes, minds: Mind, words: str) -> None:
    opcode, data = ("text", payload.encode()) if isinstance(payload, str) else ("binary", payload)
    if not minds(opcode, data):
        pytest.skip("this message does no harm there")
    verdict = verdict_of(payload, minds)
    assert verdict.law is not None, verdict.standing
    assert verdict.law.sentence == f"the server drops the connection on {words} from the client"
    assert verdict.law.holds and verdict.law.predicted == 8


def test_where_text_ends_it_as_well_it_is_not_that_it_is_binary() -> None:
    verdict = verdict_of(b"\x20\x01\x02\x03", lambda opcode, payload: True)
    assert verdict.proved and verdict.verdict not in ("message/wrong-opcode", "message/not-json", "message/schema")


def test_what_one_message_says_is_no_law_about_any() -> None:
    verdict = verdict_of('{"type":"chat","n":1}', lambda opcode, payload: b"chat" in payload)
    assert verdict.law is None or "any message" not in verdict.law.sentence, verdict.law


def test_where_something_did_no_harm_it_is_not_any_message() -> None:
    def minds(opcode: str, payload: bytes) -> bool:
        return json.loads(payload)["type"] != "hello" if is_json(payload) else True

    verdict = verdict_of('{"type":"chat","n":1}', minds, '{"type":"hello"}')
    assert verdict.law is None or "any message" not in verdict.law.sentence, verdict.law


class TestJsonExpected:
    """Whether the server reads nothing but JSON is told by what other text it got over, or sends."""

    @staticmethod
    def named(*payloads: str, asked: str = "") -> str:
        this = said(*payloads)
        if asked:
            this.asked = (ClientFrame(1, "text", asked.encode(), 0.01),)
        last = payloads[-1].encode()

        def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
            return any(payload == last for _, payload in messages)

        verdict = run(search(this), this, fails, most=400)
        return verdict.verdict if verdict.probability > 0.5 else ""

    def test_other_text_before_it_did_no_harm(self) -> None:
        assert self.named("EXEC one", "EXEC two", "EXEC three") != "message/not-json"

    def test_the_server_itself_sends_other_text(self) -> None:
        assert self.named("EXEC one", asked="STREAM 7 a") != "message/not-json"


def test_a_recording_without_messages_has_none() -> None:
    this = case()
    verdict = run(search(this), this, lambda messages, trial: True, most=200)
    assert verdict.law is None or "any message" not in verdict.law.sentence
