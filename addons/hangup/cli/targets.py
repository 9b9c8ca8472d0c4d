"""Where a recording is played to: the target as it was written, and the path that is asked for there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from hangup.cli.params import TIME
from hangup.humanize import printable
from hangup.wire.url import Target, parse_target

path_option = click.option(
    "--path",
    metavar="PATH",
    help="Request this path instead of the recorded one; the recorded query is kept unless PATH has its own.",
)


Command = TypeVar("Command", bound=Callable[..., Any])

_trust = (
    click.option("--insecure", is_flag=True, help="Accept any certificate."),
    click.option(
        "--ca",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Certificate authority (PEM) to trust.",
    ),
)


def connecting_options(awaited: str) -> Callable[[Command], Command]:
    """``--insecure``, ``--ca`` and ``--timeout``, which is for what is ``awaited``."""
    timeout = click.option(
        "--timeout",
        type=TIME,
        default="10s",
        show_default=True,
        metavar="TIME",
        help=f"How long to wait for the {awaited}.",
    )

    def added(command: Command) -> Command:
        for option in (timeout, *reversed(_trust)):  # the last to be added is listed first
            command = option(command)
        return command

    return added


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
