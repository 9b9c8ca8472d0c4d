"""What a protocol begins with: known where the connection shows which it is, and tried for a client that lacks it."""

from __future__ import annotations

import pytest

from hangup.experiment.ladder import Rung
from hangup.experiment.server_side import RUNGS
from hangup.experiment.trial import Case
from hangup.filters.library.inject import Inject
from hangup.filters.text import parse
from hangup.messages.kind import kind_of
from hangup.messages.openings import GRAPHQL, SOCKET_IO, STOMP, opening
from hangup.wire.frames import TEXT

OPEN = b'0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'


def kind(payload: bytes) -> str:
    return kind_of(TEXT, payload).text


@pytest.mark.parametrize(
    ("subprotocol", "client", "server", "needed"),
    [
        ("", [b"3", b"3"], OPEN, SOCKET_IO),
        ("", [b"40", b"3"], OPEN, None),
        ("", [b"40/admin,", b"3"], OPEN, None),
        ("graphql-transport-ws", [b'{"id":"1","type":"subscribe","payload":{"query":"{ a }"}}'], b"", GRAPHQL),
        ("graphql-transport-ws", [GRAPHQL], b"", None),
        ("v12.stomp", [b"SUBSCRIBE\nid:0\ndestination:/a\n\n\0"], b"", STOMP),
        ("v12.stomp", [STOMP], b"", None),
        ("", [b'{"type":"hello"}'], b'{"type":"welcome"}', None),
        ("chat", [], b"", None),
    ],
)
def test_what_is_missing(subprotocol: str, client: list[bytes], server: bytes, needed: bytes | None) -> None:
    assert opening(subprotocol, map(kind, client), kind(server)) == needed


@pytest.mark.parametrize("needed", [GRAPHQL, SOCKET_IO, STOMP])
def test_it_is_sent_by_a_filter_that_a_person_can_repeat(needed: bytes) -> None:
    rung: Rung = next(rung for rung in RUNGS if rung.name == "opening")
    trial = rung.make(Case([], 3.0, opening=needed))
    assert trial is not None
    (text,) = trial.filters
    made = parse(text)
    assert isinstance(made, Inject) and (made.send, str(made)) == (needed, text)
    assert rung.make(Case([], 3.0)) is None
