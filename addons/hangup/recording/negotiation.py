"""What the two sides of a handshake agreed on: extensions, and among them compression."""

from __future__ import annotations

from hangup.recording.events import Request, Response
from hangup.wire import deflate
from hangup.wire.deflate import Params
from hangup.wire.handshake import get_all


def extensions(message: Request | Response) -> list[str]:
    """The values of a message's lines ``Sec-WebSocket-Extensions``."""
    return get_all(message.headers, "Sec-WebSocket-Extensions")


def compression(response: Response, request: Request | None = None) -> Params | None:
    """What permessage-deflate was negotiated to, None when it was not; checked against the offers of ``request``."""
    return deflate.parse(extensions(response), extensions(request) if request is not None else None)
