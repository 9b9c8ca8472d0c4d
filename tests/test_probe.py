"""``hangup probe`` against real servers and against sockets that misbehave, from the command line's end."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import websockets.asyncio.server
from aiohttp import web
from click.testing import CliRunner, Result
from fastapi import FastAPI, HTTPException, WebSocket
from hypothesis import given
from hypothesis import strategies as st

from hangup.cli.probe import parse_header, probe
from hangup.errors import BackendError, TargetError, UsageError
from hangup.probe.handshakes import ProbeSettings, request_for
from hangup.wire.deflate import Deflater, Params
from hangup.wire.frames import CLOSE, Frame, FrameReader
from hangup.wire.handshake import accept_key, key_is_valid
from hangup.wire.http_head import ResponseHead, parse_response, request_head, split_head
from hangup.wire.url import parse_target
from harness.certificates import authority

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Serve = Callable[[Reader, Writer], Awaitable[None]]


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most servers here have said all by the time of the 101."""
    monkeypatch.setattr("hangup.probe.handshakes.LINGER", 0.02)


@pytest.fixture
def patient(brief: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a server that is sure to hang up, however busy the machine is."""
    monkeypatch.setattr("hangup.probe.handshakes.LINGER", 20.0)


@contextmanager
def running(server: AbstractAsyncContextManager[int]) -> Iterator[int]:
    """Runs an asynchronous server in a thread of its own; gives its port."""
    ready: Future[int] = Future()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def main() -> None:
        try:
            async with server as port:
                ready.set_result(port)
                await stop.wait()
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            raise

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(main())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ready.result(30)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)


@asynccontextmanager
async def raw(serve: Serve, context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """A server of plain sockets."""

    async def handle(reader: Reader, writer: Writer) -> None:
        try:
            await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort() if writer.is_closing() else writer.close()

    server = await asyncio.start_server(handle, host, 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()


def answer(
    status: str = "101 Switching Protocols",
    *more: str,
    accept: Callable[[str], str] = accept_key,
    then: Callable[[Reader, Writer], Coroutine[Any, Any, None]] | None = None,
    seen: list[str] | None = None,
    trailing: bytes = b"",
) -> Serve:
    """Answers every handshake alike, with ``trailing`` in the same segment; then answers what comes by a close."""

    async def serve(reader: Reader, writer: Writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if seen is not None:
            seen.append(head)
        key = head.partition("Sec-WebSocket-Key: ")[2].partition("\r\n")[0]
        lines = [f"HTTP/1.1 {status}", *more]
        if status.startswith("101"):
            lines += ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept(key)}"]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + trailing)
        if then is not None:
            await then(reader, writer)
        elif await reader.read(100):
            writer.write(b"\x88\x02\x03\xe8")

    return serve


def run(*arguments: str) -> Result:
    return CliRunner().invoke(probe, list(arguments), catch_exceptions=True)


def failed(result: Result) -> list[str]:
    """The names of the failed checks, from the output for people."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return [line.split()[1] for line in result.stdout.splitlines() if line.startswith("FAILED")]


def application() -> FastAPI:
    app = FastAPI()

    async def chat(websocket: WebSocket, number: int) -> None:
        await websocket.accept()
        await websocket.send_json({"type": "welcome"})
        await websocket.receive_text()

    async def close_first(websocket: WebSocket) -> None:
        await websocket.close(4401)

    async def login_first(websocket: WebSocket) -> None:
        raise HTTPException(401, "who are you?")

    async def returns(websocket: WebSocket) -> None:
        await websocket.accept()

    async def refuses(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close(4401, "auth")

    async def page() -> dict[str, str]:
        return {"hello": "world"}

    for handler in (chat, close_first, login_first, returns, refuses):
        handler.__annotations__["websocket"] = WebSocket
    chat.__annotations__["number"] = int
    app.add_api_websocket_route("/ws/{number}", chat)
    app.add_api_websocket_route("/close-first", close_first)
    app.add_api_websocket_route("/login-first", login_first)
    app.add_api_websocket_route("/returns", returns)
    app.add_api_websocket_route("/refuses", refuses)
    app.add_api_route("/page", page)
    return app


@asynccontextmanager
async def uvicorn_server(ws: Any) -> AsyncIterator[int]:
    config = uvicorn.Config(application(), log_level="critical", ws=ws, lifespan="off")
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task


@pytest.fixture(scope="module", params=["websockets-sansio", "wsproto"])
def backend(request: pytest.FixtureRequest) -> Iterator[int]:
    with running(uvicorn_server(request.param)) as port:
        yield port


class TestFastapiOnUvicorn:
    def test_a_sound_endpoint(self, backend: int) -> None:
        result = run(f"ws://127.0.0.1:{backend}/ws/1")
        assert failed(result) == []
        assert result.exit_code == 0
        assert "101 with Origin http://127.0.0.1:" in result.stdout
        assert result.stdout.rstrip().endswith("All 9 checks passed.")

    @pytest.mark.parametrize("path", ["/nowhere", "/ws/x", "/ws/1/", "/close-first", "/page"])
    def test_refused_with_403(self, backend: int, path: str) -> None:
        result = run(f"ws://127.0.0.1:{backend}{path}")
        assert failed(result) == ["status"]
        assert result.exit_code == 1
        assert "403 Forbidden" in result.stdout
        assert "the Origin is not the reason" in result.stdout

    def test_the_body_of_a_refusal_is_shown(self, backend: int) -> None:
        result = run(f"ws://127.0.0.1:{backend}/login-first")
        assert failed(result) == ["status"]
        assert "< HTTP/1.1 401" in result.stdout
        assert 'who are you?"' in result.stdout

    def test_a_handler_that_returns_at_once(self, backend: int, patient: None) -> None:
        result = run(f"ws://127.0.0.1:{backend}/returns")
        assert result.exit_code == 0, "the handshake itself is sound"
        assert "the server hung up without a close frame (a browser shows 1006)" in result.stdout
        assert "All 9 checks passed, but the server hung up at once." in result.stdout

    def test_a_close_after_accept(self, backend: int, patient: None) -> None:
        result = run(f"ws://127.0.0.1:{backend}/refuses")
        assert result.exit_code == 0
        assert "the server closed with 4401 'auth'" in result.stdout

    def test_http_is_taken_for_ws_and_said_so(self, backend: int) -> None:
        result = run(f"http://127.0.0.1:{backend}/ws/1")
        assert result.exit_code == 0
        assert f"http://127.0.0.1:{backend}/ws/1 is taken as ws://127.0.0.1:{backend}/ws/1" in result.stderr

    def test_a_subprotocol_that_is_not_echoed(self, backend: int) -> None:
        result = run(f"ws://127.0.0.1:{backend}/ws/1", "--subprotocol", "chat")
        assert failed(result) == ["subprotocol-not-echoed"]
        assert result.exit_code == 1


class TestOtherServers:
    def test_websockets_with_a_subprotocol(self) -> None:
        @asynccontextmanager
        async def server() -> AsyncIterator[int]:
            async def handler(connection: Any) -> None:
                await connection.wait_closed()
                codes.append(connection.close_code)

            serve = websockets.asyncio.server.serve(handler, "127.0.0.1", 0, subprotocols=["b"])  # type: ignore[list-item]
            async with serve as running_server:
                yield next(iter(running_server.sockets)).getsockname()[1]

        codes: list[int] = []
        with running(server()) as port:
            result = run(f"ws://127.0.0.1:{port}", "--subprotocol", "a", "--subprotocol", "b")
            assert failed(result) == []
            assert "the server chose 'b' of what was offered (a, b)" in result.stdout
            other = run(f"ws://127.0.0.1:{port}", "--subprotocol", "c")
            assert other.exit_code == 1
        assert codes == [1000, 1000], "it left politely, both times"

    def test_aiohttp_without_such_a_path(self) -> None:
        @asynccontextmanager
        async def server() -> AsyncIterator[int]:
            runner = web.AppRunner(web.Application())
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            try:
                yield runner.addresses[0][1]
            finally:
                await runner.cleanup()

        with running(server()) as port:
            result = run(f"ws://127.0.0.1:{port}/nowhere")
        assert failed(result) == ["status"]
        assert "404 Not Found" in result.stdout
        assert "404: Not Found" in result.stdout, "the body"


class TestMisbehaviour:
    def test_a_wrong_accept_key(self) -> None:
        with running(raw(answer(accept=lambda key: key))) as port:
            result = run(f"ws://127.0.0.1:{port}")
        assert failed(result) == ["accept-key"]
        assert "it is the key itself" in result.stdout

    def test_an_extension_that_was_not_offered(self) -> None:
        line = "Sec-WebSocket-Extensions: x-webkit-deflate-frame"
        with running(raw(answer("101 Switching Protocols", line))) as port:
            result = run(f"ws://127.0.0.1:{port}")
        assert failed(result) == ["extension-not-offered"]
        assert result.exit_code == 1

    def test_a_server_that_never_answers(self) -> None:
        async def silent(reader: Reader, writer: Writer) -> None:
            await reader.read()

        with running(raw(silent)) as port:
            result = run(f"ws://127.0.0.1:{port}", "--timeout", "1")
        assert failed(result) == ["status"]
        assert "no answer within 1.00 s" in result.stdout
        assert "origin" not in result.stdout, "not tried a second time"

    @pytest.mark.parametrize(
        ("sent", "words"),
        [
            (b"", "the server closed the connection without an answer"),
            (b"HTTP/1.1 101 Swi", "in the middle of its answer (HTTP/1.1 101 Swi)"),
            (b"SSH-2.0-OpenSSH_9.6\r\n", "the response is not HTTP: SSH-2.0-OpenSSH_9.6"),
            (b"HTTP/1.1 OK\r\n\r\n", "the response is not HTTP"),
            (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, "longer than 65536 bytes"),
            (b"\x15\x03\x01\x00\x02\x02\x46", "the URL begins with wss://"),
            (b"\x1b[31m\xff\x00", "\\x1b[31m\\xff\\x00"),
        ],
    )
    def test_garbage(self, sent: bytes, words: str) -> None:
        async def serve(reader: Reader, writer: Writer) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(sent)
            await writer.drain()

        with running(raw(serve)) as port:
            result = run(f"ws://127.0.0.1:{port}")
        assert failed(result)[0] == "status"
        assert result.exit_code == 1
        assert words in result.stdout
        assert "\x1b" not in result.stdout

    def test_a_redirect_is_reported_and_not_followed(self) -> None:
        seen: list[str] = []
        serve = answer("307 Temporary Redirect", "Location: /ws/", "Content-Length: 0", seen=seen)
        with running(raw(serve)) as port:
            result = run(f"ws://127.0.0.1:{port}/ws")
        assert failed(result) == ["status"]
        assert "a redirect to /ws/, which browsers do not follow for a WebSocket" in result.stdout
        assert [head.split()[1] for head in seen] == ["/ws", "/ws"]

    def test_an_interim_answer_is_passed_over(self) -> None:
        serve = answer("103 Early Hints\r\n\r\nHTTP/1.1 403 Forbidden", "Content-Length: 0")
        with running(raw(serve)) as port:
            result = run(f"ws://127.0.0.1:{port}/ws")
        assert "403 Forbidden" in result.stdout

    def test_a_chunked_body(self) -> None:
        async def then(reader: Reader, writer: Writer) -> None:
            writer.write(b"7\r\nno way\n\r\n0\r\n\r\n")

        serve = answer("400 Bad Request", "Transfer-Encoding: chunked", then=then)
        with running(raw(serve)) as port:
            result = run(f"ws://127.0.0.1:{port}/ws")
        assert "< no way\n" in result.stdout

    def test_what_the_server_says_first(self) -> None:
        packed = Deflater(Params(), "server").message(b"squeezed")
        frames = b"\x81\x05hello\x82\x03abc\x89\x00" + bytes([0xC1, len(packed)]) + packed
        line = "Sec-WebSocket-Extensions: permessage-deflate"
        with running(raw(answer("101 Switching Protocols", line, trailing=frames))) as port:
            result = run(f"ws://127.0.0.1:{port}")
        said = [line.partition(",")[0].strip() for line in result.stdout.splitlines() if "after the 101" in line]
        assert said == [
            "the server sent a text frame: hello",
            "the server sent a binary frame of 3 bytes",
            "the server sent a ping frame of 0 bytes",
            "the server sent a text frame: squeezed",
        ]
        assert result.exit_code == 0

    def test_bytes_that_are_no_frame(self) -> None:
        with running(raw(answer(trailing=b"HTTP/1.1 400 Bad Request\r\n\r\n"))) as port:
            result = run(f"ws://127.0.0.1:{port}")
        assert "bytes that are not a frame: HTTP/1.1 400 Bad Request" in result.stdout

    def test_a_server_that_talks_a_lot(self) -> None:
        with running(raw(answer(trailing=b"\x81\x02hi" * 100))) as port:
            result = run(f"ws://127.0.0.1:{port}")
        assert result.stdout.count("a text frame: hi") == 8
        assert "and more" in result.stdout

    def test_nothing_of_the_server_reaches_the_terminal_unescaped(self) -> None:
        serve = answer("403 \x1b]0;owned\x07", "Set-Cookie: \x1b[2J", "Location: \x1b[31m", "Content-Length: 0")
        with running(raw(serve)) as port:
            result = run(f"ws://127.0.0.1:{port}")
        assert "\\x1b]0;owned\\x07" in result.stdout
        assert "\x1b" not in result.stdout and "\x07" not in result.stdout


class TestOrigin:
    @staticmethod
    def server(refuses: Callable[[str], bool]) -> Serve:
        async def serve(reader: Reader, writer: Writer) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            origin = head.partition("Origin: ")[2].partition("\r\n")[0]
            key = head.partition("Sec-WebSocket-Key: ")[2].partition("\r\n")[0]
            if refuses(origin):
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            else:
                writer.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: " + accept_key(key).encode() + b"\r\n\r\n"
                )
                await reader.read(100)
                writer.write(b"\x88\x02\x03\xe8")

        return serve

    def test_a_server_that_refuses_the_origin(self) -> None:
        with running(raw(self.server(lambda origin: origin == "http://localhost:3000"))) as port:
            refused = run(f"ws://127.0.0.1:{port}", "--origin", "http://localhost:3000")
            fine = run(f"ws://127.0.0.1:{port}")
        assert failed(refused) == ["status", "origin"]
        assert "403 with Origin http://localhost:3000, 101 without" in refused.stdout
        assert failed(fine) == []

    def test_a_server_that_wants_one(self) -> None:
        with running(raw(self.server(lambda origin: not origin))) as port:
            result = run(f"ws://127.0.0.1:{port}")
        assert failed(result) == []
        assert "a client that is not a browser must send one too" in result.stdout

    def test_none_at_all(self) -> None:
        seen: list[str] = []
        with running(raw(answer(seen=seen))) as port:
            result = run(f"ws://127.0.0.1:{port}", "--origin", "")
        assert result.exit_code == 0
        assert len(seen) == 1 and "Origin" not in seen[0]


class TestTls:
    def test_trusted_by_a_ca_file(self) -> None:
        with running(raw(answer(), authority().server())) as port:
            result = run(f"wss://localhost:{port}", "--ca", str(authority().ca), "--json")
        assert result.exit_code == 0
        assert json.loads(result.stdout)["attempts"][0]["tls"].startswith("TLS")

    def test_not_trusted(self) -> None:
        with running(raw(answer(), authority().server())) as port:
            refused = run(f"wss://localhost:{port}")
            insecure = run(f"wss://localhost:{port}", "--insecure")
        assert isinstance(refused.exception, BackendError)
        assert refused.exception.exit_code == 1
        assert "its certificate is not trusted: self-signed certificate in certificate chain" in str(refused.exception)
        assert "--insecure" in str(refused.exception)
        assert insecure.exit_code == 0

    def test_another_name(self) -> None:
        with running(raw(answer(), authority().server())) as port:
            result = run(f"wss://127.0.0.2:{port}", "--ca", str(authority().ca))
        assert isinstance(result.exception, BackendError)

    def test_wss_to_a_server_without_tls(self) -> None:
        async def serve(reader: Reader, writer: Writer) -> None:
            await reader.read(1000)
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()

        with running(raw(serve)) as port:
            result = run(f"wss://127.0.0.1:{port}")
        assert isinstance(result.exception, BackendError)
        assert "is it ws:// rather than wss://?" in str(result.exception)

    def test_ws_to_a_server_with_tls(self) -> None:
        with running(raw(answer(), authority().server())) as port:
            result = run(f"ws://localhost:{port}")
        assert failed(result)[0] == "status"

    def test_a_ca_file_that_holds_none(self, tmp_path: Path) -> None:
        path = tmp_path / "ca.pem"
        path.write_text("nothing")
        result = run("wss://127.0.0.1:1", "--ca", str(path))
        assert isinstance(result.exception, UsageError)
        assert "contains no readable certificates" in str(result.exception)


class TestNoConnection:
    def test_refused(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
            for host in ("127.0.0.1", "localhost"):
                result = run(f"ws://{host}:{port}")
                assert isinstance(result.exception, BackendError)
                assert str(result.exception).endswith(f"connection refused: nothing listens on port {port}")

    @pytest.mark.parametrize("host", ["nosuchhost.invalid", "a" * 70, "é" * 70])
    def test_no_such_host(self, host: str) -> None:
        result = run(f"ws://{host}/")
        assert isinstance(result.exception, BackendError)
        assert "no such host" in str(result.exception)

    @pytest.mark.parametrize("url", ["localhost:8000/ws", "ftp://localhost", "ws://", "", "ws://h:99999", "ws://[::1"])
    def test_not_a_url(self, url: str) -> None:
        result = run(url)
        assert isinstance(result.exception, TargetError)
        assert result.exception.exit_code == 2

    @pytest.mark.parametrize("header", ["Cookie", "", ": x", "A b: c", "X: a\r\nY: b", "X\n: y"])
    def test_not_a_header(self, header: str) -> None:
        result = run("ws://127.0.0.1:1", "--header", header)
        assert isinstance(result.exception, UsageError)

    def test_ipv6(self) -> None:
        try:
            with running(raw(answer(), host="::1")) as port:
                result = run(f"ws://[::1]:{port}/ws?a=1")
        except OSError:
            pytest.skip("no IPv6 here")
        assert result.exit_code == 0
        assert f"> Host: [::1]:{port}" in result.stdout


class TestRequest:
    def request(self, url: str, **settings: Any) -> Any:
        return request_for(ProbeSettings(target=parse_target(url), **settings), None)

    def test_keys_are_valid_and_fresh(self) -> None:
        keys = {dict(self.request("ws://h").headers)["Sec-WebSocket-Key"] for _ in range(20)}
        assert len(keys) == 20
        assert all(map(key_is_valid, keys))

    @pytest.mark.parametrize(
        ("url", "target", "host"),
        [
            ("ws://h", "/", "h"),
            ("ws://h:80?a=b", "/?a=b", "h"),
            ("wss://h:443/a/b?c=d%20e", "/a/b?c=d%20e", "h"),
            ("wss://h:80/x y", "/x%20y", "h:80"),
            ("ws://[::1]:9/é", "/%C3%A9", "[::1]:9"),
            ("ws://bücher.example/", "/", "xn--bcher-kva.example"),
        ],
    )
    def test_target_and_host(self, url: str, target: str, host: str) -> None:
        request = self.request(url)
        assert (request.target, dict(request.headers)["Host"]) == (target, host)

    def test_a_header_replaces_ours_or_takes_it_away(self) -> None:
        own = [parse_header("sec-websocket-extensions:"), parse_header("HOST: other"), parse_header("Cookie: a=b")]
        headers = [(name.lower(), value) for name, value in self.request("ws://h", headers=own).headers]
        assert "sec-websocket-extensions" not in dict(headers)
        assert [value for name, value in headers if name == "host"] == ["other"]
        assert ("cookie", "a=b") in headers

    def test_a_careless_key_is_sent_and_blamed(self) -> None:
        with running(raw(answer())) as port:
            result = run(f"ws://127.0.0.1:{port}", "--header", "Sec-WebSocket-Key: test")
        assert failed(result) == ["key-invalid"]


def test_it_leaves_by_a_masked_close_frame() -> None:
    received: list[bytes] = []

    async def then(reader: Reader, writer: Writer) -> None:
        data = await reader.readexactly(8)
        received.append(data)
        writer.write(b"\x88\x02\x03\xe8")

    with running(raw(answer(then=then))) as port:
        assert run(f"ws://127.0.0.1:{port}").exit_code == 0
    for data in received:
        [frame] = FrameReader("client").feed(data)
        assert isinstance(frame, Frame)
        assert (frame.opcode, frame.payload, frame.problems) == (CLOSE, b"\x03\xe8", ())
    assert len(received) == 2


def test_json() -> None:
    with running(raw(answer(accept=lambda key: "wrong"))) as port:
        result = run(f"ws://127.0.0.1:{port}/ws", "--json")
    data = json.loads(result.stdout)
    assert result.exit_code == 1
    assert data["url"] == f"ws://127.0.0.1:{port}/ws"
    assert data["ok"] is False
    assert [check["name"] for check in data["checks"] if not check["ok"]] == ["accept-key"]
    first, second = data["attempts"]
    assert first["origin"] == f"http://127.0.0.1:{port}"
    assert second["origin"] is None
    assert first["request"]["method"] == "GET"
    assert first["response"]["status"] == 101
    assert ["Upgrade", "websocket"] in first["response"]["headers"]


class TestHeads:
    def test_a_response(self) -> None:
        data = b"HTTP/1.1 101 Switching  Protocols\r\nA:1\r\n b: 2 \r\nC:\xe9\r\nno colon\r\n\r\n\x81\x00"
        parts = split_head(data)
        assert parts is not None
        assert parts[1] == b"\x81\x00"
        assert parse_response(parts[0]) == ResponseHead(
            "HTTP/1.1", 101, "Switching  Protocols", [("A", "1 b: 2"), ("C", "é"), ("no colon", "")]
        )

    def test_bare_line_feeds(self) -> None:
        parts = split_head(b"HTTP/1.0 200\nA: b\n\nbody")
        assert parts is not None and parse_response(parts[0]) == ResponseHead("HTTP/1.0", 200, "", [("A", "b")])

    def test_incomplete(self) -> None:
        assert split_head(b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n") is None

    @given(st.binary())
    def test_never_raises(self, data: bytes) -> None:
        split_head(data)
        parse_response(data)
        parse_response(b"HTTP/1.1 200 OK\r\n" + data)

    @given(st.lists(st.tuples(st.from_regex(r"[A-Za-z-]+", fullmatch=True), st.from_regex(r"[!-~]*", fullmatch=True))))
    def test_what_is_written_is_read(self, headers: list[tuple[str, str]]) -> None:
        parts = split_head(request_head("GET", "/", headers))
        assert parts is not None
        head = parse_response(parts[0].replace(b"GET / HTTP/1.1", b"HTTP/1.1 200", 1))
        assert head is not None and head.headers == headers
