"""Processes of hangup's own that work for a server without keeping it waiting."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import hangup
from hangup.errors import ControlError

NICE = 10
"""By how much their priority is lower."""

GOODBYE = 2.0
"""Seconds that a process may take to end by itself."""


async def start(*arguments: str, **options: Any) -> asyncio.subprocess.Process:
    """``python -m ARGUMENTS``, out of reach of a Ctrl-C on the terminal. Raises :class:`ControlError`."""
    root = str(Path(hangup.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.BELOW_NORMAL_PRIORITY_CLASS
    else:
        options["start_new_session"] = True
    environment = {**os.environ, "PYTHONPATH": path}
    try:
        # -P: what lies in the user's folder must not be taken for a module of ours.
        command = (sys.executable, "-P", "-m", *arguments)
        process = await asyncio.create_subprocess_exec(*command, env=environment, **options)
    except OSError as error:
        raise ControlError(f"hangup cannot start a process of its own: {error}") from None
    if hasattr(os, "setpriority"):
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICE))
    return process


async def end(process: asyncio.subprocess.Process, patience: float = GOODBYE) -> None:
    """Waits until it has ended, and kills it when that takes too long."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), patience)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
