"""A recording of very many connections, and what reading it costs in proportion to decoding its lines."""

from __future__ import annotations

import json
from pathlib import Path

REQUEST = {
    "method": "GET",
    "headers": [
        ["Host", "localhost:8000"],
        ["User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0"],
        ["Upgrade", "websocket"],
        ["Connection", "Upgrade"],
        ["Origin", "http://localhost:5173"],
        ["Sec-WebSocket-Version", "13"],
        ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
    ],
}
RESPONSE = {
    "status": 101,
    "reason": "Switching Protocols",
    "headers": [
        ["Upgrade", "websocket"],
        ["Connection", "Upgrade"],
        ["Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
    ],
}


def write(path: Path, count: int) -> None:
    """A day of a busy backend: clients on many paths that come, say a little and leave; and a page in a loop."""
    with open(path, "w") as out:
        out.write('{"hangup":1,"started":"2026-11-22T21:08:00.000000Z","target":"ws://localhost:8000","mode":"reverse"}\n')
        for conn in range(1, count + 1):
            at = conn * 0.4
            looping = conn % 10 == 0
            client = "127.0.0.1" if looping else f"10.0.{conn % 250}.{conn % 199}"
            target = "/ws/board" if looping else f"/ws/room-{conn % 5000}"
            lines: list[dict[str, object]] = [
                {
                    "kind": "handshake", "at": at, "conn": conn, "client": f"{client}:{10000 + conn % 50000}",
                    "server": "127.0.0.1:8000", "request": {**REQUEST, "target": target}, "response": RESPONSE,
                    "waited": 0.001,
                },
                _frame(conn, 1, at + 0.1, "server", '{"type":"welcome","version":3}'),
                _frame(conn, 2, at + 0.2, "client", json.dumps({"type": "subscribe", "id": conn})),
                _frame(conn, 3, at + 0.3, "server", '{"type":"subscribed"}'),
                _frame(conn, 4, at + 0.4, "client", '{"type":"ping"}'),
            ]  # fmt: skip
            if looping:
                ends = [("server", "fin"), ("client", "fin")]
            else:
                lines.append(_close(conn, 5, at + 0.5, "client"))
                lines.append(_close(conn, 6, at + 0.501, "server"))
                ends = [("server", "fin"), ("client", "fin")]
            for side, how in ends:
                lines.append({"kind": "end", "at": round(at + 0.51, 6), "conn": conn, "side": side, "how": how})
            out.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        out.write('{"kind":"stop","at":%g}\n' % (count * 0.4 + 1))


def _frame(conn: int, n: int, at: float, side: str, text: str) -> dict[str, object]:
    frame: dict[str, object] = {"kind": "frame", "at": round(at, 6), "conn": conn, "n": n, "side": side, "text": text}
    return frame | {"mask": "37fa213d"} if side == "client" else frame


def _close(conn: int, n: int, at: float, side: str) -> dict[str, object]:
    frame = _frame(conn, n, at, side, "") | {"opcode": "close", "base64": "A+g=", "code": 1000, "reason": ""}
    del frame["text"]
    return frame
