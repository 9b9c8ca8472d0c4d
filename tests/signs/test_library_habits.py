"""What libraries end connections with: each sign where it is said, and what looks like it and is not so."""

from __future__ import annotations

from hangup.diagnosis.signs import library_habits
from hangup.recording.events import Side
from layouts import UVICORN, Headers, Line, Tape, greet
from signs_seen import Lay, said_and_silent

AIOHTTP: Headers = [("Server", "Python/3.11 aiohttp/3.9.1")]
WEBSOCKETS: Headers = [("Server", "Python/3.11 websockets/12.0")]


def ended(server: Headers, code: int | None = None, side: Side = "server") -> Lay:
    """Ends with a close code, or with none, at the hand of a server that names itself."""

    def play(line: Line, n: int) -> None:
        greet(line).wait(0.5)
        if code is None:
            line.end(side)
        else:
            line.close(side, code)

    return lambda tape: tape.loop(play, count=3, response=server)


def refused(tape: Tape) -> None:
    for n in range(3):
        tape.open(0.5 + n, status=403, response=UVICORN)


NGINX: Headers = [("Server", "nginx/1.24")]
SPEAKS: dict[str, Lay] = {
    "library-ends-so:return": ended(WEBSOCKETS, 1000),
    "library-ends-so:exception": ended(AIOHTTP),
    "library-ends-otherwise:return": ended(AIOHTTP),
    "library-ends-otherwise:exception": ended(AIOHTTP, 1000),
    "application-chose-to-close": ended(UVICORN, 4000),
}
SILENT: dict[str, list[Lay]] = {
    "library-ends-so": [ended([]), ended(NGINX), ended(AIOHTTP, side="client"), ended(AIOHTTP, 4000), refused],
    "library-ends-so:return": [ended(WEBSOCKETS, 1011), ended(AIOHTTP)],
    "library-ends-so:exception": [ended(WEBSOCKETS, 1000), ended(WEBSOCKETS), ended(UVICORN, 1011)],
    "library-ends-otherwise": [ended([]), ended(NGINX), ended(AIOHTTP, side="client"), ended(AIOHTTP, 4000), refused],
    "library-ends-otherwise:return": [ended(WEBSOCKETS, 1000)],
    "library-ends-otherwise:exception": [ended(WEBSOCKETS, 1011), ended(AIOHTTP), ended(UVICORN, 1011)],
    "application-chose-to-close": [
        ended(UVICORN),
        ended(UVICORN, 1011),  # of the library, after an error
        ended(UVICORN, 1012),  # of uvicorn, which shuts down
        ended(UVICORN, 4000, "client"),
        ended(AIOHTTP, 4000),
        refused,
    ],
}


test_said, test_silent, test_complete = said_and_silent(library_habits, SPEAKS, SILENT)
