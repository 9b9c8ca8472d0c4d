"""Messages that are small on the wire and large when they are inflated, and what they do to a running proxy."""

from __future__ import annotations

import gzip
import json
import socket
import statistics
import threading
import time
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from hangup.filters.chain import Chain
from hangup.filters.filter_set import FilterSet
from hangup.net.fast_mask import fast_mask
from hangup.proxy.endpoint import INFLATED_AT_ONCE
from hangup.session import Session
from hangup.wire.deflate import Params
from hangup.wire.inflation_budget import whole
from harness import frames
from harness.frames import MASK, TEXT

MIB = 1 << 20
TAIL = b"\x00\x00\xff\xff"
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
RSV1 = 4
MARK = b"all bombs have gone off"


@cache
def packed(size: int, letter: bytes = b"a") -> bytes:
    """The payload of a compressed message that inflates to ``size`` bytes, about a thousandth of that."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    pieces = [deflater.compress(letter * min(MIB, size - at)) for at in range(0, size, MIB)]
    return b"".join([*pieces, deflater.flush(zlib.Z_SYNC_FLUSH)]).removesuffix(TAIL)


@cache
def bomb(size: int, opcode: int = TEXT) -> bytes:
    """One such message as a client sends it."""
    return frames.frame(opcode, packed(size), mask=MASK, rsv=RSV1)


HEADER = {"hangup": 1, "started": "2026-11-22T21:08:00.000000Z", "target": "ws://localhost:8000", "mode": "reverse"}
HANDSHAKE = {
    "kind": "handshake",
    "at": 0.0,
    "conn": 1,
    "request": {"target": "/x", "headers": []},
    "response": {"status": 101, "headers": [["Sec-WebSocket-Extensions", "permessage-deflate"]]},
}


class Sink:
    """A WebSocket server that grants permessage-deflate, reads all and answers every read on ``/echo`` with a frame."""

    def __enter__(self) -> Sink:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self.received = 0
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=[self._listener.accept()[0]], daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                if not (data := sock.recv(1 << 16)):
                    return
                head += data
            lines = head.split(b"\r\n")
            key = next(line.split(b": ")[1] for line in lines if line.lower().startswith(b"sec-websocket-key"))
            sock.sendall(_switch(key))
            echo = head.startswith(b"GET /echo")
            while data := sock.recv(1 << 18):
                self.received += len(data)
                if echo:
                    sock.sendall(frames.frame(TEXT, b"pong"))


def connect(port: int, path: str) -> socket.socket:
    """A client's socket after the handshake."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(
        b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n%s"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        % (path.encode(), port, DEFLATE)
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(1)
    return sock


def _switch(key: bytes) -> bytes:
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n%s"
        b"Sec-WebSocket-Accept: %s\r\n\r\n" % (DEFLATE, frames.accept_key(key.strip().decode()).encode())
    )


@dataclass(frozen=True)
class Effect:
    """What a bomb did: resident memory of the proxy (MiB more than before), the 99th percentile and the longest round
    trip of somebody else's messages meanwhile (milliseconds), and what the recording grew by (MiB)."""

    memory: float
    p99: float
    longest: float
    disk: float
    sent: float
    "What was on the wire, in MiB."


def growth(process: psutil.Process, over: threading.Event, grown: list[int]) -> None:
    """Watches resident memory until ``over`` is set; ``grown`` gets by how many bytes it grew at most."""
    idle = peak = process.memory_info().rss
    with suppress(psutil.Error):
        while not over.wait(0.005):
            peak = max(peak, process.memory_info().rss)
    grown.append(peak - idle)


def round_trips(sock: socket.socket, over: threading.Event, times: list[float]) -> None:
    """Says something and waits for the answer, again and again."""
    message = frames.frame(TEXT, b"ping", mask=MASK)
    while not over.is_set():
        begun = time.perf_counter()
        sock.sendall(message)
        sock.recv(1 << 12)
        times.append((time.perf_counter() - begun) * 1000)
        time.sleep(0.001)  # a conversation has pauses


