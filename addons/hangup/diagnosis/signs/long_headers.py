"""A header of a request that was refused, beside those of requests that were served."""

from __future__ import annotations

import math

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Trigger, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.refused_handshakes import refused
from hangup.humanize import printable, size
from hangup.recording.connections import Connection

LONG = 1024
"""Bytes from which on a header is worth a word."""

FAR = 2.0
"""So many times as long as any that was served is far longer."""


def _longest(life: Connection) -> tuple[int, str]:
    """The length of the longest header's line of the request, and the header's name."""
    request = life.traffic.request
    return (
        max(((len(f"{k}: {v}".encode(errors="replace")), k) for k, v in request.headers), default=(0, ""))
        if request
        else (0, "")
    )


@sign(refused)
def header_longer_than_any_served(case: Case) -> Sign | None:
    """Each request that was refused has a header far longer than all of the requests that were served; how far."""
    taken = [_longest(life)[0] for life in case.lives if life.open_since is not None and life.traffic.request]
    turned = [_longest(life) for life in case.victims]
    least, name = min(turned)
    served = max(taken, default=0)
    if not taken or not case.header.tells("headers") or least < max(LONG, FAR * served):
        return None
    text = (
        f"the request's {printable(name, 40)} header has {size(least)} or more, and no such header in a "
        "request that was "
    )
    text += f"accepted more than {size(served)}"
    strength = min(math.log(least / max(served, 1)), 3.0)
    return Sign(strength, text, cite_all(case.victims), Trigger("header", case.victims[0].conn))
