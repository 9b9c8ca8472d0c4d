"""All hypotheses about a case, weighed against each other."""

from __future__ import annotations

from collections.abc import Sequence

from hangup.diagnosis.case import Case
from hangup.diagnosis.confidence import NAMED, shares, worth
from hangup.diagnosis.findings import Evidence, Hypothesis
from hangup.diagnosis.reactions import reaction
from hangup.diagnosis.report import Alternative
from hangup.diagnosis.rules import RULES, words
from hangup.diagnosis.rules.tables import CLIENT_CODES
from hangup.recording.events import Side

BEAT = "heartbeat/app-ping-kills"

NOT_OF_A_MESSAGE = (
    "intermediary/idle-timeout", "intermediary/lifetime-cap", "intermediary/non-sticky", "process/restart",
    "process/worker-timeout", "identity/id-collision", "identity/ghost-session",
    "heartbeat/control-pong-missing", "heartbeat/app-pong-missing", "heartbeat/throttled", "heartbeat/interval-race",
    "message/init-missing", "server-handler/dependency-timeout", "client-lifecycle/connect-deadline",
)  # fmt: skip
"""How causes begin that an end right after a message does not speak for."""

ALONE = 0.6
"""As sure as one can be of two connections with one identity where a second one was not seen."""

UNTRIED = 0.79
"""As sure as one can be of a bare ping that a JSON reader dies of, before it was dropped or rewritten."""

OF_MESSAGES = (
    *("heartbeat/app-ping-kills", "process/message-count-limit", "process/message-rate-limit"),
    *("message/not-json", "message/unknown-type", "server-handler/crash-on-message"),
    "server-handler/returns-after-message",
)
"""Causes that need a message of the client."""
OF_SILENCE = ("init-missing", "app-pong-missing-from-client", "app-pong-missing-from-server", "throttled", "direction")
"""Names of causes that need none."""

ALTERNATIVES = 5
LEAST = 0.02
"""Confidence below which a runner-up is not worth a line."""

SHOWN_ALWAYS = 2
"""So many runners-up are listed, however unlikely."""


def hypotheses(case: Case) -> list[Hypothesis]:
    """Everything that the rules come up with, one hypothesis a verdict, the likeliest first."""
    found: dict[str, Hypothesis] = {}
    added: list[Hypothesis] = []
    for rule in RULES:
        for hypothesis in rule(case):
            known = found.get(hypothesis.verdict)
            if hypothesis.adds:
                added.append(hypothesis)
            elif known is None:
                found[hypothesis.verdict] = hypothesis
            else:
                known.merge(hypothesis)
    for hypothesis in added:
        if hypothesis.verdict in found:
            found[hypothesis.verdict].merge(hypothesis)
    said = list(words.spoken(case))
    for hypothesis in said:
        known = found.get(hypothesis.verdict)
        if hypothesis.score > 0:
            named = _named_only(case, hypothesis)
            if known is None:
                known = found[hypothesis.verdict] = named
                if hypothesis.verdict == "identity/id-collision":
                    known.most = ALONE
            elif hypothesis.score >= words.FIRM:
                known.merge(named)
        if known is not None:
            known.merge(hypothesis)
    everything = list(found.values())
    if case.closer == "unknown":
        for hypothesis in everything:
            hypothesis.says(-0.7, "which side ended it is not told")
            hypothesis.most = min(hypothesis.most, UNTRIED)
    words.contradicted(said, everything)
    words.by_stack(case, everything)
    everything = [hypothesis for hypothesis in everything if can_be(case, hypothesis.verdict)]
    return sorted(everything, key=lambda h: (-h.score, h.verdict))


def can_be(case: Case, verdict: str) -> bool:
    """Whether what a cause needs was there at all, whatever words speak for it: messages, pings, an open connection."""
    category, _, name = verdict.partition("/")
    if category not in ("message", "heartbeat") and verdict not in OF_MESSAGES or not case.victims:
        return True
    if not any(life.open_since is not None for life in case.victims):
        return False  # a refused handshake hangs on no message and no timer of the connection
    if verdict in OF_MESSAGES:
        return any(life.traffic.client.messages for life in case.victims)
    if case.closer == "client" and case.code in CLIENT_CODES:
        return True
    silent = not any(half.messages for life in case.victims for half in life.traffic.halves.values())
    junk = any(life.traffic.junk or life.problems or life.traffic.seen for life in case.victims)
    return not silent or junk or name in OF_SILENCE


def _named_only(case: Case, said: Hypothesis) -> Hypothesis:
    """A cause that only words speak for. Others get a weight for the timing; this one a part of that."""
    side: Side = "server" if case.closer == "client" else "client"
    found = reaction(case, side) if case.mode in ("abrupt", "close") else None
    timed = said.verdict.startswith(NOT_OF_A_MESSAGE)
    prior = 0.5 * found.weight if found is not None and not timed else 0.0
    return Hypothesis(said.verdict, prior, closer=said.closer, trigger=said.trigger)


