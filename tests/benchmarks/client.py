"""The load client: sends frames built before, and compares every byte that comes back."""

from __future__ import annotations

import base64
import os
import select
import socket
import time

from benchmarks.traffic import CLOSE, MASK, Message, Pattern, accept_key, frame

CHUNK = 1 << 18
PATIENCE = 120.0  # seconds without a byte after which a connection counts as dead


class Broken(Exception):
    """A contestant lost a connection, or what came back is not what was due."""


class Connection:
    """One WebSocket through 127.0.0.1:``port``, after its handshake; the end of a `with` closes it."""

    def __init__(self, port: int, path: str = "/echo"):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._receive()
        if not head.startswith(b"HTTP/1.1 101 ") or accept_key(key).encode() not in head:
            raise Broken(f"no handshake: {head[:200]!r}")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self.sock.close()

    def close(self) -> None:
        """The closing handshake: CLOSE 1000 there and back, then the end of the stream."""
        self.sock.sendall(frame(CLOSE, b"\x03\xe8", MASK))
        due, got = frame(CLOSE, b"\x03\xe8"), b""
        while data := self.sock.recv(CHUNK):
            got += data
        if got != due:
            raise Broken(f"closing: {got[:200]!r} came instead of {due!r}")

    def _receive(self) -> bytes:
        try:
            data = self.sock.recv(CHUNK)
        except TimeoutError:
            raise Broken(f"silence for {PATIENCE:.0f} s") from None
        if not data:
            raise Broken("the connection ended")
        return data

    def round_trips(self, message: Message, *, seconds: float = 0.0, count: int = 1) -> list[float]:
        """One message at a time, ``count`` and ``seconds`` at least; the time of each in seconds."""
        sent, due, sock = message.sent, message.echo, self.sock
        times: list[float] = []
        clock = time.perf_counter
        stop = clock() + seconds
        now = 0.0
        while len(times) < count or now < stop:
            before = clock()
            sock.sendall(sent)
            got = self._receive()
            while len(got) < len(due):
                got += self._receive()
            now = clock()
            if got != due:
                raise Broken(f"{got[:200]!r} came back instead of {due[:200]!r}")
            times.append(now - before)
        return times

    def stream(
        self, message: Message, window: int, *, seconds: float = 0.0, count: int = 1
    ) -> tuple[int, float]:
        """At most ``window`` messages under way, ``count`` and ``seconds`` at least.

        Returns how many messages came back, all of them and byte for byte, and in how many seconds.
        """
        pattern, size = Pattern(message.echo, CHUNK), len(message.sent)
        out = memoryview(message.sent * max(1, min(window, CHUNK // size)))
        sock, clock = self.sock, time.perf_counter
        sent = done = phase = 0  # bytes sent, messages back, bytes of the next one
        total = None if seconds else count
        poll = select.poll()
        sock.setblocking(False)
        start = clock()
        try:
            while True:
                if total is None and clock() - start >= seconds:
                    total = max(count, -(-sent // size))
                if done == total:
                    break
                may = (done + window if total is None else min(done + window, total)) * size
                while sent < may:
                    at = sent % len(out)
                    try:
                        sent += sock.send(out[at : at + may - sent])
                    except BlockingIOError:
                        break
                poll.register(sock, select.POLLIN | (select.POLLOUT if sent < may else 0))
                if not poll.poll(PATIENCE * 1000):
                    raise Broken(f"silence for {PATIENCE:.0f} s")
                try:
                    data = self._receive()
                except BlockingIOError:
                    continue
                if not pattern.matches(phase, data):
                    raise Broken(f"after {done} messages and {phase} bytes came {data[:200]!r}")
                whole, phase = divmod(phase + len(data), pattern.size)
                done += whole
                if done * size > sent:
                    raise Broken(f"{done} messages came back for {sent / size:.1f} sent")
            took = clock() - start
        finally:
            sock.settimeout(PATIENCE)
        if phase:
            raise Broken(f"{phase} bytes too many came back")
        return done, took
