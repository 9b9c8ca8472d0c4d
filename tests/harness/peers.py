"""Raw ends of a connection: they send what they are told, and note every byte and how the other side ended.

::

    with RawServer() as server:
        client = open_websocket(server.address, "/chat")
        upstream = server.accept("/chat")
        upstream.send(frames.frame(frames.TEXT, b"hello"))
        client.expect(7)
        upstream.rst()
        assert client.wait_end().how == "rst"
"""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
import struct
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from harness import DEADLINE, frames
from harness.reactor import reactor

Address = tuple[str, int]
How = Literal["fin", "rst"]
Side = Literal["client", "server"]
Sight = Literal["notify", "fin", "rst"]


@dataclass(frozen=True)
class End:
    """How the other side ended its direction, and when (``time.monotonic``)."""

    how: How
    at: float
    close_notify: bool | None = None
    """Whether a TLS ``close_notify`` came before; None without TLS."""


@dataclass(frozen=True)
class Head:
    """The head of an HTTP message, as it came: its first line's words and its headers in order and case."""

    words: tuple[str, str, str]
    headers: list[tuple[str, str]]
    raw: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Head:
        first, *rest = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
        words = (*first.split(" ", 2), "", "")[:3]
        pairs = [line.split(":", 1) for line in rest]
        return cls((words[0], words[1], words[2]), [(k, v.strip()) for k, v in pairs], raw)

    @property
    def target(self) -> str:
        """Of a request."""
        return self.words[1]

    @property
    def status(self) -> int:
        """Of a response."""
        return int(self.words[1])

    def get(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)


