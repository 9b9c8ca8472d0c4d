"""What speaks for a cause that nobody has thought of: ends that neither follow anything nor keep a time."""

from __future__ import annotations

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import middle
from hangup.diagnosis.findings import UNKNOWN, Hypothesis, Trigger, cite_all
from hangup.diagnosis.reactions import reaction
from hangup.diagnosis.rules.clocks import Clocks
from hangup.humanize import clip, printable
from hangup.recording.events import Side

ENOUGH = 3.0
"""A weight (a logarithm of a likelihood ratio) that leaves little room for coincidence."""


def unknown(case: Case, understood: bool) -> Hypothesis:
    """The unknown. ``understood`` is whether the rules make something of the words that were said about the end."""
    trigger = Trigger("none", case.victims[0].conn) if case.victims else Trigger()
    hypothesis = Hypothesis(UNKNOWN, closer=case.closer or "unknown", trigger=trigger)
    if not case.victims:
        return hypothesis.says("nothing-failed", 1.0, "")
    hypothesis.says(f"{case.closer}-{case.mode}", 1.0, "")
    hypothesis.says("few-ends", 1.0 / case.count, "")
    code = case.code or 0
    if case.mode == "close":
        band = "none" if not code else "1000" if code in (1000, 1001, 1005) else "1xxx" if code < 3000 else "own"
        hypothesis.says(f"{case.closer}-close-code-{band}", 1.0, "")
    if case.reasons and not understood:
        text = f'the close reason, "{printable(case.reasons, 80)}", is none that is known'
        hypothesis.says("reason-not-understood", 1.0, text, cite_all(case.victims))
    if case.mode in ("refused", "unreachable"):
        return hypothesis
    clocks = Clocks(case)
    follows = max((_followed(case, side) for side in ("client", "server")), default=0.0)
    steady = max(clocks.age[0], clocks.of(clocks.idle)[0], clocks.of(clocks.client)[0], clocks.of(clocks.server)[0])
    hypothesis.says("follows-nothing", 1.0 - clip(follows, 0.0, ENOUGH) / ENOUGH, "")
    hypothesis.says("keeps-no-time", 1.0 - clip(steady, 0.0, ENOUGH) / ENOUGH, "")
    hypothesis.says("neither", (1.0 - clip(max(follows, steady), 0.0, ENOUGH) / ENOUGH), "")
    longest = max(case.lived, default=0.0)
    if longest > 1.0 and longest > 5 * middle(case.lived):
        hypothesis.says("some-got-older", 1.0, "")
    others = [life for life in case.others if life.open_since is not None and life.lasted > 2 * middle(case.lived)]
    if others:
        hypothesis.says("others-stayed-open", 1.0, "")
    if any(life.traffic.client.messages for life in case.victims):
        hypothesis.says("client-had-spoken", 1.0, "")
    kinds = {m.shape for life in case.victims if (m := life.last_message("client")) is not None}
    if len(kinds) > 1:
        hypothesis.says("last-messages-of-many-kinds", 1.0, "")
    if not any(life.successor is not None for life in case.victims):
        hypothesis.says("not-reopened", 1.0, "")
    return hypothesis


def _followed(case: Case, side: Side) -> float:
    found = reaction(case, side)
    return found.weight if found is not None else 0.0
