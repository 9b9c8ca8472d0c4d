"""How long nothing had been sent before the ends: by the client, by the server, or by either."""

from __future__ import annotations

import math
from typing import NamedTuple

from hangup.diagnosis.case import Case
from hangup.diagnosis.clocks import by_time, cites_of, typical_pause
from hangup.diagnosis.figures import middle
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.ages import YOUNGEST, default
from hangup.diagnosis.signs.client_pings import NEARLY_ALL
from hangup.diagnosis.signs.server_ends import FrameClocks, all_seen, clocked, several, timed
from hangup.humanize import duration
from hangup.recording.events import Side

SHORT = 0.25
"""Seconds that are no silence yet."""

MARGIN = 0.5
"""By how much one time must be steadier than another for it to tell something."""

CLEARLY = 0.7
"""By how much a time must be steadier than one that is more usual to count."""

MOST = 2.0
"""The strength at most of a time that was chosen among several."""

DEFAULTS = {
    60: "nginx and AWS ALB", 100: "Cloudflare", 30: "Google Cloud's load balancer", 350: "AWS NLB",
    600: "mitmproxy and AWS API Gateway", 240: "Azure's load balancer", 55: "Heroku", 120: "uWebSockets",
    300: "Envoy", 50: "HAProxy as it is packaged", 10: "several servers", 90: "several proxies",
    3600: "several proxies",
}  # fmt: skip
"""Idle times (seconds) after which something ends a connection unless it is told otherwise."""


class Silence(NamedTuple):
    """How long a side (None: either) had sent nothing before the ends, and how steady that time is. With ``only`` it is
    messages that count, and no control frames."""

    side: Side | None
    steady: float
    value: float
    words: str
    times: list[float]
    only: bool = False

    @property
    def whose(self) -> str:
        """The side in words."""
        return f"the {self.side}" if self.side else "either side"


def silence(case: Case) -> Silence:
    """The steadiest silence: that of both sides together, unless one side's is steadier by far; of messages only where
    that of frames is not steady at all."""
    clocks = case.once(FrameClocks)
    sides: tuple[tuple[Side | None, list[float]], ...] = (
        (None, clocks.idle), ("server", clocks.server), ("client", clocks.client),
    )  # fmt: skip
    found = [Silence(side, *clocks.of(times), times) for side, times in sides]
    messages: tuple[tuple[Side, list[float], list[float]], ...] = (
        ("client", clocks.client_messages, clocks.client), ("server", clocks.server_messages, clocks.server),
    )  # fmt: skip
    either, best = found[0], max(found, key=lambda each: each.steady)
    if best.steady <= 0:
        only = [
            Silence(side, *clocks.of(times), times, only=True)
            for side, times, frames in messages
            if times != frames and clocks.of(times)[0] > 0
        ]
        most = max((each.steady for each in only), default=0.0)
        best = next((each for each in only if each.steady > most - CLEARLY), best)
    return either if either.steady > best.steady - CLEARLY else best


def evident_silence(case: Case) -> float:
    """The silence in seconds that the signs speak of; 0 where no open connection ended."""
    return case.once(silence).value if clocked(case) else 0.0


def silent(case: Case) -> bool:
    """Whether a timer may have ended them after a silence that is worth the name."""
    return timed(case) and all_seen(case) and case.once(silence).value >= SHORT


def pings_told(case: Case) -> bool:
    """Whether control pings would be in the recording; else one may have been sent in any silence."""
    return case.header.tells("pings")


def what(case: Case) -> str:
    """What was not sent in a silence, as far as is known."""
    return "frame" if pings_told(case) else "message"


def quietness(case: Case) -> float:
    """How many times as long as usual nothing was sent before the ends; 0 where there were no messages at all."""
    return middle(case.once(FrameClocks).idle) / max(case.once(typical_pause), 0.001)


@sign(silent)
def steady_silence(case: Case) -> Sign | None:
    """How alike the times are for which nothing was sent."""
    return None if case.once(silence).only else _steady_silence(case, what(case))


@sign(silent)
def steady_silence_but_for_pings(case: Case) -> Sign | None:
    """The same of times in which a side sent pings or pongs, and no message."""
    found = _steady_silence(case, "message") if case.once(silence).only else None
    return found and found._replace(strength=min(found.strength, MOST))


