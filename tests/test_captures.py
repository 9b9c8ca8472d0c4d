"""Packet captures: TCP streams put together by tshark, then read as the proxy reads them."""

from __future__ import annotations

import io
import os
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dpkt
import pytest

from conversing import HEADER, Talk
from hangup.errors import ForeignRecording, MissingExtra
from hangup.processes.tshark import open_recording
from hangup.recording import events as ev
from hangup.recording import formats
from hangup.recording.connections import Connection
from hangup.recording.events import AnyEvent, End, Frame, Handshake
from hangup.recording.formats.imported import epoch
from hangup.recording.formats.writing import writer
from hangup.recording.ledger import Ledger
from harness.certificates import authority

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")

REQUEST = b"GET /ws HTTP/1.1\r\nHost: h\r\nupgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n"
ANSWER = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
CLIENT, SERVER = (b"\x0a\x00\x00\x02", 50_000), (b"\x0a\x00\x00\x01", 4711)
ZERO = 1795381680.0


def accounts(events: list[AnyEvent]) -> list[Connection]:
    ledger = Ledger()
    for event in events:
        ledger.feed(event)
    return [ledger.connections[conn] for conn in sorted(ledger.connections)]


def plain(event: AnyEvent) -> tuple[Any, ...]:
    """What must come back of an event, whatever the capture's own times and addresses."""
    if isinstance(event, Frame):
        return event.conn, event.side, event.opcode, event.mask, event.rsv, event.fin, event.payload, event.message
    if isinstance(event, End):
        return event.conn, event.side, event.how
    assert isinstance(event, Handshake)
    status = event.response.status if event.response is not None else None
    return event.conn, event.request.target, event.request.headers, status


def test_what_we_write_comes_back(tmp_path: Path) -> None:
    talk = Talk()
    for conn in (1, 2):
        talk.open(conn, target=f"/ws?n={conn}", headers=[("Origin", "http://h")], compressed=conn == 1)
        talk.wait(1500)
        talk.say(conn, "client", "text", "hé".encode() * 40, packed=conn == 1)
        talk.wait(1500)
        talk.say(conn, "server", "binary", b"\x00\xff" * 40_000, cuts=[70_000])
        talk.frame(conn, "server", 9, b"hi")
        talk.wait(1500)
        talk.close(conn, "server", 4001, "over")
    talk.open(3, target="/no", status=403)
    out = io.BytesIO()
    made = writer("pcapng", out, HEADER)
    for event in talk.stop():
        made.write(event)
    made.finish()
    path = tmp_path / "talk.pcapng"
    path.write_bytes(out.getvalue())
    recording = open_recording(path)
    found = list(recording)
    assert list(recording) == found, "a recording can be read again"
    assert recording.header.lacks == [] and recording.header.source == "pcap"
    kinds = (Handshake, Frame, End)
    for conn in (1, 2, 3):
        ours, theirs = ([e for e in one if e.conn == conn and isinstance(e, kinds)] for one in (talk.events, found))
        assert [plain(each) for each in theirs][: len(ours)] == [plain(each) for each in ours]
    begun = epoch(HEADER.started), epoch(recording.header.started)
    assert begun[0] is not None and begun[1] is not None
    for ours_at, theirs_at in zip(
        [event.at for event in talk.events if isinstance(event, Frame)],
        [event.at for event in found if isinstance(event, Frame)],
        strict=True,
    ):
        assert abs(begun[0] + ours_at - begun[1] - theirs_at) < 1e-4


