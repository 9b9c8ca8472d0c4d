"""The ladder for connections that the client ends: what is tried.

Replay cannot tell why a page hangs up, as it is the page that must be asked: these are for live trials, where what
the server says is changed on its way to the page.
"""

from __future__ import annotations

from collections.abc import Callable

from hangup.experiment.ladder import (
    ACCEPT_CORRECTED,
    NO_EXTENSIONS,
    Rung,
    filters_of,
    is_strict_json,
    kind_name,
    selector,
)
from hangup.experiment.size_law import LARGE, bare, least_size, of_size
from hangup.experiment.trial import Case, ClientFrame, Trial
from hangup.filters.library.answer_ping import AnswerPing
from hangup.filters.library.rewrite import Rewrite

NOTHING_SPECIAL = '{"type":"noop"}'
"""A message that no frontend knows, and that every reader of JSON can read."""


def _of_answer(name: str, form: str, when: Callable[[Case, ClientFrame], bool]) -> Callable[[Case], Trial | None]:
    """A filter on messages of the kind of the server's last one; ``{}`` stands for the settings that select them."""

    def make(case: Case) -> Trial | None:
        answer = case.answer
        if answer is None or not when(case, answer):
            return None
        return Trial(name, (form.replace("{}", selector(answer)),))

    return make


def _shorter(case: Case) -> Trial | None:
    """The same with as little in it as leaves it a message of its kind."""
    answer = case.answer
    if answer is None or len(answer.payload) < LARGE:
        return None
    base = bare(answer.payload)
    shortest = of_size(base, least_size(base))
    if len(shortest) > len(answer.payload) // 2:
        return None
    return Trial("answer-shorter", (str(Rewrite(side="server", kind=kind_name(answer), to=shortest)),))


def _early_word(case: Case) -> Trial | None:
    if case.server_frames or case.lifetime < 0.3:
        return None
    return Trial("early-word", (f"inject from=server send={NOTHING_SPECIAL} at=0s",))


def _heartbeats_answered(case: Case) -> Trial | None:
    """As the server has answered any, where it has: an answer in another form may be none."""
    own = next((each.template for each in case.server_answers), None)
    form = AnswerPing(side="client", level="message", with_=own)
    return Trial("heartbeats-answered", (str(form),)) if case.beats else None


CLIENT_RUNGS: tuple[Rung, ...] = (
    Rung(
        "server-silence",
        "server messages blocked",
        filters_of("server-silence", "drop side=server", when=lambda c: c.server_frames > 0),
    ),
    Rung(
        "answer-dropped",
        "messages like the server's last one blocked",
        _of_answer("answer-dropped", "drop side=server {}", lambda c, f: c.answer_kinds > 1),
    ),
    Rung(
        "answer-harmless",
        "a harmless message instead of the server's last one",
        _of_answer("answer-harmless", "rewrite side=server {} to=" + NOTHING_SPECIAL, lambda c, f: f.text),
    ),
    Rung("answer-shorter", "the server's last message cut short", _shorter),
    Rung(
        "answer-repaired",
        "malformed server messages repaired",
        _of_answer(
            "answer-repaired",
            "repair-malformed side=server what=nan,not-json,bom,invalid-utf8",
            lambda c, f: f.text and not is_strict_json(f),  # else there would be nothing to repair
        ),
    ),
    Rung(
        "heartbeats-answered",
        "client heartbeats answered for the server",
        _heartbeats_answered,
    ),
    Rung(
        "control-answered",
        "client ping frames answered for the server",
        filters_of("control-answered", "answer-ping side=client level=control", when=lambda c: c.client_pings > 0),
    ),
    Rung("early-word", "a message from the server right away", _early_word),
    Rung(
        "subprotocol-echoed",
        "the offered subprotocol confirmed",
        filters_of(
            "subprotocol-echoed",
            "subprotocol answer=first",
            when=lambda c: "subprotocol" in c.features and not c.echoed,
        ),
    ),
    ACCEPT_CORRECTED,
    Rung(
        "no-extensions",
        "compression off",
        filters_of("no-extensions", *NO_EXTENSIONS, when=lambda c: "extensions" in c.features),
    ),
)
