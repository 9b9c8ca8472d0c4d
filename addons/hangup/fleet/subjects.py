"""The recordings that are to be read side by side, each with what was proved of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from hangup.errors import HangupError
from hangup.processes.tshark import open_recording
from hangup.recording.folder import BISECTS, RECORDINGS


class Subject(Struct, frozen=True):
    """A recording to be read: where it lies, what it is called, and what a bisect of it found, if there was one."""

    path: str
    name: str
    proof: str = ""


def subjects(paths: Sequence[Path], names: Sequence[str]) -> list[Subject]:
    """The recordings as they are to be read, each with its proof; the folders with those are looked into once."""
    proofs: dict[str, Path] = {}
    if any((folder / BISECTS).is_dir() for folder in {RECORDINGS, *(path.parent for path in paths)}):
        from hangup.experiment import document_file  # long to import, and most have never been in a bisect

        proofs = document_file.by_start(paths)
    found = []
    for path, name in zip(paths, names, strict=True):
        proof = proofs.get(_started(path)) if proofs else None
        found.append(Subject(os.path.abspath(path), name, "" if proof is None else str(proof)))
    return found


def _started(path: Path) -> str:
    try:
        return open_recording(path).header.started
    except HangupError:
        return ""
