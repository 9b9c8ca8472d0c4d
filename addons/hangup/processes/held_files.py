"""A file that is held by a running program: the system lets go of it when the program ends, whatever the reason."""

from __future__ import annotations

import os
import sys
from typing import Any

if sys.platform == "win32":
    import msvcrt as _system
else:
    import fcntl as _system

PLACE = 1 << 30
"""Where the byte is that is locked on Windows, which keeps others from reading what is locked: beyond the content."""

_SYSTEM: Any = _system


def hold(descriptor: int, api: Any = _SYSTEM) -> bool:
    """Holds an open file until it is closed; whether that was possible (not on every network's file system). ``api`` is
    :mod:`fcntl`, or :mod:`msvcrt` on Windows."""
    try:
        if hasattr(api, "flock"):
            api.flock(descriptor, api.LOCK_EX | api.LOCK_NB)
        else:
            os.lseek(descriptor, PLACE, os.SEEK_SET)
            api.locking(descriptor, api.LK_NBLCK, 1)
    except OSError:
        return False
    return True


def is_held(descriptor: int, api: Any = _SYSTEM) -> bool:
    """Whether another program, or another opening of the file, holds it."""
    try:
        if hasattr(api, "flock"):
            api.flock(descriptor, api.LOCK_SH | api.LOCK_NB)
        else:
            os.lseek(descriptor, PLACE, os.SEEK_SET)
            api.locking(descriptor, api.LK_NBLCK, 1)
            os.lseek(descriptor, PLACE, os.SEEK_SET)
            api.locking(descriptor, api.LK_UNLCK, 1)
    except OSError:
        return True
    return False
