"""What a server's library ends a connection with by itself, where the library is known."""

from __future__ import annotations

from collections.abc import Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import cite_all
from hangup.diagnosis.signs import Sign, sign

_HABITS: dict[tuple[str, str], dict[str, bool]] = {
    ("websockets", "1000"): {"return": True, "exception": False},
    ("websockets", "1011"): {"return": False, "exception": True},
    ("websockets", "abrupt"): {"return": False, "exception": False},
    ("aiohttp", "1000"): {"return": True, "exception": False},
    ("aiohttp", "abrupt"): {"return": False, "exception": True},
    ("tornado", "1000"): {"return": True, "exception": False},
    ("tornado", "abrupt"): {"return": False, "exception": True},
    ("uvicorn", "1011"): {"return": False},
    ("daphne", "1011"): {"return": False, "exception": True},
    ("hypercorn", "1011"): {"return": True},
}
"""Whether a library, by itself, ends a connection so (a close code, or none) after its handler returned, and after an
exception (measured)."""

_OF_UVICORN = (1002, 1007, 1009, 1011, 1012)
"""Codes that uvicorn, or the library in it, sends by itself."""


def ended_by_server(case: Case) -> bool:
    """Whether the server ended open connections."""
    return case.closer == "server" and case.mode in ("abrupt", "close")


def _habits(case: Case, so: bool) -> Iterator[Sign]:
    server, abrupt = case.stack.server, case.mode == "abrupt"
    for after, expected in _HABITS.get((server, "abrupt" if abrupt else str(case.code)), {}).items():
        if expected is so:
            how = "without a close frame" if abrupt else f"with code {case.code}"
            verb = "ends" if so else "does not end"
            what = "returns" if after == "return" else "raises an exception"
            text = f"{server} {verb} a connection {how} when its handler {what}"
            yield Sign(text=text, cites=cite_all(case.victims), variety=after)


@sign(ended_by_server)
def library_ends_so(case: Case) -> Iterator[Sign]:
    """The library ends connections in just this way after a return, or after an exception."""
    return _habits(case, True)


@sign(ended_by_server)
def library_ends_otherwise(case: Case) -> Iterator[Sign]:
    """It ends them in another way."""
    return _habits(case, False)


@sign(ended_by_server)
def application_chose_to_close(case: Case) -> Sign | None:
    """A close frame that the library does not send by itself."""
    if case.stack.server != "uvicorn" or case.mode != "close" or case.code in _OF_UVICORN:
        return None
    text = "uvicorn does not send this close frame by itself when a handler ends: the application did"
    return Sign(text=text, cites=cite_all(case.victims))
