"""What ``hangup doctor`` looks at. Nothing is changed, and nothing is asked of the network but of this machine and of
the backend."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from msgspec import Struct

from hangup import __version__
from hangup.cli.agreement import is_agreed, wants
from hangup.cli.config import Config, load
from hangup.cli.doctor import advisories
from hangup.cli.run.command import NAME, free_port, redirect
from hangup.cli.run.env_files import Environment
from hangup.errors import BackendError, HangupError
from hangup.humanize import printable, size
from hangup.net.connect import connect
from hangup.net.ports import refused
from hangup.recording.folder import RECORDINGS, listing
from hangup.web.running import Running, all_running, folder
from hangup.wire.url import Target, is_loopback, parse_listen

Level = Literal["fine", "note", "problem"]

RECOMMENDED = (3, 12)
"""Python from which on mitmproxy 12 can be had, and with it the newer libraries."""

PACKAGES = ("mitmproxy", "tornado", "h11", "h2", "brotli", "cryptography", "pyopenssl", "msgspec", "websockets")
EXTRAS = {"load": "locust", "pcapng": "dpkt", "uvloop": "uvloop"}
"""An extra, and the package that it brings."""

SCARCE = 256 << 20
"""Free bytes on a disk below which a recording may fill it."""

WATCHED = 0.25
"""Seconds for which the clocks are compared."""

DRIFT = 0.002
"""Seconds by which the two may part in that time."""

COARSE = 0.005
"""Seconds between two ticks of the clock from which on a recording's times are told to be coarse."""

FUTURE = 60.0
"""Seconds by which a file may be newer than now: another machine's clock may have dated it."""

REACHED_WITHIN = 1.5
"""Seconds that a backend has to take a connection."""


class Check(Struct, frozen=True, kw_only=True):
    """Something that was looked at: what it is about, how it stands, what was found, and what to do about it."""

    about: str
    level: Level = "fine"
    text: str
    do: str = ""


def all_checks(names: Sequence[str] = (), env_dir: Path | None = None) -> Iterator[Check]:
    """Everything, in order. ``names`` are the variables that lead to the backend, ``env_dir`` has the .env files."""
    yield from versions()
    yield from advised()
    config, found = configured()
    yield from found
    record = config.record or RECORDINGS
    yield from writable(record)
    if config.source or os.name == "posix":
        yield from private_state()
    running = [each for _, each in all_running()]
    yield from ports(config, running)
    yield from proxies()
    yield from clock(record)
    yield from run(config, names or (NAME,), env_dir)


# What is installed.


def versions() -> Iterator[Check]:
    """hangup, Python, mitmproxy and the extras."""
    system = f"{platform.system()} {platform.release()}"
    python = f"Python {platform.python_version()}"
    yield Check(about="hangup", text=f"{__version__}, {python}, {system}")
    installed = {name: found for name in PACKAGES if (found := _version(name))}
    yield Check(about="libraries", text=", ".join(f"{name} {found}" for name, found in installed.items()))
    try:
        from hangup.proxy.layer import check_version

        check_version()
    except (HangupError, ImportError) as error:
        yield Check(about="libraries", level="problem", text=str(error), do="reinstall hangup")
    extras = [f"{name} {'yes' if _version(package) else 'no'}" for name, package in EXTRAS.items()]
    extras.append(f"tshark (reads packet captures) {'yes' if shutil.which('tshark') else 'no'}")
    yield Check(about="extras", text=", ".join(extras))


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def advised(version: Callable[[str], str] = metadata.version) -> Iterator[Check]:
    """Published advisories in what is installed."""
    found = advisories.found(version)
    reached = [each for each in found if each.advisory.reached != "no"]
    by_version = sorted({f"{each.advisory.package} {each.installed}" for each in found})
    newer = "" if sys.version_info >= RECOMMENDED else "use Python 3.12 or later, for which there are newer ones"
    checks = [
        Check(
            about="advisories",
            level="problem" if each.advisory.reached == "yes" else "note",
            text=f"{each.advisory.id} in {each.advisory.package} {each.installed}: "
            f"{each.advisory.what}; {each.advisory.why}",
            do="" if newer else f"upgrade {each.advisory.package} to {each.advisory.fixed} or later",
        )
        for each in reached
    ]
    if others := len(found) - len(reached):
        text = f"{others} without effect on hangup, in {', '.join(by_version)} (--json has the reasons)"
        checks.append(Check(about="advisories", level="note" if newer else "fine", text=text))
    yield from checks
    if not found:
        text = f"no installed package has an advisory that was known on {advisories.checked()}"
        yield Check(about="advisories", text=text)
    elif newer:
        yield Check(about="Python", level="note", text=f"{platform.python_version()} gets old libraries", do=newer)


