"""Questions that are ready, by name. ``$since`` stands for the moment that ``--since`` means."""

from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime

from msgspec import Struct

from hangup.errors import UsageError
from hangup.tables.database import Asked

_LONG = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*(s|min|h|d|w)")
_DAY = 86_400.0
_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": _DAY, "w": 7 * _DAY}

_SHARE = "round(100.0 * count(*) FILTER (WHERE failed) / count(*), 1) AS failed_percent"


class Question(Struct, frozen=True):
    """What is asked, in words and in SQL."""

    name: str
    says: str
    sql: str

    @property
    def dated(self) -> bool:
        """Whether it asks for what is new since some moment."""
        return "$since" in self.sql


def _quantiles(column: str) -> str:
    return (
        f"count(*) AS count, round(min({column}), 6) AS shortest, round(quantile_cont({column}, 0.5), 6) AS median, "
        f"round(quantile_cont({column}, 0.95), 6) AS p95, round(max({column}), 6) AS longest"
    )


QUESTIONS: dict[str, Question] = {
    each.name: each
    for each in (
        Question("top-endings", "How did connections end, and how often?", """
            SELECT ended_by, how, code, reason, status, count(*) AS count,
                count(*) FILTER (WHERE failed) AS failed, count(DISTINCT recording) AS recordings,
                round(100.0 * count(*) / sum(count(*)) OVER (), 1) AS percent, max(time) AS last
            FROM endings GROUP BY ALL ORDER BY count DESC, ended_by, how, code, reason, status"""),
        Question("new-since", "Which endings are new since --since?", """
            SELECT route, ended_by, how, code, reason, status, count(*) AS count,
                count(DISTINCT recording) AS recordings, min(time) AS first, max(time) AS last
            FROM endings GROUP BY ALL HAVING min(time) >= $since
            ORDER BY first DESC, count DESC, route, ended_by, how, code, reason"""),
        Question("lifetimes", "How long do connections stay open, in seconds, by path?", f"""
            SELECT route, {_quantiles("lifetime")}
            FROM connections WHERE lifetime IS NOT NULL GROUP BY route ORDER BY count DESC, route"""),
        Question("lifetime-histogram", "How many connections are open for how long?", """
            SELECT CASE WHEN lifetime < 0.1 THEN 'a below 0.1 s' WHEN lifetime < 1 THEN 'b 0.1 s to 1 s'
                WHEN lifetime < 10 THEN 'c 1 s to 10 s' WHEN lifetime < 60 THEN 'd 10 s to 1 min'
                WHEN lifetime < 600 THEN 'e 1 min to 10 min' WHEN lifetime < 3600 THEN 'f 10 min to 1 h'
                ELSE 'g above 1 h' END AS open_for, count(*) AS count, count(*) FILTER (WHERE failed) AS failed
            FROM connections WHERE lifetime IS NOT NULL GROUP BY ALL ORDER BY open_for"""),
        Question("by-hour", "How many connections were there in each hour, and how many failed?", f"""
            SELECT date_trunc('hour', time) AS hour, count(*) AS connections,
                count(*) FILTER (WHERE failed) AS failed, {_SHARE}
            FROM connections WHERE time IS NOT NULL GROUP BY hour ORDER BY hour"""),
        Question("by-day", "How many connections were there on each day, and how many failed?", f"""
            SELECT day, count(*) AS connections, count(*) FILTER (WHERE failed) AS failed, {_SHARE},
                sum(frames_client + frames_server) AS frames, sum(bytes_client + bytes_server) AS bytes
            FROM connections GROUP BY day ORDER BY day"""),
        Question("by-path", "On which paths do connections fail?", f"""
            SELECT route, count(*) AS connections, count(*) FILTER (WHERE failed) AS failed, {_SHARE},
                round(median(lifetime), 6) AS median_lifetime
            FROM connections GROUP BY route ORDER BY failed DESC, connections DESC, route"""),
        Question("by-target", "At which backends do connections fail?", f"""
            SELECT target, count(DISTINCT recording) AS recordings, count(*) AS connections,
                count(*) FILTER (WHERE failed) AS failed, {_SHARE}
            FROM connections GROUP BY target ORDER BY failed DESC, connections DESC, target"""),
        Question("by-release", "In which releases of the server do connections fail?", f"""
            SELECT release, count(*) AS connections, count(*) FILTER (WHERE failed) AS failed, {_SHARE},
                min(time) AS first, max(time) AS last
            FROM connections GROUP BY release ORDER BY first DESC NULLS LAST, release"""),
        Question("by-origin", "From which pages do connections come, and how many fail?", f"""
            SELECT origin, count(*) AS connections, count(*) FILTER (WHERE failed) AS failed, {_SHARE}
            FROM connections GROUP BY origin ORDER BY connections DESC, origin"""),
        Question("by-subprotocol", "Which subprotocols are spoken, and how many connections fail?", f"""
            SELECT subprotocol, count(*) AS connections, count(*) FILTER (WHERE failed) AS failed, {_SHARE}
            FROM connections GROUP BY subprotocol ORDER BY connections DESC, subprotocol"""),
        Question("refused", "Which handshakes are refused, and with which status?", """
            SELECT route, status, error, count(*) AS count, count(DISTINCT recording) AS recordings, max(time) AS last
            FROM connections WHERE manner = 'refused' GROUP BY ALL ORDER BY count DESC, route, status, error"""),
        Question("close-codes", "Which close codes does each side send?", """
            SELECT code, ended_by, count(*) AS count, count(DISTINCT reason) AS reasons,
                mode(nullif(reason, '')) AS usual_reason
            FROM endings WHERE how = 'close' GROUP BY code, ended_by ORDER BY count DESC, code, ended_by"""),
        Question("silence", "How long was nothing sent before each kind of ending, in seconds?", f"""
            SELECT ended_by, how, code, {_quantiles("silence")}
            FROM connections WHERE silence IS NOT NULL GROUP BY ALL ORDER BY count DESC, ended_by, how, code"""),
        Question("loops", "Which clients reconnect again and again?", """
            SELECT path, ended_by, how, count(*) AS loops, sum(count) AS connections,
                round(median(median_lifetime), 6) AS median_lifetime, round(median(median_gap), 6) AS median_gap,
                count(*) FILTER (WHERE NOT backing_off) AS without_backing_off, max(time) AS last_began
            FROM loops GROUP BY path, ended_by, how ORDER BY connections DESC, path, ended_by, how"""),
        Question("reconnects", "How soon do clients come again, in seconds?", f"""
            SELECT route, {_quantiles("gap")}
            FROM connections WHERE gap IS NOT NULL GROUP BY route ORDER BY count DESC, route"""),
        Question("handshake-times", "How long does the server take to answer handshakes, in seconds?", f"""
            SELECT route, status, {_quantiles("waited")}
            FROM connections WHERE waited > 0 GROUP BY route, status ORDER BY count DESC, route, status"""),
        Question("problems", "What is wrong with frames and handshakes?", """
            SELECT problem, count(*) AS connections, count(DISTINCT recording) AS recordings,
                min(recording) AS example
            FROM (SELECT recording, conn, unnest(list_concat(problems, checks)) AS problem FROM connections)
            GROUP BY problem ORDER BY connections DESC, problem"""),
        Question("worst", "In which recordings do most connections fail?", """
            SELECT recording, target, started, connections, failed, loops
            FROM recordings WHERE failed > 0 ORDER BY failed DESC, recording"""),
        Question("incomplete", "Which recordings are not complete?", """
            SELECT recording, started, torn, skipped, lost, complete FROM recordings
            WHERE torn OR skipped > 0 OR lost > 0 OR NOT complete ORDER BY lost DESC, skipped DESC, recording"""),
        Question("causes", "What does `hangup why` say, and of how many recordings?", """
            SELECT verdict, proved, count(*) AS recordings, round(avg(confidence), 2) AS sure,
                sum(dropped) AS connections, min(first_time) AS first, max(last_time) AS last,
                first(recording ORDER BY confidence DESC, recording) AS example
            FROM findings GROUP BY verdict, proved ORDER BY recordings DESC, verdict, proved"""),
        Question("kinds", "Which kinds of messages are sent, and how large are they, in bytes?", """
            SELECT side, kind, count(*) AS count, sum(size) AS bytes, max(size) AS largest,
                count(DISTINCT recording) AS recordings
            FROM messages GROUP BY side, kind ORDER BY count DESC, side, kind"""),
        Question("last-messages", "Which message was each client's last before a failure?", """
            SELECT m.kind, count(*) AS count, count(DISTINCT m.recording) AS recordings,
                round(median(c.ended - m.sent), 6) AS seconds_before
            FROM (SELECT recording, conn, max_by(kind, n) AS kind, max(seconds) AS sent FROM messages
                WHERE side = 'client' GROUP BY recording, conn) AS m
            JOIN connections AS c ON c.recording = m.recording AND c.conn = m.conn
            WHERE c.failed GROUP BY m.kind ORDER BY count DESC, m.kind"""),
        Question("ping-rtt", "How long are pings under way, in seconds?", f"""
            SELECT side, level, {_quantiles("took")}, sent - count(*) AS unanswered
            FROM (SELECT *, count(*) OVER (PARTITION BY side, level) AS sent FROM pings) WHERE took IS NOT NULL
            GROUP BY side, level, sent ORDER BY side, level"""),
    )
}  # fmt: skip


