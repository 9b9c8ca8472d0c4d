"""Orders of ending and broken handshakes: both sides see through the proxy what they see direct, and it is recorded."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endings import handshakes
from endings.orders import Step, name, orders, some, whole
from endings.run import between, compare, distinct
from endings.truth import disagreements, order_of, truth, wrong
from hangup.proxy import resets
from harness.certificates import authority
from harness.peers import RawServer
from harness.proxies import HANGUP, HangupProxy
from harness.reading import connections

WITHOUT_EPOLL = [*HANGUP[:-1], "import select, selectors; del select.epoll\n" + HANGUP[-1]]
"""As on a platform that has none."""


def test_there_are_enough_of_them_and_all_can_be_played() -> None:
    for tls in (False, True):
        found = [order for order in orders(tls, 3)]
        assert len(found) == len(set(found)) > 900
        for order in found:
            for at, step in enumerate(order):
                after = [later.act for later in order[at + 1 :] if later.side == step.side]
                assert step.act not in ("rst", "close") or not after, order
                assert step.act not in ("fin", "cut") or not {*after} - {"close", "rst"}, order
            assert order_of("/" + name(order)) == order
    assert whole((Step("client", "rst"),), False) == (Step("client", "rst"),)
    assert whole((Step("server", "fin"),), False)[1:] == (Step("server", "close"), Step("client", "close"))


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_both_sides_see_what_they_see_direct(tls: bool, tmp_path: Path) -> None:
    chosen = distinct(some(tls, 150, seed=20), tls)
    assert len(chosen) > 250
    with between(tls) as (server, proxy):
        found = compare(chosen, server, proxy, tls)
        proxy.stop()
        told = [*wrong(proxy.recording), *disagreements(proxy.recording, tmp_path)]
    assert not found, "\n".join(str(each) for each in found)
    assert not told, "\n".join(told)


def test_also_without_epoll() -> None:
    chosen = distinct(some(False, 30, seed=3), False)
    with RawServer() as server, HangupProxy(server.url, command=WITHOUT_EPOLL) as proxy:
        found = compare(chosen, server, proxy, False)
    assert not found, "\n".join(str(each) for each in found)


def test_the_truth_of_an_order() -> None:
    assert truth(order_of("/client:data,server:half,server:fin,client:rst")) == ("server", "fin", None, True)
    assert truth(order_of("/client:code,server:rst")) == ("client", "close", 4001, True)
    assert truth(order_of("/client:empty")) == ("client", "close", None, False)


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_handshakes_that_break(tls: bool) -> None:
    context = authority().client() if tls else None
    with RawServer(answer=None, tls=authority().server() if tls else None) as server:
        host = f"{'localhost' if tls else server.host}:{server.port}"
        certificates = ["--ca", str(authority().ca), "--cert", str(authority().pem)] if tls else []
        with HangupProxy(f"{'wss' if tls else 'ws'}://{host}", *certificates) as proxy:
            for case in handshakes.CASES:
                direct = handshakes.play(case, server.address, server, host, tls=context)
                proxied = handshakes.play(case, proxy.address, server, f"localhost:{proxy.port}", tls=context)
                assert direct[2] == "", case.name
                assert proxied == direct, case.name
            proxy.stop()
            recorded = connections(proxy.events())
            said = {c["target"]: c for c in proxy.show()["connections"]}
    assert len(said) == len(recorded) == len(handshakes.CASES)
    for case in handshakes.CASES:
        found = recorded["/" + case.name].handshake
        if not case.error:
            assert found.response is not None and found.error == "", case.name
            continue
        assert found.response is None and case.error in found.error
        assert said["/" + case.name]["ending"]["by"] == case.by
        ends = recorded["/" + case.name].ends
        assert ends and (ends[0][0] == case.by or found.error.startswith("the server's answer is not HTTP")), ends


# The watch itself.


def epoll(loop: asyncio.AbstractEventLoop) -> resets.ResetWatch:
    return resets.EpollWatch(loop)


@pytest.mark.parametrize("make", [epoll, resets.PollingWatch])
def test_a_reset_is_told_once_and_an_orderly_end_is_not(make: Callable[[Any], resets.ResetWatch]) -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        watch = make(loop)
        told: asyncio.Queue[tuple[str, OSError]] = asyncio.Queue()
        pairs = {word: _pair() for word in ("reset", "orderly", "removed")}
        for word, (mine, theirs) in pairs.items():
            theirs.shutdown(socket.SHUT_WR)
            assert mine.recv(1) == b""
            watch.add(mine, lambda error, word=word: told.put_nowait((word, error)))
        watch.remove(pairs["removed"][0])
        watch.remove(pairs["removed"][0])
        pairs["orderly"][0].shutdown(socket.SHUT_WR)
        for word in ("removed", "reset"):
            pairs[word][1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            pairs[word][1].close()
        async with asyncio.timeout(20):
            word, error = await told.get()
        assert word == "reset" and error.errno
        watch.close()
        watch.add(pairs["orderly"][0], lambda error: told.put_nowait(("late", error)))
        await asyncio.sleep(0)
        assert told.empty()
        for mine, theirs in pairs.values():
            mine.close()
            theirs.close()

    asyncio.run(check())


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="this platform has no epoll")
def test_an_event_loop_that_watches_no_descriptors_is_served_too() -> None:
    class Loop:
        def add_reader(self, *_: object) -> None:
            raise NotImplementedError

    assert isinstance(resets.reset_watch(Loop()), resets.PollingWatch)  # type: ignore[arg-type]


def _pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found: list[socket.socket] = []
        thread = threading.Thread(target=lambda: found.append(listener.accept()[0]))
        thread.start()
        mine = socket.create_connection(listener.getsockname())
        thread.join()
    return mine, found[0]
