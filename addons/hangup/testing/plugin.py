"""The pytest plugin: the fixtures, and what a failed test has of its connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hangup.errors import HangupError
from hangup.testing.programs import Proxy, Server
from hangup.testing.reports import file_name, tell

MODES = ("once", "none", "all")

_STARTED: pytest.StashKey[list[Proxy | Server]] = pytest.StashKey()
_FAILED: pytest.StashKey[bool] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """pytest: the command line is read."""
    group = parser.getgroup("hangup")
    group.addoption(
        "--hangup-record",
        choices=MODES,
        default="once",
        help="hangup_server: record what is not recorded yet (once), never (none, for CI), or everything anew (all).",
    )
    group.addoption(
        "--hangup-report",
        metavar="DIR",
        help="Where the HTML reports of failed tests go; by default each beside its recording, or into "
        "pytest-playwright's folder for the test.",
    )


def started(item: Any) -> list[Proxy | Server]:
    """What a test has started so far."""
    found: list[Proxy | Server] = item.stash.setdefault(_STARTED, [])
    return found


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    """pytest: a part of a test is over. Where it failed, the report of each recording is attached to it: as a section
    of what pytest prints, and as a property in JUnit's XML."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.when != "call" or not report.failed:
        return
    item.stash[_FAILED] = True
    for number, each in enumerate(started(item), 1):
        told = tell(each.recording, _folder(item, each) / f"{file_name(item.nodeid)}-{number}.html")
        report.sections.append(("hangup", told.text))
        if told.path is not None:
            item.user_properties.append(("hangup-report", str(told.path)))
            report.user_properties = item.user_properties


def _folder(item: pytest.Item, each: Proxy | Server) -> Path:
    """Where a report goes."""
    if given := item.config.getoption("hangup_report", None):
        return Path(given)
    if artifacts := getattr(item, "funcargs", {}).get("output_path"):  # pytest-playwright's, for traces and the like
        return Path(artifacts)
    return each.recording.parent


@pytest.fixture
def hangup_proxy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Proxy]]:
    """A factory: ``hangup_proxy("ws://127.0.0.1:8000")`` starts a :class:`Proxy`, which ends with the test."""
    made: list[Proxy] = []

    def start(target: str, *filters: str) -> Proxy:
        proxy = Proxy(target, tmp_path / f"hangup-{len(made) + 1}.jsonl", filters)
        made.append(proxy)
        started(request.node).append(proxy)
        return proxy

    yield start
    for proxy in made:
        proxy.close()


@pytest.fixture
def hangup_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Proxy | Server]]:
    """A factory for a server that is recorded once and played from then on.

    ``hangup_server("chat.jsonl", target="ws://127.0.0.1:8000")`` plays the recorded server of ``chat.jsonl``, a file
    beside the test's own. Where it is not there yet, the test goes through a recording proxy to ``target`` (a URL, or a
    function that starts a backend and gives its URL), and the file is written once it has passed, without secrets.
    ``--hangup-record=all`` records anew, ``none`` never does. A message from the client that nothing in the recording
    resembles has no answer, and fails the test at its end; ``strict=False`` lets it pass. ``speed`` is how many times
    as fast the server answers as it did, None for at once.
    """
    recorded: list[tuple[Proxy, Path]] = []
    played: list[tuple[Server, bool]] = []
    number = 0

    def start(
        name: str | Path,
        *,
        target: str | Callable[[], str] | None = None,
        speed: float | None = 1.0,
        strict: bool = True,
        redact: bool = True,
    ) -> Proxy | Server:
        nonlocal number
        number += 1
        run = tmp_path / f"hangup-server-{number}.jsonl"
        cassette = request.path.parent / name
        mode = request.config.getoption("hangup_record")
        if cassette.exists() and mode != "all":
            server = Server(cassette, run, speed=speed)
            played.append((server, strict))
            started(request.node).append(server)
            return server
        if mode == "none":
            pytest.fail(f"{name} is not recorded, and --hangup-record=none records nothing", pytrace=False)
        if target is None:
            pytest.fail(f"{name} is not recorded yet: give a target to record it from", pytrace=False)
        proxy = Proxy(target if isinstance(target, str) else target(), run)
        recorded.append((proxy, cassette))
        started(request.node).append(proxy)
        secret.update({cassette: not redact})
        return proxy

    secret: dict[Path, bool] = {}
    yield start
    for each in (*(proxy for proxy, _ in recorded), *(server for server, _ in played)):
        each.close()
    problems = [text for server, strict in played if strict for text in _unanswered(server)]
    if request.node.stash.get(_FAILED, False):
        return
    for proxy, cassette in recorded:
        _keep(proxy.recording, cassette, redact=not secret[cassette])
    if problems:
        pytest.fail("; ".join(problems), pytrace=False)


def _unanswered(server: Server) -> list[str]:
    found = server.unanswered()
    if not found:
        return []
    more = f" (and {len(found) - 1} more)" if found[1:] else ""
    return [
        f"{server.cassette.name} has no answer to this message of the client{more}: {found[0]}; "
        "--hangup-record=all records it anew"
    ]


def _keep(recording: Path, cassette: Path, *, redact: bool) -> None:
    """Makes a recording a cassette, in one step: others may read it at the same time."""
    from hangup.testing.cassettes import keep

    try:
        keep(recording, cassette, redact=redact)
    except HangupError as error:
        pytest.fail(str(error), pytrace=False)
