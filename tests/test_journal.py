"""Writing a recording and reading it back, whatever the disk, the kill or the file's author did."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recorded
from hangup.errors import ForeignRecording, RecordingError, VersionError
from hangup.recorder import journal, journal_files
from hangup.recorder.journal import Journal
from hangup.recording import events as ev
from hangup.recording import folder, reader, writer
from hangup.recording.cutting import Cutter
from hangup.recording.folder import listing, new_path, newest
from hangup.recording.reader import follow, read
from recorded import HEADER, end, handshake, text

DEADLINE = 30.0
POSIX = os.name == "posix"


def note(number: int, size: int = 0) -> ev.Note:
    return ev.Note(at=number / 1000, conn=1, text=f"{number} {'x' * size}")


class Losses(list[tuple[str, int]]):
    """What ``on_loss`` was told; a test can wait for the next."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def __call__(self, message: str, lost: int) -> None:
        with self._changed:
            self.append((message, lost))
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self) >= count, DEADLINE), list(self)


class Disk:
    """Stands in for ``os.write``: takes ``room`` bytes, then refuses; None is without end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int | None) -> None:
        self.room = room
        self.refused = 0
        self._write = os.write
        monkeypatch.setattr(journal.os, "write", self.write)
        monkeypatch.setattr(journal, "RETRY", 0.005)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        if self.room is None:
            return self._write(fd, data)
        if self.room == 0:
            self.refused += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self._write(fd, data[: self.room])
        self.room -= written
        return written


def until(condition: Callable[[], bool]) -> None:
    """Waits for what another thread does."""
    pause = threading.Event()
    for _ in range(int(DEADLINE / 0.005)):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("it did not happen")


# Writing.


def test_large_payloads_are_written_as_they_are(tmp_path: Path) -> None:
    """Also beside fields that look like what is filled in."""
    data = bytes(range(256)) * 100
    told = '"base64":""'
    large: list[ev.Frame | ev.Part | ev.Raw] = [
        ev.Frame(at=1.0, conn=1, n=1, side="client", opcode="binary", mask="00112233", base64=data),
        ev.Frame(at=1.0, conn=1, n=2, side="server", rsv=4, base64=data[:-1], message=told * 9, problems=(told,)),
        ev.Frame(at=1.0, conn=1, n=3, side="server", text=told * 9000),
        ev.Part(at=1.0, conn=1, n=4, side="server", head="827f", base64=data[:-2]),
        ev.Raw(at=1.0, conn=1, side="server", base64=data, problems=("not-a-frame",), sha256=told),
    ]
    out = Journal(tmp_path / "run.jsonl", HEADER)
    for event in large:
        before = ev.encode(event)
        out.write(event)
        assert ev.encode(event) == before
    out.close()
    assert list(read(out.path)) == large


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = [handshake(), text(0.2, "client", 1), end(0.3, "server"), ev.Stop(at=0.4, http=3)]
    out = Journal(tmp_path / "a" / "b" / "run.jsonl", HEADER)
    assert not out.pending
    for event in written[:2]:
        out.write(event)
    assert out.pending
    out.flush()
    assert not out.pending
    out.extend(ev.encode(written[2]) + b"\n")
    out.write(written[3])
    out.close()
    out.close()

    recording = read(out.path)
    assert recording.header == HEADER
    assert list(recording) == written
    assert list(recording) == written
    assert (recording.torn, recording.skipped, recording.complete) == (False, 0, True)
    assert out.files == [out.path] and out.lost == 0
    if POSIX:
        assert stat.S_IMODE(out.path.stat().st_mode) == 0o600


def test_flushed_is_in_the_file_without_close(tmp_path: Path) -> None:
    out = Journal(tmp_path / "run.jsonl", HEADER)
    try:
        assert list(read(out.path)) == []
        out.write(note(1))
        out.flush()
        until(lambda: len(list(read(out.path))) == 1)
    finally:
        out.close()


def test_after_close_nothing_happens(tmp_path: Path) -> None:
    losses = Losses()
    out = Journal(tmp_path / "run.jsonl", HEADER, on_loss=losses)
    out.close()
    out.write(note(1))
    out.flush()
    assert list(read(out.path)) == [] and out.lost == 1 and losses == []


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    path = recorded.write(tmp_path / "run.jsonl", [note(1)])
    with pytest.raises(RecordingError, match="exists already"):
        Journal(path, HEADER)
    with pytest.raises(RecordingError):
        Journal(tmp_path, HEADER)
    assert list(read(path)) == [note(1)]


def test_an_event_that_cannot_be_encoded_is_counted(tmp_path: Path) -> None:
    out = Journal(tmp_path / "run.jsonl", HEADER)
    out.write(note(1))
    out.write(ev.Log(at=0.5, text="\udcff"))
    out.write(note(2))
    out.close()
    first, lost, last = read(out.path)
    assert (first, last) == (note(1), note(2))
    assert isinstance(lost, ev.Note) and lost.lost == 1 and "Log" in lost.text


# Disks that refuse.


def test_a_full_disk_loses_nothing_when_there_is_room_again_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, len(ev.encode(HEADER)) + 1 + 100)
    losses = Losses()
    out = Journal(tmp_path / "run.jsonl", HEADER, on_loss=losses)
    written = [note(i) for i in range(50)]
    for event in written:
        out.write(event)
        out.flush()
    losses.wait_for(1)
    until(lambda: disk.refused >= 3)
    assert "No space left on device" in losses[0][0] and losses[0][1] == 0
    assert read(out.path).header == HEADER
    for room in (1, 30, None):  # room for parts of lines
        disk.room = room
        until(lambda: disk.room in (0, None))
    out.close()
    recording = read(out.path)
    assert list(recording) == written and not recording.torn
    assert [lost for _, lost in losses] == [0, 0] and "nothing is lost" in losses[1][0] and out.lost == 0


def test_a_long_outage_is_counted_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch, None)
    losses = Losses()
    out = Journal(tmp_path / "run.jsonl", HEADER, max_behind=1000, on_loss=losses)
    disk.room = 70
    for i in range(100):
        out.write(note(i))
        out.flush()
    losses.wait_for(1)
    until(lambda: disk.refused > 0)
    assert out.lost > 0
    disk.room = None
    losses.wait_for(2)
    assert losses[1] == (losses[1][0], out.lost) and "again" in losses[1][0]
    for i in range(100, 110):
        out.write(note(i))
    out.close()

    got = list(read(out.path))
    lost = [i for i, event in enumerate(got) if isinstance(event, ev.Note) and event.lost]
    assert sum(event.lost for event in got if isinstance(event, ev.Note)) == out.lost
    assert len(got) - len(lost) + out.lost == 110
    assert [event.at for event in got] == sorted(event.at for event in got)
    assert got[-1] == note(109)


def test_a_second_outage_is_told_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch, None)
    losses = Losses()
    out = Journal(tmp_path / "run.jsonl", HEADER, on_loss=losses)
    for outage in (1, 2):
        disk.room = 0
        out.write(note(outage))
        out.flush()
        losses.wait_for(2 * outage - 1)
        disk.room = None
        until(lambda: not out._outage)
        assert len(list(read(out.path))) == outage
    out.close()
    assert [message.startswith(journal.NOT_RECORDED) for message, _ in losses] == [True, False] * 2


@pytest.mark.parametrize("room", [0, 7, 60, 200])
def test_given_up_at_the_end_leaves_a_sound_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    disk = Disk(monkeypatch, None)
    losses = Losses()
    out = Journal(tmp_path / "run.jsonl", HEADER, on_loss=losses)
    disk.room = room
    for i in range(20):
        out.write(note(i, size=50))
    out.flush()
    losses.wait_for(1)
    freed = threading.Event()

    def ftruncate(fd: int, length: int, real: Callable[[int, int], None] = os.ftruncate) -> None:
        real(fd, length)
        freed.set()

    monkeypatch.setattr(journal.os, "ftruncate", ftruncate)
    out.close()
    assert out.lost == 20 and losses[-1][1] == 20 and "incomplete" in losses[-1][0]
    recording = read(out.path)
    whole = list(recording)
    assert not recording.torn and recording.skipped == 0
    assert whole == [note(i, size=50) for i in range(len(whole))]
    assert freed.is_set() == (room not in (0,))


def test_a_loss_at_the_end_is_in_the_file_when_there_is_room_for_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, None)
    losses = Losses()
    out = Journal(tmp_path / "run.jsonl", HEADER, on_loss=losses)
    disk.room = 10
    out.write(note(7, size=500))
    out.flush()
    losses.wait_for(1)

    def ftruncate(fd: int, length: int, real: Callable[[int, int], None] = os.ftruncate) -> None:
        real(fd, length)
        disk.room = 300

    monkeypatch.setattr(journal.os, "ftruncate", ftruncate)
    out.close()
    (told,) = read(out.path)
    assert isinstance(told, ev.Note) and told.lost == 1 and told.at == note(7).at


def test_a_disk_that_is_only_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, real = threading.Event(), os.write
    losses = Losses()
    out = Journal(tmp_path / "run.jsonl", HEADER, max_behind=500, on_loss=losses)

    def write(fd: int, data: bytes | memoryview) -> int:
        assert gate.wait(DEADLINE)
        return real(fd, data)

    monkeypatch.setattr(journal.os, "write", write)
    for i in range(50):
        out.write(note(i))
        out.flush()
    assert len(losses) == 1 and "too slow" in losses[0][0] and losses[0][1] > 0
    gate.set()
    losses.wait_for(2)
    out.close()
    got = list(read(out.path))
    assert sum(event.lost for event in got if isinstance(event, ev.Note)) == out.lost == losses[1][1]


def test_a_file_that_cannot_be_made_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "RETRY", 0.005)
    blocked = tmp_path / "folder"
    blocked.write_text("a file where the folder should be")
    losses = Losses()
    out = Journal(blocked / "run.jsonl", HEADER, on_loss=losses)
    assert len(losses) == 1 and "cannot write" in losses[0][0]
    out.write(note(1))
    out.flush()
    blocked.unlink()
    until(lambda: out.path.exists())
    out.close()
    assert list(read(out.path)) == [note(1)]
    assert len(losses) == 2 and "nothing is lost" in losses[1][0]


CHILD = """
import sys
sys.path[:0] = [{addons!r}, {tests!r}]
from pathlib import Path
from hangup.recording import events as ev
from hangup.recorder.journal import Journal
from recorded import HEADER
{body}
"""


def child(body: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    tests = Path(__file__).parent
    code = CHILD.format(addons=str(tests.parent / "addons"), tests=str(tests), body=body)
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, **options)


@pytest.mark.skipif(sys.platform == "win32", reason="no resource limits")
def test_a_real_limit_on_the_file(tmp_path: Path) -> None:
    body = """
