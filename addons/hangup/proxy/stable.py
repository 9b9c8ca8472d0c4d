"""Waits until it can be said whether the page's connection holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hangup.recorder.recorder import Recorder
from hangup.recording import events
from hangup.recording.stability import failed_signs


class Expectation:
    """That connections hold for ``seconds``, counted from the first handshake; none within that time fails too.

    ``signs`` are those that failed, None while it is not decided. ``on_done`` is called once, in the event loop.
    """

    def __init__(self, seconds: float, on_done: Callable[[], None]) -> None:
        self.seconds = seconds
        self.on_done = on_done
        self.signs: list[str] | None = None
        self._recorder: Recorder | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._begun = False

    def begin(self, recorder: Recorder) -> None:
        """The proxy listens."""
        self._recorder = recorder
        recorder.listeners.append(self._event)
        self._wait()

    def judge(self) -> list[str]:
        """The signs that fail by now, such as when it is ended early."""
        assert self._recorder is not None
        if self.signs is None:
            recorder = self._recorder
            self.signs = failed_signs(recorder.sums(), recorder.now())
        return self.signs

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self.seconds, self._over)

    def _event(self, event: events.Event) -> None:
        if not self._begun and isinstance(event, events.Handshake):
            self._begun = True
            self._wait()

    def _over(self) -> None:
        self.judge()
        self.on_done()
