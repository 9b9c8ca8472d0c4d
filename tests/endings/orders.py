"""All orders of up to four steps in which two ends can end a WebSocket, without those that no socket can play."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from harness.peers import Side

Act = Literal["data", "code", "empty", "half", "notify", "fin", "cut", "close", "rst"]
"""``data`` is a text message, ``code`` and ``empty`` a CLOSE with 4001 and one without a code, ``half`` half a frame.
``fin`` ends the own direction and goes on reading, ``close`` closes the socket (who sends to it gets a RST), ``rst``
resets it. Over TLS ``notify`` is a close_notify without a FIN, ``fin`` and ``close`` send one before their FIN (if it
has not gone out before), and ``cut`` is a FIN without one."""

SIDES: tuple[Side, Side] = ("client", "server")
BYTES: tuple[Act, ...] = ("data", "code", "empty", "half")
TCP: tuple[Act, ...] = (*BYTES, "fin", "close", "rst")
TLS: tuple[Act, ...] = (*BYTES, "notify", "fin", "cut", "close", "rst")
LONGEST = 4


class Step(NamedTuple):
    """What ``side`` does."""

    side: Side
    act: Act


Order = tuple[Step, ...]


@dataclass(frozen=True)
class Side_:
    """What one end has done so far."""

    closing: bool = False
    """It sent a CLOSE."""
    half: bool = False
    notified: bool = False
    fin: bool = False
    closed: bool = False

    def may(self, act: Act, tls: bool) -> bool:
        """Whether a socket can do this next, and it says anything new."""
        if self.closed:
            return False
        if act in ("close", "rst"):
            return True
        if self.fin:
            return False
        if act == "fin":
            return True
        if act in ("notify", "cut"):
            return tls and not self.notified
        if self.notified or self.half:
            return False
        return not (act in ("code", "empty") and self.closing)

    def after(self, act: Act, tls: bool) -> Side_:
        """The same end after it."""
        return Side_(
            closing=self.closing or act in ("code", "empty"),
            half=self.half or act == "half",
            notified=self.notified or (tls and act in ("notify", "fin", "close") and not self.fin),
            fin=self.fin or act in ("fin", "cut", "close"),
            closed=self.closed or act == "close",
        )

    def sends(self, act: Act, tls: bool) -> bool:
        """Whether ``act`` puts bytes on the wire."""
        return act in BYTES or (tls and not self.fin and not self.notified and act in ("notify", "fin", "close"))


@dataclass(frozen=True)
class State:
    """Both ends. ``over``: nothing that either does can be seen by the other any more."""

    tls: bool
    client: Side_ = Side_()
    server: Side_ = Side_()
    over: bool = False

    def of(self, side: Side) -> Side_:
        """One of them."""
        return self.client if side == "client" else self.server

    def next(self, step: Step) -> State | None:
        """The state after a step, None if the step is not possible."""
        me, other = self.of(step.side), self.of(other_side(step.side))
        if self.over or not me.may(step.act, self.tls):
            return None
        now = me.after(step.act, self.tls)
        over = step.act == "rst" or (now.fin and other.fin) or (other.closed and me.sends(step.act, self.tls))
        return replace(self, **{step.side: now}, over=over)


def other_side(side: Side) -> Side:
    """The other one."""
    return "server" if side == "client" else "client"


def orders(tls: bool, longest: int = LONGEST) -> Iterator[Order]:
    """All orders of one to ``longest`` steps in which at least one end does more than send messages."""

    def walk(state: State, done: Order) -> Iterator[Order]:
        if done and any(step.act != "data" for step in done):
            yield done
        if len(done) == longest:
            return
        for side in SIDES:
            for act in TLS if tls else TCP:
                if (step := state.next(Step(side, act))) is not None:
                    yield from walk(step, (*done, Step(side, act)))

    yield from walk(State(tls), ())


def whole(order: Order, tls: bool) -> Order:
    """The order, and after it what is left to do until it is over: the server closes its socket, then the client."""
    state = State(tls)
    for step in order:
        state = state.next(step) or state
    for side in ("server", "client"):
        step = Step(side, "close")
        if (then := state.next(step)) is not None:
            state, order = then, (*order, step)
    return order


def some(tls: bool, count: int, seed: int) -> list[Order]:
    """All orders of up to two steps, and so many of the longer ones."""
    short = list(orders(tls, 2))
    long = [order for order in orders(tls) if len(order) > 2]
    return short + random.Random(seed).sample(long, count)


def name(order: Order) -> str:
    """``server:fin,client:data``."""
    return ",".join(f"{step.side}:{step.act}" for step in order)
