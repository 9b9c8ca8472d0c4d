"""Laws about the handshake: a part of it makes the difference, or the length of a header, or nothing that it says."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hangup.experiment.arms import Arms
from hangup.experiment.claim import Claim
from hangup.experiment.evidence import Outcome
from hangup.experiment.factors import VARY
from hangup.experiment.law import Condition, Law
from hangup.experiment.trial import Case, Trial
from hangup.experiment.verdict import PROOF, Verdict
from hangup.filters.base import Kind
from hangup.filters.library.headers import SetHeader
from hangup.filters.text import parse
from hangup.humanize import duration, printable

_SAID = {
    "query": "query",
    "cookie": "cookies",
    "header": "headers",
    "credential": "credentials",
    "origin": "Origin",
    "subprotocol": "subprotocols",
    "no-extensions": "extensions",
    "no-subprotocol": "subprotocols",
    "no-origin": "Origin",
    "no-cookie": "cookies",
}
"""The parts of a handshake in words, by what varies them."""


def handshake_law(arms: Arms, verdict: Verdict, trigger: str) -> Claim | None:
    """The law where a change of the handshake keeps the connection open."""
    if trigger != "header" or not verdict.cure or verdict.p >= PROOF:
        return None
    filters = tuple(verdict.cure.split(" + "))
    if any(parse(each).kinds & Kind.MESSAGE for each in filters):
        return None  # it is something that is said, whatever else may be thought of it
    title = next((t.title for t in verdict.ladder if t.filters == filters), f"with {verdict.cure}")
    # Parts that were changed by themselves, and of which nothing came, may be changed as well.
    parts = {f: (f.part, f.name) for f in arms.case.factors}
    mine = {(f.part, f.name) for f in parts if f.filter in filters}
    failed = {f for t in verdict.ladder if t.arm.startswith(VARY) and t.outcome is Outcome.FAILED for f in t.filters}
    # A fix may need what seemed idle by itself: a credential under another name needs the credential.
    needed = ("path", "size", "credential")
    idle = [f for f in parts if f.filter in failed and parts[f] not in mine and f.part not in needed]

    def fresh(rng: Random, changed: tuple[str, ...]) -> Trial:
        some = {parts[f]: f.filter for f in rng.sample(idle, min(len(idle), rng.randint(0, 2)))}
        return Trial("prediction", (*some.values(), _novelty(rng), *changed), clients=arms.clients)

    begins = _refused(arms.case) if arms.case.how == "refused" or arms.case.badly_answered else arms.case.ends
    condition = Condition(f"the handshake as it was, not {title}", filter=verdict.cure)
    irrelevant = sorted({" ".join(parts[f]).rstrip() for f in idle})
    law = Law(f"{begins}, unless the handshake is changed: {title}", [condition], irrelevant)
    return Claim(law, lambda rng: fresh(rng, ()), lambda rng: fresh(rng, filters))


def header_size_law(
    case: Case, name: str, low: int, high: int, rest: int, trial: Callable[[int], Trial]
) -> Claim:
    """A limit of the headers: with ``low`` bytes of the longest (``name``) it opens, with ``high`` it does not; the
    others have ``rest``."""
    words = f"the {name} header has {high:,} bytes or more (all headers {high + rest:,})"
    condition = Condition(words, f"survives {low:,} B, fails {high:,} B")
    law = Law(f"{_refused(case)} when {words}", [condition], [f"what {name} says"])
    claim = Claim(
        law,
        lambda rng: trial(high + rng.randint(0, max(high // 4, 1))),
        lambda rng: trial(max(0, low - rng.randint(0, max(low // 2, 1)))),
    )
    claim.edges = [(trial(low), False), (trial(high), True)]
    return claim


def refusals(arms: Arms, verdict: Verdict) -> Claim:
    """The law of handshakes that are all refused alike, whatever was changed in them."""
    case = arms.case
    varied: dict[str, None] = {"headers": None}
    for tried in verdict.ladder:
        if tried.outcome is Outcome.FAILED and tried.filters:
            part = tried.arm.removeprefix(VARY).rpartition("-")[0] if tried.arm.startswith(VARY) else tried.arm
            varied |= dict.fromkeys([_SAID[part]] if part in _SAID else [])
    sentence = f"{_refused(case)}, whatever its {_listed([*varied])}"
    able = [f for f in case.factors if f.part not in ("path", "credential", "size", "contents")]

    def fresh(rng: Random) -> Trial:
        some = {(f.part, f.name): f.filter for f in rng.sample(able, min(len(able), rng.randint(0, 3)))}
        new = SetHeader(name=f"X-Trial-{rng.randint(1, 9)}", value=str(rng.randint(1, 1 << 30)))
        return Trial("prediction", (*some.values(), str(new)))

    claim = Claim(Law(sentence, [Condition(f"the path is `{_path(case)}`")], [*varied]), fresh, None)
    if case.served_as:
        claim.though = (
            f"the same request was accepted before, on connection {case.served_as}: something in it has been used up "
            "or has expired, or the server remembers that connection"
        )
    return claim


def _refused(case: Case) -> str:
    return f"every handshake to `{_path(case)}` {_answered(case)}"


def _path(case: Case) -> str:
    return printable(case.request.target.partition("?")[0] or "/", 120)


def _answered(case: Case) -> str:
    rule = case.client_rule
    if rule is not None and rule.on == "no-answer":
        return f"is left unanswered for {duration(rule.after)}"
    if case.badly_answered:
        return f"gets an answer {case.badly_answered}"
    return f"is answered {case.status}" if case.status is not None else "is refused"


def _novelty(rng: Random) -> str:
    """A header that nobody can know: with it no exchange is one that was tried before."""
    return str(SetHeader(name=f"X-Trial-{rng.randint(1, 9)}", value=str(rng.randint(1, 1 << 30))))


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
