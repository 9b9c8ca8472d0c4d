"""The table is whole: twenty faults and four controls, each with programs that exist and a verdict that does."""

from __future__ import annotations

import json
import shutil
import subprocess

import msgspec
import pytest

from faults.record import plan, shape_for
from faults.shape import VOCABULARY, Filler, Shape
from faults.table import FAULTS, HERE, Fault, Program

CATALOGUE = [
    "A3",
    "A4",
    "A1",
    "A2",
    "A5",
    "E1",
    "B3",
    "B4",
    "B1",
    "C1",
    "F5",
    "D7",
    "D8",
    "D3",
    "D1",
    "D4",
    "D10",
    "F2",
    "F4",
    "A9",
]


def programs(fault: Fault) -> list[Program]:
    return [*fault.backends.values(), *fault.clients.values()]


def test_twenty_faults_and_four_controls() -> None:
    faults = [fault for fault in FAULTS.values() if not fault.control]
    assert sorted(fault.cause for fault in faults) == sorted(CATALOGUE)
    assert len(FAULTS) == 24
    assert not any(name[0].isdigit() for name in FAULTS), "recordings/[0-9]* is ignored by git"


@pytest.mark.parametrize("name", FAULTS)
def test_entry(name: str) -> None:
    fault = FAULTS[name]
    assert fault.verdict.count("/") == 1
    assert fault.closer in (("",) if fault.control else ("client", "server"))
    assert fault.trigger in ("frame", "header", "time", "count", "peer", "none")
    assert all((HERE / program.file).is_file() for program in programs(fault))
    assert all(fault.clients_of(backend) for backend in fault.backends)
    spoken = {program.speaks for program in fault.backends.values()}
    assert spoken == {program.speaks for program in fault.clients.values()}


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.scenario])
def test_scenarios_are_json_and_stay_the_same(name: str) -> None:
    fault = FAULTS[name]
    assert fault.scenario is not None
    for seed in range(1, 6):
        shape = shape_for(fault, seed)
        first = fault.scenario(shape, False)
        assert json.loads(json.dumps(first)) == first
        assert fault.scenario(shape, False) == first


def test_variants_cover_every_fault_and_stack() -> None:
    variants = plan(480, 1)
    assert variants == plan(480, 1)
    assert variants != plan(480, 2)
    assert len({variant.name for variant in variants}) == 480
    seen = {(variant.fault.name, variant.backend) for variant in variants}
    assert seen == {(name, backend) for name, fault in FAULTS.items() for backend in fault.backends}


def test_shape_defaults_are_those_of_the_node_programs() -> None:
    assert VOCABULARY["defaults"] == {name: getattr(Shape(), name) for name in Shape.__struct_fields__}


@pytest.mark.parametrize("seed", range(1, 40))
def test_messages_keep_their_kind(seed: int) -> None:
    shape = Shape.of_seed(seed)
    assert msgspec.json.decode(msgspec.json.encode(shape), type=Shape) == shape
    filler = Filler(seed)
    for theme in VOCABULARY["themes"]:
        shape = msgspec.structs.replace(shape, theme=theme)
        for kind, fields in [shape.words["hello"], *shape.words["says"]]:
            message = filler.fill(shape.wrap(kind, fields))
            assert shape.unwrap(message) == (kind, message[shape.nest] if shape.nest else shape.unwrap(message)[1])
            assert shape.unwrap(message)[0] == kind
            assert "$" not in json.dumps(message)


@pytest.mark.real
def test_python_and_node_speak_alike() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    for seed in (0, 1, 2, 5):
        shape = Shape.of_seed(seed) if seed else Shape()
        script = (
            f"const s = await import({json.dumps((HERE / 'shape.mjs').as_uri())});"
            "console.log(JSON.stringify([s.ping(), s.pong(), s.say('welcome'), s.target(), s.clientId(s.target()),"
            " s.answers(s.ping()), s.answers(s.say('hello')), s.answers(s.wrap('x', {id: 7}))]))"
        )
        command = [node, "--input-type=module", "-e", script, "--", "--shape", msgspec.json.encode(shape).decode()]
        said = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
        assert said == [
            shape.ping,
            shape.pong,
            shape.say("welcome"),
            shape.target(),
            shape.client_id,
            shape.answers(shape.ping),
            shape.answers(shape.wrap(*shape.words["hello"])),
            shape.answers(shape.wrap("x", {"id": 7})),
        ]
