"""The Host that a backend is given.

A client that was led to the proxy names the proxy in its Host. A direct client would have named the backend, and so
does the proxy then. Any other Host is the client's own business, and the backend's to check (against DNS rebinding, for
instance): it passes as it is.
"""

from __future__ import annotations

import ipaddress
import socket
from functools import cache
from urllib.parse import urlsplit

from mitmproxy import http
from mitmproxy.proxy.mode_specs import ReverseMode

from hangup.wire.url import PORTS


def rewrite_host(flow: http.HTTPFlow) -> bool:
    """Puts the target's address in the place of the proxy's own; says whether the request was changed."""
    mode, own = flow.client_conn.proxy_mode, flow.client_conn.sockname
    host = flow.request.headers.get("Host")
    if not isinstance(mode, ReverseMode) or host is None or not own:
        return False
    if not names(host, own[0], own[1], flow.client_conn.tls):
        return False
    name, port = mode.address
    name = f"[{name}]" if ":" in name else name
    usual = port == PORTS["wss" if mode.scheme == "https" else "ws"]
    to = (name if usual else f"{name}:{port}").encode()
    fields = flow.request.headers.fields
    flow.request.headers.fields = tuple((key, to if key.lower() == b"host" else value) for key, value in fields)
    return bool(host.encode("utf-8", "surrogateescape") != to)


def names(host: str, address: str, port: int, secure: bool) -> bool:
    """Whether a Host header means this machine and the ``port`` at which a client reached it, by ``address``."""
    try:
        url = urlsplit(f"//{host}")
        name, at = url.hostname, url.port
    except ValueError:
        return False
    if name is None or (at or PORTS["wss" if secure else "ws"]) != port:
        return False
    if name in ("localhost", address.partition("%")[0]) or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name in _machine()


@cache
def _machine() -> tuple[str, ...]:
    name = socket.gethostname().lower()
    return name, name.partition(".")[0], f"{name.partition('.')[0]}.local"
