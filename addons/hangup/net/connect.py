"""TCP and TLS to a target, and why there is none, in words."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

from hangup import unreachable
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
        if isinstance(error, socket.gaierror) and error.errno == getattr(socket, "EAI_AGAIN", None):
            return unreachable.NO_NAME_SERVER
        return f"{unreachable.NO_HOST}: {printable(target.host)}"
    said = _by_number(error)
    if said == unreachable.REFUSED:
        return f"{said}: nothing listens on port {target.port}"
    if isinstance(error, ConnectionError) and target.secure:
        return f"{unreachable.DROPPED} during the TLS handshake (is it ws:// rather than wss://?)"
    return said or (unreachable.DROPPED if isinstance(error, ConnectionError) else reason(error))


def _by_number(error: OSError) -> str:
    """The sentence for what the system says."""
    if error.errno:
        return unreachable.of_numbers([error.errno], [number] if (number := getattr(error, "winerror", None)) else [])
    return unreachable.of_message(str(error))  # asyncio joins the errors of several addresses into one without a number


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
