"""What ``hangup proxy`` may be asked to find out while it runs: ``--expect-stable`` and ``--bisect``."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from hangup.cli.bisect import verdict_page
from hangup.cli.bisect.live import Experiment
from hangup.cli.screen import console, safe
from hangup.commands import command_line
from hangup.errors import UsageError
from hangup.experiment.document import Document
from hangup.proxy.run import RunningProxy
from hangup.proxy.stable import Expectation


class Goal(Protocol):
    """Something to be found out."""

    def begin(self, proxy: RunningProxy) -> None:
        """The proxy listens."""

    def report(self) -> int:
        """The proxy has ended: says what was found, and gives the exit code."""


class Stable:
    """Whether the page's connection holds."""

    def __init__(self, wait: float, junit: Path | None = None) -> None:
        self.wait = wait
        self.junit = junit
        self._proxy: RunningProxy | None = None
        self._expectation: Expectation | None = None

    def begin(self, proxy: RunningProxy) -> None:
        """The proxy listens; it ends when the wait is over."""
        assert proxy.recorder is not None
        self._proxy = proxy
        self._expectation = Expectation(self.wait, proxy.stop)
        self._expectation.begin(proxy.recorder)

    def report(self) -> int:
        """0 if it holds, 1 if not, with the signs that failed."""
        assert self._expectation is not None
        signs = self._expectation.signs
        out = console()
        if signs is None:
            signs = ["it was stopped before the wait was over"]
        for sign in signs:
            out.print(safe(f"not stable: {sign}", "red"))
        if not signs:
            out.print(safe(f"stable: the connection stayed open for {self.wait:g} s", "green"))
        if self.junit is not None:
            self._write_junit(self.junit, signs)
        return 1 if signs else 0

    def _write_junit(self, path: Path, signs: list[str]) -> None:
        from hangup.cli import junit  # only where it is asked for

        assert self._proxy is not None and self._proxy.recorder is not None
        recording, target = self._proxy.recorder.path, self._proxy.settings.target
        result = junit.JunitResult(
            group="expect-stable",
            name=f"the connection stays open for {self.wait:g} s",
            outcome="failed" if signs else "passed",
            message="; ".join(signs),
            seconds=self._proxy.recorder.now(),
            details=[*signs, command_line("why", recording)] if signs else (),
            properties=[("recording", str(recording)), ("target", str(target or ""))],
            recording=recording,
        )
        junit.write(path, result)


class Bisected:
    """Why connections fail, by experiments on the page's reconnects; said on stdout, or on ``stderr``."""

    def __init__(self, *, stderr: bool = False) -> None:
        self._console = console(stderr=stderr)
        self._experiment = Experiment(self._console)
        self._document: Document | None = None

    def begin(self, proxy: RunningProxy) -> None:
        """The proxy listens; it goes on when the search is over."""
        self._experiment.begin(proxy, self._show)

    def _show(self) -> None:
        if self._document is None:
            self._document = self._experiment.document()
            verdict_page.show(self._console, self._document)

    def report(self) -> int:
        """As ``hangup bisect``."""
        self._experiment.shown.close()
        self._show()
        assert self._document is not None
        return self._document.exit_code


def chosen(bisecting: bool, expect_stable: float | None, junit: Path | None = None) -> list[Goal]:
    """What was asked for; raises :class:`UsageError` for what does not go together."""
    if bisecting and expect_stable:
        raise UsageError("use either --bisect or --expect-stable, not both")
    if junit is not None and not expect_stable:
        raise UsageError("--junit writes the result of --expect-stable: give that as well")
    if bisecting:
        return [Bisected()]
    return [Stable(expect_stable, junit)] if expect_stable else []
