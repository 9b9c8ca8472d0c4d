"""Two handshakes compared: request line, status, and headers with their order and case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from urllib.parse import parse_qsl

from msgspec import Struct

from hangup.recording.diff_values import compare
from hangup.recording.events import Handshake, Request, Response
from hangup.wire.header_lists import parse_extensions, parse_tokens

ALWAYS_NEW = frozenset({"sec-websocket-key", "sec-websocket-accept", "date"})
"""Headers that differ by nature."""

Headers = Sequence[tuple[str, str]]


class HeaderDifference(Struct):
    """Something that differs in a handshake; ``None`` where one has nothing of it.

    ``what`` is ``value``, ``missing`` (one lacks it), ``case`` or ``order`` of headers, or the name of another part
    of the request or the response (``path``, ``query``, ``status``, …), with ``name`` saying which.
    """

    where: Literal["request", "response"]
    what: str
    name: str
    a: str | None
    b: str | None


def compare_handshakes(
    a: Handshake | None, b: Handshake | None, *, strict: bool = False, ordered: bool = True
) -> list[HeaderDifference]:
    """What differs between two handshakes; nothing is said when one is not in its recording."""
    if a is None or b is None:
        return []
    found = _requests(a.request, b.request, strict)
    for each in _headers("request", a.request.headers, b.request.headers, strict, ordered):
        if each.what == "value" and each.name.lower() == "host":
            each.a, each.b = _host(each.a, a), _host(each.b, b)
        found.append(each)
    if a.response is None or b.response is None:
        if a.response is not b.response:
            found.append(HeaderDifference("response", "status", "status", _status(a), _status(b)))
        return found
    found += _responses(a.response, b.response)
    return found + _headers("response", a.response.headers, b.response.headers, strict, ordered)


def _host(value: str | None, event: Handshake) -> str | None:
    """What the server got, and where that differs what the client sent."""
    return f"{value} (the client sent {event.client_host})" if value and event.client_host else value


def _status(event: Handshake) -> str:
    return str(event.response.status) if event.response is not None else event.error or "no response"


def _requests(a: Request, b: Request, strict: bool) -> list[HeaderDifference]:
    found = []
    for name, left, right in (("method", a.method, b.method), ("version", a.version, b.version)):
        if left != right:
            found.append(HeaderDifference("request", name, name, left, right))
    (path_a, _, query_a), (path_b, _, query_b) = a.target.partition("?"), b.target.partition("?")
    if path_a != path_b and (strict or not _alike(path_a, path_b)):
        found.append(HeaderDifference("request", "path", "path", path_a, path_b))
    if query_a != query_b:
        left_pairs = parse_qsl(query_a, keep_blank_values=True, max_num_fields=None)
        right_pairs = parse_qsl(query_b, keep_blank_values=True, max_num_fields=None)
        found += [
            HeaderDifference("request", "query", each.name, each.a, each.b)
            for each in _headers("request", left_pairs, right_pairs, strict, False)
        ]
    return found


def _responses(a: Response, b: Response) -> list[HeaderDifference]:
    parts = [("status", str(a.status), str(b.status)), ("version", a.version, b.version)]
    if a.status == b.status:
        parts.append(("reason", a.reason, b.reason))
    return [HeaderDifference("response", name, name, left, right) for name, left, right in parts if left != right]


def _headers(
    where: Literal["request", "response"], a: Headers, b: Headers, strict: bool, ordered: bool
) -> list[HeaderDifference]:
    found: list[HeaderDifference] = []
    of_a, of_b = _grouped(a), _grouped(b)
    for key in [*of_a, *(key for key in of_b if key not in of_a)]:
        left, right = of_a.get(key), of_b.get(key)
        if left is None or right is None:
            name = (left or right or [("", "")])[0][0]
            found.append(HeaderDifference(where, "missing", name, _joined(left), _joined(right)))
            continue
        values_a, values_b = [value for _, value in left], [value for _, value in right]
        if values_a != values_b and not (_same_value(key, values_a, values_b) and not strict):
            found.append(HeaderDifference(where, "value", left[0][0], _joined(left), _joined(right)))
        if left[0][0] != right[0][0] and ordered:
            found.append(HeaderDifference(where, "case", key, left[0][0], right[0][0]))
    order_a, order_b = [key for key in of_a if key in of_b], [key for key in of_b if key in of_a]
    if ordered and order_a != order_b:
        found.append(HeaderDifference(where, "order", "headers", ", ".join(order_a), ", ".join(order_b)))
    return found


def _grouped(headers: Headers) -> dict[str, list[tuple[str, str]]]:
    grouped: dict[str, list[tuple[str, str]]] = {}
    for name, value in headers:
        grouped.setdefault(name.lower(), []).append((name, value))
    return grouped


def _joined(headers: list[tuple[str, str]] | None) -> str | None:
    return None if headers is None else ", ".join(value for _, value in headers)


def _same_value(key: str, a: list[str], b: list[str]) -> bool:
    if key in ALWAYS_NEW:
        return True
    if key == "sec-websocket-extensions":
        return parse_extensions(a) == parse_extensions(b)
    if key == "sec-websocket-protocol" or key == "connection":
        left, right = parse_tokens(a), parse_tokens(b)
        if key == "connection":  # 4.2.1: "treated as an ASCII case-insensitive value"
            left, right = tuple(each.lower() for each in left), tuple(each.lower() for each in right)
        return left == right
    if key == "upgrade":
        return [each.lower() for each in a] == [each.lower() for each in b]
    return len(a) == len(b) and all(_alike(left, right) for left, right in zip(a, b, strict=True))


def _alike(a: str, b: str) -> bool:
    return not compare(a.encode(errors="replace"), b.encode(errors="replace"))
