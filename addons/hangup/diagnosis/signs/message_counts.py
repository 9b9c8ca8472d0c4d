"""After how many messages of the client the server ends it."""

from __future__ import annotations

import re

from hangup.diagnosis.case import Case
from hangup.diagnosis.reactions import EndingContrast
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.last_messages import of_all, server_ended, trigger

FEW = 5
"""So many messages a handler may serve before it returns: nobody writes one that serves more by hand."""

_OF_NUMBERS = re.compile(r"limit|quota|max|count|too many|number|rate|\d+ messages|exceed", re.I)


def _counts(contrast: EndingContrast) -> set[int]:
    """After how many messages of the client it ended."""
    return {life.traffic.client.messages for life, _ in contrast.found.hits}


def _fixed(contrast: EndingContrast) -> int:
    """The same number each time; 0 where it varies."""
    counts = _counts(contrast)
    return counts.pop() if len(counts) == 1 else 0


def _most(contrast: EndingContrast) -> int:
    """The most that a client of the route sent over one connection."""
    return max(life.traffic.client.messages for life in contrast.case.same_route)


def _each_time(contrast: EndingContrast) -> str:
    hits, tries = len(contrast.found.hits), contrast.found.tries
    return "" if tries == 1 else " each time" if hits == tries else f" {hits} of {tries} times"


@of_all
def after_the_first_message(contrast: EndingContrast) -> Sign | None:
    """The end follows the first message, and nobody got more through."""
    text = f"it ended after the client's first message{_each_time(contrast)}"
    return Sign(1.0, text, trigger=trigger(contrast.found, "count")) if _most(contrast) == 1 else None


@of_all
def after_a_fixed_number(contrast: EndingContrast) -> Sign | None:
    """The end follows a message of the same number each time, and not the first."""
    number, hits = _fixed(contrast), len(contrast.fatal)
    text = f"it ended after exactly {number} messages from the client{_each_time(contrast)}"
    found = Sign(min(0.9 * (hits - 1), 3.0), text, trigger=trigger(contrast.found, "count"))
    return found if number > 1 and hits > 1 else None


@of_all
def after_a_large_number(contrast: EndingContrast) -> Sign | None:
    """That number is larger than any that somebody would program by hand."""
    number = _fixed(contrast)
    large = number > FEW and len(contrast.fatal) > 1 and _most(contrast) == number
    return Sign(1.0, f"{number} messages are more than a handler without a loop would process") if large else None


@of_all
def ended_once_after_several_messages(contrast: EndingContrast) -> Sign | None:
    """There was one such end only, and messages before that did no harm."""
    number = _fixed(contrast)
    text = f"the server closed it after message {number} from the client, once"
    return Sign(1.0, text) if number > 1 and len(contrast.fatal) == 1 else None


@of_all
def number_of_messages_varies(contrast: EndingContrast) -> Sign | None:
    """Each end follows another number of messages."""
    counts = _counts(contrast)
    text = f"the number of messages before the end varies ({min(counts)} to {max(counts)})"
    return Sign(1.0, text) if len(counts) > 1 else None


@of_all
def others_got_more_through(contrast: EndingContrast) -> Sign | None:
    """On another connection the client sent more messages before the end."""
    number, most = _fixed(contrast), _most(contrast)
    return Sign(1.0, f"another connection got {most} messages through") if 0 < number < most else None


@sign(server_ended)
def reason_names_no_number(case: Case) -> Sign | None:
    """The close reason speaks of no limit."""
    silent = case.reasons and not _OF_NUMBERS.search(case.reasons)
    return Sign(1.0, "the server's close reason mentions no number") if silent else None
