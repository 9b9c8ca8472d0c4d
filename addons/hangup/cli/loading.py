"""What ``hangup load`` does: it hands recorded clients to Locust, and joins what they recorded."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from math import isinf
from pathlib import Path
from typing import Any

from hangup.cli.probe import parse_header
from hangup.cli.replaying import parse_set
from hangup.cli.screen import console, tell
from hangup.cli.targets import read_target, remark
from hangup.commands import command_line
from hangup.errors import HangupError, MissingExtra, UsageError
from hangup.filters.filter_set import FilterSet
from hangup.humanize import duration, plural, printable
from hangup.load import locustfile, summary
from hangup.load.joining import join
from hangup.load.locustfile import User
from hangup.load.recorded_client import Turn, read_turns
from hangup.load.summary import Summary
from hangup.processes.foreground import Foreground
from hangup.recording.folder import new_path
from hangup.recording.writer import write_private
from hangup.wire.url import Target

SHOWN = 5
"""So many ids and exchanges are named."""


def carry_out(
    recording: str,
    target: str,
    locust: tuple[str, ...],
    mixes: tuple[str, ...],
    weight: float,
    conns: tuple[int, ...],
    same_ids: bool,
    ids: tuple[str, ...],
    headers: tuple[str, ...],
    sets: tuple[str, ...],
    filters: tuple[str, ...],
    path: str | None,
    speed: float,
    pace: Any,
    stays: bool,
    once: bool,
    no_correlate: bool,
    insecure: bool,
    ca: Path | None,
    timeout: float,
    sample: float,
    record: Path,
    locustfile: Path | None,
) -> None:
    """Runs Locust, and exits with its exit code."""
    for word in (recording, target):
        if word.startswith("-"):
            raise UsageError(f"RECORDING and TARGET come first, then {word}: hangup load run.jsonl ws://localhost:8000")
    if conns and mixes:
        raise UsageError("use either --conn or --mix, not both: connections are numbered in each recording anew")
    if find_spec("locust") is None:
        raise MissingExtra('load tests are done with Locust, which is not installed: pip install "hangup[load]"')
    where = read_target(target)
    asked = read_target(target, path)
    FilterSet(filters)  # which says what is wrong with one
    settings = {
        "path": path,
        "conns": conns,
        "own_ids": not same_ids,
        "ids": ids,
        "headers": [parse_header(header) for header in headers],
        "sets": dict(parse_set(each) for each in sets),
        "filters": filters,
        "speed": speed,
        "pace": pace,
        "stays": stays,
        "once": once,
        "correlate": not no_correlate,
        "insecure": insecure,
        "ca": str(ca.resolve()) if ca is not None else None,
        "timeout": timeout,
        "sample": sample,
        "record": str(record.resolve()),
    }
    shares = [(recording, weight), *map(_mix, mixes)]
    for name, _ in shares:
        turns = read_turns(name, conns, own=not same_ids, ids=ids, correlate=not no_correlate)
        _describe(name, turns, asked, speed)
    users = [User(str(Path(name).resolve()), share, _differing(settings)) for name, share in shares]
    if locustfile is not None:
        _write(locustfile, users, where, locust)
        return
    sys.exit(asyncio.run(_run(users, where, locust, record, [name for name, _ in shares])))


def _mix(text: str) -> tuple[str, float]:
    name, equals, share = text.rpartition("=")
    try:
        weight = float(share)
    except ValueError:
        weight = 0.0
    if not equals or not name or not 0 < weight < 1e9:
        raise UsageError(f"--mix {text!r}: write RECORDING=WEIGHT, for instance viewer.jsonl=9")
    return name, weight


def _differing(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What is not as it is anyway."""
    usual = {"own_ids": True, "speed": 1.0, "pace": "causal", "correlate": True, "timeout": 10.0, "sample": 0.05}
    found = {}
    for key, value in settings.items():
        if key == "record" and value == str(Path("recordings").resolve()):
            continue
        if value != usual.get(key, value or None) or (value and key not in usual):
            found[key] = list(value) if isinstance(value, tuple) else value
    return found


