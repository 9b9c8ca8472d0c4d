"""The rules: each looks at a case and yields the hypotheses that it can say something about."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.findings import Hypothesis
from hangup.diagnosis.rules import (
    clients,
    handshakes,
    harmless,
    messages,
    opening,
    protocols,
    siblings,
    timers,
    words,
)

Rule = Callable[[Case], Iterator[Hypothesis]]

RULES: tuple[Rule, ...] = (
    harmless.nothing_wrong,
    handshakes.refused,
    opening.at_opening,
    messages.after_a_message,
    timers.by_the_clock,
    siblings.collisions,
    siblings.together,
    siblings.ghosts,
    clients.by_the_client,
    clients.at_page_load,
    protocols.by_protocol,
    words.late_burst,
)
"""What the signs say."""

WORDS: tuple[Rule, ...] = (words.spoken,)
"""What somebody says in words: added to what the signs say."""
