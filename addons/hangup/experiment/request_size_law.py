"""Whether it is one value of a handshake that is too long, or what it is a part of: the request's target, its Cookie
header, or its whole head.

The value is as long as still opens the connection, and something is added beside it: where that fails, the limit is of
the whole, and its law is held against exchanges in which the one is shorter and the other longer.
"""

from __future__ import annotations

from random import Random

from msgspec import Struct

from hangup.experiment.arms import Arms, Search
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Counts, Outcome
from hangup.experiment.factors import Factor, head_size, header, valued, written
from hangup.experiment.handshakes import CREDENTIALS, PARAMETER
from hangup.experiment.law import Condition, Law
from hangup.experiment.text_boundary import of_letters
from hangup.experiment.trial import Trial
from hangup.filters.library.headers import SetHeader
from hangup.filters.library.target import Query
from hangup.recording.events import Request

FILLER = "x-filler"
"""A parameter, cookie or header that no server knows."""

ADDED = 48
"""So many characters are added beside the value: more than a boundary is missed by."""

SHORT = 64
"""A shorter value is no question of size."""


class _Whole(Struct, frozen=True):
    """What the value is a part of: in words, in which unit it is measured, where a filler is put, and how long it is
    without the value; ``own`` is what a filler without anything in it adds to that."""

    words: str
    unit: str
    filler: str
    rest: int
    own: int


def request_size_law(arms: Arms, factor: Factor, low: int, high: int, begins: str) -> Search[Claim | None]:
    """That law; None where only the value counts. With a value of ``low`` characters the connection opens, with
    ``high`` it does not. The sentence ``begins`` with what happens then."""
    if low < SHORT or not 0 < high - low <= ADDED:
        return None
    request = arms.case.request
    for whole in _wholes(request, factor):
        trial = _trial(request, factor, whole, low, ADDED, Random(low))
        if (yield from arms.decide(trial, Counts())) is Outcome.FAILED:
            return _claim(request, factor, whole, low, high, begins)
    return None


def _wholes(request: Request, factor: Factor) -> list[_Whole]:
    """The widest first: what its parts are limited to fails as well."""
    said = len(written(request, factor) or "")
    line = len(f"{request.method} {request.target} HTTP/1.1\r\n")
    head = "the request's first line and headers together have", "bytes", "header"
    found = [_Whole(*head, line + head_size(request) - said, len(f"{FILLER}: \r\n"))]
    if factor.part == "query":
        target = "the request's target has", "characters", "query"
        found.append(_Whole(*target, len(request.target) - said, len(f"&{FILLER}=")))
    if factor.part == "cookie":
        cookie = "the Cookie header has", "bytes", "cookie"
        found.append(_Whole(*cookie, len(header(request, "cookie")) - said, len(f"; {FILLER}=")))
    return found


def _trial(request: Request, factor: Factor, whole: _Whole, value: int, filler: int | None, rng: Random) -> Trial:
    """The value with so many characters, and beside it a filler with so many."""
    text = of_letters(rng, value)
    more = [(FILLER, of_letters(rng, filler))] if filler is not None else []
    filters = [valued(request, factor, text, more if whole.filler == "cookie" else ())]
    if whole.filler == "query":
        filters += [Query(name=name, value=said) for name, said in more]
    if whole.filler == "header":
        filters += [SetHeader(name=name, value=said) for name, said in more]
    return Trial("handshake-value", tuple(map(str, filters)))


def _claim(request: Request, factor: Factor, whole: _Whole, low: int, high: int, begins: str) -> Claim:
    survives, fails = low + whole.rest, high + whole.rest

    def of(total: int, rng: Random, shared: bool = True) -> Trial:
        """An exchange with so much in all, some of it in a filler."""
        room = total - whole.rest - whole.own
        if not shared or room < 2:
            return _trial(request, factor, whole, total - whole.rest, None, rng)
        filler = rng.randint(1, max(1, room // 2))
        return _trial(request, factor, whole, room - filler, filler, rng)

    words = f"{whole.words} {fails:,} {whole.unit} or more"
    boundary = f"survives {survives:,} {whole.unit}, fails {fails:,}"
    condition = Condition(words, boundary, filter=factor.filter)
    law = Law(f"{begins} when {words}", [condition], [f"how much of that `{factor.name}` has"])
    claim = Claim(
        law,
        lambda rng: of(fails + rng.randint(0, fails // 8), rng),
        lambda rng: of(survives - rng.randint(0, survives // 3), rng),
    )
    claim.edges = [(of(survives, Random(1)), False), (of(fails, Random(2)), True)]
    claim.name = "handshake/header-size"
    claim.refutes = *CREDENTIALS, PARAMETER  # letters that mean nothing do as well
    claim.edges += [(of(survives, Random(3), shared=False), False), (of(fails, Random(4), shared=False), True)]
    return claim
