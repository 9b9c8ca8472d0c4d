"""The law of a JSON message that fails for how it is written: the same values, written plainly, stay open."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from hangup.experiment.arms import Search
from hangup.experiment.claim import Claim
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_trials import InPlace
from hangup.experiment.message_values import MISSING, join, split
from hangup.experiment.trial import Trial

MARK = b"\xef\xbb\xbf"


class Spelling(Struct, frozen=True):
    """A way to write JSON that is not the plain one: what it is called, whether a message is written so, and how a
    message is written so that is written plainly."""

    words: str
    has: Callable[[bytes], bool]
    write: Callable[[bytes], bytes]


def _spaced(payload: bytes) -> bytes:
    head, value = split(payload)
    return head + json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace")


def _indented(payload: bytes) -> bytes:
    head, value = split(payload)
    return head + json.dumps(value, ensure_ascii=False, indent=2).encode(errors="backslashreplace")


def _escaped(payload: bytes) -> bytes:
    """The first letter of each string value that is no key is written as an escape."""
    return re.sub(rb'(?<=:")([a-zA-Z])', lambda found: b"\\u%04x" % found[1][0], payload)


SPELLINGS = (
    Spelling("it begins with a byte order mark", lambda p: p.startswith(MARK), lambda p: MARK + p),
    Spelling("a line break follows the JSON", lambda p: p.endswith((b"\n", b"\r")), lambda p: p + b"\n"),
    Spelling("the JSON has line breaks in it", lambda p: b"\n" in p.strip(), _indented),
    Spelling("characters are written as escapes (`\\u…`)", lambda p: b"\\u" in p, _escaped),
    Spelling("it has spaces between its parts", lambda p: b'": ' in p or b", " in p, _spaced),
)


def plain(payload: bytes) -> bytes | None:
    """The same values written plainly; None where it is written so, or is no JSON."""
    text = payload.removeprefix(MARK).strip()
    head, value = split(text)
    if value is MISSING:
        return None
    written = join(head, value)
    return written if written != payload else None


def spelling_law(place: InPlace) -> Search[Claim | None]:
    """The law, where the message stays open when it is written plainly. Where it fails all the same, and only so can be
    read, it is what it says: from here on the message is the plain one."""
    payload = place.frame.payload
    written = plain(payload) if place.frame.text else None
    fails = None if written is None else (yield from place.ask(written))
    if written is None or fails is not False:
        if written is not None and fails and split(payload)[1] is MISSING:
            place.frame = replace(place.frame, payload=written)
        return None
    for spelling in SPELLINGS:
        if spelling.has(payload) and (yield from place.ask(spelling.write(written))) is True:
            return _claim(place, spelling, [written, *_plainly(place)])
    return None


def _plainly(place: InPlace) -> list[bytes]:
    return [plain(payload) or payload for payload in place.kin if split(payload)[1] is not MISSING]


def _claim(place: InPlace, spelling: Spelling, pool: Sequence[bytes]) -> Claim:
    sentence = f"{place.ends} on a JSON message{place.whose} when {spelling.words}{place.context}"
    law = Law(f"{sentence}; written plainly, the message does no harm", [Condition(spelling.words)], ["what it says"])

    def failing(rng: Random) -> Trial:
        return place.trial(spelling.write(_varied(rng, rng.choice(pool))), "", rng)

    def surviving(rng: Random) -> Trial:
        return place.trial(rng.choice(pool), "", rng)

    return Claim(law, failing, surviving)


def _varied(rng: Random, payload: bytes) -> bytes:
    """The same, or one that has one more field which nobody reads."""
    head, value = split(payload)
    if not isinstance(value, dict) or rng.random() < 0.5:
        return payload
    more: dict[str, Any] = {**value, f"hangup{rng.randint(1, 99)}": rng.randint(1, 99)}
    return join(head, more)
