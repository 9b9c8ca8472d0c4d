"""Serving a recording: every client that connects is played a recorded server.

::

    program = Program(recording)                       # which connection comes next
    server = Server(program, recorder, Manner(stay_open=True))
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
from hangup.peer.line import Line, fast_mask
from hangup.peer.link import Link
from hangup.peer.opening import Inbox
from hangup.peer.polling import Polling
from hangup.peer.stage import Manner, Stage, ear_for
from hangup.peer.voice import Voice
from hangup.recorder.recorder import Recorder
from hangup.recording.connections import Connection
from hangup.recording.events import Handshake, Note, Request, Response
from hangup.recording.formats import Recording
from hangup.recording.ledger import Ledger
from hangup.recording.negotiation import compression, extensions
from hangup.replayable.handshake_values import request_values
from hangup.replayable.server_script import Repertoire
from hangup.replayable.substitutions import Names
from hangup.session import Session
from hangup.wire import deflate, handshake
from hangup.wire.http_head import parse_request, response_head, split_head

HEAD_LIMIT = 1 << 16
HEAD_WAIT = 10.0
"""Seconds within which a request must be complete."""
CACHED = 8
"""So many connections' repertoires are kept."""


class Program:
    """Which recorded connection is played to the next client: of those to the path that it asks for, else of all,
    the next in order, and the last one again and again. ``conn`` is always played when it is given."""

    def __init__(self, recording: Recording, conn: int | None = None, *, correlate: bool = True) -> None:
        self.recording = recording
        self._correlate = correlate
        ledger = Ledger()
        for event in recording:
            ledger.feed(event)
        chosen = [c for c in ledger.connections.values() if c.answered is not None and conn in (None, c.conn)]
        self.connections: list[Connection] = chosen
        self._next: dict[str, int] = {}
        self._cache: dict[int, Repertoire] = {}

    def next(self, target: str) -> int:
        """The connection to play to a client that asks for ``target``."""
        path = target.partition("?")[0]
        alike = [c for c in self.connections if c.path == path] or self.connections
        key = alike[0].path if len(alike) < len(self.connections) else ""
        at = self._next.get(key, 0)
        self._next[key] = at + 1
        return alike[min(at, len(alike) - 1)].conn

    def repertoire(self, conn: int) -> Repertoire:
        """What that connection's server can say."""
        found = self._cache.pop(conn, None) or Repertoire(self.recording, conn, correlate=self._correlate)
        self._cache[conn] = found
        if len(self._cache) > CACHED:
            del self._cache[next(iter(self._cache))]
        return found


