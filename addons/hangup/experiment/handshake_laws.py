"""Laws about the handshake: what is refused, and with which change of it the connection opens."""

from __future__ import annotations

from collections.abc import Callable

from hangup.experiment.arms import Arms
from hangup.experiment.law import Condition, Law
from hangup.experiment.predict import Claim
from hangup.experiment.trial import Trial
from hangup.experiment.verdict import Verdict


def header_size_law(name: str, low: int, high: int, rest: int, trial: Callable[[int], Trial]) -> Claim:
    """A limit of the headers: with ``low`` bytes of the longest (``name``) it opens, with ``high`` it does not; the
    others have ``rest``."""
    words = f"the {name} header has {high:,} bytes or more (all headers {high + rest:,})"
    condition = Condition(words, f"survives {low:,} B, fails {high:,} B")
    law = Law(f"the handshake fails when {words}", [condition], ["what the header says"])
    claim = Claim(
        law,
        lambda rng: trial(high + rng.randint(0, max(high // 4, 1))),
        lambda rng: trial(max(0, low - rng.randint(0, max(low // 2, 1)))),
    )
    claim.edges = [(trial(low), False), (trial(high), True)]
    return claim


def handshake_law(arms: Arms, verdict: Verdict, trigger: str) -> Claim | None:
    """The fix is a change of the handshake. Nothing else of it can be new, so both are tried again, by turns."""
    if trigger != "header" or not verdict.cure:
        return None
    filters = tuple(verdict.cure.split(" + "))
    condition = Condition(f"without `{verdict.cure}`", filter=verdict.cure)
    refused = arms.case.how == "refused"
    what = "the handshake is refused; with `{}` it opens" if refused else "it ends; with `{}` it stays open"
    law = Law(what.format(verdict.cure), [condition])
    clients = arms.clients
    return Claim(
        law,
        lambda rng: Trial("prediction", clients=clients),
        lambda rng: Trial("prediction", filters, clients=clients),
    )
