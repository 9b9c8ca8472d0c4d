"""What is said in words: each sign where it is said, each phrase, and what looks like it and is not so."""

from __future__ import annotations

import pytest

from hangup.diagnosis.signs import words
from hangup.diagnosis.signs.words import Phrase, found_in, phrases
from hangup.recording.events import Log, Side
from layouts import Line, Tape, greet
from signs_seen import Lay, said_and_silent, says


def closed(reason: str, side: Side = "server", last: object = None) -> Lay:
    """An ordinary conversation, and an end that is explained."""

    def play(line: Line, n: int) -> None:
        if last is not None:
            line.client(last, 0.2, opcode="binary" if last == b"\x00\x01" else "text")
        line.close(side, 4000, reason, 0.002)

    return lambda tape: tape.loop(lambda line, n: play(greet(line), n), count=3)


def replied(text: str, status: int = 403) -> Lay:
    """Handshakes that are refused, with words."""

    def lay(tape: Tape) -> None:
        for n in range(3):
            tape.open(0.5 + n, status=status, response=[], text=text)

    return lay


def logged(text: str, early: float = 0.0, first: int = 3) -> Lay:
    """Ends at which the backend logs something, or some time before, at so many of three."""

    def play(line: Line, n: int) -> None:
        greet(line).wait(4.0)
        if n < first:
            line.tape.events.append(Log(at=line.at - early, text=text))
        line.end("server", after=0.002)

    return lambda tape: tape.loop(play, count=3)


def failed(text: str, status: int = 500) -> Lay:
    """Handshakes that are refused while the backend logs something."""

    def lay(tape: Tape) -> None:
        replied("", status)(tape)
        tape.events += [Log(at=0.5 + n, text=text) for n in range(3)]

    return lay


def told_in_a_message(tape: Tape) -> None:
    tape.loop(lambda line, n: line.server("keepalive ping timeout", 0.1).end("server", after=0.002), count=3)


def last_said(*said: object, before: float = 0.002, code: int = 1000, earlier: int = 3, count: int = 3) -> Lay:
    """An ordinary conversation; then the server says these, and some time later it closes without a reason. The first
    is also said ``earlier`` than in the last of the connections."""

    def play(line: Line, n: int) -> None:
        greet(line)
        if n >= earlier:
            line.server(said[0], 0.2).client({"type": "ask"}, 0.3)
        for each in said:
            line.server(each, 0.1)
        line.close("server", code, "", before)

    return lambda tape: tape.loop(play, count=count)


EXPIRED = {"type": "error", "message": "jwt expired"}
EVICTED = {"type": "evicted", "text": "you signed in from another tab"}

TRACEBACK = 'Traceback (most recent call last):\n  File "app.py", line 7\n'
UTF8 = "invalid UTF-8"
SPEAKS: dict[str, Lay] = {
    "close-reason:ping-timeout": closed("keepalive ping timeout"),
    "close-reason:utf8": closed(UTF8, last=b"\xff\xfe"),
    "close-reason:utf8-though-valid": closed(UTF8, last="w\u00f6rd"),
    "close-reason:client-ping-timeout": closed("keepalive ping timeout", "client"),
    "close-reason:credentials": last_said(EXPIRED),
    "close-reason:replaced": last_said(EVICTED),
    "answer-body:expired": replied("Token Expired"),
    "backend-log:json-error": logged(f"{TRACEBACK}json.decoder.JSONDecodeError: Expecting value"),
    "backend-log:exception-before-the-answer": failed(f"{TRACEBACK}KeyError: 'room'"),
}
SILENT: dict[str, list[Lay]] = {
    "close-reason": [closed(""), closed("bye"), closed("bye", "client"), told_in_a_message, replied("token expired")],
    "close-reason:ping-timeout": [closed("keepalive ping timeout", "client")],
    "close-reason:credentials": [
        last_said(EXPIRED, before=2.0),
        last_said(EXPIRED, {"type": "tick", "n": 4}),
        last_said({"type": "news", "message": "jwt expired"}, earlier=2),
    ],
    "close-reason:replaced": [last_said(EVICTED, earlier=2), last_said(EVICTED, count=2), last_said(EVICTED, before=1)],
    "close-reason:client-ping-timeout": [closed("keepalive ping timeout")],
    "close-reason:utf8": [closed(UTF8, last="w\u00f6rd")],
    "close-reason:utf8-though-valid": [closed(UTF8, last=b"\xff\xfe"), closed(UTF8, last=b"\x00\x01")],
    "answer-body": [replied(""), replied("{}"), closed("token expired"), logged("token expired")],
    "backend-log": [
        logged("INFO: connection open"),
        logged("WARNING: 3 validation warnings"),
        logged(f"{TRACEBACK}KeyError: 'room'", early=2.0),  # of something else
        replied("KeyError: 'room'"),
        closed("KeyError: 'room'"),
    ],
    "backend-log:exception-before-the-answer": [
        failed(f"{TRACEBACK}KeyError: 'room'", 403),
        failed("INFO: Reloading"),
        logged(f"{TRACEBACK}KeyError: 'room'"),
    ],
}

