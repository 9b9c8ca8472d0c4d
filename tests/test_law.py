"""Laws: the smallest difference between a message that ends the connection and its like, its boundary, predictions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import simulated
from hangup.experiment.arms import Arms
from hangup.experiment.evidence import Outcome
from hangup.experiment.factors import factors
from hangup.experiment.law import Law
from hangup.experiment.message_law import _of_kind
from hangup.experiment.message_trials import said_by_us
from hangup.experiment.message_values import MISSING, at, differences, join, leaves, named, put, split
from hangup.experiment.search import Verdict, search
from hangup.experiment.trial import Result, Trial
from hangup.experiment.verdict import Minimal
from hangup.recording.events import Request

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(JSON, JSON)
def test_with_all_differences_taken_over_one_value_is_the_other(one: Any, other: Any) -> None:
    made = other
    for path in differences(one, other):
        made = put(made, path, at(one, path))
    assert made == one


@given(JSON)
def test_what_stands_at_each_leaf_can_be_put_there(value: Any) -> None:
    for path in leaves(value):
        assert put(value, path, at(value, path)) == value


def test_a_message_keeps_its_envelope() -> None:
    payload = b'42/room,["chat",{"text":"a"}]'
    head, value = split(payload)
    assert value == ["chat", {"text": "a"}] and join(head, value) == payload
    assert split(b"ping")[1] is MISSING and split(b'"text"')[1] is MISSING


def test_a_path_reads_as_people_write_it() -> None:
    assert named(("items", 0, "qty")) == "`items[0].qty`"


Bad = Callable[[dict[str, Any]], bool]


def say(kind: str, **more: Any) -> str:
    return json.dumps({"type": kind, **more}, separators=(",", ":"))


def found(bad: Bad, *messages: str, harmless: dict[str, tuple[bytes, ...]] | None = None) -> Verdict:
    """What a search finds on a server that ends the connection on a JSON message that is ``bad``. What is no JSON it
    cannot read, and ends on that as well, as servers do."""

    def fails(said: list[tuple[str, bytes]], trial: Trial) -> bool:
        for _, payload in said:
            try:
                value = json.loads(payload)
                if bad(value):
                    return True
            except (ValueError, KeyError, TypeError, AttributeError):
                return True
        return False

    case = simulated.case(*messages, harmless=harmless or {})
    for at_, frame in enumerate(case.frames):
        case.frames[at_] = type(frame)(
            frame.n, frame.opcode, frame.payload, frame.at, frame.beat, (), json.loads(frame.payload)["type"]
        )
    return simulated.run(search(case), case, fails, most=900)


def order(**fields: Any) -> str:
    return say("order", **{"id": 7, "qty": 3, "price": 9.5, "side": "buy", "note": "hello", "items": [1, 2], **fields})


HARMLESS = [order(id=n, qty=n, price=n + 0.25, side=("buy", "sell")[n % 2], note="n" * n) for n in range(1, 9)]
HELLO = say("hello", name="a")


class TestValues:
    @pytest.mark.parametrize(
        ("bad", "last", "words", "boundary"),
        [
            (lambda m: m.get("note", "") is None, order(note=None), "`note` is null", ""),
            (
                lambda m: m.get("qty", 0) >= 1000,
                order(qty=40_000),
                "`qty` is 1,000 or more",
                "survives 999, fails 1,000",
            ),
            (
                lambda m: len(str(m.get("price", 0)).partition(".")[2]) > 8,
                order(price=0.30000000000000004),
                "`price` has 9 decimal places or more",
                "survives 8 decimal places, fails 9",
            ),
            (lambda m: m.get("qty", 0) < 0, order(qty=-70), "`qty` is -1 or less", "survives 0, fails -1"),
            (lambda m: m["type"] == "order" and "qty" not in m, say("order", id=1), "`qty` is missing", ""),
            (lambda m: isinstance(m.get("qty"), str), order(qty="3"), "`qty` is a string, not a number", ""),
            (lambda m: m.get("items") == [], order(items=[]), "`items` is empty", ""),
            (
                lambda m: len(m.get("note", "")) > 64,
                order(note="x" * 500),
                "`note` has 65 characters or more",
                "survives 64 characters, fails 65",
            ),
            (lambda m: "#" in m.get("note", ""), order(note="a #tag"), "`note` contains", ""),
            (
                lambda m: m.get("side", "buy") not in ("buy", "sell"),
                order(side="short"),
                "`side` is not one of the values known to be harmless ('buy', 'sell')",
                "",
            ),
            (lambda m: m.get("side") == "short", order(side="short"), "`side` is 'short'", ""),
        ],
    )
    def test_the_value_that_makes_the_difference(self, bad: Bad, last: str, words: str, boundary: str) -> None:
        verdict = found(bad, HELLO, *HARMLESS, last)
        law = verdict.law
        assert law is not None and words in law.sentence, law
        assert boundary in law.boundary
        assert law.predicted >= 8 and law.right == law.predicted, law.missed
        assert verdict.proved
        assert verdict.minimal is not None and verdict.minimal.payload is not None
        value = json.loads(verdict.minimal.payload)
        assert value["type"] == "order", "the smallest failing message is as well-formed as the client's own"
        assert "hello" not in law.sentence

    def test_two_fields_that_do_it_together(self) -> None:
        def bad(message: dict[str, Any]) -> bool:
            return bool(message.get("qty", 0) > 100 and message.get("side") == "sell")

        verdict = found(bad, HELLO, *HARMLESS, order(qty=500, side="sell"))
        law = verdict.law
        assert law is not None and "`qty` is 101 or more" in law.sentence and "`side` is 'sell'" in law.sentence
        assert law.holds and law.predicted >= 8

    def test_neighbours_of_other_connections_do_as_well(self) -> None:
        kept = {"order": tuple(each.encode() for each in HARMLESS)}
        verdict = found(lambda m: m.get("note", "") is None, HELLO, order(note=None), harmless=kept)
        assert verdict.law is not None and "`note` is null" in verdict.law.sentence and verdict.proved

    def test_all_of_a_kind(self) -> None:
        verdict = found(lambda m: m["type"] == "boom", HELLO, *HARMLESS, say("boom", x=1, why="no"))
        assert verdict.law is not None and "any `boom` message" in verdict.law.sentence
        assert verdict.law.holds and verdict.proved

    def test_a_kind_that_the_server_does_not_know(self) -> None:
        verdict = found(lambda m: m["type"] not in ("hello", "order"), HELLO, *HARMLESS, say("boom", x=1, why="no"))
        assert verdict.law is not None and "of a type that the server does not know" in verdict.law.sentence
        assert verdict.law.holds

    def test_a_law_that_does_not_predict_is_no_proof(self) -> None:
        """What is wrong is the digits' sum: no law that can be said here holds."""

        def odd(message: dict[str, Any]) -> bool:
            return sum(map(int, str(message.get("qty", 0)))) % 7 == 6

        verdict = found(odd, HELLO, *(order(id=n, qty=n) for n in (1, 2, 3, 4, 5)), order(qty=9_996))
        assert verdict.law is None or not (verdict.proved and not verdict.law.holds)
        if verdict.law is not None and not verdict.law.holds:
            assert verdict.law.missed and not verdict.proved


