"""Other programs' recordings: which formats there are, and opening a file of any that can be read.

A file is known by what is in it, not by its name; only for writing does the suffix choose.
"""

from __future__ import annotations

import mmap
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol

import msgspec

from hangup.errors import ForeignRecording, RecordingError, UsageError
from hangup.recording import reader
from hangup.recording.events import AnyEvent, Header
from hangup.recording.formats import capture, flow, har, netlog
from hangup.recording.formats.archives import gunzipped, zipped
from hangup.recording.formats.capture import Dissect
from hangup.recording.formats.detection import HEAD, detect
from hangup.system import open_private, temporary_path

__all__ = ["FORMATS", "Format", "Recording", "detect", "format_for", "open_recording"]


class Recording(Protocol):
    """What every reader gives: a header, and the events as often as one iterates.

    ``torn`` is whether the file breaks off, ``skipped`` counts what could not be understood and ``skips`` are the first
    of that, each with its place and what was wrong; of a hangup recording all three are known after an iteration.
    """

    name: str
    path: Path | None
    header: Header
    torn: bool
    complete: bool
    skipped: int
    skips: list[tuple[int, str]]

    def __iter__(self) -> Iterator[AnyEvent]: ...
    def batches(self) -> Iterator[list[AnyEvent]]: ...


class Format(msgspec.Struct, frozen=True):
    """A format: its name, what it is called, its files' suffixes, and whether it can be read and written. A name of a
    dialect (``playwright``) is for writing: what is read shows by itself whose it is. One that ``explains`` is for
    people: it says first what the recording shows."""

    name: str
    title: str
    suffixes: tuple[str, ...]
    reads: bool = True
    writes: bool = True
    explains: bool = False


FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        Format("hangup", "hangup's own", (".jsonl", ".ndjson")),
        Format("har", "HAR", (".har",)),
        Format("playwright", "HAR with Playwright's times", ()),
        Format("mitmproxy", "mitmproxy's flow format", (".flow", ".flows", ".mitm", ".mitmproxy", ".dump")),
        Format("netlog", "Chrome's netlog", (), writes=False),
        Format("pcapng", "pcapng", (".pcapng",)),
        Format("markdown", "Markdown", (".md", ".markdown"), reads=False, explains=True),
        Format("html", "a report", (".html", ".htm"), reads=False, explains=True),
    )
}


def format_for(path: str, given: str | None = None) -> Format:
    """The format to write ``path`` in: the one that was ``given``, else its suffix's. Raises ``UsageError``."""
    written = [name for name, each in FORMATS.items() if each.writes]
    if given is None:
        suffix = Path(path).suffix.lower()
        found = next((each for each in FORMATS.values() if suffix in each.suffixes), None)
        if found is None:
            what = f"the suffix {suffix!r}" if suffix else f"{path!r}"
            raise UsageError(f"cannot tell the format from {what}: use --to with one of {', '.join(written)}")
        return found
    if given not in written:
        raise UsageError(f"cannot write the format {given!r}; use one of {', '.join(written)}")
    return FORMATS[given]


def open_recording(
    source: str | os.PathLike[str],
    format: str | None = None,
    *,
    name: str | None = None,
    dissect: Dissect | None = None,
) -> Recording:
    """Opens a recording of any format that can be read; ``-`` is standard input. ``name`` is for messages.

    ``format`` is a name in :data:`FORMATS`, for who knows better than the file's contents. A hangup recording is
    read as a stream; a HAR is looked through at once, up to ``har.LIMIT``; of a flow file only the handshakes are.
    Packet captures need somebody who takes them apart (``dissect``).
    Raises :class:`~hangup.errors.ForeignRecording` when it is no recording, and
    :class:`~hangup.errors.RecordingError` when it cannot be opened.
    """
    if format is not None and (format not in FORMATS or not FORMATS[format].reads):
        names = ", ".join(name for name, each in FORMATS.items() if each.reads)
        raise UsageError(f"cannot read the format {format!r}; use one of {names}")
    piped = os.fspath(source) == "-"
    name = name or ("standard input" if piped else os.fspath(source))
    path = None if piped else Path(source)
    if path is None and sys.stdin is None:
        raise RecordingError(f"{name} is closed")
    file: Any = sys.stdin.buffer if path is None else _open(path)
    try:
        found = detect(_peek(file))
        if found == "gzip":
            unpacked = gunzipped(file, name)
            if not piped:
                file.close()
            file, piped = unpacked, False
            found = detect(_peek(file))
            if found in ("hangup", "gzip"):
                # (A hangup recording is opened again and again, by its name.)
                raise ForeignRecording(f"{name} is compressed with gzip: unpack it")
        if format is not None and found not in ("zip", format):
            found = "pcap" if format == "pcapng" else format
        if found.startswith("!"):
            raise ForeignRecording(f"{name} {found[1:]}")
        if found == "hangup":
            if path is not None and file.seekable():
                recording = reader.read(path)
                recording.name = name
                return recording
            piped = True  # what was looked at is in this file's buffer, and nowhere else
            return reader.Reader(file, name)
        seekable = not piped and file.seekable()
        return _imported(found, file if seekable else _spooled(file), name, path, dissect)
    finally:
        if not piped:
            file.close()


def _imported(found: str, file: IO[bytes], name: str, path: Path | None, dissect: Dissect | None) -> Recording:
    """What is in a file of another program's."""
    if found == "pcap":
        if dissect is None:
            raise ForeignRecording(f"{name} is a packet capture: `hangup convert` makes a recording of it")
        with temporary_path(".pcap") as kept:
            with open_private(kept) as copy:
                shutil.copyfileobj(file, copy, 1 << 20)
            return capture.read(dissect(kept), name, path)
    data = _mapped(file, name)
    match found:
        case "mitmproxy":
            return flow.read(data, name, path)
        case "netlog":
            return netlog.read(data, name, path)
        case "zip":
            return zipped(data, name, path)
    return har.read(data, name, path, known=found == "har")


def _open(path: Path) -> BinaryIO:
    try:
        if path.is_dir():
            raise ForeignRecording(f"{path} is a folder, not a recording")
        return open(path, "rb")
    except FileNotFoundError:
        raise RecordingError(f"there is no recording {path}") from None
    except (OSError, ValueError) as error:
        raise RecordingError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


def _peek(file: Any) -> bytes:
    """The beginning of the file, which can be read again."""
    try:
        if file.seekable():
            at = file.tell()
            head: bytes = file.read(HEAD)
            file.seek(at)
            return head
        peeked: bytes = file.peek(HEAD)
        return peeked
    except OSError as error:
        raise RecordingError(f"cannot read {file.name}: {error.strerror or error}") from None


def _spooled(file: IO[bytes]) -> IO[bytes]:
    """A pipe's contents as a file, which disappears when nobody uses it any more."""
    try:
        copy = tempfile.TemporaryFile(prefix="hangup-")
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        return copy
    except OSError as error:
        raise RecordingError(f"cannot save the imported recording: {error.strerror or error}") from None


def _mapped(file: IO[bytes], name: str) -> mmap.mmap:
    """The file as memory that is only read when it is touched."""
    try:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise RecordingError(f"cannot read {name}: {error}") from None
