"""From a cause to a law: what the ends go by, what is said of them, and whether that predicts what was not tried."""

from __future__ import annotations

from collections import Counter

from msgspec.structs import replace

from hangup.experiment import rate
from hangup.experiment.absent_answer import absent_answer
from hangup.experiment.answer_time_law import answer_time_law
from hangup.experiment.arms import Search, says_the_same
from hangup.experiment.claim import Claim
from hangup.experiment.companions import LIMIT, crowd
from hangup.experiment.control_law import control_law
from hangup.experiment.count_law import count_law
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.factors import VARY, Factor
from hangup.experiment.fix_law import other_law
from hangup.experiment.handshake_laws import handshake_law
from hangup.experiment.handshake_values_law import handshake_value_law
from hangup.experiment.idle_law import idle_law
from hangup.experiment.ladder import OWN_ID, Explanation, is_json, selector
from hangup.experiment.law import Law
from hangup.experiment.message_law import refined, with_factor
from hangup.experiment.neighbour_law import neighbour_law
from hangup.experiment.predict import test as predict
from hangup.experiment.priors import LATE
from hangup.experiment.rate import COUNTED
from hangup.experiment.reversal import BLUNT, Reversal
from hangup.experiment.same_id import same_id
from hangup.experiment.shrinking import shrink
from hangup.experiment.timers import Clock, Pulse, fitting
from hangup.experiment.total_size_law import total_size_law
from hangup.experiment.trial import ClientFrame, Edit, Trial
from hangup.experiment.turns import compare
from hangup.experiment.unconditional import ENDS, unconditional
from hangup.experiment.varying import HANDSHAKE, vary_with_message
from hangup.experiment.verdict import PROOF
from hangup.filters.library.keepalive import Keepalive
from hangup.filters.text import parse

UNANSWERED_PING = "heartbeat/app-pong-missing-from-client"
WRONG_OPCODE, NOT_JSON = "message/wrong-opcode", "message/not-json"
READS_ONE = "server-handler/returns-after-message"

UNCOMPRESSED = "no-extensions"

FEW_COMPRESSED = 3
"""After more compressed messages that did no harm it is not that one is compressed."""

HELD = 2
"""A law that held says as much for the cause that it is as so many rungs that only that cause predicts."""

CLOCKS = {
    "process/worker-timeout": {Clock.AGE},
    "intermediary/lifetime-cap": {Clock.AGE},
    "message/init-missing": {Clock.AGE},
    "intermediary/idle-timeout": {Clock.CLIENT, Clock.SERVER, Clock.EITHER},
    "heartbeat/app-pong-missing-from-client": {Clock.CLIENT_MESSAGES, Clock.CLIENT},
}
"""What each of these goes by."""


