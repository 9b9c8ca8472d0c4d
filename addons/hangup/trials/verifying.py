"""A proved fix on the person's own client: its command is run with the proxy in between, and its reconnects are the
trials of :func:`~hangup.experiment.verification.verify`, carried out as those of a live bisect are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hangup.errors import HangupError
from hangup.experiment.evidence import Counts
from hangup.experiment.reading import Reading
from hangup.experiment.verification import Verification, verify
from hangup.processes.foreground import Foreground
from hangup.proxy.run import ProxySettings, RunningProxy
from hangup.trials.live_runner import LiveRunner
from hangup.trials.live_settings import LiveSettings, Watcher

ENDED = "the command ended by itself"

Given = Callable[[str, int], Mapping[str, str]]
"""The environment of the command, for a proxy at this host and port."""


async def verified(
    verification: Verification,
    reading: Reading,
    control: Counts,
    settings: ProxySettings,
    command: Sequence[str],
    environment: Given,
    *,
    seconds: float,
    watcher: Watcher | None = None,
    ready: Callable[[RunningProxy], None] = lambda proxy: None,
    stdout: int | None = None,
) -> None:
    """Runs the command until it is known whether the fix helps its client, at most for so many ``seconds``. ``ready``
    is called once the command runs. ``stdout`` is where its output goes, None for where ours goes.

    Raises :class:`HangupError` when the proxy or the command cannot be started.
    """
    problems: list[HangupError] = []
    bisects: list[LiveRunner] = []

    def begin(proxy: RunningProxy) -> None:
        assert proxy.recorder is not None
        live = LiveSettings(failure=reading.failure, seconds=seconds)
        bisect = LiveRunner(proxy.addon, live, watcher, proxy.stop)
        bisects.append(bisect)
        bisect.go_on(proxy.recorder, reading, verify(verification, control))

        def ended() -> None:
            bisect.end(ENDED)
            proxy.stop()

        child = Foreground(command, environment(*proxy.address), ended, stdout=stdout)
        try:
            child.start()
        except HangupError as error:
            problems.append(error)
            proxy.stop()
            return
        proxy.exits.push_async_callback(child.stop)
        ready(proxy)

    try:
        await RunningProxy(settings, on_ready=begin).serve()
    finally:
        for bisect in bisects:
            bisect.end()
    for problem in problems:
        raise problem
