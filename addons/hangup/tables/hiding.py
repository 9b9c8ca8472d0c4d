"""The texts of connections without secrets, in far less time than it takes to look into every message.

What an export hides is learned from all that was recorded, as a secret may stand in a message before a close reason
repeats it. Nearly all of a recording is messages of which no connection tells anything. So what is no plain message is
learned whole; of the messages only those in which a word stands that is to be told of a connection, too. One thing is
not seen that way: a secret that stands in a message only packed (base64, say), and plainly in a reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from hangup.recording.connections import Connection
from hangup.recording.events import AnyEvent, Frame, decode
from hangup.recording.formats import Recording
from hangup.recording.ledger import Ledger
from hangup.recording.reader import Reader
from hangup.recording.redaction.names import is_a_name
from hangup.recording.redaction.redactor import Redactor
from hangup.recording.redaction.word_search import any_of

_WORD = re.compile(r"[A-Za-z0-9_\-+.~%@!$*|]{6,}")
_BLOCK = 1 << 20
_HANDSHAKE = b'{"kind":"handshake"'
_SHORT = 8
"""Shorter words (characters) without a digit are nobody's secret."""


def apart(batch: list[AnyEvent]) -> list[AnyEvent]:
    """The events that are no messages by themselves: of those no connection tells anything."""
    return [
        event
        for event in batch
        if type(event) is not Frame or event.opcode != "text" or event.rsv or event.parts or not event.fin
    ]


def learn_of_connections(redactor: Redactor, ledger: Ledger, others: list[AnyEvent], source: Recording) -> None:
    """Meets the secrets that connections may tell. ``others`` are the events that stand :func:`apart`; the ``source``
    is read once more."""
    redactor.learn(others)
    told = {text for connection in ledger.connections.values() for text in _told(connection)}
    words = {word for text in told for word in _WORD.findall(text) if _may_be_secret(word)}
    telling = list(_with_any(words, source)) if words else []
    if telling:
        redactor.learn([*others, *telling])


def _with_any(words: set[str], source: Recording) -> Iterator[Frame]:
    """The messages in which one of these words stands."""
    if isinstance(source, Reader) and source.path is not None:
        yield from _in_file(words, source.path)
        return
    found = re.compile(any_of(words)).search
    for batch in source.batches():
        for event in batch:
            if type(event) is Frame and event.text is not None and found(event.text):
                yield event


def _in_file(words: set[str], path: Path) -> Iterator[Frame]:
    """The same of our own format, in which words stand as they are: only the lines that have one are decoded."""
    search = re.compile(any_of(words).encode()).search
    with open(path, "rb") as file:
        left = b""
        while block := file.read(_BLOCK):
            end = block.rfind(b"\n") + 1
            lines, left = (left + block[:end], block[end:]) if end else (b"", left + block)
            yield from _in_lines(lines, search)
        yield from _in_lines(left, search)


def _in_lines(lines: bytes, search: Callable[[bytes, int], re.Match[bytes] | None]) -> Iterator[Frame]:
    at = 0
    while at < len(lines) and (found := search(lines, at)) is not None:
        begin = lines.rfind(b"\n", 0, found.start()) + 1
        at = lines.find(b"\n", found.end()) + 1 or len(lines)
        if lines.startswith(_HANDSHAKE, begin):
            continue
        try:
            event = decode(lines[begin:at])
        except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
            continue
        if type(event) is Frame:
            yield event


def _told(connection: Connection) -> Iterable[str]:
    yield connection.target
    yield connection.error
    yield connection.location
    yield connection.untold
    yield from connection.checks
    yield from connection.junk.values()
    if connection.told is not None:
        yield connection.told.reason
    for step in connection.steps:
        yield step.reason
        yield step.note


def _may_be_secret(word: str) -> bool:
    mixed = any(map(str.isdigit, word)) and any(map(str.isalpha, word))
    return (mixed or len(word) >= _SHORT) and not is_a_name(word)


def hide(connection: Connection, redactor: Redactor) -> None:
    """Takes the secrets out of what a connection tells, for good. What became of it must have been asked before."""
    vault = redactor.vault
    text = vault.text
    connection.target = vault.text(connection.target, url=True)
    connection.path = connection.target.partition("?")[0]
    connection.error, connection.location = text(connection.error), text(connection.location)
    connection.untold, connection.phrase = text(connection.untold), text(connection.phrase)
    connection.answered_by = text(connection.answered_by)
    connection.checks = tuple(map(text, connection.checks))
    connection.junk = {side: text(said) for side, said in connection.junk.items()}
    if connection.origin is not None:
        connection.origin = vault.header("Origin", connection.origin)
    if connection.subprotocol is not None:
        connection.subprotocol = vault.header("Sec-WebSocket-Protocol", connection.subprotocol)
    for step in connection.steps:
        step.reason, step.note, step.by = text(step.reason), text(step.note), text(step.by)
    if connection.told is not None:
        connection.told = msgspec.structs.replace(connection.told, reason=text(connection.told.reason))
    connection.read = connection.over = None
