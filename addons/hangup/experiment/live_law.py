"""Laws of a message on a live page: what it is about the last one that ends the connection, found by rewriting it.

The client's last message where the server hangs up, the server's where the client does. The page says it by itself in
each trial; what it says then is up to us.
"""

from __future__ import annotations

from hangup.experiment.arms import Arms, Search
from hangup.experiment.asking import carry_out
from hangup.experiment.claim import Claim
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_law import law_in_place
from hangup.experiment.message_trials import InPlace, rewritten
from hangup.experiment.minimise import minimise_size
from hangup.experiment.size_law import LARGE, bare, least_size, of_size, sizes_near
from hangup.experiment.verdict import Minimal


def live_law(arms: Arms, trigger: str) -> Search[Claim | None]:
    """The law about the last message; None where it is none that ends the connection, or nothing of it was found."""
    case = arms.case
    frame = case.answer if case.by == "client" else case.suspect
    if trigger != "frame" or frame is None:
        return None
    place = rewritten(arms, "server" if case.by == "client" else "client", frame)
    if len(frame.payload) >= LARGE and (claim := (yield from _of_size(place))) is not None:
        return claim
    return (yield from law_in_place(place, Minimal((frame.n,))))


def _of_size(place: InPlace) -> Search[Claim | None]:
    """A limit of size: the same message made shorter stays open, from one length on it does not."""
    base, whole = bare(place.frame.payload), len(place.frame.payload)
    least = least_size(base)
    if least >= whole or (yield from place.ask(of_size(base, least))) is not False:
        return None
    if (yield from place.ask(of_size(base, whole))) is not True:
        return None  # as large as it was, but with less in it, it stays open: it is what it says
    low, high = yield from carry_out(
        place.arms,
        lambda: minimise_size(least, whole),
        lambda size: place.ask(of_size(base, size)),
        lambda size: place.trial(of_size(base, size)),
    )
    words = f"a message{place.whose} has {high:,} bytes or more"
    law = Law(f"{place.ends} when {words}", [Condition(words, f"survives {low:,} B, fails {high:,} B")])
    law.irrelevant.append("the content of the message")
    return sizes_near(law, low, high, lambda size: place.trial(of_size(base, size)))
