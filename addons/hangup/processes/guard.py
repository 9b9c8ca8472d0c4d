"""What ends a program, and what it started, once hangup is gone, even by SIGKILL: ``python -I -S guard.py …``.

It runs before the program and becomes it, by exec, so that the program has the process id, the streams, the terminal
and the place among processes that it would have alone. Before that it leaves a watcher behind, in a session of its own,
which holds one end of a pipe that hangup holds the other end of: a byte means that all is in order, the end of the
pipe that hangup has died. That there are watchers at all is :mod:`hangup.processes.tied`'s business.

Imports nothing of hangup: it is started with every backend, and takes about 20 ms.
"""

import os
import select
import signal
import sys
import time

POLL = 1.0
"""Seconds between two looks whether there is still something to end."""

GRACE = 2.0
"""Seconds that a program has to end once hangup has died, before it is killed: it may hold the port."""

STEP = 0.05


def main(life: int, failed: int, scope: str, group: int, locale: str, words: list[str]) -> None:
    """``life`` is the pipe's end to read; the number of the error goes to ``failed`` when the program cannot be run.
    ``scope`` is what is ended: its process ``group``, or the ``process`` with all that descends from it. ``locale``
    says whether LC_CTYPE was in the environment: where it was not, Python may have put it there."""
    if not locale:
        os.environ.pop("LC_CTYPE", None)
    os.set_inheritable(life, False)
    os.set_inheritable(failed, False)
    program = os.getpid()
    first = os.fork()
    if not first:
        os.setsid()
        if not os.fork():
            _watch(life, failed, program, (group or program) if scope == "group" else 0)
        os._exit(0)
    os.waitpid(first, 0)
    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores them, and what is ignored stays so
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execvp(words[0], words)
    except OSError as error:
        os.write(failed, str(error.errno).encode())
        os._exit(127)


def _watch(life: int, failed: int, program: int, group: int) -> None:
    try:
        os.close(failed)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        os.chdir("/")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        while not select.select([life], [], [], POLL)[0]:
            if not _there(program, group):
                return
        if not os.read(life, 1):
            _end(program, group)
    finally:
        os._exit(0)


def _there(program: int, group: int) -> bool:
    try:
        if group:
            os.killpg(group, 0)
        else:
            os.kill(program, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _end(program: int, group: int) -> None:
    left = descendants(program)  # now, as later they have other parents
    if not group:
        left.insert(0, program)
    until = time.monotonic() + GRACE
    _tell(signal.SIGTERM, left, group)
    while time.monotonic() < until and (group and _there(0, group) or any(_there(pid, 0) for pid in left)):
        time.sleep(STEP)  # these are not our children: nobody tells of their end
    _tell(signal.SIGKILL, left, group)


def _tell(number: int, pids: list[int], group: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass
    if group:
        try:
            os.killpg(group, number)
        except OSError:
            pass


def descendants(pid: int) -> list[int]:
    """The children of a process, their children, and so on, as far as the system tells."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found: list[int] = []
    open_ = [pid]
    while open_:
        below = children.pop(open_.pop(), [])
        found += below
        open_ += below
    return found


def _parents() -> list[tuple[int, int]]:
    found = []
    try:
        names = [name for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return _parents_by_ps()
    for name in names:
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                # The name of the program stands in parentheses, and may have some in it.
                found.append((int(name), int(file.read().rpartition(b")")[2].split()[1])))
        except (OSError, IndexError, ValueError):
            pass
    return found


def _parents_by_ps() -> list[tuple[int, int]]:
    import subprocess

    try:
        said = subprocess.run(["/bin/ps", "-A", "-o", "pid=,ppid="], capture_output=True, timeout=2).stdout
        return [(int(pid), int(parent)) for pid, parent in map(bytes.split, said.splitlines())]
    except (OSError, ValueError, subprocess.SubprocessError):
        return []


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5], sys.argv[6:])
