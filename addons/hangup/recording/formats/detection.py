"""Which format a file has, by what it begins with."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

HEAD = 1 << 16
"""So many bytes of a file are looked at to tell its format."""

Found = Literal["hangup", "har", "json", "mitmproxy", "netlog", "pcap", "gzip", "zip"]
"""``json`` is an object of which its beginning does not show what it is."""

_MAGIC: dict[bytes, Found] = {
    b"\x0a\x0d\x0d\x0a": "pcap",  # pcapng
    b"\xd4\xc3\xb2\xa1": "pcap",
    b"\xa1\xb2\xc3\xd4": "pcap",
    b"\x4d\x3c\xb2\xa1": "pcap",  # with nanoseconds
    b"\xa1\xb2\x3c\x4d": "pcap",
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",  # an empty one
}
_OTHERS = {
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it",
    b"BZh": "compressed with bzip2: unpack it",
    b"\xfd7zXZ\x00": "compressed with xz: unpack it",
}
_OWN = re.compile(rb'\s*\{\s*"hangup"\s*:')
_HAR = re.compile(rb'\s*\{\s*"log"\s*:|.*"_?(?:webSocketMessages|entries)"\s*:', re.DOTALL)
_NETLOG = re.compile(rb'\s*\{\s*"constants"\s*:\s*\{.*?"(?:log[A-Z]\w+|timeTickOffset|clientInfo)"\s*:', re.DOTALL)
_PERFORMANCE = re.compile(rb'\s*\{\s*"(?:traceEvents|metadata)"\s*:')
_FLOW = re.compile(rb"\d{1,12}:\d{1,3}:[a-z_]+[,;]")


def detect(head: bytes) -> str:
    """The format of a file that begins with ``head`` (one of :data:`Found`); what is wrong in words, after a ``!``,
    when it is none."""
    head = head.removeprefix(b"\xef\xbb\xbf")
    if not head.strip():
        return "!is empty" if not head else "!is not a recording"
    for magic, found in _MAGIC.items():
        if head.startswith(magic):
            return found
    for magic, what in _OTHERS.items():
        if head.startswith(magic):
            return f"!is {what}"
    if _FLOW.match(head):
        return "mitmproxy"
    if head.lstrip()[:1] != b"{":
        return "!is neither a hangup recording, nor a HAR, nor a mitmproxy flow file"
    if _OWN.match(head) or _has_header(head):
        return "hangup"
    if _NETLOG.match(head):
        return "netlog"
    if _PERFORMANCE.match(head) and b'"traceEvents"' in head:
        return "!is a performance trace of Chrome's, which has no messages: save the Network panel's HAR"
    if _HAR.match(head):
        return "har"
    if len(head) >= HEAD // 2:
        return "json"
    return "!is JSON, but neither a hangup recording nor a HAR"


def _has_header(head: bytes) -> bool:
    """Whether the first line is a header with its members in an order of somebody else's."""
    try:
        first = msgspec.json.decode(head.split(b"\n", 1)[0])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return isinstance(first, dict) and "hangup" in first