def chat(**fields: Any) -> str:
    return say("chat", **{"text": "hello", "meta": {"v": 1, "lang": "de"}, **fields})


def strict(message: dict[str, Any], **schema: set[str]) -> bool:
    """Whether a server that forbids what it does not know refuses a `chat`."""
    if message["type"] != "chat":
        return False
    known = {"type", "text", "meta", "n"} | schema.get("top", set())
    meta = message.get("meta", {})
    if not set(message) <= known or "text" not in message:
        return True
    if not isinstance(meta, dict) or not set(meta) <= {"v", "lang", "client"} or "v" not in meta and bool(meta):
        return True
    return not set(meta.get("client", {})) <= {"os", "app"}


class TestKeys:
    """A superfluous key, deep within a message, that a strict schema forbids."""

    PLAIN = (chat(text="a"), chat(text="bc"), say("chat", text="without"), say("chat", text="none", n=1))

    @pytest.mark.parametrize(
        ("last", "words"),
        [
            (chat(meta={"v": 1, "lang": "de", "debug": True}), "`meta.debug` is present"),
            (chat(meta={"v": 1, "debug": {"a": 1, "b": 2}}), "`meta.debug` is present"),
            (chat(debug=1), "`debug` is present"),
            (chat(meta={"v": 1, "client": {"os": "x", "build": 7}}), "`meta.client.build` is present"),
        ],
    )
    @pytest.mark.parametrize("neighbours", [PLAIN, PLAIN[2:], PLAIN[2:3], ()])
    def test_the_law_names_it(self, last: str, words: str, neighbours: tuple[str, ...]) -> None:
        verdict = found(strict, HELLO, say("poke", n=1), *neighbours, last)
        law = verdict.law
        assert law is not None and words in law.sentence, law
        assert law.holds and law.predicted >= 8, law.missed

    def test_a_key_of_which_only_one_value_does_harm(self) -> None:
        def bad(message: dict[str, Any]) -> bool:
            return bool(message.get("meta", {}).get("debug") == "full")

        last = chat(meta={"v": 1, "debug": "full"})
        law = found(bad, HELLO, say("chat", text="x"), last).law
        assert law is not None and "`meta.debug` is 'full'" in law.sentence and law.holds

    def test_an_object_that_must_not_be_there_at_all(self) -> None:
        law = found(lambda m: "meta" in m, HELLO, say("chat", text="x"), chat()).law
        assert law is not None and "`meta` is present" in law.sentence and law.holds

    def test_two_keys_of_which_either_does_harm_are_not_told_of_as_one(self) -> None:
        last = chat(meta={"v": 1, "debug": 1, "trace": 2})
        law = found(strict, HELLO, chat(text="a"), last).law
        assert law is None or "`meta.debug`" in law.sentence or "`meta.trace`" in law.sentence


