"""What looks like a secret is nowhere in what is written, in no encoding; and everything else is as it was."""

from __future__ import annotations

import base64
import gzip
import json
import struct
import zlib
from collections.abc import Callable, Iterable
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

import recorded
import reports
from conversing import HEADER, KEY, SIDES, Talk, conversations
from hangup.errors import UsageError
from hangup.recording import events as ev
from hangup.recording.assembling import Messages
from hangup.recording.events import AnyEvent, Frame, Header, Part, Raw
from hangup.recording.formats import FORMATS
from hangup.recording.rebuild import sent_by
from hangup.recording.redaction import finder, published
from hangup.recording.redaction.finder import Finder
from hangup.recording.redaction.placeholders import LEFT_OUT, Vault
from hangup.recording.redaction.redactor import HOLD_LIMIT, NOTE, Redactor
from hangup.recording.redaction.replacing import replaced
from hangup.wire.frames import Frame as WireFrame
from hangup.wire.frames import FrameReader, serialize
from hangup.wire.masking import mask

ALPHABET = """tokenpaswrdAUTHey"'`{}[]:=&?%\\/+- 0123Jghp_"""
HEXADECIMAL = "0123456789abcdef" * 2
MADE = "".join(f"{char.upper()}{char}{number}" for number, char in enumerate("kqxbtmz", 2))
PACKED = st.text(max_size=40).map(lambda text: gzip.compress(f'{{"token":"{text}"}}'.encode(), mtime=0))


def zlib_part(data: bytes) -> bytes:
    """A message of a stream that is compressed as one, but not its first."""
    writer = zlib.compressobj()
    writer.compress(b"hello") + writer.flush(zlib.Z_SYNC_FLUSH)
    return writer.compress(data) + writer.flush(zlib.Z_SYNC_FLUSH)


def hidden(text: str, *, url: bool = False, patterns: Iterable[str] = ()) -> str:
    """A text with a star for each secret."""
    return starred(text, Finder(patterns).find(text, url=url))


