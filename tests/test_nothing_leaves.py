"""Planted secrets: of every kind, in every place, none is in what is made for others."""

from __future__ import annotations

import ast
import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace
from rich.panel import Panel
from rich.text import Text

import planted_secrets as planting
import recorded
import reports
from conversing import HEADER, Talk
from hangup.cli import cli
from hangup.cli.screen import Screen
from hangup.errors import HangupError
from hangup.experiment import document_file
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.keeping import TO_SHARE, Series, keep
from hangup.experiment.law import Condition, Law
from hangup.experiment.reading import Reading, read_case
from hangup.experiment.script import reproducer
from hangup.experiment.verdict import Minimal, Tried, Verdict
from hangup.mcp_server import reading_tools
from hangup.mcp_server.library import Library
from hangup.recording import events as ev
from hangup.recording.events import AnyEvent, FilterEvent, Handshake, Log, Note
from hangup.recording.formats import FORMATS
from hangup.recording.redaction.placeholders import Vault
from hangup.recording.redaction.redactor import Redactor
from hangup.recording.writer import write_private
from hangup.wire.url import parse_target
from ordinary_traffic import corpus
from replaying import InMemory

WRITTEN = [name for name, each in FORMATS.items() if each.writes]


def exported(events: list[AnyEvent]) -> Iterator[tuple[str, list[bytes]]]:
    """What each format makes of a recording, redacted: its name, and all bytes that are in it."""
    redactor = Redactor()
    redactor.learn(events, HEADER)
    yield "events", list(planting.everything(redactor.events(events)))
    for name in WRITTEN:
        yield name, [reports.redacted(name, events, HEADER)]


COMBINATIONS = list(planting.combinations())


def test_there_is_enough_to_be_found() -> None:
    assert len({secret for _, _, secret in COMBINATIONS}) >= 80
    assert len({kind for kind, _, _ in COMBINATIONS}) >= 40
    assert len({place for _, place, _ in COMBINATIONS}) >= 15


PLACES = list(dict.fromkeys(place for _, place, _ in COMBINATIONS))
SHARES = 3
"""In the suite, a place has one of so many shares of the secrets that fit there, and the next place the next share."""


def share(place: str, every: bool) -> list[tuple[str, str, str]]:
    """Some of what is planted in a place, or all of it."""
    there = [each for each in COMBINATIONS if each[1] == place]
    return there if every else there[PLACES.index(place) % SHARES :: SHARES]


def test_in_the_suite_too_there_is_every_kind_of_secret_and_every_place() -> None:
    tried = [each for place in PLACES for each in share(place, False)]
    assert {place for _, place, _ in tried} == set(PLACES)
    assert {kind for kind, _, _ in tried} == {kind for kind, _, _ in COMBINATIONS}


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.long)], ids=["a share", "all of them"])
@pytest.mark.parametrize("place", PLACES)
def test_no_secret_is_in_any_export(place: str, every: bool) -> None:
    leaked: Counter[tuple[str, str]] = Counter()
    for name, where, secret in share(place, every):
        if where == place:
            events = planting.planted(place, planting.KINDS[name], secret)
            assert planting.leaks(secret, planting.everything(events)), f"{name} is not there at all"
            for form, data in exported(events):
                leaked[name, form] += len(planting.leaks(secret, data))
    assert not +leaked


def test_ordinary_traffic_stays_as_it_is() -> None:
    """At most two of a hundred messages, targets, lines of a log lose anything."""
    strings = corpus()
    changed = []
    for each in strings:
        vault = Vault()
        url = each.startswith(("ws:", "wss:", "/"))
        if vault.text(each, url=url) != each or (not url and vault.payload(each.encode())):
            changed.append(each)
    assert len(strings) > 1500
    assert len(changed) <= 0.02 * len(strings), changed


SECRETS, CROWDED = planting.crowded()


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("crowd") / "run.jsonl"
    path.write_bytes(ev.dump([HEADER, *CROWDED]))
    return path


def told_in(data: bytes) -> set[str]:
    """The secrets of which there is anything in data, or packed in it."""
    whole = list(planting.unpacked(data))
    return {secret for secret in SECRETS for piece in planting.pieces(secret) if any(piece in one for one in whole)}


