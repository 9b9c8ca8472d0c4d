"""A relay that copies every byte: two of them, before and behind a proxy, show what the proxy did to the bytes."""

from __future__ import annotations

import select
import socket

from harness import DEADLINE
from harness.peers import Address, Head, Peer, Side
from harness.reactor import reactor


class Wire:
    """One connection through a :class:`Tap`, and all that each side sent."""

    def __init__(self, client: Peer, server: Peer) -> None:
        self.client, self.server = client, server
        for source, sink in ((client, server), (server, client)):
            source.on_data = lambda source=source, sink=sink: sink._send(source.chunks[-1][1])
            source.on_end = lambda source=source, sink=sink: self._pass_end(source, sink)

    @staticmethod
    def _pass_end(source: Peer, sink: Peer) -> None:
        assert source.end is not None
        if source.end.how == "rst":
            sink.rst()
        else:
            sink.half_close()

    def _all(self, side: Side) -> bytes:
        return (self.client if side == "client" else self.server).received

    def head(self, side: Side) -> Head:
        """The head of the handshake's request, or of its answer."""
        return Head.parse(self._all(side).partition(b"\r\n\r\n")[0] + b"\r\n\r\n")

    def sent(self, side: Side) -> bytes:
        """What a side sent after the head of the handshake."""
        return self._all(side).partition(b"\r\n\r\n")[2]


class Tap:
    """Listens on a free port of the loopback and relays to ``target``."""

    def __init__(self, target: Address) -> None:
        self.target = target
        self.wires: list[Wire] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.setblocking(False)
        self.address: Address = self._listener.getsockname()
        self.port = self.address[1]
        fd = self._listener.fileno()
        reactor().call(lambda: reactor().register(fd, select.POLLIN, self._on_connect))

    def __enter__(self) -> Tap:
        return self

    def __exit__(self, *_: object) -> None:
        def shut() -> None:
            reactor().unregister(self._listener.fileno())
            self._listener.close()

        reactor().call(shut)
        for wire in self.wires:
            wire.client.close()
            wire.server.close()

    @property
    def url(self) -> str:
        """``ws://HOST:PORT``."""
        return f"ws://127.0.0.1:{self.port}"

    def wire(self, target: str, deadline: float = DEADLINE) -> Wire:
        """Wait until a connection that asked for this path and query has been ended by both sides."""

        def find() -> Wire | None:
            for wire in self.wires:
                if wire.client.end and wire.server.end and wire.head("client").target == target:
                    return wire
            return None

        found = reactor().wait(find, lambda: f"no connection for {target} has ended at the tap", deadline)
        assert found is not None
        return found

    def _on_connect(self, _events: int) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            try:
                upstream = socket.create_connection(self.target, 5)
            except OSError:
                sock.close()
                continue
            self.wires.append(Wire(Peer(sock, "tap's client"), Peer(upstream, "tap's server")))
