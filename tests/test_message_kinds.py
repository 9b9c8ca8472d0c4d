"""What kind a message is: as a person would call it, whatever its ids, numbers and texts are."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from filtered import Filtered
from hangup.errors import FilterError
from hangup.filters.library.drop import Drop
from hangup.filters.text import parse
from hangup.messages.content import MessageContent
from hangup.messages.heartbeats import recognise
from hangup.messages.kind import Discriminators, MessageKind, kind_of, selects
from hangup.messages.protocols import GIVEN, PROTOCOLS
from hangup.messages.reading import read_content
from hangup.wire.deflate import Params
from hangup.wire.frames import BINARY, PING, TEXT

CORPUS = Path(__file__).parent / "kinds" / "corpus"
SIDES = ("client", "server")

# What real clients and servers said (tests/kinds/clients), in the order in which each kind came first: the client's
# and the server's.
KINDS: dict[str, tuple[str, str]] = {
    "actioncable": (
        "actioncable:subscribe:ChatChannel actioncable:subscribe:SecretChannel actioncable:speak actioncable:message "
        "actioncable:away actioncable:unsubscribe:ChatChannel",
        "actioncable:welcome actioncable:confirm_subscription:ChatChannel "
        "actioncable:reject_subscription:SecretChannel actioncable:spoken actioncable:message actioncable:ping "
        "actioncable:disconnect",
    ),
    "centrifugo": (
        "centrifugo:connect centrifugo:subscribe:orders centrifugo:subscribe:secret centrifugo:cancel ping "
        "centrifugo:rpc:sum centrifugo:unsubscribe:orders",
        "centrifugo:connect centrifugo:subscribe centrifugo:order centrifugo:join:orders ping centrifugo:error "
        "centrifugo:publish centrifugo:rpc centrifugo:unsubscribe",
    ),
    "engine.io": (
        "engine.io:order engine.io:message binary:09/1..15 engine.io:pong engine.io:probe engine.io:upgrade",
        "engine.io:open engine.io:welcome engine.io:order engine.io:message binary:09/1..15 engine.io:ping "
        "engine.io:probe-answer",
    ),
    "graphql-ws": (
        "graphql-ws:connection_init graphql-ws:subscribe:OnOrder graphql-ws:subscribe:order "
        "graphql-ws:subscribe:hello graphql-ws:subscribe:nonsense graphql-ws:complete graphql-ws:ping",
        "graphql-ws:connection_ack graphql-ws:next:order graphql-ws:complete graphql-ws:next:hello graphql-ws:error "
        "graphql-ws:pong",
    ),
    "json-rpc": (
        "json-rpc:room/order json-rpc:add json-rpc:log json-rpc:nothing [json-rpc:add+json-rpc:room/order]",
        "json-rpc:result json-rpc:room/changed json-rpc:error [json-rpc:result]",
    ),
    "mqtt": (
        "mqtt:CONNECT mqtt:SUBSCRIBE mqtt:PUBLISH:sensors/#/temperature "
        "mqtt:PUBLISH:orders/new+mqtt:PUBLISH:sensors/#/temperature mqtt:PUBACK mqtt:PUBREL mqtt:UNSUBSCRIBE "
        "mqtt:PINGREQ",
        "mqtt:CONNACK mqtt:SUBACK mqtt:PUBACK mqtt:PUBLISH:sensors/#/temperature "
        "mqtt:PUBLISH:sensors/#/temperature+mqtt:PUBREC mqtt:PUBCOMP mqtt:UNSUBACK mqtt:PINGRESP",
    ),
    "phoenix-v1": (
        "phoenix:phx_join:room phoenix:new_msg phoenix:heartbeat",
        "",
    ),
    "phoenix": (
        "phoenix:phx_join:room phoenix:new_msg phoenix:picture phoenix:phx_join:secret phoenix:heartbeat "
        "phoenix:phx_leave:room",
        "phoenix:phx_reply phoenix:picture phoenix:new_msg",
    ),
    "signalr-msgpack": (
        "signalr:Handshake signalr:Ping signalr:SendMessage signalr:Typing signalr:Counter signalr:Close",
        "signalr:HandshakeResponse signalr:ReceiveMessage signalr:Completion+signalr:ReceiveMessage",
    ),
    "signalr": (
        "signalr:Handshake signalr:Ping signalr:SendMessage signalr:Typing signalr:Counter signalr:Close",
        "signalr:HandshakeResponse signalr:ReceiveMessage signalr:Completion+signalr:ReceiveMessage",
    ),
    "socket.io": (
        "socket.io:CONNECT socket.io:/admin,CONNECT socket.io:/secret,CONNECT socket.io:order socket.io:file "
        "binary:01/1..15 socket.io:ACK socket.io:/admin,kick engine.io:pong socket.io:/admin,DISCONNECT "
        "socket.io:DISCONNECT",
        "engine.io:open socket.io:CONNECT socket.io:welcome socket.io:question socket.io:/admin,CONNECT "
        "socket.io:/secret,CONNECT_ERROR socket.io:ACK socket.io:file:stored binary:01/1..15 socket.io:/admin,kicked "
        "engine.io:ping",
    ),
    "socketcluster": (
        "socketcluster:#handshake order socketcluster:#subscribe:news socketcluster:#publish:news ping",
        "socketcluster:response welcome socketcluster:#publish:news ping",
    ),
    "sockjs": (
        "sockjs:order sockjs:message sockjs:bye",
        "sockjs:open sockjs:welcome sockjs:order sockjs:message sockjs:close",
    ),
    "stomp": (
        "stomp:CONNECT stomp:SUBSCRIBE:/topic/orders stomp:SEND:/app/order stomp:SEND:/user/#/queue stomp:BEGIN "
        "stomp:COMMIT stomp:UNSUBSCRIBE ping stomp:SEND:/app/broken stomp:DISCONNECT",
        "stomp:CONNECTED stomp:MESSAGE:/topic/orders ping stomp:ERROR stomp:RECEIPT",
    ),
    "subscriptions-transport-ws": (
        "graphql-ws:connection_init graphql-ws:start:OnOrder graphql-ws:start:nonsense graphql-ws:start:order "
        "graphql-ws:connection_terminate",
        "graphql-ws:connection_ack graphql-ws:ka graphql-ws:data graphql-ws:complete graphql-ws:data:order",
    ),
    "wamp": (
        "wamp:HELLO:realm1 wamp:SUBSCRIBE:com.app.order wamp:PUBLISH:com.app.order wamp:REGISTER:com.app.mul "
        "wamp:YIELD wamp:CALL:com.app.add wamp:CALL:com.app.nothing wamp:UNSUBSCRIBE wamp:UNREGISTER "
        "wamp:GOODBYE:wamp.close.normal",
        "wamp:WELCOME wamp:SUBSCRIBED wamp:EVENT wamp:PUBLISHED wamp:REGISTERED wamp:INVOCATION wamp:RESULT "
        "wamp:ERROR:wamp.error.no_such_procedure wamp:UNSUBSCRIBED wamp:UNREGISTERED "
        "wamp:GOODBYE:wamp.close.goodbye_and_out",
    ),
    "y-websocket": (
        "y-websocket:sync-step-1 y-websocket:awareness y-websocket:sync-step-2 y-websocket:update",
        "y-websocket:sync-step-1 y-websocket:sync-step-2 y-websocket:awareness",
    ),
}

Said = tuple[int, bytes]


def corpus(name: str) -> dict[str, list[Said]]:
    """The messages of both sides."""
    said: dict[str, list[Said]] = {side: [] for side in SIDES}
    for line in (CORPUS / f"{name}.jsonl").read_text().splitlines():
        found = json.loads(line)
        data = found["text"].encode() if "text" in found else base64.b64decode(found["base64"])
        said[found["side"]].append((TEXT if found["opcode"] == "text" else BINARY, data))
    return said


def learned(messages: list[Said]) -> Discriminators:
    found = Discriminators()
    for opcode, data in messages:
        found.feed(opcode, data)
    return found


def text(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def test_every_corpus_has_its_table() -> None:
    assert {path.stem for path in CORPUS.glob("*.jsonl")} == set(KINDS)
    assert {path.name for path in (CORPUS.parent / "clients").iterdir()}, "and what made it"


@pytest.mark.parametrize("name", KINDS)
def test_a_real_library_s_messages(name: str) -> None:
    for side, expected in zip(SIDES, KINDS[name], strict=True):
        messages = corpus(name)[side]
        kinds = learned(messages)
        assert list(dict.fromkeys(kinds.kind(*said).text for said in messages)) == expected.split()


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_selects_its_own_messages_and_no_others(name: str) -> None:
    for messages in corpus(name).values():
        kinds = learned(messages)
        for said in messages:
            for kind in (kinds.kind(*said), kind_of(*said)):
                assert selects(kind.text)(*said), (kind, said)
            kind = kinds.kind(*said)
            if kind.name in ("ping", "pong"):
                continue  # of whatever protocol
            for other in messages:
                text = kinds.kind(*other).text
                # A detail may be left out, and a message may hold several.
                if text != kind.text and not text.startswith(f"{kind.text}:") and text[0] != "[" and "+" not in text:
                    assert not selects(kind.text)(*other), (kind, other)


@pytest.mark.parametrize("name", KINDS)
def test_what_a_message_calls_itself_stands_in_it(name: str) -> None:
    """Else the filter's first look at the bytes would pass it over."""
    for said in (said for messages in corpus(name).values() for said in messages):
        kind = kind_of(*said)
        name = kind.name
        assert name in GIVEN or name == "ping" or max(name.split("#"), key=len).encode() in said[1], (kind, said)
        if kind.protocol in PROTOCOLS and "+" not in kind.text:
            assert kind.text.startswith(f"{kind.protocol}:") and kind.name in kind.text
            assert selects(kind.name)(*said)


