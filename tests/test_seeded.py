"""Planted backends, a few seeds each (``python -m faults.seeded`` runs as many as one likes): what is proved is what
was planted, whatever flickers, is left over from earlier connections, or ends in another way."""

from __future__ import annotations

import json
from random import Random

import pytest

import simulated
from faults import seeded
from faults.planted import TABLE, Planted, case_of, order, say
from faults.world import PROMPT, End, Plant, Played, World
from hangup.experiment.arms import says_the_same
from hangup.experiment.document import headline
from hangup.experiment.evidence import Outcome
from hangup.experiment.law import ENOUGH
from hangup.experiment.minimise import minimise_size
from hangup.experiment.search import search
from hangup.experiment.timers import Clock, Pulse, fitting
from hangup.experiment.trial import Edit, Trial

SEEDS = [
    pytest.param(range(2), id="2 seeds"),
    pytest.param(range(5), id="5 seeds", marks=pytest.mark.long),
]
SLOWEST = (("flicker", "count-0.3"), ("flicker", "count-0.6"), ("stray", "count-otherwise"))
"""Of these each seed takes many seconds; what flickers less, and others that flicker as much, have the same rungs."""
EACH = [
    pytest.param(
        each,
        id=f"{each.family}-{each.name}",
        marks=pytest.mark.long if (each.family, each.name) in SLOWEST else (),
    )
    for each in TABLE
]
SURE = ("values", "handshake", "thresholds", "another")
"""Families without chance: here nearly all must be proved, elsewhere it is enough that nothing false is."""

assert {(each.family, each.name) for each in TABLE} >= set(SLOWEST)
HARD = ("age", "alone", "at-once", "text")
"""What no rung can prove yet, or what cannot be told from another thing that the client never said."""


def named(name: str) -> Planted:
    return next(planted for planted in TABLE if planted.name == name)


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("planted", EACH)
def test_what_is_proved_is_what_was_planted(planted: Planted, seeds: range) -> None:
    runs = [seeded.run(planted, seed) for seed in seeds]
    assert not [(run.seed, run.why) for run in runs if run.said == "wrong"]
    if planted.family in SURE and planted.name not in HARD:
        assert sum(run.said == "right" for run in runs) >= len(runs) - 1, [run.said for run in runs]
    if planted.family == "thresholds":
        assert all(run.exact for run in runs)
    for run in runs:
        law = run.verdict.law
        assert not run.verdict.proved or law is None or (law.right == law.predicted >= ENOUGH)


def test_the_harness_knows_a_wrong_law() -> None:
    """The planted law of another seed is wrong for this backend: what is held against the truth must say so."""
    this, other = (seeded.run(named("int"), seed) for seed in (0, 1))
    assert this.said == other.said == "right"
    assert not seeded._wrong(this.plant, this.verdict, this.claims)
    assert seeded._wrong(other.plant, this.verdict, this.claims)


class TestHistory:
    @pytest.mark.parametrize("name", ["heals", "cold-fails"])
    def test_a_backend_that_stops_failing_is_told_of(self, name: str) -> None:
        runs = [seeded.run(named(name), seed) for seed in range(12)]
        told = [run.verdict.changed for run in runs if run.verdict.changed]
        assert told and all("as it was recorded it failed" in words for words in told)
        for run in runs:
            assert not run.verdict.changed or headline(run.verdict).startswith("unresolved: the backend changed")
        assert not any(run.verdict.proved for run in runs if run.verdict.changed)

    def test_one_that_fails_every_other_time_keeps_step_with_nothing(self) -> None:
        """Whatever the period: two arms that are tried by turns are no two sides of a proof."""
        for period in (2, 3, 4, 6):
            for off in range(period):
                plant = named("every-nth").make(Random(0))
                plant.history = lambda past, rng, n=period, k=off: "fail" if past.connections % n == k else ""
                verdict = seeded._carried_out(plant, World(plant, Random(0)), [], 400)
                assert not verdict.proved, (period, off, verdict.claim)


