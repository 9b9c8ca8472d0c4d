"""What a server says as it ends a connection tells one failure from another, where the code does not."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve

from bisecting import bisected
from conversing import Talk
from hangup.experiment.last_words import alike, shared_words, words, words_of
from hangup.experiment.reading import read_case
from hangup.experiment.search import Verdict
from harness import unhurried
from test_sequences_real import ended
from test_transcript import InMemory
from test_varying import UPGRADED


class TestWords:
    def test_of_a_message_they_are_those_of_its_strings(self) -> None:
        said = words_of(b'{"type":"error","code":42,"detail":["no such room","r17"]}')
        assert said == {"error", "no", "such", "room"}

    def test_what_names_another_thing_is_alike(self) -> None:
        assert alike(words("unknown type foo"), words("unknown type hangup-unheard-of"))
        assert not alike(words("Incomplete frame"), words("Frame must be terminated with a null octet"))
        assert alike(words(""), words("whatever"))  # where nothing was said there is nothing to compare

    def test_only_what_is_said_at_the_end_alone_counts(self) -> None:
        error, news = words("no such room"), words("a new price")
        assert shared_words([[news, error], [news, news, error]]) == error
        assert not shared_words([[news, news], [news, news]])  # it says so all the time
        assert not shared_words([[news, error], [news]])
        assert not shared_words([[news, error]])

    @given(st.binary(max_size=200))
    def test_any_bytes_have_words(self, payload: bytes) -> None:
        assert all(len(word) > 1 for word in words_of(payload))


def recorded() -> Talk:
    talk = Talk()
    for conn in range(1, 4):
        talk.open(conn, headers=UPGRADED)
        for number in range(3):
            talk.wait(40_000 + 5_000 * conn)
            kind = ("hello", "note", "note")[number]
            said = {"type": kind, "text": ("ann", "fine", "zoë")[number]}
            talk.say(conn, "client", "text", json.dumps(said).encode())
            if number < 2:
                talk.wait(1_000)
                talk.say(conn, "server", "text", b'{"type":"saved","n":%d}' % number)
        talk.wait(1_000)
        talk.say(conn, "server", "text", b'{"type":"error","message":"text is not plain ASCII"}')
        ended(talk, conn, "server", 1002)
        talk.wait(200_000)
    return talk


async def found() -> Verdict:
    """Whoever has not said hello, and whatever lacks a text, is sent away with the same code and other words."""

    async def handler(connection: ServerConnection) -> None:
        async def ends(why: str) -> None:
            await connection.send(json.dumps({"type": "error", "message": why}))
            await connection.close(1002)

        known = False
        async for message in connection:
            try:
                said = json.loads(message)
                kind, text = said["type"], said["text"]
            except (ValueError, TypeError, KeyError):
                await ends("incomplete")
                continue
            known = known or kind == "hello"
            if not known:
                await ends("who are you")
            elif not text.isascii():
                await ends("text is not plain ASCII")
            else:
                await connection.send('{"type":"saved","n":1}')

    async with serve(handler, "127.0.0.1", 0) as server:
        return await bisected(recorded(), next(iter(server.sockets)).getsockname()[1])


def test_the_failure_is_known_by_its_last_words() -> None:
    failure = read_case(InMemory(recorded().stop())).failure
    assert failure.words == {"error", "text", "is", "not", "plain", "ascii"}


def test_a_smaller_exchange_that_fails_with_other_words_is_another_failure() -> None:
    verdict = unhurried.run(found())
    assert verdict.proved and verdict.law is not None, (verdict.law, verdict.ladder)
    assert "`text` contains a character that is not ASCII" in verdict.law.sentence, verdict.law
