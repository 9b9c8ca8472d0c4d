"""What a law that holds says of the name: which property of a message it goes by, and what that leaves open."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from hangup.diagnosis import causes
from hangup.experiment.ladder import CRASH, WHATEVER_IT_SAYS, Standing
from hangup.experiment.message_law import A_FIELD, ITS_CONTENT, ITS_TYPE
from hangup.experiment.priors import explanations
from hangup.experiment.search import Verdict, search
from hangup.experiment.trial import Case
from hangup.messages.heartbeats import recognise
from hangup.wire.frames import TEXT
from simulated import run
from test_message_laws import HELLO, said

OTHERS = (HELLO, '{"type":"say","text":"a"}', '{"type":"say","text":"b"}')
SCHEMA, UNKNOWN_TYPE = "message/schema", "message/unknown-type"


def bisected(last: str, ends: Callable[[Any], bool], **more: Any) -> Verdict:
    """A server that drops the connection on messages of which ``ends`` is true."""
    this = said(*OTHERS, last, **more)
    return run(search(this), this, lambda m, t: any(ends(json.loads(p)) for _, p in m), most=900)


@pytest.mark.parametrize(
    ("last", "ends", "words", "verdict"),
    [
        ('{"type":"order","id":7}', lambda v: v["type"] == "order" and "qty" not in v, "is missing", SCHEMA),
        ('{"type":"order","qty":-1}', lambda v: v["type"] == "order" and v.get("qty", 1) < 0, "qty", SCHEMA),
        ('{"type":"odd","n":1}', lambda v: v["type"] not in ("hello", "say"), "does not know", UNKNOWN_TYPE),
        ('{"type":"order","n":1}', lambda v: v["type"] == "order", "any `order` message", CRASH),
    ],
)
def test_the_name_is_of_the_property_that_the_law_goes_by(
    last: str, ends: Callable[[Any], bool], words: str, verdict: str
) -> None:
    harmless = {"order": (b'{"type":"order","id":8,"qty":2}', b'{"type":"order","id":9,"qty":3}')}
    found = bisected(last, ends, harmless=harmless if verdict == SCHEMA else {}, priors={CRASH: 0.6, verdict: 0.3})
    assert found.law is not None and found.law.holds and words in found.law.sentence, found.law
    assert found.verdict == verdict and found.probability > 0.8, found.standing
    assert not {SCHEMA, UNKNOWN_TYPE} - {verdict} & {name for name, _ in found.standing}


def test_what_did_no_harm_in_the_recording_and_does_now_is_no_property_of_the_message() -> None:
    harmless = {"move": (b'{"type":"move","x":3}', b'{"type":"move","x":9}')}
    found = bisected('{"type":"move","x":4}', lambda v: v["type"] == "move", harmless=harmless)
    assert found.law is not None and found.law.holds and found.proved
    assert "any `move` message" in found.law.sentence and "did no harm in the recording" in found.law.sentence
    assert found.verdict == "unknown/"


def test_a_value_of_a_secret_may_be_one_that_is_not_valid() -> None:
    expired = "identity/token-expired-retry"
    harmless = {"auth": (b'{"type":"auth","token":"new-1"}', b'{"type":"auth","token":"new-2"}')}
    found = bisected(
        '{"type":"auth","token":"old"}',
        lambda v: v["type"] == "auth" and v["token"] == "old",
        harmless=harmless,
        priors={expired: 0.6, SCHEMA: 0.2},
        says_secret=True,
    )
    assert found.law is not None and found.law.holds and "token" in found.law.sentence, found.law
    assert found.verdict == expired, found.standing


class TestStanding:
    def standing(self, **more: Any) -> Standing:
        this: Case = said(*OTHERS, '{"type":"order","n":1}', **more)
        return Standing(this, explanations("server"))

    def test_a_handler_that_fails_has_the_name_of_what_it_fails_on(self) -> None:
        for property, name in ((A_FIELD, SCHEMA), (ITS_TYPE, UNKNOWN_TYPE)):
            standing = self.standing()
            both = standing.weights[CRASH] + standing.weights[name]
            standing.go_by(property)
            assert standing.weights[name] > both and standing.weights[name] > 10 * standing.weights[CRASH]
            assert sum(standing.weights.values()) == pytest.approx(1)

    def test_other_properties_are_doubted_and_causes_without_one_are_not(self) -> None:
        before, after = self.standing(), self.standing()
        after.go_by(ITS_CONTENT)
        kept = [name for name in after.weights if not (cause := causes.known().get(name)) or not cause.property]
        shares = {round(after.weights[name] / before.weights[name], 6) for name in kept if before.weights[name]}
        assert len(shares) == 1, "what says nothing of a property keeps its place"
        assert after.weights[SCHEMA] < 0.01 * before.weights[SCHEMA]
        for name in {*WHATEVER_IT_SAYS} & after.weights.keys():
            assert after.weights[name] >= before.weights[name]

    def test_a_heartbeat_may_still_be_one_whatever_it_says(self) -> None:
        kills = "heartbeat/app-ping-kills"
        plain = self.standing()
        plain.go_by(ITS_CONTENT)
        beating = said(*OTHERS, '{"type":"ping"}')
        beating.frames[-1] = replace(beating.frames[-1], beat=recognise(TEXT, beating.frames[-1].payload))
        standing = Standing(beating, explanations("server"))
        before = standing.weights[kills]
        standing.go_by(ITS_CONTENT)
        assert standing.weights[kills] >= before and plain.weights[kills] < 0.01


def test_one_message_that_is_enough_is_not_any_where_others_do_no_harm() -> None:
    """A client that says only one thing: it looks as if the server served one message, and it is what that says."""
    this = said('{"type":"auth","token":"old"}', priors={"server-handler/returns-after-message": 0.6})
    found = run(search(this), this, lambda m, t: any(json.loads(p).get("type") == "auth" for _, p in m), most=900)
    assert found.law is not None and found.law.holds, (found.law, found.standing)
    assert "`auth` message" in found.law.sentence or "`type` is" in found.law.sentence
    assert found.verdict != "server-handler/returns-after-message"
