"""Nothing is wrong: the connections stay open, or end as they should; with noise that looks like trouble."""

from __future__ import annotations

from typing import Any

from lab.app import JSON_FORMS, App
from lab.faults.words import DONE
from lab.table import fault


def healthy(cause: str = "none/healthy", **more: Any) -> Any:
    """An entry that must not be blamed."""
    other = "none/harmless-errors" if cause == "none/healthy" else "none/healthy"
    also = (other, *more.pop("also", ()))
    return fault(cause, "", "none", "", also=also, **{"seconds": 4.5, "enough": 1000, **more})


@healthy()
def healthy_chat(app: App) -> None:
    app.ordinary(beat=True)
    app.crowd(1, 4)


@healthy()
def healthy_and_silent(app: App) -> None:
    app.greet()
    app.crowd(1, 3)


@healthy()
def healthy_stream(app: App) -> None:
    app.greet()
    app.news(app.t(0.03, 0.15))
    app.news(app.t(0.1, 0.5))


@healthy()
def healthy_many(app: App) -> None:
    app.ordinary()
    app.crowd(8, 30, 0.1)


@healthy()
def healthy_control_pings(app: App) -> None:
    app.ordinary(beat=False)
    app.pulse()
    app.client["timers"].append({"first": 0.4, "every": app.t(0.4, 1), "do": [["ping", "alive"]]})


@healthy("none/harmless-errors")
def healthy_with_errors_in_the_log(app: App) -> None:
    """Every ping makes the server log an error, and no more."""
    app.ordinary(beat=False)
    app.with_log = True
    app.client["timers"].append({"first": 0.4, "every": app.t(0.3, 0.8), "do": [["send", {"text": "ping"}]]})
    app.rule({"re": "^ping$"}, [["log", "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"]])


@healthy("none/harmless-errors")
def healthy_with_error_replies(app: App) -> None:
    """A message is answered by an error, and the connection goes on."""
    app.ordinary()
    every = app.t(0.4, 1)
    app.client["timers"].append({"first": every, "every": every, "do": [["send", app.style.say("ask")]]})
    app.rule(
        app.style.when("ask"),
        [["send", app.style.error(app.rng.choice(["not found", "permission denied", "timeout, try again"]))]],
    )


@healthy("none/harmless-errors")
def healthy_with_unanswered_pings(app: App) -> None:
    app.ordinary(beat=False)
    app.beat(app.t(0.3, 0.7), answered=False)


@healthy(forms=JSON_FORMS)
def healthy_with_text_pings(app: App) -> None:
    app.ordinary(beat=False)
    every = app.t(0.3, 0.9)
    app.client["timers"].append({"first": every, "every": every, "do": [["send", {"text": "ping"}]]})
    app.rule({"re": "^ping$"}, [["send", {"text": "pong"}]])


@healthy(most=60, seconds=6.0, also=(DONE,))
def healthy_page_views(app: App) -> None:
    """People come, look, and leave; each visit is closed by the client."""
    app.ordinary()
    app.crowd(1, 3)
    code = app.rng.choice([1001, 1000, 1005 if app.library == "raw" else 1001])
    app.client["timers"].append({"first": app.t(0.8, 2.2), "jitter": 0.6, "do": [["close", code, ""]]})
    app.delay, app.jitter = app.t(0.6, 1.5), 0.6


@healthy(most=12, seconds=5.0, libraries=("websockets", "ws", "aiohttp"))
def healthy_tabs_come_and_go(app: App) -> None:
    """Several tabs, some of which are closed for good."""
    app.ordinary()
    app.crowd(3, 8)
    for tab in app.tabs[1::2]:
        tab |= {
            "once": True,
            "script": {"timers": [*app.client["timers"], {"first": app.t(0.5, 2.5), "do": [["close", 1001, ""]]}]},
        }


@healthy(most=60, seconds=5.0, also=(DONE,))
def healthy_jobs_finish(app: App) -> None:
    """The server sends its rows, says that it is done, and closes with 1000; another job begins later."""
    app.client["open"] = [["send", app.style.say("hello")], ["sleep", 0.05], ["send", app.style.say("ask")]]
    rows = [
        step
        for _ in range(app.rng.randint(2, 6))
        for step in (["send", app.style.say("event")], ["sleep", app.t(0.05, 0.2)])
    ]
    app.server["on"] = [
        {"if": app.style.when("hello"), "do": [["send", app.style.say("welcome")]]},
        {
            "if": app.style.when("ask"),
            "do": [*rows, ["send", app.style.say("answer", done=True)], ["close", 1000, "done"], ["return"]],
        },
    ]
    app.delay = app.t(1, 2)


