"""What happens to several connections at once: kicks, crashes, restarts, broadcasts that fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle, steadiness, surprise, within
from hangup.diagnosis.findings import Hypothesis, Trigger, cite, cite_all
from hangup.diagnosis.reactions import reaction
from hangup.humanize import duration
from hangup.recording.connections import Connection, numbered

TOGETHER = 0.12
"""Seconds within which ends count as one event."""

ONE_EVENT = 1.0
"""Seconds between ends that may be of one restart or crash: not every connection ends as soon as the server does."""

_LAST_WORDS = frozenset("done end ended complete completed finish finished final eos close closed bye goodbye".split())
"""Kinds of message after which a server may end in peace."""

KICK = 0.15
"""Seconds after a newcomer's opening within which the older one is kicked."""


def clusters(lives: list[Connection], within: float = TOGETHER) -> list[list[Connection]]:
    """Ends that came together (each within so many seconds of the one before), in order."""
    found: list[list[Connection]] = []
    for life in sorted((life for life in lives if life.end is not None), key=lambda life: life.end or 0.0):
        if found and (life.end or 0.0) - (found[-1][-1].end or 0.0) <= within:
            found[-1].append(life)
        else:
            found.append([life])
    return found


def identity(life: Connection) -> str:
    """What tells clients apart that ask for the same route."""
    query = {k: v for k, v in life.query.items() if not k.lower().startswith(("token", "access", "auth", "jwt", "t"))}
    ids = sorted(f"{k}={v}" for k, v in life.traffic.ids.items())
    return f"{life.path}?{sorted(query.items())} {ids[:4] if not query and '{}' not in life.route else ''}"


def collisions(case: Case) -> Iterator[Hypothesis]:
    """A newcomer with the same identity, and the server closes the older connection."""
    if case.closer not in ("server", "client") or case.mode not in ("abrupt", "close"):
        return
    lives = [life for life in case.victims if life.end is not None and life.open_since is not None]
    kicked: list[tuple[Connection, Connection]] = []
    for life in lives:
        newcomers = [other for other in case.lives if _newcomer(other, life)]
        if newcomers:
            kicked.append((life, min(newcomers, key=lambda other: abs((other.open_since or 0.0) - (life.end or 0.0)))))
    # A client that comes back at once asks after the end, a newcomer before it. (Clocks may differ a little.)
    if not kicked or middle([(life.end or 0.0) - other.began for life, other in kicked]) <= 0.0005:
        return
    opens = sum(1 for life in case.lives if life.open_since is not None)
    rate = opens / max(case.last_at, 1.0)
    chance = within(rate, KICK + 0.1)
    same_target = sum(life.target == other.target for life, other in kicked)
    by_client = case.closer == "client"
    verdict = "client-lifecycle/stale-close-handler" if by_client else "identity/id-collision"
    hypothesis = Hypothesis(verdict, closer=case.closer, trigger=Trigger("peer", kicked[0][1].conn))
    hypothesis.says(
        "closed-as-a-newcomer-opened",
        min(surprise(len(kicked), len(lives), chance), 6.0),
        f"{len(kicked)} of {len(lives)} were closed by the {case.closer} just as another connection with the same "
        f"identity opened",
        [cite(other) for _, other in kicked] + [cite(life) for life, _ in kicked],
    )
    if by_client:
        if all(life.gap is not None and life.gap < 0.1 for life, _ in kicked):
            hypothesis.says("newcomer-client-s-own-next", -1.0, "the newcomer is the client's own next connection")
        yield hypothesis
        return
    if same_target == len(kicked):
        hypothesis.says("both-asked", 1.0, f"both asked for {kicked[0][0].path}")
    if case.mode == "close" and (case.code or 0) not in (1001, 1011, 1012):
        hypothesis.says("server-closed-close-frame-purpose", 1.0, "the server closed with a close frame, on purpose")
    delays = [abs((life.end or 0.0) - (other.open_since or 0.0)) for life, other in kicked]
    if len(delays) >= 3 and max(delays) < 0.06:
        hypothesis.says("within-time", 1.0, f"within {duration(max(delays))} each time")
    alone = [life for life in lives if life not in [k for k, _ in kicked]]
    if len(alone) > 0.4 * len(lives):
        hypothesis.says("ended-without-newcomer", -1.0, f"{len(alone)} ended without a newcomer", cite_all(alone))
    untouched = [life for life in case.survivors if _kept(case, life)]
    if untouched:
        hypothesis.says(
            "older-connection-same-identity-stayed",
            -1.0,
            "an older connection with the same identity stayed open",
            cite_all(untouched),
        )
    yield hypothesis


