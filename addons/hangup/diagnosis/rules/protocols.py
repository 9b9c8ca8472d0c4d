"""Protocols over the socket that have rules of their own: Engine.IO, GraphQL, STOMP."""

from __future__ import annotations

from collections.abc import Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle, steadiness
from hangup.diagnosis.findings import Cite, Hypothesis, Trigger, cite, cite_all
from hangup.humanize import duration, printable
from hangup.messages.shapes import Shape
from hangup.recording.connections import Connection
from hangup.recording.traffic import MessageSummary


def by_protocol(case: Case) -> Iterator[Hypothesis]:
    """What each protocol's own rules say about these ends."""
    lives = [life for life in case.victims if life.open_since is not None]
    if not lives:
        return
    protocol = case.stack.protocol
    if protocol == "engine.io":
        yield from _engine_io(case, lives)
    elif protocol == "graphql":
        yield from _graphql(case, lives)
    elif protocol == "stomp":
        yield from _stomp(case, lives)
    yield from _not_a_frame(case, lives)
    yield from _hello(case, lives)


def _sent(life: Connection, side: str, kind: str) -> int:
    shapes = life.traffic.halves[side].shapes  # type: ignore[index]
    return sum(count.count for shape, count in shapes.items() if shape.kind == kind and shape.protocol == "engine.io")


def _no_namespace(case: Case, lives: list[Connection]) -> Iterator[Hypothesis]:
    """Socket.IO 4 closes a client that has not asked for a namespace (``40``) within ``connectTimeout``."""
    opened = [life for life in lives if any(m.side == "server" and m.text[:2] == "0{" for m in life.traffic.opening)]
    if case.closer != "server" or not opened or opened[0].query.get("EIO", "4") != "4":
        return
    mute = [life for life in opened if not any(m.side == "client" and m.text[:2] == "40" for m in _around(life))]
    if len(mute) < 0.7 * len(lives):
        return
    hypothesis = Hypothesis("message/init-missing", closer="server", trigger=Trigger("time", mute[0].conn))
    hypothesis.says(
        "no-namespace-asked-for",
        1.0,
        "the client never asked for a namespace (`40`), with which Socket.IO begins",
        cite_all(mute),
    )
    if len(mute) > 1:
        age = steadiness([life.lasted for life in mute])
        hypothesis.says(
            "steady-age", age, f"each was closed {duration(middle([life.lasted for life in mute]))} after opening"
        )
    yield hypothesis


def _around(life: Connection) -> list[MessageSummary]:
    return [*life.traffic.opening, *life.traffic.recent]


def _engine_io(case: Case, lives: list[Connection]) -> Iterator[Hypothesis]:
    """Version 4: the server sends ``2``, the client answers ``3``. Version 3: the other way round."""
    if case.closer not in ("server", "client") or case.mode not in ("close", "abrupt"):
        return
    yield from _no_namespace(case, lives)
    server_pings = sum(_sent(life, "server", "2") for life in lives)
    client_pings = sum(_sent(life, "client", "2") for life in lives)
    client_pongs = sum(_sent(life, "client", "3") for life in lives)
    server_pongs = sum(_sent(life, "server", "3") for life in lives)
    version = lives[0].query.get("EIO", "")
    hypothesis = Hypothesis("heartbeat/direction", closer=case.closer, trigger=Trigger("time", lives[0].conn))
    if len(lives) > 1:
        hypothesis.says(
            "steady-age", max(steadiness([life.lasted for life in lives]), 0.0), "the age is the same each time"
        )
    pings = [Cite(life.conn, b.first_n) for life in lives for b in life.traffic.beats.values() if b.sent]
    if server_pings and not client_pongs:
        text = f"the server sent {server_pings} Engine.IO pings (`2`) and got no `3`"
        hypothesis.says("engine-io-pings-unanswered", 1.0, text, pings)
        if client_pings:
            hypothesis.says(
                "both-sides-ping",
                1.0,
                f"the client sent {client_pings} pings of its own: both sides wait for the other",
                pings,
            )
        if version == "3":
            hypothesis.says(
                "asked-for-engine-io-3", 1.0, "the client asked for EIO=3, in which the client pings", cite_all(lives)
            )
            against = Hypothesis("heartbeat/app-pong-missing-from-client", closer=case.closer, adds=True)
            yield against.says("asked-for-engine-io-3", -1.0, "by the version it asked for, the client need not answer")
        yield hypothesis
    elif client_pings and not server_pongs:
        hypothesis.says(
            "client-pings-in-engine-io-4",
            1.0,
            f"the client sent {client_pings} Engine.IO pings (`2`), which version 4 does not know",
            pings,
        )
        yield hypothesis
    elif not (server_pings or client_pings) and version == "3" and case.mode == "close":
        yield hypothesis.says("no-engine-io-pings", 1.0, f"EIO={version}, and no side sends pings", cite_all(lives))


