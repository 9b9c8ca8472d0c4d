"""Who reads many recordings: this process, some more of them on this machine, or a cluster of Dask's.

What is carried out is a function of a module, called with pieces of the work; what it raises it must answer with
instead. The answers come as they are ready, each with the number of its piece.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Any, TypeVar

from msgspec import Struct

from hangup.errors import BackendError, MissingExtra, RecordingError

Piece = TypeVar("Piece")
Answer = TypeVar("Answer")

CONNECTING = 10.0
"""Seconds in which a scheduler must answer."""


class Workers(Struct, frozen=True):
    """``processes`` of this machine (0: as many as it has processors), or those behind Dask's ``scheduler``."""

    processes: int = 0
    scheduler: str = ""

    @property
    def count(self) -> int:
        """How many processes of this machine."""
        return self.processes or processors()

    def carry_out(
        self, function: Callable[[Piece], Answer], pieces: Sequence[Piece], preload: str = ""
    ) -> Iterator[tuple[int, Answer]]:
        """The function's answers to all pieces; ``preload`` names a module that it needs. One piece, or one process, is
        done here. Raises :class:`~hangup.errors.MissingExtra` where Dask is wanted and is not there,
        :class:`~hangup.errors.BackendError` where its scheduler does not answer, and
        :class:`~hangup.errors.RecordingError` where a process has died."""
        if self.scheduler:
            yield from _by_dask(self.scheduler, function, pieces)
        elif self.count == 1 or len(pieces) < 2:
            for number, piece in enumerate(pieces):
                yield number, function(piece)
        else:
            yield from _by_processes(min(self.count, len(pieces)), function, pieces, preload)


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def shares(total: int, workers: int, most: int = 25) -> int:
    """How many of ``total`` recordings make a piece: enough for all workers several times, and at most so many."""
    return max(1, min(most, total // (4 * max(workers, 1)) or 1))


def _by_processes(
    count: int, function: Callable[[Piece], Answer], pieces: Sequence[Piece], preload: str
) -> Iterator[tuple[int, Answer]]:
    # Never a copy of this process: there may be threads in it, of Arrow's and DuckDB's.
    context = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
    if preload and sys.platform != "win32":
        context.set_forkserver_preload([preload])
    pool = ProcessPoolExecutor(count, context, initializer=_undisturbed)
    try:
        futures = {pool.submit(function, piece): number for number, piece in enumerate(pieces)}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        raise RecordingError("a process that read recordings was killed (too little memory?)") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _undisturbed() -> None:
    """Of a process that works for another one: a Ctrl-C is that one's business."""
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def dask() -> Any:
    """The module distributed. Raises :class:`~hangup.errors.MissingExtra` where it is not installed."""
    try:
        import distributed
        import distributed.comm
    except ImportError:
        raise MissingExtra('a scheduler of Dask needs the extra: pip install "hangup[fleet]"') from None
    return distributed


def _by_dask(
    scheduler: str, function: Callable[[Piece], Answer], pieces: Sequence[Piece]
) -> Iterator[tuple[int, Answer]]:
    distributed = dask()
    try:
        client = distributed.Client(scheduler, timeout=CONNECTING, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise BackendError(f"the scheduler {scheduler} does not answer: {_first_line(error)}") from None
    try:
        if not client.scheduler_info(n_workers=1)["workers"]:
            raise BackendError(f"the scheduler {scheduler} has no workers")
        futures = client.map(function, list(pieces), pure=False, retries=1)
        numbers = {future.key: number for number, future in enumerate(futures)}
        for future, answer in distributed.as_completed(futures, client.loop, with_results=True):
            yield numbers[future.key], answer
    except ModuleNotFoundError as error:
        raise BackendError(f"the workers of {scheduler} have no {error.name}: install hangup there, too") from None
    except (distributed.KilledWorker, distributed.comm.CommClosedError) as error:
        raise BackendError(f"the workers of {scheduler} did not finish: {_first_line(error)}") from None
    finally:
        client.close()


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
