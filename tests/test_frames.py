"""The frame reader: RFC 6455 section 5, one test per clause, and that no byte is ever lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.wire.frames import PIECE_LIMIT, Frame, FrameReader, Item, Junk, Piece, header, serialize
from hangup.wire.masking import mask

KEY = b"\xa1\xb2\xc3\xd4"


def read(data: bytes, side: str = "server", **options: object) -> list[Item]:
    reader = FrameReader(side, **options)  # type: ignore[arg-type]
    items = reader.feed(data)
    rest = reader.finish()
    return [*items, rest] if rest is not None else items


def rebuild(items: list[Item]) -> bytes:
    out = bytearray()
    offset = 0
    for item in items:
        if isinstance(item, Junk):
            out += item.payload
        elif isinstance(item, Frame):
            out += serialize(item)
        else:
            if item.head is not None:
                out += item.head
                offset = 0
            out += item.payload if item.key is None else mask(item.key, item.payload, offset)
            offset += len(item.payload)
    return bytes(out)


def frame(first: int, payload: bytes, key: bytes | None = None) -> bytes:
    head = header(bool(first & 0x80), first >> 4 & 7, first & 15, key, len(payload))
    return head + (payload if key is None else mask(key, payload))


class TestSection5_2:
    @pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
    def test_lengths_in_their_minimal_form_are_sound(self, size: int) -> None:
        (item,) = read(frame(0x82, bytes(size)))
        assert isinstance(item, Frame) and len(item.payload) == size and not item.problems and item.head is None

    @pytest.mark.parametrize(
        ("data", "size"),
        [(b"\x82\x7e\x00\x05hello", 5), (b"\x82\x7f" + (5).to_bytes(8, "big") + b"hello", 5)],
    )
    def test_a_length_in_long_form_is_named_and_kept(self, data: bytes, size: int) -> None:
        (item,) = read(data)
        assert isinstance(item, Frame) and item.problems == ("length-not-minimal",)
        assert item.payload == b"hello" and item.head == data[:-size]

    def test_a_length_with_its_top_bit_set_ends_all_reading(self) -> None:
        data = b"\x82\xff" + b"\xff" * 8 + b"abcd" + b"rest"
        (item,) = read(data)
        assert isinstance(item, Junk) and item.payload == data
        assert item.problems == ("length-top-bit", "not-a-frame")

    @pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
    def test_reserved_opcodes(self, opcode: int) -> None:
        (item,) = read(frame(0x80 | opcode, b"x"))
        assert isinstance(item, Frame) and item.problems == ("reserved-opcode",)

    @pytest.mark.parametrize("rsv", range(1, 8))
    def test_rsv_bits_that_nobody_negotiated(self, rsv: int) -> None:
        (item,) = read(frame(0x81 | rsv << 4, b"x"))
        assert isinstance(item, Frame) and item.problems == ("rsv",) and item.rsv == rsv

    def test_rsv1_with_deflate_is_for_the_first_data_frame_only(self) -> None:
        assert not read(frame(0xC1, b"x"), rsv_data=4)[0].problems
        assert read(frame(0xC9, b"x"), rsv_data=4)[0].problems == ("rsv",)
        assert read(frame(0xC0, b"x"), rsv_data=4)[0].problems == ("rsv",)
        assert read(frame(0xA1, b"x"), rsv_data=4)[0].problems == ("rsv",)

    def test_any_rsv_passes_with_an_extension_that_we_do_not_know(self) -> None:
        assert not read(frame(0xF9, b"x"), rsv_any=True)[0].problems


class TestSection5_1_Masking:
    def test_a_client_must(self) -> None:
        assert read(frame(0x81, b"x"), side="client")[0].problems == ("unmasked",)
        (item,) = read(frame(0x81, b"hello", KEY), side="client")
        assert isinstance(item, Frame) and item.payload == b"hello" and item.key == KEY and not item.problems

    def test_a_server_must_not(self) -> None:
        assert read(frame(0x81, b"x", KEY))[0].problems == ("masked",)


class TestSection5_5_ControlFrames:
    def test_over_125_bytes(self) -> None:
        assert read(frame(0x89, bytes(126)))[0].problems == ("control-too-long",)
        assert not read(frame(0x89, bytes(125)))[0].problems

    def test_fragmented(self) -> None:
        assert read(frame(0x09, b"x"))[0].problems == ("control-fragmented",)


class TestNoFrameAtAll:
    def test_an_http_answer_in_the_stream(self) -> None:
        data = b"HTTP/1.1 400 Bad Request\r\n\r\n"
        items = read(frame(0x81, b"x") + data)
        assert [type(i) for i in items] == [Frame, Junk]
        assert isinstance(items[1], Junk) and items[1].payload == data and items[1].problems == ("not-a-frame",)

    @pytest.mark.parametrize("chunk", [1, 2, 3, 7])
    def test_in_any_chunks(self, chunk: int) -> None:
        data = b"HTTP/1.1 400 Bad Request\r\n\r\n"
        reader = FrameReader("server")
        items = [i for p in range(0, len(data), chunk) for i in reader.feed(data[p : p + chunk])]
        assert b"".join(i.payload for i in items) == data
        assert all(isinstance(i, Junk) and i.problems == ("not-a-frame",) for i in items)

    def test_half_a_frame_at_the_end(self) -> None:
        (item,) = read(frame(0x81, b"hello", KEY)[:-2], side="client")
        assert isinstance(item, Junk) and item.problems == ("half-frame",)
        assert (item.opcode, item.length) == (1, 5)


def test_a_large_frame_comes_in_pieces_and_is_whole() -> None:
    payload = bytes(range(256)) * (PIECE_LIMIT // 256 + 7)
    data = frame(0x82, payload, KEY)
    reader = FrameReader("client", keep_wire=True)
    items = [i for p in range(0, len(data), 65521) for i in reader.feed(data[p : p + 65521])]
    pieces = [i for i in items if isinstance(i, Piece)]
    assert pieces == items and pieces[0].head == data[:14] and pieces[-1].last
    assert sum(p.last for p in pieces) == 1 and sum(p.head is not None for p in pieces) == 1
    assert b"".join(p.payload for p in pieces) == payload
    assert b"".join(p.wire or b"" for p in pieces) == data
    assert not reader.inside and reader.finish() is None


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Sound frames, odd frames and noise, in any order."""
    parts = draw(
        st.lists(
            st.one_of(
                st.builds(
                    frame,
                    st.integers(0, 255),
                    st.binary(max_size=300),
                    st.one_of(st.none(), st.binary(min_size=4, max_size=4)),
                ),
                st.binary(max_size=40),
                st.just(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
                st.just(b"\x82\x7e\x00\x05hello"),
            ),
            max_size=8,
        )
    )
    return b"".join(parts)


@given(streams(), st.data(), st.sampled_from(["client", "server"]), st.integers(0, 7), st.booleans())
def test_nothing_is_lost_in_any_chunking(data: bytes, choose: st.DataObject, side: str, rsv: int, keep: bool) -> None:
    cuts = sorted(choose.draw(st.lists(st.integers(0, len(data)), max_size=12)))
    reader = FrameReader(side, rsv_data=rsv, keep_wire=keep)  # type: ignore[arg-type]
    items: list[Item] = []
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        items += reader.feed(data[start:end])
    rest = reader.finish()
    if rest is not None:
        items.append(rest)
    assert rebuild(items) == data
    whole = FrameReader(side, rsv_data=rsv, keep_wire=keep)  # type: ignore[arg-type]
    again = whole.feed(data)
    frames = [i for i in items if isinstance(i, Frame)]
    assert frames == [i for i in again if isinstance(i, Frame)], "the chunking changed what was read"


@given(st.binary(min_size=4, max_size=4), st.binary(max_size=64), st.integers(0, 9))
def test_masking_is_its_own_inverse_and_the_rfcs_formula(key: bytes, data: bytes, offset: int) -> None:
    masked = mask(key, data, offset)
    assert masked == bytes(b ^ key[(i + offset) % 4] for i, b in enumerate(data))
    assert mask(key, masked, offset) == data
