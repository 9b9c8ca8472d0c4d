"""Command lines of hangup for a person to copy: the one place where they are made, so that all of them can be run."""

from __future__ import annotations

import shlex


def command_line(*words: object) -> str:
    """``hangup WORDS``, each word as a shell takes it."""
    return shlex.join(["hangup", *map(str, words)])
