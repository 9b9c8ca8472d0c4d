"""Faults that the vocabulary has no word for: the right answer is ``unknown/`` with the parts that can be known."""

from __future__ import annotations

from lab.app import App
from lab.table import GENERIC, fault

ENDED = ((1000, ""), (1008, "policy"), (4000, "closed"), (1011, ""))


def away(app: App) -> list[list[object]]:
    """The server goes without a word that would tell why."""
    if app.maybe(0.4):
        return [["return"]]
    return [["close", *app.rng.choice(ENDED)], ["return"]]


@fault(
    "unknown/",
    "server",
    "event",
    "application",
    seconds=13.0,
    enough=6,
    also=("server-handler/crash-on-own-event", "process/restart", "intermediary/restart"),
)
def all_end_on_the_full_second_third(app: App) -> None:
    """The session of the day is over: everybody is closed at multiples of some seconds on the clock on the wall,
    staggered a little."""
    app.ordinary()
    app.crowd(2, 4, 0.8)
    every = app.t(1.6, 3)
    app.server["timers"].append(
        {
            "first": every,
            "every": every,
            "do": [
                [
                    "everybody",
                    [
                        ["sleep", app.t(0.01, 0.2), 0.9],
                        ["close", 1000, app.rng.choice(["", "session over"])],
                        ["return"],
                    ],
                ]
            ],
        }
    )


@fault("unknown/", "server", "connection", "application", seconds=11.0, enough=6)
def room_is_closed_when_its_host_leaves(app: App) -> None:
    app.ordinary()
    app.crowd(2, 4, 0.3)
    leaving = [{"first": app.t(0.9, 2), "do": [["close", 1000, ""]]}]
    app.tabs[0] |= {
        "script": {
            "timers": [*app.client["timers"], *leaving],
            "open": [*app.client["open"], ["send", app.style.say("begin")]],
        }
    }
    app.server["on"].insert(0, {"if": app.style.when("begin"), "do": [["set", "host", True]]})
    code, reason = app.rng.choice(ENDED)
    app.server["gone"] = [
        [
            "when",
            {"flag": "host"},
            [["everybody", [["sleep", app.t(0.005, 0.1)], ["close", code, reason], ["return"]], True]],
        ]
    ]


@fault(
    "unknown/",
    "server",
    "count",
    "application",
    property="bytes in all",
    seconds=13.0,
    enough=3,
    also=("message/oversize",),
    never=("process/message-count-limit",),
    forms=("flat", "nested", "jsonrpc", "array"),
)
def bytes_in_all_are_limited(app: App) -> None:
    """Not one message's size, nor their number: their bytes since the opening."""
    app.greet()
    for _ in range(3):
        app.client["timers"].append(
            {
                "first": app.t(0.1, 0.5),
                "every": app.t(0.25, 0.7),
                "do": [["send", app.style.say("say", pad=app.rng.randint(5, 400))]],
                "jitter": 0.5,
            }
        )
    app.rule({"volume": app.rng.randint(1500, 4000)}, away(app))


@fault(
    "unknown/",
    "server",
    "count",
    "application",
    property="bytes sent by the server",
    seconds=13.0,
    enough=3,
    forms=("flat", "nested", "jsonrpc", "array"),
    also=("intermediary/lifetime-cap", "process/worker-timeout", "client-lifecycle/slow-consumer"),
)
def server_sends_so_many_bytes_and_no_more(app: App) -> None:
    app.greet()
    for _ in range(2):
        every = app.t(0.2, 0.5)
        app.server["timers"].append(
            {
                "first": every,
                "every": every,
                "do": [["send", app.style.say("event", pad=app.rng.randint(5, 300))]],
                "jitter": 0.6,
            }
        )
    app.server["timers"].append(
        {"first": 0.1, "every": 0.05, "if": {"sent": app.rng.randint(1200, 2500)}, "do": away(app)}
    )


@fault(
    "unknown/",
    "server",
    "message",
    "application",
    property="equal to the one before",
    seconds=12.0,
    also=("server-handler/crash-on-message", "message/out-of-state"),
)
def the_same_twice_in_a_row(app: App) -> None:
    """A message that is byte for byte the one before ends it; each of them alone is fine."""
    app.greet()
    app.chatter(app.t(0.3, 0.6), roles=("say",))
    same = {"text": '{"type":"focus","on":true}'} if app.style.is_json else {"hex": "0a0b0c0d"}
    app.client["timers"].append(
        {"first": app.t(0.5, 0.9), "every": app.t(0.5, 0.9), "jitter": 0.4, "do": [["send", same]]}
    )
    app.client["timers"].append({"first": app.t(1.2, 2.2), "do": [["send", same], ["send", same]]})
    app.rule({"again": True}, away(app))


