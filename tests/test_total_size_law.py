"""A limit on all that a client may send on one connection: told from their number, from one message's size, from a
pace and from one another, against simulated servers and a real one."""

from __future__ import annotations

import json
from random import Random

import pytest

import simulated
from hangup.experiment.rate import COUNTED, RATE
from hangup.experiment.search import Verdict, search
from hangup.experiment.trial import Case
from harness import unhurried
from limits import Bucket, Number, Total
from test_rate import Make, ended_by, of_websockets, recorded

WORDS = ("cache", "retry", "upstream", "café", "naïve", "query", "slow", "commit")


def said(rng: Random, count: int, words: tuple[str, ...] = WORDS) -> list[str]:
    """A greeting, and so many messages of all sizes."""
    texts = [" ".join(rng.choice(words) for _ in range(rng.randint(1, 60))) for _ in range(count)]
    logged = [json.dumps({"type": "log", "id": n, "msg": text}, ensure_ascii=False) for n, text in enumerate(texts)]
    return [json.dumps({"type": "hello", "host": "web-3"}), *logged]


def ending(texts: list[str], make: Make, every: float = 0.2) -> Case:
    """A client that says these, this far apart, until it is over by the limit."""
    limit = make()
    frames = []
    for n, text in enumerate(texts):
        frames.append(simulated.frame(2 * n + 1, text, round(0.01 + n * every, 6)))
        if limit.exceeded(frames[-1].at, frames[-1].payload):
            break
    else:
        raise AssertionError("all of it is allowed")
    return Case(frames, frames[-1].at + 0.002, 0.002, how="close", code=1008)


def found(texts: list[str], make: Make, *, seed: int = 0, every: float = 0.2) -> Verdict:
    case = ending(texts, make, every)
    return simulated.timed(search(case), case, ended_by(make), seed=seed)


class TestATotal:
    @pytest.mark.parametrize("seed", range(6))
    @pytest.mark.parametrize("unit", ["bytes", "characters"])
    def test_the_boundary_to_the_byte(self, unit: str, seed: int) -> None:
        rng = Random(f"{unit} {seed}")
        most = rng.randint(1500, 5000)
        verdict = found(said(rng, 60), lambda: Total(most, of_characters=unit == "characters"), seed=seed)
        law = verdict.law
        short = "B" if unit == "bytes" else unit
        assert law is not None and law.holds and law.predicted == 8, (verdict.standing, law)
        assert law.sentence == (
            f"the server drops the connection when the client has sent more than {most:,} {unit} in all, "
            "whatever it says"
        )
        assert law.boundary == f"survives {most:,} {short} in all, fails {most + 1:,} {short}"
        assert verdict.proved and verdict.verdict == "unknown/"
        assert COUNTED in verdict.ruled_out and dict(verdict.standing).get(COUNTED, 0.0) < 0.05
        assert law.irrelevant == ["the number of messages", "what they contain"]

    @pytest.mark.parametrize("texts", [["x" * 50] * 40, [json.dumps({"type": "tick", "n": 7})] * 40])
    def test_messages_of_one_size(self, texts: list[str]) -> None:
        """As many of them as fail fail always: only other sizes tell that it is not their number."""
        law = found(texts, lambda: Total(330)).law
        assert law is not None and law.holds and law.boundary == "survives 330 B in all, fails 331 B", law

    @pytest.mark.parametrize("unit", ["bytes", "characters"])
    def test_messages_in_which_no_letter_is_ascii(self, unit: str) -> None:
        texts = said(Random(8), 60, ("жук", "щит", "ёж"))
        law = found(texts, lambda: Total(2200, of_characters=unit == "characters")).law
        assert law is not None and law.holds, law
        assert f"more than 2,200 {unit} in all" in law.sentence, law

    def test_the_smallest_exchange_is_at_the_edge(self) -> None:
        minimal = found(said(Random(5), 60), lambda: Total(3000)).minimal
        assert minimal is not None and len(minimal.frames) > 1 and minimal.payload is not None
        case = ending(said(Random(5), 60), lambda: Total(3000))
        payloads = {frame.n: frame.payload for frame in case.frames} | {minimal.frames[-1]: minimal.payload}
        assert sum(len(payloads[n]) for n in minimal.frames) == 3001

    def test_as_many_that_are_ended_sooner_are_no_number(self) -> None:
        """These cannot be made larger; but the same large one again and again is ended after far fewer of them."""
        rng = Random(2)
        said = [rng.randbytes(600), *(rng.randbytes(110) for _ in range(40))]
        sized = ending([payload.hex()[: len(payload)] for payload in said], lambda: Total(3000))
        frames = [simulated.frame(f.n, payload, f.at) for f, payload in zip(sized.frames, said, strict=False)]
        case = Case(frames, sized.lifetime, sized.reaction, how="close", code=1008)
        verdict = simulated.timed(search(case), case, ended_by(lambda: Total(3000)))
        (same,) = (tried for tried in verdict.ladder if tried.arm == "as-many")
        assert same.counts.failed and not same.counts.survived
        assert verdict.verdict == "unknown/" and COUNTED in verdict.ruled_out, (verdict.standing, verdict.law)
        assert verdict.law is None or "23 messages" not in verdict.law.sentence, verdict.law


