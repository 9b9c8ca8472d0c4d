"""Messages that say goodbye, by the name that a protocol or an application gives them: ``DISCONNECT``, ``bye``.

Whoever says so wants the connection to end, also where the other side is then the first to close it.
"""

from __future__ import annotations

import re

from hangup.messages.kind import MessageKind

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[a-z]+")
_FAREWELL = frozenset("disconnect bye goodbye quit logout logoff signoff exit leave close terminate hangup".split())
_DISMISSAL = frozenset(
    "disconnect disconnected bye goodbye logout kick kicked evict evicted ban banned terminate terminated".split()
)
_NEUTRAL = frozenset("client connection session user me you room request req cmd socket ws phx".split())

CLOSES = frozenset(
    [
        ("socket.io", "DISCONNECT"),
        ("signalr", "Close"),
        ("actioncable", "disconnect"),
        ("stomp", "ERROR"),
        ("mqtt", "DISCONNECT"),
    ]
)
"""Protocols' own messages (protocol, name) by which a server ends a connection. Socket.IO's client closes on it at
once, and so may be first."""


def apart(name: str) -> str:
    """The words of a name (``jobDone``), in small letters."""
    return _HUMP.sub(" ", name).lower()


def says_goodbye(name: str) -> bool:
    """Whether a message that calls itself so is a client's farewell: ``DISCONNECT``, ``connection_terminate``,
    ``clientBye``."""
    return _is_one(name, _FAREWELL)


def dismisses(kind: MessageKind) -> bool:
    """Whether a server's message of this kind tells its client to go."""
    return (kind.protocol, kind.name) in CLOSES if kind.protocol else _is_one(kind.name, _DISMISSAL)


def _is_one(name: str, farewells: frozenset[str]) -> bool:
    words = _WORD.findall(apart(name))
    return any(word in farewells for word in words) and all(word in farewells | _NEUTRAL for word in words)
