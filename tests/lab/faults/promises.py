"""What an end has announced, asked for or agreed to, and does not keep; and what does not count as keeping it."""

from __future__ import annotations

import json

from lab.app import App
from lab.faults.heartbeat import over
from lab.table import fault

INTERVALS = ("heartbeat_interval", "heartbeatInterval", "keepalive", "ping_interval", "pingInterval", "interval")


@fault(
    "heartbeat/app-pong-missing-from-client",
    "server",
    "idle",
    "client",
    seconds=14.0,
    enough=3,
    forms=("flat", "nested", "jsonrpc", "array", "codes"),
    property="no heartbeat within the interval that the server announced",
    also=("heartbeat/direction", "heartbeat/interval-race", "message/init-missing"),
)
def announced_interval_is_ignored(app: App) -> None:
    """The server says how often it wants a heartbeat; the client has an interval of its own, or sends none at all."""
    app.ordinary(greet=False, beat=False)
    interval = app.t(0.5, 1.2)
    name = app.rng.choice(INTERVALS)
    number = int(interval * 1000) if not name.startswith(("keepalive", "interval")) else round(interval, 2)
    app.client["open"] = [["send", app.style.say("hello")]]
    app.server["on"].insert(
        0, {"if": app.style.when("hello"), "do": [["send", app.style.say("welcome", **{name: number})]]}
    )
    app.server["on"].append({"if": app.style.when("ping"), "do": [["send", app.style.say("pong")]]})
    if app.maybe(0.5):
        own = interval * app.rng.uniform(3.5, 6)
        app.client["timers"].append({"first": own, "every": own, "do": [["send", app.style.say("ping")]]})
    app.server["deadlines"].append(
        {"for": app.style.when("ping"), "within": interval * app.rng.choice([1.5, 2, 2.5, 3]), "do": over(app)}
    )


@fault(
    "heartbeat/app-pong-missing-from-client",
    "server",
    "idle",
    "client",
    seconds=14.0,
    enough=3,
    forms=("flat",),
    property="OCPP Heartbeat",
    also=("heartbeat/direction", "heartbeat/interval-race", "message/init-missing"),
)
def ocpp_heartbeat_is_not_sent(app: App) -> None:
    """The central system answers BootNotification with an interval; the charge point sends MeterValues and no
    Heartbeat."""
    interval = app.t(0.5, 1.2)
    app.options["protocols"] = app.settings["protocols"] = ["ocpp1.6"]
    calls = {
        "BootNotification": {"chargePointVendor": "«name»", "chargePointModel": "M«n»"},
        "StatusNotification": {"connectorId": 1, "errorCode": "NoError", "status": "Charging"},
        "MeterValues": {"connectorId": 1, "meterValue": [{"sampledValue": [{"value": "«f»"}]}]},
    }
    send = {name: ["send", {"text": json.dumps([2, "«id»", name, body])}] for name, body in calls.items()}
    app.client["open"] = [send["BootNotification"], send["StatusNotification"]]
    every = app.t(0.3, 0.9)
    app.client["timers"] = [{"first": every, "every": every, "jitter": 0.02, "do": [send["MeterValues"]]}]
    app.options["ping_interval"] = app.rng.choice([None, app.t(0.5, 1)])
    accepted = {"status": "Accepted", "currentTime": "2026-12-01T08:00:00Z", "interval": round(interval, 2)}
    answers = {"BootNotification": accepted, "": {}}
    app.server["on"] = [
        {"if": {"re": f'"{name}' if name else "."}, "do": [["send", {"text": json.dumps([3, "«id»", body])}]]}
        for name, body in answers.items()
    ]
    app.server["deadlines"] = [
        {"for": {"re": '"Heartbeat"'}, "within": interval * app.rng.choice([1.5, 2, 3]), "do": over(app)}
    ]


@fault(
    "intermediary/idle-timeout",
    "server",
    "idle",
    "intermediary",
    seconds=16.0,
    enough=3,
    libraries=("websockets", "aiohttp"),
    also=("heartbeat/app-pong-missing-from-client", "heartbeat/interval-race", "server-handler/dependency-timeout"),
)
def control_pings_do_not_count(app: App) -> None:
    """The client keeps the connection alive with PING frames, which are answered; only messages count."""
    app.greet()
    limit = app.t(1.2, 2.5)
    app.options["ping_interval"] = limit * app.rng.uniform(0.25, 0.6)
    first, every = app.t(0.2, 0.8), app.t(0.2, 0.6)
    app.client["timers"] += [
        {"first": first, "every": every, "times": app.rng.randint(1, 4), "do": [["send", app.style.say("say")]]},
        {"first": first + 4 * every + limit * 2, "every": 1, "do": [["send", app.style.say("say")]]},
    ]
    if app.maybe(0.4):
        app.news()
    app.server["deadlines"].append({"for": {}, "within": limit, "do": over(app)})
