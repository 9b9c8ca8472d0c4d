"""What changes something, with ``--write`` only: filters of the running proxy, messages sent, experiments."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from secrets import randbits

from hangup.errors import UsageError
from hangup.experiment.document import Document
from hangup.experiment.exchange import complete
from hangup.experiment.keeping import Series, keep
from hangup.experiment.reading import Reading, read_case
from hangup.experiment.search import Verdict, search
from hangup.experiment.trial import Result, Trial
from hangup.humanize import plural
from hangup.mcp_server.answers import ROOM, answer, page, without_nothing
from hangup.mcp_server.library import Library
from hangup.mcp_server.reach import Reach
from hangup.mcp_server.reading_tools import Answered, frames
from hangup.mcp_server.words import named
from hangup.processes.tshark import open_recording
from hangup.recorder.recorder import Recorder
from hangup.recording import events
from hangup.recording.folder import for_bisect
from hangup.recording.redaction.placeholders import Vault
from hangup.replay.client import play
from hangup.replay.client_settings import ReplaySettings
from hangup.replayable.client_script import Transcript
from hangup.system import open_private, temporary_path
from hangup.trials.replay_runner import Budget, ReplayRunner
from hangup.web.client import find
from hangup.web.control import refuse_code
from hangup.wire.url import Target

MESSAGES = 50
"""So many messages are sent at once, at most."""

Progress = Callable[[float, float, str], Awaitable[None]]

ACTIONS = ("list", "add", "on", "off", "remove", "clear")


def filters(action: str, text: str, proxy: str | None) -> Answered:
    """The filters of the running proxy, after a change. A filter that runs code is refused."""
    if action not in ACTIONS:
        raise UsageError(f"action is one of {', '.join(ACTIONS)}")
    remote = find(proxy)
    if action == "list":
        found = remote.get("filters")
    elif action == "clear":
        found = remote.post("filters/clear")
    else:
        if not text.strip():
            raise UsageError("give the filter: its text form, its name or its number")
        refuse_code(text)
        found = remote.post(f"filters/{action}", filter=text)
    vault = Vault()
    rows = [
        {"id": each["id"], "on": each["on"], "filter": vault.text(each["filter"]), "acted": each["hits"]}
        for each in found["filters"]
    ]
    shown, _ = page(rows, 0)
    said = f"hangup: {plural(len(rows), 'filter')} in the running proxy" + ("" if action == "list" else ", changed")
    return Answered(answer(f"{said}.", shown))


async def send(
    library: Library, reach: Reach, url: str, messages: Sequence[str], headers: Sequence[str], wait: float
) -> Answered:
    """Opens a connection, says the messages, and tells what came back and who ended it. It is recorded."""
    target = reach.target(url)
    if len(messages) > MESSAGES:
        raise UsageError(f"at most {MESSAGES} messages are sent at once")
    if not 0 < wait <= 120:
        raise UsageError("wait is between 0 and 120 seconds")
    asked = _headers(headers)
    library.folder.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(library.folder, target=str(target), mode="send", source="hangup mcp")
    try:
        with temporary_path(".jsonl") as path:
            with open_private(path) as file:
                file.write(_script(target, asked, messages))
            settings = ReplaySettings(pace="clock", survive=wait, correlate=False, seed=randbits(32))
            transcript = Transcript(open_recording(path), 1, correlate=False)
            outcome = await play(transcript, target, recorder, settings, conn=recorder.next_conn())
    finally:
        recorder.close()
    told = frames(library, recorder.path.name, outcome.live_conn, "", "", "", "", "", False, None, 0)
    held = f"it was still open after {wait:g} s" if outcome.survived else "it ended"
    return Answered(f"hangup: {plural(outcome.sent, 'message')} sent; {held}.\n{told.text}", told.recording)


def _headers(given: Sequence[str]) -> list[tuple[str, str]]:
    found = []
    for text in given:
        name, colon, value = text.partition(":")
        if not colon or not text.isprintable():
            raise UsageError("a header is written as 'Name: value'")
        found.append((name.strip(), value.strip()))
    return found


def _script(target: Target, headers: Sequence[tuple[str, str]], messages: Sequence[str]) -> bytes:
    """A recording of a client that says just this."""
    request = events.Request(
        target=target.path or "/",
        headers=[
            ("Host", target.authority),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "aGFuZ3VwIGlzIGhlcmUuLg=="),
            ("Sec-WebSocket-Version", "13"),
            *headers,
        ],
    )
    opened = events.Handshake(at=0.0, conn=1, request=request, response=events.Response(status=101))
    said = [
        events.Frame(at=0.05 * n, conn=1, n=n, side="client", mask="00000000", text=text)
        for n, text in enumerate(messages, 1)
    ]
    header = events.Header(hangup=events.FORMAT, started="2000-01-01T00:00:00.000000Z", target=str(target))
    return events.dump([header, opened, *said])


async def bisect(
    library: Library,
    reach: Reach,
    recording: str,
    url: str,
    conn: int | None,
    seconds: float,
    limit: int,
    say: Progress,
) -> Answered:
    """Proves the cause by replay; ``say`` is told how far it is."""
    target = reach.target(url)
    path = library.path(recording)
    reading = await asyncio.to_thread(read_case, open_recording(path, name=path.name), conn)
    if reading.case.asks_client:
        raise UsageError(
            "the client closed these connections, and a replay plays the client: ask the user to run "
            "`hangup bisect --live TARGET` with the page"
        )
    document = await _prove(path, reading, target, Budget(limit, seconds), say)
    lines = [{"line": line} for line in document.markdown().splitlines() if line.strip()]
    shown, _ = page(lines, 0, ROOM - 600)
    recorded = {
        "recording": path.name,
        "headline": document.vault.excerpt(document.headline),
        "markdown": [each["line"] for each in shown],
        "connections_used": document.verdict.connections,
        "problems": document.problems,
    }
    verdict = document.verdict
    if verdict.proved:
        said = f"hangup: proved by experiment: {named(verdict.verdict)}."
    elif not verdict.reproduced and not verdict.stopped:
        said = "hangup: the failure does not happen at this target."
    else:
        said = "hangup: nothing was proved."
    return Answered(answer(said, without_nothing(recorded)), path.name)


async def _prove(path: Path, reading: Reading, target: Target, budget: Budget, say: Progress) -> Document:
    recorder = Recorder(
        for_bisect(path.parent),
        target=str(target),
        mode="bisect",
        source=f"bisect of connection {reading.transcript.conn}",
    )
    telling: set[asyncio.Task[None]] = set()
    try:
        growing = Verdict()
        runner = ReplayRunner(
            reading.transcript,
            target,
            reading.failure,
            reading.case,
            recorder,
            budget=budget,
            other=reading.transcript_of,
        )

        def tried(trial: Trial, result: Result) -> None:
            text = f"{plural(runner.connections, 'connection')} tried, the last one {result.outcome.words}"
            task = asyncio.ensure_future(_quietly(say(runner.connections, budget.connections, text)))
            telling.add(task)
            task.add_done_callback(telling.discard)

        runner.progress = tried
        verdict = await runner.run(complete(reading.case, search(reading.case, verdict=growing)))
        verdict.connections = max(verdict.connections, runner.connections)
        about = {"recording": str(path), "target": str(target), "failure": str(reading.failure)}
        series = [Series("trials", recorder.path, runner.trials)]
        return await asyncio.to_thread(keep, reading, verdict, series, target, about, runner.seconds)
    finally:
        for task in list(telling):
            task.cancel()
        recorder.close()


async def _quietly(telling: Awaitable[None]) -> None:
    with contextlib.suppress(Exception):  # nobody may be listening any longer
        await telling


