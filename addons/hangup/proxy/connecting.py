"""A connection to a server that is being opened, while its client waits for it.

A server that is killed resets what nobody has accepted yet. If it does so after the connection is there, and before
asyncio has asked for the peer's name, there is none, on which mitmproxy fails and tells nobody: its client would wait
for ever. What is replaced here is ``ConnectionHandler.open_connection``; a contract test checks it.
"""

from __future__ import annotations

from typing import Any

from mitmproxy.connection import Connection
from mitmproxy.proxy import commands, events, server, server_hooks
from mitmproxy.proxy.layers.http import HttpLayer

_stock_open_connection = server.ConnectionHandler.open_connection


async def _open_connection(self: server.ConnectionHandler, command: commands.OpenConnection) -> None:
    conn = command.connection
    try:
        await _stock_open_connection(self, command)
    except AssertionError:
        if not conn.connected or conn.peername is not None:
            raise
        # The layers are told of the connection and then of its end, as where it is reset a moment later.
        conn.peername = conn.address
        data = server_hooks.ServerConnectionHookData(client=self.client, server=conn)
        await self.handle_hook(server_hooks.ServerConnectedHook(data))
        await self.server_event(events.OpenConnectionCompleted(command, None))
        try:
            await self.handle_connection(conn)
        finally:
            await self.handle_hook(server_hooks.ServerDisconnectedHook(data))


def under_way(layers: list[Any]) -> bool:
    """Whether a connection is being opened, TLS and what lies between included, for an HTTP layer among these."""
    return any(isinstance(layer, HttpLayer) and layer.waiting_for_establishment for layer in layers)


def give_up(handler: server.ConnectionHandler, client: Connection) -> None:
    """Opens no connection any more for ``client``."""
    for conn, io in handler.transports.items():
        if conn is not client and io.handler is not None:
            io.handler.cancel("the client has gone")


def install() -> None:
    """Puts it in place."""
    server.ConnectionHandler.open_connection = _open_connection  # type: ignore[method-assign]


def uninstall() -> None:
    """Puts mitmproxy's own back."""
    server.ConnectionHandler.open_connection = _stock_open_connection  # type: ignore[method-assign]
