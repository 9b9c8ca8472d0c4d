"""A report of whatever recording is small, shows what the diagnosis speaks of, and says what is left out."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

import recorded as rec
import reports
from hangup.experiment.document_file import Proof, Said
from hangup.recording import events as ev
from hangup.web.report import HtmlWriter
from hangup.web.report_room import LEAST, LIMIT, Room, fitted, weight

CHINESE = "重新连接" * 50
MARKUP = "</script><script>&" * 12

Events = list[ev.Event]


def dropped(conn: int, at: float, said: list[str], lasted: float = 0.4, **more: Any) -> Events:
    """A connection that the server drops right after a heartbeat."""
    shake = rec.handshake(at, conn, **more)
    step = lasted / (len(said) + 2)
    texts = [rec.text(at + n * step, "client" if n % 2 else "server", n, text, conn) for n, text in enumerate(said, 1)]
    beat = rec.text(at + lasted, "client", len(said) + 1, "ping", conn)
    return [shake, *texts, beat, rec.end(at + lasted + 0.001, "server", conn=conn)]


def many_connections() -> Events:
    return [event for conn in range(1, 4001) for event in dropped(conn, conn * 0.5, ["hello"])]


def huge_payloads() -> Events:
    return [event for conn in range(1, 9) for event in dropped(conn, float(conn), ["x" * 3_000_000, "y" * 300_000])]


def huge_logs() -> Events:
    """Tracebacks of a megabyte, and very many short lines."""
    events: Events = []
    for conn in range(1, 6):
        text = "Traceback (most recent call last)\n" + "  File x\n" * 100_000 + "ValueError: not JSON"
        events += [*dropped(conn, conn * 10.0, ["a"]), ev.Log(at=conn * 10.0 + 0.41, source="b", text=text)]
        events += [ev.Log(at=conn * 10.0 + 1 + n / 1000, source="b", text=MARKUP) for n in range(2000)]
    return events


def huge_handshakes() -> Events:
    """Hundreds of headers, and long ones, in request and response."""
    headers = [(f"X-{n}", MARKUP * 8) for n in range(400)]
    events: Events = []
    for conn in range(1, 21):
        shake, *rest = dropped(conn, float(conn), ["a"], path="/ws?token=" + "<" * 60_000, headers=headers)
        assert isinstance(shake, ev.Handshake)
        shake.request.headers += [("Cookie", "c=" + "é" * 60_000), *headers]
        shake.original = shake.request
        events += [shake, *rest]
    return events


def other_letters() -> Events:
    """Characters that take three bytes, and such as are written as escapes."""
    return [e for conn in range(1, 301) for e in dropped(conn, float(conn), [CHINESE, MARKUP] * 30)]


def busy_all_the_time() -> Events:
    """Each of hundreds of connections has something in every part of the time."""
    events: Events = []
    for conn in range(1, 301):
        said = [f"{conn} {n}" for n in range(300)]
        events += dropped(conn, 1 + conn * 1e-3, said, lasted=600.0)
    return sorted(events, key=lambda event: event.at)


def unanswered_pings() -> Events:
    """Tens of thousands of pings, each with a payload of its own, and no pong."""
    events: Events = [rec.handshake(1.0, 1)]
    for n in range(1, 30_001):
        payload = n.to_bytes(8, "big").hex()
        events.append(ev.Frame(at=1 + n / 100, conn=1, n=n, side="server", opcode="ping", text=payload))
    return [*events, rec.end(302.0, "server", conn=1)]


def filters_at_work() -> Events:
    """Filters with long settings that act all the time, and are switched all the time."""
    text = f"rewrite side=client contains=x to={MARKUP * 20}"
    events: Events = []
    for conn in range(1, 101):
        for event in dropped(conn, float(conn), ["x"] * 40):
            events.append(event)
            if isinstance(event, ev.Frame):
                about: dict[str, Any] = {"at": event.at, "conn": conn, "n": event.n, "side": event.side}
                events.append(ev.FilterEvent(**about, filter=text, action="replace"))
        events += [ev.FilterEvent(at=conn + 0.5, filter=text, action=each) for each in ("on", "off")] * 5
    return events


MAKE: list[Callable[[], Events]] = [
    many_connections,
    huge_payloads,
    huge_logs,
    huge_handshakes,
    other_letters,
    busy_all_the_time,
    unanswered_pings,
    filters_at_work,
]


def made(events: Events, proof: Proof | None = None, room: Room | None = None) -> tuple[str, Any, HtmlWriter]:
    """The report, what is embedded in it, and who wrote it."""
    out = io.BytesIO()
    said = reports.explained(events, rec.HEADER, proof)
    writer = HtmlWriter(out, rec.HEADER, said, name="run.jsonl", room=room)
    for event in events:
        writer.write(event)
    writer.finish()
    writer.close()
    text = out.getvalue().decode()
    return text, reports.data_of(text), writer


@pytest.mark.parametrize("make", MAKE, ids=lambda make: make.__name__)
def test_any_report_is_small_and_shows_what_it_speaks_of(make: Callable[[], Events]) -> None:
    events = make()
    text, data, _ = made(events)
    assert len(text.encode()) <= LIMIT
    shown = {each["conn"] for each in data["overview"]["connections"]}
    cited = [(cite["conn"], cite["frame"]) for sign in data["why"]["evidence"] for cite in sign["cites"]]
    assert cited and data["why"]["evidence"] == reports.explained(events, rec.HEADER).report.summary()["evidence"]
    assert {conn for conn, _ in cited if conn} <= shown
    told = {int(conn): {listed.get("n") for listed, _ in each["entries"]} for conn, each in data["connections"].items()}
    assert {conn for conn, _ in cited[:10] if conn} <= told.keys()
    assert all(frame in told[conn] for conn, frame in cited[:6] if conn and frame)
    every = len({event.conn for event in events if event.conn})
    noted = " ".join(data["overview"]["notes"])
    assert (f"showing {len(shown):,} of {every:,} connections" in noted) is (len(shown) < every)
    assert (f"showing what went over {len(told):,} of these" in noted) is (len(told) < len(shown))
    assert len(data["ticks"]["lanes"]) > len(shown) / 2


def test_what_is_cut_says_how_long_it_was() -> None:
    _, data, writer = made(huge_payloads())
    entries = {listed.get("n"): more for listed, more in data["connections"]["8"]["entries"]}
    assert entries[1]["truncated"] and entries[1]["size"] == 3_000_000 and len(entries[1]["text"]) <= 4096
    _, data, writer = made(huge_handshakes())
    heads = [each["detail"]["handshake"]["request"] for each in data["connections"].values()]
    assert all(len(head["headers"]) + head.get("headers_left_out", 0) == 402 for head in heads)
    assert all({"Host", "Cookie"} <= {name for name, _ in head["headers"]} for head in heads)


def test_a_long_proof_is_cut_and_a_report_without_room_has_it_still() -> None:
    proof = Proof(
        verdict="message/not-json",
        ladder=[],
        proved=True,
        headline="proved: message/not-json",
        claim="failed 4 of 4 trials with the cause, 0 of 5 without it (p = 0.0079)",
        log=[Said(text=MARKUP * 1000) for _ in range(500)],
    )
    text, data, _ = made(rec.loop(5), proof)
    assert len(text.encode()) <= LIMIT and data["proof"]["headline"] == proof.headline
    _, least, _ = made(other_letters(), room=Room().shared(LEAST))
    assert least["why"]["evidence"] == made(other_letters())[1]["why"]["evidence"]


@pytest.mark.parametrize("value", [["<" * 9000] * 900, {"a": [["b" * 90, 1]] * 9000}, [[str(n)] for n in range(9999)]])
def test_what_is_fitted_fits(value: Any) -> None:
    assert weight(fitted(value, 40_000, 64)) <= 40_000
    assert fitted(["short"], 40_000, 64) == ["short"]
