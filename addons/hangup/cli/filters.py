"""``hangup filters``: what filters there are, and what one of them does."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hangup.cli.screen import Screen
from hangup.filters.base import Filter, settings
from hangup.filters.catalogue import SHARED, describe, page, summary
from hangup.filters.library import GROUPS
from hangup.filters.library.heartbeats import HeartbeatFilter
from hangup.filters.match import Selecting
from hangup.filters.setting_values import codec, description
from hangup.filters.text import find
from hangup.messages.heartbeats import FORMS


@click.command(epilog="Example:  hangup filters drop-heartbeat")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def filters(name: str | None, as_json: bool) -> None:
    """List the filters with an example each, or explain the one called NAME.

    A filter makes one change to the traffic. Set it with `hangup proxy --filter`, or switch it on and off with
    `hangup filter` while the proxy runs.
    """
    chosen = [find(name)] if name else [cls for group in GROUPS.values() for cls in group]
    if as_json:
        described = [describe(cls) for cls in chosen]
        click.echo(msgspec.json.format(msgspec.json.encode(described[0] if name else described), indent=2).decode())
        return
    console = Screen(highlight=False)
    if name:
        _explain(console, chosen[0])
    else:
        _list(console)


def _list(console: Console) -> None:
    for group, members in GROUPS.items():
        table = Table(
            title=f"[bold]{group}[/]", title_justify="left", box=None, padding=(0, 2, 0, 0), show_header=False
        )
        table.add_column(no_wrap=True, style="bold")
        table.add_column(ratio=1)
        for cls in members:
            table.add_row(cls.word(), f"{escape(summary(cls))}\n[cyan]{escape(cls.example)}[/]")
        console.print(table)
        console.print()
    console.print("Several filters are applied in the order given. `hangup filters NAME` explains one.")


def _explain(console: Console, cls: type[Filter]) -> None:
    fields = settings(cls)
    places = [
        next(key if field.required else f"[{key}]" for key, field in fields.items() if field.name == place)
        for place in cls.positional
    ]
    required = [
        f"{key}={codec(field.type).placeholder}"
        for key, field in fields.items()
        if field.required and field.name not in cls.positional
    ]
    usage = " ".join([cls.word(), *(place.upper() for place in places), *required])
    rest = " setting=value …" if len(fields) > len(places) + len(required) else ""
    console.print(f"[bold]{escape(usage)}[/]{rest}\n")
    for paragraph in page(cls):
        # What is indented is code, and stays as it is.
        console.print(paragraph if paragraph.startswith(" ") else " ".join(paragraph.split()), markup=False)
        console.print()
    console.print(f"Example:  [cyan]{escape(cls.example)}[/]\n")
    own = {name: field for name, field in fields.items() if name not in SHARED or field.required}
    if own:
        _settings(console, "settings", own)
    if issubclass(cls, Selecting):
        _settings(console, "which messages (all conditions must match)", settings(Selecting))
    else:
        _settings(console, "which connections", settings(Filter))
    if issubclass(cls, HeartbeatFilter):
        _forms(console)


def _settings(console: Console, title: str, fields: dict[str, Any]) -> None:
    table = Table(title=f"[bold]{title}[/]", title_justify="left", box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for name, field in fields.items():
        default = ""
        if not field.required and field.default not in (None, "", b"", "any"):
            default = f" (default {codec(field.type).write(field.default)})"
        placeholder = codec(field.type).placeholder
        table.add_row(escape(f"{name}={placeholder}"), escape(description(field.type) + default))
    console.print(table)
    console.print()


def _forms(console: Console) -> None:
    table = Table(title="[bold]forms of heartbeats[/]", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in ("form", "ping", "pong", "used by"):
        table.add_column(column)
    for form in FORMS:
        if form.name != "control":
            pong = "" if form.pong is None else _shown(form.pong)
            table.add_row(form.name, escape(_shown(form.ping)), escape(pong), escape(form.spoken))
    console.print(table)


def _shown(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return f"hex:{data.hex()}"
    return text if text.isprintable() and text else repr(text)
