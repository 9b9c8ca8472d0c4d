"""What the far side gets through the proxy equals what it gets without, byte for byte and in how it ends.

And the recording names what was wrong, and holds every byte.

All connections of a transport run through one proxy, before the first test of that transport looks at them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import pytest

from conformance.cases import CASES, MASK, Case
from harness import frames
from harness.certificates import authority, trusting_anyone
from harness.peers import Address, Answer, Head, Peer, RawServer, Side, open_websocket
from harness.proxies import HangupProxy
from harness.reading import Connection, connections

Ending = Literal["half-close", "rst", "gone"]
ENDINGS: tuple[Ending, ...] = ("half-close", "rst", "gone")
TRANSPORTS = {
    "tcp": (False, False),
    "tls": (True, True),
    "tls to tcp": (True, False),
    "tcp to tls": (False, True),
}
"""Whether the client's leg and the server's leg are encrypted."""
STILL_HERE, LAST_WORDS = b"still here", b"last words"


@dataclass(frozen=True)
class Run:
    """One connection: who sends the case's bytes, in how many pieces, and how that side then ends."""

    case: Case
    side: Side
    ending: Ending

    @property
    def target(self) -> str:
        """The path and query that tells the connection apart."""
        return f"/{CASES.index(self.case)}?{self.side}&{self.ending}"

    def __str__(self) -> str:
        return f"{self.case.name}-{self.side}-{self.ending}"


@dataclass
class Outcome:
    """What each side got: ``far`` is the one that did not send the case's bytes."""

    far_received: bytes = b""
    far_end: str = ""
    far_notified: bool | None = None
    """Whether it was told by a TLS close_notify; None without TLS."""
    near_received: bytes = b""
    near_end: str = ""


RUNS = [Run(case, side, ending) for case in CASES for side in case.sides for ending in ENDINGS[:2]]
RUNS += [Run(case, side, "gone") for case in CASES if "half" in case.name for side in case.sides]
MIXED = [run for run in RUNS if run.case.name in ("text", "text after close", "an HTTP answer in the stream")]


def play(run: Run, address: Address, server: RawServer, *, tls: bool) -> Outcome:
    """Open the connection and let it happen."""
    offer = [("Sec-WebSocket-Extensions", run.case.extensions)] if run.case.extensions else []
    client = open_websocket(address, run.target, tls=trusting_anyone() if tls else None, headers=offer)
    upstream = server.accept(run.target)
    near, far = (client, upstream) if run.side == "client" else (upstream, client)
    try:
        return _play(run, near, far)
    finally:
        client.close()
        upstream.close()


def _play(run: Run, near: Peer, far: Peer) -> Outcome:
    data = run.case.data(run.side)
    if run.ending == "half-close":
        near.send(data)
        far.expect(data)
    else:
        # In pieces that arrive one by one, cut where it hurts: in the header, and just before the end.
        size = len(data)
        cuts = sorted({cut for cut in (0, 1, 3, 7, size - 1, size) if 0 <= cut <= size})
        for start, stop in zip(cuts, cuts[1:], strict=False):
            near.send(data[start:stop])
            far.expect(stop)
    # The other direction must not have suffered.
    mask = MASK if run.side == "server" else None
    answer = frames.frame(frames.TEXT, STILL_HERE, mask=mask)
    far.send(answer)
    near.expect(answer)
    if run.ending == "half-close":
        near.half_close()
        far.wait_end()
        far.send(frames.frame(frames.TEXT, LAST_WORDS, mask=mask))
        near.expect_frames(2)
        far.close()
        near.wait_end()
    elif run.ending == "gone":
        near.close(notify=False)
        far.wait_end()
    else:
        near.rst()
        far.wait_end()
    assert far.end is not None
    return Outcome(
        far.received,
        far.end.how,
        far.end.close_notify,
        near.received,
        near.end.how if near.end and run.ending == "half-close" else "",
    )


@dataclass
class Bench:
    """The outcomes of one transport, and its recording."""

    direct: dict[Run, Outcome | Exception] = field(default_factory=dict)
    proxied: dict[Run, Outcome | Exception] = field(default_factory=dict)
    recorded: dict[str, Connection] = field(default_factory=dict)


def extensions_granted(request: Head) -> Answer:
    """Grant whatever extension is offered."""
    offer = request.get("sec-websocket-extensions")
    return Answer(headers=[("Sec-WebSocket-Extensions", offer)] if offer else [])


