"""What is only written: pcapng, as dpkt and Wireshark read it, and Markdown."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversing import HEADER, SIDES, Talk, conversations
from hangup.errors import MissingExtra
from hangup.recording import events as ev
from hangup.recording.events import AnyEvent, Frame
from hangup.recording.formats.markdown import ranges
from hangup.recording.formats.writing import writer
from hangup.recording.rebuild import sent_by


def written(name: str, events: Iterable[AnyEvent]) -> tuple[bytes, str]:
    out = io.BytesIO()
    made = writer(name, out, HEADER)
    for event in events:
        made.write(event)
    made.finish()
    return out.getvalue(), made.losses.words


class Stream:
    """One direction of a TCP stream, put together as a receiver does."""

    def __init__(self) -> None:
        self.next: int | None = None
        self.data = b""
        self.times: list[float] = []
        self.flags = 0

    def take(self, at: float, segment: Any) -> None:
        if segment.flags & dpkt.tcp.TH_SYN:
            self.next = segment.seq + 1
        assert segment.seq + bool(segment.flags & dpkt.tcp.TH_SYN) == self.next
        self.data += segment.data
        self.next += len(segment.data)
        self.flags |= segment.flags
        if segment.data:
            self.times.append(at)


def streams(pcapng: bytes) -> dict[tuple[int, str], Stream]:
    """What each side of each connection sent, by the client's port."""
    found: dict[tuple[int, str], Stream] = {}
    for at, packet in dpkt.pcapng.Reader(io.BytesIO(pcapng)):
        ip = dpkt.ip.IP(packet)
        assert ip.len == len(packet) and dpkt.in_cksum(packet[:20]) == 0
        tcp = ip.data
        assert dpkt.in_cksum(ip.src + ip.dst + b"\0\x06" + len(bytes(tcp)).to_bytes(2) + bytes(tcp)) == 0
        side, port = ("client", tcp.sport) if tcp.dport == 80 else ("server", tcp.dport)
        found.setdefault((port, side), Stream()).take(float(at), tcp)
    return found


@settings(max_examples=50)
@given(conversations())
def test_pcapng_has_the_very_bytes_of_each_side(talk: Talk) -> None:
    found = streams(written("pcapng", talk.events)[0])
    for conn in talk.said:
        for side in SIDES:
            data = found[50000 + conn, side].data
            head, _, rest = data.partition(b"\r\n\r\n")
            assert head.startswith(b"GET /" if side == "client" else b"HTTP/1.1 ")
            assert rest == b"".join(sent_by(talk.events, conn, side))


def test_pcapng_times_and_endings() -> None:
    talk = Talk()
    for conn, how in ((1, "fin"), (2, "rst")):
        talk.wait(250_000)
        talk.open(conn)
        talk.wait(1)
        talk.say(conn, "client", "text", b"hello")
        talk.end(conn, "server", how)  # type: ignore[arg-type]
    found = streams(written("pcapng", talk.stop())[0])
    assert found[50001, "client"].times == pytest.approx([1795381680.371456, 1795381680.373457], abs=1e-6)
    assert found[50001, "server"].flags & dpkt.tcp.TH_FIN and not found[50002, "server"].flags & dpkt.tcp.TH_FIN
    assert found[50002, "server"].flags & dpkt.tcp.TH_RST


def test_pcapng_cut_payloads_are_filled_up_so_that_the_rest_stays_in_place() -> None:
    talk = Talk()
    talk.open(1)
    talk.events.append(Frame(at=0.1, conn=1, n=1, side="server", text="abc", length=1000, sha256="00"))
    talk.say(1, "server", "text", b"after")
    data, lost = written("pcapng", talk.stop())
    assert lost == "1 payload that was cut in the recording (padded with zeros)"
    assert streams(data)[50001, "server"].data.endswith(b"abc" + bytes(997) + b"\x81\x05after")


def test_pcapng_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "hangup.recording.formats.pcapng", raising=False)
    monkeypatch.setitem(sys.modules, "dpkt.ip", None)
    with pytest.raises(MissingExtra, match=r"hangup\[pcapng\]"):
        writer("pcapng", io.BytesIO(), HEADER)


@pytest.mark.real
@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_lists_our_frames(tmp_path: Path) -> None:
    talk = Talk()
    talk.open(1, target="/ws?a=1")
    talk.wait(500_000)
    talk.open(2, compressed=True)
    talk.say(1, "client", "text", '{"said":"plainly é"}'.encode())
    talk.wait(125_000)
    talk.say(2, "client", "text", b"compressed compressed compressed", packed=True)
    talk.say(2, "server", "text", b"compressed compressed again", packed=True)
    talk.say(2, "client", "text", b"compressed compressed compressed", packed=True)
    talk.frame(1, "server", 9, b"hi")
    talk.frame(1, "client", 10, b"hi")
    talk.say(1, "server", "text", b"in two parts", cuts=[6])
    talk.say(1, "server", "binary", b"\x00\xff")
    talk.say(1, "client", "text", b"x" * 70_000)
    talk.close(1, "server", 4001, "over")
    path = tmp_path / "a.pcapng"
    path.write_bytes(written("pcapng", talk.stop())[0])
    listed = _json(["tshark", "-r", str(path), "-Y", "websocket", "-T", "json"])
    packets = [each["_source"]["layers"] for each in listed]
    found = [
        (layers["tcp"]["tcp.stream"], frame["websocket.opcode"], frame["websocket.mask"])
        for layers in packets
        for frame in _list(layers["websocket"])
    ]
    assert found == [
        ("0", "1", "1"),
        ("1", "1", "1"),
        ("1", "1", "0"),
        ("1", "1", "1"),
        ("0", "9", "0"),
        ("0", "10", "1"),
        ("0", "1", "0"),
        ("0", "0", "0"),
        ("0", "2", "0"),
        ("0", "1", "1"),
        ("0", "8", "0"),
    ]
    text = subprocess.run(["tshark", "-r", str(path), "-Y", "websocket", "-V"], capture_output=True, text=True).stdout
    for said in ("plainly é", "compressed compressed compressed", "compressed compressed again", "in two parts"):
        assert said in text
    assert "4001" in text
    odd = "tcp.analysis.flags || _ws.malformed || tcp.checksum.status == Bad"
    trouble = subprocess.run(["tshark", "-r", str(path), "-Y", odd], capture_output=True, text=True).stdout
    assert trouble == ""
    times = _lines(["tshark", "-r", str(path), "-Y", "websocket", "-T", "fields", "-e", "frame.time_epoch"])
    assert times[0] == "1795381680.623456000" and times[1] == "1795381680.748456000"


