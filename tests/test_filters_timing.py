"""Filters that hold, delay and end: order, deadlines, and what is passed on of an end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filtered import Filtered
from hangup.recording.events import End, FilterEvent, How
from hangup.session import Out
from hangup.wire.deflate import Params

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@pytest.fixture(autouse=True, params=[False, True], ids=["events", "express"])
def express(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test goes both ways: simple frames as events, and by the express lane."""
    monkeypatch.setattr(Filtered, "express", request.param)


def test_what_is_delayed_comes_later_in_order_and_pings_overtake_it() -> None:
    run = Filtered("delay 2s side=client contains=slow")
    run.at = 1.0
    for text in ("fast", "slow", "behind"):
        run.client(text)
    run.client(b"p", PING)
    run.at = 1.5
    run.client("later")
    assert run.got["server"] == [(TEXT, b"fast"), (PING, b"p")]
    assert run.session.deadline() == 3.0
    run.wait(2.9)
    assert len(run.got["server"]) == 2
    run.wait(3.0)
    assert [data for _, data in run.got["server"][2:]] == [b"slow", b"behind", b"later"]
    assert run.session.deadline() is None
    run.check()


def test_a_delay_without_a_selection_delays_pings_too() -> None:
    run = Filtered("delay 1s side=server")
    run.server(b"p", PING)
    run.at = 0.5
    run.server("text")
    run.wait(1.2)
    assert run.got["client"] == [(PING, b"p")]
    run.wait(2.0)
    assert run.got["client"] == [(PING, b"p"), (TEXT, b"text")]
    run.check()


def test_a_close_frame_does_not_overtake_what_is_held() -> None:
    run = Filtered("delay 1s side=server contains=slow")
    run.server("slow")
    run.server(b"\x03\xe8", CLOSE)
    run.end("server")
    assert (run.got["client"], run.ends) == ([], [])
    run.wait(1.0)
    assert run.got["client"] == [(TEXT, b"slow"), (CLOSE, b"\x03\xe8")]
    assert run.ends == [("server", "fin")]
    run.check()


def test_what_a_removed_filter_held_is_let_go_at_once() -> None:
    run = Filtered("delay 1h side=server")
    run.server("a")
    run.server(b"p", PING)
    run.filters.clear()
    run.refresh()
    assert sorted(run.got["client"]) == [(TEXT, b"a"), (PING, b"p")]
    assert run.session.plain("server")
    run.check()


def test_what_waits_is_bounded() -> None:
    run = Filtered("delay 1h side=server", hold_limit=1000)
    for _ in range(12):
        run.server("x" * 98)
    assert len(run.got["client"]) == 2
    early = [e for e in run.lines if isinstance(e, FilterEvent) and e.action == "forward"]
    assert "the limit is 1000" in early[0].note
    run.filters.clear()
    run.refresh()
    assert len(run.got["client"]) == 12
    run.check()


def test_a_rate() -> None:
    run = Filtered("throttle 100 side=server")
    for _ in range(3):
        run.server("x" * 50)
    times = []
    while (due := run.session.deadline()) is not None:
        run.wait(due)
        times.append(due)
    assert times == pytest.approx([0.5, 1.0, 1.5])
    assert len(run.got["client"]) == 3
    run.check()


def test_a_rate_of_messages() -> None:
    """However large they are; the first is not kept waiting, and what is not selected waits behind what is."""
    run = Filtered("throttle messages=2.5 side=client contains=x")
    for text in ("x", "y", "x" * 5000, "y", "x"):
        run.client(text)
    run.server("x" * 50)
    assert [data for _, data in run.got["server"]] == [b"x", b"y"]
    assert len(run.got["client"]) == 1
    times = []
    while (due := run.session.deadline()) is not None:
        run.wait(due)
        times.append(due)
    assert times == pytest.approx([0.4, 0.8])
    assert len(run.got["server"]) == 5
    run.check()


def test_compressed_messages_may_be_delayed_as_they_are() -> None:
    run = Filtered("delay 1s contains=b", deflate=Params())
    for text in ("abc abc abc", "abc abc", "abc"):
        run.client(text, packed=True)
    run.wait(2)
    assert [data for _, data in run.got["server"]] == [b"abc abc abc", b"abc abc", b"abc"]
    assert "reencode" not in {action for action, _ in run.actions()}
    assert run.came["server"] == run.sent["client"]
    run.check()


