"""``hangup proxy`` and ``hangup addon``."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hangup.cli.agreement import allow_option, use
from hangup.cli.config import Config, load, presets
from hangup.cli.params import SIZE, TIME, junit_option, open_option
from hangup.cli.proxy.observing import Observing, metrics_option, otlp_option
from hangup.errors import UsageError
from hangup.filters import HOLD_LIMIT
from hangup.wire.url import parse_listen, parse_target

if TYPE_CHECKING:
    from hangup.cli.proxy.live import Live
    from hangup.cli.proxy.outcomes import Goal
    from hangup.proxy.run import ProxySettings, RunningProxy


@click.command(
    epilog="Example:  hangup proxy ws://localhost:8000/ws   then start the frontend with the line that it prints."
)
@click.argument("target", required=False)
@click.option("--listen", show_default="127.0.0.1:9000", metavar="HOST:PORT", help=(
    "Where to listen; port 0 picks a free "
    "port."
))
@click.option(
    "--record",
    show_default="recordings",
    type=click.Path(path_type=Path),
    help="Folder or file to record into.",
)
@click.option(
    "--mode",
    "modes",
    multiple=True,
    help="A mode of mitmproxy (regular, upstream:…, socks5, transparent, local:…, wireguard); reverse by default.",
)
@click.option("--quiet", is_flag=True, help="Print no line per connection, only how to connect and the summary.")
@click.option("--insecure", is_flag=True, help="Accept any certificate of a wss:// backend.")
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificate authority (PEM) of the backend.",
)
@click.option(
    "--cert",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificate with its key (PEM), for clients that connect over TLS.",
)
@click.option("--max-size", type=SIZE, default=0, metavar="BYTES", help="Start a new file once one has this size.")
@click.option(
    "--keep",
    type=SIZE,
    default=0,
    metavar="BYTES",
    help="Keep at most this much of the recording: start new files, and delete the oldest.",
)
@click.option("--max-payload", type=SIZE, default=0, metavar="BYTES", help="Record at most this much of each payload.")
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="TEXT",
    help="Change traffic with a filter, for instance 'drop-heartbeat side=client'. Repeatable; filters "
    "apply in order. `hangup filters` lists them.",
)
@click.option(
    "--web",
    show_default="127.0.0.1:9001, or the next free",
    metavar="HOST:PORT",
    help="Where the page and `hangup filter` reach the proxy; loopback only.",
)
@click.option("--no-web", is_flag=True, help="Disable the page and `hangup filter`.")
@open_option
@metrics_option
@otlp_option
@allow_option
@click.option(
    "--hold-limit",
    type=SIZE,
    default=HOLD_LIMIT,
    show_default="64M",
    metavar="BYTES",
    help="How much filters may buffer per side; a larger message passes unfiltered. Frames of up to 1M are always "
    "buffered.",
)
@click.option(
    "--backend-log",
    "backend_logs",
    multiple=True,
    metavar="FILE",
    help="Follow the backend's log, so that a traceback appears next to the close frame. Repeatable; - reads stdin.",
)
@click.option(
    "--backend-cmd",
    "backend_command",
    default="",
    metavar="COMMAND",
    help="Start the backend with the proxy and stop it with it; its output is taken as its log.",
)
@click.option(
    "--bisect",
    "bisecting",
    is_flag=True,
    help="Once connections drop, use each reconnect as a trial until the cause is proved; then go on unchanged.",
)
@click.option(
    "--expect-stable",
    type=TIME,
    metavar="TIME",
    help=(
        "Wait for this long (30s) from the first handshake: exit code 0 if the page's connection stays open, "
        "1 if not."
    ),
)
@junit_option
@click.option("--keep-host", is_flag=True, help=(
    "Pass the Host header on unchanged, even if it is the proxy's own "
    "address."
))
@click.option("--hooks", is_flag=True, help="Fire mitmproxy's websocket_message hooks (slower).")
@click.option("--uvloop", is_flag=True, help="Run on uvloop (pip install 'hangup[uvloop]').")
def proxy(
    target: str | None,
    listen: str | None,
    record: Path | None,
    modes: tuple[str, ...],
    quiet: bool,
    insecure: bool,
    ca: Path | None,
    cert: Path | None,
    max_size: int,
    keep: int,
    max_payload: int,
    filters: tuple[str, ...],
    web: str | None,
    no_web: bool,
    browse: bool | None,
    metrics: str | None,
    otlp: str | None,
    allow_config: bool,
    hold_limit: int,
    backend_logs: tuple[str, ...],
    backend_command: str,
    bisecting: bool,
    expect_stable: float | None,
    junit: Path | None,
    keep_host: bool,
    hooks: bool,
    uvloop: bool,
) -> None:
    """Record every WebSocket on its way to TARGET, changing nothing unless a --filter says so.

    TARGET is the backend's URL, for instance ws://localhost:8000 or wss://example.org/ws.

    hangup prints a link to a page that shows the connections on a timeline, every frame, why connections ended, and
    filters to switch on and off. The link works once, for one browser; press o and Enter to open the page again.
    Afterwards, `hangup open` shows the recording.

    Settings that are not given here are taken from hangup.toml, or from [tool.hangup] in pyproject.toml, in this
    folder: target, listen, record, web, open, metrics, otlp, and filters by name. Settings that run code, listen beyond
    loopback, send to another machine or record outside the folder need your agreement: `hangup allow`.

    Exit code 0: all is recorded; 74: the recording is incomplete (the disk was full, say, or its file was removed).
    """
    from hangup.cli.proxy.live import Live  # all of these take long to import, and completion waits for what is above
    from hangup.cli.proxy.outcomes import chosen
    from hangup.proxy.run import ProxySettings

    config = load()
    elsewhere = any(m for m in modes if not m.startswith("reverse"))
    given = {"listen": listen, "record": record, "target": target or elsewhere, "web": web or no_web}
    given |= {"metrics": metrics, "otlp": otlp}
    if target is None and not elsewhere:
        target = config.target
        if target is None:
            raise UsageError("give a target, for instance: hangup proxy ws://localhost:8000")
    where = parse_target(target) if target else None
    if where is not None and where.was_http:
        click.echo(f"hangup: using {where} for {target}", err=True)
    use(config, allow=allow_config, instead=[name for name, value in given.items() if value], quiet=quiet)
    host, port = parse_listen(listen or config.listen or "127.0.0.1:9000")
    if web is not None and no_web:
        raise UsageError("use either --web or --no-web, not both")
    if 0 < keep < 2 * max_size:
        raise UsageError("--keep must be at least twice --max-size: the file that is being filled counts too")
    shared, chosen_filters = presets(config, filters)
    live = Live(quiet=quiet)
    settings = ProxySettings(
        target=where,
        host=host,
        port=port,
        record=record or config.record or Path("recordings"),
        modes=[m for m in modes if m != "reverse"],
        insecure=insecure,
        ca=ca,
        cert=cert,
        max_size=max_size,
        keep=keep,
        max_payload=max_payload,
        presets=shared,
        filters=chosen_filters,
        hold_limit=hold_limit,
        backend_logs=list(backend_logs),
        backend_command=backend_command,
        keep_host=keep_host,
        hooks=hooks,
        uvloop=uvloop,
    )
    outcomes = chosen(bisecting, expect_stable, junit)
    keys = "-" not in backend_logs
    observing = Observing(config, metrics, otlp)
    operate(settings, live, config, outcomes, observing, web=web, no_web=no_web, browse=browse, keys=keys)
    code = live.summary()
    sys.exit(max((outcome.report() for outcome in outcomes), default=0) or code)


def operate(
    settings: ProxySettings,
    live: Live,
    config: Config,
    outcomes: Sequence[Goal] = (),
    observing: Observing | None = None,
    *,
    web: str | None = None,
    no_web: bool = False,
    browse: bool | None = None,
    keys: bool = False,
    started: Callable[[RunningProxy], None] = lambda proxy: None,
) -> None:
    """Runs a proxy to its end, with its page beside it, which ``browse`` opens (None: as configured). With ``keys``, o
    and Enter does that too. ``started`` is called once both listen."""
    from hangup.cli.browser import Keys
    from hangup.proxy.run import RunningProxy
    from hangup.web.server import bind
    from hangup.web.start import start

    sockets: list[socket.socket] = []
    if not no_web and (web or config.web is not False):
        address = web or config.web
        web_host, web_port = parse_listen(address) if isinstance(address, str) else ("127.0.0.1", None)
        sockets = bind(web_host, web_port, avoid=settings.port)

    def ready(proxy: RunningProxy) -> None:
        live.ready(proxy, start(proxy, sockets, warn=live.warn) if sockets else None)
        if observing is not None:
            observing.start(proxy, live)
        for outcome in outcomes:
            outcome.begin(proxy)
        if live.web is not None:
            if config.open if browse is None else browse:
                _browse(live.web.access.link())
            if keys:
                proxy.exits.callback(Keys(lambda: _browse(live.page_again())).close)
        started(proxy)

    try:
        RunningProxy(settings, on_ready=ready, warn=live.warn, say=live.rotated).run()
    finally:
        for each in sockets:
            each.close()
        if observing is not None:
            observing.close()


def _browse(link: str) -> None:
    from hangup.cli.browser import open_in_browser

    asyncio.get_running_loop().run_in_executor(None, open_in_browser, link)


@click.command(epilog='Example:  mitmdump -s "$(hangup addon)" --mode reverse:http://localhost:8000')
@click.argument("program", type=click.Choice(["mitmproxy", "playwright"]), default="mitmproxy")
def addon(program: str) -> None:
    """Print the path of the addon for mitmproxy's own programs, or of the one for Playwright Test."""
    import hangup

    package = Path(hangup.__file__).resolve().parent
    click.echo(package.parent / "hangup_addon.py" if program == "mitmproxy" else package / "testing" / "playwright.mjs")
