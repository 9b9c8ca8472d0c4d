"""Silences that did no harm: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

import pytest

from hangup.diagnosis.signs import harmless_silences
from hangup.recording.events import Side
from layouts import Line, Tape, greet
from signs_seen import Lay, lossy, said_and_silent, says, seen

NEWS, CHAT = {"type": "news"}, {"type": "chat"}


def dropped(line: Line, silence: float = 4.0) -> Line:
    """It ends after so long a silence of both sides."""
    return line.client(CHAT, 0.1).server(NEWS, 0.01).end("server", after=silence)


def ends(tape: Tape) -> None:
    tape.loop(lambda line, n: dropped(line.tape.talk(greet(line), 2.0)), count=3)


def earlier(silence: float) -> Lay:
    """Each survived such a silence before."""
    return lambda tape: tape.loop(lambda line, n: dropped(greet(line).client(CHAT, silence)), count=3)


def beside(silence: float, path: str = "/ws/1", then: bool = True) -> Lay:
    """Another connection survived it, and went on, or it was open still at the end of the recording."""

    def lay(tape: Tape) -> None:
        line = tape.open(0.1, path)
        greet(line).wait(silence)
        if then:
            line.server(NEWS).close("client", 1000, after=0.1)
        ends(tape)

    return lay


def refilled(silence: float, by: Side, opcode: str = "text") -> Lay:
    """In the silence of one side the other sends something, or there are fragments or pings."""

    def lay(tape: Tape) -> None:
        line = greet(tape.open(0.1))
        for n in range(4):
            if opcode == "ping":
                line.ping(by, silence / 4)
            elif opcode == "fragment":
                line.say(by, "a", silence / 4, fin=False, **({"opcode": "continuation"} if n else {}))
            else:
                line.say(by, NEWS, silence / 4)
        line.say("client", CHAT).say("server", NEWS)
        line.close("client", 1000, after=0.1)
        ends(tape)

    return lay


def left_after_it(tape: Tape) -> None:
    """The longest silence is the one with which another connection was over: it may be what ended it."""
    greet(tape.open(0.1)).end("client", "rst", 20.0)
    ends(tape)


def slow_handshake(tape: Tape) -> None:
    greet(tape.open(0.1, waited=20.0)).close("client", 1000, after=0.1)
    ends(tape)


SPEAKS: dict[str, Lay] = {
    "longer-silence-did-no-harm:steadiest": earlier(9.0),
    "longer-silence-did-no-harm:client": earlier(9.0),
    "longer-silence-did-no-harm:server": refilled(12.0, "client"),
    "such-silence-did-no-harm:steadiest": earlier(4.0),
    "such-silence-did-no-harm:client": earlier(2.5),
    "such-silence-did-no-harm:server": beside(3.0),
}

SILENT: dict[str, list[Lay]] = {
    "longer-silence-did-no-harm": [
        ends, earlier(3.9), lossy(earlier(9.0)), beside(20.0, "/other"), left_after_it, slow_handshake,
    ],
    "longer-silence-did-no-harm:client": [refilled(12.0, "client"), refilled(12.0, "client", "ping")],
    "longer-silence-did-no-harm:server": [
        refilled(12.0, "server"), refilled(12.0, "server", "ping"), refilled(12.0, "server", "fragment"),
    ],
    "longer-silence-did-no-harm:steadiest": [refilled(12.0, "server"), refilled(12.0, "client", "fragment")],
    "such-silence-did-no-harm": [ends, earlier(9.0), earlier(1.0), lossy(earlier(4.0)), beside(4.0, "/other")],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(harmless_silences, SPEAKS, SILENT)


@pytest.mark.parametrize("lacks", ["pings", "times"])
@pytest.mark.parametrize("name", SPEAKS)
def test_nothing_is_said_where_frames_are_not_told(name: str, lacks: str) -> None:
    assert not says(name, SPEAKS[name], [lacks])


def test_one_that_goes_on_counts_as_well() -> None:
    assert says("longer-silence-did-no-harm", beside(60.0, then=False))


def test_how_many_times_as_long_is_measured_up_to_twice() -> None:
    found = [seen(earlier(silence)) for silence in (5.0, 6.0, 40.0)]
    strengths = [each["longer-silence-did-no-harm:steadiest"].strength for each in found]
    assert strengths == pytest.approx([1.25, 1.5, 2.0], abs=0.03)
    text = "a silence of 6.00 s did no harm elsewhere; before the end it was 4.00 s (median)"
    assert found[1]["longer-silence-did-no-harm:steadiest"].text == text


def test_milliseconds_make_no_difference() -> None:
    def lay(tape: Tape) -> None:
        tape.loop(lambda line, n: dropped(greet(line).client(CHAT, 0.14), 0.1), count=3)

    assert not says("longer-silence-did-no-harm:client", lay) and says("such-silence-did-no-harm:client", lay)
