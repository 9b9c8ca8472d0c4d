"""``hangup filter``: the filters of a proxy that runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec
from rich.console import RenderableType
from rich.table import Table

from hangup.cli.screen import console, safe
from hangup.errors import FilterError, UsageError
from hangup.filters.text import find as find_filter
from hangup.filters.text import parse
from hangup.filters.tokenizer import quote, split
from hangup.web.client import Remote, find

EXAMPLES = """\b
Examples:
  hangup filter on drop-heartbeat            now, for open connections too
  hangup filter off drop-heartbeat           as it was
  hangup filter add drop-heartbeat side=client --path '/ws/*' --off
  hangup filter list --json | jq '.filters[] | select(.on)'
"""

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group(name="filter", epilog=EXAMPLES)
def filter_() -> None:
    """Change what a running proxy does to the traffic, one filter at a time.

    A change applies to new connections and to the next frame of open ones, and is noted in the recording. `hangup
    filters` lists the filters.
    """


def _common(command: Command) -> Command:
    proxy = click.option("--proxy", metavar="HOST:PORT", help=(
        "Which proxy, by the address it listens on; by default the "
        "newest."
    ))
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
    return proxy(as_json(command))


def _scoped(command: Command) -> Command:
    path = click.option("--path", metavar="PATTERN", help="Only connections whose path and query match.")
    client = click.option("--client", metavar="PATTERN", help="Only clients whose host:port matches.")
    return path(client(command))


@filter_.command(name="list", epilog="Example:  hangup filter list")
@_common
def list_(proxy: str | None, as_json: bool) -> None:
    """List the filters of the proxy, in the order in which they apply."""
    remote = find(proxy)
    _show(remote, remote.get("filters"), as_json)


@filter_.command(epilog="Example:  hangup filter on drop-heartbeat")
@click.argument("name", nargs=-1, required=True)
@_scoped
@_common
def on(name: tuple[str, ...], path: str | None, client: str | None, proxy: str | None, as_json: bool) -> None:
    """Switch a filter on: by NAME, by number, or by its text form. It is added if it is not in the list yet."""
    _change("on", proxy, as_json, filter=_scope(_line(name), path, client))


@filter_.command(epilog="Example:  hangup filter off drop-heartbeat")
@click.argument("name", nargs=-1, required=True)
@_common
def off(name: tuple[str, ...], proxy: str | None, as_json: bool) -> None:
    """Switch a filter off; it stays in the list."""
    _change("off", proxy, as_json, filter=_line(name))


@filter_.command(epilog="Example:  hangup filter add drop-heartbeat side=client")
@click.argument("text", nargs=-1, required=True)
@click.option("--off", is_flag=True, help="Add it without switching it on.")
@_scoped
@_common
def add(
    text: tuple[str, ...], off: bool, path: str | None, client: str | None, proxy: str | None, as_json: bool
) -> None:
    """Add a filter, in its text form, after the existing ones."""
    _change("add", proxy, as_json, filter=_scope(_line(text), path, client), on=not off)


@filter_.command(epilog="Example:  hangup filter remove 2")
@click.argument("name", nargs=-1, required=True)
@_common
def remove(name: tuple[str, ...], proxy: str | None, as_json: bool) -> None:
    """Remove a filter from the list: by NAME, by number, or by its text form."""
    _change("remove", proxy, as_json, filter=_line(name))


@filter_.command(epilog="Example:  hangup filter clear")
@_common
def clear(proxy: str | None, as_json: bool) -> None:
    """Remove all filters."""
    _change("clear", proxy, as_json)


def _change(action: str, proxy: str | None, as_json: bool, **body: Any) -> None:
    remote = find(proxy)
    _show(remote, remote.post(f"filters/{action}", **body), as_json)


def _line(words: tuple[str, ...]) -> str:
    """The text form from what the shell has split and stripped of its quotes."""
    return words[0] if len(words) == 1 else " ".join(map(_word, words))


def _word(word: str) -> str:
    try:
        if len(split(word)) == 1:
            return word
    except FilterError:
        pass
    key, equals, value = word.partition("=")
    return f"{key}={quote(value)}" if equals else quote(word)


def _scope(text: str, path: str | None, client: str | None) -> str:
    """``text`` limited to some connections."""
    limits = {"path": path, "client": client}
    given = [f"{name}={quote(value)}" for name, value in limits.items() if value]
    if not given:
        return text
    try:
        find_filter(split(text)[0].raw)
    except (FilterError, IndexError):
        raise UsageError(f"--path and --client go with a filter's text form, which {text!r} is not") from None
    return str(parse(" ".join([text, *given])))


def _show(remote: Remote, answer: Any, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
        return
    running = remote.running
    screen = console()
    screen.print(safe(f"{running.listen or 'the proxy'} in front of {running.target or 'any server'}"), style="dim")
    filters = answer["filters"]
    if not filters:
        screen.print("no filters: nothing is changed")
        return
    changed = {entry["id"] for entry in answer.get("changed", [])}
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", justify="right", style="bold")
    table.add_column("")
    table.add_column("filter", overflow="fold")
    if any(entry["name"] for entry in filters):
        table.add_column("name")
    table.add_column("acted", justify="right")
    for entry in filters:
        style = "" if entry["on"] else "dim"
        mark = safe("on" if entry["on"] else "off", "bold green" if entry["on"] else "dim")
        text = safe(entry["filter"], f"{style} bold".strip() if entry["id"] in changed else style)
        row: list[RenderableType] = [str(entry["id"]), mark, text]
        if any(each["name"] for each in filters):
            row.append(safe(entry["name"], style))
        table.add_row(*row, str(entry["hits"]))
    screen.print(table)
