"""Runs another of these backends behind something that is run in this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path


@contextlib.asynccontextmanager
async def backend(name: str, *arguments: str) -> AsyncIterator[int]:
    """Starts ``name`` beside this file on a free port, with the same options but these; yields its port."""
    command = [sys.executable, str(Path(__file__).parent / name), "--port", "0", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=os.environ)
    try:
        assert process.stdout is not None
        line = await process.stdout.readline()
        yield int(line.split()[1])
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 3)
        except TimeoutError:
            process.kill()
            await process.wait()