@given(
    st.lists(
        st.tuples(
            st.floats(0, 3),
            st.sampled_from(
                ["delay 1s side=client", "throttle 7 side=client", "delay 500ms contains=a jitter=1s", None]
            ),
            st.sampled_from(["text", "part", "ping", "inject"]),
        ),
        max_size=20,
    )
)
def test_whatever_is_held_nothing_is_lost_and_the_order_stays(steps: list[tuple[float, str | None, str]]) -> None:
    run = Filtered()
    sent: list[bytes] = []
    for i, (pause, toggle, what) in enumerate(steps):
        run.wait(run.at + pause)
        if toggle is not None:
            if any(entry.text == toggle and entry.enabled for entry in run.filters):
                run.filters.off(toggle, run.at)
            else:
                run.filters.on(toggle, run.at)
            if i % 2:
                run.refresh()
        data = f"a{i}".encode()
        if what == "ping":
            run.client(data, PING)
        elif what == "part":
            run.client(data[:1], fin=False)
            run.client(b"p", PONG)
            run.client(data[1:], 0)
            sent.append(data)
        elif what == "inject":
            run.filters.add(f"inject from=client send=i{i} at=0s")
            run.refresh()
            run.wait(run.at)
        else:
            run.client(data)
            sent.append(data)
    run.end("client")
    run.wait(run.at + 1000)
    assert [data for opcode, data in run.got["server"] if opcode == TEXT and data.startswith(b"a")] == sent
    assert len([1 for opcode, _ in run.got["server"] if opcode == PING]) == sum(what == "ping" for _, _, what in steps)
    assert run.ends == [("client", "fin")]
    assert run.session.deadline() is None
    run.check()


# Ends.


def test_a_close_frame_at_a_time_and_silence_after_it() -> None:
    run = Filtered("close from=server code=1012 reason='service restart' at=5s")
    run.server("before")
    run.wait(5)
    run.server("after")
    run.server(b"\x03\xe8", CLOSE)
    run.client(b"\x03\xf4", CLOSE)
    assert run.got["client"] == [(TEXT, b"before"), (CLOSE, b"\x03\xf4service restart")]
    assert run.got["server"] == [(CLOSE, b"\x03\xf4")]
    run.end("server")
    assert run.ends == [("server", "fin")]
    run.filters.clear()
    run.refresh()
    assert not run.session.plain("server")
    run.check()


def test_a_close_frame_waits_for_the_end_of_a_frame() -> None:
    run = Filtered("close from=server at=1s")
    run.raw("server", b"\x81\x05he")
    run.wait(2)
    run.raw("server", b"llo\x81\x01x")
    assert run.got["client"] == [(TEXT, b"hello"), (CLOSE, b"")]
    run.check()


@pytest.mark.parametrize(
    ("settings", "closed_after"),
    [("frames=3", 3), ("side=client text=c", 3), ("side=client index=2", 3), ("", 0), ("side=server", 2)],
)
def test_what_gives_the_occasion_to_close(settings: str, closed_after: int) -> None:
    run = Filtered(f"close from=server code=1000 {settings}")
    run.wait(0)
    count = 0
    for side, text in (("client", "a"), ("server", "b"), ("client", "c"), ("client", "d")):
        if any(opcode == CLOSE for opcode, _ in run.got["client"]):
            break
        run.send(side, text)  # type: ignore[arg-type]
        count += 1
    assert count == closed_after
    run.check()


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_an_end_without_a_close_frame(how: How) -> None:
    text = f"close side=client text=die from=client how={how}"
    run = Filtered(text)
    run.client("die")
    assert run.got["server"] == [(TEXT, b"die")]
    assert run.cut == ("client", how, text)


def test_an_end_is_not_passed_on() -> None:
    run = Filtered("hold-open side=server")
    run.end("server")
    assert run.ends == []
    run.client("still here")
    run.end("client")
    assert run.ends == [("client", "fin")]
    assert [(e.action, e.side, e.note) for e in run.lines if isinstance(e, FilterEvent)] == [
        ("drop", "server", "its end (fin)")
    ]
    assert [e.side for e in run.lines if isinstance(e, End)] == ["server", "client"]
    run.check()