class TestWhatIsNoTotal:
    @pytest.mark.parametrize("seed", range(6))
    def test_a_number(self, seed: int) -> None:
        rng = Random(seed)
        most = rng.randint(3, 25)
        verdict = found(said(rng, 40), lambda: Number(most), seed=seed)
        assert (verdict.verdict, verdict.proved) == (COUNTED, True), (verdict.standing, verdict.law)
        assert verdict.law is not None and verdict.law.holds
        assert verdict.law.boundary == f"survives {most} messages, fails {most + 1}"

    @pytest.mark.parametrize("seed", range(3))
    def test_the_size_of_one_message(self, seed: int) -> None:
        class Largest:
            def exceeded(self, at: float, payload: bytes) -> bool:
                return len(payload) > 2000

        rng = Random(seed)
        texts = [*said(rng, 12), json.dumps({"type": "log", "id": 99, "msg": "x" * 4000})]
        verdict = found(texts, Largest, seed=seed)
        assert verdict.law is not None and verdict.law.boundary == "survives 2,000 B, fails 2,001 B", verdict.law

    def test_the_size_of_one_message_after_others(self) -> None:
        """Before it has been greeted the server heeds nothing."""

        class Greeted:
            def __init__(self) -> None:
                self.greeted = False

            def exceeded(self, at: float, payload: bytes) -> bool:
                self.greeted = self.greeted or b"hello" in payload
                return self.greeted and len(payload) > 2000

        texts = [*said(Random(4), 12), json.dumps({"type": "log", "id": 99, "msg": "x" * 4000})]
        law = found(texts, Greeted).law
        assert law is None or "in all" not in law.sentence, law

    @pytest.mark.parametrize("seed", range(3))
    def test_bytes_within_a_time(self, seed: int) -> None:
        rng = Random(seed)
        texts = said(rng, 40, ("retry", "query"))
        verdict = found(texts, lambda: Bucket(2000, 1500.0, of_bytes=True), seed=seed, every=0.01)
        assert verdict.law is None or "in all" not in verdict.law.sentence, verdict.law
        assert RATE in dict(verdict.standing) and COUNTED != verdict.verdict, verdict.standing


@pytest.mark.experiment
@pytest.mark.real
def test_a_real_server() -> None:
    texts = said(Random(3), 60)
    said_until = ending(texts, lambda: Total(2000)).frames
    talk = recorded([frame.payload.decode() for frame in said_until], 0.02)
    verdict = unhurried.run(of_websockets(talk, lambda: Total(2000)))
    law = verdict.law
    assert law is not None and law.holds and law.predicted == 8, (verdict.standing, law, verdict.stopped)
    assert law.boundary == "survives 2,000 B in all, fails 2,001 B"
    assert verdict.proved and verdict.verdict == "unknown/", verdict.standing
