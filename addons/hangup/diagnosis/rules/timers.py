"""The server's side ends it by the clock: idle time, age, a missing pong, a missing first message."""

from __future__ import annotations

import math
from collections.abc import Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle, near, spread, steadiness
from hangup.diagnosis.findings import Cite, Hypothesis, Trigger, cite
from hangup.diagnosis.reactions import reaction
from hangup.diagnosis.rules import silence
from hangup.diagnosis.rules.clocks import Clocks, by_time, cites_of, left_waiting, typical_pause
from hangup.humanize import duration
from hangup.recording.connections import numbered
from hangup.recording.events import Side

IDLE_DEFAULTS = {
    60.0: "nginx, AWS ALB, HAProxy", 100.0: "Cloudflare", 30.0: "Google Cloud load balancer",
    350.0: "AWS NLB", 600.0: "mitmproxy", 240.0: "Azure", 55.0: "Heroku", 120.0: "Fly and others",
    300.0: "Envoy", 50.0: "HAProxy", 10.0: "uWebSockets and others", 90.0: "several", 3600.0: "several",
}  # fmt: skip
MANY = 5
"""Pings without an answer that hardly any server waits for."""


AGE_DEFAULTS = {
    30.0: "gunicorn's worker timeout, Heroku", 60.0: "a request timeout of a proxy",
    3600.0: "Google Cloud Run and others", 7200.0: "AWS API Gateway", 900.0: "several", 300.0: "Cloud Run",
    15.0: "Traefik's or Envoy's request timeout",
}  # fmt: skip


def by_the_clock(case: Case) -> Iterator[Hypothesis]:
    """Causes that end a connection by a timer at the server or before it."""
    if not case.may_be("server") or case.mode not in ("abrupt", "close"):
        return
    clocks = Clocks(case)
    if not clocks.lives or middle(clocks.open) < 0.3:
        return
    triggered = reaction(case, "client")
    pushed = triggered.weight if triggered is not None and triggered.window <= 0.15 else 0.0
    for hypothesis in [
        *_idle(case, clocks),
        *_age(case, clocks),
        *_awaited(case, clocks),
        *_no_app_pong(case, clocks),
        *_no_control_pong(case, clocks),
        *_no_hello(case, clocks),
        *_race(case, clocks),
    ]:
        if pushed > 1.0:
            hypothesis.says(
                "follows-client-message",
                -pushed,
                "the end follows a message of the client more often than chance would have it",
            )
        yield hypothesis