class Server:
    """Plays a program to whoever connects. ``warn`` is told what a person should know, once."""

    def __init__(
        self,
        program: Program,
        recorder: Recorder,
        manner: Manner,
        *,
        filters: FilterSet | None = None,
        on_end: Callable[[Connection], None] = lambda connection: None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.program = program
        self.recorder = recorder
        self.manner = manner
        self.filters = filters or FilterSet()
        self.on_end = on_end
        self.warn = warn
        self.polling = Polling(program)
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
            server = await loop.create_server(lambda: Line(self._connected), host, port)
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

    def _connected(self, line: Line) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(line))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _warn(self, text: str) -> None:
        if text not in self._warned and len(self._warned) < 50:
            self._warned.add(text)
            self.warn(text)

    # A client.

    async def _serve(self, line: Line) -> None:
        try:
            inbox = Inbox(line)
            request = await self._request(inbox)
            if request is None:
                return
            if "websocket" in (value.lower() for value in handshake.get_all(request.headers, "Upgrade")):
                await self._websocket(line, inbox, request)
            else:
                self.recorder.http += 1
                line.send(await self.polling.answer(request, inbox))
        finally:
            line.close()
            await line.gone()

    async def _request(self, inbox: Inbox) -> Request | None:
        try:
            async with asyncio.timeout(HEAD_WAIT):
                while (parts := split_head(inbox.data)) is None:
                    if inbox.ended is not None or len(inbox.data) > HEAD_LIMIT:
                        return None
                    await inbox.wait()
        except TimeoutError:
            return None
        head = parse_request(parts[0])
        if head is None:
            return None
        inbox.data = parts[1]
        return Request(method=head.method, target=head.target, version=head.version, headers=head.headers)

    async def _websocket(self, line: Line, inbox: Inbox, request: Request) -> None:
        recorder = self.recorder
        conn = recorder.next_conn()
        session = self.polling.upgrade(request.target)
        recorded_conn = session.conn if session is not None else self.program.next(request.target)
        self.played[conn] = recorded_conn
        repertoire = self.program.repertoire(recorded_conn)
        recorded = repertoire.survey.handshake
        asked_at = recorder.now()
        chain = Chain(
            self.filters,
            conn,
            asked_at,
            path=request.target,
            client=line.peername,
            random=Random(conn),
            totals=repertoire.survey.totals,
            emit=recorder.emit,
        )
        event = Handshake(at=asked_at, conn=conn, client=line.peername, server=line.sockname, request=request)
        given = await self._answer(line, event, chain, recorded)
        event.at = recorder.now()
        event.waited = round(event.at - asked_at, 6)
        recorder.emit(event)
        if given is None or given.status != 101 or event.response is None:
            self.on_end(recorder.ledger.connections[conn])
            return
        text = f"the server is played as connection {recorded_conn} of {self.program.recording.name}"
        recorder.emit(Note(at=event.at, conn=conn, text=text))
        chain.open(event.at)
        await self._play(line, inbox, event, given, chain, repertoire)
        self.on_end(recorder.ledger.connections[conn])

    async def _answer(self, line: Line, event: Handshake, chain: Chain, recorded: Handshake | None) -> Response | None:
        """Answers the handshake as it was answered; gives what the client was told."""
        verdict = chain.request(event.request, event.at)
        if verdict is not None and verdict.changed:
            event.original, event.request = event.request, verdict.item.request
        if verdict is not None and verdict.refused is not None:
            event.response, event.by = verdict.refused, verdict.done[-1].by
        elif recorded is None or (recorded.response is None and recorded.returned is None):
            event.error = "the recorded server gave no answer"
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
            await asyncio.sleep(wait / self.manner.speed)
        body = given.text.encode() if given.status != 101 else b""
        headers = given.headers if given.status == 101 else [*given.headers, ("Content-Length", str(len(body)))]
        line.send(response_head("HTTP/1.1", given.status, given.reason, headers) + body)
        return given

    async def _play(
        self, line: Line, inbox: Inbox, event: Handshake, given: Response, chain: Chain, repertoire: Repertoire
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
        names = Names(repertoire.correlations if self.manner.correlate else ())
        if recorded is not None:
            names.pair_values(request_values(recorded.request), request_values(event.request))
        then = recorded.response if recorded is not None else None
        voice = Voice("server", compression(then) if then is not None else None, params, Random(conn))

        def unknown(opcode: str, data: bytes | None) -> None:
            said = printable((data or b"")[:120].decode(errors="replace"), 100)
            recorder.note(f"nothing in the recording resembles this message of the client: {said}", conn)
            self._warn(f"nothing in the recording answers the client's {opcode} message {said}")

        stage = Stage(repertoire, names, voice, self.manner, unknown)
        link = Link("server", line, session, recorder, ear_for(stage, params, asyncio.get_running_loop().time))
        try:
            await stage.run(link, inbox.data)
        except BaseException:
            link.leave("fin", by="proxy")
            raise
        finally:
            link.stop()
            line.close()
            await line.gone()
            recorder.sessions.pop(conn, None)


def response_for(recorded: Handshake, request: Request) -> Response:
    """The recorded answer, for another request: with the key that answers its own, and of what was chosen among the
    client's offers the like of it. What was wrong with the recorded answer is wrong with this one."""
    then = recorded.returned or recorded.response
    assert then is not None
    if then.status != 101:
        dropped = ("content-length", "transfer-encoding", "connection", "content-encoding", "keep-alive")
        headers = [pair for pair in then.headers if pair[0].lower() not in dropped]
        return Response(
            status=then.status, reason=then.reason, headers=[*headers, ("Connection", "close")], text=then.text
        )
    headers = []
    for name, value in then.headers:
        low = name.lower()
        if low == "sec-websocket-accept":
            value = _accept(recorded, value, request)
        elif low == "sec-websocket-protocol":
            chosen = _subprotocol(recorded, value, request)
            if chosen is None:
                continue
            value = chosen
        elif low == "sec-websocket-extensions" and not _acceptable(recorded, value, request):
            continue
        headers.append((name, value))
    if not handshake.get_all(recorded.request.headers, "Sec-WebSocket-Key"):  # not all of this handshake was recorded
        key = handshake.get_all(request.headers, "Sec-WebSocket-Key")
        accept = handshake.accept_key(key[0]) if key else ""
        names = {name.lower() for name, _ in headers}
        for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)):
            if name.lower() not in names:
                headers.append((name, value))
    return Response(status=101, reason=then.reason or "Switching Protocols", headers=headers)


def _accept(recorded: Handshake, value: str, request: Request) -> str:
    keys = handshake.get_all(request.headers, "Sec-WebSocket-Key")
    then = handshake.get_all(recorded.request.headers, "Sec-WebSocket-Key")
    if not keys or (then and handshake.key_is_valid(then[0]) and handshake.accept_key(then[0]) != value.strip()):
        return value
    return handshake.accept_key(keys[0])


def _subprotocol(recorded: Handshake, value: str, request: Request) -> str | None:
    name = "Sec-WebSocket-Protocol"
    then = handshake.parse_tokens(handshake.get_all(recorded.request.headers, name))
    now = handshake.parse_tokens(handshake.get_all(request.headers, name))
    if value.strip() not in then or value.strip() in now:
        return value
    if not now:
        return None
    return now[min(then.index(value.strip()), len(now) - 1)]


def _acceptable(recorded: Handshake, value: str, request: Request) -> bool:
    """Whether this client can be told of the extensions that the recorded one was told of."""
    offered = extensions(request)
    names = {each.name for each in handshake.parse_extensions(offered)}
    then = deflate.parse([value], extensions(recorded.request))
    now = deflate.parse([value], offered)
    if then is not None and now is not None and now.problems and not then.problems:
        return False
    chosen = handshake.parse_extensions([value])
    asked = {each.name for each in handshake.parse_extensions(extensions(recorded.request))}
    strange = {each.name for each in chosen} - asked
    return all(each.name in names or each.name in strange for each in chosen)
