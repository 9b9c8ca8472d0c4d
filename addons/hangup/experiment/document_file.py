"""The document of a bisect as a file: written beside what the bisect recorded, found again by its recording, read.

It is the JSON that ``hangup bisect --json`` prints.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from hangup.errors import HangupError, RecordingError
from hangup.experiment.document import Document, telling_lines
from hangup.experiment.evidence import Outcome
from hangup.recording.folder import BISECTS, RECORDINGS, by_product
from hangup.recording.redaction.placeholders import Vault
from hangup.recording.writer import write_private

WHAT = "verdict"
"""What it is called among the document's files."""

SUFFIX = "verdict.json"

LARGEST = 8 << 20
"""Bytes of a file that is looked into."""

_BYTE = re.compile(r"\\x([89a-f][0-9a-f])")
"""How a byte is spelled out in a payload that is no UTF-8."""

Count = Annotated[int, Meta(ge=0, le=1_000_000)]


class Rung(Struct):
    """A row of the ladder: what was changed, and how often it ``failed`` of how many trials."""

    title: str
    failed: tuple[Count, Count]
    outcome: str
    arm: str = ""
    filters: list[str] = []
    unresolved: Count = 0
    another: str = ""

    @property
    def told(self) -> str:
        """The outcome, as people are told it."""
        return next((each.words for each in Outcome if each.value == self.outcome), self.outcome)

    def __post_init__(self) -> None:
        if self.failed[0] > self.failed[1]:
            raise ValueError(f"{self.failed[0]} of {self.failed[1]} trials cannot have failed")


class Held(Struct):
    """The law, and how many of the predictions were right, of how many."""

    sentence: str
    predictions: tuple[int, int] = (0, 0)
    boundary: str | None = None


class Smallest(Struct):
    """The smallest failing exchange: the client's frames, and what the one that matters says."""

    frames: list[int] = []
    payload: str | None = None
    opcode: str | None = None
    neighbour: str | None = None


class Trials(Struct, kw_only=True):
    """Failed of how many, ``with`` the cause and ``without`` it; and Fisher's p of that."""

    with_: tuple[Count, Count] = field(name="with")
    without: tuple[Count, Count]
    p: float


class Said(Struct):
    """An entry of the backend's log."""

    text: str
    source: str = ""


class Proof(Struct):
    """What is told of a bisect to somebody who was not there. ``started`` says of which recording, ``cure`` is the
    filter with which it stays open."""

    verdict: str
    ladder: list[Rung]
    proved: bool = False
    reproduced: bool = True
    headline: str = ""
    claim: str | None = None
    counts: Trials | None = None
    contrast: tuple[str, str] | None = None
    closer: str = "unknown"
    cure: str | None = None
    law: Held | None = None
    minimal: Smallest | None = None
    log: list[Said] = []
    verification: list[str] = []
    connections: int = 0
    seconds: float = 0.0
    started: str | None = None
    target: str | None = None

    def teach(self, vault: Vault) -> None:
        """Lets the ``vault`` meet the secrets that are told here."""
        vault.learning = True
        _through(msgspec.to_builtins(self), vault.text)
        if self.target is not None:
            vault.text(self.target, url=True)
        if self.minimal is not None and self.minimal.payload is not None:
            vault.payload(_bytes(self.minimal.payload))
        vault.learning = False

    def redacted(self, vault: Vault) -> Proof:
        """The same without the secrets that the ``vault`` has met, or finds here, and without pieces of them."""
        found = msgspec.convert(_through(msgspec.to_builtins(self), vault.excerpt), Proof)
        if self.target is not None:
            found.target = vault.text(self.target, url=True)
        if found.minimal is not None and self.minimal is not None and self.minimal.payload is not None:
            found.minimal.payload = vault.shown(_bytes(self.minimal.payload))
        return found

    def leave_out_libraries(self) -> None:
        """Keeps of the log what tells; not before it is redacted, as a secret may be of several lines."""
        for said in self.log:
            said.text = "\n".join(telling_lines(said.text))


def _through(value: Any, hide: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {name: _through(each, hide) for name, each in value.items()}
    return [_through(each, hide) for each in value] if isinstance(value, list | tuple) else value


def _bytes(payload: str) -> bytes:
    """What a payload was before it was made readable."""
    return b"".join(
        bytes([int(part, 16)]) if at % 2 else part.encode(errors="backslashreplace")
        for at, part in enumerate(_BYTE.split(payload))
    )


def write(document: Document, beside: Path) -> None:
    """Writes it as a by-product of the trials that were recorded in ``beside``, and names it among its files.

    Raises :class:`~hangup.errors.RecordingError`.
    """
    path = by_product(beside, SUFFIX)
    document.files[WHAT] = str(path)
    try:
        # As a recording it may hold secrets.
        write_private(path, msgspec.json.format(msgspec.json.encode(document.summary()), indent=2) + b"\n")
    except RecordingError:
        del document.files[WHAT]
        raise


def read(path: Path) -> Proof:
    """The document in a file. Raises :class:`~hangup.errors.RecordingError` when there is none."""
    try:
        if path.stat().st_size > LARGEST:
            raise RecordingError(f"{path} is too large for the result of a bisect")
        return msgspec.json.decode(path.read_bytes(), type=Proof)
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from None
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RecordingError(
            f"{path} is not the result of a bisect ({error}): `hangup bisect --json` makes one"
        ) from None


def find(recording: Path, started: str, folders: Iterable[Path] = (RECORDINGS,)) -> Path | None:
    """The newest document of this recording: in the folder for bisects beside it, or in one within ``folders``.

    A recording is known by when it was ``started``, to the microsecond, so that a copy is known as well.
    """
    if not started:
        return None
    where = {(folder / BISECTS).absolute() for folder in (recording.parent, *folders)}
    found = [path for folder in where for path in folder.glob(f"*-{SUFFIX}")]
    for path in sorted(found, key=_age):
        try:
            if read(path).started == started:
                return path
        except HangupError:
            continue
    return None


def by_start(recordings: Iterable[Path], folders: Iterable[Path] = (RECORDINGS,)) -> dict[str, Path]:
    """For many recordings what :func:`find` is for one: the newest document of each, by when its recording was started.
    Each folder, and each document, is looked into once."""
    where = {(folder / BISECTS).absolute() for folder in (*{path.parent for path in recordings}, *folders)}
    found: dict[str, Path] = {}
    for path in sorted((path for folder in where for path in folder.glob(f"*-{SUFFIX}")), key=_age):
        try:
            started = read(path).started
        except HangupError:
            continue
        if started:
            found.setdefault(started, path)
    return found


def _age(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:
        return 0.0
