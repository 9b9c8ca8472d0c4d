"""Files within files: what gzip has packed, and in a zip archive Playwright's HAR with its attachments, or its trace.

Nothing is unpacked to a place of its own: what is needed goes to an unnamed temporary file, up to a limit, and in
proportion to the file.
"""

from __future__ import annotations

import gzip
import io
import mmap
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Raw, Struct

from hangup.errors import ForeignRecording, RecordingError
from hangup.humanize import printable, size
from hangup.recording.formats import har
from hangup.recording.formats.har_fields import UNREADABLE, as_text
from hangup.recording.formats.imported import Imported
from hangup.wire.inflation_budget import RATIO, bound

LIMIT = har.LIMIT
"""No more than this (bytes) is unpacked of one file."""

LINE_LIMIT = har.LINE_LIMIT

_DAMAGED = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zlib.error, zipfile.BadZipFile)


class _Line(Struct):
    """A line of a trace, as far as it matters."""

    type: Any = None
    snapshot: Raw = Raw(b"null")
    playwrightVersion: Any = None


_decode_line = msgspec.json.Decoder(_Line).decode


def gunzipped(file: IO[bytes], name: str) -> IO[bytes]:
    """The contents of a file that gzip packed; raises :class:`~hangup.errors.ForeignRecording` when it is damaged."""
    counted: Any = _Counted(file)
    with gzip.GzipFile(fileobj=counted, mode="rb") as packed:
        return _unpacked(packed, name, "gzip", lambda: counted.count)


def zipped(data: mmap.mmap | bytes, name: str, path: Path | None) -> Imported:
    """The recording in a zip archive: a HAR, or a trace of Playwright's."""
    try:
        archive = zipfile.ZipFile(io.BufferedReader(_Seen(data)))
        names = archive.namelist()
    except _DAMAGED as error:
        raise ForeignRecording(f"{name} is a zip archive that cannot be read: {printable(str(error), 160)}") from None
    attached = partial(_lines, archive)
    hars = [each for each in names if each.lower().endswith(".har")]
    networks = [each for each in names if each.endswith(".network")]
    if len(hars) > 1:
        raise ForeignRecording(f"{name} is a zip archive with {len(hars)} HAR files: unpack the one that you want")
    if hars:
        with _member(archive, hars[0], name) as file:
            return har.read(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), name, path, attached)
    if networks:
        creator = f"Playwright {_version(archive, names)}".strip()
        entries = _snapshots(archive, networks)
        return har.of_entries(entries, creator, name, path, attached, "Playwright's trace")
    raise ForeignRecording(f"{name} is a zip archive with neither a HAR file nor a trace of Playwright's")


class _Counted:
    """A file that counts what was read of it, in bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.count = 0

    def read(self, most: int = -1) -> bytes:
        data = self._file.read(most)
        self.count += len(data)
        return data


class _Seen(io.RawIOBase):
    """Memory as a file."""

    def __init__(self, data: mmap.mmap | bytes) -> None:
        super().__init__()
        self._data = data
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._at, len(self._data))[whence]
        if base + offset < 0:
            raise OSError("before the beginning")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        piece = self._data[self._at : self._at + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def _member(archive: zipfile.ZipFile, member: str, name: str) -> IO[bytes]:
    try:
        with archive.open(member) as packed:
            packed_size = archive.getinfo(member).compress_size
            return _unpacked(packed, name, "zip", lambda: packed_size)
    except _DAMAGED as error:
        raise ForeignRecording(f"{name} cannot be unpacked: {printable(str(error), 160)}") from None


def _unpacked(packed: Any, name: str, what: str, packed_size: Callable[[], int]) -> IO[bytes]:
    copy: IO[bytes] = tempfile.TemporaryFile(prefix="hangup-")
    done = 0
    try:
        while done <= LIMIT and (piece := packed.read(1 << 20)):
            done += len(piece)
            if done > bound(packed_size()):
                copy.close()
                raise RecordingError(
                    f"{name} was compressed with {what} to less than 1/{RATIO} of its size, so it is not unpacked: "
                    "unpack it yourself if you trust it"
                )
            copy.write(piece)
        copy.seek(0)
    except _DAMAGED as error:
        copy.close()
        raise ForeignRecording(f"{name} was packed with {what} and is damaged: {printable(str(error), 160)}") from None
    if done > LIMIT or not done:
        copy.close()
        whole = f"has more than {size(LIMIT)} when it is unpacked" if done else "has nothing in it"
        raise (RecordingError if done else ForeignRecording)(f"{name} {whole}")
    return copy


def _lines(archive: zipfile.ZipFile, attached: str) -> Iterator[bytes]:
    """The lines of an attachment, which stands beside the HAR, or in a folder of its own beside the trace."""
    for member in (attached, f"resources/{attached}"):
        try:
            with archive.open(member) as file:
                left = min(LINE_LIMIT, bound(archive.getinfo(member).compress_size))
                while left > 0 and (line := file.readline(left)):
                    left -= len(line)
                    yield line
            return
        except KeyError:
            continue
        except _DAMAGED:
            return


def _snapshots(archive: zipfile.ZipFile, networks: list[str]) -> Iterator[bytes]:
    """What a trace has of requests: a HAR's entries, each on a line with what else there is."""
    for network in networks:
        for line in _lines(archive, network):
            try:
                found = _decode_line(line)
            except UNREADABLE:
                continue
            if found.type == "resource-snapshot":
                yield bytes(found.snapshot)


def _version(archive: zipfile.ZipFile, names: list[str]) -> str:
    for member in [each for each in names if each.endswith(".trace")][:4]:
        try:
            first = _decode_line(next(_lines(archive, member), b""))
        except UNREADABLE:
            continue
        if first.playwrightVersion:
            return as_text(first.playwrightVersion)
    return ""
