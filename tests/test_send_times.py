"""Times of day in what a client says: of now when it is played, and what is none stays as it was."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime
from queue import Queue

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bisecting import bisected
from conversing import Talk
from hangup.experiment.search import Verdict
from hangup.experiment.trial import Edit
from hangup.recording.events import Header
from hangup.replayable.send_times import AFTER, BEFORE, SendTimes
from harness import DEADLINE, frames
from replaying import FAST, run, serving, transcript_of
from test_sequences import say
from test_sequences_real import ended
from test_varying import UPGRADED

STARTED = "2026-03-01T12:00:00.000000Z"
BEGAN = 1772366400
LATER = 86_400.5
"""Seconds from the recording to now."""

TIMES = SendTimes(STARTED, 2.0, 9.0, BEGAN + 2 + LATER)


@pytest.mark.parametrize(
    ("said", "now"),
    [
        (f'{{"ts":{BEGAN + 3}123}}', f'{{"ts":{BEGAN + 3 + 86_400}623}}'),
        (f'{{"at": {BEGAN + 3}}}', f'{{"at": {BEGAN + 3 + 86_400}}}'),
        (f'{{"at":{BEGAN + 3}.25}}', f'{{"at":{BEGAN + 3 + 86_400}.25}}'),
        (f"SEND\nsent:{BEGAN}000\n\nhi", f"SEND\nsent:{BEGAN + 86_400}500\n\nhi"),
        (f'{{"old":{BEGAN - int(BEFORE) - 60}}}', None),  # another time than that of the connection
        (f'{{"expires":{BEGAN + 3600}}}', None),
        (f'{{"id":"a{BEGAN}"}}', None),  # part of a name
        (f'{{"id":{BEGAN}1234}}', None),  # another number
        (f'{{"price":0.{BEGAN}}}', None),
        (f'{{"delta":-{BEGAN}}}', None),
        ("plain words", None),
    ],
)
def test_what_is_a_time_of_then_is_one_of_now(said: str, now: str | None) -> None:
    assert TIMES.moved(said.encode()).decode() == (said if now is None else now)


def test_a_recording_that_does_not_say_when_it_was_moves_nothing() -> None:
    data = f'{{"ts":{BEGAN + 3}}}'.encode()
    assert SendTimes("", 2.0, 9.0, time.time()).moved(data) == data


@given(st.binary(max_size=200))
def test_of_any_bytes_only_digits_change(data: bytes) -> None:
    moved = TIMES.moved(data)
    assert len(moved) == len(data)
    digits = b"0123456789"
    assert all(a == b or (a in digits and b in digits) for a, b in zip(data, moved, strict=True))


@given(st.lists(st.integers(BEGAN * 1000, (BEGAN + 9) * 1000), min_size=2, max_size=5))
def test_times_stay_apart_as_they_were(times: list[int]) -> None:
    moved = json.loads(TIMES.moved(json.dumps(times).encode()))
    assert [b - a for a, b in zip(times, moved, strict=True)] == [round(LATER * 1000)] * len(times)


def stamped() -> tuple[Talk, int]:
    """A client that says when it sends its messages; and when that was, in milliseconds."""
    talk = Talk()
    at = int(header_of(talk) * 1000) + 1000
    talk.open(1)
    talk.wait(1000)
    talk.say(1, "client", "text", json.dumps({"type": "order", "ts": at}).encode())
    talk.wait(1000)
    talk.end(1, "server", "fin")
    return talk, at


def header_of(talk: Talk) -> float:
    header: Header = transcript_of(opened()).recording.header
    return datetime.fromisoformat(header.started).timestamp()


def opened() -> Talk:
    talk = Talk()
    talk.open(1)
    talk.end(1, "server", "fin")
    return talk


@pytest.mark.parametrize("edited", [False, True])
def test_a_replay_says_when_it_is(edited: bool) -> None:
    talk, at = stamped()
    got: Queue[frames.Parsed] = Queue()
    number = next(e.n for e in talk.events if getattr(e, "side", "") == "client" and getattr(e, "n", 0))
    edits = {number: Edit(json.dumps({"type": "cancel", "ts": at - 250}).encode())} if edited else None
    with serving(lambda peer: got.put(peer.expect_frames(1)[0])) as server:
        run(talk, server, edits=edits)
    said = json.loads(got.get(timeout=DEADLINE).payload)
    assert said["type"] == ("cancel" if edited else "order")
    assert abs(said["ts"] / 1000 - time.time()) < AFTER
    talk, at = stamped()
    with serving(lambda peer: got.put(peer.expect_frames(1)[0])) as server:
        run(talk, server, replace(FAST, correlate=False))
    assert json.loads(got.get(timeout=DEADLINE).payload)["ts"] == at


STALE = 20_000
"""Milliseconds after which the server refuses what was said."""


async def strict(connection: ServerConnection) -> None:
    """Closes on what is old, and on an order for nothing."""
    try:
        async for message in connection:
            said = json.loads(message)
            if abs(said["ts"] - time.time() * 1000) > STALE or said.get("qty") == 0:
                await connection.close(4003)
    except ConnectionClosed:
        pass


def orders(began: float) -> Talk:
    talk = Talk()
    clock = 0
    for conn in (1, 2, 3):
        talk.open(conn, target="/ws", headers=UPGRADED)
        for qty in (3, 5, 0):
            talk.wait(100_000)
            clock += 100
            talk.say(conn, "client", "text", say("order", qty=qty, ts=int(began * 1000) + clock).encode())
        talk.wait(2_000)
        ended(talk, conn, "server", 4003)
        talk.wait(300_000)
        clock += 302
    return talk


@pytest.mark.experiment
def test_what_is_found_does_not_hang_on_when_it_was_recorded() -> None:
    """Played with its recorded times, each message would be refused as old."""

    async def main() -> Verdict:
        async with serve(strict, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            return await bisected(orders(header_of(opened())), port, failure="by=server code=4003 within=2s")

    verdict = asyncio.run(main())
    assert verdict.proved and verdict.law is not None, verdict.standing
    kind = "the server drops the connection on an `order` message in which "
    assert verdict.law.sentence == f"{kind}`qty` is 0", verdict.law
