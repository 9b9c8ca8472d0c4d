"""``hangup run``."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import click
from msgspec import Struct

from hangup.cli.agreement import allow_option, use
from hangup.cli.config import Config, load, presets
from hangup.cli.params import open_option
from hangup.cli.proxy.command import operate
from hangup.cli.proxy.live import Live, reached_at
from hangup.cli.proxy.observing import Observing, metrics_option, otlp_option
from hangup.cli.run.env_files import Environment, Variable, mode_of
from hangup.cli.run.unseen import PATIENCE, advice
from hangup.cli.screen import Screen
from hangup.errors import CommandError, HangupError, UsageError
from hangup.humanize import printable
from hangup.net.ports import TAKEN, refused
from hangup.recording.dev_server import kind_of
from hangup.recording.events import Event, Handshake
from hangup.wire.url import Target, parse_listen, parse_target

if TYPE_CHECKING:
    from hangup.proxy.run import RunningProxy

NAME = "VITE_WS_BASE"
CONFIGURED = "the configuration's target"
FIRST_PORT = 9000
PORTS_TRIED = 100
LINK_AGAIN = 3.0
"""Seconds after the command's start at which the page's link is said again: mostly its first lines are out by then."""

EXAMPLES = """\b
Examples:
  hangup run -- npm run dev
  hangup run --env-var NEXT_PUBLIC_WS_URL -- npx next dev
  hangup run --target wss://staging.example.org/ws --filter 'drop-heartbeat side=client' -- npm run dev
"""


class Redirected(Struct, frozen=True):
    """A variable of the command, the value that it is given to lead to the proxy, and where the old one is from."""

    name: str
    value: str
    source: str
    target: Target

    def through(self, host: str, port: int) -> str:
        """The value with the proxy, at ``host`` and ``port``, in the target's place; path and query as they were."""
        rest = self.value.partition("://")[2]
        path = rest[len(re.split("[/?]", rest)[0]) :]
        wanted = "127.0.0.1" if self.target.host == "127.0.0.1" else "localhost"
        return f"{'http' if self.target.was_http else 'ws'}://{reached_at(host, wanted)}:{port}{path}"


class RunLive(Live):
    """Says what the command is given; on stderr, since stdout is the command's."""

    def __init__(self, redirected: Sequence[Redirected], *, quiet: bool) -> None:
        super().__init__(quiet=quiet, console=Screen(stderr=True, highlight=False, soft_wrap=True))
        self.redirected = redirected
        self._seen = False

    def variables(self, host: str, port: int, target: Target) -> list[str]:
        """See :meth:`Live.variables`."""
        return [
            printable(f"{each.name}={each.through(host, port)}  (was {each.value}, from {each.source})", 500)
            for each in self.redirected
        ]

    def command_runs(self, proxy: RunningProxy, folder: Path) -> None:
        """The command has been started in ``folder``: it may clear the screen, and have been built without us. So the
        page's link is said again a moment later, and with what comes after its first lines for sure: the first
        connection, or the remark that there is none."""
        assert proxy.recorder is not None
        loop = asyncio.get_running_loop()
        if self._cleared:
            proxy.exits.callback(loop.call_later(LINK_AGAIN, self.page_again).cancel)
            proxy.recorder.listeners.append(self._first)
        looking = loop.call_later(PATIENCE, lambda: loop.create_task(self._look(proxy, folder)))
        proxy.exits.callback(looking.cancel)

    @property
    def _cleared(self) -> bool:
        """Whether the command may clear the screen on which this is read."""
        return self.console.is_terminal and sys.stdout.isatty()

    def _first(self, event: Event) -> None:
        if not self._seen and isinstance(event, Handshake) and kind_of(event.original or event.request) == "app":
            self._seen = True
            self.page_again()

    async def _look(self, proxy: RunningProxy, folder: Path) -> None:
        assert proxy.recorder is not None
        if any(connection.kind == "app" for connection in proxy.recorder.ledger.known()):
            return
        each = self.redirected[0]
        through = each.through(*proxy.address)
        self.warn(await asyncio.to_thread(advice, folder, each.name, each.value, through))
        if self._cleared:
            self.page_again()


