"""The client ends it: a deadline of its own, a message it cannot bear, an effect that runs again."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import accumulate

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle, spread, steadiness
from hangup.diagnosis.findings import Cite, Hypothesis, Trigger, cite, cite_all
from hangup.diagnosis.lives import Life
from hangup.diagnosis.reactions import Contrast, reaction
from hangup.diagnosis.rules import silence
from hangup.diagnosis.shapes import Shape
from hangup.recording.units import duration

AT_ONCE = 0.05
"""Seconds within which a new connection is part of the same step as the end of the old one."""

UNTOLD = 0.75
"""The same that it is the server which breaks its frames, and nothing on the way."""

DONE = 0.7
"""As sure as one can be that a client fails which closes with 1000: it may just have got what it wanted."""

CROWD = 0.15
"""The same of many clients that come once each."""

SOON = 0.12
"""The same on a busy machine."""


def by_the_client(case: Case) -> Iterator[Hypothesis]:
    """Everything that clients do."""
    if case.closer != "client" or case.mode not in ("cut", "close"):
        return
    lives = [life for life in case.victims if life.opened is not None]
    if not lives:
        return
    yield from _handshake(case, lives)
    yield from _after_a_message(case, lives)
    yield from _deadlines(case, lives)
    yield from _stale_timer(case, lives)
    yield from _protocol_error(case, lives)


def _handshake(case: Case, lives: list[Life]) -> Iterator[Hypothesis]:
    """What the client does not like about the 101."""
    unheard = [life for life in lives if not life.trace.server.messages]
    soon = [life for life in lives if life.lasted < 1.0]
    for word, verdict in (("subprotocol", "handshake/subprotocol"), ("extension", "handshake/extension")):
        failed = [life for life in lives if any(word in check for check in life.trace.account.checks)]
        if len(failed) < 0.7 * len(lives):
            continue
        hypothesis = Hypothesis(verdict, 0.0, closer="client", trigger=Trigger("header", lives[0].conn))
        check = next(c for c in failed[0].trace.account.checks if word in c)
        offered = lives[0].header("sec-websocket-protocol") if word == "subprotocol" else ""
        says = f": {offered[:60]} was offered" if offered and "echo" in check else ""
        hypothesis.says(3.0, f"the response breaks the handshake ({check}{says})", cite_all(failed))
        if len(unheard) >= 0.7 * len(lives):
            hypothesis.says(1.5, "the client ended it before any message of the server", cite_all(unheard))
        else:
            hypothesis.says(-3.5, "the client listened to messages of the server first")
        if len(soon) >= 0.7 * len(lives):
            middle_age = duration(middle([life.lasted for life in lives]))
            hypothesis.says(1.0, f"{middle_age} after opening", cite_all(soon))
        else:
            hypothesis.says(-2.5, "it lived too long for that")
        yield hypothesis
    accept = [life for life in lives if "accept-key" in life.trace.account.checks]
    if accept and len(unheard) >= 0.7 * len(lives):
        hypothesis = Hypothesis(
            "handshake/http-version", -1.0, closer="client", trigger=Trigger("header", lives[0].conn)
        )
        yield hypothesis.says(2.0, "Sec-WebSocket-Accept does not answer the key", cite_all(accept))


def _odd(shape: Shape) -> bool:
    return not shape.json and shape.opcode == "text"


def _speaks_json(lives: list[Life]) -> bool:
    """Whether some client says something in JSON, or nothing at all: else text that is none is what the two speak."""
    said = [shape for life in lives for shape in life.trace.client.shapes]
    return not said or any(shape.json for shape in said)


def _after_a_message(case: Case, lives: list[Life]) -> Iterator[Hypothesis]:
    """The client closes right after a message of the server."""
    found = reaction(case, "server")
    throws = Hypothesis("client-lifecycle/throws-on-frame", 0.2, closer="client")
    churn = Hypothesis("client-lifecycle/effect-churn", 0.0, closer="client")
    gaps = case.gaps
    if found is not None and found.weight > 0.2:
        contrast = Contrast(case, found)
        life, message = found.hits[0]
        cites = [cite(life, message) for life, message in found.hits]
        for hypothesis in (throws, churn):
            hypothesis.trigger = Trigger("frame", life.conn, message.n)
            hypothesis.says(found.weight, found.text, cites)
        odd = contrast.trait(_odd)
        nan = contrast.trait(lambda s: "nan" in s.faults)
        shape = contrast.shape
        if nan.fatal >= 0.7 * nan.hits:
            throws.says(3.5, "the last message holds NaN or Infinity, which JSON.parse refuses", cites)
            churn.says(-2.5, "the last message is no JSON that a browser can read")
        elif odd.fatal >= 0.7 * odd.hits and (contrast.mostly_json or not odd.safe_all and _speaks_json(lives)):
            throws.says(
                2.6 + max(odd.weight, 0.0) * 0.4,
                f"the last message is not JSON ({shape.text})" + (", all others are" if odd.safe_all else ""),
                cites,
            )
            churn.says(-2.0, "the last message is not JSON")
        else:
            throws.says(-1.2, "the last message is as well-formed as the others")
            same = contrast.trait(lambda s: s is shape)
            if not contrast.one_shape:
                kinds = len(contrast.by_shape)
                throws.says(-2.0, f"the last messages are of {kinds} kinds")
                churn.says(-0.7, f"the last messages are of {kinds} kinds")
            elif same.safe_all:
                for hypothesis in (throws, churn):
                    text = f"{same.fatal} of {same.hits} last messages are {shape.text}"
                    hypothesis.says(0.5 * max(same.weight, -2.0), text, cites)
    else:
        for hypothesis in (throws, churn):
            hypothesis.says(-1.5, "the end follows no message of the server")
    if gaps:
        gap = middle(gaps)
        words = duration(max(gap, 0.0))
        if gap <= AT_ONCE:
            churn.says(2.6, f"the client opened the next one {words} later, in the same step", cite_all(lives))
            throws.says(-1.0, "the client reopened at once, with no delay for an error")
        elif gap <= SOON:
            churn.says(1.0, f"the client opened the next one {words} later", cite_all(lives))
            throws.says(-0.4, f"the client waited only {words} before it tried again")
        else:
            churn.says(-2.5, f"the client waited {words} before it opened the next one")
            throws.says(0.4, f"the client waited {words} before it tried again, as after an error")
    if case.mode == "close" and all(life.code == 1000 and not life.reason for life in lives):
        for hypothesis in (throws, churn):
            hypothesis.says(-2.5, "the client itself closed with code 1000, as one that is done", cite_all(lives))
            hypothesis.most = DONE
    if case.mode == "close" and all(life.code in (None, 1000, 1001, 1005) for life in lives):
        churn.says(0.6, "the client closed in order, without an error")
    elif case.mode == "cut":
        churn.says(-1.0, "the client cut the connection without a close frame")
    if (broken := _broken(lives)) and len(broken) >= 0.5 * len(lives):
        for hypothesis in (throws, churn):
            hypothesis.says(-7.0, "the server's frames are malformed: its message is not what the client minds")
    at_once = _at_once(lives)
    if at_once > 2 and len(lives) <= 2 * at_once:
        for hypothesis in (throws, churn):
            hypothesis.says(-2.5, f"{at_once} were open at once: so many clients, and none that comes again and again")
            hypothesis.most = CROWD
    elif len(lives) >= 3:
        churn.says(0.3, "again and again")
    else:
        churn.says(-0.8, "so far it happened only once or twice")
    if any(life.code in (1002, 1003, 1007) for life in lives):
        throws.says(1.5, f"close code {lives[0].code}: it got something that it cannot use", cite_all(lives))
        churn.says(-2.0, "the close code names an error")
    yield throws
    yield churn


def _at_once(lives: list[Life]) -> int:
    """How many of them were open at the same time, at most."""
    changes = [(life.opened, 1) for life in lives if life.opened is not None]
    changes += [(life.end, -1) for life in lives if life.opened is not None and life.end is not None]
    return max(accumulate(change for _, change in sorted(changes)), default=0)


def _waiting(life: Life) -> float:
    beats = life.trace.beats.get(("client", "app"))
    return life.since(beats.waiting) if beats is not None and beats.waiting is not None else math.inf


def _looks_like_pings(case: Case, lives: list[Life]) -> Shape | None:
    """A small message of the client that comes like clockwork, though its form is no known heartbeat."""
    regular: dict[Shape, int] = {}
    for life in lives:
        for shape, count in life.trace.client.shapes.items():
            if shape.beat is None and count.regular and count.largest <= 128:
                regular[shape] = regular.get(shape, 0) + 1
    found = [shape for shape, n in regular.items() if n >= 0.5 * len(lives)]
    return found[0] if found else None


def _deadlines(case: Case, lives: list[Life]) -> Iterator[Hypothesis]:
    ages = [life.lasted for life in lives]
    if middle(ages) < 0.3:
        return
    age = steadiness(ages)
    by_server = reaction(case, "server")
    pushed = by_server.weight if by_server is not None and by_server.window <= 0.06 else 0.0
    pong = Hypothesis("heartbeat/app-pong-missing-from-server", -0.1, closer="client", trigger=_at(lives))
    other = Hypothesis("heartbeat/pong-mismatch", -0.9, closer="client", trigger=_at(lives))
    blocked = Hypothesis("server-handler/blocked", -1.3, closer="client", trigger=_at(lives))
    connect = Hypothesis("client-lifecycle/connect-deadline", -0.4, closer="client", trigger=_at(lives))
    mute = Hypothesis("identity/stale-cleanup", -0.8, closer="client", trigger=_at(lives))
    beats = [(life, b) for life in lives if (b := life.trace.beats.get(("client", "app"))) is not None and b.sent]
    pings = [Cite(life.conn, b.waiting_n or b.first_n) for life, b in beats]
    sent, answered = sum(b.sent for _, b in beats), sum(b.answered for _, b in beats)
    waits = [_waiting(life) for life in lives]
    heard = [life.since(m.at if (m := life.last("server")) is not None else life.opened) for life in lives]
    clocks = [
        (age, f"every connection got {duration(middle(ages))} old (spread {duration(spread(ages))})"),
        (
            steadiness(waits) if not any(map(math.isinf, waits)) else 0.0,
            f"the end came {duration(middle(waits))} after the first ping without an answer",
        ),
        (steadiness(heard), f"the end came {duration(middle(heard))} after the server's last message"),
    ]
    steady, words = max(clocks)
    instead = _instead(lives)
    if beats and len(beats) >= 0.7 * len(lives):
        shape = beats[0][1].shape
        words_of = shape.text if shape is not None else "a ping"
        unanswered = sum(b.waiting is not None for _, b in beats)
        if not answered:
            pong.says(2.8, f"the client sent {sent} pings ({words_of}); none was answered", pings)
        elif unanswered >= 0.7 * len(beats):
            pong.says(1.8, f"the last pings ({words_of}) were not answered", pings)
            blocked.says(1.0, "the server answered at first, and then no more", pings)
        else:
            pong.says(-2.5, f"the server answered {answered} of {sent} pings", pings)
        if instead is not None and not answered:
            other.says(2.6, f"each ping is followed by {instead.text}, which is no pong that the client knows", pings)
            pong.says(-0.4, f"each ping is followed by {instead.text}")
        connect.says(-2.0, "the client had begun to send pings")
    elif (regular := _looks_like_pings(case, lives)) is not None:
        text = f"the client sends {regular.text} like clockwork, and nothing looks like an answer to it"
        pong.says(1.0, text, cite_all(lives, "client"))
    else:
        pong.says(-2.5, "no ping of the client is to be seen")
        silence.weigh(pong, case, "server", middle(heard))
    if len(lives) > 1:
        for hypothesis in (pong, other, blocked, mute):
            hypothesis.says(0.7 * steady, words, cite_all(lives, "client"))
        connect.says(0.7 * age, clocks[0][1], cite_all(lives))
    unheard = [life for life in lives if not life.trace.server.messages]
    if len(unheard) >= 0.7 * len(lives):
        connect.says(2.2, "the server had not said anything yet", cite_all(unheard))
        blocked.says(0.5, "the server had not said anything")
        mute.says(0.8, "the server had not said anything", cite_all(unheard))
    else:
        # A word of welcome may not be the one that the client waits for.
        few = max(life.trace.server.messages for life in lives) <= 2 and min(heard) > 0.7 * middle(ages)
        connect.says(-1.0 if few else -2.5, "the server had sent messages before")
    shown = mute.score > -0.8 + max(0.7 * steady, 0.0) + 0.5
    silent = middle([life.since(f.at if (f := life.trace.server.frame) is not None else life.opened) for life in lives])
    asked = [life for life in lives if _unanswered(life) >= 2]
    if len(asked) >= 0.7 * len(lives) and silent > 0.3:
        text = f"the server fell silent for {duration(silent)}, though the client went on sending"
        blocked.says(1.2, text, cite_all(asked, "client"))
        mute.says(0.5, text)
        shown = True
    else:
        blocked.says(-1.5, "the server went on sending")
    if (shape := _choked_on(case, lives)) is not None:
        blocked.says(3.0, f"the server fell silent each time when the client had sent {shape.text}", cite_all(lives))
        pong.says(-1.5, f"the server answered nothing at all any more, from {shape.text} on")
    if len(lives) > 1 or case.others:
        first = min(case.same_route, key=lambda life: life.conn)
        if first not in unheard and first.trace.server.messages and len(unheard) >= 0.6 * len(case.victims):
            mute.says(2.4, "the first connection was served, its successors heard nothing", [cite(first)])
            shown = True
            connect.says(-1.2, "the first connection was served at once", [cite(first)])
            pong.says(-0.8, "the first connection was served at once", [cite(first)])
        elif unheard and first in unheard:
            mute.says(-1.5, "the first connection was mute too")
    if not shown:
        mute.says(-1.5, "the server did not fall silent")
    yield from _control(lives)
    code = case.victims[0].code
    if code is not None and code >= 3000:
        pong.says(0.3, f"close code {code}")
    for hypothesis in (pong, other, blocked, connect, mute):
        if pushed > 1.5:
            hypothesis.says(
                -0.7 * pushed, "the end follows a message of the server more often than chance would have it"
            )
        asked_for = hypothesis is not other or instead is not None or beats
        if hypothesis.evidence and hypothesis.score > -4 and asked_for:
            yield hypothesis


def _control(lives: list[Life]) -> Iterator[Hypothesis]:
    """Control pings of the client that the server does not answer."""
    beats = [(life, b) for life in lives if (b := life.trace.beats.get(("client", "control"))) is not None and b.sent]
    if len(beats) < 0.7 * len(lives):
        return
    pings = [Cite(life.conn, b.waiting_n or b.last_n) for life, b in beats]
    sent, answered = sum(b.sent for _, b in beats), sum(b.answered for _, b in beats)
    waiting = [life.since(b.waiting) for life, b in beats if b.waiting is not None]
    hypothesis = Hypothesis(
        "heartbeat/control-pong-missing", -0.1, closer="client", trigger=Trigger("time", lives[0].conn, pings[0].frame)
    )
    if len(waiting) >= 0.7 * len(beats):
        text = f"{sent - answered} of the client's {sent} control pings got no pong"
        hypothesis.says(1.8 if answered else 2.8, text, pings)
        if len(waiting) > 1:
            text = f"the end came {duration(middle(waiting))} after the first ping without an answer"
            hypothesis.says(0.7 * steadiness(waiting), text, pings)
    else:
        hypothesis.says(-2.5, f"the server answered {answered} of {sent} control pings", pings)
    yield hypothesis


def _choked_on(case: Case, lives: list[Life]) -> Shape | None:
    """The message after which the server said nothing more, if it is the same each time, and no heartbeat."""
    firsts: list[Shape] = []
    for life in lives:
        last = life.trace.server.frame
        after = [m for m in life.trace.recent if m.side == "client" and m.data and last is not None and m.n > last.n]
        if len(after) >= 2:
            firsts.append(after[0].shape)
    if len(firsts) < 0.7 * len(lives):
        return None
    shape = max(firsts, key=firsts.count)
    total = case.client_shapes.get(shape)
    often = total is not None and total.count > 1.2 * len(firsts)
    answered = sum(b.answered > 0 for life in lives for (side, _), b in life.trace.beats.items() if side == "client")
    if shape.beat is not None or often or firsts.count(shape) < 0.7 * len(firsts) or answered < 0.7 * len(lives):
        return None
    return shape


def _unanswered(life: Life) -> int:
    """Messages of the client after the server's last one."""
    last = life.trace.server.frame
    after = last.n if last is not None else 0
    return sum(m.side == "client" and m.data and m.n > after for m in life.trace.recent)


