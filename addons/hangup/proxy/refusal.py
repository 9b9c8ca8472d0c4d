"""The body of a refused handshake: passed on as it comes, and its beginning kept for the recording.

Such a body may have no end, or inflate to gigabytes. So it is never gathered: mitmproxy streams it, and what is kept of
it is bounded, as is what is inflated of that. What a client sends with a handshake is streamed likewise, and where a
filter has answered in the server's place it is thrown away (:func:`install`).
"""

from __future__ import annotations

import codecs
import importlib
import io
import zlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from mitmproxy import http
from mitmproxy.net.http.headers import infer_content_encoding
from mitmproxy.proxy import layer
from mitmproxy.proxy.layers.http import HttpStream
from mitmproxy.proxy.layers.http._events import RequestData

from hangup.recording.events import BODY_KEPT

BYTES = 4 * BODY_KEPT
"""Bytes that are kept of a body as it was sent, and that are inflated of them: no character takes more than four."""

ENCODINGS = 2
"""Content-Encodings that are undone one after the other."""

ZSTD_WINDOW = 8 << 20
"""Bytes that a decompressor of zstd may allocate, as RFC 8878 (3.1.1.1.2) says."""

_stock_consume_request_body = HttpStream.state_consume_request_body


class Refusal:
    """Sees a response's body pass; ``told`` is called with it once it is known what is kept of the body."""

    def __init__(self, response: http.Response, told: Callable[[Refusal], None]) -> None:
        self.text = ""
        """The beginning of the body, or nothing if it could not be read."""
        self.cut = False
        """The body has more than that, or it ended before its end."""
        self._encoding = response.headers.get("Content-Encoding", "")
        self._type = response.headers.get("Content-Type", "")
        self._kept = b""
        self._told: Callable[[Refusal], None] | None = told

    def pass_on(self, data: bytes) -> bytes:
        """mitmproxy: a piece of the body (empty at its end), and what the client gets of it: all."""
        if self._told is not None:
            self._kept += data[: BYTES + 1 - len(self._kept)]
            if len(self._kept) > BYTES:
                self.over(whole=False)
        return data

    def over(self, *, whole: bool) -> None:
        """Nothing more comes, or nothing more is wanted; ``whole``: this was all of it."""
        told, self._told = self._told, None
        if told is None:
            return  # it was told before
        self.text, all_read = beginning(self._kept[:BYTES], self._encoding, self._type)
        self.cut = not (whole and all_read)
        self._kept = b""
        told(self)


def beginning(data: bytes, encoding: str, media_type: str) -> tuple[str, bool]:
    """At most :data:`BODY_KEPT` characters of a body that begins with ``data``, and whether that is all of it.

    ``encoding`` and ``media_type`` are its Content-Encoding and Content-Type.
    """
    plain: bytes | None = data
    encodings = [part.strip().lower() for part in encoding.split(",")]
    for name in reversed(encodings if len(encodings) <= ENCODINGS else ["too many"]):
        plain = _inflated(plain, name) if plain else plain
    if plain is None:  # it may not be what it says that it is
        text = _text(data, media_type) if data.isascii() else ""
        return text[:BODY_KEPT], False
    text = _text(plain[:BYTES], media_type)
    return text[:BODY_KEPT], len(plain) <= BYTES and len(text) <= BODY_KEPT


def _inflated(data: bytes, encoding: str) -> bytes | None:
    """At most one byte more than :data:`BYTES` of what it inflates to; None if it cannot be inflated."""
    if encoding in ("", "identity", "none"):
        return data
    inflate = _INFLATE.get(encoding)
    try:
        return inflate(data) if inflate is not None else None
    except Exception:  # each library has errors of its own
        return None


def _gzip(data: bytes) -> bytes:
    return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data, BYTES + 1)


def _deflate(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, BYTES + 1)
    except zlib.error:  # as many servers send it, without zlib's header
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, BYTES + 1)


def _brotli(data: bytes) -> bytes | None:
    brotli = _module("brotli")
    if brotli is None:
        return None
    decompressor, plain = brotli.Decompressor(), b""
    # Not all versions can be told where to stop, but a byte ends one block at most, and a block has 16 MiB at most.
    for at in range(len(data)):
        plain += decompressor.process(data[at : at + 1])[: BYTES + 1]
        if len(plain) > BYTES:
            break
    return plain


def _zstd(data: bytes) -> bytes | None:
    zstd = _module("compression.zstd") or _module("backports.zstd")  # as mitmproxy 12 has it
    if zstd is not None:
        options = {zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW.bit_length() - 1}
        return bytes(zstd.ZstdDecompressor(options=options).decompress(data, BYTES + 1))
    zstandard = _module("zstandard")
    if zstandard is None:
        return None
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    return bytes(decompressor.stream_reader(io.BytesIO(data)).read(BYTES + 1))


_INFLATE: dict[str, Callable[[bytes], bytes | None]] = {
    "gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "br": _brotli, "zstd": _zstd
}


def _module(name: str) -> Any:
    """A library that mitmproxy brings along, some versions of it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _text(data: bytes, media_type: str) -> str:
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data)  # it may be cut within a character
    except UnicodeDecodeError:
        pass
    try:
        return data.decode(infer_content_encoding(media_type, data), "replace")
    except (LookupError, ValueError):
        return data.decode("latin-1")


# What a client sends along.


@wraps(_stock_consume_request_body)
def _consume_request_body(self: HttpStream, event: Any) -> layer.CommandGenerator[None]:
    if isinstance(event, RequestData) and self.flow.response is not None:
        return  # a filter has answered it
    yield from _stock_consume_request_body(self, event)


def install() -> None:
    """Has bodies of requests that are answered already thrown away."""
    HttpStream.state_consume_request_body = _consume_request_body  # type: ignore[method-assign]


def uninstall() -> None:
    """Puts mitmproxy's own back."""
    HttpStream.state_consume_request_body = _stock_consume_request_body  # type: ignore[method-assign]