@healthy(most=10, seconds=6.0, also=("process/restart",))
def healthy_one_deploy(app: App) -> None:
    """One restart of the server; afterwards all is well."""
    app.ordinary()
    app.crowd(1, 4)
    app.restart_after = app.t(0.2, 0.7)
    app.deploys = {"first": app.t(1, 2), "every": 100}


@healthy(most=8, also=("client-lifecycle/double-mount",))
def healthy_strict_mode(app: App) -> None:
    """The first socket of a page is closed at once by its own effect's clean-up; the second stays."""
    app.ordinary(news=app.maybe(0.5))
    app.client["open"].insert(0, ["when", {"first": True}, [["after", app.t(0.001, 0.03), [["close", 1000, ""]]]]])
    app.delay, app.factor = app.t(0.01, 0.1), 1


@healthy(forms=("flat", "nested", "array"))
def healthy_large_messages(app: App) -> None:
    app.ordinary()
    app.server["timers"].append(
        {
            "first": 0.4,
            "every": app.t(0.5, 1),
            "do": [["send", app.style.say("event", pad=app.rng.choice([3000, 30_000, 120_000]))]],
        }
    )
    app.client["timers"].append(
        {
            "first": 0.6,
            "every": app.t(0.5, 1),
            "do": [["send", app.style.say("say", pad=app.rng.choice([2000, 20_000]))]],
        }
    )


@healthy()
def healthy_mixed_opcodes(app: App) -> None:
    """Text and bytes on one connection, empty messages, odd characters, a second protocol now and then."""
    app.ordinary()
    odd = [
        {"hex": "00ff10"},
        {"text": ""},
        {"text": "♥ é ✓"},
        {"hex": ""},
        {"text": '{"jsonrpc":"2.0","method":"$/cancel"}'},
    ]
    for message in app.rng.sample(odd, 3):
        app.client["timers"].append({"first": app.t(0.2, 1), "every": app.t(0.4, 1.2), "do": [["send", message]]})


@healthy()
def healthy_slow_answers(app: App) -> None:
    app.ordinary()
    every = app.t(0.8, 1.2)
    app.client["timers"].append({"first": 0.3, "every": every, "do": [["send", app.style.say("ask")]]})
    app.rule(app.style.when("ask"), [["sleep", app.t(0.5, 1.4)], ["send", app.style.say("answer")]], beside=True)


@healthy(needs=("nginx",))
def healthy_behind_nginx(app: App) -> None:
    app.ordinary(beat=True)
    app.crowd(1, 3)
    app.between = ["hangup", {"kind": "nginx"}]


@healthy(needs=("haproxy",))
def healthy_behind_haproxy(app: App) -> None:
    app.ordinary(beat=True)
    app.crowd(1, 3)
    app.between = ["hangup", {"kind": "haproxy"}]


@healthy()
def healthy_behind_a_gateway_in_pieces(app: App) -> None:
    """Frames arrive in pieces of some bytes."""
    app.ordinary()
    part = {"kind": "relay", "split": app.rng.choice([1, 3, 7, 40])}
    app.between = [part, "hangup"] if app.maybe(0.5) else ["hangup", part]


@healthy(libraries=("raw",), forms=("flat", "nested", "text"))
def healthy_fragments(app: App) -> None:
    app.ordinary()
    app.options["quirks"] = ["fragments"]


@healthy(most=3, seconds=5.0, also=("process/restart",))
def healthy_refused_once(app: App) -> None:
    """The backend was still starting when the page came."""
    app.ordinary()
    app.refusals = [
        {"if": {"flag": "never"}, "how": "http", "status": 503},
        {"if": {"before": app.rng.choice([1, 2])}, "how": "http", "status": 503, "body": "starting"},
    ]