ONE: list[tuple[Any, str, str]] = [
    ({"type": "chat:order", "id": 1}, "chat:order", "type"),
    ({"id": 7, "msg_type": "order", "qty": 3}, "order", "msg_type"),
    ({"eventName": "order", "user_name": "bob"}, "order", "eventName"),
    ({"data": {"type": "order", "id": 5}}, "order", "data.type"),
    ({"id": 5, "payload": {"action": "order"}}, "order", "payload.action"),
    ({"data": '{"type":"order"}'}, "order", "data.type"),
    ({"type": "event", "event": "order"}, "order", "event"),
    ({"msg": "method", "method": "order", "params": [], "id": "1"}, "order", "method"),
    ({"topic": "orders", "data": {"id": 1}}, "orders", "topic"),
    ({"type": "room.17.order"}, "room.#.order", "type"),
    ({"type": "Order Created"}, "Order Created", "type"),
    ({"e": "trade", "E": 123456789, "s": "BTCUSDT"}, "trade", "e"),
    ({"op": 2, "d": {"token": "x"}}, "op=2", "op"),
    ({"op": 0, "t": "MESSAGE_CREATE", "s": 7, "d": {}}, "MESSAGE_CREATE", "t"),
    ({"type": "mqtt:order"}, "type=mqtt:order", "type"),
    (["order", {"id": 1}], "order", "[0]"),
    ([17, "order", {"id": 1}], "order", "[1]"),
    ([5, {"id": 1}], "[0]=5", "[0]"),
    ({"order": {"id": 1}}, "{order}", ""),
    ({"id": 1, "price": 2.5}, "{id,price}", ""),
    ({"user": "bob", "text": "hi"}, "{text,user}", ""),
    ({"id": 1, "order_type": "x" * 100}, "{id,order_type}", ""),
    ([{"type": "order"}, {"type": "order"}], "[order]", ""),
    ([{"type": "order"}, {"type": "trade"}], "[order+trade]", ""),
    ([1, 2.5], "[number]", ""),
    ([], "[]", ""),
    ('{"type":"order"}\n{"type":"trade"}\n', "order+trade", ""),
    ({"jsonrpc": "2.0", "id": 1, "method": "room/order"}, "json-rpc:room/order", ""),
    ({"id": 1, "method": "Page.navigate", "params": {}}, "cdp:Page.navigate", ""),
    ([2, "19", "Authorize", {"idTag": "x"}], "ocpp:Authorize", ""),
    ({"specversion": "1.0", "type": "com.x.order", "source": "/x", "id": "1"}, "cloudevents:com.x.order", ""),
    ("#1", "socketcluster:ping", ""),
    (["1", "2", "room:lobby", "phx_join", {}], "phoenix:phx_join:room", ""),
    (["1", "2", "room:lobby", "new_msg", {}], "phoenix:new_msg", ""),
    (["1", 2, "room:lobby", "new_msg", {}], "room:lobby", "[2]"),
    ("LOGIN 17", "text:LOGIN #", ""),
    ("LOGIN bob 17", "text:LOGIN *", ""),
    ("order|17|23", "text:order|#", ""),
    ("subscribe", "text:subscribe", ""),
    (":nick!u@h PRIVMSG #chan :hello there", "text:PRIVMSG *", ""),
    ('<message to="bob"><body>hi</body></message>', "text:<message>", ""),
    ("hello there, how are you", "text:*", ""),
    ("17.5", "text:#", ""),
    ("ping", "ping", ""),
    ("PING :tmi.twitch.tv", "ping", ""),
    ("{}", "ping", ""),
    ("", "ping", ""),
    ({"type": "ping", "ts": 1}, "ping", "type"),
    ({"type": "pong", "ts": 1}, "pong", "type"),
    ({"type": "heartbeat"}, "heartbeat", "type"),
    ({"ping": 17}, "ping", ""),
]


