"""WebSocket URIs, RFC 6455 section 3, and addresses to listen on."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from hangup.errors import BackendError, TargetError, UsageError
from hangup.humanize import printable

PORTS = {"ws": 80, "wss": 443}


class Target(Struct, frozen=True):
    """A place to open a WebSocket to. ``path`` includes the query and is empty when none was given.

    The path is a base: what a recording asked for lies below it, and is asked for as it was. With ``exact`` it is
    asked for instead of the recorded one.
    """

    secure: bool
    host: str
    port: int
    path: str = ""
    was_http: bool = False
    """The user wrote ``http:`` or ``https:``, which is taken for the WebSocket's counterpart."""
    exact: bool = False

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

    def at(self, path: str) -> Target:
        """The same place with just this path, whatever was recorded; raises :class:`TargetError`."""
        if not path.startswith("/") or "#" in path or not path.isprintable() or " " in path:
            raise TargetError(f"not a path: {path!r} (it begins with /, for instance /ws/1)")
        return replace(self, path=path, exact=True)

    def request_target(self, recorded: str) -> str:
        """What a recorded request (its path and query) asks for here.

        Its path stays, unless this one is ``exact``; parameters of the target's query go before those of the same name.
        """
        path, mark, query = recorded.partition("?")
        own, given, parameters = self.path.partition("?")
        if self.exact or not recorded:
            path = own or "/"
            if given and not parameters:  # "/ws?": none
                mark = query = ""
        if parameters:
            mark, query = "?", _merged(query, parameters)
        return path + mark + query

    def url_of(self, recorded: str) -> str:
        """The URL that a recorded request has here; see :meth:`request_target`."""
        return self.origin + self.request_target(recorded)

    def covers(self, recorded: str) -> bool:
        """Whether what was recorded lies below this target's path, or is to be replaced by it."""
        base = self.path.partition("?")[0].rstrip("/")
        path = recorded.partition("?")[0]
        return self.exact or path == base or path.startswith(base + "/")

    @property
    def base(self) -> str:
        """The URL without a query: what of it is the same for every connection."""
        return self.origin + self.path.partition("?")[0]

    def __str__(self) -> str:
        return self.origin + self.path


def host_header(target: Target) -> str:
    """The Host header for a target; raises :class:`BackendError` for a name that cannot be a host's."""
    host = target.host
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            raise BackendError(f"no such host: {printable(target.host)}") from None
    host = f"[{host.partition('%')[0]}]" if ":" in host else host
    return host if target.port == PORTS["wss" if target.secure else "ws"] else f"{host}:{target.port}"


def _merged(recorded: str, given: str) -> str:
    """A query in which what is ``given`` stands in the place of what has the same name, or at the end."""
    new: dict[str, list[str]] = {}
    for pair in given.split("&"):
        new.setdefault(pair.partition("=")[0], []).append(pair)
    names = set(new)
    merged: list[str] = []
    for pair in recorded.split("&") if recorded else ():
        name = pair.partition("=")[0]
        merged += new.pop(name, []) if name in names else [pair]
    return "&".join([*merged, *(pair for pairs in new.values() for pair in pairs)])


def parse_target(text: str) -> Target:
    """Reads ``ws://``, ``wss://``, ``http://`` or ``https://``; raises :class:`TargetError` in one line."""
    text = text.strip()
    if not text.isprintable():  # what urlsplit drops of it would stand elsewhere then
        raise TargetError(f"not a URL: {text!r} (it has control characters)")
    try:
        url: SplitResult = urlsplit(text)
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
        raise TargetError(f"cannot connect to port 0: {text!r}")
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


def parse_endpoint(text: str) -> str:
    """Reads the base URL of an OTLP receiver, such as ``http://127.0.0.1:4318``; raises :class:`UsageError` in one
    line."""
    text = text.strip()
    try:
        url = urlsplit(text) if text.isprintable() else urlsplit("")
        sound = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        sound = False
    if not sound or " " in text or url.query or url.fragment:
        raise UsageError(f"not a URL to send OTLP to: {text!r} (write http://HOST:PORT, as in http://127.0.0.1:4318)")
    if url.username is not None or url.password is not None:
        raise UsageError("a URL to send OTLP to has no user and password: set OTEL_EXPORTER_OTLP_HEADERS instead")
    return text.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether what listens on ``host`` is reached from this machine only. A name but localhost may lead anywhere."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
