"""The end of a simulated client's connection in few words that are the same for all that ended alike.

Locust counts equal texts: so what differs each time (the milliseconds, an id in a close reason) is left out or made
coarse. The exact sentence, hangup's own, goes with it.
"""

from __future__ import annotations

import re

from hangup.experiment.failure import ORDINARY, Failure, close_code, latency
from hangup.humanize import duration
from hangup.recording.connections import Connection
from hangup.recording.redaction.placeholders import Vault
from hangup.replay.outcome import ReplayOutcome
from hangup.wire import close_codes

SOON = 5.0
"""Seconds: where a server is slow, what is a reaction may come so late; what comes later is told with its time."""

REASON = 60
"""Characters of a close reason."""

_VALUE = re.compile(r"\S*\d\S*")


def key_of(outcome: ReplayOutcome, last: str | None) -> str:
    """The failure that ended a connection; empty where it ended as it should, or hangup ended it. ``last`` is the kind
    of the client's last message."""
    live = outcome.live
    if outcome.survived or live.manner is None:
        return ""
    if live.refused:
        return "" if outcome.same_ending else _refused(live)
    if live.ending.by == "client":
        # It leaves when the recorded one did, or by its rule.
        return "" if outcome.recorded.ending.by == "client" else _how(live)
    if outcome.same_ending and _in_order(live):
        return ""
    return f"{_how(live)} {_when(live, last)}"


def signature(live: Connection) -> str:
    """The failure as `hangup bisect --fails-when` takes it."""
    how = live.manner
    if how is None:
        return ""
    by = live.ending.by if live.ending.by in ("client", "server") else ""
    code = close_code(live) if how == "close" else None
    return str(Failure(by, how, code, live.status if how == "refused" else None))


def _in_order(live: Connection) -> bool:
    return live.manner == "close" and close_code(live) in ORDINARY


def _refused(live: Connection) -> str:
    if live.status is not None:
        return f"handshake refused with {live.status}"
    return f"handshake failed: {_plain(live.error) or 'no answer'}"


def _how(live: Connection) -> str:
    ending = live.ending
    if ending.how != "close":
        return f"{ending.by} {ending.how.upper() if ending.how in ('fin', 'rst') else ending.how}"
    code = "without a code" if ending.code is None else str(ending.code)
    reason = _plain(ending.reason or "") or (close_codes.name(ending.code) if ending.code is not None else "")
    return f"{ending.by} close {code}" + (f" ({reason})" if reason else "")


def _plain(text: str) -> str:
    """A reason without secrets, ids and numbers."""
    words = _VALUE.sub("#", Vault().text(text))
    return words if len(words) <= REASON else words[: REASON - 1] + "…"


def lag_of(live: Connection) -> float | None:
    """Seconds from the other side's last message, or else from opening, to the end; None where it never opened."""
    lag = latency(live)
    return live.lifetime if lag is None else lag


def _when(live: Connection, last: str | None) -> str:
    lag = latency(live)
    if lag is None or last is None:
        seconds, what = live.lifetime or 0.0, "opening"
    else:
        seconds, what = lag, f"kind={last}"
    return f"after {what}" if seconds <= SOON else f"about {_rounded(seconds)} after {what}"


def _rounded(seconds: float) -> str:
    """To one digit, so that equal timeouts are equal."""
    digits = 10 ** (len(str(int(seconds))) - 1)
    return _short(round(seconds / digits) * digits)


def _short(seconds: float) -> str:
    return duration(seconds).replace(".00 s", " s").replace(".0 s", " s")
