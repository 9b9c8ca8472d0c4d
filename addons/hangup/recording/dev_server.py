"""What a connection is for: the application's, or a dev server's own socket, by which it reloads the page.

A dev server's socket (hot module replacement) comes and goes with each restart of the dev server, and says nothing
about the application: it is marked, and never counted in a loop.
"""

from __future__ import annotations

import re
from typing import Literal

from hangup.recording.events import Frame, Request
from hangup.wire.header_lists import parse_tokens

Kind = Literal["app", "hmr", "test"]
"""``hmr`` is a dev server's own, ``test`` one that hangup's page opened to test the connection."""

DEV_SERVER = "the dev server's own"
"""A connection of the kind ``hmr``, in words."""

_SUBPROTOCOLS = frozenset(("vite-hmr", "vite-ping"))
"""Vite's, and that of all that is built on it: it offers the second to see whether the server is back."""

_PATHS = re.compile(r"/(?:_next/(?:webpack-)?hmr|ng-cli-ws|sockjs-node(?:/.*)?|rsbuild-hmr)$")
"""Next.js (``/_next/hmr`` since version 16), Angular, webpack-dev-server 3, Rsbuild; below any base path."""

WEBPACK_PATH = "/ws"
_WEBPACK_SAYS = re.compile(rb'\{"type":"(hot|liveReload)"\}|\{"type":"hash","data":"[0-9a-f]{8,64}"\}')
"""With what webpack-dev-server 4 and 5 begin. Its path is that of half of all applications: only this tells it."""


def kind_of(request: Request) -> Kind:
    """What can be told from the handshake's request."""
    return kind_and_origin(request)[0]


def kind_and_origin(request: Request) -> tuple[Kind, str | None]:
    """The same, and the request's Origin, in one look at its headers: very many are read when a recording is."""
    offered: list[str] = []
    origin: str | None = None
    for name, value in request.headers:
        length = len(name)  # by which most names are told apart
        if length == 6:
            if origin is None and name.lower() == "origin":
                origin = value
        elif length == 22 and name.lower() == "sec-websocket-protocol":
            offered.append(value)
    if offered and not _SUBPROTOCOLS.isdisjoint(parse_tokens(offered)):
        return "hmr", origin
    return "hmr" if _PATHS.search(request.target.partition("?")[0]) else "app", origin


def is_webpack(path: str, first: Frame) -> bool:
    """Whether the ``first`` frame of a server shows that it is webpack-dev-server."""
    return path.endswith(WEBPACK_PATH) and first.opcode == "text" and bool(_WEBPACK_SAYS.fullmatch(first.payload))
