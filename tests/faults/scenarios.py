"""What the frontend of each fault does: sockets, messages and timers as data, played by ``clients/frontend``.

A scenario is ``{"sockets": [...], "delay", "backoff", "jitter", "seed", "key"}``. A socket has a ``path`` and
``timers`` (``first`` and ``every`` in seconds, ``send`` a list to cycle through, ``times`` a range), and may have
``after``, ``protocols``, ``headers``, ``deflate``, ``answers`` (to a server message of that kind), ``patience``
(closes when a message of ``kind``, or any for ``*``, does not come ``within`` so many seconds), ``on_error``
(``close`` or ``terminate`` at a server message that is not JSON) and ``final`` (close codes after which it does not
reconnect).
A message is JSON with placeholders, or ``{"$text": ...}`` or ``{"$bytes": hex}``.
"""

from __future__ import annotations

import random
from typing import Any

from faults.shape import Shape

Scenario = dict[str, Any]
Timer = dict[str, Any]

AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
KEY = "not-a-real-secret-not-a-real-secret"


def scenario(shape: Shape, *sockets: Scenario) -> Scenario:
    """These sockets, with the shape's way of reconnecting."""
    return {
        "sockets": list(sockets),
        "delay": shape.delay,
        "backoff": shape.backoff,
        "jitter": 0.0 if shape.seed == 0 else 0.08,
        "seed": shape.seed,
        "key": shape.key,
    }


def socket(shape: Shape, *timers: Timer, path: str | None = None, **more: Any) -> Scenario:
    """A socket that does what these timers say."""
    headers = {"User-Agent": AGENT, "Origin": "http://localhost:5173"} if shape.browser else {}
    path = path or shape.target()
    return {"path": path, "headers": headers, "deflate": shape.deflate, "timers": list(timers), **more}


def hello(shape: Shape) -> Timer:
    """The greeting, just after opening."""
    return {"first": 0.03, "send": [shape.wrap(*shape.words["hello"])]}


def chatter(shape: Shape, **more: Any) -> Timer:
    """The ordinary messages."""
    says = [shape.wrap(*say) for say in shape.words["says"]]
    return {"first": 0.12, "every": shape.chatter, "jitter": 0.3, "send": says, **more}


def beat(shape: Shape, message: Any) -> Timer:
    """A heartbeat."""
    return {"first": shape.heartbeat, "every": shape.heartbeat, "send": [message], "jitter": 0.01}


def healthy(shape: Shape, fixed: bool) -> Scenario:
    """Two tabs of one application, each with an id of its own."""
    return scenario(
        shape,
        socket(shape, hello(shape), chatter(shape), beat(shape, shape.ping)),
        socket(shape, hello(shape), chatter(shape), path=shape.target(shape.client_id + "b"), after=0.7),
    )


def chatting(shape: Shape, fixed: bool) -> Scenario:
    """One socket with a greeting and ordinary messages."""
    return scenario(shape, socket(shape, hello(shape), chatter(shape)))


def quiet(shape: Shape, fixed: bool) -> Scenario:
    """One socket that only listens after its greeting."""
    return scenario(shape, socket(shape, hello(shape)))


def with_sibling(shape: Shape, *sockets: Scenario) -> Scenario:
    """One application in four has a second, healthy socket beside the faulty one."""
    if random.Random(f"sibling {shape.seed}").random() < 0.25 and shape.seed:
        sibling = socket(shape, hello(shape), chatter(shape), path=shape.target(shape.client_id + "b"))
        return scenario(shape, *sockets, sibling)
    return scenario(shape, *sockets)


def a1(shape: Shape, fixed: bool) -> Scenario:
    """A greeting that comes too late."""
    return scenario(shape, socket(shape, hello(shape), chatter(shape), beat(shape, shape.ping)))


def a2(shape: Shape, fixed: bool) -> Scenario:
    """A greeting some time after opening: the server dies of whatever comes first."""
    first = {**hello(shape), "first": round(0.1 + shape.chatter, 3)}
    return scenario(shape, socket(shape, first, {**chatter(shape), "first": 2 * first["first"]}))


def a3(shape: Shape, fixed: bool) -> Scenario:
    """A heartbeat that is plain text among JSON messages."""
    return with_sibling(shape, socket(shape, hello(shape), chatter(shape), beat(shape, {"$text": shape.ping_text})))


def a4(shape: Shape, fixed: bool) -> Scenario:
    """Every message is numbered, except the heartbeat."""

    def numbered(timer: Timer) -> Timer:
        return {**timer, "send": [{**message, "seq": "$n"} for message in timer["send"]]}

    return scenario(
        shape,
        socket(shape, numbered(hello(shape)), numbered(chatter(shape)), beat(shape, shape.ping)),
    )


def a5(shape: Shape, fixed: bool) -> Scenario:
    """A heartbeat of a byte or so, sent as binary."""
    payload = ["09", "00", "70696e67", "0100000000000000"][shape.seed % 4]
    return with_sibling(shape, socket(shape, hello(shape), chatter(shape), beat(shape, {"$bytes": payload})))