def question_of(question: str, since: str | None, rows: int) -> Asked:
    """What is asked, by a question's name or in SQL; ``since`` is for those that ask for what is new. Raises
    :class:`UsageError`."""
    known = QUESTIONS.get(question)
    if known is None and " " not in question.strip():
        near = difflib.get_close_matches(question, QUESTIONS, 1, 0.6)
        hint = f"did you mean {near[0]}?" if near else "`hangup query` lists them"
        raise UsageError(f"there is no question {question!r}: {hint}")
    sql = known.sql if known is not None else question
    if known is None or not known.dated:
        if since is not None:
            raise UsageError("--since is for new-since")
        return Asked(sql, rows)
    moment = _moment(since or "1d")
    if isinstance(moment, datetime):
        begin = f"TIMESTAMP '{moment.replace(tzinfo=None).isoformat(' ', 'microseconds')}'"
    else:
        begin = f"(SELECT max(time) FROM endings) - to_seconds({moment:.6f})"
    return Asked(sql.replace("$since", begin), rows)


def _moment(text: str) -> datetime | float:
    """A moment in UTC, or seconds before the end."""
    if found := _LONG.fullmatch(text.strip()):
        return float(found[1]) * _UNITS[found[2]]
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"--since {text}: not a date such as 2026-11-29, and no time such as 7d or 12h") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