_OLD = frozenset(("start", "stop", "connection_terminate", "data", "ka"))
_NEW = frozenset(("subscribe", "next", "complete", "ping", "pong"))


def _graphql(case: Case, lives: list[Connection]) -> Iterator[Hypothesis]:
    if case.closer != "server" and case.closer != "client":
        return
    chosen = (lives[0].subprotocol or lives[0].header("sec-websocket-protocol")).lower()
    last = [(life, m) for life in lives if (m := life.last_message("client")) is not None]
    kinds = {m.shape.kind for _, m in last}
    vocabulary = Hypothesis(
        "message/vocabulary-mismatch",
        closer=case.closer,
        trigger=Trigger("frame", last[0][0].conn, last[0][1].n) if last else Trigger("header", lives[0].conn),
    )
    new = "graphql-transport-ws" in chosen
    cites = [cite(life, m) for life, m in last]
    if kinds & _OLD and new:
        vocabulary.says(
            "not-of-its-subprotocol", 1.0, f"`{', '.join(sorted(kinds & _OLD))}` is not of graphql-transport-ws", cites
        )
    elif kinds & (_NEW - {"complete"}) and chosen.strip() == "graphql-ws":
        vocabulary.says(
            "not-of-its-subprotocol",
            1.0,
            f"`{', '.join(sorted(kinds & _NEW))}` is not of the older subprotocol graphql-ws",
            cites,
        )
    if vocabulary.signs:
        yield vocabulary
    silent = [life for life in lives if not life.traffic.client.messages]
    if last and not silent and case.closer == "server":
        before = [m for life, m in last if not _said(life, "connection_init")]
        if len(before) >= 0.7 * len(last) and kinds & {"subscribe", "start"}:
            hypothesis = Hypothesis(
                "message/order-before-hello", closer="server",
                trigger=Trigger("frame", last[0][0].conn, last[0][1].n),
            )  # fmt: skip
            yield hypothesis.says("subscribed-before-init", 1.0, "the client subscribed before connection_init", cites)


def _said(life: Connection, kind: str) -> bool:
    return any(shape.kind == kind for shape in life.traffic.client.shapes)


def _stomp(case: Case, lives: list[Connection]) -> Iterator[Hypothesis]:
    said = [(life, m) for life in lives for m in life.traffic.recent if m.side == "server"]
    errors = [(life, m) for life, m in said if m.shape.kind == "ERROR"]
    heart = [m for life in lives for m in life.traffic.opening if "heart-beat" in m.text.lower()]
    if not heart or "0,0" in heart[0].text:
        return
    hypothesis = Hypothesis("heartbeat/interval-race", closer=case.closer, trigger=Trigger("time", lives[0].conn))
    hypothesis.says("heart-beats-agreed", 1.0, "STOMP heart-beats were agreed to", [cite(lives[0], heart[0])])
    beats = sum(b.sent for life in lives for b in life.traffic.beats.values())
    if not beats:
        hypothesis.says("no-heart-beat-sent", 1.0, "and no heart-beat was ever sent")
    if errors:
        hypothesis.says(
            "last-word-of-an-error", 1.0, "the server sent ERROR before it ended", [cite(life, m) for life, m in errors]
        )
    yield hypothesis