class Packets:
    """A classic pcap of one TCP connection, packet by packet."""

    def __init__(self) -> None:
        self.out = io.BytesIO()
        self.pcap = dpkt.pcap.Writer(self.out, linktype=101)
        self.next = {CLIENT: 1000, SERVER: 5000}
        self.at = 0.0

    def packet(self, source: tuple[bytes, int], flags: int, data: bytes = b"", *, sequence: int | None = None) -> None:
        """One packet, 1 ms after the one before; ``sequence`` when it is not the next."""
        target = SERVER if source is CLIENT else CLIENT
        seq = self.next[source] if sequence is None else sequence
        segment = dpkt.tcp.TCP(
            sport=source[1], dport=target[1], seq=seq, ack=self.next[target], flags=flags, win=65535, data=data
        )
        packet = dpkt.ip.IP(src=source[0], dst=target[0], p=6, data=segment)
        packet.len = len(packet)
        self.at += 0.001
        self.pcap.writepkt(bytes(packet), ts=ZERO + self.at)
        self.next[source] = max(self.next[source], seq + len(data) + bool(flags & (SYN | FIN)))

    def open(self) -> None:
        """Both handshakes."""
        self.packet(CLIENT, SYN)
        self.packet(SERVER, SYN | ACK)
        self.packet(CLIENT, ACK)
        self.packet(CLIENT, PSH | ACK, REQUEST)
        self.packet(SERVER, PSH | ACK, ANSWER)

    def read(self, tmp_path: Path, *, cut: int = 0) -> formats.Recording:
        """The recording that is read from it."""
        path = tmp_path / "file.pcap"
        data = self.out.getvalue()
        path.write_bytes(data[: len(data) - cut])
        return open_recording(path)


def texts(events: list[AnyEvent]) -> list[tuple[str, str | None]]:
    return [(event.side, event.text) for event in events if isinstance(event, Frame)]


def test_out_of_order_and_again(tmp_path: Path) -> None:
    packets = Packets()
    packets.open()
    begin = packets.next[SERVER]
    packets.packet(SERVER, PSH | ACK, b"\x81\x05wo", sequence=begin + 7)  # ahead of its time
    packets.packet(SERVER, PSH | ACK, b"\x81\x05hello", sequence=begin)
    packets.packet(SERVER, PSH | ACK, b"\x81\x05hello", sequence=begin)  # sent again
    packets.packet(SERVER, PSH | ACK, b"rld", sequence=begin + 11)
    packets.packet(SERVER, FIN | ACK)
    packets.packet(CLIENT, RST | ACK)
    recording = packets.read(tmp_path)
    events = list(recording)
    assert texts(events) == [("server", "hello"), ("server", "world")]
    assert epoch(recording.header.started) == pytest.approx(ZERO + 0.001, abs=0.0051)
    ends = [(event.side, event.how) for event in events if isinstance(event, End)]
    assert ends == [("server", "fin"), ("client", "rst")]
    (connection,) = accounts(events)
    assert (connection.ending.by, connection.ending.how) == ("server", "fin")
    assert (connection.client, connection.server) == ("10.0.0.2:50000", "10.0.0.1:4711")


def test_the_side_that_reset_it(tmp_path: Path) -> None:
    for source, by in ((CLIENT, "client"), (SERVER, "server")):
        packets = Packets()
        packets.open()
        packets.packet(CLIENT, PSH | ACK, b"\x81\x82\0\0\0\0hi")
        packets.packet(source, RST | ACK)
        (connection,) = accounts(list(packets.read(tmp_path)))
        assert (connection.ending.by, connection.ending.how) == (by, "rst")


def test_a_half_frame_and_a_connection_that_goes_on(tmp_path: Path) -> None:
    packets = Packets()
    packets.open()
    packets.packet(SERVER, PSH | ACK, b"\x81\x05hel")
    packets.packet(SERVER, FIN | ACK)
    events = list(packets.read(tmp_path))
    assert [event.problems for event in events if isinstance(event, ev.Raw)] == [("half-frame",)]
    assert accounts(events)[0].ended is not None
    packets = Packets()
    packets.open()
    (connection,) = accounts(list(packets.read(tmp_path)))
    assert connection.ended is None and connection.opened is not None


def test_bytes_that_were_not_captured(tmp_path: Path) -> None:
    packets = Packets()
    packets.open()
    packets.packet(SERVER, PSH | ACK, b"\x81\x02hi")
    packets.next[SERVER] += 100
    packets.packet(SERVER, PSH | ACK, b"\xff" * 20)
    packets.packet(CLIENT, ACK)  # the client acknowledges what the capture lacks
    packets.packet(SERVER, FIN | ACK)
    packets.packet(CLIENT, FIN | ACK)
    events = list(packets.read(tmp_path))
    assert texts(events) == [("server", "hi")] and not any(isinstance(event, ev.Raw) for event in events)
    assert any(isinstance(event, ev.Note) and "lacks bytes from the server" in event.text for event in events)


