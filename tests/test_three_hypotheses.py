"""A loop; stable with the heartbeat filtered by hand; without the filter the loop again: the recording shows all
three."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from math import inf

import pytest
from click.testing import CliRunner

from hangup.cli import cli
from hangup.demo.backend import Backend
from hangup.demo.frontend import HEARTBEAT, frontend
from hangup.recording.events import AnyEvent, End, FilterEvent, Frame, Handshake
from harness import DEADLINE
from harness.proxies import HangupProxy, hangup

PINGS = 4
"""Heartbeats that one connection must live through to be called stable; without the filter none does one."""


async def until(proxy: HangupProxy, what: str, true: Callable[[Sequence[AnyEvent]], object]) -> list[AnyEvent]:
    """Waits until something is true of the recording."""
    deadline = time.monotonic() + DEADLINE
    while True:
        events = await asyncio.to_thread(proxy.events)
        if true(events):
            return events
        assert time.monotonic() < deadline, f"{what}: {events[-5:]}\n{proxy.report()}"
        await asyncio.sleep(HEARTBEAT / 4)


def ended(events: Sequence[AnyEvent], since: float = 0.0) -> set[int]:
    """The connections that the server ended after this time, without a word from the client."""
    first: dict[int, End] = {}
    left = {e.conn for e in events if isinstance(e, Frame) and e.opcode == "close" and e.side == "client"}
    for event in events:
        if isinstance(event, End):
            first.setdefault(event.conn, event)
    return {conn for conn, end in first.items() if end.side == "server" and end.at > since} - left


def kept(events: Sequence[AnyEvent]) -> int | None:
    """A connection that is open after :data:`PINGS` heartbeats were dropped."""
    drops = [e.conn for e in events if isinstance(e, FilterEvent) and e.action == "drop"]
    closed = {e.conn for e in events if isinstance(e, End)}
    return next((conn for conn in drops if drops.count(conn) >= PINGS and conn not in closed), None)


def toggled(events: Sequence[AnyEvent], *actions: str) -> float:
    """When the filter was last changed like that; infinity while that is not in the recording yet."""
    changes = [e.at for e in events if isinstance(e, FilterEvent) and not e.conn and e.action in actions]
    return max(changes, default=inf)


@pytest.mark.real
def test_loop_then_stable_with_the_filter_then_loop_again() -> None:
    asyncio.run(three_phases())


async def three_phases() -> None:
    async with Backend() as port:
        with HangupProxy(f"ws://127.0.0.1:{port}") as proxy:
            where = ("--proxy", f"{proxy.host}:{proxy.port}")
            page = asyncio.create_task(frontend(f"{proxy.url}/ws/client-1"))
            try:
                await until(proxy, "a loop", lambda events: len(ended(events)) >= 3)

                shown = await asyncio.to_thread(hangup, "filter", "on", "drop-heartbeat", *where)
                assert "drop-heartbeat" in shown.stdout
                events = await until(proxy, "stable", kept)
                stable = kept(events)

                await asyncio.to_thread(hangup, "filter", "off", "drop-heartbeat", *where)
                await until(proxy, "the loop again", lambda e: len(ended(e, toggled(e, "off"))) >= 3)
            finally:
                page.cancel()
                await asyncio.wait([page])
            proxy.stop()
            check(proxy, stable)


def check(proxy: HangupProxy, stable: int | None) -> None:
    """What stands in the recording, from which all can be told afterwards."""
    events = proxy.events()
    on, off = toggled(events, "add", "on"), toggled(events, "off")
    opened = {e.conn: e.at for e in events if isinstance(e, Handshake)}

    before = {conn for conn in ended(events) if conn not in ended(events, on)}
    after = ended(events, off)
    between = ended(events, on) - after
    assert len(before) >= 3 and len(after) >= 3
    assert not [conn for conn in between if opened[conn] > on], "one that was opened with the filter on was ended"
    assert stable in after, "what was stable with the filter ended without it"

    for conn in before | after:
        pings = [e for e in events if isinstance(e, Frame) and e.conn == conn and "ping" in (e.text, e.message)]
        dropped = [e for e in events if isinstance(e, FilterEvent) and e.conn == conn and e.action == "drop"]
        assert len(pings) > len(dropped), [e for e in events if e.conn == conn]
        assert all(on < e.at < off for e in dropped)

    connections = {c["conn"]: c for c in proxy.show()["connections"]}
    assert all(connections[conn]["ending"]["by"] == "server" for conn in before | after)
    assert connections[stable]["lifetime"] > (PINGS - 1) * HEARTBEAT


def test_the_demo_needs_some_time() -> None:
    done = CliRunner().invoke(cli, ["demo", "--short", "--seconds", "-1"])
    assert done.exit_code == 2 and "--seconds" in done.output
