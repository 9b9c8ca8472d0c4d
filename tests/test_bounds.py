"""What hangup may cost, whoever plays: the short version of the table that ``python -m bounds`` prints."""

from __future__ import annotations

import gc
import gzip
import importlib
import json
import time
import tracemalloc
import typing
import weakref
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

import hangup
import recorded
from bounds import many
from bounds.bombs import MIB, RSV1, bomb, explode, packed
from hangup.cli import cli
from hangup.cli.show.chosen import choose
from hangup.cli.sources import undisturbed
from hangup.errors import RecordingError, UsageError
from hangup.filters.chain import Chain
from hangup.filters.filter_set import FilterSet
from hangup.net.fast_mask import fast_mask
from hangup.recorder.journal import Journal
from hangup.recording import loops
from hangup.recording.choice import Choice
from hangup.recording.events import Event, FilterEvent, Frame
from hangup.recording.fates import settle, settle_all
from hangup.recording.formats import open_recording
from hangup.recording.formats.pcapng import PcapngWriter
from hangup.recording.formats.writing import writer
from hangup.recording.ledger import Ledger
from hangup.recording.outlines import OutlineLedger
from hangup.recording.reader import batches, read
from hangup.recording.traffic_ledger import look_into, look_into_again
from hangup.session import Session
from hangup.wire.deflate import Inflater, Params
from hangup.wire.inflation_budget import ALL_SPARE, AT_ONCE, RATIO, SPARE, InflationBudget, bound, whole
from harness import frames
from harness.frames import MASK, TEXT
from recorded import HEADER

RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").glob("[a-z]*.jsonl"))


def session(
    *filters: str, params: Params | None = None, inflation: InflationBudget | None = None
) -> tuple[Session, list[Event]]:
    """A session with these filters, and where its events go."""
    said: list[Event] = []
    active = FilterSet()
    active.replace(filters, 0.0)
    made = Session(
        1,
        said.append,
        deflate=params or Params(),
        mask=fast_mask,
        chain=Chain(active, 1, 0.0, emit=said.append),
        inflation=inflation,
    )
    return made, said


def inflated(said: list[Event]) -> int:
    """Bytes that stand inflated in the recording."""
    return sum(len(each.message or "") for each in said if isinstance(each, Frame))


class TestInflation:
    def test_a_thousand_bombs(self) -> None:
        """What is written is bounded by what was on the wire; nothing is lost, and nothing is called broken."""
        one = bomb(MIB)
        made, said = session(inflation=whole())
        for _ in range(1000):
            made.observe("client", one, 1.0)
        assert len(said) == 1000
        assert MIB <= inflated(said) <= SPARE + RATIO * 1000 * len(one)
        left = [each for each in said if isinstance(each, Frame) and each.left_compressed]
        assert len(left) > 900
        assert all(each.payload == packed(MIB) and not each.problems and each.message is None for each in left)

    def test_one_bomb_takes_no_more_than_what_may_be_inflated_at_once(self) -> None:
        budget = InflationBudget(within=whole())
        inflater = Inflater(Params(), "client", budget=budget)
        found = inflater.message(packed(64 * MIB), 1 << 20)
        assert inflater.left and found.data == b"" and not found.problems
        assert found.length <= AT_ONCE + 64

    def test_in_pieces_it_is_inflated_as_they_come(self) -> None:
        """A large frame comes in pieces, and nothing of it is held."""
        data = packed(64 * MIB)
        inflater = Inflater(Params(), "client", budget=InflationBudget(within=whole()))
        for start in range(0, len(data), 1 << 16):
            inflater.feed(data[start : start + (1 << 16)], 1 << 20)
        inflater.message(b"", 1 << 20)
        assert inflater.left

    def test_ordinary_traffic_is_never_left(self) -> None:
        """JSON that says almost the same again and again, with takeover: twenty times as much as on the wire."""
        from test_deflate import zlib_sender

        params = Params()
        send = zlib_sender(params, "client")
        inflater = Inflater(params, "client", budget=InflationBudget(within=whole()))
        for number in range(5_000):
            text = json.dumps({"type": "tick", "at": number * 17, "prices": [number % 7 + i / 8 for i in range(40)]})
            payload = send(text.encode())
            assert inflater.message(payload, 1 << 20).data == text.encode()
            assert not inflater.left

    def test_all_connections_have_one_budget_together(self) -> None:
        together = whole()
        one = bomb(MIB)
        count = 200
        total = 0
        for _ in range(count):
            made, said = session(inflation=together)
            made.observe("client", one, 1.0)
            total += inflated(said)
        assert total <= ALL_SPARE + RATIO * count * len(one)

    def test_time_makes_up_for_it(self) -> None:
        now = 0.0
        budget = InflationBudget(within=whole(lambda: now))
        inflater = Inflater(Params(client_no_context_takeover=True), "client", budget=budget)
        fits = 0
        for _ in range(60):
            inflater.message(packed(MIB), 1 << 20)
            fits += not inflater.left
            now += 10.0
        assert fits == 60

    @pytest.mark.parametrize("text", ["drop text=never-there", "rewrite text=never-there to=x"])
    def test_through_a_filter_it_passes_as_it_is(self, text: str) -> None:
        one = bomb(MIB)
        made, said = session(text, inflation=whole())
        out = b"".join(made.receive("client", one, 1.0).to_server for _ in range(300))
        assert out == one * 300
        passed = [each for each in said if isinstance(each, FilterEvent)]
        assert passed and {each.action for each in passed} == {"pass"}

    def test_what_is_left_is_said(self, tmp_path: Path) -> None:
        path = thousand(tmp_path, left=True)
        run = CliRunner(env={"COLUMNS": "140"})
        assert "60 messages left compressed" in run.invoke(cli, ["show", str(path)]).output
        assert "left compressed, because it" in run.invoke(cli, ["show", str(path), "--conn", "1"]).output
        assert "left compressed" in run.invoke(cli, ["show", str(path), "--markdown", "--conn", "1"]).output
        converted = run.invoke(cli, ["convert", str(path), str(tmp_path / "out.har"), "--no-redact"])
        assert "left-compressed messages" in converted.output