def _idle(case: Case, clocks: Clocks) -> Iterator[Hypothesis]:
    found = {
        "either side": clocks.of(clocks.idle),
        "the server": clocks.of(clocks.server),
        "the client": clocks.of(clocks.client),
    }
    who, (weight, value, words) = max(found.items(), key=lambda item: item[1][0])
    if found["either side"][0] > weight - 0.7:
        who, (weight, value, words) = "either side", found["either side"]
    if value < 0.25 or (len(clocks.lives) > 1 and weight <= 0.0):
        return  # a timer keeps its time
    hypothesis = Hypothesis("intermediary/idle-timeout", closer="server", trigger=by_time(clocks))
    side: Side | None = "server" if who == "the server" else "client" if who == "the client" else None
    hypothesis.says("steady-silence", weight, f"{words} of silence of {who} before the end", cites_of(clocks, side))
    if side:
        hypothesis.says(
            "only-one-side-silent", -1.0, f"only {who} was silent: most intermediaries count either side's traffic"
        )
    pongs = sum(f is not None and f.opcode == "pong" for f in (life.traffic.client.frame for life in clocks.lives))
    if side == "client" and pongs >= 0.7 * len(clocks.lives):
        hypothesis.says(
            "last-frame-a-pong", -1.0, "the client's last frame was a pong: the server's ping may be what counts"
        )
    age = clocks.age[0]
    several = len(clocks.lives) > 1
    if several and weight > age + 0.5:
        low, high = min(clocks.open), max(clocks.open)
        text = f"the idle time is what stays constant, not the age ({duration(low)} to {duration(high)})"
        hypothesis.says("silence-steadier-than-age", min(weight - age, 3.0), text)
    elif several and age > weight + 0.5:
        hypothesis.says(
            "age-steadier-than-silence",
            max(weight - age, -4.0),
            f"the age is steadier than the idle time: {clocks.age[2]}",
        )
    if value < 1.0:
        hypothesis.says("too-young-for-a-limit", -1.0, "hardly a time that anybody sets as a limit")
    silence.weigh(hypothesis, case, side, value)
    unanswered = bool(left_waiting(clocks))
    if unanswered:
        text = "the client's last message got no answer, as earlier ones did"
        hypothesis.says("last-message-unanswered", -1.0, text, cites_of(clocks, "client"))
    quiet = middle(clocks.idle) / max(typical_pause(case), 0.001)
    if quiet > 2:
        hypothesis.says(
            "longer-silence-than-usual",
            min(0.5 * math.log(quiet), 1.5),
            "nothing at all was sent for longer than is usual here",
        )
    elif who == "either side" or quiet < 1.0:
        hypothesis.says("traffic-until-the-end", -1.0, "there was traffic until the end")
    proxy = case.stack.proxy
    if case.mode == "abrupt":
        # A handler that returns or raises ends just so on many a server.
        hypothesis.says("no-close-frame", 1.0, "no close frame: a proxy that gives up just cuts the connection")
    elif case.code in (1001, 1006, None):
        hypothesis.says("close-frame-of-a-leaving-server", -1.0, "a close frame was sent, which few intermediaries do")
    else:
        hypothesis.says(
            "application-close-code" if (case.code or 0) >= 3000 else "close-frame-sent",
            -1.0,
            f"a close frame with code {case.code} was sent, which an intermediary hardly does",
        )
    if proxy:
        hypothesis.says("a-proxy-stands-between", 1.0, f"{proxy} stands in between (it says so in the response)")
    default = next((names for seconds, names in IDLE_DEFAULTS.items() if near(value, seconds, 0.02)), "")
    if default and value >= 5:
        hypothesis.says("a-usual-default", 1.0, f"{duration(value)} is the default of {default}")
    told = bool(default and value >= 5) or (several and weight > age + 0.5)
    if not (proxy and told) or case.mode != "abrupt" or side == "client" or unanswered or quiet < 1.5:
        hypothesis.says("nothing-shows-an-intermediary", -1.0, "")
    _pings_say(hypothesis, clocks)
    yield hypothesis


def _pings_say(hypothesis: Hypothesis, clocks: Clocks) -> None:
    """Pings without an answer are an explanation of their own."""
    if _beats_by(clocks, "server", "app") and not _answered(clocks, "server", "app"):
        hypothesis.says("server-pings-unanswered", -1.0, "the server's own pings were not answered")
    if _beats_by(clocks, "server", "control") and not _answered(clocks, "server", "control"):
        hypothesis.says("control-pings-unanswered", -1.0, "the server's control pings were not answered")
    elif _one_ping_each(clocks) and clocks.of(clocks.ping)[0] > 1.5:
        hypothesis.says(
            "steady-after-the-only-control-ping",
            -1.0,
            "every end came a steady time after the server's only control ping",
        )


def _one_ping_each(clocks: Clocks) -> bool:
    """Whether every connection saw just one control ping of the server."""
    found = [life.traffic.beats.get(("server", "control")) for life in clocks.lives]
    return len(found) > 1 and all(beats is not None and beats.sent == 1 for beats in found)


