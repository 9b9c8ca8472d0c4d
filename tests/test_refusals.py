"""The bodies of refused handshakes: what they may cost, what is kept of them, and that they pass whole."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module

import pytest
from mitmproxy import http

from bounds import refusals
from bounds.bombs import MIB
from bounds.refusals import refuse, sized
from hangup.proxy.refusal import BYTES, Refusal, beginning
from hangup.recording.events import BODY_KEPT, Response

MEMORY = 64.0
"""MiB."""


class TestCost:
    """A megabyte that inflates to a gigabyte, a body without an end, and a client that sends one."""

    @pytest.mark.parametrize(
        ("encoding", "packed"),
        [
            ("gzip", lambda: refusals.gzipped(1024)),
            ("deflate", lambda: refusals.gzipped(1024)[10:-8]),
            ("br", lambda: refusals.brotli(1024)),
            ("zstd", lambda: refusals.zstandard(1024)),
        ],
    )
    def test_a_bomb(self, encoding: str, packed: Callable[[], bytes]) -> None:
        body = packed()
        effect = refuse(lambda: sized(body, encoding))
        assert effect.memory < MEMORY
        response = effect.recorded.response
        assert effect.got == len(body) and response is not None and response.status == 403
        assert response.text == "a" * BODY_KEPT and response.cut

    def test_a_body_without_an_end_passes(self) -> None:
        effect = refuse(lambda: refusals.chunked(16 * 1024), enough=256 * MIB)
        assert effect.memory < MEMORY and effect.got >= 256 * MIB
        response = effect.recorded.response
        assert response is not None and response.text == "a" * BODY_KEPT and response.cut

    @pytest.mark.parametrize("options", [(), ("--filter", "refuse 503")])
    def test_a_request_with_a_large_body(self, options: tuple[str, ...]) -> None:
        effect = refuse(lambda: sized(b"no", "identity"), *options, body=256 * MIB)
        assert effect.memory < MEMORY
        response = effect.recorded.response
        assert response is not None and response.status == (503 if options else 403)

    def test_the_head_reaches_the_client_before_the_body_is_over(self) -> None:
        go_on = threading.Event()

        def answer() -> Iterator[bytes]:
            yield refusals.HEAD + b"Content-Length: 9\r\n\r\nsee "
            assert go_on.wait(30)
            yield b"below"

        effect = refuse(answer, enough=4)
        go_on.set()
        response = effect.recorded.response
        assert response is not None and (response.status, response.text, response.cut) == (403, "see ", True)

    def test_a_body_that_breaks_off(self) -> None:
        effect = refuse(lambda: iter((refusals.HEAD + b"Content-Length: 9\r\n\r\nsee ", b"")))
        response = effect.recorded.response
        assert effect.got == 4 and effect.recorded.error == ""
        assert response is not None and (response.status, response.text, response.cut) == (403, "see ", True)


def zstd(data: bytes) -> bytes:
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return bytes(import_module(name).compress(data))
        except ImportError:
            continue
    return bytes(import_module("zstandard").ZstdCompressor().compress(data))


RAW = zlib.compressobj(wbits=-15)
SAID = "Bitte anmelden: ungültig"
ENCODED = {
    "": SAID.encode(),
    "identity": SAID.encode(),
    "gzip": gzip.compress(SAID.encode()),
    "X-Gzip": gzip.compress(SAID.encode()),
    "deflate": zlib.compress(SAID.encode()),
    "br": import_module("brotli").compress(SAID.encode()),
    "zstd": zstd(SAID.encode()),
    "deflate, gzip": gzip.compress(zlib.compress(SAID.encode())),
}


class TestBeginning:
    @pytest.mark.parametrize("encoding", ENCODED)
    def test_what_is_read(self, encoding: str) -> None:
        assert beginning(ENCODED[encoding], encoding, "text/plain") == (SAID, True)

    def test_deflate_without_its_header(self) -> None:
        assert beginning(RAW.compress(b"no entry") + RAW.flush(), "deflate", "") == ("no entry", True)

    def test_by_its_charset(self) -> None:
        assert beginning(SAID.encode("latin-1"), "", "text/plain; charset=iso-8859-1") == (SAID, True)
        assert beginning("Ärger".encode("cp1252"), "", "text/plain; charset=no-such-thing") == ("Ärger", True)

    def test_a_character_that_is_cut(self) -> None:
        text, whole = beginning(("ü" * BODY_KEPT + "!").encode()[:-2], "", "")
        assert text == "ü" * (BODY_KEPT - 1) and whole

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "bz2", "gzip, gzip, gzip"])
    def test_what_it_is_not(self, encoding: str) -> None:
        """It is not shown as noise, but what is readable after all is."""
        assert beginning(b"\xff\x00\x81 noise", encoding, "text/plain") == ("", False)
        assert beginning(b"forbidden", encoding, "text/plain") == ("forbidden", False)

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
    def test_what_is_too_long(self, encoding: str) -> None:
        data = {"gzip": gzip.compress, "deflate": zlib.compress, "br": import_module("brotli").compress, "zstd": zstd}
        assert beginning(data[encoding](b"a" * (BODY_KEPT + 1)), encoding, "") == ("a" * BODY_KEPT, False)
        assert beginning(data[encoding](b"a" * BODY_KEPT), encoding, "") == ("a" * BODY_KEPT, True)


class TestRefusal:
    def seen(self, *pieces: bytes, whole: bool = True) -> tuple[str, bool, int]:
        told: list[Refusal] = []
        refusal = Refusal(http.Response.make(403), told.append)
        assert b"".join(map(refusal.pass_on, pieces)) == b"".join(pieces)
        refusal.over(whole=whole)
        return refusal.text, refusal.cut, len(told)

    def test_it_is_told_once(self) -> None:
        assert self.seen(b"no ", b"entry", b"") == ("no entry", False, 1)
        assert self.seen(b"no ", whole=False) == ("no ", True, 1)
        assert self.seen(b"a" * BYTES, b"a", b"a" * 9) == ("a" * BODY_KEPT, True, 1)

    def test_as_soon_as_no_more_is_wanted(self) -> None:
        told: list[Refusal] = []
        refusal = Refusal(http.Response.make(403), told.append)
        refusal.pass_on(b"a" * BYTES)
        assert not told
        refusal.pass_on(b"a")
        assert told == [refusal]


def test_the_lines_that_are_shown() -> None:
    assert Response(status=403, text="a\nb").lines(2) == ["a", "b"]
    rest = "(the rest of the body is not shown)"
    assert Response(status=403, text="a\nb").lines(1) == ["a", rest]
    assert Response(status=403, cut=True).lines(5) == [rest]
