"""Which field of an object or array says what kind of message it is, as far as one message alone can tell.

Candidates are short strings that look like names, and small code numbers. They are weighed by how their key is called
(its words, ``msgType`` -> msg, type), how deep and how early they stand, and whether they are first in an array. What
no candidate is heavy enough for has no discriminator; over many messages,
:class:`~hangup.messages.learning.Discriminators` finds more.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from hangup.messages.content import NOTHING, load
from hangup.messages.names import name_of

Step = str | int
Path = tuple[Step, ...]

CODES = 1000
"""Numbers below this may be codes."""
DEEPEST = 2
"""So many objects deep a discriminator is looked for within others."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_KINDS = frozenset(
    "type typ typename event evt action op opcode operation cmd command method kind verb".split()
)
_OF_MESSAGES = _KINDS | frozenset(
    "message msg packet frame data payload request req notification update ws socket rpc class object name body"
    " envelope stream client server user".split()
)
_WITH_BODY = frozenset("topic channel name subject stream msg message status tag signal request".split())
_SHORT = frozenset(("t", "e", "ev", "a", "o", "c", "m", "msg"))
BODIES = frozenset(
    "data payload body params args arguments message msg d event detail details content header headers meta envelope"
    " request packet update object value".split()
)
"""Keys under which a message holds another."""

STRONG, SHORT, PART, WEAK, NEVER = 8, 5, 4, 3, 0


@lru_cache(4096)
def weight(key: str) -> int:
    """How much a key by its words sounds like saying what a message is: one of STRONG, SHORT, PART, WEAK, NEVER."""
    if len(key) > 40:
        return NEVER
    words = [word.lower() for word in _WORDS.findall(key)] if not key.islower() or "_" in key else [key.strip("$@")]
    if len(words) == 1:
        word = words[0]
        if word in _KINDS:
            return STRONG
        if word.endswith("type") and word.startswith(("msg", "event", "message")):
            return STRONG  # all in lower case
        return SHORT if word in _SHORT and len(key) < 4 else WEAK if word in _WITH_BODY else NEVER
    if not words or not _KINDS.intersection(words) or words[-1] not in _KINDS and words[-1] != "name":
        return NEVER
    return STRONG if _OF_MESSAGES.issuperset(words) else PART


class Discriminator(NamedTuple):
    """The discriminator: where it stands, its name (ids abstracted; the number as text), and what it is."""

    path: Path
    name: str
    value: str | int


def find(value: Any) -> Discriminator | None:
    """The discriminator of an object or array, or None."""
    if type(value) is dict:
        return _in_object(value)
    return _in_array(value) if type(value) is list else None


def _in_object(value: dict[str, Any]) -> Discriminator | None:
    found, score = _best(value, ())
    if score >= SHORT:
        return found
    level: list[tuple[Path, dict[str, Any]]] = [((), value)]
    for depth in range(1, DEEPEST + 1):
        below = []
        for path, outer in level:
            for key, inner in outer.items():
                if (len(outer) == 1 or key.lower() in BODIES) and is_key(key):
                    if type(inner) is str and inner[:1] == "{":
                        inner = load(inner)
                    if type(inner) is dict and inner:
                        below.append(((*path, key), inner))
        level = below[:8]
        for path, inner in level:
            other, of_other = _best(inner, path)
            if of_other - depth > score:
                found, score = other, of_other - depth
    return found


def _best(value: dict[str, Any], path: Path) -> tuple[Discriminator | None, float]:
    best: Discriminator | None = None
    score: float = 0
    place = 0
    for key, said in value.items():
        place += 1
        if place > 32:
            break
        heavy = weight(key)
        if not heavy:
            continue
        if type(said) is str:
            name = name_of(said)
            if not name or " " in name and heavy < STRONG:
                continue
            if heavy <= WEAK or key.lower() == "msg":
                beside = any(key != other and other.lower() in BODIES for other in value)
                if not beside and not (place == 1 and key == "msg"):
                    continue
        elif type(said) is int and 0 <= said < CODES and (heavy >= STRONG or key == "t"):
            name = str(said)
            heavy -= 4
        else:
            continue
        rank = heavy - place / 16
        if rank > score:
            best, score = Discriminator((*path, key), name, said), rank
    if best is not None and type(best.value) is str and weight(best.value) >= STRONG:
        pointed = value.get(best.value)  # {"type": "event", "event": "order"}
        if type(pointed) is str and pointed != best.value and (name := name_of(pointed)) and is_key(best.value):
            return Discriminator((*path, best.value), name, pointed), score
    return best, score


def _in_array(value: list[Any]) -> Discriminator | None:
    """The first name in front: ``["order", …]``, ``[17, "order", …]``; or a code number there."""
    if not value or (len(value) > 3 and all(type(item) is str for item in value)):
        return None
    for i, item in enumerate(value[:3]):
        if type(item) is str:
            name = name_of(item)
            if name and " " not in name:
                return Discriminator((i,), name, item)
        elif item is not None and type(item) is not int:
            break
    first = value[0]
    if type(first) is int and 0 <= first < 100 and any(type(item) in (dict, list) for item in value[1:4]):
        return Discriminator((0,), str(first), first)
    return None


_KEY = re.compile(r"[\w$@#-]+")
_STEP = re.compile(r"(?:^|\.)([\w$@#-]+)|\[(\d{1,3})\]")


@lru_cache(4096)
def is_key(key: str) -> bool:
    """Whether a key can stand in a path."""
    return len(key) <= 40 and _KEY.fullmatch(key) is not None


def path_text(path: Path) -> str:
    """``("data", "type")`` -> ``data.type``, ``(0,)`` -> ``[0]``."""
    text = "".join(f"[{step}]" if type(step) is int else f".{step}" for step in path)
    return text.removeprefix(".")


def read_path(text: str) -> Path | None:
    """The path that ``text`` is, or None."""
    steps: list[Step] = []
    pos = 0
    for found in _STEP.finditer(text):
        if found.start() != pos:
            return None
        steps.append(found[1] if found[2] is None else int(found[2]))
        pos = found.end()
    return tuple(steps) if steps and pos == len(text) else None


def at(value: Any, path: Path) -> Any:
    """What stands at a path (JSON within strings is looked into), or :data:`~hangup.messages.content.NOTHING`."""
    for step in path:
        if type(value) is str and value[:1] in ("{", "["):
            value = load(value)
        if type(value) is dict and type(step) is str:
            value = value.get(step, NOTHING)
        elif type(value) is list and type(step) is int and step < len(value):
            value = value[step]
        else:
            return NOTHING
    return value
