"""How fast messages come: the law of a pace that is too high, against simulated servers and real ones; and what it must
not be confused with."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from random import Random

import pytest
from websockets.asyncio.server import ServerConnection, serve

import simulated
from bisecting import bisected, on_uvicorn
from conversing import Talk
from hangup.experiment.failure import Failure
from hangup.experiment.pacing import failure_in, fastest, kept_back, slow, slower
from hangup.experiment.rate import RATE
from hangup.experiment.search import COUNTED, Verdict, search
from hangup.experiment.trial import Case, Trial
from harness import unhurried
from limits import Bucket, Fixed, Limit, Number, Of, Sliding

Make = Callable[[], Limit]


def say(kind: str, n: int, **more: object) -> str:
    return json.dumps({"type": kind, "n": n, **more})


def exchange(count: int, every: float = 0.004, kinds: tuple[str, ...] = ("move",)) -> Case:
    """A client that greets, and then says so many messages, this far apart."""
    said = [say("hello", 0), *(say(kinds[n % len(kinds)], n) for n in range(1, count))]
    frames = [simulated.frame(2 * n + 1, text, round(0.01 + n * every, 6)) for n, text in enumerate(said)]
    return Case(frames, frames[-1].at + 0.002, 0.002, how="close", code=1008)


def ended_by(make: Make) -> simulated.Ends:
    def ends(said: simulated.Arrivals) -> float | None:
        limit = make()
        return next((at + 0.001 for at, payload in said if limit.exceeded(at, payload)), None)

    return ends


def numbers(text: str) -> list[float]:
    return [float(each.replace(",", "")) for each in re.findall(r"\d[\d,]*\.?\d*", text)]


class TestSimulated:
    @pytest.mark.parametrize("seed", range(12))
    @pytest.mark.parametrize("shape", ["window", "clock", "bucket"])
    def test_the_boundary(self, shape: str, seed: int) -> None:
        rng = Random(f"{shape} {seed}")
        most, pace = rng.randint(2, 40), rng.uniform(3, 40)
        make: Make = lambda: Bucket(most, pace)  # noqa: E731
        if shape == "window":
            make = lambda: Sliding(most, most / pace)  # noqa: E731
        elif shape == "clock":
            make = lambda: Fixed(most, most / pace, rng.uniform(0, 100))  # noqa: E731
        case = exchange(2 * most + 2 + rng.randint(0, 8), rng.choice((0.0002, 0.001, 0.2 / pace)))
        verdict = simulated.timed(search(case), case, ended_by(make), seed=seed)
        law = verdict.law
        assert (verdict.verdict, verdict.proved) == (RATE, True), (verdict.standing, law)
        assert law is not None and law.predicted == 8 and law.holds, law
        low, high, held, one_more = numbers(law.boundary)
        assert low < high <= 1.12 * low
        assert 0.9 * pace <= low <= high <= 1.1 * pace, law.boundary
        assert one_more == held + 1 and (held == most or shape == "clock")
        assert "whatever they contain" in law.sentence
        if shape == "window":
            assert f"more than {most} messages within" in law.sentence
        else:
            assert shape == "clock" or "within" not in law.sentence, law.sentence
        assert verdict.cure.startswith("throttle side=client messages=")

    @pytest.mark.parametrize("seed", range(6))
    def test_of_one_kind(self, seed: int) -> None:
        rng = Random(seed)
        most, pace = rng.randint(2, 12), rng.uniform(4, 30)
        make = lambda: Of(Sliding(most, most / pace), lambda payload: b"move" in payload)  # noqa: E731
        case = exchange(4 * most + 6, 0.002, ("move", "chat", "chat"))
        verdict = simulated.timed(search(case), case, ended_by(make), seed=seed)
        assert (verdict.verdict, verdict.proved) == (RATE, True), verdict.standing
        assert verdict.law is not None and f"more than {most} `move` messages within" in verdict.law.sentence
        assert "kind=move" in verdict.cure

    @pytest.mark.parametrize("seed", range(6))
    def test_all_count_but_it_is_looked_at_with_one_kind_only(self, seed: int) -> None:
        rng = Random(seed)
        most, pace = rng.randint(2, 12), rng.uniform(4, 30)

        def ends(said: simulated.Arrivals) -> float | None:
            limit = Sliding(most, most / pace)
            exceeded = [(limit.exceeded(at, payload), at, payload) for at, payload in said]
            return next((at + 0.001 for over, at, payload in exceeded if over and b"move" in payload), None)

        case = exchange(4 * most + 6, 0.002, ("move", "chat", "chat"))
        verdict = simulated.timed(search(case), case, ends, seed=seed)
        assert verdict.verdict == RATE, verdict.standing
        assert verdict.law is not None and verdict.law.holds and verdict.proved, verdict.law
        assert "and the last of them is `move`" in verdict.law.sentence

    @pytest.mark.parametrize("seed", range(6))
    def test_of_bytes(self, seed: int) -> None:
        rng = Random(seed)
        pace = rng.uniform(2_000, 20_000)
        case = exchange(30, 0.001)
        frames = [
            simulated.frame(f.n, say("note", f.n, text="x" * rng.randint(150, 160)), f.at) for f in case.frames[1:]
        ]
        case.frames[1:] = frames
        ends = ended_by(lambda: Bucket(1500, pace, of_bytes=True))
        verdict = simulated.timed(search(case), case, ends, seed=seed)
        assert (verdict.verdict, verdict.proved) == (RATE, True), verdict.standing
        assert verdict.law is not None
        low, high, *_ = numbers(verdict.law.boundary)
        assert "B a second" in verdict.law.sentence and 0.85 * pace <= low <= high <= 1.15 * pace, verdict.law

    @pytest.mark.parametrize("seed", range(6))
    def test_of_bytes_of_which_a_few_messages_have_the_most(self, seed: int) -> None:
        """Readings alone are far below it; a report in two large parts ends it, and so do as many bytes of readings."""
        rng = Random(seed)
        most, seconds = rng.randint(4_000, 8_000), rng.uniform(0.5, 3.0)
        said = [say("hello", 0), *(say("reading", n, value=n * 7) for n in range(1, 15))]
        said += [say("report", n, text="x" * rng.randint(2_200, 3_900)) for n in (1, 2)]
        frames = [simulated.frame(2 * n + 1, text, round(0.02 + 0.06 * n, 3)) for n, text in enumerate(said)]
        case = Case(frames, frames[-1].at + 0.002, 0.002, how="close", code=1008)
        ends = ended_by(lambda: Sliding(most, seconds, of_bytes=True))
        if ends([(frame.at, frame.payload) for frame in frames]) is None:
            return  # it was not enough
        verdict = simulated.timed(search(case), case, ends, seed=seed)
        assert (verdict.verdict, verdict.proved) == (RATE, True), (verdict.standing, verdict.ruled_out)
        law = verdict.law
        assert law is not None and f"survives {most:,} B at once, fails {most + 1:,} B" in law.boundary, law
        assert f"more than {most:,} B within" in law.sentence, law
        assert abs(numbers(law.sentence)[1] - seconds) < 0.12 * seconds

    @pytest.mark.parametrize("seed", range(8))
    def test_a_number_is_no_pace(self, seed: int) -> None:
        rng = Random(seed)
        most = rng.randint(3, 14)
        case = exchange(most + 1 + rng.randint(0, 5), rng.choice((0.001, 0.01)), ("move", "chat"))
        verdict = simulated.timed(search(case), case, ended_by(lambda: Number(most)), seed=seed)
        assert verdict.verdict == COUNTED, verdict.standing
        slowly = [tried for tried in verdict.ladder if tried.arm.startswith("slower")]
        assert slowly and all(tried.counts.survived == 0 for tried in slowly)

    @pytest.mark.parametrize(
        "ends",
        [
            lambda said: 0.3,
            lambda said: next((b for (a, _), (b, _) in zip(said, said[1:], strict=False) if b - a > 0.3), None),
            lambda said: (said[-1][0] if said else 0.0) + 0.25,
            lambda said: next((at for at, payload in said if b'"n": 11' in payload), None),
            lambda said: next((at for at, payload in said if at < 0.02 and b"move" in payload), None),
        ],
        ids=["age", "quiet", "idle", "contents", "too early"],
    )
    def test_what_is_no_pace(self, ends: simulated.Ends) -> None:
        case = exchange(12, 0.005)
        end = ends([(f.at, f.payload) for f in case.frames])
        if end is not None:
            case.lifetime, case.reaction = end, max(0.0, end - case.frames[-1].at)
        verdict = simulated.timed(search(case), case, ends)
        assert not (verdict.verdict == RATE and verdict.proved), (verdict.standing, verdict.law)

    def test_two_that_must_not_meet_are_no_pace(self) -> None:
        """A `chat` less than a tenth of a second after a `move`: of either, as many as you like may come at once."""

        def ends(said: simulated.Arrivals) -> float | None:
            pairs = zip(said, said[1:], strict=False)
            return next((b for (a, x), (b, y) in pairs if b - a < 0.1 and b"move" in x and b"chat" in y), None)

        case = exchange(8, 0.02, ("move", "move", "chat"))
        verdict = simulated.timed(search(case), case, ends)
        assert not (verdict.verdict == RATE and verdict.proved), verdict.law

    @pytest.mark.parametrize("limit", ["pace", "number"])
    @pytest.mark.parametrize("chance", [0.5, 0.8])
    def test_what_flickers_is_not_taken_for_the_other(self, chance: float, limit: str) -> None:
        wrong, right = [], 0
        for seed in range(20):
            rng, coin = Random(seed), Random(seed + 1)
            most, pace = rng.randint(3, 20), rng.uniform(4, 30)
            make: Make = (lambda: Sliding(most, most / pace)) if limit == "pace" else (lambda: Number(most))  # noqa: B023
            sure = ended_by(make)
            case = exchange(2 * most + 3, 0.002)
            verdict = simulated.timed(
                search(case),
                case,
                lambda said: end if (end := sure(said)) is not None and coin.random() < chance else None,  # noqa: B023
                seed=seed,
                most=900,
            )
            if not verdict.proved:
                continue
            right += 1
            if verdict.verdict != (RATE if limit == "pace" else COUNTED):
                wrong.append((seed, verdict.standing, verdict.law))
            elif limit == "pace" and verdict.law is not None:
                low, high, *_ = numbers(verdict.law.boundary)
                if not 0.85 * pace <= low <= high <= 1.15 * pace:
                    wrong.append((seed, pace, verdict.law))
        assert not wrong and right >= 10, (right, wrong)

    def test_who_says_little_has_no_pace(self) -> None:
        for count, every in ((2, 0.001), (5, 8.0)):
            assert slower(exchange(count, every)) is None


class TestPacing:
    def test_all_of_it_takes_longer_and_so_may_the_failure(self) -> None:
        case, failure = exchange(11, 0.01), Failure(within=2.0)
        assert fastest(case) == pytest.approx(100)
        assert failure_in(Trial("a"), case, failure) is failure
        assert failure_in(Trial("a", speed=0.25), case, failure).within == pytest.approx(8.0)
        assert failure_in(Trial("a", speed=4.0), case, failure).within == pytest.approx(2.0)
        throttled = Trial("a", ("throttle messages=5 side=client",))
        assert kept_back(throttled, case) == pytest.approx(10 / 5 - 0.1)
        assert failure_in(throttled, case, failure).within == pytest.approx(3.9)
        assert kept_back(Trial("a", throttled.filters, frames=(1, 3)), case) == pytest.approx(0.19)
        assert kept_back(Trial("a", ("throttle messages=5 side=server", "delay 1s side=client")), case) == 1.0
        assert kept_back(Trial("a", ("throttle 100 side=client",)), case) > 2.0
        assert failure_in(Trial("a", within=9.0), case, failure).within == 9.0

    def test_the_slowest_pace_that_takes_so_much_longer(self) -> None:
        case = exchange(21, 0.01)
        pace = slow(case, 6.0)
        assert pace == pytest.approx(20 / 6.2, rel=0.02)
        assert kept_back(Trial("a", (f"throttle messages={pace} side=client",)), case) == pytest.approx(6.0, rel=0.03)


# Real servers.

UPGRADED = [("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]


def recorded(texts: list[str], every: float) -> Talk:
    """Two connections alike that the server closed with 1008 after the last of these."""
    talk = Talk()
    for conn in (1, 2):
        talk.open(conn, headers=UPGRADED)
        for text in texts:
            talk.wait(int(1e6 * every))
            talk.say(conn, "client", "text", text.encode())
        talk.wait(2000)
        talk.frame(conn, "server", 8, b"\x03\xf0")
        talk.frame(conn, "client", 8, b"\x03\xf0")
        talk.end(conn, "server", "fin")
        talk.wait(500_000)
    return talk


async def of_websockets(talk: Talk, make: Make) -> Verdict:
    """The verdict against a server of `websockets`."""

    async def handler(connection: ServerConnection) -> None:
        limit, now = make(), asyncio.get_running_loop().time
        async for message in connection:
            if limit.exceeded(now(), message.encode() if isinstance(message, str) else message):
                await connection.close(1008)
                return

    async with serve(handler, "127.0.0.1", 0) as server:
        return await bisected(talk, next(iter(server.sockets)).getsockname()[1])


async def of_fastapi(talk: Talk, make: Make) -> Verdict:
    """The verdict against FastAPI on uvicorn."""
    from fastapi import FastAPI, WebSocket

    app = FastAPI()

    async def handler(websocket: WebSocket) -> None:
        await websocket.accept()
        limit, now = make(), asyncio.get_running_loop().time
        while (message := await websocket.receive())["type"] == "websocket.receive":
            if limit.exceeded(now(), message.get("bytes") or message["text"].encode()):
                await websocket.close(1008)
                return

    handler.__annotations__ = {"websocket": WebSocket}
    app.websocket("/ws")(handler)
    async with on_uvicorn(app) as port:
        return await bisected(talk, port)


@pytest.mark.experiment
@pytest.mark.real
def test_real_servers() -> None:
    """All of them at once: they hardly do anything but wait."""
    burst = recorded([say("hello", 0), *(say(("move", "chat")[n % 3 == 0], n) for n in range(12))], 0.004)
    short = recorded([say("hello", 0), *(say("move", n) for n in range(3))], 0.004)
    kinds = recorded([say("hello", 0), *(say(("move", "chat")[n % 2], n) for n in range(12))], 0.004)

    async def main() -> list[Verdict]:
        return await asyncio.gather(
            of_websockets(burst, lambda: Sliding(8, 0.5)),
            of_fastapi(burst, lambda: Bucket(6, 12)),
            of_websockets(burst, lambda: Fixed(6, 0.4)),
            of_fastapi(kinds, lambda: Of(Sliding(4, 0.4), lambda payload: b"move" in payload)),
            of_websockets(short, lambda: Number(3)),
        )

    window, bucket, clock, kind, number = unhurried.run(main())
    for verdict, pace in ((window, 16.0), (bucket, 12.0), (clock, 15.0), (kind, 10.0)):
        assert (verdict.verdict, verdict.proved) == (RATE, True), (verdict.standing, verdict.law, verdict.stopped)
        assert verdict.law is not None and verdict.law.predicted == 8 and verdict.law.holds, verdict.law
        low, high, *_ = numbers(verdict.law.boundary.replace("`move` ", ""))
        assert 0.88 * pace <= low <= high <= 1.12 * pace, verdict.law
    assert window.law is not None and "more than 8 messages within 0.5" in window.law.sentence
    assert "whatever they contain" in window.law.sentence
    assert bucket.law is not None and "once a burst of 6 is exceeded" in bucket.law.sentence
    assert kind.law is not None and "more than 4 `move` messages within 0.4" in kind.law.sentence
    assert "kind=move" in kind.cure
    assert number.verdict == COUNTED, number.standing
