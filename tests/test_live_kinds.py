"""A real page in Chromium, whose every message has a fresh id: the cause is a kind of message, and named as one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness import node
from harness.browser import chromium

PAGES = {
    "socket.io": ("kind=socket.io:order", ("socket.io", "socket.io-client", "ws")),
    "json-rpc": ("kind=json-rpc:room/order", ("ws",)),
    "graphql-ws": ("kind=graphql-ws:complete", ("graphql-ws", "ws")),
    "nested": ("kind=chat.order", ("ws",)),
}


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(
    "protocol",
    [
        *(pytest.param(each, marks=pytest.mark.experiment) for each in ("socket.io", "nested")),
        *(pytest.param(each, marks=pytest.mark.long) for each in ("json-rpc", "graphql-ws")),
    ],
)
def test_the_cause_is_a_kind_of_message(protocol: str, tmp_path: Path) -> None:
    kind, packages = PAGES[protocol]
    if why := node.problem(*packages):
        pytest.skip(why)
    with node.program("kinds_backend.mjs", protocol) as backend, chromium() as page:
        port = backend.wait_for(r"listening on (\d+)")[1]
        command = [sys.executable, "-m", "hangup", "bisect", "--live", f"ws://127.0.0.1:{port}"]
        command += ["--listen", "127.0.0.1:0", "--record", str(tmp_path), "--seconds", "100", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            found = next(match for line in process.stderr if (match := re.search(r"listening on (\S+)", line)))
            page.goto(f"http://127.0.0.1:{port}/?base=ws://{found[1]}")
            output, told = process.communicate(timeout=130)
    verdict = json.loads(output)
    assert verdict["proved"], (verdict, told)
    assert verdict["cure"] == f"drop side=client {kind}"
    arms = [(a["arm"], a["failed"], a["unresolved"]) for a in verdict["ladder"]]
    assert sum(failed[1] for _, failed, _ in arms) <= 12, arms
    assert verdict["law"] is None or verdict["connections"] <= 45, arms  # the law's own trials are among these
    filters = [text for tried in verdict["ladder"] for text in tried["filters"]]
    assert filters and not any("text=" in text or "size=" in text for text in filters), filters
