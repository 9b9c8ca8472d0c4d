"""What an application's messages look like: a theme with its words, an envelope, and the patterns that find them
again."""

from __future__ import annotations

import json
import random
import re
from typing import Any

Fields = dict[str, Any]

ROLES = ("hello", "welcome", "say", "more", "ack", "event", "news", "ask", "answer", "begin")

THEMES: dict[str, dict[str, tuple[str, Fields]]] = {
    "game": {
        "hello": ("join_match", {"match": "«id»", "skin": "«w»"}),
        "welcome": ("match_state", {"tick": "«#n»", "players": ["«name»", "«name»"]}),
        "say": ("move", {"seq": "«#n»", "dx": "«#f»", "dy": 2}),
        "more": ("emote", {"code": "«w»"}),
        "ack": ("moved", {"seq": "«#n»"}),
        "event": ("tick", {"tick": "«#n»", "hp": 98}),
        "news": ("kill_feed", {"by": "«name»", "who": "«name»"}),
        "ask": ("scoreboard", {"page": 1}),
        "answer": ("scores", {"rows": [["«name»", "«#n»"]]}),
        "begin": ("ready", {"loadout": "«w»"}),
    },
    "fleet": {
        "hello": ("register", {"vin": "«id»", "fw": "2.19.4"}),
        "welcome": ("config", {"rate_hz": 4, "geofence": [["«#f»", "«#f»"]]}),
        "say": ("position", {"lat": "«#f»", "lon": "«#f»", "ts": "«#t»"}),
        "more": ("battery", {"soc": "«#f»", "ts": "«#t»"}),
        "ack": ("stored", {"ts": "«#t»"}),
        "event": ("dispatch", {"job": "«id»", "eta": "«#n»"}),
        "news": ("traffic", {"segment": "«w»", "speed": "«#f»"}),
        "ask": ("route", {"to": "«w»"}),
        "answer": ("route_plan", {"legs": [{"to": "«w»", "km": "«#f»"}]}),
        "begin": ("telemetry_on", {"channels": ["can", "gps"]}),
    },
    "ci": {
        "hello": ("attach", {"build": "«id»", "follow": True}),
        "welcome": ("attached", {"build": "«id»", "stage": "compile"}),
        "say": ("seek", {"offset": "«#n»"}),
        "more": ("fold", {"section": "«w»", "open": False}),
        "ack": ("offset", {"at": "«#n»"}),
        "event": ("line", {"no": "«#n»", "out": "«w»"}),
        "news": ("stage", {"name": "«w»", "ok": True}),
        "ask": ("artifacts", {"of": "«id»"}),
        "answer": ("artifact_list", {"files": ["«w».tar"]}),
        "begin": ("tail", {"lines": 200}),
    },
    "auction": {
        "hello": ("enter", {"lot": "«id»", "paddle": "«#n»"}),
        "welcome": ("lot", {"lot": "«id»", "high": "«#f»", "ends": "«#t»"}),
        "say": ("bid", {"lot": "«id»", "amount": "«#f»"}),
        "more": ("watch", {"lot": "«id»"}),
        "ack": ("bid_ok", {"amount": "«#f»"}),
        "event": ("outbid", {"lot": "«id»", "by": "«name»", "amount": "«#f»"}),
        "news": ("clock", {"left": "«#n»"}),
        "ask": ("history", {"lot": "«id»"}),
        "answer": ("bids", {"list": [["«name»", "«#f»"]]}),
        "begin": ("open_paddle", {"limit": "«#f»"}),
    },
    "desk": {
        "hello": ("identify", {"agent": "«name»", "queue": "billing"}),
        "welcome": ("session_ready", {"session": "«id»", "waiting": "«#n»"}),
        "say": ("reply", {"ticket": "«id»", "body": "«w»"}),
        "more": ("note", {"ticket": "«id»", "body": "«w»"}),
        "ack": ("delivered", {"ticket": "«id»"}),
        "event": ("ticket", {"ticket": "«id»", "from": "«name»", "body": "«w»"}),
        "news": ("queue_size", {"waiting": "«#n»"}),
        "ask": ("lookup", {"customer": "«id»"}),
        "answer": ("customer", {"customer": "«id»", "orders": "«#n»"}),
        "begin": ("available", {"slots": 3}),
    },
    "plant": {
        "hello": ("sub", {"tags": ["T«n»", "P«n»"], "deadband": 0.1}),
        "welcome": ("subok", {"tags": 2, "epoch": "«#t»"}),
        "say": ("setpoint", {"tag": "T«n»", "sp": "«#f»"}),
        "more": ("ackalarm", {"alarm": "«id»"}),
        "ack": ("spset", {"tag": "T«n»", "at": "«#t»"}),
        "event": ("sample", {"tag": "T«n»", "v": "«#f»", "q": 192}),
        "news": ("alarm", {"alarm": "«id»", "pri": 2}),
        "ask": ("trend", {"tag": "T«n»", "span": "10m"}),
        "answer": ("trenddata", {"v": ["«#f»", "«#f»", "«#f»"]}),
        "begin": ("control", {"operator": "«name»"}),
    },
    "notebook": {
        "hello": ("kernel_connect", {"kernel": "«id»"}),
        "welcome": ("kernel_info", {"lang": "python", "session": "«id»"}),
        "say": ("execute", {"cell": "«id»", "code": "«w»"}),
        "more": ("complete", {"code": "«w»", "pos": "«#n»"}),
        "ack": ("execute_reply", {"cell": "«id»", "n": "«#n»"}),
        "event": ("stream", {"cell": "«id»", "out": "«w»"}),
        "news": ("kernel_status", {"state": "idle"}),
        "ask": ("inspect", {"name": "«w»"}),
        "answer": ("inspect_reply", {"doc": "«w»"}),
        "begin": ("restore", {"checkpoint": "«id»"}),
    },
    "warehouse": {
        "hello": ("scanner_on", {"scanner": "«id»", "zone": "B4"}),
        "welcome": ("tasks", {"open": "«#n»", "next": "«id»"}),
        "say": ("scan", {"sku": "«id»", "qty": 1}),
        "more": ("move_bin", {"from": "A«n»", "to": "B«n»"}),
        "ack": ("booked", {"sku": "«id»", "stock": "«#n»"}),
        "event": ("pick", {"order": "«id»", "bin": "C«n»"}),
        "news": ("stock", {"sku": "«id»", "qty": "«#n»"}),
        "ask": ("where", {"sku": "«id»"}),
        "answer": ("bins", {"bins": ["C«n»"]}),
        "begin": ("shift_start", {"badge": "«id»"}),
    },
}
"""Eight applications; a role has one message."""

