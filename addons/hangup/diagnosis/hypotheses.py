"""From the signs of a case to hypotheses: each cause that a sign or somebody's words suggest, and the unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hangup.diagnosis import causes, signs
from hangup.diagnosis.case import Case
from hangup.diagnosis.causes import Cause
from hangup.diagnosis.findings import UNKNOWN, Hypothesis, Trigger
from hangup.diagnosis.signs import Sign

PLAIN = 1.0
"""The strength from which on words are a statement, which also speaks against what it does not mention."""

BEAT = "heartbeat/app-ping-kills"
BEAT_ENDS_IT = ("only-the-last-heartbeat", "last-is-heartbeat")

OF_UNKNOWN = (
    "nothing-failed", "way-of-ending", "kind-of-close-code", "few-ends", "follows-nothing", "keeps-no-time", "neither",
    "some-got-older", "other-connections-stayed-open", "client-had-spoken", "last-client-messages-differ",
    "not-reopened", "never-reached",
)  # fmt: skip
"""Signs that speak for a cause that nobody has thought of, or say only in which way it ended."""

TOLD = ("never-reached",)
"""Those of them that say something to a person; the others are only of use for weighing."""


def hypotheses(case: Case) -> list[Hypothesis]:
    """Every cause that something suggests, each with the signs for and against it, and the unknown."""
    seen = signs.read(case)
    known = causes.known().values()
    said = {cause.verdict: _said(cause, seen) for cause in known if can_be(case, cause)}
    if any(name in seen and seen[name].strength > 0 for name in BEAT_ENDS_IT) and BEAT in said:
        # What words say about such a message they say about the heartbeat.
        for verdict, words in list(said.items()):
            if verdict.startswith("message/"):
                said[BEAT] = {**words, **said[BEAT]}
    found = [h for cause in known if (h := _hypothesis(case, cause, seen, said.get(cause.verdict))) is not None]
    meant = {verdict for verdict, words in said.items() if max(words.values(), default=0.0) >= PLAIN}
    for hypothesis in found:
        if case.closer == "unknown":
            hypothesis.says("closer-not-told", -1.0, "the recording does not say which side ended it")
        if meant and hypothesis.verdict not in meant and hypothesis.category != "none":
            hypothesis.says("not-what-was-said", -1.0, "what the server said about the end does not mention it")
    understood = any(strength > 0 for words in said.values() for strength in words.values())
    return [*found, _unknown(case, seen, understood)]


def _said(cause: Cause, seen: Mapping[str, Sign]) -> dict[str, float]:
    """Which of the phrases that were said speak for or against a cause, and how strongly."""
    return {name: strength * seen[name].strength for name, strength in cause.said.items() if name in seen}


def _hypothesis(case: Case, cause: Cause, seen: Mapping[str, Sign], said: dict[str, float] | None) -> Hypothesis | None:
    """A cause with the signs that are there, or None if nothing suggests it."""
    if said is None:
        return None
    suggested = [name for name in _among(seen, cause.suggests) if seen[name].strength > 0]
    if not suggested and max(said.values(), default=0.0) <= 0:
        return None
    closer = "none" if cause.verdict.startswith("none/") else case.closer or "unknown"
    hypothesis = Hypothesis(cause.verdict, closer=closer, trigger=_ending(case))
    for names, way in ((cause.suggests, 1.0), (cause.supports, 1.0), (cause.against, -1.0)):
        for name in _among(seen, names):
            hypothesis.says(_kind(name), way * seen[name].strength, seen[name].text, seen[name].cites)
            if seen[name].exact and way > 0:
                hypothesis.exactly[_kind(name)] = seen[name].exact
    for name, strength in said.items():
        hypothesis.says(_kind(name), strength, seen[name].text, seen[name].cites)
    for name in suggested:
        if (trigger := seen[name].trigger) is not None:
            hypothesis.triggers.setdefault(_kind(name), trigger)
    return hypothesis


def _ending(case: Case) -> Trigger:
    """Which connection ended, where no event is known that ended it."""
    return Trigger("none", case.victims[0].conn) if case.victims else Trigger()


def _among(seen: Mapping[str, Sign], names: Sequence[str]) -> list[str]:
    """Those of these signs that are there; a name without a variety stands for all of them."""
    return [each for name in names for each in seen if each == name or (":" not in name and _kind(each) == name)]


def _kind(name: str) -> str:
    """A sign's name without its variety: what is learned of one holds for all."""
    return name.partition(":")[0]


def _unknown(case: Case, seen: Mapping[str, Sign], understood: bool) -> Hypothesis:
    """The unknown. ``understood`` is whether a cause makes something of the words that were said about the end."""
    hypothesis = Hypothesis(UNKNOWN, closer=case.closer or "unknown", trigger=_ending(case))
    for name, each in seen.items():
        if _kind(name) in OF_UNKNOWN:
            hypothesis.says(name, each.strength, each.text if name in TOLD else "", each.cites)
    if not understood and (reason := seen.get("close-reason-given")) is not None:
        hypothesis.says("reason-not-understood", 1.0, f"{reason.text}, which is not a known cause", reason.cites)
    return hypothesis


def can_be(case: Case, cause: Cause) -> bool:
    """Whether what a cause needs was there at all, whatever words speak for it: its closer, a message, and so on."""
    if not case.victims:
        return not cause.needs
    if case.closer not in ("unknown", *cause.closers) and not cause.verdict.startswith("none/"):
        return False
    if not cause.needs:
        return True
    if cause.needs == "never-served":
        # What a filter made of a request is another one.
        return not any(life.open_since is not None and not life.traffic.acted for life in case.others)
    if not any(life.open_since is not None for life in case.victims):
        return False  # a refused handshake hangs on no message and no timer of the connection
    if cause.needs == "client-message":
        return case.closer == "client" or any(life.traffic.client.messages for life in case.victims)
    if cause.needs == "other-pong" and case.closer == "server":
        beats = (life.traffic.beats.get(("server", "control")) for life in case.victims)
        return any(each is not None and each.mismatched for each in beats)
    if cause.needs in ("traffic", "other-pong"):
        quiet = not any(half.messages for life in case.victims for half in life.traffic.halves.values())
        return not quiet or any(life.traffic.junk or life.problems or life.traffic.seen for life in case.victims)
    return True
