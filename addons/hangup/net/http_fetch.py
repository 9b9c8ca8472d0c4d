"""One plain HTTP/1.1 request, on a connection of its own."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Sequence
from typing import NamedTuple

from hangup.errors import BackendError
from hangup.humanize import duration, printable
from hangup.net.connect import connect, hang_up, reason
from hangup.wire.handshake import get_all
from hangup.wire.http_head import parse_response, request_head, split_head
from hangup.wire.url import Target

LIMIT = 1 << 22
"""Bytes of an answer that are read."""


class Fetched(NamedTuple):
    """An answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


async def fetch(
    target: Target,
    method: str,
    path: str,
    headers: Sequence[tuple[str, str]],
    body: bytes = b"",
    *,
    context: ssl.SSLContext | None,
    timeout: float,
) -> Fetched:
    """Asks ``target`` for ``path`` and gives the answer; raises :class:`BackendError` when there is none.

    ``headers`` are sent as they are, with ``Connection: close`` and a length.
    """
    length = [("Content-Length", str(len(body)))] if body or method == "POST" else []
    reader, writer = await connect(target, context, timeout=timeout)
    try:
        async with asyncio.timeout(timeout):
            writer.write(request_head(method, path, [*headers, ("Connection", "close"), *length]) + body)
            data = b""
            while len(data) < LIMIT and not _complete(data) and (chunk := await reader.read(1 << 16)):
                data += chunk
    except TimeoutError:
        raise BackendError(f"{printable(target.origin)}: no answer within {duration(timeout)}") from None
    except OSError as error:
        raise BackendError(f"{printable(target.origin)}: {reason(error)}") from None
    finally:
        await hang_up(writer)
    parts = split_head(data)
    head = parse_response(parts[0]) if parts is not None else None
    if parts is None or head is None:
        raise BackendError(f"{printable(target.origin)}: the answer to {method} {printable(path, 100)} is not HTTP")
    return Fetched(head.status, head.headers, _body(head.headers, parts[1]))


def _complete(data: bytes) -> bool:
    parts = split_head(data)
    if parts is None:
        return False
    head = parse_response(parts[0])
    if head is None:
        return True
    if _chunked(head.headers):
        return parts[1].endswith(b"0\r\n\r\n")
    lengths = get_all(head.headers, "Content-Length")
    return bool(lengths) and lengths[0].isdecimal() and len(parts[1]) >= int(lengths[0][:18])


def _chunked(headers: Sequence[tuple[str, str]]) -> bool:
    return "chunked" in (value.lower() for value in get_all(headers, "Transfer-Encoding"))


def _body(headers: Sequence[tuple[str, str]], data: bytes) -> bytes:
    if not _chunked(headers):
        return data
    body = b""
    while found := re.match(rb"([0-9a-fA-F]{1,8})[^\r\n]*\r\n", data):
        size = int(found[1], 16)
        body += data[found.end() : found.end() + size]
        data = data[found.end() + size :].removeprefix(b"\r\n")
        if not size:
            break
    return body