def _instead(lives: list[Life]) -> Shape | None:
    """The one shape that follows nearly every ping of the client, if there is one."""
    following: dict[Shape, int] = {}
    pings = 0
    elsewhere: dict[Shape, int] = {}
    for life in lives:
        frames = [m for m in life.trace.recent if m.data]
        for at, message in enumerate(frames):
            if message.side == "client" and message.shape.beat is not None and message.shape.beat.kind == "ping":
                pings += 1
                answer = next((m for m in frames[at + 1 :] if m.side == "server"), None)
                if answer is not None and answer.at - message.at < 0.25:
                    following[answer.shape] = following.get(answer.shape, 0) + 1
            elif message.side == "client":
                answer = next((m for m in frames[at + 1 :] if m.side == "server"), None)
                if answer is not None:
                    elsewhere[answer.shape] = elsewhere.get(answer.shape, 0) + 1
    best = max(following, key=lambda shape: following[shape], default=None)
    if best is None or pings < 2 or following[best] < 0.7 * pings or elsewhere.get(best, 0) > 0.3 * following[best]:
        return None
    return best


def throttled(case: Case) -> Iterator[Hypothesis]:
    """Heartbeats that suddenly come much more seldom, as the timers of a hidden tab do."""
    slow = []
    lives = [life for life in case.victims if life.opened is not None]
    if not lives or case.mode not in ("cut", "close"):
        return
    for life in lives:
        for level in ("app", "control"):
            beats = life.trace.beats.get(("client", level))
            if beats is None or beats.sent < 4:
                continue
            last = life.since(beats.last)
            pause = max(beats.longest, last if last < 1e6 else 0.0)
            if pause >= 5 and pause > 3 * beats.usual:
                slow.append((life, beats, pause))
    if len(slow) < 0.6 * len(lives):
        return
    hypothesis = Hypothesis("heartbeat/throttled", 0.0, closer=case.closer, trigger=Trigger("time", slow[0][0].conn))
    gap, usual = middle([pause for _, _, pause in slow]), middle([beats.usual for _, beats, _ in slow])
    hypothesis.says(
        3.5,
        f"the client's heartbeats came every {duration(usual)}, then {duration(gap)} apart",
        [Cite(life.conn, beats.last_n) for life, beats, _ in slow],
    )
    if 50 <= gap <= 70:
        hypothesis.says(1.5, "once a minute is how often Chrome lets a hidden tab's timers run")
    yield hypothesis