PINGS = [
    ("ping", "pong"),
    ("hb", "hb_ack"),
    ("heartbeat", "heartbeat"),
    ("keepalive", "alive"),
    ("PING", "PONG"),
    ("echo_req", "echo_res"),
    ("noop", "noop"),
    ("syn", "ack"),
    ("are_you_there", "yes"),
]
FORMS = ("flat", "flat", "nested", "jsonrpc", "array", "text", "binary", "codes")
JSON_FORMS = ("flat", "flat", "nested", "jsonrpc", "array", "codes")


class Style:
    """One application's look. ``form`` is the envelope: flat or nested JSON with a type field, JSON-RPC, ``["name",
    {...}]``, numbered codes, text lines, or bytes with a leading number.
    """

    def __init__(self, rng: random.Random, forms: tuple[str, ...] = FORMS) -> None:
        self.rng = rng
        self.form = rng.choice(forms)
        self.theme = rng.choice(sorted(THEMES))
        self.key = rng.choice(["type", "type", "event", "action", "op", "cmd", "kind", "t", "msg", "topic"])
        self.nest = rng.choice(["data", "payload", "params", "d", "body", "args"])
        self.with_id = rng.random() < 0.5
        self.spaced = rng.random() < 0.3
        self.ping, self.pong = rng.choice(PINGS)
        case = rng.choice([str, str, str.upper, _camel, lambda name: name.replace("_", "."), lambda name: "v1/" + name])
        self.names = {role: case(THEMES[self.theme][role][0]) for role in ROLES}
        if self.ping in self.names.values() or self.pong in self.names.values():
            self.ping, self.pong = "ping", "pong"
        self.names |= {"ping": self.ping, "pong": self.pong}
        numbers = rng.sample(range(1, 90), len(self.names))
        self.codes = dict(zip(self.names, numbers, strict=True))

    @property
    def is_json(self) -> bool:
        """Whether messages are JSON texts."""
        return self.form in JSON_FORMS

    def fields(self, role: str) -> Fields:
        """What a role's message carries besides its name."""
        if role in ROLES:
            return dict(THEMES[self.theme][role][1])
        return self.rng.choice([{}, {}, {"ts": "«#t»"}, {"n": "«#n»"}]) if role in ("ping", "pong") else {}

    def say(self, role: str, *, without: str = "", name: str = "", pad: int = 0, **more: Any) -> dict[str, Any]:
        """A message of this role. ``without`` leaves a field out, ``name`` calls it otherwise, ``pad`` adds so many
        bytes."""
        fields = {key: value for key, value in self.fields(role).items() if key != without} | more
        if pad:
            fields["blob"] = "§"
        called = name or self.names.get(role, role)
        code = self.codes.get(role, 99) if not name else 98
        if self.form == "binary":
            return {"hex": f"{code:02x}" + "fefefefe", "more": 3 + len(fields) * 4 + pad}
        message = {"text": self._text(called, code, fields)}
        return message | ({"pad": pad} if pad else {})

    def _text(self, called: str, code: int, fields: Fields) -> str:
        match self.form:
            case "nested":
                whole: Any = {self.key: called, self.nest: fields}
            case "jsonrpc":
                whole = {"jsonrpc": "2.0", "method": called, "params": fields}
                if self.with_id:
                    whole["id"] = "«#n»"
            case "array":
                whole = [called, fields]
            case "codes":
                whole = {self.key: code, self.nest: fields}
            case "text":
                return " ".join([called.upper(), *(_flat(value) for value in fields.values())])
            case _:
                whole = {self.key: called, **fields}
        return json.dumps(whole, ensure_ascii=False, separators=None if self.spaced else (",", ":"))

    def re(self, role: str, name: str = "") -> str:
        """A pattern that fits exactly the messages of this role."""
        called = re.escape(name or self.names.get(role, role))
        code = 98 if name else self.codes.get(role, 99)
        match self.form:
            case "binary":
                return f"^\\x{code:02x}"
            case "jsonrpc":
                return f'"method": ?"{called}"'
            case "array":
                return f'^\\["{called}"'
            case "codes":
                return f'^\\{{"{self.key}": ?{code}\\b'
            case "text":
                return f"^{re.escape((name or self.names.get(role, role)).upper())}(?: |$)"
            case _:
                return f'^\\{{"{self.key}": ?"{called}"'

    def when(self, role: str, **more: Any) -> dict[str, Any]:
        """The condition that a message is of this role."""
        return {"re": self.re(role), **more}

    def error(self, text: str) -> dict[str, Any]:
        """What a server says is wrong."""
        if self.form == "jsonrpc":
            return {"text": json.dumps({"jsonrpc": "2.0", "error": {"code": -32600, "message": text}, "id": None})}
        if self.form in ("flat", "nested", "codes"):
            return {"text": json.dumps(self.rng.choice([{"error": text}, {self.key: "error", "message": text}]))}
        return {"text": f"ERROR {text}"}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _flat(value: Any) -> str:
    return ",".join(map(_flat, value)) if isinstance(value, list) else str(value).replace("#", "")


__all__ = ["FORMS", "JSON_FORMS", "ROLES", "THEMES", "Style"]
