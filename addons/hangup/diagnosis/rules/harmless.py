"""Nothing is wrong, or nothing that matters: the signs of success, and ends that a client got over at once."""

from __future__ import annotations

from collections.abc import Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Cite, Hypothesis, Trigger, cite, cite_all
from hangup.diagnosis.rules.siblings import ONE_EVENT, clusters
from hangup.diagnosis.rules.words import last_line
from hangup.humanize import duration, plural, printable
from hangup.recording.connections import Connection, numbered
from hangup.recording.endings import SETTLED


def nothing_wrong(case: Case) -> Iterator[Hypothesis]:
    """``none/healthy`` and ``none/harmless-errors``."""
    if not case.groups:
        yield from _healthy(case)
    else:
        yield from _got_over(case)


def _healthy(case: Case) -> Iterator[Hypothesis]:
    opened = [life for life in case.lives if life.open_since is not None]
    if not opened or untold(opened) or any(life.untold and life.end is None for life in opened):
        return  # how something ended is not told: that is no sign of health
    hypothesis = Hypothesis("none/healthy", closer="none", trigger=Trigger("none", opened[0].conn))
    signs(case, opened, hypothesis)
    filtered = [life for life in case.lives if life.fate == "filtered"]
    if filtered:
        hypothesis.says("ended-filter", -1.0, f"{numbered(filtered)} ended by a filter", cite_all(filtered))
    yield hypothesis
    errors = list(complaints(case))
    if errors:
        harmless = Hypothesis("none/harmless-errors", closer="none", trigger=Trigger("none", opened[0].conn))
        signs(case, opened, harmless)
        text, cites = errors[0]
        harmless.says(
            "errors-told-and-nothing-ended", 1.0, f"errors were told, and nothing ended for it: {text}", cites
        )
        yield harmless


def signs(case: Case, opened: list[Connection], hypothesis: Hypothesis) -> None:
    """The signs of success: open for long enough, not reopened, messages in both directions."""
    settled = [life for life in opened if life.lasted >= SETTLED]
    if settled:
        longest = max(settled, key=lambda life: life.lasted)
        text = f"{numbered(settled)} open for more than {duration(SETTLED)} (up to {duration(longest.lasted)})"
        hypothesis.says("open-for-long", 1.0, text,
                        [cite(life) for life in settled])  # fmt: skip
    else:
        hypothesis.says(
            "no-connection-open",
            -1.0,
            f"no connection was open for {duration(SETTLED)}",
            [cite(life) for life in opened],
        )
    reopened = [life for life in opened if life.successor is not None]
    if reopened:
        hypothesis.says(
            "reopened-by-the-client",
            -1.0,
            f"{numbered(reopened)} reopened by the client",
            [cite(life) for life in reopened],
        )
    else:
        hypothesis.says("no-connection-reopened", 1.0, "no connection was reopened")
    for fate, weight, text in (
        ("finished", -1.0, "ended by the server"),
        ("left", -1.0, "ended by the client for good"),
        ("left", -1.0, "ended for good, and by which side is not told"),
    ):
        told = "not told" not in text
        gone = [life for life in opened if life.fate == fate and (life.ending.by != "unknown") == told]
        if gone and len(gone) == len(opened):
            hypothesis.says(f"all-{fate}", weight, f"{numbered(gone)} {text}", [cite(life) for life in gone])
    doubtful = [life for life in opened if life.fate == "left" and _doubtful(life)]
    if doubtful:
        hypothesis.says(
            "left-in-the-middle",
            -1.0,
            f"the client left in the middle of something ({numbered(doubtful)})",
            cite_all(doubtful),
        )
    both = [life for life in opened if life.traffic.client.messages and life.traffic.server.messages]
    if both:
        hypothesis.says(
            "messages-in-both-directions",
            1.0,
            f"messages in both directions ({numbered(both)})",
            [cite(life) for life in both],
        )
    else:
        hypothesis.says("no-messages-in-both-directions", -1.0, "no connection has messages in both directions")


def untold(lives: list[Connection]) -> list[Connection]:
    """Those of which an import does not tell how they ended, and whose client opened the same anew since."""
    latest: dict[tuple[str, str], float] = {}
    for life in lives:
        key = (life.client, life.route)
        latest[key] = max(latest.get(key, life.began), life.began)
    return [
        life for life in lives if life.untold and life.end is None and latest[life.client, life.route] > life.last_seen
    ]


def _doubtful(life: Connection) -> bool:
    """Whether a client that left for good may have had a reason to: no answer to its ping, or something odd to read."""
    beats = life.traffic.beats.get(("client", "app")) or life.traffic.beats.get(("client", "control"))
    if beats is not None and beats.waiting is not None and life.since(beats.waiting) > 0.5:
        return True
    last = life.last_message("server")
    if last is not None and last.opcode == "text" and life.since(last.at) < 0.1:
        json = sum(count.count for shape, count in life.traffic.server.shapes.items() if shape.json)
        return not last.shape.json and json > 0
    return False


