"""The opening handshake (RFC 6455 section 4), judged: what was asked, what was answered, and who minds.

Nothing here raises, whatever the headers hold. Header lists are pairs of name and value in order and
case, as they were on the wire. What clients do about a fault differs, so the words say it: a browser is
stricter than most. Chrome's behaviour is from Chromium's
``net/websockets/websocket_basic_handshake_stream.cc``, the others' from ``ws/lib/websocket.js``,
``websockets/client.py`` and ``aiohttp/client.py``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hangup.wire import deflate
from hangup.wire.header_lists import is_token, malformed, parse_extensions, parse_tokens
from hangup.wire.statuses import explain_status

__all__ = [
    "Check",
    "Headers",
    "accept_key",
    "get_all",
    "key_from",
    "key_is_valid",
    "parse_extensions",
    "parse_tokens",
    "problems",
    "review",
]

Headers = Sequence[tuple[str, str]]
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Check(NamedTuple):
    """One thing that was looked at: a short stable ``name``, whether it is ``ok``, and ``text`` in words.

    The name of a failed check says what is wrong (``subprotocol-not-echoed``).
    """

    name: str
    ok: bool
    text: str


def get_all(headers: Headers, name: str) -> list[str]:
    """The values of all lines with this name (any case), in order, without blanks around them."""
    name = name.lower()
    return [value.strip(" \t") for key, value in headers if key.strip(" \t").lower() == name]


def key_from(nonce: bytes) -> str:
    """A ``Sec-WebSocket-Key`` from 16 random bytes (4.1); raises ``ValueError`` for any other number."""
    if len(nonce) != 16:
        raise ValueError("the nonce of a Sec-WebSocket-Key has 16 bytes")
    return base64.b64encode(nonce).decode()


def key_is_valid(key: str) -> bool:
    """Whether ``key`` is the base64 form of 16 bytes (4.1)."""
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except ValueError:
        return False


def accept_key(key: str) -> str:
    """The ``Sec-WebSocket-Accept`` that answers ``key`` (4.2.2)."""
    return base64.b64encode(_sha1(key.strip(" \t") + GUID)).decode()


def _sha1(text: str) -> bytes:
    return hashlib.sha1(text.encode(errors="replace"), usedforsecurity=False).digest()


def review(
    request_headers: Headers,
    status: int | None,
    response_headers: Headers,
    method: str = "GET",
    version: str = "HTTP/1.1",
) -> list[Check]:
    """Judges a handshake. ``status`` is None when no answer came; ``version`` is the request's HTTP version.

    The answer's headers are judged only when its status is 101, as they mean nothing otherwise.
    """
    checks = _review_request(request_headers, method, version)
    checks.append(_status(status, response_headers))
    if status == 101:
        checks += _upgrade("", response_headers)
        checks.append(_accept(request_headers, response_headers))
        checks.append(_subprotocol(request_headers, response_headers))
        checks.append(_extensions(request_headers, response_headers))
    return checks


def problems(checks: Sequence[Check]) -> list[str]:
    """The names of the failed checks, in order."""
    return [check.name for check in checks if not check.ok]


def _review_request(headers: Headers, method: str, version: str) -> list[Check]:
    checks = []
    if method != "GET":
        checks.append(Check("method", False, f"the request's method is {method}: it must be GET"))
    if version not in ("HTTP/1.1", "HTTP/2.0", "HTTP/2", "HTTP/3"):
        text = f"the request is {version}: an upgrade needs HTTP/1.1"
        checks.append(Check("http-version", False, text))
    if len(hosts := get_all(headers, "Host")) != 1 and version == "HTTP/1.1":
        checks.append(Check("host", False, f"the request has {len(hosts)} Host headers: it must have one"))
    checks += [check for check in _upgrade("request-", headers) if not check.ok]
    checks.append(_version(headers))
    checks.append(_key(headers))
    return checks


def _version(headers: Headers) -> Check:
    versions = get_all(headers, "Sec-WebSocket-Version")
    if versions == ["13"]:
        return Check("version", True, "the request says Sec-WebSocket-Version: 13")
    if not versions:
        return Check("version", False, "the request has no Sec-WebSocket-Version: it must say 13")
    return Check("version", False, f"Sec-WebSocket-Version is {', '.join(versions)}: only 13 is in use")


def _key(headers: Headers) -> Check:
    keys = get_all(headers, "Sec-WebSocket-Key")
    if len(keys) != 1:
        text = f"the request has {len(keys)} Sec-WebSocket-Key headers: it must have one"
        return Check("key-invalid", False, text)
    if key_is_valid(keys[0]):
        return Check("key", True, "Sec-WebSocket-Key is 16 bytes in base64")
    text = f"Sec-WebSocket-Key {keys[0]!r} is not 16 bytes in base64: strict servers answer 400"
    return Check("key-invalid", False, text)


def _status(status: int | None, headers: Headers) -> Check:
    return Check("status", status == 101, explain_status(status, lambda name: get_all(headers, name)))


def _upgrade(prefix: str, headers: Headers) -> list[Check]:
    """The two headers of an upgrade, in the answer or (``request-``) in the request."""
    who = "request" if prefix else "answer"
    upgrade, connection = get_all(headers, "Upgrade"), get_all(headers, "Connection")
    checks = []
    if len(upgrade) == 1 and upgrade[0].lower() == "websocket":
        checks.append(Check(f"{prefix}upgrade", True, f"Upgrade: {upgrade[0]}"))
    else:
        said = f"says Upgrade: {', '.join(upgrade)}" if upgrade else "has no Upgrade header"
        checks.append(Check(f"{prefix}upgrade", False, f"the {who} {said}: it must say websocket"))
    if "upgrade" in (token.lower() for token in parse_tokens(connection)):
        checks.append(Check(f"{prefix}connection", True, f"Connection: {', '.join(connection)}"))
    else:
        said = f"says Connection: {', '.join(connection)}" if connection else "has no Connection header"
        text = f"the {who} {said}: it must say Upgrade; a proxy in between may have changed it"
        checks.append(Check(f"{prefix}connection", False, text))
    return checks


def _accept(request: Headers, response: Headers) -> Check:
    keys, accepts = get_all(request, "Sec-WebSocket-Key"), get_all(response, "Sec-WebSocket-Accept")
    key = keys[0] if keys else ""
    expected = accept_key(key)
    if accepts == [expected]:
        return Check("accept-key", True, "Sec-WebSocket-Accept answers the key")
    if not accepts:
        text = "the response has no Sec-WebSocket-Accept: every client drops the connection"
    elif len(accepts) > 1:
        text = f"the response has {len(accepts)} Sec-WebSocket-Accept headers: it must have one"
    else:
        text = (
            f"Sec-WebSocket-Accept is {accepts[0]!r}, but {key!r} asks for {expected!r}"
            f"{_mistake(key, accepts[0])}: every client drops the connection"
        )
    return Check("accept-key", False, text)


def _mistake(key: str, accept: str) -> str:
    """How a hand-written server may have come to ``accept``."""
    digest = _sha1(key + GUID)
    known: dict[str, Callable[[], str]] = {
        "it is the key itself": lambda: key,
        "computed without the GUID": lambda: base64.b64encode(_sha1(key)).decode(),
        "computed with the GUID in lower case": lambda: base64.b64encode(_sha1(key + GUID.lower())).decode(),
        "it is the digest in hexadecimal": lambda: digest.hex(),
        "it is the base64 of the hexadecimal digest": lambda: base64.b64encode(
            digest.hex().encode()
        ).decode(),
        "computed from the decoded key": lambda: base64.b64encode(
            hashlib.sha1(base64.b64decode(key) + GUID.encode(), usedforsecurity=False).digest()
        ).decode(),
    }
    for words, wrong in known.items():
        try:
            if wrong() == accept:
                return f" ({words})"
        except ValueError:
            continue
    return ""


def _subprotocol(request: Headers, response: Headers) -> Check:
    offered = parse_tokens(get_all(request, "Sec-WebSocket-Protocol"))
    chosen = parse_tokens(get_all(response, "Sec-WebSocket-Protocol"))
    said = ", ".join(chosen)
    if len(chosen) > 1:
        text = f"the server chose {len(chosen)} subprotocols ({said}): it may choose one; clients drop this"
        return Check("subprotocol-several", False, text)
    if chosen and not offered:
        text = (
            f"the server chose {said!r}, though none was offered: Chrome ('Response must not include "
            "'Sec-WebSocket-Protocol' header'), npm ws and Python websockets drop the connection"
        )
        return Check("subprotocol-not-offered", False, text)
    if chosen and chosen[0] not in offered:
        case = " (upper and lower case differ)" if said.lower() in map(str.lower, offered) else ""
        text = (
            f"the server chose {said!r}, which was not offered ({', '.join(offered)}){case}: browsers, "
            "npm ws and Python websockets drop the connection"
        )
        return Check("subprotocol-not-offered", False, text)
    if offered and not chosen:
        text = (
            f"{', '.join(offered)} was offered and the server chose none: Chrome drops the connection "
            "right after the 101 ('Sent non-empty 'Sec-WebSocket-Protocol' header but no response was "
            "received'), npm ws too ('Server sent no subprotocol'); Firefox, Python websockets and "
            "aiohttp go on"
        )
        return Check("subprotocol-not-echoed", False, text)
    if odd := [name for name in offered if not is_token(name)] or _repeated(offered):
        text = (
            f"no browser could offer {odd[0]!r}: new WebSocket() refuses separators in names, and duplicates"
        )
        return Check("subprotocol-invalid", False, text)
    if not offered:
        return Check("subprotocol", True, "no subprotocol was offered, and none chosen")
    return Check("subprotocol", True, f"the server chose {said!r} of what was offered ({', '.join(offered)})")


def _repeated(names: Sequence[str]) -> list[str]:
    return [name for at, name in enumerate(names) if name in names[:at]]


def _extensions(request: Headers, response: Headers) -> Check:
    asked, answered = (get_all(headers, "Sec-WebSocket-Extensions") for headers in (request, response))
    offered, chosen = parse_extensions(asked), parse_extensions(answered)
    said = ", ".join(map(str, chosen))
    if faults := malformed(answered):
        text = f"the response's Sec-WebSocket-Extensions is malformed: {'; '.join(faults)}"
        return Check("extension-params", False, text)
    names = {extension.name for extension in offered}
    if strange := [extension.name for extension in chosen if extension.name not in names]:
        text = (
            f"the server chose {', '.join(strange)}, which was not offered "
            f"({', '.join(map(str, offered)) or 'nothing was'}): the client must drop the connection"
        )
        return Check("extension-not-offered", False, text)
    params = deflate.parse(answered, asked)
    if params is not None and params.problems:
        text = f"{said}: {'; '.join(params.problems)}: the client must drop the connection"
        return Check("extension-params", False, text)
    if unknown := [extension.name for extension in chosen if extension.name != deflate.NAME]:
        text = f"the server chose {said}; what {', '.join(unknown)} does to frames is not known here"
        return Check("extension", True, text)
    if chosen:
        return Check("extension", True, f"the server chose {said}")
    if offered:
        text = f"{', '.join(map(str, offered))} was offered, and the server declined: no compression"
        return Check("extension", True, text)
    return Check("extension", True, "no extension was offered, and none chosen")
