"""Filters in the running proxy: one set for all connections, handshakes through their chains, changes told around."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from random import Random
from typing import Protocol

from mitmproxy import exceptions, http
from msgspec import Struct

from hangup.errors import FilterError
from hangup.filters.chain import Chain, Decision
from hangup.filters.filter_set import FilterEntry, FilterSet, SetChange
from hangup.recorder.recorder import Recorder
from hangup.recording import events


class Shaken(Struct):
    """What filters did to a handshake: ``original`` is what the client asked, where that was changed, ``answered`` what
    the server answered, and ``by`` the filter that answered in the server's place."""

    chain: Chain
    original: events.Request | None = None
    answered: events.Response | None = None
    by: str = ""


class Refreshed(Protocol):
    """What is to be told when filters have changed."""

    def refresh(self) -> None:
        """The filters have changed."""


class Filtering:
    """The proxy's filters. Changes of ``filters`` are recorded and reach open connections at once."""

    def __init__(self, drivers: Iterable[Refreshed]) -> None:
        self.filters = FilterSet()
        self.filters.listeners.append(self._changed)
        self.recorder: Recorder | None = None
        self._drivers = drivers
        self.admit: Callable[[int, events.Request, str], Awaitable[FilterSet | None]] | None = None
        """Asked at each handshake for filters of the connection's own, in the place of ``filters``."""
        self._shaken: dict[int, Shaken] = {}

    def configure(self, texts: Sequence[str]) -> None:
        """mitmproxy's option has changed: the set is to be these, in their text form."""
        now = self.recorder.now() if self.recorder is not None else 0.0
        try:
            self.filters.replace(texts, now)
        except FilterError as error:
            raise exceptions.OptionsError(str(error)) from None

    def _changed(self, change: SetChange) -> None:
        if self.recorder is not None:
            self.recorder.emit(change.event())
        for driver in list(self._drivers):
            driver.refresh()

    def _stuck(self, filters: FilterSet, entry: FilterEntry) -> None:
        # Later: a chain of this set is at work on a frame.
        asyncio.get_running_loop().call_soon(self._give_up, filters, entry)

    def _give_up(self, filters: FilterSet, entry: FilterEntry) -> None:
        if entry in filters:
            filters.off(entry.id, self.recorder.now() if self.recorder is not None else 0.0)

    # Handshakes.

    def shaken(self, conn: int, target: str = "", client: str = "", own: FilterSet | None = None) -> Shaken:
        """The filters of a connection and what they did so far, made with its first call; ``own`` are its own."""
        shaken = self._shaken.get(conn)
        if shaken is None:
            assert self.recorder is not None
            recorder = self.recorder
            chain = Chain(
                self.filters if own is None else own,
                conn,
                recorder.now(),
                path=target,
                client=client,
                random=Random(),
                emit=recorder.emit,
                stuck=self._stuck,
            )
            shaken = self._shaken[conn] = Shaken(chain)
        return shaken

    def forget(self, conn: int) -> None:
        """The connection is over, or never came about."""
        self._shaken.pop(conn, None)

    async def request(self, flow: http.HTTPFlow, conn: int, client: str, asked: events.Request) -> None:
        """Shows a handshake's request to the filters, and changes, delays or answers it as they say."""
        own = await self.admit(conn, asked, client) if self.admit is not None else None
        shaken = self.shaken(conn, asked.target, client, own)
        assert self.recorder is not None
        verdict = shaken.chain.request(asked, self.recorder.now())
        if verdict is None:
            return
        if verdict.wait > 0:
            await asyncio.sleep(verdict.wait)
        if verdict.changed:
            shaken.original = asked
            _change_request(flow.request, verdict.item.request)
        if verdict.refused is not None:
            shaken.by = verdict.done[-1].by
            flow.response = _make_response(verdict.refused)

    def response(self, conn: int, response: events.Response, request: events.Request) -> Decision | None:
        """What the filters make of a handshake's response."""
        shaken = self.shaken(conn)
        if shaken.by or self.recorder is None:
            return None
        shaken.answered = response
        return shaken.chain.response(response, request, shaken.original or request, self.recorder.now())

    async def answer(self, flow: http.HTTPFlow, verdict: Decision) -> None:
        """Changes and delays the response as the filters say."""
        assert flow.response is not None
        if verdict.changed:
            _change_response(flow.response, verdict.item.response)
        if verdict.wait > 0:
            await asyncio.sleep(verdict.wait)


def _fields(headers: Iterable[tuple[str, str]]) -> http.Headers:
    return http.Headers([(_raw(name), _raw(value)) for name, value in headers])


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _change_request(request: http.Request, to: events.Request) -> None:
    request.method = to.method
    request.path = to.target
    request.headers = _fields(to.headers)


def _change_response(response: http.Response, to: events.Response) -> None:
    response.status_code = to.status
    response.reason = to.reason
    response.headers = _fields(to.headers)


def _make_response(response: events.Response) -> http.Response:
    made = http.Response.make(response.status, response.text)
    made.reason = response.reason or made.reason
    length = made.headers.get("content-length", "0")
    made.headers = _fields(response.headers)
    made.headers["Content-Length"] = length
    return made