@pytest.mark.parametrize(("said", "expected", "field"), ONE, ids=[repr(said)[:40] for said, _, _ in ONE])
def test_one_message_by_itself(said: Any, expected: str, field: str) -> None:
    data = text(said)
    kind = kind_of(TEXT, data)
    assert (kind.text, kind.field) == (expected, field)
    assert selects(expected)(TEXT, data)
    assert kind.beat == recognise(TEXT, data)
    if kind.field:
        assert selects(f"{kind.field}={kind.name}")(TEXT, data)


def test_bytes() -> None:
    assert kind_of(BINARY, b"\x0a" + bytes(20)).text == "binary:0a/16..255"
    assert kind_of(BINARY, b"\x0a" + bytes(15)).text == "binary:0a/16..255"
    assert kind_of(BINARY, b"\x0a" + bytes(14)).text == "binary:0a/1..15"
    assert kind_of(BINARY, msgspec.msgpack.encode({"type": "order", "id": 5})).text == "order"
    assert kind_of(BINARY, msgspec.msgpack.encode(["order", 5])).text == "order"
    assert kind_of(BINARY, b'{"type":"order"}').text == "order"
    assert kind_of(BINARY, b"LOGIN 5").text == "text:LOGIN #"
    assert kind_of(PING, b"17").text == "control:ping"
    assert selects("binary:0a")(BINARY, b"\x0a" + bytes(20)) and not selects("binary:0b")(BINARY, b"\x0a" + bytes(20))
    assert selects("binary:*/21")(BINARY, b"\x0a" + bytes(20)) and not selects("binary:*/22..")(BINARY, b"\x0a\x00")