def starred(text: str, spans: Iterable[Any]) -> str:
    parts, at = [], 0
    for start, end, wrap in spans:
        parts.append(text[at:start] + wrap + "*" + wrap)
        at = end
    return "".join(parts) + text[at:]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ('{"type":"login","password":"hunter2","n":1}', '{"type":"login","password":"*","n":1}'),
        ('{"a":{"Access-Token" : "x\\"y","b":2}}', '{"a":{"Access-Token" : "*","b":2}}'),
        ('{"clientSecret":"x","api_key":"y","x-api-key":"z"}', '{"clientSecret":"*","api_key":"*","x-api-key":"*"}'),
        # Socket.IO, and JSON within a string: one more level of backslashes
        ('42["auth",{"token":"abc"}]', '42["auth",{"token":"*"}]'),
        (r'a["{\"token\":\"abc\\\"d\",\"x\":1}"]', r'a["{\"token\":\"*\",\"x\":1}"]'),
        (r'"{\\\"password\\\":\\\"abc\\\"}"', r'"{\\\"password\\\":\\\"*\\\"}"'),
        # numbers become strings, counts stay
        ('{"otp":123456,"max_tokens":4096,"token_count":7}', '{"otp":"*","max_tokens":4096,"token_count":7}'),
        ('{"tokens":["a","b"],"password":null}', '{"tokens":["*","*"],"password":null}'),
        ('{"secret":{"a":["x",1,{"b":"c"}]},"z":"keep"}', '{"secret":{"a":["*","*",{"b":"*"}]},"z":"keep"}'),
        # of a session's settings only what looks like an id
        ('{"session":{"id":"sess_0123456789abc","model":"m1"}}', '{"session":{"id":"*","model":"m1"}}'),
        ('0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":[]}', '0{"sid":"*","upgrades":[]}'),
        ('{"password":"cut of', '{"password":"*'),
        ("{'password': 'abc', 'x': 1}", "{'password': '*', 'x': 1}"),
        # not secrets
        ('{"key":"Enter","code":"KeyA","author":"me"}', '{"key":"Enter","code":"KeyA","author":"me"}'),
        ("the keyboard, a token of love, secretly", "the keyboard, a token of love, secretly"),
        ('{"token":"[redacted-7]"}', '{"token":"[redacted-7]"}'),
        # forms, URLs in text, log lines
        ('"WebSocket /ws?token=abc&x=1" [accepted]', '"WebSocket /ws?token=*&x=1" [accepted]'),
        ("x=y,password=abc, z: token: ab", "x=y,password=*, z: token: *"),
        ("redirect%3Ftoken%3Dabc%26x%3D1", "redirect%3Ftoken%3D*%26x%3D1"),
        ("postgres://user:hunter2@db/x", "postgres://user:*@db/x"),
        ("INFO: Authorization: Bearer abc.def", "INFO: Authorization: Bearer *"),
        ("CONNECT\nlogin:guest\npasscode:gu est\n\n\0", "CONNECT\nlogin:guest\npasscode:*\n\n\0"),
        # told in words, and what parsers say
        ("invalid token 'a1b2c3d4e5f6'", "invalid token '*'"),
        ("Unexpected token: h in JSON, unexpected token 'p'", "Unexpected token: h in JSON, unexpected token 'p'"),
        ("password 'hunter2' is wrong", "password '*' is wrong"),
        ("it ends where `auth.password` is 'hunter2'", "it ends where `auth.password` is '*'"),
        ("it ends where `since` holds a `+`", "it ends where `since` holds a `+`"),
        ("with a fresh token: it stays open", "with a fresh token: it stays open"),
        ("AUTH hunter2", "AUTH *"),
        ("AUTH OK", "AUTH OK"),
        ("set-header Cookie sid=abc + query token 'a b'", "set-header Cookie * + query token '*'"),
        (f'["auth","{HEXADECIMAL}"]', '["auth","*"]'),
        (f'{{"commit":"{HEXADECIMAL}"}}', f'{{"commit":"{HEXADECIMAL}"}}'),
        # names by their meaning
        ('{"Passwort":"x","пароль":"y","tokenValue":"z"}', '{"Passwort":"*","пароль":"*","tokenValue":"*"}'),
        ('{"tokenType":"bearer","password_policy":"long"}', '{"tokenType":"bearer","password_policy":"long"}'),
        ('{"pin":13,"userPin":"4711","cvv":123}', '{"pin":13,"userPin":"*","cvv":"*"}'),
        (f'{{"publicKey":"{MADE}"}}', f'{{"publicKey":"{MADE}"}}'),
        (f'{{"key":"{MADE}"}}', '{"key":"*"}'),
        # by their look
        ("x eyJhbGciOiJI.eyJzdWIi.c2ln y", "x * y"),
        ("use Bearer abcdefgh12 now", "use Bearer * now"),
        ("sk-proj-abcdefghijklmnop1234 and ghp_abcdefghijklmnopqrstuvwx", "* and *"),
    ],
)
def test_texts(text: str, safe: str) -> None:
    assert hidden(text) == safe


@pytest.mark.parametrize(
    ("target", "safe"),
    [
        ("/ws?token=a)b;c&x=1&key=q", "/ws?token=*&x=1&key=*"),
        ("/ws?access_token=abc#frag", "/ws?access_token=*#frag"),
        ("/ws?code=1&sig=2&session=3&password=4&apikey=6", "/ws?code=*&sig=*&session=*&password=*&apikey=*"),
        ("/ws?room=a&user=b", "/ws?room=a&user=b"),
        ("/ws/eyJhbGciOiJI.eyJzdWIi.c2ln/x", "/ws/*/x"),
    ],
)  # fmt: skip
def test_targets(target: str, safe: str) -> None:
    assert hidden(target, url=True) == safe


@pytest.mark.parametrize(
    ("name", "value", "safe"),
    [
        ("Authorization", "Bearer abc", "Bearer *"),
        ("Proxy-Authorization", "Basic dXNlcg==", "Basic *"),
        ("authorization", "raw-credential", "*"),
        ("Cookie", 'a=b; sid="c d"', "a=*; sid=*"),
        ("Set-Cookie", "sid=abc; Path=/; HttpOnly", "sid=*; Path=/; HttpOnly"),
        ("X-Api-Key", "k1", "*"),
        ("X-CSRF-Token", "k1", "*"),
        ("Referer", "http://h/?token=1&x=2", "http://h/?token=*&x=2"),
        ("Sec-WebSocket-Key", "pfMeVnsnMQyRIUb8J3Veig==", "pfMeVnsnMQyRIUb8J3Veig=="),
        ("Sec-WebSocket-Protocol", "access_token, abcdef, graphql-ws", "access_token, *, graphql-ws"),
        ("Sec-WebSocket-Protocol", "chat, eyJhbGciOiJI.eyJzdWIi.c2ln", "chat, *"),
        (
            "Sec-WebSocket-Protocol",
            "base64url.bearer.authorization.k8s.io.QUJD, v4.channel.k8s.io",
            "base64url.bearer.authorization.*, v4.channel.k8s.io",
        ),
        ("Sec-WebSocket-Protocol", "realtime, openai-insecure-api-key.sk-abc", "realtime, openai-insecure-api-key.*"),
        ("Sec-WebSocket-Protocol", "v12.stomp, mqtt, ocpp1.6, soap", "v12.stomp, mqtt, ocpp1.6, soap"),
        ("Access-Control-Allow-Credentials", "true", "true"),
    ],
)  # fmt: skip
def test_headers(name: str, value: str, safe: str) -> None:
    assert starred(value, Finder().find_in_header(name, value)) == safe


