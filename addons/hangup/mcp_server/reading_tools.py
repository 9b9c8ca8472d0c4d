"""What may be asked of recordings, and the handshake alone: nothing here changes anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from hangup.errors import FilterError, UsageError
from hangup.filters.patterns import TooLong
from hangup.humanize import plural
from hangup.mcp_server.answers import ROOM, answer, page, without_nothing
from hangup.mcp_server.library import Library, TellableRecording
from hangup.mcp_server.reach import Reach
from hangup.mcp_server.words import named, sureness
from hangup.probe.handshakes import ProbeSettings, probe
from hangup.recording.choice import Choice
from hangup.recording.connections import Connection
from hangup.recording.diff import collect
from hangup.recording.diff_recordings import compare_recordings
from hangup.recording.events import AnyEvent, Frame
from hangup.recording.redaction.placeholders import Vault
from hangup.web import wording
from hangup.web.query import QueryError
from hangup.web.wanted import Wanted, kind_text
from hangup.wire.header_lists import is_token

KINDS = 24
"""So many kinds of messages are named."""

LOOPS = 6
MARKS = 14
"""So much of a timeline is told, up to the end."""

WHOLE = 5000
"""Characters of one message that is asked for by its number, in pieces of one line."""

PIECE = 380

Row = dict[str, Any]


@dataclass(frozen=True)
class Answered:
    """A tool's answer: its text, and the name of the recording whose report goes with it (empty for none)."""

    text: str
    recording: str = ""


def recordings(library: Library, offset: int) -> Answered:
    """What is there."""
    rows = library.rows()
    found, following = page(rows, offset)
    said = f"hangup: {plural(len(rows), 'recording')}, the newest first."
    return Answered(answer(said, found, _more(following)))


def query(library: Library, question: str, since: str, offset: int) -> Answered:
    """A question about all of them, by name or in SQL; without one what may be asked."""
    # What reads many recordings takes long to import.
    from hangup.fleet.selection import names
    from hangup.fleet.subjects import subjects
    from hangup.fleet.workers import Workers
    from hangup.tables.asking import ask_recordings
    from hangup.tables.cache import Cache
    from hangup.tables.database import plain
    from hangup.tables.questions import QUESTIONS, question_of
    from hangup.tables.schema import TABLES

    if not question:
        known = {"questions": {name: each.says for name, each in QUESTIONS.items()}}
        tables = {name: [column.name for column in table.columns] for name, table in TABLES.items()}
        said = "hangup: what may be asked by name, and the tables for SQL."
        return Answered(answer(said, known | {"tables": tables}))
    asked = question_of(question, since or None, 0)
    paths = library.paths()
    those = subjects(paths, names(paths))
    found, failed = ask_recordings(those, asked, (), Workers(1), Cache(None), lambda done, of: None)
    rows = [{name: plain(value) for name, value in row.items()} for row in found.dicts()]
    shown, following = page(rows, offset, ROOM - 500)
    head: Row = {"unread": failed} if failed else {}
    said = f"hangup: {plural(len(rows), 'row')} from {plural(len(paths), 'recording')}."
    return Answered(answer(said, head | {"rows": shown}, _more(following)))


def connections(
    library: Library, recording: str, path: str, failed: bool, loop: bool, since: float | None, offset: int
) -> Answered:
    """Who ended each connection, and how."""
    read = library.read(recording)
    overview = read.overview(Choice(path, failed, since, loop))
    head: Row = {"recording": read.name, "target": read.header.target}
    if not offset:
        head["loops"] = [{"sentence": each.sentence, "path": each.path} for each in overview.loops[:LOOPS]]
    found, following = page(map(_connection, overview.fitting), offset, ROOM - 500)
    said = f"hangup: {plural(len(overview.fitting), 'connection')} of {overview.total}."
    return Answered(answer(said, without_nothing(head) | {"connections": found}, _more(following)), read.name)


def _connection(each: Connection) -> Row:
    return {
        "conn": each.conn,
        "path": each.target or each.path,
        "status": each.status,
        "subprotocol": each.subprotocol,
        "opened": each.opened,
        "lifetime": each.lifetime,
        "ended_by": each.ending.by,
        "failed": each.failed,
        "sentence": each.ending.sentence,
        "frames": each.frames,
    }


def frames(
    library: Library,
    recording: str,
    conn: int,
    kind: str,
    side: str,
    opcode: str,
    text: str,
    json_path: str,
    problems: bool,
    frame: int | None,
    offset: int,
) -> Answered:
    """What happened on a connection, in order."""
    read = library.read(recording)
    ending = read.connection(conn).ending.sentence
    if frame is not None:
        return Answered(answer(f"hangup: one frame of connection {conn}.", _whole(read, conn, frame)), read.name)
    wanted = Wanted(side=side, opcode=opcode, kind=kind, text=text, path=json_path, problems=problems)
    try:
        fits = wanted.fits()
    except (FilterError, TooLong, QueryError, ValueError) as error:
        raise UsageError(str(error)) from None
    kinds: Counter[tuple[str, str]] = Counter()
    count = 0

    def rows() -> Iterator[Row]:
        nonlocal count
        for event in read.events():
            if event.conn != conn:
                continue
            said = kind_text(event)
            if said and isinstance(event, Frame):
                kinds[event.side, said] += 1
            if fits(event):
                count += 1
                yield _entry(event, said)

    every = list(rows())
    head: Row = {"recording": read.name, "conn": conn}
    if not offset:
        head["ending"] = ending
        head["kinds"] = [
            {"side": who, "kind": name, "count": times} for (who, name), times in kinds.most_common(KINDS)
        ]
    found, following = page(every, offset, ROOM - 1200 if not offset else ROOM - 200)
    said = f"hangup: {plural(count, 'event')} of connection {conn}; times in seconds from the recording's start."
    return Answered(answer(said, without_nothing(head) | {"events": found}, _more(following)), read.name)


