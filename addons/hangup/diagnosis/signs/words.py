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
from hangup.diagnosis.signs.finished_work import only_last
from hangup.diagnosis.told_errors import reports_an_error, said_in, words_of
from hangup.humanize import printable
from hangup.recording.backend_log import EXCEPTION, LOOKED_AT, last_line

BODY_LOOKED_AT = 1000
"""Characters of an answer."""

SEVERAL = 3
"""So many connections at least: what one ended with may have been said by accident."""

PROMPT = 0.25
"""Seconds before the end in which the server's last message may say why."""

REASONS = 500
"""Characters of all that they say."""

AS_MESSAGE = 0.9
"""The strength of a phrase in a message, which may be about something else, where one in a close reason has 1."""

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
    """What the reason says that was given for closing; where none was, what the server's last message says."""
    said = f'the close reason is "{printable(case.reasons, 80)}"'
    cites = list(cite_all(life for life in case.victims if life.reason))
    words, strength = case.reasons, 1.0
    if not words and case.closer == "server":
        words, strength = case.once(last_words), AS_MESSAGE
        said, cites = f'the server\'s last message says "{printable(words, 80)}"', list(cite_all(case.victims))
    for n, name in enumerate(found_in(words.lower(), phrases().reason.get(case.closer, []))):
        text = said
        if name == "utf8" and case.once(valid_utf8):
            name, text = f"{name}-though-valid", f"{said}, and the client's last message is valid UTF-8"
        yield Sign(strength * (LESS_SPECIAL if n else 1.0), text, cites, variety=name)


def last_words(case: Case) -> str:
    """What the server's last messages say, one after the other, where each reports an error, or is of a kind that it
    sends at the end only; empty where one of them does not, or came long before the end."""
    found: dict[str, None] = {}
    lasts = {life.conn: last for life in case.victims if (last := life.traffic.server.last) is not None}
    shapes = {last.shape for last in lasts.values()}
    final = len(lasts) >= SEVERAL and all(only_last(life, shapes) for life in case.same_route)
    for life in case.victims:
        last = lasts.get(life.conn)
        if last is None or life.ended is None or life.ended - last.at > PROMPT:
            return ""
        if reports_an_error(last):
            found[words_of(last)] = None
        elif final and life.traffic.server.messages > 1:  # it is no greeting
            found[said_in(last)] = None
        else:
            return ""
    return "; ".join(found)[:REASONS]


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
