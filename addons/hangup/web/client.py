"""The other end of the control API: finds the running proxy and talks to it."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from hangup.errors import ControlError, UsageError
from hangup.web.access import BASE, LOOPBACK
from hangup.web.running import Running, all_running
from hangup.wire.url import parse_listen

TIMEOUT = 10.0
"""Seconds that a proxy may take to answer."""

EVERYWHERE = ("0.0.0.0", "::", "")


class Remote:
    """A running proxy. Raises :class:`ControlError` when it does not answer, :class:`UsageError` when what it was
    asked is wrong."""

    def __init__(self, running: Running) -> None:
        self.running = running

    def get(self, path: str) -> Any:
        """What ``GET api/PATH`` answers."""
        return self._ask("GET", path, None)

    def post(self, path: str, **body: Any) -> Any:
        """What ``POST api/PATH`` answers."""
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        host, port = parse_listen(self.running.web)
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        headers = {"Authorization": f"Bearer {self.running.token}"}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = msgspec.json.encode(body)
        try:
            connection.request(method, f"{BASE}api/{path}", data, headers)
            response = connection.getresponse()
            status, answer = response.status, msgspec.json.decode(response.read())
        except (OSError, http.client.HTTPException, msgspec.MsgspecError) as error:
            raise ControlError(f"the proxy does not answer on {self.running.web}: {error}") from error
        finally:
            connection.close()
        if status == 200:
            return answer
        text = str(answer.get("error", "")) if isinstance(answer, dict) else ""
        if status == 400 and text:
            raise UsageError(text)
        raise ControlError(f"the proxy on {self.running.web} refused: {text or status}")


def find(proxy: str | None = None) -> Remote:
    """The newest proxy that runs, or the one that listens on ``proxy`` (``HOST:PORT`` or ``PORT``; that of its control
    API will do too). Files of proxies that are no more are removed."""
    wanted = parse_listen(proxy) if proxy else None
    living: list[str] = []
    for path, running in all_running():
        if wanted is None or _is(running.listen, wanted) or _is(running.web, wanted):
            remote = Remote(running)
            if _lives(remote, path):
                return remote
        else:
            living.append(running.listen or running.web)
    if proxy is None:
        raise ControlError("no proxy is running (start one with `hangup proxy TARGET`, without --no-web)")
    others = f"; there is one on {' and '.join(living)}" if living else ""
    raise ControlError(f"no proxy is running on {proxy}{others}")


def _lives(remote: Remote, path: Path) -> bool:
    try:
        remote.get("status")
    except ControlError as error:
        if isinstance(error.__cause__, TimeoutError):
            raise  # it is there, but too busy, or stopped
        with suppress(OSError):
            path.unlink()
        return False
    return True


def _is(address: str, wanted: tuple[str, int]) -> bool:
    if not address:
        return False
    host, port = parse_listen(address)
    return port == wanted[1] and (host == wanted[0] or _local(host) and _local(wanted[0]))


def _local(host: str) -> bool:
    local: Sequence[str] = (*LOOPBACK, "::1", *EVERYWHERE)
    return host in local
