"""All hypotheses about a case, weighed against each other and against the cause that nobody has thought of."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hangup.diagnosis import causes
from hangup.diagnosis.findings import UNKNOWN, Evidence, Hypothesis
from hangup.diagnosis.report import Alternative, CausePart
from hangup.diagnosis.weights import calibrated
from hangup.humanize import clip

LOGGED = "backend-log"
"""The sign of what the backend itself says about it."""

ALTERNATIVES = 5
LEAST = 0.02
"""Confidence below which a runner-up is not worth a line."""

SHOWN_ALWAYS = 2
"""So many runners-up are listed, however unlikely."""

NEARLY = 0.2
"""The share of the first from which on another name of the same parts is named beside it."""

NAMED = 0.35
"""A cause is named if its category has this share of the belief; below, the verdict is ``unknown/``."""

HEALTHY = 0.5
"""The same for saying that nothing is wrong."""

MOST = 0.98
"""Nobody is surer than this of what a recording alone tells: so few were wrong that a share above it says no more."""


def parts(hypothesis: Hypothesis) -> tuple[object, ...]:
    """What a hypothesis says apart from its name: who ends it, by what, where to fix it, and which event shows it."""
    cause = causes.known().get(hypothesis.verdict)
    said = (cause.trigger, cause.place) if cause is not None else ()
    return hypothesis.closer, hypothesis.trigger, *said


class Ranking:
    """Hypotheses with their shares of the belief. ``first`` is the one to name, if ``named`` says that one can be.

    ``belief`` is the share of what is named as the model has it, and ``sure`` how often such an answer is right.
    """

    def __init__(self, found: Sequence[Hypothesis]) -> None:
        shares = _shares(found)
        masses: dict[str, float] = {}
        for hypothesis, share in zip(found, shares, strict=True):
            masses[hypothesis.category] = masses.get(hypothesis.category, 0.0) + share
        least = {"unknown": math.inf, "none": HEALTHY}
        named = {category: mass for category, mass in masses.items() if mass >= least.get(category, NAMED)}
        self.category = max(named, key=lambda category: (named[category], category), default="unknown")
        # The likeliest category first: of it something can be said even where its causes share the belief.
        order = sorted(
            zip(found, shares, strict=True), key=lambda p: (p[0].category != self.category, -p[1], p[0].verdict)
        )
        rest = sorted(order[1:], key=lambda p: (-p[1], p[0].verdict))
        self.ranked = [hypothesis for hypothesis, _ in order[:1] + rest]
        self.shares = [share for _, share in order[:1] + rest]
        self.first = self.ranked[0]
        self.named = self.category != "unknown"
        self.alike = self._alike()
        pairs = list(zip(self.ranked, self.shares, strict=True))
        self.belief = sum(share for hypothesis, share in pairs if hypothesis in self.alike)
        self.sure = 0.0
        if self.named:
            # What is named has what such answers are right, and the others share what that leaves.
            self.sure = round(min(calibrated(self.belief), MOST), 3)
            up, down = self.sure / self.belief, (1 - self.sure) / max(1 - self.belief, 1e-9)
            self.shares = [share * (up if hypothesis in self.alike else down) for hypothesis, share in pairs]

    def _alike(self) -> list[Hypothesis]:
        """The first, and what shares all its :func:`parts` and is nearly as likely: they share the belief."""
        first, share = self.first, self.shares[0]
        if first.trigger.frame is None:
            return [first]  # the same request is not the same thing in it
        pairs = zip(self.ranked, self.shares, strict=True)
        return [h for h, s in pairs if h is first or (parts(h) == parts(first) and s >= NEARLY * share)]

    def names(self) -> tuple[str, tuple[str, ...]]:
        """The verdict, and other names of the same thing."""
        if not self.named:
            return UNKNOWN, ()
        return self.first.verdict, tuple(hypothesis.verdict for hypothesis in self.alike[1:])

    def akin(self) -> list[str]:
        """What is named, and all that shares its parts: the same advice may help."""
        pairs = zip(self.ranked, self.shares, strict=True)
        return [h.verdict for h, s in pairs if self.named and parts(h) == parts(self.first) and s >= LEAST]

    def parts(self) -> dict[str, CausePart]:
        """What is known of the cause apart from its name: of each part the likeliest value, with its share."""
        masses: dict[str, dict[str, float]] = {"trigger": {}, "property": {}, "place": {}, "closer": {}}
        for hypothesis, share in zip(self.ranked, self.shares, strict=True):
            if hypothesis.category == "none":
                continue
            values = {"closer": hypothesis.closer}
            if (cause := causes.known().get(hypothesis.verdict)) is not None:
                values |= {"trigger": cause.trigger, "property": cause.property, "place": cause.place}
                values["property"] = hypothesis.exact or values["property"]
            for part, value in values.items():
                masses[part][value] = masses[part].get(value, 0.0) + share
        found = {}
        for part, mass in masses.items():
            value = max(mass, key=lambda value: (mass[value], value), default="")
            if value and mass[value] >= NAMED:
                found[part] = CausePart(value, round(min(mass[value], MOST), 3))
        return found

    def evidence(self) -> list[Evidence]:
        """What speaks for and against the first, the strongest first."""
        return ordered(self.first, self.ranked[1:4])

    def alternatives(self) -> list[Alternative]:
        """The runners-up, who share what the verdict leaves. Another name of it stands first among them."""
        verdict, also = self.names()
        found = [
            Alternative(hypothesis.verdict, round(share, 3), ordered(hypothesis)[:3])
            for hypothesis, share in zip(self.ranked, self.shares, strict=True)
            if hypothesis.verdict not in (verdict, UNKNOWN)
        ]
        found.sort(key=lambda alternative: (alternative.verdict not in also, -alternative.confidence))
        return [a for n, a in enumerate(found) if a.confidence >= LEAST or n < SHOWN_ALWAYS][:ALTERNATIVES]


def _shares(found: Sequence[Hypothesis]) -> list[float]:
    """Each hypothesis's share of the belief."""
    scores = [clip(h.score, -50.0, 50.0) for h in found]
    top = max(scores)
    odds = [math.exp(score - top) for score in scores]
    total = sum(odds)
    return [each / total for each in odds]


def ordered(hypothesis: Hypothesis, rivals: Sequence[Hypothesis] = ()) -> list[Evidence]:
    """The evidence, the strongest first; what speaks for the rivals as well tells less."""
    shared = {sign.text for rival in rivals for sign in rival.evidence if sign.weight > 0}

    def strength(sign: Evidence) -> float:
        if sign.sign == LOGGED:
            return 1.5 * abs(sign.weight)  # what the backend itself says about it
        return abs(sign.weight) * (0.4 if sign.text in shared else 1.0)

    return sorted(hypothesis.evidence, key=strength, reverse=True)
