"""Who ended a connection, and how, from its events: one case for each way that connections end."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recorded
from hangup import humanize
from hangup.recording import endings
from hangup.recording import events as ev
from hangup.recording import ledger as ledgers
from hangup.recording.connections import Connection
from hangup.recording.ledger import Ledger
from recorded import close, control, end, handshake, text

Events = list[ev.AnyEvent]
OTHER: dict[ev.Side, ev.Side] = {"client": "server", "server": "client"}


def fed(events: Events) -> Ledger:
    ledger = Ledger()
    for event in events:
        ledger.feed(event)
    return ledger


def one(*events: ev.AnyEvent, stop: bool = True) -> Connection:
    """Connection 1 of a recording that was ended in order."""
    return fed([*events, *([ev.Stop(at=99.0)] if stop else [])]).connections[1]


def sentence(*events: ev.AnyEvent) -> str:
    return one(*events).ending.sentence


# The ways to end, each by both sides.

SIDES = pytest.mark.parametrize("side", ["client", "server"])
SEES = {"client": "the server sees", "server": "a browser shows"}


def opened(side: ev.Side) -> Events:
    """A connection on which the other side than ``side`` sent the first frame, and ``side`` the second."""
    return [handshake(0.01), text(0.1, OTHER[side], 1), text(0.105, side, 2)]


@SIDES
def test_fin(side: ev.Side) -> None:
    ending = one(*opened(side), end(0.112, side), end(0.113, OTHER[side])).ending
    assert (ending.by, ending.how, ending.code, ending.reason, ending.at) == (side, "fin", None, None, 0.112)
    assert ending.sentence == (
        f"the {side} ended it, with a bare FIN and no close frame ({SEES[side]} 1006), "
        f"12 ms after {OTHER[side]} frame 1"
    )
    assert [step.text for step in ending.account] == [f"{side} FIN", f"{OTHER[side]} FIN"]


@SIDES
def test_rst(side: ev.Side) -> None:
    ending = one(*opened(side), end(0.112, side, "rst")).ending
    assert (ending.by, ending.how) == (side, "rst")
    assert f"the {side} ended it, with a RST (connection reset) and no close frame" in ending.sentence


@SIDES
def test_close_with_a_code_that_is_answered(side: ev.Side) -> None:
    events = [
        *opened(side),
        close(3.1, side, 3, 1001, "bye"),
        close(3.102, OTHER[side], 4, 1001),
        end(3.103, "client"),
        end(3.104, "server"),
    ]
    ending = one(*events).ending
    assert (ending.by, ending.how, ending.code, ending.reason) == (side, "close", 1001, "bye")
    assert not ending.crossed
    assert ending.sentence == (
        f'the {side} ended it with close code 1001 (going away) and the reason "bye", '
        f"3.00 s after {OTHER[side]} frame 1; the {OTHER[side]} closed in turn 2.0 ms later"
    )


@SIDES
def test_close_without_a_code(side: ev.Side) -> None:
    ending = one(*opened(side), close(0.2, side, 3, None), close(0.201, OTHER[side], 4, None)).ending
    assert (ending.by, ending.how, ending.code, ending.reason) == (side, "close", None, "")
    assert f"a close frame that carries no code ({SEES[side]} 1005)" in ending.sentence
    assert "closed in turn" in ending.sentence and not ending.crossed


@SIDES
def test_close_that_is_not_answered(side: ev.Side) -> None:
    events = [*opened(side), close(0.2, side, 3, 1011), end(0.201, side), end(0.3, OTHER[side])]
    assert one(*events).ending.by == side
    assert sentence(*events).endswith(
        f"; the {OTHER[side]} did not answer the close, but ended with a FIN 100 ms later"
    )
    assert sentence(*events[:-1]).endswith(f"; the {OTHER[side]} had not answered the close")
    assert sentence(*events[:-2]).endswith(f"after {OTHER[side]} frame 1")


@SIDES
@pytest.mark.parametrize("delay", [0.0002, 0.0007, 0.05, 0.7])
@pytest.mark.parametrize("code", [1000, None])
def test_many_answer_any_close_with_1000_or_nothing(side: ev.Side, delay: float, code: int | None) -> None:
    ending = one(*opened(side), close(0.2, side, 3, 1011), close(0.2 + delay, OTHER[side], 4, code)).ending
    assert not ending.crossed and ending.by == side
    gap, how = humanize.duration(delay), "without a code" if code is None else "with 1000 (normal closure)"
    assert ending.sentence.endswith(f"; the {OTHER[side]} closed in turn {gap} later, {how}")


@SIDES
@pytest.mark.parametrize("delay", [0.003, 0.7])
def test_a_close_of_its_own_may_be_an_answer_or_not(side: ev.Side, delay: float) -> None:
    ending = one(*opened(side), close(0.2, side, 3, 1001), close(0.2 + delay, OTHER[side], 4, 4000, "mine")).ending
    assert not ending.crossed and ending.by == side
    assert f'; the {OTHER[side]} sent a close of its own, with 4000 and the reason "mine", ' in ending.sentence


@SIDES
def test_both_close_at_once(side: ev.Side) -> None:
    events = [*opened(side), close(0.2, side, 3, 1001), close(0.2004, OTHER[side], 4, 4000, "mine")]
    ending = one(*events).ending
    assert (ending.by, ending.code, ending.crossed) == (side, 1001, True)
    assert ending.sentence.endswith(
        f'; the {OTHER[side]} closed at the same time, with 4000 and the reason "mine", 0.4 ms later: the two crossed'
    )


@SIDES
def test_the_fin_after_a_closing_handshake_ends_nothing(side: ev.Side) -> None:
    events = [close(0.2, side, 3, 1000), close(0.21, OTHER[side], 4, 1000), end(0.22, OTHER[side]), end(0.23, side)]
    ending = one(*opened(side), *events).ending
    assert (ending.by, ending.how) == (side, "close")
    assert [step.what for step in ending.account] == ["close", "close", "fin", "fin"]


@SIDES
def test_half_close(side: ev.Side) -> None:
    other = OTHER[side]
    events = [*opened(side), end(1.0, side)]
    more: Events = [text(2.0 + i, other, 3 + i) for i in range(3)]
    connection = one(*events, *more, end(61.0, other))
    ending = connection.ending
    assert (ending.by, ending.how, ending.half_closed) == (side, "fin", True)
    assert connection.lifetime == 60.99
    assert ending.sentence.endswith(
        f"; that was a half-close: the {other} went on and sent 3 more frames, and ended with a FIN 1 min later"
    )
    going_on = one(*events, *more)
    assert going_on.lifetime is None and going_on.ending.sentence.endswith("and had not ended yet")
    closed = one(*events, *more, close(5.0, other, 6, 1000))
    assert closed.lifetime == 4.99 and "and closed with 1000 (normal closure) 4.00 s later" in closed.ending.sentence


@SIDES
def test_a_close_sent_into_a_half_closed_connection(side: ev.Side) -> None:
    connection = one(*opened(side), end(0.2, side), close(0.201, OTHER[side], 3, 1000), end(0.202, OTHER[side]))
    ending = connection.ending
    assert (ending.by, ending.how, ending.half_closed, connection.lifetime) == (side, "fin", False, 0.19)
    assert ending.sentence.endswith(f"; the {OTHER[side]} then sent close 1000 (normal closure)")


@SIDES
@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_crash_within_a_frame(side: ev.Side, how: ev.How) -> None:
    half = ev.Raw(
        at=0.2, conn=1, side=side, base64=b"\x82\x7e\x13\x88x", problems=("half-frame",), opcode="binary", length=5000
    )
    ending = one(*opened(side), half, end(0.2, side, how)).ending
    assert (ending.by, ending.how) == (side, how)
    assert ", in the middle of a binary frame of 4.9 KiB, " in ending.sentence
    assert [step.text for step in ending.account] == [f"{side} left a frame half sent", f"{side} {how.upper()}"]


@SIDES
@pytest.mark.parametrize(
    ("how", "told", "words"), [("timeout", "timeout", "no longer answered"), ("error", "rst", "connection broke")]
)
def test_the_network_gave_up(side: ev.Side, how: ev.How, told: str, words: str) -> None:
    ending = one(*opened(side), end(80.0, side, how, note="no route to host")).ending
    assert (ending.by, ending.how) == (side, told)
    assert words in ending.sentence and "(no route to host)" in ending.sentence


def test_before_any_frame() -> None:
    assert sentence(handshake(0.01), end(0.015, "server")) == (
        "the server ended it, with a bare FIN and no close frame (a browser shows 1006), "
        "5.0 ms after opening and before any frame from the client"
    )


def test_failed_handshake_checks_are_told_when_nothing_else_happened() -> None:
    events: Events = [handshake(0.01, problems=["subprotocol: offered chat, none chosen"]), end(0.02, "client")]
    assert "; the handshake had failed checks (subprotocol: offered chat, none chosen)" in sentence(*events)
    assert "checks" not in sentence(events[0], text(0.011, "server", 1), events[1])


def test_bytes_that_are_no_frame_are_told() -> None:
    junk = ev.Raw(at=0.2, conn=1, side="server", text="HTTP/1.1 400 Bad\r\n", problems=("not-a-frame",))
    connection = one(*opened("server"), junk, junk, end(0.2, "server"))
    assert connection.ending.sentence.endswith(
        "; it had sent bytes that are not a WebSocket frame: `HTTP/1.1 400 Bad\\r\\n`"
    )
    assert [step.what for step in connection.ending.account] == ["not-a-frame", "fin"]
    assert connection.problems == {"not-a-frame": 2}


# What the proxy did itself.


def test_the_proxy() -> None:
    ending = one(*opened("server"), end(0.2, "client", by="proxy"), end(0.2, "server", by="proxy")).ending
    assert (ending.by, ending.how, ending.filter) == ("proxy", "fin", "")
    assert ending.sentence.startswith("hangup itself ended it, with a bare FIN")
    assert "(both sides see 1006)" in ending.sentence
    stopped = one(*opened("server"), end(0.2, "client", by="proxy", note="it was stopped")).ending
    assert stopped.sentence.startswith("hangup itself ended it (it was stopped), with a bare FIN")


def test_what_the_proxy_passes_on_is_not_its_own() -> None:
    assert (
        one(*opened("server"), end(0.2, "server", "rst"), end(0.2, "client", "rst", by="proxy")).ending.by == "server"
    )


@pytest.mark.parametrize(
    "wire",
    [
        b"\x88\x06\x0f\xa1auth",
        b"\x88\x86\x01\x02\x03\x04" + bytes(a ^ b for a, b in zip(b"\x0f\xa1auth", b"\1\2\3\4\1\2", strict=True)),
    ],
)
def test_a_filter_that_closes(wire: bytes) -> None:
    acted = ev.FilterEvent(at=0.2, conn=1, filter="close code=4001", action="close", side="server", wire=wire)
    ending = one(*opened("server"), acted, close(0.21, "client", 3, 4001), end(0.22, "server")).ending
    assert (ending.by, ending.how, ending.code, ending.reason) == ("proxy", "close", 4001, "auth")
    assert ending.filter == "close code=4001"
    assert ending.sentence.startswith(
        'the filter `close code=4001` ended it with close code 4001 and the reason "auth", '
    )


def test_a_filter_that_injects_a_close_or_ends_a_leg() -> None:
    injected = ev.FilterEvent(at=0.2, conn=1, filter="inject x", action="inject", side="client", wire=b"\x88\x00")
    assert one(*opened("server"), injected).ending.by == "proxy"
    harmless = ev.FilterEvent(at=0.2, conn=1, filter="inject x", action="inject", side="client", wire=b"\x89\x00")
    connection = one(*opened("server"), harmless, end(0.3, "client"))
    assert connection.ending.by == "client" and connection.actions == 1
    assert one(*opened("server"), end(0.2, "client", by="close after=3")).ending.filter == "close after=3"


def test_a_close_that_a_filter_kept_back() -> None:
    acted = ev.FilterEvent(at=0.2, conn=1, filter="drop opcode=close", action="drop", side="client", n=3)
    ending = one(*opened("client"), close(0.2, "client", 3, 1000), acted, end(5.0, "client")).ending
    assert (ending.by, ending.how) == ("client", "close")
    assert "1000 (normal closure), kept back by the filter `drop opcode=close`, " in ending.sentence


# Handshakes that failed.


def test_refused() -> None:
    connection = one(handshake(0.02, status=403, reason="Forbidden", waited=0.01))
    ending = connection.ending
    assert (ending.by, ending.how, ending.code) == ("server", "none", None)
    assert ending.sentence == "the server refused the handshake with HTTP 403 (Forbidden)"
    assert (connection.opened, connection.lifetime, connection.status) == (None, None, 403)
    assert connection.asked == 0.01 and connection.refused


def test_refused_without_a_phrase_redirected_or_answered_as_plain_http() -> None:
    assert sentence(handshake(status=503)).endswith("refused the handshake with HTTP 503 (Service Unavailable)")
    assert sentence(handshake(status=799)).endswith("refused the handshake with HTTP 799")
    assert sentence(handshake(status=301, headers=[("LOCATION", "/ws/")])) == (
        "the server answered the handshake with HTTP 301 (Moved Permanently, to /ws/) instead of 101"
    )
    assert sentence(handshake(status=200)).endswith("HTTP 200 (OK) instead of 101")


def test_backend_down_and_other_failures() -> None:
    down = ev.Handshake(at=0.1, conn=1, request=ev.Request(), error="connection refused")
    ending = one(down).ending
    assert (ending.by, ending.how) == ("server", "none")
    assert ending.sentence == "the backend could not be reached: connection refused"
    whole = ev.Handshake(at=0.1, conn=1, request=ev.Request(), error="the server closed before it answered")
    assert sentence(whole) == "the server closed before it answered"
    gone = ev.Handshake(at=0.1, conn=1, request=ev.Request(), error="the client went away", by="client")
    assert one(gone).ending.by == "client"
    left = ev.Handshake(at=0.1, conn=1, request=ev.Request(), error="the client went away before the answer")
    assert one(left, end(0.1, "client")).ending.by == "client"
    assert sentence(ev.Handshake(at=0.1, conn=1, request=ev.Request())).endswith("reached: no answer")


def test_refused_by_a_filter() -> None:
    ending = one(handshake(status=503, by="refuse status=503")).ending
    assert (ending.by, ending.filter) == ("proxy", "refuse status=503")
    assert ending.sentence.startswith("the filter `refuse status=503` refused the handshake with HTTP 503")


def test_a_refusal_that_a_filter_turned_into_an_opening() -> None:
    given = handshake(0.1, status=403, returned=ev.Response(status=101))
    connection = one(given, end(0.2, "client"))
    assert connection.status == 403 and connection.opened == 0.1 and connection.ending.by == "client"


# Recordings that do not tell all.


def test_still_open() -> None:
    ending = one(*opened("server")).ending
    assert (ending.by, ending.how, ending.at) == ("unknown", "none", None)
    assert ending.sentence == "still open when the recording ended"
    assert one(*opened("server"), end(98.0, "server", "open")).ending.how == "none"
    torn = one(*opened("server"), stop=False)
    assert torn.ending.sentence.startswith("still open at the end of an incomplete recording")
    assert torn.lifetime is None


def test_without_its_beginning() -> None:
    connection = one(text(5.0, "client", 3), end(6.0, "server"))
    assert connection.ending.by == "server" and connection.opened is None and connection.lifetime is None
    assert sentence(end(6.0, "server")).endswith(", before any frame from the client")


def test_losses_are_told_of_what_was_open() -> None:
    lost = ev.Note(at=0.5, text="", lost=7)
    ledger = fed(
        [
            handshake(0.1, 1),
            end(0.2, "server", conn=1),
            handshake(0.3, 2),
            lost,
            ev.Note(at=0.6, text="", conn=3, lost=1),
            handshake(0.7, 3),
            end(0.8, "server", conn=2),
            ev.Note(at=0.9, text="a remark"),
        ]
    )
    assert ledger.lost == 8
    assert [ledger.connections[n].lost for n in (1, 2, 3)] == [0, 7, 1]
    assert ledger.connections[2].ending.sentence.endswith(
        "7 events could not be recorded meanwhile: this may be incomplete"
    )


# Sums.


def test_sums() -> None:
    connection = one(
        handshake(0.1, path="/ws/1?token=x", headers=[("sec-websocket-PROTOCOL", "chat"), ("X", "y")]),
        text(0.2, "client", 1, "äh"),
        control(0.3, "server", 2, "ping"),
        control(0.4, "client", 3, "pong"),
        ev.Frame(at=0.5, conn=1, n=4, side="server", opcode="binary", length=70000, problems=("rsv", "masked")),
        ev.Frame(at=0.6, conn=1, n=5, side="server", problems=("rsv",)),
    )
    assert (connection.path, connection.target, connection.subprotocol) == ("/ws/1", "/ws/1?token=x", "chat")
    assert connection.frames == {"client": 2, "server": 3}
    assert connection.bytes == {"client": 3, "server": 70000}
    assert connection.pings == {"client": 0, "server": 1} and connection.pongs == {"client": 1, "server": 0}
    assert connection.problems == {"rsv": 2, "masked": 1}
    assert connection.last["client"] == endings.Last(3, 0.4, "pong") and connection.last["server"].n == 5


def test_close_code_is_read_from_the_payload_when_it_is_not_given() -> None:
    frame = ev.Frame(at=0.2, conn=1, n=1, side="server", opcode="close", base64=b"\x0f\xa1\xff")
    ending = one(frame).ending
    assert ending.code == 4001 and ending.reason == "\ufffd"


def test_the_whole() -> None:
    ledger = fed([ev.Stop(at=7.0, http=12)])
    assert (ledger.connections, ledger.http, ledger.stopped, ledger.last_at) == ({}, 12, True, 7.0)


# Fed in full or by tally.

kinds = st.sampled_from(
    ["text", "text", "text", "binary", "continuation", "ping", "pong", "close", "0x3", "end", "raw"]
)


@settings(max_examples=200, deadline=None)
@given(
    script=st.lists(
        st.tuples(st.sampled_from([1, 2]), st.sampled_from(["client", "server"]), kinds, st.integers(0, 3)), max_size=30
    )
)
def test_an_account_by_tally_is_the_account_of_all(script: list[tuple[int, ev.Side, str, int]]) -> None:
    full, live = Ledger(), Ledger()
    for conn in (1, 2):
        for ledger in (full, live):
            ledger.feed(handshake(0.01, conn))
    totals = {(conn, side): [0, 0, 0, 0.0, ""] for conn in (1, 2) for side in OTHER}
    count = {1: 0, 2: 0}

    def tally(conn: int) -> None:
        for side in OTHER:
            frames, size, n, at, opcode = totals[conn, side]
            live.tally(conn, side, frames, size, n, at, opcode)  # type: ignore[arg-type]

    for i, (conn, side, kind, size) in enumerate(script):
        at = 0.1 + i / 1000
        if kind == "end":
            event: ev.Event = end(at, side, "rst" if size == 3 else "fin", conn)
        elif kind == "raw":
            event = ev.Raw(at=at, conn=conn, side=side, text="x", problems=("not-a-frame",))
        else:
            count[conn] += 1
            payload = "x" * size if kind != "close" else None
            event = ev.Frame(at=at, conn=conn, n=count[conn], side=side, opcode=kind, text=payload)
            if kind == "close" and size:
                event = close(at, side, count[conn], 1000 + size, conn=conn)
        full.feed(event)
        if not isinstance(event, ev.Frame) or event.opcode not in ("text", "binary", "continuation"):
            if kind in ("end", "close"):
                tally(conn)
            live.feed(event)
        if isinstance(event, ev.Frame):
            frames, bytes_, *_ = totals[conn, side]
            totals[conn, side] = [frames + 1, bytes_ + event.size, event.n, at, event.opcode]  # type: ignore[operator]
    for conn in (1, 2):
        tally(conn)
        for ledger in (full, live):
            ledger.connections[conn].first_seen = ledger.connections[conn].last_seen = 0.0
        for mine, other in zip(live.connections[conn].steps, full.connections[conn].steps, strict=True):
            if other.what == "not-a-frame":  # not tallied: its ``after`` and ``before`` are never used
                mine.after, mine.before = other.after, other.before
        assert live.connections[conn] == full.connections[conn]
        assert live.connections[conn].ending == full.connections[conn].ending


def test_a_tally_of_what_is_not_known() -> None:
    ledger = Ledger()
    ledger.tally(5, "client", 1, 1, 1, 0.0, "text")
    assert ledger.connections == {}


# Anything.


@settings(max_examples=300, deadline=None)
@given(got=st.lists(recorded.events, max_size=12))
def test_any_events_in_any_order(got: Events) -> None:
    ledger = fed(got)
    assert ledger.events == len(got)
    for connection in ledger.connections.values():
        before = copy.deepcopy(connection)
        ending = connection.ending
        assert ending.by in ("client", "server", "proxy", "unknown")
        assert ending.how in ("close", "fin", "rst", "timeout", "none")
        assert ending.sentence and ending.sentence.isprintable()
        assert all(step.text.isprintable() for step in ending.account)
        json.dumps(connection.summary(), allow_nan=False)
        assert connection == before


def test_memory_of_a_connection_is_bounded() -> None:
    events: Events = []
    for i in range(2000):
        problem = f"problem {i}"
        events += [
            close(0.1, "client", i, 4000, "x" * 5000),
            ev.Raw(at=0.1, conn=1, side="client", text="y" * 5000, problems=(problem, "half-frame")),
            end(0.1, "server", note="z" * 5000),
            ev.FilterEvent(at=0.1, conn=1, filter="f" * 5000, action="close"),
        ]
    connection = one(*events)
    assert len(connection.steps) == ledgers.STEPS_KEPT and len(connection.problems) <= ledgers.PROBLEMS_KEPT
    assert len(json.dumps(connection.summary())) < 200_000
    assert connection.frames["client"] == 2000


# Words.

DURATIONS: dict[float, str] = {
    0: "0 ms",
    0.00004: "0 ms",
    0.0004: "0.4 ms",
    0.00996: "10 ms",
    0.0119: "12 ms",
    0.9994: "999 ms",
    0.9996: "1.00 s",
    4.021: "4.02 s",
    9.996: "10.0 s",
    59.9: "59.9 s",
    59.96: "1 min",
    61: "1 min 1 s",
    3600: "1 h",
    3661: "1 h 1 min",
    90000: "1 d 1 h",
    1e12: "1e+12 s",
    -0.012: "-12 ms",
    float("inf"): "?",
}


@pytest.mark.parametrize("seconds", DURATIONS)
def test_durations(seconds: float) -> None:
    assert humanize.duration(seconds) == DURATIONS[seconds]


def test_sizes() -> None:
    expected = {0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 10240: "10 KiB", 1 << 26: "64 MiB"}
    assert {count: humanize.size(count) for count in expected} == expected
    assert humanize.size(1 << 50).endswith("TiB") and humanize.size(-5) == "-5 B"


@given(shown=recorded.texts | st.text(max_size=60), limit=st.integers(0, 30))
def test_printable(shown: str, limit: int) -> None:
    got: Any = humanize.printable(shown, limit)
    assert got.isprintable()
    if limit:
        assert len(got) <= limit
    if shown.isascii() and shown.isprintable() and (not limit or len(shown) <= limit):
        assert got == shown


def test_what_printable_spells_out() -> None:
    assert humanize.printable("a\x1b[1m\n\u202eb\ud800") == "a\\x1b[1m\\n\\u202eb\\ud800"
    assert humanize.printable("e" + "\u0301" * 3) == "e\\u0301\\u0301\\u0301"
    assert humanize.printable("grün 漢字 🙂") == "grün 漢字 🙂"
    assert humanize.printable("abcdef", 4) == "abc…"


@SIDES
def test_the_state_of_each_leg(side: ev.Side) -> None:
    other = OTHER[side]

    def legs(*events: ev.AnyEvent) -> tuple[str, str]:
        found = one(*opened(side), *events).summary()["legs"]
        return found[side], found[other]

    assert legs() == ("open", "open")
    assert legs(close(0.2, side, 3, 1000)) == ("open", "open"), "a CLOSE ends no leg"
    assert legs(end(0.2, side), end(0.21, other)) == ("fin", "fin")
    assert legs(end(0.2, side), text(0.3, other, 3)) == ("half-closed", "open")
    assert legs(end(0.2, side), text(0.3, other, 3), end(0.301, side, "rst")) == ("fin", "open")
    assert legs(end(0.2, side, "rst"), end(0.2, other, by="proxy")) == ("rst", "ours")
    assert legs(end(9.0, side, "timeout")) == ("timeout", "open")