def test_the_published_patterns_are_all_understood() -> None:
    """Each compiles, and is found by its words; the licence lies beside them."""
    found = published.rules()
    assert len(found.rules) > 200
    for rule in found.rules:
        assert rule.words and regex.compile(rule.pattern, regex.VERSION1)
    assert "MIT License" in (files(published.__package__) / "gitleaks" / "LICENSE").read_text()


def test_a_pattern_that_comes_to_no_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person is told of their own; of a published one the whole text counts as a secret."""
    text = "a" * 40 + "!"
    for module in (finder, published):
        monkeypatch.setattr(module, "PATIENCE", 0.05)
    with pytest.raises(UsageError, match="takes far too long"):
        Finder(["(?:a|a)+$"]).find(text)
    endless = published.Rules([published.Rule("endless", "(?:a|a)+$", ("aaaa",))])
    assert list(endless.find(text)) == [(0, len(text))]


@given(st.text(ALPHABET, max_size=60) | st.text(max_size=60), st.booleans())
def test_what_is_found_lies_in_the_text_in_order(text: str, url: bool) -> None:
    at = 0
    for start, end, _ in Finder().find(text, url=url):
        assert at <= start < end <= len(text)
        at = end


@given(st.binary(max_size=60) | st.text(ALPHABET, max_size=60).map(str.encode) | PACKED)
def test_any_payload_is_taken(data: bytes) -> None:
    at = 0
    vault = Vault()
    for start, end, _ in vault.payload(data):
        assert at <= start < end <= len(data)
        at = end


@pytest.mark.parametrize(
    ("data", "left_out"),
    [
        (b"x^2 + y^2 = 1, as everybody knows", False),
        (b"x\x9cannot be read", False),
        (gzip.compress(b"hello, hello", mtime=0)[:-12], False),
        (b"\x28\xb5\x2f\xfd\x04\x00", True),
        (b"\x1f\x8b\x08 but no more", True),
        (zlib_part(b'{"password":"hunter2"}'), True),
    ],
)
def test_what_cannot_be_looked_into_is_left_out(data: bytes, left_out: bool) -> None:
    vault = Vault()
    assert (vault.payload(data) == [(0, len(data), LEFT_OUT)]) is left_out
    assert vault.left_out == left_out


SECRET = "hunter2-hunter3"


def cbor_text(text: str) -> bytes:
    """A short text in CBOR (RFC 8949 3.1), with its length in the first byte, or in one of its own."""
    data = text.encode()
    return bytes([0x60 | len(data)]) + data if len(data) < 24 else bytes([0x78, len(data)]) + data


def bson(name: str, value: str) -> bytes:
    """A document of one string (bsonspec.org)."""
    data = value.encode() + b"\0"
    element = b"\x02" + name.encode() + b"\0" + struct.pack("<i", len(data)) + data
    return struct.pack("<i", len(element) + 5) + element + b"\0"


@pytest.mark.parametrize("secret", ["abc", SECRET, "s3cr3t-" * 6, "s3cr3t-" * 60], ids=len)
@pytest.mark.parametrize(
    "write",
    [
        lambda name, secret: msgspec.msgpack.encode({"type": "login", name: secret, "n": 1}),
        lambda name, secret: msgspec.msgpack.encode({"type": "login", name: secret.encode(), "n": 1}),
        lambda name, secret: b"\xa1" + cbor_text(name) + cbor_text(secret) if len(secret) < 256 else None,
        lambda name, secret: bson(name, secret),
    ],
    ids=["messagepack", "messagepack bytes", "cbor", "bson"],
)
@pytest.mark.parametrize("name", ["password", "the_name_is_longer_than_31_api_key"])
def test_fields_of_binary_formats(write: Callable[[str, str], bytes | None], name: str, secret: str) -> None:
    """What takes a value's place is as long, as its length stands before it."""
    data = write(name, secret)
    if data is None:
        return
    made = replaced(data, 0, Vault().payload(data))
    assert secret.encode() not in made and len(made) == len(data)
    assert made.partition(name.encode())[0] == data.partition(name.encode())[0]


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_payload_keeps_its_encoding(codec: str) -> None:
    data = f'{{"password":"{SECRET}","x":"ü"}}'.encode(codec)
    made = replaced(data, 0, Vault().payload(data)).decode(codec)
    assert made == '{"password":"[redacted-1]","x":"ü"}'


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "pack",
    [
        lambda data: b64(data),
        lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
        lambda data: b64(gzip.compress(data)),
        lambda data: b64(json.dumps({"inner": b64(data)}).encode()),
    ],
    ids=["base64", "base64url", "gzip in base64", "base64 in base64"],
)
def test_what_is_packed_into_a_text_is_looked_into(pack: Callable[[bytes], str]) -> None:
    packed = pack(f'{{"type":"login","password":"{SECRET}"}}'.encode())
    assert Vault().text(f'{{"data":"{packed}","n":1}}') == '{"data":"[redacted-2]","n":1}'
    harmless = pack(b'{"type":"hello","name":"somebody"}')
    assert Vault().text(f'{{"data":"{harmless}"}}') == f'{{"data":"{harmless}"}}'