class TestAnotherEnd:
    def test_it_moves_no_boundary(self) -> None:
        """Sizes from 2,000 to 5,999 end in another way."""
        asking, asked = minimise_size(0, 20_000), {}
        try:
            size = next(asking)
            while True:
                asked[size] = True if size >= 6_000 else None if size >= 2_000 else False
                size = asking.send(asked[size])
        except StopIteration as stop:
            assert stop.value == (1_999, 6_000)
        assert None in asked.values() and len(asked) < 40

    def test_predictions_that_come_to_nothing_bear_no_law_out(self) -> None:
        run = seeded.run(named("banned-otherwise"), 3)
        law = run.verdict.law
        assert not run.verdict.proved and (law is None or law.predicted < ENOUGH and not law.holds)

    def test_a_ban_that_comes_with_the_predictions_is_told(self) -> None:
        plant = named("int").make(Random(1))
        plain = seeded._carried_out(plant, World(plant, Random(0)), trials := [], 400)
        assert plain.proved
        from_ = len(trials) - 6
        plant.history = lambda past, rng: "another" if past.connections > from_ else ""
        verdict = seeded._carried_out(plant, World(plant, Random(0)), [], 400)
        assert not verdict.proved and "closed with another code" in verdict.changed
        assert verdict.law is not None and verdict.law.predicted < ENOUGH


class TestNoEvidence:
    def test_an_edit_that_changes_nothing_is_none(self) -> None:
        case = simulated.case('{"a":1}', "ping", "ping")
        same = Trial("as-many", edits=((3, Edit(b"ping", "text")), (5, Edit(b"ping"))))
        assert says_the_same(case, same)
        assert not says_the_same(case, Trial("as-many", edits=((3, Edit(b"ping", "binary")),)))
        assert not says_the_same(case, Trial("frames", frames=(1,)))

    def test_messages_that_are_alike_are_not_exchanged_for_one_another(self) -> None:
        """Five pings and it ends: as many, but one and the same, are the same."""
        case = case_of(["ping"] * 5)

        def truth(played: Played) -> End | None:
            said = played.messages
            return End(said[4][0] + PROMPT) if len(said) >= 5 else None

        trials: list = []
        verdict = seeded._carried_out(plant := Plant(case, truth), World(plant, Random(0)), trials, 400)
        assert not [trial for trial, _ in trials if trial.arm.startswith("as-many")]
        assert "whatever they say" not in (verdict.law.sentence if verdict.law else "")

    def test_an_idle_filter_of_the_persons_own_moves_nothing_in_the_whole_search(self) -> None:
        plant = named("int").make(Random(2))
        idle = "drop side=client kind=nobody-says-this"

        def verdict_of(*given: str) -> object:
            world, steps = World(plant, Random(0)), search(plant.case, given=given)
            trial = next(steps)
            try:
                while True:
                    trial = steps.send(world.play(trial))
            except StopIteration as stop:
                return stop.value

        plain, planted = verdict_of(), verdict_of(idle)
        assert plain.proved and planted.proved and plain.law.sentence == planted.law.sentence
        (tried,) = [tried for tried in planted.ladder if tried.filters == (idle,)]
        assert tried.outcome is Outcome.UNRESOLVED and not tried.counts.n


def test_clocks_where_the_failure_flickers() -> None:
    """Half of those who are silent for three seconds are spared; all who speak stay open."""
    speaking = tuple((0.5 * k, True) for k in range(1, 30))
    pulses = [Pulse(4.0, True, ((1.0, True),)), Pulse(9.0, False, ((1.0, True),))] * 4
    pulses += [Pulse(16.0, False, speaking)] * 12
    assert not [t for t in fitting(pulses) if t.clock is Clock.CLIENT]
    found = {t.clock: t.at for t in fitting(pulses, 0.5)}
    assert found[Clock.CLIENT] == 3.0 and Clock.AGE not in found


def test_the_harness_plays_as_the_filters_do() -> None:
    case = case_of([say("hello"), order(Random(0)), "ping"])
    world = World(Plant(case, lambda p: End(1.0) if any(b"ping" == m[2] for m in p.messages) else None), Random(0))
    assert world.play(Trial("control")).outcome is Outcome.FAILED
    dropped = world.play(Trial("x", ("drop-heartbeat side=client",)))
    assert (dropped.outcome, dropped.acted) == (Outcome.SURVIVED, 1)
    assert world.play(Trial("x", ("drop side=client kind=nobody",))).acted == 0
    put = json.dumps({"type": "ping"}).encode()
    assert world.play(Trial("x", edits=((5, Edit(put)),))).outcome is Outcome.SURVIVED