@click.command(
    epilog=EXAMPLES,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    options_metavar="[OPTIONS] --",
)
@click.option(
    "--env-var",
    "names",
    multiple=True,
    metavar="NAME",
    help=(
        f"The variable that holds the backend's URL; {NAME} by default. Repeatable, for variables that lead "
        "to the same backend."
    ),
)
@click.option("--target", metavar="URL", help="The backend's URL, instead of the variable's.")
@click.option(
    "--env-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the .env files; by default the working directory.",
)
@click.option(
    "--listen", show_default="127.0.0.1:9000, or the next free", metavar="HOST:PORT", help=(
        "Where to listen; port 0 picks a free "
        "port."
    )
)
@click.option(
    "--record",
    show_default="recordings",
    type=click.Path(path_type=Path),
    help="Folder or file to record into.",
)
@click.option("--filter", "filters", multiple=True, metavar="TEXT", help=(
    "Change traffic, as in `hangup proxy`. "
    "Repeatable."
))
@click.option("--bisect", "bisecting", is_flag=True, help="Find the cause by experiment, as in `hangup proxy`.")
@click.option(
    "--web",
    show_default="127.0.0.1:9001, or the next free",
    metavar="HOST:PORT",
    help="Where to serve the page; loopback only.",
)
@click.option("--no-web", is_flag=True, help="Disable the page and `hangup filter`.")
@open_option
@metrics_option
@otlp_option
@allow_option
@click.option("--quiet", is_flag=True, help="Print no line per connection, only how to connect and the summary.")
@click.option("--insecure", is_flag=True, help="Accept any certificate of a wss:// backend.")
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificate authority (PEM) of the backend.",
)
@click.option(
    "--backend-log",
    "backend_logs",
    multiple=True,
    metavar="FILE",
    help="Follow the backend's log, so that a traceback appears next to the close. Repeatable.",
)
@click.option(
    "--backend-cmd",
    "backend_command",
    default="",
    metavar="COMMAND",
    help="Start the backend too, and stop it with the rest; its output is taken as its log.",
)
@click.option("--keep-host", is_flag=True, help=(
    "Pass the Host header on unchanged, even if it is the proxy's own "
    "address."
))
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    names: tuple[str, ...],
    target: str | None,
    env_dir: Path | None,
    listen: str | None,
    record: Path | None,
    filters: tuple[str, ...],
    bisecting: bool,
    web: str | None,
    no_web: bool,
    browse: bool | None,
    metrics: str | None,
    otlp: str | None,
    quiet: bool,
    insecure: bool,
    ca: Path | None,
    allow_config: bool,
    backend_logs: tuple[str, ...],
    backend_command: str,
    keep_host: bool,
    command: tuple[str, ...],
) -> None:
    """Run a frontend's COMMAND with the proxy between it and its backend.

    The backend's URL is taken from VITE_WS_BASE, in the environment or in the .env files, which are read in the same
    order as by the dev server (COMMAND's --mode included). COMMAND gets the same variable, pointing at the proxy; a
    variable in the environment takes precedence over the files. COMMAND runs in the foreground: signals and its exit
    code are passed on (74 in the place of 0 if the recording is incomplete), and the proxy stops with it. hangup's own
    output goes to stderr. The link to the page is printed again once COMMAND has started; `hangup open --live` prints
    another at any time.

    Several variables may point at different paths of the same backend. For a second backend, start a separate `hangup
    proxy`.
    """
    from hangup.cli.proxy.outcomes import Bisected
    from hangup.processes.foreground import Foreground
    from hangup.proxy.run import ProxySettings

    config = load()
    if web is not None and no_web:
        raise UsageError("use either --web or --no-web, not both")
    if "-" in backend_logs:
        raise UsageError("--backend-log -: standard input belongs to the command; give a file")
    executable = shutil.which(command[0])
    if executable is None:
        where = "there is no such file" if os.path.dirname(command[0]) else "it is not on the PATH"
        raise CommandError(f"cannot start {command[0]!r}: {where}", found=os.path.exists(command[0]))
    folder = env_dir or Path()
    environment = Environment(folder, os.environ, mode_of(command, folder))
    redirected = redirect(names or (NAME,), environment, target, config)
    fallback = any(each.source == CONFIGURED for each in redirected)
    given = {"listen": listen, "record": record, "target": not fallback, "web": web or no_web}
    given |= {"metrics": metrics, "otlp": otlp}
    use(config, allow=allow_config, instead=[name for name, value in given.items() if value], quiet=quiet)
    address = listen or config.listen
    host, port = parse_listen(address) if address else ("127.0.0.1", free_port("127.0.0.1", redirected[0].target))
    shared, chosen_filters = presets(config, filters)
    live = RunLive(redirected, quiet=quiet)
    outcomes = [Bisected(stderr=True)] if bisecting else []
    settings = ProxySettings(
        target=redirected[0].target,
        host=host,
        port=port,
        record=record or config.record or Path("recordings"),
        insecure=insecure,
        ca=ca,
        presets=shared,
        filters=chosen_filters,
        backend_logs=list(backend_logs),
        backend_command=backend_command,
        keep_host=keep_host,
    )
    running: list[Foreground] = []
    problems: list[HangupError] = []

    def started(proxy: RunningProxy) -> None:
        given = {each.name: each.through(*proxy.address) for each in redirected}
        child = Foreground([executable, *command[1:]], {**os.environ, **given}, proxy.stop)
        try:
            child.start()
        except HangupError as error:
            problems.append(error)
            proxy.stop()
            return
        proxy.exits.push_async_callback(child.stop)
        running.append(child)
        live.command_runs(proxy, folder)

    observing = Observing(config, metrics, otlp)
    operate(settings, live, config, outcomes, observing, web=web, no_web=no_web, browse=browse, started=started)
    for problem in problems:
        raise problem
    code = live.summary()
    for outcome in outcomes:
        outcome.report()
    sys.exit((running[0].exit_code if running else 1) or code)


