"""The recorded server's answer to another client's handshake."""

from __future__ import annotations

from hangup.recording.events import Handshake, Request, Response
from hangup.recording.negotiation import extensions
from hangup.wire import deflate, handshake


def response_for(recorded: Handshake, request: Request) -> Response:
    """The recorded answer, for another request: with the key that answers its own, and of what was chosen among the
    client's offers the like of it. What was wrong with the recorded answer is wrong with this one."""
    then = recorded.returned or recorded.response
    assert then is not None
    if then.status != 101:
        dropped = ("content-length", "transfer-encoding", "connection", "content-encoding", "keep-alive")
        headers = [pair for pair in then.headers if pair[0].lower() not in dropped]
        return Response(
            status=then.status, reason=then.reason, headers=[*headers, ("Connection", "close")], text=then.text
        )
    headers = []
    for name, value in then.headers:
        low = name.lower()
        if low == "sec-websocket-accept":
            value = _accept(recorded, value, request)
        elif low == "sec-websocket-protocol":
            chosen = _subprotocol(recorded, value, request)
            if chosen is None:
                continue
            value = chosen
        elif low == "sec-websocket-extensions" and not _acceptable(recorded, value, request):
            continue
        headers.append((name, value))
    if not handshake.get_all(recorded.request.headers, "Sec-WebSocket-Key"):  # not all of this handshake was recorded
        key = handshake.get_all(request.headers, "Sec-WebSocket-Key")
        accept = handshake.accept_key(key[0]) if key else ""
        names = {name.lower() for name, _ in headers}
        for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)):
            if name.lower() not in names:
                headers.append((name, value))
    return Response(status=101, reason=then.reason or "Switching Protocols", headers=headers)


def _accept(recorded: Handshake, value: str, request: Request) -> str:
    keys = handshake.get_all(request.headers, "Sec-WebSocket-Key")
    then = handshake.get_all(recorded.request.headers, "Sec-WebSocket-Key")
    if not keys or (then and handshake.key_is_valid(then[0]) and handshake.accept_key(then[0]) != value.strip()):
        return value
    return handshake.accept_key(keys[0])


def _subprotocol(recorded: Handshake, value: str, request: Request) -> str | None:
    name = "Sec-WebSocket-Protocol"
    then = handshake.parse_tokens(handshake.get_all(recorded.request.headers, name))
    now = handshake.parse_tokens(handshake.get_all(request.headers, name))
    if value.strip() not in then or value.strip() in now:
        return value
    if not now:
        return None
    return now[min(then.index(value.strip()), len(now) - 1)]


def _acceptable(recorded: Handshake, value: str, request: Request) -> bool:
    """Whether this client can be told of the extensions that the recorded one was told of."""
    offered = extensions(request)
    names = {each.name for each in handshake.parse_extensions(offered)}
    then = deflate.parse([value], extensions(recorded.request))
    now = deflate.parse([value], offered)
    if then is not None and now is not None and now.problems and not then.problems:
        return False
    chosen = handshake.parse_extensions([value])
    asked = {each.name for each in handshake.parse_extensions(extensions(recorded.request))}
    strange = {each.name for each in chosen} - asked
    return all(each.name in names or each.name in strange for each in chosen)
