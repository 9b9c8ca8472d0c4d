"""A locustfile as text: what `hangup load` gives to Locust, and what a person may edit."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from keyword import iskeyword
from pathlib import Path
from typing import Any

from msgspec import Struct, field

HEAD = '''"""Recorded clients as the users of a load test. Start it with: locust -f {name}"""

from hangup.load import ReplayUser
'''


class User(Struct, frozen=True):
    """A user class: the recording that it plays, its ``weight`` among others, and what differs from the defaults."""

    recording: str
    weight: float = 1
    settings: Mapping[str, Any] = field(default_factory=dict)


def text(users: Sequence[User], target: str, name: str = "locustfile.py") -> str:
    """The file."""
    taken: set[str] = set()
    parts = [HEAD.format(name=name)]
    for user in users:
        lines = [f"class {_class_name(user.recording, taken)}(ReplayUser):"]
        lines.append(f"    recording = {str(Path(user.recording))!r}")
        lines.append(f"    host = {target!r}")
        if user.weight != 1:
            lines.append(f"    weight = {user.weight!r}")
        lines += [f"    {key} = {_spelled(value)}" for key, value in user.settings.items()]
        parts.append("\n".join(lines) + "\n")
    return "\n\n".join(parts)


def _spelled(value: Any) -> str:
    return 'float("inf")' if value == math.inf else repr(value)


def _class_name(recording: str, taken: set[str]) -> str:
    """A name for the user, after its recording's file."""
    words = re.findall(r"[A-Za-z0-9]+", re.sub(r"^[\dT-]+", "", Path(recording).stem))
    name = "".join(word[:1].upper() + word[1:] for word in words)[:40] or "Client"
    if not name[0].isalpha() or iskeyword(name) or name == "ReplayUser":
        name = f"Client{name}"
    number, unique = 2, name
    while unique in taken:
        unique, number = f"{name}{number}", number + 1
    taken.add(unique)
    return unique
