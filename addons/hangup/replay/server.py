"""Serving a recording: every client that connects is played a recorded server.

::

    playlist = Playlist(recording)                      # which connection comes next
    server = ReplayServer(playlist, recorder, ServerSettings(stay_open=True))
    async with server.listening("127.0.0.1", 0) as (host, port): ...

Each connection is recorded as a proxy would record it, the played server being the server. ``filters`` apply between
the two, as in the proxy. ``on_end(connection)`` is told of each that is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random

from hangup.errors import ListenError
from hangup.filters.chain import Chain
from hangup.filters.filter_set import FilterSet
from hangup.humanize import printable
from hangup.net.fast_mask import fast_mask
from hangup.recorder.recorder import Recorder
from hangup.recording.connections import Connection
from hangup.recording.events import Handshake, Note, Request, Response
from hangup.recording.negotiation import compression
from hangup.replay.driver import ReplayDriver
from hangup.replay.endpoint import ReplayEndpoint
from hangup.replay.engineio_server import EngineIOServer
from hangup.replay.playlist import Playlist
from hangup.replay.receive_buffer import ReceiveBuffer
from hangup.replay.sender import Sender
from hangup.replay.server_connection import ServerConnection, ServerSettings, receiver_for
from hangup.replay.server_handshake import response_for
from hangup.replayable.handshake_values import request_values
from hangup.replayable.server_script import Repertoire
from hangup.replayable.substitutions import Names
from hangup.session import Session
from hangup.wire import handshake
from hangup.wire.http_head import parse_request, response_head, split_head

HEAD_LIMIT = 1 << 16
HEAD_WAIT = 10.0
"""Seconds within which a request must be complete."""


class ReplayServer:
    """Plays a playlist to whoever connects. ``warn`` is told what a person should know, once."""

    def __init__(
        self,
        playlist: Playlist,
        recorder: Recorder,
        settings: ServerSettings,
        *,
        filters: FilterSet | None = None,
        on_end: Callable[[Connection], None] = lambda connection: None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.playlist = playlist
        self.recorder = recorder
        self.settings = settings
        self.filters = filters or FilterSet()
        self.on_end = on_end
        self.warn = warn
        self.polling = EngineIOServer(playlist)
        self.played: dict[int, int] = {}
        """Which recorded connection each live one was."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._warned: set[str] = set()

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[tuple[str, int]]:
        """Listens; gives the address. At the end all connections are ended, as hangup's own doing.

        Raises :class:`ListenError`.
        """
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(lambda: ReplayEndpoint(self._connected), host, port)
        except OSError as error:
            raise ListenError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
        try:
            address = server.sockets[0].getsockname()
            yield address[0], address[1]
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, endpoint: ReplayEndpoint) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(endpoint))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _warn(self, text: str) -> None:
        if text not in self._warned and len(self._warned) < 50:
            self._warned.add(text)
            self.warn(text)

    # A client.

    async def _serve(self, endpoint: ReplayEndpoint) -> None:
        try:
            buffer = ReceiveBuffer(endpoint)
            request = await self._request(buffer)
            if request is None:
                return
            if "websocket" in (value.lower() for value in handshake.get_all(request.headers, "Upgrade")):
                await self._websocket(endpoint, buffer, request)
            else:
                self.recorder.http += 1
                endpoint.send(await self.polling.answer(request, buffer))
        finally:
            endpoint.close()
            await endpoint.gone()

    async def _request(self, buffer: ReceiveBuffer) -> Request | None:
        try:
            async with asyncio.timeout(HEAD_WAIT):
                while (parts := split_head(buffer.data)) is None:
                    if buffer.ended is not None or len(buffer.data) > HEAD_LIMIT:
                        return None
                    await buffer.wait()
        except TimeoutError:
            return None
        head = parse_request(parts[0])
        if head is None:
            return None
        buffer.data = parts[1]
        return Request(method=head.method, target=head.target, version=head.version, headers=head.headers)

    async def _websocket(self, endpoint: ReplayEndpoint, buffer: ReceiveBuffer, request: Request) -> None:
        recorder = self.recorder
        conn = recorder.next_conn()
        session = self.polling.upgrade(request.target)
        recorded_conn = session.conn if session is not None else self.playlist.next(request.target)
        self.played[conn] = recorded_conn
        repertoire = self.playlist.repertoire(recorded_conn)
        recorded = repertoire.survey.handshake
        asked_at = recorder.now()
        chain = Chain(
            self.filters,
            conn,
            asked_at,
            path=request.target,
            client=endpoint.peername,
            random=Random(conn),
            totals=repertoire.survey.totals,
            emit=recorder.emit,
        )
        event = Handshake(at=asked_at, conn=conn, client=endpoint.peername, server=endpoint.sockname, request=request)
        given = await self._answer(endpoint, event, chain, recorded)
        event.at = recorder.now()
        event.waited = round(event.at - asked_at, 6)
        recorder.emit(event)
        if given is None or given.status != 101 or event.response is None:
            self.on_end(recorder.ledger.connections[conn])
            return
        text = f"playing the server of connection {recorded_conn} of {self.playlist.recording.name}"
        recorder.emit(Note(at=event.at, conn=conn, text=text))
        chain.open(event.at)
        await self._play(endpoint, buffer, event, given, chain, repertoire)
        self.on_end(recorder.ledger.connections[conn])

    async def _answer(
        self, endpoint: ReplayEndpoint, event: Handshake, chain: Chain, recorded: Handshake | None
    ) -> Response | None:
        """Answers the handshake as it was answered; gives what the client was told."""
        verdict = chain.request(event.request, event.at)
        if verdict is not None and verdict.changed:
            event.original, event.request = event.request, verdict.item.request
        if verdict is not None and verdict.refused is not None:
            event.response, event.by = verdict.refused, verdict.done[-1].by
        elif recorded is None or (recorded.response is None and recorded.returned is None):
            event.error = "the recorded server did not answer"
            return None
        else:
            event.response = response_for(recorded, event.request)
        given = event.response
        if not event.by:
            asked = event.original or event.request
            verdict = chain.response(given, event.request, asked, self.recorder.now())
            if verdict is not None and verdict.wait > 0:
                await asyncio.sleep(verdict.wait)
            if verdict is not None and verdict.changed:
                event.returned = given = verdict.item.response
        checks = handshake.review(event.request.headers, given.status, given.headers, event.request.method)
        event.problems = handshake.problems(checks)
        wait = recorded.waited if recorded is not None and not event.by else 0.0
        if 0 < wait < 60:
            await asyncio.sleep(wait / self.settings.speed)
        body = given.text.encode() if given.status != 101 else b""
        headers = given.headers if given.status == 101 else [*given.headers, ("Content-Length", str(len(body)))]
        endpoint.send(response_head("HTTP/1.1", given.status, given.reason, headers) + body)
        return given

    async def _play(
        self,
        endpoint: ReplayEndpoint,
        buffer: ReceiveBuffer,
        event: Handshake,
        given: Response,
        chain: Chain,
        repertoire: Repertoire,
    ) -> None:
        recorder, conn = self.recorder, event.conn
        assert event.response is not None
        asked = event.original or event.request
        params = compression(event.response, event.request)
        session = Session(
            conn,
            recorder.emit,
            deflate=params,
            given=compression(given, asked),
            mask=fast_mask,
            emit_lines=recorder.emit_lines if recorder.takes_lines else None,
            chain=chain,
        )
        recorder.sessions[conn] = session
        recorded = repertoire.survey.handshake
        names = Names(repertoire.correlations if self.settings.correlate else ())
        if recorded is not None:
            names.pair_values(request_values(recorded.request), request_values(event.request))
        then = recorded.response if recorded is not None else None
        sender = Sender("server", compression(then) if then is not None else None, params, Random(conn))

        def unknown(opcode: str, data: bytes | None) -> None:
            said = printable((data or b"")[:120].decode(errors="replace"), 100)
            recorder.note(f"nothing in the recording resembles this message from the client: {said}", conn)
            self._warn(f"nothing in the recording answers the client's {opcode} message {said}")

        connection = ServerConnection(repertoire, names, sender, self.settings, unknown)
        receiver = receiver_for(connection, params, asyncio.get_running_loop().time)
        driver = ReplayDriver("server", endpoint, session, recorder, receiver)
        try:
            await connection.run(driver, buffer.data)
        except BaseException:
            driver.leave("fin", by="proxy")
            raise
        finally:
            driver.stop()
            connection.pongs.stop()
            endpoint.close()
            await endpoint.gone()
            recorder.sessions.pop(conn, None)
