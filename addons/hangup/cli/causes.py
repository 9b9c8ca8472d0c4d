"""``hangup causes``: what can end a connection, how each cause is proved, and how it is fixed."""

from __future__ import annotations

import difflib
from itertools import groupby

import click
import msgspec
from rich.console import Console
from rich.table import Table

from hangup.cli.screen import Screen, safe
from hangup.diagnosis import causes as table
from hangup.diagnosis.causes import Cause, catalogue
from hangup.errors import UsageError


@click.command(epilog="Example:  hangup causes message/oversize")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, as in the documentation.")
def causes(name: str | None, as_json: bool, as_markdown: bool) -> None:
    """List the causes that `hangup why` knows, or explain the one called NAME: what proves it, and how to fix it."""
    known = table.known()
    if name and name not in known:
        near = difflib.get_close_matches(name, known, 1, 0.5)
        raise UsageError(f"there is no cause {name!r}{f': did you mean {near[0]}?' if near else ''}")
    chosen = [known[name]] if name else list(known.values())
    if as_json:
        said = chosen[0] if name else chosen
        click.echo(msgspec.json.format(msgspec.json.encode(said), indent=2).decode())
    elif as_markdown:
        click.echo("\n".join(catalogue.markdown(chosen)).rstrip())
    elif name:
        _explain(Screen(highlight=False), chosen[0])
    else:
        _list(Screen(highlight=False), chosen)


def _list(console: Console, chosen: list[Cause]) -> None:
    for category, members in groupby(chosen, key=lambda cause: cause.verdict.partition("/")[0]):
        rows = Table(title=f"[bold]{category}/[/]", title_justify="left", box=None, padding=(0, 2, 0, 2))
        rows.show_header = False
        rows.add_column(no_wrap=True, style="bold")
        rows.add_column(ratio=1)
        for cause in members:
            rows.add_row(cause.verdict.partition("/")[2], safe(cause.sentence))
        console.print(rows)
        console.print()
    console.print("`hangup causes NAME` explains one.")


def _explain(console: Console, cause: Cause) -> None:
    console.print(safe(cause.verdict, "bold"))
    console.print(safe(f"{cause.sentence}."))
    console.print()
    rows = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    rows.add_column(no_wrap=True)
    rows.add_column(ratio=1)
    for title, text in catalogue.facts(cause):
        rows.add_row(safe(title, "dim"), safe(text))
    console.print(rows)