def _newcomer(other: Connection, life: Connection) -> bool:
    if other is life or other.open_since is None or life.end is None or life.open_since is None:
        return False
    if other.open_since <= life.open_since or identity(other) != identity(life):
        return False
    # The newcomer's 101 may be recorded just after the kick: the server kicks while it still accepts.
    return other.began - 0.03 <= life.end <= other.open_since + KICK


def _kept(case: Case, life: Connection) -> bool:
    """Whether a connection outlived the opening of another with its identity by a second."""
    end = life.end if life.end is not None else case.last_at
    return any(
        other is not life
        and other.open_since is not None
        and life.open_since is not None
        and life.open_since < other.open_since < end - 1.0
        and identity(other) == identity(life)
        for other in case.lives
    )


def together(case: Case) -> Iterator[Hypothesis]:
    """Several connections die in the same moment: a failed broadcast, a crash, a restart."""
    if case.closer != "server" or case.mode not in ("abrupt", "close", "unreachable"):
        return
    lives = [life for life in case.victims if life.end is not None and life.open_since is not None]
    if not lives:
        return
    every = [life for life in case.lives if life.ending.by == "server" and life.open_since is not None]
    groups = clusters(every)
    joint = [group for group in groups if len(group) > 1 and any(life in lives for life in group)]
    kept = 0
    for group in joint:
        end = group[0].end or 0.0
        kept += sum(
            1
            for other in case.lives
            if other not in group and other.open_since is not None and other.open_since < end - 0.2
            and (other.end is None or other.end > end + 0.3)
        )  # fmt: skip
    shared = sum(len(group) for group in joint)
    rate = len(every) / max(case.last_at, 1.0)
    chance = within(rate, 2 * TOGETHER)
    weight = min(surprise(shared, len(every), chance), 6.0) if joint else 0.0
    events = clusters(every, ONE_EVENT)
    after = [_after(case, group) for group in events if any(life in lives for life in group)]
    yield from _own_event(case, lives, joint, weight, kept, after)
    yield from _process(case, lives, joint, weight, kept, after)


Aftermath = Literal["gone", "there", "unknown"]


def _after(case: Case, group: list[Connection]) -> Aftermath:
    """Whether the server could be reached right after these ends, as far as anybody tried."""
    end = group[-1].end or 0.0
    soon = [life for life in case.lives if end <= life.began <= end + 10.0]
    if any(life.fate == "unreachable" for life in soon):
        return "gone"
    return "there" if any(life.open_since is not None for life in soon) else "unknown"


def _times(count: int) -> str:
    return "once" if count == 1 else "twice" if count == 2 else f"{count} times"


def _own_event(
    case: Case, lives: list[Connection], joint: list[list[Connection]], weight: float, kept: int, after: list[Aftermath]
) -> Iterator[Hypothesis]:
    by_server = reaction(case, "server")
    by_client = reaction(case, "client")
    hypothesis = Hypothesis(
        "server-handler/crash-on-own-event", closer="server", trigger=Trigger("time", lives[0].conn)
    )
    if joint:
        text = f"{_times(len(joint))} several connections ended together ({numbered(joint[0])} first)"
        hypothesis.says("several-ended-together", weight, text, [cite(life) for group in joint for life in group])
        if kept:
            hypothesis.says("others-stayed-open", -1.0, f"{kept} other connections stayed open")
    pushed = by_client.weight if by_client is not None and by_client.window <= 0.15 else 0.0
    if by_server is not None and by_server.weight > pushed and by_server.window <= 0.15:
        # A server that answers the client's last message and ends is no proof of an event of its own.
        own = [
            (life, m)
            for life, m in by_server.hits
            if (said := life.last_message("client")) is None or life.since(said.at) > by_server.window + 0.05
        ]
        share = len(own) / len(by_server.hits)
        hypothesis.says(
            "follows-server-message",
            by_server.weight * share,
            by_server.text,
            [cite(life, message) for life, message in own],
        )
        hypothesis.trigger = Trigger("time", by_server.hits[0][0].conn, by_server.hits[0][1].n)
    elif not joint:
        return
    if pushed > 1.0:
        hypothesis.says("follows-client-message", -pushed, "the end follows a message of the client")
    if case.mode == "close":
        if case.code == 1011:
            hypothesis.says("close-code-1011-error-inside", 1.0, "close code 1011: an error inside the server")
        else:
            hypothesis.says(
                "close-code-chosen-application", -1.0, f"close code {case.code} was chosen by the application"
            )
    else:
        hypothesis.says("no-close-frame-after-exception", 1.0, "no close frame, as after an exception")
    if steadiness([life.lasted for life in lives]) > 3 and len(joint) < 2:
        hypothesis.says("age-same-time", -1.0, "the age is the same each time")
    if by_server is not None and sum(m.shape.kind.lower() in _LAST_WORDS for _, m in by_server.hits) > 0.7 * len(lives):
        hypothesis.says("server-s-last-message-says", -1.0, "the server's last message says that it is done")
    if "gone" in after:
        hypothesis.says("server-was-gone-afterwards", -1.0, "afterwards the server could not be reached for a while")
    elif joint and "there" in after:
        hypothesis.says(
            "server-accepted-again-at-once", 1.0, "the server accepted new connections at once: the process goes on"
        )
    if len(joint) == 1 and len(after) == 1:
        hypothesis.says("happened-once", -0.6 if "there" in after else -1.0, "it happened once")
    yield hypothesis


