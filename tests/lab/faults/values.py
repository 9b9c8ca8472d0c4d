"""Messages of which one has a value, a form or a moment that the server's code did not think of."""

from __future__ import annotations

from lab.app import App
from lab.faults.words import STATE
from lab.table import fault

FORMS_OF_VALUES = {
    "at": (["2026-12-01T08:00:«n».25Z", "2026-12-01T09:01:«n».5Z"], "2026-12-01T08:00:07Z", r"\d\d:\d\d:\d\dZ"),
    "price": (["«#f»", "«#n»"], "1,204.50", r"\d,\d"),
    "day": (["2026-11-0«n»", "2026-10-1«n»"], "01/12/2026", r"\d/\d"),
    "ref": (["ord-«n»-a", "ord-«n»-b"], "ORD 17/B", "ORD "),
    "who": (["ann«n»", "bo«n»"], "zoë «n»", "zo"),
    "size": (["«#n»", "«#n»"], "«n»px", r"\dpx"),
    "flags": ([["a"], ["a", "b"]], [], r"\[\]"),
}
"""A field with its usual values, one in another form, and a pattern that only that one fits."""


@fault(
    "message/schema",
    "server",
    "message",
    "application",
    forms=("flat", "nested", "jsonrpc", "array"),
    property="a value in another form",
    seconds=12.0,
    also=("server-handler/crash-on-message",),
)
def value_in_another_form(app: App) -> None:
    """Now and then a value is written in another way: a time without its fraction, a number with a comma."""
    app.ordinary()
    field = app.rng.choice(sorted(FORMS_OF_VALUES))
    usual, odd, pattern = FORMS_OF_VALUES[field]
    app.client["timers"] = [t for t in app.client["timers"] if t["do"] != [["send", app.style.say("more")]]]
    for n, value in enumerate(usual):
        every = app.t(0.25, 0.6)
        step = ["send", app.style.say("more", **{field: value})]
        app.client["timers"].append({"first": 0.1 + 0.1 * n, "every": every, "do": [step]})
    app.client["timers"].append({"first": app.t(1, 2.2), "do": [["send", app.style.say("more", **{field: odd})]]})
    app.rule({**app.style.when("more"), "re": f'"{field}": ?.{{0,22}}{pattern}'}, app.crash(error="ValueError"))


@fault(
    STATE,
    "server",
    "message",
    "application",
    forms=("flat", "nested"),
    property="order",
    seconds=13.0,
    also=("message/wrong-opcode", "server-handler/crash-on-message"),
)
def text_between_the_parts_of_an_upload(app: App) -> None:
    """While bytes are received, a text that the client's timer sends is read as bytes; before and after it is not."""
    app.greet()
    parts = [
        step
        for _ in range(app.rng.randint(3, 6))
        for step in (["send", {"hex": "0badcafe", "more": app.rng.randint(20, 300)}], ["sleep", app.t(0.02, 0.08)])
    ]
    every = app.t(0.3, 0.7)
    upload = [["send", app.style.say("begin")], *parts, ["send", app.style.say("ask")]]
    app.client["timers"] += [
        {"first": every, "every": every, "jitter": 0.3, "do": [["send", app.style.say("say")]]},
        {"first": app.t(0.2, 0.4), "every": app.t(0.9, 1.6), "times": 1, "do": upload},
        {"first": app.t(1.2, 2), "every": 1.5, "do": [*upload[:4], ["send", app.style.say("say")], *upload[4:]]},
    ]
    app.rule(app.style.when("say"), [["send", app.style.say("ack")]])
    app.rule(app.style.when("ask"), [["unset", "receiving"], ["send", app.style.say("answer")]])
    app.rule({**app.style.when("say"), "flag": "receiving"}, [["raise", "KeyError", "bytes"]])
    app.rule(app.style.when("begin"), [["set", "receiving", True], ["send", app.style.say("welcome")]])


@fault(
    STATE,
    "server",
    "message",
    "application",
    property="order",
    seconds=13.0,
    also=("server-handler/crash-on-message", "message/schema"),
)
def takes_back_what_is_done(app: App) -> None:
    """A request is taken back that has been answered already; one that is still open may be."""
    app.greet()
    asks = app.t(0.5, 0.9)
    slow = asks * app.rng.uniform(0.25, 0.4)
    ask, back = ["send", app.style.say("ask")], ["send", app.style.say("x", name="cancel")]
    app.client["timers"] += [
        {"first": 0.2, "every": asks, "times": 2, "jitter": 0.02, "do": [ask, ["sleep", slow * 0.3], back]},
        {"first": asks * 2.6, "do": [ask, ["sleep", slow * 2], back]},
    ]
    answer = [["send", app.style.say("answer")], ["unset", "asked"]]
    app.rule({"re": app.style.re("x", name="cancel"), "no_flag": "asked"}, app.crash(error="KeyError"))
    app.server["on"].append({"if": {"re": app.style.re("x", name="cancel")}, "do": [["unset", "asked"]]})
    app.rule(
        app.style.when("ask"),
        [["set", "asked", True], ["after", slow, [["when", {"flag": "asked"}, answer]]]],
    )
