"""A law that is claimed, and how to make fresh exchanges to hold it against."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from random import Random

from hangup.experiment.isolate import Difference
from hangup.experiment.law import Law
from hangup.experiment.trial import Edit, Trial

Fresh = Callable[[Random], Trial]


class Claim:
    """A law, and how to make exchanges for it that are ``failing`` or ``surviving``."""

    def __init__(self, law: Law, failing: Fresh, surviving: Fresh | None) -> None:
        self.law, self.failing, self.surviving = law, failing, surviving
        self.difference: Difference | None = None
        """What it rests on, where it is about the values in a message."""
        self.counts = False
        """Whether the trials that it predicts are with the cause, and without it, and nothing else: then they count."""
        self.edges: list[tuple[Trial, bool]] = []
        """Of thresholds the exchanges on either side, and whether they fail: the law stands and falls with them."""
        self.age: tuple[float, float] | None = None
        """Where it says when: seconds from opening at which it is still open, and at which it has ended."""
        self.early = False
        """Whether it is that a message comes too soon after something."""
        self.margin = inf
        """By how many seconds the exchanges nearest to a boundary in time keep away from it."""
        self.name = ""
        """The cause that it bears out by itself, where it does."""
        self.refutes: tuple[str, ...] = ()
        """Causes that it cannot be, where it holds."""
        self.property = ""
        """What it is about a message that it goes by, as the catalogue of causes calls it; empty where that says
        nothing of the cause."""
        self.nameless = False
        """Whether it leaves open which cause it is."""
        self.though = ""
        """What was seen that it does not explain, as the end of its sentence."""
        self.gentle = False
        """Whether a protocol has more rules than this law, so that what should stay open ends otherwise: exchanges are
        then nearer to what was recorded."""
        self.stayed: list[bytes] = []
        """Messages that it said would end the connection, and that did not."""
        self.harmless: list[Edit] = []
        """Messages that it said would be harmless, and that were."""
