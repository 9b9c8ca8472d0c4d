"""Laws of messages beyond their values: framing, bytes that are no text, nesting, size apart from what is said, what
must lead up to a message, and messages that a live page or its server says."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from hangup.experiment.arms import Arms
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Outcome
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_values import MISSING, says_kind, split
from hangup.experiment.predict import test as predict
from hangup.experiment.search import Verdict, search
from hangup.experiment.size_law import bare, least_size, of_size
from hangup.experiment.trial import Case, ClientFrame, Result, Trial
from hangup.filters.library.rewrite import Rewrite
from hangup.messages.answers import answer_to_call, fill
from hangup.trials.lateness import Lateness
from simulated import Fails, case, frame, parsed, run

HELLO = '{"type":"hello","name":"a"}'


def said(*payloads: str | bytes, **more: Any) -> Case:
    """A client whose messages have the kinds that their ``type`` says."""
    return kinds_said(case(*payloads, **more))


def kinds_said(made: Case) -> Case:
    """The same, of which each message has the kind that its ``type`` says."""
    made.frames = [replace(f, kind=_kind(f.payload)) for f in made.frames]
    return made


def _kind(payload: bytes) -> str:
    try:
        return str(json.loads(payload.decode("utf-8-sig"))["type"])
    except (ValueError, KeyError, TypeError):
        return ""


def law_of(verdict: Verdict) -> Law:
    assert verdict.law is not None, verdict.standing
    return verdict.law


# Framing.


def last_of(messages: list[tuple[str, bytes]]) -> bytes:
    return messages[-1][1] if messages else b""


def framed(most: int = 1, **odd: Any) -> tuple[Case, Fails]:
    """A client whose last message is framed oddly, and a server that minds unless a filter sets it right; more than
    ``most`` frames are too many."""
    this = said(HELLO, '{"type":"say","text":"a"}', '{"type":"say","text":"b"}', code=1002, how="close")
    this.frames[-1] = replace(this.frames[-1], **odd)
    fix = "defragment" if odd.get("fragments") else "repair-malformed"
    last = this.frames[-1].n

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        there = trial.frames is None or last in trial.frames
        dropped = any(f.startswith(("drop", "mute")) for f in trial.filters)
        split = [int(f.split()[1]) for f in trial.filters if f.startswith("fragment ")]
        if split:
            return there and -(-len(last_of(messages)) // split[0]) > most
        return there and not dropped and not any(f.startswith(fix) for f in trial.filters)

    return this, fails


@pytest.mark.parametrize(
    ("odd", "words", "fix"),
    [
        ({"problems": ("unmasked",)}, "it is not masked", "repair-malformed side=client"),
        ({"problems": ("rsv",)}, "a reserved bit is set", "repair-malformed side=client"),
        ({"fragments": 3}, "comes in more than one frame", "defragment side=client"),
        ({"fragments": 5, "most": 3}, "comes in 4 frames or more", "defragment side=client"),
    ],
)
def test_a_message_that_is_framed_oddly(odd: dict[str, Any], words: str, fix: str) -> None:
    this, fails = framed(**odd)
    verdict = run(search(this), this, fails, most=900)
    assert words in law_of(verdict).sentence and verdict.cure == fix and verdict.proved
    assert verdict.verdict == "message/framing"


def test_a_message_that_is_framed_oddly_and_does_no_harm_by_that() -> None:
    this, _ = framed(problems=("unmasked",))
    verdict = run(search(this), this, lambda m, t: any(b'"text":"b"' in p for _, p in m), most=900)
    assert verdict.law is None or "masked" not in verdict.law.sentence


# Bytes and texts.


def no_utf8(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
    if any(f.startswith("repair-malformed") for f in trial.filters):
        return False
    try:
        return not [payload.decode() for _, payload in messages] and False
    except UnicodeDecodeError:
        return True


def test_a_text_that_is_not_utf8() -> None:
    this = said(HELLO, '{"type":"say","text":"Ren"}', code=1007, how="close")
    bad = frame(9, b'{"type":"say","text":"Ren\xc3"}', 0.95, "text")
    this.frames.append(replace(bad, problems=("invalid-utf8",), kind="text:*"))
    verdict = run(search(this), this, no_utf8, most=900)
    assert law_of(verdict).sentence == "the server drops the connection on a text message that is not valid UTF-8"
    assert verdict.proved


def test_an_empty_text() -> None:
    this = said(HELLO, "a", "bc", "")
    verdict = run(search(this), this, lambda m, t: any(not p for _, p in m), most=900)
    law = law_of(verdict)
    assert law.sentence.startswith("the server drops the connection on an empty text message")
    assert law.boundary and verdict.proved


def test_a_word_in_a_text() -> None:
    this = said(HELLO, "good morning all", "you damned thing")
    verdict = run(search(this), this, lambda m, t: any(b"damned" in p.split() for _, p in m), most=900)
    assert "contains 'damned'" in law_of(verdict).sentence and verdict.proved


def test_a_number_that_json_does_not_know() -> None:
    goods = [f'{{"type":"stats","vwap":{n}.5}}' for n in (1, 2, 3)]
    this = said(HELLO, *goods, '{"type":"stats","vwap":NaN}')
    verdict = run(search(this), this, lambda m, t: any(b"NaN" in p for _, p in m), most=900)
    assert "`vwap` is NaN, which is not JSON" in law_of(verdict).sentence and verdict.proved


def test_a_time_of_another_form() -> None:
    """What is not known does harm; but it is the form that is not known, and not the value."""
    goods = [f'{{"type":"reading","at":"2026-11-29T12:00:0{n}.{n}00000+00:00"}}' for n in range(1, 6)]
    this = said(HELLO, *goods, '{"type":"reading","at":"2026-11-29T12:00:06+00:00"}')
    form = re.compile(rb"\.\d{6}\+00:00")

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        return any(b'"reading"' in payload and not form.search(payload) for _, payload in messages)

    verdict = run(search(this), this, fails, most=900)
    assert "has a different form from '2026-" in law_of(verdict).sentence and verdict.proved


# Nesting, and size apart from what is said.


def nested(levels: int) -> str:
    value: Any = {"leaf": 1}
    for _ in range(levels):
        value = {"or": [{"leaf": 0}, value]}
    return json.dumps({"type": "query", "filter": value}, separators=(",", ":"))


def depth(value: Any) -> int:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max(map(depth, inner), default=0)
    return 0


def test_a_message_that_is_nested_too_deep() -> None:
    """A leaf is read by its own fields, so that one that lacks them fails as well: that is not what ended it."""

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        for _, payload in messages:
            value = json.loads(payload)
            if value["type"] == "query" and (depth(value) > 60 or not {"or", "leaf"} & set(value["filter"])):
                return True
        return False

    this = said(HELLO, nested(0), nested(2), nested(5), nested(40))
    verdict = run(search(this), this, fails, most=900)
    law = law_of(verdict)
    assert "nested" in law.sentence and verdict.proved
    low, high = (int(word) for word in law.boundary.replace(",", "").split() if word.isdigit())
    assert low <= 60 < high <= 62, law.boundary


def test_a_law_that_a_harmless_message_contradicts_is_none() -> None:
    """`field` is missing in harmless messages too: a message without it and without anything in its place fails for a
    reason of its own."""

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        for _, payload in messages:
            value = json.loads(payload)
            query = value.get("filter", {})
            if value["type"] == "query" and ("field" not in query and "any" not in query or "boom" in str(query)):
                return True
        return False

    leaf = '{"type":"query","filter":{"field":"a","is":1}}'
    tree = '{"type":"query","filter":{"any":["x","y"]}}'
    this = said(HELLO, leaf, tree, leaf, '{"type":"query","filter":{"any":["x","boom"]}}')
    verdict = run(search(this), this, fails, most=900)
    assert verdict.law is None or "missing" not in verdict.law.sentence
    assert not (verdict.proved and verdict.law is not None and "missing" in verdict.law.sentence)


def bulk(lines: int) -> str:
    return json.dumps({"type": "bulk", "lines": [{"sku": f"S{n:04}", "qty": n % 7} for n in range(lines)]})


@pytest.mark.parametrize("large", [False, True])
def test_how_large_a_message_is_apart_from_how_many_lines_it_has(large: bool) -> None:
    """A long list is a large message; only one of the two ends it."""
    edge = len(bulk(100))

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        sizes = [len(p) for _, p in messages]
        counts = [len(json.loads(p).get("lines", ())) for _, p in messages]
        return max(sizes, default=0) > edge if large else max(counts, default=0) > 100

    this = said(HELLO, bulk(3), bulk(40), bulk(260), code=1009, how="close")
    verdict = run(search(this), this, fails, most=900)
    law = law_of(verdict)
    assert verdict.proved, law.missed
    if large:
        assert law.boundary == f"survives {edge:,} B, fails {edge + 1:,} B" and verdict.verdict == "message/oversize"
    else:
        assert "`lines` has 101 elements or more" in law.sentence
        assert verdict.probability < 0.8, "the server says that it is too large, and as large a message stays open"


def test_a_limit_of_size_leaves_the_places_of_an_event_as_they_are() -> None:
    """``["save", "board-1", {…}]`` is no list of three things: a server that gets less of it falls over. What did no
    harm is made larger instead."""

    def event(points: int) -> str:
        return "42" + json.dumps(["save", "board-1", {"type": "save", "points": [[n, n] for n in range(points)]}])

    edge, seen = len(event(900)) + 7, []

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        for _, payload in messages:
            if payload.startswith(b"42"):
                name, board, what = json.loads(payload[2:])
                seen.append((name, board, len(what["points"])))
        return any(len(payload) > edge for _, payload in messages)

    this = said("40", event(300), event(900), event(1000), code=1009, how="close")
    this.frames = [replace(f, kind="save" if f.payload != b"40" else "40") for f in this.frames]
    verdict = run(search(this), this, fails, most=900)
    law = law_of(verdict)
    assert law.boundary == f"survives {edge:,} B, fails {edge + 1:,} B" and verdict.proved, law
    assert {(name, board) for name, board, _ in seen} == {("save", "board-1")}


@given(st.text(max_size=40), st.lists(st.integers(), max_size=30), st.integers(0, 400))
def test_a_message_of_any_size_says_the_same(text: str, items: list[int], size: int) -> None:
    base = bare(json.dumps({"type": "x", "text": text, "items": items}).encode())
    made = of_size(base, size)
    assert json.loads(made) == json.loads(base) and len(made) == max(size, len(base))
    assert least_size(base) == len(base) and set(json.loads(base)) == {"type", "text", "items"}


@given(st.binary(max_size=30), st.integers(0, 100))
def test_what_is_no_json_is_cut_or_repeated(payload: bytes, size: int) -> None:
    assume(split(payload)[1] is MISSING)  # `0[]` is JSON in an envelope
    assert len(of_size(bare(payload), size)) == size


# What leads up to a message.


def test_what_must_lead_up_to_a_message_is_kept() -> None:
    """Whoever has not said hello is sent away, whatever it says: by that the smallest exchange must not fail."""

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        known = False
        for _, payload in messages:
            value = json.loads(payload)
            if value["type"] == "hello":
                known = True
            elif not known or value["type"] == "disconnect":
                return True
        return False

    this = said(HELLO, *['{"type":"say","n":1}', '{"type":"say","n":2}', '{"type":"disconnect","n":3}'])
    verdict = run(search(this), this, fails, most=900)
    law = law_of(verdict)
    assert law.sentence == "the server drops the connection on any `disconnect` message, after `hello`"
    assert verdict.proved
    assert verdict.minimal is not None and verdict.minimal.frames == (1, 7)


@pytest.mark.parametrize(
    ("kind", "path", "value", "says"),
    [
        ("order", ("type",), "order", True),
        ("kind=67", ("kind",), 67, True),
        ("kind=67", ("code",), 67, False),
        ("data.op=5", ("data", "op"), 5, True),
        ("socket.io:chat", (0,), "chat", True),
        ("order", ("type",), "orders", False),
    ],
)
def test_by_which_value_a_message_is_of_its_kind(
    kind: str, path: tuple[str | int, ...], value: Any, says: bool
) -> None:
    assert says_kind(kind, path, value) is says


# A live page.


def live(answer: str, *others: str, **more: Any) -> Case:
    this = case(HELLO, by="client", how="close", lifetime=1.0, reaction=0.8, **more)
    before = [
        ClientFrame(2 * n + 2, "text", text.encode(), 0.2 * n, kind=_kind(text.encode()))
        for n, text in enumerate(others)
    ]
    last = ClientFrame(9, "text", answer.encode(), 0.99, kind=_kind(answer.encode()))
    this.answer, this.asked = last, (*before, last)
    this.answer_kinds, this.answer_reaction, this.server_frames = 1 + len(others), 0.01, 1 + len(others)
    return this


def heard(trial: Trial, answer: str) -> bytes | None:
    """What the page hears in the place of the server's last message; None where it is held back."""
    for form in trial.filters:
        found = parsed(form)
        if form.startswith("drop side=server"):
            return None
        if isinstance(found, Rewrite) and found.side == "server":
            return found.to
    return answer.encode()


