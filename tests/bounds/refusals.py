"""Handshakes that are refused with a body that is small on the wire and large when it is inflated, or has no end."""

from __future__ import annotations

import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import repeat
from typing import TYPE_CHECKING

import psutil

from bounds.bombs import MIB, growth

if TYPE_CHECKING:
    from hangup.recording.events import Handshake

HEAD = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n"
ASKED = (
    b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
PIECE = b"a" * 65536


def sized(body: bytes, encoding: str) -> Iterator[bytes]:
    """An answer with this body."""
    yield HEAD + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding.encode(), len(body))
    yield from (body[at : at + 65536] for at in range(0, len(body), 65536))


@cache
def gzipped(mib: int) -> bytes:
    """A gzip file that unpacks to so many MiB, about a thousandth of that."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    once = packer.compress(b"a" * MIB) + packer.flush(zlib.Z_FULL_FLUSH)  # may be repeated
    crc = 0
    for _ in range(mib):
        crc = zlib.crc32(b"a" * MIB, crc)
    return b"\x1f\x8b\x08" + bytes(7) + once * mib + packer.flush() + struct.pack("<II", crc, mib * MIB)


@cache
def brotli(mib: int) -> bytes:
    """The same of brotli."""
    packer = import_module("brotli").Compressor(quality=1)
    return b"".join([*(packer.process(b"a" * MIB) for _ in range(mib)), packer.finish()])


@cache
def zstandard(mib: int) -> bytes:
    """The same of zstd, by the library that this mitmproxy brings."""
    for name in ("compression.zstd", "backports.zstd", "zstandard"):
        with suppress(ImportError):
            zstd = import_module(name)
            packer = zstd.ZstdCompressor()
            packer = packer.compressobj() if name == "zstandard" else packer
            return b"".join([*(packer.compress(b"a" * MIB) for _ in range(mib)), packer.flush()])
    raise AssertionError("no zstd")


def chunked(pieces: int) -> Iterator[bytes]:
    """An answer with a body of so many pieces of 64 KiB, whose length is not told before."""
    yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    yield from repeat(b"10000\r\n" + PIECE + b"\r\n", pieces)
    yield b"0\r\n\r\n"


class Refusing:
    """An HTTP server that answers each request with ``answer()``, once it has ``wants`` bytes of its body; what is left
    of an answer that ends with an empty piece never comes."""

    def __init__(self, answer: Callable[[], Iterator[bytes]], wants: int = 0) -> None:
        self._answer, self._wants = answer, wants
        self.received = 0

    def __enter__(self) -> Refusing:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                with self._listener.accept()[0] as sock, suppress(OSError):
                    head = b""
                    while b"\r\n\r\n" not in head:
                        head += sock.recv(1 << 16)
                    self.received = len(head.partition(b"\r\n\r\n")[2])
                    while self.received < self._wants and (data := sock.recv(1 << 18)):
                        self.received += len(data)
                    for piece in self._answer():
                        sock.sendall(piece)
                    while piece and sock.recv(1 << 16):
                        pass


@dataclass(frozen=True)
class Effect:
    """What it did: resident memory of the proxy (MiB more than before), the bytes that the client got of the body, and
    what was recorded."""

    memory: float
    got: int
    recorded: Handshake


def refuse(
    answer: Callable[[], Iterator[bytes]], *options: str, body: int = 0, enough: int | None = None
) -> Effect:
    """Asks for a WebSocket through a proxy of its own, with a body of so many bytes; the client leaves once it has
    ``enough`` bytes of the answer."""
    from hangup.recording.events import Handshake
    from harness.proxies import HangupProxy

    refused = "--filter" in options
    with (
        Refusing(answer, body) as server,
        HangupProxy(server.url, "--quiet", *options) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port)) as client,
    ):
        over, grown = threading.Event(), []
        watch = threading.Thread(target=growth, args=(psutil.Process(proxy.pid), over, grown))
        watch.start()
        client.sendall(ASKED + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % body)
        for at in range(0, body, len(PIECE)):
            client.sendall(PIECE[: body - at])
        client.settimeout(60)
        head, got = b"", 0
        while b"\r\n\r\n" not in head:
            head += client.recv(1 << 16)
        got = len(head.partition(b"\r\n\r\n")[2])
        while (enough is None or got < enough) and (data := client.recv(1 << 18)):
            got += len(data)
        client.close()
        over.set()
        watch.join()
        assert refused or server.received == body
        proxy.stop()
        (recorded,) = [event for event in proxy.events() if isinstance(event, Handshake)]
        return Effect(grown[0] / MIB, got, recorded)

