"""Ordinary traffic, none of it secret: what the golden recordings hold, and values of many kinds as applications send
them. Each string is one message, one line of a log, one target or one header; if anything in it is taken out, it is."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

from hangup.recording.events import Frame, Handshake, Log
from hangup.recording.reader import read

RECORDINGS = Path(__file__).parent.parent / "recordings"
WITH_SECRETS = ("d3-", "d7-")
"""Golden recordings in which there is a token."""

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
WORDS = """the keyboard token of love secretly passes a key change in authentication: authors access the session room
password reset mail was sent please press any key the code of conduct basically cookies are baked bearers carry signs
your secret santa expects gifts worth 20 euro access denied for guest user tokens per second api version two""".split()

FIXED = """\
42["chat message","hello there, is this the right room?"]
2probe
3probe
40/admin,
{"type":"ping"}
{"op":11}
{"op":10,"d":{"heartbeat_interval":41250,"_trace":["[\\"gateway-prd-us-east1-b-0568\\"]"]}}
{"jsonrpc":"2.0","id":17,"method":"document/didChange","params":{"uri":"src/app.ts","v":4}}
{"jsonrpc":"2.0","id":18,"error":{"code":-32601,"message":"Method not found"}}
{"type":"keydown","key":"Enter","code":"NumpadEnter","keyCode":13,"altKey":false}
{"type":"keydown","key":"ArrowLeft","code":"ArrowLeft","repeat":true}
{"model":"m-4","max_tokens":4096,"usage":{"prompt_tokens":211,"completion_tokens":17,"total_tokens":228}}
{"token_count":12,"tokens_per_second":41.7,"token_type":"bearer","expires_in":3600,"token_endpoint":"/oauth/token"}
{"pair":"TOKEN-USD","tokenSymbol":"HNG","tokenDecimals":18,"price":"0.0001234"}
{"passwordStrength":3,"passwordRequired":true,"password_policy":"at least twelve characters"}
{"key":"user.profile.title","value":"Profil","keyPath":"user.profile"}
{"cacheKey":"users:list:page=2","primaryKey":"id","foreignKey":"user_id","sortKey":"created_at"}
{"partition_key":"2026-11-22/eu-west-1","routing_key":"orders.created.eu"}
{"error":"Unexpected token p in JSON at position 0","code":"E_PARSE"}
{"error":"Unexpected token 'p', \\"ping\\" is not valid JSON"}
{"author":"Anna Author","authored_at":"2026-11-22","authority":"none"}
{"authenticated":true,"authorized":false,"auth":"none","session":null}
{"accessibility":"wcag-2.2","access":"read","accessLevel":3}
{"pin":13,"value":1,"mode":"OUTPUT"}
{"pinned":true,"ping":12,"pinch":{"x":1,"y":2}}
{"basic":"plan","bearing":271.4,"signal":"SIGTERM","design":"v2"}
{"code":"EUR","country":"DE","codec":"av1","code_verifier_method":"S256"}
{"status":"ok","build":"2026.11.22-1804+g1a2b3c4","semver":"4.12.0-rc.3"}
{"mime":"application/vnd.api+json; charset=utf-8","path":"/var/lib/app/uploads/2026/11/report-final-v2.pdf"}
{"svg":"M10 10 H 90 V 90 H 10 Z","transform":"matrix(1,0,0,1,20,40)","fill":"#a1b2c3"}
{"css":"linear-gradient(90deg,#020024 0%,#090979 35%,#00d4ff 100%)"}
{"query":"query Room($id: ID!) { room(id: $id) { name members { id name } } }","variables":{"id":"42"}}
{"type":"connection_init","payload":{}}
{"id":"1","type":"subscribe","payload":{"query":"subscription { ticks { at price } }"}}
{"action":"subscribe","channels":["ticker.BTC-USD","level2.ETH-EUR"]}
{"e":"trade","E":1795398950866,"s":"BTCUSDT","t":3921045811,"p":"97120.41000000","q":"0.00215000","m":true}
{"name":"session-replay","sessions":17,"session_length":312}
{"topic":"sensors/kitchen/temperature","payload":"21.5","qos":1,"retain":false}
{"login":"octocat","type":"User","site_admin":false}
{"type":"login_required","reason":"please log in again"}
{"event":"auth_ok","user":"anna"}
{"secretary":"Ms. Grey","tokenizer":"cl100k","passenger":"B. Blue","compass":"NNW","bypass":true}
{"hash":"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
{"etag":"W/\\"5e-AbCdEfGh1234567890abcdefgh\\"","integrity":"sha512-q1MKE+RZFJgrefm34/uplM/R8/si9xzqGvvwK+2YMR0K2XQ"}
{"keyframes":[0,12.5,100],"keywords":["a","b"],"monkey":"Turkey"}
CONNECT\\naccept-version:1.2\\nheart-beat:10000,10000\\n\\n
SUBSCRIBE\\nid:sub-0\\ndestination:/topic/rooms.general\\n\\n
INFO:     127.0.0.1:51234 - "WebSocket /ws/client-1" [accepted]
INFO:     connection open
INFO:     connection closed
ERROR:    Exception in ASGI application
Traceback (most recent call last):
  File "/app/lib/python3.11/site-packages/starlette/routing.py", line 373, in handle
KeyError: 'token'
json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)
AttributeError: 'NoneType' object has no attribute 'session'
TypeError: Cannot read properties of undefined (reading 'accessToken')
RuntimeError: WebSocket is not connected. Need to call "accept" first.
2026-11-22T21:08:00.123Z [info] listening on ws://0.0.0.0:8000/ws, workers=4, pid=31337
nginx: 10.0.0.7 - - [22/Nov/2026:21:08:00 +0100] "GET /ws?room=general&client=web HTTP/1.1" 101 512 "-" "Mozilla/5.0"
password authentication failed for user "app"
invalid token, please log in again
the session has expired
missing token
token expired
authentication required
API key missing
session not found
idle timeout of 60 s
message too big: 1048577 > 1048576
policy violation: origin http://localhost:3000 is not allowed
going away for a deploy of build 4f2a91c
"""


def recorded() -> Iterator[str]:
    """Everything that is said in the golden recordings."""
    for path in sorted(RECORDINGS.glob("[a-z]*.jsonl")):
        if path.name.startswith(WITH_SECRETS):
            continue
        for event in read(path):
            if isinstance(event, Frame):
                yield from filter(None, [event.message or event.text, event.reason])
            elif isinstance(event, Log):
                yield event.text
            elif isinstance(event, Handshake):
                yield f"ws://localhost{event.request.target}"


def made(seed: int = 1, rounds: int = 60) -> Iterator[str]:
    """Values of many kinds, in messages as they are sent."""
    rng = Random(seed)

    def some(count: int, of: str) -> str:
        return "".join(rng.choice(of) for _ in range(count))

    hexadecimal, plain = "0123456789abcdef", "bcdfghjklmnpqrstvwxz2456789"
    for _ in range(rounds):
        uuid = str(UUID(int=rng.getrandbits(128), version=4))
        commit = hashlib.sha1(rng.randbytes(8)).hexdigest()
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(3 * 10**7))
        image = base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + rng.randbytes(rng.randrange(60, 3000))).decode()
        prose = " ".join(rng.choice(WORDS) for _ in range(rng.randrange(4, 25)))
        price, nano = round(rng.uniform(0.01, 99999), 2), some(21, BASE62 + "_-")
        yield json.dumps({"type": "order", "id": uuid, "price": price, "currency": "EUR", "at": at.isoformat()})
        yield json.dumps({"id": nano, "roomId": some(21, BASE62 + "_-"), "userId": uuid, "seq": rng.randrange(10**6)})
        yield json.dumps({"type": "deploy", "commit": commit, "parent": commit[::-1], "branch": "main"})
        yield json.dumps({"type": "avatar", "mime": "image/png", "data": f"data:image/png;base64,{image}"})
        yield json.dumps({"type": "thumb", "bytes": image, "sha256": hashlib.sha256(image.encode()).hexdigest()})
        yield json.dumps({"type": "message", "text": prose, "ts": int(at.timestamp() * 1000)})
        yield json.dumps({"_id": some(24, hexadecimal), "ulid": "01" + some(24, CROCKFORD), "rev": f"3-{commit[:32]}"})
        yield json.dumps({"lat": rng.uniform(-90, 90), "lon": rng.uniform(-180, 180), "h3": some(15, hexadecimal)})
        yield json.dumps({"url": f"https://cdn.example.org/assets/app.{commit[:8]}.js?v={commit[:12]}", "w": 1280})
        cursor = base64.b64encode(f"cursor:{rng.randrange(10**6)}".encode()).decode()
        yield json.dumps({"next": cursor, "has_more": True})
        yield json.dumps({"key": uuid, "index": rng.randrange(99), "idempotencyKey": uuid})
        yield json.dumps({"image": f"registry.example.org/app@sha256:{hashlib.sha256(commit.encode()).hexdigest()}"})
        yield json.dumps({"trace": f"00-{commit[:32]}-{commit[8:24]}-01", "spanId": commit[:16]})
        yield json.dumps({"pod": f"web-{some(10, plain)}-{some(5, plain)}", "node": "ip-10-0-3-17"})
        yield f"wss://api.example.org/rooms/{uuid}?client_id={nano}&v={commit[:10]}&since={at:%Y-%m-%dT%H:%M:%S}"
        yield f"/socket.io/?EIO=4&transport=websocket&t={some(7, BASE62)}"
        yield f"INFO {at.isoformat()} request_id={uuid} path=/rooms/{rng.randrange(999)} took={price:.2f}ms"
        yield f"{prose[:100]}."
        yield f"room {nano} closed after {rng.randrange(1, 99)} messages"


def corpus() -> list[str]:
    """All of it, each string once."""
    fixed = [line.replace("\\n", "\n") for line in FIXED.splitlines()]
    return list(dict.fromkeys([*recorded(), *fixed, *made()]))
