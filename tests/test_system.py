"""Every platform's branch of what differs between them, played on whichever this is."""

from __future__ import annotations

import asyncio
import ctypes
import os
import select
import signal
import socket
import stat
import struct
import sys
import threading
from asyncio.proactor_events import _ProactorSocketTransport
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hangup import system
from hangup.cli import cli
from hangup.cli.opening import _own
from hangup.cli.sources import opened
from hangup.net import endpoint
from hangup.processes import ending, held_files
from hangup.processes.program import words_of
from hangup.recording.formats import open_recording

EXAMPLE = sorted((Path(__file__).parents[1] / "recordings").glob("a*.jsonl"))[0]


class TestCommandLines:
    @pytest.mark.parametrize(
        ("command", "words"),
        [
            (r'"C:\Program Files\Python\python.exe" -m app', [r"C:\Program Files\Python\python.exe", "-m", "app"]),
            (r'uvicorn app:app --reload-dir="C:\my app" --port 8000',
             ["uvicorn", "app:app", r"--reload-dir=C:\my app", "--port", "8000"]),
            (r"C:\venv\Scripts\uvicorn.exe app:app", [r"C:\venv\Scripts\uvicorn.exe", "app:app"]),
            ("echo it's # here", ["echo", "it's", "#", "here"]),
            ('run ""', ["run", ""]),
        ],
    )
    def test_on_windows(self, command: str, words: list[str]) -> None:
        assert system.split_command(command, "win32") == words

    @pytest.mark.parametrize("platform", ["linux", "darwin"])
    def test_elsewhere(self, platform: str) -> None:
        command = r"'/opt/my app/run' --name=it\'s \"x\""
        assert system.split_command(command, platform) == ["/opt/my app/run", "--name=it's", '"x"']

    @pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
    def test_a_quote_that_stays_open(self, platform: str) -> None:
        with pytest.raises(ValueError, match="quotation"):
            system.split_command('run "x', platform)

    def test_what_is_started_is_split_so(self) -> None:
        assert words_of('run "a b"', "--backend-cmd") == ["run", "a b"]


class TestFolders:
    HOME = Path("/home/ann")

    @pytest.mark.parametrize(
        ("platform", "environment", "expected"),
        [
            ("linux", {}, "/home/ann/.local/state/hangup"),
            ("darwin", {}, "/home/ann/Library/Application Support/hangup"),
            ("win32", {}, "/home/ann/AppData/Local/hangup"),
            ("win32", {"LOCALAPPDATA": "/d/local"}, "/d/local/hangup"),
            ("linux", {"LOCALAPPDATA": "/d/local"}, "/home/ann/.local/state/hangup"),
            ("win32", {"XDG_STATE_HOME": "/x"}, "/x/hangup"),
            ("darwin", {"XDG_STATE_HOME": "/x"}, "/x/hangup"),
        ],
    )
    def test_the_state_is_kept_where_the_platform_keeps_it(
        self, platform: str, environment: dict[str, str], expected: str
    ) -> None:
        assert system.state_folder(platform, environment, self.HOME) == Path(expected)

    @pytest.mark.skipif(os.name != "posix", reason="who may read what is said otherwise there")
    def test_those_above_a_private_one_are_private_as_well(self, tmp_path: Path) -> None:
        """A link's folder may be the first thing that is made in the state's."""
        system.make_private_folder(tmp_path / "state" / "hangup" / "links")
        for made in ("state", "state/hangup", "state/hangup/links"):
            assert stat.S_IMODE((tmp_path / made).stat().st_mode) == 0o700
        system.make_private_folder(tmp_path / "state" / "hangup")  # it is there


