"""Masking of payloads, RFC 6455 section 5.3, by tornado's compiled extension where there is one."""

from __future__ import annotations

from hangup.wire.frames import Mask
from hangup.wire.masking import mask

try:
    from tornado.speedups import websocket_mask
except ImportError:  # no compiled extension on this platform
    fast_mask: Mask = mask
else:
    fast_mask = websocket_mask