import resource
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most))
import threading
told = threading.Event()
def on_loss(message, lost):
    print(message, flush=True)
    told.set()
out = Journal(sys.argv[1], HEADER, on_loss=on_loss)
for i in range(100):
    out.write(ev.Note(at=float(i), text="x" * 50))
out.flush()
told.wait(30)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
out.close()
print("lost", out.lost)
"""
    path = tmp_path / "run.jsonl"
    process = child(body, str(path))
    told, _ = process.communicate(timeout=DEADLINE)
    assert "File too large" in told and told.endswith("lost 0\n")
    recording = read(path)
    assert [event.at for event in recording] == list(range(100)) and not recording.torn


@pytest.mark.skipif(not POSIX, reason="SIGKILL")
def test_a_kill_tears_at_most_the_last_line(tmp_path: Path) -> None:
    body = """
out = Journal(sys.argv[1], HEADER)
for i in range(10**9):
    out.write(ev.Note(at=float(i), text="x" * (i % 977)))
    if i % 37 == 0:
        out.flush()
    if i == 2000:
        print("now", flush=True)
"""
    path = tmp_path / "run.jsonl"
    process = child(body, str(path))
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "now\n"
        process.send_signal(signal.SIGKILL)
    recording = read(path)
    times = [event.at for event in recording]
    assert times == list(range(len(times))) and recording.skipped == 0 and not recording.complete


# Rotation and cutting.


def test_rotation_makes_files_that_read_alone(tmp_path: Path) -> None:
    written: list[ev.AnyEvent] = [note(i, size=i % 120) for i in range(200)]
    out = Journal(tmp_path / "run.jsonl", HEADER, max_size=1000)
    (tmp_path / "run.3.jsonl").write_text("somebody's")
    for i, event in enumerate(written):
        out.write(event)
        if i % 30 == 0:
            out.flush()
    out.close()
    assert len(out.files) > 5
    assert out.files[:3] == [tmp_path / name for name in ("run.jsonl", "run.2.jsonl", "run.4.jsonl")]
    assert (tmp_path / "run.3.jsonl").read_text() == "somebody's"
    got: list[ev.AnyEvent] = []
    for number, path in enumerate(out.files):
        recording = read(path)
        assert recording.header.started == HEADER.started
        assert recording.header.note == (f"continues {out.files[number - 1].name}" if number else "")
        assert path.stat().st_size <= 1000
        part = list(recording)
        assert part
        got += part
    assert got == written


def test_rotation_with_a_line_larger_than_a_file(tmp_path: Path) -> None:
    written: list[ev.AnyEvent] = [note(1), note(2, size=5000), note(3)]
    out = Journal(tmp_path / "run.jsonl", HEADER, max_size=400)
    for event in written:
        out.write(event)
    out.close()
    assert [list(read(path)) for path in out.files] == [[event] for event in written]


def test_rotation_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch, None)
    out = Journal(tmp_path / "run.jsonl", HEADER, max_size=600)
    written: list[ev.AnyEvent] = [note(i, size=30) for i in range(60)]
    disk.room = 0
    for event in written:
        out.write(event)
    out.flush()
    while not out._closed:
        until(lambda: disk.refused > 0)
        disk.refused = 0
        disk.room = 61
        until(lambda: disk.room == 0 or not out._blocks)
        if not out._blocks:
            disk.room = None
            out.close()
    assert [event for path in out.files for event in read(path)] == written


def payload_bytes(limit: int, *cut: ev.Event) -> list[ev.Event]:
    cutter = Cutter(limit)
    return [cutter.cut(event) for event in cut]


@given(limit=st.integers(1, 20), shown=recorded.texts, data=st.binary(max_size=40))
def test_cut_payloads_keep_beginning_length_and_hash(limit: int, shown: str, data: bytes) -> None:
    for whole in (shown.encode(), data):
        as_text, as_bytes = ev.payload_fields(whole)
        frame = ev.Frame(at=0.0, n=1, side="client", text=as_text, base64=as_bytes)
        before = ev.encode(frame)
        (cut,) = payload_bytes(limit, frame)
        assert isinstance(cut, ev.Frame) and ev.encode(frame) == before
        assert len(cut.payload) <= limit and whole.startswith(cut.payload)
        assert cut.size == len(whole)
        if len(whole) <= limit:
            assert cut is frame
        else:
            assert len(cut.payload) > limit - 4
            assert cut.sha256 == hashlib.sha256(whole).hexdigest()
            assert (cut.text is None) == (as_text is None or not cut.payload)
        (raw,) = payload_bytes(limit, ev.Raw(at=0.0, side="client", text=as_text, base64=as_bytes, length=9))
        assert isinstance(raw, ev.Raw) and raw.length == 9
        assert raw.cut == (len(whole) if len(whole) > limit else None)


@given(pieces=st.lists(st.binary(min_size=1, max_size=10), min_size=1, max_size=6), limit=st.integers(1, 30))
def test_cut_parts_are_cut_as_one_frame(pieces: list[bytes], limit: int) -> None:
    whole = b"".join(pieces)
    parts = [
        ev.Part(at=0.0, conn=1, n=1, side="server", head="827f" if not i else None, base64=piece)
        for i, piece in enumerate(pieces)
    ]
    frame = ev.Frame(at=0.0, conn=1, n=1, side="server", opcode="binary", parts=len(parts), length=len(whole))
    *cut, last = payload_bytes(limit, *parts, frame)
    assert b"".join(part.payload for part in cut if isinstance(part, ev.Part)) == whole[:limit]
    sizes = [part.length or len(part.payload) for part in cut if isinstance(part, ev.Part)]
    assert sizes == [len(piece) for piece in pieces]
    assert isinstance(last, ev.Frame) and last.size == len(whole)
    assert last.sha256 == (hashlib.sha256(whole).hexdigest() if len(whole) > limit else None)


def test_cut_message(tmp_path: Path) -> None:
    frame = ev.Frame(at=0.0, n=1, side="client", opcode="continuation", text="def", message="äbcdef")
    out = Journal(tmp_path / "run.jsonl", HEADER, max_payload=6)
    out.write(frame)
    out.close()
    (cut,) = read(out.path)
    assert isinstance(cut, ev.Frame)
    assert (cut.text, cut.message, cut.message_length, cut.sha256) == ("def", None, 7, None)


# Names.


def test_a_new_name_tells_time_and_target_and_is_free(tmp_path: Path) -> None:
    started = datetime(2026, 11, 22, 21, 8, 0, 123456, tzinfo=UTC)
    folder = tmp_path / "deep" / "recordings"
    first = new_path(folder, started, "ws://localhost:8000/ws?token=secret")
    assert first == folder / "2026-11-22T21-08-00-localhost-8000.jsonl"
    first.touch()
    second = new_path(folder, started, "ws://user:password@localhost:8000")
    assert second.name == "2026-11-22T21-08-00-localhost-8000-2.jsonl"
    assert new_path(folder, started, "socks5").name == "2026-11-22T21-08-00-socks5.jsonl"
    with pytest.raises(RecordingError, match="cannot make the folder"):
        new_path(first / "sub", started, "x")


@given(target=recorded.texts | st.text(max_size=100))
def test_any_target_makes_a_name(tmp_path_factory: pytest.TempPathFactory, target: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "names"
    path = new_path(folder, datetime(2026, 1, 2, tzinfo=UTC), target)
    assert path.parent == folder and path.name.startswith("2026-01-02T00-00-00-")
    assert path.name.isascii() and len(path.name) < 100


def test_what_an_experiment_makes_is_kept_apart(tmp_path: Path) -> None:
    recording = recorded.write(tmp_path / "run.jsonl", [])
    made = folder.by_product(recording, "minimal.jsonl")
    assert made == tmp_path / "bisects" / "run-minimal.jsonl" and made.parent.is_dir()
    assert folder.by_product(made, "x.json") == tmp_path / "bisects" / "run-minimal-x.json", "no deeper"
    assert folder.for_bisect(tmp_path) == tmp_path / "bisects"
    assert folder.for_bisect(tmp_path / "new") == tmp_path / "new" / "bisects"
    assert folder.for_bisect(recording) == recording
    with pytest.raises(RecordingError, match="cannot make the folder"):
        folder.by_product(recording / "below a file.jsonl", "x")


def test_a_new_folder_for_recordings_is_left_alone_by_git(tmp_path: Path) -> None:
    folder.make_folder(tmp_path / "recordings" / "bisects")
    assert (tmp_path / "recordings" / ".gitignore").read_text() == "*\n"
    (tmp_path / "mine").mkdir()
    folder.make_folder(tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == [], "what was there is its owner's"


def test_the_newest_is_the_users_own(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no recording in"):
        newest(tmp_path)
    with pytest.raises(RecordingError, match="no recording in"):
        newest(tmp_path / "none")
    with pytest.raises(RecordingError, match="no folder"):
        listing(tmp_path / "none")
    golden = recorded.write(tmp_path / "a1-returns.jsonl", [])
    assert newest(tmp_path) == golden
    older = recorded.write(tmp_path / "2026-11-22T21-08-00-x.jsonl", [])
    newer = recorded.write(tmp_path / "2026-11-21T21-08-00-x.jsonl", [])
    for time, path in enumerate((older, newer, golden)):
        os.utime(path, (time, time))
    (tmp_path / "README.md").touch()
    assert newest(tmp_path) == newer
    assert listing(tmp_path) == [older, newer, golden]


# Reading.

FOREIGN: dict[str, bytes] = {
    "empty": b"",
    "blank": b"\n\n",
    "binary": bytes(range(256)),
    "gzip": b"\x1f\x8b\x08\x00" + b"\x00" * 100,
    "text": b"hello\nworld\n",
    "array": b"[1, 2]\n",
    "har": b'{"log": {"version": "1.2", "entries": []}}',
    "other jsonl": b'{"kind": "frame", "at": 1, "n": 1, "side": "client"}\n',
    "version in words": b'{"hangup": "1", "started": ""}\n',
    "no start": b'{"hangup": 1}\n',
    "format 0": b'{"hangup": 0, "started": ""}\n',
    "negative format": b'{"hangup": -3, "started": ""}\n',
    "torn header": b'{"hangup": 1, "sta',
    "deep": b'{"hangup": 1, "x": ' + b"[" * 100_000,
    "zeros": b"\x00" * (17 << 20),
    "escape in a wrong place": b'{"hangup": 1, "started": {"\\u001b[31m": 1}}\n',
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files_are_told_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(FOREIGN[name])
    with pytest.raises(ForeignRecording) as caught:
        read(path)
    assert str(path) in str(caught.value) and str(caught.value).isprintable()


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ForeignRecording, match="is a folder"):
        read(tmp_path)
    with pytest.raises(RecordingError, match="no recording"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(RecordingError):
        read("a\0b")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"hangup": 2, "everything": "else"}\n')
    with pytest.raises(VersionError, match="newer hangup"):
        read(path)


def test_an_older_format_is_converted_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_to_two(line: dict[str, Any]) -> dict[str, Any]:
        if "hangup" in line:
            return line
        line["at"] = line.pop("ms")
        return line

    def two_to_three(line: dict[str, Any]) -> dict[str, Any]:
        if "hangup" not in line:
            line["at"] /= 1000
        return line

    path = tmp_path / "x.jsonl"
    path.write_bytes(
        b'{"hangup": 1, "started": "then"}\n{"kind": "note", "ms": 1500, "text": "hello"}\n'
        b'7\n{"kind": "note", "text": "no time"}\n{"kind": "note", "ms": "soon", "text": "x"}\n'
    )
    monkeypatch.setattr(ev, "FORMAT", 3)
    monkeypatch.setattr(reader, "UPGRADES", {1: one_to_two, 2: two_to_three})
    recording = read(path)
    assert recording.header.hangup == 3 and recording.header.started == "then"
    assert list(recording) == [ev.Note(at=1.5, text="hello")]
    assert [number for number, _ in recording.skips] == [3, 4, 5]


def test_bad_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    good = ev.encode(note(1))
    lines = [
        ev.encode(HEADER),
        good,
        b"not json",
        b'{"kind": "from-a-newer-minor", "at": 1}',
        b"",
        good + b"\r",
        b'{"kind":"log","at":1,"text":"\xff"}',
        b'{"kind":"log","at":1,"text":"\\ud800"}',
        b'{"kind":"log","at":1e400,"text":""}',
        b'{"kind":"log","at":1,"new field":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"kind":"log","at":1,"conn":' + b"9" * 10_000 + b"}",
        b"\x00" * 50,
        good,
    ]
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"\n".join(lines) + b"\n")
    recording = read(path)
    assert list(recording) == [note(1)] * 3
    assert [number for number, _ in recording.skips] == [3, 4, 7, 8, 9, 10, 11, 12]
    assert recording.skipped == 8 and not recording.torn
    assert all(why.isprintable() for _, why in recording.skips)


def test_only_the_first_skips_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(ev.encode(HEADER) + b"\n" + b"?\n" * 1000)
    recording = read(path)
    assert list(recording) == [] and recording.skipped == 1000
    assert len(recording.skips) == reader.SKIPS_KEPT


def test_a_line_over_the_limit_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "LINE_LIMIT", 1000)
    path = tmp_path / "x.jsonl"
    long = ev.encode(note(2, size=5000))
    path.write_bytes(b"\n".join([ev.encode(HEADER), ev.encode(note(1)), long, ev.encode(note(3)), long]))
    recording = read(path)
    assert list(recording) == [note(1), note(3)]
    assert [number for number, _ in recording.skips] == [3, 5]


@settings(max_examples=50, deadline=None)
@given(got=st.lists(recorded.events, max_size=4), data=st.data())
def test_any_events_survive_and_any_cut_leaves_the_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, got: list[ev.AnyEvent], data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    head = ev.dump([HEADER])
    body = ev.dump(got)
    path.write_bytes(head + body)
    assert list(read(path)) == got
    cut = data.draw(st.integers(0, len(body)))
    path.write_bytes(head + body[:cut])
    recording = read(path)
    rest = list(recording)
    # A line that lacks only its newline is whole.
    complete = body[:cut].count(b"\n") + (body[cut : cut + 1] == b"\n")
    assert rest == got[:complete]
    assert recording.torn == (body[max(cut - 1, 0) : cut + 1].find(b"\n") < 0 and 0 < cut)


@settings(max_examples=200, deadline=None)
@given(junk=st.binary(max_size=300) | st.text(max_size=100).map(lambda s: s.encode("utf-8", "replace")))
def test_any_bytes_after_a_header_are_no_error(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.jsonl"
    path.write_bytes(ev.dump([HEADER]) + junk)
    recording = read(path)
    first = list(recording), recording.torn, recording.skipped
    assert first == (list(recording), recording.torn, recording.skipped)


@settings(max_examples=200, deadline=None)
@given(junk=st.binary(max_size=300))
def test_any_bytes_at_all_are_a_recording_or_told(tmp_path_factory: pytest.TempPathFactory, junk: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.jsonl"
    path.write_bytes(junk)
    with pytest.raises(RecordingError):
        read(path)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    piped = io.TextIOWrapper(io.BytesIO(ev.dump([HEADER, note(1), note(2)])))
    monkeypatch.setattr(sys, "stdin", piped)
    recording = read("-")
    assert recording.name == "standard input" and list(recording) == [note(1), note(2)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_named_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(ev.dump([HEADER, note(1)])))
    writer.start()
    recording = read(path)
    assert list(recording) == [note(1)]
    writer.join()


# Following.


def test_follow_sees_what_is_appended_also_in_halves_and_in_the_next_file(tmp_path: Path) -> None:
    path = recorded.write(tmp_path / "run.jsonl", [note(1)])
    line = ev.dump([note(2)])
    steps: Iterator[Callable[[], Any]] = iter(
        [
            lambda: None,
            lambda: append(path, line[:10]),
            lambda: append(path, line[10:]),
            lambda: append(path, ev.dump([note(3)])[:-1]),
            lambda: append(path, b"\n"),
            lambda: (append(path, ev.dump([note(4)])), recorded.write(tmp_path / "run.2.jsonl", [note(5)])),
            lambda: recorded.write(tmp_path / "run.3.jsonl", [note(6), ev.Stop(at=9.0)]),
        ]
    )

    def wait() -> bool:
        next(steps)()
        return True

    got = list(follow(read(path), wait))
    assert got == [*(note(i) for i in range(1, 7)), ev.Stop(at=9.0)]
    assert next(steps, None) is None


def test_follow_ends_when_told(tmp_path: Path) -> None:
    path = recorded.write(tmp_path / "run.2.jsonl", [note(1)])
    append(path, b'{"half')
    recording = read(path)
    assert list(follow(recording, lambda: False)) == [note(1)]
    assert recording.torn


def append(path: Path, data: bytes) -> None:
    with open(path, "ab") as file:
        file.write(data)


# Files that are removed, moved away, or too many.


@pytest.mark.skipif(not POSIX, reason="a file that is open cannot be removed")
def test_a_removed_file_is_told_and_gone_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "WATCH", 0.01)
    monkeypatch.setattr(journal_files, "WATCH", 0.01)
    losses, rotations = Losses(), Losses()
    path = tmp_path / "folder" / "run.jsonl"
    out = Journal(path, HEADER, on_loss=losses, on_rotation=lambda message: rotations(message, 0))
    for number in range(3):
        out.write(note(number))
    out.flush()
    until(lambda: len(list(read(path))) == 3)
    shutil.rmtree(path.parent)
    losses.wait_for(1)  # though nothing is written
    rotations.wait_for(1)
    out.write(note(3))
    out.close()
    following = path.with_name("run.2.jsonl")
    told, after = read(following)
    assert isinstance(told, ev.Note) and told.lost == 3 and told.at == note(2).at and after == note(3)
    assert read(following).header.note == "continues run.jsonl"
    assert losses == [(f"NOT RECORDED: {path} was removed while it was being written, 3 events are lost", 3)]
    assert rotations == [(f"recording continues in {following}", 0)]
    assert out.lost == 3 and out.reasons == [f"{path} was removed while it was being written"]


@pytest.mark.skipif(not POSIX, reason="a file that is open cannot be moved")
def test_a_file_that_is_moved_within_a_line_keeps_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The half line stays in the file that is moved, where it is told as torn; the whole of it is in the next."""
    monkeypatch.setattr(journal_files, "WATCH", 0.01)
    disk = Disk(monkeypatch, len(ev.encode(HEADER)) + 1 + 10)
    losses = Losses()
    out = Journal(tmp_path / "run.jsonl", HEADER, on_loss=losses)
    out.write(note(1))
    out.flush()
    losses.wait_for(1)
    out.path.rename(tmp_path / "moved.jsonl")
    losses.wait_for(2)
    disk.room = None
    losses.wait_for(3)
    out.close()
    moved = read(tmp_path / "moved.jsonl")
    assert list(moved) == [] and moved.torn
    told, after = read(tmp_path / "run.2.jsonl")
    assert isinstance(told, ev.Note) and "was moved away" in told.text and not told.lost and after == note(1)
    assert out.lost == 0


