"""Floor 6: for test suites: does the application's WebSocket hold, and does the client get on with the server?

With hangup installed, pytest has two fixtures. ``hangup_proxy`` records what passes, and says whether it held::

    def test_the_socket_holds(hangup_proxy):
        proxy = hangup_proxy("ws://127.0.0.1:8000")
        with my_frontend(proxy.url):
            proxy.assert_stable()

``hangup_server`` is a server from a file: recorded once, with the real backend, and played from then on without one::

    def test_the_chat(hangup_server):
        server = hangup_server("chat.jsonl", target="ws://127.0.0.1:8000")
        with my_frontend(server.url):
            ...

A test that fails has the sentence that says who hung up, and an HTML report (:mod:`.reports`). Without pytest,
:class:`Proxy` and :class:`Server` are context managers.
"""

from __future__ import annotations

from contextlib import suppress

from hangup.testing.programs import Proxy, Server

__all__ = ["Proxy", "Server"]

with suppress(ImportError):  # it is imported as a pytest plugin, but may be used without
    from hangup.testing.plugin import (  # noqa: F401
        hangup_proxy,
        hangup_server,
        pytest_addoption,
        pytest_runtest_makereport,
    )
