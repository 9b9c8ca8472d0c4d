"""The law of a message that is wrong about how long its body is: STOMP and others have a ``content-length`` in bytes
(https://stomp.github.io/stomp-specification-1.2.html#Header_content-length), which is often counted in characters.
"""

from __future__ import annotations

import re
from random import Random

from msgspec import Struct

from hangup.experiment.arms import Search
from hangup.experiment.claim import Claim
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_trials import InPlace
from hangup.experiment.trial import Trial

_FIELD = re.compile(rb"^(content-length:[ \t]*)(\d{1,9})[ \t]*\r?$", re.I | re.M)
_BLANK = re.compile(rb"\r?\n\r?\n")
NUL = b"\0"
"""What ends a STOMP frame."""


class Framed(Struct, frozen=True):
    """A message with such a field: what stands before its number, and after it up to the body, and around the body."""

    before: bytes
    after: bytes
    body: bytes
    tail: bytes
    said: int

    @property
    def wrong(self) -> bool:
        """Whether it is not the body's length."""
        return self.said != len(self.body)

    def with_body(self, body: bytes, off: int = 0) -> bytes:
        """The message with another body, whose length it says; or a number that is ``off`` by so much."""
        return b"%b%d%b%b%b" % (self.before, max(0, len(body) + off), self.after, body, self.tail)


def framed(payload: bytes) -> Framed | None:
    """The parts of a message that has a header with a ``content-length``, a blank line and a body; None of others."""
    blank = _BLANK.search(payload)
    if blank is None:
        return None
    head, body = payload[: blank.end()], payload[blank.end() :]
    field = _FIELD.search(head)
    if field is None:
        return None
    tail = body[body.rindex(NUL) :] if NUL in body else b""
    body = body[: len(body) - len(tail)]
    return Framed(head[: field.start(2)], head[field.end(2) :], body, tail, int(field[2]))


def content_length_law(place: InPlace) -> Search[Claim | None]:
    """The law, where the length that is said is not the body's, and the same message with the right one stays open."""
    found = framed(place.frame.payload)
    if found is None or not found.wrong:
        return None
    if (yield from place.ask(found.with_body(found.body))) is not False:
        return None
    if (yield from place.ask(found.with_body(b"hangup", found.said - len(found.body)))) is not True:
        return None  # it takes more than a number that is off
    words = "its `content-length` is not the length of its body in bytes"
    boundary = f"of a body of {len(found.body)} bytes: survives {len(found.body)}, fails {found.said}"
    law = Law(f"{place.ends} on a message{place.whose} when {words}{place.context}", [Condition(words, boundary)])
    law.irrelevant = ["what the body says"]
    way = -1 if found.said < len(found.body) else 1

    def body(rng: Random) -> bytes:
        letters = [rng.choice("abcdefghij éü€") for _ in range(rng.randint(8, 24))]
        return "".join(letters).encode()

    def failing(rng: Random) -> Trial:
        return place.trial(found.with_body(body(rng), way * rng.randint(1, 4)), "", rng)

    return Claim(law, failing, lambda rng: place.trial(found.with_body(body(rng)), "", rng))
