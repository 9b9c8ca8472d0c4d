"""The lines of a recording: one header, then events, as JSON Lines.

Every line but the first is one of the structs below, told apart by ``kind``. Fields at their default are
left out. All times (``at``) are seconds from ``Header.started``; ``conn`` counts connections from 1; ``n``
counts the frames of one connection from 1, both sides together, in the order in which they began, so that
``conn 3 frame 7`` names one frame. ``side`` is who sent it: ``client`` or ``server``.

The bytes that a side sent after the handshake are the concatenation, in file order, of its ``frame``,
``part`` and ``raw`` events (:mod:`hangup.recording.rebuild`); the bytes that the *other* leg was sent differ
only where a ``filter`` event of that frame says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct

FORMAT = 1
"""The version of the format, apart from the program's own."""

Side = Literal["client", "server"]
How = Literal["fin", "rst", "timeout", "error", "open"]
Fact = Literal["endings", "closer", "manner", "pings", "framing", "payloads", "headers", "times"]
"""What a format may have no place for; :mod:`hangup.recording.untold` has the words."""


class Header(Struct, omit_defaults=True, kw_only=True):
    """The first line of a recording.

    ``started`` is UTC in ISO 8601 with microseconds; ``target`` and ``listen`` are as the user gave them.
    """

    hangup: int
    started: str
    target: str = ""
    listen: str = ""
    mode: str = ""
    version: str = ""
    filters: list[str] = []
    source: str = ""
    """Where an imported recording came from (``har``, ``mitmproxy``, ``replay of …``)."""
    note: str = ""
    lacks: list[str] = []
    """What the format that an import came from has no place for (:data:`Fact`): its absence here shows nothing."""

    def tells(self, fact: Fact) -> bool:
        """Whether something that is not in this recording did not happen either."""
        return fact not in self.lacks


class Event(Struct, omit_defaults=True, tag_field="kind", kw_only=True, gc=False):
    """What every event has. ``conn`` 0 is the proxy as a whole."""

    at: float
    conn: int = 0


class Request(Struct, omit_defaults=True, kw_only=True):
    """A handshake request: ``target`` is path and query; headers as the backend got them, in their order."""

    method: str = "GET"
    target: str = "/"
    version: str = "HTTP/1.1"
    headers: list[tuple[str, str]] = []


BODY_KEPT = 4096
"""Characters that are kept of the body of a refused handshake."""


class Response(Struct, omit_defaults=True, kw_only=True):
    """A handshake's answer; ``text`` is the beginning of the body when the answer was not 101, and ``cut`` says that
    there was more of it, or that it could not be read to its end."""

    status: int
    reason: str = ""
    version: str = "HTTP/1.1"
    headers: list[tuple[str, str]] = []
    text: str = ""
    cut: bool = False

    def lines(self, most: int) -> list[str]:
        """So many lines of ``text``, and a remark if that is not all."""
        lines = self.text.splitlines()
        return [*lines[:most], "(the rest of the body is not shown)"] if self.cut or len(lines) > most else lines


class Handshake(Event, tag="handshake", kw_only=True, gc=True):
    """A WebSocket handshake, written when its answer (or failure) is known: ``at`` is that moment.

    ``waited`` is the time in seconds from request to answer. ``error`` says why there is no response, and
    ``by`` who produced the answer when it was not the server: ``proxy``, or a filter's text form.
    ``original`` is what the client sent, when it differs from the ``request`` that the server got: a filter changed
    it, or its Host was the proxy's own address. ``returned`` is what the client was given, when a filter changed the
    response.
    """

    client: str = ""
    server: str = ""
    request: Request
    response: Response | None = None
    waited: float = 0.0
    error: str = ""
    by: str = ""
    problems: list[str] = []
    original: Request | None = None
    returned: Response | None = None

    @property
    def client_host(self) -> str:
        """The Host that the client sent, where the server got another; else an empty string."""
        sent, got = _hosts(self.original or self.request), _hosts(self.request)
        return ", ".join(sent) if sent != got else ""

    @property
    def rewritten(self) -> bool:
        """Whether the server got a request that differs from the client's in more than its Host."""
        sent, got = self.original, self.request
        if sent is None:
            return False
        same = (sent.method, sent.target, sent.version) == (got.method, got.target, got.version)
        return not same or _without_host(sent) != _without_host(got)


