"""What the client's last message is, and how its form differs from those that did no harm."""

from __future__ import annotations

from collections.abc import Callable

from hangup.diagnosis.reactions import EndingContrast
from hangup.diagnosis.signs import Sign
from hangup.diagnosis.signs.last_messages import of_the_last, trigger, unread
from hangup.humanize import plural, printable
from hangup.messages.shapes import Shape

MOST = 0.7
"""The share of the last messages that must have something in common."""

Has = Callable[[Shape], bool]


def _binary(shape: Shape) -> bool:
    return shape.opcode == "binary"


def _text(shape: Shape) -> bool:
    return shape.opcode == "text"


def _not_json(shape: Shape) -> bool:
    told = not unread(shape) or shape.text == "other text"
    return shape.opcode == "text" and not shape.json and told and not shape.faults & {"utf8", "bom", "nan", "empty"}


TRAITS: tuple[tuple[str, Has, str], ...] = (
    ("not_json", _not_json, "text that is not JSON"),
    ("empty", lambda s: "empty" in s.faults, "empty, which is not JSON"),
    ("bom", lambda s: "bom" in s.faults, "text with a byte order mark"),
    ("nan", lambda s: "nan" in s.faults, "JSON with NaN or Infinity in it"),
    ("surrogate", lambda s: "surrogate" in s.faults, (
        "JSON with half of a surrogate pair in it, which is not a "
        "character"
    )),
    ("not_utf8", lambda s: "utf8" in s.faults, "text that is not UTF-8"),
    ("heartbeat", lambda s: s.beat is not None and s.beat.kind == "ping", "heartbeats"),
)
"""What a message can be."""


def _told(contrast: EndingContrast, has: Has, words: str) -> Sign | None:
    """How often the last messages are so, and those that did no harm."""
    trait = contrast.trait(has)
    known = trait.safe_all - sum(n for shape, n in contrast.safe.items() if unread(shape))
    if not trait.fatal or not known:
        return None
    others = f"; the {plural(known, 'message')} that did no harm {'is' if known == 1 else 'are'} not"
    text = f"{share(trait.fatal, trait.hits)} {words}" + (
        f", and {trait.safe} such did no harm" if trait.safe else others
    )
    return Sign(trait.weight, text, trigger=trigger(contrast.found))


def _is_so(contrast: EndingContrast, has: Has, words: str) -> Sign | None:
    """That they are so, where there are no others."""
    trait = contrast.trait(has)
    so = trait.fatal >= MOST * trait.hits and not trait.safe_all
    return Sign(1.0, f"{share(trait.fatal, trait.hits)} {words}", trigger=trigger(contrast.found)) if so else None


def share(so: int, hits: int, verb: str = "is are") -> str:
    """How many of the last messages are so, as the beginning of a sentence."""
    one, many = verb.split()
    return f"the last message {one}" if so == hits == 1 else f"{so} of {hits} last messages {many}"


def _make(name: str, has: Has, words: str) -> None:
    """The two signs of a trait: one with harmless messages to compare with, and one without."""

    def only(contrast: EndingContrast) -> Sign | None:
        # Where the harmless messages are no JSON either, it is nothing to be found fault with.
        usual = name in ("not_json", "empty") and not contrast.mostly_json
        return None if usual else _told(contrast, has, words)

    def is_so(contrast: EndingContrast) -> Sign | None:
        return _is_so(contrast, has, words)

    only.__name__, is_so.__name__ = f"only_the_last_{name}", f"last_is_{name}"
    of_the_last(only)
    if name != "not_utf8":  # which no text may be, whatever the others are: that has a sign of its own
        of_the_last(is_so)


for _trait in TRAITS:
    _make(*_trait)


def _opcode(contrast: EndingContrast) -> Has | None:
    """The opcode that the last messages have, and most others have not."""
    binary, text = contrast.trait(_binary), contrast.trait(_text)
    if binary.fatal >= MOST * binary.hits and not contrast.mostly_binary:
        return _binary
    return _text if contrast.mostly_binary and text.decisive else None


@of_the_last
def only_the_last_of_an_opcode(contrast: EndingContrast) -> Sign | None:
    """The last messages are binary, and others are not, or the other way round."""
    has = _opcode(contrast)
    return None if has is None else _told(contrast, has, "binary" if has is _binary else "text frames")


@of_the_last
def last_is_binary(contrast: EndingContrast) -> Sign | None:
    """The last message is binary, and there are no others."""
    return _is_so(contrast, _binary, "binary")


@of_the_last
def text_heartbeat(contrast: EndingContrast) -> Sign | None:
    """The last message is a heartbeat in plain text."""
    trait = contrast.trait(lambda shape: shape.beat is not None and _not_json(shape))
    text = f"{share(trait.fatal, trait.hits)} heartbeats in plain text, not in JSON"
    return Sign(1.0, text) if trait.fatal >= MOST * trait.hits else None


@of_the_last
def only_the_last_of_a_shape(contrast: EndingContrast) -> Sign | None:
    """The last messages have one form."""
    shape = contrast.shape
    words = "recorded without their content" if shape.text.startswith("large ") else shape.text
    one = contrast.one_shape and not shape.text.startswith("other ")
    return _told(contrast, lambda other: other is shape, words) if one else None


@of_the_last
def of_another_kind(contrast: EndingContrast) -> Sign | None:
    """The last message names a kind that none of the harmless ones has."""
    kind, kinds = contrast.shape.kind, {other.kind for other in contrast.safe if other.json}
    if not contrast.one_shape or not contrast.shape.json or not kind or not kinds or kind in kinds:
        return None
    text = f'the last message is of the type "{printable(kind, 40)}", and none that did no harm is'
    return None if any(map(unread, contrast.safe)) else Sign(1.0, text)


@of_the_last
def lacks_what_all_others_have(contrast: EndingContrast) -> Sign | None:
    """The last message has not a field that all harmless JSON has."""
    missing = contrast.missing_keys()
    others = sum(other.json and bool(other.keys) for other in contrast.safe)
    whose = f"every JSON object that did no harm ({plural(others, 'kind')}) has"
    text = f"{contrast.shape.text} lacks {_fields(missing)}, which {whose}"
    return Sign(0.5 * min(others, 4), text) if missing and contrast.one_shape else None


@of_the_last
def lacks_what_its_kin_have(contrast: EndingContrast) -> Sign | None:
    """The last message has not a field that a harmless one of the same kind has."""
    lacking, kin = contrast.missing_beside_kin()
    if kin is None or not contrast.one_shape:
        return None
    return Sign(1.0, f"{contrast.shape.text} lacks {_fields(lacking)}, which {kin.text} has, and that did no harm")


@of_the_last
def last_message_differs_in_form(contrast: EndingContrast) -> Sign | None:
    """Something of the last message differs in form from nearly all that did no harm."""
    traits = [has for name, has, _ in TRAITS if name != "heartbeat"][0 if contrast.mostly_json else 2 :]
    opcode = _opcode(contrast)
    apart = any(contrast.trait(has).decisive for has in (*traits, *([opcode] if opcode else ())))
    lacks = contrast.missing_keys() or contrast.missing_beside_kin()[0]
    text = "the last message differs in form from nearly all that did no harm"
    return Sign(1.0, text) if contrast.safe_all and (lacks or apart) else None


def _fields(names: frozenset[str]) -> str:
    return ", ".join(f"`{printable(name, 40)}`" for name in sorted(names)[:3])
