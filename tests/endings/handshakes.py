"""Handshakes that go wrong, or not as usual, played direct and through the proxy."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from endings.play import DEADLINE, Seen
from hangup.proxy.broken_handshake import HEAD_LIMIT
from harness import frames
from harness.frames import MASK, TEXT
from harness.peers import Address, Answer, Head, Peer, RawServer, dial, request_head

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HALF = b"HTTP/1.1 101 Switching Proto"
REST = Answer().render(Head.parse(request_head("/", "h", key=KEY)))
GREETING = frames.frame(TEXT, b"hello")
WORD = frames.frame(TEXT, b"word", mask=MASK)


class Ends(NamedTuple):
    """The client, which has asked, and the server, which has read that."""

    client: Peer
    server: Peer


@dataclass(frozen=True)
class Case:
    """``act`` plays it; ``error`` is a part of what the recording says of the handshake, ``by`` who ended it there.

    ``early`` are bytes that the client sends in one piece with its request.
    """

    name: str
    act: Callable[[Ends], None]
    error: str = ""
    by: str = "server"
    early: bytes = b""


def _sends(data: bytes, then: Callable[[Ends], None]) -> Callable[[Ends], None]:
    def act(ends: Ends) -> None:
        ends.server.send(data)
        if not data.startswith(b"HTTP/") or b"\r\n\r\n" in data:
            ends.client.expect(len(data), DEADLINE)
        then(ends)

    return act


def _closes(ends: Ends) -> None:
    ends.server.close()
    ends.client.wait_seen("fin", DEADLINE)
    ends.client.close()


def _half_closes(ends: Ends) -> None:
    ends.server.half_close()
    ends.client.wait_seen("fin", DEADLINE)
    ends.client.send(WORD)
    ends.server.expect(len(WORD), DEADLINE)
    ends.client.close()
    ends.server.wait_seen("fin", DEADLINE)


def _resets(ends: Ends) -> None:
    ends.server.rst()
    ends.client.wait_seen("rst", DEADLINE)


def _passes(data: bytes, then: Callable[[Ends], None]) -> Callable[[Ends], None]:
    def act(ends: Ends) -> None:
        ends.server.send(data)
        ends.client.expect(len(data), DEADLINE)
        then(ends)

    return act


def _client_closes(ends: Ends) -> None:
    ends.client.close()
    ends.server.wait_seen("fin", DEADLINE)
    ends.server.close()


def _client_resets(ends: Ends) -> None:
    ends.client.rst()
    ends.server.wait_seen("rst", DEADLINE)


def _client_half_closes(ends: Ends) -> None:
    ends.client.half_close()
    ends.server.wait_seen("fin", DEADLINE)
    ends.server.send(REST + GREETING)
    ends.client.expect(len(REST + GREETING), DEADLINE)
    ends.server.close()
    ends.client.wait_seen("fin", DEADLINE)


def _answered_too_late(ends: Ends) -> None:
    ends.client.close()
    ends.server.wait_seen("fin", DEADLINE)
    ends.server.send(REST)
    ends.server.wait_seen("rst", DEADLINE)


def _works(ends: Ends) -> None:
    before = len(ends.server.received)
    ends.client.send(WORD)
    ends.server.expect(before + len(WORD), DEADLINE)
    _closes(ends)


def _works_after_a_word(ends: Ends) -> None:
    ends.server.expect(len(WORD), DEADLINE)
    _works(ends)


def _in_two_pieces(ends: Ends) -> None:
    ends.server.send(REST[:20])
    ends.server.send(REST[20:])
    ends.client.expect(len(REST), DEADLINE)
    _works(ends)


REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
LONG_HEAD = b"HTTP/1.1 403 Forbidden\r\nX: " + b"x" * HEAD_LIMIT
SSH = b"SSH-2.0-OpenSSH_9.6\r\n"
GARBAGE = b"\x00\xff\xfe garbage \r\n\r\n"
BAD = b"HTTP/1.1 abc Switching\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"

CASES = [
    Case("fin", _closes, "the server closed the connection instead of answering (FIN)"),
    Case("half-close", _half_closes, "the server closed the connection instead of answering (FIN)"),
    Case("rst", _resets, "the server reset the connection instead of answering (RST)"),
    Case("half-answer-fin", _sends(HALF, _closes), "in the middle of its answer (FIN after `HTTP/1.1 101 Switching"),
    Case("half-answer-rst", _sends(HALF, _resets), "in the middle of its answer (RST after `HTTP/1.1 101 Switching"),
    Case("garbage-fin", _sends(GARBAGE, _closes), "the server's answer is not HTTP: `"),
    Case("garbage-rst", _sends(GARBAGE, _resets), "the server's answer is not HTTP: `"),
    Case("ssh", _sends(SSH, _half_closes), "the server's answer is not HTTP: `SSH-2.0-OpenSSH_9.6"),
    Case("bad-status", _sends(BAD, _closes), "the server's answer is not HTTP: `HTTP/1.1 abc"),
    Case("ssh-client-closes", _sends(SSH, _client_closes), "the server's answer is not HTTP: `SSH"),
    Case("ssh-client-resets", _sends(SSH, _client_resets), "the server's answer is not HTTP: `SSH"),
    Case("client-closes", _client_closes, "the client went away before the answer (FIN)", "client"),
    Case("client-resets", _client_resets, "the client went away before the answer (RST)", "client"),
    Case("client-half-closes", _client_half_closes, "the client went away before the answer (FIN)", "client"),
    Case("answered-too-late", _answered_too_late, "the client went away before the answer (FIN)", "client"),
    Case("continue", _sends(CONTINUE + REST, _works)),
    Case("hints", _sends(HINTS + CONTINUE + REST, _works)),
    Case("continue-fin", _sends(CONTINUE, _closes), "the server closed the connection instead of answering (FIN)"),
    Case("two-pieces", _in_two_pieces),
    Case("early", _sends(REST, _works_after_a_word), early=WORD),
    Case("refused", _sends(REFUSAL, lambda ends: None)),
    Case("long-head", _passes(LONG_HEAD, _closes), "the server's answer has a head of more than 262144 bytes"),
]


def play(
    case: Case, address: Address, server: RawServer, host: str, *, tls: ssl.SSLContext | None = None
) -> tuple[Seen, Seen, str]:
    """What client and server saw, and what should have come and did not. ``server`` must not answer by itself."""
    target = "/" + case.name
    client = dial(address)
    if tls is not None:
        client.start_tls(tls, hostname="localhost")
    client.send(request_head(target, host, key=KEY) + case.early)
    peer = server.accept(target)
    missing = ""
    try:
        case.act(Ends(client, peer))
    except AssertionError as error:
        missing = str(error)
    seen = Seen(client.received, tuple(client.seen)), Seen(peer.head.raw + peer.received, tuple(peer.seen))
    client.close()
    peer.close()
    return *seen, missing
