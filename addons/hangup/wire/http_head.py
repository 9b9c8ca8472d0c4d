"""The heads of HTTP/1.1 messages (RFC 9112 2), as far as a handshake needs them: bytes in, bytes out.

Reading is lenient, since a head that a strict parser would refuse is just what has to be shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_END = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(rb"(HTTP/\d\.\d)[ \t]+(\d{3})(?:[ \t]+(.*))?")
_REQUEST_LINE = re.compile(rb"([A-Za-z]+)[ \t]+(\S+)[ \t]+(HTTP/\d\.\d)")
_LINE = re.compile(rb"\r?\n")


class ResponseHead(NamedTuple):
    """Status line and headers, in order and case; a line without a colon is a header without a value."""

    version: str
    status: int
    reason: str
    headers: list[tuple[str, str]]


class RequestHead(NamedTuple):
    """Request line and headers, as of a response."""

    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]


def split_head(data: bytes) -> tuple[bytes, bytes] | None:
    """The head, without the empty line that ends it, and what follows; None while that line is missing."""
    end = _END.search(data)
    return (data[: end.start()], data[end.end() :]) if end else None


def parse_response(head: bytes) -> ResponseHead | None:
    """Reads a response's head (as from :func:`split_head`); None when its first line is no status line."""
    first, *lines = _LINE.split(head)
    status = _STATUS_LINE.fullmatch(first)
    if status is None:
        return None
    return ResponseHead(_text(status[1]), int(status[2]), _text(status[3] or b""), _headers(lines))


def parse_request(head: bytes) -> RequestHead | None:
    """Reads a request's head; None when its first line is no request line."""
    first, *lines = _LINE.split(head)
    request = _REQUEST_LINE.fullmatch(first)
    if request is None:
        return None
    return RequestHead(_text(request[1]), _text(request[2]), _text(request[3]), _headers(lines))


def _headers(lines: Sequence[bytes]) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and headers:  # RFC 9112 5.2: a folded line goes on with the one before
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {_text(line)}")
        else:
            name_bytes, _, value_bytes = line.partition(b":")
            headers.append((_text(name_bytes), _text(value_bytes)))
    return headers


def response_head(version: str, status: int, reason: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """The head of a response. The caller sees to it that no part holds a line break."""
    lines = [f"{version} {status} {reason}".rstrip(), *(f"{name}: {value}" for name, value in headers)]
    return "".join(line + "\r\n" for line in [*lines, ""]).encode(errors="surrogateescape")


def request_head(method: str, target: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """The head of an HTTP/1.1 request. The caller sees to it that no part holds a line break."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "".join(line + "\r\n" for line in [*lines, ""]).encode(errors="surrogateescape")


def _text(data: bytes) -> str:
    data = data.strip(b" \t")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
