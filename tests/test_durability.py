"""What was forwarded is in the file, also when the process is killed; a disk that takes nothing stops no traffic."""

from __future__ import annotations

import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

import recorded as rec
from hangup.cli.incomplete import EXIT_CODE
from hangup.recorder.journal import NOT_RECORDED
from hangup.recording import reader
from hangup.recording.events import Note, Stop
from harness import frames, until
from harness.frames import MASK, TEXT
from harness.peers import Peer, RawServer, Side, open_websocket
from harness.programs import Program
from harness.proxies import SMALL_FILES, HangupProxy
from harness.reading import connections
from harness.scheduling import CpuWatch

GRACE = 0.05
"""Seconds after which a forwarded frame has to be in the file; time that the proxy gets no CPU is not counted."""
BATCH = 64
KILLS = 20


def load(client: Peer, server: Peer, until: float, watch: CpuWatch | None = None) -> None:
    """Numbered messages both ways, a batch at a time, until the clock says so."""
    number = got = 0
    while time.monotonic() < until:
        if watch:
            watch.sample()
        batch = b"".join(
            frames.frame(TEXT, b"%08d %s" % (n, b"x" * (n % 90)), mask=MASK) for n in range(number, number + BATCH)
        )
        number += BATCH
        got += len(batch)
        client.send(batch)
        server.expect(got)
        server.send(b"".join(frames.frame(TEXT, b"%08d" % n) for n in range(number - BATCH, number)))
        client.expect(number * 10)


def received_before(peer: Peer, moment: float) -> bytes:
    """What had come before this moment."""
    return b"".join(data for at, data in peer.chunks if at < moment)


@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_at_a_random_moment(seed: int) -> None:
    """Every frame that the far side had more than 50 ms before the kill is in the file, and the file loads."""
    with RawServer() as server, HangupProxy(server.url, "--quiet") as proxy:
        client = open_websocket(proxy.address, "/load")
        upstream = server.accept("/load")
        watch = CpuWatch(proxy.pid)
        load(client, upstream, time.monotonic() + random.Random(seed).uniform(0.1, 0.4), watch)
        # In the midst of it: this one may be on its way through the recorder.
        client.send(frames.frame(TEXT, b"one more", mask=MASK))
        watch.sample()
        proxy.kill()
        client.wait_end()
        upstream.wait_end()
        recorded = connections(proxy.events())["/load"]
    ways: list[tuple[Side, Peer]] = [("client", upstream), ("server", client)]
    for side, far in ways:
        safe = received_before(far, watch.moment_before(GRACE))
        assert recorded.sent(side).startswith(safe[: size_of_frames(safe)])
        assert far.received.startswith(recorded.sent(side))


def recorded_end(proxy: HangupProxy, target: str) -> bool:
    """Whether the end of both legs is in the file."""
    found = connections(proxy.events()).get(target)
    return found is not None and len(found.ends) == 2


def size_of_frames(data: bytes) -> int:
    """The size in bytes of the whole frames at the beginning."""
    return sum(len(frames.frame(f.opcode, f.payload, mask=MASK if f.masked else None)) for f in frames.parse(data))


# Nowhere to write --------------------------------------------------------------------------------------------

def talk(proxy: HangupProxy, server: RawServer, target: str, size: int) -> bytes:
    """A frame of so many random bytes each way and an orderly end; the frame's bytes."""
    client = open_websocket(proxy.address, target)
    upstream = server.accept(target)
    data = frames.frame(frames.BINARY, random.Random(size).randbytes(size), mask=MASK)
    client.send(data)
    upstream.expect(data)
    upstream.send(data)
    client.expect(data)
    upstream.close()
    client.wait_end()
    client.close()
    return data


