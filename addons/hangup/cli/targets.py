"""Where a recording is played to: the target as it was written, and the path that is asked for there."""

from __future__ import annotations

import click

from hangup.humanize import printable
from hangup.wire.url import Target, parse_target

path_option = click.option(
    "--path",
    metavar="PATH",
    help="Request this path instead of the recorded one; the recorded query is kept unless PATH has its own.",
)


def read_target(text: str, path: str | None = None) -> Target:
    """A target, with ``--path`` if it was given; raises :class:`TargetError`."""
    target = parse_target(text)
    if target.was_http:
        _tell(f"using {target} for {text}")
    return target.at(path) if path is not None else target


def remark(target: Target, recorded: str) -> None:
    """Says on stderr what will be asked for, where the target's path made one expect something else."""
    if not target.covers(recorded):
        path = printable(recorded.partition("?")[0], 200)
        _tell(
            f"the recorded path {path} is not below {printable(target.base, 200)}: requesting {path} "
            "(--path requests another)"
        )


def _tell(text: str) -> None:
    from hangup.cli.screen import tell  # long to import, and completion waits for what stands above

    tell(text)
