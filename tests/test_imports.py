"""Files of other tools are read for what they tell, and say what they do not."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversing import Talk
from hangup.cli import cli
from hangup.diagnosis.case import Case
from hangup.diagnosis.diagnose import diagnose
from hangup.diagnosis.hypotheses import hypotheses
from hangup.diagnosis.report import Report
from hangup.errors import ForeignRecording, HangupError
from hangup.recording import events as ev
from hangup.recording import untold
from hangup.recording.connections import Connection
from hangup.recording.events import AnyEvent, Fact, Frame, Handshake, Header, Note, Part, Raw
from hangup.recording.formats import open_recording
from hangup.recording.formats.browser_words import failure
from hangup.recording.formats.byte_streams import SIDES, Chunk, Conversation
from hangup.recording.formats.imported import Script, epoch
from hangup.recording.formats.writing import writer
from hangup.recording.ledger import Ledger
from hangup.recording.rebuild import sent_by
from hangup.recording.traffic_ledger import look_into
from hangup.wire.frames import header
from netlogs import ANSWER, OFFSET, SOCKET, Netlog

IMPORTS = Path(__file__).resolve().parent / "imports"
EVERY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def accounts(events: Iterable[AnyEvent]) -> list[Connection]:
    ledger = Ledger()
    for event in events:
        ledger.feed(event)
    return [ledger.connections[conn] for conn in sorted(ledger.connections)]


def case(name: str) -> tuple[Header, list[AnyEvent], list[Connection]]:
    recording = open_recording(IMPORTS / name)
    events = list(recording)
    return recording.header, events, accounts(events)


def why(name: str) -> Report:
    recording = open_recording(IMPORTS / name)
    return diagnose(recording.header, recording)


def opened(tmp_path: Path, data: bytes, name: str = "file") -> tuple[Header, list[AnyEvent], list[Connection]]:
    path = tmp_path / name
    path.write_bytes(data)
    recording = open_recording(path)
    events = list(recording)
    assert list(recording) == events, "a recording can be read again"
    return recording.header, events, accounts(events)


def har(*entries: dict[str, Any], creator: str = "WebInspector", **log: Any) -> bytes:
    return json.dumps({"log": {"creator": {"name": creator, "version": "1"}, "entries": entries, **log}}).encode()


def entry(**fields: Any) -> dict[str, Any]:
    return {
        "startedDateTime": "2026-11-22T21:08:00.000Z",
        "request": {"method": "GET", "url": "ws://h.test:8000/ws", "headers": []},
        "response": {"status": 101, "headers": []},
        "_resourceType": "websocket",
    } | fields


ZERO = 1795381680.0  # 2026-11-22T21:08:00Z


# DevTools and Playwright, as they were written.


def test_the_ends_of_a_loop_are_where_they_were() -> None:
    header, events, found = case("devtools-loop.har")
    truth_header, _, truth = case("devtools-loop-truth.jsonl")
    zero, true_zero = epoch(header.started), epoch(truth_header.started)
    assert zero is not None and true_zero is not None and len(found) == len(truth) == 8
    for ours, theirs in zip(found[:7], truth[:7], strict=True):
        assert ours.ended is not None and theirs.ended is not None
        assert abs((zero + ours.ended) - (true_zero + theirs.ended)) < 0.010
        assert (ours.ending.by, ours.ending.how) == ("unknown", "unknown")
    assert found[7].ended is None and found[7].ending.sentence == "still open when the recording ended"
    assert not any(isinstance(event, ev.End) for event in events), "which side ended it is not made up"


def test_why_names_the_cause_of_the_loop_but_not_who_ended_it() -> None:
    report, truth = why("devtools-loop.har"), why("devtools-loop-truth.jsonl")
    assert report.verdict == truth.verdict and report.closer == "unknown" and truth.closer == "server"
    assert report.confidence < truth.confidence
    assert any("the recording does not say which side ended it" in each.text for each in report.evidence)
    assert any("does not say who ended it" in note and "control pings" in note for note in report.notes)


@pytest.mark.parametrize("name", ["devtools-403.har", "playwright-403.har"])
def test_a_refused_handshake_is_one(name: str) -> None:
    _, events, (connection,) = case(name)
    assert not any(isinstance(event, Frame) for event in events), "the browser's words are no frame"
    assert connection.refused and connection.status == 403
    report = why(name)
    assert report.verdict.startswith("handshake/") and report.confidence < 0.8
    assert not any("no credential" in each.text for each in report.evidence), "headers may have been left out"


def test_nobody_listened() -> None:
    header, events, found = case("devtools-refused.har")
    assert len(found) == 5 and not any(isinstance(event, Frame) for event in events)
    assert all(each.refused and each.status is None and "connection refused" in each.error for each in found)
    # They are dated one second before 1970; the page is not, and their differences are told.
    assert header.started.startswith("2026-11-28T17:21:49") and "placed after" in header.note
    assert found[4].answered is not None and 0.03 < found[4].answered < 0.04
    assert why("devtools-refused.har").verdict == "unknown/"


def test_an_end_shortly_after_a_message() -> None:
    _, _, (connection,) = case("devtools-ended.har")
    assert connection.ended == pytest.approx(0.7252) and connection.frames == {"client": 2, "server": 0}
    assert "4.1 ms after client frame 2" in connection.ending.sentence
    assert not why("devtools-ended.har").verdict.startswith("none/")


def test_messages_without_a_response_were_said_on_an_open_connection() -> None:
    _, events, (connection,) = case("no-response.har")
    assert connection.status == 101 and connection.frames == {"client": 1, "server": 1}
    assert connection.ended is None and "does not say whether and how it ended" in connection.ending.sentence
    assert any(isinstance(event, Note) and "so it was 101" in event.text for event in events)
    assert why("no-response.har").verdict == "unknown/"


def test_show_says_what_is_not_told() -> None:
    shown = CliRunner().invoke(cli, ["show", str(IMPORTS / "devtools-loop.har")], catch_exceptions=False)
    said = " ".join(shown.stdout.split())
    assert "does not say who ended it" in said and "ended by an unknown side (how is unknown)" in said
    shown = CliRunner().invoke(cli, ["show", str(IMPORTS / "devtools-loop-truth.jsonl")], catch_exceptions=False)
    assert "does not tell" not in shown.stdout


# HARs of other kinds.


def test_what_nothing_is_told_of_is_neither_refused_nor_open(tmp_path: Path) -> None:
    _, _, (connection,) = opened(tmp_path, har(entry(response={"status": 0}, _webSocketMessages=[])))
    assert not connection.refused and connection.opened is None and connection.ended is None
    assert connection.ending.sentence == "the HAR does not say how the handshake ended"
    recording = open_recording(tmp_path / "file")
    assert diagnose(recording.header, recording).verdict == "unknown/"


def test_a_browser_that_objects_to_a_frame_ended_it(tmp_path: Path) -> None:
    said = [
        {"type": "send", "time": ZERO + 0.5, "opcode": 1, "data": "x"},
        {"type": "error", "time": ZERO + 0.7, "opcode": -1, "data": "Invalid frame header"},
    ]
    _, events, (connection,) = opened(tmp_path, har(entry(_webSocketMessages=said)))
    assert [event.text for event in events if isinstance(event, Frame)] == ["x"]
    assert (connection.ending.by, connection.ended) == ("client", 0.7)
    assert connection.ending.sentence.startswith("the client failed the connection: Invalid frame header, 200 ms after")
    # Playwright does not say when.
    words = entry(response={"status": 101, "_failureText": "Invalid frame header"}, _webSocketMessages=said[:1])
    _, _, (connection,) = opened(tmp_path, har(words, creator="Playwright"))
    assert connection.ended is None and "Invalid frame header" in connection.ending.sentence


@pytest.mark.parametrize(
    ("timings", "ended"),
    [
        ({"wait": 700, "receive": 25}, 0.725),
        ({"wait": 725, "receive": 0}, None),
    ],
)
def test_devtools_tell_by_a_time_to_receive_whether_it_ended(
    tmp_path: Path, timings: dict[str, Any], ended: float | None
) -> None:
    said = [{"type": "send", "time": ZERO + 0.1, "opcode": 1, "data": "x"}]
    _, _, (connection,) = opened(tmp_path, har(entry(time=725, timings=timings, _webSocketMessages=said)))
    assert connection.ended == ended and bool(connection.untold) == (ended is not None)
    _, _, (connection,) = opened(
        tmp_path, har(entry(time=725, timings=timings, _webSocketMessages=said), creator="Firefox")
    )
    assert connection.ended is None and connection.untold, "others may mean something else by it"


@pytest.mark.parametrize(
    ("creator", "messages", "lacks"),
    [
        ("WebInspector", [1], {"pings", "closer", "manner", "framing", "headers"}),
        ("Playwright", [1], {"pings", "endings", "closer", "manner", "framing", "headers"}),
        ("HTTP Toolkit", [1], {"pings", "closer", "framing"}),
        ("Proxyman", [1, 9, 10], {"endings", "closer", "manner", "framing", "headers"}),
        ("hangup", [1], {"pings", "framing"}),
    ],
)
def test_what_a_har_does_not_tell(tmp_path: Path, creator: str, messages: list[int], lacks: set[Fact]) -> None:
    said = [{"type": "send", "time": ZERO, "opcode": opcode, "data": ""} for opcode in messages]
    header, _, (connection,) = opened(tmp_path, har(entry(_webSocketMessages=said), creator=creator))
    assert set(header.lacks) == lacks and not header.tells("framing")
    assert connection.pings["client"] == messages.count(9) and connection.pongs["client"] == messages.count(10)
    words = untold.sentence(header)
    assert all((untold.WORDS[fact] in words) == (fact in lacks) for fact in untold.WORDS)
    # It goes with the recording, whatever that is written as.
    for name in ("hangup", "har"):
        out = io.BytesIO()
        made = writer(name, out, header)
        for event in open_recording(tmp_path / "file"):
            made.write(event)
        made.finish()
        made.close()
        (tmp_path / "again").write_bytes(out.getvalue())
        assert set(open_recording(tmp_path / "again").header.lacks) >= lacks


def test_our_own_recordings_tell_all() -> None:
    header, _, _ = case("devtools-loop-truth.jsonl")
    assert all(header.tells(fact) for fact in untold.WORDS) and untold.sentence(header) == ""


def test_an_end_that_is_only_told_of_comes_back(tmp_path: Path) -> None:
    recording = open_recording(IMPORTS / "devtools-ended.har")
    out = io.BytesIO()
    made = writer("har", out, recording.header)
    for event in recording:
        made.write(event)
    made.finish()
    made.close()
    _, _, (again,) = opened(tmp_path, out.getvalue())
    (before,) = accounts(recording)
    assert (again.ended, again.ending.by, again.ending.how) == (before.ended, "unknown", "unknown")


@pytest.mark.parametrize(
    ("words", "status", "error", "by"),
    [
        ("Error during WebSocket handshake: Unexpected response code: 502", 502, "", None),
        ("Error in connection establishment: net::ERR_CONNECTION_REFUSED", None, "connection refused (", None),
        ("Error in connection establishment: net::ERR_NAME_NOT_RESOLVED", None, "no such host (", None),
        ("Error in connection establishment: net::ERR_CERT_AUTHORITY_INVALID", None, "its certificate was not", None),
        ("Error in connection establishment: net::ERR_CONNECTION_RESET", None, "the connection was cut before", None),
        ("Error in connection establishment: net::ERR_UNSAFE_PORT", None, "the client did not connect", "client"),
        ("Error during WebSocket handshake: 'Upgrade' header is missing", None, "the client did not accept", "client"),
        ("WebSocket is closed before the connection is established.", None, "the client closed it before", "client"),
        ("WebSocket opening handshake timed out", None, "no answer in time", None),
        ("One or more reserved bits are on", None, "One or more", "client"),
        ("net::ERR_NETWORK_CHANGED", None, "net::ERR_NETWORK_CHANGED", None),
    ],
)
def test_what_chromium_says(words: str, status: int | None, error: str, by: str | None) -> None:
    found = failure(words)
    assert (found.status, found.by) == (status, by) and found.error.startswith(error)


# Packed.


def test_packed_by_gzip(tmp_path: Path) -> None:
    whole = (IMPORTS / "devtools-loop.har").read_bytes()
    assert opened(tmp_path, gzip.compress(whole), "loop.har.gz")[1] == case("devtools-loop.har")[1]
    with pytest.raises(ForeignRecording, match="compressed with gzip"):
        opened(tmp_path, gzip.compress(gzip.compress(whole)))


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


LINE = json.dumps({"type": "send", "time": (ZERO + 1) * 1000, "opcode": 1, "data": "hello"}).encode()
ATTACHED = entry(response={"status": 101, "content": {"_file": "m.jsonl"}})


def trace() -> dict[str, bytes]:
    refused = entry(startedDateTime="2026-11-22T21:08:05.000Z", response={"status": -1, "_failureText": "gone"})
    attached = entry(response={"status": 101, "content": {"_file": "resources/m.jsonl"}})
    snapshots = [{"type": "resource-snapshot", "snapshot": each} for each in (refused, attached)]
    lines = [json.dumps(each).encode() for each in [{"type": "other"}, *snapshots]]
    options = json.dumps({"type": "context-options", "playwrightVersion": "1.65.1"}).encode()
    return {
        "trace.trace": options + b"\n",
        "trace.network": b"\n".join([lines[0], b"broken", *lines[1:]]),
        "resources/m.jsonl": LINE + b"\n",
    }


def test_playwrights_har_in_a_zip_archive(tmp_path: Path) -> None:
    data = zipped({"har.har": har(ATTACHED, creator="Playwright"), "m.jsonl": LINE + b"\n"})
    _, events, _ = opened(tmp_path, data, "page.har.zip")
    assert [(event.text, event.at) for event in events if isinstance(event, Frame)] == [("hello", 1.0)]


def test_playwrights_trace(tmp_path: Path) -> None:
    header, events, (first, second) = opened(tmp_path, zipped(trace()), "trace.zip")
    assert header.source == "har (Playwright 1.65.1)" and not header.tells("endings")
    assert [(event.text, event.conn) for event in events if isinstance(event, Frame)] == [("hello", 1)]
    assert first.status == 101 and second.refused and second.error == "gone"


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"a.txt": b"x"}, "neither a HAR file nor a trace"),
        ({"a.har": b"{}", "b.har": b"{}"}, "2 HAR files"),
        ({"a.har": b""}, "nothing in it"),
        ({"trace.network": b"{}"}, "is Playwright's trace without any WebSocket"),
    ],
)
def test_archives_of_other_things(tmp_path: Path, members: dict[str, bytes], words: str) -> None:
    with pytest.raises(HangupError, match=words):
        opened(tmp_path, zipped(members))


@EVERY
@given(at=st.integers(0, 1 << 16), byte=st.integers(0, 255), cut=st.booleans(), packed=st.sampled_from(["zip", "gzip"]))
def test_damaged_archives_are_refused_in_one_line(tmp_path: Path, at: int, byte: int, cut: bool, packed: str) -> None:
    data = bytearray(zipped(trace()) if packed == "zip" else gzip.compress(har(entry())))
    at %= len(data)
    data[at] = byte
    if cut:
        del data[at:]
    try:
        opened(tmp_path, bytes(data))
    except HangupError as error:
        assert "\n" not in str(error) and len(str(error)) < 600


# Chrome's netlog.


def talk(log: Netlog) -> None:
    log.ask()
    log.answer()
    log.frame(True, 1, b'{"a":1}')
    log.now += 5
    log.frame(False, 9, b"")
    log.frame(True, 10, b"")
    log.now += 5


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("raw", [True, False])
def test_a_netlog(tmp_path: Path, raw: bool, tls: bool) -> None:
    log = Netlog(raw=raw, tls=tls)
    talk(log)
    log.add(SOCKET, "SOCKET_BYTES_RECEIVED", byte_count=0)
    log.add(SOCKET, "SOCKET_IN_USE", 2)
    header, events, (connection,) = opened(tmp_path, log.dump())
    assert header.source == "netlog (Chromium 156)" and epoch(header.started) == OFFSET / 1000 + 1
    shake = events[0]
    assert isinstance(shake, Handshake) and shake.request.target == "/ws?a=1" and shake.waited == 0.02
    assert (shake.client, shake.server) == ("10.0.0.2:5000", "10.0.0.1:8000")
    assert ("Host", "h.test:8000") in shake.request.headers
    frames = [event for event in events if isinstance(event, Frame)]
    assert [(f.side, f.opcode, f.size) for f in frames] == [
        ("client", "text", 7), ("server", "ping", 0), ("client", "pong", 0),
    ]  # fmt: skip
    assert frames[0].text == ('{"a":1}' if raw else None) and header.tells("payloads") is raw
    assert header.tells("pings") and header.tells("closer")
    assert (connection.ending.by, connection.ending.how, connection.ended) == ("server", "fin", 0.03)


@pytest.mark.parametrize("raw", [True, False])
def test_a_netlogs_other_ends(tmp_path: Path, raw: bool) -> None:
    reset = Netlog(raw=raw)
    talk(reset)
    reset.add(SOCKET, "SOCKET_READ_ERROR", net_error=-101, os_error=104)
    reset.add(SOCKET, "SOCKET_IN_USE", 2)
    assert opened(tmp_path, reset.dump())[2][0].ending.how == "rst"
    left = Netlog(raw=raw)
    talk(left)
    left.add(SOCKET, "SOCKET_IN_USE", 2)
    ending = opened(tmp_path, left.dump())[2][0].ending
    assert (ending.by, ending.how) == ("client", "unknown")
    still = Netlog(raw=raw)
    talk(still)
    assert opened(tmp_path, still.dump())[2][0].ended is None
    closed = Netlog(raw=raw)
    talk(closed)
    closed.frame(False, 8, b"\x0f\xa1over")
    ending = opened(tmp_path, closed.dump())[2][0].ending
    assert (ending.by, ending.how, ending.code) == ("server", "close", 4001 if raw else None)
    assert ("whose code is not in the recording" in ending.sentence) is not raw


@pytest.mark.parametrize("raw", [True, False])
def test_a_netlogs_failed_handshakes(tmp_path: Path, raw: bool) -> None:
    refused = Netlog(raw=raw)
    refused.ask()
    refused.answer("HTTP/1.1 403 Forbidden\r\nServer: x\r\n\r\n")
    refused.add(10, "WEBSOCKET_UPGRADE_FAILURE", message="… Unexpected response code: 403")
    refused.add(SOCKET, "SOCKET_IN_USE", 2)
    (connection,) = opened(tmp_path, refused.dump())[2]
    assert connection.refused and connection.status == 403
    down = Netlog(raw=raw)
    down.add(10, "REQUEST_ALIVE", 1, url=down.url)
    down.add(10, "URL_REQUEST_START_JOB", 1, url=down.url)
    down.add(10, "URL_REQUEST_START_JOB", 2, net_error=-102)
    (connection,) = opened(tmp_path, down.dump())[2]
    assert connection.refused and connection.error.startswith("connection refused")
    waiting = Netlog(raw=raw)
    waiting.ask()
    (connection,) = opened(tmp_path, waiting.dump())[2]
    assert not connection.refused
    assert ("answered" if raw else "how the handshake ended") in connection.untold


def test_a_netlog_that_breaks_off(tmp_path: Path) -> None:
    log = Netlog()
    talk(log)
    data = log.dump()
    path = tmp_path / "file"
    path.write_bytes(data[: data.rindex(b'"time"') + 20])
    recording = open_recording(path)
    assert recording.torn and len([event for event in recording if isinstance(event, Frame)]) == 2


absurd = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def distorted(draw: Any, value: Any, keep: frozenset[str] = frozenset()) -> Any:
    """A document in which something is missing, something is absurd, and something is out of order."""
    if isinstance(value, dict):
        pairs = [(key, distorted(draw, each, keep)) for key, each in value.items()]
        if draw(st.integers(0, 9)) == 0 and pairs:
            at = draw(st.integers(0, len(pairs) - 1))
            if pairs[at][0] not in keep:
                pairs[at : at + 1] = draw(st.sampled_from([[], [(pairs[at][0], draw(absurd))]]))
        return dict(pairs)
    if isinstance(value, list):
        items = [distorted(draw, each, keep) for each in value]
        return draw(st.permutations(items)) if items and draw(st.integers(0, 3)) == 0 else items
    return draw(absurd) if draw(st.integers(0, 19)) == 0 else value


def reads_or_refuses(path: Path) -> None:
    try:
        recording = open_recording(path)
        events = list(recording)
    except HangupError as error:
        assert "\n" not in str(error) and len(str(error)) < 600
        return
    assert [event.at for event in events] == sorted(event.at for event in events)
    for event in events:
        assert ev.decode(ev.encode(event)) == event
    for connection in accounts(events):
        assert connection.ending.sentence and "\n" not in connection.ending.sentence
    diagnose(recording.header, recording)


@EVERY
@given(draw=st.data(), raw=st.booleans())
def test_absurd_netlogs(tmp_path: Path, draw: st.DataObject, raw: bool) -> None:
    log = Netlog(raw=raw)
    talk(log)
    log.frame(False, 8, b"\x0f\xa1over")
    log.add(SOCKET, "SOCKET_BYTES_RECEIVED", byte_count=0)
    document = distorted(draw.draw, json.loads(log.dump()), frozenset(("constants", "events", "logEventTypes")))
    (tmp_path / "file").write_text(json.dumps(document))
    reads_or_refuses(tmp_path / "file")


@EVERY
@given(draw=st.data(), name=st.sampled_from([path.name for path in sorted(IMPORTS.glob("devtools-[e4]*.har"))]
                                            + ["playwright-403.har", "no-response.har"]))  # fmt: skip
def test_absurd_hars_of_browsers(tmp_path: Path, draw: st.DataObject, name: str) -> None:
    document = json.loads((IMPORTS / name).read_text())
    entries = document["log"]["entries"]
    document["log"]["entries"] = [distorted(draw.draw, each) for each in entries * 3]
    (tmp_path / "file").write_text(json.dumps(document))
    reads_or_refuses(tmp_path / "file")


@EVERY
@given(draw=st.data())
def test_absurd_traces(tmp_path: Path, draw: st.DataObject) -> None:
    members = trace()
    lines = [line for line in members["trace.network"].split(b"\n") if line.startswith(b"{")]
    members["trace.network"] = b"\n".join(
        json.dumps(distorted(draw.draw, json.loads(line))).encode() for line in lines * 2
    )
    (tmp_path / "file").write_bytes(zipped(members))
    reads_or_refuses(tmp_path / "file")


# Bytes of both sides.

REQUEST = b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def told(*chunks: Chunk) -> list[AnyEvent]:
    return list(Conversation(Script(1), 0.0, "c:1", "s:2").events(chunks))


def chunk(at: float, side: Any, data: bytes | str) -> Chunk:
    return Chunk(at, side, "data", data) if isinstance(data, bytes) else Chunk(at, side, data)  # type: ignore[arg-type]


def test_a_conversation_in_any_pieces() -> None:
    client = REQUEST + b"\x81\x82\0\0\0\0hi"
    server = ANSWER.encode() + b"\x89\x00\x88\x02\x03\xe8"

    @given(st.lists(st.integers(0, 200), max_size=5), st.lists(st.integers(0, 200), max_size=5))
    def check(ours: list[int], theirs: list[int]) -> None:
        def pieces(side: Any, data: bytes, cuts: list[int], at: float) -> list[Chunk]:
            edges = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
            return [chunk(at, side, data[a:b]) for a, b in zip(edges, edges[1:], strict=False)]

        found = told(*pieces("client", client, ours, 1.0), *pieces("server", server, theirs, 2.0))
        assert [type(event) for event in found] == [Handshake, Frame, Frame, Frame]
        assert [(e.side, e.opcode) for e in found if isinstance(e, Frame)] == [
            ("client", "text"), ("server", "ping"), ("server", "close"),
        ]  # fmt: skip

    check()


def test_a_frame_that_is_too_large_to_be_held_comes_in_parts() -> None:
    payload = bytes(range(256)) * (12 << 10)
    wire = header(True, 0, 2, None, len(payload)) + payload
    pieces = [chunk(2.0 + at, "server", wire[start : start + 50_000])
              for at, start in enumerate(range(0, len(wire), 50_000))]  # fmt: skip
    after = chunk(99.0, "server", b"\x81\x02hi")
    found = told(chunk(1.0, "client", REQUEST), chunk(1.1, "server", ANSWER.encode()), *pieces, after)
    parts = [event for event in found if isinstance(event, Part)]
    large, small = (event for event in found if isinstance(event, Frame))
    assert large.parts == len(parts) > 1 and large.length == len(payload)
    assert {part.n for part in parts} == {large.n} and (small.n, small.text) == (large.n + 1, "hi")
    assert b"".join(sent_by(found, 1, "server")) == wire + b"\x81\x02hi"


def test_bytes_that_are_no_frame_and_half_a_frame_at_the_end() -> None:
    found = told(
        chunk(1.0, "client", REQUEST), chunk(1.1, "server", ANSWER.encode()),
        chunk(2.0, "client", b"GET / HTTP/1.1\r\n\r\n"), chunk(3.0, "server", b"\x81\x05he"),
        chunk(4.0, "server", "fin"),
    )  # fmt: skip
    raw = [event for event in found if isinstance(event, Raw)]
    assert [(event.side, event.payload) for event in raw] == [
        ("client", b"GET / HTTP/1.1\r\n\r\n"), ("server", b"\x81\x05he"),
    ]  # fmt: skip


def test_http_before_the_handshake_is_passed_over() -> None:
    found = told(
        chunk(0.1, "client", b"POST /login HTTP/1.1\r\nContent-Length: 30\r\n\r\n" + REQUEST[:30]),
        chunk(0.2, "server", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        chunk(0.3, "client", REQUEST),
        chunk(0.4, "server", ANSWER.encode()),
    )
    (shake,) = found
    assert isinstance(shake, Handshake) and shake.response is not None and shake.response.status == 101
    assert (shake.at, shake.waited) == (0.4, 0.1)


def test_a_refusal_with_its_body_and_handshakes_without_an_answer() -> None:
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\n"
    (shake,) = told(
        chunk(0.1, "client", REQUEST), chunk(0.2, "server", refusal + b"go"), chunk(0.3, "server", b"ne"),
        chunk(0.4, "server", "fin"), chunk(0.4, "client", "fin"),
    )  # fmt: skip
    assert isinstance(shake, Handshake) and shake.response is not None
    assert (shake.at, shake.response.status, shake.response.text) == (0.2, 403, "gone")
    (shake,) = told(chunk(0.1, "client", REQUEST), chunk(0.9, "server", "rst"))
    assert isinstance(shake, Handshake)
    assert shake.error == "the server ended the connection before the handshake was answered" and shake.waited == 0.8
    (shake, note) = told(chunk(0.1, "client", REQUEST))
    assert isinstance(shake, Handshake) and not shake.error and isinstance(note, Note) and note.ending
    assert told(chunk(0.1, "client", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")) == []


def test_what_a_capture_lacks_is_not_read_over() -> None:
    found = told(
        chunk(0.1, "client", REQUEST), chunk(0.2, "server", ANSWER.encode()),
        chunk(0.3, "client", b"\x81\x82\0\0\0\0hi"), chunk(0.4, "client", "gap"),
        chunk(0.5, "client", b"\xff\xff\xff\xff"), chunk(0.6, "server", b"\x81\x02yo"), chunk(0.7, "server", "fin"),
    )  # fmt: skip
    assert [event.text for event in found if isinstance(event, Frame)] == ["hi", "yo"]
    assert not any(isinstance(event, ev.Raw) for event in found)
    assert any(isinstance(event, Note) and "lacks bytes from the client" in event.text for event in found)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 10),
            st.sampled_from(SIDES),
            st.sampled_from(["fin", "rst", "gone", "gap"])
            | st.binary(max_size=40)
            | st.sampled_from([REQUEST, ANSWER.encode(), b"\x81\x82\0\0\0\0hi", b"\x89\x00"]),
        ),
        max_size=12,
    )
)
def test_any_chunks_in_any_order(chunks: list[tuple[float, Any, Any]]) -> None:
    events = told(*(chunk(*each) for each in chunks))
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert all(connection.ending.sentence for connection in accounts(events))


# Times that nobody knew.


def test_a_flow_without_a_time_does_not_move_the_others_to_1970(tmp_path: Path) -> None:
    from mitmproxy.io import tnetstring
    from mitmproxy.test import tflow

    known: Any = tflow.twebsocketflow().get_state()
    unknown: Any = tflow.twebsocketflow().get_state()
    for part in ("request", "client_conn", "response"):
        known[part]["timestamp_start"] = ZERO
        unknown[part]["timestamp_start"] = 0
    unknown["websocket"]["timestamp_end"] = 0
    header, events, found = opened(tmp_path, tnetstring.dumps(unknown) + tnetstring.dumps(known))
    assert epoch(header.started) == ZERO and len(found) == 2
    assert all(event.at < 1.0 for event in events if isinstance(event, Handshake))
    header, _, _ = opened(tmp_path, tnetstring.dumps(unknown))
    assert header.started == ""
    shown = CliRunner().invoke(cli, ["show", str(tmp_path / "file")], catch_exceptions=False)
    assert shown.exit_code == 0 and "1970" not in shown.stdout and "from an unknown date" in shown.stdout


# What is missing is no evidence.


def test_a_silence_shows_nothing_where_pings_are_not_told() -> None:
    """A connection that was silent for 30 s without harm refutes an idle timeout of 10 s, unless there may have been
    pings that the file has no place for."""
    talking = Talk()
    talking.open(1)
    talking.say(1, "client", "text", b'{"a":1}')
    talking.wait(30_000_000)
    talking.say(1, "client", "text", b'{"a":1}')
    talking.wait(10_000_000)
    talking.close(1, "server", 1000)
    for conn in (2, 3):
        talking.open(conn)
        talking.say(conn, "client", "text", b'{"a":1}')
        talking.wait(10_000_000)
        talking.close(conn, "server", 1000)
    events = talking.stop()
    heard = []
    for lacks in ([], ["pings"]):
        header = Header(hangup=1, started="2026-11-22T21:08:00Z", lacks=lacks)
        texts = [each.text for found in hypotheses(Case(look_into(header, events))) for each in found.evidence]
        heard.append(any("did no harm" in text and "silence" in text for text in texts))
    assert heard == [True, False]