@pytest.mark.parametrize(
    "data", [bytes(range(120, 250)), b"\x1f\x8b\x08 and then no gzip at all", "ein Satz über nichts".encode("latin-1")]
)
def test_what_is_packed_and_no_text_stays(data: bytes) -> None:
    text = f'{{"image":"{b64(data)}"}}'
    assert Vault().text(text) == text


def test_an_excerpt_hides_pieces_of_secrets_that_were_met() -> None:
    """An experiment may have cut a message down to half of one."""
    vault = Vault()
    vault.text(f'{{"password":"{MADE}"}}')
    assert vault.excerpt(f"it ends where x is {MADE[3:15]}, and stays open where it is y") == (
        "it ends where x is [redacted-2], and stays open where it is y"
    )
    assert vault.excerpt("nothing of the kind") == "nothing of the kind"
    assert vault.shown(f'{{"n":1,"said":"{MADE}"}}'.encode()) == '{"n":1,"said":"[redacted-1]"}'
    assert vault.shown(b"caf\xe9") == "caf\\xe9"


@given(st.binary(max_size=80) | st.text(max_size=60).map(str.encode))
def test_any_payload_can_be_shown(data: bytes) -> None:
    vault = Vault()
    vault.text(f'{{"password":"{MADE}"}}')
    assert MADE not in vault.shown(data + MADE.encode())


def test_gzip_stays_gzip() -> None:
    data = gzip.compress(b'{"type":"login","password":"hunter2"}')
    [(start, end, made)] = Vault().payload(data)
    assert (start, end) == (0, len(data))
    assert gzip.decompress(made) == b'{"type":"login","password":"[redacted-1]"}'


def test_a_persons_own_patterns() -> None:
    assert hidden("user-17 of acme-3", patterns=[r"user-\d+", r"acme-(\d)"]) == "* of acme-*"
    with pytest.raises(UsageError, match="is not a regular expression"):
        Finder(["("])


@given(secret=st.text(min_size=1), levels=st.integers(0, 3), ascii=st.booleans(), after=st.text(max_size=5))
def test_a_member_at_any_level_of_nesting(secret: str, levels: int, ascii: bool, after: str) -> None:
    document: Any = {"password": secret, "x": after}
    for _ in range(levels):
        document = [json.dumps(document, ensure_ascii=ascii)]
    text = json.dumps(document, ensure_ascii=ascii)
    safe = json.loads(hidden(text))
    for _ in range(levels):
        safe = json.loads(safe[0])
    assert safe["password"] == "*" and safe.keys() == {"password", "x"}


# Whole recordings.


def redacted(events: list[AnyEvent], **options: Any) -> list[AnyEvent]:
    redactor = Redactor(**options)
    redactor.learn(events)
    return list(redactor.events(events))


