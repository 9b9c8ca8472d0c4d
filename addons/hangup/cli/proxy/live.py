"""What a running proxy says on the terminal: the line to paste, a line per event, a summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from hangup.cli.doctor import advisories
from hangup.cli.incomplete import exit_code
from hangup.cli.screen import Screen
from hangup.commands import command_line
from hangup.humanize import plural, printable
from hangup.recording import events, loops
from hangup.recording.dev_server import DEV_SERVER, kind_of
from hangup.recording.events import Event
from hangup.recording.known import Known
from hangup.web.wording import headline
from hangup.wire.url import Target

if TYPE_CHECKING:
    from hangup.proxy.run import RunningProxy
    from hangup.recorder.recorder import Recorder
    from hangup.web.server import Server

INDENT = 16
"""Columns before the text of an event: when it was, and on which connection."""

NARROWEST = 20
"""Columns in which it is worth wrapping text."""

COLOURS = {"client": "cyan", "server": "magenta", "proxy": "yellow", "unknown": "white"}

_DONE = {"add": "added", "remove": "removed"}


def reached_at(host: str, wanted: str = "localhost") -> str:
    """The host of a URL that leads to what listens on ``host``; ``wanted`` if it does. Browsers keep cookies by it."""
    if host in ("127.0.0.1", "::1", "0.0.0.0", "::"):
        return wanted
    return f"[{host}]" if ":" in host else host


class Live:
    """Prints to stdout, warnings to stderr. With ``quiet`` only what is needed to use the proxy."""

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self.quiet = quiet
        self.console = console or Screen(highlight=False, soft_wrap=True)
        self.errors = Screen(stderr=True, highlight=False, soft_wrap=True)
        for each in (self.console, self.errors):
            if isinstance(each, Screen):
                each.goes_on = True  # the traffic does
        self.proxy: RunningProxy | None = None
        self.web: Server | None = None
        self._printed_end: set[int] = set()
        self._printed_error: set[str] = set()
        self._warned: set[str] = set()

    def ready(self, proxy: RunningProxy, web: Server | None = None) -> None:
        """The proxy listens, and ``web`` beside it: says where, and what to paste."""
        self.proxy, self.web = proxy, web
        recorder = proxy.recorder
        assert recorder is not None
        settings = proxy.settings
        say = self.console.print
        if settings.modes:
            say(f"[bold]hangup[/] {escape(' '.join(settings.modes))}")
        else:
            say(f"[bold]hangup[/] in front of [bold]{escape(str(settings.target))}[/]")
        try:
            host, port = proxy.address
        except IndexError:
            say("  listening for the traffic that the system redirects")
        else:
            shown = f"[{host}]" if ":" in host else host
            say(f"  listening on {escape(shown)}:{port}")
            if settings.target is not None and not settings.modes:
                for line in self.variables(host, port, settings.target):
                    say(f"  {escape(line)}", style="bold green")
        say(f"  recording to {escape(str(recorder.path))}")
        if web is not None:
            say(f"  page: {escape(web.access.link())}", style="bold")
            say(f"  control on {escape(web.access.address)} (hangup filter on NAME)", style="dim")
        tls = settings.cert is not None or (settings.target is not None and settings.target.secure)
        if tls and not self.quiet and (advisory := advisories.about_tls()):
            say(f"  {escape(advisory)}", style="dim")
        self.console.file.flush()
        if not self.quiet:
            recorder.listeners.append(self.event)

    def tell(self, text: str) -> None:
        """Something else that one has to know to use the proxy."""
        self.console.print(f"  {escape(text)}")
        self.console.file.flush()

    def page_again(self) -> str:
        """Says once more where the page is. Gives the link, which has not been used; empty without a page."""
        if self.web is None:
            return ""
        link = self.web.access.link()
        self.console.print(f"hangup page: {escape(link)}", style="bold")
        self.console.file.flush()
        return link

    def variables(self, host: str, port: int, target: Target) -> list[str]:
        """What leads a frontend to the proxy, line by line."""
        return [f"VITE_WS_BASE=ws://{reached_at(host)}:{port}{target.path}"]

    def warn(self, text: str) -> None:
        """Something that must not be overlooked."""
        self._warned.add(text)
        self.errors.print(f"[bold red]hangup:[/] {escape(text)}")

    def rotated(self, text: str) -> None:
        """The recording goes on in another file."""
        if not self.quiet:
            self.console.print(escape(text), style="dim")
            self.console.file.flush()

    def event(self, event: Event) -> None:
        """One line for what a person wants to see go by."""
        recorder = self.proxy.recorder if self.proxy else None
        if recorder is None:
            return
        line = self._line(event, recorder)
        if line is not None:
            self._say(line)
            self.console.file.flush()

    def _say(self, line: Text) -> None:
        """On a terminal a line that is too long is wrapped at words, below its text; in a file it is one line."""
        room = self.console.width - INDENT
        if not self.console.is_terminal or line.cell_len <= self.console.width or room < NARROWEST:
            self.console.print(line)
            return
        head, said = line.divide([INDENT])
        for part in said.wrap(self.console, room):
            part.rstrip()
            self.console.print(head + part)
            head = Text(" " * INDENT)

    def _line(self, event: Event, recorder: Recorder) -> Text | None:
        stamp = Text(f"{event.at:9.3f}  ", style="dim")
        name = Text(f"#{event.conn:<4}", style="bold")
        if isinstance(event, events.Handshake):
            return stamp + name + self._handshake(event)
        if isinstance(event, events.Frame) and event.opcode == "close":
            reason = f" {printable(event.reason, 200)!r}" if event.reason else ""
            what = f"CLOSE {event.code if event.code is not None else 'without a code'}{reason}"
            return stamp + name + Text(f"{event.side} sends {what}", style=COLOURS[event.side])
        if isinstance(event, events.Frame) and event.problems:
            what = f"{event.side} sent a bad {event.opcode} frame ({event.n}): {', '.join(event.problems)}"
            return stamp + name + Text(what, style="red")
        if isinstance(event, events.Raw):
            return stamp + name + Text(f"{event.side}: {', '.join(event.problems)}", style="red")
        if isinstance(event, events.End) and event.conn not in self._printed_end:
            self._printed_end.add(event.conn)
            connection = recorder.ledger.connections[event.conn]
            ending = connection.ending
            if connection.refused and connection.answered_by == "" and connection.error == ending.sentence:
                return None  # the handshake's line has said it
            return stamp + name + Text(ending.sentence, style=COLOURS.get(ending.by, "white"))
        if isinstance(event, events.FilterEvent) and event.action == "error":
            if event.filter in self._printed_error:
                return None
            self._printed_error.add(event.filter)
            what = f"{event.filter} failed and was skipped: {printable(event.note, 200)} (reported once)"
            return stamp + name + Text(what, style="red")
        if isinstance(event, events.FilterEvent) and not event.conn:
            return stamp + Text(f"filter {_DONE.get(event.action, event.action)}: {event.filter}", style="bold yellow")
        if isinstance(event, events.Note):
            if event.text in self._warned:
                return None
            return stamp + Text(printable(event.text), style="yellow")
        if isinstance(event, events.Log):
            lines = len(event.text.splitlines())
            more = f"  (+{plural(lines - 1, 'line')})" if lines > 1 else ""
            said = printable(headline(event.text), 200)
            return stamp + Text(f"      {printable(PurePath(event.source).name, 20)} | {said}{more}", style="dim")
        return None

    def _handshake(self, event: events.Handshake) -> Text:
        where = printable(f"{event.request.method} {event.request.target}", 300)
        if event.response is None:
            return Text(f"{where} -> {event.error}", style="red")
        status = event.response.status
        line = Text(f"{where} -> {status}", style="green" if status == 101 else "red")
        if kind_of(event.original or event.request) != "app":
            line.append(f"  {DEV_SERVER}", style="dim")
        if event.problems:
            line.append(f"  ({', '.join(event.problems)})", style="red")
        return line

    def summary(self, code: int = 0) -> int:
        """After the end: what was seen, where it is, what to do next. Gives the exit code: ``code``, unless that
        would be 0 though something was not recorded."""
        recorder = self.proxy.recorder if self.proxy else None
        if self.proxy is None or recorder is None:
            return code
        say = self.console.print
        connections = recorder.ledger.known()
        http = f", {recorder.http} other HTTP requests" if recorder.http else ""
        count = len(connections)
        own = sum(connection.kind == "hmr" for connection in connections)
        aside = f" ({own} {DEV_SERVER})" if own else ""
        say(f"\n[bold]{count} connection{'' if count == 1 else 's'}[/]{aside}{http}")
        found = loops.find(connections)
        for loop in found:
            # A sentence, not to be copied as a command is: it may be wrapped, where there is a terminal.
            say(f"[red]a loop:[/] {escape(loop.sentence)}", soft_wrap=not self.console.is_terminal)
        if connections and not found:
            say("no reconnect loop")
        code = exit_code(recorder, code, self.warn)
        files = [path for path in recorder.journal.files if path.exists()]
        if not files:
            say("nothing could be recorded", style="bold red")
            self.console.file.flush()
            return code
        on = f" and {plural(len(files) - 1, 'more file')} up to {files[-1].name}" if files[1:] else ""
        say(f"recording: {escape(str(files[0]))}{escape(on)}")
        for number, line in enumerate(_next(files[0], connections, self.proxy.settings.target)):
            say(Text(f"{'' if number else 'next:':<6}{printable(line)}", "bold"), soft_wrap=True)
        self.console.file.flush()
        return code


def _next(recording: Path, connections: Sequence[Known], target: Target | None) -> list[str]:
    """What to do with the recording: look at it; and where something dropped, ask why, and have it proved."""
    shown = [command_line("show", recording)]
    dropped = [connection for connection in connections if connection.kind == "app" and connection.failed]
    if not dropped:
        return shown
    where = target.base if target is not None else "TARGET"
    by_client = sum(connection.ending.by == "client" for connection in dropped) * 2 > len(dropped)
    prove = ("--live", where) if by_client else (recording, where)
    return [*shown, command_line("why", recording), command_line("bisect", *prove)]
