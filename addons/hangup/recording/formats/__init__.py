"""Other programs' recordings: which formats there are, and opening a file of any that can be read.

A file is known by what is in it, not by its name; only for writing does the suffix choose.
"""

from __future__ import annotations

import mmap
import os
import re
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
from hangup.recording.formats import flow, har

__all__ = ["FORMATS", "Format", "Recording", "detect", "format_for", "open_recording"]

HEAD = 1 << 16
"""So many bytes of a file are looked at to tell its format."""


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
    """A format: its name, what it is called, its files' suffixes, and whether it can be read."""

    name: str
    title: str
    suffixes: tuple[str, ...]
    reads: bool = True


FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        Format("hangup", "hangup's own", (".jsonl", ".ndjson")),
        Format("har", "HAR", (".har",)),
        Format("playwright", "HAR with Playwright's times", ()),
        Format("mitmproxy", "mitmproxy's flow format", (".flow", ".flows", ".mitm", ".mitmproxy", ".dump")),
        Format("pcapng", "pcapng", (".pcapng",), reads=False),
        Format("markdown", "Markdown", (".md", ".markdown"), reads=False),
    )
}

_OTHERS = {
    b"\x0a\x0d\x0d\x0a": "a packet capture, which hangup can write but not read",
    b"\xd4\xc3\xb2\xa1": "a packet capture, which hangup cannot read",
    b"\xa1\xb2\xc3\xd4": "a packet capture, which hangup cannot read",
    b"PK\x03\x04": "a zip archive: unpack it (Playwright's holds a har.har)",
    b"\x1f\x8b": "compressed with gzip: unpack it",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it",
}
_OWN = re.compile(rb'\s*\{\s*"hangup"\s*:')
_HAR = re.compile(rb'\s*\{\s*"log"\s*:|.*"_?(?:webSocketMessages|entries)"\s*:', re.DOTALL)
_FLOW = re.compile(rb"\d{1,12}:\d{1,3}:[a-z_]+[,;]")


def detect(head: bytes) -> str:
    """The format of a file that begins with ``head``; what is wrong in words, after a ``!``, when it is none."""
    head = head.removeprefix(b"\xef\xbb\xbf")
    if not head.strip():
        return "!is empty" if not head else "!is not a recording"
    for magic, what in _OTHERS.items():
        if head.startswith(magic):
            return f"!is {what}"
    if _FLOW.match(head):
        return "mitmproxy"
    if head.lstrip()[:1] != b"{":
        return "!is neither a hangup recording, nor a HAR, nor a mitmproxy flow file"
    if _OWN.match(head) or _has_header(head):
        return "hangup"
    if _HAR.match(head) or len(head) >= HEAD // 2:
        return "har"
    return "!is JSON, but neither a hangup recording nor a HAR"


def _has_header(head: bytes) -> bool:
    """Whether the first line is a header with its members in an order of somebody else's."""
    try:
        first = msgspec.json.decode(head.split(b"\n", 1)[0])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return isinstance(first, dict) and "hangup" in first


def format_for(path: str, given: str | None = None) -> Format:
    """The format to write ``path`` in: the one that was ``given``, else its suffix's. Raises ``UsageError``."""
    if given is None:
        suffix = Path(path).suffix.lower()
        found = next((each for each in FORMATS.values() if suffix in each.suffixes), None)
        if found is None:
            what = f"the suffix {suffix!r}" if suffix else f"{path!r}"
            raise UsageError(f"{what} says no format: use --to with one of {', '.join(FORMATS)}")
        return found
    if given not in FORMATS:
        raise UsageError(f"there is no format {given!r}: it is one of {', '.join(FORMATS)}")
    return FORMATS[given]


def open_recording(source: str | os.PathLike[str], format: str | None = None, *, name: str | None = None) -> Recording:
    """Opens a recording of any format that can be read; ``-`` is standard input. ``name`` is for messages.

    ``format`` is a name in :data:`FORMATS`, for who knows better than the file's contents. A hangup recording is
    read as a stream; a HAR is looked through at once, up to ``har.LIMIT``; of a flow file only the handshakes are.
    Raises :class:`~hangup.errors.ForeignRecording` when it is no recording, and
    :class:`~hangup.errors.RecordingError` when it cannot be opened.
    """
    if format is not None and (format not in FORMATS or not FORMATS[format].reads):
        names = ", ".join(name for name, each in FORMATS.items() if each.reads)
        raise UsageError(f"{format!r} is no format that can be read: it is one of {names}")
    piped = os.fspath(source) == "-"
    name = name or ("standard input" if piped else os.fspath(source))
    path = None if piped else Path(source)
    if path is None and sys.stdin is None:
        raise RecordingError(f"{name} is closed")
    file: Any = sys.stdin.buffer if path is None else _open(path)
    try:
        found = format or detect(_peek(file))
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
        data = _mapped(file if seekable else _spooled(file), name)
        return flow.read(data, name, path) if found == "mitmproxy" else har.read(data, name, path)
    finally:
        if not piped:
            file.close()


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
        raise RecordingError(f"cannot keep what was read: {error.strerror or error}") from None


def _mapped(file: IO[bytes], name: str) -> mmap.mmap:
    """The file as memory that is only read when it is touched."""
    try:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise RecordingError(f"cannot read {name}: {error}") from None