# With a part of the handshake, and without any part of anything.


def test_a_message_together_with_a_parameter_of_the_query() -> None:
    """The server reads the parameter when the first such message comes; the same message did no harm elsewhere."""
    like = {"filter": (say("filter", min=1).encode(), say("filter", min=2).encode())}
    case = simulated.case(say("hello"), say("filter", min=3), harmless=like)
    case.frames = [replace(f, kind=kind) for f, kind in zip(case.frames, ("hello", "filter"), strict=True)]
    case.factors = factors(Request(target="/ws?team=a&since=10:00+02:00", headers=[("User-Agent", "x")]))
    tried: list[Trial] = []

    def fails(said: list[tuple[str, bytes]], trial: Trial) -> bool:
        tried.append(trial)
        asked = any(b"filter" in payload for _, payload in said)
        return asked and not any(f in ("query since", "query since 10:00+02:00") for f in trial.filters)

    verdict = simulated.run(search(case), case, fails, most=900)
    law = verdict.law
    assert law is not None and (law.right, law.predicted) == (8, 8)
    assert law.sentence == (
        "the server drops the connection on any `filter` message, unless the handshake is changed: "
        "parameter since with its + escaped"
    )
    assert (verdict.verdict, verdict.proved, verdict.cure) == (
        "handshake/parameter", True, "query since 10:00+02:00",
    )
    assert any(trial.arm == "values" and trial.filters for trial in tried)


def test_a_message_is_not_put_down_to_the_handshake() -> None:
    case = simulated.case(say("hello"), say("filter", min=3), harmless={"filter": (say("filter", min=1).encode(),)})
    case.frames = [replace(f, kind=kind) for f, kind in zip(case.frames, ("hello", "filter"), strict=True)]
    case.factors = factors(Request(target="/ws?team=a&since=10:00+02:00", headers=[("User-Agent", "x")]))
    verdict = simulated.run(search(case), case, lambda said, trial: any(b"filter" in p for _, p in said), most=900)
    assert verdict.law is not None and verdict.law.sentence == (
        "the server drops the connection on any `filter` message, though such messages did no harm in the recording"
    )
    assert verdict.verdict == "unknown/"
    assert not verdict.verdict.startswith("handshake/")


def test_a_rule_that_did_not_hold_is_said_to_be_none() -> None:
    law = Law("it drops on any message", right=4, predicted=8)
    assert law.told == "this rule did not hold: it drops on any message" and not law.summary()["holds"]
    law = Law("it drops on any message", right=2, predicted=2)
    assert law.told == "this rule was tested on too few new exchanges: it drops on any message"
    assert Law("it drops on any message", right=8, predicted=8).told == "it drops on any message"