def test_the_size_at_which_a_client_hangs_up() -> None:
    answer = json.dumps({"type": "depth", "rows": [[n, n] for n in range(900)]})
    this = live(answer, '{"type":"ack"}', code=1009)
    verdict = run(search(this, live=True), this, lambda m, t: len(heard(t, answer) or b"") > 4096, most=200)
    assert law_of(verdict).boundary == "survives 4,096 B, fails 4,097 B"
    assert verdict.verdict == "message/oversize" and verdict.proved
    words = "the client closes the connection when a message from the server has 4,097 bytes or more"
    assert law_of(verdict).sentence == words


def test_the_value_at_which_a_client_hangs_up() -> None:
    answer = '{"type":"level","temp":90}'

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        text = heard(trial, answer)
        return text is not None and json.loads(text).get("temp", 0) > 71

    this = live(answer, '{"type":"level","temp":20}', '{"type":"level","temp":30}')
    verdict = run(search(this, live=True), this, fails, most=200)
    assert law_of(verdict).boundary == "`temp`: survives 71, fails 72" and verdict.proved
    assert "the client closes the connection on a `level` message from the server" in law_of(verdict).sentence


def test_to_hold_everything_back_is_no_proof_of_a_name_that_is_not_sure() -> None:
    answer = '{"type":"book","crc":7}'
    this = live(answer, '{"type":"book","crc":8}', code=4001)

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        return "drop side=server" not in trial.filters  # it hangs up on whatever it hears

    verdict = run(search(this, live=True), this, fails, most=200)
    assert not verdict.proved or verdict.probability >= 0.8