@pytest.fixture(scope="module")
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Plays the runs that were chosen, directly and through a proxy."""
    transport: str = request.param
    client_tls, server_tls = TRANSPORTS[transport]
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    chosen = [
        item.callspec.params["run"]
        for item in items
        if item.module is request.module and "bench" in item.fixturenames and item.callspec.params["bench"] == transport
    ]
    result = Bench()
    with (
        RawServer(tls=authority().server() if server_tls else None, answer=extensions_granted) as server,
        HangupProxy(server.url, *(["--insecure"] if server_tls else [])) as proxy,
    ):
        for run in chosen:
            for outcomes, address, tls in (
                (result.direct, server.address, server_tls),
                (result.proxied, proxy.address, client_tls),
            ):
                try:
                    outcomes[run] = play(run, address, server, tls=tls)
                except Exception as error:
                    outcomes[run] = error
        proxy.stop()
        result.recorded = connections(proxy.events())
    yield result


@pytest.mark.parametrize("run", RUNS, ids=str)
@pytest.mark.parametrize("bench", ["tcp", "tls"], indirect=True)
def test_conformance(bench: Bench, run: Run) -> None:
    check(bench, run)


@pytest.mark.parametrize("run", MIXED, ids=str)
@pytest.mark.parametrize("bench", ["tls to tcp", "tcp to tls"], indirect=True)
def test_conformance_when_one_leg_is_encrypted(bench: Bench, run: Run) -> None:
    check(bench, run)


def check(bench: Bench, run: Run) -> None:
    """Through the proxy as without it, and told as it was."""
    direct, proxied = bench.direct[run], bench.proxied[run]
    if isinstance(direct, Exception):
        raise direct
    if isinstance(proxied, Exception):
        raise proxied
    assert direct.far_end == ("rst" if run.ending == "rst" else "fin")
    assert direct.far_received == run.case.data(run.side)
    if proxied.far_notified is None or direct.far_notified is None:  # nothing to compare between TLS and none
        proxied.far_notified = direct.far_notified
    assert proxied == direct

    recorded = bench.recorded[run.target]
    far: Side = "server" if run.side == "client" else "client"
    assert recorded.sent(run.side) == proxied.far_received
    assert recorded.sent(far) == proxied.near_received
    assert recorded.problems(far) == set()
    if run.case.problems is not None:
        assert recorded.problems(run.side) == run.case.problems
    if run.case.messages is not None:
        assert tuple(recorded.messages(run.side)) == run.case.messages
    assert recorded.ends[0] == (run.side, direct.far_end)


# Bytes that share a segment with the handshake --------------------------------------------------------------------

GREETINGS = {
    "a frame": frames.frame(frames.TEXT, b"welcome"),
    "line breaks": b"\r\n\r\n" + frames.frame(frames.TEXT, b"welcome"),
    "many frames": b"".join(frames.frame(frames.TEXT, b"%d" % n) for n in range(2000)),
    "half a frame": frames.frame(frames.TEXT, b"welcome")[:5],
    "a close": frames.close(4001, b"go away"),
}
EARLY = {
    "nothing": b"",
    "a frame": frames.frame(frames.TEXT, b"hello", mask=MASK),
    "line breaks": b"\r\n" + frames.frame(frames.TEXT, b"hello", mask=MASK),
}


@pytest.fixture(scope="module")
def greeter() -> Iterator[tuple[RawServer, HangupProxy]]:
    """A server that sends a greeting in one piece with its 101, as the path asks for, and a proxy in front."""

    def greet(request: Head) -> Answer:
        return Answer(greeting=list(GREETINGS.values())[int(request.target.split("/")[1])])

    with RawServer(answer=greet) as server, HangupProxy(server.url) as proxy:
        yield server, proxy


@pytest.mark.parametrize("early", EARLY)
@pytest.mark.parametrize("greeting", GREETINGS)
def test_bytes_beside_the_handshake(greeter: tuple[RawServer, HangupProxy], greeting: str, early: str) -> None:
    """The server greets with its answer; the client speaks before it has one."""
    server, proxy = greeter
    target = f"/{list(GREETINGS).index(greeting)}/{list(EARLY).index(early)}"
    for address in (server.address, proxy.address):
        client = open_websocket(address, target, early=EARLY[early])
        upstream = server.accept(target)
        client.expect(GREETINGS[greeting])
        upstream.expect(EARLY[early])
        client.send(b"\r\n")
        upstream.expect(EARLY[early] + b"\r\n")
        upstream.close()
        client.wait_end()
        client.close()


def test_bytes_beside_the_handshake_are_recorded(greeter: tuple[RawServer, HangupProxy]) -> None:
    _, proxy = greeter
    proxy.stop()
    for target, recorded in connections(proxy.events()).items():
        greeting, early = (int(number) for number in target.split("/")[1:])
        assert recorded.sent("server") == list(GREETINGS.values())[greeting]
        assert recorded.sent("client") == list(EARLY.values())[early] + b"\r\n"
