"""The law of a value in the handshake: which values of a parameter, a cookie or a header fail, where it was found that
without it the connection stays open.
"""

from __future__ import annotations

from random import Random
from typing import Any
from urllib.parse import unquote_plus

from msgspec.structs import replace

from hangup.errors import FilterError
from hangup.experiment.arms import Arms, Search
from hangup.experiment.boundary import condition
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.factors import Factor, cookies, valued, written
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_values import MISSING
from hangup.experiment.request_size_law import request_size_law
from hangup.experiment.trial import Case, Trial
from hangup.experiment.verdict import Verdict
from hangup.filters.library.headers import SetHeader, StripHeader
from hangup.filters.library.target import Query
from hangup.filters.text import parse
from hangup.recording.events import Request

PARTS = ("query", "cookie", "header", "credential")

WHATEVER = "hangup-whatever"
"""A value that was not tried."""


def handshake_value_law(arms: Arms, verdict: Verdict, claim: Claim) -> Search[Claim]:
    """The law of a value, where ``claim`` is that the connection stays open without it; else that claim."""
    factor = next((f for f in arms.case.factors if f.filter == verdict.cure and f.part in PARTS), None)
    factor = _placed(factor) if factor is not None else None
    said = _said(arms.case.request, factor) if factor is not None else None
    if factor is None or said is None:
        return claim
    good = _instead(factor)
    bad: Any = said
    if all(each.isascii() and each.isdigit() and len(each) < 16 for each in (said, good or "0")):
        bad, good = int(said), good and int(good)
    asking = condition((factor.name,), bad, MISSING if good is None else good, ())
    try:
        value = next(asking)
        while True:
            trial = _with(arms.case.request, factor, value)
            outcome = Outcome.UNRESOLVED
            if trial is not None:
                outcome = yield from arms.decide(trial, Counts())
            value = asking.send(None if outcome is Outcome.UNRESOLVED else outcome is Outcome.FAILED)
    except StopIteration as stop:
        found: Condition = stop.value
    general = found.holds is not None and found.holds(WHATEVER)
    if found.fails is None or found.survives is None or general:
        return claim  # any value that was tried fails, and one that nobody knows may not
    begins = claim.law.sentence.partition(", unless ")[0]
    low, high = (len(each) if isinstance(each, str) else 0 for each in found.edge or (0, 0))
    whole = yield from request_size_law(arms, factor, low, high, begins)
    if whole is None and good is not None and found.edge is None:
        return claim  # how it was changed says more than one value that failed
    return whole or _claim(arms.case, factor, found, claim, begins)


def _placed(factor: Factor) -> Factor | None:
    """The factor, of the part where it stands: a credential is in the query, a cookie or a header. None where it is
    none of these."""
    made = parse(factor.filter)
    if isinstance(made, Query):
        return replace(factor, part="query")
    if isinstance(made, SetHeader | StripHeader):
        # A header that is left out may have held the only cookie.
        cookie = made.name.lower() == "cookie"
        return replace(factor, part="cookie" if cookie else "header")
    return None


def _instead(factor: Factor) -> Any:
    """What the part says with the factor's filter; None where it is left out."""
    made = parse(factor.filter)
    if isinstance(made, Query):
        return made.value
    if not isinstance(made, SetHeader):
        return None
    return dict(cookies(made.value)).get(factor.name) if factor.part == "cookie" else made.value


def _said(request: Request, factor: Factor) -> str | None:
    found = written(request, factor)
    return unquote_plus(found) if found is not None and factor.part == "query" else found


def _with(request: Request, factor: Factor, value: Any) -> Trial | None:
    """The trial in which the part says this, or is left out; None where no filter can write it."""
    if value is MISSING:
        return Trial("handshake-value", (factor.filter,))
    text = str(value)
    if text == _said(request, factor):
        return Trial("handshake-value")  # as it was: to write the same would change nothing, and show nothing
    if factor.part != "query" and not text.isascii():
        return None
    if factor.part == "cookie" and any(c in ";, \t" for c in text):
        return None
    try:
        return Trial("handshake-value", (str(valued(request, factor, text)),))
    except FilterError:
        return None


def _claim(case: Case, factor: Factor, found: Condition, before: Claim, begins: str) -> Claim:
    what = "parameter" if factor.part == "query" else factor.part
    words = f"the {what} {found.words}"
    condition = Condition(words, found.boundary, filter=factor.filter)
    law = Law(f"{begins} when {words}", [condition], before.law.irrelevant)
    fails, survives = found.fails, found.survives
    assert fails is not None and survives is not None

    def made(value: Any, otherwise: Trial) -> Trial:
        trial = _with(case.request, factor, value)
        return otherwise if trial is None else Trial("prediction", (*otherwise.filters, *trial.filters))

    def failing(rng: Random) -> Trial:
        return made(fails(rng), before.failing(rng))

    def surviving(rng: Random) -> Trial:
        assert before.surviving is not None
        whole = before.surviving(rng)
        value = survives(rng)
        return whole if value is MISSING or rng.random() < 0.25 else made(value, before.failing(rng))

    claim = Claim(law, failing, surviving)
    for number, value in enumerate(found.edge or ()):
        if (trial := _with(case.request, factor, value)) is not None:
            claim.edges.append((trial, bool(number)))
    return claim
