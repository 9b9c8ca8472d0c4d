"""The kinds of values that several options take: sizes and times."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from hangup.filters.setting_values import Seconds as FilterSeconds
from hangup.filters.setting_values import codec

AT_LEAST_ONE = click.IntRange(min=1)

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SIZE = re.compile(r"(\d{1,18})\s*([KMG]?)(?:i?B)?", re.IGNORECASE)


class Size(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes, 0 or more: ``65536``, ``64K``, ``10MiB``; units are powers of 1024."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; fails in one line."""
        found = _SIZE.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"{str(value)!r} is not a size, such as 65536, 64K or 10M", param, ctx)
        return int(found[1]) * _UNITS[found[2].upper()]


class Time(click.ParamType):  # type: ignore[type-arg]
    """Seconds: ``20``, ``20s``, ``250ms``, ``2min``; not 0 unless ``zero``."""

    name = "time"

    def __init__(self, zero: bool = False) -> None:
        self.zero = zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds; fails in one line."""
        try:
            seconds = float(codec(FilterSeconds).read(str(value).strip(), False))
        except ValueError as error:
            self.fail(f"{str(value)!r} is not {error}", param, ctx)
        if seconds == 0 and not self.zero:
            self.fail(f"{str(value)!r} is not a time", param, ctx)
        return seconds


open_option = click.option(
    "--open/--no-open", "browse", default=None, help="Open the page in the browser, or not; overrides hangup.toml."
)

junit_option = click.option(
    "--junit",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the result as JUnit XML, without secrets, for a CI to show.",
)

SIZE = Size()
TIME = Time()