# Settings, files and ports.


def configured() -> tuple[Config, list[Check]]:
    """``hangup.toml``, and whether it has been agreed to."""
    try:
        config = load()
    except HangupError as error:
        return Config(), [Check(about="settings", level="problem", text=str(error), do="correct the file")]
    if not config.source:
        return config, [Check(about="settings", text="no hangup.toml here, nor [tool.hangup] in pyproject.toml")]
    try:
        wanted = [want.does for want in wants(config, Path())]
    except HangupError as error:
        return config, [Check(about="settings", level="problem", text=str(error), do=f"correct {config.source}")]
    if wanted and not is_agreed(config, Path()):
        text = f"{config.source} {'; '.join(wanted)}, to which you have not agreed"
        return config, [Check(about="settings", level="note", text=text, do="look at it, then `hangup allow`")]
    return config, [Check(about="settings", text=f"{config.source} is in order")]


def writable(record: Path) -> Iterator[Check]:
    """Whether what ``record`` names, a folder or a file, can be written, and the disk has room."""
    where = record if record.is_dir() else record.parent if record.suffix else record
    exists = where
    while not exists.exists() and exists != exists.parent:
        exists = exists.parent
    try:
        with tempfile.TemporaryFile(dir=exists):
            pass
        free = shutil.disk_usage(exists).free
    except OSError as error:
        text = f"{exists} cannot be written to: {error.strerror or error}"
        yield Check(about="recordings", level="problem", text=text, do="record elsewhere, with --record FOLDER")
        return
    text = f"{where} can be {'written to' if exists == where else 'made'}; {size(free)} are free there"
    if free < SCARCE:
        do = "`hangup recordings --keep 1G` deletes the oldest, --record FOLDER records elsewhere"
        yield Check(about="recordings", level="problem", text=text, do=do)
    else:
        yield Check(about="recordings", text=text)


def private_state() -> Iterator[Check]:
    """Whether hangup's own folder, with the key to its page, is the user's alone."""
    where = folder()
    try:
        mode = where.stat().st_mode
    except OSError:
        return  # there is none yet: it is made for its owner only
    if os.name == "posix" and mode & 0o077:
        yield Check(
            about="state",
            level="note",
            text=f"other users can list the files in {where}, but not read them",
            do=f"chmod 700 {where}",
        )


def ports(config: Config, running: Sequence[Running]) -> Iterator[Check]:
    """Whether the proxy and its page can listen where they would."""
    for each in running:
        shown = f"a proxy in front of {each.target or 'what the system redirects'} on {each.listen}, page on {each.web}"
        yield Check(about="running", text=printable(shown, 300))
    wanted = [("listen", config.listen or "127.0.0.1:9000", config.listen is not None)]
    if config.web is not False:
        web = config.web if isinstance(config.web, str) else None
        wanted.append(("web", web or "127.0.0.1:9001", web is not None))
    if config.metrics is not None:
        wanted.append(("metrics", config.metrics, True))
    for name, address, given in wanted:
        host, port = parse_listen(address)
        error = refused(host, port)
        if error is None:
            beyond = "" if is_loopback(host) else ", which others may reach"
            yield Check(about="ports", text=f"{address} is free{beyond}")
            continue
        ours = any(address in (each.listen, each.web) for each in running)
        why = "a running hangup has it" if ours else error.strerror or str(error)
        yield Check(
            about="ports",
            level="problem" if given and not ours else "note",
            text=f"cannot listen on {address}: {why}",
            do=_other_port(name, given),
        )


