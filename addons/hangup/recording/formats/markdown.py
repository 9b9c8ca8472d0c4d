"""Markdown out, to be pasted into an issue: handshake, frames as a table, and the sentence that says who ended it.

It is for people, so it is kept short: long payloads, long connections and many connections are shown in part, and it
says so.
"""

from __future__ import annotations

import re
from collections import deque
from typing import BinaryIO

from msgspec import Struct, field

from hangup import __version__
from hangup.humanize import duration, plural, printable, size
from hangup.recording.connections import Connection
from hangup.recording.events import AnyEvent, End, FilterEvent, Frame, Handshake, Header, Log, Note, Raw
from hangup.recording.formats.losses import Losses
from hangup.recording.ledger import Ledger

FIRST, LAST = 30, 50
"""So many of a connection's rows are shown, from its beginning and from its end."""

CONNECTIONS = 10
"""So many connections are shown with their frames from the recording's beginning, and as many from its end."""

LISTED = 50
"""So many connections are listed from the beginning, and as many from the end."""

PAYLOAD = 120
"""So many characters of a payload are shown."""

HEADER_VALUE = 300


class _Shown(Struct):
    conn: int
    handshake: Handshake | None = None
    first: list[str] = []
    last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST))
    rows: int = 0

    def add(self, row: str) -> None:
        self.rows += 1
        if len(self.first) < FIRST:
            self.first.append(row)
        else:
            self.last.append(row)


class MarkdownWriter:
    """Keeps what will be shown, and writes it at the end."""

    def __init__(self, out: BinaryIO, header: Header) -> None:
        self.losses = Losses()
        self._out = out
        self._header = header
        self._ledger = Ledger()
        self._early: dict[int, _Shown] = {}
        self._late: dict[int, _Shown] = {}

    def write(self, event: AnyEvent) -> None:
        """Takes the next event."""
        self._ledger.feed(event)
        if not event.conn:
            return
        shown = self._early.get(event.conn) or self._late.get(event.conn)
        if shown is None:
            if event.conn in self._ledger.connections and not isinstance(event, Handshake) and self._late:
                if event.conn < min(self._late):
                    return  # it was shown no more
            shown = _Shown(event.conn)
            if len(self._early) < CONNECTIONS:
                self._early[event.conn] = shown
            else:
                self._late[event.conn] = shown
                if len(self._late) > CONNECTIONS:
                    del self._late[min(self._late)]
        if isinstance(event, Handshake):
            shown.handshake = event
        elif row := _row(event):
            shown.add(row)

    def finish(self) -> None:
        """Writes the document."""
        header = self._header
        lines = [f"### WebSocket recording{_to(header.target)}", ""]
        facts = [f"recorded {_code(header.started)}" if header.started else "", _code(header.source)]
        lines.append(", ".join(filter(None, [*facts, f"by hangup {header.version or __version__}"])))
        if header.note:
            lines += ["", f"_{_plain(header.note)}_"]
        connections = [self._ledger.connections[conn] for conn in sorted(self._ledger.connections)]
        if len(connections) != 1:
            lines += ["", *_list(connections)]
        for conn, shown in sorted({**self._early, **self._late}.items()):
            lines += ["", *self._connection(self._ledger.connections[conn], shown)]
        hidden = len(connections) - len(self._early) - len(self._late)
        if hidden > 0:
            self.losses.count("frame table", hidden)
        self._out.write("\n".join([*lines, ""]).encode(errors="replace"))

    def close(self) -> None:
        """Nothing is held."""

    def _connection(self, connection: Connection, shown: _Shown) -> list[str]:
        lines = [f"#### Connection {connection.conn}: {_code(connection.path or '/')}", ""]
        lines.append(f"**{_plain(connection.ending.sentence)}**")
        if shown.handshake is not None:
            lines += ["", *_handshake(shown.handshake)]
        if shown.rows:
            lines += ["", "| frame | at (s) | from | kind | size | payload |", "|--:|--:|---|---|--:|---|"]
            lines += shown.first
            left_out = shown.rows - len(shown.first) - len(shown.last)
            if left_out:
                self.losses.count("row", left_out)
                lines.append(f"| | | | | | … {plural(left_out, 'row')} left out … |")
            lines += shown.last
        return lines


