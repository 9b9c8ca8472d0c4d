"""What a Locust process and its player say to each other: messages in MessagePack, each after its length in four bytes.

Locust's side gives :data:`Command` to the player's stdin; the player answers with a :class:`Batch` several times a
second. Times are in seconds unless it says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec
from msgspec import Struct

from hangup.errors import HangupError

LONGEST = 64 << 20
"""Bytes of the longest message."""


class Plan(Struct, frozen=True, kw_only=True):
    """What the simulated clients of one user class play: which recording, against what, and how.

    ``conns`` are the connections to play, in order; none for those of the recorded client that failed last. ``own_ids``
    says whether each client gets ids of its own in the place of those that the recorded client called itself by, and
    ``ids`` are further such values. ``stays`` keeps a connection open once all is said; ``once`` plays the script once.
    ``sample`` is the share of clients that are recorded, into ``record``, a folder; both empty for no recording.
    """

    recording: str
    target: str
    path: str | None = None
    conns: tuple[int, ...] = ()
    filters: tuple[str, ...] = ()
    own_ids: bool = True
    ids: tuple[str, ...] = ()
    speed: float = 1.0
    pace: Literal["causal", "clock"] = "causal"
    timeout: float = 10.0
    insecure: bool = False
    ca: str | None = None
    correlate: bool = True
    stays: bool = False
    once: bool = False
    sample: float = 0.0
    record: str = ""


class Begin(Struct, frozen=True, tag=True):
    """A client begins: its number in this player, whose ``plan`` it follows, and what it has of its own."""

    client: int
    plan: Plan
    seed: int
    headers: list[tuple[str, str]] = []
    sets: dict[str, str] = {}


class Leave(Struct, frozen=True, tag=True):
    """A client is to leave."""

    client: int


class Drain(Struct, frozen=True, tag=True):
    """All that has happened is to be reported now; the next batch repeats ``token``."""

    token: int


Command = Begin | Leave | Drain

Sample = tuple[int, float | None, int]
"""A message or an exchange: which (its number in :attr:`Batch.names`), milliseconds to the answer, or None where none
is expected, and bytes."""


class Ended(Struct, frozen=True, array_like=True):
    """A connection is over. ``type`` and ``name`` are its row in Locust's table, ``key`` the failure in words that are
    the same for all alike, empty where it is none; ``failure`` is its signature, ``sentence`` says it all.
    ``connected`` is how many clients of this player were connected right before. ``conn`` is its number in the
    player's recording, 0 where it was not recorded. ``waited`` are milliseconds of a refused handshake, ``lag`` those
    from the last message, or from opening, to the end."""

    client: int
    type: str
    name: str
    key: str
    failure: str
    sentence: str
    connected: int
    conn: int = 0
    waited: float | None = None
    lag: float | None = None


class Batch(Struct, array_like=True):
    """What has happened since the last one. ``names`` are new (type, name) pairs, numbered on from those before.
    ``connected`` is how many clients are connected now, ``done`` are clients that have finished, ``trouble`` what a
    person must know; ``recording`` is the player's own, once there is one."""

    names: list[tuple[str, str]] = []
    samples: list[Sample] = []
    ends: list[Ended] = []
    connected: int = 0
    done: list[int] = []
    drained: list[int] = []
    trouble: list[str] = []
    fatal: str = ""
    recording: str = ""

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it but how many are connected."""
        return not (self.names or self.samples or self.ends or self.done or self.drained or self.trouble or self.fatal)


class BrokenPipe(HangupError):
    """What came is no message of this protocol."""


_encoder = msgspec.msgpack.Encoder()
_commands = msgspec.msgpack.Decoder(Command)
_batches = msgspec.msgpack.Decoder(Batch)


def pack(message: Command | Batch) -> bytes:
    """A message for the pipe."""
    data = _encoder.encode(message)
    return len(data).to_bytes(4, "big") + data


class Unpacker:
    """Bytes of a pipe in, whole messages out."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bodies of the messages that are complete now; raises :class:`BrokenPipe`."""
        self._data += data
        while len(self._data) >= 4:
            length = int.from_bytes(self._data[:4], "big")
            if length > LONGEST:
                raise BrokenPipe("the load player's pipe is broken")
            if len(self._data) < 4 + length:
                return
            body = bytes(self._data[4 : 4 + length])
            del self._data[: 4 + length]
            yield body


def command(body: bytes) -> Command:
    """The command that a body is."""
    return _commands.decode(body)


def batch(body: bytes) -> Batch:
    """The batch that a body is."""
    return _batches.decode(body)
