"""``hangup load``: recorded clients as Locust's users, against real backends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from hangup.load import locustfile, summary
from hangup.load.curve import STEP, Curve, Kind, Part, Slice, class_of
from hangup.load.exchanges import Exchanges, Stopwatch
from hangup.load.onset import onset, slowing
from hangup.load.own_ids import own_ids
from hangup.load.recorded_client import read_turns
from hangup.load.wire_format import Batch, Begin, BrokenPipe, Drain, Ended, Leave, Plan, Unpacker, batch, command, pack
from hangup.replay.receiver import Received
from hangup.replayable.client_script import Hear, Send, Transcript
from hangup.wire.deflate import Deflater, Params, TrustingInflater
from harness.proxies import hangup
from loads.measuring import backend, load
from loads.recording import record


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A client that orders twelve times, comes back, and does so again."""
    path = tmp_path_factory.mktemp("load") / "client.jsonl"
    with backend("plain") as of:
        return record(of.url, path, orders=12, pause=0.1, connections=2)


# Against a real backend, through a real Locust.


@pytest.mark.slow
@pytest.mark.real
def test_clients_are_played_and_counted_as_the_backend_counts_them(recording: Path, tmp_path: Path) -> None:
    """Some are dropped: Locust has as many failures as the backend has dropped, and `why` says from which load on."""
    with backend("drops", 12) as of:
        words = ["-u", "24", "-r", "8", "-t", "16s", "--once", "--sample", "0.5"]
        run = load(recording, of.url, tmp_path, *words)
        counts = of.counts()
    assert run.code == 1, run.output
    assert counts["dropped"] > 0
    assert run.of("END", "Failure Count") == counts["dropped"], run.output
    assert run.of("CONNECT") == counts["opened"] == 48
    assert counts["ids"] == 24
    assert counts["foreign"] == 0
    key = "server close 1013 (too many clients) after kind=order"
    (failing,) = run.summary["failures"]
    assert failing["key"] == key
    assert failing["count"] == counts["dropped"]
    assert failing["failure"] == "by=server how=close code=1013"
    assert f"END /ws/{{}}: {key}" in run.output
    assert run.rows["ANSWER order -> done"]["Request Count"] == str(counts["orders"] - counts["dropped"])
    assert run.recording is not None
    told = json.loads(hangup("why", run.recording, "--json", check=False).stdout)
    assert told["load"]["causes"][0]["failing"]["key"] == key
    assert told["load"]["causes"][0]["verdict"]
    assert hangup("why", run.recording, check=False).stdout.startswith("under load")