class LawSearch(Reversal):
    """A search that says laws, and holds them against new exchanges."""

    def _pace(self) -> Search[None]:
        """Is it how fast the messages come, and not how many there are? Then the boundary, before anything is claimed:
        with it the fix is the one that changes least."""
        if self.live or not self.minimise:
            return
        if self.standing.best()[0].trigger == "count":
            yield from rate.slow_enough(self.arms)
            self._reckon()
        if self.standing.best()[0].verdict == rate.RATE and not self.asked_pace:
            self.asked_pace = True
            self.paced = yield from rate.find(self.arms)
            self._reckon()

    def _hear_clocks(self) -> None:
        """Which clocks agree with all that was tried speaks for and against what ends by one."""
        clocks = {timer.clock for timer in self.verdict.timers}
        if not clocks and sum(pulse.ended for pulse in self.arms.pulses) < ENDS:
            return
        for verdict, needed in CLOCKS.items():
            if not clocks & needed:
                self.standing.doubt(verdict)

    def _check_count(self, *more: Pulse) -> None:
        """A number of messages must agree with all that was tried, and with ``more``: else it is how fast they come, or
        something else."""
        pulses = [*self.arms.pulses, *more]
        timers = fitting(pulses, self.arms.rate)
        self.counted = not any(each.ended for each in pulses) or any(t.clock is Clock.COUNT for t in timers)
        if self.counted:
            self.standing.doubt(LIMIT)
        else:
            for name in (COUNTED, READS_ONE) * HELD:  # what is seen outweighs what is likely
                self.standing.doubt(name)
            self.shown = self.standing.best()[0].verdict
            self.verdict.timers = []
            self.verdict.ruled_out[COUNTED] = "it drops after varying numbers of messages, or stays open after as many"

    def _as_many(self, arm: str, frames: tuple[int, ...]) -> Search[None]:
        """Is it really their number? As many messages at the same times, but only the first stays as it was: where that
        is survived, it is what they say."""
        if len(frames) < 2:
            return
        first, *others = (frame for frame in self.case.frames if frame.n in frames)
        other = self._harmless(frames) or first
        edits = tuple((frame.n, Edit(other.payload, other.opcode)) for frame in others)
        trial = Trial(arm, frames=frames, edits=edits)
        tried = self.arms.add(arm, "as many messages, but always the same one", trial, Counts())
        if says_the_same(self.case, trial):  # they were alike to begin with
            self._check_count()
            return
        tried.outcome = yield from self.arms.decide(trial, tried.counts)
        self.standing.update("as-many", tried.outcome)
        self.watch(list(self.standing.ranked()))
        self.shown = self.standing.best()[0].verdict
        if tried.outcome is Outcome.SURVIVED:
            self.verdict.timers = []
            self.verdict.ruled_out[COUNTED] = f"{tried.title}: failed {tried.counts}"
        elif tried.outcome is Outcome.FAILED or self.shown == COUNTED:
            pulse = self.arms.last.pulse
            ended = pulse is not None and pulse.ended
            self._check_count(*([pulse] if pulse is not None and ended else []))
            if pulse is not None and ended and not self.counted:
                many = sum(message for _, message in pulse.client)
                said = [replace(f, payload=other.payload, opcode=other.opcode, kind=other.kind) for f in others]
                self.arms.sooner = (first, *said)[:many]

    def _count_law(self, trigger: str) -> Claim | None:
        """That of their number, unless something that was tried speaks against it."""
        return None if COUNTED in self.verdict.ruled_out else count_law(self.case, self.verdict, trigger)

    def _in_all(self) -> Search[Claim | None]:
        """Is it how many bytes all messages have, and not how many messages there are, or which is the last? Only where
        that one is not enough."""
        alone = self.arms.named.get("suspect-only")
        if self.live or (alone is not None and alone.outcome is Outcome.FAILED):
            return None
        claim = yield from total_size_law(self.arms)
        if claim is not None:
            self.standing.doubt(COUNTED)
            self.verdict.timers = []
            self.verdict.ruled_out[COUNTED] = "fewer messages that have as many bytes end it too"
            self.shown = ""  # no name says that it is a total
        return claim

    def _paced_after_all(self) -> Search[Claim | None]:
        """Slower messages stayed open when it was asked whether it is how many bytes there are in all: then it may be
        how fast they come."""
        slower = self.arms.named.get("slower")
        if self.asked_pace or self.live or slower is None or slower.outcome is not Outcome.SURVIVED:
            return None
        self.asked_pace = True
        self.paced = yield from rate.find(self.arms)
        self._reckon()
        if self.paced is not None:
            explanation, _ = self.standing.best()
            yield from self._reverse(explanation)
            self.shown = explanation.verdict
        return self.paced

    def _harmless(self, frames: tuple[int, ...]) -> ClientFrame | None:
        """A message that is none of these, if there is one, else one of the kind that is the most frequent but for the
        last one's."""
        kinds = Counter(selector(frame) for frame in self.case.frames if not frame.problems)
        last = self.case.frames[-1]
        kinds.pop(selector(last), None)
        often = next((kind for kind, _ in kinds.most_common(1)), "")
        spare = [frame for frame in self.case.frames if frame.n not in frames and not frame.problems]
        alike = [frame for frame in self.case.frames[1:] if selector(frame) == often]
        return next(iter([*spare, *alike]), None)

    def _waited(self) -> bool:
        """Whether the end came some time after the last message, and the server had asked something since."""
        case = self.case
        late = case.suspect is not None and (case.reaction or 0.0) >= LATE
        return late and any(each.at >= (case.suspect.at if case.suspect else 0.0) for each in case.asked)

    def _any_word_helps(self) -> bool:
        """Whether it stays open with messages of one kind, or with ping frames, which answer nothing."""
        cure = parse(self.verdict.cure) if self.verdict.cure and " + " not in self.verdict.cure else None
        pings = isinstance(cure, Keepalive) and cure.send is None
        return pings or any(timer.only or timer.but for timer in self.verdict.timers)

    def _claim(self, claim: Claim | None, trigger: str) -> Search[Claim | None]:
        """The law to hold against new exchanges: what was found about messages, or else the first that fits."""
        arms = self.arms
        if arms.clients > 1 and (yield from self._crowded()):
            return None
        # Where messages of one kind keep it open, or pings do, whatever the server asks, it does not wait for answers.
        speaks = claim is None and self._any_word_helps()
        claim = idle_law(arms, self.verdict) if speaks else claim
        if claim is None:
            claim = yield from self._unanswered()
        if claim is None:
            claim = yield from answer_time_law(arms)
        if claim is None and trigger == "control":
            claim = yield from control_law(arms, self.verdict)
        if claim is None and not arms.untold:
            claim = handshake_law(arms, self.verdict, trigger)
            if claim is not None:
                claim = yield from handshake_value_law(arms, self.verdict, claim)
        if claim is None and not arms.untold:
            claim = (
                self._count_law(trigger)
                or idle_law(arms, self.verdict)
                or other_law(arms, self.verdict, trigger)
                or unconditional(arms, self.verdict)
            )
        return claim

    def _unanswered(self) -> Search[Claim | None]:
        """Is it that the server has no answer to what it asked?"""
        claim = yield from absent_answer(self.arms)
        if claim is not None and self.standing.best()[0].verdict != UNANSWERED_PING:
            self.shown = ""  # no other name says that an answer is missing
        return claim

    def _answer_instead(self, claim: Claim, trigger: str) -> Search[None]:
        """A message may have made the server ask something: where its answer keeps the connection open, that says more
        than a law of the message. Where that does not hold, the other law stands."""
        verdict = self.verdict
        before = self.shown, verdict.law, verdict.cause, verdict.without, verdict.cure, verdict.contrast
        answered = yield from self._unanswered()
        if answered is None:
            return
        try:
            yield from self._predict(answered, trigger)
        finally:  # also where the budget does not last for it
            if claim.law.holds and not answered.law.holds:
                self.shown, verdict.law, verdict.cause, verdict.without, verdict.cure, verdict.contrast = before

    def _hear_identity(self, fix: str) -> None:
        """An id of its own helped: where it did not before, it was given where there is none. And to keep the same id
        and say nothing is a poorer fix."""
        tried = self.arms.named.get(OWN_ID)
        if tried is not None and tried.outcome is Outcome.FAILED:
            tried.arm, tried.title = f"{OWN_ID}-elsewhere", f"{tried.title}, in another place"
            self.surprises.append(OWN_ID)
            self._reckon()
        verdict = self.verdict
        if any(t.arm in BLUNT and " + ".join(t.filters) == verdict.cure for t in verdict.ladder):
            verdict.cure, verdict.contrast = fix, None
            verdict.cause, verdict.without = self.arms.control, Counts()

    def _predict(self, claim: Claim, trigger: str) -> Search[None]:
        """Holds a law against what is new; one that said too much is narrowed, and held against it again. Where only
        that showed that the failure flickers, what was found before is looked for again."""
        steady = not self.arms.known.survived
        self.verdict.law = claim.law
        yield from predict(self.arms, claim)
        self._hear_law(claim)
        self._hear_harmless(claim)
        if claim.counts and claim.law.conditions:
            verdict, condition = self.verdict, claim.law.conditions[0]
            verdict.cause, verdict.without = verdict.cause + condition.with_it, verdict.without + condition.without
        flickers = steady and self.arms.known.survived and not self.live
        if flickers and not claim.law.holds and trigger in ("frame", "count"):
            again = yield from shrink(self.arms, self.shown, count=trigger == "count")
            claim = again or self._count_law(trigger) or claim
            if claim.law is not self.verdict.law:
                self.verdict.law = claim.law
                yield from predict(self.arms, claim, seed=2)
                self._hear_law(claim)
        minimal = self.verdict.minimal
        if not claim.law.holds and trigger == "count" and minimal is not None and len(minimal.frames) == 1:
            # Other messages stay open: it is not that anything was said, but what.
            for name in (READS_ONE, COUNTED):
                self.standing.doubt(name)
            self.shown, self.verdict.timers = self.standing.best()[0].verdict, []
            other = yield from shrink(self.arms, self.shown, count=False)
            if other is not None:
                claim, self.verdict.law = other, other.law
                yield from predict(self.arms, claim, seed=3)
                self._hear_law(claim)
        if claim.law.holds and self.verdict.cure and self.verdict.p >= PROOF:
            fix = Trial("with-fix", tuple(self.verdict.cure.split(" + ")))
            yield from compare(self.arms, (Trial("control"), self.arms.control), (fix, Counts()))
        minimal = self.verdict.minimal
        if claim.law.holds or minimal is None:
            return
        narrower = yield from refined(self.arms, minimal, claim)
        if narrower is not None:
            self.verdict.law = narrower.law
            yield from predict(self.arms, narrower, seed=1)
            self._hear_law(narrower)

    def _hear_law(self, claim: Claim) -> None:
        """What a law that held says of the causes."""
        if not claim.law.holds:
            return
        self.nameless = claim.nameless
        if claim.though:
            claim.law.sentence += f", though {claim.though}"
            claim.though = ""
        if claim.name in self.standing.weights:
            self.borne_out = claim.name
            for _ in range(HELD):
                self.standing.confirm(claim.name)  # what it says is what that cause is
            self.shown = self.standing.best()[0].verdict
        if claim.property:
            self.standing.go_by(claim.property)
        for name in claim.refutes * HELD:
            self.standing.doubt(name)
        if self.shown in claim.refutes or (claim.property and self.shown in self.standing.explanations):
            self.shown = self.standing.best()[0].verdict

    def _hear_harmless(self, claim: Claim) -> None:
        """The form of a message is not at fault where another of the same form stayed open."""
        minimal = self.verdict.minimal
        frame = next((f for f in self.case.frames if minimal is not None and minimal.frames[-1:] == (f.n,)), None)
        if frame is None or not claim.law.holds:
            return
        opcodes = [edit.opcode or frame.opcode for edit in claim.harmless]
        alike = [replace(frame, opcode=o, payload=e.payload) for o, e in zip(opcodes, claim.harmless, strict=True)]
        refuted = [WRONG_OPCODE] if any(each.opcode == frame.opcode for each in alike) else []
        if any(each.text and not is_json(each) for each in alike):
            refuted.append(NOT_JSON)
        for name in refuted:
            for _ in range(HELD):
                self.standing.doubt(name)
        self.shown = self.standing.best()[0].verdict if self.shown in refuted else self.shown

    def _with_handshake(self, claim: Claim) -> Search[Claim]:
        """Whatever such a message says it ends the connection, though others like it did no harm elsewhere: what else
        must be so?"""
        if (helps := self._helpful_handshake()) is not None:
            explanation, _ = self.standing.best()
            if explanation.trigger == "header" and self.verdict.cure != helps.filter:
                yield from self._reverse(explanation)
                self.shown = explanation.verdict
            return with_factor(claim, helps)
        if not claim.though:
            return claim  # the law itself says why others did no harm
        factor = yield from vary_with_message(self.arms, self.rungs, self._step)
        explanation, _ = self.standing.best()
        if factor is None or explanation.trigger != "header":
            return claim
        if self.verdict.cure != factor.filter:
            yield from self._reverse(explanation)
            self.shown = explanation.verdict
        return with_factor(claim, factor)

    def _uncompressed(self) -> Search[None]:
        """Is it what the message says, or that it is compressed? Where hardly any other was, it is tried without."""
        minimal = self.verdict.minimal
        last = minimal.frames[-1] if minimal is not None and minimal.frames else 0
        packed = [frame.n for frame in self.case.frames if frame.compressed and frame.n <= last]
        asked = self.live or UNCOMPRESSED in self.arms.named
        if packed[-1:] == [last] and len(packed) <= FEW_COMPRESSED and not asked:
            yield from self._step(self._rung_named(UNCOMPRESSED))

    def _helpful_handshake(self) -> Factor | None:
        """A change of the handshake that was seen to keep it open, whatever messages it takes besides."""
        for tried in self.arms.named.values():
            varied = tried.arm in HANDSHAKE or tried.arm.startswith(VARY)
            if varied and tried.outcome is Outcome.SURVIVED:
                return Factor(tried.arm, "", tried.title, " + ".join(tried.filters))
        return None

    def _takes_a_message(self, explanation: Explanation) -> bool:
        """Whether it hangs on the handshake, and on a message as well."""
        spared = (self.arms.named.get(arm) for arm in ("silence", "suspect-dropped", "first-only", "benign-instead"))
        able = explanation.trigger == "header" and self.case.how != "refused" and self.case.suspect is not None
        return able and any(tried is not None and tried.outcome is Outcome.SURVIVED for tried in spared)

    def _count_predictions(self, law: Law) -> None:
        """Where no fix was found, the law's own exchanges are the two sides of the proof."""
        tried = law.conditions[0]
        if law.holds and self.verdict.p >= PROOF and not self.verdict.cure:
            control = self.arms.control
            failed, survived = control.failed + tried.with_it.failed, control.survived + tried.with_it.survived
            self.verdict.cause, self.verdict.without = Counts(failed, survived), tried.without

    def _neighboured(self) -> Search[None]:
        """Whether it is what another connection does: that a law about it holds."""
        claim = yield from neighbour_law(self.arms)
        if claim is None:
            return
        self.verdict.reproduced = True
        yield from self._predict(claim, "peer")
        self.crowded, self.shown = claim.law.holds, ""
        if not claim.law.holds:
            self.verdict.instead = f"alone it stays open; {claim.law.conditions[0].words} in what was recorded"
            self.verdict.law, self.verdict.neighbour, self.verdict.reproduced = None, None, False

    def _collided(self) -> Search[bool]:
        """Whether it is that two have one id, where it takes two clients: that a law of it holds."""
        arms, verdict = self.arms, self.verdict
        before = arms.clients, arms.control, verdict.cause, verdict.without, verdict.contrast, verdict.cure
        claim = yield from same_id(arms)
        if claim is not None:
            self._hear_identity(claim.law.conditions[0].filter)
            yield from self._predict(claim, "peer")
            if claim.law.holds:
                self.shown = self.standing.best()[0].verdict
                return True
            verdict.law = None
        arms.clients, arms.control, verdict.cause, verdict.without, verdict.contrast, verdict.cure = before
        return False

    def _crowded(self) -> Search[bool]:
        """Whether it is that there are too many connections: that a law about it holds."""
        alone = not self.verdict.reproduced
        if alone and not (self.case.lately and self.arms.control.survived):
            return False
        claim = yield from crowd(self.arms)
        if claim is None:
            return False
        self.verdict.reproduced = True
        yield from self._predict(claim, "peer")
        if claim.law.holds:
            self.shown = claim.name or LIMIT
            self.crowded = True
            if claim.name:  # else it was not told whose connections count
                self.borne_out = claim.name
                self.standing.confirm(claim.name)  # that it is theirs; that it predicted is known already
            return True
        self.verdict.law, self.verdict.reproduced = None, not alone
        return False
