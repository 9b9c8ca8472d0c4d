"""TCP and TLS to a target, and why there is none, in words."""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import ssl
from pathlib import Path

from hangup.errors import BackendError, UsageError
from hangup.humanize import duration, printable
from hangup.wire.url import Target


def tls_context(*, insecure: bool = False, ca: Path | None = None) -> ssl.SSLContext:
    """TLS for HTTP/1.1. ``ca`` is a file of trusted certificates (PEM); raises :class:`UsageError` for a bad one."""
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise UsageError(f"{ca} contains no readable certificates: {reason(error)}") from None
    # A WebSocket handshake needs HTTP/1.1: a server that may choose HTTP/2 would.
    context.set_alpn_protocols(["http/1.1"])
    # Python 3.13 began to refuse certificates that browsers and curl accept, as many a home-made authority's is.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def connect(
    target: Target, context: ssl.SSLContext | None, *, timeout: float, limit: int = 1 << 16
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connects within ``timeout`` seconds, TLS included; raises :class:`BackendError`, which says why not."""
    try:
        async with asyncio.timeout(timeout):
            return await asyncio.open_connection(
                target.host, target.port, ssl=context, happy_eyeballs_delay=0.25, limit=limit
            )
    except (OSError, UnicodeError) as error:
        raise BackendError(explained(error, target, timeout)) from None


def explained(error: OSError | UnicodeError, target: Target, timeout: float) -> str:
    """The target, and why no connection came about within ``timeout`` seconds."""
    # asyncio's own TimeoutError has no number, a TCP stack's has.
    late = isinstance(error, TimeoutError) and error.errno is None
    why = f"no connection within {duration(timeout)}" if late else failure(error, target)
    return f"{printable(target.origin)}: {why}"


def failure(error: OSError | UnicodeError, target: Target) -> str:
    """Why no connection came about, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message.rstrip(".")
        return f"its certificate is not trusted: {why} (--ca FILE names an authority, --insecure accepts any)"
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {reason(error)} (is it ws:// rather than wss://?)"
    if isinstance(error, UnicodeError | socket.gaierror):
        return f"no such host: {printable(target.host)}"
    # With several addresses, asyncio joins their errors into one without a number.
    numbers = {error.errno} if error.errno else {int(number) for number in re.findall(r"\[Errno (\d+)\]", str(error))}
    if errno.ECONNREFUSED in numbers:
        return f"connection refused: nothing listens on port {target.port}"
    if isinstance(error, ConnectionError):
        hint = " during the TLS handshake (is it ws:// rather than wss://?)" if target.secure else ""
        return f"the connection was dropped{hint}"
    if numbers & {errno.ENETUNREACH, errno.EHOSTUNREACH}:
        return "the network or the host is unreachable"
    return reason(error)


def reason(error: Exception) -> str:
    """What an operating system or TLS error says, without its number."""
    if isinstance(error, ssl.SSLError):
        return str(error.reason or error).lower().replace("_", " ")
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


async def hang_up(writer: asyncio.StreamWriter, wait: float = 0.5) -> None:
    """Ends TCP and TLS in order, or after ``wait`` seconds without waiting for the peer."""
    writer.close()
    try:
        async with asyncio.timeout(wait):
            await writer.wait_closed()
    except OSError:
        writer.transport.abort()