@given(st.lists(recorded.events, max_size=15))
def test_any_events_are_taken_and_none_is_lost_or_moved(events: list[AnyEvent]) -> None:
    found = redacted(events)
    assert [type(event) for event in found] == [type(event) for event in events]
    assert [(e.conn, e.at) for e in found] == [(e.conn, e.at) for e in events]


@given(conversations(texts=st.text("abc {}:,\"'\\=é\U0001f600\n", max_size=40)))
def test_without_secrets_nothing_is_changed(talk: Talk) -> None:
    redactor = Redactor()
    redactor.learn(talk.events)
    assert list(redactor.events(talk.events)) == talk.events
    assert redactor.hidden == redactor.unchecked == 0


# Each begins as no word does: a password that is a format's own word cannot be hidden wherever that word stands.
secrets = st.builds(
    "Zq7{}".format,
    st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=6, max_size=30)
    | st.text("ab0-_./+=", min_size=6, max_size=20),
)


def carriers(secret: str) -> list[Callable[[], str]]:
    """Ways in which a message can hold a secret that its name gives away."""
    return [
        lambda: json.dumps({"type": "login", "password": secret, "n": 1}),
        lambda: json.dumps({"payload": {"deep": [{"access_token": secret}]}}),
        lambda: json.dumps([json.dumps({"token": secret})]),
        lambda: json.dumps({"secret": {"value": [secret]}}),
        lambda: f"CONNECT\naccept-version:1.2\npasscode:{secret}\n\n\0",
        lambda: f"please open wss://h/ws?token={quote(secret, safe='')}",
    ]


mentions = [
    lambda secret: f"plainly {secret} here",
    lambda secret: json.dumps({"echo": f"<{secret}>"}),
    lambda secret: json.dumps([json.dumps({"again": secret})]),
]


@st.composite
def with_secret(draw: Any) -> tuple[str, Talk]:
    """A conversation in which a secret is named at least once, and stands in any place, also before that."""
    secret = draw(secrets.filter(lambda s: s.strip("./+=-_") == s))
    talk = Talk()
    compressed = draw(st.booleans())
    in_target = draw(st.booleans())
    target = f"/ws?token={quote(secret, safe='')}&room=a" if in_target else "/ws"
    headers = draw(
        st.sampled_from(
            [
                [],
                [("Authorization", f"Bearer {secret}")],
                [("Cookie", f"theme=dark; sid={secret}")],
                [("Sec-WebSocket-Protocol", f"access_token, {secret}")],
                [("Origin", f"http://h/{secret}")],
            ]
        )
    )
    talk.open(1, target=target, headers=headers, compressed=compressed)
    named = draw(st.integers(0, 3))
    for i in range(4):
        side = draw(st.sampled_from(SIDES))
        said = draw(st.sampled_from(carriers(secret)))() if i == named else draw(st.sampled_from(mentions))(secret)
        data = said.encode()
        opcode = draw(st.sampled_from(["text", "binary"]))
        if opcode == "binary" and draw(st.booleans()):
            data = b"\xff\x00" + data + b"\xfe"
        cuts = draw(st.lists(st.integers(0, len(data)), max_size=4))
        talk.say(1, side, opcode, data, cuts=cuts, packed=draw(st.booleans()))
        talk.wait(1000)
    talk.events.append(ev.Log(at=talk.at, text=f'"WebSocket /ws?token={secret}" [accepted]'))
    wire = serialize(WireFrame(True, 0, 1, KEY, f'{{"token":"{secret}"}}'.encode()))
    form = f"set-header X-Token {secret}"
    talk.events.append(ev.FilterEvent(at=talk.at, conn=1, filter=form, action="inject", side="client", wire=wire))
    how = draw(st.sampled_from(["close", "half", "half-message", "junk"]))
    if how == "close" and len(secret) < 80:
        talk.close(1, "server", 4001, f"token={secret}")
    elif how == "half":
        talk.raw(1, "client", serialize(WireFrame(True, 0, 1, KEY, f'{{"token":"{secret}","x":1}}'.encode()))[:-3])
        talk.end(1, "client", "fin")
    elif how == "half-message":
        talk.frame(1, "server", 1, f'{{"token":"{secret[:5]}'.encode(), fin=False)
        talk.frame(1, "server", 0, secret[5:].encode(), fin=False)
        talk.end(1, "server", "rst")
    else:
        answer = f"HTTP/1.1 400 Bad Request\r\nSet-Cookie: sid={secret}; Path=/\r\n\r\n".encode()
        at = draw(st.integers(10, len(answer)))
        talk.raw(1, "server", answer[:at])
        talk.raw(1, "server", answer[at:])
    talk.stop()
    return secret, talk


