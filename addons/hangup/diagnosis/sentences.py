"""The diagnosis in words: one sentence for each verdict, and what happened when there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from hangup.diagnosis import causes
from hangup.diagnosis.case import Case
from hangup.diagnosis.causes.catalogue import KINDS, PLACES
from hangup.diagnosis.figures import middle, spread
from hangup.diagnosis.findings import CITES_KEPT, Evidence, cite
from hangup.diagnosis.report import CausePart, Report
from hangup.diagnosis.signs import Sign
from hangup.diagnosis.signs.last_messages import last_word_of_an_error
from hangup.humanize import duration, plural, printable
from hangup.recording import untold
from hangup.recording.connections import Connection, numbered


def sentence(case: Case, report: Report, known: bool = True, exact: str = "") -> str:
    """The whole in one sentence. ``known`` is whether the evidence says something of an end that has no name, ``exact``
    what is known of what is named: which field, and what its value is."""
    if report.category == "unknown":
        return _unknown(case, report, known)
    text = causes.known()[report.verdict].sentence
    if report.category == "none":
        best = next((sign.text for sign in report.evidence if sign.weight > 0), "")
        return f"{text}: {best}." if best else f"{text}."
    if report.verdict == "handshake/limit" and of_messages(case):
        text = (
            "The server closes connections because of a limit, on messages or time rather than on the number "
            "of connections"
        )
    ends = _ends(case)
    return f"{text}: {exact + f'. {ends[0].upper()}{ends[1:]}' if exact else ends}.{_or(report)}"


LIKE = 0.5
"""The share of the first from which on the second is said with it."""


def _or(report: Report) -> str:
    """The second cause, where it is nearly as likely and shares the trigger; and what tells the two apart."""
    second = next((a for a in report.alternatives if a.verdict not in report.also), None)
    known = causes.known()
    if second is None or second.verdict not in known or second.confidence < LIKE * report.confidence:
        return ""
    one, other = known[report.verdict], known[second.verdict]
    if one.trigger != other.trigger:
        return ""
    beside = "intermediary" in (one.place, other.place) and one.place != other.place
    tell = ": connect to the backend directly to tell them apart" if beside else ""
    return f" It would look the same if {other.sentence[0].lower()}{other.sentence[1:]}{tell}."


def what_is_known(parts: Mapping[str, CausePart]) -> str:
    """What is known of a cause apart from its name, in words; empty where nothing is."""
    words = []
    for part, say in (("closer", "closed by the {}"), ("trigger", "triggered by {}"), ("property", "specifically {}"),
                      ("place", "to be fixed in {}")):  # fmt: skip
        if part in parts:
            value = parts[part].value
            if value == "unknown":
                continue
            if part == "trigger" and value == "none":
                say = "not triggered by the other side"
            value = {"trigger": KINDS, "place": PLACES}.get(part, {}).get(value, value)
            sure = "" if part == "closer" else f" ({parts[part].confidence:.0%})"  # who closed it is recorded
            words.append(f"{say.format(value)}{sure}")
    return ", ".join(words)


def of_messages(case: Case) -> bool:
    """Whether a limit is of what the connections do: they were let in, and spoke."""
    return middle(case.lived) > 1.0 and all(life.traffic.client.messages > 1 for life in case.victims)


def _ends(case: Case) -> str:
    """How many ended, how and when."""
    lives = case.victims
    if not lives:
        return "nothing closed"
    first = lives[0]
    if first.open_since is None:
        status = first.status
        what = f"was refused with HTTP {status}" if status is not None else "got no response"
        return f"the one handshake {what}" if len(lives) == 1 else f"{plural(len(lives), 'handshake')} {_all(what)}"
    how = _how(lives)
    age = duration(middle([life.lasted for life in lives]))
    who = f"{f'the {case.closer} ended it' if case.closer != 'unknown' else 'it ended'} {how}".rstrip()
    told = [message.kind.text for life in lives if (message := life.dismissed) is not None]
    if told:
        way = f"told the client to disconnect (`{printable(told[0], 40)}`)"
        who = f"the server {way}" if len(told) == len(lives) else f"{who}, or {way},"
    if len(lives) == 1:
        return f"{who} {age} after opening"
    return f"{who} in {len(lives)} connections, {age} after opening (median)"


_WAYS = {"fin": "with a bare FIN", "rst": "with a reset", "timeout": "by a timeout"}


def _how(lives: Sequence[Connection]) -> str:
    """In which ways they were ended, the most frequent first; empty where that is not known of any."""
    ways = Counter(life.ending.how for life in lives)
    found = [words for how, _ in ways.most_common() if (words := _WAYS.get(how, ""))]
    closed = [life for life in lives if life.ending.how == "close"]
    if closed:
        codes = sorted({life.code for life in closed if life.code is not None})
        words = f"with close code {' or '.join(map(str, codes))}" if codes else "with a close frame without a code"
        if codes and any(life.code is None for life in closed):
            words += ", or without one,"
        reasons = {life.reason for life in closed}
        if len(reasons) == 1 and (reason := reasons.pop()):
            words += f' ("{printable(reason, 60)}")'
        found.insert(0 if len(closed) * 2 > len(lives) else len(found), words)
    return " or ".join(found).replace(" or with ", " or ")


def _all(what: str) -> str:
    return what.replace("was ", "were ", 1)


def _unknown(case: Case, report: Report, known: bool) -> str:
    if not case.lives:
        return "There is no WebSocket connection in this recording."
    if not case.victims and any(life.untold for life in case.lives):
        return "This file does not say how its connections ended; a recording made with `hangup proxy` does."
    if not case.victims:
        return "No connection dropped here, but none was open long enough to call it healthy."
    if known:
        return f"The recording does not say why: {report.evidence[0].text}."
    names = [alternative.verdict for alternative in report.alternatives[:3]]
    could = f"; it could be {', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else ""
    what = (
        "only one connection dropped so far, and two more drops will tell"
        if case.count == 1
        else f"{plural(case.count, 'connection')} ended the same way, and no cause clearly explains it"
    )
    known_of_it = what_is_known({name: part for name, part in report.parts.items() if name != "closer"})
    said = f" What is known: {known_of_it}." if known_of_it else ""
    return f"The recording alone does not say why: {what}{could}.{said}"


def what_happened(case: Case) -> list[Evidence]:
    """How the connections ended, for want of a cause."""
    said = last_word_of_an_error(case)
    found = [Evidence(said.text, 0.0, list(said.cites)[:CITES_KEPT])] if isinstance(said, Sign) else []
    for life in case.victims[:3]:
        last = life.last_message("client") or life.last_message("server")
        found.append(Evidence(life.ending.sentence, 0.0, [cite(life, last)]))
    if len(case.victims) > 1:
        ages = [life.lasted for life in case.victims]
        found.append(
            Evidence(
                f"{numbered(case.victims)} were open for {duration(middle(ages))} (spread {duration(spread(ages))})",
                0.0,
            )
        )
    if not case.victims:
        for life in [life for life in case.lives if life.fate in ("left", "stopped", "filtered", "open", "finished")][
            :3
        ]:
            found.append(Evidence(life.ending.sentence, 0.0, [cite(life)]))
    return found


def amplifier(case: Case) -> str:
    """``amplifier/backoff-reset`` when a client that opens each time never waits longer before it tries again."""
    gaps = case.gaps
    opened = [life for life in case.victims if life.open_since is not None]
    if len(gaps) < 5 or len(opened) < 0.8 * case.count or middle(gaps) < 0.05:
        return ""
    steady = spread(gaps) <= max(0.35 * middle(gaps), 0.08)
    return "amplifier/backoff-reset" if steady and gaps[-1] < 1.3 * gaps[0] + 0.05 else ""


def notes(case: Case) -> list[str]:
    """What a reader should know about the recording itself."""
    found = []
    ledger = case.ledger
    if case.ledger.filters:
        names = list(dict.fromkeys(f"`{printable(f.filter, 60)}` {f.action}" for f in case.ledger.filters))
        found.append(f"filters were changed while this was recorded: {', '.join(names[:4])}")
    elif case.header.filters:
        found.append(f"recorded with filters: {', '.join(printable(f, 60) for f in case.header.filters[:4])}")
    acted = [life for life in case.lives if life.traffic.acted]
    if acted:
        found.append(f"filters acted on {numbered(acted)}")
    if ledger.lost:
        found.append(f"{plural(ledger.lost, 'event')} could not be recorded: this may not be the whole story")
    if case.ledger.passed_over:
        found.append(f"{plural(case.ledger.passed_over, 'connection')} in the middle were counted but not analysed")
    if case.beside:
        found.append(
            f"{numbered(case.beside)} ended together with others whose clients had just sent a message; "
            "only those are analysed"
        )
    others = sum(bool(group.lives) for group in case.groups) - 1
    if others > 0:
        ways = "another way" if others == 1 else plural(others, "other way")
        rest = sum(len(g.lives) for g in case.groups if g is not case.group)
        found.append(
            f"{plural(rest, 'connection')} ended in {ways} (see `hangup show`, or use --conn)"
        )
    if lacks := untold.sentence(case.header):
        found.append(f"imported: {lacks}; what is missing is no evidence")
    elif case.header.source:
        found.append(f"imported from {printable(case.header.source, 60)}")
    return found