def _age(case: Case, clocks: Clocks) -> Iterator[Hypothesis]:
    weight, value, words = clocks.age
    idle = max(clocks.of(clocks.idle)[0], clocks.of(clocks.client)[0], clocks.of(clocks.server)[0])
    if value < 0.5 or (len(clocks.lives) > 1 and weight <= 0.0):
        return
    busy = middle(clocks.idle) <= 1.5 * typical_pause(case) and bool(typical_pause(case) < math.inf)
    proxy = case.stack.proxy
    for verdict, help in (
        ("process/worker-timeout", "gunicorn"),
        ("intermediary/lifetime-cap", "proxy"),
        ("server-handler/dependency-timeout", ""),
    ):
        hypothesis = Hypothesis(verdict, closer="server", trigger=by_time(clocks))
        hypothesis.says(
            "steady-age",
            weight,
            f"every connection got {words} old" if len(clocks.lives) > 1 else f"it got {words} old",
        )
        if len(clocks.lives) > 1 and idle > weight:
            hypothesis.says(
                "silence-steadier-than-age", max(weight - idle, -3.0), "the idle time is as steady or steadier"
            )
        older = [life for life in case.others if life.open_since is not None and life.lasted > 1.1 * value + 0.1]
        if older:
            hypothesis.says(
                "others-got-older", -1.0, f"{numbered(older)} got older than that", [cite(life) for life in older]
            )
        if value < 1.0:
            hypothesis.says("too-young-for-a-limit", -1.0, "hardly an age that anybody sets as a limit")
        if busy:
            hypothesis.says("traffic-until-the-end", 1.0, "there was traffic until the end: it was not idleness")
        if case.mode == "abrupt":
            hypothesis.says("no-close-frame", 1.0, "no close frame")
        else:
            hypothesis.says("close-frame-sent", -1.0, "a close frame was sent")
        default = next((names for seconds, names in AGE_DEFAULTS.items() if near(value, seconds, 0.02)), "")
        if default and value >= 5:
            hypothesis.says(
                "a-default-of-this" if help and help in default else "a-usual-default",
                1.0,
                f"{duration(value)} is the default of {default}",
            )
        if help == "proxy" and proxy:
            hypothesis.says("a-proxy-stands-between", 1.0, f"{proxy} stands in between")
        if help == "gunicorn" and case.stack.server == "gunicorn":
            hypothesis.says("server-gunicorn", 1.0, "the server is gunicorn")
        _pings_say(hypothesis, clocks)
        yield hypothesis


def _awaited(case: Case, clocks: Clocks) -> Iterator[Hypothesis]:
    """A request that stays without an answer until the server gives up, though others are answered at once."""
    lives = clocks.lives
    last = left_waiting(clocks)
    if len(lives) < 2 or len({m.shape for _, m in last}) != 1:
        return
    weight, value, words = clocks.of([life.since(m.at) for life, m in last])
    shape = last[0][1].shape
    total = case.client_shapes.get(shape)
    if value < 0.3 or shape.beat is not None or (total is not None and total.count > 1.5 * len(lives)):
        return
    trigger = Trigger("frame", last[0][0].conn, last[0][1].n)
    hypothesis = Hypothesis("server-handler/dependency-timeout", closer="server", trigger=trigger)
    cites = cites_of(clocks, "client")
    hypothesis.says("steady-after-a-request", weight, f"every end came {words} after {shape.text}", cites)
    if case.mode == "close":
        hypothesis.says("close-frame-sent", -1.0, "a close frame was sent")
    yield hypothesis.says(
        "last-message-unanswered",
        1.0,
        "the server had answered before, but not this one: it waits for something",
        cites,
    )


def _beats_by(clocks: Clocks, side: Side, level: str) -> int:
    """How many pings of one level a side sent before all these ends."""
    return sum(b.sent for life in clocks.lives if (b := life.traffic.beats.get((side, level))) is not None)


def _answered(clocks: Clocks, side: Side, level: str) -> int:
    return sum(b.answered for life in clocks.lives if (b := life.traffic.beats.get((side, level))) is not None)