# Filters that misbehave.

RESTLESS = """
from hangup.filters.base import Filter, Kind
class Restless(Filter, frozen=True, kw_only=True):
    kinds = Kind.MESSAGE
    def apply(self, item, state): return None
    def deadline(self, state): return 1.0
    def wake(self, at, state): return []
"""
BROKEN = """
from hangup.filters.base import Filter, Kind
class Broken(Filter, frozen=True, kw_only=True):
    kinds = Kind.MESSAGE
    def apply(self, item, state): return None
    def {method}(self, *_): raise KeyError("oh")
"""


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (RESTLESS, "it asks to be woken at 1 s, which is not later"),
        (BROKEN.format(method="deadline"), "KeyError"),
        (BROKEN.format(method="begin"), "KeyError"),
        (BROKEN.format(method="apply"), "KeyError"),
    ],
)
def test_a_filter_that_fails_does_no_harm(tmp_path: Path, source: str, words: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(source)
    run = Filtered(f"script '{file}'")
    run.wait(5)
    run.client("x")
    run.wait(9)
    assert run.got["server"] == [(TEXT, b"x")]
    errors: list[Any] = [e.note for e in run.lines if isinstance(e, FilterEvent) and e.action == "error"]
    assert len(errors) == 1 and words in errors[0]


def test_a_session_without_filters_has_nothing_to_do() -> None:
    run = Filtered()
    assert run.session.tick(5.0) == Out()
    assert run.session.deadline() is None


def test_max_unanswered_each_waits_for_the_answer_to_the_one_before() -> None:
    run = Filtered("max-unanswered 1 side=client")
    for text in ("a", "b", "c"):
        run.client(text)
    run.client(b"p", PING)
    assert run.got["server"] == [(TEXT, b"a"), (PING, b"p")]
    run.at = 0.4
    run.server("to a")
    assert run.got["server"][2:] == [(TEXT, b"b")]
    run.at = 0.5
    run.server("to b")
    run.client("d")
    assert run.got["server"][3:] == [(TEXT, b"c")]
    run.server("to c")
    assert run.got["server"][4:] == [(TEXT, b"d")]
    run.server("to d")
    run.client("e")
    assert run.got["server"][5:] == [(TEXT, b"e")], "nothing is unanswered any more"
    assert [text for _, text in run.got["client"]] == [b"to a", b"to b", b"to c", b"to d"]
    run.check()


def test_max_unanswered_does_not_wait_for_ever_and_lets_go_when_it_is_switched_off() -> None:
    run = Filtered("max-unanswered side=client timeout=2s")
    for text in ("a", "b", "c"):
        run.client(text)
    run.wait(1.9)
    assert len(run.got["server"]) == 1
    run.wait(2.1)
    assert run.got["server"][1:] == [(TEXT, b"b")]
    run.wait(4.1)
    assert run.got["server"][2:] == [(TEXT, b"c")]
    run.client("d")
    assert len(run.got["server"]) == 3
    run.filters.replace([])
    run.take(run.session.refresh(run.at))
    assert run.got["server"][3:] == [(TEXT, b"d")]
    run.check()


def test_max_unanswered_of_a_kind_and_of_the_server() -> None:
    run = Filtered("max-unanswered 1 side=server contains=ask")
    for text in ("ask 1", "news", "ask 2", "news"):
        run.server(text)
    assert run.got["client"] == [(TEXT, b"ask 1"), (TEXT, b"news")], "what comes after one that waits keeps its place"
    run.client("1")
    assert run.got["client"][2:] == [(TEXT, b"ask 2"), (TEXT, b"news")]
    run.check()


def test_max_unanswered_lets_so_many_go_on() -> None:
    run = Filtered("max-unanswered 2 side=client")
    for text in ("a", "b", "c", "d"):
        run.client(text)
    assert [text for _, text in run.got["server"]] == [b"a", b"b"]
    run.server("to a")
    run.server("to b")
    assert [text for _, text in run.got["server"]] == [b"a", b"b", b"c", b"d"]
    run.server("to c")
    run.client("e")
    run.client("f")
    assert [text for _, text in run.got["server"]][4:] == [b"e"]
    run.check()
