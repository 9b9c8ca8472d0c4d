"""Scripts: what an end of a connection does, as plain data, and the conversation that plays one.

A script is a dictionary that JSON can hold:

``open``
    Steps done once the connection is open.
``on``
    Rules ``{"if": condition, "do": steps}``; the first that fits a message is followed. ``"go_on": true`` looks
    further.
``timers``
    ``{"first": s, "every": s, "times": n, "do": steps, "jitter": share}``; without ``every`` once.
``deadlines``
    ``{"for": condition, "within": s, "do": steps}``: done when no fitting message came for so long, from the opening
    on or since the last one; with ``"once": true`` the first fitting message ends the watch; with ``"armed": flag``
    it only counts while the connection has this flag.
``reader``
    ``json`` (messages are parsed before anything else, a failure is the handler's exception), ``text``, ``bytes`` or
    ``any``.
``gone``
    Steps done after the connection is over; sends are skipped.

Steps are lists, the verb first (the methods ``do_...``); conditions are dictionaries of which every entry must hold
(the functions in ``TESTS``). ``node/script.mjs`` plays the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from lab import wire

Script = dict[str, Any]
Step = list[Any]
Condition = dict[str, Any]
Message = str | bytes

WORDS = (
    "amber basin cedar delta ember fjord grove haven inlet jade knoll lumen maple north ocean pier quartz ridge".split()
)


class Return(Exception):
    """The handler is to return."""


class Gone(Exception):
    """The connection is over."""


class Peer(Protocol):
    """The other side of an open connection, as a stack or client library shows it."""

    async def send(self, message: Message) -> None: ...
    async def close(self, code: int, reason: str) -> None: ...
    def abort(self) -> None: ...
    def fin(self) -> None: ...
    def pause(self) -> None: ...
    def raw(self, data: bytes) -> None: ...
    async def ping(self, data: bytes) -> None: ...


class World:
    """What all conversations of one program share."""

    def __init__(self, seed: object) -> None:
        self.rng = random.Random(f"world {seed}")
        self.conversations: list[Conversation] = []
        self.registry: dict[str, Conversation] = {}
        self.flags: dict[str, Any] = {}
        self.opened = 0
        self.restart: Callable[[int], None] = lambda code: None
        self.log: Callable[[str], None] = lambda line: None


class _Filler:
    """Fills in what changes from message to message: ``«id»``, ``«n»``, ``«t»`` and so on; ``"«#n»"`` loses its
    quotes."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.n = rng, rng.randrange(1, 50)

    def __call__(self, text: str, known: dict[str, Any]) -> str:
        text = re.sub(r'"«#(\w+)»"', lambda m: str(self.value(m[1], known)), text)
        return re.sub(r"«(\w+)»", lambda m: str(self.value(m[1], known)), text)

    def value(self, name: str, known: dict[str, Any]) -> Any:
        if name in known:
            return known[name]
        match name:
            case "id":
                return f"{self.rng.getrandbits(48):012x}"
            case "n":
                self.n += 1
                return self.n
            case "t":
                return int(time.time() * 1000)
            case "f":
                return round(self.rng.uniform(0.5, 900), 2)
            case "w":
                return " ".join(self.rng.choices(WORDS, k=self.rng.randint(1, 6)))
            case "name":
                return self.rng.choice(WORDS) + str(self.rng.randrange(99))
        return ""


