"""What filters there are, each with its settings and its page of help: for people who read, and for completion."""

from __future__ import annotations

import inspect
import re
from typing import Any

from hangup.filters.base import Filter, settings
from hangup.filters.match import Selecting
from hangup.filters.setting_values import choices, codec, description

SHARED = frozenset(name for cls in (Filter, Selecting) for name in settings(cls))
"""The settings that say which connections, or which messages, a filter is for."""


def summary(cls: type[Filter]) -> str:
    """The first sentence of a filter's page of help."""
    return " ".join(page(cls)[0].split())


def page(cls: type[Filter]) -> list[str]:
    """The paragraphs of a filter's page of help; what is indented in them is code."""
    return re.sub(r"``(.+?)``", r"\1", inspect.getdoc(cls) or "", flags=re.DOTALL).split("\n\n")


def describe(cls: type[Filter]) -> dict[str, Any]:
    """One filter, for programs. ``positional`` are the settings whose names may be left out; ``values`` are what a
    setting can be, or well may be."""
    fields = settings(cls)
    named = {field.name: name for name, field in fields.items()}
    return {
        "name": cls.word(),
        "summary": summary(cls),
        "help": "\n\n".join(page(cls)),
        "example": cls.example,
        "positional": [named[place] for place in cls.positional],
        "settings": [
            {
                "name": name,
                "value": codec(field.type).placeholder,
                "required": field.required,
                "default": None if field.required or field.default is None else codec(field.type).write(field.default),
                "help": description(field.type),
                "values": list(choices(field.type)),
                "shared": name in SHARED and not field.required,
            }
            for name, field in fields.items()
        ],
    }
