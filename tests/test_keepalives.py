"""What the clients of protocols say to show that they are there: each is what its protocol calls so."""

from __future__ import annotations

import pytest

from hangup.messages.heartbeats import recognise
from hangup.messages.keepalives import KEEPALIVES, keepalive_of
from hangup.messages.kind import kind_of
from hangup.wire.frames import OPCODE_NUMBERS


@pytest.mark.parametrize("protocol", KEEPALIVES)
def test_each_is_one(protocol: str) -> None:
    opcode, payload = KEEPALIVES[protocol]
    number = OPCODE_NUMBERS[opcode]
    kind, beat = kind_of(number, payload), recognise(number, payload)
    assert beat is not None or (kind.protocol, kind.name) in (("ocpp", "Heartbeat"), ("mqtt", "PINGREQ"))
    assert beat is None or beat.kind == "ping"


def test_of_the_first_protocol_that_has_one() -> None:
    assert keepalive_of(["", "wamp", "ocpp", "stomp"]) == KEEPALIVES["ocpp"]
    assert keepalive_of(["", "wamp"]) is None
