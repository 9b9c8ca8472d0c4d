"""The mitmproxy addon: numbers handshakes, records them, and gives every WebSocket its driver.

It serves ``hangup proxy`` and, loaded with ``-s``, mitmproxy's own programs alike.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from mitmproxy import ctx, http
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy.layers.websocket import WebsocketEndHook, WebsocketMessageHook
from mitmproxy.proxy.mode_specs import ReverseMode
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.websocket import WebSocketData, WebSocketMessage
from wsproto.frame_protocol import Opcode

from hangup.errors import HangupError
from hangup.filters import HOLD_LIMIT
from hangup.filters.chain import Decision
from hangup.net.fast_mask import fast_mask
from hangup.proxy import broken_handshake, layer
from hangup.proxy.broken_handshake import Unread, asks_for_websocket
from hangup.proxy.driver import ProxyDriver
from hangup.proxy.filtering import Filtering
from hangup.proxy.hosts import rewrite_host
from hangup.proxy.refusal import Refusal
from hangup.proxy.resets import ResetWatch, reset_watch
from hangup.proxy.words import connect_error
from hangup.recorder.recorder import Recorder
from hangup.recording import events
from hangup.session import Session
from hangup.wire import handshake
from hangup.wire.deflate import parse as parse_deflate
from hangup.wire.header_lists import parse_extensions

logger = logging.getLogger(__name__)


class Hangup:
    """The addon. ``on_ready`` is called with the recorder once recording has begun."""

    def __init__(self, on_ready: Callable[[Recorder], None] | None = None) -> None:
        self.on_ready = on_ready
        self.recorder: Recorder | None = None
        self.on_rotation: Callable[[str], None] = lambda message: logger.info("hangup: %s", message)
        """Is told, from another thread, when the recording goes on in another file."""
        self.failure: HangupError | None = None
        """Why recording could not begin, when we were started by ourselves."""
        self.drivers: set[ProxyDriver] = set()
        self.experiments: object | None = None
        """Who carries out experiments on its connections, if anybody does (:mod:`hangup.trials.live_runs`)."""
        self.filtering = Filtering(self.drivers)
        self._flows: dict[int, http.HTTPFlow] = {}
        self._refusals: dict[int, Refusal] = {}
        """Those whose exchange is not over. Not in a flow's metadata: mitmproxy writes that into its files."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._resets: ResetWatch | None = None

    # mitmproxy's life cycle.

    def load(self, loader: Loader) -> None:
        """mitmproxy: declare options and take the WebSocket layer's place."""
        loader.add_option("hangup_record", str, "recordings", "Folder or file to record into.")
        loader.add_option("hangup_max_size", int, 0, "Start a new file once one has this many bytes (0: never).")
        loader.add_option("hangup_keep", int, 0, "Delete the recording's oldest files beyond this size (0: never).")
        loader.add_option("hangup_max_payload", int, 0, "Record at most this many bytes of each payload (0: all).")
        loader.add_option(
            "hangup_hooks",
            bool,
            False,
            "Fire websocket_message hooks, so that mitmweb shows messages (slower).",
        )
        loader.add_option(
            "hangup_rewrite_host",
            bool,
            False,
            "Where the client's Host is the proxy's own address, send the target's (needs keep_host_header).",
        )
        loader.add_option("hangup_target", str, "", "The target to name in the recording's header.")
        loader.add_option("hangup_filters", Sequence[str], [], "Filters in their text form (see `hangup filters`).")
        loader.add_option("hangup_hold_limit", int, HOLD_LIMIT, "How many bytes filters may hold per side.")
        layer.install(self)

    def configure(self, updated: set[str]) -> None:
        """mitmproxy: options have changed."""
        if "hangup_filters" in updated:
            self.filtering.configure(ctx.options.hangup_filters)

    def running(self) -> None:
        """mitmproxy: options are known and the servers are up."""
        options = ctx.options
        servers = ctx.master.addons.get("proxyserver").servers
        listen = [f"{a[0]}:{a[1]}" for server in servers for a in server.listen_addrs]
        if self.on_ready is not None and not any(server.is_running for server in servers):
            ctx.master.shutdown()
            return
        try:
            self.recorder = Recorder(
                Path(options.hangup_record),
                target=options.hangup_target or " ".join(options.mode),
                listen=listen[0] if listen else "",
                mode=" ".join(m.split(":")[0] for m in options.mode),
                max_size=options.hangup_max_size,
                max_payload=options.hangup_max_payload,
                keep=options.hangup_keep,
                filters=[entry.text for entry in self.filtering.filters.active],
                on_loss=self._lost,
                on_rotation=self.on_rotation,
            )
        except HangupError as error:
            if self.on_ready is not None:
                self.failure = error
                ctx.master.shutdown()
            else:
                logger.error("hangup: %s", error)
            return
        self.filtering.recorder = self.recorder
        if self.on_ready is not None:
            self.on_ready(self.recorder)
        else:
            self.recorder.listeners.append(self._log_end)
            logger.info("hangup is recording to %s", self.recorder.path)

    def done(self) -> None:
        """mitmproxy: the program ends."""
        for driver in list(self.drivers):
            driver.close("proxy", "it was stopped")
        for refusal in list(self._refusals.values()):
            refusal.over(whole=False)
        if self.recorder is not None and self.on_ready is None:  # else whoever started us has more to say
            self.recorder.close()
        if self._resets is not None:
            self._resets.close()
            self._resets = None
        layer.uninstall()

    # Handshakes.

    def server_connect(self, data: ServerConnectionHookData) -> None:
        """mitmproxy: it is about to connect to a backend."""
        ours = self.on_ready is not None  # and not another addon's or user's affair
        if ours and data.server.sni is None and isinstance(data.client.proxy_mode, ReverseMode) and data.server.address:
            # With keep_host_header mitmproxy takes the client's, which names the proxy.
            data.server.sni = data.server.address[0]

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """mitmproxy: a request's head has arrived."""
        recorder = self.recorder
        if recorder is None:
            return
        sent = _request(flow.request)
        rewritten = ctx.options.hangup_rewrite_host and rewrite_host(flow)
        if not asks_for_websocket(flow.request):
            recorder.http += 1
            flow.request.stream = True
            return
        flow.metadata["hangup_conn"] = recorder.next_conn()
        flow.metadata["hangup_asked"] = recorder.now()
        client = _address(flow.client_conn.peername)
        conn, asked = flow.metadata["hangup_conn"], _request(flow.request) if rewritten else sent
        await self.filtering.request(flow, conn, client, asked)
        flow.request.stream = flow.response is None  # else a filter has answered it
        if rewritten:
            self.filtering.shaken(conn).original = sent

    async def responseheaders(self, flow: http.HTTPFlow) -> None:
        """mitmproxy: a response's head has arrived."""
        if flow.response is None:
            return
        if "hangup_conn" not in flow.metadata:
            flow.response.stream = True
        elif flow.response.status_code != 101:
            answered = _response(flow.response)
            conn = flow.metadata["hangup_conn"]
            verdict = self.filtering.response(conn, answered, _request(flow.request))
            refusal = Refusal(flow.response, partial(self._refused, flow, answered, verdict))
            self._refusals[conn] = refusal
            flow.response.stream = refusal.pass_on
            if verdict is not None:
                await self.filtering.answer(flow, verdict)

    async def response(self, flow: http.HTTPFlow) -> None:
        """mitmproxy: a response is complete."""
        if "hangup_conn" not in flow.metadata or flow.response is None:
            return
        conn = flow.metadata["hangup_conn"]
        refusal = self._refusals.pop(conn, None)
        if refusal is not None:
            refusal.pass_on(flow.response.raw_content or b"")  # of what was not streamed
            refusal.over(whole=True)
            self.filtering.forget(conn)
            return
        if flow.websocket is None:
            # mitmproxy goes by Sec-WebSocket-Version, which careless clients leave out.
            flow.websocket = WebSocketData()
        answered = _response(flow.response)
        verdict = self.filtering.response(conn, answered, _request(flow.request))
        self._record_handshake(flow, answered, returned=_returned(verdict))
        if verdict is not None:
            await self.filtering.answer(flow, verdict)

    def error(self, flow: http.HTTPFlow) -> None:
        """mitmproxy: a request failed, or its client went away."""
        recorder = self.recorder
        if "hangup_conn" not in flow.metadata or recorder is None or flow.websocket is not None:
            return
        message = flow.error.msg if flow.error else ""
        refusal = self._refusals.pop(flow.metadata["hangup_conn"], None)
        if refusal is not None:
            refusal.over(whole=False)
            self.filtering.forget(flow.metadata["hangup_conn"])
            return
        if broken_handshake.of(flow) is not None:  # whose ends are told of next
            self._record_handshake(flow, None, message)
            return
        gone = "client disconnected" in message.lower()
        error = events.WENT_AWAY if gone else connect_error(message)
        self._record_handshake(flow, None, error)
        self.filtering.forget(flow.metadata["hangup_conn"])
        if gone:
            recorder.emit(events.End(at=recorder.now(), conn=flow.metadata["hangup_conn"], side="client", how="fin"))

    def _refused(
        self, flow: http.HTTPFlow, answered: events.Response, verdict: Decision | None, refusal: Refusal
    ) -> None:
        """It is known what is kept of the body of a refused handshake."""
        returned = _returned(verdict)
        for response in (answered, returned):
            if response is not None:
                response.text, response.cut = refusal.text, refusal.cut
        self._record_handshake(flow, answered, returned=returned)

    def _record_handshake(
        self,
        flow: http.HTTPFlow,
        response: events.Response | None,
        error: str = "",
        returned: events.Response | None = None,
    ) -> None:
        recorder = self.recorder
        assert recorder is not None
        now = recorder.now()
        request = _request(flow.request)
        shaken = self.filtering.shaken(flow.metadata["hangup_conn"], request.target)
        problems: list[str] = []
        if response is not None:
            checks = handshake.review(
                request.headers, response.status, response.headers, request.method, request.version
            )
            problems = handshake.problems(checks)
        recorder.emit(
            events.Handshake(
                at=now,
                conn=flow.metadata["hangup_conn"],
                client=_address(flow.client_conn.peername),
                server=_address(flow.server_conn.address),
                request=request,
                response=response,
                waited=round(now - flow.metadata["hangup_asked"], 6),
                error=error,
                by=shaken.by,
                problems=problems,
                original=shaken.original,
                returned=returned,
            )
        )

    # Connections.

    def begin(self, flow: http.HTTPFlow, handler: Any) -> ProxyDriver:
        """Makes the driver of a WebSocket whose 101 has just passed."""
        recorder = self.recorder
        assert recorder is not None and flow.response is not None
        if "hangup_conn" not in flow.metadata:  # its request was made up by another addon
            flow.metadata["hangup_conn"] = recorder.next_conn()
            flow.metadata["hangup_asked"] = recorder.now()
            self._record_handshake(flow, _response(flow.response))
        given = flow.response.headers.get_all("Sec-WebSocket-Extensions")
        shaken = self.filtering.shaken(flow.metadata["hangup_conn"])
        answered = shaken.answered
        extensions = handshake.get_all(answered.headers, "Sec-WebSocket-Extensions") if answered else given
        params = parse_deflate(extensions, flow.request.headers.get_all("Sec-WebSocket-Extensions"))
        shaken.chain.open(recorder.now())
        hooks = ctx.options.hangup_hooks
        session = Session(
            flow.metadata["hangup_conn"],
            self._with_hooks(flow, recorder) if hooks else recorder.emit,
            deflate=params,
            given=parse_deflate(given) if given != extensions else params,
            unknown_extension=any(e.name != "permessage-deflate" for e in parse_extensions(extensions)),
            mask=fast_mask,
            emit_lines=recorder.emit_lines if recorder.takes_lines and not hooks else None,
            bulky=recorder.bulky,
            chain=shaken.chain,
            hold_limit=ctx.options.hangup_hold_limit,
            inflation=recorder.inflation,
        )
        self._flows[session.conn] = flow
        recorder.sessions[session.conn] = session
        driver = ProxyDriver(session, recorder, handler, self._watch_resets(), self._over)
        driver.inflates = params is not None
        self.drivers.add(driver)
        return driver

    def begin_broken(self, flow: http.HTTPFlow, handler: Any) -> ProxyDriver:
        """Makes the driver of a handshake that was broken (:mod:`hangup.proxy.broken_handshake`)."""
        recorder, conn = self.recorder, flow.metadata["hangup_conn"]
        assert recorder is not None

        def over(driver: ProxyDriver) -> None:
            self.drivers.discard(driver)
            self.filtering.forget(conn)

        driver = ProxyDriver(
            cast(Session, Unread(conn, partial(self._end_broken, flow))), recorder, handler, self._watch_resets(), over
        )
        self.drivers.add(driver)
        return driver

    def end_broken(self, flow: http.HTTPFlow, side: events.Side, how: events.How | None) -> None:
        """A handshake was broken (:mod:`hangup.proxy.broken_handshake`), and there is nothing to drive."""
        if how is not None:
            self._end_broken(flow, side, how)
        self.filtering.forget(flow.metadata["hangup_conn"])

    def _end_broken(
        self, flow: http.HTTPFlow, side: events.Side, how: events.How, by: str = "", note: str = ""
    ) -> None:
        assert self.recorder is not None
        at, conn = self.recorder.now(), flow.metadata["hangup_conn"]
        self.recorder.emit(events.End(at=at, conn=conn, side=side, how=how, by=by, note=note))

    def _watch_resets(self) -> ResetWatch:
        if self._resets is None:
            self._resets = reset_watch(asyncio.get_running_loop())
        return self._resets

    def _with_hooks(self, flow: http.HTTPFlow, recorder: Recorder) -> Callable[[events.Event], None]:
        def emit(event: events.Event) -> None:
            recorder.emit(event)
            message = _as_message(event)
            if message is not None and flow.websocket is not None:
                flow.websocket.messages.append(message)
                self._fire(WebsocketMessageHook(flow))

        return emit

    def _over(self, driver: ProxyDriver) -> None:
        self.drivers.discard(driver)
        conn = driver.session.conn
        flow = self._flows.pop(conn)
        self.filtering.forget(conn)
        assert self.recorder is not None
        del self.recorder.sessions[conn]
        ending = self.recorder.ledger.connections[conn].ending
        layer.finish_flow(flow, ending.code, ending.reason, ending.by == "client")
        self._fire(WebsocketEndHook(flow))

    def _fire(self, hook: Any) -> None:
        task = asyncio.get_running_loop().create_task(ctx.master.addons.handle_lifecycle(hook))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _lost(self, message: str) -> None:
        # Our own program puts its name before every warning, mitmproxy's do not.
        name = "" if self.on_ready is not None else "hangup: "
        logger.error("%s%s", name, message)

    def _log_end(self, event: events.Event) -> None:
        if isinstance(event, events.End) and self.recorder is not None:
            connection = self.recorder.ledger.connections[event.conn]
            logger.info("hangup: connection %d: %s", event.conn, connection.ending.sentence)


