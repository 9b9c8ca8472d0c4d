"""Round trips: what a format has a place for comes back from it; and every reader and writer takes anything."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import threading
import tracemalloc
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import recorded
import reports
from conversing import HEADER, KEY, Said, Talk, conversations
from fuzzing.damage import damaged
from hangup.errors import ForeignRecording, HangupError, RecordingError, UsageError
from hangup.proxy.flows import FlowWriter
from hangup.recording import events as ev
from hangup.recording.assembling import Messages
from hangup.recording.events import AnyEvent, Frame, Handshake, Header, Note
from hangup.recording.formats import FORMATS, detect, format_for, open_recording
from hangup.recording.formats.json_elements import elements
from hangup.recording.formats.message_writer import Writer
from hangup.recording.formats.spool import CHUNK, Spool
from hangup.recording.formats.writing import writer
from hangup.recording.ledger import Ledger
from hangup.web.report import HtmlWriter

BOTH_WAYS = ["har", "playwright", "mitmproxy"]
WRITTEN = [name for name, each in FORMATS.items() if each.writes and name != "hangup"]


def written(name: str, events: Iterable[AnyEvent], header: Header = HEADER) -> tuple[bytes, str]:
    """A recording in some format, and what was lost."""
    out = io.BytesIO()
    made: Writer
    if name == "html":
        events = list(events)
        made = HtmlWriter(out, header, reports.explained(events, header))
    else:
        made = FlowWriter(out, header) if name == "mitmproxy" else writer(name, out, header)
    try:
        for event in events:
            made.write(event)
        made.finish()
    finally:
        made.close()
    return out.getvalue(), made.losses.words


def read(path: Path, data: bytes) -> tuple[Header, list[AnyEvent]]:
    path.write_bytes(data)
    recording = open_recording(path)
    events = list(recording)
    assert list(recording) == events, "a recording can be read again"
    return recording.header, events


def messages(events: Iterable[AnyEvent]) -> dict[int, list[Said]]:
    assembler = Messages()
    found: dict[int, list[Said]] = {}
    for event in events:
        if isinstance(event, Handshake):
            found[event.conn] = []
        message = assembler.feed(event)
        if message is not None and message.data is not None:
            found.setdefault(message.conn, []).append(Said(message.side, message.opcode, message.data, message.at))
    return found


def endings(events: Iterable[AnyEvent]) -> dict[int, Any]:
    ledger = Ledger()
    for event in events:
        ledger.feed(event)
    return {conn: each.ending for conn, each in ledger.connections.items()}


def moments(said: dict[int, list[Said]], started: float) -> list[list[tuple[str, str, bytes, int]]]:
    """Times are compared as microseconds since 1970: what a recording counts from may differ."""
    return [
        [(each.side, each.opcode, each.data, round((each.at + started) * 1e6)) for each in said[conn]]
        for conn in sorted(said)
    ]


def epoch(header: Header) -> float:
    from datetime import datetime

    return datetime.fromisoformat(header.started).timestamp()


def test_assembled_messages_are_what_was_said() -> None:
    @given(conversations())
    def check(talk: Talk) -> None:
        assert messages(talk.events) == talk.said

    check()


@pytest.mark.parametrize("name", BOTH_WAYS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(talk=conversations())
def test_messages_times_and_handshakes_come_back(name: str, tmp_path: Path, talk: Talk) -> None:
    data, _ = written(name, talk.events)
    header, events = read(tmp_path / "file", data)
    ours, theirs = moments(talk.said, epoch(HEADER)), moments(messages(events), epoch(header))
    assert [[each[:3] for each in conn] for conn in ours] == [[each[:3] for each in conn] for conn in theirs]
    for left, right in zip(sum(ours, []), sum(theirs, []), strict=True):
        assert abs(left[3] - right[3]) <= 1
    handshakes = [
        [(e.request.target, e.request.headers, e.response and (e.response.status, e.response.headers)) for e in each]
        for each in (
            [e for e in talk.events if isinstance(e, Handshake)],
            sorted((e for e in events if isinstance(e, Handshake)), key=lambda e: e.conn),
        )
    ]
    assert handshakes[0] == handshakes[1]


@pytest.mark.parametrize("name", BOTH_WAYS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(talk=conversations())
def test_endings_come_back(name: str, tmp_path: Path, talk: Talk) -> None:
    data, _ = written(name, talk.events)
    _, events = read(tmp_path / "file", data)
    ours, theirs = list(endings(talk.events).values()), list(endings(events).values())
    for left, right in zip(ours, theirs, strict=True):
        assert (left.by, left.code) == (right.by, right.code)
        if name == "mitmproxy" and left.how in ("fin", "rst"):
            assert right.how == "rst" and "does not distinguish a FIN from a RST" in right.sentence
        else:
            assert (left.how, left.reason or "") == (right.how, right.reason or "")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(talk=conversations())
def test_our_own_format_loses_nothing(tmp_path: Path, talk: Talk) -> None:
    data, lost = written("hangup", talk.events)
    header, events = read(tmp_path / "file", data)
    assert (header, events, lost) == (HEADER, talk.events, "")


@pytest.mark.parametrize("name", BOTH_WAYS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(talk=conversations(odd=False))
def test_a_second_journey_changes_nothing(name: str, tmp_path: Path, talk: Talk) -> None:
    """What was imported once is exported and imported as it was, with nothing lost on the way but the header's rest."""
    header, once = read(tmp_path / "file", written(name, talk.events)[0])
    data, lost = written(name, once, header)
    again_header, twice = read(tmp_path / "file", data)
    assert once == twice and header.started == again_header.started
    assert lost in ("", "how TCP ended")


