"""The diagnosis in words: one sentence for each verdict, and what happened when there is none."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle, spread
from hangup.diagnosis.findings import Evidence, cite
from hangup.diagnosis.report import Report
from hangup.humanize import duration, plural, printable
from hangup.recording import untold
from hangup.recording.connections import numbered

VERDICTS: dict[str, str] = {
    "handshake/path": "The server has no WebSocket at the path that the client asks for",
    "handshake/parameter": "The server refuses a parameter of the handshake's path or query",
    "handshake/origin": "The server refuses the client's Origin",
    "handshake/auth-rejected": "The server refuses the client's credentials in the handshake",
    "handshake/subprotocol": "Client and server do not agree on a subprotocol",
    "handshake/extension": "An extension is agreed to in the handshake that one side does not implement",
    "handshake/header-size": "The request's headers are too large for the server",
    "handshake/accept-key": "The answer to the handshake is not the answer to this client's key",
    "handshake/http-version": "The handshake does not arrive as the HTTP version that the server upgrades",
    "handshake/no-ws-support": "The server has no WebSocket support installed or enabled",
    "handshake/never-accepted": "The server never accepts the handshake",
    "handshake/limit": "The server turns connections away over a limit",
    "server-handler/returns-immediately": "The server's handler returns as soon as the connection is open",
    "server-handler/returns-after-message": "The server's handler serves one message and returns",
    "server-handler/crash-on-message": "The server's handler fails on a message of the client",
    "server-handler/crash-on-own-event": "The server fails on an event of its own, such as a broadcast it cannot send",
    "server-handler/dependency-timeout": "The server gives up after a fixed time, as if waiting for something",
    "server-handler/blocked": "The server's handler blocks, and the client gives up waiting",
    "server-handler/concurrent-io": "Two tasks of the server use one connection at the same time",
    "server-handler/dead-peer-broadcast": "The server sends to a connection that is gone, and fails",
    "message/not-json": "The server ends it when the client sends something that is not JSON",
    "message/schema": "The server ends it on a message that lacks what it wants",
    "message/unknown-type": "The server ends it on a message of a kind that it does not know",
    "message/wrong-opcode": "The server ends it on a message of the wrong opcode (text or binary)",
    "message/oversize": "The server ends it on a message that is over its size limit",
    "message/invalid-utf8": "A text message is not valid UTF-8",
    "message/encoding": "A message is encoded in a way that the receiver cannot parse",
    "message/framing": "A frame breaks the WebSocket protocol, or uses a part of it that the receiver cannot read",
    "message/order-before-hello": "The client sends a message before the greeting that the server waits for",
    "message/init-missing": "The client never sends the first message that the server waits for",
    "message/vocabulary-mismatch": "Client and server speak different versions of the message protocol",
    "heartbeat/app-ping-kills": "The client's heartbeat makes the server drop the connection",
    "heartbeat/control-ping-kills": "A control ping makes the other side drop the connection",
    "heartbeat/app-pong-missing-from-client": "The server gives up for want of a pong, or of any sign of life",
    "heartbeat/app-pong-missing-from-server": "The server does not answer the client's pings, and the client gives up",
    "heartbeat/control-pong-missing": "The server's control pings get no pong in time",
    "heartbeat/pong-mismatch": "The server answers the client's pings in a form that the client does not know",
    "heartbeat/interval-race": "The heartbeat's interval is as long as the other side's patience",
    "heartbeat/direction": "Both sides wait for the other to send the heartbeat",
    "heartbeat/throttled": "The client's heartbeats slow down, as timers of a hidden tab do",
    "heartbeat/stale-timer": "A heartbeat timer of the client is not reset when it reconnects",
    "intermediary/idle-timeout": "Something between client and server cuts connections that were idle for too long",
    "intermediary/lifetime-cap": "Something between client and server cuts every connection at a certain age",
    "intermediary/frame-corruption": "Something on the way changes the bytes",
    "intermediary/upgrade-conflict": "A socket that belongs to another server is sent to this one",
    "intermediary/non-sticky": "Requests of one session land on different workers",
    "identity/id-collision": "The server closes the older of two connections that have the same identity",
    "identity/stale-cleanup": "The clean-up of the old connection removes the new one's registration",
    "identity/ghost-session": "The server still holds the client's lost session and turns the new one away",
    "identity/stale-resume": "The client resumes a session that the server no longer knows, again and again",
    "identity/token-expired-retry": "The server refuses the client's token, and the client retries with the same one",
    "client-lifecycle/double-mount": "The client opens a connection twice and gives up the first",
    "client-lifecycle/effect-churn": "The client itself closes and reopens it when a message changes its state",
    "client-lifecycle/stale-close-handler": "The close handler of the client's old connection ends the new one",
    "client-lifecycle/throws-on-frame": "The client fails on a message of the server and closes",
    "client-lifecycle/connect-deadline": "The client gives up before the server has said its first word",
    "client-lifecycle/poison-replay": "The client sends the same deadly message again after every reconnect",
    "client-lifecycle/slow-consumer": "The server drops the client, which does not read as fast as the server sends",
    "process/restart": "The server restarts, and ends its connections",
    "process/crash": "The server's process dies",
    "process/worker-timeout": "The server's worker is ended at a fixed age",
    "process/message-rate-limit": "The server ends it when messages come too fast",
    "process/message-count-limit": "The connection ends after a fixed number of messages",
    "none/healthy": "Nothing is wrong",
    "none/harmless-errors": "Nothing that matters is wrong",
}
"""Each verdict as a sentence without its full stop."""


def sentence(case: Case, report: Report, known: bool = True) -> str:
    """The whole in one sentence. ``known`` is whether the evidence says something of an end that has no name."""
    if report.category == "unknown":
        return _unknown(case, report, known)
    text = VERDICTS.get(report.verdict, report.verdict)
    if report.category == "none":
        best = next((sign.text for sign in report.evidence if sign.weight > 0), "")
        return f"{text}: {best}." if best else f"{text}."
    if report.verdict == "handshake/limit" and of_messages(case):
        text = "The server closes connections over a limit, of messages or of time rather than of connections"
    return f"{text}: {_ends(case)}."


def of_messages(case: Case) -> bool:
    """Whether a limit is of what the connections do: they were let in, and spoke."""
    return middle(case.lived) > 1.0 and all(life.traffic.client.messages > 1 for life in case.victims)


def _ends(case: Case) -> str:
    """How many ended, how and when."""
    lives = case.victims
    if not lives:
        return "nothing ended"
    first = lives[0]
    if first.open_since is None:
        status = first.status
        what = f"was refused with HTTP {status}" if status is not None else "got no answer"
        return f"the one handshake {what}" if len(lives) == 1 else f"{plural(len(lives), 'handshake')} {_all(what)}"
    how = {"fin": "with a bare FIN", "rst": "with a reset", "timeout": "by a timeout"}.get(first.ending.how, "")
    if first.ending.how == "close":
        code = first.code if first.code is not None else "no code"
        how = f"with close code {code}" if first.code is not None else "with a close frame without a code"
        if first.reason:
            how += f' ("{printable(first.reason, 60)}")'
    age = duration(middle([life.lasted for life in lives]))
    who = f"{f'the {case.closer} ended it' if case.closer != 'unknown' else 'it ended'} {how}".rstrip()
    if len(lives) == 1:
        return f"{who} {age} after opening"
    return f"{who} in {len(lives)} connections, {age} after opening (median)"


def _all(what: str) -> str:
    return what.replace("was ", "were ", 1)


def _unknown(case: Case, report: Report, known: bool) -> str:
    if not case.lives:
        return "There is no WebSocket connection in this recording."
    if not case.victims and any(life.untold for life in case.lives):
        return "This file does not tell how its connections ended: a recording of `hangup proxy` does."
    if not case.victims:
        return "No connection dropped here, and none was open for long enough to call it healthy."
    if known:
        return f"The recording does not say why: {report.evidence[0].text}."
    names = [alternative.verdict for alternative in report.alternatives[:3]]
    could = f"; it could be {', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else ""
    what = f"{plural(case.count, 'connection')} ended alike"
    return f"The recording alone does not say why: {what}, and no cause explains it clearly{could}."


def what_happened(case: Case) -> list[Evidence]:
    """How the connections ended, for want of a cause."""
    found = []
    for life in case.victims[:3]:
        last = life.last_message("client") or life.last_message("server")
        found.append(Evidence(life.ending.sentence, 0.0, [cite(life, last)]))
    if len(case.victims) > 1:
        ages = [life.lasted for life in case.victims]
        found.append(
            Evidence(
                f"{numbered(case.victims)} were open for {duration(middle(ages))} (spread {duration(spread(ages))})",
                0.0,
            )
        )
    if not case.victims:
        for life in [life for life in case.lives if life.fate in ("left", "stopped", "filtered", "open", "finished")][
            :3
        ]:
            found.append(Evidence(life.ending.sentence, 0.0, [cite(life)]))
    return found


def amplifier(case: Case) -> str:
    """``amplifier/backoff-reset`` when a client that opens each time never waits longer before it tries again."""
    gaps = case.gaps
    opened = [life for life in case.victims if life.open_since is not None]
    if len(gaps) < 5 or len(opened) < 0.8 * case.count or middle(gaps) < 0.05:
        return ""
    steady = spread(gaps) <= max(0.35 * middle(gaps), 0.08)
    return "amplifier/backoff-reset" if steady and gaps[-1] < 1.3 * gaps[0] + 0.05 else ""


def notes(case: Case) -> list[str]:
    """What a reader should know about the recording itself."""
    found = []
    ledger = case.ledger
    if case.ledger.filters:
        names = list(dict.fromkeys(f"`{printable(f.filter, 60)}` {f.action}" for f in case.ledger.filters))
        found.append(f"filters were changed while this was recorded: {', '.join(names[:4])}")
    elif case.header.filters:
        found.append(f"recorded with filters: {', '.join(printable(f, 60) for f in case.header.filters[:4])}")
    acted = [life for life in case.lives if life.traffic.acted]
    if acted:
        found.append(f"filters acted on {numbered(acted)}")
    if ledger.lost:
        found.append(f"{plural(ledger.lost, 'event')} could not be recorded: this may not be the whole story")
    if case.ledger.passed_over:
        found.append(f"{plural(case.ledger.passed_over, 'connection')} in the middle were counted, not looked into")
    others = len(case.groups) - 1
    if others > 0:
        rest = sum(len(g.lives) for g in case.groups if g is not case.group)
        found.append(
            f"{plural(rest, 'connection')} ended in {plural(others, 'other way')} (see `hangup show`, or --conn)"
        )
    if lacks := untold.sentence(case.header):
        found.append(f"imported: {lacks}; what is missing shows nothing")
    elif case.header.source:
        found.append(f"imported from {printable(case.header.source, 60)}")
    return found
