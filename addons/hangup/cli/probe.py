"""``hangup probe``: the handshake alone, every check in words."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hangup.cli.screen import Screen
from hangup.cli.targets import connecting_options
from hangup.errors import UsageError
from hangup.humanize import duration, plural, printable
from hangup.probe.handshakes import Attempt, ProbeReport, ProbeSettings
from hangup.probe.handshakes import probe as run
from hangup.wire.handshake import Check
from hangup.wire.header_lists import is_token
from hangup.wire.url import parse_target

BODY_SHOWN = 300
"""Characters of a refusal's body that are shown."""


@click.command(
    epilog="""\b
Examples:
  hangup probe ws://localhost:8000/ws/1
  hangup probe wss://example.org/graphql --subprotocol graphql-transport-ws --header 'Cookie: id=42'"""
)
@click.argument("url")
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Send this header. Repeatable.")
@click.option("--subprotocol", "subprotocols", multiple=True, metavar="NAME", help=(
    "Offer this subprotocol. "
    "Repeatable."
))
@click.option("--origin", metavar="ORIGIN", help="The Origin to send; by default the URL's own.")
@connecting_options("response")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def probe(
    url: str,
    headers: tuple[str, ...],
    subprotocols: tuple[str, ...],
    origin: str | None,
    insecure: bool,
    ca: Path | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Do a WebSocket handshake with URL and say what is wrong with it.

    Shows what was sent and received, and every check: status, Accept key, subprotocol, extensions, and whether the
    Origin matters. Does not follow redirects, and closes with 1000. Exit code 0: every check passed; 1: not.
    """
    target = parse_target(url)
    if target.was_http:
        click.echo(f"hangup: {url} is taken as {target}", err=True)
    settings = ProbeSettings(
        target=target,
        headers=[parse_header(header) for header in headers],
        subprotocols=[_one_line(name, "subprotocol") for name in subprotocols],
        origin=_one_line(origin, "origin") if origin is not None else None,
        insecure=insecure,
        ca=ca,
        timeout=timeout,
    )
    report = asyncio.run(run(settings))
    if as_json:
        click.echo(json.dumps(report.summary(str(target)), indent=2))
    else:
        show(report, Screen(highlight=False))
    sys.exit(0 if report.ok else 1)


def parse_header(text: str) -> tuple[str, str]:
    """Reads ``Name: value``; an empty value takes the header away. Raises :class:`UsageError`."""
    name, colon, value = _one_line(text, "header").partition(":")
    if not colon or not is_token(name.strip()):
        raise UsageError(f"not a header: {text!r} (write 'Name: value')")
    return name.strip(), value.strip()


def _one_line(text: str, what: str) -> str:
    if any(ord(character) < 32 and character != "\t" for character in text):
        raise UsageError(f"a line break or control character in the {what}: {text!r}")
    return text


def show(report: ProbeReport, console: Console) -> None:
    """Prints the first attempt's exchange as ``curl -v`` would, then the checks."""
    first = report.attempts[0]
    _exchange(first, console)
    table = Table.grid(padding=(0, 2))
    for column in range(3):
        table.add_column(no_wrap=column < 2, overflow="fold")
    for check in report.checks:
        table.add_row(*_row(check))
    if console.is_terminal:
        console.print(table)
    else:  # one check a line, however long: who reads this is grep
        for check in report.checks:
            verdict, name, text = _row(check)
            _print(console, Text(f"{verdict}  {name.plain:<24}{text}"))
    _print(console)
    failed = [check for check in report.checks if not check.ok]
    if failed:
        names = ", ".join(check.name for check in failed)
        summary = f"{plural(len(failed), 'check')} of {len(report.checks)} failed: {names}"
        _print(console, Text(summary, style="bold red"))
    elif first.hung_up:
        summary = f"All {len(report.checks)} checks passed, but the server hung up at once."
        _print(console, Text(summary, style="bold yellow"))
    else:
        _print(console, Text(f"All {len(report.checks)} checks passed.", style="bold green"))


def _exchange(attempt: Attempt, console: Console) -> None:
    request, response = attempt.request, attempt.response
    _print(console, Text.assemble(("> ", "dim"), (f"{request.method} {request.target} HTTP/1.1", "bold")))
    _headers(request.headers, ">", console)
    _print(console)
    if response is not None:
        line = f"{response.version} {response.status} {printable(response.reason)}".rstrip()
        facts = ", ".join(filter(None, [duration(attempt.waited), attempt.tls]))
        style = "bold green" if response.status == 101 else "bold red"
        _print(console, Text.assemble(("< ", "dim"), (line, style), (f"   ({facts})", "dim")))
        _headers(response.headers, "<", console)
        if response.text:
            _print(console, Text.assemble(("< ", "dim"), printable(response.text, BODY_SHOWN)))
        _print(console)
    for line in attempt.after:
        _print(console, Text(f"  {printable(line)}", style="yellow"))
    if attempt.after:
        _print(console)


def _headers(headers: list[tuple[str, str]], mark: str, console: Console) -> None:
    for name, value in headers:
        _print(console, Text.assemble((f"{mark} ", "dim"), (f"{printable(name)}: ", "cyan"), printable(value)))


def _row(check: Check) -> tuple[Text, Text, Text]:
    verdict = Text("passed", style="green") if check.ok else Text("FAILED", style="bold red")
    return verdict, Text(check.name, style="" if check.ok else "bold"), Text(printable(check.text))


def _print(console: Console, text: Text | str = "") -> None:
    console.print(text, soft_wrap=True)
