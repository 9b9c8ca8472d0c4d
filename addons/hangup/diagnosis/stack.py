"""Which software speaks: recognised by headers, close reasons and message forms, and only as far as they say so.

What a stack does by itself differs (on uvicorn any exception is a bare FIN, on ``websockets`` a 1011), so knowing it
changes what an ending means, and lets a hint name the line to change.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from hangup.recording.connections import Connection


class Stack(Struct, omit_defaults=True):
    """``server`` is the WebSocket server's library, ``proxy`` an intermediary that shows itself, ``protocol`` what is
    spoken over the socket, ``client`` the client's library or ``browser``. ``because`` says from what."""

    server: str = ""
    proxy: str = ""
    protocol: str = ""
    client: str = ""
    because: list[str] = []


_SERVERS: tuple[tuple[str, str], ...] = (
    (r"uvicorn", "uvicorn"),
    (r"hypercorn", "hypercorn"),
    (r"daphne", "daphne"),
    (r"tornado", "tornado"),
    (r"aiohttp", "aiohttp"),
    (r"\bwebsockets/", "websockets"),
    (r"gunicorn", "gunicorn"),
    (r"werkzeug", "werkzeug"),
    (r"granian", "granian"),
    (r"cowboy|bandit", "phoenix"),
    (r"kestrel", "kestrel"),
    (r"jetty|tomcat|undertow", "java"),
    (r"phusion|puma|thin\b", "ruby"),
)
_PROXIES: tuple[tuple[str, str], ...] = (
    (r"nginx|openresty|tengine", "nginx"),
    (r"cloudflare", "Cloudflare"),
    (r"awselb", "AWS ALB"),
    (r"envoy", "Envoy"),
    (r"caddy", "Caddy"),
    (r"traefik", "Traefik"),
    (r"haproxy", "HAProxy"),
    (r"apache", "Apache"),
    (r"google frontend|gws|gse", "Google Frontend"),
    (r"microsoft-azure|microsoft-iis", "Azure or IIS"),
    (r"heroku|cowboy.*vegur|vegur", "Heroku"),
    (r"litespeed", "LiteSpeed"),
)
_MARKS = {"cf-ray": "Cloudflare", "x-envoy-upstream-service-time": "Envoy", "x-amzn-trace-id": "AWS ALB"}
_CLIENTS: tuple[tuple[str, str], ...] = (
    (r"mozilla/", "browser"),
    (r"\bwebsockets/", "websockets"),
    (r"aiohttp", "aiohttp"),
    (r"websocket-client", "websocket-client"),
    (r"\bundici|node", "node"),
    (r"okhttp", "OkHttp"),
    (r"dart", "Dart"),
    (r"go-http|gorilla", "Go"),
)
_UVICORN_EXTENSIONS = "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"


def _match(table: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for pattern, name in table if re.search(pattern, text, re.I)), "")


def _one(life: Connection) -> Stack:
    server = life.header("server", response=True)
    via = life.header("via", response=True)
    found = Stack(server=_match(_SERVERS, server), proxy=_match(_PROXIES, f"{server} {via}"))
    if server:
        found.because.append(f"Server: {server[:60]}")
    response = life.traffic.response
    for name, value in response.headers[:64] if response else []:
        if name.lower() in _MARKS and not found.proxy:
            found.proxy = _MARKS[name.lower()]
            found.because.append(name)
        if name.lower() == "x-powered-by" and "express" in value.lower():
            found.server = found.server or "express"
    extensions = life.header("sec-websocket-extensions", response=True)
    if not found.server and extensions == _UVICORN_EXTENSIONS:
        found.server = "websockets"
        found.because.append("the extension parameters are those of Python websockets")
    agent = life.header("user-agent")
    found.client = _match(_CLIENTS, agent) or ("browser" if life.header("sec-fetch-mode") else "")
    if not found.client and life.traffic.request is not None and not agent:
        found.client = "ws"
    if "socket.io" in life.path or "EIO" in life.query:
        found.protocol = "engine.io"
    chosen = life.subprotocol or life.header("sec-websocket-protocol")
    for word, protocol in (
        ("graphql", "graphql"), ("stomp", "stomp"), ("mqtt", "mqtt"), ("actioncable", "actioncable"),
        ("vite", "vite"), ("wamp", "wamp"), ("ocpp", "ocpp"),
    ):  # fmt: skip
        if word in chosen.lower():
            found.protocol = found.protocol or protocol
    for half in life.traffic.halves.values():
        for shape in half.shapes:
            if shape.protocol and not found.protocol:
                found.protocol = shape.protocol
    refused = response is not None and response.status != 101
    if refused and not server and not via and response is not None:
        # uvicorn answers a refused handshake without a Server header, and with these lines only.
        names = {name.lower() for name, _ in response.headers}
        if names <= {"date", "content-length", "connection", "content-type"} and response.status in (403, 500):
            found.server = "uvicorn"
            found.because.append("a refusal without a Server header, as uvicorn sends it")
    return found


def stack_of(connections: Sequence[Connection], others: Sequence[Connection] = ()) -> Stack:
    """The stack of these connections. Where none of them was opened, ``others`` to the same target may tell."""
    each = [_one(connection) for connection in connections[:40]]
    whole = Stack()
    for name in ("server", "proxy", "protocol", "client"):
        values = Counter(value for stack in each if (value := getattr(stack, name)))
        if values:
            setattr(whole, name, values.most_common(1)[0][0])
    whole.because = list(dict.fromkeys(text for stack in each for text in stack.because))[:4]
    if not whole.server:
        servers = (_one(other).server for other in others[:40])
        whole.server = next((server for server in servers if server), "")
    return whole
