"""Markdown out, to be pasted into an issue: handshake, frames as a table, and the sentence that says who ended it.

It is for people, so it is kept short: connections that ended alike stand in one row, and of these one is shown with its
frames; long payloads, long connections and many connections are shown in part, and it says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import BinaryIO, TypeVar

from msgspec import Struct, field

from hangup import __version__
from hangup.humanize import duration, plural, size
from hangup.markup import block, cell, code, plain, prose
from hangup.recording.connections import Connection
from hangup.recording.events import AnyEvent, End, FilterEvent, Frame, Handshake, Header, Log, Note, Raw, Side
from hangup.recording.formats.losses import Losses
from hangup.recording.ledger import Ledger
from hangup.wire.inflation_budget import LEFT_COMPRESSED

FIRST, LAST = 30, 50
"""So many of a connection's rows are shown, from its beginning and from its end."""

CONNECTIONS = 10
"""So many connections are shown with their frames from the recording's beginning, and as many from its end."""

LISTED = 50
"""So many rows of connections are listed from the beginning, and as many from the end."""

RUNS = 6
"""So many runs of numbers are named."""

VERSION = 40
PAYLOAD = 120
"""So many characters of a payload are shown."""

HEADER_VALUE = 300
SENTENCE = 1000

SIDES: tuple[Side, Side] = ("client", "server")

T = TypeVar("T", int, float)


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
    """Keeps what will be shown, and writes it at the end.

    ``lead`` are lines that stand first, in the place of a heading; ``spoken_of`` are connections of which it speaks, so
    that their frames are shown.
    """

    def __init__(
        self, out: BinaryIO, header: Header, lead: Sequence[str] = (), spoken_of: Iterable[int] = ()
    ) -> None:
        self.losses = Losses()
        self._out = out
        self._header = header
        self._lead = list(lead)
        self._spoken_of = list(islice(dict.fromkeys(spoken_of), CONNECTIONS))
        self._wanted: dict[int, _Shown] = {}
        self._ledger = Ledger()
        self._early: dict[int, _Shown] = {}
        self._late: dict[int, _Shown] = {}

    def write(self, event: AnyEvent) -> None:
        """Takes the next event."""
        self._ledger.feed(event)
        if not event.conn:
            return
        shown = self._wanted.get(event.conn) or self._early.get(event.conn) or self._late.get(event.conn)
        if shown is None and event.conn in self._spoken_of:
            shown = self._wanted[event.conn] = _Shown(event.conn)
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
        lines = self._lead or [f"### WebSocket recording{_to(header.target)}"]
        started = code(header.started, PAYLOAD) if not self._lead else ""
        facts = [f"recorded {started}" if started else "", code(header.source, PAYLOAD)]
        lines += ["", ", ".join(filter(None, [*facts, plain(f"by hangup {header.version or __version__}", VERSION)]))]
        if header.note:
            lines += ["", f"_{plain(header.note, SENTENCE)}_"]
        connections = [self._ledger.connections[conn] for conn in sorted(self._ledger.connections)]
        rows = alike(connections)
        if len(connections) != 1:
            lines += ["", *_list(len(connections), rows)]
        kept = {**self._early, **self._late, **self._wanted}
        chosen = self._worth_showing(rows, kept)
        for each in chosen:
            lines += ["", *self._connection(self._ledger.connections[each], kept[each])]
        self.losses.count("frame table", len(connections) - len(chosen))
        self._out.write("\n".join([*lines, ""]).encode(errors="replace"))

    def _worth_showing(self, rows: list[list[Connection]], kept: dict[int, _Shown]) -> list[int]:
        """Of each row one connection: that which is spoken of, else the one on which most happened."""
        chosen = []
        for row in rows:
            there = [each.conn for each in row if each.conn in kept]
            spoken_of = [conn for conn in self._spoken_of if conn in there]
            chosen += spoken_of[:1] or sorted(there, key=lambda conn: kept[conn].rows)[-1:]
        return sorted(chosen)

    def close(self) -> None:
        """Nothing is held."""

    def _connection(self, connection: Connection, shown: _Shown) -> list[str]:
        lines = [f"#### Connection {connection.conn}: {code(connection.path or '/', PAYLOAD)}", ""]
        lines.append(f"**{prose(connection.ending.sentence, SENTENCE)}**")
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


def alike(connections: Iterable[Connection]) -> list[list[Connection]]:
    """Connections that asked for the same and ended in the same way, together; in the order of the first of each."""
    rows: dict[tuple[object, ...], list[Connection]] = {}
    for each in connections:
        ending = each.ending
        key = (each.path, each.status, each.opened is None, ending.by, ending.how, ending.code, ending.reason)
        rows.setdefault(key, []).append(each)
    return list(rows.values())


