"""The law of a message that ends the connection by how it is framed, whatever it says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil
from random import Random

from msgspec.structs import replace

from hangup.experiment.arms import Search
from hangup.experiment.asking import carry_out
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.ladder import DEFRAGMENT, REPAIR, selector
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_trials import InPlace
from hangup.experiment.size_law import of_size
from hangup.experiment.threshold import threshold
from hangup.experiment.trial import ClientFrame, Trial
from hangup.humanize import plural
from hangup.wire.problems import explain

CONTENT = {"invalid-utf8"}
"""Problems of what a message says."""

SHORT = {
    "unmasked": "it is not masked",
    "rsv": "a reserved bit is set",
    "length-not-minimal": "its length is not encoded in the shortest form",
    "interleaved-data": "it starts inside a fragmented message",
    "reserved-opcode": "its opcode is reserved",
    "deflate": "it cannot be decompressed",
    "orphan-continuation": "it continues a message that never started",
    "control-too-long": "a control frame has more than 125 bytes",
    "control-fragmented": "a control frame is fragmented",
}
"""Of these it is said in few words; of the others as :mod:`hangup.wire.problems` does."""

SHORTER = 12
"""Bytes of the shortest message that is tried, where it comes in fragments."""


def frame_law(place: InPlace) -> Search[Claim | None]:
    """That law: with the same frames made sound it stays open. None where they are sound, or it ends all the same."""
    for words, fix in _faults(place.frame):
        outcome = yield from place.arms.decide(_fixed(place.trial(place.frame.payload), fix), Counts())
        if outcome is not Outcome.SURVIVED:
            continue
        condition = Condition(words, filter=fix)
        if fix == DEFRAGMENT:
            low, high = yield from carry_out(
                place.arms,
                lambda: threshold(1, place.frame.fragments, lambda count: count),
                lambda count: _told(place, count),
                lambda count: _in_frames(place, count),
            )
            several = "in more than one frame" if high == 2 else f"in {high} frames or more"
            words = f"a message comes {several}"
            condition = Condition(words, f"survives {plural(low, 'frame')}, fails {high}", filter=fix)
        law = Law(f"{place.ends} when {words}{place.context}; with `{fix}` it stays open", [condition])
        law.irrelevant.append("the content of the message")
        if not place.arms.verdict.cure or place.arms.verdict.cure.startswith("drop"):
            place.arms.verdict.cure = fix
        return _claim(place, law, fix)
    return None


def _in_frames(place: InPlace, count: int) -> Trial:
    """The message in so many frames."""
    payload = place.frame.payload
    which = f" {selector(place.frame)}" if place.frame.kind else ""
    filters = (DEFRAGMENT, f"fragment {max(1, ceil(len(payload) / count))} side=client{which}")
    return replace(place.trial(payload), filters=filters)


def _told(place: InPlace, count: int) -> Search[bool | None]:
    """Whether it fails in so many frames; None where that is not told."""
    outcome = yield from place.arms.decide(_in_frames(place, count), Counts())
    return None if outcome is Outcome.UNRESOLVED else outcome is Outcome.FAILED


def _claim(place: InPlace, law: Law, fix: str) -> Claim:
    return Claim(law, lambda rng: _some(place, rng), lambda rng: _fixed(_some(place, rng), fix))


def _faults(frame: ClientFrame) -> Iterator[tuple[str, str]]:
    """What is odd about how a message is framed, in words, and the filter that sets it right."""
    problems = [problem for problem in frame.problems if problem not in CONTENT]
    if problems:
        yield broken(problems), REPAIR
    if frame.fragments > 1:
        yield f"a message comes in {plural(frame.fragments, 'frame')}", DEFRAGMENT


def broken(problems: Iterable[str]) -> str:
    """In words that a frame breaks the rules, and how."""
    return (
        "a frame violates the protocol: "
        f"{' and '.join(SHORT.get(p, explain(p).partition(' (')[0]) for p in problems)}"
    )


def _some(place: InPlace, rng: Random) -> Trial:
    """Another message in the same frames."""
    payload = rng.choice([place.frame.payload, *place.kin])
    if place.frame.text and rng.random() < 0.5:
        payload = of_size(payload, rng.randint(SHORTER, 2 * len(payload) + SHORTER))
    return place.trial(payload, "", rng)


def _fixed(trial: Trial, fix: str) -> Trial:
    return replace(trial, filters=(*trial.filters, fix))
