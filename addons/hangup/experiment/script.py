"""The smallest failing exchange as a program of twenty lines: as it was, for this machine, and without its secrets, to
give to whoever must fix it."""

from __future__ import annotations

from hangup.experiment.search import Verdict
from hangup.experiment.trial import Case, ClientFrame
from hangup.humanize import printable
from hangup.recording.events import Request
from hangup.recording.redaction.placeholders import Vault
from hangup.recording.redaction.replacing import replaced
from hangup.recording.redaction.single_events import request as hidden_request

_SKIPPED = frozenset(
    "host connection upgrade sec-websocket-key sec-websocket-version sec-websocket-extensions sec-websocket-protocol "
    "content-length origin user-agent".split()
)
_TEMPLATE = '''\
"""{title}
{about}
pip install websockets; python {name} [URL]
"""
import asyncio, sys
import websockets

URL = sys.argv[1] if len(sys.argv) > 1 else {url!r}
HEADERS = {headers!r}
MESSAGES = {messages!r}  # each after so many seconds

async def main():
    options = dict(additional_headers=HEADERS, origin={origin!r}, subprotocols={subprotocols!r}, ping_interval=None)
    try:
        async with websockets.connect(URL, compression={compression!r}, **options) as socket:
            for pause, message in MESSAGES:
                await asyncio.sleep(pause)
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

LOCAL = """
It contains what was sent, including secrets (cookies, tokens, passwords): keep it on this machine.
"""
SHARED = """
[redacted-1] and so on stand for secrets: put in your own before you run it.
"""


def reproducer(
    case: Case,
    verdict: Verdict,
    request: Request,
    url: str,
    wait: float,
    name: str = "reproduce.py",
    vault: Vault | None = None,
) -> str:
    """The program's text, which says the messages as far apart as they were. ``url`` is the target with its path,
    ``wait`` how long (seconds) it waits for the end. With a ``vault``, which knows the secrets of the exchange, it has
    placeholders for them."""
    title = f"{verdict.verdict}: {verdict.claim}"
    if vault is not None:
        request, url, title = hidden_request(vault, request), vault.text(url, url=True), vault.excerpt(title)
    minimal = verdict.minimal
    kept = set(minimal.frames) if minimal is not None else {f.n for f in case.frames}
    messages: list[tuple[float, str | bytes]] = []
    before, torn = 0.0, False
    """Whether there is a text that is none: its bytes are sent as they are."""
    for frame in case.frames:
        if frame.n not in kept:
            continue
        payload = frame.payload
        if minimal is not None and minimal.payload is not None and frame.n == minimal.frames[-1]:
            payload = minimal.payload
        messages.append((round(max(frame.at - before, 0.0), 3), _message(frame, payload, vault)))
        before = frame.at
        torn = torn or (frame.text and isinstance(messages[-1][1], bytes))
    headers = {n.lower(): v for n, v in request.headers}
    subprotocols = [s.strip() for s in headers.get("sec-websocket-protocol", "").split(",") if s.strip()]
    made = _TEMPLATE.format(
        title=_documented(title),
        about=LOCAL,
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
    return made if vault is None else made.replace(LOCAL, SHARED if "[redacted" in made else "\n", 1)


def _documented(text: str) -> str:
    """Text within a program's docstring, which it cannot leave."""
    return printable(text).replace("\\", "\\\\").replace('"', "'")


def _message(frame: ClientFrame, payload: bytes, vault: Vault | None) -> str | bytes:
    if vault is not None:
        payload = replaced(payload, 0, vault.payload(payload))
    if not frame.text:
        return payload
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return payload
    return text if vault is None else vault.excerpt(text)
