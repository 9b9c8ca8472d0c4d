"""Upgrades that the server did not see, or did not answer as one."""

from __future__ import annotations

import re

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Trigger, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.client_pings import NEARLY_ALL, opened
from hangup.diagnosis.signs.refused_handshakes import answered
from hangup.diagnosis.signs.seen import of
from hangup.humanize import printable
from hangup.recording.connections import Connection
from hangup.wire.handshake import get_all

_NO_UPGRADE = re.compile(
    r"(?:missing|no|invalid|expected|without|lacks)\b.{0,30}\b(?:upgrade|connection header)\b"
    r"|'upgrade' token not found"
    r"|\b(?:upgrade|connection)\b.{0,12} (?:header|hdr|token)\b.{0,30}\b(?:missing|not|invalid|required|must)"
    r"|can .?upgrade.? only to|.?connection.? must be .?upgrade|upgrade (?:is )?(?:required|expected)"
    r"|\bnot an? (?:valid )?websocket\b|not using the websocket protocol|expected (?:a )?websocket",
    re.I,
)
_OF_A_VERSION = re.compile(r"\bversion\b", re.I)


def _asked(life: Connection) -> bool:
    """Whether the request asked for an upgrade when it left here."""
    request = life.traffic.sent
    return request is not None and "websocket" in (value.lower() for value in get_all(request.headers, "Upgrade"))


@sign(answered)
def server_misses_the_upgrade(case: Case) -> Sign | None:
    """The answer complains that the request is no upgrade, though it was one."""
    life = case.victims[0]
    body = life.traffic.response.text[:400] if life.traffic.response is not None else ""
    found = _NO_UPGRADE.search(body)
    versions = life.header("sec-websocket-version", response=True) or _OF_A_VERSION.search(body)
    if found is None or versions or not _asked(life) or not case.header.tells("headers"):
        return None
    text = (
        f'the response ({life.status}) says "{printable(body.strip(), 80)}", though the request had its '
        'Upgrade header'
    )
    return Sign(1.0, text, cite_all(case.victims), Trigger("header", life.conn))


@of(opened)
def upgrade_missing_in_the_answer(case: Case, lives: list[Connection]) -> Sign | None:
    """The 101 lacks the Upgrade or the Connection header that it must have; the share of connections."""
    found = [life for life in lives if {"upgrade", "connection"} & set(life.checks)]
    if len(found) < NEARLY_ALL * len(lives):
        return None
    names = " and ".join(name for name in ("Upgrade", "Connection") if name.lower() in found[0].checks)
    text = f"the 101 has no valid {names} header, as if something in between had treated it as an ordinary response"
    return Sign(len(found) / len(lives), text, cite_all(found), Trigger("header", found[0].conn))