class Peer:
    """One end of one TCP or TLS connection. All its methods may be called from any thread."""

    def __init__(self, sock: socket.socket, name: str) -> None:
        self.name = name
        self.head = Head(("", "", ""), [], b"")
        """What the other side's handshake was: the request for a server, the response for a client."""
        self.end: End | None = None
        self.seen: list[tuple[Sight, int]] = []
        """What came beside bytes, in order, and how many bytes had come before; a RST also after a FIN."""
        self.chunks: list[tuple[float, bytes]] = []
        """What came since the handshake, with the time (``time.monotonic``) of each piece."""
        self.on_data: Callable[[], None] | None = None
        """Run by the reactor when something came."""
        self.on_end: Callable[[], None] | None = None
        """Run by the reactor when the other side has ended its direction."""
        self.tls_error = ""
        self._sock = sock
        self._data = bytearray()
        self._out = bytearray()
        self._after_out: Callable[[], None] | None = None
        self._tls: ssl.SSLObject | None = None
        self._tls_in, self._tls_out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls_ready = False
        self._close_notify = False
        self._fin_sent = False
        self._reactor = reactor()
        sock.setblocking(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reactor.call(self._watch)

    def __repr__(self) -> str:
        shown = bytes(self._data[:80])
        return f"<{self.name}: {len(self._data)} bytes {shown!r}, {self.end}, {self.tls_error}>"

    # What came ---------------------------------------------------------------------------------------------

    @property
    def received(self) -> bytes:
        """All bytes that came since the handshake."""
        with self._reactor.changed:
            return bytes(self._data)

    def expect(self, what: int | bytes, deadline: float = DEADLINE) -> bytes:
        """Wait until so many bytes have come, or exactly these; return all that came so far.

        Fails at once when the other side ended before.
        """
        size = what if isinstance(what, int) else len(what)
        self._reactor.wait(
            lambda: len(self._data) >= size or self.end or self.tls_error,
            lambda: f"{size} bytes wanted: {self!r}",
            deadline,
        )
        got = self.received
        assert len(got) >= size, f"{size} bytes wanted: {self!r}"
        if isinstance(what, bytes):
            assert got == what, f"{self.name} received {got[:200]!r} instead of {what[:200]!r}"
        return got

    def expect_frames(self, count: int, deadline: float = DEADLINE) -> list[frames.Parsed]:
        """Wait until so many whole frames have come; return all of them."""
        self._reactor.wait(
            lambda: len(list(frames.parse(bytes(self._data)))) >= count or self.end,
            lambda: f"{count} frames wanted: {self!r}",
            deadline,
        )
        got = list(frames.parse(self.received))
        assert len(got) >= count, f"{count} frames wanted: {self!r}"
        return got

    def take(self, what: int | bytes, deadline: float = DEADLINE) -> bytes:
        """Wait for so many bytes, or up to and with this separator; remove them from ``received``."""

        def size() -> int:
            if isinstance(what, int):
                return what if len(self._data) >= what else 0
            at = self._data.find(what)
            return 0 if at < 0 else at + len(what)

        self._reactor.wait(lambda: size() or self.end or self.tls_error, lambda: f"{what!r} wanted: {self!r}", deadline)
        assert size(), f"{what!r} wanted: {self!r}"
        return self._reactor.call(lambda: self._take(size()))

    def wait_end(self, deadline: float = DEADLINE) -> End:
        """Wait until the other side has ended its direction."""
        return self._reactor.wait(lambda: self.end, lambda: f"an end wanted: {self!r}", deadline)  # type: ignore[return-value]

    # What goes ---------------------------------------------------------------------------------------------

    def send(self, data: bytes, deadline: float = DEADLINE) -> None:
        """Send these bytes, and wait until the kernel has them all."""
        self._reactor.call(lambda: self._send(data))
        self._reactor.wait(
            lambda: not self._out or self.end,
            lambda: f"{len(self._out)} bytes are not sent: {self!r}",
            deadline,
        )

    def wait_seen(self, sight: Sight, deadline: float = DEADLINE) -> None:
        """Wait until a close_notify, a FIN or a RST has come."""
        self._reactor.wait(
            lambda: any(each == sight for each, _ in self.seen), lambda: f"{sight} wanted: {self!r}", deadline
        )

    def notify(self) -> None:
        """Over TLS: send a ``close_notify``, and no FIN."""
        self._reactor.call(lambda: self._end(lambda: None, True))

    def half_close(self, *, notify: bool = True) -> None:
        """End our direction with a FIN (over TLS, a ``close_notify`` before it) and go on reading."""
        self._reactor.call(lambda: self._end(self._fin, notify))

    def close(self, *, notify: bool = True) -> None:
        """Close both directions, as a process does that ends; ``notify=False`` leaves TLS's goodbye out."""
        self._reactor.call(lambda: self._end(self._shut, notify))

    def rst(self) -> None:
        """Reset the connection."""

        def reset() -> None:
            if self._sock.fileno() >= 0:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._shut()

        self._reactor.call(reset)

    def start_tls(self, context: ssl.SSLContext, *, server_side: bool = False, hostname: str = "") -> None:
        """Begin TLS. A client waits until it is agreed; a server goes on with it as the bytes come."""

        def begin() -> None:
            self._tls = context.wrap_bio(
                self._tls_in, self._tls_out, server_side=server_side, server_hostname=hostname or None
            )
            waiting = self._take(len(self._data))
            self._feed_tls(waiting)

        self._reactor.call(begin)
        if not server_side:
            self._reactor.wait(lambda: self._tls_ready or self.tls_error or self.end, lambda: f"TLS wanted: {self!r}")
            assert self._tls_ready, f"TLS wanted: {self!r}"

    # In the reactor's thread -------------------------------------------------------------------------------

    def _watch(self) -> None:
        if self._sock.fileno() >= 0:
            wanted = (select.POLLIN if self.end is None else 0) | (select.POLLOUT if self._out else 0)
            self._reactor.register(self._sock.fileno(), wanted, self._on_event)

    def _on_event(self, events: int) -> None:
        if self.end is None and events & (select.POLLIN | select.POLLHUP | select.POLLERR):
            self._read()
        elif events & (select.POLLERR | select.POLLHUP):
            self._reactor.unregister(self._sock.fileno())
            if events & select.POLLERR and not self._fin_sent:
                self._saw("rst")
            return
        if self._sock.fileno() >= 0 and events & select.POLLOUT:
            self._flush()

    def _read(self) -> None:
        while self.end is None and self._sock.fileno() >= 0:
            try:
                data = self._sock.recv(1 << 18)
            except BlockingIOError:
                return
            except OSError as error:
                self._ended("rst", error)
                return
            if not data:
                self._ended("fin")
            elif self._tls is None:
                self._arrived(data)
            else:
                self._feed_tls(data)

    def _ended(self, how: How, error: OSError | None = None) -> None:
        if error is not None and error.errno not in (errno.ECONNRESET, errno.EPIPE):
            self.tls_error = str(error)
        self.end = End(how, time.monotonic(), None if self._tls is None else self._close_notify)
        self._saw(how)
        self._watch() if how == "fin" else self._shut()
        if self.on_end:
            self.on_end()

    def _saw(self, sight: Sight) -> None:
        if (sight, len(self._data)) not in self.seen:
            self.seen.append((sight, len(self._data)))

    def _arrived(self, data: bytes) -> None:
        self._data += data
        self.chunks.append((time.monotonic(), data))
        if self.on_data:
            self.on_data()

    def _feed_tls(self, data: bytes) -> None:
        assert self._tls is not None
        self._tls_in.write(data)
        try:
            if not self._tls_ready:
                self._tls.do_handshake()
                self._tls_ready = True
            while chunk := self._tls.read(1 << 18):
                self._arrived(chunk)
            self._said_goodbye()  # read() gives nothing once the goodbye has come
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._said_goodbye()
        except ssl.SSLError as error:
            self.tls_error = str(error)
        self._out += self._tls_out.read()
        self._flush()

    def _said_goodbye(self) -> None:
        self._close_notify = True
        if not any(sight == "notify" for sight, _ in self.seen):
            self._saw("notify")

    def _send(self, data: bytes) -> None:
        if self._sock.fileno() < 0:
            return
        if self._tls is None:
            self._out += data
        else:
            self._tls.write(data) if data else None
            self._out += self._tls_out.read()
        self._flush()

    def _flush(self) -> None:
        while self._out and self._sock.fileno() >= 0:
            try:
                del self._out[: self._sock.send(self._out)]
            except BlockingIOError:
                break
            except OSError as error:
                self._read()
                if self.end is None:
                    self._ended("rst", error)
                else:
                    self._saw("rst")
                self._out.clear()
        if not self._out and self._after_out:
            after, self._after_out = self._after_out, None
            after()
        self._watch()

    def _end(self, then: Callable[[], None], notify: bool) -> None:
        if self._sock.fileno() < 0:
            return
        self._read()
        if self._tls is not None and self._tls_ready and notify:
            try:
                self._tls.unwrap()
            except ssl.SSLError:
                pass  # it wants the other side's answer; ours is written
            self._out += self._tls_out.read()
        self._after_out = then
        self._flush()

    def _fin(self) -> None:
        self._fin_sent = True
        if self._sock.fileno() >= 0:
            with suppress(OSError):  # it was reset meanwhile
                self._sock.shutdown(socket.SHUT_WR)

    def _shut(self) -> None:
        if self._sock.fileno() >= 0:
            self._reactor.unregister(self._sock.fileno())
            self._sock.close()

    def _take(self, size: int) -> bytes:
        taken = bytes(self._data[:size])
        del self._data[:size]
        self.chunks = [(time.monotonic(), bytes(self._data))] if self._data else []
        return taken


@dataclass(frozen=True)
class Answer:
    """How a :class:`RawServer` answers a handshake; ``greeting`` goes out in one piece with it."""

    status: int = 101
    headers: Sequence[tuple[str, str]] = ()
    greeting: bytes = b""

    def render(self, request: Head) -> bytes:
        """The bytes of the response to this request."""
        if self.status == 101:
            accept = frames.accept_key(request.get("sec-websocket-key") or "")
            lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
            lines.append(f"Sec-WebSocket-Accept: {accept}")
        else:
            lines = [f"HTTP/1.1 {self.status} Answer", f"Content-Length: {len(self.greeting)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.greeting


PLAIN = Answer(200, [("Content-Type", "text/plain")], b"plain HTTP")
"""What a request without ``Upgrade`` gets."""


@dataclass
class RawServer:
    """A server on a free port of the loopback that completes handshakes and leaves the rest to the test.

    ``answer`` is how it answers, or a function of the request that says how; None: not at all. With a ``script``, each
    connection runs it in a thread of its own; without, the test fetches them with :meth:`accept`.
    """

    tls: ssl.SSLContext | None = None
    answer: Answer | Callable[[Head], Answer] | None = field(default_factory=Answer)
    script: Callable[[Peer], None] | None = None
    host: str = "127.0.0.1"
    port: int = 0
    listener: socket.socket | None = None
    """A listening socket to use instead of making one."""

    def __post_init__(self) -> None:
        self.requests: list[Head] = []
        """Every request that came, the plain ones too."""
        self._opened: list[Peer] = []
        self._all: list[Peer] = []
        if self.listener is None:
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            self.listener = socket.create_server((self.host, self.port), family=family, backlog=512)
        self.listener.setblocking(False)
        self.host, self.port = self.listener.getsockname()[:2]
        fd = self.listener.fileno()
        reactor().call(lambda: reactor().register(fd, select.POLLIN, self._on_connect))

    @property
    def address(self) -> Address:
        return self.host, self.port

    @property
    def url(self) -> str:
        """``ws://HOST:PORT``, or ``wss:``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'wss' if self.tls else 'ws'}://{host}:{self.port}"

    def __enter__(self) -> RawServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def accept(self, target: str | None = None, deadline: float = DEADLINE) -> Peer:
        """Wait for the next connection whose handshake asked for this path and query (any, by default)."""

        def find() -> Peer | None:
            return next((p for p in self._opened if target is None or p.head.target == target), None)

        peer = reactor().wait(find, lambda: f"no handshake for {target} at {self.url}", deadline)
        assert peer is not None
        with reactor().changed:
            self._opened.remove(peer)
        return peer

    def refuse(self) -> None:
        """Stop listening; open connections stay."""

        def shut() -> None:
            assert self.listener is not None
            if self.listener.fileno() >= 0:
                reactor().unregister(self.listener.fileno())
                self.listener.close()

        reactor().call(shut)

    def stop(self) -> None:
        """Stop listening and close every connection."""
        self.refuse()
        for peer in self._all:
            peer.close()

    def _on_connect(self, _events: int) -> None:
        assert self.listener is not None
        while True:
            try:
                sock, _ = self.listener.accept()
            except BlockingIOError:
                return
            peer = Peer(sock, "server")
            peer.on_data = lambda peer=peer: self._on_request(peer)
            self._all.append(peer)
            if self.tls:
                peer.start_tls(self.tls, server_side=True)

    def _on_request(self, peer: Peer) -> None:
        at = peer._data.find(b"\r\n\r\n")
        if at < 0:
            return
        peer.head = Head.parse(peer._take(at + 4))
        self.requests.append(peer.head)
        if (peer.head.get("upgrade") or "").lower() != "websocket":
            peer._send(PLAIN.render(peer.head))
            return
        peer.on_data = None
        answer = self.answer(peer.head) if callable(self.answer) else self.answer
        if answer is not None:
            peer._send(answer.render(peer.head))
        if self.script:
            threading.Thread(target=self._play, args=(peer,), daemon=True).start()
        else:
            self._opened.append(peer)

    def _play(self, peer: Peer) -> None:
        assert self.script is not None
        try:
            self.script(peer)
        except AssertionError:
            peer.close()


def dial(address: Address, *, name: str = "client") -> Peer:
    """A plain TCP connection."""
    return Peer(socket.create_connection(address, DEADLINE), name)


def request_head(target: str, host: str, headers: Sequence[tuple[str, str]] = (), key: str | None = None) -> bytes:
    """The bytes of a correct handshake request."""
    key = key or b64encode(os.urandom(16)).decode()
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def open_websocket(
    address: Address | Peer,
    target: str = "/",
    *,
    tls: ssl.SSLContext | None = None,
    headers: Sequence[tuple[str, str]] = (),
    early: bytes = b"",
    host: str | None = None,
    status: int = 101,
) -> Peer:
    """Open a WebSocket by hand and check that the answer has this ``status``.

    ``address`` may be a connection that is open already, as after a ``CONNECT``. ``early`` bytes go out in
    one piece with the request, before the answer is known.
    """
    peer = address if isinstance(address, Peer) else dial(address)
    if tls:
        peer.start_tls(tls, hostname="localhost")
    if host is None:
        host = "localhost" if isinstance(address, Peer) else f"{address[0]}:{address[1]}"
    head = request_head(target, host, headers)
    peer.send(head + early)
    peer.head = Head.parse(peer.take(b"\r\n\r\n"))
    assert peer.head.status == status, f"{peer.head.raw!r} {peer.received[:500]!r}"
    if status == 101:
        sent_key = Head.parse(head).get("sec-websocket-key") or ""
        assert peer.head.get("sec-websocket-accept") == frames.accept_key(sent_key)
    return peer