def test_ping_is_any_heartbeat_that_asks() -> None:
    asks = [b"2", b"ping", b"", b'{"type":"heartbeat"}', b'[null,"1","phoenix","heartbeat",{}]', b'{"type":6}\x1e']
    assert all(selects("ping")(TEXT, data) for data in asks) and selects("ping")(BINARY, b"\xc0\x00")
    assert not any(selects("pong")(TEXT, data) for data in asks)
    assert selects("pong")(TEXT, b"3") and not selects("ping")(TEXT, b"3")
    assert not selects("ping")(TEXT, b'{"type":"chat","text":"ping"}')
    assert selects("engine.io:ping")(TEXT, b"2") and not selects("engine.io:ping")(TEXT, b"ping")


def test_a_detail_and_an_outer_name_can_stand_alone() -> None:
    sent = b"SEND\ndestination:/app/order\n\n{}\0"
    for kind in ("stomp:SEND:/app/order", "stomp:SEND", "SEND", "/app/order"):
        assert selects(kind)(TEXT, sent), kind
    for kind in ("stomp:SEND:/app/other", "stomp:MESSAGE", "/app", "stomp:/app/order"):
        assert not selects(kind)(TEXT, sent), kind


def test_an_id_in_a_name_can_be_meant_or_not() -> None:
    seventeen, eighteen = b'{"type":"orders.17"}', b'{"type":"orders.18"}'
    for kind in ("orders.#", "type=orders.#"):
        assert selects(kind)(TEXT, seventeen) and selects(kind)(TEXT, eighteen)
    for kind in ("orders.17", "type=orders.17"):
        assert selects(kind)(TEXT, seventeen) and not selects(kind)(TEXT, eighteen)