def _list(connections: list[Connection]) -> list[str]:
    lines = [
        f"{plural(len(connections), 'connection')}.",
        "",
        "| conn | path | status | opened (s) | lifetime | frames client/server | ended |",
        "|--:|---|--:|--:|--:|--:|---|",
    ]
    for i, each in enumerate(connections):
        if LISTED <= i < len(connections) - LISTED:
            if i == LISTED:
                lines.append(f"| … | {plural(len(connections) - 2 * LISTED, 'more connection')} | | | | | |")
            continue
        opened = "" if each.opened is None else f"{each.opened:.3f}"
        lifetime = "" if each.lifetime is None else duration(each.lifetime)
        status = "" if each.status is None else str(each.status)
        counts = f"{each.frames['client']}/{each.frames['server']}"
        sentence = _cell(_plain(each.ending.sentence))
        lines.append(
            f"| {each.conn} | {_cell(_code(each.path))} | {status} | {opened} | {lifetime} | {counts} | {sentence} |"
        )
    return lines


def _handshake(event: Handshake) -> list[str]:
    request, response = event.request, event.response
    text = [f"{request.method} {request.target} {request.version}"]
    text += [f"{name}: {value}" for name, value in request.headers]
    text.append("")
    if response is not None:
        text.append(f"{response.version} {response.status} {response.reason}".rstrip())
        text += [f"{name}: {value}" for name, value in response.headers]
        if response.text:
            text += ["", *response.text.splitlines()[:20]]
    else:
        text.append(f"(no response: {event.error or 'unknown'})")
    body = [printable(line, HEADER_VALUE) for line in text]
    fence = "`" * max(3, *(len(run) + 1 for line in body for run in re.findall("`+", line) or [""]))
    took = f", answered after {duration(event.waited)}" if event.waited else ""
    return [f"<details><summary>Handshake{took}</summary>", "", f"{fence}http", *body, fence, "", "</details>"]


def _row(event: AnyEvent) -> str:
    at = f"{event.at:.3f}"
    if isinstance(event, Frame):
        kind = event.opcode + ("" if event.fin else ", more follows") + (", compressed" if event.rsv & 4 else "")
        kind = _plain(kind) + _faults(event.problems)
        return f"| {event.n} | {at} | {event.side} | {_cell(kind)} | {size(event.size)} | {_payload(event)} |"
    if isinstance(event, Raw):
        length = size(event.cut or len(event.payload))
        return f"| | {at} | {event.side} | {_cell(_faults(event.problems))} | {length} | {_bytes(event.payload)} |"
    if isinstance(event, End):
        by = f" by {_code(event.by)}" if event.by else ""
        return f"| | {at} | {event.side} | **{event.how.upper()}**{_cell(by)} | | {_cell(_plain(event.note))} |"
    if isinstance(event, FilterEvent):
        which = f"frame {event.n}" if event.n is not None else ""
        what = _cell(f"filter {_code(event.filter)}: {_plain(event.action)} {which}")
        return f"| | {at} | {event.side or ''} | {what} | | {_bytes(event.wire or b'')} |"
    if isinstance(event, Log | Note):
        last = event.text.strip().splitlines()[-1:] or [""]
        return f"| | {at} | | {'log' if isinstance(event, Log) else 'note'} | | {_cell(_code(last[0]))} |"
    return ""


def _faults(problems: tuple[str, ...]) -> str:
    return f" **{_plain(', '.join(problems))}**" if problems else ""


def _payload(event: Frame) -> str:
    if event.opcode == "close":
        return _cell("" if event.code is None else f"{event.code} {_code(event.reason or '')}")
    if event.message is not None:
        return _cell(_code(event.message))
    if event.message_base64 is not None:
        return _bytes(event.message_base64)
    if event.text is not None and not event.rsv & 4:
        return _cell(_code(event.text))
    return _bytes(event.payload)


def _bytes(data: bytes) -> str:
    if not data:
        return ""
    return f"`{data[:24].hex(' ')}{' …' if len(data) > 24 else ''}`"


def _code(text: str) -> str:
    """Foreign text as code: nothing in it is markup."""
    text = printable(text, PAYLOAD)
    if not text.strip():
        return f"`{text}`" if text else ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{space}{text}{space}{fence}"


def _plain(text: str) -> str:
    """Foreign text as running text: what could be markup is escaped, or mention somebody."""
    return re.sub(r"([\\*_\[\]<>#|~@])", r"\\\1", printable(text, 1000)).replace("\\@", "&#64;")


def _cell(text: str) -> str:
    """A table's cell ends at a bar, even within code."""
    return re.sub(r"(?<!\\)((?:\\\\)*)\|", r"\1\\|", text)


def _to(target: str) -> str:
    return f" of {_code(target)}" if target else ""