@fault(
    "unknown/",
    "server",
    "message",
    "application",
    property="comes too soon after another",
    seconds=12.0,
    also=("process/message-rate-limit", "server-handler/crash-on-message"),
)
def answers_too_fast_to_be_human(app: App) -> None:
    """The server takes a message within some milliseconds of the last one for a robot's."""
    app.greet(hello=False)
    app.chatter(app.t(0.4, 0.8), roles=("say",), answered=False)
    app.client["timers"].append(
        {
            "first": app.t(1, 2),
            "do": [["send", app.style.say("ask")], ["sleep", 0.004], ["send", app.style.say("more")]],
        }
    )
    app.rule({"hurry": 0.03, **app.style.when("more")}, away(app))


@fault(
    "unknown/",
    "server",
    "message",
    "application",
    property="a value against the clock",
    forms=("flat", "nested"),
    seconds=11.0,
    also=("message/schema", "server-handler/crash-on-message"),
)
def its_time_stamp_is_too_old(app: App) -> None:
    """A message that was queued on the client for long: its own time is far from the server's."""
    app.ordinary()
    app.client["timers"].append(
        {"first": app.t(0.2, 0.5), "every": app.t(0.3, 0.6), "do": [["send", app.style.say("more", sent_at="«#t»")]]}
    )
    app.client["timers"].append(
        {
            "first": app.t(0.8, 2),
            "do": [["send", app.style.say("more", sent_at=1_700_000_000_000 + app.rng.randrange(10**9))]],
        }
    )
    app.rule({"re": '"sent_at": ?1700'}, away(app))


@fault(
    "unknown/",
    "client",
    "message",
    "client",
    property="a value",
    forms=("flat", "nested"),
    seconds=12.0,
    also=("client-lifecycle/throws-on-frame", "client-lifecycle/effect-churn", "client-lifecycle/done"),
)
def leaves_when_a_number_is_too_high(app: App) -> None:
    """The client moves to another server when this one says that its queue is long; it reconnects here all the same."""
    app.greet()
    app.server["timers"].append(
        {"first": 0.2, "every": app.t(0.2, 0.5), "do": [["send", app.style.say("news", load=0.4)]]}
    )
    app.server["timers"].append(
        {"first": app.t(0.9, 2), "every": 2, "do": [["send", app.style.say("news", load=app.rng.uniform(3, 9))]]}
    )
    app.client["on"].insert(0, {"if": {"re": '"load": ?[1-9]'}, "do": [["sleep", app.t(0.01, 0.4)], *app.leave()]})


@fault("unknown/", "server", "connection", "application", seconds=11.0, enough=6)
def logged_out_in_another_tab(app: App) -> None:
    """A message on one connection ends all others of the user, not its own."""
    app.ordinary()
    app.crowd(3, 4, 0.3)
    app.tabs[0] |= {
        "script": {
            "timers": [
                *app.client["timers"],
                {"first": app.t(0.9, 1.8), "every": app.t(1.2, 2), "do": [["send", app.style.say("begin")]]},
            ]
        }
    }
    code, reason = app.rng.choice(ENDED)
    app.rule(
        app.style.when("begin"),
        [
            ["everybody", [["sleep", 0.02, 0.5], ["close", code, reason], ["return"]], True],
            ["send", app.style.say("ack")],
        ],
    )


@fault(
    "unknown/",
    "server",
    "none",
    "application",
    seconds=11.0,
    also=("server-handler/returns-immediately", "intermediary/non-sticky", "process/crash"),
    enough=4,
)
def every_third_connection_ends_at_once(app: App) -> None:
    """One of three workers is broken; the others keep their connections for as long as the client wants."""
    app.ordinary()
    app.client["timers"].append({"first": app.t(0.5, 1), "do": [["close", 1000, ""]]})
    app.delay = app.t(0.1, 0.3)
    app.server["open"] = [["when", {"every": 3}, [["sleep", app.t(0.001, 0.05)], *away(app)]], *app.server["open"]]
    app.expected.enough, app.expected.least = 8, 2


@fault("unknown/", "server", "none", "application", seconds=13.0, also=("server-handler/crash-on-message",), enough=5)
def chance_decides(app: App) -> None:
    """Each message may be the last, whichever it is."""
    app.ordinary()
    app.rule({"chance": app.rng.uniform(0.12, 0.3)}, away(app))


