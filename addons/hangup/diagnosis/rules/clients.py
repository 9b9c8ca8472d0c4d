"""The client ends it: a deadline of its own, a message it cannot bear, an effect that runs again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import Cite, Hypothesis, Trigger, cite, cite_all
from hangup.diagnosis.reactions import Contrast, reaction
from hangup.diagnosis.rules import deadlines, mounts
from hangup.diagnosis.rules.tables import CLIENT_CODES
from hangup.humanize import duration
from hangup.messages.shapes import Shape
from hangup.recording.connections import Connection

AT_ONCE = 0.05
"""Seconds within which a new connection is part of the same step as the end of the old one."""

SOON = 0.12
"""The same on a busy machine."""


def by_the_client(case: Case) -> Iterator[Hypothesis]:
    """Everything that clients do."""
    if not case.may_be("client") or case.mode not in ("abrupt", "close"):
        return
    lives = [life for life in case.victims if life.open_since is not None]
    if not lives:
        return
    yield from _handshake(case, lives)
    yield from _after_a_message(case, lives)
    yield from deadlines.by_time(case, lives)
    yield from _stale_timer(case, lives)
    yield from _protocol_error(case, lives)


def _handshake(case: Case, lives: list[Connection]) -> Iterator[Hypothesis]:
    """What the client does not like about the 101."""
    unheard = [life for life in lives if not life.traffic.server.messages]
    soon = [life for life in lives if life.lasted < 1.0]
    for word, verdict in (("subprotocol", "handshake/subprotocol"), ("extension", "handshake/extension")):
        failed = [life for life in lives if any(word in check for check in life.checks)]
        if len(failed) < 0.7 * len(lives):
            continue
        hypothesis = Hypothesis(verdict, closer="client", trigger=Trigger("header", lives[0].conn))
        check = next(c for c in failed[0].checks if word in c)
        offered = lives[0].header("sec-websocket-protocol") if word == "subprotocol" else ""
        says = f": {offered[:60]} was offered" if offered and "echo" in check else ""
        hypothesis.says(
            "response-breaks-the-handshake", 1.0, f"the response breaks the handshake ({check}{says})", cite_all(failed)
        )
        if len(unheard) >= 0.7 * len(lives):
            hypothesis.says(
                "client-ended-before-any-message",
                1.0,
                "the client ended it before any message of the server",
                cite_all(unheard),
            )
        else:
            hypothesis.says("client-listened-first", -1.0, "the client listened to messages of the server first")
        if len(soon) >= 0.7 * len(lives):
            middle_age = duration(middle([life.lasted for life in lives]))
            hypothesis.says("soon-after-opening", 1.0, f"{middle_age} after opening", cite_all(soon))
        else:
            hypothesis.says("long-after-opening", -1.0, "it was open too long for that")
        yield hypothesis
    accept = [life for life in lives if "accept-key" in life.checks]
    # A greeting of the server may cross the client's end.
    mute = [life for life in accept if not life.traffic.client.messages and life.lasted < 0.5]
    if len(mute) >= 0.7 * len(lives):
        hypothesis = Hypothesis("handshake/accept-key", closer="client", trigger=Trigger("header", lives[0].conn))
        hypothesis.says(
            "accept-key-wrong",
            1.0,
            "Sec-WebSocket-Accept does not answer the key that the client sent",
            cite_all(accept),
        )
        yield hypothesis.says(
            "client-ended-without-a-word", 1.0, "the client ended it at once, without a word", cite_all(mute)
        )


def _odd(shape: Shape) -> bool:
    return not shape.json and shape.opcode == "text"


def _speaks_json(lives: list[Connection]) -> bool:
    """Whether some client says something in JSON, or nothing at all: else text that is none is what the two speak."""
    said = [shape for life in lives for shape in life.traffic.client.shapes]
    return not said or any(shape.json for shape in said)


def _after_a_message(case: Case, lives: list[Connection]) -> Iterator[Hypothesis]:
    """The client closes right after a message of the server."""
    found = reaction(case, "server")
    throws = Hypothesis("client-lifecycle/throws-on-frame", closer="client")
    churn = Hypothesis("client-lifecycle/effect-churn", closer="client")
    gaps = case.gaps
    if found is not None and found.weight > 0.2:
        contrast = Contrast(case, found)
        life, message = found.hits[0]
        cites = [cite(life, message) for life, message in found.hits]
        for hypothesis in (throws, churn):
            hypothesis.trigger = Trigger("frame", life.conn, message.n)
            hypothesis.says("follows-server-message", found.weight, found.text, cites)
        odd = contrast.trait(_odd)
        nan = contrast.trait(lambda s: "nan" in s.faults)
        shape = contrast.shape
        if nan.fatal >= 0.7 * nan.hits:
            throws.says(
                "last-message-holds-nan", 1.0, "the last message holds NaN or Infinity, which JSON.parse refuses", cites
            )
            churn.says("last-message-holds-nan", -1.0, "the last message is no JSON that a browser can read")
        elif odd.fatal >= 0.7 * odd.hits and (contrast.mostly_json or not odd.safe_all and _speaks_json(lives)):
            throws.says(
                "last-message-not-json",
                1.0,
                f"the last message is not JSON ({shape.text})" + (", all others are" if odd.safe_all else ""),
                cites,
            )
            churn.says("last-message-not-json", -1.0, "the last message is not JSON")
        else:
            throws.says("last-message-well-formed", -1.0, "the last message is as well-formed as the others")
            same = contrast.trait(lambda s: s is shape)
            if not contrast.one_shape:
                kinds = len(contrast.by_shape)
                throws.says("last-messages-of-many-kinds", -1.0, f"the last messages are of {kinds} kinds")
                churn.says("last-messages-of-many-kinds", -1.0, f"the last messages are of {kinds} kinds")
            elif same.safe_all:
                for hypothesis in (throws, churn):
                    text = f"{same.fatal} of {same.hits} last messages are {shape.text}"
                    hypothesis.says("last-messages-alike", 0.5 * max(same.weight, -2.0), text, cites)
    else:
        for hypothesis in (throws, churn):
            hypothesis.says("follows-no-server-message", -1.0, "the end follows no message of the server")
    if gaps:
        gap = middle(gaps)
        words = duration(max(gap, 0.0))
        if gap <= AT_ONCE:
            churn.says(
                "reopened-in-the-same-step",
                1.0,
                f"the client opened the next one {words} later, in the same step",
                cite_all(lives),
            )
            throws.says("reopened-in-the-same-step", -1.0, "the client reopened at once, with no delay for an error")
        elif gap <= SOON:
            churn.says("reopened-soon", 1.0, f"the client opened the next one {words} later", cite_all(lives))
            throws.says("reopened-soon", -1.0, f"the client waited only {words} before it tried again")
        else:
            churn.says("waited-before-reopening", -1.0, f"the client waited {words} before it opened the next one")
            throws.says(
                "waited-before-reopening", 1.0, f"the client waited {words} before it tried again, as after an error"
            )
    if case.mode == "close" and all(life.code == 1000 and not life.reason for life in lives):
        for hypothesis in (throws, churn):
            hypothesis.says(
                "client-closed-1000",
                -1.0,
                "the client itself closed with code 1000, as one that is done",
                cite_all(lives),
            )
    if case.mode == "close" and all(life.code in (None, 1000, 1001, 1005) for life in lives):
        churn.says("client-closed-in-order", 1.0, "the client closed in order, without an error")
    elif case.mode == "abrupt":
        churn.says("client-cut-it", -1.0, "the client cut the connection without a close frame")
    if (broken := _broken(lives)) and len(broken) >= 0.5 * len(lives):
        for hypothesis in (throws, churn):
            hypothesis.says(
                "server-frames-malformed",
                -1.0,
                "the server's frames are malformed: its message is not what the client minds",
            )
    if again := mounts.twins(case):
        for hypothesis in (throws, churn):
            hypothesis.says(
                "given-up-for-one-that-stayed",
                -1.0,
                "after each that was given up at once the next one stayed open",
                cite_all(again),
            )
    at_once = _at_once(lives)
    if at_once > 2 and len(lives) <= 2 * at_once:
        for hypothesis in (throws, churn):
            hypothesis.says(
                "a-crowd-at-once",
                -1.0,
                f"{at_once} were open at once: so many clients, and none that comes again and again",
            )
    elif len(lives) >= 3:
        churn.says("again-and-again", 1.0, "again and again")
    else:
        churn.says("only-once-or-twice", -1.0, "so far it happened only once or twice")
    if any(life.code in CLIENT_CODES for life in lives):
        for hypothesis in (throws, churn):
            hypothesis.says(
                "close-code-of-the-library",
                -1.0,
                f"close code {lives[0].code} is the client's library's own, and not the page's",
            )
    elif any(life.code in (1002, 1003) for life in lives):
        throws.says(
            "client-close-code-names-an-error",
            1.0,
            f"close code {lives[0].code}: it got something that it cannot use",
            cite_all(lives),
        )
        churn.says("client-close-code-names-an-error", -1.0, "the close code names an error")
    yield throws
    yield churn


def _at_once(lives: list[Connection]) -> int:
    """How many of them were open at the same time, at most."""
    changes = [(life.open_since, 1) for life in lives if life.open_since is not None]
    changes += [(life.end, -1) for life in lives if life.open_since is not None and life.end is not None]
    return max(accumulate(change for _, change in sorted(changes)), default=0)


def throttled(case: Case) -> Iterator[Hypothesis]:
    """Heartbeats that suddenly come much more seldom, as the timers of a hidden tab do."""
    slow = []
    lives = [life for life in case.victims if life.open_since is not None]
    if not lives or case.mode not in ("abrupt", "close"):
        return
    for life in lives:
        for level in ("app", "control"):
            beats = life.traffic.beats.get(("client", level))
            if beats is None or beats.sent < 4:
                continue
            last = life.since(beats.last)
            pause = max(beats.longest, last if last < 1e6 else 0.0)
            if pause >= 5 and pause > 3 * beats.usual:
                slow.append((life, beats, pause))
    if len(slow) < 0.6 * len(lives):
        return
    hypothesis = Hypothesis("heartbeat/throttled", closer=case.closer, trigger=Trigger("time", slow[0][0].conn))
    gap, usual = middle([pause for _, _, pause in slow]), middle([beats.usual for _, beats, _ in slow])
    hypothesis.says(
        "client-heartbeats-slowed-down",
        1.0,
        f"the client's heartbeats came every {duration(usual)}, then {duration(gap)} apart",
        [Cite(life.conn, beats.last_n) for life, beats, _ in slow],
    )
    if 50 <= gap <= 70:
        hypothesis.says("once-a-minute", 1.0, "once a minute is how often Chrome lets a hidden tab's timers run")
    yield hypothesis


def _stale_timer(case: Case, lives: list[Connection]) -> Iterator[Hypothesis]:
    """The first connection lives a while, every later one dies young: something was not reset."""
    ordered = sorted((life for life in case.same_route if life.open_since is not None), key=lambda life: life.conn)
    if len(ordered) < 3:
        return
    first, rest = ordered[0], [life for life in ordered[1:] if life in lives]
    if len(rest) < 2 or first.lasted < 1.0:
        return
    later = [life.lasted for life in rest]
    if max(later) > 0.25 * first.lasted:
        return
    hypothesis = Hypothesis("heartbeat/stale-timer", closer="client", trigger=Trigger("time", rest[0].conn))
    text = f"the first connection was open for {duration(first.lasted)}, each later one at most {duration(max(later))}"
    hypothesis.says("first-stayed-open-longest", min(1.0 + 0.2 * len(rest), 2.0), text, cite_all([first, *rest[:4]]))
    if any(b.sent for life in [first] for (side, _), b in life.traffic.beats.items() if side == "client"):
        hypothesis.says(
            "client-sends-heartbeats",
            1.0,
            "the client sends heartbeats: a timer that was not reset would do that",
            [cite(first)],
        )
    yield hypothesis


_FRAME_FAULTS = re.compile(r"too-long|reserved|rsv|masked|invalid-utf8|fragment|not-a-frame|deflate|close-")


def _broken(lives: list[Connection]) -> list[Connection]:
    """Those whose server sent what is no frame, or a malformed one."""
    return [
        life
        for life in lives
        if any(_FRAME_FAULTS.search(p) for p in life.problems) or life.traffic.junk.startswith("server")
    ]


def _protocol_error(case: Case, lives: list[Connection]) -> Iterator[Hypothesis]:
    """The server sent a frame that breaks the protocol, and the client minds."""
    broken = _broken(lives)
    if not broken:
        return
    problems = sorted({p for life in broken for p in life.problems})
    junk = next((life.traffic.junk for life in broken if life.traffic.junk), "")
    hypothesis = Hypothesis("message/framing", closer="client", trigger=Trigger("frame", broken[0].conn))
    last = broken[0].traffic.recent[-1].n if broken[0].traffic.recent else None
    hypothesis.trigger = Trigger("frame", broken[0].conn, last)
    text = f"malformed frames: {', '.join(problems)}" if problems else f"bytes that are no frame ({junk[:60]})"
    hypothesis.says("server-frames-malformed", len(broken) / len(lives), text, cite_all(broken))
    if any(life.code in (1002, 1007) for life in lives):
        hypothesis.says(
            "client-closed-with-a-protocol-error", 1.0, f"the client closed with {lives[0].code}", cite_all(lives)
        )
    yield hypothesis