@pytest.mark.slow
@pytest.mark.real
def test_a_locustfile_is_written_and_can_be_edited(recording: Path, tmp_path: Path) -> None:
    """It is started with Locust itself, each client with a header of its own."""
    file = tmp_path / "locustfile.py"
    with backend("plain") as of:
        hangup("load", recording, of.url, "--write-locustfile", file, "--speed", "max", "--sample", "0")
        text = file.read_text().replace(
            "    speed", "    def on_start(self):\n        self.headers = [('X-Client', 'a')]\n\n    speed"
        )
        assert "on_start" in text
        file.write_text(text)
        words = [sys.executable, "-m", "locust", "-f", file, "--headless", "-u", "3", "-r", "3", "-t", "4s"]
        done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, timeout=120)
        counts = of.counts()
    assert done.returncode == 0, done.stderr
    assert counts["orders"] > 0
    assert "order -> done" in done.stdout + done.stderr
    again = hangup("load", recording, "ws://127.0.0.1:1", "--write-locustfile", file, check=False)
    assert again.returncode == 2
    assert "exists already" in again.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.jsonl", "ws://127.0.0.1:1"], "there is no recording nothing.jsonl"),
        (["-u", "3"], "RECORDING and TARGET come first"),
        (["RECORDING", "ws://127.0.0.1:1", "--mix", "other.jsonl"], "--mix"),
        (["RECORDING", "ws://127.0.0.1:1", "--mix", "other.jsonl=0"], "--mix"),
        (["RECORDING", "ftp://127.0.0.1"], "ftp"),
        (["RECORDING", "ws://127.0.0.1:1", "--conn", "9"], "has no connection 9"),
        (["RECORDING", "ws://127.0.0.1:1", "--filter", "nonsense"], "nonsense"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(recording: Path, words: list[str], said: str) -> None:
    given = [str(recording) if word == "RECORDING" else word for word in words]
    done = hangup("load", *given, check=False)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_without_locust_it_says_what_to_install(recording: Path) -> None:
    """The command is there all the same."""
    program = (
        "import importlib.util, sys\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'locust' else found(name, *more)\n"
        f"sys.argv = ['hangup', 'load', {str(recording)!r}, 'ws://127.0.0.1:1']\n"
        "from hangup.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert 'pip install "hangup[load]"' in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_hangup_itself_never_imports_locust(recording: Path) -> None:
    """It would patch asyncio's sockets and threads."""
    program = (
        "import sys, hangup.cli.load, hangup.cli.loading, hangup.load.player, hangup.cli.why.explain\n"
        "print([name for name in ('locust', 'gevent') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


# What is read from the recording.


def test_a_client_is_its_connections_and_its_pauses(recording: Path) -> None:
    first, second = read_turns(str(recording))
    assert first.route == second.route == "/ws/{}"
    assert 0.05 < first.pause < 3
    assert first.ids == ("client-7",)
    assert first.own == ("unique-id",)
    assert first.exchanges.answers == {"order": "done"} or first.exchanges.answers == {"order": "done", "ping": "pong"}
    assert [each.transcript.conn for each in read_turns(str(recording), [2])] == [2]
    assert read_turns(str(recording), own=False)[0].own == ()
    assert read_turns(str(recording), ids=["order"])[0].own[-1] == "unique-id value=order"


def test_an_id_that_is_said_in_messages_too_is_replaced_there(recording: Path) -> None:
    """And what the server makes is none of the client's own."""
    turn = read_turns(str(recording))[0]
    found = dict(own_ids(turn.transcript))
    assert list(found) == ["client-7"]
    assert isinstance(turn.transcript, Transcript)


def sent(at: float, n: int, text: str) -> Send:
    return Send(at, n, "text", b"?" * len(text), begins=True, data=True, message=text.encode())


def test_answers_are_told_from_what_a_server_pushes() -> None:
    steps: list[Send | Hear] = []
    for i in range(20):
        steps.append(Hear(i - 0.5, 10 * i + 1, "text", b'{"type":"tick","at":%d}' % i))
        steps.append(Hear(i - 0.4, 10 * i + 2, "text", b'{"type":"tick","at":%d}' % i))
        steps.append(sent(i, 10 * i + 3, f'{{"type":"order","n":{i}}}'))
        steps.append(Hear(i + 0.01, 10 * i + 4, "text", b'{"type":"done","n":%d}' % i))
        steps.append(sent(i + 0.02, 10 * i + 5, '{"type":"move"}'))
    exchanges = Exchanges(steps)
    assert exchanges.answers == {"order": "done"}
    assert exchanges.heard("text", b'{"type":"tick","at":99}') == "tick"
    rows: list[tuple[str, str, float | None]] = []
    now = 0.0
    watch = Stopwatch(exchanges, lambda: now, lambda type_, name, ms, size: rows.append((type_, name, ms)))
    watch.said(steps[2])  # type: ignore[arg-type]
    watch.heard(Received(0.25, "text", b'{"type":"done","n":1}'))
    watch.said(Send(0.0, 9, "ping", b"\x89\x80abcd"))
    watch.heard(Received(0.5, "pong", b""))
    watch.heard(Received(0.5, "text", None))
    watch.said(steps[2])  # type: ignore[arg-type]
    watch.close()
    assert rows == [
        ("ANSWER", "order -> done", 250.0),
        ("PING", "ping -> pong", 500.0),
        ("RECV", "compressed", None),
        ("SEND", "order (no answer)", None),
    ]


def test_trusting_inflating_is_the_same_for_what_is_sound() -> None:
    params = Params()
    deflater, inflater = Deflater(params, "server"), TrustingInflater(params, "server")
    for text in (b"one", b"one two", b"", b"x" * 5000):
        assert inflater.whole(deflater.message(text)) == text
    assert inflater.whole(b"\xff\xff\xff") is None
    assert inflater.whole(deflater.message(b"one")) is None  # it may refer to what is lost
    assert TrustingInflater(params, "server", most=100).whole(deflater.message(b"y" * 101)) is None


# The pipe, the curve, the summary.


def test_messages_of_the_pipe_come_whole() -> None:
    plan = Plan(recording="a", target="ws://localhost", speed=float("inf"))
    asked = [Begin(1, plan, 7, [("a", "b")], {"c": "d"}), Leave(1), Drain(3)]
    data = b"".join(map(pack, asked))
    unpacker = Unpacker()
    bodies = [body for i in range(len(data)) for body in unpacker.feed(data[i : i + 1])]
    assert [command(body) for body in bodies] == asked
    told = Batch(names=[("END", "/")], samples=[(0, None, 3)], ends=[Ended(1, "END", "/", "k", "f", "s", 4)])
    (body,) = Unpacker().feed(pack(told))
    assert batch(body) == told
    with pytest.raises(BrokenPipe):
        list(Unpacker().feed(b"\xff\xff\xff\xff"))


def ramp(limit: int, clients: int, ends: int) -> list[tuple[float, Slice]]:
    return [
        (n / 10, Slice(connected=n, ended={"gone": ends} if n > limit else {}, answers={class_of(5.0): 30}))
        for n in range(1, clients + 1)
    ]


def test_where_ends_begin() -> None:
    found = onset(ramp(60, 100, 2), "gone")
    assert found is not None
    assert found.clients == 61
    assert found.below[0] == 0
    assert found.above[0] == 80


def test_what_ends_at_any_load_begins_at_none() -> None:
    slices = ramp(0, 100, 0)
    for number, (_, each) in enumerate(slices):
        if number % 7 == 0:
            each.ended["gone"] = max(1, each.connected // 10)
    assert onset(slices, "gone") is None
    assert onset(slices, "other") is None


def test_where_answers_begin_to_take_longer() -> None:
    slices = ramp(1000, 100, 0)
    assert slowing(slices) is None
    for _, each in slices:
        each.answers = {class_of(5.0 + max(0, each.connected - 50)): 30}
    found = slowing(slices)
    assert found is not None
    assert 45 <= found.clients <= 56
    assert found.before == pytest.approx(5.0, rel=STEP - 1)


def test_workers_are_summed_up(tmp_path: Path) -> None:
    curve = Curve()
    for worker in ("a", "b"):
        slices = {n: each for n, (_, each) in enumerate(ramp(30, 50, 1))}
        kinds = {"gone": Kind("by=server how=abrupt", "the server ended it", [(f"{worker}.jsonl", 1)])}
        # As it travels within Locust's own reports.
        sent_part = msgspec.msgpack.encode(Part(slices, kinds, [f"{worker}.jsonl"], {"gone": 20}))
        curve.add(worker, msgspec.msgpack.decode(sent_part, type=Part))
    found = summary.sum_up(curve)
    assert found.connected == 100
    (failing,) = found.failures
    assert failing.count == 40
    assert failing.onset is not None and failing.onset.clients == 62
    path = tmp_path / "run.jsonl"
    summary.write(summary.beside(path), found)
    assert summary.read(summary.beside(path)) == found
    assert summary.read(tmp_path / "none.load.json") is None
    assert any("begins at 62 connected clients" in line for line in found.lines())


def test_the_locustfile_is_python(tmp_path: Path) -> None:
    users = [
        locustfile.User("/tmp/2026-11-30T13-20-25-shop.jsonl", 9, {"speed": float("inf"), "headers": [("a", "b'\"")]}),
        locustfile.User("/tmp/shop.jsonl"),
        locustfile.User("/tmp/class.jsonl"),
    ]
    text = locustfile.text(users, "ws://localhost:8000")
    compile(text, "locustfile.py", "exec")
    assert "class Shop(ReplayUser):" in text
    assert "class Shop2(ReplayUser):" in text
    assert "weight = 9" in text
    assert 'speed = float("inf")' in text
