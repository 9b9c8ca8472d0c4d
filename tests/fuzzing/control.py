"""A control API in this process, and requests to it."""

from __future__ import annotations

import asyncio
import tempfile
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

from hangup.errors import RecordingError
from hangup.filters.filter_set import FilterSet
from hangup.recorder.recorder import Recorder
from hangup.web.access import Access
from hangup.web.control import ProxyControl
from hangup.web.filter_routes import ROUTES
from hangup.web.queries import ask as ask_recorded
from hangup.web.query import QueryError
from hangup.web.recorded import Recorded
from hangup.web.server import Server, bind

EXAMPLE = Path(__file__).resolve().parents[2] / "recordings" / "a3-text-ping-to-json-reader.jsonl"


class _Api:
    """It goes on for as long as this process does."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._folder = tempfile.TemporaryDirectory(prefix="hangup-fuzzing-")
        self.loop.run_until_complete(self._start())

    async def _start(self) -> None:
        sockets = bind("127.0.0.1", 0)
        self.address: tuple[str, int] = sockets[0].getsockname()[:2]
        access = Access(*self.address)
        recorder = Recorder(Path(self._folder.name) / "run.jsonl", target="ws://localhost:8000")
        self.filters = FilterSet([])
        self.server = Server(sockets, access, ProxyControl(recorder, self.filters), ROUTES)
        cookie = access.redeem(access.link().rpartition("=")[2])
        assert cookie is not None
        self.home = access.home
        self.head = (
            f"Host: {access.address}\r\nOrigin: http://{access.address}\r\nCookie: {cookie.partition(';')[0]}\r\n"
            "Content-Type: application/json\r\nConnection: close\r\n"
        ).encode()

    async def _ask(self, request: bytes, whole: bool) -> bytes:
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            writer.write(request)
            if not whole:
                writer.write_eof()
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    def ask(self, request: bytes, whole: bool = True) -> bytes:
        """The answer to a request; empty if there is none. With one that may not be ``whole`` nothing is waited for."""
        return self.loop.run_until_complete(self._ask(request, whole))


@cache
def _api() -> _Api:
    return _Api()


@cache
def _recorded() -> Recorded:
    recorded = Recorded(EXAMPLE)
    while recorded.read(10.0):
        pass
    return recorded


def ask(data: bytes) -> None:
    """Sends it as it is, which lets nobody in; and then with a browser's cookie, as ``METHOD PATH``, a newline, and a
    body. The page's queries are asked of a recording."""
    api = _api()
    answer = api.ask(data, whole=False)
    assert not answer or 400 <= int(answer.split(b" ", 2)[1]) < 500, answer[:300]
    line, _, body = data.partition(b"\n")
    method, _, path = line.partition(b" ")
    if method not in (b"GET", b"POST", b"PUT", b"DELETE", b"HEAD"):
        method = b"POST"
    path = bytes(byte for byte in path if 0x20 < byte < 0x7F)
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    answer = api.ask(b"%s %s%s HTTP/1.1\r\n%s%s%s" % (method, api.home.encode(), path, api.head, length, body))
    assert answer, "no answer"
    assert int(answer.split(b" ", 2)[1]) < 500, answer[:600]
    api.filters.clear(0.0)
    name, _, query = path.removeprefix(b"api/").partition(b"?")
    try:
        ask_recorded(_recorded(), name.decode("ascii"), dict(parse_qsl(query.decode("ascii"), keep_blank_values=True)))
    except (KeyError, QueryError, RecordingError):
        pass  # there is no such query, or it is told why it is wrong

