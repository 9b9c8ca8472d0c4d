"""``script``: a filter from a file of your own."""

from __future__ import annotations

import inspect
import json
import sys
from functools import cached_property, lru_cache
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from hangup.errors import FilterError
from hangup.filters.base import Actions, Context, Filter, Kind
from hangup.recording.events import Side
from hangup.recording.fast_path import Screen


class Script(Filter, frozen=True, kw_only=True):
    """A filter from a Python file: a class that is a ``hangup.filters.base.Filter``.

        from hangup.filters.base import Drop, Filter, Kind

        class Mine(Filter, frozen=True, kw_only=True):
            kinds = Kind.MESSAGE

            def apply(self, item, state):
                return [Drop()] if item.data == b"ping" else None

    It is given items and answers with actions, both described in hangup.filters.base. The file runs inside the proxy,
    with the proxy's permissions: use only files that you trust. It runs when the filter is added to a proxy or a
    replay, and not before (from hangup.toml: only once you have agreed, see `hangup allow --help`). If it raises an
    exception, the item passes and the recording says so.
    """

    example: ClassVar[str] = "script my_filter.py"
    kinds: ClassVar[Kind] = Kind(63)
    positional: ClassVar[tuple[str, ...]] = ("file",)

    file: Annotated[str, Meta(description="the Python file")]
    name: Annotated[str, Meta(description="the class to use, if the file has several")] = ""
    args: Annotated[str, Meta(description='its settings as a JSON object, for instance {"limit":3}')] = "{}"
    _code: _Code | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            stamp = Path(self.file).stat().st_mtime_ns
        except (OSError, ValueError) as error:
            raise FilterError(f"script: {self.file} cannot be read: {error}") from None
        msgspec.structs.force_setattr(self, "_code", _code(self.file, self.name, self.args, stamp))

    def source(self) -> bytes:
        """What is in the file, and is run: read once, so that what was agreed to is what runs."""
        assert self._code is not None
        return self._code.source

    def ready(self) -> None:
        """Runs the file; raises :class:`FilterError`."""
        assert self._code is not None
        self._code.made  # noqa: B018

    @property
    def _made(self) -> Filter:
        assert self._code is not None
        return self._code.made

    def wants(self, side: Side) -> Kind:
        return self._made.wants(side)

    def begin(self, context: Context) -> Any:
        return self._made.begin(context)

    def bind(self, state: Any) -> Any:
        return self._made.bind(state)

    def screen(self) -> Screen | None:
        return self._made.screen()

    def apply(self, item: Any, state: Any) -> Actions:
        return self._made.apply(item, state)

    def deadline(self, state: Any) -> float | None:
        return self._made.deadline(state)

    def wake(self, at: float, state: Any) -> Actions:
        return self._made.wake(at, state)


class _Code:
    """A file as it was at a time, and the filter in it: read when it is asked for, and run when that is."""

    def __init__(self, file: str, name: str, args: str) -> None:
        self._file = file
        self._name = name
        self._args = args

    @cached_property
    def source(self) -> bytes:
        try:
            return Path(self._file).read_bytes()
        except OSError as error:
            raise FilterError(f"script: {self._file} cannot be read: {error}") from None

    @cached_property
    def made(self) -> Filter:
        return _make(self._file, self.source, self._name, self._args)


@lru_cache(maxsize=64)
def _code(file: str, name: str, args: str, changed: int) -> _Code:
    """The same for the same file, as long as it has not ``changed``."""
    return _Code(file, name, args)


def _make(file: str, source: bytes, name: str, args: str) -> Filter:
    """The filter in a file; anything that goes wrong is a FilterError."""
    try:
        settings = json.loads(args)
    except ValueError as error:
        raise FilterError(f"script: args={args} is not a JSON object: {error}") from None
    if not isinstance(settings, dict):
        raise FilterError(f"script: args={args} is not a JSON object")
    module = ModuleType(f"hangup_script_{Path(file).stem}")
    module.__file__ = file
    sys.modules[module.__name__] = module  # where its annotations are looked up
    try:
        exec(compile(source, file, "exec"), module.__dict__)
    except Exception as error:
        raise FilterError(f"script: {file} cannot be run: {type(error).__name__}: {error}") from None
    found = {
        key: value
        for key, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, Filter) and value.__module__ == module.__name__
    }
    if name and name not in found:
        raise FilterError(f"script: {file} has no filter {name!r}; it has: {', '.join(found) or 'none'}")
    if not name and len(found) != 1:
        raise FilterError(
            f"script: {file} must have one class that is a Filter, or name= must say which of: {list(found)}"
        )
    cls = found[name] if name else next(iter(found.values()))
    try:
        made = cls(**settings)
    except (TypeError, ValueError) as error:
        raise FilterError(f"script: {cls.__name__} does not take {args}: {error}") from None
    if not hasattr(cls, "kinds") and cls.wants is Filter.wants:
        raise FilterError(f"script: {cls.__name__} does not say what it acts on, for instance: kinds = Kind.MESSAGE")
    return made
