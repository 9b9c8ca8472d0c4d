"""The shape of a message: what is the same in all messages of one kind, whatever they say.

``{"type":"ping","ts":1}`` and ``{"type":"ping","ts":2}`` have one shape; so a recording of a million messages has a few
dozen, and one can ask which shape comes last before every end.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
from msgspec import Struct

from hangup.humanize import printable
from hangup.messages.discriminator import find, path_text
from hangup.messages.heartbeats import Beat, recognise
from hangup.messages.kind import kind_of
from hangup.wire.frames import BINARY, TEXT

LONGEST = 64 * 1024
"""Characters of a message that are parsed; a longer one is judged by its beginning and its size."""

CACHED = 256
"""A longer message (characters) is not remembered: it hardly comes twice."""

REMEMBERED = 4096
SHAPES = 256
"""How many shapes a recording may have; of further ones only heartbeats, and whether they are JSON, are told apart."""

TEXTS = 96
"""How many different plain texts are shapes of their own."""

_BODIES = ("data", "payload", "params", "d", "body", "args")
_WORD = re.compile(r"[^\s\x00-\x1f]{1,40}")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_NAN = re.compile(r"(?<![\w\"'])(?:NaN|-?Infinity)(?![\w\"'])")
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_HTML = re.compile(r"\s*<(?:!doctype|html|head|body|h1|pre)\b", re.I)
_PACKET = re.compile(r'(4[0-6]|[0-6])(?:/[^,"]*,)?\d*(?=[\[{]|$)')
_EVENT = re.compile(r'4[235](?:/[^,"]*,)?\d*\["([^"\\]{1,40})"')
_PACKETS = {"0": "open", "1": "close", "2": "ping", "3": "pong", "40": "connect", "41": "disconnect", "44": "error"}
_NOT_JSON = frozenset(("nan", "bom", "truncated", "html", "empty", "utf8"))
_STOMP = frozenset(
    "CONNECT STOMP CONNECTED SEND SUBSCRIBE UNSUBSCRIBE MESSAGE RECEIPT ERROR DISCONNECT"
    " ACK NACK BEGIN COMMIT ABORT".split()
)
_GRAPHQL = frozenset(
    "connection_init connection_ack connection_error connection_terminate start stop data ka subscribe next".split()
)

_decode = msgspec.json.Decoder().decode
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


class Shape(Struct, frozen=True, gc=False, eq=False):
    """What a message looks like. Each shape of a recording is one object, so that they can be counted by identity.

    ``text`` names it for people and is unique; ``kind`` is the value of the field that says what it is; ``json``
    whether it is JSON that any parser reads; ``keys`` the names of its fields (``data.id`` for one within a body);
    ``faults`` what a JSON parser may stumble over: ``nan``, ``bom``, ``truncated``, ``html``, ``empty``, ``utf8``,
    or half of a ``surrogate`` pair, which JSON allows, and which is no character;
    ``protocol`` the one that its form gives away (``engine.io``, ``graphql``, ``stomp``, …).
    """

    text: str
    opcode: str = "text"
    kind: str = ""
    json: bool = False
    keys: frozenset[str] = frozenset()
    faults: frozenset[str] = frozenset()
    beat: Beat | None = None
    protocol: str = ""


OTHER = Shape(text="other messages")


class Shapes:
    """Finds the shape of each message, and remembers short messages and forms; one per recording."""

    def __init__(self) -> None:
        self.kinds: dict[Shape, str] = {}
        """What a filter's ``kind=`` selects the messages of a shape by, learned from the first of them."""
        self._known: dict[str, Shape] = {}
        self._texts = 0
        self._seen: dict[str | bytes, Shape] = {}
        self._forms: dict[Any, Shape] = {}

    def of_text(self, text: str) -> Shape:
        """The shape of a text message."""
        shape = self._seen.get(text)
        if shape is None:
            shape = self._find(text)
            if shape not in self.kinds:
                self.kinds[shape] = kind_of(TEXT, text.encode(errors="replace")).text
            if len(text) <= CACHED:
                self._remember(text, shape)
        return shape

    def of_bytes(self, data: bytes) -> Shape:
        """The shape of a binary message."""
        shape = self._seen.get(data)
        if shape is None:
            shape = self._binary(data)
            if shape not in self.kinds:
                self.kinds[shape] = kind_of(BINARY, data).text
            if len(data) <= CACHED:
                self._remember(data, shape)
        return shape

    def of_broken_text(self) -> Shape:
        """The shape of a text message that is not UTF-8."""
        return self._keep(Shape(text="text that is not UTF-8", faults=frozenset(("utf8",))))

    def of_unknown(self, opcode: str) -> Shape:
        """The shape of a message of which only the length is known."""
        return self._keep(Shape(text=f"large {opcode} message", opcode=opcode))

    def _remember(self, content: str | bytes, shape: Shape) -> None:
        if len(self._seen) >= REMEMBERED:
            self._seen.clear()
        self._seen[content] = shape

    def _keep(self, shape: Shape) -> Shape:
        """The one shape of that name."""
        known = self._known.get(shape.text)
        if known is None:
            full = len(self._known) >= (2 * SHAPES if shape.beat is not None or shape.faults else SHAPES)
            if full and not shape.text.startswith("other "):
                what = "JSON" if shape.json else "text" if shape.opcode == "text" else "binary messages"
                return self._keep(Shape(text=f"other {what}", opcode=shape.opcode, json=shape.json))
            known = self._known[shape.text] = shape
        return known

    def _find(self, text: str) -> Shape:
        head = text[:1]
        if (head == "{" or head == "[") and len(text) <= LONGEST:
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
        body = next((key for key in _BODIES if key in found and type(found[key]) is dict), None)
        inner = tuple(found[body]) if body is not None else ()
        form = (opcode, kind_key, kind, tuple(found), body, inner, faults)
        shape = self._forms.get(form)
        if shape is None:
            shape = self._new_object(found, text, faults, opcode, kind_key, kind, body, inner)
            if len(self._forms) >= REMEMBERED:
                self._forms.clear()
            self._forms[form] = shape
        return shape

    def _new_object(
        self,
        found: dict[str, Any],
        text: str,
        faults: frozenset[str],
        opcode: str,
        kind_key: str,
        kind: str,
        body: str | None,
        inner: tuple[str, ...],
    ) -> Shape:
        names = [f"{name}: {{{', '.join(inner[:4])}}}" if name == body else name for name in found if name != kind_key]
        shown = [*([f'{kind_key}: "{kind}"'] if kind_key else []), *names[:6], *(["…"] if len(names) > 6 else [])]
        words = "{" + printable(", ".join(shown), 90) + "}"
        if opcode == "binary":
            words = f"binary {words}"
        if faults:
            words += f" with {', '.join(sorted(faults))}"
        keys = frozenset([*found][:64]) | {f"{body}.{name}" for name in inner[:32]}
        return self._keep(
            Shape(
                text=self._free(words, keys),
                opcode=opcode,
                kind=kind,
                json=not faults & _NOT_JSON,
                keys=keys,
                faults=faults,
                beat=recognise(TEXT if opcode == "text" else BINARY, text.encode(errors="replace")),
                protocol=_protocol(found, kind),
            )
        )

    def _free(self, words: str, keys: frozenset[str]) -> str:
        """A name that no object with other fields has: names are cut, so two could be alike."""
        for number in range(1, 10):
            name = words if number == 1 else f"{words} ({number})"
            known = self._known.get(name)
            if known is None or known.keys == keys:
                return name
        return words

    def _array(self, found: list[Any], text: str) -> Shape:
        kind, protocol = "", ""
        if len(found) == 5 and isinstance(found[2], str) and isinstance(found[3], str):
            kind, protocol = f"{found[3]}", "phoenix"  # [join_ref, ref, topic, event, payload]
            form: Any = (found[2] == "phoenix", kind)
        else:
            if found and isinstance(found[0], str) and _WORD.fullmatch(found[0]):
                kind = found[0]
            form = (len(found) <= 2, kind, None)
        shape = self._forms.get(form)
        if shape is None:
            beat = recognise(TEXT, text.encode(errors="replace"))
            words = f'["{printable(kind, 40)}", …]' if kind else "a JSON array"
            if beat is not None:
                words += f" ({beat.kind})"
            shape = self._keep(Shape(text=words, kind=kind, json=True, beat=beat, protocol=protocol))
            if len(self._forms) < REMEMBERED:
                self._forms[form] = shape
        return shape

    def _broken_json(self, text: str) -> Shape:
        if text.startswith("{") and _NAN.search(text):
            try:
                found = json.loads(text)
            except (ValueError, RecursionError):
                found = None
            if isinstance(found, dict):
                return self._object(found, text, frozenset(("nan",)))
        if _HALF_PAIR.search(text):
            try:
                found = json.loads(text)
            except (ValueError, RecursionError):
                found = None
            if isinstance(found, dict):
                return self._object(found, text, frozenset(("surrogate",)))
            if isinstance(found, list):
                return self._array(found, text)
        if text.endswith("\x1e"):  # SignalR ends its messages so
            try:
                found = _decode(text[: text.index("\x1e")])
            except _UNREADABLE:
                found = None
            if isinstance(found, dict):
                kind = str(found.get("type", ""))[:20]
                words = f"SignalR message {printable(kind)}" if kind else "SignalR handshake"
                beat = recognise(TEXT, text.encode(errors="replace"))
                return self._keep(Shape(text=words, kind=kind, json=True, beat=beat, protocol="signalr"))
        return self._text("broken JSON", text, frozenset(("truncated",)))

    def _text(self, what: str, text: str, faults: frozenset[str] = frozenset()) -> Shape:
        """A text that is a shape of its own, while there are few such; later just ``what`` it is."""
        if self._texts < TEXTS:
            own = f'{what} "{_shown(text)}"'
            self._texts += own not in self._known
            return self._keep(Shape(text=own, faults=faults))
        return self._keep(Shape(text=f"other {what}", faults=faults))

    def _plain(self, text: str) -> Shape:
        if not text:
            return self._keep(Shape(text="empty text", faults=frozenset(("empty",)), beat=recognise(TEXT, b"")))
        head = text[0]
        event = _EVENT.match(text) if head == "4" else None
        form = event and (event[1], text[:2])
        if form and (shape := self._forms.get(form)) is not None:
            return shape
        beat = self._beat(TEXT, text[:1024].encode(errors="replace"))
        if head.isdigit() and (packet := _PACKET.match(text)) is not None:
            if beat is None or beat.form in ("engine.io", "socket.io"):
                shape = self._packet(packet[1], event[1] if event else "", beat)
                if form and len(self._forms) < REMEMBERED:
                    self._forms[form] = shape
                return shape
        if beat is not None:
            return self._keep(Shape(text=f'text "{_shown(text)}"', beat=beat))
        if head == "\ufeff":
            inner = self._find(text[1:])
            return self._keep(
                Shape(
                    text=f"byte order mark and {inner.text}",
                    kind=inner.kind,
                    keys=inner.keys,
                    faults=inner.faults | {"bom"},
                    beat=inner.beat,
                )
            )
        if head.isspace() and text.lstrip()[:1] in ("{", "[") and len(text) <= LONGEST:
            return self._find(text.strip())
        if head in "<\n\r\t " and _HTML.match(text):
            return self._keep(Shape(text="an HTML page", faults=frozenset(("html",))))
        if head.isupper() and (command := text[:16].partition("\n")[0].rstrip("\r")) in _STOMP:
            return self._keep(Shape(text=f"STOMP {command}", kind=command, protocol="stomp"))
        if scalar := _scalar(text):
            return self._keep(Shape(text=scalar, json=True))
        return self._text("text", text)

    def _packet(self, number: str, event: str, beat: Beat | None) -> Shape:
        kind = f"{number} {event}" if event else number
        words = f'Engine.IO packet "{printable(kind, 44)}"'
        if number in _PACKETS:
            words += f" ({_PACKETS[number]})"
        return self._keep(Shape(text=words, kind=kind, json=True, beat=beat, protocol="engine.io"))

    def _binary(self, data: bytes) -> Shape:
        beat = self._beat(BINARY, data)
        if data[:1] in (b"{", b"[") and len(data) <= LONGEST:
            try:
                found = _decode(data)
            except _UNREADABLE:
                found = None
            if isinstance(found, dict):
                return self._object(found, data.decode(errors="replace"), frozenset(), "binary")
        if not data:
            words = "empty binary message"
        elif len(data) <= 8 and self._texts < TEXTS:
            words = f"binary 0x{data.hex()}"
            self._texts += words not in self._known
        else:
            words = "binary message" if beat is None else f"binary {beat.kind}"
        return self._keep(Shape(text=words, opcode="binary", beat=beat))

    @staticmethod
    def _beat(opcode: int, data: bytes) -> Beat | None:
        if len(data) > 8:
            low = data[:512].lower()
            # What every heartbeat has that is longer than a few bytes; most messages have none of it.
            if not (
                b"ping" in low or b"pong" in low or b"beat" in low or b"alive" in low or b"hb" in low or b"ka" in low
            ):
                return None
        return recognise(opcode, data)


def _shown(text: str) -> str:
    return printable(_NUMBER.sub("#", text[:60]), 40)


def _kind(found: dict[str, Any]) -> tuple[str, str]:
    """The field that says what a message is, and what it says."""
    named = find(found)
    return ("", "") if named is None else (path_text(named.path), named.name)


def _scalar(text: str) -> str:
    if text[0] == '"' and text[-1] == '"' and len(text) > 1:
        return "a quoted string"
    if text in ("true", "false", "null"):
        return "a bare JSON constant"
    return "a bare number" if text[0] in "-0123456789" and _NUMBER.fullmatch(text.lstrip("-")) else ""


def _protocol(found: dict[str, Any], kind: str) -> str:
    if kind in _GRAPHQL and ("payload" in found or kind.startswith("connection_")):
        return "graphql"
    if "topic" in found and "event" in found and "ref" in found:
        return "phoenix"
    if "jsonrpc" in found:
        return "json-rpc"
    if "identifier" in found and ("command" in found or "type" in found):
        return "actioncable"
    return ""
