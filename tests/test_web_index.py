"""The index of a recording: the same however the file grows, and nothing that a naive look would not find, too."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recorded as rec
from hangup.diagnosis.diagnose import diagnose
from hangup.errors import ForeignRecording, RecordingError
from hangup.filters import patterns
from hangup.recorder import journal
from hangup.recording import events as ev
from hangup.recording import loops, reader
from hangup.recording.events import AnyEvent
from hangup.recording.ledger import Ledger
from hangup.web import overview
from hangup.web.index import Entries, Track, beats
from hangup.web.queries import ask
from hangup.web.query import QueryError
from hangup.web.recorded import Recorded, browser_code, clean, fate
from hangup.web.wording import words
from harness import until

FOREVER = 1e9
GOLDEN = sorted((Path(__file__).parents[1] / "recordings").glob("[a-z]*.jsonl"))


def opened(path: Path, **facts: Any) -> Recorded:
    recorded = Recorded(path, facts)
    assert not recorded.read(FOREVER)
    return recorded


def query(recorded: Recorded, what: str, **given: Any) -> dict[str, Any]:
    """The answer, as it comes out of JSON."""
    answer = ask(recorded, what, {name.rstrip("_"): str(value) for name, value in given.items()})
    if not isinstance(answer, dict):
        try:
            while True:
                next(answer)
        except StopIteration as stop:
            answer = stop.value
    told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(answer))
    return told


def everything(recorded: Recorded) -> dict[str, Any]:
    found = query(recorded, "overview")
    del found["rev"]
    conns = [each["conn"] for each in found["connections"]]
    found["ticks"] = query(recorded, "ticks", from_=-1e308, to=1e308, px=50, conns=",".join(map(str, conns)))
    for conn in conns:
        found[str(conn)] = [query(recorded, each, conn=conn) for each in ("entries", "connection")]
    return found


lists = st.lists(rec.events, max_size=30)
shares = st.lists(st.floats(0, 1), max_size=8)


@given(lists, shares)
def test_a_file_that_grows_and_one_that_is_there(events: list[AnyEvent], cuts: list[float]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "grows.jsonl"
        data = ev.dump([rec.HEADER, *events])
        head = data.index(b"\n") + 1
        path.write_bytes(data[:head])
        growing = Recorded(path)
        with open(path, "ab", buffering=0) as file:
            at = head
            for cut in [*sorted(cuts), 1.0]:
                end = head + round(cut * (len(data) - head))
                at += file.write(data[at:end])
                growing.read(FOREVER)
                everything(growing)  # nobody is disturbed by a look in between
        assert growing.tail.read_up_to == len(data) and not growing.tail.torn
        there = opened(path)
        assert everything(growing) == everything(there)

        ledger = Ledger()
        for event in reader.read(path):
            ledger.feed(event)
        assert {c: each.summary() for c, each in there.index.ledger.connections.items()} == {
            c: each.summary() for c, each in ledger.connections.items()
        }


def kind_of(event: AnyEvent) -> tuple[str, int] | None:
    """Class and side of a tick, told naively."""
    if isinstance(event, ev.Raw):
        return "problem", int(event.side == "server")
    if not isinstance(event, ev.Frame):
        return None
    side = int(event.side == "server")
    if event.problems:
        return "problem", side
    if event.opcode in ("ping", "pong", "close"):
        return event.opcode, side
    return ("heartbeat" if event.fin and beats(event) else "data"), side


windows = st.tuples(rec.times, rec.times).filter(lambda w: w[0] < w[1] and math.isfinite(w[1] - w[0]))


@given(lists, windows, st.integers(1, 40), st.sampled_from([0, 3, 2000]))
def test_ticks_are_those_of_a_naive_count(
    events: list[AnyEvent], window: tuple[float, float], px: int, most: int
) -> None:
    start, end = window
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(overview, "TICKS", most)
        recorded = opened(rec.write(Path(folder) / "run.jsonl", [*events]))
        conns = list(recorded.index.lanes)
        lanes = query(recorded, "ticks", from_=start, to=end, px=px, conns=",".join(map(str, conns)))["lanes"]
        for conn in conns:
            naive = Counter(
                (*kind, event.at)
                for event in events
                if event.conn == conn and (kind := kind_of(event)) and start <= event.at < end
            )
            lane = lanes[str(conn)]
            if naive.total() <= most:
                assert Counter((kind, side, at) for at, side, kind, _ in lane["ticks"]) == naive
                for at, side, kind, number in lane["ticks"]:
                    entry = query(recorded, "entries", conn=conn, from_=number, count=1)["entries"][0]
                    assert (entry["at"], entry["side"]) == (at, "server" if side else "client")
                    assert kind != "heartbeat" or entry["heartbeat"]
            else:
                assert all(0 <= x < px and count > 0 for found in lane["bins"].values() for x, count in found)
                sums = {name: sum(count for _, count in found) for name, found in lane["bins"].items()}
                counts = Counter(f"{kind}-{side}" for kind, side, _ in naive.elements())
                assert sums == dict(counts)


@given(st.lists(st.floats(0, 10)), st.integers(1, 30))
def test_bins_do_not_depend_on_the_order(times: list[float], count: int) -> None:
    ordered, mixed = Track(), Track()
    for number, at in enumerate(times):
        mixed.add(at, number)
    for number, at in enumerate(sorted(times)):
        ordered.add(at, number)
    assert ordered.bins(1.0, 9.0, count) == mixed.bins(1.0, 9.0, count)
    assert sum(n for _, n in mixed.bins(1.0, 9.0, count)) == mixed.count(1.0, 9.0) == ordered.count(1.0, 9.0)


@given(st.lists(st.sampled_from("xy")), st.integers(0, 5), st.integers(0, 5))
def test_entries_and_log_lines_are_merged_in_the_order_of_the_file(order: list[str], low: int, more: int) -> None:
    from array import array

    own = array("Q", [place for place, each in enumerate(order) if each == "x"])
    logs = array("Q", [place for place, each in enumerate(order) if each == "y"])
    low = min(low, len(logs))
    high = min(low + more, len(logs))
    entries = Entries(own, logs, low, high)
    places = sorted([*own, *logs[low:high]])
    assert len(entries) == len(places)
    for start in range(len(places) + 2):
        for count in (0, 1, 3):
            found = list(entries.places(start, count))
            assert [place for _, place, _ in found] == places[start : start + count]
            assert [number for number, _, _ in found] == list(range(start, min(start + count, len(places))))
            assert all(place == (own[mine] if mine is not None else place) for _, place, mine in found)
    assert [entries.number(mine) for mine in range(len(own))] == [places.index(place) for place in own]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_recordings_say_what_the_command_line_says(path: Path) -> None:
    recorded = opened(path)
    source = reader.read(path)
    ledger = Ledger()
    for event in source:
        ledger.feed(event)
    found = query(recorded, "overview")
    assert found["complete"] and found["indexed"] == found["size"] == path.stat().st_size
    for told in found["connections"]:
        summary = ledger.connections[told["conn"]].summary()
        assert told["sentence"] == summary["ending"]["sentence"]
        assert (told["frames"], told["bytes"], told["kind"]) == (summary["frames"], summary["bytes"], summary["kind"])
    expected = loops.find(ledger.connections.values(), now=ledger.last_at)
    assert [loop["sentence"] for loop in found["loops"]] == [loop.sentence for loop in expected]
    for number, loop in enumerate(found["loops"]):
        assert {each["conn"] for each in found["connections"] if each["loop"] == number} == set(loop["conns"])
    said = diagnose(source.header, source, None, str(path)).summary()
    assert query(recorded, "why") == msgspec.json.decode(msgspec.json.encode(said))


def test_why_goes_on_from_where_it_was(tmp_path: Path) -> None:
    events = rec.loop(6)
    path = tmp_path / "run.jsonl"
    data = ev.dump([rec.HEADER, *events])
    half = data.index(b"\n", len(data) // 2) + 1
    path.write_bytes(data[:half])
    recorded = opened(path)
    early = query(recorded, "why")
    with open(path, "ab") as file:
        file.write(data[half:])
    recorded.read(FOREVER)
    late = query(recorded, "why")
    assert early["connections"]["all"] < late["connections"]["all"] == 6
    assert late == query(opened(path), "why")
    source = reader.read(path)
    one = diagnose(source.header, source, 3, str(path)).summary()
    assert query(recorded, "why", conn=3) == msgspec.json.decode(msgspec.json.encode(one))
    with pytest.raises(QueryError, match="no connection 7"):
        query(recorded, "why", conn=7)


def test_only_what_changed_is_told_again(tmp_path: Path) -> None:
    path = rec.write(tmp_path / "run.jsonl", [rec.handshake(1.0, 1), rec.handshake(1.1, 2)])
    recorded = opened(path, live=True)
    first = query(recorded, "overview")
    assert [each["conn"] for each in first["connections"]] == [1, 2]
    assert query(recorded, "overview", since=first["rev"])["connections"] == []
    with open(path, "ab") as file:
        file.write(ev.dump([rec.text(1.2, "client", 1, conn=2)]))
    recorded.read(FOREVER)
    second = query(recorded, "overview", since=first["rev"])
    assert [(each["conn"], each["frames"]["client"]) for each in second["connections"]] == [(2, 1)]
    with open(path, "ab") as file:
        file.write(ev.dump([ev.Stop(at=2.0)]))
    recorded.read(FOREVER)
    third = query(recorded, "overview", since=second["rev"])
    assert {each["sentence"] for each in third["connections"]} == {"still open when the recording ended"}
    assert third["complete"] and not second["complete"]


def test_a_loop_that_is_found_later_changes_its_members(tmp_path: Path) -> None:
    events = rec.loop(3)
    path = rec.write(tmp_path / "run.jsonl", events[:8])
    recorded = opened(path, live=True)
    first = query(recorded, "overview")
    assert [each["loop"] for each in first["connections"]] == [None, None] and first["loops"] == []
    with open(path, "ab") as file:
        file.write(ev.dump(events[8:]))
    recorded.read(FOREVER)
    second = query(recorded, "overview", since=first["rev"])
    assert [each["loop"] for each in second["connections"]] == [0, 0, 0]
    (loop,) = second["loops"]
    assert loop["conns"] == [1, 2, 3] and loop["gap"] == pytest.approx(1, abs=0.01)


def test_a_recording_goes_on_in_further_files(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    written = journal.Journal(path, rec.HEADER, max_size=2000)
    recorded = Recorded(path, {"live": True})
    events: list[AnyEvent] = [rec.handshake(0.1)]
    events += [rec.text(0.2 + n / 100, "client", n, f"message {n}") for n in range(1, 80)]
    for number, event in enumerate(events):
        written.write(event)
        written.flush()
        if number % 7 == 0:
            recorded.read(FOREVER)
    written.write(ev.Stop(at=9.0))
    written.close()
    while recorded.read(FOREVER) or not recorded.complete:
        pass
    assert len(written.files) > 3 and recorded.tail.files == written.files
    assert query(recorded, "overview")["size"] == sum(file.stat().st_size for file in written.files)
    entries = query(recorded, "entries", conn=1, from_=1, count=1000)["entries"]
    assert [entry["preview"] for entry in entries] == [f"message {n}" for n in range(1, 80)]
    assert query(recorded, "why")["connections"]["all"] == 1
    # A look back from the last file into the first.
    assert [query(recorded, "entry", conn=1, n=n)["text"] for n in (79, 1)] == ["message 79", "message 1"]


@pytest.mark.skipif(os.name != "posix", reason="a file that is open cannot be deleted")
def test_files_that_are_deleted_to_keep_a_recording_small_are_let_go_of(tmp_path: Path) -> None:
    """They take no room on the disk any more; what was in them is known, but cannot be looked at."""
    path = tmp_path / "run.jsonl"
    written = journal.Journal(path, rec.HEADER, max_size=2000, keep=6000)
    recorded = Recorded(path, {"live": True})
    written.write(rec.handshake(0.1))
    for n in range(1, 100):
        written.write(rec.text(0.2 + n / 100, "client", n, f"message {n}"))
        written.flush()
        until(lambda: not written.behind)
        recorded.read(FOREVER)
    written.close()
    while recorded.read(FOREVER):
        pass
    process = psutil.Process()
    assert {Path(each.path).name for each in process.open_files() if str(tmp_path) in each.path} == {
        file.name for file in written.files
    }
    entries = query(recorded, "entries", conn=1, from_=0, count=1000)["entries"]
    assert len(entries) == 100
    seen = [entry["preview"] for entry in entries if entry["kind"] == "frame"]
    assert 5 < len(seen) < 60 and seen == [f"message {n}" for n in range(100 - len(seen), 100)]
    assert query(recorded, "entry", conn=1, n=1)["text"] == "deleted with its file, to keep the recording small"
    assert query(recorded, "connection", conn=1)["handshake"] is None
    assert query(recorded, "why") and query(recorded, "search", text="message 99")["found"]
    # Who opens the page only now begins with what is left.
    later = opened(path)
    assert later.tail.files == written.files


def test_a_torn_line_and_lines_that_are_none(tmp_path: Path) -> None:
    lines = ev.dump([rec.HEADER, rec.handshake(0.1)]) + b"\n \nnonsense\n" + b"\xff\xfe\n" + b"[" * 9000 + b"\n"
    lines += ev.dump([rec.text(0.2, "client", 1)])
    path = tmp_path / "run.jsonl"
    path.write_bytes(lines + b'{"kind":"frame","at":0.3,"conn":1,"n":2,"si')
    recorded = opened(path)
    assert recorded.index.skipped == 3 and recorded.tail.torn and recorded.complete
    found = query(recorded, "overview")
    assert [note for note in found["notes"] if "3 lines" in note]
    assert [note for note in found["notes"] if "middle of a line" in note]
    assert [e["kind"] for e in query(recorded, "entries", conn=1)["entries"]] == ["handshake", "frame"]
    with open(path, "ab") as file:
        file.write(b'de":"server","text":"x"}')  # without its newline, and yet whole
    recorded.read(FOREVER)
    assert not recorded.tail.torn
    assert query(recorded, "entry", conn=1, n=2)["text"] == "x"


def test_what_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="there is no recording"):
        Recorded(tmp_path / "nothing.jsonl")
    foreign = tmp_path / "foreign.jsonl"
    foreign.write_text("hello\n")
    with pytest.raises(ForeignRecording):
        Recorded(foreign)


def test_of_a_traceback_the_exception_is_shown() -> None:
    raised = "ERROR: Exception in ASGI application\nTraceback (most recent call last):\n  File x\nKeyError: 'ping'"
    assert words(ev.Log(at=1.0, source="b", text=raised)) == "KeyError: 'ping' (and 3 more lines)"
    assert words(ev.Log(at=1.0, source="b", text="first\nsecond")) == "first (and 1 more line)"


def test_logs_stand_with_the_connections_of_their_time(tmp_path: Path) -> None:
    events: list[AnyEvent] = [
        ev.Log(at=0.5, source="b", text="before"),
        ev.Log(at=0.95, source="b", text="asked"),
        rec.handshake(1.0, 1, waited=0.1),
        ev.Log(at=1.1, source="b", text="within\nin two lines"),
        rec.text(1.2, "client", 1, "ping"),
        rec.end(1.3, "server"),
        ev.Log(at=1.4, source="b", text="Traceback"),
        rec.end(1.5, "client"),
        ev.Log(at=9.0, source="b", text="much later"),
    ]
    recorded = opened(rec.write(tmp_path / "run.jsonl", list(events)))
    answer = query(recorded, "entries", conn=1)
    said = [entry.get("text") or entry["preview"] for entry in answer["entries"]]
    assert said == ["asked", said[1], "within (and 1 more line)", "ping", "server FIN", "Traceback", "client FIN"]
    assert answer["total"] == 7 == query(recorded, "connection", conn=1)["entries"]
    lanes = query(recorded, "ticks", conns=1)
    assert lanes["lanes"]["1"]["ticks"] == [[1.2, 0, "heartbeat", 3]]
    assert [log[2] for log in lanes["logs"]] == ["before", "asked", "within", "Traceback", "much later"]
    assert query(recorded, "entry", conn=1, i=2)["text"] == "within\nin two lines"
    assert query(recorded, "find", conn=1, opcode="log", text="trace")["matches"] == [5]


def test_logs_after_the_end_are_of_the_connection_that_ended_last(tmp_path: Path) -> None:
    events: list[AnyEvent] = []
    for conn in (1, 2, 3):
        events += [rec.handshake(float(conn), conn), rec.end(conn + 0.4, "server", conn=conn)]
        events += [ev.Log(at=conn + 0.5, source="b", text=f"about {conn}")]
    recorded = opened(rec.write(tmp_path / "run.jsonl", events))
    for conn in (1, 2, 3):
        answer = query(recorded, "entries", conn=conn)
        assert [each["text"] for each in answer["entries"] if each["kind"] == "log"] == [f"about {conn}"]


def found(recorded: Recorded, **given: Any) -> list[int]:
    answer = query(recorded, "find", conn=1, **given)
    assert answer["next"] is None and "error" not in answer
    matches: list[int] = answer["matches"]
    return matches


def test_the_search(tmp_path: Path) -> None:
    events: list[AnyEvent] = [
        rec.handshake(1.0, 1),
        rec.text(1.1, "client", 1, '{"type":"ping","n":1}'),
        rec.text(1.2, "server", 2, '{"type":"PONG","n":2}'),
        rec.text(1.3, "client", 3, "Straße"),
        ev.Frame(at=1.4, conn=1, n=4, side="server", opcode="binary", base64=b"\xff\x00abc"),
        ev.Frame(at=1.5, conn=1, n=5, side="client", opcode="text", text="bad", problems=("unmasked",)),
        ev.FilterEvent(at=1.5, conn=1, filter="drop side=client", action="drop", side="client", n=5),
        rec.close(1.6, "server", 6, 4000, "go away"),
        rec.end(1.7, "server"),
    ]
    recorded = opened(rec.write(tmp_path / "run.jsonl", list(events)))
    assert found(recorded) == list(range(9))
    assert found(recorded, side="client") == [1, 3, 5, 6]
    assert found(recorded, side="server") == [2, 4, 7, 8]
    assert found(recorded, opcode="text") == [1, 2, 3, 5]
    assert found(recorded, opcode="heartbeat") == [1, 2]
    assert found(recorded, opcode="close") == [7] and found(recorded, opcode="filter") == [6]
    assert found(recorded, text="PoNg") == [2] and found(recorded, text="strasse") == []
    assert found(recorded, text="STRAßE") == [3] and found(recorded, text="abc") == [4]
    assert found(recorded, text="4000 GO") == [7] and found(recorded, text="drop side") == [6]
    assert found(recorded, problems=1) == [5]
    assert found(recorded, path="$.type==ping") == [1] and found(recorded, path="$.n", side="server") == [2]
    assert found(recorded, from_=2, text="o") == [2, 6, 7]
    wrong = query(recorded, "find", conn=1, path="type")
    assert wrong["matches"] == [] and wrong["next"] is None and wrong["error"].startswith("type: a JSON path")
    acted = {e["i"]: e["acted"] for e in query(recorded, "entries", conn=1)["entries"] if "acted" in e}
    assert acted == {5: ["drop side=client"]}
    assert query(recorded, "entry", conn=1, n=5)["acted"][0]["action"] == "drop"
    (problem,) = query(recorded, "entry", conn=1, i=5)["problems"]
    assert problem["name"] == "unmasked" and "mask" in problem["text"] and "RFC 6455" in problem["text"]
    assert [e["i"] for e in query(recorded, "entries", conn=1, list="7,2,99,-1")["entries"]] == [7, 2]


def test_a_test_can_begin_as_a_connection_did(tmp_path: Path) -> None:
    def imitation(*events: AnyEvent) -> dict[str, Any]:
        recorded = opened(rec.write(tmp_path / "run.jsonl", [rec.handshake(1.0, 1, "/ws?t=1"), *events]))  # type: ignore[list-item]
        return query(recorded, "imitate", conn=1)

    hello = rec.text(1.1, "client", 1, '{"type":"hello"}')
    packed = ev.Frame(at=1.2, conn=1, n=2, side="client", opcode="binary", base64=b"\x00\xff")
    beats = [rec.text(1.5 + n * 0.25, "client", 3 + n, "ping") for n in range(3)]
    late = rec.text(1.6, "client", 9, "after the first heartbeat")
    found = imitation(hello, rec.text(1.15, "server", 8, "welcome"), packed, beats[0], late, *beats[1:])
    assert found["path"] == "/ws?t=1" and found["messages"] == ['{"type":"hello"}', "hex:00ff"]
    assert (found["beat"], found["every"]) == ("ping", 0.25)
    assert imitation(hello, beats[0])["every"] == 0.5, "of one alone, the time from opening to it"
    quiet = imitation(rec.text(9.0, "client", 1, "much later"), rec.text(9.1, "client", 2, "two\nlines"))
    assert (quiet["messages"], quiet["beat"], quiet["every"]) == ([], None, None)
    assert imitation(rec.text(1.1, "client", 1, "two\nlines"), hello)["messages"] == ['{"type":"hello"}']


def test_a_search_comes_back_before_it_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hangup.web.entries.SEARCH", 0.0)
    events = [rec.handshake(), *(rec.text(1 + n / 1000, "client", n, f"m{n}") for n in range(1, 200))]
    recorded = opened(rec.write(tmp_path / "run.jsonl", list(events)))
    matches: list[int] = []
    start: int | None = 1
    asked = 0
    while start is not None:
        answer = query(recorded, "find", conn=1, from_=start, text="m")
        matches += answer["matches"]
        assert answer["next"] is None or answer["next"] > start
        start = answer["next"]
        asked += 1
    assert matches == list(range(1, 200)) and asked > 2


def test_a_search_that_would_never_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "PATIENCE", 0.1)
    said = json.dumps({"a": "a" * 64 + "!"})
    recorded = opened(rec.write(tmp_path / "run.jsonl", [rec.handshake(), rec.text(0.1, "client", 1, said)]))
    for path in ("$.a~^(a|aa)+$", "$[?search(@, '^(a|aa)+$')]", "$[?@ =~ /(a|aa)+/]"):
        answer = query(recorded, "find", conn=1, path=path)
        assert answer["matches"] == [] and answer["next"] is None and "too long" in answer["error"], path
    assert found(recorded, path="$.a~a!$") == [1]


def test_a_large_message_in_parts_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    payload = "é" * 200_000
    pieces = [payload[:100_000], payload[100_000:]]
    events: list[AnyEvent] = [
        rec.handshake(),
        ev.Part(at=1.0, conn=1, n=1, side="client", text=pieces[0]),
        rec.text(1.05, "server", 2, "between"),
        ev.Part(at=1.1, conn=1, n=1, side="client", text=pieces[1]),
        ev.Frame(at=1.2, conn=1, n=1, side="client", parts=2, length=400_000),
    ]
    recorded = opened(rec.write(tmp_path / "run.jsonl", list(events)))
    entry = query(recorded, "entry", conn=1, n=1)
    assert entry["i"] == 4 and entry["kind"] == "frame"
    assert entry["truncated"] and entry["size"] == 400_000
    assert payload.startswith(entry["text"]) and len(entry["text"].encode()) == 256 << 10
    assert query(recorded, "entry", conn=1, i=2)["truncated"] is False


@pytest.mark.parametrize(
    ("what", "given", "said"),
    [
        ("entries", {}, "conn"),
        ("entries", {"conn": "x"}, "conn"),
        ("entries", {"conn": "5"}, "no connection 5"),
        ("entries", {"conn": "1", "list": "1,x"}, "list"),
        ("entry", {"conn": "1", "i": "-1"}, "no entry -1"),
        ("entry", {"conn": "1", "i": "99"}, "no entry 99"),
        ("entry", {"conn": "1", "n": "99"}, "no frame 99"),
        ("entry", {"conn": "1"}, "no frame"),
        ("ticks", {"conns": "1;2"}, "conns"),
        ("ticks", {"from": "soon"}, "from"),
        ("overview", {"sinse": "1"}, "sinse"),
    ],
)
def test_a_query_that_is_wrong(tmp_path: Path, what: str, given: dict[str, str], said: str) -> None:
    recorded = opened(rec.write(tmp_path / "run.jsonl", rec.loop(1)))
    with pytest.raises(QueryError, match=said) as raised:
        query(recorded, what, **given)
    assert raised.value.status in (400, 404) and "\n" not in str(raised.value)


@pytest.mark.parametrize(("start", "end"), [("nan", "1"), ("0", "inf"), ("2", "1"), ("1", "1")])
def test_a_window_that_is_none(tmp_path: Path, start: str, end: str) -> None:
    recorded = opened(rec.write(tmp_path / "run.jsonl", rec.loop(1)))
    assert query(recorded, "ticks", from_=start, to=end, conns=1)["lanes"] == {}


kept = ev.FilterEvent(at=1.0, conn=1, filter="drop-close", action="drop", side="server", n=1)
both = [rec.close(1.0, "server", 1, 4001), rec.close(1.01, "client", 2, 4001), rec.end(1.02, "server")]


@pytest.mark.parametrize(
    ("events", "code", "was_clean", "how"),
    [
        ([], None, False, "open"),
        ([rec.end(1.0, "server")], 1006, False, "abnormal"),
        ([rec.end(1.0, "client", "rst")], 1006, False, "abnormal"),
        (both, 4001, True, "abnormal"),
        ([rec.close(1.0, "client", 1, 1000), rec.close(1.01, "server", 2, 1000)], 1000, True, "clean"),
        ([rec.close(1.0, "client", 1, None), rec.close(1.01, "server", 2, None)], 1005, True, "clean"),
        ([rec.close(1.0, "client", 1, 1000), rec.end(1.01, "server")], 1006, False, "clean"),
        ([rec.end(1.0, "server", by="proxy")], 1006, False, "proxy"),
        ([rec.close(1.0, "server", 1, 4001), kept, rec.end(1.1, "server")], 1006, False, "abnormal"),
    ],
)
def test_what_a_browser_shows(
    tmp_path: Path, events: list[AnyEvent], code: int | None, was_clean: bool, how: str
) -> None:
    connection = opened(rec.write(tmp_path / "run.jsonl", [rec.handshake(), *events])).index.connection(1)
    assert (browser_code(connection), clean(connection), fate(connection)) == (code, was_clean, how)


def test_a_refused_handshake_is_1006_in_a_browser(tmp_path: Path) -> None:
    connection = opened(rec.write(tmp_path / "run.jsonl", [rec.handshake(status=403)])).index.connection(1)
    assert (browser_code(connection), clean(connection), fate(connection)) == (1006, False, "refused")


def test_an_ending_that_an_import_does_not_tell_is_not_open(tmp_path: Path) -> None:
    said = ev.Note(at=0.8, conn=1, text="not told", ending=True)
    events = [rec.handshake(), said, rec.handshake(5.0, 2), ev.Stop(at=9.0)]
    recorded = opened(rec.write(tmp_path / "run.jsonl", events))
    told, open_ = query(recorded, "overview")["connections"]
    assert (told["class"], told["ended"], told["until"]) == ("untold", None, 0.8)
    assert (open_["class"], open_["ended"], open_["until"]) == ("open", None, None)


def test_what_the_page_opened_itself_is_known_by_its_origin(tmp_path: Path) -> None:
    events = rec.loop(4)
    for event in events:
        if isinstance(event, ev.Handshake):
            event.request.headers.append(("Origin", "http://localhost:9001"))
    path = rec.write(tmp_path / "run.jsonl", events)
    recorded = opened(path, origins=["http://127.0.0.1:9001", "http://localhost:9001"])
    tested = query(recorded, "overview")
    assert {(c["kind"], c["origin"]) for c in tested["connections"]} == {("test", "http://localhost:9001")}
    assert tested["loops"] == [], "to press a button again and again is no loop of the application's"
    assert query(recorded, "why", conn=2)["connections"]["all"] == 4
    other = query(opened(path, origins=["http://127.0.0.1:9002"]), "overview")
    assert {c["kind"] for c in other["connections"]} == {"app"} and len(other["loops"]) == 1