def test_a_message_that_holds_one_is_selected() -> None:
    assert selects("order")(TEXT, b'[{"type":"trade"},{"type":"order"}]')
    assert selects("order")(TEXT, b'a["{\\"type\\":\\"trade\\"}","{\\"type\\":\\"order\\"}"]')
    assert selects("data.type=order")(TEXT, b'a["{\\"data\\":{\\"type\\":\\"order\\"}}"]')
    assert selects("signalr:Ping")(TEXT, b'{"type":1,"target":"Order","arguments":[]}\x1e{"type":6}\x1e')
    assert not selects("order")(TEXT, b'[{"type":"trade"},{"text":"order"}]')


# What many messages tell.


def many(make: Callable[[Random, int], Any], count: int = 120) -> tuple[list[Said], Discriminators]:
    random = Random(7)
    messages = [(TEXT, text(make(random, i))) for i in range(count)]
    return messages, learned(messages)


LEARNED: list[tuple[str, Callable[[Random, int], Any], set[str]]] = [
    (
        "the constant outer one tells nothing",
        lambda r, i: {"event": "message", "data": {"type": r.choice(["order", "trade"]), "id": r.random()}},
        {"data.type=order", "data.type=trade"},
    ),
    (
        "a key that no list has",
        lambda r, i: r.choice([{"wx": "order", "id": i, "qty": 2}, {"wx": "trade", "at": i}, {"wx": "stop", "id": i}]),
        {"wx=order", "wx=trade", "wx=stop"},
    ),
    (
        "a code number",
        lambda r, i: r.choice([{"c": 4, "n": i, "x": [1]}, {"c": 7, "to": "bob", "n": i}, {"c": 9, "n": i, "y": {}}]),
        {"c=4", "c=7", "c=9"},
    ),
    (
        "a name within numbers that look like another protocol's",
        lambda r, i: [i, r.choice(["order", "trade"]), {"id": i}],
        {"[1]=order", "[1]=trade"},
    ),
    ("ids tell nothing", lambda r, i: {"uid": f"{r.getrandbits(40):x}", "seq": i}, {"{seq,uid}"}),
    (
        "nor do people and what they say",
        lambda r, i: {"user": r.choice(["bob", "alice"]), "text": r.choice(["yes", "no", "maybe so"]), "id": i},
        {"{id,text,user}"},
    ),
    (
        "a field called type that says anything",
        lambda r, i: {"type": "".join(r.choices("abcdefghij", k=8)), "n": i},
        {"{n,type}"},
    ),
    (
        "commands in lower case",
        lambda r, i: r.choice([f"subscribe to room {i}", "publish this and that"]),
        {"text:subscribe *", "text:publish *"},
    ),
    ("talk", lambda r, i: " ".join("".join(r.choices("abcdefg", k=4)) for _ in range(4)), {"text:*"}),
    (
        "a protocol that was recognised once",
        lambda r, i: {"type": "connection_init"} if not i else {"id": f"{i}", "type": "complete"},
        {"graphql-ws:connection_init", "graphql-ws:complete"},
    ),
    (
        "the same without that",
        lambda r, i: {"id": f"{i}", "type": r.choice(["complete", "stop"])},
        {"complete", "stop"},
    ),
    (
        "the answer to a question",
        lambda r, i: {"id": i, "status": "ok", "result": 5} if i % 3 else {"id": i, "status": "error", "why": ""},
        {"status=ok", "status=error"},
    ),
]


@pytest.mark.parametrize(("make", "expected"), [row[1:] for row in LEARNED], ids=[row[0] for row in LEARNED])
def test_what_many_messages_tell(make: Callable[[Random, int], Any], expected: set[str]) -> None:
    messages, kinds = many(make)
    assert {kinds.kind(*said).text for said in messages} == expected
    for said in messages:
        text = kinds.kind(*said).text
        for other in messages:
            assert selects(text)(*other) == (kinds.kind(*other).text == text), (text, other)


def test_bytes_that_begin_at_random_go_by_their_length() -> None:
    random = Random(3)
    messages = [(BINARY, b"\xff" + random.randbytes(30)) for _ in range(50)]
    messages += [(BINARY, bytes([random.randrange(0x80, 0xC0)]) + b"\xff" * 20) for _ in range(100)]
    kinds = learned(messages)
    assert {kinds.kind(*said).text for said in messages} == {"binary:*/16..255"}


