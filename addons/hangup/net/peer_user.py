"""Which user of this machine is at the other end of a connection on loopback, where the system tells (Linux does)."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
LISTENS = 0x0A
OWNED = frozenset((0x01, 0x04, 0x05, 0x08))
"""States of a connection whose socket somebody still has: established, FIN-WAIT-1 and -2, CLOSE-WAIT."""

TRIES = 3
"""The table is read while it changes, so that a line may be missed."""

Address = tuple[str, int]


class _Line(NamedTuple):
    local: tuple[str, int]
    remote: tuple[str, int]
    state: int
    user: int
    inode: int


def told() -> bool:
    """Whether the system tells at all."""
    return sys.platform == "linux" and os.access(TABLES[0], os.R_OK)


def is_foreign(client: Address, server: Address) -> bool:
    """Whether the connection from ``client`` to ``server``, which we are, is another user's: neither ours, nor root's,
    nor that of whoever has called us by sudo. False where the system does not tell."""
    if not told():
        return False
    for _ in range(TRIES):
        listens = False
        for line in _lines():
            if line.local == server and line.state == LISTENS:
                listens = True
            if line.local == client and line.remote == server and line.state in OWNED and line.inode:
                return line.user not in _ours()
    return listens  # where not even we are in the table, it is no table of ours


def _ours() -> set[int]:
    found = {0, os.getuid()}
    by_sudo = os.environ.get("SUDO_UID", "")
    if os.getuid() == 0 and by_sudo.isdecimal():
        found.add(int(by_sudo))
    return found


def _lines() -> Iterator[_Line]:
    for table in TABLES:
        try:
            text = table.read_text()
        except OSError:
            continue
        for line in text.splitlines()[1:]:
            words = line.split()
            try:
                yield _Line(_address(words[1]), _address(words[2]), int(words[3], 16), int(words[7]), int(words[9]))
            except (IndexError, ValueError):
                continue


def _address(text: str) -> Address:
    """``0100007F:1F90``: words of 32 bits in the machine's order; one of IPv4 within IPv6 is that of IPv4."""
    digits, port = text.split(":")
    words = [int(digits[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(digits), 8)]
    packed = b"".join(words)
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    host = socket.inet_ntop(family, packed)
    if family == socket.AF_INET6 and (mapped := ipaddress.IPv6Address(packed).ipv4_mapped) is not None:
        host = str(mapped)
    return host, int(port, 16)
