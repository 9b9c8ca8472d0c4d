"""What a running proxy keeps of a connection that is over."""

from __future__ import annotations

import time

import psutil

from bounds.bombs import Sink, connect, packed, RSV1
from harness import frames
from harness.frames import CLOSE, MASK, TEXT

WARM = 600
"""Connections before the count begins: interpreters and allocators have their fill of caches by then."""


def retained(count: int, *options: str, deflate: bool = False) -> float:
    """Bytes of resident memory for each of ``count`` connections that a proxy had and that are over."""
    from harness.proxies import HANGUP, HangupProxy

    said = frames.frame(TEXT, b'{"type": "hello", "id": 1}', mask=MASK)
    if deflate:
        said += frames.frame(TEXT, packed(2000), mask=MASK, rsv=RSV1)
    said += frames.frame(CLOSE, b"\x03\xe8", mask=MASK)
    with Sink() as sink, HangupProxy(sink.url, "--quiet", *options, command=HANGUP) as proxy:
        process = psutil.Process(proxy.pid)
        for number in range(WARM + count):
            if number == WARM:
                time.sleep(0.3)
                before = process.memory_info().rss
            with connect(proxy.port, f"/echo/{number}") as sock:
                sock.sendall(said)
                sock.recv(1 << 12)
        time.sleep(0.3)
        return (process.memory_info().rss - before) / count