def _list(count: int, rows: list[list[Connection]]) -> list[str]:
    lines = [
        f"{plural(count, 'connection')}.",
        "",
        "| connections | path | status | opened (s) | lifetime | frames client/server | ended |",
        "|--:|---|--:|--:|--:|--:|---|",
    ]
    for i, row in enumerate(rows):
        if LISTED <= i < len(rows) - LISTED:
            if i == LISTED:
                others = sum(len(each) for each in rows[LISTED : len(rows) - LISTED])
                lines.append(f"| … | {plural(others, 'more connection')} | | | | | |")
            continue
        first = row[0]
        opened = _range([each.opened for each in row], lambda at: f"{at:.3f}")
        lifetime = _range([each.lifetime for each in row], duration)
        status = "" if first.status is None else str(first.status)
        counts = "/".join(_range([each.frames[side] for each in row], str) for side in SIDES)
        path, sentence = cell(code(first.path, PAYLOAD)), cell(prose(first.ending.sentence, SENTENCE))
        if len(row) > 1:
            sentence = f"all {len(row)} alike, such as connection {first.conn}: {sentence}"
        numbers = ranges(each.conn for each in row)
        lines.append(f"| {numbers} | {path} | {status} | {opened} | {lifetime} | {counts} | {sentence} |")
    return lines


def _range(values: Iterable[T | None], words: Callable[[T], str]) -> str:
    """``812 ms to 853 ms``; one where all read the same, nothing where there is none."""
    there = [value for value in values if value is not None]
    if not there:
        return ""
    low, high = words(min(there)), words(max(there))
    return low if low == high else f"{low} to {high}"


def ranges(numbers: Iterable[int]) -> str:
    """``1 to 6, 8``; of many runs the first few."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    words = [f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    return ", ".join(words) if len(words) <= RUNS else f"{', '.join(words[:RUNS])}, …"


def _handshake(event: Handshake) -> list[str]:
    request, response = event.request, event.response
    text = [f"{request.method} {request.target} {request.version}"]
    text += [f"{name}: {value}" for name, value in request.headers]
    text.append("")
    if response is not None:
        text.append(f"{response.version} {response.status} {response.reason}".rstrip())
        text += [f"{name}: {value}" for name, value in response.headers]
        if lines := response.lines(20):
            text += ["", *lines]
    else:
        text.append(f"(no response: {event.error or 'unknown'})")
    took = f", answered after {duration(event.waited)}" if event.waited else ""
    summary = f"<details><summary>Handshake{took}</summary>"
    return [summary, "", *block(text, "http", HEADER_VALUE), "", "</details>"]


def _row(event: AnyEvent) -> str:
    at = f"{event.at:.3f}"
    if isinstance(event, Frame):
        kind = event.opcode + ("" if event.fin else ", more follows") + (", compressed" if event.rsv & 4 else "")
        kind = plain(kind) + _faults(event.problems)
        return f"| {event.n} | {at} | {event.side} | {cell(kind)} | {size(event.size)} | {_payload(event)} |"
    if isinstance(event, Raw):
        length = size(event.cut or len(event.payload))
        return f"| | {at} | {event.side} | {cell(_faults(event.problems))} | {length} | {_bytes(event.payload)} |"
    if isinstance(event, End):
        by = f" by {code(event.by, PAYLOAD)}" if event.by else ""
        return f"| | {at} | {event.side} | **{event.how.upper()}**{cell(by)} | | {cell(prose(event.note, SENTENCE))} |"
    if isinstance(event, FilterEvent):
        which = f"frame {event.n}" if event.n is not None else ""
        what = cell(f"filter {code(event.filter, PAYLOAD)}: {plain(event.action)} {which}")
        return f"| | {at} | {event.side or ''} | {what} | | {_bytes(event.wire or b'')} |"
    if isinstance(event, Log | Note):
        last = event.text.strip().splitlines()[-1:] or [""]
        return f"| | {at} | | {'log' if isinstance(event, Log) else 'note'} | | {cell(code(last[0], PAYLOAD))} |"
    return ""


def _faults(problems: tuple[str, ...]) -> str:
    return f" **{plain(', '.join(problems))}**" if problems else ""


def _payload(event: Frame) -> str:
    if event.opcode == "close":
        return cell("" if event.code is None else f"{event.code} {code(event.reason or '', PAYLOAD)}")
    if event.message is not None:
        return cell(code(event.message, PAYLOAD))
    if event.message_base64 is not None:
        return _bytes(event.message_base64)
    if event.left_compressed:
        return LEFT_COMPRESSED
    if event.text is not None and not event.rsv & 4:
        return cell(code(event.text, PAYLOAD))
    return _bytes(event.payload)


def _bytes(data: bytes) -> str:
    if not data:
        return ""
    return f"`{data[:24].hex(' ')}{' …' if len(data) > 24 else ''}`"


def _to(target: str) -> str:
    return f" of {code(target, PAYLOAD)}" if target else ""
