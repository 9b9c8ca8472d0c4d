"""``hangup proxy`` and ``hangup addon``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hangup.cli.live import Live
from hangup.errors import UsageError
from hangup.filters.gate import HOLD_LIMIT
from hangup.filters.text import parse as parse_filter
from hangup.wire.url import parse_listen, parse_target


@click.command(
    epilog="Example:  hangup proxy ws://localhost:8000/ws   then start the frontend with the line that it prints."
)
@click.argument("target", required=False)
@click.option("--listen", default="127.0.0.1:9000", show_default=True, metavar="HOST:PORT", help="Port 0 picks one.")
@click.option(
    "--record",
    default="recordings",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder, or file, to record into.",
)
@click.option(
    "--mode",
    "modes",
    multiple=True,
    help="A mode of mitmproxy (regular, upstream:…, socks5, transparent, local:…, wireguard); reverse by default.",
)
@click.option("--quiet", is_flag=True, help="No line per connection; only what is needed and the summary.")
@click.option("--insecure", is_flag=True, help="Accept any certificate of a wss:// backend.")
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificate authority (PEM) of the backend.",
)
@click.option(
    "--cert",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificate with its key (PEM) to show to clients that come by TLS.",
)
@click.option("--max-size", default=0, metavar="BYTES", help="Begin a new recording after so many bytes.")
@click.option("--max-payload", default=0, metavar="BYTES", help="Keep only so many bytes of each payload.")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="TEXT",
    help="Change traffic: a filter in its text form, for instance 'drop-heartbeat side=client'. Repeatable; they "
    "apply in order. `hangup filters` lists them.",
)
@click.option(
    "--hold-limit", default=HOLD_LIMIT, show_default=True, metavar="BYTES", help="What filters may hold of each side."
)
@click.option("--hooks", is_flag=True, help="Fire mitmproxy's websocket_message hooks (slower).")
@click.option("--uvloop", is_flag=True, help="Run on uvloop (pip install 'hangup[uvloop]').")
def proxy(
    target: str | None,
    listen: str,
    record: Path,
    modes: tuple[str, ...],
    quiet: bool,
    insecure: bool,
    ca: Path | None,
    cert: Path | None,
    max_size: int,
    max_payload: int,
    filters: tuple[str, ...],
    hold_limit: int,
    hooks: bool,
    uvloop: bool,
) -> None:
    """Record every WebSocket on its way to TARGET, changing nothing but what a --filter says.

    TARGET is the backend's URL, for instance ws://localhost:8000 or wss://example.org/ws.
    """
    from hangup.proxy.run import Proxy, Settings

    if target is None and not any(m for m in modes if not m.startswith("reverse")):
        raise UsageError("a target is needed, for instance: hangup proxy ws://localhost:8000")
    where = parse_target(target) if target else None
    if where is not None and where.was_http:
        click.echo(f"hangup: {target} is taken as {where}", err=True)
    host, port = parse_listen(listen)
    chosen = [m for m in modes if m != "reverse"]
    live = Live(quiet=quiet)
    settings = Settings(
        target=where,
        host=host,
        port=port,
        record=record,
        modes=chosen,
        insecure=insecure,
        ca=ca,
        cert=cert,
        max_size=max_size,
        max_payload=max_payload,
        filters=[str(parse_filter(text)) for text in filters],
        hold_limit=hold_limit,
        hooks=hooks,
        uvloop=uvloop,
    )
    Proxy(settings, on_ready=live.ready, warn=live.warn).run()
    live.summary()
    sys.exit(0)


@click.command(epilog='Example:  mitmdump -s "$(hangup addon)" --mode reverse:http://localhost:8000')
def addon() -> None:
    """Print the path of the addon, for mitmproxy's own programs."""
    import hangup

    path = Path(hangup.__file__).resolve().parent.parent / "hangup_addon.py"
    click.echo(path)