def complaints(case: Case) -> Iterator[tuple[str, list[Cite]]]:
    """Errors that were told over the socket or in the log."""
    for life in case.lives:
        for shape, count in life.traffic.server.shapes.items():
            if "error" in shape.kind.lower() or "error" in {key.lower() for key in shape.keys}:
                yield f"the server sent {count.count} {shape.text}", [Cite(life.conn, count.first_n)]
    for log in case.ledger.logs:
        low = log.text[:2000].lower()
        if "error" in low or "traceback" in low or "exception" in low:
            yield f'the backend logged "{printable(last_line(log.text), 80)}"', []
    for life in case.lives:
        odd = [
            (s, c)
            for s, c in life.traffic.client.shapes.items()
            if s.opcode == "text" and not s.json and s.faults != {"utf8"}
        ]
        json = sum(c.count for s, c in life.traffic.client.shapes.items() if s.json)
        if odd and json:
            shape, count = odd[0]
            none = f"{plural(count.count, 'message')} among JSON {'was' if count.count == 1 else 'were'} none"
            yield f"{none} ({shape.text})", [Cite(life.conn, count.first_n)]


def _got_over(case: Case) -> Iterator[Hypothesis]:
    """Every client that was cut off came back and stayed."""
    dropped = [life for group in case.groups for life in group.lives]
    lost = [life for life in dropped if life.open_since is not None or life.fate in ("abandoned", "refused")]
    # Of a server that is not ready yet, all refusals in a row are one.
    again = {life.successor for life in lost}
    ends = [life for life in lost if life.fate != "refused" or life.conn not in again]
    if not ends:
        return
    heirs: list[Connection] = []
    losses: dict[int, int] = {}
    for life in ends:
        heir = life
        while (following := case.successor(heir)) is not None:
            heir = following
        if heir is life or heir.open_since is None or heir.fate not in ("open", "stopped", "left", "finished"):
            yield from _one_farewell(ends)  # somebody did not come back, as far as it was recorded
            return
        heirs.append(heir)
        losses[heir.conn] = losses.get(heir.conn, 0) + 1
    if max(losses.values()) > 1 or len({h.conn for h in heirs}) < len(ends):
        return
    stayed = min(heir.lasted for heir in heirs)
    longest = max(life.lasted for life in ends)
    hypothesis = Hypothesis("none/harmless-errors", closer="none", trigger=Trigger("none", ends[0].conn))
    hypothesis.says(
        "ended-once-and-the-next-stayed", 1.0, f"{numbered(ends)} ended once, and the client's next one stayed open",
        [cite(life) for life in ends] + [cite(heir) for heir in heirs],
    )  # fmt: skip
    ratio = stayed / max(longest, 0.05)
    if ratio >= 0.8 and stayed >= SETTLED:
        for verdict in ("process/restart", "process/crash"):
            over = Hypothesis(verdict, adds=True)
            yield over.says("got-over", -1.0, "every client came back and stayed", [cite(heir) for heir in heirs])
    if ratio >= 3:
        hypothesis.says(
            "longer-than-the-one-before",
            1.0,
            f"it was open for {duration(stayed)}, the one before for {duration(longest)}",
        )
    elif ratio >= 0.8:
        hypothesis.says(
            "longer-than-the-one-before",
            0.5 if ratio >= 1.3 else 0.2,
            f"it was open for {duration(stayed)}, the one before for {duration(longest)}",
        )
    else:
        hypothesis.says(
            "no-longer-than-the-one-before",
            -1.0,
            f"it was open for {duration(stayed)}, which is not longer than the one before ({duration(longest)})",
        )
    if stayed < SETTLED:
        hypothesis.says("too-soon-to-tell", -1.0, "it is too soon to tell")
    code = {life.code for life in ends if life.manner == "close"}
    if code and code <= {1012, 1001}:
        hypothesis.says(
            "server-is-leaving",
            1.0,
            f"close code {', '.join(str(c) for c in code)}: the server said that it was leaving",
        )
    if all(life.ending.by == "client" and life.lasted < 0.3 for life in ends):
        hypothesis.says(
            "client-gave-up-a-new-connection",
            1.0,
            "the client gave up a connection that it had just asked for, as React's StrictMode does",
        )
    both = [heir for heir in heirs if heir.traffic.client.messages and heir.traffic.server.messages]
    if both:
        hypothesis.says(
            "messages-in-both-directions", 1.0, "messages went in both directions again", [cite(heir) for heir in both]
        )
    yield hypothesis


def _one_farewell(ends: list[Connection]) -> Iterator[Hypothesis]:
    """A server that said once that it was leaving; what came of it was not recorded."""
    if (
        any(life.code not in (1012, 1001) or life.ending.by != "server" for life in ends)
        or len(clusters(ends, ONE_EVENT)) > 1
    ):
        return
    hypothesis = Hypothesis("none/harmless-errors", closer="none", trigger=Trigger("none", ends[0].conn))
    hypothesis.says(
        "server-is-leaving",
        1.0,
        f"the server said once that it was leaving (close code {ends[0].code}), as in a restart",
        cite_all(ends),
    )
    yield hypothesis.says(
        "coming-back-not-recorded", -1.0, "whether the clients could come back and stay was not recorded"
    )