def test_learning_takes_no_more_than_a_bounded_amount_of_memory() -> None:
    kinds = Discriminators()
    for i in range(3000):
        kinds.feed(TEXT, json.dumps({f"k{i}": f"v{i}", "type": f"t{i}", "deep": {f"x{i}": {"y": [i]}}}).encode())
        kinds.feed(TEXT, f"word{chr(97 + i % 26)}{'x' * (i % 40)} and more".encode())
    assert len(kinds._fields._fields) <= 256 and len(kinds._fields._shapes) <= 512 and len(kinds._heads) <= 256
    assert all(len(field.values) <= 64 for field in kinds._fields._fields.values())


# What does not change a kind, and what does.

names = st.from_regex(r"[a-z]{3,8}([:._-][a-z]{2,6})?", fullmatch=True).filter(
    lambda name: recognise(TEXT, name.encode()) is None and name.partition(":")[0] not in PROTOCOLS
    and name not in ("text", "binary", "control", "error", "result", "method", "event", "type", "action", "params")
)
numbers = st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
ids = st.uuids().map(str) | st.integers(0, 2**63).map(lambda n: f"{n:x}") | st.integers(0, 10**9)
words = st.text(max_size=40)


class Values:
    """The values of one message: drawn anew for each."""

    def __init__(self, draw: st.DataObject) -> None:
        self.draw = draw

    id = property(lambda self: self.draw.draw(ids))
    n = property(lambda self: self.draw.draw(numbers))
    words = property(lambda self: self.draw.draw(words))
    seq = property(lambda self: self.draw.draw(st.integers(0, 10**6)))


FORMS: dict[str, Callable[[str, Values], Any]] = {
    "flat": lambda name, v: {"type": name, "id": v.id, "qty": v.n, "text": v.words, "user": v.words},
    "id first": lambda name, v: {"id": v.id, "ts": v.n, "event": name, "body": v.words},
    "snake": lambda name, v: {"message_id": v.id, "message_type": name, "created_at": v.words, "price": v.n},
    "camel": lambda name, v: {"userId": v.id, "msgType": name, "userName": v.words},
    "nested": lambda name, v: {"id": v.id, "data": {"type": name, "n": v.n, "comment": v.words}},
    "array": lambda name, v: [name, {"id": v.id, "text": v.words}, v.n],
    "socket.io": lambda name, v: f"42{v.seq}" + json.dumps([name, {"id": v.id, "text": v.words}, v.n]),
    "socket.io namespace": lambda name, v: "42/admin," + json.dumps([name, v.words]),
    "socket.io binary": lambda name, v: "451-" + json.dumps([name, {"_placeholder": True, "num": 0}, v.id]),
    "phoenix": lambda name, v: [f"{v.seq}", f"{v.seq}", f"room:{v.id}", name, {"body": v.words}],
    "phoenix 1": lambda name, v: {"topic": f"room:{v.id}", "event": name, "payload": {"x": v.n}, "ref": f"{v.seq}"},
    "json-rpc": lambda name, v: {"jsonrpc": "2.0", "id": v.id, "method": name, "params": {"text": v.words}},
    "sockjs": lambda name, v: "a" + json.dumps([json.dumps({"type": name, "id": v.id, "text": v.words})]),
    "signalr": lambda name, v: json.dumps({"type": 1, "target": name, "arguments": [v.words, v.n]}) + "\x1e",
    "stomp": lambda name, v: f"SEND\nid:{v.seq}\ndestination:/app/{name}\n\n{v.words}\0",
    "graphql": lambda name, v: {"id": f"{v.id}", "type": "subscribe", "payload": {
        "query": "subscription S { s }", "operationName": name.replace(":", "_").replace(".", "_").replace("-", "_"),
        "variables": {"x": v.words, "n": v.n}}},
    "actioncable": lambda name, v: {"command": "message", "identifier": json.dumps({"channel": "C", "room": v.words}),
                                    "data": json.dumps({"action": name, "body": v.words})},
    "ocpp": lambda name, v: [2, f"{v.id}", "A" + name, {"meter": v.n, "tag": v.words}],
    "wamp": lambda name, v: [48, v.seq, {}, f"com.{name}", [v.n, v.words]],
    "centrifugo": lambda name, v: {"id": v.seq, "publish": {"channel": "c", "data": {"type": name, "id": v.id}}},
    "in capitals": lambda name, v: f"{name.replace(':', '').upper()} {v.seq}",
    "with a bar": lambda name, v: f"{name.replace(':', '').replace('.', '').replace('-', '')}|{v.seq}|{v.n}",
    "xml": lambda name, v: f'<{name} id="{v.seq}">{v.n}</{name}>',
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=30)
@given(name=names, other=names, data=st.data())
def test_values_do_not_change_a_kind_and_the_discriminator_does(
    form: str, name: str, other: str, data: st.DataObject
) -> None:
    make, values = FORMS[form], Values(data)
    one, two = text(make(name, values)), text(make(name, values))
    kind = kind_of(TEXT, one)
    assert kind_of(TEXT, two) == kind
    assert selects(kind.text)(TEXT, two)
    assert kind.name or kind.text.startswith("text:")
    strange = text(make(other, values))
    assume(len({n.translate(str.maketrans("", "", ":.-_")) for n in (name, other)}) == 2)
    assert kind_of(TEXT, strange).text != kind.text
    assert not selects(kind.text)(TEXT, strange)


