"""The server ends it right after a message of the client: which message, and what about it?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from hangup.diagnosis.case import Case
from hangup.diagnosis.figures import WINDOWS, middle, steadiness, surprise
from hangup.diagnosis.findings import Cite, Hypothesis, Trigger, cite
from hangup.diagnosis.reactions import Contrast, Reaction, Trait, reaction, replied
from hangup.humanize import plural, printable, size
from hangup.messages.shapes import Shape

FEW = 5
"""So many messages a handler may serve before it returns."""

_OF_NUMBERS = re.compile(r"limit|quota|max|count|too many|number|rate|\d+ messages|exceed", re.I)

_REFUSAL = re.compile(r"\berr(or|ors)?\b|fail|denied|reject|invalid|forbidden|unauth|refus|exception", re.I)

Make = Callable[[str], Hypothesis]


def after_a_message(case: Case) -> Iterator[Hypothesis]:
    """All that a message can be wrong about, and the handler that stops after any message."""
    if not case.may_be("server") or case.mode not in ("abrupt", "close"):
        return
    found = reaction(case, "client")
    if found is None:
        return
    contrast = Contrast(case, found)
    at_once = found.weight < 0.2 and case.mode == "abrupt" and middle(case.lived) < 0.15 and not contrast.safe_all
    at_once = at_once and len(found.hits) == found.tries and found.window <= WINDOWS[0]
    if at_once:
        # So soon after opening any end follows a message; it may be that one's doing all the same.
        found.weight = 0.8
    if found.weight < 0.2:
        return
    life, message = found.hits[0]
    cites = [cite(life, message) for life, message in found.hits]

    def make(verdict: str) -> Hypothesis:
        trigger = Trigger("frame", life.conn, message.n)
        hypothesis = Hypothesis(verdict, closer="server", trigger=trigger)
        if at_once:  # and so after any message
            hypothesis.says("ended-at-once", -1.0, "")
        return hypothesis.says("follows-client-message", found.weight, found.text, cites)

    answered = replied(found)
    for hypothesis in [*_by_trait(contrast, make, cites), *_any_message(case, contrast, make, cites)]:
        if hypothesis.verdict != "server-handler/returns-after-message" and answered >= 0.8 * len(found.hits):
            hypothesis.says("answered-before-the-end", -1.0, "the server answered that message before it ended", cites)
            if _refused(found):
                hypothesis.says("last-word-of-an-error", 1.0, "the server's last word is of an error", cites)
        yield hypothesis
    yield from _returns(case, contrast, make, answered, cites)


def _by_trait(contrast: Contrast, make: Make, cites: list[Cite]) -> Iterator[Hypothesis]:
    """What sets the deadly messages apart from the harmless ones."""
    explained = bool(contrast.missing_keys() or contrast.missing_beside_kin()[0])
    for verdict, name, has, words in _TRAITS:
        trait = contrast.trait(has)
        if not trait.fatal:
            continue
        if trait.safe_all:
            if verdict == "message/not-json" and not contrast.mostly_json:
                continue  # the harmless messages are such too
            explained |= trait.decisive and verdict != "heartbeat/app-ping-kills"
            yield _told(make(verdict), name, trait, words, cites)
        elif trait.fatal >= 0.7 * trait.hits:
            hypothesis = make(verdict).says(f"last-is-{name}", 1.0, f"the last message is {words}", cites)
            beats = sum(m.shape.beat is not None for m in contrast.fatal)
            if verdict == "message/not-json" and beats >= 0.7 * trait.hits:
                hypothesis.says(
                    "text-heartbeat", 1.0, "a text heartbeat to a server that reads JSON is the commonest of all causes"
                )
            explained |= verdict == "message/not-json"
            yield hypothesis
    for hypothesis in _opcode(contrast, make, cites):
        explained = True
        yield hypothesis
    yield from _one_shape(contrast, make, cites, explained)
    yield from _size(contrast, make, cites)
    yield from _wire(contrast, make, cites)


def _told(hypothesis: Hypothesis, name: str, trait: Trait, words: str, cites: list[Cite]) -> Hypothesis:
    if trait.safe:
        text = f"{trait.fatal} of {trait.hits} last messages are {words}, and {trait.safe} such did no harm"
    else:
        text = (
            f"{trait.fatal} of {trait.hits} last messages are {words}; the {trait.safe_all} messages that did no harm "
            "are not"
        )
    return hypothesis.says(f"only-the-last-{name}", trait.weight, text, cites)


def _not_json(shape: Shape) -> bool:
    return shape.opcode == "text" and not shape.json and not shape.faults & {"utf8", "bom", "nan", "empty"}


_TRAITS: tuple[tuple[str, str, Callable[[Shape], bool], str], ...] = (
    ("message/not-json", "not-json", _not_json, "text that is not JSON"),
    ("message/not-json", "empty", lambda s: "empty" in s.faults, "empty, which is not JSON"),
    ("message/encoding", "bom", lambda s: "bom" in s.faults, "text with a byte order mark"),
    ("message/encoding", "nan", lambda s: "nan" in s.faults, "JSON with NaN or Infinity in it"),
    ("message/invalid-utf8", "not-utf8", lambda s: "utf8" in s.faults, "text frames that are not UTF-8"),
    ("heartbeat/app-ping-kills", "heartbeat", lambda s: s.beat is not None and s.beat.kind == "ping", "heartbeats"),
)


def _opcode(contrast: Contrast, make: Make, cites: list[Cite]) -> Iterator[Hypothesis]:
    """A message of the other opcode."""
    binary = contrast.trait(lambda s: s.opcode == "binary")
    if binary.fatal >= 0.7 * binary.hits and not contrast.mostly_binary:
        yield _told(make("message/wrong-opcode"), "of-an-opcode", binary, "binary", cites)
    text = contrast.trait(lambda s: s.opcode == "text")
    if contrast.mostly_binary and text.decisive:
        yield _told(make("message/wrong-opcode"), "of-an-opcode", text, "text frames", cites)


def _one_shape(contrast: Contrast, make: Make, cites: list[Cite], explained: bool) -> Iterator[Hypothesis]:
    """A message without a field, or of a kind that the others are not, or just this one."""
    if not contrast.one_shape:
        return
    shape = contrast.shape
    same = contrast.trait(lambda s: s is shape)
    if missing := contrast.missing_keys():
        others = len({s for s in contrast.safe if s.json})
        kinds = {s.kind for s in contrast.safe if s.json}
        words = f"{shape.text} lacks {_fields(missing)}, which all harmless messages ({plural(others, 'kind')}) have"
        hypothesis = _told(make("message/schema"), "of-a-shape", same, shape.text, cites)
        if len(kinds) == 1 and shape.kind not in kinds:
            # Another kind has other fields: its name, its fields, its place may be wrong.
            hypothesis.says("of-another-kind", -1.0, "")
        yield hypothesis.says("lacks-what-all-others-have", 0.5 * min(others, 4), words, cites)
    elif shape.json:
        hypothesis = _told(make("message/schema"), "of-a-shape", same, shape.text, cites)
        lacking, kin = contrast.missing_beside_kin()
        if kin is not None:
            hypothesis.says(
                "lacks-what-its-kin-have", 1.0, f"it lacks {_fields(lacking)}, which the harmless {kin.text} has", cites
            )
        yield hypothesis
    known = {s.kind for s in contrast.safe if s.json}
    if shape.json and shape.kind and same.safe_all and shape.kind not in known:
        yield _told(make("message/unknown-type"), "of-a-shape", same, shape.text, cites)
    plain = make("server-handler/crash-on-message")
    if explained:
        plain.says("its-kind-explains-it", -1.0, "that the message differs in kind says more")
    if not same.safe_all:
        plain.says(
            "only-one-shape-was-sent",
            1.0,
            f"only {shape.text} was ever sent: what about it is deadly cannot be seen",
            cites,
        )
    yield _told(plain, "of-a-shape", same, shape.text, cites) if same.safe_all else plain


def _fields(names: frozenset[str]) -> str:
    return ", ".join(f"`{printable(name, 40)}`" for name in sorted(names)[:3])


def _size(contrast: Contrast, make: Make, cites: list[Cite]) -> Iterator[Hypothesis]:
    """The largest message of all."""
    trait = contrast.larger()
    smallest = min(message.size for message in contrast.fatal)
    if not contrast.largest_safe:
        if smallest >= 4096:
            yield make("message/oversize").says("last-is-large", 1.0, f"the last message has {size(smallest)}", cites)
        return
    if trait.fatal < 0.7 * trait.hits or smallest < 512:
        return
    ratio = smallest / contrast.largest_safe
    text = (
        f"the last message has {size(smallest)} or more; no harmless one is larger than {size(contrast.largest_safe)}"
    )
    hypothesis = make("message/oversize").says("larger-than-all-harmless", max(trait.weight, 0.3), text, cites)
    hypothesis.says("much-larger-than-all-harmless", min(0.5 * (ratio - 1), 2.0), "")
    if any(message.shape in contrast.safe for message in contrast.fatal):
        hypothesis.says("smaller-ones-did-no-harm", 1.0, "smaller messages of the same shape did no harm", cites)
    yield hypothesis


def _wire(contrast: Contrast, make: Make, cites: list[Cite]) -> Iterator[Hypothesis]:
    """Frames: problems, fragments, compression."""
    fatal = contrast.fatal
    hits = len(fatal)
    case_total = max(contrast.total - hits, 0)
    faulty = [m for m in fatal if set(m.problems) - {"invalid-utf8"}]
    if faulty:
        problems = ", ".join(sorted({p for m in faulty for p in m.problems}))
        hypothesis = make("message/framing")
        yield hypothesis.says(
            "last-frame-malformed", surprise(len(faulty), hits, 0.01), f"the last frame is malformed: {problems}", cites
        )
    if bad := [m for m in fatal if "invalid-utf8" in m.problems]:
        hypothesis = make("message/invalid-utf8")
        yield hypothesis.says(
            "last-is-not-utf8", surprise(len(bad), hits, 0.05), "the last message is text that is not UTF-8", cites
        )
    split = [m for m in fatal if m.fragments > 1]
    if split and case_total:
        seen = sum(m.fragments > 1 for life, _ in contrast.found.hits for m in life.traffic.recent)
        weight = surprise(len(split), hits, (max(seen - len(split), 0) + 0.5) / (case_total + 1))
        if weight > 0.5:
            text = f"{len(split)} of {hits} last messages came in fragments, which hardly any other did"
            yield make("message/framing").says("last-in-fragments", weight, text, cites)


def _any_message(case: Case, contrast: Contrast, make: Make, cites: list[Cite]) -> Iterator[Hypothesis]:
    """Compression that was agreed to and is not understood: the first compressed frame of any content."""
    victims = [life for life, _ in contrast.found.hits]
    packed = [m for m in contrast.fatal if m.compressed]
    if len(packed) < 0.7 * len(contrast.fatal):
        return
    by_server = sum(life.traffic.server.compressed for life in case.same_route)
    survived = sum(life.traffic.client.compressed for life in case.same_route) - len(packed)
    hypothesis = make("handshake/extension")
    hypothesis.trigger = Trigger("header", victims[0].conn)
    agreed = "permessage-deflate was agreed to, and the server ended it at the first compressed message"
    if survived <= 0:
        hypothesis.says("ended-at-the-first-compressed", 1.0, agreed, cites)
    else:
        hypothesis.says("compressed-messages-did-no-harm", -1.0, f"{survived} compressed messages did no harm", cites)
    if by_server:
        hypothesis.says("server-compresses-too", -1.0, f"the server itself sent {by_server} compressed messages", [])
    plain = sum(life.traffic.server.messages for life in case.same_route) - by_server
    if plain > 1 and not by_server:
        hypothesis.says(
            "server-never-compresses", 1.0, f"the server sent {plain} messages, none of them compressed", []
        )
    if any(not life.header("server", response=True) for life in victims):
        hypothesis.says("response-names-no-server", 1.0, "the response names no server: it may be hand-written", [])
    elif case.stack.server:
        hypothesis.says("library-implements-it", -1.0, f"{case.stack.server} implements it", [])
    yield hypothesis


def _refused(found: Reaction) -> bool:
    """Whether the server's last word each time is of an error."""
    last = [m for life, _ in found.hits if (m := life.traffic.server.last) is not None]
    words = [" ".join((m.shape.kind, *m.shape.keys)) for m in last]
    return len(last) == len(found.hits) and all(map(_REFUSAL.search, words))