class Ranking:
    """Hypotheses with their shares of the belief. ``first`` is the one to name, if ``named`` says that one can be."""

    def __init__(self, case: Case) -> None:
        self.ranked = hypotheses(case)
        self.shares = shares(self.ranked)
        self._likeliest_category_first()
        self.first = self.ranked[0] if self.ranked else None
        self.sure = self._sure()
        self.named = self._can_be_named()

    def _likeliest_category_first(self) -> None:
        """Puts the best hypothesis of the likeliest category first, if it is not much behind the best of all."""
        ranked, found = self.ranked, self.shares
        if not ranked or ranked[0].category == "unknown":
            return
        masses: dict[str, float] = {}
        for hypothesis, share in zip(ranked, found, strict=True):
            masses[hypothesis.category] = masses.get(hypothesis.category, 0.0) + share
        best = max(masses, key=lambda category: masses[category])
        at = next(n for n, hypothesis in enumerate(ranked) if hypothesis.category == best)
        if at and found[at] >= 0.6 * found[0] and masses[best] > 1.3 * masses[ranked[0].category]:
            ranked.insert(0, ranked.pop(at))
            found.insert(0, found.pop(at))

    def _sure(self) -> float:
        first = self.first
        if first is None:
            return 0.0
        # Two names of one thing do not compete.
        pairs = zip(self.ranked, self.shares, strict=True)
        sure = worth(min(1.0, sum(share for h, share in pairs if h is first or h.verdict in first.also)))
        sure = min(sure, first.most)
        # Whether it is the ping or its form that kills, only an experiment can tell: dropped or rewritten?
        return min(sure, UNTRIED) if first.verdict == "message/not-json" and BEAT in first.also else sure

    def _can_be_named(self) -> bool:
        first = self.first
        if first is None or first.category == "unknown":
            return False
        pairs = zip(self.ranked, self.shares, strict=True)
        whole = sum(share for h, share in pairs if h.category == first.category)
        return self.sure >= NAMED or (whole >= 0.5 and self.sure >= 0.5 * NAMED)

    def names(self) -> tuple[str, tuple[str, ...]]:
        """The verdict, and other names of the same thing."""
        if not self.named or self.first is None:
            return "unknown/", ()
        verdict, also = self.first.verdict, self.first.also
        if verdict == "message/not-json" and BEAT in also:
            # A bare `ping` that a JSON reader dies of: the heartbeat is what a person asks about, and drops, first.
            return BEAT, (verdict, *(other for other in also if other != BEAT))
        return verdict, also

    def evidence(self) -> list[Evidence]:
        """What speaks for and against the first, the strongest first."""
        return ordered(self.first, self.ranked[1:4]) if self.first is not None else []

    def alternatives(self) -> list[Alternative]:
        """The runners-up, who share what the verdict leaves. Another name of it stands first among them."""
        verdict, also = self.names()
        pairs = list(zip(self.ranked, self.shares, strict=True))
        mine = sum(share for h, share in pairs if h.verdict in (verdict, *also)) if self.named else 0.0
        left = (1.0 - self.sure) / max(1.0 - mine, 0.001) if self.named else 1.0
        found = []
        for hypothesis, share in pairs:
            if hypothesis.verdict == verdict or hypothesis.category == "unknown":
                continue
            confidence = round(min(share * left, 1.0 - self.sure if self.named else 1.0), 3)
            found.append(Alternative(hypothesis.verdict, confidence, ordered(hypothesis)[:3]))
        found.sort(key=lambda alternative: (alternative.verdict not in also, -alternative.confidence))
        return [a for n, a in enumerate(found) if a.confidence >= LEAST or n < SHOWN_ALWAYS][:ALTERNATIVES]

    def doubt(self) -> float:
        """How sure it is that no cause can be named."""
        pairs = zip(self.ranked, self.shares, strict=True)
        return round(1.0 - max((share for h, share in pairs if h.category != "unknown"), default=0.0), 3)


def ordered(hypothesis: Hypothesis, rivals: Sequence[Hypothesis] = ()) -> list[Evidence]:
    """The evidence, the strongest first; what speaks for the rivals as well tells less."""
    shared = {sign.text for rival in rivals for sign in rival.evidence if sign.weight > 0}

    def strength(sign: Evidence) -> float:
        if sign.text.startswith(words.LOGGED):
            return 1.5 * abs(sign.weight)  # what the backend itself says about it
        return abs(sign.weight) * (0.4 if sign.text in shared else 1.0)

    return sorted(hypothesis.evidence, key=strength, reverse=True)
