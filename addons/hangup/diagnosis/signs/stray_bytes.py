"""Bytes in the stream that are no WebSocket: an HTTP answer after the 101, or something spoiled on the way."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Trigger, cite_all
from hangup.diagnosis.signs import Sign, sign
from hangup.diagnosis.signs.client_pings import opened
from hangup.humanize import printable
from hangup.recording.events import Side


class StrayBytes:
    """The connections on which ``side`` sent bytes that are no frame, if many did, and the first such bytes."""

    def __init__(self, case: Case) -> None:
        lives = [life for life in case.once(opened) if life.traffic.junk]
        side, _, content = lives[0].traffic.junk.partition(": ") if lives else ("", "", "")
        self.side: Side = "server" if side == "server" else "client"
        self.lives = [life for life in lives if life.traffic.junk.startswith(f"{side}: ")]
        if 2 * len(self.lives) < len(case.once(opened)):
            self.lives = []
        self.shown = printable(content, 60)
        self.http = bool(self.lives) and self.side == "server" and content.startswith("HTTP/")


def answered_again(case: Case) -> bool:
    """Whether the server sent HTTP."""
    return case.once(StrayBytes).http


def no_frame(case: Case) -> bool:
    """Whether a side sent something else that is no frame."""
    stray = case.once(StrayBytes)
    return bool(stray.lives) and not stray.http


@sign(answered_again)
def http_after_the_101(case: Case) -> Sign:
    """After the 101 came another answer, as HTTP, which no handler writes into a WebSocket."""
    stray = case.once(StrayBytes)
    return Sign(
        text=f"after the 101 the server answered again, as HTTP: {stray.shown}",
        cites=cite_all(stray.lives),
        trigger=Trigger("header", stray.lives[0].conn),
        variety="engine-io" if case.stack.protocol == "engine.io" else "",
    )


@sign(no_frame)
def bytes_that_are_no_frame(case: Case) -> Sign:
    """A side sent bytes that are no frame."""
    stray = case.once(StrayBytes)
    return Sign(
        text=f"the {stray.side} sent bytes that are not a frame: {stray.shown}",
        cites=cite_all(stray.lives),
        trigger=Trigger("frame", stray.lives[0].conn),
    )


@sign(no_frame)
def library_writes_sound_frames(case: Case) -> Sign | None:
    """They came from a server whose library is known."""
    stray = case.once(StrayBytes)
    if stray.side != "server" or not case.stack.server:
        return None
    return Sign(text=f"{case.stack.server} writes valid frames", cites=cite_all(stray.lives))


@sign(no_frame)
def earlier_frames_sound(case: Case) -> Sign | None:
    """What that side sent at first was sound."""
    stray = case.once(StrayBytes)
    sides = [(life, life.traffic.halves[stray.side]) for life in stray.lives]
    lives = [life for life, half in sides if half.messages > 1 and half.first and not half.first.problems]
    return Sign(text="earlier frames were valid", cites=cite_all(lives)) if lives else None