class Conversation:
    """Plays a script towards one peer.

    A stack that pulls calls :meth:`opened`, then :meth:`received` for each message; one that is called back does the
    same from its callbacks. What a step raises leaves these methods, as it would leave a handler; what a timer raises
    is given to ``fail``. ``Return`` asks for what a handler's return is on this stack.
    """

    def __init__(
        self,
        script: Script,
        peer: Peer,
        world: World,
        *,
        number: int = 1,
        fail: Callable[[BaseException], None] = lambda error: None,
        known: dict[str, Any] | None = None,
        identity: str = "",
    ) -> None:
        self.script, self.peer, self.world, self.number, self.fail = script, peer, world, number, fail
        self.rng = random.Random(f"conversation {script.get('seed')} {number} {identity}")
        self.fill = _Filler(self.rng)
        self.known: dict[str, Any] = known if known is not None else {}
        self.identity = identity
        self.flags: dict[str, Any] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.count = self.volume = self.sent = 0
        self.times: deque[float] = deque(maxlen=200)
        self.previous: Message | None = None
        self.message: Message = ""
        self.over = False
        self.receive: Callable[[], Any] | None = None
        self.heard: dict[int, float] = {}
        self.at = time.monotonic()

    async def opened(self) -> None:
        """To be called once the connection is open."""
        self.world.opened += 1
        self.at = time.monotonic()
        self.world.conversations.append(self)
        for timer in self.script.get("timers", ()):
            self.beside(self._timer(timer))
        for n, deadline in enumerate(self.script.get("deadlines", ())):
            self.heard[n] = self.at
            self.beside(self._deadline(n, deadline))
        await self.steps(self.script.get("open", ()))

    async def received(self, message: Message) -> None:
        """To be called with each message."""
        if self.flags.get("deaf"):
            return
        now = time.monotonic()
        self.message = message
        self.count += 1
        self.volume += len(message)
        self.times.append(now)
        self.read(message)
        text = as_text(message)
        for n, deadline in enumerate(self.script.get("deadlines", ())):
            if self.holds(deadline.get("for", {}), text):
                self.heard[n] = float("inf") if deadline.get("once") else now
        for rule in self.script.get("on", ()):
            if self.holds(rule.get("if", {}), text):
                if rule.get("beside"):
                    self.beside(self.steps(rule["do"]))
                else:
                    await self.steps(rule["do"])
                if not rule.get("go_on"):
                    break
        self.previous = message

    def read(self, message: Message) -> None:
        """What the application's reader does with a message before it looks at it."""
        match self.script.get("reader", "any"):
            case "json":
                json.loads(message)
            case "text" if isinstance(message, bytes):
                raise KeyError("text")
            case "bytes" if isinstance(message, str):
                raise KeyError("bytes")

    async def closed(self) -> None:
        """To be called when the connection is over, for whatever reason."""
        if self.over:
            return
        self.over = True
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        if self in self.world.conversations and not self.script.get("forgetful"):
            self.world.conversations.remove(self)
        with contextlib.suppress(Exception):
            await self.steps(self.script.get("gone", ()))

    def holds(self, condition: Condition, text: str) -> bool:
        """Whether every entry of a condition holds."""
        return all(TESTS[name](self, value, text) for name, value in condition.items())

    async def steps(self, steps: Any) -> None:
        """Does them in order."""
        for step in steps:
            await getattr(self, "do_" + step[0])(*step[1:])

    def beside(self, work: Any) -> None:
        """Does it in a task beside the handler."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if task.cancelled() or self.over:
            return
        error = task.exception()
        if error is not None and not isinstance(error, Gone):
            self.fail(error)

    def jittered(self, seconds: float, jitter: float | None) -> float:
        return seconds * self.rng.uniform(1 - (jitter or 0), 1 + (jitter or 0))

    async def _timer(self, timer: dict[str, Any]) -> None:
        jitter = timer.get("jitter", 0.15)
        await asyncio.sleep(self.jittered(timer["first"], jitter))
        for _ in range(timer.get("times", 100_000) if "every" in timer else 1):
            if not timer.get("if") or self.holds(timer["if"], ""):
                await self.steps(timer["do"])
            if "every" in timer:
                await asyncio.sleep(self.jittered(timer["every"], jitter))

    async def _deadline(self, n: int, deadline: dict[str, Any]) -> None:
        within = deadline["within"]
        armed = deadline.get("armed")
        while True:
            since = self.heard[n]
            if armed:
                since = max(since, self.flags[armed]) if armed in self.flags else float("inf")
            left = min(since + within - time.monotonic(), within)
            if left <= 0:
                break
            await asyncio.sleep(min(left, 0.05) if armed else left)
        await self.steps(deadline["do"])

    # The verbs.

    async def do_send(self, message: dict[str, Any]) -> None:
        data = self.render(message)
        self.sent += len(data)
        if not self.over:
            await self.peer.send(data)

    def render(self, message: dict[str, Any]) -> Message:
        if "hex" in message:
            data = bytes.fromhex(message["hex"])
            return data.replace(b"\xfe\xfe\xfe\xfe", self.rng.randbytes(4)) + self.rng.randbytes(message.get("more", 0))
        text = self.fill(message["text"], {**self.world.flags, **self.known, **self.flags})
        if "pad" in message:
            text = text.replace("§", "".join(self.rng.choices(WORDS, k=1 + message["pad"] // 5))[: message["pad"]])
        return text.encode(message["encoding"]) if "encoding" in message else text

    async def do_burst(self, message: dict[str, Any], count: int) -> None:
        for _ in range(count):
            await self.do_send(message)

    async def do_ping(self, text: str = "") -> None:
        await self.peer.ping(text.encode())

    async def do_raw(self, data: str) -> None:
        self.peer.raw(bytes.fromhex(data))

    async def do_frame(self, first: int, payload: str, mask: bool | None = None) -> None:
        """A frame with this first byte, past the library; masked by a client."""
        masked = getattr(self.peer, "masks", False) if mask is None else mask
        key = self.rng.randbytes(4) if masked else b""
        data = bytes.fromhex(payload)
        self.peer.raw(wire.frame(first & 15, data, mask=key, fin=bool(first & 128), rsv=first >> 4 & 7))

    async def do_sleep(self, seconds: float, jitter: float = 0.1) -> None:
        await asyncio.sleep(self.jittered(seconds, jitter))

    async def do_block(self, seconds: float) -> None:
        time.sleep(seconds)

    async def do_close(self, code: int = 1000, reason: str = "") -> None:
        await self.peer.close(code, reason)

    async def do_abort(self) -> None:
        self.peer.abort()

    async def do_fin(self) -> None:
        self.peer.fin()

    async def do_deaf(self) -> None:
        self.flags["deaf"] = True
        self.peer.pause()

    async def do_return(self) -> None:
        raise Return

    async def do_raise(self, name: str, text: str = "") -> None:
        raise ERRORS[name](text)

    async def do_log(self, text: str) -> None:
        self.world.log(self.fill(text, self.known))

    async def do_exit(self, code: int = 1) -> None:
        self.world.restart(code)

    async def do_broadcast(self, message: dict[str, Any], everybody: bool = True) -> None:
        for other in list(self.world.conversations):
            if everybody or other is not self:
                with contextlib.suppress(Exception):
                    await other.peer.send(self.render(message))

    async def do_broadcast_unsafe(self, message: dict[str, Any]) -> None:
        """To everybody who was ever there, by a loop that lets the first error out."""
        for other in list(self.world.conversations):
            if other.over:
                raise ConnectionResetError(f"connection {other.number} is closed")
            await other.peer.send(self.render(message))

    async def do_everybody(self, steps: list[Step], others: bool = False) -> None:
        """Lets every open conversation do the steps, as a handler of its own would."""
        for other in list(self.world.conversations):
            if not others or other is not self:
                other.beside(other.steps(steps))

    async def do_same(self, steps: list[Step]) -> None:
        """Lets the conversation that is registered under this one's identity do the steps, if it is another."""
        other = self.world.registry.get(self.identity)
        if other is not None and other is not self and not other.over:
            other.beside(other.steps(steps))
            await asyncio.sleep(0)

    async def do_register(self) -> None:
        self.world.registry[self.identity] = self

    async def do_unregister(self) -> None:
        """By the identity alone, whoever is registered there now."""
        self.world.registry.pop(self.identity, None)

    async def do_set(self, name: str, value: Any = None) -> None:
        self.flags[name] = time.monotonic() if value is None else value

    async def do_unset(self, name: str) -> None:
        self.flags.pop(name, None)

    async def do_keep(self, name: str, value: Any = None) -> None:
        """Like ``set``, for all conversations of the program, later ones too."""
        self.world.flags[name] = self.fill(value, self.known) if isinstance(value, str) else value

    async def do_forget(self, name: str) -> None:
        self.world.flags.pop(name, None)

    async def do_remember(self, name: str, pattern: str) -> None:
        """Keeps the first group of a pattern in the message that is being handled."""
        if found := re.search(pattern, as_text(self.message)):
            self.world.flags[name] = found[1]

    async def do_when(self, condition: Condition, steps: list[Step], otherwise: list[Step] = []) -> None:  # noqa: B006
        await self.steps(steps if self.holds(condition, as_text(self.message)) else otherwise)

    async def do_after(self, seconds: float, steps: list[Step]) -> None:
        async def later() -> None:
            await asyncio.sleep(seconds)
            await self.steps(steps)

        self.beside(later())

    async def do_read_too(self) -> None:
        """Another task begins to read the same connection."""
        if self.receive is not None:
            self.beside(self.receive())
            await asyncio.sleep(0.01)

    async def do_forever(self) -> None:
        await asyncio.Event().wait()

    async def do_echo(self) -> None:
        await self.peer.send(self.message)