# Predictions that were not what they should have been.


def test_a_prediction_is_made_again_where_the_machine_was_late() -> None:
    made = said(HELLO)
    claim = Claim(Law("", [Condition("")]), lambda rng: Trial("bad"), lambda rng: Trial("good", ("drop side=client",)))
    claim.margin = 0.1
    late = iter([0.2])
    asked = predict(Arms(made, False, Verdict()), claim)
    trial = next(asked)
    count = 0
    while True:
        count += 1
        outcome = Outcome.FAILED if trial.arm == "bad" else Outcome.SURVIVED
        delay = 0.0
        if trial.arm == "good" and (delay := next(late, 0.0)):
            outcome = Outcome.FAILED
        try:
            trial = asked.send(Result(outcome, 1.0, acted=1, late=delay))
        except StopIteration:
            break
    assert claim.law.holds and count >= 9


@pytest.mark.parametrize("mixed_up", [True, False])
def test_a_law_that_misses_side_by_side_is_held_again_one_at_a_time(mixed_up: bool) -> None:
    """A server that knows clients by an id which all trials share, and ends all when one says too much. Where the
    law is wrong it misses alone as well."""
    made = said(HELLO)
    claim = Claim(Law("", [Condition("")]), lambda rng: Trial("bad"), lambda rng: Trial("good", ("drop side=client",)))
    arms = Arms(made, False, Verdict())
    asked = predict(arms, claim)
    trial, tried = next(asked), []
    with suppress(StopIteration):
        while True:
            tried.append(trial)
            together = bool(trial.beside)
            fails = trial.arm == "bad" or together or not mixed_up
            trial = asked.send(Result(Outcome.FAILED if fails else Outcome.SURVIVED, 1.0, acted=1, together=together))
    alone = [trial for trial in tried if trial.alone]
    assert len(alone) >= 8 and not any(trial.beside for trial in alone) and tried[-len(alone) :] == alone
    assert claim.law.holds is mixed_up and claim.law.predicted == 8
    with_it, without = claim.law.conditions[0].with_it, claim.law.conditions[0].without
    assert with_it.failed == 4 and without.failed == (0 if mixed_up else 4), "what was mixed up does not count"


