"""The law of an answer that does not come: the server asks something, and ends the connection some time after it.

What would be an answer is what the recording's other clients said to the same question, else what the question itself
suggests. It is given in a trial; where the connection then stays open, and stays open by nothing else that is said at
that moment, the time is found within which it must come.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from math import inf
from random import Random

from msgspec import Struct

from hangup.experiment.answers import Reply
from hangup.experiment.arms import Arms, Search
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_values import split
from hangup.experiment.sequences import called
from hangup.experiment.trial import Case, ClientFrame, Trial
from hangup.experiment.verdict import PROOF
from hangup.filters.library.inject import Inject
from hangup.messages.answers import answer_to_call, fill, places, repeats, with_places
from hangup.messages.heartbeats import answer, recognise
from hangup.messages.kind import kind_of
from hangup.wire.frames import OPCODE_NUMBERS, TEXT

SHORTEST = 0.25
"""Seconds: what ends sooner after a question has not waited for its answer."""

QUESTIONS = 4
ANSWERS = 4
"""So many questions are answered, in so many ways each."""

LONG = 8.0
FEW = 3
"""Of connections that lived for more seconds so few are tried."""

EXACT = 0.05
"""The time is found to this share of it."""

STEPS = 7

CHAIN = 100
"""Of a question that is answered more often than so many times a second, the answer makes the server ask again."""

SUGGESTED = {
    "challenge": ("response", "challenge_response", "answer"),
    "auth_required": ("auth", "authenticate", "login"),
    "auth": ("auth",),
    "ready?": ("ready",),
    "confirm": ("confirmed", "ack"),
    "query": ("answer", "response", "reply"),
    "question": ("answer", "reply"),
    "probe": ("ack", "alive", "ok"),
    "keepalive": ("keepalive", "ack"),
    "heartbeat": ("heartbeat_ack", "heartbeat"),
    "are_you_there": ("yes", "here", "alive"),
}
"""What answers a question that calls itself so, most often."""


class _Try(Struct, frozen=True):
    question: str
    """The kind of what is answered; empty for all that has the fields which the answer repeats."""
    after: float
    """Seconds from when it was asked first and not answered to the recorded end."""
    reply: Reply

    def filter(self, later: float = 0.0, payload: bytes | None = None, opcode: str = "") -> str:
        """Answers the question so many seconds after it, with another ``payload`` if one is given."""
        return str(
            Inject(
                from_="client",
                send=self.reply.template if payload is None else payload,
                as_="binary" if (opcode or self.reply.opcode) == "binary" else "text",
                side="server",
                kind=self.question or None,
                later=later or None,
            )
        )


def absent_answer(arms: Arms) -> Search[Claim | None]:
    """The law, where a question is found whose answer keeps the connection open. Its filter becomes the fix."""
    case = arms.case
    if arms.live or case.asks_client or case.lifetime < SHORTEST or not case.asked:
        return None
    for each in list(_tries(case))[: FEW if case.lifetime > LONG else QUESTIONS * ANSWERS]:
        counts = Counts()
        trial = _trial(case, each.filter())
        answered = yield from arms.decide(trial, counts)
        if answered is not Outcome.SURVIVED or not arms.last.acted and arms.last.acted is not None:
            continue
        if (arms.last.acted or 0) > CHAIN * (1 + (arms.last.lifetime or 0.0)):
            continue  # it is asked again because of what it was answered: that the two talk on keeps it open
        others = list(_others(case, each))
        if not (yield from _nothing_else(arms, each, others)):
            return None  # whatever is said keeps it open, or that cannot be told: it is not this answer
        span = yield from _time(arms, each)
        verdict = arms.verdict
        if not verdict.cure or verdict.p >= PROOF:
            verdict.cure, verdict.contrast = each.filter(), None
            verdict.cause, verdict.without = arms.control, counts
        return _claim(case, each, span, others)
    return None


def _trial(case: Case, *filters: str, frames: tuple[int, ...] | None = None) -> Trial:
    """All is said that was recorded, or only these ``frames``."""
    return Trial("answer", filters, frames=tuple(f.n for f in case.frames) if frames is None else frames)


def _tries(case: Case) -> Iterator[_Try]:
    """Answers to what the server asked, those first that other clients gave, and what was asked last."""
    first: dict[str, ClientFrame] = {}
    last: dict[str, ClientFrame] = {}
    for frame in case.asked:
        first.setdefault(frame.kind, frame)
        last[frame.kind] = frame
    often = case.asked_often

    def waited(kind: str, answered: int = 0) -> float:
        """Seconds for which the first of them that was not answered had waited, if they were asked regularly."""
        start, end, count = first[kind].at, last[kind].at, often.get(kind, 1)
        return case.lifetime - (start + (end - start) * min(answered, count - 1) / max(count - 1, 1))

    kinds = sorted((kind for kind in last if kind), key=lambda kind: -last[kind].at)
    known = [(kind, reply) for kind in kinds for reply in case.replies if reply.question == kind]
    known.sort(key=lambda each: -each[1].direct)  # what it answers more likely than not, then what was asked last
    unanswered = [kind for kind in kinds if case.lifetime - last[kind].at >= SHORTEST]
    guessed = [(kind, reply) for kind in unanswered[:QUESTIONS] for reply in _suggested(last[kind])]

    def absent(found: Iterable[tuple[str, Reply]]) -> Iterator[_Try]:
        for kind, reply in found:
            said = sum(f.kind == reply.kind and f.at >= first[kind].at for f in case.frames)
            # As often as it was asked, it is no answer that is absent.
            if said < often.get(kind, 1) and waited(kind, said) >= SHORTEST:
                yield _Try(kind, waited(kind, said), reply)

    yield from dict.fromkeys([*absent(known), *_acknowledged(case), *absent(guessed)])


def _acknowledged(case: Case) -> Iterator[_Try]:
    """What is answered by its id, whatever its kind: where one with such an id was not."""
    for template, reply in {r.template: r for r in case.replies if places(r.template)}.items():
        asked = (f for f in case.asked if fill(template, f.payload) is not None)
        left = [f for f in asked if not any(repeats(f.payload, c.payload) for c in case.frames if c.at >= f.at)]
        waited = max((case.lifetime - f.at for f in left), default=0.0)
        if waited >= SHORTEST:
            yield _Try("", waited, reply)


def _suggested(question: ClientFrame) -> list[Reply]:
    """What a question suggests as its answer."""
    found: list[bytes] = []
    opcode = OPCODE_NUMBERS.get(question.opcode, TEXT)
    beat = recognise(opcode, question.payload)
    if beat is not None and (usual := answer(beat, question.payload)) is not None:
        found.append(usual)
    value = split(question.payload)[1]
    if (reply := answer_to_call(value)) is not None:
        found.append(reply)
    if isinstance(value, dict):
        name = next((key for key, v in value.items() if v == question.kind), None)
        words = [w for asked, w in SUGGESTED.items() if asked in question.kind.lower()]
        for word in dict.fromkeys(word for each in words for word in each):
            if name is not None:
                rest = [f"{json.dumps(k)}:{{{{{k}}}}}" for k in value if k != name and k.isidentifier()]
                found.append("{{{}}}".format(",".join([f"{json.dumps(name)}:{json.dumps(word)}", *rest])).encode())
    filled = ((each, fill(each, question.payload) or each) for each in found[:ANSWERS])
    return [Reply(question.kind, kind_of(opcode, said).text, each, question.opcode) for each, said in filled]


def _others(case: Case, each: _Try) -> Iterator[tuple[bytes, str]]:
    """Other messages than the answer: what clients say, and one that nobody knows."""
    said = [*reversed(case.frames), *(frame for frames in case.lived for frame in frames)]
    kinds = {f.kind: (f.payload, f.opcode) for f in said if f.kind != each.reply.kind and not f.problems}
    yield from list(kinds.values())[:2]
    if not each.question:  # it is the id that makes it an answer
        yield with_places(each.reply.template, b'"hangup-unheard-of"'), each.reply.opcode
    name = json.dumps(each.reply.kind).encode()
    if name in each.reply.template:
        yield each.reply.template.replace(name, b'"hangup-unheard-of"', 1), each.reply.opcode


def _nothing_else(arms: Arms, each: _Try, others: list[tuple[bytes, str]]) -> Search[bool]:
    """Whether other messages at the same moment do not keep it open."""
    failed = 0
    for payload, opcode in others:
        filter = each.filter(payload=payload, opcode=opcode)
        outcome = yield from arms.decide(_trial(arms.case, filter), Counts())
        if outcome is Outcome.SURVIVED:
            return False
        failed += outcome is Outcome.FAILED
    return failed > 0


def _time(arms: Arms, each: _Try) -> Search[tuple[float, float] | None]:
    """The latest answer that keeps it open and the earliest that does not, in seconds after the question."""
    low, high = 0.0, 0.0
    margin = max(0.8 * EXACT * each.after, 0.03)
    probes = [each.after - margin, each.after + margin]
    for _ in range(STEPS):
        if probes:
            later = probes.pop(0)
        elif not high:
            later = 1.5 * max(low, each.after)
        elif high - low <= max(2 * EXACT * high, 0.06):
            break
        else:
            later = (low + high) / 2
        if later <= low or (high and later >= high):
            continue
        outcome = yield from arms.decide(_trial(arms.case, each.filter(round(later, 3))), Counts())
        if outcome is Outcome.UNRESOLVED:
            return None
        if outcome is Outcome.SURVIVED:
            low = later
        else:
            high = later
    return (low, high) if low and high else None


def _claim(case: Case, each: _Try, span: tuple[float, float] | None, others: list[tuple[bytes, str]]) -> Claim:
    """``span`` is None where there is no one time by which it must have come: then it is answered at once, or not."""
    low, high = span or (0.0, 0.0)
    within = each.after if low < each.after < high else (low + high) / 2
    asked, answered = f"the server's {called(each.question)}", called(each.reply.kind)
    if not each.question:
        fields = " and ".join(f"`{name}`" for name in places(each.reply.template))
        asked, answered = f"a message of the server that has {fields}", f"the same {fields}"
    words = f"the client does not answer {asked} with {answered}"
    sentence = f"{case.ends} when {words}"
    boundary = ""
    if span is not None:
        words += f" within {within:.2g} s"
        sentence = f"{case.ends} {within:.2g} s after {asked} when the client does not answer with {answered}"
        boundary = f"survives an answer after {low:.3g} s, fails after {high:.3g} s"
    condition = Condition(words, boundary, filter=each.filter())
    law = Law(sentence, [condition], ["what else the client sends"])
    # What came before the question may have led to it, and its like may be an answer to another.
    asked_at = min((f.at for f in case.asked if f.kind == each.question), default=0.0)
    spare = {f.n for f in case.frames if f.at > asked_at and f.kind != each.reply.kind and f.beat is None}

    def some(rng: Random) -> tuple[int, ...]:
        left_out = set(rng.sample(sorted(spare), rng.randint(0, len(spare))))
        return tuple(frame.n for frame in case.frames if frame.n not in left_out)

    def failing(rng: Random) -> Trial:
        way = rng.randrange(3)
        if way == 0 and others:
            payload, opcode = rng.choice(others)
            filters = [each.filter(round(rng.uniform(0, low), 2), payload, opcode)]
        else:
            filters = [each.filter(round(high * rng.uniform(1.0, 1.3), 2))] if way and high else []
        return _trial(case, *filters, frames=some(rng))

    def surviving(rng: Random) -> Trial:
        return _trial(case, each.filter(round(low * rng.choice((rng.random(), 1.0)), 2)), frames=some(rng))

    claim = Claim(law, failing, surviving)
    claim.counts, claim.margin = True, (high - low) / 2 if span is not None else inf
    return claim
