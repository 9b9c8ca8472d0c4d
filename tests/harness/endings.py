"""The ways in which one side ends a connection, played on raw sockets, and what the other side then sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness import frames
from harness.frames import MASK, TEXT
from harness.peers import Address, Peer, RawServer, Side, open_websocket

SIDES: tuple[Side, ...] = ("client", "server")

HELLO, WELCOME, LAST_WORDS = b"hello", b"welcome", b"last words"


@dataclass(frozen=True)
class Pair:
    """Both ends of one connection. ``side`` is who ends it."""

    client: Peer
    server: Peer
    side: Side

    @property
    def ender(self) -> Peer:
        return self.client if self.side == "client" else self.server

    @property
    def other(self) -> Peer:
        return self.server if self.side == "client" else self.client

    def mask(self, peer: Peer) -> bytes | None:
        """The mask that this end has to use."""
        return MASK if peer is self.client else None

    def text(self, peer: Peer, payload: bytes) -> None:
        """Send a text message from this end."""
        peer.send(frames.frame(TEXT, payload, mask=self.mask(peer)))

    def close(self, peer: Peer, code: int | None, reason: bytes = b"") -> None:
        """Send a CLOSE from this end."""
        peer.send(frames.close(code, reason, mask=self.mask(peer)))


@dataclass(frozen=True)
class Ending:
    """One way to end a connection, as :func:`play` plays it, and what a recording has to say of it."""

    name: str
    title: str
    act: Callable[[Pair], None]
    how: str
    code: int | None = None
    reason: str | None = None
    seen: str = ""
    """What the other side sees when nothing is between them."""


def _close(code: int | None, reason: bytes = b"") -> Callable[[Pair], None]:
    def act(pair: Pair) -> None:
        pair.close(pair.ender, code, reason)
        pair.other.expect_frames(2)
        pair.close(pair.other, code, reason)
        pair.ender.expect_frames(2)
        pair.server.close()  # RFC 6455 7.1.1: the server is the first to end the TCP connection
        pair.client.wait_end()
        pair.client.close()

    return act


def _fin(pair: Pair) -> None:
    pair.ender.close()
    pair.other.wait_end()


def _rst(pair: Pair) -> None:
    pair.ender.rst()
    pair.other.wait_end()


def _half_close(pair: Pair) -> None:
    pair.ender.half_close()
    pair.other.wait_end()
    pair.text(pair.other, LAST_WORDS)
    pair.ender.expect_frames(2)
    pair.other.close()
    pair.ender.wait_end()


def _crash(pair: Pair) -> None:
    whole = frames.frame(TEXT, b"half of a message", mask=pair.mask(pair.ender))
    pair.ender.send(whole[:-8])
    pair.ender.close(notify=False)
    pair.other.wait_end()


def _both(pair: Pair) -> None:
    pair.close(pair.ender, 4001, b"mine")
    pair.close(pair.other, 4002, b"yours")
    pair.other.expect_frames(2)
    pair.ender.expect_frames(2)
    pair.server.close()
    pair.client.wait_end()
    pair.client.close()


ENDINGS = [
    Ending("code", "CLOSE with a code", _close(4001, b"bye"), "close", 4001, "bye", 'CLOSE 4001 "bye"'),
    Ending("no-code", "CLOSE without a code", _close(None), "close", None, "", "CLOSE without a code"),
    Ending("fin", "FIN, no CLOSE", _fin, "fin", seen="FIN"),
    Ending("rst", "RST", _rst, "rst", seen="RST"),
    Ending("half-close", "half-close: FIN, but goes on reading", _half_close, "fin", seen="FIN"),
    Ending("crash", "crash in mid-frame", _crash, "fin", seen="half a frame, FIN"),
    Ending("both", "both CLOSE at once, 4001 and 4002", _both, "close", 4001, "mine", 'CLOSE 4001 "mine"'),
]


@dataclass(frozen=True)
class Played:
    """What happened: what each side saw, in words, and what went wrong on the way, if anything."""

    seen: str
    """By the side that did not end it."""
    ender_saw: str
    failure: str = ""


def play(ending: Ending, side: Side, address: Address, server: RawServer, target: str) -> Played:
    """Open a connection, let each side say a word, end it, and tell what the other side saw."""
    client = open_websocket(address, target)
    pair = Pair(client, server.accept(target), side)
    failure = ""
    try:
        pair.text(pair.client, HELLO)
        pair.server.expect_frames(1)
        pair.text(pair.server, WELCOME)
        pair.client.expect_frames(1)
        ending.act(pair)
    except AssertionError as error:
        failure = str(error)
    finally:
        by_close = ending.how == "close"
        seen, ender_saw = (describe(peer, server_ends_tcp=by_close) for peer in (pair.other, pair.ender))
        pair.client.close()
        pair.server.close()
    return Played(seen, ender_saw, failure)


def describe(peer: Peer, *, server_ends_tcp: bool = False) -> str:
    """What an end saw after the first frame, in words.

    With ``server_ends_tcp``, the end of the TCP connection after a CLOSE goes without saying.
    """
    words: list[str] = []
    size = 0
    for n, each in enumerate(frames.parse(peer.received)):
        length = len(frames.frame(each.opcode, each.payload, mask=MASK if each.masked else None))
        size += length
        if n == 0:
            continue
        if each.opcode != frames.CLOSE:
            words.append(f'"{each.payload.decode(errors="replace")}"')
        elif len(each.payload) < 2:
            words.append("CLOSE without a code")
        else:
            code, reason = int.from_bytes(each.payload[:2], "big"), each.payload[2:].decode()
            words.append(f"CLOSE {code}" + (f' "{reason}"' if reason else ""))
    if len(peer.received) > size:
        words.append("half a frame")
    if peer.end and not (server_ends_tcp and peer.end.how == "fin"):
        words.append(peer.end.how.upper())
    return ", ".join(words) or "nothing"
