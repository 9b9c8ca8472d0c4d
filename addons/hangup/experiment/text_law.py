"""Laws of texts that hold no JSON, and of texts that are no text: what of it ends the connection."""

from __future__ import annotations

from random import Random

from hangup.experiment.arms import Search
from hangup.experiment.boundary import condition
from hangup.experiment.claim import Claim
from hangup.experiment.ladder import protocol_of
from hangup.experiment.law import Condition, Law
from hangup.experiment.message_trials import InPlace
from hangup.experiment.message_values import MISSING, split
from hangup.experiment.trial import Trial
from hangup.humanize import printable

STRANGE = "hello there"
"""A text that no application has a meaning for."""

WORD = 16
"""Characters of a text that may be a word, which a law can be about."""

TEXTS = (STRANGE, "PING", "x", "a,b,c", "{not json", "<m/>", "ping pong", "heart-beat", "[1, 2", "...")

BROKEN = (b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98")
"""Bytes that are no UTF-8 where something else follows, or nothing."""


def text_law(place: InPlace) -> Search[Claim | None]:
    """The law of a text message that is not JSON."""
    payload = place.frame.payload
    if not payload:
        return (yield from _empty_law(place))
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return (yield from _utf8_law(place))
    strange = yield from place.ask(STRANGE.encode())
    if strange is False:
        return (yield from _of_one_text(place, text))
    return _of_unknown_texts(place) if strange is True else None


def _empty_law(place: InPlace) -> Search[Claim | None]:
    """An empty text, where any other stays open."""
    if (yield from place.ask(STRANGE.encode())) is not False:
        return None
    law = Law(f"{place.ends} on an empty text message{place.whose}{place.context}", [Condition("the text is empty")])
    law.conditions[0].boundary = "survives 1 character, fails 0"
    claim = Claim(law, lambda rng: place.trial(b""), lambda rng: place.trial(rng.choice(TEXTS).encode()))
    claim.edges = [(place.trial(b"x"), False)]
    return claim


def _utf8_law(place: InPlace) -> Search[Claim | None]:
    """The bytes are no UTF-8: with what is broken in them replaced it stays open."""
    sound = place.frame.payload.decode(errors="replace").replace("\ufffd", "?").encode()
    if (yield from place.ask(sound)) is not False:
        return None
    sentence = f"{place.ends} on a text message{place.whose} that is not valid UTF-8{place.context}"
    law = Law(sentence, [Condition("a text message is not valid UTF-8")], ["the rest of its content"])

    def failing(rng: Random) -> Trial:
        at = rng.randint(0, len(sound))
        return place.trial(sound[:at] + rng.choice(BROKEN) + sound[at:], "", rng)

    def surviving(rng: Random) -> Trial:
        return place.trial(rng.choice([sound, *_valid(place)]), "", rng)

    return Claim(law, failing, surviving)


def _valid(place: InPlace) -> list[bytes]:
    found = []
    for payload in place.kin:
        try:
            payload.decode()
        except UnicodeDecodeError:
            continue
        found.append(payload)
    return found


def _of_one_text(place: InPlace, text: str) -> Search[Claim | None]:
    """Other texts do no harm: it is something in this one."""
    known = [payload.decode(errors="replace") for payload in place.kin]
    asking = condition((), text, known[0] if known else STRANGE, known[1:])
    try:
        value = next(asking)
        while True:
            value = asking.send((yield from place.ask(value.encode())))
    except StopIteration as stop:
        found: Condition = stop.value
    fails, survives = found.fails, found.survives
    if fails is None or survives is None:
        return None
    if len(text) > WORD and {fails(Random(n)) for n in range(3)} == {text}:
        return None  # that this one text fails is no law: of no other is anything known
    sentence = f"{place.ends} on a text message{place.whose} that {found.words.removeprefix('it ')}{place.context}"
    return Claim(
        Law(sentence, [found]),
        lambda rng: place.trial(fails(rng).encode(), "", rng),
        lambda rng: place.trial(survives(rng).encode(), "", rng),
    )


def _of_unknown_texts(place: InPlace) -> Claim | None:
    """Any text fails that is none of those that it knows."""
    known = [(payload, opcode) for payload, opcode in place.others if opcode == "text"]
    objects = [(payload, opcode) for payload, opcode in known if split(payload)[1] is not MISSING]
    protocols = {name for payload, _ in known if (name := protocol_of(payload))}
    if not known:
        return None
    if protocols & {protocol_of(place.frame.payload)}:
        return None  # it is one of those itself: what is wrong with it is something else
    if protocols:
        words = f"any text message{place.whose} that is not a {' or '.join(sorted(protocols))} packet"
    elif objects:
        known, words = objects, f"any text message{place.whose} that is not JSON"
    else:
        few = ", ".join(repr(printable(payload[:40].decode(errors="replace"), 40)) for payload, _ in known[:3])
        words = f"any text message{place.whose} that the {place.reader} does not know (it knows {few})"
    law = Law(f"{place.ends} on {words}{place.context}", [Condition(words)])

    def failing(rng: Random) -> Trial:
        return place.trial(rng.choice(TEXTS).encode(), "", rng)

    return Claim(law, failing, lambda rng: place.harmless(rng, known))