def thousand(folder: Path, left: bool = False) -> Path:
    """A recording of bombs that nobody inflated yet."""
    payload, count = packed(MIB), 60 if left else 200
    shake = recorded.handshake(headers=[("Sec-WebSocket-Extensions", "permessage-deflate")])
    said = [
        Frame(at=n / 100, conn=1, n=n, side="client", rsv=RSV1, mask="37fa213d", base64=payload, left_compressed=left)
        for n in range(1, count + 1)
    ]
    return recorded.write(folder / "bombs.jsonl", [shake, *said])


class TestFiles:
    @pytest.mark.parametrize("form", ["har", "playwright", "markdown", "pcapng"])
    def test_an_export_is_bounded_by_what_is_read(self, tmp_path: Path, form: str) -> None:
        path = thousand(tmp_path)
        out = BytesIO()
        source = read(path)
        made = writer(form, out, source.header)
        for event in source:
            made.write(event)
        made.finish()
        made.close()
        assert len(out.getvalue()) <= ALL_SPARE + RATIO * path.stat().st_size

    def test_zeros_for_what_was_cut_are_too(self) -> None:
        """3 KB that say of themselves that 2 GB were cut became a file of 2 GB."""
        out = BytesIO()
        made = PcapngWriter(out, HEADER)
        made.write(recorded.handshake())
        for n in range(1, 33):
            made.write(Frame(at=n, conn=1, n=n, side="server", opcode="binary", length=64 << 20, sha256="00" * 32))
        made.finish()
        assert len(out.getvalue()) < 2 * SPARE
        assert "cut payloads that are too long to pad" in made.losses.words

    def test_a_packed_file_is_not_unpacked_to_anything(self, tmp_path: Path) -> None:
        path = tmp_path / "bomb.har.gz"
        with gzip.open(path, "wb") as out:
            out.write(b'{"log":{"version":"1.2","entries":[' + b" " * (64 << 20) + b"]}}")
        assert bound(path.stat().st_size) < 64 << 20
        with pytest.raises(RecordingError, match="is not unpacked: unpack it yourself if you trust it"):
            open_recording(path)


@pytest.mark.measured
def test_the_proxy_stays_small() -> None:
    """Through the proxy, with a filter: the memory and the disk that it takes."""
    effect = explode([bomb(MIB)] * 300 + [bomb(64 * MIB)], "--filter", "drop text=never-there")
    assert effect.memory <= 64
    assert effect.disk <= SPARE / MIB + RATIO * effect.sent + 4


def test_what_is_buffered_counts(tmp_path: Path) -> None:
    """What one turn of the loop writes waits to be written like all else."""
    journal = Journal(tmp_path / "x.jsonl", HEADER, max_behind=8 << 20)
    try:
        with journal._changed:  # the disk is slow
            for _ in range(6):
                journal._lines.append(b"x" * MIB)
                journal._buffered += MIB
        assert journal.behind >= 6 * MIB
    finally:
        journal._lines.clear()
        journal._buffered = 0
        journal.close()


# What is over


