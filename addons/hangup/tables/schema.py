"""The tables: their columns, of which type each is, and what it says."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import msgspec
from msgspec import Struct

Type = Literal["text", "int", "real", "bool", "time", "texts", "ints"]
"""``time`` is a moment in UTC; ``texts`` and ``ints`` are lists."""

Level = Literal["connections", "messages", "findings"]
"""What has to be read for a table: the sums and ends of connections; every message; or all that ``why`` looks at."""


class Column(Struct, frozen=True):
    """A column. ``says`` is for people."""

    name: str
    type: Type
    says: str


class Table(Struct, frozen=True):
    """A table, and the ``level`` of reading on which its rows are made."""

    name: str
    level: Level
    says: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The columns' names, in order."""
        return [column.name for column in self.columns]


class View(Struct, frozen=True):
    """A table that has its own name for some columns of another one's."""

    name: str
    table: str
    says: str
    sql: str


def _table(name: str, level: Level, says: str, columns: str, *, conn: bool = True) -> Table:
    lines = [line.split(None, 2) for line in columns.strip().splitlines()]
    of_all = [
        Column("recording", "text", "the recording's file, within the folder that all have in common"),
        Column("day", "text", "the day on which the recording was started (UTC)"),
        Column("target", "text", "the backend, as the proxy was given it"),
    ]
    if conn:
        of_all.append(Column("conn", "int", "the connection's number within the recording"))
    found = [Column(name, type_, says) for name, type_, says in lines]  # type: ignore[arg-type]
    return Table(name, level, says, (*of_all, *found))


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        _table("recordings", "connections", "one row for each recording", """
            started     time  when it was started
            duration    real  seconds to its last event
            connections int   how many connections it has
            loops       int   how many reconnect loops
            failed      int   how many connections failed
            http        int   HTTP requests that passed
            complete    bool  whether it was ended in order
            torn        bool  whether its last line is half a line
            skipped     int   lines that could not be understood
            lost        int   events that could not be recorded
            source      text  where an imported recording came from
            version     text  the version of hangup that recorded it
            """, conn=False),
        _table("connections", "connections", "one row for each connection, with how it ended", """
            client         text  the client's address
            server         text  the server's address
            path           text  what was requested, without its query
            route          text  the same with {} for what is another each time
            request        text  what was requested, with its query
            kind           text  app, or a dev server's own (hmr)
            origin         text  the page's origin, as the browser said
            release        text  the server's release, where its answer names one
            status         int   the status that answered the handshake
            subprotocol    text  the subprotocol that was agreed to
            asked          real  seconds from the start to its request
            opened         real  seconds from the start to the 101
            time           time  when it was asked for
            waited         real  seconds from request to answer
            lifetime       real  seconds it was open, empty where it was not or still is
            silence        real  seconds without a frame before the end
            successor      int   the connection that its client opened next
            gap            real  seconds from the end to that request
            loop           bool  whether it is part of a reconnect loop
            fate           text  what became of it: dropped, left, finished, refused, ...
            failed         bool  whether that was a failure
            manner         text  close, abrupt or refused
            frames_client  int   frames from the client
            frames_server  int   frames from the server
            bytes_client   int   payload bytes from the client
            bytes_server   int   payload bytes from the server
            pings_client   int   ping frames from the client
            pings_server   int   ping frames from the server
            pongs_client   int   pong frames from the client
            pongs_server   int   pong frames from the server
            problems       texts what was wrong with frames, each once
            problem_count  int   how many problems frames had
            checks         texts handshake checks that failed
            error          text  why there was no answer
            actions        int   how often a filter acted
            lost           int   events that could not be recorded
            leg_client     text  how the client's TCP leg ended
            leg_server     text  how the server's TCP leg ended
            ended_by       text  client, server, proxy or unknown
            how            text  close, fin, rst, timeout, error, none or unknown
            code           int   the close code
            reason         text  the reason in the close frame
            sentence       text  the ending in words
            ended          real  seconds from the start to the first step of the end
            ended_time     time  when that was
            filter         text  the filter that ended it
            crossed        bool  whether both sides closed at the same time
            half_closed    bool  whether one side went on after the other's FIN
            """),
        _table("loops", "connections", "one row for each reconnect loop", """
            path            text  the path, or the route where each connection has a path of its own
            client          text  the client's host
            count           int   how many connections
            failed          int   how many handshakes failed
            conns           ints  the connections' numbers
            median_lifetime real  seconds
            median_gap      real  seconds from an end to the next request
            backing_off     bool  whether the client waits longer each time
            going_on        bool  whether it went on at the end of the recording
            settled         int   the connection that ended it by staying open
            ended_by        text  who ended most of them
            how             text  how most of them ended
            alike           int   so many of them
            first           real  seconds from the start
            last            real  seconds from the start
            time            time  when it began
            sentence        text  the loop in words
            """, conn=False),
        _table("frames", "messages", "one row for each frame", """
            n          int   the frame's number within its connection
            seconds    real  from the start
            time       time  when it passed
            side       text  who sent it
            opcode     text  text, binary, continuation, ping, pong or close
            fin        bool  whether it ends its message
            compressed bool  whether its message is compressed (RSV1)
            size       int   payload bytes on the wire
            code       int   a close frame's code
            reason     text  a close frame's reason
            problems   texts what is wrong with it
            """),
        _table("messages", "messages", "one row for each message of the application", """
            n          int   the number of its last frame
            seconds    real  from the start
            time       time  when it passed
            side       text  who sent it
            opcode     text  text or binary
            kind       text  what the message calls itself, as a filter's kind= takes it
            protocol   text  the protocol whose envelope it has
            name       text  its name alone
            field      text  the field that has the name
            beat       text  ping or pong, where it is a heartbeat
            size       int   bytes, inflated
            fragments  int   in how many frames it came
            compressed bool  whether it was compressed
            text       text  the message, where it is text
            fields     text  as JSON: the object or array that it is, or that is within its envelope
            """),
        _table("pings", "messages", "one row for each ping, of frames (control) or of messages (app)", """
            n     int   the number of its frame
            seconds real from the start
            time  time  when it was sent
            side  text  who sent it
            level text  control or app
            took  real  seconds to its answer; empty without one
            """),
        _table("findings", "findings", "one row for each recording: what `hangup why` says", """
            verdict     text  the likeliest cause, or the one that was proved
            category    text  its part before the slash
            confidence  real  between 0 and 1
            proved      bool  whether a bisect of it has proved that
            law         text  the rule that was proved
            sentence    text  it in words
            closer      text  who ends the connections
            route       text  of the connections that dropped
            release     text  the server's release, where its answer names one
            mode        text  how they ended
            code        int   with which close code or status
            trigger     text  what makes them end: frame, header, time, count, peer or none
            conn        int   a connection that shows it
            frame       int   a frame that shows it
            connections int   how many there are
            dropped     int   how many ended so
            first       real  seconds from the start to the first end
            last        real  the same of the last
            first_time  time  when that was
            last_time   time  when that was
            loop        text  the reconnect loop in words
            fix         text  what to change
            also        texts verdicts that name the same from another side
            evidence    texts what speaks for it, the strongest first
            """, conn=False),
    )
}  # fmt: skip

VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View(
            "endings",
            "connections",
            "one row for each connection that ended or was refused",
            "SELECT recording, day, target, conn, route, path, release, ended_by, how, code, reason, status, "
            "sentence, ended AS seconds, ended_time AS time, lifetime, fate, failed, manner, filter, crossed, "
            "half_closed FROM connections WHERE ended IS NOT NULL",
        ),
    )
}

LEVELS: tuple[Level, ...] = ("connections", "messages", "findings")
PARTITIONS = ("day", "target")
"""Columns that are folders in a set of Parquet files."""


MEANING = 1
"""To be raised when a column means something else than before."""


def form() -> str:
    """What tells tables of one form from those of another: another column, type or meaning makes it another."""
    columns = {name: [(each.name, each.type) for each in table.columns] for name, table in TABLES.items()}
    return blake2b(msgspec.json.encode((MEANING, columns)), digest_size=8).hexdigest()


def tables_of(level: Level) -> list[Table]:
    """The tables whose rows are made on this level."""
    return [table for table in TABLES.values() if table.level == level]
