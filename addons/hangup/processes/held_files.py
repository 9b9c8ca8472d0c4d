"""A file that is held by a running program: the system lets go of it when the program ends, whatever the reason."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PLACE = 1 << 30
"""Where the byte is that is locked on Windows, which keeps others from reading what is locked: beyond the content."""


def hold(descriptor: int) -> bool:
    """Holds an open file until it is closed; whether that was possible (not on every network's file system)."""
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, PLACE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_held(descriptor: int) -> bool:
    """Whether another program, or another opening of the file, holds it."""
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, PLACE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, PLACE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
