"""The faults that do not depend on a framework, as handlers that any stack can run (``stacks.py``).

A handler has two callbacks, ``opened`` and ``received``; either may return ``RETURN``, which stands for "the
handler function returns". What an exception does is the stack's own business, and differs from stack to stack.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from typing import Any, Protocol

import jwt
from _common import Talk, fixed, options, shape

RETURN = True
Data = str | bytes


class Peer(Protocol):
    """What a handler may do with its connection. ``query`` is the request's, ``client_id`` from path or query."""

    client_id: str
    query: dict[str, str]

    async def send(self, message: Any) -> None: ...
    async def send_text(self, text: str) -> None: ...
    async def close(self, code: int, reason: str) -> None: ...
    def beside(self, work: Awaitable[None]) -> None: ...


class Healthy:
    """Greets, answers, sends news."""

    def __init__(self, peer: Peer) -> None:
        self.peer, self.talk = peer, Talk()

    async def opened(self) -> bool | None:
        self.peer.beside(self.talk.news(self.peer.send))
        return None

    async def received(self, data: Data) -> bool | None:
        await self.answer(json.loads(data))
        return None

    async def answer(self, message: Any) -> None:
        for answer in await self.talk.answers(message):
            await self.peer.send(answer)

    def closed(self) -> None:
        """The connection is gone."""


class A1(Healthy):
    """Returns right after the handshake."""

    async def opened(self) -> bool | None:
        if options.manner == "greets":
            await self.peer.send(self.talk.fill(shape.say("news")))
        return not fixed


class A2(Healthy):
    """Serves one message and returns."""

    async def opened(self) -> bool | None:
        await self.peer.send(self.talk.fill(shape.say("news")))
        return None

    async def received(self, data: Data) -> bool | None:
        await super().received(data)
        return not fixed


class A3(Healthy):
    """Parses every message as JSON, the text heartbeat too."""

    async def received(self, data: Data) -> bool | None:
        if fixed and data == shape.ping_text:
            await self.peer.send_text("pong")
            return None
        return await super().received(data)


class A4(Healthy):
    """Wants a field that the heartbeat lacks."""

    async def received(self, data: Data) -> bool | None:
        message = json.loads(data)
        if not fixed:
            self.last = message["seq"]
        await self.answer(message)
        return None


class A5(Healthy):
    """Handles every message as text."""

    async def received(self, data: Data) -> bool | None:
        if fixed and isinstance(data, bytes):
            return None
        if options.manner == "refuses" and not isinstance(data, str):
            await self.peer.close(1003, "text only")
            return None
        await self.answer(json.loads(data.strip("\n")))  # type: ignore[arg-type]
        return None


class B3(Healthy):
    """Wants a pong for its own application-level ping."""

    async def opened(self) -> bool | None:
        await super().opened()
        self.seen = asyncio.get_running_loop().time()
        self.peer.beside(self.watch())
        return None

    async def watch(self) -> None:
        clock = asyncio.get_running_loop().time
        while fixed or clock() - self.seen < shape.deadline:
            await self.peer.send(self.talk.fill(shape.ping))
            await asyncio.sleep(
                shape.deadline * 0.4
                if fixed
                else min(0.4 * shape.deadline, max(0.0, self.seen + shape.deadline - clock()))
            )
        await self.peer.close(shape.code or 1000, shape.reason)

    async def received(self, data: Data) -> bool | None:
        message = json.loads(data)
        if options.manner == "silence" or message[shape.key] == shape.pong[shape.key]:
            self.seen = asyncio.get_running_loop().time()
        await self.answer(message)
        return None


class B4(Healthy):
    """Never answers the client's ping."""

    async def received(self, data: Data) -> bool | None:
        message = json.loads(data)
        if message[shape.key] == shape.ping_kind and not fixed:
            if options.manner == "other":
                await self.peer.send({"status": "ok"})
            return None
        await self.answer(message)
        return None


class F5(Healthy):
    """Closes the older connection of the same client id."""

    active: dict[str, Peer] = {}

    async def opened(self) -> bool | None:
        older = self.active.get(self.peer.client_id)
        self.active[self.peer.client_id] = self.peer
        if older is not None and not fixed:
            await older.close(shape.code or 4000, shape.reason)
        return await super().opened()

    def closed(self) -> None:
        if self.active.get(self.peer.client_id) is self.peer:
            del self.active[self.peer.client_id]


class D7(Healthy):
    """Looks at the token after the handshake."""

    async def opened(self) -> bool | None:
        try:
            if not fixed:
                jwt.decode(self.peer.query["token"], "not-a-real-secret-not-a-real-secret", ["HS256"])
        except jwt.PyJWTError:
            await self.peer.close(shape.code or 4401, shape.reason or "invalid or expired token")
            return None
        return await super().opened()


class F2(Healthy):
    """Innocent: sends a status now and then."""

    async def opened(self) -> bool | None:
        async def status() -> None:
            while True:
                await asyncio.sleep(shape.chatter)
                await self.peer.send(self.talk.fill(shape.say("news")))

        self.peer.beside(status())
        return None


class F4(Healthy):
    """Sends a line of plain text after its answer to the greeting."""

    async def received(self, data: Data) -> bool | None:
        message = json.loads(data)
        await self.answer(message)
        if message[shape.key] == shape.words["hello"][0]:
            text = f"Welcome, {shape.client_id}!"
            await (self.peer.send({shape.key: "notice", "text": text}) if fixed else self.peer.send_text(text))
        return None


class A9(Healthy):
    """Cannot serialise its own broadcast."""

    handlers: set[A9] = set()

    async def opened(self) -> bool | None:
        self.handlers.add(self)
        return None

    def closed(self) -> None:
        self.handlers.discard(self)

    @classmethod
    async def produce(cls) -> None:
        """Broadcasts for ever; the fifth broadcast of each round cannot be written."""
        talk = Talk()
        while True:
            for _ in range(4):
                await asyncio.sleep(shape.deadline * 0.3)
                for handler in list(cls.handlers):
                    handler.peer.beside(handler.peer.send(talk.fill(shape.say("news"))))
            report = shape.wrap("report", {"hosts": ["a", "b"] if fixed else {"a", "b"}})
            for handler in list(cls.handlers):
                handler.peer.beside(handler.peer.send(report))


class Harmless(Healthy):
    """Reports what it cannot parse, and goes on."""

    async def received(self, data: Data) -> bool | None:
        try:
            return await super().received(data)
        except json.JSONDecodeError as error:
            print(f"ERROR cannot parse {data!r}: {error}", flush=True)
            if options.manner == "tells":
                await self.peer.send({shape.key: "error", "message": str(error)})
            return None


HANDLERS: dict[str, type[Healthy]] = {
    "healthy": Healthy,
    "harmless": Harmless,
    **{kind.__name__.lower(): kind for kind in (A1, A2, A3, A4, A5, A9, B3, B4, D7, F2, F4, F5)},
}
