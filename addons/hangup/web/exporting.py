"""Downloads of the recording in other formats: what ``hangup convert`` makes of it, in a process of its own."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import msgspec
from tornado import web
from tornado.iostream import StreamClosedError

from hangup.errors import ControlError, HangupError, UsageError
from hangup.experiment import document_file
from hangup.recording.formats import FORMATS, Format
from hangup.recording.reader import read
from hangup.web import child
from hangup.web.server import JsonHandler, Route
from hangup.web.worker import Worker

CHUNK = 1 << 18


class Exporter:
    """Converts the worker's recording, one at a time."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._closed = False

    async def convert(self, form: Format, conn: int | None, folder: Path) -> Path:
        """The recording in this format, in ``folder``, without its secrets. Raises :class:`ControlError`, and
        :class:`UsageError` when there is no such connection."""
        async with self._turn:
            if self._closed:
                raise ControlError("hangup is about to stop")
            status, body = await self.worker.ask("files", {})
            answer = msgspec.json.decode(body)
            if status != 200:
                raise ControlError(answer.get("error", ""))
            files = [Path(name) for name in answer["files"]]
            source = files[0] if len(files) == 1 else await asyncio.to_thread(_joined, files, folder / "joined.jsonl")
            target = folder / f"export{form.suffixes[0]}"
            words = ["convert", str(source), str(target), "--to", form.name]
            if conn is not None:
                words += ["--conn", str(conn)]
            if form.explains and (proof := await asyncio.to_thread(_proof, files[0])) is not None:
                words += ["--bisect", str(proof)]
            pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
            self._process = await child.start("hangup", *words, **pipes)
            try:
                _, said = await self._process.communicate()
                if self._process.returncode:
                    lines = said.decode(errors="replace").splitlines() or ["it was stopped"]
                    kind = UsageError if self._process.returncode == UsageError.exit_code else ControlError
                    raise kind(lines[-1].removeprefix("hangup: "))
            finally:
                process, self._process = self._process, None
                await child.end(process, 0.0)
        return target

    async def close(self) -> None:
        """Ends what is under way."""
        self._closed = True
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
        async with self._turn:
            pass

    def routes(self) -> list[Route]:
        """The download's route."""
        return [("api/export", Export, {"exporter": self})]


def _joined(files: list[Path], target: Path) -> Path:
    """A recording that was rotated as one file."""
    with open(target, "wb") as out:
        for number, path in enumerate(files):
            with open(path, "rb") as file:
                if number:
                    file.readline()
                shutil.copyfileobj(file, out, CHUNK)
    return target


def _proof(recording: Path) -> Path | None:
    """What a bisect has left beside a recording: the file that is converted may be a copy elsewhere."""
    return document_file.find(recording, read(recording).header.started)


class Export(JsonHandler):
    """``format`` is the name or a suffix of a format (``har``, ``md``), ``conn`` limits it to one connection."""

    def initialize(self, exporter: Exporter) -> None:
        """tornado: a request for this route."""
        self._exporter = exporter

    async def get(self) -> None:
        """Sends the file."""
        form = _format(self.get_query_argument("format", "") or "")
        conn = self.number("conn", 0) or None
        with tempfile.TemporaryDirectory(prefix="hangup-", ignore_cleanup_errors=True) as folder:
            try:
                made = await self._exporter.convert(form, conn, Path(folder))
            except HangupError as error:
                self.fail(400 if isinstance(error, UsageError) else 503, str(error))
                return
            name = self._exporter.worker.name + (f"-connection-{conn}" if conn else "") + form.suffixes[0]
            self.set_header("Content-Type", "application/octet-stream")
            self.set_header("Content-Length", str(made.stat().st_size))
            self.set_header("Content-Disposition", f'attachment; filename="{re.sub(r"[^A-Za-z0-9.-]+", "_", name)}"')
            with open(made, "rb") as file, suppress(StreamClosedError):
                while chunk := file.read(CHUNK):
                    self.write(chunk)
                    await self.flush()


def _format(given: str) -> Format:
    for form in FORMATS.values():
        if form.suffixes and (given == form.name or f".{given}" in form.suffixes):
            return form
    known = ", ".join(form.suffixes[0].removeprefix(".") for form in FORMATS.values() if form.suffixes)
    raise web.HTTPError(400, f"format must be one of {known}")
