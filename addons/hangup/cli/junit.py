"""A result as JUnit's XML, which every CI shows beside its tests: ``hangup check`` and ``--expect-stable``.

There is no standard, only what Ant's task once wrote and Jenkins' schema describes; readers agree on what is used here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from msgspec import Struct

from hangup import __version__
from hangup.errors import HangupError
from hangup.humanize import printable
from hangup.processes.tshark import open_recording
from hangup.recording.redaction.placeholders import Vault
from hangup.recording.redaction.redactor import Redactor


class JunitResult(Struct, kw_only=True):
    """One test case: ``name`` of ``group``, how it went, one line that says why, and how long it took in seconds. With
    ``details`` come further lines, ``properties`` are names and values, and ``recording`` is the file whose secrets are
    not to be told."""

    group: str
    name: str
    outcome: Literal["passed", "failed", "error"]
    message: str = ""
    seconds: float = 0.0
    details: Sequence[str] = ()
    properties: Sequence[tuple[str, str]] = ()
    recording: Path | None = None


def write(path: Path, result: JunitResult) -> None:
    """Writes the file, and the folder for it. Raises :class:`HangupError` when it cannot be written."""
    text = _without_secrets(result.recording)
    counts = {
        "tests": "1",
        "failures": str(int(result.outcome == "failed")),
        "errors": str(int(result.outcome == "error")),
        "skipped": "0",
        "time": f"{result.seconds:.3f}",
    }
    suites = ElementTree.Element("testsuites", {"name": "hangup", **counts})
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    suite = ElementTree.SubElement(suites, "testsuite", {"name": f"hangup.{result.group}", "timestamp": now, **counts})
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("hangup", __version__), *result.properties):
        ElementTree.SubElement(properties, "property", {"name": name, "value": text(value)})
    named = {"classname": f"hangup.{result.group}", "name": text(result.name), "time": counts["time"]}
    case = ElementTree.SubElement(suite, "testcase", named)
    if result.outcome != "passed":
        tag = "failure" if result.outcome == "failed" else "error"
        said = {"message": text(result.message), "type": f"hangup.{result.outcome}"}
        problem = ElementTree.SubElement(case, tag, said)
        problem.text = "\n".join(text(line) for line in result.details) or text(result.message)
    elif result.details:
        ElementTree.SubElement(case, "system-out").text = "\n".join(text(line) for line in result.details)
    ElementTree.indent(suites)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.{os.getpid()}")
        ElementTree.ElementTree(suites).write(new, encoding="utf-8", xml_declaration=True)
        os.replace(new, path)
    except OSError as error:
        raise HangupError(f"cannot write {path}: {error.strerror or error}") from None


class _Text:
    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def __call__(self, text: str) -> str:
        """Without secrets, on one line, and with nothing that XML has no place for."""
        return printable(self._vault.excerpt(text), 2000)


def _without_secrets(recording: Path | None) -> _Text:
    redactor = Redactor()
    with suppress(HangupError, OSError):  # what cannot be read has told nothing
        if recording is not None:
            source = open_recording(recording)
            redactor.learn(source, source.header)
    return _Text(redactor.vault)
