"""How a message goes over the wire: opcode, size, encoding, frames."""

from __future__ import annotations

import json

from lab.app import JSON_FORMS, App
from lab.table import GENERIC, REACHING, fault

FIELDED = ("flat", "flat", "nested", "jsonrpc", "array", "codes")
INVALID = ((1003, "unsupported data"), (1007, "invalid payload"), (1008, "validation error"), (4400, "bad request"))
PINGS = ["ping", "PING", "heartbeat", "hb", "keep-alive", "♥", "ping\n", "--", "p", "are you there?"]
NOT_JSON = [
    "undefined",
    "[object Object]",
    "{'type': 'refresh', 'n': 4}",
    '{"type":"refresh","n":4',
    "<refresh n='4'/>",
    "type=refresh&n=4",
    "REFRESH 4",
    "",
    '{"type":"refresh",}',
]
NO_DEFLATE = ("fastapi", "starlette", "websockets", "aiohttp", "tornado", "raw", "ws")


def plain(app: App) -> None:
    """No compression, so that bytes written past the library mean what they say."""
    app.settings["deflate"] = app.options["deflate"] = False


@fault(
    "message/wrong-opcode",
    "server",
    "message",
    "application",
    property="opcode",
    forms=("flat", "nested", "jsonrpc", "array", "text"),
    also=("heartbeat/app-ping-kills", "server-handler/crash-on-message"),
)
def binary_to_a_text_reader(app: App) -> None:
    app.ordinary(beat=False)
    app.server["reader"] = "text"
    data = app.rng.choice(["09", "00", b'{"type":"ping"}'.hex(), "ffd8ffe000104a464946"])
    every = app.t(0.4, 1.6)
    app.client["timers"].append({"first": every, "every": every, "do": [["send", {"hex": data}]]})


@fault(
    "message/wrong-opcode",
    "server",
    "message",
    "application",
    property="opcode",
    forms=("binary",),
    also=("heartbeat/app-ping-kills", "server-handler/crash-on-message"),
)
def text_to_a_binary_reader(app: App) -> None:
    app.ordinary(beat=False)
    app.server["reader"] = "bytes"
    text = app.rng.choice(["ping", '{"type":"resize","cols":80}', "stop"])
    every = app.t(0.4, 1.6)
    app.client["timers"].append({"first": every, "every": every, "do": [["send", {"text": text}]]})


