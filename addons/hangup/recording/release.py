"""Which release of a server answered a handshake, where it says so itself."""

from __future__ import annotations

from collections.abc import Iterable

HEADERS = (
    *("x-release", "x-app-release", "x-app-version", "x-version", "x-service-version", "x-api-version"),
    *("x-build", "x-build-id", "x-build-number", "x-git-sha", "x-git-commit", "x-commit", "x-commit-sha", "x-revision"),
    *("x-deployment-id", "x-image-tag"),
)
"""Headers of an answer that say which release gave it, those that say it best first. There is no standard for it."""

LONGEST = 100


def release_of(headers: Iterable[tuple[str, str]]) -> str:
    """The release that these headers of an answer name, empty where none does; of ``Server`` only what has a version
    (``orders/2.4.1``)."""
    found = {name.lower(): value for name, value in reversed(list(headers))}
    named = next((found[name] for name in HEADERS if found.get(name, "").strip()), "")
    server = found.get("server", "")
    return (named or (server if any(map(str.isdigit, server)) else "")).strip()[:LONGEST]