def a9(shape: Shape, fixed: bool) -> Scenario:
    """Three tabs with ids of their own."""
    tabs = [
        socket(shape, hello(shape), chatter(shape), path=shape.target(f"{shape.client_id}{letter}"), after=0.07 * n)
        for n, letter in enumerate("abc")
    ]
    return scenario(shape, *tabs)


def b3(shape: Shape, fixed: bool) -> Scenario:
    """Chats, and ignores the server's ping unless mended."""
    answers = {"answers": {shape.ping_kind: shape.pong}} if fixed else {}
    return scenario(shape, socket(shape, hello(shape), chatter(shape), **answers))


def b3_silence(shape: Shape, fixed: bool) -> Scenario:
    """Only listens after its greeting, and ignores the server's ping unless mended."""
    answers = {"answers": {shape.ping_kind: shape.pong}} if fixed else {}
    return scenario(shape, socket(shape, hello(shape), **answers))


def b4(shape: Shape, fixed: bool) -> Scenario:
    """Sends JSON pings and closes when the pong is overdue."""
    patience = {"kind": shape.pong[shape.key], "within": shape.deadline}
    if shape.code:
        patience |= {"code": shape.code, "reason": shape.reason}
    ping = {"first": 0.05, "every": 0.45 * shape.deadline, "send": [shape.ping]}
    return scenario(shape, socket(shape, hello(shape), chatter(shape), ping, patience=patience))


def c1(shape: Shape, fixed: bool) -> Scenario:
    """Says something for a while, never equally long, then only listens."""
    return scenario(shape, socket(shape, hello(shape), chatter(shape, times=[1, 4])))


def d3(shape: Shape, fixed: bool) -> Scenario:
    """Offers its token as a subprotocol."""
    protocols = ["bearer", f"not-a-real-token-{shape.seed:04d}"]
    return scenario(shape, socket(shape, hello(shape), chatter(shape), protocols=protocols))


def with_query(shape: Shape, name: str, value: str) -> str:
    """The target with one more query parameter."""
    return f"{shape.target()}{'&' if '?' in shape.path else '?'}{name}={value}"


def d7(shape: Shape, fixed: bool) -> Scenario:
    """Keeps a token from some day in 2023."""
    import jwt

    claims = {"sub": shape.client_id, "exp": 4_000_000_000 if fixed else 1_700_000_000 + shape.seed}
    path = with_query(shape, "token", jwt.encode(claims, KEY, "HS256"))
    return scenario(shape, socket(shape, hello(shape), chatter(shape), path=path))


def d8(shape: Shape, fixed: bool) -> Scenario:
    """Sends its token under the wrong name."""
    path = with_query(shape, "token", "test-token-0001")
    return scenario(shape, socket(shape, hello(shape), chatter(shape), path=path, final=[4003]))


def d10(shape: Shape, fixed: bool) -> Scenario:
    """Adds the path to a base that has its beginning already."""
    prefix = "" if fixed else "/" + shape.route.split("/")[1]
    return scenario(shape, socket(shape, hello(shape), chatter(shape), path=prefix + shape.target()))


def e1(shape: Shape, fixed: bool) -> Scenario:
    """Restores a draft that is larger than the server takes."""
    draft = shape.wrap("draft", {"id": "$id", "text": f"$text:{round(shape.limit * 1.3)}"})
    restore = {"first": round(0.25 + shape.chatter / 2, 3), "send": [draft]}
    return scenario(shape, socket(shape, hello(shape), chatter(shape), restore))


def f4(shape: Shape, fixed: bool, on_error: str = "close") -> Scenario:
    """Gives up on a message that it cannot parse."""
    more = {"code": shape.code} if shape.code else {}
    greeting = {**hello(shape), "first": round(0.2 + shape.chatter, 3)}
    return scenario(shape, socket(shape, {**chatter(shape), "first": 0.05}, greeting, on_error=on_error, **more))


def f4_terminate(shape: Shape, fixed: bool) -> Scenario:
    """As ``f4``, without a close frame."""
    return f4(shape, fixed, "terminate")


def f5(shape: Shape, fixed: bool) -> Scenario:
    """Two tabs that share one id from local storage."""
    return scenario(
        shape,
        socket(shape, hello(shape), chatter(shape)),
        socket(shape, hello(shape), chatter(shape), after=round(0.6 + shape.delay / 2, 3)),
    )


def graphql_old(shape: Shape, fixed: bool) -> Scenario:
    """The beginning of the protocol of subscriptions-transport-ws."""
    init = {"first": 0.001, "send": [{"type": "connection_init", "payload": {}}]}
    start = {"id": "1", "type": "start", "payload": {"query": "subscription { ticks }"}}
    begin = {"first": 0.02, "send": [start]}
    return scenario(shape, socket(shape, init, begin, path="/graphql", protocols=["graphql-ws"]))


def harmless(shape: Shape, fixed: bool) -> Scenario:
    """A text heartbeat that the server complains about in its log."""
    return scenario(shape, socket(shape, hello(shape), chatter(shape), beat(shape, {"$text": shape.ping_text})))