def _describe(name: str, turns: Sequence[Turn], target: Target, speed: float) -> None:
    """Says what each client plays."""
    remark(target, turns[0].transcript.survey.request.target)
    out = console(stderr=True)
    count = plural(len(turns), "connection")
    pauses = f", with pauses of {duration(turns[-1].pause)} (median)" if len(turns) > 1 else ""
    fast = "" if speed == 1 else ", as fast as possible" if isinf(speed) else f", {speed:g} times as fast"
    out.print(printable(f"each client plays {count} of {name}{pauses}{fast}"), soft_wrap=True)
    ids = list(dict.fromkeys(value for turn in turns for value in turn.ids))
    if ids:
        more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
        listed = ", ".join(printable(value, 60) for value in ids[:SHOWN])
        out.print(f"  with values of its own in the place of {listed}{more} (--same-ids keeps them)", soft_wrap=True)
    made = {each.name: None for turn in turns for each in turn.transcript.survey.correlations}
    if made:
        listed = ", ".join(printable(each, 60) for each in list(made)[:SHOWN])
        out.print(f"  taken from the live run: {listed}", soft_wrap=True)
    pairs = {f"{one} -> {other}": None for turn in turns for one, other in turn.exchanges.answers.items()}
    if pairs:
        listed = ", ".join(printable(each, 80) for each in list(pairs)[:SHOWN])
        out.print(f"  answers are timed of {listed}", soft_wrap=True)
    if "redacted:" in turns[0].transcript.recording.header.note:
        tell("the recording is redacted: secrets are placeholders (set the real ones with --header and --set)")


def _write(path: Path, users: Sequence[User], target: Target, locust: Sequence[str]) -> None:
    if path.exists():
        raise UsageError(f"--write-locustfile {path}: the file exists already")
    write_private(path, locustfile.text(users, str(target), path.name).encode())
    tell(f"wrote {path}; start it with: {shlex.join(['locust', '-f', str(path), *locust])}")


async def _run(
    users: Sequence[User], target: Target, locust: Sequence[str], record: Path, names: Sequence[str]
) -> int:
    with tempfile.TemporaryDirectory(prefix="hangup-load-") as folder:
        file, found = Path(folder) / "locustfile.py", Path(folder) / "summary.json"
        write_private(file, locustfile.text(users, str(target)).encode())
        # Without -P a file named like a library, in the folder where this is run, would be run in its place.
        words = [sys.executable, "-P", "-m", "locust", "-f", str(file), *locust]
        ended = asyncio.Event()
        running = Foreground(words, {**os.environ, **_defaults(locust), "HANGUP_LOAD_SUMMARY": str(found)}, ended.set)
        running.start()
        try:
            await ended.wait()
        finally:
            await running.stop()
        told = summary.read(found)
    if told is not None:
        _keep(told, target, record, names)
    return running.exit_code or 0


def _defaults(locust: Sequence[str]) -> dict[str, str]:
    """Locust listens on all interfaces unless it is told otherwise; hangup does only where it is asked to."""
    found = {"LOCUST_WEB_HOST": os.environ.get("LOCUST_WEB_HOST", "127.0.0.1")}
    if any(word.startswith("--processes") for word in locust) and "--worker" not in locust:
        found["LOCUST_MASTER_BIND_HOST"] = os.environ.get("LOCUST_MASTER_BIND_HOST", "127.0.0.1")
    return found


def _keep(told: Summary, target: Target, record: Path, names: Sequence[str]) -> None:
    """Joins what the players of this machine recorded, and writes the summary beside it."""
    parts = [each for each in map(Path, told.recordings) if each.is_file()]
    if not parts:
        return
    path = new_path(record, datetime.now(UTC), f"load-{target.authority}")
    try:
        source = f"load of {', '.join(os.path.basename(name) for name in names)}"
        numbers = join(parts, path, source, told.lines()[0])
        for each in told.failures:
            known = [numbers[example] for example in each.examples if example in numbers]
            each.examples = [(path.name, number) for number in known]
        told.recordings = [path.name]
        summary.write(summary.beside(path), told)
    except HangupError as error:
        tell(f"the recordings of the players could not be joined: {error}")
        return
    for part in parts:
        part.unlink(missing_ok=True)
    out = console(stderr=True)
    out.print(f"recorded {plural(len(numbers), 'connection')} of them in {printable(str(path))}", soft_wrap=True)
    out.print(f"  {printable(command_line('why', path))}", soft_wrap=True)
