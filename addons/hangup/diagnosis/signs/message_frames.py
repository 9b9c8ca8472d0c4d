"""The size, the frames and the compression of the client's last message."""

from __future__ import annotations

from hangup.diagnosis.figures import surprise
from hangup.diagnosis.reactions import EndingContrast
from hangup.diagnosis.signs import Sign
from hangup.diagnosis.signs.last_messages import of_all, of_the_last, trigger
from hangup.diagnosis.signs.message_forms import MOST, share
from hangup.humanize import plural, size

SMALL = 512
"""Bytes that are too many for no server."""


def _smallest(contrast: EndingContrast) -> int:
    return min(message.size for message in contrast.fatal)


@of_the_last
def last_is_large(contrast: EndingContrast) -> Sign | None:
    """The last message is large, and there is no other to compare with."""
    smallest = _smallest(contrast)
    text = f"the last message has {size(smallest)}{' or more' if len(contrast.fatal) > 1 else ''}"
    return Sign(1.0, text) if smallest >= 8 * SMALL and not contrast.largest_safe else None


@of_the_last
def larger_than_all_harmless(contrast: EndingContrast) -> Sign | None:
    """The last message is larger than all that did no harm."""
    trait, most = contrast.larger(), contrast.largest_safe
    text = f"{share(trait.fatal, trait.hits)} larger than any that did no harm (those have up to {size(most)})"
    larger = most and trait.fatal >= MOST * trait.hits and _smallest(contrast) >= SMALL
    return Sign(max(trait.weight, 0.3), text) if larger else None


@of_the_last
def much_larger_than_all_harmless(contrast: EndingContrast) -> Sign | None:
    """By how much it is larger: half the factor."""
    smallest, most = _smallest(contrast), contrast.largest_safe
    return Sign(min(0.5 * (smallest / most - 1), 2.0)) if most and smallest > max(SMALL, 1.15 * most) else None


@of_the_last
def smaller_ones_did_no_harm(contrast: EndingContrast) -> Sign | None:
    """Smaller messages of the same form did no harm."""
    larger = [m for m in contrast.fatal if m.size > max(1.15 * contrast.largest_safe, SMALL)]
    alike = len(larger) >= MOST * len(contrast.fatal) and any(m.shape in contrast.safe for m in larger)
    return Sign(1.0, "smaller messages of the same form did no harm") if alike else None


@of_the_last
def last_frame_malformed(contrast: EndingContrast) -> Sign | None:
    """A frame of the last message breaks the protocol."""
    found = [set(m.problems) - {"invalid-utf8"} for m in contrast.fatal]
    faulty, hits = sum(map(bool, found)), len(found)
    text = f"{share(faulty, hits, 'has have')} malformed frames: {', '.join(sorted(set().union(*found)))}"
    return Sign(surprise(faulty, hits, 0.01), text) if faulty else None


@of_the_last
def last_is_not_utf8(contrast: EndingContrast) -> Sign | None:
    """The last message is a text that is none."""
    so, hits = (
        sum("invalid-utf8" in m.problems or "utf8" in m.shape.faults for m in contrast.fatal),
        len(contrast.fatal),
    )
    return Sign(surprise(so, hits, 0.05), f"{share(so, hits)} text that is not UTF-8") if so else None


@of_the_last
def last_in_fragments(contrast: EndingContrast) -> Sign | None:
    """The last message came in fragments, which others hardly ever do."""
    hits, split = len(contrast.fatal), sum(m.fragments > 1 for m in contrast.fatal)
    kept = [m for life in contrast.case.same_route for m in life.traffic.recent if m.side == "client" and m.data]
    others, alike = len(kept) - hits, sum(m.fragments > 1 for m in kept) - split
    weight = surprise(split, hits, (alike + 0.5) / (others + 1)) if others > 0 else 0.0
    text = f"{share(split, hits, 'came came')} in fragments, as did {alike or 'none'} of {others} others"
    return Sign(weight, text) if weight > 0.5 and alike <= 0.1 * others else None


# Compression.


def _compressed(contrast: EndingContrast) -> bool:
    """Whether nearly all of the last messages are compressed."""
    return sum(m.compressed for m in contrast.fatal) >= MOST * len(contrast.fatal)


def _survived(contrast: EndingContrast) -> int:
    """Compressed messages of the client that were not the last."""
    sent = sum(life.traffic.client.compressed for life in contrast.case.same_route)
    return sent - sum(m.compressed for m in contrast.fatal)


def _by_server(contrast: EndingContrast) -> int:
    return sum(life.traffic.server.compressed for life in contrast.case.same_route)


@of_all
def ended_at_the_first_compressed(contrast: EndingContrast) -> Sign | None:
    """The last messages are compressed, and no other was."""
    text = "the server closed it at the client's first compressed message"
    first = _compressed(contrast) and _survived(contrast) <= 0
    return Sign(1.0, text, trigger=trigger(contrast.found, "header")) if first else None


@of_all
def ended_at_the_second_compressed(contrast: EndingContrast) -> Sign | None:
    """Each ended at the client's second compressed message, which may refer to the first, and none had more."""
    case = contrast.case
    hit = {life.conn: life for life, _ in contrast.found.hits}
    counts = {life.traffic.client.compressed for life in hit.values()}
    others = max((life.traffic.client.compressed for life in case.same_route if life.conn not in hit), default=0)
    agreed = [life.header("sec-websocket-extensions", response=True) for life in hit.values()]
    reset = any("client_no_context_takeover" in each for each in agreed)
    text = "the server closed it at the client's second compressed message, which may refer to what was in the first"
    second = _compressed(contrast) and len(hit) > 1 and counts == {2} and others <= 1 and not reset
    return Sign(1.0, text, trigger=trigger(contrast.found, "header")) if second else None


@of_the_last
def compressed_messages_did_no_harm(contrast: EndingContrast) -> Sign | None:
    """Compressed messages came before the last, which is compressed."""
    survived = _survived(contrast)
    text = f"{plural(survived, 'compressed message')} from the client did no harm"
    return Sign(1.0, text) if _compressed(contrast) and survived > 0 else None


@of_the_last
def server_compresses_too(contrast: EndingContrast) -> Sign | None:
    """The client's last message is compressed, and so are messages of the server."""
    count = _by_server(contrast)
    text = f"the server itself sent {plural(count, 'compressed message')}"
    return Sign(1.0, text) if _compressed(contrast) and count else None


@of_all
def server_never_compresses(contrast: EndingContrast) -> Sign | None:
    """The client's last message is compressed, and none of the server's is."""
    count = sum(life.traffic.server.messages for life in contrast.case.same_route)
    never = count > 1 and _compressed(contrast) and not _by_server(contrast)
    return Sign(1.0, f"the server sent {count} messages, none of them compressed") if never else None


@of_the_last
def response_names_no_server(contrast: EndingContrast) -> Sign | None:
    """The response to the handshake has no Server header."""
    case = contrast.case
    known = [life for life in case.victims if life.traffic.response is not None]
    named = not case.header.tells("headers") or any(life.header("server", response=True) for life in known)
    return Sign(1.0, "the response names no server: it may be hand-written") if known and not named else None


@of_the_last
def server_library_is_known(contrast: EndingContrast) -> Sign | None:
    """The server's library was recognised."""
    server = contrast.case.stack.server
    return Sign(1.0, f"the server's library is {server}") if server else None
