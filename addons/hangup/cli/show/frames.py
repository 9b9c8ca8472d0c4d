"""One connection of a recording, event by event: handshake, frames, what filters did, log lines, ends."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from hangup.cli.screen import ARROWS, COLOURS
from hangup.humanize import duration, printable, size
from hangup.recording import events
from hangup.recording.connections import Connection
from hangup.recording.events import AnyEvent
from hangup.wire import close_codes
from hangup.wire.inflation_budget import LEFT_COMPRESSED

PREVIEW = 1000
"""At most so many characters of a payload are shown, however wide the terminal is."""

WIDE = 110
"""From so many columns on, the time since the event before is shown too."""

AFTERMATH = 2.0
"""Seconds after a connection's last event in which what concerns no connection (a log line) is still shown with it."""

OWN = 0.25
"""But after so many, only until another connection ends: then it may be about that one."""

_FIRST_WIDE = "\u1100"  # no character before it takes two columns

_COMPRESSED = 4
"""RSV1, which marks a compressed message where that was agreed to (RFC 7692)."""

_SHORT_OPCODES = {"continuation": "cont."}


Line = list[tuple[str, str]]
"""Pieces of text, each with its style. All of it is printable."""


class Frames:
    """Prints the events of connection ``conn``, each as it comes."""

    def __init__(self, console: Console, conn: int) -> None:
        self._console = console
        self._conn = conn
        self._last_at: float | None = None
        self._over = False
        self._terminal = console.is_terminal
        self._width = console.width
        self._write = console.file.write
        self._wide = self._width >= WIDE
        self._before: float | None = None
        self._indent = " " * (25 if self._wide else 12)

    def show(self, event: AnyEvent, connection: Connection | None) -> None:
        """Prints an event if it is of the connection, or of the whole proxy during the connection's time."""
        if event.conn != self._conn:
            if self._last_at is None or connection is None:
                return
            late = event.at - self._last_at if connection.ended is not None else 0.0
            if event.conn:
                self._over = self._over or (isinstance(event, events.End) and late > OWN)
                return
            if self._over or late > AFTERMATH:
                return
        else:
            self._last_at = event.at
        match event:
            case events.Frame():
                self._row(event.at, _frame(event))
            case events.Handshake():
                self._handshake(event)
            case events.Raw():
                self._row(event.at, _raw(event))
            case events.End():
                self._row(event.at, _end(event))
            case events.FilterEvent():
                self._row(event.at, _filter(event))
            case events.Log():
                self._log(event)
            case events.Note():
                self._row(event.at, [("note  ", "yellow"), (printable(event.text), "yellow")])

    def end(self, connection: Connection) -> None:
        """Prints what it comes to."""
        ending = connection.ending
        self._console.print()
        self._console.print(Text(f"#{connection.conn} ", "bold").append(ending.sentence, COLOURS[ending.by]))
        if ending.code is not None and ending.by != "proxy":
            self._console.print(Text(close_codes.explain(ending.code), "dim"))

    def _print(self, line: Line) -> None:
        if self._terminal:
            text = Text.assemble(*line)
            text.truncate(self._console.width, overflow="ellipsis")
            self._console.print(text, soft_wrap=True)
            return
        # A million lines into a pipe need no styling, and no time for it.
        plain = "".join(text for text, _ in line).rstrip()
        width = self._width
        if len(plain) > width or max(plain, default="") >= _FIRST_WIDE and cell_len(plain) > width:
            plain = set_cell_size(plain, width - 1) + "…"
        self._write(plain + "\n")

    def _row(self, at: float, line: Line) -> None:
        time = f"{at:10.3f}  " if abs(at) < 1e9 else f"{at:10.3g}  "
        if self._wide:
            since = "" if self._before is None else duration(at - self._before)
            since = since if since.startswith("-") or not since else f"+{since}"
            time += f"{since:>11}  "
            self._before = at
        self._print([(time, "dim"), *line])

    def _line(self, *line: tuple[str, str]) -> None:
        self._print([(self._indent, ""), *line])

    def _handshake(self, event: events.Handshake) -> None:
        waited = f", answered after {duration(event.waited)}" if event.waited else ""
        ends = f"{printable(event.client) or 'client'} → {printable(event.server) or 'server'}"
        self._row(event.at, [(ends + waited, "bold")])
        if event.original is not None and event.rewritten:
            self._request("as the client sent it:", event.original)
            self._request("as a filter sent it on:", event.request)
        else:
            self._request("", event.request)
            if event.client_host:
                self._line((f"the client sent Host: {printable(event.client_host)}", "yellow"))
        if event.response is not None:
            self._response("", event.response)
        else:
            self._line((f"no answer: {printable(event.error)}", "red"))
        if event.returned is not None:
            self._response("as a filter gave it to the client:", event.returned)
        if event.by:
            self._line((f"answered by {printable(event.by)}", "yellow"))
        for problem in event.problems:
            self._line(("✗ ", "bold red"), (printable(problem), "red"))
        if not event.problems and event.response is not None and event.response.status == 101:
            self._line(("✓ all handshake checks passed", "green"))

    def _request(self, title: str, request: events.Request) -> None:
        if title:
            self._line((title, "yellow"))
        self._line((printable(f"{request.method} {request.target} {request.version}"), COLOURS["client"]))
        self._headers(request.headers)

    def _response(self, title: str, response: events.Response) -> None:
        if title:
            self._line((title, "yellow"))
        status = f"{response.version} {response.status} {response.reason}"
        self._line((printable(status.rstrip()), COLOURS["server"]))
        self._headers(response.headers)
        for line in response.lines(10):
            self._line((f"  {printable(line)}", "dim"))

    def _headers(self, headers: list[tuple[str, str]]) -> None:
        for name, value in headers:
            self._line((f"  {printable(name)}: ", "dim"), (printable(value), ""))

    def _log(self, event: events.Log) -> None:
        first, *rest = event.text.splitlines() or [""]
        source = f"{printable(event.source, 40)}: " if event.source else ""
        self._row(event.at, [(f"log   {source}", "blue"), (printable(first), "")])
        for line in rest:
            self._line((f"      {printable(line)}", ""))


