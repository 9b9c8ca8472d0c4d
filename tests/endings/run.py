"""``python -m endings.run [--all] [--tcp|--tls] [--sample N] [--seed N]``: plays orders of ending, prints what differs.

Run from ``tests/``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from endings.orders import Order, name, orders, some, whole
from endings.play import DEADLINE, Played, play
from endings.truth import disagreements, wrong
from harness.certificates import authority
from harness.peers import RawServer
from harness.proxies import HangupProxy


class Difference(NamedTuple):
    """An order of which an end saw something else through the proxy."""

    order: Order
    direct: Played
    proxied: Played

    def __str__(self) -> str:
        lines = [name(self.order)]
        for side in ("client", "server"):
            direct, proxied = getattr(self.direct, side), getattr(self.proxied, side)
            if direct != proxied:
                lines.append(f"  the {side} saw {_words(proxied)}, and direct {_words(direct)}")
        ways = (("direct", self.direct), ("proxied", self.proxied))
        lines += [f"  {way}: {played.missing[:300]}" for way, played in ways if played.missing]
        return "\n".join(lines)


def _words(seen: object) -> str:
    data, signals = seen  # type: ignore[misc]
    return f"{len(data)} bytes and " + (", ".join(f"{what} after {at}" for what, at in signals) or "no end")


@contextmanager
def between(tls: bool) -> Iterator[tuple[RawServer, HangupProxy]]:
    """A server and a proxy before it, on both legs with TLS or without."""
    if not tls:
        with RawServer() as server, HangupProxy(server.url) as proxy:
            yield server, proxy
        return
    with RawServer(tls=authority().server()) as server:
        url = f"wss://localhost:{server.port}"
        with HangupProxy(url, "--ca", str(authority().ca), "--cert", str(authority().pem)) as proxy:
            yield server, proxy


def compare(
    chosen: Sequence[Order], server: RawServer, proxy: HangupProxy, tls: bool, deadline: float = DEADLINE
) -> list[Difference]:
    """Plays each order direct and through the proxy; what differs, or did not come."""
    context = authority().client() if tls else None
    found = []
    for order in chosen:
        full = whole(order, tls)
        direct = play(full, server.address, server, tls=context, deadline=deadline)
        proxied = play(full, proxy.address, server, tls=context, deadline=deadline)
        if direct != proxied or direct.missing:
            found.append(Difference(full, direct, proxied))
    return found


def distinct(chosen: Sequence[Order], tls: bool) -> list[Order]:
    """Those that are not the same once they are played to their end."""
    return list({whole(order, tls): order for order in chosen}.values())


def _said(recording: Path) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="hangup-endings-") as folder:
        told, agreed = list(wrong(recording)), list(disagreements(recording, Path(folder)))
    return [*told, *agreed, f"{len(told)} things told wrongly, {len(agreed)} judged otherwise"]


def main(words: Sequence[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m endings.run", description=__doc__)
    parser.add_argument("--all", action="store_true", help="all orders, instead of a sample")
    parser.add_argument("--tcp", action="store_true", help="only TCP")
    parser.add_argument("--tls", action="store_true", help="only TLS")
    parser.add_argument("--longest", type=int, default=4, help="steps of an order at most, with --all")
    parser.add_argument("--sample", type=int, default=200, help="how many of the longer ones, without --all")
    parser.add_argument("--told", action="store_true", help="also what is said of them, and by whom wrongly")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--deadline", type=float, default=DEADLINE, help="seconds for one step")
    given = parser.parse_args(words)
    bad = 0
    for tls in (False, True):
        if given.tcp and tls or given.tls and not tls:
            continue
        chosen = list(orders(tls, given.longest)) if given.all else some(tls, given.sample, given.seed)
        chosen = distinct(chosen, tls)
        began = time.monotonic()
        with between(tls) as (server, proxy):
            found = compare(chosen, server, proxy, tls, given.deadline)
            proxy.stop()
            said = _said(proxy.recording) if given.told else []
        for difference in found:
            print(difference)
        for line in said:
            print(line)
        took = time.monotonic() - began
        print(f"{'TLS' if tls else 'TCP'}: {len(chosen)} orders, {len(found)} differ ({took:.0f} s)", flush=True)
        bad += len(found)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
