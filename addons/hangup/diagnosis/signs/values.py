"""Does a value set the messages that the ends follow apart from harmless ones of the same kind?"""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.contrast_values import FieldDifference, difference
from hangup.diagnosis.findings import Trigger, cite
from hangup.diagnosis.reactions import EndingContrast, Reaction, case_delays
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.client_closes import closed_by_client
from hangup.diagnosis.signs.last_messages import last, server_ended
from hangup.diagnosis.signs.server_messages import pushed
from hangup.recording.events import Side

SOON = 0.4
"""Seconds from a message to an end that may be its doing, where so many messages are sent that times tell nothing."""

NEARLY_ALL = 0.7


def _suspected(case: Case, side: Side) -> EndingContrast | None:
    """The last messages of a side, if most ends come soon after one: more than that is for their values to say."""
    lives = [life for life in case.victims if life.open_since is not None]
    hits = [(life, message) for life, message, delay in case_delays(lives, side) if delay <= SOON]
    if not hits or len(hits) < NEARLY_ALL * len(lives):
        return None
    return EndingContrast(case, Reaction(side, SOON, case.chance(side, SOON), 0.0, len(lives), hits))


def of_client(case: Case) -> FieldDifference | None:
    """In the client's last messages."""
    contrast = case.once(last) or _suspected(case, "client")
    return None if contrast is None else difference(case, contrast)


def of_server(case: Case) -> FieldDifference | None:
    """In the server's last messages."""
    contrast = case.once(pushed) or _suspected(case, "server")
    return None if contrast is None else difference(case, contrast)


@sign(server_ended)
def value_unlike_the_harmless(case: Case) -> Sign | None:
    """A value in the client's last messages is what it is in hardly any harmless message of their kind."""
    return _told(case.once(of_client))


@sign(closed_by_client)
def server_value_unlike_the_harmless(case: Case) -> Sign | None:
    """The same of the server's messages, after which the client ends it."""
    return _told(case.once(of_server))


def _told(found: FieldDifference | None) -> Sign | None:
    if found is None:
        return None
    life, message = found.lives[0]
    trigger = Trigger("frame", life.conn, message.n)
    cites = [cite(*hit) for hit in found.lives]
    return Sign(found.strength, found.text, cites, trigger, found.variety, found.words)