def _stale_timer(case: Case, lives: list[Life]) -> Iterator[Hypothesis]:
    """The first connection lives a while, every later one dies young: something was not reset."""
    ordered = sorted((life for life in case.same_route if life.opened is not None), key=lambda life: life.conn)
    if len(ordered) < 3:
        return
    first, rest = ordered[0], [life for life in ordered[1:] if life in lives]
    if len(rest) < 2 or first.lasted < 1.0 or first.ending.by != "client":
        return
    later = [life.lasted for life in rest]
    if max(later) > 0.25 * first.lasted:
        return
    hypothesis = Hypothesis("heartbeat/stale-timer", 0.2, closer="client", trigger=Trigger("time", rest[0].conn))
    text = f"the first connection lived {duration(first.lasted)}, each later one at most {duration(max(later))}"
    hypothesis.says(2.0 + min(0.4 * len(rest), 1.5), text, cite_all([first, *rest[:4]]))
    if any(b.sent for life in [first] for (side, _), b in life.trace.beats.items() if side == "client"):
        hypothesis.says(1.0, "the client sends heartbeats: a timer that was not reset would do that", [cite(first)])
    yield hypothesis


_FRAME_FAULTS = re.compile(r"too-long|reserved|rsv|masked|invalid-utf8|fragment|not-a-frame|deflate|close-")


