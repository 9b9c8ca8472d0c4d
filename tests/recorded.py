"""Small recordings for tests: the events of a connection in one line each, and any events at all for hypothesis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from hangup.recording import events as ev
from hangup.recording.events import AnyEvent, Event, Header, Side

STARTED = "2026-11-22T21:08:00.123456Z"
HEADER = Header(hangup=ev.FORMAT, started=STARTED, target="ws://localhost:8000", listen="127.0.0.1:9000")


def handshake(at: float = 0.01, conn: int = 1, path: str = "/ws", status: int = 101, **more: Any) -> ev.Handshake:
    """A handshake that was answered, by default with 101."""
    return ev.Handshake(
        at=at,
        conn=conn,
        client=more.pop("client", f"127.0.0.1:{50000 + conn}"),
        server="localhost:8000",
        request=ev.Request(target=path, headers=[("Host", "localhost:8000")]),
        response=ev.Response(status=status, reason=more.pop("reason", ""), headers=more.pop("headers", [])),
        **more,
    )


def text(at: float, side: Side, n: int, payload: str = "hello", conn: int = 1) -> ev.Frame:
    """A text frame."""
    mask = "a1b2c3d4" if side == "client" else None
    return ev.Frame(at=at, conn=conn, n=n, side=side, mask=mask, text=payload)


def control(at: float, side: Side, n: int, opcode: str = "ping", conn: int = 1) -> ev.Frame:
    """An empty ping or pong."""
    return ev.Frame(at=at, conn=conn, n=n, side=side, opcode=opcode, mask="00000000" if side == "client" else None)


def close(at: float, side: Side, n: int, code: int | None = 1000, reason: str = "", conn: int = 1) -> ev.Frame:
    """A CLOSE frame."""
    payload = b"" if code is None else code.to_bytes(2, "big") + reason.encode()
    shown, data = ev.payload_fields(payload)
    return ev.Frame(
        at=at,
        conn=conn,
        n=n,
        side=side,
        opcode="close",
        mask="00000000" if side == "client" else None,
        text=shown,
        base64=data,
        code=code,
        reason=None if code is None else reason,
    )


def end(at: float, side: Side, how: ev.How = "fin", conn: int = 1, **more: Any) -> ev.End:
    """The end of a leg."""
    return ev.End(at=at, conn=conn, side=side, how=how, **more)


def loop(count: int, *, gap: float = 1.0, lifetime: float = 0.012, start: float = 1.0, first: int = 1) -> list[Event]:
    """The famous one: the client sends ``ping``, the server ends with a bare FIN, the client comes again."""
    found: list[Event] = []
    at = start
    for conn in range(first, first + count):
        found += [
            handshake(at, conn, "/ws/client-1"),
            text(at + 0.001, "client", 1, "ping", conn),
            end(at + 0.001 + lifetime, "server", conn=conn),
            end(at + 0.002 + lifetime, "client", conn=conn),
        ]
        at += 0.001 + lifetime + gap
    return found


def write(path: Path, events: list[Event], header: Header = HEADER) -> Path:
    """Writes a recording."""
    path.write_bytes(ev.dump([header, *events]))
    return path


# Any events, with absurd fields.

times = st.floats(allow_nan=False, allow_infinity=False) | st.floats(0, 100)
conns = st.integers(-1, 4) | st.integers(-(2**63), 2**64 - 1)
numbers = st.integers(-1, 5) | st.integers(-(2**63), 2**64 - 1)
sides: st.SearchStrategy[Side] = st.sampled_from(["client", "server"])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["\x1b[31mred\x1b[0m", "[bold]markup[/]", "\u202egnp.exe", "a\nb\r\n\tc", "\x1b]8;;http://x\x07link"]
)
opcodes = st.sampled_from(["text", "binary", "continuation", "close", "ping", "pong", "0x3"]) | texts
problems = st.lists(st.sampled_from(["rsv", "half-frame", "not-a-frame"]) | texts, max_size=3)
headers = st.lists(st.tuples(texts, texts), max_size=3)
requests = st.builds(ev.Request, method=texts, target=texts, headers=headers)
responses = st.builds(
    ev.Response, status=st.sampled_from([101, 301, 403]) | numbers, reason=texts, headers=headers, text=texts
)
base: dict[str, Any] = {"at": times, "conn": conns}
payload: dict[str, Any] = {"text": st.none() | texts, "base64": st.none() | st.binary(max_size=30)}
maybe_number = st.none() | numbers
events: st.SearchStrategy[AnyEvent] = st.one_of(
    st.builds(
        ev.Handshake,
        **base,
        client=texts,
        request=requests,
        response=st.none() | responses,
        waited=times,
        error=texts,
        by=texts,
        problems=problems,
        original=st.none() | requests,
        returned=st.none() | responses,
    ),
    st.builds(
        ev.Frame,
        **base,
        **payload,
        n=numbers,
        side=sides,
        opcode=opcodes,
        fin=st.booleans(),
        rsv=numbers,
        mask=st.none() | texts | st.just("a1b2c3d4"),
        problems=problems.map(tuple),
        head=st.none() | texts | st.just("8180a1b2c3d4"),
        parts=numbers,
        length=maybe_number,
        code=maybe_number,
        reason=st.none() | texts,
        message=st.none() | texts,
        message_length=maybe_number,
    ),
    st.builds(ev.Part, **base, **payload, n=numbers, side=sides, head=st.none() | texts, length=maybe_number),
    st.builds(
        ev.Raw,
        **base,
        **payload,
        side=sides,
        problems=problems.map(tuple),
        opcode=st.none() | opcodes,
        length=maybe_number,
        cut=maybe_number,
    ),
    st.builds(
        ev.FilterEvent,
        **base,
        filter=texts,
        action=st.sampled_from(["drop", "replace", "inject", "close", "on", "hold"]) | texts,
        side=st.none() | sides,
        n=maybe_number,
        wire=st.none() | st.binary(max_size=10) | st.just(b"\x88\x02\x03\xe8"),
        note=texts,
    ),
    st.builds(
        ev.End,
        **base,
        side=sides,
        how=st.sampled_from(["fin", "rst", "timeout", "error", "open"]),
        by=st.just("") | texts,
        note=texts,
    ),
    st.builds(ev.Log, **base, source=texts, text=texts),
    st.builds(ev.Note, **base, text=texts, lost=numbers),
    st.builds(ev.Stop, **base, http=numbers),
)