def _json(command: list[str]) -> Any:
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


def _lines(command: list[str]) -> list[str]:
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# Markdown.


def markdown(events: Iterable[AnyEvent]) -> str:
    return written("markdown", events)[0].decode()


def test_markdown_has_handshake_frames_and_ending() -> None:
    talk = Talk()
    talk.open(1, target="/ws?a=1", headers=[("Origin", "http://h")])
    talk.wait(40_000)
    talk.say(1, "client", "text", b'{"a":"|`x`|"}')
    talk.say(1, "server", "binary", b"\x00\xff")
    talk.close(1, "server", 4001, "over")
    text = markdown(talk.stop())
    assert "GET /ws?a=1 HTTP/1.1\nHost: 127.0.0.1:8000" in text and "HTTP/1.1 101 Switching Protocols" in text
    assert '| 1 | 0.040 | client | text | 13 B | ``{"a":"\\|`x`\\|"}`` |' in text
    assert "| 2 | 0.040 | server | binary | 2 B | `00 ff` |" in text
    assert "| 3 | 0.040 | server | close | 6 B | 4001 `over` |" in text
    assert '**the server ended it with close code 4001 and the reason "over"' in text


def test_markdown_stays_short() -> None:
    talk = Talk()
    for conn in range(1, 301):
        talk.open(conn, target=f"/ws/{conn}")
    for i in range(1000):
        talk.say(1, "client", "text", b"y" * 1000 + str(i).encode())
    text, lost = written("markdown", talk.stop())
    assert len(text) < 65_536, "GitHub's limit for an issue"
    assert lost == "920 rows and 280 frame tables"
    assert b"920 rows left out" in text and b"200 more connections" in text


def test_markdown_has_one_row_for_what_is_alike() -> None:
    talk = Talk()
    for conn in range(1, 9):
        talk.open(conn, target="/other" if conn == 4 else "/ws")
        for _ in range(conn):
            talk.say(conn, "client", "text", b"hello")
        talk.wait(100_000)
        talk.close(conn, "server", 4002 if conn == 6 else 4001, "over")
    text = markdown(talk.stop())
    rows = [line.split(" | ") for line in text.splitlines() if "ended it with close code" in line and "|" in line]
    assert [row[0] for row in rows] == ["| 1 to 3, 5, 7 to 8", "| 4", "| 6"]
    assert [row[5] for row in rows] == ["1 to 8/1", "4/1", "6/1"]
    assert rows[0][6].startswith("all 6 alike, such as connection 1: the server ended it with close code 4001")
    assert re.findall(r"^#### Connection (\d+)", text, re.M) == ["4", "6", "8"], "of each row, the one that says most"


@given(st.lists(st.integers(1, 60), unique=True).map(sorted))
def test_ranges_name_every_number(numbers: list[int]) -> None:
    named: set[int] = set()
    text = ranges(numbers)
    for each in filter(None, text.removesuffix(", …").split(", ")):
        first, _, last = each.partition(" to ")
        named.update(range(int(first), int(last or first) + 1))
    assert named == set(numbers) or text.endswith("…") and named < set(numbers)


@given(conversations())
def test_markdown_tables_are_whole_whatever_is_said(talk: Talk) -> None:
    _check_tables(markdown(talk.events))


def test_markdown_obeys_nobody() -> None:
    talk = Talk()
    talk.open(1, headers=[("X", "```\n# heading")])
    for nasty in ("a|b", "`", "``|``", "\\|", "\\\\|", "\n# x", "<script>", "[a](b)", "\x1b[31m"):
        talk.say(1, "client", "text", nasty.encode())
        talk.say(1, "client", "text", ("x" + nasty + "y").encode())
    talk.events.append(ev.Note(at=1.0, conn=1, text="@everyone <b>|"))
    talk.events.append(ev.End(at=1.0, conn=1, side="server", how="fin", note="*a* | <b> @me"))
    text = markdown(talk.stop())
    _check_tables(text)
    assert "\x1b" not in text and "\n# " not in text
    outside_code = text.split("</details>")[1]
    assert "@me" not in outside_code.replace("`@everyone <b>\\|`", "")


def _check_tables(text: str) -> None:
    """Each row of the table of frames has six cells, as GitHub splits them."""
    for line in text.splitlines():
        if not line.startswith("| ") or line.startswith(("| frame", "| conn")):
            continue
        cells, i = 0, 1
        while i < len(line):
            if line[i] == "\\":
                i += 2
                continue
            cells += line[i] == "|"
            i += 1
        assert cells in (6, 7), line
