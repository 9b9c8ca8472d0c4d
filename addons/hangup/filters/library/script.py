"""``script``: a filter from a file of your own."""

from __future__ import annotations

import inspect
import json
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from hangup.errors import FilterError
from hangup.filters.base import Actions, Context, Filter, Kind
from hangup.recording.events import Side


class Script(Filter, frozen=True, kw_only=True):
    """A filter from a Python file: a class that is a ``hangup.filters.base.Filter``.

        from hangup.filters.base import Drop, Filter, Kind

        class Mine(Filter, frozen=True, kw_only=True):
            kinds = Kind.MESSAGE

            def screen(self) -> Screen | None:
        made: Filter = self._made
        return made.screen()

    def apply(self, item, state):
                return [Drop()] if item.data == b"ping" else None

    It is given items and answers with actions, as hangup.filters.base describes them. The file runs within the proxy,
    with all that the proxy may do: run only what you trust. Where it fails the item passes, and the recording says so.
    """

    example: ClassVar[str] = "script my_filter.py"
    kinds: ClassVar[Kind] = Kind(63)
    positional: ClassVar[tuple[str, ...]] = ("file",)

    file: Annotated[str, Meta(description="the Python file")]
    name: Annotated[str, Meta(description="the class, when the file has several")] = ""
    args: Annotated[str, Meta(description='its settings as a JSON object, for instance {"limit":3}')] = "{}"
    _made: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            changed = Path(self.file).stat().st_mtime_ns
        except (OSError, ValueError) as error:
            raise FilterError(f"script: {self.file} cannot be read: {error}") from None
        msgspec.structs.force_setattr(self, "_made", _make(self.file, self.name, self.args, changed))

    def wants(self, side: Side) -> Kind:
        made: Filter = self._made
        return made.wants(side)

    def begin(self, context: Context) -> Any:
        return self._made.begin(context)

    def bind(self, state: Any) -> Any:
        return self._made.bind(state)

    def apply(self, item: Any, state: Any) -> Actions:
        made: Filter = self._made
        return made.apply(item, state)

    def deadline(self, state: Any) -> float | None:
        made: Filter = self._made
        return made.deadline(state)

    def wake(self, at: float, state: Any) -> Actions:
        made: Filter = self._made
        return made.wake(at, state)


@lru_cache(maxsize=64)
def _make(file: str, name: str, args: str, changed: int) -> Filter:
    """The filter of a file as it was at a time; anything that goes wrong is a FilterError."""
    try:
        settings = json.loads(args)
    except ValueError as error:
        raise FilterError(f"script: args={args} is no JSON object: {error}") from None
    if not isinstance(settings, dict):
        raise FilterError(f"script: args={args} is no JSON object")
    module = ModuleType(f"hangup_script_{Path(file).stem}")
    module.__file__ = file
    sys.modules[module.__name__] = module  # where its annotations are looked up
    try:
        exec(compile(Path(file).read_bytes(), file, "exec"), module.__dict__)
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
        return cls(**settings)
    except (TypeError, ValueError) as error:
        raise FilterError(f"script: {cls.__name__} does not take {args}: {error}") from None
