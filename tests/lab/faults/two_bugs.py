"""Two bugs in one program: mend (or cut away) the first and the connection still ends, by another. The label is of
the one that is seen; the other one waits behind it for whoever makes the exchange smaller."""

from __future__ import annotations

from lab.app import App
from lab.table import GENERIC, fault

FIELDED = ("flat", "flat", "nested", "jsonrpc", "array", "codes")


def _behind_it(app: App, steps: list[list[object]]) -> None:
    """Another bug, in how the server handles what comes later."""
    first = app.t(2.5, 4)
    app.client["timers"].append({"first": first, "every": first, "do": [["send", app.style.say("begin")]]})
    app.rule(app.style.when("begin"), steps)


@fault(
    "message/schema",
    "server",
    "message",
    "application",
    property="lacks a field",
    forms=FIELDED,
    kind=6,
    also=("server-handler/crash-on-message",),
)
def field_first_then_a_crash(app: App) -> None:
    app.ordinary()
    field = app.rng.choice(sorted(app.style.fields("more")))
    app.client["timers"].append({"first": 0.3, "every": app.t(0.4, 0.7), "do": [["send", app.style.say("more")]]})
    app.client["timers"].append({"first": app.t(0.8, 1.6), "do": [["send", app.style.say("more", without=field)]]})
    _behind_it(app, [["raise", "KeyError", "x"]])
    app.rule(
        {**app.style.when("more"), "not": {"re": f'"{field}"'}},
        [["close", app.rng.choice([1007, 1003, 4400]), "invalid payload"], ["return"]],
    )


@fault(
    "message/oversize",
    "server",
    "message",
    "library",
    property="size",
    forms=FIELDED,
    kind=6,
    stacks=tuple(s for s in GENERIC if s != "channels"),
    also=("client-lifecycle/poison-replay",),
)
def size_first_then_a_crash(app: App) -> None:
    """Cut short, the message is within the limit and no longer what the handler can read."""
    app.ordinary()
    app.settings["max_size"] = limit = app.rng.choice([2048, 8192])
    big = app.style.say("more", pad=int(limit * app.rng.uniform(1.2, 2)))
    app.client["timers"].append({"first": app.t(0.5, 1.5), "do": [["send", big]]})
    app.rule(
        app.style.when("more", **{"not": {"longer": limit}}), [["sleep", 0.05], ["raise", "ValueError", "incomplete"]]
    )


@fault(
    "message/unknown-type",
    "server",
    "message",
    "application",
    property="unknown kind",
    forms=FIELDED,
    kind=6,
    also=("server-handler/crash-on-message", "message/schema"),
)
def unknown_kind_first_then_a_limit(app: App) -> None:
    app.ordinary(beat=True)
    app.client["timers"].append(
        {"first": app.t(0.5, 1.5), "do": [["send", app.style.say("x", name="presence_sync", v=2)]]}
    )
    app.rule({"count": 25}, [["close", 1008, "quota"], ["return"]])
    app.rule(
        {"re": app.style.re("x", name="presence_sync")},
        [["close", 4000, app.rng.choice(["unknown event", ""])], ["return"]],
    )


@fault(
    "server-handler/crash-on-message",
    "server",
    "message",
    "application",
    property="one kind",
    kind=1,
    also=("message/schema", "message/unknown-type"),
    never=("heartbeat/app-pong-missing-from-server", "heartbeat/control-pong-missing"),
)
def unanswered_pings_are_harmless(app: App) -> None:
    """Pings go unanswered all the time, which nobody minds; a message ends it."""
    app.ordinary(beat=False)
    app.beat(app.t(0.15, 0.3), answered=False)
    app.client["timers"].append({"first": app.t(1, 2), "do": [["send", app.style.say("begin")]]})
    app.rule(app.style.when("begin"), app.crash(codes=((1011, ""),)))


@fault(
    "server-handler/crash-on-message",
    "server",
    "message",
    "application",
    property="one kind",
    kind=2,
    also=("message/schema", "message/unknown-type", "message/wrong-opcode"),
)
def binary_of_no_known_shape(app: App) -> None:
    """What ends it is a message that no filter by name can select."""
    app.ordinary()
    blob = app.rng.randbytes(app.rng.randint(12, 60)).hex()
    app.client["timers"].append(
        {"first": app.t(0.3, 0.9), "every": 0.5, "times": 3, "do": [["send", {"hex": "a1" + blob}]]}
    )
    app.client["timers"].append({"first": app.t(1, 2.2), "do": [["send", {"hex": "c4" + blob}]]})
    app.server["on"].insert(0, {"if": {"binary": True, "re": "^\\xa1"}, "do": []})
    app.rule({"binary": True, "re": "^\\xc4"}, app.crash(codes=((1011, ""), (1007, ""))))