def _entry(event: AnyEvent, message_kind: str) -> Row:
    row = wording.entry(0, event)
    del row["i"]
    if row["kind"] == "frame":
        row["kind"] = message_kind
    return row


def _whole(read: TellableRecording, conn: int, n: int) -> Row:
    for event in read.events():
        if event.conn == conn and isinstance(event, Frame) and event.n == n:
            row = _entry(event, kind_text(event))
            content = wording.content(event)
            row.pop("preview", None)
            said = content.pop("text", None) or content.pop("base64", "")
            pieces = [said[at : at + PIECE] for at in range(0, min(len(said), WHOLE), PIECE)]
            rest = {"truncated": True} if len(said) > WHOLE or content["truncated"] else {}
            return row | {"conn": conn, "size": content["size"], "says": pieces} | rest
    raise UsageError(f"connection {conn} has no frame {n}")


def why(library: Library, recording: str, conn: int | None) -> Answered:
    """Why the connections ended."""
    read = library.read(recording)
    report, proved = read.why(conn)
    evidence = [
        {
            "speaks": "for" if each.weight > 0 else "against" if each.weight < 0 else "neither",
            "text": each.text,
            "cites": [f"connection {c.conn}" + (f" frame {c.frame}" if c.frame else "") for c in each.cites[:3]],
        }
        for each in report.evidence[:8]
    ]
    others = [{"verdict": each.verdict, "confidence": round(each.confidence, 3)} for each in report.alternatives[:4]]
    end = next((at for at, mark in enumerate(report.timeline) if mark.at >= 0), len(report.timeline) - 1)
    marks = report.timeline[max(0, end + 3 - MARKS) : end + 3]
    recorded = {
        "recording": read.name,
        "verdict": report.verdict,
        "confidence": round(report.confidence, 3),
        "also": list(report.also),
        "sentence": report.sentence,
        "proved": msgspec.to_builtins(proved) if proved is not None else None,
        "connections": report.connections,
        "loop": report.loop,
        "evidence": evidence,
        "fix": report.hint,
        "alternatives": others,
        "next": [{"text": step.text, "command": step.command} for step in report.next[:4]],
        "notes": report.notes[:4],
        "timeline_of": report.conn,
        "timeline": [without_nothing(msgspec.to_builtins(mark)) for mark in marks],
    }
    if proved is not None:
        said = f"hangup: proved by experiment: {named(proved.verdict)}."
    else:
        said = f"hangup: {named(report.verdict)}{sureness(report)}."
    return Answered(answer(said, without_nothing(recorded)), read.name)


def diff(library: Library, a: str, b: str, conn_a: int | None, conn_b: int | None, strict: bool) -> Answered:
    """What differs between two connections."""
    left = library.read(a)
    right = library.read(b) if b else left
    if not b and (conn_a is None or conn_b is None):
        raise UsageError("give a second recording b, or two connections of a: conn_a and conn_b")
    of_a = collect(left.events(), conn_a, header=left.header)
    second = conn_b if conn_b is not None else conn_a
    of_b = collect(right.events(), second, header=right.header)
    for read, conn, found in ((left, conn_a, of_a), (right, second, of_b)):
        if conn is not None and conn not in found:
            read.connection(conn)
    compared = compare_recordings((of_a, left.header), (of_b, right.header), strict=strict)
    made = compared.summary(left.name, right.name)
    for each in made["pairs"]:
        for name in ("handshake", "messages"):
            each[f"more_{name}"] = max(0, len(each[name]) - 12) or None
            each[name] = each[name][:12]
        each["ending"] = {name: _sentence(value) for name, value in each["ending"].items()}
    different = [without_nothing(each) for each in made["pairs"] if not each["same"]]
    recorded = made | {"pairs": different[:6], "more_pairs": max(0, len(different) - 6) or None}
    said = "hangup: nothing differs." if compared.same else "hangup: they differ."
    return Answered(answer(said, without_nothing(recorded)), left.name)


def _sentence(value: Any) -> Any:
    return value.get("sentence") if isinstance(value, dict) else value


async def handshake(
    reach: Reach, url: str, headers: Sequence[str], subprotocols: Sequence[str], origin: str | None
) -> Answered:
    """The handshake alone, with its checks."""
    target = reach.target(url)
    settings = ProbeSettings(
        target=target, headers=[_header(each) for each in headers], subprotocols=list(subprotocols), origin=origin
    )
    for text in (*subprotocols, origin or ""):
        if not text.isprintable():
            raise UsageError("a subprotocol and an origin are one line without control characters")
    report = await probe(settings)
    made = report.summary(str(target))
    first = report.attempts[0]
    vault = Vault()
    response = first.response
    recorded = {
        "url": vault.text(str(target), url=True),
        "checks": made["checks"],
        "status": first.status,
        "error": first.error,
        "response_headers": [[name, vault.header(name, value)] for name, value in response.headers]
        if response is not None
        else [],
        "body": vault.text(response.text) if response is not None else "",
        "waited": round(first.waited, 4),
        "after": [vault.text(each) for each in first.after],
    }
    failed = sum(not check.ok for check in report.checks)
    many = len(report.checks)
    said = f"{plural(failed, 'check')} of {many} failed" if failed else f"all {many} checks passed"
    return Answered(answer(f"hangup: {said}.", without_nothing(recorded)))


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not is_token(name.strip()) or not text.isprintable():
        raise UsageError("a header is written as 'Name: value'")
    return name.strip(), value.strip()


def _more(following: int | None) -> str:
    return "" if following is None else f"There is more: ask again with offset={following}."