def _headers(headers: http.Headers) -> list[tuple[str, str]]:
    return [(_text(name), _text(value)) for name, value in headers.fields]


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _request(request: http.Request) -> events.Request:
    return events.Request(
        method=request.method,
        target=request.path,
        version=request.http_version,
        headers=_headers(request.headers),
    )


def _response(response: http.Response) -> events.Response:
    return events.Response(
        status=response.status_code,
        reason=response.reason,
        version=response.http_version,
        headers=_headers(response.headers),
    )


def _returned(verdict: Decision | None) -> events.Response | None:
    """What the client is answered, where filters changed that."""
    return verdict.item.response if verdict is not None and verdict.changed else None


def _address(address: Any) -> str:
    if not address:
        return ""
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"{host}:{address[1]}"


def _as_message(event: events.Event) -> WebSocketMessage | None:
    """What mitmproxy's tools call a message, of the event that completed one."""
    if type(event) is not events.Frame or not event.fin:
        return None
    if event.message is not None:
        content = event.message.encode()
    elif event.message_base64 is not None:
        content = event.message_base64
    elif event.opcode in ("text", "binary") and not event.parts:
        content = event.payload
    else:
        return None
    kind = Opcode.BINARY if event.opcode == "binary" else Opcode.TEXT
    return WebSocketMessage(kind, event.side == "client", content)