def _hosts(request: Request) -> list[str]:
    return [value for name, value in request.headers if name.lower() == "host"]


def _without_host(request: Request) -> list[tuple[str, str]]:
    return [(name, "" if name.lower() == "host" else value) for name, value in request.headers]


class Frame(Event, tag="frame", kw_only=True, gc=False):
    """One frame as it was on the wire, unmasked and, in ``message``, inflated.

    ``text`` holds the payload when it is plain UTF-8 text, else ``base64``; neither stands there for an empty
    payload. ``mask`` is the key in hex, absent for an unmasked frame. ``head`` is the header's bytes in hex,
    only when they cannot be derived from the other fields (a length in long form). ``parts`` says how many
    ``part`` events before this one hold the payload of a large frame, and ``length`` then its size in bytes.
    A payload that was cut by ``--max-payload`` keeps ``length``, ``sha256`` and its first bytes. ``code`` and
    ``reason`` are a close frame's, decoded. ``message`` (or ``message_base64``) is the whole message as the
    application saw it, on the last frame of a compressed or fragmented message; ``message_length`` its size
    when it was too large to be repeated here. A message is ``left_compressed`` that inflates to far more than was on
    the wire (:mod:`hangup.wire.inflation_budget`), or refers to one that was left: there is nothing wrong with it, and
    its compressed bytes are all here.
    """

    n: int
    side: Side
    opcode: str = "text"
    fin: bool = True
    rsv: int = 0
    mask: str | None = None
    text: str | None = None
    base64: bytes | None = None
    problems: tuple[str, ...] = ()
    head: str | None = None
    parts: int = 0
    length: int | None = None
    sha256: str | None = None
    code: int | None = None
    reason: str | None = None
    message: str | None = None
    message_base64: bytes | None = None
    message_length: int | None = None
    left_compressed: bool = False

    @property
    def payload(self) -> bytes:
        """The unmasked payload in bytes, as far as it stands in this event."""
        if self.text is not None:
            return self.text.encode()
        return self.base64 or b""

    @property
    def message_bytes(self) -> bytes:
        """The message that it ends, as far as it stands in this event: else its own payload."""
        if self.message is not None:
            return self.message.encode()
        return self.payload if self.message_base64 is None else self.message_base64

    @property
    def size(self) -> int:
        """The payload's length in bytes on the wire."""
        return len(self.payload) if self.length is None else self.length


class Part(Event, tag="part", kw_only=True):
    """A piece of a frame too large to be held: unmasked payload bytes; the first carries the header's bytes.

    ``length`` is the piece's size in bytes when it was cut by ``--max-payload``.
    """

    n: int
    side: Side
    head: str | None = None
    text: str | None = None
    base64: bytes | None = None
    length: int | None = None

    @property
    def payload(self) -> bytes:
        """The piece's unmasked bytes."""
        if self.text is not None:
            return self.text.encode()
        return self.base64 or b""


class Raw(Event, tag="raw", kw_only=True):
    """Bytes of the wire that are no whole frame: ``not-a-frame``, or ``half-frame`` at the end."""

    side: Side
    text: str | None = None
    base64: bytes | None = None
    problems: tuple[str, ...] = ()
    opcode: str | None = None
    length: int | None = None
    """Of a half frame: the payload length that its header announced, in bytes."""
    kept: bool = False
    """A filter kept them back: they were not sent on where they stand in the file."""
    cut: int | None = None
    """How many bytes there were, when ``--max-payload`` cut them; ``sha256`` is of all of them."""
    sha256: str | None = None

    @property
    def payload(self) -> bytes:
        """The bytes."""
        if self.text is not None:
            return self.text.encode()
        return self.base64 or b""


