"""The law of a number of messages: as many end the connection, whatever they say, and one less does not."""

from __future__ import annotations

from random import Random

from hangup.experiment.claim import Claim
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_values import MISSING, at, join, kind_path, leaves, neutral, put, split
from hangup.experiment.trial import Case, Edit, Trial
from hangup.experiment.verdict import Verdict
from hangup.humanize import plural


def count_law(case: Case, verdict: Verdict, trigger: str) -> Claim | None:
    """The law that the smallest exchange's number of messages makes, where it is that which matters."""
    if trigger != "count" or verdict.minimal is None or not verdict.minimal.frames:
        return None
    numbers = [frame.n for frame in case.frames]
    count = len(verdict.minimal.frames)
    alike = len({(frame.payload, frame.opcode) for frame in case.frames}) == 1
    what = "of these messages" if alike else "messages, whatever they contain"
    words = f"the client has sent {count} {what}" if count > 1 else "the client sends anything"
    condition = Condition(words, f"survives {plural(count - 1, 'message')}, fails {count:,}")
    law = Law(f"{case.ends} when {words}", [condition], [] if alike and count > 1 else ["the content of the messages"])
    sound = [frame for frame in case.frames if not frame.problems]
    single = [Trial("prediction", frames=(n,), edits=((n, said),)) for n, said in _unlike(case)]

    def saying(rng: Random, count: int) -> Trial:
        """Some of the messages, of which many but the first say what others of them said."""
        if count == 1:
            return rng.choice(single)
        kept = tuple(sorted(rng.sample(numbers, count)))
        said = [(n, rng.choice(sound)) for n in kept[1:] if sound and rng.random() < 0.5]
        return Trial("prediction", frames=kept, edits=tuple((n, Edit(f.payload, f.opcode)) for n, f in said))

    claim = Claim(law, lambda rng: saying(rng, count), lambda rng: saying(rng, count - 1))
    claim.edges = [(trial, True) for trial in single if count == 1]
    return claim


def _unlike(case: Case) -> list[tuple[int, Edit]]:
    """Messages as unlike the last one as can be made: as others are, with plain values, of a strange kind, no JSON."""
    frame = case.frames[-1]
    (head, value), kind = split(frame.payload), kind_path(frame.kind, frame.payload)
    others = [f for f in case.frames if f.kind != frame.kind and not f.problems]
    made = [Edit(other.payload, other.opcode) for other in others[-1:]]
    if value is not MISSING:
        plain = value
        for path in leaves(value):
            plain = put(plain, path, neutral(at(value, path))) if path and path != kind else plain
        strange = put(plain, kind, "hangup-unheard-of") if kind else {"hangup": 1}
        made += [Edit(join(head, plain)), Edit(join(head, strange))]
    return [(frame.n, edit) for edit in [*made, Edit(b"hello there", "text"), Edit(b"\x00hangup", "binary")]]
