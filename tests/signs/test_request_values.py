"""What requests are made of that were not served: each sign where it is said, and what looks like it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hangup.diagnosis.signs import request_values
from layouts import Tape, greet
from signs_seen import Lay, says, untested

NAME = "request-value-unlike-the-served"
PLAIN = ("ada", "bob", "cy", "dora")


def some(bad: Sequence[str], good: Sequence[str] = PLAIN, where: str = "query", status: int = 400) -> Lay:
    """Requests with one of the first values are refused (for a status of 101: ended at once), others are served."""

    def ask(tape: Tape, at: float, value: str, status: int = 101) -> object:
        target = f"/ws?lang=en&who={value}" if where == "query" else f"/ws/{value}/live" if where == "path" else "/ws"
        head = {"cookie": [("Cookie", f"theme=dark; who={value}")], "header": [("X-Who", value)]}.get(where, [])
        return tape.open(at, target, request=head, status=status)

    def lay(tape: Tape) -> None:
        for n, value in enumerate(good):
            line = ask(tape, 1.0 + 5 * n, value)
            tape.talk(greet(line), 6.0).end("server", by="proxy")  # type: ignore[arg-type]
        for n, value in enumerate(bad):
            line = ask(tape, 2.0 + 5 * n, value, status)
            if status == 101:
                line.wait(0.02).end("server")  # type: ignore[attr-defined]

    return lay


PLUS = [f"{n}+00:00" for n in range(4)]

SPEAKS: dict[str, Lay] = {
    "a plus": some(PLUS),
    "let in, and ended at once": some(PLUS, status=101),
    "padding in a cookie": some(["YQ==", "YWI=", "YWJjZA=="], where="cookie", status=500),
    "a space": some(["a%20b", "c%20d", "e%20f"]),
    "not ASCII": some(["J%C3%B6rg", "Zo%C3%AB", "%C3%85sa"]),
    "not ASCII in a header": some(["Jörg", "Zoë", "Åsa"], where="header"),
    "no number": some(["one", "two", "six"], ["1", "2", "3", "4"]),
    "no number in the path": some(["one", "two", "six"], ["1", "2", "3", "4"], where="path"),
    "far longer": some(["x" * 300, "y" * 320, "z" * 333]),
    "empty": some(["", "", ""]),
}

SILENT: dict[str, Lay] = {
    "ordinary values": some(["eve", "fay", "gil"]),
    "also served": some(PLUS, [*PLAIN, "7+00:00"]),
    "none was served": some(PLUS, []),
    "one of each": some(PLUS[:1], PLAIN[:1]),
    "only some have it": some(["1+2", "eve", "fay", "gil"]),
    "short ones": some(["abcdef", "abcdeg", "abcdeh"], ["a", "b", "c"]),
    "base64 everywhere": some(["YQ==", "YWI="], ["Yg==", "YWM=", "YQ=="], where="cookie"),
    "ended much later": lambda tape: tape.loop(
        lambda line, n: tape.talk(greet(line), 5.0 + n).end("server"), "/ws?who=1+2", count=3
    ),
}


@pytest.mark.parametrize("what", SPEAKS)
def test_said(what: str) -> None:
    assert says(NAME, SPEAKS[what])


@pytest.mark.parametrize("what", SILENT)
def test_not_said_of_what_looks_alike(what: str) -> None:
    assert not [sign.text for sign in says(NAME, SILENT[what])]


def test_not_said_of_headers_that_are_not_in_the_file() -> None:
    assert not says(NAME, SPEAKS["padding in a cookie"], lacks=["headers"])


def test_the_parameter_is_named_and_its_value_is_not() -> None:
    (sign,) = says(f"{NAME}:cookie", SPEAKS["padding in a cookie"])
    assert sign.exact == "the cookie `who` contains an `=`"
    assert sign.text == "the cookie `who` contains an `=` in 3 of 3 requests, and in none of the 4 that were accepted"
    (sign,) = says(f"{NAME}:query", SPEAKS["a plus"])
    assert sign.exact == "`who` in the query contains a `+`"
    (sign,) = says(f"{NAME}:path", SPEAKS["no number in the path"])
    assert sign.exact == "part 2 of the path is not a number"


def test_a_client_that_comes_again_shows_nothing_new() -> None:
    (many,) = says(NAME, some(PLUS))
    (same,) = says(NAME, some(PLUS[:1] * 4))
    assert same.strength < many.strength


def test_every_sign_is_tested() -> None:
    assert not untested(request_values, {NAME: 1})