ERRORS: dict[str, type[Exception]] = {
    error.__name__: error
    for error in (KeyError, ValueError, TypeError, RuntimeError, AttributeError, TimeoutError, LookupError, OSError)
}


def as_text(message: Message) -> str:
    """A message as what patterns are matched against: bytes stand for the characters of the same number."""
    return message if isinstance(message, str) else message.decode("latin-1")


def _rate(this: Conversation, value: list[float], _: str) -> bool:
    count, window = value
    now = time.monotonic()
    return sum(now - at <= window for at in this.times) > count


TESTS: dict[str, Callable[[Conversation, Any, str], bool]] = {
    "re": lambda this, value, text: re.search(value, text, re.DOTALL) is not None,
    "not": lambda this, value, text: not this.holds(value, text),
    "any": lambda this, value, text: any(this.holds(one, text) for one in value),
    "binary": lambda this, value, text: isinstance(this.message, bytes) is value,
    "longer": lambda this, value, text: len(text.encode()) > value,
    "json": lambda this, value, text: _is_json(text) is value,
    "count": lambda this, value, text: this.count >= value,
    "volume": lambda this, value, text: this.volume > value,
    "sent": lambda this, value, text: this.sent > value,
    "rate": _rate,
    "again": lambda this, value, text: (this.previous is not None and this.message == this.previous) is value,
    "flag": lambda this, value, text: value in this.flags or value in this.world.flags,
    "no_flag": lambda this, value, text: value not in this.flags and value not in this.world.flags,
    "chance": lambda this, value, text: this.rng.random() < value,
    "company": lambda this, value, text: len([c for c in this.world.conversations if not c.over]) > value,
    "alone": lambda this, value, text: (len([c for c in this.world.conversations if not c.over]) <= 1) is value,
    "every": lambda this, value, text: this.world.opened % value == 0,
    "first": lambda this, value, text: (this.number == 1) is value,
    "older": lambda this, value, text: time.monotonic() - this.at > value,
    "gap": lambda this, value, text: len(this.times) > 1 and this.times[-1] - this.times[-2] > value,
    "hurry": lambda this, value, text: len(this.times) > 1 and this.times[-1] - this.times[-2] < value,
    "registered": lambda this, value, text: (this.world.registry.get(this.identity) is this) is value,
    "taken": lambda this, value, text: (this.world.registry.get(this.identity) is not None) is value,
    "same": lambda this, value, text: str(this.known.get(value[0], this.world.flags.get(value[0]))) == value[1],
}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


__all__ = ["Condition", "Conversation", "Gone", "Message", "Peer", "Return", "Script", "Step", "World", "as_text"]
