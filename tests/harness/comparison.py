"""``python -m harness.comparison``: who hung up, according to stock mitmproxy and to hangup, as Markdown.

Run from ``tests/``. Every row is played three times on raw sockets: without a proxy, through stock ``mitmdump``, and
through ``hangup proxy``.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from harness import DEADLINE
from harness.endings import ENDINGS, SIDES, Ending, Played, describe, play
from harness.peers import Address, Head, RawServer, Side, dial, open_websocket, request_head
from harness.proxies import IMPATIENT_HANGUP, IMPATIENT_MITMDUMP, MITMDUMP, HangupProxy, Mitmdump

STOCK_ADDON = """
import json, os

class Verdicts:
    def websocket_end(self, flow):
        ws = flow.websocket
        with open(os.environ["VERDICTS"], "a") as file:
            print(json.dumps([flow.request.path, ws.closed_by_client, ws.close_code, ws.close_reason]), file=file)

addons = [Verdicts()]
"""


class Row(NamedTuple):
    """One ending: what each side saw of it, and what was said of it, without a proxy and through each."""

    title: str
    direct: Played
    stock: Played
    stock_says: str
    hangup: Played
    hangup_says: str


@contextmanager
def stock_proxy(server: RawServer, command: Sequence[str] = MITMDUMP) -> Iterator[tuple[Mitmdump, Path]]:
    """Stock ``mitmdump`` in front of this server, and the file in which it says how each flow ended."""
    with tempfile.TemporaryDirectory(prefix="hangup-stock-") as folder:
        addon, verdicts = Path(folder, "verdicts.py"), Path(folder, "verdicts.jsonl")
        addon.write_text(STOCK_ADDON)
        verdicts.touch()
        with Mitmdump(
            *["--mode", f"reverse:http://127.0.0.1:{server.port}", "-s", str(addon), "--set", "flow_detail=0"],
            command=command,
            environment={"VERDICTS": str(verdicts)},
        ) as proxy:
            yield proxy, verdicts


def read_verdicts(verdicts: Path) -> dict[str, str]:
    """What stock said of each path, in words."""
    said = {}
    for line in verdicts.read_text().splitlines():
        path, by_client, code, reason = json.loads(line)
        who = {True: "client", False: "server", None: "nobody"}[by_client]
        said[path] = f"{who}, {code}" + (f' "{reason}"' if reason else "")
    return said


CASES = [(ending, side) for ending in ENDINGS for side in SIDES]


def path(ending: Ending, side: Side) -> str:
    """The path of this case's connection."""
    return f"/{ending.name}/{side}"


def play_all(address: Address, server: RawServer) -> list[Played]:
    """Every ending by every side, in the order of ``CASES``."""
    return [play(ending, side, address, server, path(ending, side)) for ending, side in CASES]


def measure() -> list[Row]:
    """Play every ending by every side, and then some, three times."""
    with RawServer() as server:
        direct = play_all(server.address, server)
        with stock_proxy(server) as (mitmdump, verdicts):
            stock = play_all(mitmdump.address, server)
            mitmdump.stop()
            said = read_verdicts(verdicts)
        with HangupProxy(server.url) as proxy:
            ours = play_all(proxy.address, server)
            proxy.stop()
            sentences = read_sentences(proxy)
    rows = [
        Row(f"{case[1]}: {case[0].title}", direct[n], stock[n], said[path(*case)], ours[n], sentences[path(*case)])
        for n, case in enumerate(CASES)
    ]
    return [*rows, measure_silence(), measure_backend_down()]


def measure_silence() -> Row:
    """Nobody says anything for longer than mitmproxy's ``tcp_timeout``, here two seconds instead of ten minutes."""
    with RawServer() as server:
        with stock_proxy(server, IMPATIENT_MITMDUMP) as (mitmdump, verdicts):
            began = time.monotonic()
            stock = play_silence(mitmdump.address, server, DEADLINE)
            longer = time.monotonic() - began + 1
            mitmdump.stop()
            said = read_verdicts(verdicts)
        direct = play_silence(server.address, server, longer)
        with HangupProxy(server.url, command=IMPATIENT_HANGUP) as proxy:
            ours = play_silence(proxy.address, server, longer)
            proxy.stop()
            sentences = read_sentences(proxy)
    return Row("nobody: silence for longer than `tcp_timeout`", direct, stock, said["/"], ours, sentences["/"])


def play_silence(address: Address, server: RawServer, seconds: float) -> Played:
    """Open a connection, and wait for so long that somebody ends it."""
    client = open_websocket(address, "/")
    upstream = server.accept("/")
    with suppress(AssertionError):
        client.wait_end(seconds)
        upstream.wait_end(1)
    played = Played(describe(client), describe(upstream))
    client.close()
    upstream.close()
    return played


def measure_backend_down() -> Row:
    """Nobody listens where the backend should be."""
    with RawServer() as server:
        server.refuse()
        with stock_proxy(server) as (mitmdump, verdicts):
            stock = play_backend_down(mitmdump.address)
            mitmdump.stop()
            said = read_verdicts(verdicts)
        with HangupProxy(server.url) as proxy:
            ours = play_backend_down(proxy.address)
            proxy.stop()
            sentences = read_sentences(proxy)
        direct = play_backend_down(server.address)
    return Row("server: is down", direct, stock, said.get("/", "nothing"), ours, sentences["/"])


def play_backend_down(address: Address) -> Played:
    """Ask for a WebSocket and see."""
    try:
        client = dial(address)
    except ConnectionRefusedError:
        return Played("connection refused", "")
    client.send(request_head("/", "localhost"))
    try:
        head = client.take(b"\r\n\r\n")
        seen = f"HTTP {Head.parse(head).status}"
    except AssertionError:
        seen = describe(client)
    client.close()
    return Played(seen, "")


def read_sentences(proxy: HangupProxy) -> dict[str, str]:
    """What ``hangup show`` says of the ending of each path."""
    return {c["path"]: c["ending"]["sentence"] for c in proxy.show()["connections"]}


def markdown(rows: list[Row]) -> str:
    """The rows as a table."""
    lines = [
        "| who: what | the other side sees, without a proxy | through stock mitmproxy | stock says"
        " | through hangup | hangup says |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row.title, row.direct.seen, difference(row.stock, row.direct), row.stock_says]
        lines.append(f"| {' | '.join([*cells, difference(row.hangup, row.direct), row.hangup_says])} |")
    return "\n".join(lines)


def difference(played: Played, direct: Played) -> str:
    """What both sides saw, where it is not what they see without a proxy."""
    words = []
    if played.seen != direct.seen:
        words.append(f"**{played.seen}**")
    if played.ender_saw != direct.ender_saw:
        words.append(f"who did it sees **{played.ender_saw}** instead of {direct.ender_saw}")
    return "; ".join(words) or "the same"


if __name__ == "__main__":
    print(markdown(measure()))