def test_they_are_there_to_be_found(crowd: Path) -> None:
    assert len(SECRETS) >= 80
    result = CliRunner().invoke(cli, ["convert", str(crowd), "-", "--to", "hangup", "--no-redact"])
    assert len(told_in(result.stdout_bytes)) >= 80


COMMANDS = [
    ["show", "{run}", "--markdown"],
    ["show", "{run}", "--markdown", "--conn", "{conn}"],
    ["why", "{run}", "--markdown"],
    ["why", "{run}", "--markdown", "--conn", "{conn}"],
    ["why", "{run}", "--github"],
    ["diff", "{run}", "--conn", "{conn}", "--conn-b", "{next}", "--markdown"],
    ["diff", "{run}", "{run}", "--markdown"],
    *(["convert", "{run}", "-", "--to", name] for name in WRITTEN if name != "pcapng"),
]


def test_no_answer_to_an_assistant_tells_a_secret(crowd: Path) -> None:
    library = Library(crowd.parent)
    answers = [reading_tools.recordings(library, 0), reading_tools.why(library, crowd.name, None)]
    answers += [
        reading_tools.connections(library, crowd.name, "", False, False, None, offset) for offset in range(0, 200, 10)
    ]
    conns = sorted({event.conn for event in CROWDED if isinstance(event, Handshake)})
    for conn in conns[::9]:
        answers.append(reading_tools.frames(library, crowd.name, conn, "", "", "", "", "", False, None, 0))
    assert sum("[redacted-" in each.text for each in answers) > 10
    for each in answers:
        assert not told_in(each.text.encode())


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_tells_a_secret(crowd: Path, words: list[str]) -> None:
    conns = sorted({event.conn for event in CROWDED if isinstance(event, Handshake)})
    for conn, following in zip(conns[::9], conns[1::9], strict=False):
        result = CliRunner().invoke(cli, [w.format(run=crowd, conn=conn, next=following) for w in words])
        assert result.exit_code in (0, 1, 3) and len(result.stdout_bytes) > 100, result.output
        assert not told_in(result.stdout_bytes)
        if "{conn}" not in words:
            break


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document of a bisect that tells every secret, wherever it may."""
    named = [json.dumps({"type": "login", "password": secret}) for secret in SECRETS]
    rungs = [
        {"title": f"with {each}", "failed": [1, 2], "outcome": "failed", "filters": [f"rewrite to={each}"]}
        for each in named
    ]
    found = {
        "verdict": "message/schema",
        "ladder": rungs,
        "proved": True,
        "headline": "proved: message/schema",
        "cure": " + ".join(f"set-header Authorization 'Bearer {quote(secret)}'" for secret in SECRETS),
        "law": {
            "sentence": f"the server drops the connection on {named[0]!r}",
            "boundary": f"`password`: survives {SECRETS[1]!r}",
        },
        "minimal": {"frames": [1], "payload": named[2], "opcode": "text", "neighbour": f"{named[3]!r} stays open"},
        "log": [{"text": f"Traceback\n  File x\nValueError: password={secret}"} for secret in SECRETS],
        "verification": [f"connected with password={SECRETS[4]!r}"],
        "target": f"ws://h/?password={quote(SECRETS[5], safe='')}",
    }
    path = tmp_path_factory.mktemp("proof") / "verdict.json"
    path.write_text(json.dumps(found))
    return path


@pytest.mark.parametrize("more", [[], ["--conn", "3"]], ids=" ".join)
@pytest.mark.parametrize("name", ["html", "markdown"])
def test_no_export_tells_a_secret_of_the_proof(crowd: Path, proof: Path, name: str, more: list[str]) -> None:
    words = ["convert", str(crowd), "-", "--to", name, "--bisect", str(proof), *more]
    kept = CliRunner().invoke(cli, [*words, "--no-redact"]).stdout_bytes
    assert len(told_in(kept)) >= 80, "they are there to be found"
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0 and b"proved: message/schema" in result.stdout_bytes
    data = reports.of_the_recording(result.stdout) if name == "html" else result.stdout_bytes
    assert not told_in(data)


SECRET = "Zq7" + "".join(chr(ord("a") + i) for i in (3, 9, 1, 20, 11, 6)) + "41"

OTHER = "".join(reversed(SECRET)) + "w5"


def told(sure: float = 0.9) -> tuple[Reading, Verdict]:
    """A recording whose client sends a password, and what a bisect of it may say."""
    talk = Talk()
    talk.open(1, target=f"/ws?ticket={SECRET[::-1]}", headers=[("Cookie", f"sid={SECRET}cookie")])
    talk.wait(100_000)
    talk.say(1, "server", "text", b'{"type":"welcome"}')
    talk.say(1, "client", "text", json.dumps({"type": "login", "password": SECRET, "since": "a+b"}).encode())
    talk.wait(3000)
    talk.end(1, "server", "fin")
    reading = read_case(InMemory(talk.stop()))
    payload = json.dumps({"password": SECRET[:-2], "since": "+"}).encode()
    condition = Condition("`since` holds a `+`", "`password`: survives 1, fails 2")
    told = f"a `login` message in which `since` holds a `+` and `password` is {SECRET!r}"
    law = Law(f"the server drops the connection on {told}", [condition])
    filters = (f"query ticket {SECRET[::-1]}", "drop text=`x`|y")
    ladder = [Tried("given", f"with {SECRET}", filters, Counts(1, 2), Outcome.SURVIVED)]
    verdict = Verdict(
        verdict="message/schema",
        proved=True,
        probability=sure,
        law=law,
        ladder=ladder,
        cure=f"set-header Cookie sid={SECRET}cookie",
        minimal=Minimal((2,), payload, "text", f"'{payload.decode()}' in its place stays open"),
        cause=Counts(5, 0),
        without=Counts(0, 5),
    )
    return reading, verdict


@pytest.mark.parametrize("sure", [0.9, 0.3])
def test_a_bisects_document_keeps_its_law_and_no_secret(tmp_path: Path, sure: float) -> None:
    reading, verdict = told(sure)
    path = tmp_path / "run.jsonl"
    path.write_bytes(ev.dump([HEADER]))
    document = keep(reading, verdict, [Series("trials", path, [])], parse_target("ws://127.0.0.1:8000"))
    document.log = [Log(at=0.0, text=f"\x1b[31mrefused {SECRET[2:]} of {SECRET}``` \n```")]
    page = document.markdown()
    assert "`since` holds a `+`" in page and "`password` is" in page and "message/schema" in page
    assert re.search(r"Smallest failing message \(client frame 2, text\): `.*password.*redacted.*since", page)
    local, shared = (Path(document.files[name]) for name in ("reproducer", TO_SHARE))
    assert SECRET[:-2] in local.read_text() and "on this machine" in local.read_text()
    for made in (page, shared.read_text()):
        for secret in (SECRET, SECRET[:-2], SECRET[2:], SECRET[::-1], f"{SECRET}cookie"):
            assert secret not in made and quote(secret) not in made
        assert "\x1b" not in made
    for each in (local, shared):
        assert each.stat().st_mode & 0o077 == 0
        compile(each.read_text(), each.name, "exec")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["html", "markdown"])
def test_a_bisects_file_tells_no_secret_and_no_piece_of_one(tmp_path: Path, name: str, packed: bool) -> None:
    reading, verdict = told()
    assert verdict.minimal is not None and verdict.minimal.payload is not None
    if packed:
        verdict.minimal.payload = gzip.compress(verdict.minimal.payload)
        verdict.minimal.neighbour = ""
    path = tmp_path / "run.jsonl"
    path.write_bytes(ev.dump([HEADER, *reading.transcript.recording]))
    document = keep(reading, verdict, [Series("trials", path, [])], parse_target("ws://127.0.0.1:8000"))
    document.about["started"] = HEADER.started
    document.log = [Log(at=0.0, text=f"refused {SECRET[2:]} of {SECRET}\n{SECRET[3:]}")]
    document_file.write(document, path)
    file = Path(document.files[document_file.WHAT])
    assert SECRET[:-2] in file.read_text() and file.stat().st_mode & 0o077 == 0
    words = ["convert", str(path), "-", "--to", name]
    kept = CliRunner().invoke(cli, [*words, "--no-redact"])
    assert f"using the proof in {file}" in kept.stderr and SECRET[2:] in kept.stdout
    result = CliRunner().invoke(cli, words)
    made = reports.of_the_recording(result.stdout).decode() if name == "html" else result.stdout
    assert "proved: message/schema" in made and "`since` holds a `+`" in made
    shown = document_file.read(file).redacted(Vault()).minimal
    assert shown is not None and shown.payload is not None and "redacted" in shown.payload or packed
    for secret in (SECRET, SECRET[:-2], SECRET[2:], SECRET[::-1], f"{SECRET}cookie"):
        assert secret not in made and quote(secret) not in made
        assert not any(secret.encode() in each for each in planting.unpacked(spelled(made)))


def spelled(text: str) -> bytes:
    """A text in which bytes are spelled out (``\\x8b``), as those bytes."""
    escapes = re.sub(r"\\+x([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), text)
    return escapes.encode("latin-1", "replace")


@pytest.mark.parametrize("name", ["html", "markdown"])
def test_a_report_on_one_connection_tells_nothing_of_the_others(tmp_path: Path, name: str) -> None:
    talk = Talk()
    for conn in (1, 2):
        talk.open(conn, headers=[("Authorization", f"Bearer {SECRET}")] if conn == 1 else [])
        talk.say(conn, "client", "text", f"ping of {OTHER}".encode())
        talk.wait(1000)
        talk.end(conn, "server", "fin")
    path, proof = tmp_path / "run.jsonl", tmp_path / "verdict.json"
    path.write_bytes(ev.dump([HEADER, *talk.stop()]))
    rung = {"title": f"without {SECRET} of {OTHER}", "failed": [0, 5], "outcome": "survived"}
    found = {"verdict": "message/schema", "ladder": [rung], "headline": f"it is {SECRET[2:]}"}
    proof.write_text(json.dumps(found | {"log": [{"text": f"password={OTHER}"}]}))
    words = ["convert", str(path), "-", "--to", name, "--conn", "2", "--bisect", str(proof)]
    kept = CliRunner().invoke(cli, [*words, "--no-redact"]).stdout
    assert SECRET in kept and kept.count(OTHER) > 2
    said = CliRunner().invoke(cli, words).stdout
    assert "without [redacted-1] of [redacted-2]" in said.replace("\\", "")
    assert SECRET[2:] not in said and OTHER not in said, "a secret that only the proof gives away is one everywhere"


def test_a_secret_in_what_tells_the_stack_stays(tmp_path: Path) -> None:
    events = [
        recorded.handshake(0.1, headers=[("Server", f"uvicorn token={SECRET}")]),
        recorded.text(0.2, "client", 1, "ping"),
        recorded.end(0.3, "server"),
    ]
    path = recorded.write(tmp_path / "run.jsonl", events)
    kept = reports.data_of(reports.converted(path, tmp_path / "kept.html", "--no-redact"))
    assert kept["why"]["stack"]["because"] == [f"Server: uvicorn token={SECRET}"]
    assert SECRET not in reports.converted(path, tmp_path / "report.html")


def test_a_reproducer_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "old.py"
    path.write_text("")
    path.chmod(0o644)
    write_private(path, b"new")
    assert path.stat().st_mode & 0o777 == 0o600 and path.read_bytes() == b"new"


@given(st.text(max_size=60))
def test_no_text_leaves_the_docstring_of_a_reproducer(text: str) -> None:
    reading, verdict = told()
    verdict.contrast = (text, '"""\\')
    program = reproducer(reading.case, verdict, reading.case.request, "ws://h/" + text, 1.0)
    tree = ast.parse(program)
    assert isinstance(tree.body[0], ast.Expr) and isinstance(tree.body[1], ast.Import)


