"""Every command that hangup says to type is run as it stands, and so is every command that those say to type."""

from __future__ import annotations

import ast
import json
import re
import shlex
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

import layouts
import suggested
from conversing import Talk
from hangup.cli import COMMANDS, cli
from hangup.diagnosis import causes
from hangup.diagnosis.diagnose import diagnose
from hangup.recording.events import Event
from harness.peers import Answer, Peer, RawServer
from harness.programs import Program
from harness.proxies import HANGUP, surroundings
from recorded import HEADER, write
from replaying import serving

PACKAGE = Path(__file__).parents[1] / "addons" / "hangup"

STAYS = {"proxy": "listening on", "serve": "ws://", "open": "http://", "bisect --live": "listening on"}
"""Commands that go on until they are ended, and what they say once they have begun."""

FINE = {"why": (0, 3), "check": (0, 1, 125), "bisect": (0, 3, 4), "probe": (0, 1, 3)}
"""Exit codes that are an answer, where there are others than 0."""

PLACEHOLDER = re.compile(r"[A-Z]{2,}")


def drops(peer: Peer) -> None:
    """It hangs up on the second message."""
    peer.expect_frames(2)


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with serving(drops, lambda head: Answer() if head.target.startswith("/ws/") else Answer(403)) as server:
        yield server


Play = Callable[[Talk, int], None]


def _dropped(talk: Talk, conn: int) -> None:
    talk.end(conn, "server", "fin")
    talk.end(conn, "client", "fin")


def _closed_by_client(talk: Talk, conn: int) -> None:
    talk.close(conn, "client", 4000, "no pong")
    talk.end(conn, "client", "fin")
    talk.end(conn, "server", "fin")


def _stays(talk: Talk, conn: int) -> None:
    for _ in range(5):
        talk.wait(1_000_000)
        talk.say(conn, "server", "text", b"news")
        talk.say(conn, "client", "text", b"seen")


def record(file: Path, target: str, play: Play, *, path: str = "/ws/ada", status: int = 101, count: int = 4) -> Path:
    """A recording of connections that went alike."""
    talk = Talk()
    for conn in range(1, count + 1):
        talk.open(conn, target=path, status=status, headers=[("Sec-WebSocket-Key", "b" * 22 + "==")])
        if status == 101:
            for text in (b'{"type":"hello"}', b"ping"):
                talk.wait(20_000)
                talk.say(conn, "client", "text", text)
            talk.wait(1000)
            play(talk, conn)
        talk.wait(500_000)
    talk.stop()
    return write(file, list[Event](talk.events), replace(HEADER, target=target))


SCENES: dict[str, tuple[Play, dict[str, object]]] = {
    "dropped": (_dropped, {}),
    "refused": (_dropped, {"path": "/nowhere", "status": 403}),
    "closed by the client": (_closed_by_client, {}),
    "healthy": (_stays, {"count": 1}),
}


def form(words: list[str]) -> str:
    """A command without its values: ``bisect --live``."""
    return " ".join([words[0], *(word for word in words[1:] if word.startswith("--"))])