def test_imported_client_frames_can_be_replayed(tmp_path: Path) -> None:
    talk = Talk()
    talk.open(1)
    talk.say(1, "client", "text", b"hello")
    talk.say(1, "server", "text", b"there")
    _, events = read(tmp_path / "file", written("har", talk.stop())[0])
    frames = [event for event in events if isinstance(event, Frame)]
    assert [(f.n, f.side, f.mask, f.text, f.problems) for f in frames] == [
        (1, "client", "00000000", "hello", ()),
        (2, "server", None, "there", ()),
    ]


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_what_is_lost_is_said(name: str) -> None:
    talk = Talk()
    talk.open(1, compressed=True)
    talk.say(1, "client", "text", b"hello" * 10, cuts=[5], packed=True)
    talk.frame(1, "server", 9, b"")
    talk.frame(1, "client", 10, b"")
    talk.frame(1, "client", 10, b"")
    talk.frame(1, "server", 1, b"beginning", fin=False)
    talk.close(1, "server", 1000)
    talk.events.append(ev.Log(at=1.0, text="line"))
    lost = written(name, talk.stop())[1]
    for word in ("1 ping", "2 pongs", "masking keys", "fragment boundaries", "compression", "how TCP ended"):
        assert word in lost
    assert "1 unfinished message" in lost and "1 log line" in lost


def test_a_message_too_large_to_repeat_comes_whole_from_its_parts(tmp_path: Path) -> None:
    large = b"0123456789abcdef" * (200 << 10)
    talk = Talk()
    talk.open(1, compressed=True)
    talk.say(1, "server", "text", large)
    talk.say(1, "client", "binary", large, cuts=[1 << 20])
    talk.say(1, "client", "text", large, packed=True)
    talk.say(1, "client", "text", b"after", packed=True)
    assert any(isinstance(event, ev.Part) for event in talk.events)
    for name in BOTH_WAYS:
        _, events = read(tmp_path / "file", written(name, talk.events)[0])
        assert [len(each.data) for each in messages(events)[1]] == [len(large)] * 3 + [5]
        assert messages(events)[1][1].data == large


# Any events, and any bytes.


@pytest.mark.parametrize("name", ["hangup", *WRITTEN])
@given(events=st.lists(recorded.events, max_size=12))
def test_every_writer_takes_any_events(name: str, events: list[AnyEvent]) -> None:
    try:
        written(name, events)
    except HangupError as error:
        assert name == "pcapng" and "\n" not in str(error)  # which needs the bytes, and so events that make sense


def example() -> list[AnyEvent]:
    talk = Talk()
    for conn in (1, 2):
        talk.open(conn, target="/ws?x=1")
        talk.say(conn, "client", "text", '{"a":"é\U0001f600"}'.encode())
        talk.say(conn, "server", "binary", b"\x00\xff")
        talk.close(conn, "server", 4001, "bye")
    return talk.stop()


