"""Invented secrets of many kinds, planted in the places where traffic has them, and what is looked for in exports.

No secret is written down here: each is put together of parts when it is needed, at random with a seed.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import string
import zlib
from collections.abc import Callable, Iterable, Iterator
from random import Random
from urllib.parse import quote, unquote_to_bytes
from uuid import UUID

from msgspec import Struct

from conversing import KEY, Talk
from hangup.recording import events as ev
from hangup.recording.assembling import Messages
from hangup.recording.events import AnyEvent, Frame, Part, Raw
from hangup.wire.frames import Frame as WireFrame
from hangup.wire.frames import FrameReader, serialize
from hangup.wire.masking import mask

ALNUM = string.ascii_letters + string.digits
LOWER = string.ascii_lowercase + string.digits
HEX = "0123456789abcdef"
BASE32 = string.ascii_uppercase + "234567"
URLSAFE = ALNUM + "-_"


def some(rng: Random, count: int, of: str = ALNUM) -> str:
    """Random characters, digits, small letters and capitals among them where ``of`` has them."""
    while True:
        made = "".join(rng.choice(of) for _ in range(count))
        classes = (string.digits, string.ascii_lowercase, string.ascii_uppercase)
        if count < 8 or all(any(c in each for c in made) for each in classes if any(c in each for c in of)):
            return made


def b64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def jwt(rng: Random) -> str:
    head, claims = {"alg": "HS256", "typ": "JWT"}, {"sub": some(rng, 8), "exp": rng.randrange(10**9, 2 * 10**9)}
    return ".".join([b64(json.dumps(head)), b64(json.dumps(claims)), some(rng, 43, URLSAFE)])


def pem(rng: Random) -> str:
    body = "\n".join(some(rng, 64, ALNUM + "+/") for _ in range(4))
    marks = ["-----{} PRIVATE" + " KEY-----"] * 2
    return f"{marks[0].format('BEGIN')}\n{body}\n{marks[1].format('END')}"


class Kind(Struct, frozen=True):
    """A kind of secret. ``name`` is what fields with one are called; ``telling`` whether it is known by its looks
    alone, and ``credential`` whether it is where credentials stand."""

    make: Callable[[Random], str]
    name: str = "token"
    telling: bool = True
    credential: bool = True


def _of(prefix: str, count: int, of: str = ALNUM, suffix: str = "", name: str = "value") -> Kind:
    return Kind(lambda rng: prefix + some(rng, count, of) + suffix, name)


KINDS: dict[str, Kind] = {
    "github personal": _of("gh" + "p_", 36),
    "github oauth": _of("gh" + "o_", 36),
    "github server": _of("gh" + "s_", 36),
    "github fine-grained": _of("github" + "_pat_", 82, ALNUM + "_"),
    "gitlab": _of("gl" + "pat-", 20, URLSAFE),
    "slack bot": Kind(
        lambda rng: "-".join(["xox" + "b", some(rng, 12, "123456789"), some(rng, 12, "123456789"), some(rng, 24)]),
        "value",
    ),
    "slack webhook": Kind(
        lambda rng: "/".join(["https://hooks.sl" + "ack.com/services", *(some(rng, count) for count in (11, 11, 24))]),
        "value",
    ),
    "aws key id": _of("AK" + "IA", 16, BASE32),
    "aws secret": Kind(
        lambda rng: some(rng, 40, ALNUM + "+/"),
        "aws_secret_access_key", telling=False, credential=False,
    ),
    "stripe secret": _of("sk" + "_live_", 24),
    "stripe restricted": _of("rk" + "_live_", 24),
    "google api": _of("AI" + "za", 35, URLSAFE),
    "openai": Kind(
        lambda rng: "sk-" + "proj-" + some(rng, 74, URLSAFE) + "T3Blbk" + "FJ" + some(rng, 74, URLSAFE),
        "value",
    ),
    "anthropic": _of("sk-" + "ant-api03-", 93, URLSAFE, "AA"),
    "npm": _of("np" + "m_", 36, LOWER),
    "pypi": _of("py" + "pi-AgEIcHlwaS5vcmc", 60, URLSAFE),
    "sendgrid": _of("S" + "G.", 66, LOWER + "_-"),
    "twilio": _of("S" + "K", 32, HEX),
    "shopify": _of("shp" + "at_", 32, HEX),
    "digitalocean": _of("do" + "p_v1_", 64, HEX),
    "hugging face": _of("h" + "f_", 34, string.ascii_lowercase),
    "linear": _of("lin_" + "api_", 40),
    "postman": Kind(lambda rng: "PM" + f"AK-{some(rng, 24, HEX)}-{some(rng, 34, HEX)}", "value"),
    "databricks": _of("da" + "pi", 32, HEX),
    "doppler": _of("dp" + ".pt.", 43),
    "planetscale": _of("pscale" + "_pw_", 43, ALNUM),
    "vault": _of("hv" + "s.", 95, URLSAFE),
    "sentry": _of("sntr" + "yu_", 64, HEX),
    "grafana": Kind(lambda rng: "gl" + f"sa_{some(rng, 32)}_{some(rng, 8, HEX)}", "value"),
    "perplexity": _of("pp" + "lx-", 48),
    "easypost": _of("EZ" + "AK", 54),
    "age": _of("AGE-SECRET" + "-KEY-1", 58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"),
    "dynatrace": Kind(lambda rng: "dt0" + f"c01.{some(rng, 24)}.{some(rng, 64)}", "value"),
    "square": _of("sq0" + "atp-", 22, URLSAFE),
    "rubygems": _of("ruby" + "gems_", 48, HEX),
    "notion": Kind(lambda rng: "nt" + f"n_{some(rng, 11, string.digits)}{some(rng, 35)}", "value"),
    "private key": Kind(pem, "value", credential=False),
    "web token": Kind(jwt, "value"),
    "opaque token": Kind(lambda rng: some(rng, 43, URLSAFE), "access_token", telling=False),
    "hexadecimal token": Kind(lambda rng: some(rng, 40, HEX), "authToken", telling=False),
    "uuid session": Kind(
        lambda rng: str(UUID(int=rng.getrandbits(128), version=4)),
        "sessionid", telling=False, credential=False,
    ),
    "password": Kind(
        lambda rng: f"{rng.choice(['Corn', 'Zebra', 'Quilt'])}{some(rng, 3, '123456789')}!{some(rng, 5)}",
        "password", telling=False, credential=False,
    ),
    "short password": Kind(
        lambda rng: "q" + some(rng, 4, string.ascii_lowercase) + some(rng, 2, "123456789"),
        "passwd", telling=False, credential=False,
    ),
    "passphrase": Kind(
        lambda rng: " ".join(some(rng, 7, string.ascii_lowercase) for _ in range(4)),
        "passphrase", telling=False, credential=False,
    ),
    "one-time code": Kind(lambda rng: some(rng, 6, "123456789"), "otp", telling=False, credential=False),
    "csrf": Kind(lambda rng: some(rng, 32), "X-CSRF-Token", telling=False),
    "api key": Kind(lambda rng: some(rng, 32), "x-api-key", telling=False),
    "basic": Kind(
        lambda rng: base64.b64encode(f"user:{some(rng, 12)}".encode()).decode(),
        "authorization", telling=False, credential=False,
    ),
}  # fmt: skip

Plant = Callable[[Talk, str, str], None]
"""Says something on connection 1 that holds a secret, under a name."""


def _members(name: str, secret: str) -> bytes:
    return json.dumps({"type": "update", name: secret, "since": "2026-11-22T21:08:00+01:00"}).encode()


def msgpack(name: str, secret: str) -> bytes:
    def text(value: str) -> bytes:
        data = value.encode()
        head = bytes([0xA0 | len(data)]) if len(data) < 32 else b"\xda" + len(data).to_bytes(2)
        return head + data

    return b"\x82" + text("type") + text("hello") + text(name) + text(secret)


def cbor(name: str, secret: str) -> bytes:
    def text(value: str) -> bytes:
        data = value.encode()
        return (bytes([0x60 | len(data)]) if len(data) < 24 else b"\x79" + len(data).to_bytes(2)) + data

    return b"\xa2" + text("type") + text("hello") + text(name) + text(secret)


def bson(name: str, secret: str) -> bytes:
    data = secret.encode() + b"\0"
    element = b"\x02" + name.encode() + b"\0" + len(data).to_bytes(4, "little") + data
    return (len(element) + 5).to_bytes(4, "little") + element + b"\0"


def _say(make: Callable[[str, str], bytes], opcode: str = "text", **how: object) -> Plant:
    return lambda talk, name, secret: talk.say(1, "client", opcode, make(name, secret), **how)  # type: ignore[arg-type]


def _log(make: Callable[[str, str], str]) -> Plant:
    return lambda talk, name, secret: talk.events.append(ev.Log(at=talk.at, text=make(name, secret)))


def _half(talk: Talk, name: str, secret: str) -> None:
    wire = serialize(WireFrame(True, 0, 1, KEY, _members(name, secret)))
    talk.raw(1, "client", wire[:-4])


def _injected(talk: Talk, name: str, secret: str) -> None:
    wire = serialize(WireFrame(True, 0, 1, KEY, _members(name, secret)))
    form = f"inject json={_members(name, secret).decode()}"
    talk.events.append(ev.FilterEvent(at=talk.at, conn=1, filter=form, action="inject", side="client", wire=wire))


IN_HANDSHAKE: dict[str, Callable[[str, str], dict[str, object]]] = {
    "query": lambda name, secret: {"target": f"/ws?room=a&{name}={quote(secret, safe='')}&v=2"},
    "encoded query": lambda name, secret: {"target": f"/ws?init={quote(json.dumps({name: secret}), safe='')}&v=2"},
    "cookie": lambda name, secret: {"headers": [("Cookie", f"theme=dark; sid={quote(secret, safe='')}")]},
    "authorization": lambda name, secret: {"headers": [("Authorization", f"Bearer {quote(secret, safe='')}")]},
    "header": lambda name, secret: {"headers": [(f"X-{name}", quote(secret, safe="/+= "))]},
}
"""Places of a handshake: what it is to be opened with."""

PLACES: dict[str, Plant] = {
    "member": _say(_members),
    "nested member": _say(lambda name, secret: json.dumps(["m", json.dumps({"a": {name: secret}})]).encode()),
    "compressed": _say(_members, packed=True),
    "fragments": _say(_members, cuts=[7, 25, 44, 52]),
    "binary": _say(lambda name, secret: b"\xff\x00\x07" + _members(name, secret), "binary"),
    "utf-16": _say(lambda name, secret: _members(name, secret).decode().encode("utf-16-le"), "binary"),
    "gzip": _say(lambda name, secret: gzip.compress(_members(name, secret)), "binary"),
    "zlib": _say(lambda name, secret: zlib.compress(_members(name, secret)), "binary"),
    "base64": _say(lambda name, secret: b'{"data":"' + base64.b64encode(_members(name, secret)) + b'"}'),
    "base64 of gzip": _say(lambda name, secret: base64.b64encode(gzip.compress(_members(name, secret)))),
    "messagepack": _say(msgpack, "binary"),
    "cbor": _say(cbor, "binary"),
    "bson": _say(bson, "binary"),
    "header line": _say(lambda name, secret: f"CONNECT\nhost:h\n{name}:{quote(secret, safe='/+= !')}\n\n\0".encode()),
    "form": _say(lambda name, secret: f"a=1&{name}={quote(secret, safe='')}&b=2".encode()),
    "log of Python": _log(lambda name, secret: f"DEBUG received {({'type': 'hello', name: secret})!r}"),
    "log of a URL": _log(lambda name, secret: f'INFO "WebSocket /ws?{name}={quote(secret, safe="")}" [accepted]'),
    "log, sent twice": _log(lambda name, secret: f"sent {json.dumps({name: secret})} and {json.dumps({name: secret})}"),
    "half a frame": _half,
    "filter": _injected,
}  # fmt: skip
"""Places where the name beside a secret tells it."""

BARE: dict[str, Plant] = {
    "close reason": lambda talk, name, secret: talk.close(1, "server", 4001, f"bad {secret}"[:123]),
    "prose": _say(lambda name, secret: f"please try {secret} instead, it works.".encode()),
    "other member": _say(lambda name, secret: json.dumps({"text": f"<{secret}>", "n": [secret]}).encode()),
    "log": _log(lambda name, secret: f"ERROR upstream refused {secret}: 401"),
    "ping": lambda talk, name, secret: talk.frame(1, "client", 9, secret.encode()[:125]),
}
"""Places where nothing but its looks tells it."""

AT_LOGIN: dict[str, Plant] = {
    "login": _say(lambda name, secret: json.dumps(["auth", secret]).encode()),
    "login by type": _say(lambda name, secret: json.dumps({"type": "authenticate", "value": secret}).encode()),
    "command": _say(lambda name, secret: f"AUTH {secret}".encode()),
    "told": _log(lambda name, secret: f"WARNING invalid token '{secret}' from 10.0.0.7"),
    "close reason, told": lambda talk, name, secret: talk.close(1, "server", 4001, f"invalid token {secret}"[:123]),
}
"""Places where credentials stand."""


def planted(place: str, kind: Kind, secret: str) -> list[AnyEvent]:
    """A recording that holds a secret, in one place only."""
    talk = Talk()
    opening = IN_HANDSHAKE[place](kind.name, secret) if place in IN_HANDSHAKE else {}
    talk.open(1, compressed=place == "compressed", **opening)  # type: ignore[arg-type]
    talk.wait(1000)
    talk.say(1, "server", "text", b'{"type":"welcome","id":"client-1","at":1795398950866}')
    if place not in IN_HANDSHAKE:
        ({**PLACES, **BARE, **AT_LOGIN})[place](talk, kind.name, secret)
    talk.wait(1000)
    talk.end(1, "client", "fin")
    return talk.stop()


def fits(place: str, name: str, secret: str) -> bool:
    """Whether a secret of this kind is found in such a place by anybody who does not know it."""
    kind = KINDS[name]
    short = len(secret.encode()) < 100
    if place in BARE:
        return kind.telling and (short or place not in ("close reason", "ping"))
    if place in AT_LOGIN:
        return (kind.telling or kind.credential) and "\n" not in secret and (short or "reason" not in place)
    if place == "authorization" or place == "header":
        return "\n" not in secret
    return place != "half a frame" or len(secret) > 8


def combinations(seed: int = 1) -> Iterator[tuple[str, str, str]]:
    """Each kind in each place that fits: kind, place, secret."""
    rng = Random(seed)
    for name, kind in KINDS.items():
        for place in (*IN_HANDSHAKE, *PLACES, *BARE, *AT_LOGIN):
            secret = kind.make(rng)
            if fits(place, name, secret):
                yield name, place, secret


def pieces(secret: str) -> set[bytes]:
    """What must be nowhere of a secret: it, in several spellings, and of a longer one any considerable piece."""
    raw = secret.encode()
    found = {raw, quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode()}
    if len(raw) >= 20:
        step = 10 if len(raw) < 100 else 24
        found |= {raw[at : at + step] for at in range(len(raw) // 3, len(raw) - step, 4)}
    return {piece for piece in found if b"PRIVATE" not in piece or piece == raw}


_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")


def unpacked(data: bytes, depth: int = 3) -> Iterator[bytes]:
    """Data, and all that is packed in it."""
    yield data
    if not depth:
        return
    if b"%" in data:
        yield unquote_to_bytes(data)
    if data.count(0) > len(data) // 3:
        yield data.replace(b"\0", b"")
    for start in (b"\x1f\x8b\x08", b"\x78\x9c"):
        at = data.find(start)
        while at >= 0:
            try:
                yield from unpacked(zlib.decompressobj(47).decompress(data[at:]), depth - 1)
            except zlib.error:
                pass
            at = data.find(start, at + 1)
    for run in _BASE64.findall(data):
        plain = run.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        if len(plain) % 4 != 1:
            yield from unpacked(base64.b64decode(plain + b"=" * (-len(plain) % 4)), depth - 1)


def everything(events: Iterable[AnyEvent]) -> Iterator[bytes]:
    """All bytes that can be got out of a recording: fields, masks taken off, messages joined and inflated."""
    assembler = Messages()
    for event in events:
        yield ev.encode(event)
        if isinstance(event, Frame | Part | Raw):
            yield event.payload
        if isinstance(event, Frame) and event.message_base64:
            yield event.message_base64
        if isinstance(event, Raw):
            yield mask(event.payload[2:6], event.payload[6:])
            yield mask(event.payload[4:8], event.payload[8:])
        if isinstance(event, ev.FilterEvent) and event.wire:
            yield from (item.payload for item in FrameReader("client").feed(event.wire) if isinstance(item, WireFrame))
        message = assembler.feed(event)
        if message is not None and message.data is not None:
            yield message.data


def leaks(secret: str, data: Iterable[bytes]) -> list[bytes]:
    """The pieces of a secret that are in data, or packed in it."""
    sought = pieces(secret)
    return [piece for each in data for one in unpacked(each) for piece in sought if piece in one]


def crowded(seed: int = 7) -> tuple[list[str], list[AnyEvent]]:
    """One recording with a secret of every kind on a connection of its own, each in the next place, that the server
    drops after its client's last message: so a page has something to say of it. Gives the secrets too."""
    rng = Random(seed)
    talk = Talk()
    secrets: list[str] = []
    places = [*IN_HANDSHAKE, *(place for place in PLACES if place not in ("half a frame", "compressed"))]
    for conn, (name, kind) in enumerate([*KINDS.items()] * 2, 1):
        place = places[conn % len(places)]
        secret = kind.make(rng)
        if not fits(place, name, secret):
            continue
        secrets.append(secret)
        opening = IN_HANDSHAKE[place](kind.name, secret) if place in IN_HANDSHAKE else {}
        talk.open(conn, **opening)  # type: ignore[arg-type]
        talk.wait(300_000)
        if place not in IN_HANDSHAKE:
            PLACES[place](_On(talk, conn), kind.name, secret)  # type: ignore[arg-type]
        talk.wait(300_000)
        talk.say(conn, "client", "text", b'{"type":"ping"}')
        talk.wait(4000)
        talk.end(conn, "server", "fin")
        talk.wait(500_000)
    return secrets, talk.stop()


class _On:
    """A conversation in which everything is said on one connection."""

    def __init__(self, talk: Talk, conn: int) -> None:
        self.events, self.at = talk.events, talk.at
        self._talk, self._conn = talk, conn

    def say(self, conn: int, *said: object, **how: object) -> None:
        """As :meth:`~conversing.Talk.say`."""
        self._talk.say(self._conn, *said, **how)  # type: ignore[arg-type]
