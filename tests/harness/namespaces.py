"""Two network namespaces with a cable between them, for what redirects packets: Linux and root only.

No more than ``ip`` is needed: the one redirecting rule is given to the kernel's nf_tables by netlink.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Namespace:
    """A network namespace; its end of the cable has ``address``."""

    name: str
    address: str

    def command(self, *words: str) -> list[str]:
        """The command line that runs this one within."""
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, work: Callable[[], T]) -> T:
        """Do this in a thread that is within; sockets that it makes stay there."""

        def inside() -> T:
            libc = ctypes.CDLL(None, use_errno=True)
            with open(f"/run/netns/{self.name}") as handle:
                if libc.setns(handle.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            return work()

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(inside).result()


def problem() -> str:
    """Why there can be no namespaces here; empty when there can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "ip is not installed"
    name = f"hangup-try-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    subprocess.run(["ip", "netns", "delete", name], capture_output=True)
    return f"no network namespaces here: {tried.stderr.strip()}" if tried.returncode else ""


@contextmanager
def cable() -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces, joined."""
    left, right = (Namespace(f"hangup-{os.getpid()}-{n}", f"10.203.113.{n}") for n in (1, 2))

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)

    try:
        for namespace in (left, right):
            ip("netns", "add", namespace.name)
        ip("link", "add", "cable", "netns", left.name, "type", "veth", "peer", "name", "cable", "netns", right.name)
        for namespace in (left, right):
            ip("-n", namespace.name, "address", "add", f"{namespace.address}/24", "dev", "cable")
            for device in ("lo", "cable"):
                ip("-n", namespace.name, "link", "set", device, "up")
        yield left, right
    finally:
        for namespace in (left, right):
            if Path("/run/netns", namespace.name).exists():
                subprocess.run(["ip", "netns", "delete", namespace.name], capture_output=True)


# nf_tables by netlink: the numbers are linux/netfilter/nf_tables.h's.


def redirect(namespace: Namespace, port: int, to: int) -> None:
    """Redirect TCP connections that come from outside for ``port`` to the local port ``to``.

    As ``nft add rule ip hangup in tcp dport PORT redirect to :TO`` would.
    """
    table, chain = b"hangup\0", b"in\0"
    hook = _nest(4, _number(1, 0) + _number(2, -100))  # prerouting, before everything but conntrack
    rule = _attribute(1, table) + _attribute(2, chain)
    rule += _nest(
        4,
        _expression(b"meta", _number(1, 1) + _number(2, 16)),  # register 1: the transport protocol
        _expression(b"cmp", _number(1, 1) + _number(2, 0) + _nest(3, _attribute(1, b"\x06"))),  # is TCP
        _expression(b"payload", _number(1, 1) + _number(2, 2) + _number(3, 2) + _number(4, 2)),  # its port
        _expression(b"cmp", _number(1, 1) + _number(2, 0) + _nest(3, _attribute(1, struct.pack("!H", port)))),
        _expression(b"immediate", _number(1, 1) + _nest(2, _attribute(1, struct.pack("!H", to)))),
        _expression(b"redir", _number(1, 1)),
    )
    batch = _message(0x10, b"", 10)
    batch += _message(0xA00, _attribute(1, table))
    batch += _message(0xA03, _attribute(1, table) + _attribute(3, chain) + hook + _attribute(7, b"nat\0"))
    batch += _message(0xA06, rule, ack=True)
    batch += _message(0x11, b"", 10)

    def tell() -> bytes:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netfilter:
            netfilter.settimeout(5)
            netfilter.send(batch)
            return netfilter.recv(65536)

    error = struct.unpack_from("=i", namespace.run(tell), 16)[0]
    if error:
        raise OSError(-error, f"nf_tables: {os.strerror(-error)}")


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("!i", value))


def _nest(kind: int, *values: bytes) -> bytes:
    return _attribute(kind | 0x8000, b"".join(values))


def _expression(name: bytes, data: bytes) -> bytes:
    return _nest(1, _attribute(1, name + b"\0"), _nest(2, data))


def _message(kind: int, body: bytes, resource: int = 0, *, ack: bool = False) -> bytes:
    family = 0 if resource else socket.AF_INET
    flags = 0x001 | (0 if resource else 0x400) | (0x004 if ack else 0)  # request, create, acknowledge
    data = struct.pack("=BB", family, 0) + struct.pack("!H", resource) + body
    return struct.pack("=IHHII", 16 + len(data), kind, flags, kind, 0) + data