def everything(events: Iterable[AnyEvent]) -> bytes:
    """All bytes that can be got out of a recording: fields, base64 undone, masks taken off, messages inflated."""
    found = []
    assembler = Messages()
    for event in events:
        found.append(ev.encode(event))
        found.append(json.dumps(json.loads(ev.encode(event)), ensure_ascii=False).encode())
        if isinstance(event, Frame | Part | Raw):
            found.append(event.payload)
        if isinstance(event, Frame) and event.message_base64:
            found.append(event.message_base64)
        if isinstance(event, Raw):
            found += [event.payload, mask(event.payload[2:6], event.payload[6:])]
        if isinstance(event, ev.FilterEvent) and event.wire:
            found += [item.payload for item in FrameReader("client").feed(event.wire)]
        message = assembler.feed(event)
        if message is not None and message.data is not None:
            found.append(message.data)
    return b"\0".join(found)


def spellings(secret: str) -> set[bytes]:
    raw = secret.encode()
    return {raw, quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode(), base64.b64encode(raw).rstrip(b"=")}


@given(with_secret())
def test_a_planted_secret_is_nowhere_in_a_redacted_recording(planted: tuple[str, Talk]) -> None:
    secret, talk = planted
    assert spellings(secret) & {s for s in spellings(secret) if s in everything(talk.events)}, "it was there"
    found = redacted(talk.events)
    for spelling in spellings(secret):
        assert spelling not in everything(found)


@pytest.mark.parametrize("name", [name for name, each in FORMATS.items() if each.writes])
@given(planted=with_secret())
def test_a_planted_secret_is_nowhere_in_any_format(name: str, planted: tuple[str, Talk]) -> None:
    secret, talk = planted
    target, filters = f"ws://h/?token={secret}", [f"drop text={secret}"]
    header = Header(hangup=1, started=HEADER.started, target=target, filters=filters)
    data = reports.redacted(name, talk.events, header)
    if name == "pcapng":  # masks must be taken off
        redactor = Redactor()
        redactor.learn(talk.events, header)
        data += everything(redactor.events(talk.events))
    for spelling in spellings(secret):
        assert spelling not in data


@given(with_secret())
def test_a_redacted_recording_is_still_a_true_one(planted: tuple[str, Talk]) -> None:
    """Its frames can be put on a wire, and say what its events say; redacting it again changes nothing."""
    _, talk = planted
    found = redacted(talk.events)
    for side in SIDES:
        if any(isinstance(e, Raw) and e.side == side and e.cut for e in found):
            continue  # its end was left out
        wire = b"".join(sent_by(found, 1, side))
        items = FrameReader(side, rsv_any=True).feed(wire)
        frames = [e for e in found if isinstance(e, Frame) and e.side == side]
        assert [i.payload for i in items if isinstance(i, WireFrame)] == [f.payload for f in frames]
    before = [(m.side, m.opcode) for m in filter(None, map(Messages().feed, talk.events))]
    after = [m for m in filter(None, map(Messages().feed, found))]
    assert [(m.side, m.opcode) for m in after] == before and all(m.data is not None for m in after)
    assert redacted(found) == found


def test_equal_secrets_stay_equal_however_they_are_spelled() -> None:
    talk = Talk()
    talk.open(1, target="/ws?token=a%2Fb%2Bc0000", headers=[("Cookie", "sid=other-one-1")])
    talk.say(1, "client", "text", b'{"token":"a\\/b+c0000"}')
    talk.say(1, "server", "text", b'{"secret":"other-one-1","password":"third"}')
    found = redacted(talk.stop())
    assert isinstance(found[0], ev.Handshake)
    assert found[0].request.target == "/ws?token=[redacted-1]"
    assert ("Cookie", "sid=[redacted-2]") in found[0].request.headers
    assert [e.text for e in found if isinstance(e, Frame)] == [
        '{"token":"[redacted-1]"}',
        '{"secret":"[redacted-2]","password":"[redacted-3]"}',
    ]


