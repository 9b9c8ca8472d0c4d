"""What the tests are driven with: real sockets, real processes, and nothing of the program's own parsers.

- :mod:`harness.peers`: raw TCP and TLS ends that note every byte and how the other side ended
- :mod:`harness.frames`: the bytes of WebSocket frames, well formed or not
- :mod:`harness.proxies`: ``hangup proxy`` and stock ``mitmdump`` as processes
- :mod:`harness.programs`: any other process, its output followed
- :mod:`harness.forks`: how ``hangup`` is started quickly; :mod:`harness.scheduling`: whether it got a CPU
- :mod:`harness.reading`: a recording as the tests ask for it
- :mod:`harness.certificates`: a certificate authority for the tests
- :mod:`harness.tap`: a relay that copies bytes, to compare what goes into the proxy with what comes out
- :mod:`harness.endings`: the ways in which a side can end a connection; ``python -m harness.comparison``
  prints what each of them looks like through stock mitmproxy and through hangup
- :mod:`harness.echo`: echo servers on real frameworks, :mod:`harness.messages`: what they are sent;
  :mod:`harness.node` and :mod:`harness.browser`: the programs in ``tests/node`` and pages in Chromium
- :mod:`harness.namespaces`: network namespaces, for the transparent mode

Everything waits for events, up to :data:`DEADLINE` seconds; nothing sleeps and hopes.
"""

import time
from collections.abc import Callable

DEADLINE = 60.0
"""Seconds until a wait gives up. Long, because a busy machine is not a bug; nothing waits it out in vain."""


def until(condition: Callable[[], bool]) -> None:
    """Waits for what tells nobody that it has happened: another process' file, another thread's doing."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)
