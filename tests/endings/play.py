"""Plays one order of ending on raw sockets. Nothing is slept for: a step is done once the other end has seen it."""

from __future__ import annotations

import ssl
from typing import NamedTuple

from endings.orders import BYTES, Order, Side, Step, name, other_side
from harness import frames
from harness.frames import MASK, TEXT
from harness.peers import Address, Peer, RawServer, open_websocket

DEADLINE = 10.0
"""Seconds for one step."""

HALF = frames.frame(TEXT, b"half of a message", mask=MASK)[:-8], frames.frame(TEXT, b"half of a message")[:-8]


class Seen(NamedTuple):
    """What one end saw: all bytes, and what came beside them (``fin`` after 12 bytes)."""

    data: bytes
    signals: tuple[tuple[str, int], ...]


class Played(NamedTuple):
    """What both ends saw. ``missing``: what an end should have seen, and did not within the deadline."""

    client: Seen
    server: Seen
    missing: str = ""


def wire(step: Step, number: int) -> bytes:
    """The bytes of a step that sends any."""
    mask = MASK if step.side == "client" else None
    if step.act == "data":
        return frames.frame(TEXT, f"message {number}".encode(), mask=mask)
    if step.act == "half":
        return HALF[step.side == "server"]
    return frames.close(4001 if step.act == "code" else None, b"bye" if step.act == "code" else b"", mask=mask)


class Player:
    """Both ends of one connection."""

    def __init__(self, client: Peer, server: Peer, tls: bool, deadline: float) -> None:
        self.peers = {"client": client, "server": server}
        self.tls = tls
        self.deadline = deadline
        self.sent = {"client": 0, "server": 0}
        self.closed: set[Side] = set()
        self.fin: set[Side] = set()
        self.notified: set[Side] = set()

    def step(self, step: Step, number: int) -> None:
        """Does a step, and waits until the other end has seen it."""
        me, other = self.peers[step.side], self.peers[other_side(step.side)]
        there = other_side(step.side) not in self.closed
        if step.act in BYTES:
            data = wire(step, number)
            self.sent[step.side] += len(data)
            me.send(data, self.deadline)
            if there:
                other.expect(self.sent[step.side], self.deadline)
            else:
                me.wait_seen("rst", self.deadline)
            return
        first = step.side not in self.fin
        goodbye = self.tls and first and step.act not in ("cut", "rst") and step.side not in self.notified
        if step.act == "notify":
            me.notify()
        elif step.act in ("fin", "cut"):
            me.half_close(notify=goodbye)
        elif step.act == "close":
            self.closed.add(step.side)
            me.close(notify=goodbye)
        else:
            self.closed.add(step.side)
            me.rst()
        if goodbye:
            self.notified.add(step.side)
        if step.act in ("fin", "cut", "close"):
            self.fin.add(step.side)
        if not there:
            if step.act == "notify":
                me.wait_seen("rst", self.deadline)
        elif step.act == "rst":
            if first or other_side(step.side) not in self.fin:
                other.wait_seen("rst", self.deadline)
        elif first:
            other.wait_seen("notify" if step.act == "notify" else "fin", self.deadline)


def play(
    order: Order, address: Address, server: RawServer, *, tls: ssl.SSLContext | None = None, deadline: float = DEADLINE
) -> Played:
    """Opens a connection at ``address`` and plays the order, whose name is the path."""
    target = "/" + name(order)
    client = open_websocket(address, target, tls=tls)
    peer = server.accept(target)
    missing = ""
    try:
        player = Player(client, peer, tls is not None, deadline)
        for number, step in enumerate(order, 1):
            player.step(step, number)
    except AssertionError as error:
        missing = f"step {number}: {error}"
    finally:
        played = Played(_seen(client), _seen(peer), missing)
        client.close()
        peer.close()
    return played


def _seen(peer: Peer) -> Seen:
    return Seen(peer.received, tuple(peer.seen))
