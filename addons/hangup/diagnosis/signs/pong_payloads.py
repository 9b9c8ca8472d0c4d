"""Pongs that do not carry what their pings did, which RFC 6455 (5.5.3) asks of them."""

from __future__ import annotations

from collections.abc import Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Cite, Trigger
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.client_pings import NEARLY_ALL, opened
from hangup.humanize import plural
from hangup.recording.events import Side

SIDES: tuple[Side, ...] = ("server", "client")


def control_frames_told(case: Case) -> bool:
    """Whether open connections ended, and the recording has their control frames with their payloads."""
    lives = case.once(opened)
    told = case.header.tells("pings") and case.header.tells("payloads")
    return bool(lives) and told and not any(life.lost for life in lives)


@sign(control_frames_told)
def pongs_carry_another_payload(case: Case) -> Iterator[Sign]:
    """Who ended the connections had sent pings, and nearly each that had no answer was followed by one pong with
    another payload. Pongs that somebody sends unasked are more than these."""
    for side in SIDES:
        if not case.may_be(side):
            continue
        beats = [(life, life.traffic.beats.get((side, "control"))) for life in case.once(opened)]
        wrong = [
            (life, each)
            for life, each in beats
            if each is not None and each.mismatched and each.mismatched in (each.sent, each.sent - 1)
        ]
        if len(wrong) < NEARLY_ALL * len(beats):
            continue
        life, first = wrong[0]
        count, sent = sum(each.mismatched for _, each in wrong), sum(each.sent for _, each in wrong)
        text = f"{count} of the {side}'s {plural(sent, 'ping frame')} got a pong with another payload than the ping's"
        cites = [Cite(life.conn, each.first_n) for life, each in wrong]
        yield Sign(1.0, text, cites, Trigger("time", life.conn, first.last_n), side)
