"""What a running proxy keeps of a connection that is over."""

from __future__ import annotations

import time

import psutil

from bounds.bombs import RSV1, Sink, connect, packed
from harness import frames
from harness.frames import CLOSE, MASK, TEXT

WARM = 2000
"""Connections before the count begins: allocators have their fill by then, and what is kept whole is."""


def retained(count: int, *options: str, deflate: bool = False) -> float:
    """Bytes of resident memory for each of ``count`` connections that a proxy had and that are over."""
    from harness.proxies import HangupProxy

    said = frames.frame(TEXT, b'{"type": "hello", "id": 1}', mask=MASK)
    if deflate:
        said += frames.frame(TEXT, packed(2000), mask=MASK, rsv=RSV1)
    said += frames.frame(CLOSE, b"\x03\xe8", mask=MASK)
    with Sink() as sink, HangupProxy(sink.url, "--quiet", *options) as proxy:
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
