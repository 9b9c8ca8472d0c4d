"""Which ports can be listened on."""

from __future__ import annotations

import errno
import os
import socket

TAKEN = (errno.EADDRINUSE, errno.EACCES)
"""Errors that another port may not have: Windows says EACCES of one that somebody has for himself."""


def refused(host: str, port: int) -> OSError | None:
    """Why ``host`` and ``port`` cannot be listened on; None if they can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":  # on Windows it would let two programs have the same port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        return error
    return None