@pytest.mark.parametrize(
    "text", ["drop text=x", "delay 1h", "keepalive every=1s", "drop-heartbeat", "throttle messages=1"]
)
def test_a_session_is_freed(text: str) -> None:
    """Also while a message is held by a filter."""
    made, _ = session(text)
    made.receive("client", bomb(1000) + frames.frame(TEXT, b'{"a":1}', mask=MASK), 1.0)
    made.end("client", "fin", 2.0)
    made.end("server", "fin", 2.0)
    known = weakref.ref(made.client)
    del made
    gc.collect()
    assert known() is None


_LEAVES = (str, bytes, int, float, bool, type(None))


def _all_structs() -> list[type[msgspec.Struct]]:
    root = Path(hangup.__file__).parent
    for path in root.rglob("*.py"):
        if "gc=False" in path.read_text(encoding="utf-8"):
            importlib.import_module(".".join(("hangup", *path.relative_to(root).with_suffix("").parts)))
    found, left = set(), [msgspec.Struct]
    while left:
        for each in left.pop().__subclasses__():
            if each not in found and each.__module__.startswith("hangup"):
                found.add(each)
                left.append(each)
    return sorted(found, key=lambda each: each.__qualname__)


def _holds(kind: Any) -> list[Any]:
    """What a field of this type can refer to."""
    arguments = [each for each in typing.get_args(kind) if each is not Ellipsis]
    if typing.get_origin(kind) is typing.Literal:
        return []
    return [part for each in arguments for part in _holds(each)] if arguments else [kind]


def test_what_is_outside_the_collector_cannot_refer_back() -> None:
    """A struct that the collector does not see (``gc=False``) must hold nothing that leads back to it: such a cycle is
    never freed."""
    allowed = {"Any of Message._json"}
    bad = []
    for struct in _all_structs():
        if struct.__struct_config__.gc:
            continue
        hints = typing.get_type_hints(struct)
        for name in struct.__struct_fields__:
            for kind in _holds(hints[name]):
                data = isinstance(kind, type) and (
                    issubclass(kind, _LEAVES) or issubclass(kind, msgspec.Struct) or kind.__module__ == "enum"
                )
                closed = isinstance(kind, type) and issubclass(kind, msgspec.Struct) and _leads_to_functions(kind)
                told = f"{getattr(kind, '__name__', kind)} of {struct.__name__}.{name}"
                if (not data and not _is_data(kind)) or closed:
                    if told not in allowed:
                        bad.append(told)
    assert bad == []


def _is_data(kind: Any) -> bool:
    """A named tuple, or a protocol whose members are data."""
    return isinstance(kind, type) and (issubclass(kind, tuple) or getattr(kind, "_is_protocol", False))


def _leads_to_functions(struct: type[msgspec.Struct]) -> bool:
    parts = [part for hint in typing.get_type_hints(struct).values() for part in _holds(hint)]
    return any(part is Callable or getattr(part, "__name__", "") in ("Callable", "Bound", "Chain") for part in parts)


def _day(count: int) -> list[list[Event]]:
    """Connections that come, say something and leave."""
    return [
        [
            recorded.handshake(at=n, conn=n, path=f"/ws/{n % 50}"),
            recorded.close(n + 0.5, "client", 1, 1000, conn=n),
            recorded.close(n + 0.5, "server", 2, 1000, conn=n),
            recorded.end(n + 0.6, "server", conn=n),
            recorded.end(n + 0.6, "client", conn=n),
        ]
        for n in range(1, count + 1)
    ]


@pytest.mark.measured
def test_what_is_over_costs_some_hundred_bytes() -> None:
    ledger = OutlineLedger(100)
    day = _day(3000)
    tracemalloc.start()
    try:
        for connection in day[:1000]:
            ledger.feed_all(connection)  # type: ignore[arg-type]
        before = tracemalloc.get_traced_memory()[0]
        for connection in day[1000:]:
            ledger.feed_all(connection)  # type: ignore[arg-type]
        kept = (tracemalloc.get_traced_memory()[0] - before) / 2000
    finally:
        tracemalloc.stop()
    assert kept < 700


# Very many connections


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_an_outline_is_seen_among_others_as_the_connection_is(path: Path) -> None:
    ledger, outlined = Ledger(), OutlineLedger(0)
    for batch in batches(read(path)):
        events_ = list(batch)
        for event in events_:
            ledger.feed(event)
        outlined.feed_all(events_)
    settle(ledger)
    known = outlined.known()
    settle_all(known, outlined.last_at, outlined.stopped)
    assert loops.find(known, now=outlined.last_at) == loops.find(ledger.connections.values(), now=ledger.last_at)
    for each in known:
        of = ledger.connections[each.conn]
        assert (each.fate, each.failed, each.successor, each.manner) == (of.fate, of.failed, of.successor, of.manner)
        assert (each.ended, each.lifetime, each.lasted, each.route) == (of.ended, of.lifetime, of.lasted, of.route)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("many") / "many.jsonl"
    many.write(path, 3000)
    return path