@given(st.text(max_size=60) | st.text("\x1b[]0;m\x07\x9b\u202e\n\r ab", max_size=30))
def test_no_text_commands_a_screen(text: str) -> None:
    out = io.StringIO()
    screen = Screen(file=out, width=200, markup=False, highlight=False, emoji=False)
    screen.print(Text(text))
    screen.print(Panel(Text(text)), text)
    assert all(char.isprintable() or char == "\n" for char in out.getvalue())


HOSTILE = "\x1b[2J\x1b]0;owned\x07`|</details>\n# x\u202e"


@pytest.mark.parametrize(
    "words",
    [
        *(["show", "{run}", *more] for more in ([], ["--conn", "1"], ["--markdown"], ["--conn", "9"])),
        *(["why", "{run}", *more] for more in ([], ["--markdown"], ["--conn", "1"])),
        *(["diff", "{run}", "--conn", "1", "--conn-b", "2", *more] for more in ([], ["--markdown"], ["--strict"])),
        ["recordings", "{folder}"],
        ["show", "{folder}"],
        ["convert", "{run}", "-", "--to", "markdown"],
        ["convert", "{run}", "-", "--to", "markdown", "--no-redact"],
    ],
    ids=" ".join,
)
def test_no_command_gives_control_characters_on(tmp_path: Path, words: list[str]) -> None:
    talk = Talk()
    for conn in (1, 2):
        talk.open(conn, target=f"/ws?x={HOSTILE}{conn}", headers=[("X-Evil", f"{HOSTILE}{conn}"), ("Origin", HOSTILE)])
        talk.wait(1000)
        talk.say(conn, "client", "text", json.dumps({HOSTILE: HOSTILE, "type": HOSTILE, "n": conn}).encode())
        talk.say(conn, "server", "text", f"{HOSTILE}{conn}".encode())
        talk.events.append(Log(at=talk.at, source=HOSTILE, text=f"{HOSTILE}\nTraceback: {HOSTILE}"))
        acted = FilterEvent(at=talk.at, conn=conn, filter=f"drop text={HOSTILE}", action="drop", n=1, side="client")
        talk.events.append(replace(acted, note=HOSTILE))
        talk.events.append(Note(at=talk.at, conn=conn, text=HOSTILE, reason=HOSTILE))
        talk.close(conn, "server", 4001, HOSTILE)
    header = replace(HEADER, target=f"ws://h/{HOSTILE}", note=HOSTILE, source=HOSTILE, filters=[HOSTILE])
    path = tmp_path / "run.jsonl"
    path.write_bytes(ev.dump([header, *talk.stop()]))
    _tell_hostile_proof(tmp_path / "bisects" / "run-verdict.json")
    result = CliRunner().invoke(cli, [word.format(run=path, folder=tmp_path) for word in words])
    said = result.output + str(result.exception if isinstance(result.exception, HangupError) else "")
    assert len(result.output) > 50 or isinstance(result.exception, HangupError)
    assert all(char.isprintable() or char == "\n" for char in said)
    if "markdown" in " ".join(words):
        tokens = MarkdownIt("commonmark").enable("table").parse(result.stdout)
        html = [t.content for t in tokens if t.type == "html_block"]
        assert all(re.fullmatch(r"</?details>(<summary>[^<]*</summary>)?\n?", each) for each in html), html
        # No heading of the recording's making.
        titles = [tokens[i + 1].content for i, t in enumerate(tokens) if t.type == "heading_open"]
        assert titles and "x" not in titles


def _tell_hostile_proof(path: Path) -> None:
    """The document of a bisect whose every text is hostile."""
    rung = {"title": HOSTILE, "failed": [1, 2], "outcome": HOSTILE, "filters": [HOSTILE, f"`{HOSTILE}"]}
    texts = dict.fromkeys(("headline", "claim", "cure", "target"), HOSTILE)
    law = {"sentence": HOSTILE, "boundary": f"`{HOSTILE}"}
    minimal = {"payload": HOSTILE, "opcode": HOSTILE, "neighbour": HOSTILE}
    more = {"log": [{"text": HOSTILE, "source": HOSTILE}], "verification": [HOSTILE], "started": HEADER.started}
    path.parent.mkdir()
    path.write_text(json.dumps({"verdict": HOSTILE, "ladder": [rung], "law": law, "minimal": minimal, **texts, **more}))
