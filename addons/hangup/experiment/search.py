"""The search: control, ladder, reversal, minimiser. One change at a time, repeated, and put back.

:func:`search` is a generator. It yields trials and is sent their results; who carries them out may throw
:class:`BudgetSpent` into it at any time, and gets what was learned so far. It returns a :class:`Verdict`.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from msgspec.structs import replace

from hangup.experiment import rate
from hangup.experiment.arms import Search
from hangup.experiment.claim import Claim
from hangup.experiment.client_side import CLIENT_RUNGS
from hangup.experiment.climb import SETTLED, Watch
from hangup.experiment.clocks import counting, find_timers, speaking
from hangup.experiment.companions import seems_crowded
from hangup.experiment.drift import look_again
from hangup.experiment.evidence import Outcome
from hangup.experiment.ladder import (
    CLIENT_KEEPALIVE,
    KEEPALIVE,
    NO_CONTROL_FRAMES,
    SURE,
    UNKNOWN,
    Explanation,
    Rung,
    control_frames,
    donated_rungs,
    given_rungs,
    kind_name,
)
from hangup.experiment.law_search import LawSearch
from hangup.experiment.live_law import live_law
from hangup.experiment.place import locate
from hangup.experiment.rate import COUNTED
from hangup.experiment.reversal import BLUNT
from hangup.experiment.server_side import RUNGS
from hangup.experiment.session_law import session_law
from hangup.experiment.shrinking import shrink
from hangup.experiment.trial import Case, Trial
from hangup.experiment.varying import vary
from hangup.experiment.verdict import PROOF, BudgetSpent, Minimal, Tried, Verdict
from hangup.replayable.client_rule import PING

__all__ = ["PROOF", "SETTLED", "BudgetSpent", "Minimal", "Search", "Tried", "Verdict", "Watch", "search"]

OVERSIZE = "message/oversize"

TOGETHER = 0.6
"""The probability of a category from which on one of its causes is named."""

HELPLESS = 0.2
"""What fails in a larger share of its trials is no fix, however much seldomer that is."""


RIVALS = 0.35
"""Probability of other categories that predict the same of the cure, up to which the counts speak for the one."""
UNANSWERED = 0.1
"""The same, where the server ends after a message that it has not answered: it may as well not have liked it."""
SURELY_READ = 0.8
"""Confidence of reading alone from which on no other category is proved, if what it names cannot be tried."""
DOUBTFUL = 0.05
"""Probability from which on it is worth asking whether it is the number of messages or what they say."""


def search(
    case: Case,
    *,
    live: bool = False,
    rungs: Iterable[Rung] | None = None,
    given: Iterable[str] = (),
    minimise: bool = True,
    watch: Watch = lambda standing: None,
    verdict: Verdict | None = None,
    direct: bool = False,
) -> Search[Verdict]:
    """Searches for the cause of ``case``. With ``live`` only what filters can do is tried; and only so can be found
    why a client hangs up. ``given`` are filters of the person's own that may be the cure: a fresh token, say.
    ``verdict`` is the one that will be returned: its ladder and counts can be looked at as they grow.
    ``direct`` says that the backend itself can be asked as well, past what stands between."""
    if rungs is None:
        rungs = CLIENT_RUNGS if case.asks_client else RUNGS
        rungs = [rung for rung in rungs if rung.name not in _unasked(case)]
    rungs = [*given_rungs(given), *donated_rungs(case), *rungs]
    if verdict is None:
        verdict = Verdict()
    verdict.client_rule = case.client_rule
    searching = _Search(case, live, tuple(rungs), minimise and not live, watch, verdict)
    return searching.run(direct)


def _unasked(case: Case) -> tuple[str, ...]:
    """Rungs that keep back the very question on whose answer the client waits: that it hangs up for no answer then
    tells nothing of the server."""
    rule = case.client_rule
    if rule is None or rule.on != "unanswered":
        return ()
    return (NO_CONTROL_FRAMES,) if rule.kind == PING else ("no-heartbeats",)


class _Search(LawSearch):
    def run(self, direct: bool) -> Search[Verdict]:
        """Everything in its order; ``direct`` as in :func:`search`."""
        try:
            yield from self._all(direct)
        except BudgetSpent as spent:
            self.verdict.stopped = str(spent) or "budget exhausted"
            if not self.verdict.cause.n:
                self.verdict.cause = self.arms.control
        self._conclude()
        return self.verdict

    def _all(self, direct: bool) -> Search[None]:
        yield from self._reproduce()
        mixed = self.arms.clients > 1 and self.arms.control.survived > 0
        crowded = mixed or seems_crowded(self.outcomes) or self.case.let_in > 0
        if self.minimise and (not self.verdict.reproduced or crowded):
            if (yield from self._crowded()):
                return
        if not self.verdict.reproduced:
            if self.minimise:
                yield from self._neighboured()
            return
        if self.minimise and (yield from self._collided()):
            return
        claim: Claim | None = None
        for _ in range(3):
            yield from self._climb()
            claim = (yield from vary(self.arms, self.rungs, self._step)) or claim
            yield from self._pace()
            yield from self._hear_surprises()
            explanation, _ = self.standing.best()
            yield from self._reverse(explanation)
            if self.verdict.changed:
                return
            # The reversal shows how often the control really fails, and what was decided before may be too hasty.
            yield from self._settle()
            if self.standing.best()[0] is explanation:
                break
        self.shown = explanation.verdict
        in_turn = self.paced is not None and self.verdict.ruled_out.get(rate.RATE) == rate.IN_TURN
        if explanation.verdict == rate.RATE or in_turn:
            claim = self.paced
        elif explanation.trigger != "header":
            claim = None
        if explanation.trigger in ("time", "count") or self._whatever():
            yield from find_timers(self.arms)
            self._hear_clocks()
            spoken = yield from self._speak_now_and_then()
            heard = self.standing.best()[0]
            if heard is not explanation or spoken:
                explanation = heard
                yield from self._reverse(explanation)
                self.shown = explanation.verdict
        in_all = session_law(self.arms) if self.minimise else None
        seemed_counted = explanation.verdict == COUNTED and not in_turn and in_all is None
        if self.minimise and seemed_counted:
            # Before it is made smaller, which takes long where every message counts.
            yield from self._as_many("as-many", tuple(frame.n for frame in self.case.frames))
            explanation, _ = self.standing.best()
        messages = explanation.trigger in ("frame", "count") or self._takes_a_message(explanation)
        messages = messages and not in_turn and in_all is None
        if self.minimise and (messages or seemed_counted):
            in_all = (yield from self._in_all()) or (yield from self._paced_after_all())
        claim = in_all or claim
        paces = explanation.verdict == rate.RATE
        self.arms.hurried = paces and claim is None and not in_turn and not self._as_slowly()
        shrinks = messages or (paces and self._as_slowly()) or self.arms.hurried
        if self.minimise and in_all is None and shrinks:
            claim = yield from shrink(self.arms, explanation.verdict, count=explanation.trigger == "count")
            if self.arms.hurried and claim is not None and not claim.early:
                claim = None  # it would be a number, or what is said, and that it was said slowly made a difference
            self._hear_size(claim)
            claim = (yield from self._earlier()) or claim
            if claim is not None:
                yield from self._uncompressed()
                claim = yield from self._with_handshake(claim)
        of_messages: Claim | None = None
        counted = in_all is None and not in_turn and self.standing.weights.get(COUNTED, 0.0) > DOUBTFUL
        if counted and self.verdict.minimal is not None:
            yield from self._as_many("as-many-of-these", self.verdict.minimal.frames)
            explanation, _ = self.standing.best()
            several = self.verdict.minimal is not None and len(self.verdict.minimal.frames) > 1
            if self.minimise and claim is None and explanation.trigger == "frame" and several:
                claim = yield from shrink(self.arms, explanation.verdict, count=False)
        if not self.live and self.minimise:
            trigger = self.standing.best()[0].trigger
            of_messages = claim if in_all is None else None
            claim = yield from self._claim(claim, trigger)
            if self.crowded:
                return
        elif self.live:
            trigger = explanation.trigger
            claim = yield from live_law(self.arms, trigger)
        if claim is not None and (self.live or self.minimise):
            yield from self._predict(claim, trigger)
            if of_messages is not None and self._waited():
                yield from self._answer_instead(of_messages, trigger)
        law = self.verdict.law
        if law is not None:
            self._count_predictions(law)
        if direct:
            yield from locate(self.arms, self.standing)
        if (law is not None and not law.holds) or (self.verdict.p >= PROOF and self.arms.known.survived):
            yield from look_again(self.arms)

    def _whatever(self) -> bool:
        """Whether it was opened, and nothing that was tried made any difference: then it may be time, whatever seemed
        likely."""
        opened = self.case.how != "refused" and not self.verdict.cure and not self.arms.known.survived
        return opened and all(tried.outcome is not Outcome.SURVIVED for tried in self.arms.named.values())

    def _as_slowly(self) -> bool:
        """Whether it failed however slowly the same was said: then it is no pace, even where nothing else is likely."""
        slower = self.arms.named.get("slower")
        return slower is not None and slower.outcome is Outcome.FAILED

    def _speak_now_and_then(self) -> Search[bool]:
        """What kept it open while the client said nothing else may be its fix. Where the client speaks often, and the
        clock goes by something else, a ping whenever it is quiet was none."""
        if (said := counting(self.arms)) is not None and not self.verdict.cure:
            return (yield from self._speak_as_it_counts(said))
        trial = speaking(self.arms)
        able = self.standing.best()[0].cured_by(KEEPALIVE, self.case)
        if trial is None or KEEPALIVE in self.arms.named or self.verdict.cure or not able:
            return False
        yield from self._rung(Rung(KEEPALIVE, "the same, and a ping now and then", lambda case: trial), trial)
        return self.arms.named[KEEPALIVE].outcome is Outcome.SURVIVED

    def _speak_as_it_counts(self, trial: Trial) -> Search[bool]:
        """The same by a message of the sort that sets the clock back: what was said before now and then may have been
        of no account."""
        tried = self.arms.named.pop(CLIENT_KEEPALIVE, None)
        if tried is not None and tried.filters == trial.filters:
            self.arms.named[CLIENT_KEEPALIVE] = tried
            return False
        if tried is not None:
            tried.arm += "-before"
            self._reckon()
        yield from self._rung(Rung(CLIENT_KEEPALIVE, "such a message now and then", lambda case: trial), trial)
        return self.arms.named[CLIENT_KEEPALIVE].outcome is Outcome.SURVIVED

    def _hear_size(self, claim: Claim | None) -> None:
        """A message that stays open when it is as large, but says less, is not too large; one that has a limit of size,
        whatever it says, is."""
        minimal = self.verdict.minimal
        if claim is None or minimal is None:
            return
        if minimal.size_limit is not None:
            self.standing.confirm(OVERSIZE)
            self.shown = self.standing.best()[0].verdict
            return
        if self.shown != OVERSIZE:
            return
        self.standing.doubt(OVERSIZE)
        self.verdict.ruled_out[OVERSIZE] = "equally many bytes with less in them stay open"
        self.shown = self.standing.best()[0].verdict

    def _earlier(self) -> Search[Claim | None]:
        """Where one message is enough, and it is not the last, of which all was asked so far: the end came late, and
        other messages went on. It is asked again of the one that matters."""
        minimal, suspect, old = self.verdict.minimal, self.case.suspect, self.case
        if minimal is None or len(minimal.frames) != 1 or (suspect is not None and minimal.frames == (suspect.n,)):
            return None
        alone = [p for p in self.arms.pulses if p.ended and sum(message for _, message in p.client) == 1]
        delays = [p.age - next(at for at, message in p.client if message) for p in alone]
        self.case = self.arms.case = replace(
            old, culprit=minimal.frames[0], reaction=median(delays) if delays else old.reaction, priors={}
        )
        for rung in self.rungs:
            tried = self.arms.named.get(rung.name)
            if tried is not None and rung.make(old) != rung.make(self.case):
                del self.arms.named[rung.name]
                tried.arm += "-before"
        self._reckon()
        yield from self._climb()
        explanation, _ = self.standing.best()
        yield from self._reverse(explanation)
        yield from self._settle()
        self.shown = explanation.verdict
        self.verdict.timers = []
        return (yield from shrink(self.arms, explanation.verdict, count=False))

    def _rivals(self, category: str) -> float:
        """How probable explanations of other categories are together that what cured it would bear out as well."""
        cures = [t.arm for t in self.arms.named.values() if t.filters and " + ".join(t.filters) == self.verdict.cure]
        if self._only_silence():
            cures.append("silence")
        return sum(
            weight
            for name, weight in self.standing.weights.items()
            if name.partition("/")[0] != category
            and any(self.standing.explanations[name].cured_by(arm, self.case) for arm in cures)
        )

    def _only_silence(self) -> bool:
        """Whether a fix that takes some messages away comes to the same as silence: the client has nothing else to
        say."""
        heartbeats = self.verdict.cure.startswith("drop-heartbeat side=client")
        alone = len(self.case.beats) == len(self.case.frames) and not control_frames(self.case)
        return heartbeats and alone

    def _bearable(self, category: str) -> float:
        """How probable rivals may be. Silence cures whatever is said: it needs more to go on."""
        read = max(self.case.priors, key=lambda v: self.case.priors[v], default="")
        if read not in self.standing.explanations and self.case.priors.get(read, 0.0) > SURELY_READ:
            if read.partition("/")[0] != category:
                return -1.0  # what reading alone is sure of cannot be tried here
        answered = self.case.replied if self.shown == "server-handler/returns-after-message" else True
        answered = answered and not (self._only_silence() and self.verdict.law is None)
        return RIVALS if answered else UNANSWERED

    def _conclude(self) -> None:
        self._name()
        verdict = self.verdict
        stands = {verdict.verdict, UNKNOWN, *(name for name, weight in verdict.standing if weight > DOUBTFUL)}
        verdict.ruled_out = {name: why for name, why in verdict.ruled_out.items() if name not in stands}

    def _name(self) -> None:
        verdict = self.verdict
        if verdict.reproduced and not self.crowded:
            self._doubt_quantities()
        verdict.standing = list(self.standing.ranked())
        if not verdict.reproduced:
            return
        if self.crowded:
            told = SURE if self.shown and self.shown == self.borne_out else 0.0  # what no rung speaks for or against
            verdict.trigger, verdict.probability = "peer", self.standing.weights.get(self.shown, told)
            if not self.shown:
                verdict.standing = []  # none of them says that it is what another connection does
            verdict.verdict = self.shown if verdict.probability >= TOGETHER else "unknown/"
            verdict.proved = verdict.p < PROOF and verdict.law is not None and verdict.law.predicted > 0
            return
        explanation, _ = self.standing.best()
        named_so = [v for v, e in self.standing.explanations.items() if e.name == explanation.name]
        verdict.probability = sum(self.standing.weights[v] for v in named_so)
        category = explanation.verdict.partition("/")[0]
        together = sum(w for v, w in self.standing.weights.items() if v.partition("/")[0] == category)
        checked = self._told_from_its_like(explanation)
        lawful = checked and self._lawful()
        named = checked and self._shows(explanation) and not self.nameless
        verdict.proved = lawful
        if lawful or together >= TOGETHER:
            verdict.trigger = explanation.trigger
        if self.case.client_rule is not None:
            self._name_as_read(self._lawful())
            return
        if together < TOGETHER or (lawful and not named):
            return  # what ends it may be proved; what that is called is not
        if category != "unknown":
            verdict.verdict = explanation.name
        minimal = verdict.minimal
        if minimal is not None and minimal.frames:
            verdict.frame = minimal.frames[-1]
        elif self.case.suspect is not None and explanation.trigger == "frame":
            verdict.frame = self.case.suspect.n
        verdict.proved = lawful or (named and self._suffices(explanation))

    def _doubt_quantities(self) -> None:
        """A pace or a number was looked for: without a law that gives it, it is hardly that."""
        law = self.verdict.law
        if self.minimise and not self.live and (law is None or not law.holds):
            for name in (rate.RATE, COUNTED):
                self.standing.doubt(name)

    def _name_as_read(self, lawful: bool) -> None:
        """It is the server that was asked, and so its part of it that is proved. What the client makes of it was read
        from the recording, and with it the name; unless the law says by itself what it is."""
        verdict, names = self.verdict, self.case.priors
        verdict.proved = lawful and not self._only_asked()
        if verdict.proved and self.borne_out:
            names = dict(self.standing.ranked())
        verdict.verdict = max(names, key=lambda each: names[each], default="unknown/")
        verdict.probability = names.get(verdict.verdict, 0.0)
        verdict.standing = sorted(names.items(), key=lambda each: -each[1])

    def _only_asked(self) -> bool:
        """Whether all that the law says is that the client asks: that it waits for an answer then is its own rule."""
        rule, minimal, law = self.case.client_rule, self.verdict.minimal, self.verdict.law
        if rule is None or rule.on != "unanswered" or law is None:
            return False
        if minimal is None or not minimal.frames:  # nothing but that it stays open when the client says nothing
            return any((condition.filter or "").startswith("drop") for condition in law.conditions)
        if len(minimal.frames) != 1:
            return False
        asked = any(f.n in minimal.frames and kind_name(f) == rule.kind for f in self.case.frames)
        return asked and not any(condition.path for condition in law.conditions)

    def _lawful(self) -> bool:
        """Whether a law holds, and the counts bear it out: that is proved, whatever it may be called."""
        verdict = self.verdict
        held = verdict.law is not None and verdict.law.holds
        return held and verdict.p < PROOF and self._helped() and not verdict.changed

    def _helped(self) -> bool:
        return self.verdict.without.failed <= HELPLESS * self.verdict.without.n

    def _shows(self, explanation: Explanation) -> bool:
        """Whether what was tried shows this explanation, and no other that is probable as well."""
        category = explanation.verdict.partition("/")[0]
        alone = category != "unknown" and self._rivals(category) <= self._bearable(category)
        return self.shown == explanation.verdict and alone

    def _told_from_its_like(self, explanation: Explanation) -> bool:
        """Whether a number of messages was told from a pace, and a pace from a number."""
        if explanation.verdict == rate.RATE:
            return rate.shown_by(self.arms)
        if explanation.verdict != COUNTED:
            return True
        return self.counted and (self.live or not self.minimise or rate.counts_against(self.arms))

    def _suffices(self, explanation: Explanation) -> bool:
        """Whether the counts are enough without a law that was held against anything new. No more than a fix was
        compared, which fits many causes where several messages matter, or none does, where the fix is to say nothing,
        or where it was cut short."""
        verdict, minimal = self.verdict, self.verdict.minimal
        other = minimal is not None and len(minimal.frames) != 1
        blunt = any(t.arm in BLUNT and " + ".join(t.filters) == verdict.cure for t in verdict.ladder)
        cut = bool(verdict.stopped) or other or blunt
        cut = cut and self.minimise and explanation.trigger in ("frame", "count")
        cut = cut or (self.live and blunt and verdict.probability < SURELY_READ)  # many causes would be helped as well
        return verdict.law is None and not cut and verdict.p < PROOF and self._helped() and not verdict.changed
