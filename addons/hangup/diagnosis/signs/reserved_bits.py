"""Frames with a reserved bit that no extension gives a meaning."""

from __future__ import annotations

from collections.abc import Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Trigger, cite
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.client_pings import opened
from hangup.recording.connections import Connection
from hangup.recording.events import Side
from hangup.recording.negotiation import extensions
from hangup.recording.traffic import MessageSummary


def told(case: Case) -> bool:
    """Whether the bits and what was agreed on are known."""
    return bool(case.once(opened)) and case.header.tells("framing") and case.header.tells("headers")


def _marked(life: Connection, side: Side) -> Iterator[MessageSummary]:
    """The frames of a side with such a bit, among the first and the last."""
    response = life.traffic.response
    agreed = response is None or bool(extensions(response))
    for message in {m.n: m for m in (*life.traffic.opening, *life.traffic.recent)}.values():
        if message.side == side and ("rsv" in message.problems or (message.compressed and not agreed)):
            yield message


@sign(told)
def reserved_bit_without_an_extension(case: Case) -> Iterator[Sign]:
    """A side uses an extension that was not agreed on; on how many of the connections (a share)."""
    lives = case.once(opened)
    sides: tuple[Side, Side] = ("client", "server")
    for side in sides:
        found = [(life, frames[-1]) for life in lives if (frames := list(_marked(life, side)))]
        if found:
            first, message = found[0]
            offered = extensions(first.traffic.request) if first.traffic.request is not None else []
            text = f"the {side} set a reserved bit (RSV) in a frame on {len(found)} of {len(lives)} connections, "
            text += "which no agreed extension gives a meaning to"
            text += f"; {', '.join(offered)[:60]} was offered" if offered else ""
            cites, trigger = [cite(life, m) for life, m in found], Trigger("frame", first.conn, message.n)
            yield Sign(len(found) / len(lives), text, cites, trigger, side)