@pytest.mark.skipif(sys.platform == "win32", reason="no RLIMIT_FSIZE")
def test_full_disk() -> None:
    """Traffic goes on, the loss is told, and what was written before can be read."""
    with RawServer() as server, HangupProxy(server.url, command=[sys.executable, "-c", SMALL_FILES]) as proxy:
        sent = talk(proxy, server, "/before", 1000)
        talk(proxy, server, "/too-much", 200_000)
        talk(proxy, server, "/after", 1000)
        proxy.wait_for(f"{NOT_RECORDED}: cannot write .*: File too large")
        proxy.stop(code=EXIT_CODE)
        assert "the recording is incomplete: " in proxy.errors and "File too large" in proxy.errors.splitlines()[-1]
        recorded = connections(proxy.events())
        assert proxy.recording.stat().st_size <= 65536
        assert recorded["/before"].sent("client") == recorded["/before"].sent("server") == sent
        assert proxy.show()["connections"][0]["path"] == "/before"


@pytest.mark.skipif(sys.platform == "win32", reason="no RLIMIT_FSIZE")
def test_full_disk_of_a_server_that_is_played(tmp_path: Path) -> None:
    """Every command that records says so, and ends with the same code."""
    source = rec.write(tmp_path / "source.jsonl", [rec.handshake(), rec.text(0.2, "client", 1)])
    words = ["serve", source, "--listen", "127.0.0.1:0", "--record", tmp_path / "run.jsonl"]
    with Program([sys.executable, "-c", SMALL_FILES, *words]) as program:
        found = program.wait_for(r"listening on (\S+):(\d+)")
        program.wait_for("recording to")
        client = open_websocket((found[1], int(found[2])), "/ws")
        client.send(frames.frame(frames.BINARY, random.Random(1).randbytes(200_000), mask=MASK))
        program.wait_for(f"{NOT_RECORDED}: cannot write .*: File too large")
        client.close()
        program.stop(code=EXIT_CODE)
        assert "the recording is incomplete: " in program.errors


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 1 MiB; skips the test where none can be mounted."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "hangup", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="no tmpfs")
def test_disk_that_is_full_for_a_while(tmp_path: Path) -> None:
    """Recording goes on once there is room again; what came meanwhile is in the file, or counted there as lost."""
    with small_disk(tmp_path / "disk") as disk, RawServer() as server:
        with HangupProxy(server.url, record=disk / "run.jsonl") as proxy:
            before = talk(proxy, server, "/before", 1000)
            filler = disk / "filler"
            with pytest.raises(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            meanwhile = talk(proxy, server, "/meanwhile", 100_000)
            proxy.wait_for(f"{NOT_RECORDED}: cannot write .*: No space left on device")
            filler.unlink()
            proxy.wait_for("recording again")
            after = talk(proxy, server, "/after", 1000)
            proxy.stop()  # with 0: all was kept until there was room
            events = proxy.events()
            recorded = connections(events)
    assert recorded["/before"].sent("client") == before
    assert recorded["/after"].sent("client") == recorded["/after"].sent("server") == after
    assert not sum(event.lost for event in events if isinstance(event, Note))
    assert recorded["/meanwhile"].sent("client") == recorded["/meanwhile"].sent("server") == meanwhile


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be removed")
def test_folder_that_is_removed(tmp_path: Path) -> None:
    """It is told at once, also while nothing happens; what comes after it is recorded; the exit code says it too."""
    record = tmp_path / "recordings" / "run.jsonl"
    with RawServer() as server, HangupProxy(server.url, record=record) as proxy:
        talk(proxy, server, "/before", 1000)
        until(lambda: recorded_end(proxy, "/before"))
        shutil.rmtree(record.parent)
        proxy.wait_for(rf"{NOT_RECORDED}: {record} was removed while it was being written, \d+ events are lost")
        proxy.wait_for(f"recording continues in {record.with_name('run.2.jsonl')}")
        sent = talk(proxy, server, "/after", 1000)
        output = proxy.stop(code=EXIT_CODE)
    assert "the recording is incomplete: " in proxy.errors
    assert f"next: hangup show {record.with_name('run.2.jsonl')}\n" in output
    assert not record.exists() and (record.parent / ".gitignore").exists()
    events = list(reader.read(record.with_name("run.2.jsonl")))
    assert isinstance(events[0], Note) and events[0].lost and "was removed" in events[0].text
    assert connections(events)["/after"].sent("client") == sent


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be renamed")
def test_file_that_is_moved_away(tmp_path: Path) -> None:
    """Nothing is lost: what came before is where it was moved to, the rest in the next file."""
    record = tmp_path / "run.jsonl"
    with RawServer() as server, HangupProxy(server.url, record=record) as proxy:
        before = talk(proxy, server, "/before", 1000)
        until(lambda: recorded_end(proxy, "/before"))
        record.rename(tmp_path / "kept.jsonl")
        proxy.wait_for(f"{record} was moved away while it was being written")
        after = talk(proxy, server, "/after", 1000)
        proxy.stop()
    assert connections(list(reader.read(tmp_path / "kept.jsonl")))["/before"].sent("client") == before
    assert connections(list(reader.read(tmp_path / "run.2.jsonl")))["/after"].sent("client") == after


FEW_FILES = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from hangup.cli import main
main()
"""
"""``hangup`` where a program may have no more than 64 files and sockets open."""


@pytest.mark.skipif(sys.platform == "win32", reason="no RLIMIT_NOFILE")
def test_more_connections_than_there_may_be_files() -> None:
    """It is said once, costs no processor time, and passes: those that waited are served."""
    with RawServer() as server, HangupProxy(server.url, command=[sys.executable, "-c", FEW_FILES]) as proxy:
        page = re.search(r"control on 127.0.0.1:(\d+)", proxy.wait_for(r"control on \S+")[0])
        assert page is not None
        control = ("127.0.0.1", int(page[1]))
        crowd = [socket.create_connection(address) for address in [proxy.address] * 80 + [control] * 5]
        proxy.wait_for("new connections have to wait until others have ended: too many open files")
        process = psutil.Process(proxy.pid)
        before = process.cpu_times()
        time.sleep(2.5)  # that nothing is done meanwhile has no event to wait for
        after = process.cpu_times()
        for each in crowd:
            each.close()
        late = open_websocket(proxy.address, "/late")
        server.accept("/late")
        late.close()
        proxy.stop()
    assert after.user + after.system - before.user - before.system < 0.5
    assert len(proxy.errors.splitlines()) == 1, proxy.errors


def test_unwritable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with RawServer() as server, HangupProxy(server.url, record=tmp_path / "file" / "run.jsonl") as proxy:
        talk(proxy, server, "/on", 1000)
        assert "nothing could be recorded" in proxy.stop(code=EXIT_CODE)
        assert f"{NOT_RECORDED}: cannot write" in proxy.errors


def test_terminated_under_load(tmp_path: Path) -> None:
    """SIGTERM ends both legs in order, and the recording tells all of it, its end too."""
    for how in (signal.SIGTERM, signal.SIGINT):
        with RawServer() as server, HangupProxy(server.url) as proxy:
            client = open_websocket(proxy.address, "/load")
            upstream = server.accept("/load")
            load(client, upstream, time.monotonic() + 0.1)
            proxy.stop(how)
            assert client.wait_end().how == "fin"
            assert upstream.wait_end().how == "fin"
            events = proxy.events()
            recorded = connections(events)["/load"]
            assert recorded.sent("client") == upstream.received
            assert recorded.sent("server") == client.received
            assert isinstance(events[-1], Stop)
            (shown,) = proxy.show()["connections"]
            assert shown["ending"]["by"] == "proxy"
            assert shown["ending"]["sentence"].startswith("hangup itself ended it (it was stopped)")


def test_recordings_are_private(tmp_path: Path) -> None:
    with RawServer() as server, HangupProxy(server.url, record=tmp_path / "my folder" / "run.jsonl") as proxy:
        talk(proxy, server, "/secret", 10)
        assert os.stat(proxy.recording).st_mode & 0o777 == 0o600
        assert f"next: hangup show {shlex.quote(str(proxy.recording))}\n" in proxy.stop()
