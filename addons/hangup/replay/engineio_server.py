"""What is not a WebSocket when a recording is served: Engine.IO's polling before the upgrade, and all else.

Only what a Socket.IO client needs to come to its WebSocket: a session is opened, its namespace connected, and polls
are held until the upgrade. What a server said over HTTP is in no recording of WebSockets.

Engine.IO 4 protocol: https://socket.io/docs/v4/engine-io-protocol/
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets

from hangup.recording.events import Request
from hangup.replay.playlist import Playlist
from hangup.replay.receive_buffer import ReceiveBuffer
from hangup.replayable.survey import query_of
from hangup.wire import handshake
from hangup.wire.http_head import response_head

SEPARATOR = "\x1e"
HOLD = 20.0
"""Seconds that a poll is held when there is nothing to say."""
NOOP_AFTER = 0.05
"""Seconds after the upgrade began that polls are answered with a noop."""
BODY_LIMIT = 1 << 20
PING_INTERVAL, PING_TIMEOUT = 25.0, 20.0
"""Engine.IO's defaults, in seconds."""


class PollingSession:
    """A session that a client has opened by polling; ``conn`` is the recorded connection that it will become."""

    def __init__(self, conn: int) -> None:
        self.sid = secrets.token_urlsafe(15)
        self.conn = conn
        self.packets: list[str] = []
        self.upgraded = False
        self.changed = asyncio.Event()

    def say(self, packet: str) -> None:
        """Answers the next poll."""
        self.packets.append(packet)
        self.changed.set()


class EngineIOServer:
    """The sessions that are open. ``playlist`` says which recorded connection is next."""

    def __init__(self, playlist: Playlist) -> None:
        self._playlist = playlist
        self._sessions: dict[str, PollingSession] = {}

    def upgrade(self, target: str) -> PollingSession | None:
        """The session that a WebSocket to ``target`` continues."""
        session = self._sessions.get(query_of(target).get("sid", ""))
        if session is not None:
            session.upgraded = True
            session.changed.set()
        return session

    async def answer(self, request: Request, buffer: ReceiveBuffer) -> bytes:
        """The whole response to a plain HTTP request."""
        origin = handshake.get_all(request.headers, "Origin")
        cors = [("Access-Control-Allow-Origin", origin[0] if origin else "*")]
        if origin:
            cors.append(("Access-Control-Allow-Credentials", "true"))
        if request.method == "OPTIONS":
            allowed = handshake.get_all(request.headers, "Access-Control-Request-Headers")
            cors += [("Access-Control-Allow-Methods", "GET, POST")]
            cors += [("Access-Control-Allow-Headers", allowed[0])] if allowed else []
            return _response(204, "No Content", "", cors)
        query = query_of(request.target)
        if query.get("transport") != "polling" or "EIO" not in query:
            text = "hangup serve plays a recorded WebSocket here; there is no other HTTP in the recording\n"
            return _response(426, "Upgrade Required", text, [("Upgrade", "websocket"), *cors])
        status, text = await self._poll(request, buffer, query)
        return _response(status, "OK" if status == 200 else "Bad Request", text, cors)

    async def _poll(self, request: Request, buffer: ReceiveBuffer, query: dict[str, str]) -> tuple[int, str]:
        sid = query.get("sid")
        if sid is None:
            return self._open(request, query)
        session = self._sessions.get(sid)
        if session is None:
            return 400, '{"code":1,"message":"Session ID unknown"}'
        if request.method == "POST":
            for packet in (await _body(request, buffer)).split(SEPARATOR):
                if packet.startswith("40"):
                    namespace = re.match(r"40(/[^,]*,)?", packet)
                    session.say(
                        f"{namespace[0] if namespace else '40'}{json.dumps({'sid': secrets.token_urlsafe(15)})}"
                    )
            return 200, "ok"
        if not session.packets and not session.upgraded:
            session.changed.clear()
            try:
                async with asyncio.timeout(HOLD):
                    await session.changed.wait()
            except TimeoutError:
                return 200, "6"
        if session.packets:
            packets, session.packets = session.packets, []
            return 200, SEPARATOR.join(packets)
        await asyncio.sleep(NOOP_AFTER)
        return 200, "6"

    def _open(self, request: Request, query: dict[str, str]) -> tuple[int, str]:
        conn = self._playlist.next(request.target)
        repertoire = self._playlist.repertoire(conn)
        if not repertoire.survey.upgraded:
            # What a server says that has only this transport.
            return 400, '{"code":0,"message":"Transport unknown"}'
        session = PollingSession(conn)
        self._sessions[session.sid] = session
        period = next((beat.period for beat in repertoire.beats), PING_INTERVAL)
        opened = {
            "sid": session.sid,
            "upgrades": ["websocket"],
            "pingInterval": round(period * 1000),
            "pingTimeout": round(PING_TIMEOUT * 1000),
            "maxPayload": BODY_LIMIT,
        }
        return 200, "0" + json.dumps(opened)


async def _body(request: Request, buffer: ReceiveBuffer) -> str:
    lengths = handshake.get_all(request.headers, "Content-Length")
    length = int(lengths[0]) if lengths and re.fullmatch(r"\d{1,9}", lengths[0]) else 0
    while len(buffer.data) < min(length, BODY_LIMIT) and buffer.ended is None:
        await buffer.wait()
    return buffer.data[:length].decode(errors="replace")


def _response(status: int, reason: str, text: str, headers: list[tuple[str, str]]) -> bytes:
    body = text.encode()
    length = [("Content-Length", str(len(body)))] if status != 204 else []
    kind = [("Content-Type", "text/plain; charset=UTF-8")] if body else []
    return response_head("HTTP/1.1", status, reason, [*headers, *kind, *length, ("Connection", "close")]) + body
