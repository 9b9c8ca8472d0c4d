"""Questions about many recordings: the numbers are those of `show --json`, and a SELECT reads nothing else."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import polars
import pyarrow.dataset
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import recorded as rec
from hangup.cli import cli
from hangup.errors import HangupError, RecordingError, UsageError
from hangup.fleet.selection import names, selected
from hangup.fleet.subjects import Subject, subjects
from hangup.fleet.workers import Workers
from hangup.messages.kind import kind_of
from hangup.recording import events as ev
from hangup.recording.assembling import Messages
from hangup.recording.formats import open_recording
from hangup.tables.asking import ask_recordings
from hangup.tables.cache import Cache
from hangup.tables.database import Asked, Database, levels_of
from hangup.tables.dataset import ask_dataset
from hangup.tables.dataset_writer import write
from hangup.tables.questions import QUESTIONS
from hangup.tables.reading import Wanted, read_rows
from hangup.tables.schema import LEVELS, TABLES, Level
from hangup.wire.frames import BINARY, TEXT
from tabled import made
from tabled.measures import endings

GOLDEN = sorted(made.GOLDEN.glob("[a-z]*.jsonl"))
ALONE = Workers(1)


@pytest.fixture(scope="module", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("parquet") / "out.parquet"
    assert write(subjects(GOLDEN, names(GOLDEN)), target, Wanted(LEVELS), ALONE, lambda done, total: None) == []
    return target


def hangup(*words: str) -> Any:
    return CliRunner().invoke(cli, list(words), prog_name="hangup")


def rows_of(path: Path, *levels: Level, hiding: tuple[str, ...] | None = ()) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}

    def add(name: str, row: tuple[Any, ...]) -> None:
        found[name].append(dict(zip(TABLES[name].names, row, strict=True)))

    assert read_rows(add, Subject(str(path), path.name), Wanted(levels, hiding)) == ""
    return found


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_numbers_are_those_of_show(path: Path) -> None:
    told = json.loads(hangup("show", str(path), "--json").output)
    rows = rows_of(path, "connections")
    assert len(rows["connections"]) == len(told["connections"])
    for row, each in zip(rows["connections"], told["connections"], strict=True):
        end = each["ending"]
        assert row["request"] == each["target"] and row["problem_count"] == sum(each["problems"].values())
        for name in ("conn", "client", "server", "path", "kind", "status", "subprotocol", "opened", "lifetime"):
            assert row[name] == each[name], name
        for name in ("fate", "failed", "checks", "error", "actions", "lost"):
            assert row[name] == each[name], name
        for name in ("frames", "bytes", "pings", "pongs"):
            assert {side: row[f"{name}_{side}"] for side in ("client", "server")} == each[name]
        assert (row["leg_client"], row["leg_server"]) == (each["legs"]["client"], each["legs"]["server"])
        assert (row["ended_by"], row["ended"]) == (end["by"], end["at"])
        for name in ("how", "code", "reason", "sentence", "filter", "crossed", "half_closed"):
            assert row[name] == end[name], name
    assert len(rows["loops"]) == len(told["loops"])
    for row, each in zip(rows["loops"], told["loops"], strict=True):
        assert row["ended_by"] == each["by"]
        assert all(row[name] == each[name] for name in each if name != "by")
    (one,) = rows["recordings"]
    for name in ("duration", "complete", "torn", "skipped", "lost", "http"):
        assert one[name] == told[name]


@pytest.mark.parametrize("path", GOLDEN[:8], ids=lambda path: path.stem)
def test_frames_and_messages_are_all_there_and_of_their_kinds(path: Path) -> None:
    rows, messages, frames, said = rows_of(path, "messages", hiding=None), Messages(), [], []
    for event in open_recording(path):
        if isinstance(event, ev.Frame):
            frames.append((event.conn, event.n, event.side, event.opcode, event.size))
        if (message := messages.feed(event)) is not None:
            said.append(message)
    assert [tuple(row[name] for name in ("conn", "n", "side", "opcode", "size")) for row in rows["frames"]] == frames
    assert len(rows["messages"]) == len(said)
    for row, message in zip(rows["messages"], said, strict=True):
        kind = kind_of(TEXT if message.opcode == "text" else BINARY, message.data or b"")
        assert (row["kind"], row["name"] or "", row["size"]) == (kind.text, kind.name, message.length)
        assert row["text"] == message.text
        assert row["fields"] is None or msgspec.json.decode(row["fields"]) is not None


def test_what_is_within_an_envelope_and_packed_is_read_as_fields(tmp_path: Path) -> None:
    packed = msgspec.msgpack.encode({"type": "order", "qty": 3})
    path = rec.write(tmp_path / "a.jsonl", [
        rec.handshake(),
        rec.text(1.0, "client", 1, '42["order",{"qty":1}]'),
        rec.text(1.1, "client", 2, '{"type":"order","qty":2}'),
        ev.Frame(at=1.2, conn=1, n=3, side="client", opcode="binary", mask="00000000", base64=packed),
        rec.text(1.3, "client", 4, "plain words"),
        rec.text(1.4, "client", 5, '{"qty":NaN}'),
    ])  # fmt: skip
    told = [row["fields"] and msgspec.json.decode(row["fields"]) for row in rows_of(path, "messages")["messages"]]
    assert told == [{"qty": 1}, {"type": "order", "qty": 2}, {"type": "order", "qty": 3}, None, {"qty": None}]


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_is_answered_alike_from_json_lines_and_from_parquet(name: str, parquet: Path) -> None:
    sql = QUESTIONS[name].sql.replace("$since", "TIMESTAMP '2026-11-23 01:58:00'")
    asked = Asked(sql)
    answer, failed = ask_recordings(
        subjects(GOLDEN, names(GOLDEN)), asked, (), ALONE, Cache(), lambda done, total: None
    )
    assert failed == {} and answer.rows == ask_dataset(parquet, asked).rows
    assert answer.rows or name == "incomplete"


def test_top_endings_counts_what_show_counts(tmp_path: Path) -> None:
    done = hangup("query", "top-endings", *map(str, GOLDEN), "--json", "--jobs", "1")
    assert done.exit_code == 0, done.output
    counts: dict[tuple[Any, ...], int] = {}
    for path in GOLDEN:
        for each in json.loads(hangup("show", str(path), "--json").output)["connections"]:
            end = each["ending"]
            if end["at"] is not None:
                key = end["by"], end["how"], end["code"], end["reason"], each["status"]
                counts[key] = counts.get(key, 0) + 1
    assert endings(done.output) == counts and sum(counts.values()) > 100


def test_others_read_the_parquet(parquet: Path) -> None:
    ours = ask_dataset(parquet, Asked("SELECT target, count(*) FROM connections GROUP BY target ORDER BY target")).rows
    frame = polars.read_parquet(parquet / "connections", hive_partitioning=True)
    theirs = frame.group_by("target").len().sort("target").rows()
    arrow = pyarrow.dataset.dataset(parquet / "connections", partitioning="hive").to_table()
    files = f"read_parquet('{parquet}/connections/**/*.parquet', hive_partitioning = true)"
    duck = duckdb.sql(f"SELECT target, count(*) FROM {files} GROUP BY target ORDER BY target").fetchall()
    assert ours == theirs == duck and arrow.num_rows == sum(count for _, count in ours) > 100
    assert set(arrow["target"].to_pylist()) == {target for target, _ in ours}
    assert {"ws://127.0.0.1:44617"} <= {target for target, _ in ours}


@pytest.mark.parametrize("sql", [
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '{other}'",
    "SELECT * FROM read_parquet('{other}')",
    "SELECT * FROM glob('/*')",
    "COPY connections TO '{new}'",
    "COPY (SELECT 1) TO '{new}'",
    "EXPORT DATABASE '{new}'",
    "ATTACH '{new}'",
    "CREATE TABLE x (a INT)",
    "INSERT INTO connections SELECT * FROM connections",
    "SET enable_external_access = true",
    "INSTALL httpfs",
    "SELECT 1; DROP VIEW connections",
    "SELECT * FROM GOLDEN",
    "EXPLAIN ANALYZE COPY connections TO '{new}'",
    "SELEC 1",
    "SELECT nothing FROM connections",
    "",
])  # fmt: skip
def test_a_select_reads_nothing_else_and_writes_nothing(sql: str, parquet: Path, tmp_path: Path) -> None:
    other, new = tmp_path / "other.parquet", tmp_path / "new"
    duckdb.sql(f"COPY (SELECT 42 AS secret) TO '{other}' (FORMAT parquet)")
    with pytest.raises(UsageError) as said:
        ask_dataset(parquet, Asked(sql.format(other=other, new=new) + " "))
    assert "\n" not in str(said.value) and "42" not in str(said.value)
    assert sorted(tmp_path.iterdir()) == [other]


def test_files_of_the_tables_cannot_be_written_either(parquet: Path) -> None:
    files = {name: sorted((parquet / name).rglob("*.parquet")) for name in TABLES}
    before = {path: path.read_bytes() for paths in files.values() for path in paths}
    database = Database(files, hive=True)
    for path in files["connections"]:
        with pytest.raises(duckdb.Error):
            database._base.execute(f"COPY (SELECT 1 AS a) TO '{path}' (FORMAT parquet)")
    assert {path: path.read_bytes() for path in before} == before


def test_only_what_a_question_needs_is_read() -> None:
    assert levels_of("SELECT count(*) FROM endings") == ["connections"]
    assert levels_of("SELECT 'messages', n FROM frames") == ["messages"]
    assert levels_of("SELECT * FROM findings JOIN connections USING (recording)") == ["connections", "findings"]
    assert levels_of("SELECT 1") == []


def test_what_was_read_is_kept_until_it_changes(tmp_path: Path) -> None:
    paths = [Path(shutil.copy(path, tmp_path)) for path in GOLDEN[:3]]
    cache, read = Cache(tmp_path / "cache"), list[int]()

    def ask(using: Cache) -> list[tuple[Any, ...]]:
        asked = Asked("SELECT recording, count(*) FROM connections GROUP BY ALL ORDER BY ALL")
        return ask_recordings(
            subjects(paths, names(paths)), asked, (), ALONE, using, lambda done, total: read.append(total)
        )[0].rows

    first = ask(cache)
    assert read[-1] == 3
    read.clear()
    assert ask(Cache(tmp_path / "cache")) == first and not read
    paths[1].write_bytes(GOLDEN[5].read_bytes())
    changed = ask(Cache(tmp_path / "cache"))
    assert read == [1] and changed[1][0] == paths[1].name and changed[0] == first[0] and changed[2] == first[2]
    told = len(json.loads(hangup("show", str(paths[1]), "--json").output)["connections"])
    assert changed[1][1] == told


SECRET = "Zk3qWm81TbYx7LpR"  # invented


def test_secrets_are_hidden_wherever_they_stand(tmp_path: Path, state: Path) -> None:
    events = [
        rec.handshake(path=f"/ws?token={SECRET}"),
        rec.text(1.0, "client", 1, json.dumps({"password": SECRET[::-1], "type": "login"})),
        rec.close(2.0, "server", 2, 4001, f"who is {SECRET[::-1]}"),
        rec.end(2.1, "server"),
    ]
    path = rec.write(tmp_path / "a.jsonl", events)
    for level in LEVELS:
        told = repr(rows_of(path, level))
        assert SECRET not in told and SECRET[::-1] not in told, level
    (row,) = rows_of(path, "connections")["connections"]
    assert row["reason"].startswith("who is [redacted") and row["path"] == "/ws"
    assert SECRET in repr(rows_of(path, "connections", hiding=None))
    asked = hangup("query", "select request from connections", str(path), "--json", "--jobs", "1").output
    assert "[redacted]" in asked and SECRET not in asked
    asked = hangup("query", "select request from connections", str(path), "--json", "--no-redact").output
    assert json.loads(asked) == [{"request": f"/ws?token={SECRET}"}]
    kept = [each for each in (state / "hangup").rglob("*") if each.is_file()]
    assert kept and not [each for each in kept if SECRET.encode() in each.read_bytes()]
    target = tmp_path / "out.parquet"
    write(subjects([path], ["a"]), target, Wanted(LEVELS), ALONE, lambda done, total: None)
    for table in TABLES:
        for file in (target / table).rglob("*.parquet"):
            told = repr(polars.read_parquet(file).rows())
            assert SECRET not in told and SECRET[::-1] not in told and "[redacted-" not in told


@given(st.lists(rec.events, max_size=20))
@settings(deadline=None, max_examples=25)
def test_any_recording_has_rows(tmp_path_factory: pytest.TempPathFactory, events: list[ev.AnyEvent]) -> None:
    folder = tmp_path_factory.mktemp("any")
    path = rec.write(folder / "a.jsonl", events)
    target = folder / "out.parquet"
    assert write(subjects([path], ["a"]), target, Wanted(LEVELS), ALONE, lambda done, total: None) == []
    assert ask_dataset(target, Asked("SELECT count(*) FROM recordings")).rows == [(1,)]


def test_the_command_line(tmp_path: Path, parquet: Path) -> None:
    lines = hangup("query", "by-day", str(made.GOLDEN / "a*.jsonl"), "--csv", "--jobs", "1").output.splitlines()
    assert lines[0].startswith("day,connections,failed") and lines[1].startswith("2026-11-23,")
    listed = hangup("query").output
    assert all(name in listed for name in (*QUESTIONS, *TABLES, "endings"))
    assert hangup("query", "by-path", "--sql").output.startswith("SELECT route")
    assert "top-endings" in listed and len(QUESTIONS) >= 20
    table = hangup("query", "top-endings", str(parquet), "--rows", "2").output
    assert "and more" in table and len(table.splitlines()) == 4


@pytest.mark.parametrize(("words", "says"), [
    (["top-ending"], "did you mean top-endings?"),
    (["by-day", "nowhere/"], "there is no recording nowhere/"),
    (["by-day", "nowhere/*.jsonl"], "no recording matches nowhere/*.jsonl"),
    (["by-day", "{parquet}", "--no-redact"], "was decided when it was written"),
    (["by-day", "--since", "7d"], "--since is for new-since"),
    (["new-since", "--since", "soon"], "no time such as 7d"),
    (["by-day", "--json", "--csv"], "not both"),
    (["select x from frames"], "x"),
    (["by-day", "{empty}"], "there is no recording in"),
])  # fmt: skip
def test_what_is_wrong_is_said(words: list[str], says: str, parquet: Path, tmp_path: Path) -> None:
    result = hangup("query", *(word.format(parquet=parquet, empty=tmp_path) for word in words))
    assert isinstance(result.exception, HangupError) and says in str(result.exception)
    assert "\n" not in str(result.exception)


def test_recordings_that_cannot_be_read_are_named_and_the_others_asked(tmp_path: Path) -> None:
    shutil.copy(GOLDEN[0], tmp_path / "a.jsonl")
    (tmp_path / "b.jsonl").write_text("nonsense\n")
    done = hangup("query", "select count(*) as count from recordings", str(tmp_path), "--json", "--jobs", "1")
    assert json.loads(done.stdout) == [{"count": 1}]
    assert "1 of 2 recordings could not be read: b.jsonl is neither a hangup recording" in done.stderr
    (tmp_path / "a.jsonl").unlink()
    done = hangup("query", "by-day", str(tmp_path), "--jobs", "1")
    assert isinstance(done.exception, RecordingError)


def test_something_else_of_that_name_is_not_replaced(tmp_path: Path, parquet: Path) -> None:
    mine = tmp_path / "mine.parquet"
    mine.mkdir()
    (mine / "file").write_text("mine")
    done = hangup("convert", str(made.GOLDEN / "a1*.jsonl"), str(mine))
    assert isinstance(done.exception, UsageError) and (mine / "file").read_text() == "mine"
    ours = Path(shutil.copytree(parquet, tmp_path / "ours.parquet"))
    assert hangup("convert", str(GOLDEN[0]), str(ours), "--only", "connections", "--jobs", "1").exit_code == 0
    assert ask_dataset(ours, Asked("SELECT count(*) FROM recordings")).rows == [(1,)]
    with pytest.raises(UsageError, match="without frames, messages, pings"):
        ask_dataset(ours, Asked("SELECT count(*) FROM frames"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.parquet", "ours.parquet"]


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for words in (["query", "by-day"], ["convert", str(GOLDEN[0]), str(tmp_path / "out.parquet")]):
        result = hangup(*words)
        assert isinstance(result.exception, HangupError) and 'pip install "hangup[query]"' in str(result.exception)


def test_what_is_selected(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "deep/c.jsonl", "other.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    assert names(selected([str(tmp_path)])) == ["a.jsonl", "b.jsonl"]
    found = selected([f"{tmp_path}/**/*.jsonl", str(tmp_path / "a.jsonl")])
    assert names(found) == ["a.jsonl", "b.jsonl", "deep/c.jsonl"]