@healthy(most=2, libraries=("websockets", "ws", "aiohttp"))
def healthy_network_loss(app: App) -> None:
    """One of several clients vanishes once."""
    app.ordinary()
    app.crowd(2, 4)
    app.tabs[0] |= {
        "script": {
            "timers": [*app.client["timers"], {"first": app.t(0.8, 2), "if": {"first": True}, "do": [["abort"]]}]
        }
    }


@healthy()
def healthy_subprotocol_and_token(app: App) -> None:
    app.ordinary()
    name = app.rng.choice(["chat.v2", "json", "v12.stomp"])
    app.options["protocols"], app.settings["protocols"] = [name], [name]
    app.options["headers"]["Authorization"] = f"Bearer {app.rng.getrandbits(128):032x}"


@healthy("none/harmless-errors")
def healthy_unknown_kinds_are_ignored(app: App) -> None:
    app.ordinary()
    every = app.t(0.4, 0.9)
    app.client["timers"].append(
        {"first": every, "every": every, "do": [["send", app.style.say("x", name="client_metrics", v=3)]]}
    )


@healthy()
def healthy_bursts(app: App) -> None:
    app.ordinary()
    every = app.t(0.7, 1.4)
    app.client["timers"].append(
        {"first": every, "every": every, "do": [["burst", app.style.say("more"), app.rng.randint(5, 40)]]}
    )


@healthy(most=60, seconds=9.0, libraries=("websockets", "ws", "aiohttp"), also=(DONE,))
def healthy_rotation(app: App) -> None:
    """The client moves to a new connection every few seconds: it opens the next one, and then closes the older."""
    app.ordinary()
    app.crowd(2, 2)
    stays = app.t(1.6, 2.4)
    app.tabs[1]["after"] = stays
    app.delay, app.factor, app.jitter = stays, 1, 0.02
    reason = app.rng.choice(["", "moved", "rotated", "replaced by a newer connection of this client"])
    app.client["open"] = [["everybody", [["close", 1000, reason]], True], *app.client["open"]]


@healthy(most=60, seconds=6.0, also=(DONE,))
def healthy_client_that_is_done(app: App) -> None:
    """A client asks what it came for, one question after another, closes, and comes back for the next round; an error
    may be among the answers."""
    app.client["open"] = [["send", app.style.say("hello")], ["send", app.style.say("ask")]]
    left = app.rng.randint(1, 4)
    goes = ["close", 1000, app.rng.choice(["", "", "done", "sync complete", "bye"])]
    app.client["on"] = [
        {"if": {**app.style.when("answer"), "count": left + 2}, "do": [goes]},
        {"if": app.style.when("answer"), "do": [["sleep", app.t(0.01, 0.2)], ["send", app.style.say("ask")]]},
    ]
    answer = [["sleep", app.t(0.005, 0.1)], ["send", app.style.say("answer")]]
    app.server["on"] = [
        {"if": app.style.when("hello"), "do": [["send", app.style.say("welcome")]]},
        {"if": app.style.when("ask"), "do": answer},
    ]
    if app.maybe(0.4):
        app.server["on"][1]["do"] = [["send", app.style.error("not found")], *answer]
        app.client["on"][0]["if"]["count"] = 2 * left + 3
    app.delay = app.t(0.4, 1.5)


@healthy(most=60, seconds=9.0, libraries=("websockets", "ws", "aiohttp"), also=(DONE, "client-lifecycle/double-mount"))
def healthy_pages_by_the_clock(app: App) -> None:
    """A slide show: a page every few seconds, with a connection of its own, which it closes when it goes."""
    app.greet(welcome=True)
    every = app.t(0.2, 0.6)
    app.server["timers"].append({"first": every, "every": every, "do": [["send", app.style.say("event")]], "jitter": 0})
    if app.maybe(0.5):
        asks = app.t(0.6, 1.2)
        app.client["timers"].append({"first": asks, "every": asks, "do": [["send", app.style.say("ask")]], "jitter": 0})
        app.server["on"].append({"if": app.style.when("ask"), "do": [["send", app.style.say("answer")]]})
    leaves = ["close", app.rng.choice([1000, 1000, 1001]), ""]
    app.client["timers"].append({"first": app.t(1.3, 2.6), "jitter": 0.002, "do": [leaves]})
    app.delay, app.factor, app.jitter = app.t(0.02, 1.0), 1, 0.05