@pytest.mark.parametrize("name", ["hangup", *BOTH_WAYS])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_damaged_files_are_read_or_refused_in_one_line(name: str, tmp_path: Path, draw: st.DataObject) -> None:
    path = tmp_path / "file"
    path.write_bytes(draw.draw(damaged(written(name, example())[0])))
    try:
        for event in open_recording(path):
            ev.encode(event)
    except HangupError as error:
        assert "\n" not in str(error) and len(str(error)) < 600


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(RecordingError) as error:
        list(open_recording(path))
    assert "\n" not in str(error.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "log entries request response headers url status time timings wait name value content text _file "
                "method _webSocketMessages _webSocketClose _webSocketEnd type opcode data by how code".split()
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entry=st.dictionaries(st.sampled_from(["request", "response", "timings", "startedDateTime"]), json_values),
       messages=st.lists(st.dictionaries(st.sampled_from(["type", "time", "opcode", "data"]), json_values), max_size=4),
       close=json_values, end=json_values)  # fmt: skip
def test_absurd_hars_never_raise_anything_else(
    tmp_path: Path, entry: dict[str, Any], messages: list[Any], close: Any, end: Any
) -> None:
    entry = {"request": {"url": "ws://h/"}, "response": {"status": 101}} | entry
    entry |= {"_webSocketMessages": messages, "_webSocketClose": close, "_webSocketEnd": end}
    path = tmp_path / "file"
    path.write_text(json.dumps({"log": {"entries": [entry]}}))
    try:
        times = [event.at for event in open_recording(path)]
    except HangupError as error:
        assert "\n" not in str(error)
    else:
        assert times == sorted(times)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"  \n", "is not a recording"),
        (b"hello", "is neither a hangup recording, nor a HAR, nor a mitmproxy flow file"),
        (b'{"a": 1}', "is JSON, but neither"),
        (b"\x0a\x0d\x0d\x0a....", "packet capture"),
        (b"PK\x03\x04....", "zip archive that cannot be read"),
        (b"PK\x05\x06" + bytes(18), "zip archive with neither a HAR file nor a trace"),
        (b"\x1f\x8b\x08..", "packed with gzip and is damaged"),
        (b"\x28\xb5\x2f\xfd..", "compressed with zstd"),
        (b'{"traceEvents": [', "performance trace"),
        (b'{"constants": {"logEventTypes": {}}, "events": []}', "netlog of Chrome's without any WebSocket"),
        (b'{"constants": {"logEventTypes": {', "netlog of Chrome's that cannot be read"),
        (b'{"a": "' + b"b" * 40_000 + b'"}', "is JSON, but neither"),
        (b'{"a": "' + b"b" * 40_000, "begins as JSON, but is neither"),
        (b'{"log": {"entries": []}}', "without any WebSocket"),
        (b'{"log": {"entries": [{"request": {"url": "http://h/"}}]}}', "without any WebSocket (1 HTTP request)"),
        (b'{"log": {"entries": [{', "is not a whole HAR file"),
        (b'{"log": {"entries": ' + b"[" * 100_000, "is not a whole HAR file"),
        (b'{"hangup": 99, "started": ""}\n', "written by a newer hangup"),
        (b"999999999999:7:version;2:21#}", "is not a whole mitmproxy flow file"),
        (b"18:7:version;2:11#}}", "not a whole mitmproxy flow file"),
        (b"15:7:version;2:11#}", "mitmproxy 6 or older"),
    ],
)
def test_foreign_files(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(RecordingError, match=words.replace("(", r"\(").replace(")", r"\)")) as error:
        open_recording(path)
    assert str(path) in str(error.value)


def test_a_folder_and_nothing(tmp_path: Path) -> None:
    with pytest.raises(ForeignRecording, match="is a folder"):
        open_recording(tmp_path)
    with pytest.raises(RecordingError, match="there is no recording"):
        open_recording(tmp_path / "none")
    with pytest.raises(UsageError, match="cannot read the format"):
        open_recording(tmp_path, "markdown")


class Piped:
    """A program's standard input that is a pipe, in which these bytes come."""

    def __init__(self, data: bytes) -> None:
        reads, writes = os.pipe()
        self.buffer = open(reads, "rb")
        self._writer = threading.Thread(target=self._write, args=(writes, data))
        self._writer.start()

    @staticmethod
    def _write(writes: int, data: bytes) -> None:
        with open(writes, "wb") as out, suppress(BrokenPipeError):
            out.write(data)

    def close(self) -> None:
        self.buffer.close()
        self._writer.join()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of older Pythons say there that one can seek in them")
@pytest.mark.parametrize("name", ["hangup", "har", "mitmproxy"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_what_comes_by_a_pipe_is_read_as_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, packed: bool
) -> None:
    talk = Talk()
    talk.open(1)
    talk.say(1, "client", "text", b"hello")
    talk.close(1, "server", 1000)
    data, _ = written(name, talk.stop())
    piped = Piped(gzip.compress(data) if packed else data)
    monkeypatch.setattr(sys, "stdin", piped)
    try:
        if name == "hangup" and packed:
            with pytest.raises(ForeignRecording, match="standard input is compressed with gzip: unpack it"):
                open_recording("-")
            return
        recording = open_recording("-")
        assert recording.name == "standard input"
        found = list(recording)
    finally:
        piped.close()
    _, expected = read(tmp_path / "file", data)
    assert messages(found) == messages(expected) and messages(found)[1][0].data == b"hello"


def test_without_standard_input_there_is_nothing_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(RecordingError, match="standard input is closed"):
        open_recording("-")


def test_whoever_knows_the_format_better_may_say_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(written("har", [])[0])
    with pytest.raises(ForeignRecording, match="is a packet capture: `hangup convert`"):
        open_recording(path, "pcapng")
    with pytest.raises(RecordingError, match="not a whole mitmproxy flow file"):
        open_recording(path, "mitmproxy")


def test_a_har_over_the_limit_is_refused_without_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "big.har"
    with open(path, "wb") as file:
        file.write(b'{"log": {"entries": [')
        file.truncate((2 << 30) + 1)  # sparse
    with pytest.raises(ForeignRecording, match=r"HAR of 2.0 GiB: no more than 2.0 GiB can be read"):
        open_recording(path)


def test_half_a_flow_at_the_end_is_told_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(written("mitmproxy", example())[0][:-10])
    recording = open_recording(path)
    assert recording.torn and recording.skipped == 1
    assert {event.conn for event in recording} == {0, 1}


@pytest.mark.parametrize(
    ("path", "given", "name"),
    [
        ("a.har", None, "har"),
        ("A.HAR", None, "har"),
        ("a.jsonl", None, "hangup"),
        ("a.flow", None, "mitmproxy"),
        ("a.mitm", None, "mitmproxy"),
        ("a.pcapng", None, "pcapng"),
        ("a.md", None, "markdown"),
        ("a.HTML", None, "html"),
        ("-", "markdown", "markdown"),
        ("a.har", "playwright", "playwright"),
    ],
)
def test_the_format_to_write(path: str, given: str | None, name: str) -> None:
    assert format_for(path, given).name == name


@pytest.mark.parametrize(("path", "given"), [("a.txt", None), ("a", None), ("-", None), ("a.har", "xml")])
def test_no_format_to_write(path: str, given: str | None) -> None:
    with pytest.raises(UsageError, match="hangup, har, playwright, mitmproxy, pcapng, markdown, html"):
        format_for(path, given)


@pytest.mark.parametrize("name", ["hangup", *BOTH_WAYS])
def test_formats_are_known_by_their_contents(name: str) -> None:
    data, _ = written(name, example())
    found = detect(data[: 1 << 16])
    assert found == ("har" if name == "playwright" else name)
    assert detect(b"\xef\xbb\xbf" + data[:60000]) == found


# HARs as others write them.


def har(messages: list[dict[str, Any]], **entry: Any) -> bytes:
    request = {"method": "GET", "url": "ws://127.0.0.1:8000/ws?a=1", "httpVersion": "HTTP/1.1", "headers": []}
    response = {"status": 101, "statusText": "Switching Protocols", "headers": []}
    entry = {"startedDateTime": "2026-11-22T21:08:00.000Z", "request": request, "response": response} | entry
    entry["_webSocketMessages"] = messages
    page = {"startedDateTime": "2026-11-22T21:08:00.000Z", "request": {"url": "http://h/"}, "response": {"status": 200}}
    return json.dumps({"log": {"creator": {"name": "Some", "version": "1"}, "entries": [page, entry]}}).encode()


ZERO = 1795381680.0  # 2026-11-22T21:08:00Z


@pytest.mark.parametrize(
    "times",
    [
        [ZERO + 1.5, ZERO + 2.25],  # Chrome, Firefox, mitmproxy, HTTP Toolkit
        [(ZERO + 1.5) * 1000, (ZERO + 2.25) * 1000],  # Playwright
        [(ZERO + 1.5) * 1e6, (ZERO + 2.25) * 1e6],
    ],
)
def test_times_in_any_unit(tmp_path: Path, times: list[float]) -> None:
    said = [{"type": "send", "opcode": 1, "data": str(i), "time": at} for i, at in enumerate(times)]
    header, events = read(tmp_path / "file", har(said))
    assert header.started == "2026-11-22T21:08:00.000000Z" and header.source == "har (Some 1)"
    assert [event.at for event in events if isinstance(event, Frame)] == [1.5, 2.25]


def test_a_clock_that_counts_from_the_browsers_start(tmp_path: Path) -> None:
    said = [{"type": "send", "opcode": 1, "data": "", "time": at} for at in (4711.0, 4711.5)]
    _, events = read(tmp_path / "file", har(said, timings={"wait": 250}))
    assert [event.at for event in events if isinstance(event, Frame)] == [0.25, 0.75]


@pytest.mark.parametrize("unknown", [-1, None, "soon", 1e300, True])
def test_unknown_times(tmp_path: Path, unknown: Any) -> None:
    said = [{"type": "receive", "opcode": 1, "data": "x", "time": unknown} for _ in range(2)]
    _, events = read(tmp_path / "file", har(said))
    assert [event.at for event in events if isinstance(event, Frame)] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("opcode", "data", "payload"),
    [
        (1, "hé", "hé".encode()),
        (2, "AQL/", b"\x01\x02\xff"),
        (2, "\x01\x02\xff", b"\x01\x02\xff"),  # not base64: byte by byte
        (2, "not base64 \u20ac", "not base64 \u20ac".encode()),
        (9, "aGk=", b"hi"),
        (1, {"an": "object"}, b'{"an":"object"}'),
        (1, None, b""),
        ("1", "text", b"text"),
    ],
)
def test_payloads(tmp_path: Path, opcode: Any, data: Any, payload: bytes) -> None:
    _, events = read(tmp_path / "file", har([{"type": "send", "opcode": opcode, "data": data, "time": ZERO}]))
    (frame,) = [event for event in events if isinstance(event, Frame)]
    assert frame.payload == payload and frame.opcode == {1: "text", 2: "binary", 9: "ping", "1": "text"}[opcode]


def test_lone_surrogates_as_javascript_writes_them(tmp_path: Path) -> None:
    data = har([{"type": "send", "opcode": 1, "data": "a\ud83d", "time": ZERO}, {"type": "send", "data": "\U0001f600"}])
    assert rb"\ud83d" in data and rb"\ud83d\ude00" in data
    _, events = read(tmp_path / "file", data)
    assert [event.text for event in events if isinstance(event, Frame)] == ["a\ufffd", "\U0001f600"]


def test_a_close_by_nobody_known_is_not_made_up(tmp_path: Path) -> None:
    """HTTP Toolkit keeps code and reason, and not who closed."""
    close = {"code": 1000, "reason": "bye", "timestamp": ZERO + 3}
    _, events = read(tmp_path / "file", har([], _webSocketClose=close))
    (note,) = [event for event in events if isinstance(event, Note)]
    assert note.text == "closed with code 1000 and the reason 'bye'; the HAR does not say by which side"
    assert (note.conn, note.at, note.ended, note.code) == (1, 3.0, True, 1000)
    ending = endings(events)[1]
    assert (ending.by, ending.how, ending.code, ending.at) == ("unknown", "close", 1000, 3.0)
    assert ending.sentence == f"{note.text}, 3.00 s after opening and before any frame"
    _, events = read(tmp_path / "file", har([], _webSocketClose="aborted"))
    assert [event.text for event in events if isinstance(event, Note)] == [
        "ended without a close frame; the HAR does not say by which side"
    ]


def test_a_har_that_does_not_tell_the_end_is_not_said_to_be_open(tmp_path: Path) -> None:
    _, events = read(tmp_path / "file", har([]))
    assert endings(events)[1].sentence == "the HAR does not say whether and how it ended"
    again, _ = written("har", events)
    _, events = read(tmp_path / "again", again)
    assert endings(events)[1].sentence == "the HAR does not say whether and how it ended"
    _, events = read(tmp_path / "own", har([], _webSocketEnd={"by": "unknown", "how": "none"}))
    assert endings(events)[1].sentence == "still open when the recording ended"


def test_a_refused_handshake(tmp_path: Path) -> None:
    _, events = read(tmp_path / "file", har([], response={"status": 403, "statusText": "Forbidden", "headers": []}))
    assert endings(events)[1].sentence == "the server refused the handshake with HTTP 403 (Forbidden)"
    _, events = read(tmp_path / "file", har([], response={"status": 0, "_error": "net::ERR_CONNECTION_REFUSED"}))
    assert "net::ERR_CONNECTION_REFUSED" in endings(events)[1].sentence


def test_playwrights_messages_in_a_file_beside_the_har(tmp_path: Path) -> None:
    entry = json.loads(har([]))["log"]["entries"][1]
    del entry["_webSocketMessages"]
    entry |= {"_resourceType": "websocket"}
    entry["response"] |= {"content": {"_file": "../sneaky/messages.jsonl"}}
    line = json.dumps({"type": "send", "time": (ZERO + 1) * 1000, "opcode": 1, "data": "hello"})
    (tmp_path / "messages.jsonl").write_text(line + "\nbroken\n" + line + "\n")
    _, events = read(tmp_path / "har.har", json.dumps({"log": {"entries": [entry]}}).encode())
    assert [event.text for event in events if isinstance(event, Frame)] == ["hello", "hello"]


def test_what_mitmproxy_dropped_and_injected(tmp_path: Path) -> None:
    from mitmproxy.io import tnetstring
    from mitmproxy.test import tflow

    state: Any = tflow.twebsocketflow().get_state()
    state["websocket"]["messages"] = [(1, True, b"a", 1.0, True, False), (1, False, b"b", 2.0, False, True)]
    _, events = read(tmp_path / "file", tnetstring.dumps(state))
    frame, dropped, injected = events[1:4]
    assert isinstance(frame, Frame) and frame.text == "a"
    assert isinstance(dropped, ev.FilterEvent) and (dropped.action, dropped.n, dropped.wire) == ("drop", 1, None)
    assert isinstance(injected, ev.FilterEvent) and (injected.action, injected.wire) == ("inject", b"\x81\x01b")


# The spool.


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, CHUNK * 2)), max_size=30))
def test_the_spool_gives_back_what_it_was_given(appended: list[tuple[int, int]]) -> None:
    expected: dict[int, bytes] = {}
    with Spool() as spool:
        for i, (key, size) in enumerate(appended):
            data = bytes([i % 251]) * size
            spool.append(key, data)
            expected[key] = expected.get(key, b"") + data
        for key in range(-3, 4):
            assert b"".join(spool.read(key)) == expected.get(key, b"")
            assert spool.length(key) == len(expected.get(key, b""))


