"""WebSocket URIs, RFC 6455 section 3, and addresses to listen on."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from hangup.errors import TargetError, UsageError

PORTS = {"ws": 80, "wss": 443}


class Target(Struct, frozen=True):
    """A place to open a WebSocket to. ``path`` includes the query and is empty when none was given."""

    secure: bool
    host: str
    port: int
    path: str = ""
    was_http: bool = False
    """The user wrote ``http:`` or ``https:``, which is taken for the WebSocket's counterpart."""

    @property
    def origin(self) -> str:
        """``ws://host:port`` without a path."""
        return f"{'wss' if self.secure else 'ws'}://{self.authority}"

    @property
    def authority(self) -> str:
        """``host:port``, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def is_at(self, host: str, port: int) -> bool:
        """Whether it is what listens on ``host`` (which may be 0.0.0.0, for all) and ``port`` of this machine."""
        here = ("localhost",) if host in ("127.0.0.1", "::1") else ("localhost", "127.0.0.1", "::1")
        return self.port == port and self.host in (host, *here)

    def __str__(self) -> str:
        return self.origin + self.path


def parse_target(text: str) -> Target:
    """Reads ``ws://``, ``wss://``, ``http://`` or ``https://``; raises :class:`TargetError` in one line."""
    try:
        url: SplitResult = urlsplit(text.strip())
        port = url.port
    except ValueError as error:
        raise TargetError(f"not a URL: {text!r} ({error})") from None
    if url.scheme not in ("ws", "wss", "http", "https") or not url.netloc:
        plain = text.isprintable() and " " not in text and "//" not in text
        hint = f"; did you mean ws://{text}?" if text and plain else ""
        raise TargetError(f"not a WebSocket URL: {text!r} (it begins with ws:// or wss://{hint})")
    if not url.hostname:
        raise TargetError(f"no host in {text!r}")
    if url.username is not None or url.password is not None:
        raise TargetError("a WebSocket URL has no user and password (browsers refuse them): send a header instead")
    if url.fragment:
        raise TargetError(f"a WebSocket URL has no fragment: {text!r}")
    secure = url.scheme in ("wss", "https")
    path = url.path + (f"?{url.query}" if url.query else "")
    if port == 0:
        raise TargetError(f"port 0 is no port to connect to: {text!r}")
    return Target(
        secure,
        url.hostname,
        port or PORTS["wss" if secure else "ws"],
        "" if path == "/" else path,
        url.scheme.startswith("http"),
    )


def parse_listen(text: str) -> tuple[str, int]:
    """Reads ``HOST:PORT``, ``PORT`` or ``[::1]:PORT``; raises :class:`UsageError` in one line."""
    host, _, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"not an address to listen on: {text!r} (write HOST:PORT, for instance 127.0.0.1:9000)")
    return host or "127.0.0.1", int(port)
