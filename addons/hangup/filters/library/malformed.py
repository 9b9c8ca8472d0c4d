"""``drop-malformed`` and ``repair-malformed``: what breaks the rules, of the protocol or of JSON."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from hangup.errors import FilterError
from hangup.filters.base import DROP, NONE, TRAFFIC, Action, Actions, Control, Filter, Kind, Message, Reframe, Replace
from hangup.recording.events import Side
from hangup.recording.fast_path import Screen
from hangup.wire.frames import CLOSE, TEXT

FRAMING = (
    "reserved-opcode",
    "rsv",
    "unmasked",
    "masked",
    "control-too-long",
    "control-fragmented",
    "length-not-minimal",
    "length-top-bit",
    "orphan-continuation",
    "interleaved-data",
    "close-code",
    "close-one-byte",
    "close-reason-utf8",
    "after-close",
    "not-a-frame",
    "half-frame",
    "deflate",
)
CONTENT = ("invalid-utf8", "bom", "nan", "not-json")
_USUAL = ("framing", "invalid-utf8", "bom", "nan")
_BOM = b"\xef\xbb\xbf"
_CONSTANT = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b')
_CLOSE_FAULTS = {"close-code", "close-one-byte", "close-reason-utf8", "control-too-long"}
_LOST = {
    "reserved-opcode",
    "orphan-continuation",
    "interleaved-data",
    "after-close",
    "not-a-frame",
    "half-frame",
    "length-top-bit",
    "deflate",
}
"""What cannot be repaired."""


class _Malformed(Filter, frozen=True, kw_only=True):
    side: Annotated[Side | None, Meta(description="who sent it; default: either side")] = None
    what: Annotated[
        tuple[str, ...],
        Meta(
            description=f"which faults: framing (all of framing), or any of {', '.join((*FRAMING, *CONTENT))}",
            examples=["framing", *FRAMING, *CONTENT],
        ),
    ] = _USUAL

    kinds: ClassVar[Kind] = TRAFFIC

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.what:
            if name not in ("framing", *FRAMING, *CONTENT):
                raise FilterError(f"what={name}: no such fault; there are: framing, {', '.join((*FRAMING, *CONTENT))}")

    def wants(self, side: Side) -> Kind:
        return self.kinds if self.side in (None, side) else NONE

    def screen(self) -> Screen | None:
        if "not-json" in self.what:
            return None
        return lambda opcode, data: data.startswith(_BOM) or b"NaN" in data or b"Infinity" in data

    def begin(self, context: Any) -> frozenset[str]:
        return frozenset(self.what) | (frozenset(FRAMING) if "framing" in self.what else frozenset())

    def apply(self, item: Any, state: frozenset[str]) -> Actions:
        faults = {fault for fault in item.problems if fault in state}
        if isinstance(item, Message) and item.opcode == TEXT:
            faults |= _content_faults(item, state)
        return self.act(item, faults) if faults else None

    def act(self, item: Any, faults: set[str]) -> Actions:
        raise NotImplementedError


def _content_faults(item: Message, wanted: frozenset[str]) -> set[str]:
    data = item.data
    faults = set()
    if "bom" in wanted and data.startswith(_BOM):
        faults.add("bom")
    if "nan" in wanted and (b"NaN" in data or b"Infinity" in data) and _is_json(_nulls(data)) and not _is_json(data):
        faults.add("nan")
    if "not-json" in wanted and not _is_json(data) and not _is_json(_nulls(data.removeprefix(_BOM))):
        faults.add("not-json")
    return faults


_HALF_PAIR = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
"""Half of a surrogate pair, as an escape: JSON allows it (RFC 8259, 8.2)."""


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _HALF_PAIR.search(data) is not None and _is_json(_HALF_PAIR.sub(rb"\\ufffd", data))
    return True


def _nulls(data: bytes) -> bytes:
    return _CONSTANT.sub(lambda found: found[0] if found[0].startswith(b'"') else b"null", data)


class DropMalformed(_Malformed, frozen=True, kw_only=True):
    """Drops malformed frames and messages.

    The standards say what is malformed: framing, UTF-8, and a byte order mark or NaN in otherwise valid JSON. Text that
    is not JSON at all counts only with ``what=not-json``, since only you know that it should be JSON.

    If the connection then stays open, the malformed message was the cause; repair-malformed shows whether its form was.
    """

    example: ClassVar[str] = "drop-malformed side=client what=invalid-utf8,not-json"

    def act(self, item: Any, faults: set[str]) -> Actions:
        return (type(DROP[0])(note=", ".join(sorted(faults))),)


class RepairMalformed(_Malformed, frozen=True, kw_only=True):
    """Repairs malformed frames and messages, and drops those that cannot be repaired.

    Masking, RSV bits and length encodings are corrected, control frames are cut to the allowed length, and close codes
    that must not be sent are removed. Invalid UTF-8 becomes replacement characters, a byte order mark is removed, NaN
    becomes null, and (with ``what=not-json``) text that is not JSON becomes a JSON string.
    """

    example: ClassVar[str] = "repair-malformed side=server what=nan"

    def act(self, item: Any, faults: set[str]) -> Actions:
        note = ", ".join(sorted(faults))
        if faults & _LOST:
            return (type(DROP[0])(note=note),)
        actions: list[Action] = []
        data = _repaired_control(item, faults) if isinstance(item, Control) else _repaired_text(item.data, faults)
        if data != item.data:
            actions.append(Replace(data, note=note))
        if faults & {"unmasked", "masked", "rsv", "length-not-minimal", "control-fragmented"} or not actions:
            actions.append(Reframe(mask=bool(faults & {"unmasked", "masked"}), rsv="rsv" in faults, note=note))
        return actions


def _repaired_control(item: Control, faults: set[str]) -> bytes:
    if item.opcode != CLOSE or not faults & _CLOSE_FAULTS:
        return item.data[:125]
    if faults & {"close-code", "close-one-byte"}:
        return b""
    reason = item.data[2:].decode(errors="replace").encode()[:123]
    return item.data[:2] + reason.decode(errors="ignore").encode()


def _repaired_text(data: bytes, faults: set[str]) -> bytes:
    if "bom" in faults:
        data = data.removeprefix(_BOM)
    if "invalid-utf8" in faults:
        data = data.decode(errors="replace").encode()
    if "nan" in faults:
        data = _nulls(data)
    if "not-json" in faults:
        data = json.dumps(data.decode(errors="replace"), ensure_ascii=False).encode()
    return data