def resumed(said: list[tuple[str, bytes]], trial: Trial) -> bool:
    return any(v.get("type") == "resume" and v.get("session") for v in (json.loads(payload) for _, payload in said))


def test_a_message_that_ends_it_so_much_later_that_nobody_would_suspect_it() -> None:
    """The server looks for the session for half a second; other messages went on meanwhile."""
    read = {"server-handler/crash-on-own-event": 0.57, "server-handler/returns-immediately": 0.1}
    case = simulated.case(say("resume", session="2521348b94c1"), say("set", v=1), lifetime=0.66, priors=read)
    case.frames = [replace(f, kind=kind) for f, kind in zip(case.frames, ("resume", "set"), strict=True)]
    case.reaction = 0.52
    assert case.suspect is None
    verdict = simulated.run(search(case), case, resumed, most=900)
    assert verdict.proved and verdict.law is not None and verdict.law.holds, (verdict.law, verdict.standing)
    assert verdict.law.sentence == (
        "the server drops the connection on a `resume` message in which `session` is present"
    )
    assert verdict.minimal is not None and verdict.minimal.frames == (1,)
    assert not verdict.verdict.endswith(("own-event", "immediately"))


def test_time_is_not_put_down_to_what_was_said_before() -> None:
    """The same exchange, and a server that ends every connection at that age: silence does not keep it open."""
    case = simulated.case(say("resume", session="2521348b94c1"), say("set", v=1), lifetime=0.66)
    case.reaction = 0.52
    verdict = simulated.run(search(case), case, lambda said, trial: True, most=900)
    assert verdict.law is None or "message" not in verdict.law.sentence
    assert verdict.trigger not in ("frame", "count")


@pytest.mark.parametrize("spared", [True, False])
def test_a_kind_of_which_others_are_survived_is_not_all_of_it(spared: bool) -> None:
    """A stroke needs a board that was opened a while before; alone, any stroke fails, for want of one. Where the
    client's earlier strokes are survived, it is not that any stroke ends it."""
    said = [say("open"), say("move", x=1), say("stroke", n=1), say("open"), say("stroke", n=2)]
    case = simulated.case(*said)
    kinds = [json.loads(each)["type"] for each in said]
    case.frames = [replace(frame, kind=kind) for frame, kind in zip(case.frames, kinds, strict=True)]
    arms, last = Arms(case, False, Verdict()), case.frames[-1]
    place = said_by_us(arms, Minimal((last.n,), None), last)
    assert place.kin == [said[2].encode()]

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        survived = spared and len(messages) == 4 and messages[0][1] == said[0].encode()
        return not survived and any(b"stroke" in payload for _, payload in messages)

    claim = simulated.run(_of_kind(place, []), case, fails)  # type: ignore[arg-type]
    assert (claim is None) is spared and arms.untold is spared


@pytest.mark.parametrize("known", [("f1",), ("f1", "f2", "other")])
def test_a_kind_of_which_some_end_in_another_way(known: tuple[str, ...]) -> None:
    """Any share ends it; but the handler fails before that on a file that it cannot look for, or does not know."""
    case = simulated.case(say("list"), say("stat", file="f2"), say("share", id=8, file="f1"))
    case.frames = [replace(frame, kind=json.loads(frame.payload)["type"]) for frame in case.frames]

    def play(trial: Trial) -> Result:
        for _, payload in simulated.reaching(case, trial):
            try:
                message = json.loads(payload)
                if message["type"] == "share":
                    file = message["file"]
                    knows = file in known or ("other" in known and isinstance(file, str))
                    another = "" if knows else "the server ended it with close code 1011"
                    return Result(Outcome.UNRESOLVED if another else Outcome.FAILED, another=another)
            except (ValueError, KeyError, TypeError):
                return Result(Outcome.UNRESOLVED, another="the server ended it with close code 1011")
        return Result(Outcome.SURVIVED)

    verdict = simulated.carried_out(search(case), play, 900)
    law = verdict.law
    assert law is not None and law.holds and law.predicted == 8, law
    assert "on any `share` message" in law.sentence
    assert ("with another `file` it ends in another way" in law.sentence) is (len(known) == 1)
    assert law.irrelevant == (["`id`"] if len(known) == 1 else ["`id`", "`file`"])