def _other_port(name: str, given: bool) -> str:
    if name == "web":
        return "choose another with --web HOST:PORT" if given else "the page takes the next free port"
    if given:
        return f"choose another with --{name} HOST:PORT"
    return "`hangup run` takes the next free port; `hangup proxy` needs --listen HOST:PORT"


def proxies(
    found: Callable[[], Mapping[str, str]] = getproxies, bypassed: Callable[[str], object] = proxy_bypass
) -> Iterator[Check]:
    """Proxies that programs are told to use, by the environment or the system's settings."""
    known = {scheme: url for scheme, url in found().items() if scheme in ("http", "https", "ws", "wss", "all", "socks")}
    if not known:
        yield Check(about="proxies", text="none in the environment or the system's settings")
        return
    shown = ", ".join(f"{scheme}: {_without_login(url)}" for scheme, url in sorted(known.items()))
    around = [host for host in ("localhost", "127.0.0.1") if not bypassed(host)]
    if around:
        yield Check(
            about="proxies",
            level="note",
            text=f"{shown}; also for {' and '.join(around)}: clients that use it do not connect to hangup directly",
            do="add localhost,127.0.0.1 to NO_PROXY; hangup itself always connects to backends directly",
        )
    else:
        yield Check(about="proxies", text=f"{shown}; not for localhost. hangup connects to backends directly")


def _without_login(url: str) -> str:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        where = f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        return "(not a URL)"
    return printable(f"{parts.scheme}://{where}", 100)


def clock(
    record: Path,
    *,
    wall: Callable[[], float] = time.time,
    steady: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
    tick: float | None = None,
) -> Iterator[Check]:
    """The clock that times frames, and the one that dates recordings. ``tick`` is the first one's resolution (s)."""
    tick = time.get_clock_info("monotonic").resolution if tick is None else tick
    before = wall() - steady()
    wait(WATCHED)  # nothing tells of a clock that is being set
    apart = wall() - steady() - before
    if tick > COARSE:
        text = f"it ticks only every {tick * 1000:.0f} ms, and frame times are no more exact than that"
        yield Check(about="clock", level="note", text=text, do="treat times that are closer together as equal")
    if abs(apart) > DRIFT:
        yield Check(
            about="clock",
            level="note",
            text=f"the system time shifted by {apart * 1000:+.0f} ms within {WATCHED * 1000:.0f} ms: it is being set",
            do="times within a recording are not affected; its date and the times in the backend's log may be",
        )
    newest = _newest(record)
    if newest > wall() + FUTURE:
        yield Check(
            about="clock",
            level="problem",
            text="a recording is dated in the future: the clock has been set back",
            do="set the clock; `hangup show` opens the recording with the latest date",
        )
    elif tick <= COARSE and abs(apart) <= DRIFT:
        yield Check(about="clock", text="steady")


def _newest(record: Path) -> float:
    try:
        return max((path.stat().st_mtime for path in listing(record)), default=0.0) if record.is_dir() else 0.0
    except (OSError, HangupError):
        return 0.0


# What `hangup run` would find.


def run(config: Config, names: Sequence[str], env_dir: Path | None) -> Iterator[Check]:
    """The variables that lead to the backend, where the proxy would listen, and whether the backend is there."""
    environment = Environment(env_dir or Path(), os.environ)
    try:
        redirected = redirect(names, environment, None, config)
    except HangupError as error:
        yield Check(about="run", level="note", text=str(error))
        return
    port = parse_listen(config.listen)[1] if config.listen else free_port("127.0.0.1", redirected[0].target)
    for each in redirected:
        given = each.through("127.0.0.1", port) if port else "a free port of this machine"
        text = f"{each.name}={each.value} from {each.source}; a command is given {given} instead"
        yield Check(about="run", text=printable(text, 500))
    yield reachable(redirected[0].target)


def reachable(target: Target) -> Check:
    """Whether a backend takes a TCP connection; nothing is sent."""

    async def look() -> None:
        _, writer = await connect(target, None, timeout=REACHED_WITHIN)
        writer.transport.abort()

    try:
        asyncio.run(look())
    except BackendError as error:
        return Check(about="backend", level="note", text=str(error), do="start it, if it should be running")
    return Check(about="backend", text=f"{printable(target.origin)} takes connections")
