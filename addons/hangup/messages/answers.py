"""How one side answers the other's heartbeats, learned from those that it did answer: the answer in its own form, with
what it repeats of the ping in the form ``{{field}}``.

A server that sends ``{"op":"hb","seq":7}`` may want ``{"op":"hb_ack","seq":7}``, which nobody can guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from hangup.messages.content import NOTHING, load
from hangup.messages.heartbeats import Beat, recognise

_PLACE = re.compile(rb'"\{\{=([^"{}]{1,64})\}\}"|\{\{([^"{}]{1,64})\}\}')


SHORTEST_ID = 5
"""Characters of an id at least, with a digit among them: what is shorter may be the same by accident."""


class Answered(Struct, frozen=True):
    """``form`` is the pings' (a name of the table of heartbeats), ``template`` what answers them."""

    form: str
    template: bytes


def template(pairs: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The answer to these pings, from pairs of a ping and its answer; None where no one form fits them all."""
    known = list(dict.fromkeys(pairs))
    if not known:
        return None
    ping, answer = known[-1]
    if all(each == answer for _, each in known) and len(known) > 1:
        return answer
    asked, said = load(ping), load(answer)
    if isinstance(asked, dict) and isinstance(said, dict):
        made = _with_places(asked, said, answer)
        if all(fill(made, each) is not None and _same(fill(made, each), said) for each, said in known):
            return made
    return answer if all(each == answer for _, each in known) else None


def _with_places(asked: dict[str, Any], said: dict[str, Any], answer: bytes) -> bytes:
    """The answer with a place for each value that stands in the ping too and is no word of its own."""
    places = {}
    for key, value in said.items():
        source = key if asked.get(key) == value and key in asked else ""
        if not source and type(value) is not bool and value not in (None, "", 0, 1):
            source = next((name for name, other in asked.items() if other == value), "")
        if source and type(value) in (int, float, str) and recognised(value) is None:
            places[key] = "{{=" + source + "}}"
    if not places:
        return answer
    made = msgspec.json.encode({key: places.get(key, value) for key, value in said.items()})
    return _PLACE.sub(lambda found: b"{{" + (found[1] or found[2]) + b"}}", made)


def repeats(question: bytes, said: bytes) -> bool:
    """Whether a message says the same id at its top as another: a text that is long, or a large number."""
    one, other = load(question), load(said)
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    ids = {value for value in one.values() if type(value) in (str, int) and _is_id(value)}
    return any(type(value) in (str, int) and value in ids for value in other.values())


def _is_id(value: str | int) -> bool:
    text = str(value)
    return len(text) >= SHORTEST_ID and any(character.isdigit() for character in text)


def places(answer: bytes) -> list[str]:
    """The fields of the question that a template repeats."""
    return [(found[1] or found[2]).decode(errors="replace") for found in _PLACE.finditer(answer)]


def with_places(answer: bytes, said: bytes) -> bytes:
    """A template's message with the same at each place, whatever the question says."""
    return _PLACE.sub(lambda found: said, answer)


def recognised(value: object) -> Beat | None:
    """Whether a value is itself a heartbeat's word, such as ``ping``."""
    return recognise(1, value.encode()) if type(value) is str else None


def _same(one: bytes | None, other: bytes) -> bool:
    return one == other or (one is not None and load(one) == load(other))


def answer_to_call(value: Any) -> bytes | None:
    """The template of what answers a remote call, in protocols that have such: JSON-RPC 2.0 (an object with ``id`` and
    ``method``) and OCPP-J 1.6 (``[2, id, action, payload]``, answered by ``[3, id, payload]``); None where the value is
    no call."""
    if isinstance(value, dict) and "method" in value and value.get("id") is not None:
        version = f'"jsonrpc":{json.dumps(value["jsonrpc"])},' if "jsonrpc" in value else ""
        return f'{{{version}"id":{{{{id}}}},"result":{{}}}}'.encode()
    if isinstance(value, list) and len(value) == 4 and value[0] == 2 and isinstance(value[1], str):
        return b"[3,{{1}},{}]"
    return None


def fill(answer: bytes, ping: bytes) -> bytes | None:
    """The template's answer to a ping: each ``{{field}}`` is what the ping says there, of an array ``{{1}}`` its second
    element; None where it says nothing."""
    if b"{{" not in answer:
        return answer
    asked = load(ping)
    if isinstance(asked, list):
        asked = {str(place): each for place, each in enumerate(asked)}
    if asked is NOTHING or not isinstance(asked, dict):
        return None
    missing = False

    def value(found: re.Match[bytes]) -> bytes:
        nonlocal missing
        name = (found[1] or found[2]).decode(errors="replace")
        missing = missing or name not in asked
        return msgspec.json.encode(asked.get(name))

    filled = _PLACE.sub(value, answer)
    return None if missing else filled