@pytest.mark.parametrize("form", [form for form in FORMS if form not in ("in capitals", "with a bar", "xml")])
@settings(max_examples=15)
@given(said=st.lists(names, min_size=2, max_size=4, unique=True), data=st.data())
def test_learning_keeps_to_that(form: str, said: list[str], data: st.DataObject) -> None:
    values = Values(data)
    kinds = Discriminators()
    messages = [text(FORMS[form](name, values)) for name in said * 2]
    for message in messages:
        kinds.feed(TEXT, message)
    for message in messages:
        assert selects(kinds.kind(TEXT, message).text)(TEXT, message)
    for a, b in zip(messages, messages[len(said) :], strict=False):
        assert kinds.kind(TEXT, a).text == kinds.kind(TEXT, b).text


# Whatever comes.

json_values = st.recursive(
    st.none() | st.booleans() | numbers | words | st.sampled_from("order ping { a=b x+y mqtt:x [0] a b".split()),
    lambda inner: st.lists(inner, max_size=5)
    | st.dictionaries(
        words
        | st.sampled_from(
            "type event data op method jsonrpc topic payload ref id t msg push pub command identifier rid nsp".split()
        ),
        inner,
        max_size=6,
    ),
    max_leaves=12,
)
prefixes = st.sampled_from(["", "4", "42", "42/n,7", "a", "c", "0", "{}\x1e", " ", "\ufeff"])
anything = (
    st.binary(max_size=60)
    | words.map(lambda said: said.encode("utf-8", "surrogatepass"))
    | st.builds(lambda prefix, value: (prefix + json.dumps(value)).encode(), prefixes, json_values)
    | json_values.map(lambda value: packed(value))
)


def packed(value: Any) -> bytes:
    try:
        return msgspec.msgpack.encode(value)
    except (OverflowError, UnicodeEncodeError):
        return b"\xc0"


@given(st.sampled_from([TEXT, BINARY, 8, 9, 10, 11]), anything)
@example(TEXT, b"[" * 100_000)
@example(TEXT, b'{"a":' * 50_000)
@example(BINARY, b"\x91" * 100_000)
@example(TEXT, b'{"type":"a\\u0000b"}')
@example(TEXT, b'{"\\ud800":1}')
@example(TEXT, b'{"type":"\\ud800"}')
@example(TEXT, b"a" + json.dumps(['a["a[1]"]'] * 3).encode())
def test_any_bytes_have_a_kind(opcode: int, data: bytes) -> None:
    kind = kind_of(opcode, data)
    assert kind == read_content(MessageContent(opcode, data)).kind, "remembered or not"
    assert kind.text and kind.text.isprintable()
    assert kind.beat == recognise(opcode, data) or "+" in kind.text
    assert selects(kind.text)(opcode, data), kind
    kinds = Discriminators()
    kinds.feed(opcode, data)
    assert selects(kinds.kind(opcode, data).text)(opcode, data), kinds.kind(opcode, data)
    drop = Drop(kind=kind.text)
    assert parse(str(drop)) == drop


