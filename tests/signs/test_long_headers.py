"""Headers that are far longer than those that were served: where it is said, and what looks like it and is not so."""

from __future__ import annotations

from hangup.diagnosis.signs import long_headers
from layouts import Tape, greet
from signs_seen import Lay, said_and_silent, says


def asked(turned_down: int, served: int | None = 40, status: int = 400, path: str = "/ws/1") -> Lay:
    """Requests with a cookie of so many bytes, refused and served."""

    def lay(tape: Tape) -> None:
        if served is not None:
            line = tape.open(0.1, path, request=[("Cookie", "a" * served)])
            tape.talk(greet(line), 20.0).end("client", by="proxy")
        for n in range(3):
            tape.open(1.0 + n, status=status, request=[("Cookie", "a" * turned_down)])

    return lay


def one_short(tape: Tape) -> None:
    asked(9000)(tape)
    tape.open(9.0, status=400, request=[("Cookie", "a" * 30)])


def opened_and_dropped(tape: Tape) -> None:
    tape.loop(
        lambda line, n: line.end("server", after=0.01) if n else tape.talk(greet(line), 5.0).end("server"),
        request=[("Cookie", "a" * 9000)],
    )


SPEAKS: dict[str, Lay] = {"header-longer-than-any-served": asked(9000)}

SILENT: dict[str, list[Lay]] = {
    "header-longer-than-any-served": [
        asked(9000, served=8000), asked(9000, served=None), asked(500, served=10), asked(40), one_short,
        opened_and_dropped,
    ]
}  # fmt: skip


test_said, test_silent, test_complete = said_and_silent(long_headers, SPEAKS, SILENT)


def test_the_longer_the_stronger_also_beside_another_route() -> None:
    (far,) = says("header-longer-than-any-served", asked(9000, path="/other"))
    (less,) = says("header-longer-than-any-served", asked(9000, served=3500))
    assert far.strength == 3.0 and 0.5 < less.strength < 1.5
    assert "Cookie" in far.text


def test_nothing_is_said_of_a_file_without_headers() -> None:
    assert not says("header-longer-than-any-served", asked(9000), ["headers"])
