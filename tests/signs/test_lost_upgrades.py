"""Upgrades that were lost on the way: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

import pytest

from hangup.diagnosis.signs import lost_upgrades
from layouts import Headers, Tape
from signs_seen import Lay, said_and_silent, says

WERKZEUG = "The browser (or proxy) sent a request that this server could not understand."


def turned_down(text: str, status: int = 400, upgrade: bool = True, response: Headers | None = None) -> Lay:
    def lay(tape: Tape) -> None:
        for n in range(3):
            tape.open(0.5 + n, status=status, text=text, response=response)
            if not upgrade:
                tape.events[-1].request.headers[:] = [("Host", "localhost")]  # type: ignore[attr-defined]

    return lay


def switched(*problems: str) -> Lay:
    return lambda tape: tape.loop(lambda line, n: line.end("client", after=0.01), problems=problems, count=3)


COMPLAINTS = (
    'Can "Upgrade" only to "WebSocket".',
    "No WebSocket UPGRADE hdr: None\n Can \"Upgrade\" only to \"WebSocket\".",
    "Failed to open a WebSocket connection: missing Upgrade header.\n\nYou cannot access a WebSocket server directly",
    "Invalid Upgrade header",
    "Bad Request\nwebsocket: the client is not using the websocket protocol: 'upgrade' token not found",
    "Connection header did not include 'upgrade'",
    "WebSocket upgrade is expected",
    "Upgrade Required",
    '"Connection" must be "Upgrade".',
    "not a websocket request",
)  # fmt: skip

SPEAKS: dict[str, Lay] = {
    "server-misses-the-upgrade": turned_down(COMPLAINTS[0]),
    "upgrade-missing-in-the-answer": switched("upgrade", "connection"),
}

SILENT: dict[str, list[Lay]] = {
    "server-misses-the-upgrade": [
        turned_down(WERKZEUG), turned_down(COMPLAINTS[0], upgrade=False), turned_down("", 426),
        turned_down("Failed to open a WebSocket connection: invalid Sec-WebSocket-Version header: 6.\n"),
        turned_down("Upgrade Required", 426, response=[("Sec-WebSocket-Version", "13, 8")]),
        turned_down('{"detail":"Not Found"}', 404), turned_down("Please upgrade your plan to connect", 403),
        turned_down("<title>Upgrade your browser</title>", 200), turned_down("no connection to the database", 503),
        turned_down("Origin not allowed for this WebSocket", 403),
    ],
    "upgrade-missing-in-the-answer": [switched(), switched("accept-key"), switched("subprotocol-not-echoed")],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(lost_upgrades, SPEAKS, SILENT)


@pytest.mark.parametrize("text", COMPLAINTS)
def test_what_servers_say(text: str) -> None:
    assert says("server-misses-the-upgrade", turned_down(text, 426))


def test_nothing_is_said_of_a_file_without_headers() -> None:
    assert not says("server-misses-the-upgrade", turned_down(COMPLAINTS[0]), ["headers"])
