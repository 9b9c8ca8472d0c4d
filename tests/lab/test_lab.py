"""The lab: its table is as large and as mixed as it must be, its programs are always the same, and some are
recorded."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import psutil
import pytest

import lab.faults  # noqa: F401  (fills the table)
from lab.checking import Watch, problems
from lab.faults.words import PROPOSED
from lab.record import record_all
from lab.running import missing
from lab.table import EVERYWHERE, FAULTS, Expected, plan, program

VOCABULARY = {
    "handshake": """path parameter origin auth-rejected subprotocol extension header-size http-version no-ws-support
        never-accepted limit""",
    "server-handler": """returns-immediately returns-after-message crash-on-message crash-on-own-event
        dependency-timeout blocked concurrent-io dead-peer-broadcast""",
    "message": """not-json schema unknown-type wrong-opcode oversize invalid-utf8 encoding framing order-before-hello
        init-missing vocabulary-mismatch""",
    "heartbeat": """app-ping-kills control-ping-kills app-pong-missing-from-client app-pong-missing-from-server
        control-pong-missing pong-mismatch interval-race direction throttled stale-timer""",
    "intermediary": "idle-timeout lifetime-cap frame-corruption upgrade-conflict non-sticky",
    "identity": "id-collision stale-cleanup ghost-session stale-resume token-expired-retry",
    "client-lifecycle": """double-mount effect-churn stale-close-handler throws-on-frame connect-deadline poison-replay
        slow-consumer""",
    "process": "restart crash worker-timeout message-count-limit",
    "none": "healthy harmless-errors",
}
NAMES = {f"{category}/{name}" for category, names in VOCABULARY.items() for name in names.split()}
FAULTY = [entry for entry in FAULTS.values() if not entry.healthy]

HANDFUL = [
    ("crashes-on-one-kind", "fastapi"),
    ("over-the-clients-limit", "tornado"),
    ("text-ping-to-a-json-reader", "aiohttp"),
    ("gateway-answers-http-after-the-upgrade", "websockets"),
    ("path-is-doubled", "raw"),
    ("accepted-only-to-be-told-no", "starlette"),
    ("serves-one-message", "channels"),
    ("healthy-chat", "websockets"),
]


def test_there_are_sixty_causes_on_two_stacks_each() -> None:
    stacks: dict[str, set[str]] = defaultdict(set)
    for entry in FAULTY:
        stacks[entry.cause] |= set(entry.stacks)
    assert len(stacks) >= 60
    assert [cause for cause, names in stacks.items() if len(names) < 2] == []


def test_every_verdict_of_the_vocabulary_is_there_and_no_other() -> None:
    known = NAMES | set(PROPOSED) | {"unknown/"}
    named = {entry.cause for entry in FAULTS.values()}
    assert named <= known
    # StrictMode's first close is no fault, so double-mount is only ever an alternative.
    assert known - named == {"client-lifecycle/double-mount"}
    for entry in FAULTS.values():
        assert {*entry.alternatives, *entry.never_sure} <= known, entry.name
        assert entry.cause not in (*entry.alternatives, *entry.never_sure), entry.name
        assert not {*entry.alternatives} & {*entry.never_sure}, entry.name


def test_ten_faults_have_no_word() -> None:
    assert sum(entry.open_set for entry in FAULTS.values()) >= 10


def test_every_kind_has_three_siblings() -> None:
    siblings: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for entry in FAULTS.values():
        if entry.kind is not None:
            siblings[entry.kind] |= {(entry.name, stack) for stack in entry.stacks}
    assert set(siblings) == set(range(1, 14))
    for kind, found in siblings.items():
        assert len({name for name, _ in found}) >= 3, kind
        assert len({stack for _, stack in found}) >= 3, kind


def test_every_stack_and_healthy_programs_are_there() -> None:
    assert {stack for entry in FAULTS.values() for stack in entry.stacks} == set(EVERYWHERE)
    for entry in FAULTS.values():
        assert entry.closer in (("",) if entry.healthy else ("client", "server")), entry.name
    chosen = list(plan(200, 1))
    assert sum(p.fault.healthy for p in chosen) == 100


def test_programs_and_labels_are_the_same_again() -> None:
    first, second = list(plan(80, 5)), list(plan(80, 5))
    assert [p.as_json() for p in first] == [p.as_json() for p in second]
    assert [(p.app.backend(), p.app.frontend(), p.app.between) for p in first] == [
        (p.app.backend(), p.app.frontend(), p.app.between) for p in second
    ]
    assert [p.app.backend() for p in plan(80, 6)] != [p.app.backend() for p in first]


def test_every_program_can_be_drawn_and_written_as_json() -> None:
    for entry in FAULTS.values():
        for stack in entry.stacks:
            for seed in (1, 2):
                this = program(entry, stack, seed)
                json.dumps([this.app.backend(), this.app.frontend(), this.app.between, this.as_json()])


def _watched(path: Path, lines: list[dict[str, object]]) -> Watch:
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in [{"hangup": 1}, *lines]))
    watch = Watch(path)
    watch.read()
    return watch


def test_a_recording_without_the_fault_is_not_labelled(tmp_path: Path) -> None:
    opened = {"kind": "handshake", "at": 0.1, "conn": 1, "request": {}, "response": {"status": 101}}
    ended = {"kind": "end", "at": 0.2, "conn": 1, "side": "server", "how": "fin"}
    planned = Expected(closer="server", least=1)
    path = tmp_path / "recording.jsonl"
    assert problems(planned, _watched(path, [opened]))
    assert problems(planned, _watched(path, [opened, {**ended, "side": "client"}, ended]))
    assert problems(planned, _watched(path, [opened, {**ended, "by": "proxy"}]))
    assert not problems(planned, _watched(path, [opened, ended]))
    assert problems(Expected(closer="server", least=1, codes=(1009,)), _watched(path, [opened, ended]))
    assert problems(Expected(most=0), _watched(path, [opened, ended]))
    assert not problems(Expected(most=0), _watched(path, [opened]))


@pytest.mark.real
@pytest.mark.timeout(120)
def test_a_handful_is_recorded_with_labels(tmp_path: Path) -> None:
    programs = [program(FAULTS[name], stack, seed) for seed, (name, stack) in enumerate(HANDFUL, 70)]
    counts = asyncio.run(record_all([p for p in programs if not missing(p)], tmp_path, jobs=8))
    assert counts["failed"] == 0
    for this in programs:
        if not missing(this):
            assert json.loads((tmp_path / this.folder / "label.json").read_text()) == this.as_json()
            assert (tmp_path / this.folder / "recording.jsonl").read_text().startswith('{"hangup":1')
    again = asyncio.run(record_all([p for p in programs if not missing(p)], tmp_path, jobs=8))
    assert set(again) == {"there"}
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.folder for p in programs if not missing(p))


@pytest.mark.real
@pytest.mark.timeout(90)
def test_stopped_it_leaves_nothing_behind(tmp_path: Path) -> None:
    words = ["--into", str(tmp_path), "--recordings", "3", "--only", "healthy-many"]
    command = [sys.executable, "-m", "lab.record", *words]
    recorder = psutil.Popen(command, cwd=Path(__file__).parents[1], stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not list(tmp_path.glob(".*/recording.jsonl")) and time.monotonic() < until:
        time.sleep(0.05)
    children = recorder.children(recursive=True)
    assert children
    recorder.terminate()
    _, said = recorder.communicate(timeout=30)
    assert recorder.returncode == 130
    assert said.decode().splitlines()[-1].startswith("record: stopped")
    assert list(tmp_path.iterdir()) == []
    _, left = psutil.wait_procs(children, timeout=20)
    assert left == []