@pytest.mark.skipif(not POSIX, reason="a file that is open cannot be removed")
def test_a_file_that_is_removed_at_the_very_end_is_told(tmp_path: Path) -> None:
    losses = Losses()
    out = Journal(tmp_path / "run.jsonl", HEADER, on_loss=losses)
    out.write(note(1))
    out.flush()
    until(lambda: len(list(read(out.path))) == 1)
    out.path.unlink()
    out.close()
    assert out.lost == 1 and "was removed" in losses[0][0]


def test_the_oldest_files_are_deleted_to_keep_within_a_total(tmp_path: Path) -> None:
    """At no time there is more; what was deleted is told, on the screen and in the file; a foreign file stays."""
    other = recorded.write(tmp_path / "run.4.jsonl", [note(1)])
    rotations = Losses()
    keep = 8000
    out = Journal(tmp_path / "run.jsonl", HEADER, keep=keep, on_rotation=lambda message: rotations(message, 0))
    most = 0
    for number in range(300):
        out.write(note(number, 60))
        out.flush()
        until(lambda: not out.behind)
        most = max(most, sum(path.stat().st_size for path in tmp_path.iterdir() if path != other))
    out.close()
    assert keep * 0.7 < most <= keep
    assert out.files == sorted(set(tmp_path.iterdir()) - {other}, key=lambda path: int(path.suffixes[0][1:]))
    assert folder.oldest(out.path) == other and list(read(other)) == [note(1)]
    other.unlink()
    assert folder.oldest(out.path) == out.files[0]
    events = [event for path in out.files for event in read(path) if isinstance(event, ev.Note)]
    kept = [event for event in events if event.conn]
    assert kept == [note(number, 60) for number in range(300 - len(kept), 300)]
    deleted = [event.text for event in events if not event.conn]
    assert all(re.fullmatch(r"deleted run[.\d]*jsonl, to keep at most 7.8 KiB", text) for text in deleted)
    assert any("recording continues in" in text and "; deleted run.jsonl, to keep" in text for text, _ in rotations)
    assert out.lost == 0