class Typing:
    """Types commands, and what their output says to type, each form of a command once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.typed: dict[str, str] = {}
        (folder / "hangup.toml").write_text('listen = "127.0.0.1:0"\nweb = "127.0.0.1:0"\n')

    def type(self, *begun: list[str]) -> None:
        """Commands, and what follows from them."""
        waiting = list(begun)
        while waiting:
            words = waiting.pop(0)
            if words not in begun and (form(words) in self.typed or any(map(PLACEHOLDER.fullmatch, words))):
                continue
            self.typed[form(words)] = shlex.join(words)
            printed = self._begun(words) if self._stays(words) else self._done(words)
            waiting += map(suggested.words_of, suggested.commands_in(printed))

    def _stays(self, words: list[str]) -> str:
        return STAYS.get(words[0]) or STAYS.get(form(words), "")

    def _done(self, words: list[str]) -> str:
        # That the whole search comes to its end, and what it then says to type, is test_end_to_end's business.
        few = ["--connections", "6"] if words[0] == "bisect" else []
        done = CliRunner(env={"COLUMNS": "300"}).invoke(cli, [*words, *few])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise AssertionError(shlex.join(words)) from done.exception
        assert done.exit_code in FINE.get(words[0], (0,)), f"{shlex.join(words)}: {done.exit_code}\n{done.output}"
        files = [Path(word) for word in words if word.endswith((".md", ".json"))]
        return "".join([done.output, *(file.read_text() for file in files if file.exists())])

    def _begun(self, words: list[str]) -> str:
        # Whoever runs the tests may have something on the usual port; the others take theirs from hangup.toml.
        free = ["--listen", "127.0.0.1:0"] if words[0] in ("serve", "bisect") else []
        options = ["--no-browser"] if words[0] == "open" else []
        with Program([*HANGUP, *words, *free, *options], environment=surroundings(), cwd=self.folder) as program:
            program.wait_for(self._stays(words))
            program.process.send_signal(signal.SIGTERM)
            program.wait()
            assert "Traceback" not in program.errors, program.report()
            return program.output + program.errors


@pytest.mark.parametrize("scene", SCENES)
def test_what_hangup_says_to_type_can_be_typed(
    scene: str, server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    play, options = SCENES[scene]
    typing = Typing(tmp_path)
    file = record(tmp_path / "run.jsonl", f"{server.url}/ws", play, **options)  # type: ignore[arg-type]
    name = str(file)
    typing.type(["why", name], ["show", name], ["convert", name, "for-others.md"], ["why", name, "--markdown"])
    begun = {"why", "show", "convert", "why --markdown"}
    assert begun < set(typing.typed), "and it says to type more than that"
    if scene == "dropped":
        assert {"bisect", "proxy --filter", "check", "show --conn"} <= set(typing.typed)
    if scene == "closed by the client":
        assert {"bisect --live", "serve"} <= set(typing.typed)


@pytest.mark.parametrize("name", layouts.LAYOUTS)
def test_every_step_is_a_command_that_there_is(name: str) -> None:
    for seed in range(3):
        report = diagnose(layouts.header(), layouts.build(name, seed), recording="run.jsonl")
        for step in report.next:
            assert not suggested.problem(step.command)


def test_what_the_causes_say_to_type_is_there() -> None:
    for name in causes.known():
        done = CliRunner().invoke(cli, ["causes", name])
        assert [suggested.problem(line) for line in suggested.commands_in(done.output)] in ([], [""])


def test_what_was_said_to_type_wrongly_is_said_rightly() -> None:
    done = CliRunner().invoke(cli, ["bisect", "--live", "run.jsonl", "ws://localhost:8000/ws"])
    said = [suggested.words_of(line) for line in suggested.commands_in(str(done.exception))]
    assert said == [["bisect", "--live", "ws://localhost:8000/ws"], ["bisect", "run.jsonl", "ws://localhost:8000/ws"]]


def test_an_example_has_no_backend_to_be_tried_on() -> None:
    for option in ((), ("--markdown",)):
        output = CliRunner().invoke(cli, ["why", "--example", "a3", *option]).output
        assert {words[0] for words in map(suggested.words_of, suggested.commands_in(output))} <= {"demo"}
    found = json.loads(CliRunner().invoke(cli, ["why", "--example", "a3", "--json"]).output)
    assert [step["command"] for step in found["next"]] == ["hangup demo"]


def test_standard_input_is_no_file_to_be_named() -> None:
    text = b"".join(json.dumps(line).encode() + b"\n" for line in _lines())
    output = CliRunner(env={"COLUMNS": "300"}).invoke(cli, ["why", "-"], input=text).output
    (bisect,) = [line for line in suggested.commands_in(output) if "bisect" in line]
    assert suggested.words_of(bisect)[1] == "RECORDING"


def _lines() -> list[object]:
    from hangup.recording import events as ev

    made = ev.dump([layouts.header(), *layouts.build("a3-text-ping")])
    return [json.loads(line) for line in made.splitlines()]


def _pieces(node: ast.JoinedStr) -> str:
    return "".join(str(value.value) if isinstance(value, ast.Constant) else "{}" for value in node.values)


def test_commands_are_made_in_one_place() -> None:
    """Else nobody would know whether all of them were tried, or are quoted as a shell needs it."""
    made = re.compile(rf"\bhangup (?:{'|'.join(COMMANDS)})\b[^`]*\{{\}}")
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.JoinedStr) and made.search(_pieces(node))
    ]
    assert not found, "use hangup.commands.command_line"
