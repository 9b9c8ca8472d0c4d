"""``hangup recordings``: what was recorded so far, and away with what is old."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from hangup.cli.agreement import allow_option, use
from hangup.cli.config import Config, load
from hangup.cli.params import SIZE
from hangup.errors import RecordingError
from hangup.humanize import plural, size
from hangup.recording.folder import BISECTS, listing
from hangup.web.running import all_running

DAY = 86_400.0

EXAMPLES = """\b
Examples:
  hangup recordings               those in recordings/
  hangup recordings --prune 14    deletes those older than two weeks
  hangup recordings --keep 2G     deletes the oldest until the rest have at most 2 GiB
"""


@click.command(epilog=EXAMPLES)
@click.argument("folder", required=False)
@click.option(
    "--prune",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Delete recordings last written to more than DAYS days ago, and what bisects made of them.",
)
@click.option(
    "--keep",
    type=SIZE,
    metavar="BYTES",
    help="Delete the oldest until the rest have at most BYTES in total; rotated recordings count file by file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@allow_option
def recordings(folder: str | None, prune: float | None, keep: int | None, as_json: bool, allow_config: bool) -> None:
    """List the recordings in FOLDER with their age, their size and how many connections they hold.

    FOLDER is recordings, or what hangup.toml says. Only files that hangup itself named by date are ever deleted, and
    never one that a running proxy is writing.
    """
    where = Path(folder) if folder else _configured(allow_config)
    if prune is not None or keep is not None:
        _delete(_outdated(where, prune, keep), as_json)
        return
    from hangup.cli.screen import console  # long to import, and completion waits for what stands above
    from hangup.cli.show import table
    from hangup.web.listing import row

    rows = [row(path) | {"age": _age(path)} for path in listing(where)]
    if as_json:
        click.echo(json.dumps({"folder": str(where), "recordings": rows}, indent=2))
    elif not rows:
        click.echo(f"no recordings in {where}")
    else:
        table.folder(console(), rows)


def _configured(allow: bool) -> Path:
    config = load()
    use(config, allow=allow, instead=set(Config.__struct_fields__) - {"record"}, quiet=True)
    return config.record or Path("recordings")


def _age(path: Path) -> float:
    """Seconds since it was last written to."""
    return round(max(0.0, time.time() - path.stat().st_mtime), 1)


def _outdated(folder: Path, days: float | None, most: int | None) -> list[Path]:
    """What is older than so many days, and what is oldest of what all together have more than so many bytes of."""
    in_use = {running.recording for _, running in all_running()}
    ours = sorted(_own(folder), key=lambda path: -path.stat().st_mtime_ns)
    old = [path for path in ours if days is not None and _age(path) > days * DAY]
    total = 0
    for path in ours:
        total += path.stat().st_size
        if most is not None and total > most and path not in old:
            old.append(path)
    return [path for path in old if not any(_belongs(path, used) for used in in_use)]


def _belongs(path: Path, recording: str) -> bool:
    """Whether it is a running proxy's recording, or one of the files into which that is rotated."""
    used = Path(recording)
    name = path.name.removesuffix(used.suffix)
    return path.absolute().parent == used.parent and (name == used.stem or name.startswith(f"{used.stem}."))


def _delete(old: list[Path], as_json: bool) -> None:
    freed = 0
    for path in old:
        try:
            freed += path.stat().st_size
            path.unlink()
        except OSError as error:
            raise RecordingError(f"cannot delete {path}: {error.strerror or error}") from None
    deleted: dict[str, Any] = {"deleted": [str(path) for path in old], "bytes": freed}
    click.echo(json.dumps(deleted, indent=2) if as_json else f"deleted {plural(len(old), 'file')}, {size(freed)}")


def _own(folder: Path) -> list[Path]:
    """The files that hangup has named itself: recordings, and what bisects made."""
    found = [path for path in listing(folder) if path.name[:1].isdigit()]
    bisects = folder / BISECTS
    if bisects.is_dir():
        found += sorted(path for path in bisects.iterdir() if path.is_file() and path.name[:1].isdigit())
    return found
