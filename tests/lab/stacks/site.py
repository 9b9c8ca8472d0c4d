"""What all server stacks share: the route, the checks of a handshake, and a conversation pulled along by its
handler."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from lab.script import Conversation, Gone, Message, Peer, Return, World

log = logging.getLogger("app")

Handshake = dict[str, Any]

MANY = 2**24


class Site:
    """A server program's configuration and what its connections share."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.script: dict[str, Any] = config["script"]
        self.settings: dict[str, Any] = config["settings"]
        self.route: str = config["route"]
        self.refusals: list[dict[str, Any]] = config["refusals"]
        self.world = World(self.script["seed"])
        self.world.restart = _leave
        self.world.log = log.error
        self.asked = 0
        self._pattern = re.compile("^" + re.sub(r"\\{(\w+)(?::int)?\\}", _group, re.escape(self.route)) + "$")

    @property
    def max_size(self) -> int:
        """Bytes that a message may have."""
        return int(self.settings.get("max_size", MANY))

    @property
    def interval(self) -> float | None:
        """Seconds between the stack's control pings; None: none."""
        return self.settings.get("ping_interval")

    @property
    def timeout(self) -> float | None:
        """Seconds that a control pong may take."""
        return self.settings.get("ping_timeout")

    def match(self, target: str) -> dict[str, str] | None:
        """Path and query parameters; None where the target is no route."""
        split = urlsplit(target)
        found = self._pattern.match(split.path)
        return None if found is None else {**dict(parse_qsl(split.query)), **found.groupdict()}

    def choose(self, offered: list[str]) -> str | None:
        """The subprotocol to answer with."""
        if "answer_protocol" in self.settings:
            return str(self.settings["answer_protocol"])
        return next((name for name in offered if name in self.settings.get("protocols", ())), None)

    def refusal(self, target: str, headers: Mapping[str, str]) -> dict[str, Any] | None:
        """The first check that a handshake fails: ``how`` (``http``, ``close``, ``raise``, ``return``, ``hang``),
        ``status``..."""
        self.asked += 1
        known = self.match(target) or {}
        for refusal in self.refusals:
            if all(CHECKS[name](self, value, target, headers, known) for name, value in refusal["if"].items()):
                if refusal.get("log"):
                    log.error(refusal["log"])
                return refusal
        return None

    def conversation(self, peer: Peer, target: str, fail: Callable[[BaseException], None]) -> Conversation:
        """The conversation for an opened connection."""
        known = self.match(target) or {}
        identity = known.get("client_id") or known.get("id") or ""
        number = self.world.opened + 1
        return Conversation(self.script, peer, self.world, number=number, fail=fail, known=known, identity=identity)

    async def converse(self, peer: Peer, target: str, receive: Callable[[], Awaitable[Message]]) -> None:
        """A handler that pulls: greets, then reads until it is told to return, fails, or the client is gone."""
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def fail(error: BaseException) -> None:
            if not failed.done():
                failed.set_exception(error)

        conversation = self.conversation(peer, target, fail)
        conversation.receive = receive
        try:
            await _or_failed(conversation.opened(), failed)
            while True:
                await conversation.received(await _or_failed(receive(), failed))
                if failed.done():
                    failed.result()
        except (Return, Gone):
            pass
        except Exception as error:
            log.error("Exception in handler", exc_info=error)
            raise
        finally:
            if failed.done():
                failed.exception()
            await conversation.closed()


async def _or_failed(work: Awaitable[Any], failed: asyncio.Future[None]) -> Any:
    task = asyncio.ensure_future(work)
    await asyncio.wait({task, failed}, return_when=asyncio.FIRST_COMPLETED)
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        failed.result()
    return task.result()


def _group(found: re.Match[str]) -> str:
    return f"(?P<{found[1]}>{'[0-9]+' if ':int' in found[0] else '[^/]+'})"


def _leave(code: int) -> None:
    if code == -15:
        os.kill(os.getpid(), signal.SIGTERM)
    else:
        os._exit(code)


def reset(transport: Any) -> None:
    """Ends a connection with a RST."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _header(headers: Mapping[str, str], name: str) -> str:
    return next((value for key, value in headers.items() if key.lower() == name.lower()), "")


CHECKS: dict[str, Callable[[Site, Any, str, Mapping[str, str], dict[str, str]], bool]] = {
    "lacks_query": lambda site, value, target, headers, known: value not in known,
    "query": lambda site, value, target, headers, known: re.search(value[1], known.get(value[0], "")) is not None,
    "lacks_header": lambda site, value, target, headers, known: not _header(headers, value),
    "header": lambda site, value, target, headers, known: re.search(value[1], _header(headers, value[0])) is not None,
    "not_header": lambda site, value, target, headers, known: re.search(value[1], _header(headers, value[0])) is None,
    "company": lambda site, value, target, headers, known: len(site.world.conversations) >= value,
    "always": lambda site, value, target, headers, known: True,
    "every": lambda site, value, target, headers, known: site.asked % value == 0,
    "chance": lambda site, value, target, headers, known: site.world.rng.random() < value,
    "after": lambda site, value, target, headers, known: site.asked > value,
    "before": lambda site, value, target, headers, known: site.asked <= value,
    "taken": lambda site, value, target, headers, known: (
        known.get("client_id", known.get("id", "")) in site.world.registry
    ),
    "flag": lambda site, value, target, headers, known: value in site.world.flags,
    "unknown": lambda site, value, target, headers, known: (
        value in known and site.world.flags.get(value) != known[value]
    ),
}

__all__ = ["Site", "log", "reset"]