class FilterEvent(Event, tag="filter", kw_only=True):
    """A filter was changed (``on``, ``off``, ``add``, ``remove``) or acted.

    ``filter`` is its text form. An action in :data:`INSTEAD` on frame ``n`` of ``side`` says that the frame
    was not sent on where it stands in the file: ``wire`` is what the other leg was sent in its place, here
    (absent: nothing). So a frame that is held and passes later has a ``hold`` and then a ``forward``; of a
    message in several frames each has its event, and the last the bytes of all. ``reencode`` is a message
    that no filter touched, compressed anew because one touched an earlier message; ``reframe`` the same
    message in other frames. For ``inject`` and ``close``, ``n`` (if any) is only what gave the occasion;
    ``side`` is whose frame ``wire`` pretends to be. ``pass`` says that a message could not be held whole and
    passed unfiltered, ``error`` that a filter failed; ``change`` and ``refuse`` are for handshakes.
    """

    filter: str
    action: str
    side: Side | None = None
    n: int | None = None
    wire: bytes | None = None
    note: str = ""


WENT_AWAY = "the client went away before the answer"
"""The error of a handshake whose client did not wait for the answer."""


class End(Event, tag="end", kw_only=True):
    """One TCP leg ended, or was half-closed, by ``side``: ``fin`` or ``rst`` as it was seen on the wire.

    ``by`` is empty when the peer did it by itself, else ``proxy`` or a filter's text form.
    """

    side: Side
    how: How
    by: str = ""
    note: str = ""


class Log(Event, tag="log", kw_only=True):
    """A line of the backend's log, or a traceback kept whole."""

    source: str = ""
    text: str = ""


class Note(Event, tag="note", kw_only=True):
    """A remark of the recorder's own; ``lost`` counts events that could not be written.

    ``ending`` says that the remark is all that is known of how the connection ended: another format did not tell.
    With ``ended`` it is known that it was over then (``at``), and perhaps by which side and with what close code.
    """

    text: str
    lost: int = 0
    ending: bool = False
    ended: bool = False
    by: Side | None = None
    code: int | None = None
    reason: str = ""


class Stop(Event, tag="stop", kw_only=True):
    """The last line of a recording that was ended in order; ``http`` counts the HTTP requests that passed."""

    http: int = 0


INSTEAD = frozenset({"drop", "replace", "reframe", "reencode", "hold", "forward"})
"""The actions of a ``filter`` event after which the frame that they name is no longer sent on as it was."""

AnyEvent = Handshake | Frame | Part | Raw | FilterEvent | End | Log | Note | Stop

encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_header = msgspec.json.Decoder(Header)


def encode(event: Event | Header) -> bytes:
    """One line without its newline."""
    return encoder.encode(event)


def decode(line: bytes | str) -> AnyEvent:
    """The event of one line; raises ``msgspec.MsgspecError`` for anything else."""
    return _decoder.decode(line)


def decode_lines(lines: bytes) -> list[AnyEvent]:
    """The events of many lines at once; raises ``msgspec.MsgspecError`` where one of them is anything else."""
    return _decoder.decode_lines(lines)


def decode_header(line: bytes | str) -> Header:
    """The header of the first line; raises ``msgspec.MsgspecError`` for anything else."""
    return _header.decode(line)


def schema() -> dict[str, object]:
    """The JSON Schema of a recording's lines, generated from these types."""
    (header, event), definitions = msgspec.json.schema_components((Header, AnyEvent), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a hangup recording",
        "$comment": "The first line is a Header, every later one an event told apart by `kind`.",
        "anyOf": [header, event],
        "$defs": definitions,
    }


def payload_fields(data: bytes) -> tuple[str | None, bytes | None]:
    """``(text, base64)`` for a payload: text when it is UTF-8, neither when it is empty."""
    if not data:
        return None, None
    try:
        return data.decode(), None
    except UnicodeDecodeError:
        return None, data


def dump(events: Iterable[Event | Header]) -> bytes:
    """Lines for these events, each with its newline."""
    return b"".join(encoder.encode(e) + b"\n" for e in events)
