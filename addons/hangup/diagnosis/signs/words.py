"""What is said in so many words: in close reasons, in answers of refused handshakes, in lines of the backend's log.

The phrases stand in ``phrases.toml``, each with a name, which is the variety of its sign.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, cached_property
from importlib.resources import files

import msgspec
from msgspec import Struct

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import cite, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.humanize import printable
from hangup.recording.backend_log import EXCEPTION, LOOKED_AT, last_line

BODY_LOOKED_AT = 1000
"""Characters of an answer."""

LESS_SPECIAL = 0.4
"""The strength of a phrase where another one, which is more special, is found as well."""


class Phrase(Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """Regular expressions for one thing that may be said."""

    name: str
    any: list[str]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """All of them."""
        return re.compile("|".join(self.any))


class Phrases(Struct, frozen=True, forbid_unknown_fields=True):
    """The file: phrases of close reasons by who closes, of answers, and of the log."""

    reason: dict[str, list[Phrase]]
    body: list[Phrase]
    log: list[Phrase]


@cache
def phrases() -> Phrases:
    """All that there are."""
    return msgspec.toml.decode((files("hangup.diagnosis") / "phrases.toml").read_bytes(), type=Phrases)


def found_in(text: str, known: list[Phrase]) -> list[str]:
    """The names of the phrases that a text has."""
    return [phrase.name for phrase in known if phrase.pattern.search(text)]


def valid_utf8(case: Case) -> bool:
    """Whether the last message of every client is text, and valid UTF-8 as recorded here."""
    last = [life.last_message("client") for life in case.victims]
    return bool(last) and all(
        m is not None and m.opcode == "text" and "utf8" not in m.shape.faults and "invalid-utf8" not in m.problems
        for m in last
    )


@sign()
def close_reason(case: Case) -> Iterator[Sign]:
    """What the reason says that was given for closing."""
    said = f'the close reason is "{printable(case.reasons, 80)}"'
    cites = [cite(life) for life in case.victims if life.reason]
    for n, name in enumerate(found_in(case.reasons.lower(), phrases().reason.get(case.closer, []))):
        text = said
        if name == "utf8" and case.once(valid_utf8):
            name, text = f"{name}-though-valid", f"{said}, and the client's last message is valid UTF-8"
        yield Sign(LESS_SPECIAL if n else 1.0, text, cites, variety=name)


@sign()
def answer_body(case: Case) -> Iterator[Sign]:
    """What the answer of a refused handshake says."""
    response = case.victims[0].traffic.response if case.mode == "refused" else None
    if response is not None:
        body = response.text[:BODY_LOOKED_AT]
        for name in found_in(body.lower(), phrases().body):
            yield Sign(1.0, f'the response says "{printable(body, 80)}"', cite_all(case.victims[:1]), variety=name)


@sign()
def backend_log(case: Case) -> Iterator[Sign]:
    """What the backend's log says around the ends."""
    seen: dict[str, tuple[str, set[int]]] = {}
    for log, lives in case.logs_near():
        text = log.text[:LOOKED_AT]
        names, line = found_in(text, phrases().log), last_line(text)
        if names and case.mode == "refused" and case.code == 500 and EXCEPTION.search(line):
            names = ["exception-before-the-answer"]  # whatever else it says
        for name in names:
            seen.setdefault(name, (line, set()))[1].update(life.conn for life in lives)
    for name, (line, conns) in seen.items():
        cites = [cite(life) for life in case.victims if life.conn in conns]
        share = min(1.0, len(conns) / case.count + 0.3)
        yield Sign(share, f'the backend logged "{printable(line, 120)}"', cites, variety=name)
