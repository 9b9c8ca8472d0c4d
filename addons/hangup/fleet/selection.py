"""Which recordings somebody means who names many: files, folders, and patterns such as ``'recordings/*.jsonl'``."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from hangup.errors import RecordingError
from hangup.recording.folder import RECORDINGS, listing

_PATTERN = frozenset("*?[")


def many(words: Sequence[str]) -> bool:
    """Whether these words mean more than one recording, or may do so."""
    return len(words) != 1 or Path(words[0]).is_dir() or is_pattern(words[0])


def is_pattern(word: str) -> bool:
    """Whether it is a pattern: no file of just this name, and one of the characters that stand for others."""
    return not _PATTERN.isdisjoint(word) and not os.path.lexists(word)


def selected(words: Iterable[str]) -> list[Path]:
    """The recordings that are meant, each once, in the order of their names; without words those in ``recordings/``.

    Of a folder they are what ends in ``.jsonl``; ``**`` in a pattern is any number of folders. Raises
    :class:`~hangup.errors.RecordingError` where there is none.
    """
    found: dict[str, Path] = {}
    for word in list(words) or [str(RECORDINGS)]:
        if is_pattern(word):
            paths = [Path(each) for each in glob.glob(word, recursive=True) if os.path.isfile(each)]
        elif os.path.isdir(word):
            paths = listing(word)
        elif os.path.exists(word):
            paths = [Path(word)]
        else:
            raise RecordingError(f"there is no recording {word}")
        if not paths:
            what = "no recording matches" if is_pattern(word) else "there is no recording in"
            raise RecordingError(f"{what} {word}")
        for path in paths:
            found.setdefault(os.path.abspath(path), path)
    return sorted(found.values(), key=str)


def names(paths: Sequence[Path]) -> list[str]:
    """What each is called: its path within the folder that all have in common, with ``/`` between folders. That folder
    is left out, as it may say who somebody is."""
    absolute = [os.path.abspath(path) for path in paths]
    common = os.path.commonpath([os.path.dirname(each) for each in absolute]) if _together(absolute) else ""
    within = [os.path.relpath(each, common) if common else os.path.basename(each) for each in absolute]
    return [each.replace(os.sep, "/") for each in within]


def _together(absolute: Sequence[str]) -> bool:
    """Whether they have a folder in common: on Windows they may lie on different drives."""
    return bool(absolute) and len({os.path.splitdrive(each)[0] for each in absolute}) == 1
