"""Messages of MessagePack: whatever their keys and values are they are read, and what it is about them is found."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bisecting import bisected
from conversing import Talk
from hangup.experiment.isolate import isolate
from hangup.experiment.message_values import MISSING, at, canonical, differences, join, leaves, put, split
from hangup.experiment.search import Verdict
from hangup.messages.content import MessageContent
from hangup.messages.heartbeats import recognise
from hangup.messages.kind import Discriminators, kind_of, selects
from hangup.messages.skeleton import skeleton
from hangup.wire.frames import BINARY
from harness import unhurried
from test_varying import UPGRADED

keys = st.text(max_size=6) | st.integers(-200, 1 << 40) | st.binary(max_size=4) | st.booleans() | st.none()
times = st.datetimes(timezones=st.just(UTC))
scalars = keys | st.floats(allow_nan=False) | times | st.just(msgspec.msgpack.Ext(5, b"x"))
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)
packed = st.dictionaries(keys, values, min_size=1, max_size=4).map(msgspec.msgpack.encode)


@given(st.lists(packed, min_size=1, max_size=4))
def test_they_are_read_whatever_is_in_them(messages: list[bytes]) -> None:
    learned = Discriminators()
    for message in messages:
        learned.feed(BINARY, message)
        MessageContent(BINARY, message)
        recognise(BINARY, message)
        skeleton("binary", message)
        selects(kind_of(BINARY, message).text)(BINARY, message)
    assert all(learned.kind(BINARY, message).text for message in messages)


@given(packed)
def test_a_value_is_written_as_it_was_read(message: bytes) -> None:
    head, value = split(message)
    if value is MISSING:  # a key that Python has no use for, such as a float that is no number
        return
    assert canonical(split(join(head, value))[1]) == canonical(value)
    for path in leaves(value):
        changed = put(value, path, "another")
        assert at(changed, path) == "another" and at(value, path) is not MISSING
        assert split(join(head, changed))[1] is not MISSING
    assert not list(differences(value, split(join(head, value))[1]))


def test_the_smallest_difference_of_two() -> None:
    bad = msgspec.msgpack.encode({"type": "inv", "slots": {7: "rope"}, "n": 3})
    good = msgspec.msgpack.encode({"type": "inv", "slots": {}, "n": 4})
    asking = isolate(bad, [good], ("type",))
    answer: bool | None = None
    try:
        message = next(asking)
        while True:
            answer = bool(msgspec.msgpack.decode(message)["slots"])
            message = asking.send(answer)
    except StopIteration as stop:
        found = stop.value
    assert [condition.words for condition in found.conditions] == ["`slots[7]` is present"]


async def inventory(connection: ServerConnection) -> None:
    """Its decoder takes text for keys, and nothing else."""
    with suppress(ConnectionClosed):
        async for message in connection:
            assert isinstance(message, bytes)
            msgspec.msgpack.decode(message, type=dict[str, str | int | dict[str, Any]])
            await connection.send(msgspec.msgpack.encode({"type": "ok"}))


def recorded() -> Talk:
    talk = Talk()
    for conn in (1, 2, 3):
        talk.open(conn, headers=UPGRADED)
        sent: list[dict[str, Any]] = [
            {"type": "hello", "name": f"p{conn}"},
            {"type": "inv", "slots": {}, "n": conn},
            {"type": "move", "x": conn, "y": 4},
            {"type": "inv", "slots": {conn + 3: "rope"}, "n": 9},
        ]
        for each in sent:
            talk.wait(40_000 + 5_000 * conn)
            talk.say(conn, "client", "binary", msgspec.msgpack.encode(each))
        talk.wait(2_000)
        talk.close(conn, "server", 1011)
        talk.wait(100_000)
    return talk


@pytest.mark.experiment
@pytest.mark.slow
def test_a_server_whose_decoder_minds_a_key_that_is_a_number() -> None:
    async def main() -> Verdict:
        async with serve(inventory, "127.0.0.1", 0) as server:
            return await bisected(recorded(), next(iter(server.sockets)).getsockname()[1])

    verdict = unhurried.run(main())
    assert verdict.proved and verdict.law is not None, (verdict.law, verdict.standing)
    assert "`slots" in verdict.law.sentence and verdict.law.right == 8, verdict.law
