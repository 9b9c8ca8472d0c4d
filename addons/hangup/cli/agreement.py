"""What of a folder's ``hangup.toml`` is done only once its user has agreed to it, as direnv does with an ``.envrc``.

A configuration comes with whatever folder one has cloned or unpacked. Most of it only says what one would have typed;
what :func:`wants` lists could harm who merely starts ``hangup`` there: code that would run, an address that others can
reach, another machine that is told of connections, a recording (which holds secrets) outside the folder. One agrees to
all of it at once, by ``hangup allow``, at a prompt, or for one run by ``--allow-config``; to this file, as it says now,
and to the code that it runs, as that is now. Whatever of it changes is asked about again.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec
from msgspec import Struct

from hangup.cli.config import Config
from hangup.cli.screen import tell
from hangup.errors import HangupError, NotAllowed
from hangup.humanize import printable
from hangup.system import make_private_folder, open_private, state_folder
from hangup.wire.url import is_loopback, parse_listen

HARMLESS = frozenset(("source", "target", "web", "open"))
"""Settings that need no agreement: where traffic goes is said on start, and the page is on loopback only."""


class Want(Struct, frozen=True):
    """Something that needs an agreement: the setting, what it would do, and the code that it would run."""

    setting: str
    does: str
    code: bytes = b""


class Agreement(Struct):
    """What is kept of one: the file, and the digest of what was agreed to."""

    file: str
    digest: str


allow_option = click.option(
    "--allow-config",
    is_flag=True,
    envvar="HANGUP_ALLOW_CONFIG",
    help="Agree for this run to the code that hangup.toml runs, without asking (`hangup allow`): for CI.",
)


def wants(config: Config, base: Path) -> list[Want]:
    """What of it needs an agreement, in a folder ``base``. Reads the code that would run, and runs none."""
    from hangup.filters.library.script import Script  # long to import, and needed only by who runs something
    from hangup.filters.text import parse

    found = []
    for name, (text, _) in config.filters.items():
        filter = parse(text)
        if isinstance(filter, Script):
            found.append(Want("filters", f"runs {filter.file} (filter {name})", filter.source()))
    if config.listen is not None and not is_loopback(parse_listen(config.listen)[0]):
        found.append(Want("listen", f"listens on {config.listen}, which others may reach"))
    if config.metrics is not None and not is_loopback(parse_listen(config.metrics)[0]):
        found.append(Want("metrics", f"gives its metrics on {config.metrics}, which others may reach"))
    if config.otlp is not None and not is_loopback(urlsplit(config.otlp).hostname or ""):
        found.append(Want("otlp", f"sends metrics and spans to {config.otlp}, another machine"))
    if config.record is not None and not _within(config.record, base):
        found.append(Want("record", f"records into {config.record}, outside this folder"))
    return found


def _within(path: Path, base: Path) -> bool:
    """Whether it lies there in truth: links are followed."""
    try:
        return (base / path).resolve().is_relative_to(base.resolve())
    except (OSError, RuntimeError):
        return False


def use(
    config: Config, *, allow: bool, instead: Collection[str] = (), quiet: bool = False, base: Path | None = None
) -> None:
    """Says what is used of the configuration, but for the settings that others are given ``instead`` of, and asks for
    an agreement where one is needed. ``allow`` is one, for this time. Raises :class:`NotAllowed`."""
    if not config.source:
        return
    base = base or Path()
    used = [want for want in wants(config, base) if want.setting not in instead]
    if used and not allow and not is_agreed(config, base):
        _ask(config, base, used)
    settings = [name for name in _given(config) if name not in instead]
    if settings and not quiet:
        tell(f"settings from {config.source}: {', '.join(settings)}")
    for want in used:
        tell(f"{config.source}, as agreed: {want.does}")


def _given(config: Config) -> list[str]:
    default = Config()
    names = [name for name in Config.__struct_fields__ if name != "source"]
    return [name for name in names if getattr(config, name) != getattr(default, name)]


def _ask(config: Config, base: Path, used: list[Want]) -> None:
    """At a terminal, as nobody else can answer."""
    what = "; ".join(want.does for want in used)
    if not _asks():
        raise NotAllowed(f"{config.source} {what}: look at it, then agree with `hangup allow` (in CI: --allow-config)")
    tell(f"{(base / config.source).resolve()} needs your agreement. It")
    for want in used:
        click.echo(f"  {printable(want.does)}", err=True)
    if not click.confirm("Do you agree? You will be asked again if any of it changes", err=True):
        raise NotAllowed(f"{config.source} {what}: not agreed to")
    agree(config, base)


def _asks() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


# What was agreed to.


def is_agreed(config: Config, base: Path) -> bool:
    """Whether this file, with just this in it, has been agreed to."""
    try:
        kept = msgspec.json.decode(_path(config, base).read_bytes(), type=Agreement)
    except (OSError, RuntimeError, msgspec.MsgspecError):
        return False
    return kept.digest == _digest(config, base)


def agree(config: Config, base: Path) -> None:
    """Remembers an agreement, in the place of an earlier one. Raises :class:`HangupError` where that fails."""
    kept = Agreement(str((base / config.source).resolve()), _digest(config, base))

    def write(path: Path) -> None:
        make_private_folder(path.parent)
        new = path.with_suffix(f".{os.getpid()}.new")
        new.unlink(missing_ok=True)
        with open_private(new) as file:
            file.write(msgspec.json.encode(kept))
        new.replace(path)

    _keep(config, base, write)


def withdraw(config: Config, base: Path) -> None:
    """Forgets an agreement, if there is one. Raises :class:`HangupError` where that fails."""
    _keep(config, base, lambda path: path.unlink(missing_ok=True))


def _keep(config: Config, base: Path, change: Callable[[Path], None]) -> None:
    try:
        change(_path(config, base))
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home
        reason = getattr(error, "strerror", None) or error
        raise HangupError(f"your agreement cannot be saved: {reason}") from None


def _path(config: Config, base: Path) -> Path:
    file = str((base / config.source).resolve())
    return state_folder() / "agreed" / f"{hashlib.sha256(file.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.json"


def _digest(config: Config, base: Path) -> str:
    said = [[want.setting, want.does, hashlib.sha256(want.code).hexdigest()] for want in wants(config, base)]
    return hashlib.sha256(msgspec.json.encode([config, said], enc_hook=str)).hexdigest()
