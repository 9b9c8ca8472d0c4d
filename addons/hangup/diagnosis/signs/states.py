"""Messages that do harm in one state of a conversation and none in another: another message makes the difference."""

from __future__ import annotations

import math
from typing import NamedTuple

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Trigger
from hangup.diagnosis.reactions import EndingContrast
from hangup.diagnosis.signs import Sign
from hangup.diagnosis.signs.last_messages import cites, last
from hangup.diagnosis.signs.seen import of
from hangup.messages.shapes import OTHER, Shape
from hangup.recording.connections import Connection

LEAST = 0.5
"""The strength from which on such a difference is more than chance among so many kinds of messages."""


class Times(NamedTuple):
    """When one connection carried the kind of message that the ends follow (seconds), and the last did harm."""

    life: Connection
    safe: list[float]
    harmful: float | None


class KindDifference(NamedTuple):
    """A kind of message that had gone before on all connections of one sort and on none of the other."""

    strength: float
    shape: Shape
    served: int


def _times(contrast: EndingContrast) -> list[Times]:
    hits = {life.conn: message for life, message in contrast.found.hits if message.shape is contrast.shape}
    found = []
    for life in contrast.case.same_route:
        count = life.traffic.client.shapes.get(contrast.shape)
        if count is None or contrast.shape in life.traffic.client.kept:
            continue
        safe, hit = list(count.times), hits.get(life.conn)
        if life in contrast.case.victims:  # what was sent last may have done harm there as well
            safe = [at for at in safe if at < count.last]
        found.append(Times(life, safe, None if hit is None else hit.at))
    return found


def _firsts(life: Connection) -> dict[Shape, float]:
    return {shape: count.first for half in life.traffic.halves.values() for shape, count in half.shapes.items()}


def _difference(contrast: EndingContrast, wanted: bool) -> KindDifference | None:
    """The kind of message that (``wanted``) all harmless ones come after and no harmful one, or the other way round."""
    if not contrast.one_shape or contrast.shape is OTHER:
        return None
    seen = _times(contrast)
    served = [each for each in seen if each.safe]
    harmed = [each for each in seen if each.harmful is not None]
    firsts = {each.life.conn: _firsts(each.life) for each in seen}
    kinds = {shape for known in firsts.values() for shape in known} - {contrast.shape, OTHER}

    def before(each: Times, shape: Shape, at: float) -> bool:
        return firsts[each.life.conn].get(shape, math.inf) < at

    telling = [
        shape
        for shape in kinds
        if all(before(each, shape, at) is wanted for each in served for at in each.safe)
        and all(before(each, shape, each.harmful or 0.0) is not wanted for each in harmed)
    ]
    if not telling or not served:
        return None
    # Of so many kinds one may make the difference by chance, the sooner the fewer connections there are.
    ways = math.comb(len(served) + len(harmed), len(harmed))
    strength = min(math.log(ways) - math.log(max(len(kinds) / len(telling), 1.0)), 6.0)
    mine = [shape for shape in telling if any(shape in each.life.traffic.client.shapes for each in seen)]
    shape = min(mine or telling, key=lambda shape: min(known.get(shape, math.inf) for known in firsts.values()))
    return KindDifference(strength, shape, len(served)) if strength >= LEAST else None


def _said(contrast: EndingContrast, difference: KindDifference | None, harmless: str, harmful: str) -> Sign | None:
    if difference is None:
        return None
    text = f"{contrast.shape.text} did no harm on {difference.served} connections, {harmless} {difference.shape.text}; "
    life, message = contrast.found.hits[0]
    trigger = Trigger("frame", life.conn, message.n)
    return Sign(difference.strength, f"{text}the ends follow it where that {harmful}", cites(contrast.found), trigger)


@of(last)
def harmless_after_another_message(case: Case, contrast: EndingContrast) -> Sign | None:
    """The message that the ends follow did no harm where another had gone before it, and that is missing here."""
    return _said(contrast, _difference(contrast, True), "each time after", "had not been sent")


@of(last)
def harmless_before_another_message(case: Case, contrast: EndingContrast) -> Sign | None:
    """The message that the ends follow did no harm where another had not yet been sent, which it was here."""
    return _said(contrast, _difference(contrast, False), "each time without an earlier", "had been sent")