def test_what_cannot_be_deleted_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = iter([True])

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if next(refused, False):
            raise PermissionError(errno.EACCES, "Permission denied")
        os.unlink(path)

    monkeypatch.setattr(journal_files.Path, "unlink", unlink)
    rotations = Losses()
    out = Journal(tmp_path / "run.jsonl", HEADER, keep=4000, on_rotation=lambda message: rotations(message, 0))
    for number in range(100):
        out.write(note(number, 60))
    out.close()
    assert sum("run.jsonl cannot be deleted: Permission denied" in text for text, _ in rotations) == 1
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 4000


def test_a_recording_that_is_written_at_once(tmp_path: Path) -> None:
    path = tmp_path / "made" / "for it" / "run.jsonl"
    writer.write(path, HEADER, [note(1), note(2)])
    assert list(read(path)) == [note(1), note(2)]
    with pytest.raises(RecordingError, match="cannot write"):
        writer.write(path, HEADER, [])
    assert list(read(path)) == [note(1), note(2)], "what is there is left alone"


def test_a_private_file_that_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "cookie"
    path.write_bytes(b"for all to read")
    path.chmod(0o644)
    writer.write_private(path, b"mine")
    assert path.read_bytes() == b"mine"
    assert sys.platform == "win32" or stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(RecordingError, match="cannot write"):
        writer.write_private(tmp_path / "nowhere" / "cookie", b"mine")