def _no_app_pong(case: Case, clocks: Clocks) -> Iterator[Hypothesis]:
    hypothesis = Hypothesis(
        "heartbeat/app-pong-missing-from-client", closer="server", trigger=by_time(clocks, ("server", "app"))
    )
    sent, answered = _beats_by(clocks, "server", "app"), _answered(clocks, "server", "app")
    age, quiet = clocks.age[0], clocks.of(clocks.client)
    by_ping = [
        life.since(b.waiting if (b := life.traffic.beats.get(("server", "app"))) and b.sent else None)
        for life in clocks.lives
    ]
    candidates = [
        (age, f"every end came {clocks.age[2]} after opening"),
        (quiet[0], f"every end came {quiet[2]} after the client's last frame"),
        (clocks.of(by_ping)[0], f"every end came {clocks.of(by_ping)[2]} after a ping of the server without an answer"),
    ]
    if sent:
        shapes = {b.shape.text for life in clocks.lives if (b := life.traffic.beats.get(("server", "app"))) and b.shape}
        pings = [
            Cite(life.conn, b.waiting_n or b.first_n)
            for life in clocks.lives
            if (b := life.traffic.beats.get(("server", "app"))) is not None and b.sent
        ]
        if not answered:
            text = f"the server sent {sent} pings ({', '.join(sorted(shapes)[:2])}); the client answered none of them"
            hypothesis.says("no-ping-answered", 1.0, text, pings)
        elif answered < sent:
            waiting = sum(
                b.waiting is not None for life in clocks.lives if (b := life.traffic.beats.get(("server", "app")))
            )
            if waiting >= 0.7 * len(clocks.lives):
                hypothesis.says(
                    "last-pings-unanswered",
                    1.0,
                    f"{sent - answered} of the server's {sent} pings were not answered",
                    pings,
                )
            else:
                hypothesis.says(
                    "pings-answered", -1.0, f"the client answered {answered} of {sent} pings of the server", pings
                )
        else:
            hypothesis.says("every-ping-answered", -1.0, "the client answered every ping of the server", pings)
        beats = [b for life in clocks.lives if (b := life.traffic.beats.get(("server", "app")))]
        ignored = [float(b.sent - b.answered) for b in beats]
        if spread(ignored) > 1:
            least, most = min(ignored), max(ignored)
            text = f"{least:.0f} to {most:.0f} pings without an answer: no number of them is what ends it"
            hypothesis.says("different-numbers-of-unanswered-pings", -1.0, text, pings)
        if middle(ignored) > MANY:
            hypothesis.says("many-unanswered-pings", -1.0, "")
    elif quiet[1] >= 0.3 and case.mode == "close":
        hypothesis.says(
            "client-silent-and-server-closed",
            1.0,
            "the client was silent before the end, and the server closed with a close frame",
        )
        candidates = candidates[1:2]
        if left_waiting(clocks):
            hypothesis.says(
                "last-message-unanswered", -1.0, "the client's last message got no answer, as earlier ones did"
            )
        silence.weigh(hypothesis, case, "client", quiet[1])
    else:
        return
    weight, text = max(candidates)
    if len(clocks.lives) > 1:
        hypothesis.says("steady-time", weight, text, cites_of(clocks))
    if case.mode == "close":
        hypothesis.says("close-frame-sent", 1.0, "a close frame was sent: the server decided it")
    yield hypothesis