def test_keys_are_masks(tmp_path: Path) -> None:
    """The recordings of these tests are masked as a client must."""
    talk = Talk()
    talk.open(1)
    talk.say(1, "client", "text", b"x")
    assert [event.mask for event in talk.events if isinstance(event, Frame)] == [KEY.hex()]


# Arrays that are never in memory as a whole.


@given(st.lists(json_values, max_size=6))
def test_elements_of_an_array(values: list[Any]) -> None:
    text = json.dumps(values).encode()
    assert [json.loads(element.tobytes()) for element in elements(text)] == json.loads(text)
    assert list(elements(json.dumps({"a": values}).encode())) == []


@pytest.mark.measured
def test_an_array_of_millions_costs_no_memory() -> None:
    array = b"[" + b"0," * 400_000 + b"0]"
    tracemalloc.start()
    try:
        assert sum(1 for _ in elements(array)) == 400_001
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_more_connections_than_anybody_has_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hangup.recording.formats import flow as flow_reader
    from hangup.recording.formats import har as har_reader

    for module, name in ((har_reader, "har"), (flow_reader, "mitmproxy")):
        monkeypatch.setattr(module, "CONNECTIONS", 1)
        path = tmp_path / name
        path.write_bytes(written(name, example())[0])
        recording = open_recording(path)
        assert recording.skips == [(2, "there are more than 1 connections")]
        assert {event.conn for event in recording} == {0, 1}
