"""``python -m harness.comparison``: who hung up, according to stock mitmproxy and to hangup, as Markdown.

Run from ``tests/``. Every row is played three times on raw sockets: without a proxy, through stock ``mitmdump``, and
through ``hangup proxy``.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.endings import ENDINGS, SIDES, Ending, Played, play
from harness.peers import Address, RawServer, Side
from harness.proxies import HangupProxy, Mitmdump

if TYPE_CHECKING:
    from hangup.recording.events import AnyEvent

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
    """One ending by one side: what the other side saw, and what was said of it."""

    ending: Ending
    side: Side
    direct: Played
    stock: Played
    stock_says: str
    hangup: Played
    hangup_says: dict[str, Any]


@contextmanager
def stock_proxy(server: RawServer) -> Iterator[tuple[Mitmdump, Path]]:
    """Stock ``mitmdump`` in front of this server, and the file in which it says how each flow ended."""
    with tempfile.TemporaryDirectory(prefix="hangup-stock-") as folder:
        addon, verdicts = Path(folder, "verdicts.py"), Path(folder, "verdicts.jsonl")
        addon.write_text(STOCK_ADDON)
        verdicts.touch()
        with Mitmdump(
            *["--mode", f"reverse:http://127.0.0.1:{server.port}", "-s", str(addon), "--set", "flow_detail=0"],
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


def through_stock(server: RawServer) -> tuple[list[Played], dict[str, str]]:
    """All of it through stock ``mitmdump``, and what that said of each path."""
    with stock_proxy(server) as (mitmdump, verdicts):
        played = play_all(mitmdump.address, server)
        mitmdump.stop()
        return played, read_verdicts(verdicts)


def through_hangup(server: RawServer) -> tuple[list[Played], dict[str, Any], list[AnyEvent]]:
    """All of it through ``hangup proxy``; what ``hangup show`` says of each path's ending, and the events."""
    with HangupProxy(server.url) as proxy:
        played = play_all(proxy.address, server)
        proxy.stop()
        shown = {c["path"]: c["ending"] for c in proxy.show()["connections"]}
        return played, shown, proxy.events()


def measure() -> list[Row]:
    """Play every ending by every side, three times."""
    with RawServer() as server:
        direct = play_all(server.address, server)
        stock, verdicts = through_stock(server)
        ours, shown, _ = through_hangup(server)
    return [
        Row(*case, direct[n], stock[n], verdicts.get(path(*case), "nothing"), ours[n], shown[path(*case)])
        for n, case in enumerate(CASES)
    ]


def markdown(rows: list[Row]) -> str:
    """The rows as a table."""
    lines = [
        "| what happened | the other side sees, without a proxy | through stock mitmproxy | stock says"
        " | through hangup | hangup says |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        same = "the same" if row.hangup.seen == row.direct.seen else f"**{row.hangup.seen}**"
        stock = "the same" if row.stock.seen == row.direct.seen else f"**{row.stock.seen}**"
        lines.append(
            f"| {row.side}: {row.ending.title} | {row.direct.seen} | {stock} | {row.stock_says} | {same}"
            f" | {row.hangup_says['sentence']} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown(measure()))
