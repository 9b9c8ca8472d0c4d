"""The smallest failing exchange as a program of twenty lines, to give to whoever must mend it."""

from __future__ import annotations

from hangup.experiment.search import Verdict
from hangup.experiment.trial import Case, ClientFrame
from hangup.recording.events import Request

_SKIPPED = frozenset(
    "host connection upgrade sec-websocket-key sec-websocket-version sec-websocket-extensions sec-websocket-protocol "
    "content-length origin user-agent".split()
)
_TEMPLATE = '''\
"""{title}

pip install websockets; python {name} [URL]
"""
import asyncio, sys
import websockets

URL = sys.argv[1] if len(sys.argv) > 1 else {url!r}
HEADERS = {headers!r}
MESSAGES = {messages!r}

async def main():
    options = dict(additional_headers=HEADERS, origin={origin!r}, subprotocols={subprotocols!r}, ping_interval=None)
    try:
        async with websockets.connect(URL, compression={compression!r}, **options) as socket:
            for message in MESSAGES:
                await socket.send({sent})
            async with asyncio.timeout({wait:g}):
                async for answer in socket:
                    print("<", answer[:200])
            print("it hung up:", socket.close_code, socket.close_reason)
    except TimeoutError:
        print("still open after {wait:g} s: not reproduced")
    except websockets.InvalidStatus as refused:
        print("it was refused:", refused.response.status_code)
    except websockets.ConnectionClosed as closed:
        print("it hung up:", closed)

asyncio.run(main())
'''


def reproducer(
    case: Case, verdict: Verdict, request: Request, url: str, wait: float, name: str = "reproduce.py"
) -> str:
    """The program's text. ``url`` is the target with its path, ``wait`` how long (seconds) it waits for the end."""
    minimal = verdict.minimal
    kept = set(minimal.frames) if minimal is not None else {f.n for f in case.frames}
    messages: list[str | bytes] = []
    torn = False
    """Whether there is a text that is none: its bytes are sent as they are."""
    for frame in case.frames:
        if frame.n not in kept:
            continue
        payload = frame.payload
        if minimal is not None and minimal.payload is not None and frame.n == minimal.frames[-1]:
            payload = minimal.payload
        messages.append(_message(frame, payload))
        torn = torn or (frame.text and isinstance(messages[-1], bytes))
    headers = {n.lower(): v for n, v in request.headers}
    subprotocols = [s.strip() for s in headers.get("sec-websocket-protocol", "").split(",") if s.strip()]
    return _TEMPLATE.format(
        title=f"{verdict.verdict}: {verdict.claim}",
        name=name,
        url=url,
        headers=[(n, v) for n, v in request.headers if n.lower() not in _SKIPPED],
        messages=messages,
        sent="message, text=True" if torn else "message",
        origin=headers.get("origin"),
        subprotocols=subprotocols or None,
        compression="deflate" if "extensions" in case.features else None,
        wait=wait,
    )


def _message(frame: ClientFrame, payload: bytes) -> str | bytes:
    if not frame.text:
        return payload
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return payload