EXAMPLES: dict[str, dict[str, str]] = {
    "server": {
        "ping-timeout": "keepalive ping timeout",
        "json": "Unexpected token p in JSON at position 0",
        "greeting-timeout": "hello not received in time",
        "too-big": "frame with 70000 bytes exceeds limit of 65536 bytes",
        "utf8": "invalid payload data",
        "compression": "RSV1 must be clear",
        "framing": "MASK must be set",
        "subprotocol": "Subprotocol not acceptable",
        "unknown-kind": "unknown message type",
        "fields": "missing field: seq",
        "text-or-binary": "text frames only",
        "too-fast": "rate limited, slow down",
        "too-many-connections": "server at capacity",
        "limit": "quota reached",
        "duplicate-subscription": "Subscriber for 1 already exists",
        "replaced": "you signed in from another tab",
        "credentials": "jwt malformed",
        "resume": "cannot resume, unknown seq",
        "origin": "origin is none of ours",
        "too-early": "not yet identified",
        "restart": "going down for maintenance",
        "not-reading": "client is slow, send queue over",
        "internal-error": "Internal error",
        "heartbeat": "no heartbeat",
    },
    "client": {
        "client-connect-timeout": "connect timeout",
        "client-ping-timeout": "keepalive ping timeout",
        "client-heartbeat": "heartbeat missed",
        "client-timeout": "no answer",
        "client-unmount": "component unmounted",
        "client-unreadable": "cannot parse it",
        "client-framing": "bad opcode",
    },
    "body": {
        "unknown-session": '{"code":1,"message":"Session ID unknown"}',
        "engine-io-version": '{"code":5,"message":"Unsupported protocol version"}',
        "engine-io-transport": '{"code":0,"message":"Transport unknown"}',
        "origin": "Origin not allowed",
        "host": "Blocked request. This host is not allowed.",
        "credentials": "missing credentials",
        "expired": "link expired",
        "limit": "Too many requests",
        "needs-upgrade": 'Can "Upgrade" only to "WebSocket".',
        "websocket-version": "Missing or invalid Sec-WebSocket-Version header",
        "subprotocol": "no such subprotocol",
        "not-found": '{"detail":"Not Found"}',
        "html-page": "<!DOCTYPE html>",
        "header-size": "Request Header Or Cookie Too Large",
        "upstream-down": "502 Bad Gateway",
        "parameter": "room is not a valid integer",
        "conflict": "client already connected",
    },
    "log": {
        "json-error": "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
        "field-error": "KeyError: 'room'",
        "wrong-opcode": "TypeError: text frames are not supported",
        "not-serialisable": "TypeError: Object of type datetime is not JSON serializable",
        "utf8-error": "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff",
        "too-big": "websockets.exceptions.PayloadTooBig: over size limit (70000 > 65536 bytes)",
        "ping-timeout": "keepalive ping timeout; no close frame received",
        "drain": "AssertionError in _drain_helper",
        "concurrent-io": "RuntimeError: cannot call recv while another coroutine is already waiting",
        "send-after-close": """RuntimeError: Cannot call "send" once a close message has been sent.""",
        "worker-timeout": "[CRITICAL] WORKER TIMEOUT (pid:71)",
        "restart": "WARNING: WatchFiles detected changes in 'app.py'. Reloading...",
        "crash": "Segmentation fault (core dumped)",
        "no-websocket-library": "WARNING: No supported WebSocket library detected.",
        "credentials": "jwt.exceptions.ExpiredSignatureError: Signature has expired",
        "origin": "origin https://a.example not allowed",
        "upstream-timeout": "upstream timed out (110: Connection timed out) while reading upstream",
        "timeout": "asyncio.exceptions.TimeoutError",
        "exception": "Error: it broke",
    },
}
OTHERWISE: dict[tuple[str, str], list[str]] = {
    ("server", "json"): ["jwt malformed", "too sparse"],
    ("server", "too-big"): ["the request took too long", "message rate exceeds 10/s"],
    ("server", "utf8"): ["invalid message"],
    ("server", "framing"): ["invalid continuation byte", "unmasked"],
    ("server", "too-fast"): ["moderator left", "operation aborted"],
    ("server", "origin"): ["original connection closed"],
    ("server", "too-many-connections"): ["handled gracefully, fully"],
    ("client", "client-connect-timeout"): ["request timeout"],
    ("body", "limit"): ["generated by the gateway", "operate"],
    ("body", "expired"): ["expires in 10 s"],
    ("log", "exception"): ["0 errors", "ErrorBoundary rendered"],
    ("log", "restart"): ["reloading is not needed"],
    ("log", "crash"): ["exited with code 0"],
}


def known(table: str) -> list[Phrase]:
    found = phrases()
    return found.reason.get(table) or {"body": found.body, "log": found.log}[table]


@pytest.mark.parametrize("table", EXAMPLES)
def test_each_phrase_is_found(table: str) -> None:
    assert [phrase.name for phrase in known(table)] == list(EXAMPLES[table])
    for name, text in EXAMPLES[table].items():
        found = found_in(text if table == "log" else text.lower(), known(table))
        assert found[:1] == [name] if table in ("server", "client") else name in found, (text, found)


@pytest.mark.parametrize(("table", "name"), OTHERWISE)
def test_what_reads_like_a_phrase_is_not_one(table: str, name: str) -> None:
    for text in OTHERWISE[table, name]:
        assert name not in found_in(text if table == "log" else text.lower(), known(table)), text


def test_a_phrase_that_is_less_special_tells_less() -> None:
    found = {sign.variety: sign.strength for sign in says("close-reason", closed("rate limited, slow down"))}
    assert found == {"too-fast": 1.0, "limit": 0.4, "not-reading": 0.4}


def test_what_is_logged_at_some_of_the_ends_tells_less() -> None:
    (sign,) = says("backend-log:crash", logged("core dumped", first=1))
    assert sign.strength == pytest.approx(1 / 3 + 0.3)
    assert [cite.conn for cite in sign.cites] == [1] and sign.text == 'the backend logged "core dumped"'


test_said, test_silent, test_complete = said_and_silent(words, SPEAKS, SILENT)
