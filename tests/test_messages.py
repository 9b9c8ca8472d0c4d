"""The assembler: what only the sequence of frames shows."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.wire.deflate import Inflater, Params
from hangup.wire.frames import Frame, Piece
from hangup.wire.messages import Assembler, WireMessage, parse_close


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> Frame:
    return Frame(fin, rsv, opcode, None, payload)


def problems(*frames: Frame) -> list[tuple[str, ...]]:
    assembler = Assembler()
    return [assembler.frame(f).problems for f in frames]


class TestSection5_4_Fragmentation:
    def test_fragments_join_and_control_frames_may_come_between(self) -> None:
        assembler = Assembler()
        assert assembler.frame(frame(1, b"hel", fin=False)).message is None
        assert not assembler.idle
        assert assembler.frame(frame(9, b"?")).message is None
        message = assembler.frame(frame(0, b"lo")).message
        assert message == WireMessage(1, b"hello", 5, False, 2) and assembler.idle

    def test_a_continuation_of_nothing(self) -> None:
        assert problems(frame(0, b"x")) == [("orphan-continuation",)]

    def test_a_new_message_within_another(self) -> None:
        assert problems(frame(1, b"a", fin=False), frame(2, b"b")) == [(), ("interleaved-data",)]


class TestSection8_1_Utf8:
    def test_a_character_may_be_cut_by_a_fragment(self) -> None:
        a, b = "é".encode()[:1], "é".encode()[1:]
        assert problems(frame(1, a, fin=False), frame(0, b)) == [(), ()]

    def test_an_error_is_named_where_it_shows_and_only_once(self) -> None:
        got = problems(frame(1, b"\xff", fin=False), frame(0, b"\xff", fin=False), frame(0, b"x"))
        assert got == [("invalid-utf8",), (), ()]

    def test_a_character_that_never_ends(self) -> None:
        assert problems(frame(1, b"\xc3", fin=False), frame(0)) == [(), ("invalid-utf8",)]

    def test_binary_is_not_judged(self) -> None:
        assert problems(frame(2, b"\xff", fin=False), frame(0, b"\xff")) == [(), ()]


class TestSection5_5_1_Close:
    @pytest.mark.parametrize(
        ("payload", "expected"),
        [
            (b"", (None, None, ())),
            (b"\x03", (None, None, ("close-one-byte",))),
            (b"\x03\xe8", (1000, "", ())),
            (b"\x03\xe9bye", (1001, "bye", ())),
            (b"\x03\xed", (1005, "", ("close-code",))),
            (b"\x00\x00", (0, "", ("close-code",))),
            (b"\x13\x88", (5000, "", ("close-code",))),
            (b"\x03\xe8\xff", (1000, "\ufffd", ("close-reason-utf8",))),
        ],
    )
    def test_payloads(self, payload: bytes, expected: object) -> None:
        assert parse_close(payload) == expected

    def test_whatever_follows_is_named(self) -> None:
        assert problems(frame(8, b"\x03\xe8"), frame(1, b"x"), frame(9), frame(8)) == [
            (),
            ("after-close",),
            ("after-close",),
            ("after-close",),
        ]


def deflated(data: bytes, compressor: zlib._Compress) -> bytes:
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_compressed_messages_are_inflated_across_fragments_and_messages() -> None:
    compressor = zlib.compressobj(wbits=-15)
    assembler = Assembler(Inflater(Params(), "client"))
    for text in (b"hello hello hello", b"hello hello hello again"):
        packed = deflated(text, compressor)
        assert assembler.frame(frame(1, packed[:3], fin=False, rsv=4)).message is None
        message = assembler.frame(frame(0, packed[3:])).message
        assert message == WireMessage(1, text, len(text), True, 2)


def test_a_broken_deflate_stream_is_a_problem_and_not_a_crash() -> None:
    noted = Assembler(Inflater(Params(), "client")).frame(frame(1, b"\xff\xff\xff", rsv=4))
    assert "deflate" in noted.problems and noted.message is not None and noted.message.data is None


def test_a_message_over_the_limit_is_counted_and_not_kept() -> None:
    message = Assembler(limit=4).frame(frame(1, b"hello")).message
    assert message == WireMessage(1, None, 5, False, 1)


def test_pieces_of_a_large_frame_are_one_fragment() -> None:
    assembler = Assembler()
    pieces = [
        Piece(True, 0, 1, None, b"\xc3", 3, (), b"head", False),
        Piece(True, 0, 1, None, b"\xa9!", 3, (), None, True),
    ]
    assert assembler.piece(pieces[0]).message is None
    assert assembler.piece(pieces[1]).message == WireMessage(1, "é!".encode(), 3, False, 1)


@given(
    st.lists(
        st.builds(
            frame,
            st.integers(0, 15),
            st.binary(max_size=20),
            fin=st.booleans(),
            rsv=st.integers(0, 7),
        ),
        max_size=12,
    ),
    st.booleans(),
)
def test_any_sequence_is_taken(frames: list[Frame], deflate: bool) -> None:
    assembler = Assembler(Inflater(Params(), "server") if deflate else None)
    for item in frames:
        noted = assembler.frame(item)
        if noted.message is not None:
            assert item.fin