@fault(
    "unknown/",
    "client",
    "age",
    "intermediary",
    seconds=14.0,
    enough=3,
    also=("heartbeat/app-pong-missing-from-server", "server-handler/not-reading", "server-handler/blocked"),
)
def everything_stops_silently(app: App) -> None:
    """A middlebox forgets the connection: from then on nothing arrives on either side, and nobody is told."""
    app.greet()
    app.news(app.t(0.2, 0.4))
    app.beat(app.t(0.3, 0.5))
    app.client["deadlines"].append({"for": {}, "within": app.t(1.2, 2), "do": app.leave()})
    app.between = ["hangup", {"kind": "relay", "hold": app.t(0.9, 2)}]


@fault(
    "unknown/",
    "server",
    "none",
    "intermediary",
    statuses=(502, 504),
    needs=("nginx",),
    also=("process/crash", "handshake/never-accepted"),
    stacks=GENERIC,
)
def gateway_finds_no_backend(app: App) -> None:
    app.ordinary()
    app.between = ["hangup", {"kind": "nginx", "no_target": True}]


@fault(
    "unknown/",
    "server",
    "header",
    "application",
    statuses=(403, 400),
    also=("handshake/auth-rejected", "handshake/origin"),
)
def this_kind_of_client_is_not_wanted(app: App) -> None:
    """By the User-Agent: a rule against robots."""
    app.ordinary()
    app.options["headers"]["User-Agent"] = app.rng.choice(
        ["python-requests/2.32", "okhttp/4.12.0", "curl/8.5.0", "Go-http-client/1.1"]
    )
    app.refusals = [
        {
            "if": {"not_header": ["User-Agent", "Mozilla"]},
            "how": "http",
            "status": app.rng.choice([403, 400]),
            "body": "",
        }
    ]


@fault(
    "unknown/",
    "server",
    "message",
    "application",
    property="a word in it",
    forms=("flat", "nested", "array", "text"),
    also=("server-handler/crash-on-message", "message/schema"),
)
def moderation_finds_a_word(app: App) -> None:
    app.ordinary()
    app.client["timers"].append(
        {"first": app.t(0.2, 0.4), "every": app.t(0.3, 0.6), "do": [["send", app.style.say("more", text="«w»")]]}
    )
    app.client["timers"].append(
        {"first": app.t(0.8, 2), "do": [["send", app.style.say("more", text="«w» forbidden-word «w»")]]}
    )
    app.rule({"re": "forbidden-word"}, [["sleep", app.t(0.005, 0.3)], *away(app)])


@fault(
    "unknown/",
    "server",
    "message",
    "application",
    property="order of its kinds",
    also=("server-handler/crash-on-message", "message/out-of-state"),
    seconds=12.0,
)
def two_kinds_in_the_wrong_order(app: App) -> None:
    """``more`` right after ``ask`` ends it; either alone, or the other way round, is fine."""
    app.greet()
    app.chatter(app.t(0.3, 0.5), roles=("say",))
    app.client["timers"].append(
        {
            "first": 0.4,
            "every": app.t(0.7, 1),
            "times": 1,
            "do": [["send", app.style.say("more")], ["sleep", 0.1], ["send", app.style.say("ask")]],
        }
    )
    app.client["timers"].append(
        {
            "first": app.t(1.3, 2.2),
            "every": 1.1,
            "do": [["send", app.style.say("ask")], ["sleep", app.t(0.02, 0.1)], ["send", app.style.say("more")]],
        }
    )
    app.rule({**app.style.when("more"), "flag": "asked"}, away(app))
    app.rule({"not": app.style.when("ask"), "no_flag": "never"}, [["unset", "asked"]], go_on=True)
    app.server["on"].insert(0, app.server["on"].pop(1))
    app.rule(app.style.when("ask"), [["set", "asked", True]], go_on=True)


@fault(
    "unknown/",
    "server",
    "message",
    "library",
    property="two frames in one segment",
    stacks=("raw",),
    libraries=("websockets", "ws", "raw"),
    also=("message/framing", "server-handler/crash-on-message"),
)
def two_frames_in_one_segment(app: App) -> None:
    """A hand-written reader loses what follows the first frame of a read."""
    app.greet()
    app.settings["quirks"] = ["one_per_read"]
    app.settings["deflate"] = app.options["deflate"] = False
    app.chatter(app.t(0.3, 0.6))
    both = b"".join(_masked(app, text) for text in (b'{"a":1}', b'{"a":2}'))
    app.client["timers"].append({"first": app.t(0.7, 1.6), "do": [["raw", both.hex()]]})


def _masked(app: App, data: bytes) -> bytes:
    mask = app.rng.randbytes(4)
    return bytes([0x81, 0x80 | len(data)]) + mask + bytes(b ^ mask[n % 4] for n, b in enumerate(data))