def _took(work: Callable[[], object]) -> float:
    """Processor time in seconds, the least of three."""
    times = []
    for _ in range(3):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return min(times)


def _decode(path: Path) -> None:
    with open(path, "rb") as file:
        for line in file:
            json.loads(line)


@pytest.mark.measured
def test_reading_many_takes_little_more_than_decoding_them(busy: Path) -> None:
    with undisturbed():
        decoding = _took(lambda: _decode(busy))
        assert _took(lambda: choose(open_recording(busy), Choice(), 100)) <= 3 * decoding
        header = read(busy).header
        assert _took(lambda: look_into_again(header, lambda: read(busy).batches())) <= 6 * decoding


@pytest.mark.measured
def test_showing_many_takes_little_more_than_reading_them(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    many.write(path, 10_000)
    ratios: list[float] = []
    with undisturbed():
        while len(ratios) < 5 and min(ratios, default=9.0) > 3.3:
            # One right after the other, so that what else the machine does is the same for both.
            begun = time.process_time()
            assert sum(1 for _ in read(path)) > 80_000
            midst = time.process_time()
            assert choose(open_recording(path), Choice(), 100).total == 10_000
            ratios.append((time.process_time() - midst) / (midst - begun))
    assert min(ratios) <= 3.3, ratios  # of so few, some paths are met for the first time


def test_many_are_diagnosed_as_if_all_were_looked_into(busy: Path) -> None:
    source = read(busy)
    every, some = look_into(source.header, source), look_into_again(source.header, source.batches, 1500)
    assert 1500 in some.connections
    assert some.passed_over == every.passed_over
    numbers = {each.conn for each in some.looked_into}
    assert numbers == {each.conn for each in every.looked_into} - {2701} | {1500}
    for ledger in (every, some):
        settle(ledger)
    assert [each.conn for each in some.known() if each.failed] == [each.conn for each in every.known() if each.failed]
    assert loops.find(some.known(), now=some.last_at) == loops.find(every.known(), now=every.last_at)


def show(path: Path, *options: str) -> str:
    result = CliRunner(env={"COLUMNS": "140"}).invoke(cli, ["show", str(path), *options])
    assert result.exit_code == 0, result.output
    return result.output


class TestShow:
    def test_the_last_rows_and_how_many_more(self, busy: Path) -> None:
        shown = show(busy)
        assert "3,000 connections" in shown
        assert "and 2,900 more before these" in shown
        assert shown.count("/ws/") == 100 + 1  # and the loop's path
        assert show(busy, "--rows", "3").count("\n29") + show(busy, "--rows", "3").count("\n3000") == 3

    def test_a_path(self, busy: Path) -> None:
        shown = show(busy, "--path", "/ws/room-12?")
        assert "10 of them with --path /ws/room-12?" not in shown
        assert "9 of them with --path /ws/room-12?" in shown
        assert "/ws/board" not in shown

    def test_what_failed(self, busy: Path) -> None:
        shown = show(busy, "--failed", "--rows", "0")
        assert "300 of them with --failed" in shown
        assert shown.count("/ws/board") == 301 and "/ws/room" not in shown

    def test_since(self, busy: Path) -> None:
        assert "24 of them with --since 10s" in show(busy, "--since", "10s")

    def test_a_loop(self, busy: Path) -> None:
        assert "300 of them with --loop" in show(busy, "--loop")

    def test_nothing_fits(self, busy: Path) -> None:
        assert "none of them with --path /nowhere" in show(busy, "--path", "/nowhere")

    def test_json_has_those_that_fit(self, busy: Path) -> None:
        found = json.loads(show(busy, "--json", "--failed", "--path", "/ws/board"))
        assert len(found["connections"]) == 300
        assert all(each["failed"] for each in found["connections"])
        assert json.loads(show(busy, "--json"))["connections"][7]["conn"] == 8

    def test_it_needs_one_recording(self, tmp_path: Path, busy: Path) -> None:
        with pytest.raises(UsageError, match="--failed needs one recording"):
            CliRunner().invoke(cli, ["show", str(busy.parent), "--failed"], catch_exceptions=False)
        with pytest.raises(UsageError, match="goes with none of"):
            CliRunner().invoke(cli, ["show", str(busy), "--failed", "--conn", "3"], catch_exceptions=False)
