"""A recorded client, played against a real server.

::

    transcript = Transcript(recording, conn)           # floor 1; may be used for any number of plays
    sink = MemorySink()                                # or a Recorder, to write a recording
    outcome = await play(transcript, parse_target("ws://localhost:8000"), sink, ReplaySettings(speed=inf))
    outcome.same, outcome.survived, outcome.live       # the account of the run is a ledger's Connection

:func:`play` opens one connection, says what the recorded client said, at its pace, and waits for what comes of it.
It always returns: a server that says less than it did is waited for with bounded patience, and a connection that
nobody ends is ended by the replay, labelled as its own doing, once it has outlived the recorded end by a margin. Only
a failure to connect raises (:class:`~hangup.errors.BackendError`), and a recording with missing bytes. It may be
cancelled at any moment, and leaves no socket behind; any number of plays may run at once, over one sink if each has a
``conn`` of its own.

Everything goes through a :class:`~hangup.session.Session`, as in the proxy: so filters apply as they would there, and
the run is recorded as a proxy would record it. The played client is before the filters, the server behind them.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Container, Mapping, Sequence
from random import Random

from msgspec.structs import replace

from hangup.filters.chain import Chain
from hangup.filters.filter_set import FilterSet
from hangup.humanize import plural
from hangup.messages.skeleton import skeleton
from hangup.net.connect import tls_context
from hangup.net.fast_mask import fast_mask
from hangup.recording.connections import Connection
from hangup.recording.events import WENT_AWAY, End, Note, Request
from hangup.recording.negotiation import compression, extensions
from hangup.replay import engineio_client
from hangup.replay.client_handshake import ClientHandshake, open_websocket, request_for
from hangup.replay.client_settings import ReplaySettings
from hangup.replay.driver import ReplayDriver
from hangup.replay.endpoint import ReplayEndpoint
from hangup.replay.event_sink import EventSink
from hangup.replay.outcome import ReplayOutcome, blank
from hangup.replay.pacing import Pacing, wait_for_end
from hangup.replay.pong_timer import PongTimer
from hangup.replay.receiver import Received, Receiver
from hangup.replay.rule_sink import RuleSink
from hangup.replay.sender import OtherPayload, Sender
from hangup.replay.watcher import Watcher
from hangup.replayable.client_script import Hear, Send, Transcript
from hangup.replayable.handshake_values import response_values, with_values
from hangup.replayable.send_times import SendTimes
from hangup.replayable.substitutions import Names, Pairing
from hangup.session import Session
from hangup.wire import deflate, handshake
from hangup.wire.header_lists import parse_extensions
from hangup.wire.url import Target, host_header

CLOSE_WAIT = 2.0
"""Seconds to wait for the answer to a CLOSE, and for the end of the connection after it."""
BREATH = 256
"""After so many steps without a wait, others get their turn."""
COMPARED = 20_000
"""So many pairs of unequal messages are compared by their shape."""


async def play(
    transcript: Transcript,
    target: Target,
    sink: EventSink,
    settings: ReplaySettings | None = None,
    *,
    conn: int = 1,
    filters: FilterSet | None = None,
    frames: Container[int] | None = None,
    edits: Mapping[int, OtherPayload] | None = None,
    before: Sequence[tuple[int, OtherPayload]] = (),
    watcher: Watcher | None = None,
    on_open: Callable[[], None] = lambda: None,
) -> ReplayOutcome:
    """Plays a recorded client once, as connection ``conn`` of ``sink``.

    ``filters`` apply as in the proxy. ``frames`` are the numbers of the client's data messages that are said (by
    their first frame; None: all), ``edits`` gives some of them another payload, ``before`` are messages that are said
    in addition, each right before the one with that number. ``watcher`` is told of each message as it is said or heard.
    ``on_open`` is called when the handshake is over, however it went.
    """
    filters, settings = filters or FilterSet(), settings or ReplaySettings()
    client = ReplayClient(transcript, target, sink, settings, conn, filters, frames, edits, before, watcher)
    return await client.run(on_open)


class ReplayClient:
    """One run; see :func:`play`."""

    def __init__(
        self,
        transcript: Transcript,
        target: Target,
        sink: EventSink,
        settings: ReplaySettings,
        conn: int,
        filters: FilterSet,
        frames: Container[int] | None,
        edits: Mapping[int, OtherPayload] | None,
        before: Sequence[tuple[int, OtherPayload]] = (),
        watcher: Watcher | None = None,
    ) -> None:
        self.transcript = transcript
        self._watcher = watcher
        self.survey = survey = transcript.survey
        self.target = target
        self._rule = RuleSink(sink, conn, settings.rule) if settings.rule is not None else None
        self.sink = sink = self._rule or sink
        self.settings = settings
        self.conn = conn
        self._random = Random(settings.seed)
        self._frames = frames
        self._edits = edits
        self._before: dict[int, list[OtherPayload]] = {}
        for number, edit in before:
            self._before.setdefault(number, []).append(edit)
        self._loop = asyncio.get_running_loop()
        self._chain = Chain(
            filters,
            conn,
            sink.now(),
            path=survey.request.target,
            random=self._random,
            totals=survey.totals,
            emit=sink.emit,
        )
        self._names = Names(transcript.uses if settings.correlate else (), settings.sets)
        self._pairing = Pairing(self._names)
        self._beats = engineio_client.answers_pings(transcript)
        """Whether the replay answers Engine.IO's pings, in the place of the recorded answers."""
        self._driver: ReplayDriver | None = None
        self._sender: Sender
        self._server_close = b""
        self._pongs = PongTimer(survey.pongs, self._pong)
        self._pacing = Pacing(survey.opened, settings.speed, settings.patience, causal=settings.pace == "causal")
        # The account.
        self._survived = False
        self._hangs_up = False
        self._sent = 0
        self._stopped_at: int | None = None
        self._unlike: int | None = None
        self._compared = 0

    async def run(self, on_open: Callable[[], None] = lambda: None) -> ReplayOutcome:
        """Plays it."""
        began = self._loop.time()
        try:
            try:
                opened = await self._open()
            finally:
                on_open()
            if opened.ok and opened.endpoint is not None:
                driver = self._driver = self._attach(opened, opened.endpoint)
                await self._walk(driver)
                await self._finish(driver)
        except BaseException:
            if self._driver is not None:  # called off in the middle: the recording says that it was us
                self._driver.leave("fin", by="proxy")
            raise
        finally:
            self._pongs.stop()
            if self._rule is not None:
                self._rule.stop()
            self.sink.sessions.pop(self.conn, None)
            if self._driver is not None:
                self._driver.stop()
                self._driver.endpoint.close()
                await self._driver.endpoint.gone()
        return self._outcome(self._loop.time() - began)

    # The handshake.

    async def _open(self) -> ClientHandshake:
        settings, target = self.settings, self.target
        context = tls_context(insecure=settings.insecure, ca=settings.ca) if target.secure else None
        asked = with_values(self.survey.request, settings.sets)
        asked = replace(asked, target=target.request_target(asked.target))
        if self.survey.upgraded and "sid" not in settings.sets:
            asked = await self._renew(asked, context)
        opened = await open_websocket(
            target,
            request_for(asked, target, settings.headers, self._random),
            conn=self.conn,
            now=self.sink.now,
            context=context,
            timeout=settings.timeout,
            chain=self._chain,
            gives_up=self._gives_up(),
        )
        self.sink.emit(opened.event)
        if opened.event.error == WENT_AWAY:
            self.sink.emit(End(at=self.sink.now(), conn=self.conn, side="client", how="fin"))
        return opened

    def _gives_up(self) -> float | None:
        """After how many seconds the client waits no longer for the answer to its handshake."""
        rule = self.settings.rule
        if rule is None or rule.on != "no-answer":
            return None
        return rule.after if self.settings.gives_up is None else self.settings.gives_up

    async def _renew(self, asked: Request, context: ssl.SSLContext | None) -> Request:
        """A Socket.IO session begins with HTTP, which is not in the recording; the new server has to be asked, too."""
        session = await engineio_client.open_session(
            asked,
            self.target,
            host_header(self.target),
            context=context,
            timeout=self.settings.timeout,
            join=not self.survey.joins,
        )
        for packet in session.packets:
            self._names.overhear(packet.encode())
        text = f"an Engine.IO session was opened by HTTP polling first, as the recorded one had been: {session.sid}"
        self.sink.emit(Note(at=self.sink.now(), conn=self.conn, text=text))
        return engineio_client.with_session(asked, session)

    def _attach(self, opened: ClientHandshake, endpoint: ReplayEndpoint) -> ReplayDriver:
        """The handshake has succeeded: from here on, bytes go through the session."""
        event, given = opened.event, opened.given
        assert given is not None and event.response is not None and opened.buffer is not None
        asked = event.original or event.request
        # What the server speaks, and what the client was told: filters may have made that differ.
        params = compression(event.response, event.request)
        own = compression(given, asked)
        self._chain.open(self.sink.now())
        session = Session(
            self.conn,
            self.sink.emit,
            deflate=params,
            given=own,
            unknown_extension=any(each.name != deflate.NAME for each in parse_extensions(extensions(event.response))),
            mask=fast_mask,
            emit_lines=self.sink.emit_lines if self.sink.takes_lines and not self.settings.sums else None,
            chain=self._chain,
            sums=self.settings.sums,
        )
        self.sink.sessions[self.conn] = session
        recorded = self.survey.handshake
        told = recorded.returned or recorded.response if recorded is not None else None
        started = self.transcript.recording.header.started
        times = SendTimes(started, self.survey.opened, self.survey.over, time.time())
        self._sender = Sender(
            "client",
            compression(told) if told is not None else None,
            own,
            self._random,
            rewrite=self._names.rewrite if self._names else None,
            moved=times.moved if self.settings.correlate else None,
            frames=self._frames,
            edits=self._edits,
        )
        if told is not None:
            self._names.pair_values(response_values(told), response_values(given))
        self._pacing.begin(self._loop.time())
        clock, trusting = self._loop.time, self.settings.sums
        hears = self._pongs.ping, self._on_close, self._on_message
        receiver = Receiver("server", own, clock, *hears, trusting=trusting)
        driver = self._driver = ReplayDriver("client", endpoint, session, self.sink, receiver)
        if self._rule is not None:
            told_checks = handshake.review(asked.headers, given.status, given.headers, asked.method)
            self._rule.begin(self._hang_up, handshake.problems(told_checks))
        driver.start(opened.buffer.data)
        return driver

    # What is heard.

    def _on_message(self, heard: Received) -> None:
        if self._watcher is not None:
            self._watcher.heard(heard)
        if self._beats and heard.data == engineio_client.PING and self._driver is not None and not self._driver.closing:
            self._driver.insist(self._sender.text(engineio_client.PONG), "the client's answer to a ping of Engine.IO")
        if self._names and heard.data is not None:
            self._names.overhear(heard.data)
            self._pairing.live(heard.opcode, heard.data)

    def _on_close(self, payload: bytes) -> None:
        assert self._driver is not None
        self._server_close = payload
        self._driver.over = True

    def _pong(self, payload: bytes) -> None:
        if self._driver is not None and not self._driver.closing:
            self._driver.say(self._sender.pong(payload))

    # The script.

    async def _walk(self, driver: ReplayDriver) -> None:
        breath = 0
        for step in self.transcript.steps():
            if type(step) is Hear:
                if not driver.over:
                    await self._hear(driver, step)
                continue
            assert type(step) is Send
            if not driver.over:
                if self._sender.leaves_out(step) or (self._beats and step.message == engineio_client.PONG):
                    self._pacing.waived = True
                    continue
                await self._pacing.due(driver, step.at)
            if driver.over:
                self._stopped_at = step.n
                break
            if step.opcode == "close" and (self._rule is not None or self.settings.leaves is False):
                break  # it closes by the rule, or not at all
            self._say(driver, step)
            breath += 1
            if breath >= BREATH:
                breath = 0
                driver.flush()
                await asyncio.sleep(0)
                if driver.endpoint.paused:
                    await driver.endpoint.drain()
        driver.flush()

    def _say(self, driver: ReplayDriver, step: Send) -> None:
        for edit in self._before.get(step.n, ()) if self._before and step.begins and step.n is not None else ():
            self._sent += 1
            driver.put(self._sender.more(edit))
        wire = self._sender.say(step)
        if step.opcode == "close":
            driver.closing = True
        if not step.data or step.begins:
            self._sent += not driver.closing
            if self._watcher is not None:
                self._watcher.said(step)
        before = driver.said
        driver.put(wire)
        # Kept back by a filter: nothing will answer it.
        self._pacing.waived = driver.said == before and not driver.waiting

    async def _hear(self, driver: ReplayDriver, step: Hear) -> None:
        """The client had waited for a message of the server here; so do we."""
        if self._names and step.data is not None:
            self._pairing.recorded(step.opcode, step.data)
        heard = await self._pacing.hear(driver, step)
        if heard is not None and not self.settings.sums:
            self._compare(step, heard)

    def _compare(self, step: Hear, heard: Received) -> None:
        if self._unlike is not None or step.data is None or heard.data is None or step.data == heard.data:
            return
        self._compared += 1
        if self._compared <= COMPARED and "pong" not in (step.opcode, heard.opcode):
            if skeleton(step.opcode, step.data) != skeleton(heard.opcode, heard.data):
                self._unlike = step.n

    # The end.

    def _hang_up(self) -> None:
        """The rule says so."""
        driver = self._driver
        if driver is not None and not driver.over:
            self._hangs_up = driver.over = True
            driver.wake()

    async def _finish(self, driver: ReplayDriver) -> None:
        leave = self.survey.leave
        leaves = self._frames is None if self.settings.leaves is None else self.settings.leaves
        if leave.first and leaves and self._rule is None and not driver.over:
            await self._leave_first(driver)
            return
        if not await driver.until(lambda: driver.over, self._deadline(driver)):
            self._survived = True
            driver.close_politely(self._sender.close((1000).to_bytes(2, "big")), "it stayed open in the replay")
            await self._closed(driver)
            driver.leave("fin", by="proxy")
        elif self._hangs_up:
            await self._leave_as_recorded(driver)
        elif not driver.done:
            if driver.receiver.closed and not driver.closing and leave.answers:
                driver.closing = True
                driver.say(self._sender.close(self._server_close[:2]))
            if driver.receiver.closed:
                await self._closed(driver)
            driver.leave("fin")

    async def _leave_first(self, driver: ReplayDriver) -> None:
        """The recorded client ended it: so do we."""
        leave = self.survey.leave
        if driver.closing:
            await self._closed(driver)
            driver.leave("fin")
            return
        if leave.at is not None:
            await self._pacing.due(driver, leave.at)
        driver.leave("fin" if leave.how == "fin" or driver.over else "rst")
        if not driver.over:
            await driver.until(lambda: driver.left, self._loop.time() + CLOSE_WAIT)

    async def _leave_as_recorded(self, driver: ReplayDriver) -> None:
        """It hangs up, as the recorded client did."""
        recorded = self.survey.connection
        if recorded.manner != "close":
            driver.leave(self.survey.leave.how)
            return
        code = recorded.ending.code
        said = b"" if code is None else code.to_bytes(2, "big") + (recorded.ending.reason or "").encode()
        driver.closing = True
        driver.say(self._sender.close(said))
        await self._closed(driver)
        driver.leave("fin")

    async def _closed(self, driver: ReplayDriver) -> None:
        """Waits for the other side's CLOSE, and then for the end of its stream."""
        await driver.until(lambda: driver.receiver.closed or driver.left, self._loop.time() + CLOSE_WAIT)
        await driver.until(lambda: driver.left, self._loop.time() + CLOSE_WAIT)

    def _deadline(self, driver: ReplayDriver) -> float:
        age = self.sink.now() - driver.session.opened
        return self._loop.time() + wait_for_end(self.survey, age, self.settings.survive)

    def _outcome(self, seconds: float) -> ReplayOutcome:
        live = self.sink.ledger.connections.get(self.conn) or Connection(conn=self.conn)
        outcome = blank(self.survey, live, self.conn)
        outcome.survived, outcome.sent, outcome.seconds = self._survived, self._sent, seconds
        outcome.stopped_at = self._stopped_at
        outcome.missing, outcome.first_missing = self._pacing.missing, self._pacing.first_missing
        outcome.unlike = self._unlike
        outcome.real_time = self.settings.speed == 1
        outcome.correlated = dict(self._names.used)
        notes = outcome.notes
        if self._driver is not None:
            outcome.extra = len(self._driver.receiver.queue) + self._driver.receiver.beyond
            if self._sender.unknown:
                notes.append(f"{plural(self._sender.unknown, 'compressed message')} could not be compressed again")
        for name in sorted(self._names.missing - self._names.used.keys()):
            notes.append(f"{name}: the server did not send it in this run, so the recorded value was used")
        return outcome