def _broken(lives: list[Life]) -> list[Life]:
    """Those whose server sent what is no frame, or a malformed one."""
    return [
        life
        for life in lives
        if any(_FRAME_FAULTS.search(p) for p in life.trace.account.problems) or life.trace.junk.startswith("server")
    ]


def _protocol_error(case: Case, lives: list[Life]) -> Iterator[Hypothesis]:
    """The server sent a frame that breaks the protocol, and the client minds."""
    broken = _broken(lives)
    if not broken:
        return
    problems = sorted({p for life in broken for p in life.trace.account.problems})
    junk = next((life.trace.junk for life in broken if life.trace.junk), "")
    hypothesis = Hypothesis("message/framing", 0.3, closer="client", trigger=Trigger("frame", broken[0].conn))
    last = broken[0].trace.recent[-1].n if broken[0].trace.recent else None
    hypothesis.trigger = Trigger("frame", broken[0].conn, last)
    hypothesis.most = UNTOLD
    text = f"malformed frames: {', '.join(problems)}" if problems else f"bytes that are no frame ({junk[:60]})"
    hypothesis.says(3.0 * len(broken) / len(lives), text, cite_all(broken))
    if any(life.code in (1002, 1007) for life in lives):
        hypothesis.says(1.5, f"the client closed with {lives[0].code}", cite_all(lives))
    yield hypothesis


