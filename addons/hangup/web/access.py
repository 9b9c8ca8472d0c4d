"""Who may drive a running proxy: no web page but our own, and nobody without a secret.

Any page in the user's browser can send requests to 127.0.0.1, and by DNS rebinding even under a name of its own. So of
each request, before anything else is looked at:

1. ``Host`` is a name of loopback with our port: a rebound name is not.
2. ``Origin`` is absent (a program, or a navigation) or our own; where a browser says by ``Sec-Fetch-Site`` that another
   site or another port asks, only a navigation passes.
3. A secret: ``Authorization: Bearer TOKEN`` (programs, which read the token from a file that only its user can read),
   or a cookie (the page). The cookie is given once for a one-time key in a link, and is not readable by scripts.
4. With the cookie, whatever changes something must also come with our ``Origin``.

Cookies do not tell ports apart: a browser sends them to every port of a host, where others may listen, and the proxy's
own traffic is recorded. So the page has a home below :data:`BASE` whose path nobody can guess, and which is another
for each user and port (and the same after a restart, so that tabs and bookmarks find it): below it, and nowhere else,
the cookie is sent, and good.

Nothing here reads a socket; :mod:`hangup.web.server` asks.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import urlencode

from msgspec import Struct

BASE = "/hangup/"
"""Where everything is served."""

OPEN = "open"
"""Where the one-time link leads, below the page's home."""

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
KEPT = 32
"""How many unused keys, and how many browsers, are remembered; the oldest go first."""


class Refusal(Struct, frozen=True):
    """An HTTP status, and why in one line."""

    status: int
    error: str


class Access:
    """The rules for one server on ``host`` and ``port``, and its secrets. ``token`` is for programs. ``seed`` is the
    user's own secret, from which the page's path is made; without one it is made at random."""

    def __init__(self, host: str, port: int, seed: bytes = b"") -> None:
        bracketed = f"[{host}]" if ":" in host else host
        names = {*LOOPBACK, bracketed.lower()}
        self.hosts = frozenset(f"{name}:{port}" for name in names) | (frozenset(names) if port == 80 else frozenset())
        self.address = f"{bracketed}:{port}"
        self.origins = frozenset(f"http://{name}" for name in self.hosts)
        """What a browser calls the page's origin."""
        path = hmac.digest(seed or secrets.token_bytes(32), self.address.encode(), "sha256")[:12]
        self.home = f"{BASE}{base64.urlsafe_b64encode(path).decode()}/"
        """Where the page is, and all that it asks."""
        self.public = frozenset(("/", self.home + OPEN))
        """The paths that need no secret: a redirect, and the exchange of a key for a cookie."""
        self.cookie = f"hangup-{port}"
        self.token = secrets.token_urlsafe(32)
        self._keys: dict[str, None] = {}
        self._browsers: dict[str, None] = {}

    def refuse(self, method: str, path: str, headers: Mapping[str, str]) -> Refusal | None:
        """Why this request must not pass; None when it may. ``headers`` are found in any case of their names."""
        host = headers.get("Host", "").lower()
        if host not in self.hosts:
            return Refusal(403, "wrong Host header: this is " + self.address)
        origin = headers.get("Origin")
        if origin is not None and origin.lower() != f"http://{host}":
            return Refusal(403, "wrong Origin: other pages may not control the proxy")
        site = headers.get("Sec-Fetch-Site", "none")
        navigates = method == "GET" and headers.get("Sec-Fetch-Mode") == "navigate"
        if site not in ("none", "same-origin") and not (navigates and headers.get("Sec-Fetch-Dest") == "document"):
            return Refusal(403, "other pages may not control the proxy")
        if path in self.public:
            return None
        authorization = headers.get("Authorization")
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() == "bearer" and _same(token.strip(), self.token):
                return None
            return Refusal(401, "the token is wrong")
        if not (path.startswith(self.home) and self.knows(headers.get("Cookie", ""))):
            return Refusal(401, "a token is needed (Authorization: Bearer …), or the link that the proxy gave")
        if method not in SAFE_METHODS and origin is None:
            return Refusal(403, "a change needs an Origin header, which browsers send")
        return None

    def link(self) -> str:
        """A link for a browser, which lets in once."""
        key = secrets.token_urlsafe(24)
        _keep(self._keys, key)
        return f"http://{self.address}{self.home}{OPEN}?{urlencode({'key': key})}"

    def route(self, path: str) -> str:
        """The path below :data:`BASE` that is meant by one below the page's home; any other as it is."""
        return BASE + path.removeprefix(self.home) if path.startswith(self.home) else path

    def leads_in(self, key: str) -> bool:
        """Whether the key of a link has not been used yet."""
        return key in self._keys

    def redeem(self, key: str) -> str | None:
        """The value of ``Set-Cookie`` for the key of a link, which is used up by that; None for any other."""
        if key not in self._keys:
            return None
        del self._keys[key]
        value = secrets.token_urlsafe(32)
        _keep(self._browsers, value)
        return f"{self.cookie}={value}; Path={self.home}; HttpOnly; SameSite=Strict"

    def knows(self, cookies: str) -> bool:
        """Whether a ``Cookie`` header is that of a browser which was let in."""
        for pair in cookies.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self.cookie and any([_same(value, each) for each in self._browsers]):
                return True
        return False


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), secret.encode())


def _keep(kept: dict[str, None], new: str) -> None:
    kept[new] = None
    while len(kept) > KEPT:
        del kept[next(iter(kept))]