def _no_control_pong(case: Case, clocks: Clocks) -> Iterator[Hypothesis]:
    sent, answered = _beats_by(clocks, "server", "control"), _answered(clocks, "server", "control")
    if not sent:
        return
    pings = [
        Cite(life.conn, b.last_n)
        for life in clocks.lives
        if (b := life.traffic.beats.get(("server", "control"))) is not None and b.sent
    ]
    pinged = len(pings)
    hypothesis = Hypothesis(
        "heartbeat/control-pong-missing", closer="server", trigger=by_time(clocks, ("server", "control"))
    )
    killed = Hypothesis("heartbeat/control-ping-kills", closer="server", trigger=by_time(clocks, ("server", "control")))
    weight, value, words = clocks.of(clocks.ping)
    if answered < sent and answered <= 0.5 * sent:
        hypothesis.says(
            "control-pings-unanswered",
            1.0,
            f"{sent - answered} of {sent} control pings of the server got no pong",
            pings,
        )
    else:
        text = f"the pongs passed here ({answered} of {sent}); if they are lost, then further on"
        hypothesis.says("pongs-passed", -1.0, text, pings)
    if pinged == len(clocks.lives) and len(clocks.lives) > 1:
        others = max(clocks.age[0], clocks.of(clocks.client)[0])
        # Pings at fixed ages make both steady: then the ping is the better explanation, as its sender is the closer.
        hypothesis.says(
            "steady-after-a-control-ping", weight, f"every end came {words} after a control ping of the server", pings
        )
        if _one_ping_each(clocks) and weight > 1.5:
            hypothesis.says("steady-after-the-only-control-ping", 1.0, "it was the first ping of each connection")
        elif answered > len(clocks.lives):
            hypothesis.says("earlier-pings-did-no-harm", -1.0, "earlier pings of the same connection did no harm")
        if weight < others - 1.5:
            hypothesis.says("age-steadier", -1.0, "the age is steadier")
        if value < 0.06:
            killed.says(
                "steady-after-a-control-ping", weight + 1.0, f"every end came {words} after a control ping", pings
            )
            yield killed
        if value < 0.02:
            hypothesis.says("no-time-for-a-pong", -1.0, "no time was left for a pong")
    elif pinged < 0.7 * len(clocks.lives):
        hypothesis.says(
            "not-all-were-pinged", -1.0, f"only {pinged} of {len(clocks.lives)} connections saw a control ping"
        )
    if case.mode == "abrupt" and case.stack.server == "aiohttp":
        hypothesis.says(
            "library-cuts-so-for-a-missing-pong",
            1.0,
            "aiohttp cuts a connection without a close frame when a pong is missing",
        )
    if case.mode == "close" and case.code not in (1000, 1001, 1011, None):
        hypothesis.says(
            "close-code-not-of-a-missing-pong", -1.0, f"close code {case.code} is not what a missed pong is closed with"
        )
    yield hypothesis


def _no_hello(case: Case, clocks: Clocks) -> Iterator[Hypothesis]:
    silent = [life for life in clocks.lives if not life.traffic.client.messages]
    if len(silent) < 0.7 * len(clocks.lives):
        return
    hypothesis = Hypothesis("message/init-missing", closer="server", trigger=by_time(clocks))
    hypothesis.says("client-said-nothing", 1.0, "the client sent no message at all", cites_of(clocks))
    if len(clocks.lives) > 1:
        hypothesis.says("steady-age", clocks.age[0], f"every connection got {clocks.age[2]} old")
    if middle(clocks.open) < 1.0:
        hypothesis.says("too-soon-for-a-deadline", -1.0, "hardly a time that a server would wait")
    hypothesis.says(
        "close-frame-sent",
        1.0 if case.mode == "close" else -1.0,
        "a close frame was sent" if case.mode == "close" else "",
    )
    others = [life for life in case.others if life.open_since is not None and life.lasted > 1.5 * middle(clocks.open)]
    if others and all(life.traffic.client.messages for life in others):
        hypothesis.says(
            "those-who-spoke-stayed-open",
            1.0,
            "connections on which the client spoke stayed open longer",
            [cite(life) for life in others],
        )
    yield hypothesis


def _race(case: Case, clocks: Clocks) -> Iterator[Hypothesis]:
    """Heartbeats whose interval is the other side's patience."""
    periods, ends = [], []
    for life in clocks.lives:
        beats = life.traffic.beats.get(("client", "app")) or life.traffic.beats.get(("client", "control"))
        if beats is not None and beats.sent >= 2:
            periods.append(beats.period)
            ends.append(life.since(beats.last))
    if len(periods) < max(1, 0.6 * len(clocks.lives)):
        return
    period, end = middle(periods), middle(ends)
    if period < 0.3 or not near(end, period, 0.12):
        return
    hypothesis = Hypothesis("heartbeat/interval-race", closer="server", trigger=by_time(clocks))
    due = f"just when the next was due ({duration(period)})"
    text = f"the end came {duration(end)} after the client's last heartbeat, {due}"
    hypothesis.says(
        "ended-when-the-next-heartbeat-was-due",
        1.0 + 0.3 * max(steadiness(ends), 0.0),
        text,
        cites_of(clocks, "client"),
    )
    yield hypothesis
