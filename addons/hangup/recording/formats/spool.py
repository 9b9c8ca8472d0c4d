"""A place on disk for what must be written later: bytes for many keys, appended in any order, read back by key.

In most formats the messages of a connection stand together, while in a recording all connections run through each
other. With this a recording of any size is converted in little memory.
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator
from types import TracebackType
from typing import IO

CHUNK = 1 << 16
"""A key's bytes go to disk in chunks of at least this size, or all when ``HELD`` is reached."""

HELD = 8 << 20
"""At most so many bytes are held in memory, all keys together."""


class Spool:
    """Bytes by key (an int), in an unnamed temporary file that only its owner can read."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="hangup-")
        self._held: dict[int, bytearray] = {}
        self._size = 0
        self._end = 0
        self._chunks: dict[int, array[int]] = {}

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Removes everything."""
        self._file.close()

    def append(self, key: int, data: bytes) -> None:
        """Adds to what ``key`` has."""
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = bytearray()
        held += data
        self._size += len(data)
        if len(held) >= CHUNK:
            self._flush(key)
        elif self._size >= HELD:
            for each in list(self._held):
                self._flush(each)

    def length(self, key: int) -> int:
        """How many bytes ``key`` has."""
        chunks = self._chunks.get(key)
        return (sum(chunks[1::2]) if chunks else 0) + len(self._held.get(key, b""))

    def read(self, key: int) -> Iterator[bytes]:
        """What ``key`` has, in pieces."""
        chunks = self._chunks.get(key, ())
        for i in range(0, len(chunks), 2):
            position, left = chunks[i], chunks[i + 1]
            while left:
                self._file.seek(position)
                piece = self._file.read(min(left, 1 << 20))
                if not piece:
                    raise OSError("the temporary file was cut")
                position += len(piece)
                left -= len(piece)
                yield piece
        if key in self._held:
            yield bytes(self._held[key])

    def _flush(self, key: int) -> None:
        held = self._held.pop(key)
        self._file.seek(self._end)
        self._file.write(held)
        chunks = self._chunks.setdefault(key, array("q"))
        if chunks and chunks[-2] + chunks[-1] == self._end:
            chunks[-1] += len(held)
        else:
            chunks.extend((self._end, len(held)))
        self._end += len(held)
        self._size -= len(held)
