"""mitmproxy, started in this process with our addon."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import re
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from mitmproxy import addons as stock_addons
from mitmproxy import exceptions, master, options
from mitmproxy.proxy import mode_specs
from msgspec import Struct, field

from hangup.errors import HangupError, ListenError, MissingExtra, UsageError
from hangup.filters import HOLD_LIMIT
from hangup.filters.filter_set import FilterSet
from hangup.net.accepting import Exhaustion
from hangup.net.connect import tls_context
from hangup.processes.backend import Backends
from hangup.processes.ending import on_ending
from hangup.processes.program import words_of
from hangup.proxy import layer
from hangup.proxy.addon import Hangup
from hangup.recorder.recorder import Recorder
from hangup.unreachable import of_numbers
from hangup.wire.url import Target


class Preset(Struct, frozen=True):
    """A filter in its text form, the name it goes by (if any), and whether it is on from the start."""

    filter: str
    name: str = ""
    on: bool = True


class ProxySettings(Struct, kw_only=True):
    """What ``hangup proxy`` was asked for. ``modes`` are mitmproxy's; empty means reverse, to ``target``.

    ``presets`` come before ``filters``.
    """

    target: Target | None
    host: str = "127.0.0.1"
    port: int = 9000
    record: Path = Path("recordings")
    modes: list[str] = field(default_factory=list)
    insecure: bool = False
    ca: Path | None = None
    cert: Path | None = None
    max_size: int = 0
    keep: int = 0
    max_payload: int = 0
    presets: list[Preset] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)
    hold_limit: int = HOLD_LIMIT
    backend_logs: list[str] = field(default_factory=list)
    backend_command: str = ""
    keep_host: bool = False
    hooks: bool = False
    uvloop: bool = False


class _MitmproxyLog(logging.Handler):
    """Passes on mitmproxy's warnings and errors, which would otherwise go nowhere.

    Until the proxy is ready they are kept: they say why it cannot start.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self.say = say
        self.ready = False
        self.problems: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if not self.ready:
            self.problems.append(text)
            return
        if record.exc_info:
            text += " " + logging.Formatter().formatException(record.exc_info)
        self.say(text)


