"""Which connection of a recording is studied."""

from __future__ import annotations

from conversing import Talk
from hangup.experiment.reading import read_case
from test_sequences import say
from test_transcript import InMemory
from test_varying import UPGRADED


def crashed(speaker: int, *, together: bool = True) -> Talk:
    """Three tabs of one backend; what one of them says ends them all, or each at a time of its own."""
    talk = Talk()
    for round_ in range(2):
        conns = [3 * round_ + n for n in (1, 2, 3)]
        for conn in conns:
            talk.open(conn, headers=UPGRADED)
            talk.say(conn, "client", "text", say("hello", name="ann").encode())
            talk.wait(300_000)
        talk.say(conns[speaker], "client", "text", say("export", rows=9).encode())
        for conn in conns:
            talk.wait(1_000 if together else 400_000)
            talk.end(conn, "server", "rst")
        talk.wait(500_000)
    return talk


def test_of_those_that_ended_together_the_one_that_spoke_last() -> None:
    for speaker in range(3):
        case = read_case(InMemory(crashed(speaker).stop()))
        assert [frame.kind for frame in case.case.frames] == ["hello", "export"], speaker
        assert case.transcript.conn == 4 + speaker


def test_those_that_ended_each_by_itself_are_studied_by_themselves() -> None:
    assert read_case(InMemory(crashed(0, together=False).stop())).transcript.conn == 6
