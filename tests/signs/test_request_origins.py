"""Origin and Host of a refused handshake: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

import pytest

from hangup.diagnosis import signs
from hangup.diagnosis.case import Case
from hangup.diagnosis.signs import Sign, request_origins
from hangup.recording.traffic_ledger import look_into
from layouts import Tape, greet, header
from signs_seen import Lay, says, untested

PAGE, OTHER, OWN = "http://127.0.0.1:5173", "http://localhost:5173", "http://localhost:8000"


def refused(origin: str = "", host: str = "localhost:8000", status: int = 403) -> Lay:
    """Three refused handshakes."""

    def lay(tape: Tape) -> None:
        for n in range(3):
            tape.open(10.0 + n, "/ws", request=_origin(origin), status=status, response=[], host=host)

    return lay


def served(lay: Lay, origin: str = "", path: str = "/ws", host: str = "localhost:8000") -> Lay:
    """The same, and one that is served."""

    def lay_both(tape: Tape) -> None:
        line = tape.open(1.0, path, request=_origin(origin), response=[], host=host)
        tape.talk(greet(line), 5.0).end("server", by="proxy")
        lay(tape)

    return lay_both


def _origin(origin: str) -> list[tuple[str, str]]:
    return [("Origin", origin)] if origin else []


def dropped(tape: Tape) -> None:
    for n in range(3):
        tape.open(10.0 + n, "/ws", request=_origin(PAGE), host="evil.example").end("server", after=0.01)


SPEAKS: dict[str, Lay] = {
    "request-no-origin": refused(),
    "origin-differs-from-host": refused(PAGE),
    "another-origin-served": served(refused(PAGE), OTHER),
    "same-origin-served": served(refused(PAGE), PAGE, "/live"),
}
SILENT: dict[str, list[Lay]] = {
    "request-no-origin": [refused(PAGE), refused("null"), dropped],
    "origin-differs-from-host": [refused(), refused(PAGE, host=""), dropped],
    "another-origin-served": [
        refused(PAGE), served(refused(PAGE), PAGE), served(refused(PAGE), OTHER, "/live"), served(refused()),
        served(served(refused(PAGE), OTHER), PAGE),
    ],
    "same-origin-served": [served(refused(PAGE), OTHER), refused(PAGE), served(refused(PAGE)), served(refused(), PAGE)],
    "host-is-not-the-servers": [],  # see below
}  # fmt: skip


@pytest.mark.parametrize("name", SPEAKS)
def test_said(name: str) -> None:
    assert all(sign.strength > 0 for sign in says(name, SPEAKS[name])) and says(name, SPEAKS[name])


@pytest.mark.parametrize(("name", "lay"), [(name, lay) for name, lays in SILENT.items() for lay in lays])
def test_not_said_of_what_looks_alike(name: str, lay: Lay) -> None:
    assert not says(name, lay)


@pytest.mark.parametrize(
    ("origin", "host"),
    [(OWN, "localhost:8000"), ("http://Example.com", "example.com:80"), ("https://example.com:443", "example.com")],
)
def test_the_servers_own_origin_does_not_differ(origin: str, host: str) -> None:
    [sign] = says("origin-differs-from-host", refused(origin, host))
    assert sign.strength < 0


@pytest.mark.parametrize("lay", [refused(), served(refused(PAGE)), served(refused(), PAGE)])
def test_an_origin_that_is_not_told_may_have_been_there(lay: Lay) -> None:
    for name in ("request-no-origin", "another-origin-served", "same-origin-served"):
        assert not says(name, lay, ["headers"])


def foreign_host(lay: Lay, mode: str = "reverse", source: str = "") -> Sign | None:
    """What is said of the Host in a recording of a proxy for ``localhost:8000``."""
    tape, told = Tape(), header()
    told.mode, told.source = mode, source
    lay(tape)
    return signs.read(Case(look_into(told, tape.done()))).get("host-is-not-the-servers")


def test_another_host_than_the_servers() -> None:
    foreign = refused(host="evil.example")
    for lay, strength in ((foreign, 1.0), (served(foreign), 2.0), (served(foreign, path="/live"), 1.0)):
        sign = foreign_host(lay)
        assert sign is not None and sign.strength == strength


@pytest.mark.parametrize(
    "lay",
    [
        refused(),
        refused(host="LOCALHOST:8000"),
        refused(host=""),
        refused(host="evil.example:x"),
        served(refused(host="evil.example"), host="evil.example"),
        dropped,
    ],
)
def test_no_other_host(lay: Lay) -> None:
    assert foreign_host(lay) is None


def test_a_file_that_does_not_know_the_servers_address() -> None:
    foreign = refused(host="evil.example")
    assert foreign_host(foreign, mode="forward") is None and foreign_host(foreign, source="har") is None


def test_every_sign_is_in_both_tables() -> None:
    assert not untested(request_origins, SPEAKS | {"host-is-not-the-servers": None}, SILENT)
