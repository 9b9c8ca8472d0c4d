"""What of a handshake an experiment can change: its credentials, and what connections that lived had."""

from __future__ import annotations

import pytest

from conversing import Talk
from hangup.experiment.handshakes import CREDENTIALS, credentials, donated
from hangup.experiment.reading import read_case
from hangup.filters.text import parse
from hangup.recording.events import Request
from test_transcript import InMemory


@pytest.mark.parametrize(
    ("target", "headers", "filters"),
    [
        ("/ws?token=abc&room=1", [], [("query token", "query token hangup-wrong")]),
        ("/ws?token=%5Bredacted-1%5D", [], [("query token", "query token hangup-wrong")]),
        (
            "/ws",
            [("Cookie", "a=1; b=2")],
            [("strip-header Cookie", "set-header Cookie 'a=hangup-wrong; b=hangup-wrong'")],
        ),
        (
            "/ws",
            [("authorization", "Bearer xyz")],
            [("strip-header authorization", "set-header authorization 'Bearer hangup-wrong'")],
        ),
        ("/ws?room=1", [("Origin", "http://localhost")], []),
        ("/ws?", [("Cookie", "")], []),
        ("/ws", [("Cookie", "a\x00=1")], []),
    ],
)
def test_credentials(target: str, headers: list[tuple[str, str]], filters: list[tuple[str, str]]) -> None:
    found = credentials(Request(target=target, headers=headers))
    assert [(c.remove, c.falsify) for c in found] == filters
    for credential in found:
        assert str(parse(credential.remove)) == credential.remove
        assert str(parse(credential.falsify)) == credential.falsify


def test_what_others_had_that_lived() -> None:
    mine = Request(target="/ws/ws?token=old&v=1", headers=[("Origin", "http://127.0.0.1"), ("Cookie", "s=1")])
    theirs = Request(target="/ws?token=new&v=2", headers=[("Origin", "http://localhost"), ("Cookie", "s=1")])
    found = {d.filter: d.verdicts for d in donated(mine, [(3, theirs), (4, mine)], refused=True)}
    assert found == {
        "path /ws": ("handshake/path",),
        "query token new": CREDENTIALS,
        "query v 2": ("handshake/parameter",),
        "origin http://localhost": ("handshake/origin",),
    }
    # One that was let in has a path and parameters of its own, and so have its siblings.
    assert [d.filter for d in donated(mine, [(3, theirs)], refused=False)] == [
        "query token new",
        "origin http://localhost",
    ]


def test_a_recording_with_connections_that_lived_gives_their_handshakes() -> None:
    talk = Talk()
    talk.open(1, target="/ws?token=good")
    talk.say(1, "client", "text", b"{}")
    talk.wait(2_000_000)
    talk.say(1, "server", "text", b"{}")
    for conn in (2, 3):
        talk.open(conn, target="/ws?token=stale", headers=[("Origin", "http://a")])
        talk.wait(5_000)
        talk.close(conn, "server", 4401)
        talk.end(conn, "client", "fin")
    reading = read_case(InMemory(talk.stop()))
    assert [c.parameter for c in reading.case.credentials] == ["token"]
    assert [(d.filter, d.verdicts) for d in reading.case.donated] == [("query token good", CREDENTIALS)]
    assert "connection 1" in reading.case.donated[0].title
