"""What takes long to be looked into is looked into in turns with everybody else, and nothing is changed by that."""

from __future__ import annotations

import re

import pytest

from bounds.bombs import DEFLATE, MIB, READ, bomb, longest_turn
from hangup.recording.events import End, Frame
from harness import frames
from harness.frames import CLOSE, MASK, TEXT
from harness.peers import Answer, Peer, RawServer, open_websocket
from harness.proxies import HANGUP, HangupProxy
from harness.remotes import remote_of

TIMED = """
import asyncio, atexit, time
run, longest = asyncio.events.Handle._run, 0.0
def timed(self):
    global longest
    begun = time.thread_time()
    run(self)
    if "Task" not in repr(self):  # mitmproxy's own, which sets itself up
        longest = max(longest, time.thread_time() - begun)
asyncio.events.Handle._run = timed
atexit.register(lambda: print(f"longest turn: {1000 * longest:.3f} ms", flush=True))
"""
COUNT = 200
SHORT = 8.0
"""Milliseconds of processor time that delay nobody much; on a fast machine all of it at once takes hardly longer."""
EXTENSION = [tuple(DEFLATE.decode().strip().split(": "))]
GOODBYE = frames.frame(CLOSE, b"\x03\xe8", mask=MASK)


def connected(proxy: HangupProxy, server: RawServer) -> tuple[Peer, Peer]:
    client = open_websocket(proxy.address, "/bombs", headers=EXTENSION)  # type: ignore[arg-type]
    return client, server.accept("/bombs")


def granting() -> RawServer:
    return RawServer(answer=Answer(headers=EXTENSION))  # type: ignore[arg-type]


@pytest.mark.measured
@pytest.mark.parametrize("filters", [(), ("rewrite text=never-there to=x",)])
def test_others_have_their_turn(filters: tuple[str, ...]) -> None:
    """In processor time, and compared with what it takes to look into all that was read at once."""
    sent = bomb(MIB) * COUNT
    options = [word for each in filters for word in ("--filter", each)]
    with granting() as server:
        with HangupProxy(server.url, *options, command=[*HANGUP[:-1], TIMED + HANGUP[-1]]) as proxy:
            client, upstream = connected(proxy, server)
            client.send(sent)
            assert upstream.expect(len(sent)) == sent
            client.close()
            upstream.wait_end()
            upstream.close()
            said = re.search(r"longest turn: ([\d.]+) ms", proxy.stop())
    assert said is not None
    at_once = max(longest_turn(sent[:READ], *filters) for _ in range(3))
    assert float(said[1]) < max(at_once / 2, SHORT), f"{said[1]} of {at_once:.1f} ms"


@pytest.mark.parametrize("filters", [(), ("rewrite text=never-there to=x",)])
def test_what_comes_meanwhile_is_after_it(filters: tuple[str, ...]) -> None:
    """The end, and what the other side says, are recorded behind all that came before them."""
    answer = frames.frame(TEXT, b"that was a lot")
    sent = bomb(MIB) * COUNT + GOODBYE
    options = [word for each in filters for word in ("--filter", each)]
    with granting() as server, HangupProxy(server.url, *options) as proxy:
        client, upstream = connected(proxy, server)
        upstream.on_data = lambda: upstream._send(answer) if len(upstream.received) == len(sent) else None
        client.send(sent)
        client.half_close()
        assert upstream.expect(len(sent)) == sent
        assert upstream.wait_end().how == "fin"
        assert client.expect(len(answer)) == answer
        upstream.close()
        client.wait_end()
        client.close()
        proxy.stop()
        events = [each for each in proxy.events() if isinstance(each, Frame | End)]
    said = [each for each in events if isinstance(each, Frame)]
    assert [each.n for each in said] == list(range(1, COUNT + 3))
    assert [each.side for each in said[:COUNT]] == ["client"] * COUNT
    assert {each.opcode for each in said if each.side == "client"} == {"text", "close"}
    assert all(each.rsv == 4 and not each.problems for each in said[:COUNT])
    assert [each.at for each in events] == sorted(each.at for each in events)
    (end,) = [place for place, each in enumerate(events) if isinstance(each, End) and each.side == "client"]
    assert all(isinstance(each, End) or each.side == "server" for each in events[end:])


def test_filters_are_switched_between() -> None:
    """What was sent on before a filter came is recorded as that; what comes after it, the filter sees."""
    first, then = bomb(MIB) * COUNT, frames.frame(TEXT, b"never again", mask=MASK)
    with granting() as server, HangupProxy(server.url) as proxy:
        client, upstream = connected(proxy, server)
        client.send(first)
        upstream.expect(len(first))  # sent on before it is looked into
        remote_of(proxy).post("filters/add", filter="drop side=client", on=True)
        client.send(then + GOODBYE)
        client.half_close()
        upstream.wait_end()
        upstream.close()
        client.wait_end()
        client.close()
        proxy.stop()
        said = [each for each in proxy.events() if isinstance(each, Frame) and each.side == "client"]
        assert len(said) == COUNT + 2
        assert b"never again" not in upstream.received


def test_a_filter_cuts_it_in_the_middle() -> None:
    """What it is cut behind is the last that is recorded, but for what was looked into together with it."""
    sent = bomb(MIB) * COUNT
    with granting() as server, HangupProxy(server.url, "--filter", "close from=client how=rst frames=3") as proxy:
        client, upstream = connected(proxy, server)
        client.send(sent)
        assert client.wait_end().how == upstream.wait_end().how == "rst"
        proxy.stop()
        events = [each for each in proxy.events() if isinstance(each, Frame | End)]
    first = next(place for place, each in enumerate(events) if isinstance(each, End))
    assert 3 <= first <= 5
    assert all(isinstance(each, End) for each in events[first:])
