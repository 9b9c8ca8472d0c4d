"""The rules: each looks at a case and yields the hypotheses that it can say something about."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Hypothesis
from hangup.diagnosis.rules import (
    clients,
    exchanges,
    handshakes,
    harmless,
    messages,
    mounts,
    opening,
    protocols,
    siblings,
    timers,
    trials,
    unanswered_handshakes,
    words,
)

Rule = Callable[[Case], Iterator[Hypothesis]]

RULES: tuple[Rule, ...] = (
    harmless.nothing_wrong,
    handshakes.refused,
    unanswered_handshakes.unreachable,
    unanswered_handshakes.given_up,
    opening.at_opening,
    messages.after_a_message,
    timers.by_the_clock,
    siblings.collisions,
    siblings.together,
    siblings.ghosts,
    clients.by_the_client,
    mounts.at_page_load,
    clients.throttled,
    protocols.by_protocol,
    exchanges.unanswered,
    exchanges.too_fast,
    words.late_burst,
    trials.trials,
)
"""What the signs say. What somebody says in words (:func:`words.spoken`) is added to it."""
