"""The vocabulary of verdicts: what each cause is about, apart from its name.

``trigger`` is what makes the connection end: ``message``, ``control`` (a ping or pong), ``header`` (of the handshake),
``age``, ``idle``, ``count``, ``rate``, ``connection`` (another one), ``event`` (nothing of the other side's) or
``none``. ``place`` is where to fix it: ``application``, ``library``, ``process``, ``intermediary`` or ``client``.
``needs`` is what must have been there: ``open`` (an open connection), ``traffic`` (something sent over it),
``client-message``, or nothing.
"""

from __future__ import annotations

from typing import NamedTuple


class Cause(NamedTuple):
    """See above."""

    trigger: str
    place: str
    needs: str = ""


VOCABULARY: dict[str, Cause] = {
    "handshake/path": Cause("header", "application"),
    "handshake/parameter": Cause("header", "application"),
    "handshake/origin": Cause("header", "application"),
    "handshake/auth-rejected": Cause("header", "application"),
    "handshake/subprotocol": Cause("header", "application"),
    "handshake/extension": Cause("header", "library"),
    "handshake/accept-key": Cause("header", "library"),
    "handshake/header-size": Cause("header", "intermediary"),
    "handshake/http-version": Cause("header", "intermediary"),
    "handshake/no-ws-support": Cause("header", "library"),
    "handshake/never-accepted": Cause("header", "application"),
    "handshake/limit": Cause("count", "application"),
    "server-handler/returns-immediately": Cause("none", "application"),
    "server-handler/returns-after-message": Cause("count", "application", "client-message"),
    "server-handler/crash-on-message": Cause("message", "application", "client-message"),
    "server-handler/crash-on-own-event": Cause("event", "application"),
    "server-handler/dependency-timeout": Cause("age", "application"),
    "server-handler/blocked": Cause("message", "application"),
    "server-handler/concurrent-io": Cause("event", "application"),
    "server-handler/dead-peer-broadcast": Cause("event", "application"),
    "message/not-json": Cause("message", "application", "client-message"),
    "message/schema": Cause("message", "application", "traffic"),
    "message/unknown-type": Cause("message", "application", "client-message"),
    "message/wrong-opcode": Cause("message", "application", "traffic"),
    "message/oversize": Cause("message", "client", "traffic"),
    "message/invalid-utf8": Cause("message", "client", "traffic"),
    "message/encoding": Cause("message", "client", "traffic"),
    "message/framing": Cause("message", "library", "traffic"),
    "message/order-before-hello": Cause("message", "application", "traffic"),
    "message/init-missing": Cause("age", "client", "open"),
    "message/vocabulary-mismatch": Cause("message", "client", "traffic"),
    "heartbeat/app-ping-kills": Cause("message", "application", "client-message"),
    "heartbeat/control-ping-kills": Cause("control", "library", "traffic"),
    "heartbeat/app-pong-missing-from-client": Cause("idle", "client", "open"),
    "heartbeat/app-pong-missing-from-server": Cause("idle", "application", "open"),
    "heartbeat/control-pong-missing": Cause("control", "library", "traffic"),
    "heartbeat/pong-mismatch": Cause("message", "application", "traffic"),
    "heartbeat/interval-race": Cause("idle", "application", "traffic"),
    "heartbeat/direction": Cause("idle", "library", "open"),
    "heartbeat/throttled": Cause("idle", "client", "open"),
    "heartbeat/stale-timer": Cause("age", "client", "traffic"),
    "intermediary/idle-timeout": Cause("idle", "intermediary"),
    "intermediary/lifetime-cap": Cause("age", "intermediary"),
    "intermediary/frame-corruption": Cause("message", "intermediary"),
    "intermediary/upgrade-conflict": Cause("header", "intermediary"),
    "intermediary/non-sticky": Cause("header", "intermediary"),
    "identity/id-collision": Cause("connection", "application"),
    "identity/stale-cleanup": Cause("connection", "application"),
    "identity/ghost-session": Cause("connection", "application"),
    "identity/stale-resume": Cause("message", "client"),
    "identity/token-expired-retry": Cause("header", "client"),
    "client-lifecycle/double-mount": Cause("none", "client"),
    "client-lifecycle/effect-churn": Cause("event", "client"),
    "client-lifecycle/stale-close-handler": Cause("connection", "client"),
    "client-lifecycle/throws-on-frame": Cause("message", "client"),
    "client-lifecycle/connect-deadline": Cause("age", "client"),
    "client-lifecycle/poison-replay": Cause("message", "client"),
    "client-lifecycle/slow-consumer": Cause("rate", "client"),
    "process/restart": Cause("event", "process"),
    "process/crash": Cause("message", "process"),
    "process/worker-timeout": Cause("age", "process"),
    "process/message-count-limit": Cause("count", "process", "client-message"),
    "process/message-rate-limit": Cause("rate", "process", "client-message"),
    "amplifier/backoff-reset": Cause("none", "client"),
    "none/healthy": Cause("none", "none"),
    "none/harmless-errors": Cause("none", "none"),
}
