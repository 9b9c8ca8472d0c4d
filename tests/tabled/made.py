"""Very many recordings: some that are large and alike, and copies of the golden ones at other times with other ids."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hangup.recording import events as ev

GOLDEN = Path(__file__).resolve().parents[2] / "recordings"
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)

BODIES = 10
"""So many different ones of the large recordings; the others differ in when, and from which backend, they are."""

PLANTED = "a3-text-ping-to-json-reader"
RELEASE = "orders 2.4.1"
PATH = "/orders/"


def _frames(dice: random.Random, conn: int, at: float, count: int) -> Iterator[ev.Frame]:
    kinds = {"client": ("order", "tick", "chat", "ping"), "server": ("ack", "tick", "quote", "pong")}
    for n in range(1, count + 1):
        side: ev.Side = "client" if n % 2 else "server"
        said = {"type": dice.choice(kinds[side]), "id": dice.randrange(10**6), "value": round(dice.random() * 100, 2)}
        mask = "a1b2c3d4" if side == "client" else None
        text = json.dumps(said, separators=(",", ":"))
        yield ev.Frame(at=round(at + n * 0.01, 6), conn=conn, n=n, side=side, mask=mask, text=text)


def body(seed: int, frames: int, connections: int = 20) -> bytes:
    """What follows the header of a recording of about so many frames."""
    dice = random.Random(seed)
    each = max(2, frames // connections - 1)
    events: list[ev.Event] = []
    for conn in range(1, connections + 1):
        at = conn * (each * 0.01 + 1)
        request = ev.Request(target=f"/ws/client-{conn}", headers=[("Host", "localhost:8000")])
        address = f"127.0.0.1:{40_000 + conn}"
        answer = ev.Response(status=101, reason="Switching Protocols")
        events.append(ev.Handshake(at=at, conn=conn, client=address, request=request, response=answer, waited=0.01))
        events += _frames(dice, conn, at, each)
        end = round(at + each * 0.01 + 0.01, 6)
        how = dice.choice(("fin", "rst", "close"))
        if how == "close":
            payload = (1011).to_bytes(2, "big") + b"internal error"
            events.append(ev.Frame(
                at=end, conn=conn, n=each + 1, side="server", opcode="close", base64=payload, code=1011,
                reason="internal error",
            ))  # fmt: skip
        events.append(ev.End(at=end + 0.001, conn=conn, side="server", how="rst" if how == "rst" else "fin"))
    return ev.dump([*events, ev.Stop(at=end + 1)])


def large(folder: Path, count: int, frames: int) -> list[Path]:
    """Writes ``count`` recordings of about so many frames, from five backends on 28 days."""
    folder.mkdir(parents=True, exist_ok=True)
    bodies = [body(seed, frames) for seed in range(min(BODIES, count))]
    paths = []
    for number in range(count):
        started = BEGIN + timedelta(days=number % 28, minutes=number)
        header = ev.Header(hangup=1, started=_iso(started), target=f"ws://backend-{number % 5}:8000", version="0.1.0")
        path = folder / f"{started:%Y-%m-%dT%H-%M-%S}-{number:05}.jsonl"
        path.write_bytes(ev.dump([header]) + bodies[number % len(bodies)])
        paths.append(path)
    return paths


def fleet(folder: Path, count: int, planted: int) -> list[Path]:
    """Writes copies of the golden recordings, each at another time and with another client's id; ``planted`` of them,
    spread over all, are of one incident: one cause, on a path and in a release of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    golden = {path.stem: path.read_bytes().split(b"\n", 1) for path in sorted(GOLDEN.glob("[a-z]*.jsonl"))}
    others = [name for name in golden if name != PLANTED]
    mine = {number * count // planted for number in range(planted)} if planted else set()
    paths = []
    for number in range(count):
        head, rest = golden[PLANTED if number in mine else others[number % len(others)]]
        header = ev.decode_header(head)
        header.started = _iso(BEGIN + timedelta(minutes=7 * number))
        rest = rest.replace(b"client-1", b"client-%d" % (number + 1))
        if number in mine:
            rest = rest.replace(b'"/ws/', b'"' + PATH.encode())
            rest = rest.replace(b'"headers":[["', b'"headers":[["X-Release","%b"],["' % RELEASE.encode())
        path = folder / f"{number:05}.jsonl"
        path.write_bytes(ev.dump([header]) + rest)
        paths.append(path)
    return paths


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
