"""What somebody is told first who was not there: who hung up, why, how sure that is, and what to do.

The same for every export that stands alone, whatever it looks like there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from hangup.commands import command_line
from hangup.diagnosis import causes
from hangup.diagnosis.findings import UNKNOWN
from hangup.diagnosis.report import Report
from hangup.experiment.document_file import Proof
from hangup.humanize import duration, plural, printable
from hangup.recording.connections import Connection
from hangup.recording.events import Header

PATHS = 3
"""Paths that are named; of more, how many there are."""

PAYLOAD = 200
"""Characters of a message that is to be sent."""

UNNAMED = "unnamed cause"
"""What is said where a law is proved, and no name of a cause goes with it."""

WHO = {"server": "The server", "client": "The client", "proxy": "A hangup filter"}


class Doing(Struct, frozen=True):
    """Something to do, and the command for it; empty for none."""

    text: str
    command: str = ""


class Summary(Struct, frozen=True):
    """``tone`` is ``fine`` where nothing is wrong, ``open`` where nothing could be named, else ``dropped``. Texts are
    whole sentences, with code between backticks; ``backend``, ``paths`` and ``started`` are as recorded."""

    tone: Literal["dropped", "fine", "open"]
    headline: str
    sentence: str
    verdict: str
    proved: bool
    sure: str
    fix: str
    backend: str
    paths: list[str]
    more_paths: int
    started: str
    extent: str
    conn: int | None
    """The connection that shows it best."""
    ending: str
    """How that one ended, in a sentence without its full stop."""
    reproduce: list[Doing]
    next: list[Doing]
    """What to try as long as nothing is proved."""


class Proved(Struct, frozen=True):
    """What an experiment proved of a recording, in words: whole sentences, but for the ``verdict``, the ``title`` (the
    verdict, or that there is no name for what was proved), the ``law`` and its
    ``boundary``, and ``cure``, the filter with which it stays open. ``predicted`` is how many of the predictions were
    right, of how many; ``fix`` may be empty."""

    verdict: str
    title: str
    sentence: str
    fix: str
    counts: str
    law: str = ""
    boundary: str = ""
    predicted: tuple[int, int] = (0, 0)
    cure: str = ""

    @property
    def lines(self) -> list[str]:
        """The proof in a few lines, apart from the filter."""
        found = [self.counts]
        if self.law:
            found.append(f"{self.law} ({self.boundary})" if self.boundary else self.law)
        right, predicted = self.predicted
        return [*found, f"predicted {right} of {predicted} new exchanges"] if predicted else found


class Explanation(Struct):
    """All that is said of a recording before it is shown; redacted, if that was asked for."""

    report: Report
    summary: Summary
    proof: Proof | None = None


def sum_up(
    report: Report, header: Header, connections: Mapping[int, Connection], lasted: float, proof: Proof | None = None
) -> Summary:
    """The summary of a report on the redacted ``connections``, which were recorded for ``lasted`` seconds; of what an
    experiment showed, where there was one."""
    shown_to_be = what_is_proved(report, proof)
    proved = shown_to_be is not None
    verdict, sentence, fix = report.verdict, report.sentence, report.hint
    if shown_to_be is not None:
        verdict, sentence, fix = shown_to_be.verdict, shown_to_be.sentence, shown_to_be.fix
    conn = report.conn if report.conn in connections else report.trigger.conn
    shown = connections.get(conn) if conn is not None else None
    if shown is None:
        shown = next(iter(connections.values()), None)
    paths = list(dict.fromkeys(each.path or "/" for each in connections.values()))
    if shown is not None:
        paths = list(dict.fromkeys([shown.path or "/", *paths]))
    category = verdict.partition("/")[0]
    return Summary(
        tone="fine" if category == "none" else "open" if category == "unknown" and not proved else "dropped",
        headline=_headline(report, shown, category),
        sentence=sentence,
        verdict=verdict.rstrip("/"),
        proved=proved,
        sure=_sure(report, proof),
        fix=fix,
        backend=header.target,
        paths=paths[:PATHS],
        more_paths=max(0, len(paths) - PATHS),
        started=header.started,
        extent=f"{plural(len(connections), 'connection')} in {duration(lasted)}",
        conn=shown.conn if shown is not None else None,
        ending=shown.ending.sentence if shown is not None else "",
        reproduce=[] if category == "none" else _reproduce(report, header, shown, proof),
        next=[] if proved else [Doing(step.text, step.command) for step in report.next],
    )


def what_is_proved(report: Report, proof: Proof | None) -> Proved | None:
    """What the ``proof`` shows of the recording that the ``report`` is on; None where nothing was proved.

    An experiment says more than reading does: where the two differ, only what was proved is told.
    """
    if proof is None or not proof.proved:
        return None
    sentence = report.sentence
    if proof.verdict != report.verdict:
        known = causes.known().get(proof.verdict)
        said = proof.headline.removeprefix("proved: ")
        sentence = f"{known.sentence}." if known else f"{said[:1].upper()}{said[1:]}."
    law = proof.law
    return Proved(
        verdict=proof.verdict,
        title=UNNAMED if proof.verdict == UNKNOWN else proof.verdict,
        sentence=sentence,
        fix=advice(report, proof.verdict),
        counts=_counted(proof),
        law=law.sentence if law is not None else "",
        boundary=(law.boundary or "") if law is not None else "",
        predicted=law.predictions if law is not None else (0, 0),
        cure=proof.cure or "",
    )


def advice(report: Report, verdict: str) -> str:
    """How to fix what has this verdict, for the server that the report is about; empty where that is not known."""
    if verdict == report.verdict:
        return report.hint
    known = causes.known().get(verdict)
    return known.advice((report.stack.server, report.stack.protocol, report.stack.proxy)) if known else ""


def _headline(report: Report, shown: Connection | None, category: str) -> str:
    if category == "none":
        return "Nobody hung up"
    every, alike = report.connections.get("all", 0), report.connections.get("alike", 0)
    analysed = report.connections.get("analysed", every)
    of = f"{alike:,} of {analysed:,} connections" if analysed == every else f"{alike:,} of the {analysed:,} analysed"
    all_in_all = "" if analysed == every else f" ({every:,} connections in all)"
    if not every:
        return "No connection was recorded"
    if not alike:
        return "Nobody hung up, as far as the recording shows"
    refused = shown is not None and shown.refused
    who = WHO.get(report.closer, "")
    what = "failed" if refused else "dropped"
    if shown is not None and refused and shown.status is None:
        text = "The handshake got no response"
    elif not who:
        alone = "The connection" if every == 1 else of
        return f"{alone} {what}{all_in_all}; the recording does not show who hung up"
    else:
        text = f"{who} refused the connection" if refused else f"{who} hung up"
    return text if every == 1 else f"{text}: {of} {what}{all_in_all}"


def _sure(report: Report, proof: Proof | None) -> str:
    if proof is not None and proof.proved:
        return f"Proved by experiment: {_counted(proof)}."
    if report.category == "unknown":
        alone = "The recording alone does not tell."
    else:
        alone = f"{report.confidence:.0%} sure, from the recording alone."
    if proof is not None and proof.headline:
        return f"{alone} By experiment: {proof.headline}."
    return alone


def _counted(proof: Proof) -> str:
    """The claim in words for somebody who has never seen one."""
    if proof.counts is None or proof.contrast is not None:
        return proof.claim or proof.headline
    (failed, tried), (others, controls) = proof.counts.with_, proof.counts.without
    with_it = f"it dropped in {failed} of {tried} trials with the cause"
    return f"{with_it} and in {others} of {controls} without it (p = {proof.counts.p:.2g})"


def _reproduce(report: Report, header: Header, shown: Connection | None, proof: Proof | None) -> list[Doing]:
    """How to see it again: by hand, and by the recording."""
    name, target = report.recording or "RECORDING.jsonl", header.target or "TARGET"
    found = [_by_hand(report, header, shown, proof)] if shown is not None and report.closer != "client" else []
    if report.closer == "client":
        found.append(Doing("play the recorded server to the client", command_line("serve", name)))
    else:
        found.append(Doing((
            "does it still happen? exit code 1 means yes, 0 means "
            "no"
        ), command_line("check", name, target)))
    return found


def _by_hand(report: Report, header: Header, shown: Connection, proof: Proof | None) -> Doing:
    where = f"connect to {_code(shown.target or shown.path or '/')}"
    where += f" at {_code(header.target)}" if header.target else ""
    where += f" with the subprotocol {_code(shown.subprotocol)}" if shown.subprotocol else ""
    if proof is not None and proof.minimal is not None and proof.minimal.payload is not None:
        said = proof.minimal.payload
        what = f"send {_code(said)}" if said else "send an empty message"
        return Doing(f"{where}, {what} ({proof.minimal.opcode or 'text'})")
    frame = report.trigger.frame
    marks = [mark for mark in report.timeline if mark.n == frame and mark.side == "client"]
    if frame is not None and marks:
        return Doing(f"{where}, send what the client sent, up to its frame {frame}: {_code(marks[0].text)}")
    if shown.refused:
        return Doing(f"{where}: the handshake fails")
    age = f", and wait for {duration(shown.lifetime)}" if shown.lifetime is not None else ""
    return Doing(f"{where}, send what the client sent{age}")


def _code(text: str) -> str:
    return f"`{printable(text, PAYLOAD).replace('`', chr(39))}`"
