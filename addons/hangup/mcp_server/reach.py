"""Which hosts are connected to: what a model asks for may have been put into its mouth by a payload."""

from __future__ import annotations

from hangup.errors import UsageError
from hangup.humanize import printable
from hangup.wire.url import Target, is_loopback, parse_target


class Reach:
    """This machine, and each of ``hosts``."""

    def __init__(self, hosts: tuple[str, ...] = ()) -> None:
        self.hosts = frozenset(host.lower().strip("[]") for host in hosts)

    def target(self, url: str) -> Target:
        """The target of a URL. Raises :class:`UsageError` for one that is not within reach, or is no URL."""
        target = parse_target(url)
        host = target.host.lower()
        if not is_loopback(host) and host not in self.hosts:
            raise UsageError(
                f"{printable(host, 100)} is not within reach: only this machine is, and hosts that the user has named "
                "with `hangup mcp --host HOST`"
            )
        return target
