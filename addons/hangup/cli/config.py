"""``hangup.toml``, or ``[tool.hangup]`` in ``pyproject.toml``: what a team shares, so that nobody has to type it.

::

    target = "ws://localhost:8000"
    listen = "127.0.0.1:9000"
    record = "recordings"
    web = "127.0.0.1:9001"                  # false for none
    open = true                             # the page, in the browser
    metrics = "127.0.0.1:9464"              # for Prometheus
    otlp = "http://127.0.0.1:4318"          # where metrics and spans are sent

    [filters]
    quiet = "drop-heartbeat side=client"    # on from the start
    late = { filter = "delay 2s", on = false }
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from hangup.errors import HangupError, UsageError
from hangup.wire.url import parse_endpoint, parse_listen, parse_target

if TYPE_CHECKING:
    from hangup.proxy.run import Preset

_PARSERS: dict[str, Any] = {"target": parse_target, "otlp": parse_endpoint}

NAME = re.compile(r"(?!\d+$)[\w-]+")


class Config(Struct, kw_only=True):
    """What the file says; None where it says nothing. ``source`` is the file's name, empty when there is none.

    ``web`` is False for no web server.
    """

    source: str = ""
    target: str | None = None
    listen: str | None = None
    record: Path | None = None
    web: str | bool | None = None
    open: bool = False
    metrics: str | None = None
    otlp: str | None = None
    filters: dict[str, tuple[str, bool]] = {}
    """The text form of each by its name, and whether it is on from the start."""


def load(folder: Path | None = None) -> Config:
    """Reads the file of ``folder`` (the working directory); ``hangup.toml`` goes before ``pyproject.toml``.

    Raises :class:`UsageError`, which names the file and what in it is wrong.
    """
    folder = folder or Path()
    own = _toml(folder / "hangup.toml")
    if own is not None:
        return _config(own, "hangup.toml", "")
    project = _toml(folder / "pyproject.toml") or {}
    tool = project.get("tool")
    if isinstance(tool, dict) and "hangup" in tool:
        return _config(_table(tool["hangup"], "pyproject.toml: tool.hangup"), "pyproject.toml", "tool.hangup.")
    return Config()


def _toml(path: Path) -> dict[str, Any] | None:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{path.name}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path.name} is not valid TOML: {' '.join(str(error).split())}") from None


def _config(table: dict[str, Any], source: str, prefix: str) -> Config:
    known = [name for name in Config.__struct_fields__ if name != "source"]
    config = Config(source=source)
    for key, value in table.items():
        where = f"{source}: {prefix}{key}"
        if key not in known:
            raise UsageError(f"{where}: unknown setting{_like(key, known)}; known settings: {', '.join(known)}")
        if key == "filters":
            entries = _table(value, where)
            config.filters = {name: _filter(name, text, f"{where}.{name}") for name, text in entries.items()}
        elif key in ("web", "open") and isinstance(value, bool):
            setattr(config, key, value)
        elif key == "open":
            raise UsageError(f"{where}: it must be true or false, not {value!r}")
        elif not isinstance(value, str) or not value:
            raise UsageError(f"{where}: it must be {'false or ' if key == 'web' else ''}a string, not {value!r}")
        elif key == "record":
            config.record = Path(value)
        else:
            _check(where, _PARSERS.get(key, parse_listen), value)
            setattr(config, key, value)
    return config


def _filter(name: str, value: Any, where: str) -> tuple[str, bool]:
    if not NAME.fullmatch(name):
        raise UsageError(f"{where}: a filter's name consists of letters, digits, - and _, and must not be a number")
    on = True
    if isinstance(value, dict):
        for key in value:
            if key not in ("filter", "on"):
                raise UsageError(f"{where}.{key}: unknown setting; known settings: filter, on")
        on = value.get("on", True)
        if not isinstance(on, bool):
            raise UsageError(f"{where}.on: it must be true or false, not {on!r}")
        if "filter" not in value:
            raise UsageError(f'{where}: the filter is missing, for instance filter = "drop-heartbeat"')
        value = value["filter"]
    if not isinstance(value, str):
        raise UsageError(f"{where}: it must be the text form of a filter, not {value!r}")
    from hangup.filters.text import parse as parse_filter  # long to import, and needed only where there are filters

    _check(where, parse_filter, value)
    return value, on


def _check(where: str, parse: Any, value: str) -> None:
    try:
        parse(value)
    except HangupError as error:
        raise UsageError(f"{where}: {error}") from None


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{where}: it must be a table, not {value!r}")
    return value


def _like(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), 1, 0.6)
    return f" (did you mean {near[0]}?)" if near else ""


def presets(config: Config, chosen: Iterable[str]) -> tuple[list[Preset], list[str]]:
    """The configured filters, and from what was ``chosen`` on the command line those in text form.

    What is chosen by its name is on, whatever the file says.
    """
    from hangup.filters.text import parse as parse_filter
    from hangup.proxy.run import Preset

    texts = list(chosen)
    shared = [Preset(str(parse_filter(text)), name, on or name in texts) for name, (text, on) in config.filters.items()]
    return shared, [str(parse_filter(text)) for text in texts if text not in config.filters]
