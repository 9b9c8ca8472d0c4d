"""Several ends at once: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from collections.abc import Sequence

from hangup.diagnosis.signs import ends_together
from hangup.recording.events import Frame, Side
from layouts import Line, Tape, greet
from signs_seen import Lay, said_and_silent, says


def end(line: Line, side: Side, code: int | None) -> Line:
    return line.end(side) if code is None else line.close(side, code)


def waves(
    count: int = 2, at_once: int = 3, apart: float = 0.002, side: Side = "server", code: int | None = None,
    down: Sequence[bool] = (), bystander: float = 0.0, tries: float = 1.0,
) -> Lay:  # fmt: skip
    """So many times several end at once. The server may be down afterwards, and one may stay open from a moment on."""

    def lay(tape: Tape) -> None:
        at = 1.0
        for n in range(count):
            lines = [greet(tape.open(at + 0.1 * i, f"/ws/{i + 1}")) for i in range(at_once)]
            crash = at + 6.0 + 1.3 * n
            for i, line in enumerate(lines):
                line.at = crash + apart * i
                end(line, side, code)
            if n < len(down) and down[n]:
                tape.open(crash + tries, "/ws/1", error="connection refused")
            at = crash + tries + 1.0
        if tries < 10:
            for i in range(at_once):
                greet(tape.open(at + 0.1 * i, f"/ws/{i + 1}")).client("still here", 4.0)
        if bystander:
            greet(tape.open(7.0 - bystander, "/other")).wait(bystander + 30.0).client("still here")

    return lay


def one_by_one(code: int | None = None, side: Side = "server", pause: float = 2.0) -> Lay:
    def lay(tape: Tape) -> None:
        tape.delay = pause
        tape.loop(lambda line, n: end(tape.talk(greet(line), 1.0 + n), side, code), count=4)

    return lay


def in_quick_succession(tape: Tape) -> None:
    """One client, whose connections end at once, one after the other."""
    tape.delay = 0.02
    tape.loop(lambda line, n: line.wait(0.03).end("server"), count=8)


def once(code: int | None = None, side: Side = "server") -> Lay:
    return lambda tape: end(tape.talk(greet(tape.open(0.5)), 3.0), side, code)


def just_opened(tape: Tape) -> None:
    """One that was opened a moment before the others ended stays open."""
    waves(1)(tape)
    tape.open(7.0 - 0.1, "/ws/9").wait(20.0).client("still here")


def cut_short(tape: Tape) -> None:
    """The recording ends with what ended together: whether the other one stays open is not known."""
    lines = [greet(tape.open(0.5 + 0.1 * i, f"/ws/{i + 1}")) for i in range(4)]
    for line in lines[:3]:
        line.at = 5.0
        line.end("server")
    tape.done = lambda: sorted(tape.events, key=lambda event: event.at)  # type: ignore[method-assign]


def code_not_kept(tape: Tape) -> None:
    once(4000)(tape)
    for event in tape.events:
        if isinstance(event, Frame) and event.opcode == "close":
            event.length, event.text, event.base64, event.code, event.reason = 9, None, None, None, None


def in_pairs(*spoke: bool, count: int = 4) -> Lay:
    """Two end together, again and again; the client of each had just sent a message, or not."""

    def lay(tape: Tape) -> None:
        for n in range(count):
            at = 1.0 + 6.0 * n
            lines = [tape.talk(greet(tape.open(at + 0.2 * i, f"/ws/user-{i}")), 2.0) for i in range(len(spoke))]
            crash = max(line.at for line in lines) + 0.5
            for line, speaks in zip(lines, spoke, strict=True):
                line.at = crash - 0.005
                if speaks:
                    line.client({"op": "chunk", "i": n})
            for i, line in enumerate(lines):
                line.at = crash + 0.001 * i
                line.end("server")

    return lay


SPEAKS: dict[str, Lay] = {
    "others-ended-with-the-one-that-had-spoken": in_pairs(True, False),
    "several-ended-together": waves(),
    "all-ended-together": waves(),
    "some-stayed-open-when-others-ended": waves(1, bystander=5.0),
    "server-was-gone-afterwards": waves(down=[True, True]),
    "server-accepted-again-at-once": waves(),
    "happened-once": waves(1),
    "server-is-leaving": once(1012),
    "another-close-code": once(4000),
    "close-code-other-than-1011": once(4000),
}
OTHERS = (once(), once(1000, "client"), code_not_kept)
SILENT: dict[str, list[Lay]] = {
    "others-ended-with-the-one-that-had-spoken": [
        waves(), one_by_one(), in_pairs(False, False), in_pairs(True, True), in_pairs(True),
        in_pairs(True, False, count=1),
    ],
    "several-ended-together": [one_by_one(), in_quick_succession, waves(side="client"), waves(apart=0.7)],
    "all-ended-together": [
        one_by_one(), in_quick_succession, waves(1, bystander=5.0), just_opened, waves(side="client"),
    ],
    "some-stayed-open-when-others-ended": [waves(), one_by_one(), waves(1, bystander=-3.0), cut_short],
    "server-was-gone-afterwards": [waves(), waves(1, down=[True], tries=15.0), waves(down=[True], side="client")],
    "server-accepted-again-at-once": [waves(down=[True]), waves(1, tries=15.0), once(), waves(side="client")],
    "happened-once": [waves(), one_by_one(), in_quick_succession, waves(1, side="client")],
    "server-is-leaving": [once(1000), once(1011), once(4000), once(1001, "client"), *OTHERS],
    "another-close-code": [once(1001), once(1012), *OTHERS],
    "close-code-other-than-1011": [once(1011), *OTHERS],
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(ends_together, SPEAKS, SILENT)


def test_a_server_that_was_gone_only_once_counts_less() -> None:
    each, some = (says("server-was-gone-afterwards", waves(down=down))[0].strength for down in ([True, True], [True]))
    assert some < each


def test_how_much_later_it_accepted_is_told() -> None:
    (sign,) = says("server-accepted-again-at-once", waves())
    assert "at most 2.00 s later" in sign.text
