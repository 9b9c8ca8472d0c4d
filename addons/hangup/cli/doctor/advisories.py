"""Published security advisories in what is installed, from ``advisories.toml``."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from importlib import metadata, resources
from typing import Literal

import msgspec
from msgspec import Struct

Reached = Literal["no", "by TLS", "yes"]


class Advisory(Struct, frozen=True, kw_only=True):
    """One advisory. ``fixed`` is the first version without it, ``why`` says why hangup's use of ``package`` reaches
    what is wrong there, or why not."""

    package: str
    fixed: str
    id: str
    cve: str = ""
    what: str
    reached: Reached
    why: str


class _File(Struct, forbid_unknown_fields=True):
    checked: date
    advisory: list[Advisory]


class Found(Struct, frozen=True):
    """An advisory that an installed version has."""

    advisory: Advisory
    installed: str


def known() -> list[Advisory]:
    """All of them."""
    return _read().advisory


def checked() -> str:
    """The day on which they were looked up, ``2026-11-29``."""
    return str(_read().checked)


def _read() -> _File:
    return msgspec.toml.decode((resources.files(__package__) / "advisories.toml").read_bytes(), type=_File)


def found(version: Callable[[str], str] = metadata.version) -> list[Found]:
    """Those of what is installed. ``version`` gives a package's, or raises as :mod:`importlib.metadata` does."""
    versions: dict[str, str] = {}
    for package in {each.package for each in known()}:
        try:
            versions[package] = version(package)
        except metadata.PackageNotFoundError:
            continue
    return [
        Found(each, versions[each.package])
        for each in known()
        if each.package in versions and numbers(versions[each.package]) < numbers(each.fixed)
    ]


def about_tls() -> str:
    """A line for who is about to speak TLS through what has an advisory for that; empty if nothing has."""
    met = [each for each in found() if each.advisory.reached == "by TLS"]
    if not met:
        return ""
    named = ", ".join(f"{each.advisory.package} {each.installed} ({each.advisory.id})" for each in met)
    return f"TLS uses libraries with published vulnerabilities: {named}; `hangup doctor` tells more"


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a release, to compare by, without trailing zeros; what comes after them is left out."""
    release = re.match(r"\d+(?:\.\d+)*", version)
    parts = [int(part) for part in release[0].split(".")] if release else []
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)
