"""The server's handler ends, or the process does."""

from __future__ import annotations

from lab.app import App
from lab.faults.words import NOT_READING, RATE
from lab.table import PYTHON, fault

INTERNAL = ((1011, "internal error"), (1011, ""), (4500, "server error"), (1000, ""))
SAID_TOO_FAST = ((1008, "rate limit exceeded"), (4029, "too many requests"), (1013, "slow down"), (4008, ""))


@fault("server-handler/returns-immediately", "server", "none", "application")
def returns_after_accept(app: App) -> None:
    app.greet(welcome=False)
    app.chatter()
    greeting = [["send", app.style.say("welcome")]] if app.maybe(0.4) else []
    pause = [["sleep", app.t(0.003, 0.12)]] if app.maybe(0.4) else []
    app.server["open"] = [*greeting, *pause, ["return"]]


@fault(
    "server-handler/returns-immediately", "server", "none", "application", also=("server-handler/crash-on-own-event",)
)
def fails_after_accept(app: App) -> None:
    """The set-up after accept fails: a look-up, a subscription to a queue."""
    app.greet(welcome=False)
    app.chatter()
    app.server["open"] = [["sleep", app.t(0.002, 0.1)], *app.crash(codes=INTERNAL, words="cannot set up the session")]


@fault("server-handler/returns-after-message", "server", "count", "application", property="any message")
def serves_one_message(app: App) -> None:
    app.greet()
    app.chatter(app.t(0.4, 1.0))
    if app.maybe(0.3):
        app.client["open"] = [["sleep", app.t(0.2, 1.2)], *app.client["open"]]
    answer = [["send", app.style.say("answer")]] if app.maybe(0.8) else []
    app.server["on"] = [
        {"if": {}, "do": [*answer, *([["sleep", app.t(0.005, 0.05)]] if app.maybe(0.4) else []), ["return"]]}
    ]


@fault(
    "server-handler/crash-on-message",
    "server",
    "message",
    "application",
    property="one kind",
    also=("message/schema", "message/unknown-type"),
)
def crashes_on_one_kind(app: App) -> None:
    app.ordinary()
    wait = app.t(0.5, 2)
    app.client["timers"].append({"first": wait, "every": wait, "do": [["send", app.style.say("ask")]]})
    lag = [["sleep", app.t(0.003, 0.06)]] if app.maybe(0.4) else []
    app.rule(app.style.when("ask"), [*lag, *app.crash(codes=INTERNAL, words="internal error")])


@fault(
    "server-handler/crash-on-message",
    "server",
    "message",
    "application",
    property="one kind",
    kind=8,
    also=("message/schema", "message/unknown-type"),
)
def crashes_on_one_kind_with_traceback(app: App) -> None:
    """The log has the exception just before each end, and harmless lines that speak of other things."""
    app.ordinary(beat=True)
    app.with_log = True
    wait = app.t(0.5, 2)
    app.client["timers"].append({"first": wait, "every": wait, "do": [["send", app.style.say("begin")]]})
    app.server["timers"].append(
        {"first": 0.3, "every": app.t(0.3, 0.9), "do": [["log", "cache: heartbeat of node 2 is late, timeout in 30 s"]]}
    )
    app.rule(app.style.when("begin"), [["raise", "KeyError", "owner"]])


@fault(
    "server-handler/crash-on-own-event",
    "server",
    "event",
    "application",
    also=("process/restart", "process/crash"),
    never=("server-handler/crash-on-message",),
    enough=6,
)
def own_event_ends_all(app: App) -> None:
    app.ordinary(beat=app.maybe(0.5))
    app.crowd(2, 4, 0.5)
    every = app.t(0.8, 2.2)
    news = [["broadcast", app.style.say("news")]] if app.maybe(0.5) else []
    steps = [*news, ["everybody", [["raise", app.rng.choice(["TypeError", "ValueError"]), "not serializable"]]]]
    app.server["timers"].append({"first": every, "every": every, "do": steps})


@fault(
    "server-handler/dependency-timeout",
    "server",
    "message",
    "application",
    property="one kind, after a wait",
    also=("server-handler/crash-on-message",),
    seconds=14.0,
    enough=3,
)
def upstream_times_out(app: App) -> None:
    app.ordinary(news=app.maybe(0.3))
    wait, limit = app.t(0.4, 1.0), app.t(0.8, 2.4)
    app.client["timers"].append({"first": wait, "do": [["send", app.style.say("ask")]]})
    words = app.rng.choice(["upstream timed out", "read timeout", "query exceeded its deadline"])
    end = app.crash(codes=((1011, words), (1013, words), (4504, "gateway timeout")), words=words, error="TimeoutError")
    app.rule(app.style.when("ask"), [["sleep", limit, 0.01], *end], beside=True)


