"""One of the proxy's two TCP connections: its bytes, its TLS, and exactly how it ends.

mitmproxy opens and accepts the connection and speaks TLS and HTTP on it. Once the WebSocket is established a
leg writes to the transport itself, and takes over reading too as soon as nothing is in flight between transport
and layers (:meth:`ProxyEndpoint.take`): from there a chunk costs no more than where bytes are only copied, a
half-close is a half-close and a reset is told from an orderly end. Until then, and for streams that are no asyncio
transport (local and wireguard modes), the layer hands over what it is given.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast

from mitmproxy.connection import Connection
from OpenSSL import SSL

from hangup.net.endpoint import Endpoint
from hangup.proxy.resets import ResetWatch
from hangup.recording.events import How, Side

TLS_RECORD = 65535

INFLATED_AT_ONCE = 1 << 16
"""Bytes that are read at once where they are inflated to be recorded, a quarter of asyncio's: all other connections
wait until they have been."""

class Owner(Protocol):
    """What a leg needs of the driver that it belongs to."""

    handler: Any
    resets: ResetWatch
    inflates: bool
    """Whether what arrives is inflated to be recorded."""
    busy: bool
    """Whether nothing more is to be read for now."""

    def deliver(self, leg: ProxyEndpoint, data: bytes) -> None:
        """Bytes have come from its peer."""

    def on_end(self, leg: ProxyEndpoint, note: str = "") -> None:
        """Its peer will send no more."""

    def on_fin(self, leg: ProxyEndpoint) -> None:
        """The FIN has come of a peer that had said so before."""

    def on_leg_lost(self, leg: ProxyEndpoint, how: How) -> None:
        """It is gone."""

    def note(self, text: str) -> None:
        """A remark for the recording."""


class ProxyEndpoint(Endpoint):
    """One leg. ``tls`` holds the OpenSSL connections around the stream, outermost first; often none."""

    peer: ProxyEndpoint

    def __init__(
        self, driver: Owner, side: Side, conn: Connection, reader: Any, writer: Any, tls: list[SSL.Connection]
    ) -> None:
        super().__init__()
        self.driver = driver
        self.side = side
        self.conn = conn
        self.reader = reader
        self.writer = writer
        if isinstance(writer, asyncio.StreamWriter):
            self.transport = cast(asyncio.Transport, writer.transport)
        self.tls = tls
        self.inner: asyncio.BaseProtocol | None = None
        """mitmproxy's own protocol, once we have taken its place."""
        self.notified = False
        """The peer sent TLS's close_notify: no more data, although the TCP connection may still be whole."""
        self.eof = False
        """The peer's FIN has come. Over TLS without a close_notify before it, as of a process that crashes, the other
        leg must end so too."""
        self.told = False
        """The session has let the other leg know that this one's stream has ended."""
        self.parted = False
        """We sent a close_notify."""
        self.gone = False
        """We closed or reset it ourselves."""
        self.slowed = False
        self._watched: Any = None

    @property
    def ended(self) -> bool:
        """The peer will send no more data."""
        return self.notified or self.eof

    @property
    def over(self) -> bool:
        """Nothing more will happen here. mitmproxy, where it still reads, does not tell us when it closed."""
        return self.lost or (self.gone and self.inner is None)

    # Reading.

    def take(self) -> bool:
        """Takes over reading, if nothing is in flight between the transport and mitmproxy's layers."""
        if self.inner is not None or self.lost or self.gone:
            return True
        transport, reader = self.transport, self.reader
        if transport is None or not isinstance(reader, asyncio.StreamReader):
            return True
        if self.notified and not self.eof:  # what comes after it mitmproxy's TLS layer does not tell
            if (error := reader.exception()) is not None:
                self.connection_lost(error)
                return True
            if reader.at_eof():
                self._finished()
        if transport.is_closing():
            return False
        if not self.eof:
            # A parked reader with an empty buffer: whatever was read before has passed through the layers.
            waiter = reader._waiter  # type: ignore[attr-defined]
            if waiter is None or waiter.done() or reader._buffer:  # type: ignore[attr-defined]
                return False
        self.inner = transport.get_protocol()
        transport.set_protocol(self)
        if self.driver.inflates and hasattr(transport, "max_size"):
            transport.max_size = INFLATED_AT_ONCE
        if self.eof:
            self._watch()
        self.pace()
        return True

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes arrived."""
        if not self.tls:
            self.driver.deliver(self, data)
            return
        closed = False
        for tls in self.tls:
            data, shut = self._decrypt(tls, data)
            closed = closed or shut
        if data:
            self.driver.deliver(self, data)
        if closed and not self.ended:
            self.notified = True
            self.driver.on_end(self, note="TLS close_notify")

    def eof_received(self) -> bool:
        """asyncio: the peer half-closed. True keeps our half open."""
        if not self.eof:
            self._watch()
            self._finished()
        return True

    def _finished(self) -> None:
        """A FIN has come."""
        self.eof = True
        if self.notified:
            self.driver.on_fin(self)
        else:
            self.driver.on_end(self, note="without TLS close_notify" if self.tls else "")

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        self._unwatch()
        super().connection_lost(exc)

    def on_lost(self, how: How) -> None:
        """It is gone."""
        self.driver.on_leg_lost(self, how)

    def closed_in_layer(self) -> None:
        """mitmproxy's layer was told that the peer closed, before we had taken over."""
        if self.ended or self.lost or self.gone:
            return
        reader = self.reader
        if not isinstance(reader, asyncio.StreamReader):
            self._finished()
            return
        error = reader.exception()
        if error is not None:
            self.connection_lost(error)
        elif any(tls.get_shutdown() & SSL.RECEIVED_SHUTDOWN for tls in self.tls):
            self.notified = True
            self.driver.on_end(self, note="TLS close_notify")
        else:
            self._finished()

    def _watch(self) -> None:
        """From now on asyncio would tell of a RST only with our next write."""
        transport = self.transport
        self._watched = transport.get_extra_info("socket") if transport is not None else None
        if self._watched is not None:
            self.driver.resets.add(self._watched, self._reset)

    def _unwatch(self) -> None:
        if self._watched is not None:
            self.driver.resets.remove(self._watched)
            self._watched = None

    def _reset(self, error: OSError) -> None:
        """A RST came after the FIN."""
        transport = self.transport
        if self.lost or transport is None:
            return
        transport.abort()
        self.connection_lost(ConnectionResetError(*error.args))

    def _decrypt(self, tls: SSL.Connection, data: bytes) -> tuple[bytes, bool]:
        plain = []
        closed = False
        if data:
            tls.bio_write(data)
        while True:
            try:
                plain.append(tls.recv(TLS_RECORD))
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                closed = True
                break
            except SSL.Error as error:
                self.driver.note(f"TLS error on the {self.side}'s leg: {error}")
                closed = True
                break
        self._flush(self.tls.index(tls))
        return b"".join(plain), closed

    # Writing.

    def send(self, data: bytes) -> None:
        """Sends to the peer."""
        if not self.tls:
            super().send(data)
            return
        if self.shut or self.parted or self.lost:
            return
        try:
            self.tls[-1].sendall(data)
        except SSL.Error:
            return  # it shut TLS down already; the bytes would be lost on a direct connection too
        self._flush(len(self.tls) - 1)

    def _flush(self, layer: int) -> None:
        """Moves what OpenSSL wants to send outwards, layer by layer, to the transport."""
        chunks = []
        while True:
            try:
                chunks.append(self.tls[layer].bio_read(TLS_RECORD))
            except SSL.Error:
                break
        data = b"".join(chunks)
        if not data:
            return
        if layer:
            self.tls[layer - 1].sendall(data)
            self._flush(layer - 1)
        elif not self.writer.is_closing():
            self.writer.write(data)

    def follow(self) -> None:
        """Ends our direction as far as the other leg's peer has ended its own; we still read.

        A close_notify and a FIN are told apart where both legs have TLS; where one has not, a FIN stands for both.
        """
        other = self.peer
        if other.notified or (other.eof and not other.tls):
            self._part()
        if other.eof or not self.tls:
            self.half_close()

    def _part(self) -> None:
        """Sends a close_notify, if there is TLS."""
        if self.tls and not (self.parted or self.shut or self.lost):
            self.parted = True
            try:
                self.tls[-1].shutdown()
            except SSL.Error:
                pass
            self._flush(len(self.tls) - 1)

    def close(self) -> None:
        """Closes in order, once what was written is sent."""
        if not (self.peer.eof and self.peer.tls and not self.peer.notified):
            self._part()
        self.half_close()
        self.gone = True
        self._unwatch()
        super().close()

    def reset(self) -> None:
        """Resets the connection."""
        self.gone = True
        self._unwatch()
        super().reset()

    # Backpressure: who cannot send stops the other from reading.

    def on_pause(self) -> None:
        """``paused`` has changed."""
        self.peer.pace()
        if self.inner is not None:
            (self.inner.pause_writing if self.paused else self.inner.resume_writing)()

    def slow(self, stop: bool) -> None:
        """Stops reading while what was read cannot be recorded as fast as it comes."""
        self.slowed = stop
        self.pace()

    def pace(self) -> None:
        """Stops or resumes reading, when it is ours to stop."""
        transport = self.transport
        if transport is None or self.inner is None or transport.is_closing():
            return
        if self.peer.paused or self.slowed or self.driver.busy:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def release(self) -> None:
        """Tells mitmproxy that the connection is over, so that its bookkeeping ends."""
        self._unwatch()
        inner, self.inner = self.inner, None
        if inner is not None:
            if self.paused:
                inner.resume_writing()
            inner.connection_lost(self.error)
        handler = self.driver.handler
        if self.conn in handler.transports:
            handler.close_connection(self.conn)