class TestFiles:
    def test_a_private_one_is_new_and_its_owners(self, tmp_path: Path) -> None:
        path = tmp_path / "x"
        with system.open_private(path) as file:
            file.write(b"a\nb")
        assert path.read_bytes() == b"a\nb"
        if os.name == "posix":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(FileExistsError):
            system.open_private(path)

    def test_a_temporary_one_is_opened_once_at_a_time(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """On Windows a second opening is refused as long as the first lasts: by nobody's doing is there one."""
        files: dict[int, str] = {}
        reopened: list[str] = []
        real = os.open

        def watched(path: Any, *rest: Any, **options: Any) -> int:
            if "hangup-" in str(path):
                reopened.extend(str(path) for fd, name in files.items() if name == str(path) and _is_open(fd))
            descriptor = real(path, *rest, **options)
            files[descriptor] = str(path)
            return descriptor

        monkeypatch.setattr(os, "open", watched)
        har = tmp_path / "x.har"
        assert CliRunner().invoke(cli, ["convert", str(EXAMPLE), str(har)]).exit_code == 0
        with opened(str(har)) as source, _own(source) as copy:
            assert len(list(open_recording(copy))) > 2
            folder = copy.parent
        assert not folder.exists()
        assert any("hangup-" in name for name in files.values()) and not reopened

    def test_standard_input_is_kept_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with EXAMPLE.open("rb") as file:
            monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": file}))
            with opened("-") as source, _own(source) as kept:
                assert kept.read_bytes() == EXAMPLE.read_bytes()
        assert not kept.exists() and not kept.parent.exists()


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


class Locking:
    """msvcrt's locks on bytes: another's lock, also through another opening of the file, is an error."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self) -> None:
        self.held: dict[tuple[int, int], int] = {}

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        place = os.fstat(descriptor).st_ino, os.lseek(descriptor, 0, os.SEEK_CUR)
        if mode == self.LK_UNLCK:
            assert self.held.pop(place) == descriptor
        elif place in self.held:
            raise PermissionError(13, "Permission denied")
        else:
            self.held[place] = descriptor


class TestHeldFiles:
    def test_on_windows(self, tmp_path: Path) -> None:
        self.holds(tmp_path, Locking())

    @pytest.mark.skipif(sys.platform == "win32", reason="no fcntl")
    def test_elsewhere(self, tmp_path: Path) -> None:
        import fcntl

        self.holds(tmp_path, fcntl)

    def holds(self, folder: Path, api: Any) -> None:
        path = folder / "state"
        path.write_bytes(b"content")

        def is_held() -> bool:
            with path.open("rb+") as file:
                return held_files.is_held(file.fileno(), api)

        assert not is_held()
        with path.open("rb+") as mine, path.open("rb+") as theirs:
            assert held_files.hold(mine.fileno(), api)
            assert is_held()
            assert not held_files.hold(theirs.fileno(), api)
            theirs.seek(0)
            assert theirs.read() == b"content", "what is locked lies beyond it"


class TestSignals:
    def test_an_event_loop_without_handlers(self) -> None:
        """As Windows' is."""

        async def check() -> None:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler = _refuses  # type: ignore[method-assign]
            told: asyncio.Queue[None] = asyncio.Queue()
            before = signal.getsignal(signal.SIGTERM)
            restore = ending.on_ending(lambda: told.put_nowait(None))
            signal.raise_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                await told.get()
            restore()
            assert signal.getsignal(signal.SIGTERM) == before

        asyncio.run(check())

    def test_in_a_thread_there_are_none(self) -> None:
        done: list[bool] = []

        async def check() -> None:
            ending.on_ending(lambda: None)()
            done.append(True)

        thread = threading.Thread(target=lambda: asyncio.run(check()))
        thread.start()
        thread.join()
        assert done == [True]


def _refuses(*_: object) -> None:
    raise NotImplementedError


class Linger(ctypes.Structure):
    """LINGER of winsock.h."""

    _fields_ = [("l_onoff", ctypes.c_ushort), ("l_linger", ctypes.c_ushort)]


class Proactor:
    """In the place of Windows' completion ports: a read that never ends, and writes that end at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def recv_into(self, sock: socket.socket, buffer: Any) -> asyncio.Future[int]:
        return self.loop.create_future()

    def send(self, sock: socket.socket, data: bytes) -> asyncio.Future[int]:
        done = self.loop.create_future()
        done.set_result(sock.send(data))
        return done


class TestResets:
    def test_how_the_option_is_packed(self) -> None:
        windows = Linger.from_buffer_copy(system.linger_reset("win32"))
        assert (windows.l_onoff, windows.l_linger, len(system.linger_reset("win32"))) == (1, 0, ctypes.sizeof(Linger))
        assert struct.unpack("ii", system.linger_reset("linux")) == (1, 0)
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, system.linger_reset())
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER)

    @pytest.mark.skipif(sys.platform == "win32", reason="plays that event loop's transport on another")
    def test_windows_event_loop_sends_no_fin_before_it(self) -> None:
        """asyncio's own transport, whose end is ``shutdown`` and then ``close``."""

        async def check() -> tuple[list[str], bytes]:
            loop: Any = asyncio.get_running_loop()
            loop._proactor = Proactor(loop)
            with socket.create_server(("127.0.0.1", 0)) as listener:
                peer = socket.create_connection(listener.getsockname())
                mine, _ = listener.accept()
            mine.setblocking(False)
            lost = loop.create_future()

            class Told(asyncio.Protocol):
                def connection_lost(self, exc: Exception | None) -> None:
                    lost.set_result(exc)

            shut: list[str] = []
            connected = loop.create_future()
            transport = _ProactorSocketTransport(loop, _Watched(mine, shut), Told(), connected)
            await connected
            transport.write(b"last words")
            endpoint.reset(transport)
            await lost
            await asyncio.sleep(0)  # its own close comes after it has told of the loss
            with peer:
                peer.settimeout(20)
                data = peer.recv(100)
                with pytest.raises(ConnectionResetError):
                    peer.recv(1)
            return shut, data

        assert asyncio.run(check()) == ([], b"last words")

    @pytest.mark.skipif(not hasattr(select, "poll"), reason="no poll")
    def test_elsewhere(self) -> None:
        async def check() -> None:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                peer = socket.create_connection(listener.getsockname())
                mine, _ = listener.accept()
            transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=mine)
            endpoint.reset(transport)
            await asyncio.sleep(0)
            with peer, pytest.raises(ConnectionResetError):
                peer.settimeout(20)
                peer.recv(1)

        asyncio.run(check())


class _Watched(socket.socket):
    """A socket that tells when it is shut down."""

    def __init__(self, sock: socket.socket, shut: list[str]) -> None:
        super().__init__(sock.family, sock.type, sock.proto, sock.detach())
        self.setblocking(False)
        self.shut = shut

    def shutdown(self, how: int) -> None:
        self.shut.append("shutdown")
        super().shutdown(how)
