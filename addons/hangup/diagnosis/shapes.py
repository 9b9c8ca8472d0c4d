"""The shape of a message: what is the same in all messages of one kind, whatever they say.

``{"type":"ping","ts":1}`` and ``{"type":"ping","ts":2}`` have one shape; so a recording of a million messages has a few
dozen, and one can ask which shape comes last before every end. Shapes are found once per distinct short message and
kept, so that a stream costs little.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from hangup.recording.units import printable
from hangup.wire.frames import BINARY, TEXT
from hangup.wire.heartbeats import Beat, recognise

LONGEST = 64 * 1024
"""Characters of a message that are parsed; a longer one is judged by its beginning and its size."""

CACHED = 256
"""A longer message (characters) is not remembered: it hardly comes twice."""

REMEMBERED = 4096
SHAPES = 256
"""How many shapes a recording may have before the rest is one shape, ``other``."""

KINDS = (
    "type", "event", "action", "op", "kind", "method", "t", "cmd", "command", "msg_type", "messageType",
    "message_type", "msgType", "eventType", "event_type", "msg", "operation", "e", "evt",
)  # fmt: skip
"""Fields that may say what a message is, the likeliest first."""

_BODIES = ("data", "payload", "params", "d", "body", "args")
_WORD = re.compile(r"[^\s\x00-\x1f]{1,40}")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_NAN = re.compile(r"(?<![\w\"'])(?:NaN|-?Infinity)(?![\w\"'])")
_HTML = re.compile(r"\s*<(?:!doctype|html|head|body|h1|pre)\b", re.I)
_PACKET = re.compile(r'(4[0-6]|[0-6])(?:/[^,"]*,)?\d*(?=[\[{]|$)')

_decode = msgspec.json.Decoder().decode
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


class Shape(Struct, frozen=True, gc=False):
    """What a message looks like. Equal shapes are one object, so that they can be counted by identity.

    ``text`` names it for people and is unique; ``kind`` is the value of the field that says what it is; ``json``
    whether it is a JSON object or array; ``keys`` the names of its fields (``data.id`` for one within a body);
    ``faults`` what a JSON parser may stumble over: ``nan``, ``bom``, ``truncated``, ``html``, ``empty``, ``utf8``.
    """

    text: str
    opcode: str = "text"
    kind: str = ""
    json: bool = False
    keys: frozenset[str] = frozenset()
    faults: frozenset[str] = frozenset()
    beat: Beat | None = None
    protocol: str = ""
    """The protocol that a form belongs to, where it gives it away: ``engine.io``, ``graphql``, ``stomp``, …"""

    def __hash__(self) -> int:
        return hash(self.text)


OTHER = Shape(text="other messages")


class Shapes:
    """Finds the shape of each message; one per recording."""

    def __init__(self) -> None:
        self._by_text: dict[str, Shape] = {}
        self._seen: dict[str, Shape] = {}
        self._seen_bytes: dict[bytes, Shape] = {}
        self._objects: dict[Any, Shape] = {}

    def of_text(self, text: str) -> Shape:
        """The shape of a text message."""
        shape = self._seen.get(text)
        if shape is None:
            shape = self._find(text)
            if len(text) <= CACHED:
                if len(self._seen) >= REMEMBERED:
                    self._seen.clear()
                self._seen[text] = shape
        return shape

    def of_bytes(self, data: bytes) -> Shape:
        """The shape of a binary message."""
        shape = self._seen_bytes.get(data)
        if shape is None:
            shape = self._binary(data)
            if len(data) <= CACHED:
                if len(self._seen_bytes) >= REMEMBERED:
                    self._seen_bytes.clear()
                self._seen_bytes[data] = shape
        return shape

    def of_broken_text(self, data: bytes) -> Shape:
        """The shape of a text message that is not UTF-8."""
        return self._one("text that is not UTF-8", lambda text: Shape(text=text, faults=frozenset(("utf8",))))

    def of_unknown(self, opcode: str, length: int) -> Shape:
        """The shape of a message of which only the length in bytes is known."""
        return self._one(f"large {opcode} message", lambda text: Shape(text=text, opcode=opcode))

    def _one(self, text: str, make: Callable[[str], Shape]) -> Shape:
        shape = self._by_text.get(text)
        if shape is None:
            if len(self._by_text) >= SHAPES:
                return OTHER
            shape = self._by_text[text] = make(text)
        return shape

    def _find(self, text: str) -> Shape:
        head = text[:1]
        if head in "{[" and head and len(text) <= LONGEST:
            try:
                found = _decode(text)
            except _UNREADABLE:
                return self._broken_json(text)
            if type(found) is dict:
                return self._object(found, text, frozenset())
            return self._array(found, text)
        return self._plain(text)

    def _object(self, found: dict[str, Any], text: str, faults: frozenset[str], opcode: str = "text") -> Shape:
        kind_key, kind = _kind(found)
        body = next((k for k in _BODIES if type(found.get(k)) is dict), None)
        inner = tuple(found[body]) if body is not None else ()
        key = (opcode, kind_key, kind, tuple(found), body, inner, faults)
        try:
            return self._objects[key]
        except KeyError:
            pass
        data = text.encode(errors="replace")
        beat = recognise(TEXT if opcode == "text" else BINARY, data)
        names = [name for name in found if name != kind_key]
        shown = [*([f'{kind_key}: "{kind}"'] if kind_key else []), *names[:6], *(["…"] if len(names) > 6 else [])]
        words = "{" + printable(", ".join(shown), 90) + "}"
        if opcode == "binary":
            words = f"binary {words}"
        if faults:
            words += f" with {', '.join(sorted(faults))}"
        keys = frozenset(found) | {f"{body}.{name}" for name in inner[:32]}
        if len(keys) > 64:
            keys = frozenset(sorted(keys)[:64])
        shape = self._one(
            words,
            lambda text: Shape(
                text=text,
                opcode=opcode,
                kind=kind,
                json=not faults & _NOT_JSON,
                keys=keys,
                faults=faults,
                beat=beat,
                protocol=_protocol(found, kind),
            ),
        )
        if len(self._objects) >= REMEMBERED:
            self._objects.clear()
        self._objects[key] = shape
        return shape

    def _array(self, found: list[Any], text: str) -> Shape:
        beat = recognise(TEXT, text.encode(errors="replace"))
        kind, protocol = "", ""
        if len(found) == 5 and isinstance(found[2], str) and isinstance(found[3], str):
            kind, protocol = found[3], "phoenix"  # [join_ref, ref, topic, event, payload]
        elif found and isinstance(found[0], str) and _WORD.fullmatch(found[0]):
            kind = found[0]
        words = f'["{printable(kind, 40)}", …]' if kind else "a JSON array"
        if beat is not None:
            words += f" ({beat.kind})"
        return self._one(words, lambda text: Shape(text=text, kind=kind, json=True, beat=beat, protocol=protocol))

    def _broken_json(self, text: str) -> Shape:
        if text.startswith("{") and _NAN.search(text):
            try:
                found = json.loads(text)
            except (ValueError, RecursionError):
                found = None
            if isinstance(found, dict):
                return self._object(found, text, frozenset(("nan",)))
        packet = text.rstrip("\x1e")
        if packet != text:  # SignalR ends its messages so
            try:
                found = _decode(packet.split("\x1e")[0])
            except _UNREADABLE:
                found = None
            if isinstance(found, dict):
                beat = recognise(TEXT, text.encode(errors="replace"))
                kind = str(found.get("type", ""))[:20]
                words = f"SignalR message {kind}" if kind else "SignalR handshake"
                return self._one(
                    words, lambda text: Shape(text=text, kind=kind, json=True, beat=beat, protocol="signalr")
                )
        words = f"text that begins as JSON and is none: {printable(text, 40)!r}"
        if len(self._by_text) > SHAPES // 2:
            words = "text that begins as JSON and is none"
        return self._one(words, lambda text: Shape(text=text, faults=frozenset(("truncated",))))

    def _plain(self, text: str) -> Shape:
        data = text[:1024].encode(errors="replace")
        beat = recognise(TEXT, data) if len(text) <= 512 else None
        if text.startswith("\ufeff"):
            inner = self._find(text[1:])
            words = f"byte order mark and {inner.text}"
            return self._one(
                words,
                lambda text: Shape(
                    text=text, kind=inner.kind, keys=inner.keys, faults=inner.faults | {"bom"}, beat=inner.beat
                ),
            )
        if not text:
            return self._one("empty text", lambda text: Shape(text=text, faults=frozenset(("empty",)), beat=beat))
        packet = _PACKET.match(text) if text[0].isdigit() else None
        if packet is not None and (beat is None or beat.form in ("engine.io", "socket.io")):
            return self._packet(text, packet, beat)
        if text.lstrip()[:1] in ("{", "[") and text.strip() != text and len(text) <= LONGEST:
            return self._find(text.strip())
        if _HTML.match(text):
            return self._one("an HTML page", lambda text: Shape(text=text, faults=frozenset(("html",))))
        stomp = text.partition("\n")[0].rstrip("\r")
        if stomp in _STOMP:
            return self._one(f"STOMP {stomp}", lambda text: Shape(text=text, kind=stomp, beat=beat, protocol="stomp"))
        short = _NUMBER.sub("#", text[:60])
        words = (
            f'text "{printable(short, 40)}"' if beat is not None or len(self._by_text) < SHAPES // 2 else "plain text"
        )
        scalar = _scalar(text)
        if scalar:
            words = f"a bare {scalar}" if scalar != "string" else "a quoted string"
        return self._one(words, lambda text: Shape(text=text, json=bool(scalar), beat=beat))

    def _packet(self, text: str, packet: re.Match[str], beat: Beat | None) -> Shape:
        number = packet[1]
        kind = number
        if number in ("42", "43", "45"):
            try:
                found = _decode(text[packet.end() :])
                kind = f"{number} {found[0]}" if isinstance(found[0], str) else number
            except (*_UNREADABLE, LookupError, TypeError):
                pass
        name = {"0": "open", "1": "close", "2": "ping", "3": "pong", "40": "connect", "41": "disconnect", "44": "error"}
        words = f'"{printable(kind, 44)}"' + (f" ({name[number]})" if number in name else "")
        return self._one(
            f"Engine.IO packet {words}",
            lambda text: Shape(text=text, kind=kind, json=True, beat=beat, protocol="engine.io"),
        )

    def _binary(self, data: bytes) -> Shape:
        beat = recognise(BINARY, data)
        if data[:1] in (b"{", b"[") and len(data) <= LONGEST:
            try:
                found = _decode(data)
            except _UNREADABLE:
                found = None
            if isinstance(found, dict):
                return self._object(found, data.decode(errors="replace"), frozenset(), "binary")
        if not data:
            words = "empty binary message"
        elif len(data) <= 8:
            words = f"binary 0x{data.hex()}" if len(self._by_text) < SHAPES // 2 else "short binary"
        else:
            words = "binary message"
        return self._one(words, lambda text: Shape(text=text, opcode="binary", beat=beat))


_NOT_JSON = frozenset(("nan", "bom", "truncated", "html", "empty", "utf8"))
_STOMP = frozenset(
    "CONNECT STOMP CONNECTED SEND SUBSCRIBE UNSUBSCRIBE MESSAGE RECEIPT ERROR DISCONNECT"
    " ACK NACK BEGIN COMMIT ABORT".split()
)
_GRAPHQL_OLD = frozenset(("connection_init", "start", "stop", "connection_terminate", "data", "ka", "connection_error"))
_GRAPHQL_NEW = frozenset(("connection_init", "subscribe", "next", "connection_ack"))


def _kind(found: dict[str, Any]) -> tuple[str, str]:
    """The field that says what a message is, and what it says."""
    for key in KINDS:
        value = found.get(key)
        if type(value) is str:
            if _WORD.fullmatch(value):
                return key, value
        elif type(value) is int and key in ("op", "t", "type", "e") and -1000 < value < 1000:
            return key, str(value)
    return "", ""


def _scalar(text: str) -> str:
    if text[0] == '"' and text[-1] == '"' and len(text) > 1:
        return "string"
    if text in ("true", "false", "null"):
        return "JSON constant"
    return "number" if text[0] in "-0123456789" and _NUMBER.fullmatch(text.lstrip("-")) else ""


def _protocol(found: dict[str, Any], kind: str) -> str:
    if "payload" in found or kind == "connection_init" or kind == "connection_ack":
        if kind in _GRAPHQL_OLD or kind in _GRAPHQL_NEW:
            return "graphql"
    if "topic" in found and "event" in found and "ref" in found:
        return "phoenix"
    if "jsonrpc" in found:
        return "json-rpc"
    if found.keys() >= {"identifier"} and ("command" in found or "type" in found):
        return "actioncable"
    return ""
