"""Ends that clients got over: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from hangup.diagnosis.signs import got_over
from hangup.recording.events import Side
from layouts import Line, Tape, greet
from signs_seen import Lay, lossy, said_and_silent, says


def end(line: Line, side: Side, code: int | None) -> Line:
    return line.end(side) if code is None else line.close(side, code)


def over(
    before: float = 3.0, stays: float = 9.0, ends: int = 1, side: Side = "server", code: int | None = 1012,
    clients: int = 1, lost: int = 0, refused: int = 0, unreachable: str = "", spoken: bool = True,
) -> Lay:  # fmt: skip
    """A client loses as many connections, and has one that stays; ``lost`` clients do not come back."""

    def lay(tape: Tape) -> None:
        for client in range(clients):
            at, path = 0.5 + 0.01 * client, f"/{'abcdef'[client]}"
            for _ in range(ends):
                line = tape.open(at, path)
                line = end((greet(line) if spoken else line).wait(before), side, code)
                at = line.at + 0.3
            if client >= clients - lost:
                continue
            for _ in range(refused):
                tape.open(at, path, status=503)
                at += 0.5
            line = tape.open(at, path)
            (greet(line) if spoken else line).wait(stays).server("news")
        if unreachable:
            tape.open(5.0, unreachable, error="connection refused")

    return lay


def fine(client: bool = True, server: bool = True) -> Lay:
    def lay(tape: Tape) -> None:
        line = tape.open(0.5)
        if client:
            line.client("hello", 0.1)
        if server:
            line.server("hello", 0.1)
        line.ping("server", 4.0).pong("client")

    return lay


def failing(tape: Tape) -> None:
    """All end so, again and again."""
    tape.loop(lambda line, n: greet(line).wait(3.0).close("server", 1012))


def left_once(code: int = 1012, side: Side = "server", waves: int = 1) -> Lay:
    """Ends of some connections, and the recording is over."""

    def lay(tape: Tape) -> None:
        for n in range(2 * waves):
            greet(tape.open(0.5, f"/{'abcdef'[n]}")).wait(4.0 + 3.0 * (n // 2)).close(side, code)

    return lay


SPEAKS: dict[str, Lay] = {
    "ended-once-and-the-next-stayed": over(),
    "got-over": over(),
    "longer-than-the-one-before": over(),
    "too-soon-to-tell": over(stays=1.0),
    "client-gave-up-a-new-connection": over(0.1, side="client", code=4000),
    "messages-in-both-directions": fine(),
    "no-messages-in-both-directions": fine(client=False),
    "coming-back-not-recorded": left_once(),
}
SILENT: dict[str, list[Lay]] = {
    "ended-once-and-the-next-stayed": [
        failing, over(ends=2), over(clients=3, lost=1), over(unreachable="/z"), fine(), left_once(),
    ],
    "got-over": [
        over(stays=1.0), over(20.0), failing, over(ends=2), over(clients=3, lost=1), over(unreachable="/z"), fine(),
    ],
    "longer-than-the-one-before": [failing, over(ends=2), over(clients=3, lost=1), fine()],
    "too-soon-to-tell": [over(), failing, over(stays=1.0, ends=2), fine()],
    "client-gave-up-a-new-connection": [
        over(0.1), over(side="client", code=4000), over(0.1, side="client", code=4000, ends=3),
    ],
    "messages-in-both-directions": [fine(client=False), fine(server=False), failing, over(spoken=False)],
    "no-messages-in-both-directions": [fine(), lossy(fine(client=False)), failing, over(spoken=False)],
    "coming-back-not-recorded": [
        over(), left_once(1000), left_once(1012, "client"), left_once(waves=2), failing, fine(),
    ],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(got_over, SPEAKS, SILENT)


def test_refusals_of_a_server_that_is_not_ready_are_part_of_the_end() -> None:
    assert says("got-over", over(refused=3))


def test_a_shorter_time_counts_against_it() -> None:
    assert says("longer-than-the-one-before", over(20.0))[0].strength < 0
    assert says("longer-than-the-one-before", over(1.0))[0].strength == 1.0


def test_of_several_the_least_and_the_most_are_told() -> None:
    text = says("longer-than-the-one-before", over(clients=2))[0].text
    assert "at least" in text and "at most" in text
