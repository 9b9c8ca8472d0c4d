"""The table: what is sent, and which problems a recording has to name (RFC 6455, RFC 7692)."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.frames import BINARY, CLOSE, CONTINUATION, MASK, PING, PONG, TEXT, close, frame
from harness.peers import Side

BOTH: tuple[Side, ...] = ("client", "server")
RSV1, RSV2, RSV3 = 4, 2, 1

DEFLATE = "permessage-deflate"
NO_TAKEOVER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
SMALL_WINDOWS = "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10"


@dataclass(frozen=True)
class Case:
    """``wire`` gives the bytes for a mask (a client's) or None (a server's).

    ``problems`` are all the problems, no more and no less, that the recording names for that side; None when
    there is no telling. ``messages`` are the whole messages as an application would see them, where it could.
    """

    name: str
    wire: Callable[[bytes | None], bytes]
    problems: frozenset[str] | None = frozenset()
    sides: tuple[Side, ...] = BOTH
    extensions: str = ""
    messages: tuple[bytes, ...] | None = None

    def data(self, side: Side) -> bytes:
        """The bytes when this side sends them."""
        return self.wire(MASK if side == "client" else None)


CASES: list[Case] = []


def _case(name: str, *problems: str, **options: object) -> Callable[[Callable[[bytes | None], bytes]], None]:
    def add(wire: Callable[[bytes | None], bytes]) -> None:
        CASES.append(Case(name, wire, frozenset(problems), **options))  # type: ignore[arg-type]

    return add


def _frames(name: str, problems: Sequence[str], *parts: tuple[int, bytes, bool], **options: object) -> None:
    """A case of frames that are sound one by one."""
    _case(name, *problems, **options)(lambda m: b"".join(frame(o, p, fin=f, mask=m) for o, p, f in parts))


def _deflated(*messages: bytes, takeover: bool = True, bits: int = 15) -> list[bytes]:
    """Compressed payloads as RFC 7692 section 7.2.1 wants them."""
    packed = []
    packer = zlib.compressobj(9, zlib.DEFLATED, -bits)
    for message in messages:
        data = packer.compress(message) + packer.flush(zlib.Z_SYNC_FLUSH)
        packed.append(data.removesuffix(b"\x00\x00\xff\xff"))
        if not takeover:
            packer = zlib.compressobj(9, zlib.DEFLATED, -bits)
    return packed


# Sound traffic, so that a table of faults alone cannot pass by naming everything a problem.
_frames("text", [], (TEXT, b"hello", True), messages=(b"hello",))
_frames("empty frames", [], (TEXT, b"", True), (BINARY, b"", True), (PING, b"", True), (PONG, b"", True))
_frames("binary", [], (BINARY, bytes(range(256)), True), messages=(bytes(range(256)),))
_frames("lengths", [], *[(BINARY, b"x" * n, True) for n in (125, 126, 127, 65535, 65536)])
_frames("large", [], (BINARY, random.Random(1).randbytes(3 << 20), True))
_frames(
    "fragments around a ping",
    [],
    (TEXT, b"a", False),
    (CONTINUATION, b"b", False),
    (PING, b"p", True),
    (CONTINUATION, b"c", True),
    messages=(b"abc",),
)
_frames(
    "a character across fragments",
    [],
    (TEXT, "é".encode()[:1], False),
    (CONTINUATION, "é".encode()[1:], True),
    messages=("é".encode(),),
)
_frames("many small ones", [], *[(TEXT, b"%d" % n, True) for n in range(300)])
_case("close with a code")(lambda m: close(1000, b"done", mask=m))
_case("close without a code")(lambda m: close(mask=m))
_case("close with an application's code")(lambda m: close(4999, "größer".encode(), mask=m))

# 5.2: opcodes, RSV bits, masks (5.1), lengths
for _opcode in (0x3, 0x7, 0xB, 0xF):
    _case(f"opcode {_opcode:x}", "reserved-opcode")(lambda m, o=_opcode: frame(o, b"?", mask=m))
for _bit in (RSV1, RSV2, RSV3, 7):
    _case(f"rsv {_bit:03b} without an extension", "rsv")(lambda m, b=_bit: frame(TEXT, b"hello", rsv=b, mask=m))
_case("rsv 1 on a ping", "rsv", extensions=DEFLATE)(lambda m: frame(PING, b"p", rsv=RSV1, mask=m))
_case("rsv 1 on a continuation", "rsv", extensions=DEFLATE)(
    lambda m: frame(TEXT, b"a", fin=False, mask=m) + frame(CONTINUATION, b"b", rsv=RSV1, mask=m)
)
_case("rsv 2 beside deflate", "rsv", extensions=DEFLATE)(lambda m: frame(TEXT, b"a", rsv=RSV2, mask=m))
_case("rsv 2 under an extension that nobody knows", extensions="x-unheard-of; level=3")(
    lambda m: frame(BINARY, b"a", rsv=RSV2, mask=m)
)
_case("without a mask", "unmasked", sides=("client",))(lambda m: frame(TEXT, b"hello"))
_case("with a mask", "masked", sides=("server",))(lambda m: frame(TEXT, b"hello", mask=MASK))
_case("16 bits for a short length", "length-not-minimal")(lambda m: frame(TEXT, b"hello", form="16", mask=m))
_case("64 bits for a short length", "length-not-minimal")(lambda m: frame(TEXT, b"hello", form="64", mask=m))
_case("64 bits for a middle length", "length-not-minimal")(
    lambda m: frame(BINARY, b"x" * 300, form="64", mask=m) + frame(TEXT, b"next", mask=m)
)
_case("top bit of a length", "length-top-bit", "not-a-frame")(
    lambda m: frame(BINARY, b"x" * 20, form="64", length=1 << 63 | 20, mask=m)
)

# 5.4 and 5.5: fragments and control frames
_case("ping of 126 bytes", "control-too-long")(lambda m: frame(PING, b"x" * 126, mask=m))
_case("pong of 70000 bytes", "control-too-long")(lambda m: frame(PONG, b"x" * 70000, mask=m))
_case("close of 200 bytes", "control-too-long")(lambda m: close(1000, b"x" * 198, mask=m))
_case("fragment of a ping", "control-fragmented")(lambda m: frame(PING, b"p", fin=False, mask=m))
_case("fragment of a close", "control-fragmented")(lambda m: frame(CLOSE, b"\x03\xe8", fin=False, mask=m))
_frames("continuation of nothing", ["orphan-continuation"], (CONTINUATION, b"lost", True))
_frames(
    "continuation after the end",
    ["orphan-continuation"],
    (TEXT, b"a", False),
    (CONTINUATION, b"b", True),
    (CONTINUATION, b"c", True),
)
_frames("message within a message", ["interleaved-data"], (TEXT, b"a", False), (TEXT, b"b", True))
_frames("binary within a text", ["interleaved-data"], (TEXT, b"a", False), (BINARY, b"b", False))

# 8.1: UTF-8
for _name, _bytes in {
    "a stray byte": b"hello \xff",
    "a surrogate": b"\xed\xa0\x80",
    "an overlong form": b"\xc0\xaf",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "a character cut short": "é".encode()[:1],
}.items():
    _frames(f"text with {_name}", ["invalid-utf8"], (TEXT, _bytes, True))
_frames(
    "invalid across fragments",
    ["invalid-utf8"],
    (TEXT, b"\xe2\x82", False),
    (CONTINUATION, b"\x28", True),
)
_frames(
    "a character that no fragment ends",
    ["invalid-utf8"],
    (TEXT, b"ok \xf0\x9f", False),
    (CONTINUATION, b"\x98", True),
)
_frames("binary is not text", [], (BINARY, b"\xff\xfe\xc0", True))

# 5.5.1 and 7.4: close frames
for _code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535):
    _case(f"close code {_code}", "close-code")(lambda m, c=_code: close(c, mask=m))
_case("close of one byte", "close-one-byte")(lambda m: frame(CLOSE, b"\x03", mask=m))
_case("close with an invalid reason", "close-reason-utf8")(lambda m: close(1000, b"bye \xff", mask=m))
_case("text after close", "after-close")(lambda m: close(1000, mask=m) + frame(TEXT, b"late", mask=m))
_case("close after close", "after-close")(lambda m: close(1000, mask=m) + close(4000, mask=m))
_case("ping after close", "after-close")(lambda m: close(1001, mask=m) + frame(PING, b"", mask=m))

# What is no frame, or not a whole one
_case("an HTTP answer in the stream", "not-a-frame")(
    lambda m: b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nno"
)
_case("an HTTP answer after a frame", "not-a-frame")(
    lambda m: frame(TEXT, b"hello", mask=m) + b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
)
_case("one byte of a frame", "half-frame")(lambda m: b"\x81")
_case("half of a length", "half-frame")(lambda m: frame(BINARY, b"x" * 70000, mask=m)[:5])
_case("half of a mask", "half-frame", sides=("client",))(lambda m: frame(TEXT, b"hello", mask=m)[:4])
_case("half of a payload", "half-frame")(
    lambda m: frame(TEXT, b"whole", mask=m) + frame(TEXT, b"half of this", mask=m)[:-5]
)
_case("half of a large payload", "half-frame")(lambda m: frame(BINARY, b"x" * (2 << 20), mask=m)[: 3 << 19])
_case("a header alone", "half-frame")(lambda m: frame(TEXT, b"hello", mask=m)[:-5])
CASES.append(Case("bytes at random", lambda m: random.Random(2).randbytes(5000), None))

# RFC 7692
_TWICE = (b'{"type":"hello","name":"world"}' * 3, b'{"type":"hello","name":"world"}' * 2)


def _packed(*payloads: bytes, fin: bool = True) -> Callable[[bytes | None], bytes]:
    return lambda m: b"".join(frame(TEXT, p, rsv=RSV1, mask=m) for p in payloads)


_case("deflate with takeover", extensions=DEFLATE, messages=_TWICE)(_packed(*_deflated(*_TWICE)))
_case("deflate without takeover", extensions=NO_TAKEOVER, messages=_TWICE)(_packed(*_deflated(*_TWICE, takeover=False)))
_case("deflate with small windows", extensions=SMALL_WINDOWS, messages=_TWICE)(_packed(*_deflated(*_TWICE, bits=9)))
_case("deflate in fragments", extensions=DEFLATE, messages=(_TWICE[0], b"ok"))(
    lambda m: (
        frame(TEXT, _deflated(_TWICE[0])[0][:9], rsv=RSV1, fin=False, mask=m)
        + frame(PING, b"between", mask=m)
        + frame(CONTINUATION, _deflated(_TWICE[0])[0][9:], mask=m)
        + frame(TEXT, b"ok", mask=m)
    )
)
_case("deflate of nothing", extensions=DEFLATE, messages=(b"",))(_packed(b"\x00"))
_case("deflate of invalid text", "invalid-utf8", extensions=DEFLATE)(_packed(*_deflated(b"hello \xff")))
_case("a broken deflate stream", "deflate", extensions=DEFLATE)(
    lambda m: frame(TEXT, b"\xff\xff\xff\xff\xff", rsv=RSV1, mask=m) + frame(PING, b"alive", mask=m)
)
_case("plain text under deflate", extensions=DEFLATE, messages=(b"hello",))(lambda m: frame(TEXT, b"hello", mask=m))