@fault(
    "server-handler/blocked",
    "client",
    "message",
    "application",
    property="one kind",
    also=("heartbeat/app-pong-missing-from-server",),
    seconds=14.0,
)
def blocks_the_loop(app: App) -> None:
    app.greet()
    app.chatter()
    app.news(app.t(0.15, 0.3))
    app.beat(app.t(0.3, 0.5))
    patience = app.t(0.7, 1.2)
    app.crowd(1, 3)
    app.client["timers"].append({"first": app.t(0.8, 1.6), "do": [["send", app.style.say("ask")]]})
    app.client["deadlines"].append({"for": {}, "within": patience, "do": app.leave()})
    app.rule(
        app.style.when("ask"), [["block", patience * app.rng.uniform(1.6, 2.5)], ["send", app.style.say("answer")]]
    )


@fault(
    "server-handler/concurrent-io",
    "server",
    "message",
    "application",
    stacks=("websockets", "aiohttp"),
    property="the one after another reader began",
    also=("server-handler/crash-on-message",),
)
def two_readers(app: App) -> None:
    app.ordinary()
    app.with_log = app.maybe(0.5)
    app.client["timers"].append({"first": app.t(0.4, 1.5), "do": [["send", app.style.say("begin")]]})
    app.rule(app.style.when("begin"), [["send", app.style.say("answer")], ["read_too"]])


@fault(
    "server-handler/dead-peer-broadcast",
    "server",
    "connection",
    "application",
    kind=5,
    stacks=tuple(s for s in PYTHON if s != "channels"),
    also=("server-handler/crash-on-message",),
    never=("message/schema",),
    seconds=8.0,
    enough=5,
)
def broadcast_to_the_dead(app: App) -> None:
    app.greet(welcome=False)
    app.chatter(app.t(0.25, 0.6), answered=False, roles=("say",))
    app.server["forgetful"] = True
    app.rule(app.style.when("say"), [["broadcast_unsafe", app.style.say("event")]])
    app.crowd(2, 3)
    first = app.t(0.8, 1.6)
    app.tabs[0] |= {
        "once": True,
        "script": {"timers": [{"first": first, "do": [["abort"] if app.maybe(0.5) else ["fin"]]}]},
    }


@fault(
    NOT_READING,
    "client",
    "none",
    "application",
    kind=10,
    stacks=("fastapi", "websockets", "aiohttp", "raw", "ws"),
    also=("server-handler/blocked", "heartbeat/app-pong-missing-from-server"),
)
def never_reads(app: App) -> None:
    app.greet(welcome=False)
    app.server["open"] = [["send", app.style.say("welcome")], ["deaf"]]
    if app.maybe(0.5):
        app.news()
    app.beat(app.t(0.3, 0.8))
    app.client["timers"].append({"first": 0.5, "every": app.t(0.4, 1), "do": [["ping", "x"]]})
    app.client["deadlines"].append({"for": app.style.when("pong"), "within": app.t(1.0, 2), "do": app.leave()})


@fault(
    NOT_READING,
    "client",
    "message",
    "application",
    kind=10,
    stacks=("fastapi", "websockets", "aiohttp", "raw", "ws"),
    also=("server-handler/blocked", "heartbeat/app-pong-missing-from-server"),
    seconds=12.0,
)
def stops_reading_after_a_message(app: App) -> None:
    app.ordinary(beat=True, news=app.maybe(0.5))
    app.client["timers"].append({"first": app.t(0.6, 1.4), "do": [["send", app.style.say("ask")]]})
    app.rule(app.style.when("ask"), [["deaf"]])
    app.client["deadlines"].append({"for": app.style.when("pong"), "within": app.t(1.5, 2.2), "do": app.leave()})


@fault(
    NOT_READING,
    "client",
    "age",
    "application",
    kind=10,
    stacks=("fastapi", "websockets", "aiohttp", "raw", "ws"),
    also=("server-handler/blocked", "heartbeat/app-pong-missing-from-server"),
    seconds=13.0,
)
def only_writes_after_a_while(app: App) -> None:
    """It goes on sending, but its reading task is gone."""
    app.greet()
    app.news(app.t(0.2, 0.5))
    app.beat(app.t(0.3, 0.5))
    app.server["timers"].append({"first": app.t(0.7, 2), "do": [["deaf"]], "jitter": 0.02})
    app.client["deadlines"].append({"for": app.style.when("pong"), "within": app.t(0.9, 1.5), "do": app.leave()})


@fault(
    "process/restart",
    "server",
    "none",
    "process",
    kind=5,
    also=("process/crash", "intermediary/restart"),
    never=("server-handler/crash-on-message",),
    seconds=11.0,
    enough=8,
    least=3,
)
def deployed_again_and_again(app: App) -> None:
    app.ordinary()
    app.crowd(2, 6)
    app.restart_after = app.t(0.2, 0.9)
    app.deploys = {"first": app.t(1.2, 2.5), "every": app.t(1.5, 3)}


@fault(
    "process/crash",
    "server",
    "message",
    "process",
    property="one kind",
    also=("server-handler/crash-on-message",),
    seconds=12.0,
    enough=7,
)
def message_kills_the_process(app: App) -> None:
    app.ordinary()
    app.crowd(2, 4)
    app.restart_after = app.t(0.3, 1)
    for tab in app.tabs[1:]:
        tab["script"] = {"timers": list(app.client["timers"])}
    app.client["timers"] = [*app.client["timers"], {"first": app.t(0.8, 1.8), "do": [["send", app.style.say("ask")]]}]
    app.rule(app.style.when("ask"), [["log", "fatal: out of memory"], ["exit", 1]])