def test_a_law_that_misses_one_at_a_time_is_not_held_again() -> None:
    claim = Claim(Law("", [Condition("")]), lambda rng: Trial("bad"), lambda rng: Trial("good", ("drop side=client",)))
    arms = Arms(said(HELLO), False, Verdict())
    asked = predict(arms, claim)
    next(asked)
    with suppress(StopIteration):
        while True:
            asked.send(Result(Outcome.FAILED, 1.0, acted=1))
    assert not claim.law.holds and not arms.alone and len(claim.law.missed) == 4


def test_how_late_a_busy_loop_is() -> None:
    async def busy() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        with Lateness() as lateness:
            began = loop.time()
            await asyncio.sleep(0.05)
            end = loop.time() + 0.15
            while loop.time() < end:  # nothing else runs meanwhile
                pass
            await asyncio.sleep(0.05)
            return lateness.since(began), lateness.since(loop.time())

    most, none = asyncio.run(busy())
    assert most >= 0.1 and none == 0.0


# Calls of the server.


@pytest.mark.parametrize(
    ("call", "reply"),
    [
        ('[2,"id-9","DataTransfer",{"a":1}]', '[3,"id-9",{}]'),
        ('{"jsonrpc":"2.0","id":7,"method":"confirm"}', '{"jsonrpc":"2.0","id":7,"result":{}}'),
        ('{"id":"x","method":"confirm"}', '{"id":"x","result":{}}'),
    ],
)
def test_a_remote_call_is_answered_with_its_own_id(call: str, reply: str) -> None:
    form = answer_to_call(json.loads(call))
    assert form is not None
    filled = fill(form, call.encode())
    assert filled is not None and json.loads(filled) == json.loads(reply)