def _not_a_frame(case: Case, lives: list[Connection]) -> Iterator[Hypothesis]:
    """Bytes in the stream that are no WebSocket: an HTTP error after the 101, or something spoiled on the way."""
    junk = [life for life in lives if life.traffic.junk]
    if len(junk) < 0.5 * len(lives):
        return
    text = junk[0].traffic.junk
    side, _, content = text.partition(": ")
    shown = printable(content, 60)
    if content.startswith("HTTP/"):
        engine = case.stack.protocol == "engine.io"
        hypothesis = Hypothesis(
            "handshake/parameter" if engine else "intermediary/upgrade-conflict",
            closer=case.closer, trigger=Trigger("header", junk[0].conn),
        )  # fmt: skip
        # Of what a handler does, nothing writes HTTP into a WebSocket.
        hypothesis.says(
            "http-after-the-101", 1.0, f"after the 101 the server answered again, as HTTP: {shown}", cite_all(junk)
        )
        if engine and (version := junk[0].query.get("EIO")):
            hypothesis.says(
                "request-names-eio", 1.0, f"it does not speak Engine.IO {printable(version, 10)}", cite_all(junk)
            )
        yield hypothesis
        return
    hypothesis = Hypothesis("message/framing", closer=case.closer, trigger=Trigger("frame", junk[0].conn))
    yield hypothesis.says(
        "bytes-that-are-no-frame", 1.0, f"the {side} sent bytes that are no frame: {shown}", cite_all(junk)
    )
    hypothesis = Hypothesis("intermediary/frame-corruption", closer=case.closer, trigger=Trigger("frame", junk[0].conn))
    hypothesis.says(
        "bytes-that-are-no-frame",
        1.0,
        f"the {side}'s bytes are no frame: something on the way may have changed them",
        cite_all(junk),
    )
    if side == "server" and case.stack.server:
        sound = f"{case.stack.server} writes frames that are sound"
        hypothesis.says("library-writes-sound-frames", 1.0, sound, cite_all(junk))
        yield Hypothesis("message/framing", closer=case.closer, adds=True).says(
            "library-writes-sound-frames", -1.0, sound, cite_all(junk)
        )
    if any(life.traffic.halves[side].messages > 1 for life in junk if side in ("client", "server")):  # type: ignore[index]
        hypothesis.says("earlier-frames-sound", 1.0, "earlier frames were sound", cite_all(junk))
    yield hypothesis


_HELLOS = frozenset(
    "hello init connect auth authenticate login identify join subscribe register session start"
    " connection_init open handshake".split()
)


def _hello(case: Case, lives: list[Connection]) -> Iterator[Hypothesis]:
    """A message that came before the greeting which other connections began with."""
    if case.closer != "server" or not case.others:
        return
    lived = [life for life in case.others if life.open_since is not None and life.traffic.client.first is not None]
    greeted = [life for life in lived if life.lasted > 1.5 * max((v.lasted for v in lives), default=0.0)]
    mine = [life for life in lives if life.traffic.client.first is not None]
    if not greeted or not mine:
        return
    hellos: set[Shape] = {m.shape for life in greeted if (m := life.traffic.client.first) is not None}
    if len(hellos) != 1:
        return
    hello = next(iter(hellos))
    other = [life for life in mine if (m := life.traffic.client.first) is not None and m.shape is not hello]
    if len(other) < 0.7 * len(lives) or hello.kind.lower() not in _HELLOS:
        return
    first: MessageSummary | None = other[0].traffic.client.first
    hypothesis = Hypothesis(
        "message/order-before-hello", closer="server",
        trigger=Trigger("frame", other[0].conn, first.n if first else None),
    )  # fmt: skip
    began = first.shape.text if first else "?"
    text = f"connections that began with {hello.text} stayed open; these began with {began}"
    yield hypothesis.says("those-with-a-hello-stayed-open", 1.0, text, cite_all(other))