def _process(
    case: Case, lives: list[Connection], joint: list[list[Connection]], weight: float, kept: int, after: list[Aftermath]
) -> Iterator[Hypothesis]:
    restart = Hypothesis("process/restart", closer="server", trigger=Trigger("time", lives[0].conn))
    crash = Hypothesis("process/crash", closer="server", trigger=Trigger("frame", lives[0].conn))
    by_client = reaction(case, "client")
    if joint:
        text = f"{_times(len(joint))} all connections ended together"
        for hypothesis in (restart, crash):
            if kept:
                hypothesis.says(
                    "others-stayed-open", -1.0, f"{kept} connections stayed open when others ended", cite_all(lives)
                )
            else:
                hypothesis.says("all-ended-together", weight, text, [cite(life) for group in joint for life in group])
    gone, times = after.count("gone"), len(after)
    if gone:
        text = "the server could not be reached for a while afterwards"
        restart.says("server-was-gone-afterwards", 1.0 if gone == times else 0.5, text)
        crash.says("server-was-gone-afterwards", 1.0 if gone == times else 0.5, text)
    elif "there" in after:
        for hypothesis in (restart, crash):
            often = -float(min(after.count("there"), 3))
            text = "the server accepted the next connection at once"
            hypothesis.says("server-accepted-again-at-once", often, text)
    if case.mode == "close" and case.code in (1012, 1001):
        restart.says(
            "server-is-leaving", 1.0 if case.code == 1012 else 0.5, f"close code {case.code}: the server is leaving"
        )
        crash.says("close-frame-sent", -1.0, "a crashed process sends no close frame")
    elif case.mode == "close":
        restart.says("another-close-code", -1.0, "")
        crash.says("close-frame-sent", -1.0, "a crashed process sends no close frame")
    if by_client is not None and by_client.weight > 1.0:
        crash.says(
            "follows-client-message",
            by_client.weight,
            by_client.text,
            [cite(life, message) for life, message in by_client.hits],
        )
        life, message = by_client.hits[0]
        crash.trigger = Trigger("frame", life.conn, message.n)
        restart.says("follows-client-message", -by_client.weight, "the end follows a message of the client")
    if times == 1:
        restart.says("happened-once", -1.0, "it happened once: that is no loop")
        crash.says("happened-once", -1.0, "it happened once")
    for hypothesis in (restart, crash):
        if hypothesis.signs and (gone or joint or case.code in (1001, 1012)):
            yield hypothesis


def ghosts(case: Case) -> Iterator[Hypothesis]:
    """Refused for a while after an abrupt loss, then let in: the server still holds the old session."""
    refused = [life for life in case.lives if life.fate == "refused" and life.code not in (401, 404, 426)]
    quick = [
        life
        for life in case.victims
        if case.closer == "server" and case.mode == "close" and life.open_since is not None and life.lasted < 0.5
    ]
    turned = refused or quick
    if len(turned) < 1:
        return
    waits = []
    for life in case.lives:
        if life.open_since is None or life.lasted < 1.0 or life in turned:
            continue
        before = [other for other in turned if other.began < life.began]
        if before and life.began - before[-1].began < 15:
            ended = [o for o in case.lives if o.open_since is not None and o.end is not None]
            lost = [o for o in ended if o.end is not None and o.end <= before[0].began]
            if lost and (lost[-1].ending.how != "close"):
                waits.append(life.began - (lost[-1].end or 0.0))
    if not waits:
        return
    hypothesis = Hypothesis("identity/ghost-session", closer="server", trigger=Trigger("time", turned[0].conn))
    hypothesis.says(
        "turned-away-then-let-in",
        1.0 + max(steadiness(waits), 0.0),
        f"after an abrupt end the client was turned away and let in again {duration(middle(waits))} later",
        cite_all(turned[:4]),
    )
    if len(turned) >= 2 and any(life.code in (409, 423, 4409) for life in turned):
        hypothesis.says(
            "refused-conflict", 1.0, f"it was refused with {turned[0].code}: a conflict", cite_all(turned[:4])
        )
    yield hypothesis