def explode(bombs: list[bytes], *options: str, senders: int = 1) -> Effect:
    """Sends these through a proxy of its own while somebody else has a conversation."""
    from harness.proxies import HangupProxy

    with Sink() as sink, HangupProxy(sink.url, "--quiet", *options) as proxy, ExitStack() as stack:
        other = stack.enter_context(connect(proxy.port, "/echo"))
        attackers = [stack.enter_context(connect(proxy.port, "/bomb")) for _ in range(senders)]
        over, grown, times = threading.Event(), [], []
        for _ in range(20):
            other.sendall(frames.frame(TEXT, b"ping", mask=MASK))
            other.recv(1 << 12)
        disk = proxy.recording.stat().st_size
        sent = sum(map(len, bombs)) * senders
        watches = [
            threading.Thread(target=growth, args=(psutil.Process(proxy.pid), over, grown)),
            threading.Thread(target=round_trips, args=(other, over, times)),
        ]
        for thread in watches:
            thread.start()
        senders_ = [threading.Thread(target=_send, args=(each, bombs)) for each in attackers]
        for thread in senders_:
            thread.start()
        for thread in senders_:
            thread.join()
        # A frame behind the bombs is in the file once they are.
        for each in attackers:
            each.sendall(frames.frame(TEXT, MARK, mask=MASK))
        _wait_for_marks(proxy.recording, senders)
        over.set()
        for thread in watches:
            thread.join()
        p99 = statistics.quantiles(times, n=100, method="inclusive")[98]
        return Effect(grown[0] / MIB, p99, max(times), (proxy.recording.stat().st_size - disk) / MIB, sent / MIB)


def _wait_for_marks(recording: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    found, rest = 0, b""
    with open(recording, "rb") as file:
        while found < count:
            assert time.monotonic() < deadline, "not all is written"
            data = rest + file.read()
            found += data.count(MARK)
            rest = data[-len(MARK) + 1 :]
            time.sleep(0.01)  # a file that grows tells nobody, on every platform


def _send(sock: socket.socket, bombs: list[bytes]) -> None:
    for each in bombs:
        sock.sendall(each)


def recordings(folder: Path) -> Iterator[Path]:
    """Files with bombs in them: a thousand messages, one, payloads that say that they were cut, and a packed HAR."""
    payload, large = b64encode(packed(MIB)).decode(), b64encode(packed(900 * MIB)).decode()
    packed_frame = {"kind": "frame", "at": 1, "conn": 1, "side": "client", "rsv": 4, "mask": "37fa213d"}
    cut = {"kind": "frame", "at": 1, "conn": 1, "side": "server", "opcode": "binary"}
    cut |= {"length": 1 << 26, "sha256": "0" * 64}
    for name, frames_ in (
        ("thousand.jsonl", [{**packed_frame, "n": n, "base64": payload} for n in range(1, 1001)]),
        ("one.jsonl", [{**packed_frame, "n": 1, "base64": large}]),
        ("cut.jsonl", [{**cut, "n": n} for n in range(1, 33)]),
    ):
        path = folder / name
        path.write_text("".join(json.dumps(line) + "\n" for line in [HEADER, HANDSHAKE, *frames_]))
        yield path
    path = folder / "packed.har.gz"
    with gzip.open(path, "wb") as out:
        out.write(b'{"log":{"version":"1.2","entries":[')
        for _ in range(900):
            out.write(b" " * MIB)
        out.write(b"]}}")
    yield path


READ = INFLATED_AT_ONCE


def longest_turn(sent: bytes, *filters: str) -> float:
    """Processor time (milliseconds) of the longest turn of the loop in which a session takes these bytes: so long
    everybody else waits, on a machine that has nothing else to do."""
    active = FilterSet()
    active.replace(filters, 0.0)
    session = Session(
        1, lambda event: None, deflate=Params(), mask=fast_mask, chain=Chain(active, 1, 0.0), inflation=whole()
    )
    longest = 0.0
    for start in range(0, len(sent), READ):
        begun = time.process_time()
        if session.plain("client"):
            session.observe("client", sent[start : start + READ], 1.0)
        else:
            session.receive("client", sent[start : start + READ], 1.0)
        longest = max(longest, time.process_time() - begun)
    return longest * 1000