def test_a_capture_that_breaks_off(tmp_path: Path) -> None:
    packets = Packets()
    packets.open()
    packets.packet(SERVER, PSH | ACK, b"\x81\x02hi")
    packets.packet(SERVER, PSH | ACK, b"\x81\x02yo")
    recording = packets.read(tmp_path, cut=5)
    assert recording.torn and texts(list(recording)) == [("server", "hi")]


def test_captures_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packets = Packets()
    packets.packet(CLIENT, SYN)
    with pytest.raises(ForeignRecording, match="packet capture without any WebSocket"):
        packets.read(tmp_path)
    (tmp_path / "bad.pcap").write_bytes(b"\xd4\xc3\xb2\xa1" + b"\xff" * 40)
    with pytest.raises(ForeignRecording, match="tshark cannot read this packet capture"):
        open_recording(tmp_path / "bad.pcap")
    with pytest.raises(ForeignRecording, match="is a packet capture"):
        formats.open_recording(tmp_path / "bad.pcap")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtra, match="tshark"):
        open_recording(tmp_path / "bad.pcap")


@contextmanager
def captured(path: Path, port: int) -> Iterator[None]:
    """What passes over the loopback; skips the test where that may not be seen."""
    if shutil.which("dumpcap") is None:
        pytest.skip("dumpcap is not installed")
    command = ["dumpcap", "-i", "lo", "-q", "-P", "-f", f"tcp port {port}", "-w", os.fspath(path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        try:
            said = b""
            while b"File:" not in said:  # it is capturing now
                line = process.stderr.readline()
                if not line:
                    pytest.skip(f"dumpcap may not capture here: {said.decode(errors='replace')[-200:]}")
                said += line
            yield
            size, deadline = -1, time.monotonic() + 5
            while size != (size := path.stat().st_size if path.exists() else 0) or not size:
                if time.monotonic() > deadline:
                    break
                time.sleep(0.3)  # what the kernel has held back is written out meanwhile
        finally:
            process.terminate()
            process.stderr.read()


@pytest.mark.real
@pytest.mark.parametrize("keys", [True, False, None])
def test_a_real_conversation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: bool | None) -> None:
    """Over TLS with its keys and without, and (None) in the clear."""
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect
    from websockets.sync.server import ServerConnection, serve

    def handler(connection: ServerConnection) -> None:
        connection.send(connection.recv())
        connection.ping()
        connection.recv()
        connection.close(4001, "over")

    tls = keys is not None
    log = tmp_path / "keys.log"
    context: ssl.SSLContext | None = authority().client() if tls else None
    if context is not None:
        context.keylog_filename = os.fspath(log)
    capture = tmp_path / "file.pcap"
    with serve(handler, "127.0.0.1", 0, ssl=authority().server() if tls else None) as server:
        port = server.socket.getsockname()[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with captured(capture, port):
                with connect(f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/chat", ssl=context) as client:
                    client.send("hello " * 20)
                    assert client.recv() == "hello " * 20
                    client.send("bye")
                    with pytest.raises(ConnectionClosed, match="4001"):
                        client.recv()
        finally:
            server.shutdown()
            thread.join()
    if keys is False:
        with pytest.raises(ForeignRecording, match=r"1 connection over TLS could not be decrypted .*SSLKEYLOGFILE"):
            open_recording(capture)
        return
    monkeypatch.setenv("SSLKEYLOGFILE", os.fspath(log))
    recording = open_recording(capture)
    events = list(recording)
    assert recording.header.target == f"{'wss' if tls else 'ws'}://127.0.0.1:{port}"
    said = [(e.side, e.opcode, e.message or e.text) for e in events if isinstance(e, Frame) and e.opcode == "text"]
    assert said == [("client", "text", "hello " * 20), ("server", "text", "hello " * 20), ("client", "text", "bye")]
    assert {e.opcode for e in events if isinstance(e, Frame)} == {"text", "ping", "pong", "close"}
    (connection,) = accounts(events)
    assert (connection.ending.by, connection.ending.how, connection.ending.code) == ("server", "close", 4001)
    assert any(isinstance(event, End) and event.how == "fin" for event in events)