def _returns(case: Case, contrast: Contrast, make: Make, answered: int, cites: list[Cite]) -> Iterator[Hypothesis]:
    """The handler ends after its first message, or after so many, whatever they say."""
    found: Reaction = contrast.found
    indexes = [life.traffic.client.messages for life, _ in found.hits]
    hits = len(found.hits)
    first = min(indexes)
    most = max((life.traffic.client.messages for life in case.same_route), default=0)
    hypothesis = make("server-handler/returns-after-message")
    hypothesis.trigger = Trigger("count", found.hits[0][0].conn, found.hits[0][1].n)
    constant = max(indexes) == first
    if constant and first == 1:
        text = "it ended after the first message each time" if hits > 1 else "it ended after the first message"
        hypothesis.says(
            "after-the-first-message" if most <= 1 else "others-got-more-through",
            1.0 if most <= 1 else -1.0,
            text,
            cites,
        )
        if most > 1:
            hypothesis.says("others-got-more-through", -1.0, f"another connection got {most} messages through", [])
    elif constant and hits > 1 and most <= first:
        # Nobody writes a handler that serves so many by hand: that is a limit.
        text = f"it ended after message {first} of the client each time"
        hypothesis.says(
            "after-a-fixed-number" if first <= FEW else "after-a-large-number",
            1.0 if first <= FEW else -1.0,
            text,
            cites,
        )
    elif constant:
        hypothesis.says(
            "others-got-more-through",
            -1.0,
            f"another connection got {most} messages through" if most > first else "",
            cites,
        )
    else:
        hypothesis.says(
            "number-of-messages-varies",
            -1.0,
            f"the number of messages before the end varies ({first} to {max(indexes)})",
            cites,
        )
    kinds = len(contrast.by_shape)
    if kinds > 1 and constant:
        hypothesis.says(
            "last-messages-of-many-kinds", min(kinds - 1.0, 3.0), f"the last messages are of {kinds} kinds", cites
        )
    after = [
        sum(m.side == "server" and m.data and m.n > message.n for m in life.traffic.recent)
        for life, message in found.hits
    ]
    if middle(after) > 6:
        hypothesis.says(
            "server-went-on-sending", -1.0, f"the server sent {middle(after):.0f} or more messages after it", cites
        )
    if answered >= 0.8 * hits:
        hypothesis.says("answered-before-the-end", 1.0, "the server answered that message and then ended it", cites)
    else:
        hypothesis.says("not-answered-before-the-end", -1.0, "the server did not answer before it ended", cites)
    if _refused(found):
        hypothesis.says(
            "last-word-of-an-error", -1.0, "the server's last word is of an error: it minds what was said", cites
        )
    yield hypothesis
    if constant and hits >= 3 and first > 1:
        limit = make("process/message-count-limit")
        limit.trigger = Trigger("count", found.hits[0][0].conn, found.hits[0][1].n)
        steady = steadiness([life.lasted for life, _ in found.hits])
        # A client that keeps a pace reaches a number and an age together; that the kind does not matter tells more.
        limit.says("steady-age", -max(steady, 0.0), "the age is the same each time too")
        weight = min(0.9 * (hits - 1), 3.0)
        if case.reasons and not _OF_NUMBERS.search(case.reasons):
            limit.says("reason-names-no-number", -1.0, "the reason that it gave speaks of no number")
        if most > first:
            limit.says("others-got-more-through", -1.0, f"another connection got {most} messages through")
        if kinds > 1:
            limit.says(
                "last-messages-of-many-kinds", min(kinds - 1.0, 3.0), f"the last messages are of {kinds} kinds", cites
            )
        else:
            limit.says("last-messages-of-one-kind", -1.0, "")
        if answered >= 0.8 * hits:
            limit.says("answered-before-the-end", 1.0, "the server answered that message and then ended it", cites)
        yield limit.says(
            "after-a-fixed-number", weight, f"it ended after exactly {first} messages of the client each time", cites
        )