@fault(
    "process/worker-timeout",
    "server",
    "age",
    "process",
    also=("intermediary/lifetime-cap",),
    never=("intermediary/idle-timeout",),
    seconds=13.0,
)
def watchdog_ends_old_ones(app: App) -> None:
    app.ordinary(beat=True)
    app.server["timers"].append(
        {"first": app.t(0.8, 2.8), "jitter": 0.01, "do": app.rng.choice([[["fin"]], [["abort"]]])}
    )


@fault(
    "process/worker-timeout",
    "server",
    "age",
    "process",
    also=("process/restart", "process/crash"),
    seconds=14.0,
    enough=3,
    never=("intermediary/idle-timeout",),
)
def worker_is_killed_by_age(app: App) -> None:
    app.ordinary(beat=True)
    app.restart_after = app.t(0.05, 0.2)
    app.server["timers"].append(
        {"first": app.t(1.2, 2.8), "jitter": 0.01, "do": [["log", "WORKER TIMEOUT"], ["exit", 1]]}
    )


@fault("process/message-count-limit", "server", "count", "application", seconds=12.0, enough=3)
def so_many_messages_and_no_more(app: App) -> None:
    app.greet()
    app.chatter(app.t(0.12, 0.3))
    if app.maybe(0.4):
        app.beat(app.t(0.3, 0.6))
    reason = app.rng.choice(["message limit reached", "session quota", ""])
    code = app.rng.choice([1000, 1008, 4029, 1013])
    steps = app.rng.choice([[["close", code, reason], ["return"]], [["return"]]])
    app.rule({"count": app.rng.randint(4, 12)}, steps)


@fault(
    RATE,
    "server",
    "rate",
    "application",
    kind=11,
    never=("process/message-count-limit", "handshake/limit"),
    seconds=13.0,
    enough=3,
)
def bursts_are_punished(app: App) -> None:
    """Now and then the client sends a burst; the same messages more slowly are fine."""
    app.greet()
    app.chatter(app.t(0.25, 0.5))
    count = app.rng.randint(5, 12)
    first = app.t(0.8, 2)
    app.client["timers"].append({"first": first, "every": first, "do": [["burst", app.style.say("more"), count + 4]]})
    code, reason = app.rng.choice(SAID_TOO_FAST)
    last = [["send", app.style.error("too many messages")]] if app.maybe(0.3) else []
    app.rule({"rate": [count, app.t(0.3, 0.8)]}, [*last, ["close", code, reason], ["return"]])


@fault(
    RATE,
    "server",
    "rate",
    "application",
    kind=11,
    property="one kind",
    never=("process/message-count-limit",),
    also=("server-handler/crash-on-message",),
    seconds=13.0,
)
def one_kind_too_often(app: App) -> None:
    app.greet()
    app.chatter(app.t(0.3, 0.6), roles=("say",))
    every = app.t(0.08, 0.15)
    app.client["timers"].append(
        {"first": app.t(0.6, 1.4), "every": every, "jitter": 0.3, "do": [["send", app.style.say("more")]]}
    )
    code, reason = app.rng.choice(SAID_TOO_FAST)
    app.rule({**app.style.when("more"), "rate": [app.rng.randint(6, 9), 1.0]}, [["close", code, reason], ["return"]])


@fault(
    RATE,
    "server",
    "rate",
    "application",
    kind=11,
    never=("process/message-count-limit", "server-handler/returns-immediately"),
)
def everything_at_once_after_opening(app: App) -> None:
    """The client's first page of subscriptions is more than the server takes within a moment."""
    count = app.rng.randint(5, 14)
    app.client["open"] = [["send", app.style.say("hello")], ["burst", app.style.say("ask"), count + 5]]
    app.chatter(app.t(0.4, 0.8))
    code, reason = app.rng.choice(SAID_TOO_FAST)
    app.rule({"rate": [count, 0.5]}, [["close", code, reason], ["return"]])


@fault(
    "server-handler/crash-on-own-event",
    "server",
    "event",
    "application",
    seconds=12.0,
    enough=4,
    property="an event of another connection",
    also=("unknown/",),
)
def event_of_another_has_no_handler(app: App) -> None:
    """What one client sends is passed to the others' handlers, which do not know it."""
    app.ordinary()
    app.crowd(2, 3, 0.3)
    every = app.t(1.2, 2.2)
    typing = {"first": app.t(0.9, 1.6), "every": every, "do": [["send", app.style.say("begin")]]}
    app.tabs[0]["script"] = {"timers": [*app.client["timers"], typing]}
    app.rule(
        app.style.when("begin"),
        [["everybody", [["raise", "ValueError", "no handler for this event"]], True], ["send", app.style.say("ack")]],
    )
