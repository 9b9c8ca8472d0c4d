"""The law of a number of messages: as many end the connection, whatever they say, and one less does not."""

from __future__ import annotations

from random import Random

from hangup.experiment.claim import Claim
from hangup.experiment.law import Condition, Law
from hangup.experiment.trial import Case, Edit, Trial
from hangup.experiment.verdict import Verdict
from hangup.humanize import plural


def count_law(case: Case, verdict: Verdict, trigger: str) -> Claim | None:
    """The law that the smallest exchange's number of messages makes, where it is that which matters."""
    if trigger != "count" or verdict.minimal is None or not verdict.minimal.frames:
        return None
    numbers = [frame.n for frame in case.frames]
    count = len(verdict.minimal.frames)
    if count < 2:
        return None  # then it is what is said at all: see any_message_law
    alike = len({(frame.payload, frame.opcode) for frame in case.frames}) == 1
    what = "of these messages" if alike else "messages, whatever they contain"
    words = f"the client has sent {count} {what}"
    condition = Condition(words, f"survives {plural(count - 1, 'message')}, fails {count:,}")
    law = Law(f"{case.ends} when {words}", [condition], [] if alike else ["the content of the messages"])
    sound = [frame for frame in case.frames if not frame.problems]

    def saying(rng: Random, count: int) -> Trial:
        """Some of the messages, of which many but the first say what others of them said."""
        kept = tuple(sorted(rng.sample(numbers, count)))
        said = [(n, rng.choice(sound)) for n in kept[1:] if sound and rng.random() < 0.5]
        return Trial("prediction", frames=kept, edits=tuple((n, Edit(f.payload, f.opcode)) for n, f in said))

    return Claim(law, lambda rng: saying(rng, count), lambda rng: saying(rng, count - 1))