@given(st.lists(st.tuples(st.sampled_from([TEXT, BINARY]), anything), max_size=12))
def test_whatever_was_learned_selects_what_it_names(messages: list[Said]) -> None:
    kinds = learned(messages)
    for said in messages:
        kind = kinds.kind(*said)
        assert kind.text.isprintable() and selects(kind.text)(*said), kind


@given(st.text(max_size=40), anything)
def test_any_text_is_a_kind_or_says_why_not(kind: str, data: bytes) -> None:
    try:
        select = selects(kind)
    except ValueError as error:
        assert "\n" not in str(error) and str(error)
        with pytest.raises(FilterError):
            Drop(kind=kind)
    else:
        assert select(TEXT, data) in (True, False)


# In a filter.


@pytest.mark.parametrize(
    "kind", ["", " ", "socket.io:", "text:", "binary:xyz", "a..b=c", "=order", "{id", "a\nb", "x" * 500, "[0=5"]
)
def test_what_is_no_kind(kind: str) -> None:
    with pytest.raises(FilterError) as error:
        Drop(kind=kind)
    assert str(error.value).startswith("kind=") and "\n" not in str(error.value)


ORDER, TRADE = '{"type":"chat:order","id":"1","text":"%s"}' % ("x" * 50), '{"type":"chat:trade","id":"2"}'


@pytest.mark.parametrize("express", [False, True])
def test_a_filter_drops_a_kind_whole_fragmented_and_compressed(express: bool) -> None:
    peers = Filtered("drop side=client kind=chat:order", deflate=Params())
    peers.express = express
    assert peers.client(ORDER) == []
    assert peers.client(TRADE) == [(TEXT, TRADE.encode())]
    assert peers.client(ORDER, packed=True) == []
    assert peers.client(TRADE, packed=True) == [(TEXT, TRADE.encode())]
    assert peers.client(ORDER[:20], fin=False) == [] and peers.client(ORDER[20:], opcode=0) == []
    assert peers.server(ORDER) == [(TEXT, ORDER.encode())], "of the client only"
    peers.check()


def test_a_filter_drops_binary_kinds_and_control_frames_when_they_are_named() -> None:
    peers = Filtered("drop kind=mqtt:PUBLISH")
    assert peers.client(b"\x30\x05\x00\x01a12", BINARY) == []
    assert peers.client(b"\xc0\x00", BINARY) == [(BINARY, b"\xc0\x00")]
    peers.check()
    peers = Filtered("drop kind=ping")
    assert peers.client(b"\xc0\x00", BINARY) == [] and peers.server("2") == []
    assert peers.client(b"", PING) == [(PING, b"")]
    peers.check()
    peers = Filtered("drop opcode=ping kind=ping")
    assert peers.client(b"", PING) == [] and peers.client("2") == [(TEXT, b"2")]
    peers.check()


# What it costs.


def mixed() -> Iterator[Said]:
    for name in KINDS:
        for messages in corpus(name).values():
            yield from messages


@pytest.mark.measured
def test_reading_a_kind_costs_little_more_than_reading_json(capsys: pytest.CaptureFixture[str]) -> None:
    messages = [said for said in mixed() if said[0] == TEXT and said[1][-1:] in (b"}", b"]") and b"\n" not in said[1]]
    messages = [said for said in messages if said[1][:1] in (b"{", b"[")]

    def cost(work: Callable[[int, bytes], Any]) -> float:
        best = float("inf")
        for _ in range(7):
            began = time.process_time()
            for _ in range(20):
                for opcode, data in messages:
                    work(opcode, data)
            best = min(best, time.process_time() - began)
        return best

    decoding = cost(lambda opcode, data: json.loads(data))
    fresh = cost(lambda opcode, data: read_content(MessageContent(opcode, data)))
    known = cost(kind_of)
    with capsys.disabled():
        print(f"\na kind: {fresh / decoding:.1f} times what json.loads takes; remembered, {known / decoding:.2f} times")
    assert fresh < 6 * decoding and known < decoding


def test_a_namespace_belongs_to_the_kind_and_not_to_the_name() -> None:
    assert kind_of(TEXT, b'42/a,["order"]') == MessageKind("socket.io:/a,order", "socket.io", "order")
    assert selects("order")(TEXT, b'42/a,["order"]') and not selects("socket.io:order")(TEXT, b'42/a,["order"]')