def redirect(names: Sequence[str], environment: Environment, target: str | None, config: Config) -> list[Redirected]:
    """What each of the variables is to lead to; all of them to one backend. Raises :class:`UsageError`."""
    found = [_redirected(name, environment, target, config.target) for name in dict.fromkeys(names)]
    first = found[0]
    for other in found[1:]:
        if other.target.origin != first.target.origin:
            raise UsageError(
                f"{first.name} leads to {first.target.origin} and {other.name} to {other.target.origin}: one backend "
                "at a time; start a `hangup proxy` for the other, and set its variable by hand"
            )
    return found


def _redirected(name: str, environment: Environment, target: str | None, fallback: str | None) -> Redirected:
    variable = environment.find(name)
    if target is not None:
        parse_target(target)
        variable = _given(name, target, "--target", variable)
    elif variable is None and fallback is not None:
        variable = Variable(name, fallback, CONFIGURED)
    if variable is None:
        raise UsageError(_not_found(name, environment))
    value = variable.value.strip()
    if not value:
        raise UsageError(f"{name} is empty in {variable.source}: name the backend with --target URL")
    if "://" not in value and value.startswith(("/", "./", "../")):
        raise UsageError(
            f"{name} is {printable(value, 100)} in {variable.source}, relative to the page: the dev server passes it "
            "on to the backend; give that with --target ws://HOST:PORT"
        )
    try:
        where = parse_target(value)
    except HangupError as error:
        raise UsageError(f"{name}, from {variable.source}: {error}") from None
    return Redirected(name, value, variable.source, where)


def _given(name: str, target: str, source: str, variable: Variable | None) -> Variable:
    """The target, joined with the path of a variable that has nothing but a path."""
    path = variable.value.strip() if variable is not None else ""
    if path.startswith("/") and not path.startswith("//"):
        scheme, _, rest = target.strip().partition("://")
        # urljoin knows nothing of WebSockets.
        target = f"{scheme}://" + urljoin(f"http://{rest}", path).removeprefix("http://")
    return Variable(name, target, source)


def _not_found(name: str, environment: Environment) -> str:
    files = environment.files(name)
    where = environment.folder.resolve()
    text = f"{name} is neither in the environment nor in {', '.join(files[:-1])} or {files[-1]} of {where}"
    others = [each for each in environment.sockets() if each.name != name]
    if others:
        text += f"; is it --env-var {others[0].name} ({others[0].source}: {printable(others[0].value, 100)})?"
        return text
    return f"{text} (--env-var NAME for another name, --env-dir FOLDER for other files, --target URL for the backend)"


def free_port(host: str, backend: Target) -> int:
    """The first port from 9000 on that can be listened on, and is not that of a backend that may yet be started; 0
    when there is none."""
    for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        if backend.is_at(host, port):
            continue
        error = refused(host, port)
        if error is None:
            return port
        if error.errno not in TAKEN:
            break
    return 0