@pytest.mark.parametrize(
    "value", [{"method": "notify"}, [3, "id", {}], [2, 5, "x", {}], "text", {"id": None, "method": "x"}]
)
def test_what_is_no_call_has_no_answer(value: Any) -> None:
    assert answer_to_call(value) is None


def test_a_late_end_that_waits_for_no_answer_keeps_its_name() -> None:
    """The server asked something after the message, and minds the message all the same."""
    this = said(HELLO, '{"type":"say","text":"a"}', '{"type":"report","id":1}', lifetime=20.0, reaction=0.6)
    this.asked = (ClientFrame(8, "text", b'{"type":"confirm","id":4}', 19.6, kind="confirm"),)
    verdict = run(search(this), this, lambda m, t: any(b'"report"' in p for _, p in m), most=900)
    assert verdict.proved and verdict.verdict != "unknown/", verdict.standing


def test_half_of_a_surrogate_pair_and_not_the_emoji() -> None:
    """A text that was cut in an emoji: whole ones do no harm."""
    whole, cut = r'{"type":"status","text":"fine \ud83d\ude80"}', r'{"type":"status","text":"deploying \ud83d"}'
    this = said(HELLO, whole, cut)

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        texts = [split(payload)[1] for _, payload in messages]
        texts = [value.get("text", "") for value in texts if isinstance(value, dict)]
        return any(0xD800 <= ord(c) <= 0xDFFF for text in texts if isinstance(text, str) for c in text)

    verdict = run(search(this), this, fails, most=900)
    assert "half of a surrogate pair" in law_of(verdict).sentence and verdict.proved, law_of(verdict)


def test_any_array_where_it_is_that_it_is_one() -> None:
    """A server of single calls gets several in one message."""
    this = said(HELLO, '{"type":"get","id":1}', '[{"type":"get","id":2},{"type":"get","id":3}]')
    this.frames[-1] = replace(this.frames[-1], kind="[get]")
    verdict = run(search(this), this, lambda m, t: any(type(split(p)[1]) is list for _, p in m), most=900)
    assert "any message that is a JSON array" in law_of(verdict).sentence and verdict.proved, law_of(verdict)


def test_a_packet_of_a_protocol_is_not_said_to_be_none() -> None:
    """STOMP, whose server reads as many bytes as the header says; other texts it minds as well."""
    sound = "SEND\ndestination:/app/orders\ncontent-length:4\n\n{{}}\0"
    wrong = "SEND\ndestination:/app/orders\ncontent-length:2\n\n{{}}\0"
    this = said("CONNECT\naccept-version:1.2\n\n\0", sound, wrong)
    for n, kind in enumerate(("stomp:CONNECT", "stomp:SEND:/app/orders", "stomp:SEND:/app/orders")):
        this.frames[n] = replace(this.frames[n], kind=kind)
    known = {frame.payload for frame in this.frames[:2]}
    verdict = run(search(this), this, lambda m, t: any(p not in known for _, p in m), most=900)
    assert verdict.law is None or "not a stomp packet" not in verdict.law.sentence, verdict.law


