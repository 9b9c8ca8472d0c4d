"""The events of what was read from the wire: a frame, a part of a large one, bytes that are none."""

from __future__ import annotations

from hangup.recording.events import Frame, Part, Raw, Side, payload_fields
from hangup.wire import frames
from hangup.wire.frames import CLOSE, OPCODE_NAMES, Junk, Piece
from hangup.wire.messages import KEEP_LIMIT, NOTHING, Noted, WireMessage, parse_close


def frame_event(frame: frames.Frame, noted: Noted, at: float, conn: int, n: int, side: Side) -> Frame:
    """The event of a frame, with what the assembler noted of it."""
    text, data64 = payload_fields(frame.payload)
    event = Frame(
        at=at,
        conn=conn,
        n=n,
        side=side,
        opcode=OPCODE_NAMES[frame.opcode],
        fin=frame.fin,
        rsv=frame.rsv,
        mask=frame.key.hex() if frame.key is not None else None,
        text=text,
        base64=data64,
        problems=frame.problems,
        head=frame.head.hex() if frame.head is not None else None,
    )
    if noted is not NOTHING:
        event.problems += noted.problems
        message = noted.message
        if message is not None and (message.compressed or message.fragments > 1):
            _add_message(event, message)
    if frame.opcode == CLOSE:
        event.code, event.reason, _ = parse_close(frame.payload)
    return event


def last_part_event(piece: Piece, noted: Noted, at: float, conn: int, n: int, side: Side, parts: int) -> Frame:
    """The event that closes a large frame's ``parts`` parts."""
    frame = frames.Frame(piece.fin, piece.rsv, piece.opcode, piece.key, b"", piece.problems)
    event = frame_event(frame, noted, at, conn, n, side)
    event.parts = parts
    event.length = piece.length
    return event


def part_event(piece: Piece, at: float, conn: int, n: int, side: Side) -> Part:
    """The event of a part of a large frame."""
    text, data64 = payload_fields(piece.payload)
    head = piece.head.hex() if piece.head is not None else None
    return Part(at=at, conn=conn, n=n, side=side, head=head, text=text, base64=data64)


def junk_event(junk: Junk, at: float, conn: int, side: Side) -> Raw:
    """The event of bytes that are no whole frame."""
    text, data64 = payload_fields(junk.payload)
    opcode = None if junk.opcode is None else OPCODE_NAMES[junk.opcode]
    return Raw(
        at=at,
        conn=conn,
        side=side,
        text=text,
        base64=data64,
        problems=junk.problems,
        opcode=opcode,
        length=junk.length,
    )


def _add_message(event: Frame, message: WireMessage) -> None:
    if message.left:
        event.left_compressed = True
        return
    if message.data is None or message.length > KEEP_LIMIT:
        event.message_length = message.length
        return
    event.message, event.message_base64 = payload_fields(message.data)
    if not message.data:
        event.message = ""
