"""Floor 5: asyncio ends of a connection, clients and servers."""