@fault(
    "message/oversize",
    "server",
    "message",
    "library",
    property="size",
    forms=FIELDED,
    stacks=tuple(s for s in GENERIC if s != "channels"),
    also=("client-lifecycle/poison-replay",),
)
def over_the_servers_limit(app: App) -> None:
    app.ordinary()
    app.settings["max_size"] = limit = app.rng.choice([1024, 4096, 16384, 65536])
    app.client["timers"].append(
        {"first": app.t(0.3, 2), "do": [["send", app.style.say("say", pad=int(limit * app.rng.uniform(1.05, 3)))]]}
    )
    small = {"first": 0.3, "every": app.t(0.4, 1), "do": [["send", app.style.say("say", pad=limit // 3)]]}
    app.client["timers"].append(small)


@fault(
    "message/oversize",
    "server",
    "message",
    "application",
    property="size",
    forms=FIELDED,
    also=("server-handler/crash-on-message", "client-lifecycle/poison-replay"),
)
def over_the_applications_limit(app: App) -> None:
    """The handler measures, and closes by itself."""
    app.ordinary()
    limit = app.rng.choice([300, 800, 2000, 9000])
    big = app.style.say("more", pad=int(limit * app.rng.uniform(1.1, 4)))
    app.client["timers"].append({"first": app.t(0.3, 1.5), "do": [["send", big]]})
    if limit > 500:
        app.client["timers"].append(
            {"first": 0.3, "every": 0.4, "do": [["send", app.style.say("more", pad=limit // 2)]]}
        )
    codes = ((1009, "message too big"), (1009, ""), (4413, "payload too large"))
    app.rule({"longer": limit}, app.crash(codes=codes, words="too large", error="ValueError"))


@fault(
    "message/oversize",
    "client",
    "message",
    "client",
    property="size",
    forms=FIELDED,
    kind=7,
    codes=(1009,),
    libraries=("websockets", "ws", "aiohttp"),
    never=("client-lifecycle/throws-on-frame",),
)
def over_the_clients_limit(app: App) -> None:
    app.ordinary()
    app.options["max_size"] = limit = app.rng.choice([1000, 4096, 10_000])
    big = app.style.say("answer", pad=int(limit * app.rng.uniform(1.1, 4)))
    app.server["timers"].append({"first": app.t(0.4, 1.8), "do": [["send", big]]})


@fault(
    "message/oversize",
    "client",
    "message",
    "client",
    property="size",
    forms=JSON_FORMS,
    kind=1,
    codes=(1009,),
    libraries=("websockets", "ws", "aiohttp"),
    never=("client-lifecycle/throws-on-frame", "message/not-json"),
)
def json_of_100_kb_over_the_clients_limit(app: App) -> None:
    """Valid JSON that is longer than what a reader of recordings likes to parse."""
    app.ordinary()
    app.options["max_size"] = app.rng.choice([32 * 1024, 65_536, 65_000])
    rows = [{"row": n, "name": f"row {n:06}", "v": app.rng.random()} for n in range(app.rng.randint(1600, 2600))]
    text = json.dumps({app.style.key: "snapshot", "rows": rows})
    app.server["timers"].append({"first": app.t(0.4, 1.5), "do": [["send", {"text": text}]]})


@fault(
    "message/invalid-utf8",
    "server",
    "message",
    "client",
    property="encoding",
    stacks=(*NO_DEFLATE, "channels"),
    forms=("flat", "text", "nested"),
    also=("message/encoding",),
)
def text_that_is_not_utf8(app: App) -> None:
    app.ordinary()
    plain(app)
    text = app.rng.choice([b'{"type":"name","name":"Ren\xe9"}', b"caf\xe9 ouvert", b"\xff\xfe\x00", b'{"q":"\xc3"}'])
    app.client["timers"].append({"first": app.t(0.4, 1.6), "do": [["frame", 0x81, text.hex()]]})


@fault(
    "message/invalid-utf8",
    "client",
    "message",
    "application",
    property="encoding",
    stacks=REACHING,
    kind=2,
    forms=("flat", "text"),
    libraries=("websockets", "ws", "aiohttp"),
    codes=(1007,),
    also=("message/encoding",),
    never=("client-lifecycle/effect-churn", "message/framing"),
)
def text_cut_in_a_character(app: App) -> None:
    """Output is sent as text in pieces of a fixed size, cut within a character."""
    app.greet()
    plain(app)
    output = "Dépaquetage terminé ✓ … installés : paramétrage\n".encode() * 3
    cuts = [[output[n : n + size] for n in range(0, len(output), size)] for size in range(20, 70)]
    pieces = app.rng.choice([pieces for pieces in cuts if not all(map(_is_utf8, pieces))])
    whole = [p for p in pieces if _is_utf8(p)]
    bad = next(p for p in pieces if not _is_utf8(p))
    steps = [step for p in whole[:2] for step in (["frame", 0x81, p.hex()], ["sleep", app.t(0.05, 0.2)])]
    app.client["timers"].append({"first": app.t(0.2, 1), "do": [["send", app.style.say("ask")]]})
    app.rule(app.style.when("ask"), [*steps, ["frame", 0x81, bad.hex()]])


@fault(
    "message/invalid-utf8",
    "client",
    "message",
    "application",
    property="encoding",
    stacks=REACHING,
    kind=2,
    libraries=("websockets", "ws", "aiohttp"),
    codes=(1007,),
    also=("message/encoding", "message/wrong-opcode"),
)
def bytes_sent_as_text(app: App) -> None:
    """A compressed blob goes out in a text frame."""
    app.ordinary()
    plain(app)
    blob = b"\x1f\x8b\x08\x00" + app.rng.randbytes(app.rng.randint(20, 90)) + b"\xff"
    app.server["timers"].append({"first": app.t(0.4, 1.8), "do": [["frame", 0x81, blob.hex()]]})


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@fault(
    "message/encoding",
    "server",
    "message",
    "client",
    property="byte order mark",
    forms=JSON_FORMS,
    also=("message/not-json",),
)
def mark_before_json(app: App) -> None:
    app.ordinary()
    app.server["reader"] = "json"
    marked = {"text": "\ufeff" + app.style.say("more")["text"]}
    app.client["timers"].append({"first": app.t(0.3, 1.5), "do": [["send", marked]]})


@fault(
    "message/encoding",
    "server",
    "message",
    "client",
    property="encoding",
    forms=("flat", "nested", "text"),
    also=("message/wrong-opcode", "message/schema", "server-handler/crash-on-message", "message/not-json"),
)
def utf16_in_a_binary_message(app: App) -> None:
    app.ordinary()
    text = app.style.say("more")["text"]
    app.client["timers"].append(
        {
            "first": app.t(0.3, 1.5),
            "do": [["send", {"text": text, "encoding": app.rng.choice(["utf-16-le", "utf-16-be"])}]],
        }
    )
    if app.stack == "ws" or app.library == "ws":
        app.client["timers"][-1]["do"][0][1]["encoding"] = "utf-16-le"
    app.rule({"binary": True}, app.crash(codes=INVALID, words="cannot decode", error="ValueError"))


@fault(
    "message/framing",
    "server",
    "message",
    "client",
    property="not masked",
    libraries=("raw",),
    stacks=("fastapi", "starlette", "websockets", "ws", "channels"),
)
def client_does_not_mask(app: App) -> None:
    app.ordinary(greet=False)
    if app.stack != "channels" and app.maybe(0.4):
        app.options["quirks"] = ["unmasked_control"]
        app.client["timers"].append({"first": app.t(0.4, 1.2), "do": [["ping", "hi"]]})
    else:
        app.options["quirks"] = ["unmasked"]


@fault(
    "message/framing",
    "server",
    "message",
    "client",
    property="reserved bits",
    stacks=NO_DEFLATE,
    also=("handshake/extension",),
)
def reserved_bits_set(app: App) -> None:
    app.ordinary()
    plain(app)
    first = app.rng.choice([0xC1, 0xA1, 0xD1, 0xC2] if app.stack != "aiohttp" else [0xC1, 0xA1])
    app.client["timers"].append({"first": app.t(0.4, 1.6), "do": [["frame", first, b'{"ok":1}'.hex()]]})


@fault(
    "message/framing",
    "server",
    "message",
    "client",
    property="fragments out of order",
    stacks=("fastapi", "starlette", "websockets", "ws", "tornado"),
)
def continuation_of_nothing(app: App) -> None:
    app.ordinary()
    plain(app)
    app.client["timers"].append({"first": app.t(0.4, 1.6), "do": [["frame", 0x80, b"and the rest".hex()]]})


@fault(
    "message/framing",
    "server",
    "control",
    "client",
    property="control frame too long",
    stacks=("fastapi", "starlette", "websockets", "ws", "aiohttp", "tornado"),
)
def ping_that_is_too_long(app: App) -> None:
    app.ordinary()
    plain(app)
    app.client["timers"].append(
        {"first": app.t(0.4, 1.6), "do": [["frame", 0x89, b"x".hex() * app.rng.randint(126, 200)]]}
    )


@fault(
    "message/framing",
    "client",
    "message",
    "library",
    property="masked by the server",
    stacks=REACHING,
    libraries=("websockets", "ws"),
    kind=2,
    codes=(1002,),
    never=("message/not-json",),
)
def server_masks(app: App) -> None:
    app.ordinary()
    plain(app)
    text = b'{"type":"note","n":3}'
    mask = app.rng.randbytes(4)
    frame = bytes([0x81, 0x80 | len(text)]) + mask + bytes(b ^ mask[n % 4] for n, b in enumerate(text))
    app.server["timers"].append({"first": app.t(0.3, 1.5), "do": [["raw", frame.hex()]]})


@fault(
    "message/framing",
    "client",
    "message",
    "library",
    property="reserved bits or opcode",
    stacks=REACHING,
    libraries=("websockets", "ws", "aiohttp"),
    kind=7,
    codes=(1002,),
    also=("handshake/extension",),
)
def server_sends_a_bad_frame(app: App) -> None:
    app.ordinary()
    plain(app)
    first = app.rng.choice([0xC1, 0x83, 0xA1])
    app.server["timers"].append({"first": app.t(0.3, 1.5), "do": [["frame", first, b"hello".hex()]]})


@fault(
    "message/framing",
    "server",
    "message",
    "library",
    property="fragmented",
    libraries=("raw",),
    forms=("flat", "nested", "text"),
    stacks=("raw",),
)
def fragments_are_not_understood(app: App) -> None:
    app.settings["quirks"] = ["no_fragments"]
    app.settings["polite"] = app.maybe(0.5)
    app.ordinary(greet=False)
    app.options["quirks"] = ["fragments"]


@fault(
    "message/framing",
    "server",
    "control",
    "library",
    property="the CLOSE is longer than a control frame may be",
    stacks=REACHING,
    libraries=("websockets", "ws", "aiohttp"),
    kind=7,
    also=("server-handler/crash-on-message", "message/schema"),
)
def reason_of_the_close_is_too_long(app: App) -> None:
    """What the server wanted to say is lost: the client sees a malformed frame."""
    app.ordinary()
    plain(app)
    reason = b"validation failed: " + b"field required; " * app.rng.randint(8, 12)
    code = app.rng.choice([1008, 4400, 1011])
    app.client["timers"].append({"first": app.t(0.5, 1.6), "do": [["send", app.style.say("ask")]]})
    long = ["frame", 0x88, (code.to_bytes(2, "big") + reason).hex()]
    app.rule(app.style.when("ask"), [long, ["sleep", 0.05], ["fin"]])
