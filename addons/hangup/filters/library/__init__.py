"""The filters, each with its page of help in its docstring. To add one is to name it here."""

from __future__ import annotations

from hangup.filters.base import Filter
from hangup.filters.library.answer_ping import AnswerPing
from hangup.filters.library.control_pings import DropPing, DropPong
from hangup.filters.library.drop import Drop, Mute, Only
from hangup.filters.library.ending import Close, HoldOpen, Refuse
from hangup.filters.library.framing import Defragment, Fragment, StripExtensions, UnmaskFix
from hangup.filters.library.headers import AcceptKey, Origin, SetHeader, StripHeader, Subprotocol
from hangup.filters.library.heartbeats import DropHeartbeat, RewriteHeartbeat
from hangup.filters.library.inject import Inject
from hangup.filters.library.keepalive import Keepalive
from hangup.filters.library.malformed import DropMalformed, RepairMalformed
from hangup.filters.library.rewrite import FlipOpcode, Rewrite
from hangup.filters.library.script import Script
from hangup.filters.library.target import Path, Query, UniqueId
from hangup.filters.library.timing import Delay, MaxUnanswered, SlowReconnect, Throttle

GROUPS: dict[str, tuple[type[Filter], ...]] = {
    "heartbeats": (DropPing, DropPong, DropHeartbeat, RewriteHeartbeat, AnswerPing, Keepalive),
    "malformed messages": (DropMalformed, RepairMalformed),
    "messages": (Drop, Only, Rewrite, FlipOpcode, Inject, Mute),
    "framing": (Defragment, Fragment, UnmaskFix, StripExtensions),
    "handshake": (SetHeader, StripHeader, Origin, Subprotocol, AcceptKey, Path, Query, UniqueId, Refuse, SlowReconnect),
    "timing and endings": (Delay, Throttle, MaxUnanswered, Close, HoldOpen),
    "your own": (Script,),
}
"""What there is, as help lists it."""

FILTERS: dict[str, type[Filter]] = {cls.word(): cls for group in GROUPS.values() for cls in group}
"""The filters by their word in the text form."""
