"""The SDK of the Model Context Protocol, of either generation: 2, or 1 where mitmproxy 11 allows no other.

Both are used in the same few ways, so what differs between them is said here and nowhere else.
"""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

from hangup.errors import MissingExtra


class Sdk(NamedTuple):
    """``server`` and ``context`` are the classes of a server and of what a tool may be given, ``error`` is what a tool
    raises to say what was wrong, ``types`` the module of the protocol's types."""

    server: Any
    context: Any
    error: type[Exception]
    types: Any


def load() -> Sdk:
    """Imports it. Raises :class:`MissingExtra`."""
    try:
        types = importlib.import_module("mcp.types")
    except ImportError:
        raise MissingExtra('`hangup mcp` needs the package mcp: pip install "hangup[mcp]"') from None
    try:
        room = importlib.import_module("mcp.server.mcpserver")
        return Sdk(room.MCPServer, room.Context, _error("mcp.server.mcpserver.exceptions"), types)
    except ImportError:
        room = importlib.import_module("mcp.server.fastmcp")
        return Sdk(room.FastMCP, room.Context, _error("mcp.server.fastmcp.exceptions"), types)


def _error(module: str) -> type[Exception]:
    found: type[Exception] = importlib.import_module(module).ToolError
    return found