class RunningProxy:
    """A running proxy.

    ``on_ready(proxy)`` is called in the event loop once it listens; ``warn`` is given what mitmproxy complains of,
    and ``say`` what is merely worth a remark.
    What ``on_ready`` enters into ``exits`` is left before the event loop ends.
    """

    def __init__(
        self,
        settings: ProxySettings,
        *,
        on_ready: Callable[[RunningProxy], None] = lambda proxy: None,
        warn: Callable[[str], None] = lambda text: None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.settings = settings
        self.on_ready = on_ready
        self.warn = warn
        self.recorder: Recorder | None = None
        self.exits = AsyncExitStack()
        self.addon = Hangup(self._ready)
        self.addon.on_rotation = say
        self.echo: Callable[[str], None] = lambda text: None
        """Is given the backend's output, line by line."""
        self.exhaustion = Exhaustion(self._exhausted)
        """Whether the system gives no more sockets."""
        self._failure: HangupError | None = None
        self._own_process = False
        self._starting: asyncio.Task[None] | None = None
        self._log = _MitmproxyLog(warn)
        self._master: master.Master | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on."""
        assert self._master is not None
        host, port = self._master.addons.get("proxyserver").listen_addrs()[0][:2]
        return str(host), int(port)

    @property
    def filters(self) -> FilterSet:
        """Its filters; a change applies to the next frame of open connections."""
        return self.addon.filtering.filters

    def run(self) -> None:
        """Runs until :meth:`stop` or a signal that asks to end; raises :class:`HangupError` when it cannot start."""
        factory: Callable[[], asyncio.AbstractEventLoop] | None = None
        if self.settings.uvloop:
            factory = _uvloop()
        self._own_process = True
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(self.serve())

    async def serve(self) -> None:
        """The same within a running event loop."""
        log = self._log
        root = logging.getLogger()
        level = root.level
        root.addHandler(log)
        root.setLevel(logging.WARNING)
        try:
            self._master = main = self._make_master()
            restore = on_ending(main.shutdown)
            self.exhaustion.watch(asyncio.get_running_loop())
            try:
                async with self.exits:
                    await main.run()
                if self.recorder is None:
                    raise self.addon.failure or ListenError(_listen_problem(log.problems, self.settings))
                await self._say_goodbye(main)
                self.recorder.close()
            finally:  # not earlier: a terminal that is closed tells so twice, and the recording is to be whole
                restore()
            if self._failure is not None:
                raise self._failure
        finally:
            root.removeHandler(log)
            root.setLevel(level)
            layer.uninstall()  # where it could not start, mitmproxy does not tell the addon that it is done

    def _exhausted(self, why: int) -> None:
        text = "new connections are accepted again"
        if why:
            text = f"new connections have to wait until others have ended: {of_numbers([why]) or os.strerror(why)}"
        self.warn(text)
        if self.recorder is not None:
            self.recorder.note(text)

    async def _start(self, backends: Backends) -> None:
        try:
            await backends.start()
        except HangupError as error:
            self._failure = error
            self.stop()

    async def _say_goodbye(self, main: master.Master) -> None:
        """Ends what is still connected, and waits (a second at most) until it has."""
        server = main.addons.get("proxyserver")
        handlers = list(server.connections.values())
        for handler in handlers:
            if handler.client in handler.transports and handler.transports[handler.client].handler:
                handler.close_connection(handler.client)
        deadline = asyncio.get_running_loop().time() + 1
        while server.connections and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.005)

    def stop(self) -> None:
        """Ends it in order; may be called from any callback of its event loop."""
        if self._master is not None:
            self._master.shutdown()

    def _ready(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._log.ready = True
        self._watch_for_exhaustion(asyncio.get_running_loop())
        if self.settings.backend_logs or self.settings.backend_command:
            backends = Backends(recorder, self.settings.backend_logs, self.settings.backend_command, self.echo)
            self.exits.push_async_callback(backends.stop)
            self._starting = asyncio.get_running_loop().create_task(self._start(backends))
        for text in self._log.problems:
            self.warn(text)
        self.on_ready(self)
        if self._own_process:
            # All that was imported and set up stays: the collector need not walk through it while traffic passes.
            gc.collect()
            gc.freeze()

    def _watch_for_exhaustion(self, loop: asyncio.AbstractEventLoop) -> None:
        others = loop.get_exception_handler()

        def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            if self.exhaustion.handles(context):
                return
            if others is not None:
                others(loop, context)
            else:
                loop.default_exception_handler(context)

        loop.set_exception_handler(handle)  # mitmproxy takes it away again, with its own

    def _make_master(self) -> master.Master:
        s = self.settings
        if s.target is not None and not s.modes and s.target.is_at(s.host, s.port):
            raise UsageError(
                f"{s.target.origin} is where hangup itself would listen: choose another port with --listen HOST:PORT"
            )
        if s.backend_command:
            words_of(s.backend_command, "--backend-cmd")  # before anything is started
        modes = s.modes or [_reverse(s.target)]
        for mode in modes:
            try:
                mode_specs.ProxyMode.parse(mode)
            except ValueError as error:
                raise UsageError(f"not a mode of mitmproxy: {mode!r} ({error})") from None
        opts = options.Options()
        main = master.Master(opts)
        main.addons.add(*stock_addons.default_addons())
        main.addons.add(self.addon)
        settings: dict[str, Any] = {
            "mode": modes,
            "listen_host": s.host,
            "listen_port": s.port,
            # A backend that is down must not keep a handshake from being recorded.
            "connection_strategy": "lazy",
            # A WebSocket handshake needs HTTP/1.1; a backend that offers HTTP/2 must not be taken at its word.
            "http2": False,
            # What the client sent goes to the backend, also when it is wrong.
            "validate_inbound_headers": False,
            "ssl_insecure": s.insecure,
            "hangup_record": str(s.record),
            "hangup_max_size": s.max_size,
            "hangup_keep": s.keep,
            "hangup_max_payload": s.max_payload,
            # Ours is told apart from a foreign one (proxy/hosts.py), which mitmproxy does not do.
            "keep_host_header": True,
            "hangup_rewrite_host": not s.keep_host,
            "hangup_hooks": s.hooks,
            "hangup_filters": [*(preset.filter for preset in s.presets), *s.filters],
            "hangup_hold_limit": s.hold_limit,
            "hangup_target": str(s.target) if s.target else "",
        }
        if s.ca is not None:
            tls_context(ca=s.ca)  # mitmproxy would find out with the first connection
            settings["ssl_verify_upstream_trusted_ca"] = str(s.ca)
        if s.cert is not None:
            settings["certs"] = [str(s.cert)]
        try:
            opts.update(**settings)
        except exceptions.OptionsError as error:
            raise UsageError(str(error)) from None
        for entry, preset in zip(self.filters, s.presets, strict=False):
            entry.name = preset.name
            if not preset.on:
                self.filters.off(entry.id)
        return main


def _reverse(target: Target | None) -> str:
    if target is None:
        raise UsageError("a target is needed, for instance ws://localhost:8000")
    return f"reverse:{'https' if target.secure else 'http'}://{target.authority}"


def _listen_problem(problems: list[str], settings: ProxySettings) -> str:
    text = " ".join(problems)
    where = f"{settings.host}:{settings.port}"
    if "in use" in text or "10048" in text:
        return f"{where} is taken by another program (choose another with --listen HOST:PORT; port 0 picks a free one)"
    if "ermission denied" in text or "10013" in text:
        return f"cannot listen on {where}: permission denied"
    if re.search(r"annot assign requested address|could not bind on any address|10049|Errno 49\b", text):
        return f"{where} is not an address of this machine (127.0.0.1 is, and 0.0.0.0 means all of its addresses)"
    said = text.rpartition("] ")[2].removeprefix(f"{where} with ")  # the last of the reasons, nested as they are
    return f"cannot listen on {where}: {said or 'mitmproxy did not say why'}"


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        raise MissingExtra("uvloop is not installed: pip install 'hangup[uvloop]'") from None
    return uvloop.new_event_loop