# Conditions that are needed together, and lengths.


def position(mode: str, alt: float | None, seq: int) -> str:
    return json.dumps({"type": "pos", "seq": seq, "mode": mode, "lat": 40 + seq / 7, "alt": alt, "speed": 3.5})


def test_two_values_that_are_harmless_each_by_itself() -> None:
    """Of each there is a harmless message that has it: only both together end the connection."""

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        values = [json.loads(payload) for _, payload in messages if payload.startswith(b"{")]
        return any(v.get("mode") == "3D" and v.get("alt", 0) is None for v in values)

    harmless = [position("3D", 511.2, 1), position("2D", None, 2), position("3D", 512.0, 3), position("none", None, 4)]
    this = said(HELLO, *harmless, position("3D", None, 5))
    verdict = run(search(this), this, fails, most=600)
    law = law_of(verdict)
    kind = "the server drops the connection on a `pos` message in which "
    assert law.sentence.removeprefix(kind) in ("`alt` is null and `mode` is '3D'", "`mode` is '3D' and `alt` is null")
    assert verdict.proved and law.holds and {"`seq`", "`lat`"} <= set(law.irrelevant) <= {"`seq`", "`lat`", "`speed`"}


def send(body: str, length: int | None = None) -> str:
    said = len(body) if length is None else length  # as many people count it
    return f"SEND\ndestination:/app/kitchen\ncontent-length:{said}\n\n{body}\0"


@pytest.mark.parametrize("minds_text", [False, True])
def test_a_length_that_is_counted_in_characters(minds_text: bool) -> None:
    """The server counts bytes; or it is not the length that it minds, but what is not ASCII."""

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        for _, payload in messages:
            head, blank, body = payload.partition(b"\n\n")
            found = re.search(rb"content-length:(\d+)", head)
            if not blank or found is None:
                continue
            body = body.removesuffix(b"\0")
            if not body.isascii() if minds_text else int(found[1]) != len(body):
                return True
        return False

    this = said("CONNECT\naccept-version:1.2\n\n\0", send("two teas"), send("one cake"), send("a café crème"))
    verdict = run(search(this), this, fails, most=900)
    expected = "the server drops the connection on a message when its `content-length` is not the length of its body"
    told = verdict.law is not None and verdict.law.sentence.startswith(expected)
    assert told is not minds_text, verdict.law
    if told:
        assert verdict.proved and law_of(verdict).holds


def test_one_long_text_is_no_law() -> None:
    """That it fails is known, and of no other text is anything: that is a fact, and no rule."""
    text = "move the red box to the third shelf, please"

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        return any(payload == text.encode() for _, payload in messages)

    this = said("hello", "move the blue box to the first shelf", text)
    verdict = run(search(this), this, fails, most=900)
    assert verdict.law is None or not verdict.law.holds, verdict.law


def paste(size: int) -> str:
    return json.dumps({"type": "paste", "text": "x" * (size - 30)})


@pytest.mark.parametrize("harmless", ["earlier", "elsewhere", "never"])
def test_a_size_that_fails_though_larger_ones_do_no_harm(harmless: str) -> None:
    """A length that is read as a signed number of two bytes; what is longer goes another way."""

    def fails(messages: list[tuple[str, bytes]], trial: Trial) -> bool:
        return any(32_768 <= len(payload) <= 65_535 for _, payload in messages)

    before = [paste(80_000)] if harmless == "earlier" else []
    more = {"paste": (paste(90_000).encode(),)} if harmless == "elsewhere" else {}
    this = said(HELLO, *before, paste(40_000), harmless=more)
    verdict = run(search(this), this, fails, most=900)
    law = law_of(verdict)
    if harmless == "never":
        assert law.boundary == "survives 32,767 B, fails 32,768 B" and verdict.verdict == "message/oversize"
        return
    assert law.holds and "has 32,768 to 65,535 bytes" in law.sentence, law
    assert law.boundary == "survives 32,767 B, fails 32,768 B; fails 65,535 B, survives 65,536 B"
    assert verdict.proved and verdict.verdict != "message/oversize"
