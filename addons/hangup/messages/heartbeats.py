"""Application-level heartbeats, recognised by what they say: the known forms, and how each is answered.

:data:`FORMS` is the table. A form without ``pong`` is one-way: nothing answers it. Being a heartbeat is a
matter of the data alone, so a chat message that says just ``ping`` counts as one too. Engine.IO's ``2probe``
and ``3probe`` do not: they belong to an upgrade and come once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from hangup.messages.content import NOTHING, load
from hangup.messages.discriminator import BODIES, Discriminator, at, find, weight
from hangup.wire.frames import BINARY, PING, PONG, TEXT

Kind = Literal["ping", "pong"]

LONGEST = 512
"""A longer message (bytes) is no heartbeat."""

ABBREVIATED = 2
"""Where there is little else in a message, a key of so few letters may say what it is, whichever letters they are."""


class Beat(NamedTuple):
    """``kind`` says which half of the exchange, ``form`` is a name of :data:`FORMS`."""

    kind: Kind
    form: str


class Form(Struct, frozen=True):
    """A known form: who speaks it, an example of either half. An ``exact`` one is these bytes, no others."""

    name: str
    spoken: str
    ping: bytes
    pong: bytes | None = None
    opcode: int = TEXT
    exact: bool = False


FORMS: tuple[Form, ...] = (
    Form("control", "RFC 6455 5.5.2", b"", b"", PING),
    Form("text", "hand-written, NATS, Twitch, primus, OKX", b"ping", b"pong"),
    Form("empty", "an empty message: SocketCluster, hand-written", b"", exact=True),
    Form(
        "json",
        "a field says ping: hand-written, graphql-ws, Pusher, DDP",
        b'{"type":"ping"}',
        b'{"type":"pong"}',
    ),
    Form("json-key", "a key says ping: Huobi, Django tutorials", b'{"ping":1}', b'{"pong":1}'),
    Form(
        "json-rpc",
        "JSON-RPC 2.0",
        b'{"jsonrpc":"2.0","id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"result":"pong"}',
    ),
    Form("empty-json", "Centrifugo, SignalR for ASP.NET", b"{}", b"{}", exact=True),
    Form("engine.io", "Engine.IO, which carries Socket.IO", b"2", b"3", exact=True),
    Form("socket.io", "an application's event over Socket.IO", b'42["ping"]', b'42["pong"]'),
    Form(
        "phoenix",
        "Phoenix channels",
        b'[null,"1","phoenix","heartbeat",{}]',
        b'[null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}]',
    ),
    Form("graphql-ka", "subscriptions-transport-ws", b'{"type":"ka"}'),
    Form("actioncable", "Rails Action Cable", b'{"type":"ping","message":1700000000}'),
    Form("signalr", "ASP.NET Core SignalR", b'{"type":6}\x1e', exact=True),
    Form("signalr-msgpack", "ASP.NET Core SignalR", b"\x02\x91\x06", None, BINARY, exact=True),
    Form("stomp", "STOMP, XMPP: whitespace", b"\n", exact=True),
    Form("sockjs", "SockJS", b"h", exact=True),
    Form("socketcluster", "SocketCluster before 15", b"#1", b"#2", exact=True),
    Form("mqtt", "MQTT", b"\xc0\x00", b"\xd0\x00", BINARY, exact=True),
    Form("discord", "Discord's gateway", b'{"op":1,"d":251}', b'{"op":11}'),
    Form("ably", "Ably", b'{"action":0}', b'{"action":0}', exact=True),
)
FORM: dict[str, Form] = {form.name: form for form in FORMS}

_CONTROL = {PING: Beat("ping", "control"), PONG: Beat("pong", "control")}

_EXACT: dict[tuple[int, bytes], Beat] = {}
for _form in FORMS:
    if _form.exact:
        _EXACT[_form.opcode, _form.ping] = Beat("ping", _form.name)
        if _form.pong is not None:
            _EXACT.setdefault((_form.opcode, _form.pong), Beat("pong", _form.name))
_LONGEST_EXACT = max(len(_data) for _, _data in _EXACT)
_EXACT[BINARY, b""] = Beat("ping", "empty")
for _opcode, _space in ((TEXT, b"\r\n"), (TEXT, b" "), (BINARY, b"\r\n"), (BINARY, b"\n")):
    _EXACT[_opcode, _space] = Beat("ping", "stomp")  # a blank in a binary message is a byte like any: MQTT's CONNACK

_PING_WORDS = r"ping|heart[-_ ]?beat|keep[-_ ]?alive|hb|ka|hello_ping|ping_request|pingreq"
_PONG_WORDS = (
    r"pong(?:_response)?|(?:heart[-_ ]?beat|keep[-_ ]?alive|ping|hb)[-_ :.]?(?:ack|ok|reply|resp(?:onse)?)"
)
# A namespace may stand before the word (`pusher:ping`, `system/heartbeat`, `client-ping`).
_WORD = re.compile(
    rf"(?:[\w$]{{1,32}}[:./-]{{1,2}}|(?:ws|client|server)_)?(?:({_PING_WORDS})|({_PONG_WORDS}))", re.I
)
# A number or one token may follow in a text heartbeat (`ping 17`, `PING :tmi.twitch.tv`, `primus::ping::17`).
_TAIL = r"(?:(?:\s?[:|=,;]{1,2}\s?)\S{1,64}|\s\d{1,20})?"
_TEXT = re.compile(rf'\s*"?(?:primus::)?(?:({_PING_WORDS})|({_PONG_WORDS}))[.!]?{_TAIL}"?\s*'.encode(), re.I)
_EVENT = re.compile(rb'42(/[^,"]*,)?\d*\["')


def recognise(opcode: int, data: bytes, value: Any = NOTHING) -> Beat | None:
    """The heartbeat that a whole message (or a control frame's payload) is, or None. ``value`` is its JSON, for one
    who has it already."""
    if opcode > BINARY:
        return _CONTROL.get(opcode)
    if len(data) > LONGEST:
        return None
    if len(data) <= _LONGEST_EXACT and (beat := _EXACT.get((opcode, data))) is not None:
        return beat
    low = data.lower()
    if not (
        b"ping" in low
        or b"pong" in low
        or b"beat" in low
        or b"alive" in low
        or b'"op"' in low
        or b"phx_reply" in low
        or b'"hb' in low
        or b'"ka"' in low
    ):  # fast, as every short message comes here
        return _word(data) if len(data) <= _LONGEST_EXACT else None
    data = data.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n\x00\x1e")
    if data[:1] == b"{" or data[:1] == b"[":
        return _structure(load(data) if value is NOTHING else value)
    event = _EVENT.match(data)
    if event is not None:
        found = load(data[event.end() - 2 :])
        word = _WORD.fullmatch(found[0]) if type(found) is list and type(found[0]) is str else None
        return None if word is None else Beat("ping" if word[1] else "pong", "socket.io")
    return _word(data)


def _word(data: bytes) -> Beat | None:
    text = _TEXT.fullmatch(data) if len(data) < 128 else None
    return None if text is None else Beat("ping" if text[1] else "pong", "text")


def _structure(value: Any) -> Beat | None:
    if type(value) is dict:
        op = value.get("op")
        special = _SPECIAL.get(op) if type(op) is int else None
        if value.get("topic") == "phoenix":
            return _phoenix(value.get("event"))
        if special is not None:  # OBS and others number their messages so too, but carry something in `d`
            plain = value.keys() <= {"op", "d", "s", "t"} and type(value.get("d")) not in (dict, list)
            return special if plain else None
        if "jsonrpc" in value:
            if value.get("method") == "ping":
                return Beat("ping", "json-rpc")
            return Beat("pong", "json-rpc") if value.get("result") == "pong" else None
    elif type(value) is list and len(value) == 5 and value[2] == "phoenix":
        return _phoenix(value[3])
    found = _where(value)
    if found is not None:
        word = _WORD.fullmatch(str(found.value))
        if word is None:
            return None
        if type(value) is dict and word[0] == "ka" and found.path == ("type",):
            return Beat("ping", "graphql-ka")
        if type(value) is dict and value.keys() == {"type", "message"} and word[0] == "ping" and _is_time(value):
            return Beat("ping", "actioncable")
        return Beat("ping" if word[1] else "pong", "json")
    if type(value) is dict and len(value) <= 2:
        for key in value:
            word = _WORD.fullmatch(key)
            if word is not None and type(value[key]) not in (dict, list, str):
                return Beat("ping" if word[1] else "pong", "json-key")
    return None


_SPECIAL = {1: Beat("ping", "discord"), 11: Beat("pong", "discord")}


def _is_time(value: dict[str, Any]) -> bool:
    return type(value["message"]) is int


def _phoenix(event: Any) -> Beat | None:
    return Beat("ping" if event == "heartbeat" else "pong", "phoenix") if event in ("heartbeat", "phx_reply") else None


def _where(value: Any) -> Discriminator | None:
    """The field that says what the message is. Where there is little else in the message it may be any that says
    things, if what it says is a heartbeat."""
    found = find(value)
    if found is not None:
        plain = type(value) is dict or found.path == (0,) and len(value) <= 2
        return found if plain and type(found.value) is str else None
    if type(value) is dict and len(value) <= 3:
        for key, said in value.items():
            names = weight(key) or key in BODIES or len(key) <= ABBREVIATED
            if type(said) is str and names and _WORD.fullmatch(said) is not None:
                return Discriminator((key,), said, said)
    return None


def answer(beat: Beat, data: bytes) -> bytes | None:
    """What answers the ping ``data``, sent with the same opcode (to a control ping: as a pong), or None when
    nothing does. A heartbeat that is not called a ping (``{"type":"heartbeat"}``) is answered by itself."""
    if beat.kind == "pong":
        return None
    form = FORM[beat.form]
    if form.name == "control":
        return data
    if form.pong is None:
        return None
    if form.exact or form.name == "discord":
        return form.pong
    make = _ANSWERS.get(beat.form)
    return make(data) if make is not None else _ponged(data)


def _phoenix_reply(data: bytes) -> bytes:
    found = load(data)
    reply = {"response": {}, "status": "ok"}
    if isinstance(found, list):
        return msgspec.json.encode([*found[:3], "phx_reply", reply])
    return msgspec.json.encode({**found, "event": "phx_reply", "payload": reply})


def _json_rpc(data: bytes) -> bytes:
    found = load(data)
    return msgspec.json.encode({"jsonrpc": found["jsonrpc"], "id": found.get("id"), "result": "pong"})


_ANSWERS: dict[str, Callable[[bytes], bytes]] = {"phoenix": _phoenix_reply, "json-rpc": _json_rpc}

_PING = re.compile(rb"(?<![a-z])(p)i(ng)(?:req(?:uest)?|_request)?(?![a-z])", re.I)


def _ponged(data: bytes) -> bytes:
    """``data`` with its ``ping`` turned into a ``pong`` of the same case, all else as it was."""
    event = _EVENT.match(data)
    prefix = data[: event.end() - 2] if event is not None else b""
    value: Any = load(data[len(prefix) :])
    if type(value) not in (dict, list):
        return _turn(data)
    found = Discriminator((0,), "", value[0]) if event is not None else _where(value)
    if found is None:
        value = {_turn(key.encode()).decode(): said for key, said in value.items()}
    else:
        new = _turn(str(found.value).encode()).decode()
        if new == found.value:
            return data
        inner = at(value, found.path[:-1])
        if type(inner) in (dict, list):
            inner[found.path[-1]] = new
    return _turn(data) if len(_PING.findall(data)) == 1 else prefix + msgspec.json.encode(value)


def _turn(data: bytes) -> bytes:
    return _PING.sub(lambda m: m[1] + (b"O" if m[2].isupper() else b"o") + m[2], data, count=1)