def _steady_silence(case: Case, frame: str) -> Sign:
    clocks, found = case.once(FrameClocks), case.once(silence)
    text = f"{found.words} without a {frame} of {found.whose} before the end"
    return Sign(found.steady, text, cites_of(clocks, found.side), by_time(clocks))


@sign(silent)
def only_one_side_silent(case: Case) -> Sign | None:
    """One side's silence is steady, and the other one still sent something in it."""
    found = case.once(silence)
    text = f"it is the silence of {found.whose} that is steady, not that of both sides"
    return Sign(1.0, text, cites_of(case.once(FrameClocks))) if found.side else None


@sign(silent, pings_told)
def only_messages_count(case: Case) -> Sign | None:
    """It sent pings or pongs in that silence: what ended it goes by messages, and does not only see bytes pass."""
    found = case.once(silence)
    text = f"in that time {found.whose} sent pings or pongs, which did not count"
    return Sign(1.0, text, cites_of(case.once(FrameClocks), found.side)) if found.only else None


@sign(silent)
def last_frame_a_pong(case: Case) -> Sign | None:
    """The client's silence, which is steady, began with a pong."""
    clocks = case.once(FrameClocks)
    last = [(life.traffic.client.frame, life.traffic.client.at) for life in clocks.lives]
    pongs = all(frame is not None and frame.opcode == "pong" and frame.at == at for frame, at in last)
    if case.once(silence).side != "client" or not pongs:
        return None
    return Sign(1.0, "the client's last frame was a pong", cites_of(clocks, "client"))


@sign(timed, several, all_seen)
def silence_steadier_than_age(case: Case) -> Sign | None:
    """It is the silence that is the same each time, and not the age."""
    clocks, found = case.once(FrameClocks), case.once(silence)
    by = found.steady - clocks.age[0]
    ages = f"the age ({duration(min(clocks.open))} to {duration(max(clocks.open))})"
    text = f"the time without a {what(case)} of {found.whose} is steadier than {ages}"
    return Sign(min(by, 3.0), text, cites_of(clocks)) if by > MARGIN else None


@sign(timed, several, all_seen)
def age_steadier_than_silence(case: Case) -> Sign | None:
    """It is the age that is the same each time, and not the silence."""
    clocks = case.once(FrameClocks)
    by = clocks.age[0] - case.once(silence).steady
    text = f"the age, {clocks.age[2]}, is steadier than the time without a {what(case)}"
    return Sign(min(by, 4.0), text, cites_of(clocks)) if by > MARGIN else None


@sign(silent)
def too_short_a_silence_for_a_limit(case: Case) -> Sign | None:
    """The silence is shorter than any limit that somebody would set."""
    value = case.once(silence).value
    return Sign(1.0, (
        f"{duration(value)} is too short for a timeout that somebody would "
        "configure"
    )) if value < YOUNGEST else None


@sign(silent, pings_told)
def silence_of_a_usual_default(case: Case) -> Sign | None:
    """The silence is one after which something ends connections by default."""
    clocks, found = case.once(FrameClocks), case.once(silence)
    limit = default(found.times, DEFAULTS)
    if limit is None:
        return None
    text = f"the silence of {found.whose} is near {duration(limit)}, the default of {DEFAULTS[limit]}"
    return Sign(1.0, text, cites_of(clocks, found.side))


@sign(timed, all_seen, pings_told)
def longer_silence_than_usual(case: Case) -> Sign | None:
    """Nothing was sent before the ends for longer than is usual."""
    quiet, clocks, usual = case.once(quietness), case.once(FrameClocks), case.once(typical_pause)
    text = f"nothing was sent for {clocks.of(clocks.idle)[2]} before the end; a message comes every {duration(usual)}"
    return Sign(min(0.5 * math.log(quiet), 1.5), f"{text} on average", cites_of(clocks)) if quiet > 2 else None


@sign(timed, all_seen)
def traffic_until_the_end(case: Case) -> Sign | None:
    """The last frames came no longer before the ends than is usual between messages."""
    clocks, usual = case.once(FrameClocks), case.once(typical_pause)
    talked = sum(any(half.frame for half in life.traffic.halves.values()) for life in clocks.lives)
    if math.isinf(usual) or talked < NEARLY_ALL * len(clocks.lives) or case.once(quietness) > 1.5:
        return None
    text = (
        f"there was traffic until {clocks.of(clocks.idle)[2]} before the end; a message comes every {duration(usual)}"
    )
    return Sign(1.0, f"{text} on average", cites_of(clocks))
