"""The control API of a proxy under test, as a program asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from harness.proxies import HangupProxy, home

if TYPE_CHECKING:
    from hangup.web.client import Remote


def remote_of(proxy: HangupProxy) -> Remote:
    """The way to it, from the file that it left."""
    from hangup.web.client import Remote
    from hangup.web.running import Running

    files = (home() / "state" / "hangup").glob("proxy-*.json")
    found = [msgspec.json.decode(path.read_bytes(), type=Running) for path in files]
    return Remote(next(each for each in found if each.listen == f"{proxy.host}:{proxy.port}"))
