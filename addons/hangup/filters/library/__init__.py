"""The filters, each with its page of help in its docstring. To add one is to name it here."""

from __future__ import annotations

from hangup.filters.base import Filter
from hangup.filters.library.drop import Drop, Only
from hangup.filters.library.drop_heartbeat import DropHeartbeat
from hangup.filters.library.drop_ping import DropPing, DropPong
from hangup.filters.library.headers import SetHeader, StripHeader
from hangup.filters.library.rewrite import FlipOpcode, Rewrite

GROUPS: dict[str, tuple[type[Filter], ...]] = {
    "heartbeat": (DropPing, DropPong, DropHeartbeat),
    "message": (Drop, Only, Rewrite, FlipOpcode),
    "handshake": (SetHeader, StripHeader),
}
"""What there is, as help lists it."""

FILTERS: dict[str, type[Filter]] = {cls.word(): cls for group in GROUPS.values() for cls in group}
"""The filters by their word in the text form."""