def _at(lives: list[Life]) -> Trigger:
    life = lives[0]
    beats = life.trace.beats.get(("client", "app"))
    if beats is not None and beats.sent:
        return Trigger("time", life.conn, beats.waiting_n or beats.last_n)
    last = life.trace.server.frame or life.trace.client.frame
    return Trigger("time", life.conn, last.n if last is not None else None)


def at_page_load(case: Case) -> Iterator[Hypothesis]:
    """A first connection that the client gives up at once for a second one."""
    if case.closer != "client" or case.count > 2:
        return
    for life in case.victims:
        later = life.successor
        if later is None or later.opened is None or life.lasted > 0.5:
            continue
        settled = later.end is None or later.fate in ("stopped", "left", "open") or later.lasted > 2.0
        hypothesis = Hypothesis(
            "client-lifecycle/double-mount", -0.5, closer="client", trigger=Trigger("none", life.conn)
        )
        hypothesis.says(1.0, f"the client gave up its first connection after {duration(life.lasted)}", [cite(life)])
        gap = life.gap or 0.0
        if gap < 0.2:
            hypothesis.says(0.8, f"and opened another {duration(max(gap, 0.0))} later", [cite(later)])
        if settled:
            # This is harmless, and said so by a verdict of its own.
            hypothesis.says(-1.5, "the second one lives: nothing is wrong", [cite(later)])
        yield hypothesis
