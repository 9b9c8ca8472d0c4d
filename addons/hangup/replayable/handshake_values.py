"""What a handshake says, value by value, as :mod:`hangup.messages.json_values` has it of messages."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, unquote, unquote_plus

from msgspec.structs import replace

from hangup.messages.json_values import Path, Scalar
from hangup.recording.events import Request, Response

_NOT_SAID_BACK = frozenset(
    "date server content-type content-length connection upgrade vary via access-control-allow-origin "
    "sec-websocket-accept sec-websocket-extensions sec-websocket-version transfer-encoding keep-alive cache-control "
    "strict-transport-security".split()
)
_NOT_ASKED = frozenset(
    "host connection upgrade sec-websocket-key sec-websocket-version sec-websocket-extensions user-agent accept "
    "accept-encoding accept-language cache-control pragma origin".split()
)


def request_values(request: Request) -> list[tuple[Path, Scalar]]:
    """What a request says: the segments of its path, its query, its cookies, tokens, subprotocols."""
    found: list[tuple[Path, Scalar]] = []
    where, _, query = request.target.partition("?")
    for i, segment in enumerate(where.split("/")[1:40]):
        if segment:
            found.append((("path", i), unquote(segment)))
    found += [(("query", key), value) for key, value in parse_qsl(query)[:100]]
    for name, value in request.headers:
        if name.lower() not in _NOT_ASKED:
            found += _header_values(name.lower(), value)
    return found


def with_values(request: Request, sets: Mapping[str, str]) -> Request:
    """The request with other values for these query parameters and cookies, wherever it has one of that name."""
    if not sets:
        return request
    path, mark, query = request.target.partition("?")
    pairs = []
    for pair in query.split("&"):
        key, equals, _ = pair.partition("=")
        name = unquote_plus(key)
        pairs.append(f"{key}={quote(sets[name], safe='')}" if equals and name in sets else pair)
    headers = []
    for name, value in request.headers:
        if name.lower() == "cookie":
            cookies = []
            for cookie in value.split(";"):
                key, equals, _ = cookie.partition("=")
                cookies.append(f"{key}={sets[key.strip()]}" if equals and key.strip() in sets else cookie)
            value = ";".join(cookies)
        headers.append((name, value))
    return replace(request, target=path + mark + "&".join(pairs), headers=headers)


def response_values(response: Response) -> list[tuple[Path, Scalar]]:
    """What a response says that a client may repeat: cookies, tokens in headers."""
    found: list[tuple[Path, Scalar]] = []
    for name, value in response.headers:
        if name.lower() not in _NOT_SAID_BACK:
            found += _header_values(name.lower(), value)
    return found


def _header_values(name: str, value: str) -> list[tuple[Path, Scalar]]:
    if name in ("cookie", "set-cookie"):
        pairs = value.split(";") if name == "cookie" else value.split(";")[:1]
        split = [pair.partition("=") for pair in pairs]
        return [(("cookie", key.strip()), text.strip()) for key, _, text in split if text.strip()]
    if name == "sec-websocket-protocol":
        return [((name, i), part.strip()) for i, part in enumerate(value.split(",")) if part.strip()]
    words = value.split()
    if name == "authorization" and len(words) == 2:
        return [((name,), words[1])]
    return [((name,), value)] if value else []
