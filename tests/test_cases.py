"""Recordings of small programs that public reports describe (`tests/cases/`): what is right, and what is not sure."""

from __future__ import annotations

from pathlib import Path

import pytest

from hangup.diagnosis.diagnose import diagnose
from hangup.experiment.reading import read_case
from hangup.recording.fates import settle
from hangup.recording.formats import open_recording
from hangup.recording.ledger import Ledger

CASES = Path(__file__).parent / "cases"

EXPECTED: dict[str, tuple[set[str], set[str]]] = {
    # python-websockets/websockets#1522: JSON over 64 KiB meets the client library's receive limit
    "client-receive-limit": ({"message/oversize"}, {"client-lifecycle/throws-on-frame", "message/not-json"}),
    # swoole/swoole-src#195: the Accept does not answer the page's key; a greeting crosses its FIN
    "copied-accept": ({"handshake/accept-key"}, set()),
    # getnamo/SocketIOClient-Unreal#381: `40` is never sent
    "no-namespace": ({"message/init-missing"}, {"server-handler/crash-on-own-event", "process/worker-timeout"}),
    # fastapi/fastapi#2031: every handshake is answered 500; no message was ever sent
    "request-dependency": ({"handshake/never-accepted"}, {"message/schema"}),
    "request-dependency-with-log": ({"handshake/never-accepted"}, {"message/schema"}),
    # tibber/Tibber.SDK.NET PR#12: subscribes again under an id that is still active
    "same-operation-id": (
        {
            "identity/id-collision", "message/out-of-state", "message/schema", "server-handler/crash-on-message",
            "unknown/",
        },
        {"process/message-count-limit"},
    ),
    # pladaria/reconnecting-websocket#183: the client gives up during the handshake, for ever
    "slow-accept": ({"client-lifecycle/connect-deadline"}, set()),
    # genshen/ssh-web-console#7: text in pieces, cut within a character; the client closes 1007
    "text-cut-in-a-character": ({"message/invalid-utf8"}, {"client-lifecycle/effect-churn", "message/framing"}),
    # websockets/ws#1148: one server answers 101, another writes HTTP into the same socket
    "two-upgrade-handlers": ({"intermediary/upgrade-conflict"}, {"server-handler/returns-immediately"}),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_why(name: str) -> None:
    right, never = EXPECTED[name]
    recording = open_recording(str(CASES / f"{name}.jsonl"))
    report = diagnose(recording.header, recording)
    assert report.verdict in right, [(a.verdict, a.confidence) for a in report.alternatives]
    sure = {a.verdict: a.confidence for a in report.alternatives} | {report.verdict: report.confidence}
    assert not {verdict for verdict in never if sure.get(verdict, 0.0) > 0.5}


def test_more_evidence_does_not_make_it_worse() -> None:
    def confidence(name: str) -> float:
        recording = open_recording(str(CASES / f"{name}.jsonl"))
        report = diagnose(recording.header, recording)
        return report.confidence if report.verdict == "handshake/never-accepted" else 0.0

    assert confidence("request-dependency-with-log") >= 0.9 * confidence("request-dependency") > 0.5


def test_a_fin_and_then_a_reset_is_one_end_by_the_server() -> None:
    """The page goes on sending into a closed socket, and the server's host answers with a RST."""
    ledger = Ledger()
    for event in open_recording(str(CASES / "fin-then-rst.jsonl")):
        ledger.feed(event)
    settle(ledger)
    for connection in ledger.connections.values():
        ending = connection.ending
        assert (ending.by, ending.how, ending.half_closed, connection.failed) == ("server", "fin", False, True)
        assert connection.lifetime is not None and 0.2 < connection.lifetime < 0.25
        assert "sent 2 more frames, which the server's host answered with a RST" in ending.sentence
    reading = read_case(open_recording(str(CASES / "fin-then-rst.jsonl")))
    assert (reading.failure.by, reading.failure.how) == ("server", "abrupt")
    assert reading.case.suspect is not None and reading.case.suspect.n == 13