def _frame(event: events.Frame) -> Line:
    opcode = printable(_SHORT_OPCODES.get(event.opcode, event.opcode), 12)
    flags = ""
    if not event.fin:
        flags += "fin=0 "
    compressed = event.rsv & _COMPRESSED if _is_compressed(event) else 0
    if compressed:
        flags += "compressed "
    if event.rsv & ~compressed:
        flags += f"rsv={event.rsv & ~compressed} "
    if event.parts > 1:
        flags += f"in {event.parts} parts "
    line = [
        (f"{ARROWS[event.side]} {event.n:<4} {opcode:<6} ", COLOURS[event.side]),
        (f"{size(event.size):>8}  {flags}", "dim"),
    ]
    if event.problems:
        line.append((f"{printable(', '.join(event.problems), 120)} ", "bold red"))
    return line + _payload(event)


def _is_compressed(event: events.Frame) -> bool:
    """Whether RSV1 means so here: what the message is, was found out by inflating it."""
    inflated = event.message is not None or event.message_base64 is not None or event.message_length is not None
    return inflated or event.left_compressed


def _payload(event: events.Frame) -> Line:
    if event.opcode == "close":
        if event.code is None:
            return [("without a code", "")]
        name = close_codes.name(event.code)
        code = f"{event.code} ({name.lower()})" if name else str(event.code)
        return [(f'{code} "{printable(event.reason, PREVIEW)}"' if event.reason else code, "")]
    if event.message is not None or event.message_base64 is not None:
        data = event.message_base64 if event.message is None else event.message.encode()
        return [(f"message of {size(len(data or b''))}: ", "dim"), *_preview(event.message, data)]
    if event.message_length is not None:
        return [(f"message of {size(event.message_length)}", "dim")]
    if event.left_compressed:
        return [(LEFT_COMPRESSED, "yellow")]
    return _preview(event.text, event.base64)


def _preview(text: str | None, data: bytes | None) -> Line:
    if text is not None:
        return [(printable(text[: PREVIEW + 1], PREVIEW), "")]
    return [(_hex(data), "dim")] if data else []


def _hex(data: bytes) -> str:
    return data[:64].hex(" ") + (" …" if len(data) > 64 else "")


def _raw(event: events.Raw) -> Line:
    seen = event.cut if event.cut is not None else len(event.payload)
    what = f"{size(seen)} "
    if event.length is not None:
        what += f"of a {printable(event.opcode or '', 12)} frame of {size(event.length)} "
    problems = f"{printable(', '.join(event.problems), 120)} "
    line = [(f"{ARROWS[event.side]}      ", COLOURS[event.side]), (problems, "bold red"), (what, "dim")]
    return line + _preview(event.text, event.base64)


def _end(event: events.End) -> Line:
    line = [(f"{ARROWS[event.side]}      {event.how.upper()}", f"bold {COLOURS[event.side]}")]
    if event.by:
        line.append((f" by {'hangup' if event.by == 'proxy' else printable(event.by, 120)}", "yellow"))
    if event.note:
        line.append((f" ({printable(event.note, 200)})", ""))
    return line


def _filter(event: events.FilterEvent) -> Line:
    what = printable(event.action, 20)
    if event.n is not None:
        what += f" {event.side or ''} frame {event.n}"
    elif event.side is not None:
        what += f" as the {event.side}"
    line = [("filter  ", "bold yellow"), (f"{what} by {printable(event.filter, 200)}", "yellow")]
    if event.note:
        line.append((f" ({printable(event.note, 200)})", ""))
    if event.wire is not None:
        line.append((f"  sent: {size(len(event.wire))} {_hex(event.wire)}", "dim"))
    return line
