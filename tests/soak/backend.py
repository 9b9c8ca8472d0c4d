"""A backend that echoes: ``python -m soak.backend PORT``. By the path it refuses, hangs up or tears it off."""

from __future__ import annotations

import asyncio
import http
import sys

from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.exceptions import ConnectionClosed


def refuse(connection: ServerConnection, request: Request) -> Response | None:
    """Some are turned away."""
    return connection.respond(http.HTTPStatus.FORBIDDEN, "no\n") if "/refused/" in request.path else None


async def handle(connection: ServerConnection) -> None:
    """Echoes, unless the path says otherwise."""
    path = connection.request.path if connection.request else ""
    count = 0
    try:
        async for message in connection:
            await connection.send(message)
            count += 1
            if count == 3 and "/closed/" in path:
                await connection.close(1011, "three are enough")
            if count == 3 and "/torn/" in path:
                connection.transport.abort()
    except ConnectionClosed:
        pass  # as clients do


async def main() -> None:
    async with serve(handle, "127.0.0.1", int(sys.argv[1]), process_request=refuse, max_size=1 << 22) as server:
        print("listening", flush=True)
        await server.serve_forever()


asyncio.run(main())
