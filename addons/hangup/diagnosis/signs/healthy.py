"""Signs of success where nothing dropped, and errors that were told and ended nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Cite, Trigger, cite_all
from hangup.diagnosis.signs import Found, Sign
from hangup.diagnosis.signs.last_messages import unread
from hangup.diagnosis.signs.seen import of
from hangup.diagnosis.signs.server_messages import not_json
from hangup.humanize import duration, plural, printable
from hangup.messages.shapes import Shape
from hangup.recording.backend_log import last_line
from hangup.recording.connections import Connection, numbered
from hangup.recording.endings import SETTLED

Lives = list[Connection]

_TOLD = re.compile(
    r"(?<!no )(?<!no_)(?<!no-)(?<!\b0 )(?<!without )(?:error|exception|traceback)(?!s?\W{1,3}(?:none|null|false|0)\b)",
    re.I,
)
_HELD = re.compile(r'"error"\s*:\s*(?!null|false|""|0\b|\[\s*\]|\{\s*\})\S', re.I)


def well(case: Case) -> Lives:
    """All that were opened, where none dropped; none where it is not told how one of them ended."""
    lives = [] if case.groups else [life for life in case.lives if life.open_since is not None]
    return [] if any(life.untold and life.end is None for life in lives) else lives


def _of_some(lives: Lives, text: str) -> Sign | None:
    return Sign(1.0, f"{numbered(lives)} {text}", cite_all(lives)) if lives else None


@of(well)
def no_connection_dropped(case: Case, lives: Lives) -> Found:
    """No connection dropped, and no handshake was refused."""
    return Sign(1.0, f"{numbered(lives)} opened, and none dropped", trigger=Trigger("none", lives[0].conn))


@of(well)
def open_for_long(case: Case, lives: Lives) -> Found:
    """Long enough for a success."""
    settled, longest = [life for life in lives if life.lasted >= SETTLED], max(life.lasted for life in lives)
    return _of_some(settled, f"stayed open for {duration(SETTLED)} or more (up to {duration(longest)})")


@of(well)
def no_connection_open(case: Case, lives: Lives) -> Found:
    """None for so long."""
    brief = all(life.lasted < SETTLED and life.opened is not None for life in lives)
    return Sign(1.0, f"no connection was open for {duration(SETTLED)}", cite_all(lives)) if brief else None


@of(well)
def reopened_by_the_client(case: Case, lives: Lives) -> Found:
    """The client opened another after one was over."""
    return _of_some([life for life in lives if life.successor is not None], "reopened by the client")


@of(well)
def no_connection_reopened(case: Case, lives: Lives) -> Found:
    """No client did."""
    return Sign(1.0, "no connection was reopened") if all(life.successor is None for life in lives) else None


@of(well)
def all_finished(case: Case, lives: Lives) -> Found:
    """The server ended them all in order."""
    return _of_some(lives, "ended by the server") if all(life.fate == "finished" for life in lives) else None


@of(well)
def all_left(case: Case, lives: Lives) -> Found:
    """Their clients ended them all for good, as far as it is told."""
    told = all(life.ending.by == "client" for life in lives)
    text = "closed by the client for good" if told else (
        "ended for good, though the recording does not always say by which "
        "side"
    )
    return _of_some(lives, text) if all(life.fate == "left" for life in lives) else None


@of(well)
def left_in_the_middle(case: Case, lives: Lives) -> Found:
    """A client that left for good may have had a reason to: no answer to its ping, or something odd to read."""
    left = [life for life in lives if life.fate == "left" and life.ending.by == "client" and not life.lost]
    odd = [life for life in left if _unanswered(life) or _odd_to_read(life)]
    return _of_some(odd, (
        "closed by the client while a ping of its own was unanswered, or just after a text message that is "
        "not JSON"
    ))


def _unanswered(life: Connection) -> bool:
    beats = life.traffic.beats.get(("client", "app")) or life.traffic.beats.get(("client", "control"))
    return beats is not None and beats.waiting is not None and life.since(beats.waiting) > 0.5


def _odd_to_read(life: Connection) -> bool:
    last = life.last_message("server")
    json = any(shape.json for shape in life.traffic.server.shapes)
    return last is not None and json and not_json(last) and life.since(last.at) < 0.1


@of(well)
def ended_filter(case: Case, lives: Lives) -> Found:
    """A filter ended some."""
    return _of_some([life for life in case.lives if life.fate == "filtered"], "ended by a filter")


@of(well)
def errors_told_and_nothing_ended(case: Case, lives: Lives) -> Found:
    """An error over the socket or in the log that ended nothing."""
    text, cites = next(complaints(case), ("", []))
    return Sign(1.0, f"nothing dropped, though {text}", cites) if text else None


def _held(life: Connection, shape: Shape) -> bool:
    """Whether a message of this shape that was kept has something in its field for errors."""
    said = [*life.traffic.opening, *life.traffic.recent]
    return any(message.shape is shape and _HELD.search(message.text) for message in said)


def complaints(case: Case) -> Iterator[tuple[str, list[Cite]]]:
    """Errors that were told over the socket or in the log."""
    for life in case.lives:
        for shape, count in life.traffic.server.shapes.items():
            if _TOLD.search(shape.kind) or ("error" in {key.lower() for key in shape.keys} and _held(life, shape)):
                yield f"the server sent {count.count} {shape.text}", [Cite(life.conn, count.first_n)]
    for log in case.ledger.logs:
        if _TOLD.search(log.text[:2000]):
            yield f'the backend logged "{printable(last_line(log.text), 80)}"', []
    for life in case.lives:
        shapes = life.traffic.client.shapes
        odd = [(s, c) for s, c in shapes.items() if s.opcode == "text" and not s.json and s.faults != {"utf8"}]
        odd = [(shape, count) for shape, count in odd if not unread(shape)]
        if odd and any(shape.json for shape in shapes):
            shape, count = odd[0]
            none = f"{plural(count.count, 'message')} among the JSON {'was' if count.count == 1 else 'were'} not JSON"
            yield f"{none} ({shape.text})", [Cite(life.conn, count.first_n)]
