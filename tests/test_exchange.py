"""What is kept of an experiment: which trials, as recordings of their own, and the backend's words."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangup.experiment.document import telling_lines
from hangup.experiment.evidence import Outcome
from hangup.experiment.exchange import nearest, said, smallest
from hangup.experiment.failure import Failure
from hangup.experiment.logged import logged
from hangup.experiment.search import Minimal, Verdict
from hangup.experiment.trial import Edit, Result, Trial
from hangup.recording import events, reader
from hangup.recording.excerpt import excerpt, write_excerpt
from hangup.recording.formats import Recording, open_recording
from recorded import HEADER, end, handshake, text
from simulated import case

FAILED, SURVIVED = Outcome.FAILED, Outcome.SURVIVED
CASE = case('{"type":"hello"}', '{"type":"chat"}', "ping")  # frames 1, 3 and 5


def outcome(what: Outcome, conn: int, *conns: int) -> Result:
    return Result(what, 0.5, conn, conns=conns)


def as_recording(*found: events.AnyEvent) -> Recording:
    class Made(list):  # type: ignore[type-arg]
        header, name, path = HEADER, "made", None

    return cast(Recording, Made(found))


# Which trials.

TRIALS = [
    (Trial("control"), outcome(FAILED, 1)),
    (Trial("no-heartbeats", ("drop-heartbeat side=client",)), outcome(SURVIVED, 2)),
    (Trial("frames", frames=()), outcome(SURVIVED, 3)),
    (Trial("frames", frames=(5,)), outcome(FAILED, 4)),
    (Trial("payload", frames=(5,), edits=((5, Edit(b'""')),)), outcome(SURVIVED, 5)),
    (Trial("payload", frames=(5,), edits=((5, Edit(b"pi")),)), outcome(FAILED, 6)),
    (Trial("payload", frames=(5,), edits=((5, Edit(b"0123456789")),)), outcome(SURVIVED, 7)),
    (Trial("payload", frames=(5,), edits=((5, Edit(b"p")),)), outcome(SURVIVED, 8)),
]


def test_what_is_said_in_a_trial() -> None:
    assert list(said(CASE, Trial("control"))) == [1, 3, 5]
    changed = Trial("x", frames=(1, 5), edits=((5, Edit(b"a", "binary")), (3, Edit(b"b"))))
    assert said(CASE, changed) == {1: ("text", b'{"type":"hello"}'), 5: ("binary", b"a")}


@pytest.mark.parametrize(
    ("minimal", "fails", "survives"),
    [
        (Minimal((5,), b"pi", "text"), 6, 5),
        (Minimal((5,), b"ping", "text"), 4, 5),
        (Minimal((5,)), 4, 3),
        (None, 1, 2),
    ],
)
def test_the_trials_that_are_kept(minimal: Minimal | None, fails: int, survives: int) -> None:
    verdict = Verdict(minimal=minimal, cure="drop-heartbeat side=client")
    found, near = smallest(CASE, verdict, TRIALS), nearest(CASE, verdict, TRIALS)
    assert found is not None and found.conn == fails
    assert near is not None and near.conn == survives


def test_nothing_is_kept_of_what_was_not_tried() -> None:
    assert smallest(CASE, Verdict(minimal=Minimal((1, 3))), TRIALS) is None
    assert nearest(CASE, Verdict(), []) is None


# As a recording.


def two_connections() -> list[events.AnyEvent]:
    return [
        handshake(1.0, waited=0.25),
        handshake(2.0, conn=2, waited=0.5),
        text(2.1, "client", 1, conn=2),
        events.Log(at=2.2, source="uvicorn", text="boom"),
        end(2.3, "server", conn=2),
        end(3.0, "server"),
        events.Log(at=9.0, source="uvicorn", text="later"),
        events.Stop(at=9.5),
    ]


def test_a_connection_becomes_the_first_of_its_own_recording(tmp_path: Path) -> None:
    path = write_excerpt(as_recording(*two_connections()), [2], tmp_path / "cut.jsonl", "a part")
    made = open_recording(str(path))
    assert made.header.note == "a part" and made.header.target == HEADER.target
    kept = list(made)
    assert [type(e).__name__ for e in kept] == ["Handshake", "Frame", "Log", "End", "Stop"]
    assert {e.conn for e in kept} == {0, 1} and kept[0].at == 0.5 and kept[1].at == pytest.approx(0.6)
    assert isinstance(list(reader.read(path))[-1], events.Stop)
    assert path.stat().st_mode & 0o077 == 0
    again = write_excerpt(as_recording(*two_connections()), [2], tmp_path / "cut.jsonl")
    assert again.name == "cut-2.jsonl", "recordings are never overwritten"


def test_several_connections_keep_their_distance() -> None:
    kept = list(excerpt(as_recording(*two_connections()), [2, 1]))
    assert [(e.conn, round(e.at, 3)) for e in kept if isinstance(e, events.Handshake)] == [(2, 0.25), (1, 1.25)]


def test_no_such_connection_is_nothing() -> None:
    assert list(excerpt(as_recording(*two_connections()), [7])) == []


@given(st.lists(st.integers(1, 4), max_size=40), st.sets(st.integers(1, 4)))
def test_all_of_the_chosen_connections_and_nothing_else(conns: list[int], chosen: set[int]) -> None:
    whole = [text(i / 10, "client", i + 1, str(i), conn) for i, conn in enumerate(conns)]
    kept = [e for e in excerpt(as_recording(*whole), sorted(chosen)) if isinstance(e, events.Frame)]
    assert [e.text for e in kept] == [str(i) for i, conn in enumerate(conns) if conn in chosen]
    assert all(e.at >= 0 for e in kept)


# The backend's words.

FAILURE = Failure(by="server", how="abrupt", within=1.0)


def life(conn: int, began: float, ended: float, by: str) -> list[events.AnyEvent]:
    """By the server: it failed. By the proxy: it survived, and was ended."""
    if by == "server":
        return [handshake(began, conn), end(ended, "server", conn=conn)]
    return [handshake(began, conn), end(ended, "server", conn=conn, by="proxy"), end(ended, "client", conn=conn)]


def log(at: float, words: str) -> events.Log:
    return events.Log(at=at, source="app", text=words)


def in_order(*found: events.AnyEvent | list[events.AnyEvent]) -> Recording:
    flat: list[events.AnyEvent] = []
    for each in found:
        flat += each if isinstance(each, list) else [each]
    return as_recording(*sorted(flat, key=lambda e: e.at))


def test_what_comes_with_failures_and_not_with_what_survives() -> None:
    recording = in_order(
        *(life(k, 2.0 * k, 2.0 * k + 0.4, "server") for k in (1, 2, 3)),
        *(life(k, 2.0 * k, 2.0 * k + 1.5, "proxy") for k in (4, 5)),
        *(log(2.0 * k + 0.01, f"127.0.0.1:{5000 + k} accepted") for k in range(1, 6)),
        *(log(2.0 * k + 0.41, f"ERROR {k}\nTraceback") for k in (1, 2, 3)),
        *(log(2.0 * k + 0.42, "closed") for k in (1, 2, 3)),
        *(log(2.0 * k + 1.51, "closed") for k in (4, 5)),
        log(0.1, "INFO started"),
    )
    assert [each.text for each in logged(recording, FAILURE)] == ["ERROR 3\nTraceback"]


def test_trials_that_follow_one_another_at_once() -> None:
    """What is logged late of a failure comes while the next one lives: it is not taken for a word of its own."""
    recording = in_order(
        life(1, 1.0, 1.4, "server"),
        log(1.45, "ERROR one"),
        life(2, 1.41, 3.0, "proxy"),
        life(3, 3.01, 3.4, "server"),
        log(3.45, "ERROR one"),
        life(4, 3.41, 5.0, "proxy"),
    )
    assert [each.text for each in logged(recording, FAILURE)] == ["ERROR one"]


def test_where_nothing_survived_all_of_it_is_told() -> None:
    recording = in_order(life(1, 1.0, 1.4, "server"), log(1.1, "accepted"), log(1.4, "bye"), log(7.0, "later"))
    assert [each.text for each in logged(recording, FAILURE)] == ["accepted", "bye"]
    assert logged(in_order(life(1, 1.0, 1.4, "server")), FAILURE) == []
    assert logged(in_order(life(1, 1.0, 1.4, "proxy"), log(1.1, "accepted")), FAILURE) == []


def test_a_traceback_without_what_libraries_called() -> None:
    whole = """ERROR: Exception in ASGI application
Traceback (most recent call last):
  File "/x/site-packages/uvicorn/impl.py", line 1, in run
    await app()
          ^^^^^
  File "/home/me/app.py", line 8, in ws
    message = await websocket.receive_json()
  File "/usr/lib/python3.13/json/decoder.py", line 355, in raw_decode
    raise JSONDecodeError
json.decoder.JSONDecodeError: Expecting value"""
    assert telling_lines(whole) == [
        "ERROR: Exception in ASGI application",
        "Traceback (most recent call last):",
        "  …",
        '  File "/home/me/app.py", line 8, in ws',
        "    message = await websocket.receive_json()",
        "  …",
        "json.decoder.JSONDecodeError: Expecting value",
    ]
    node = "Error: no\n    at handle (/app/server.js:3:1)\n    at emit (node:events:517:28)\n"
    node += "    at x (/a/node_modules/ws/i.js:1:1)"
    assert telling_lines(node) == ["Error: no", "    at handle (/app/server.js:3:1)", "  …"]


@given(st.text(alphabet=st.sampled_from('ab \n"File'), max_size=200))
def test_no_log_is_too_odd_to_be_shown(words: str) -> None:
    assert len(telling_lines(words)) <= 21