def test_a_secret_is_hidden_before_its_name_is_heard() -> None:
    talk = Talk()
    talk.open(1)
    talk.say(1, "client", "text", b'["hello","s3cr3t-s3cr3t"]')
    talk.say(1, "server", "text", b'{"token":"s3cr3t-s3cr3t"}')
    first, second = (e.text for e in redacted(talk.stop()) if isinstance(e, Frame))
    assert (first, second) == ('["hello","[redacted-1]"]', '{"token":"[redacted-1]"}')


def test_a_password_that_is_a_name_does_not_hide_the_name_everywhere() -> None:
    talk = Talk()
    talk.open(1)
    talk.say(1, "client", "text", b'{"password":"password","authorization":"none"}')
    talk.say(1, "client", "text", b'{"password":"authorization"}')
    assert [e.text for e in redacted(talk.stop()) if isinstance(e, Frame)] == [
        '{"password":"[redacted-1]","authorization":"[redacted-2]"}',
        '{"password":"[redacted-3]"}',
    ]


def test_fragments_keep_their_part() -> None:
    talk = Talk()
    talk.open(1)
    talk.say(1, "client", "text", b'{"a":1,"password":"hunter2","b":2}', cuts=[4, 22, 30])
    frames = [e for e in redacted(talk.stop()) if isinstance(e, Frame)]
    assert [f.text for f in frames] == ['{"a"', ':1,"password":"[redacted-1]', '","b', '":2}']
    assert [f.fin for f in frames] == [False, False, False, True]
    assert frames[-1].message == '{"a":1,"password":"[redacted-1]","b":2}'


def test_from_the_first_secret_on_a_compressed_side_is_uncompressed() -> None:
    talk = Talk()
    talk.open(1, compressed=True)
    for said in (b'{"a":"one one one one"}', b'{"password":"hunter2"}', b'{"a":"one one one one"}'):
        talk.say(1, "client", "text", said, packed=True)
        talk.say(1, "server", "text", b"untouched untouched", packed=True)
    frames = [e for e in redacted(talk.stop()) if isinstance(e, Frame)]
    mine = [f for f in frames if f.side == "client"]
    assert [f.rsv for f in mine] == [4, 0, 0]
    assert [f.text for f in mine[1:]] == ['{"password":"[redacted-1]"}', '{"a":"one one one one"}']
    assert [f for f in frames if f.side == "server"] == [
        e for e in talk.events if isinstance(e, Frame) and e.side == "server"
    ]


def test_what_is_too_large_to_be_looked_at_is_left_out() -> None:
    talk = Talk()
    talk.open(1)
    talk.say(1, "client", "text", b'{"password":"hunter2"}' + b" " * HOLD_LIMIT)
    talk.say(1, "client", "text", b"after")
    redactor = Redactor()
    redactor.learn(talk.stop())
    found = list(redactor.events(talk.events))
    assert redactor.unchecked == 1
    assert [type(e) for e in found] == [type(e) for e in talk.events]
    assert b"hunter2" not in everything(found)
    frames = [e for e in found if isinstance(e, Frame)]
    assert frames[0].length == HOLD_LIMIT + 22 and frames[1].text == "after"
    assert not any(e.payload for e in found if isinstance(e, Part))


def test_a_large_frame_in_parts_gets_a_header_that_fits() -> None:
    talk = Talk()
    talk.open(1)
    talk.say(1, "client", "text", b'{"password":"hunter2","x":"' + b"y" * (3 << 20) + b'"}')
    found = redacted(talk.stop())
    wire = b"".join(sent_by(found, 1, "client"))
    reader = FrameReader("client")
    payload = b"".join(item.payload for item in reader.feed(wire))
    assert json.loads(payload)["password"] == "[redacted-1]" and not reader.inside


def test_the_header_says_so() -> None:
    header = Redactor().header(Header(hangup=1, started="x", target="ws://h/?token=abc", note="mine"))
    assert header.target == "ws://h/?token=[redacted-1]"
    assert header.note == f"mine; {NOTE} ([redacted-1]: letters, up to 8 characters)"
    assert Redactor().header(header).note == header.note


def test_nothing_waits_without_need() -> None:
    """Redacting streams: an event comes out before the next is asked for, unless a message is under way."""
    talk = Talk()
    talk.open(1)
    for _ in range(5):
        talk.say(1, "client", "text", b'{"password":"hunter2"}')
    asked = 0

    def counted() -> Iterable[AnyEvent]:
        nonlocal asked
        for event in talk.stop():
            asked += 1
            yield event

    for i, _ in enumerate(Redactor().events(counted()), 1):
        assert asked == i
