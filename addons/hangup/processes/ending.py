"""The signals that ask a program to end, on each platform, and a terminal that is gone.

Ctrl-C, SIGTERM, SIGQUIT (Ctrl-\\), and SIGHUP: the terminal has been closed. All are to end it in the same order, so
that the recording is whole. SIGKILL cannot be heard; what sees to the rest then is :mod:`hangup.processes.tied`.
"""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

ALWAYS = ("SIGINT", "SIGTERM")
UNLESS_IGNORED = ("SIGHUP", "SIGQUIT", "SIGBREAK")
"""A program under ``nohup`` is to go on without its terminal."""


def ending_signals() -> list[signal.Signals]:
    """Those that there are here, and that are not to be ignored."""
    found = [signal.Signals[name] for name in (*ALWAYS, *UNLESS_IGNORED) if hasattr(signal, name)]
    return [each for each in found if each.name in ALWAYS or signal.getsignal(each) is not signal.SIG_IGN]


def heard(number: int) -> None:
    """To be called with whatever signal asked to end, before anything is written."""
    if number == getattr(signal, "SIGHUP", None):
        leave_dead_terminal()


def leave_dead_terminal() -> None:
    """What is written to a terminal that has been closed is an error; from now on it goes nowhere."""
    for stream in (0, 1, 2):
        with suppress(OSError):
            # A terminal that is gone is a device still, but says that it is no terminal.
            if stat.S_ISCHR(os.fstat(stream).st_mode) and not os.isatty(stream):
                nowhere = os.open(os.devnull, os.O_RDWR)
                os.dup2(nowhere, stream)
                os.close(nowhere)


def on_ending(call: Callable[[], object], *, but: tuple[str, ...] = ()) -> Callable[[], None]:
    """Calls ``call`` in the running event loop for each such signal, ``but`` for some; gives what takes that back.

    Windows has no signals of an event loop's, and a thread other than the main one none at all.
    """
    import asyncio  # long to import, and whoever has a loop has it already

    loop = asyncio.get_running_loop()
    numbers = [each for each in ending_signals() if each.name not in but]

    def told(number: int) -> None:
        heard(number)
        call()

    try:
        for number in numbers:
            loop.add_signal_handler(number, told, number)
    except (NotImplementedError, RuntimeError, ValueError):
        return _elsewhere(loop, told, numbers)

    def restore() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)

    return restore


def _elsewhere(
    loop: asyncio.AbstractEventLoop, told: Callable[[int], None], numbers: list[signal.Signals]
) -> Callable[[], None]:
    before: dict[signal.Signals, Any] = {}
    with suppress(ValueError):
        for number in numbers:
            before[number] = signal.signal(number, lambda n, _: loop.call_soon_threadsafe(told, n) and None)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    return restore
