"""Down to the smallest failing exchange: delta debugging over frames, then over the one frame that matters.

Everything here is a generator: it yields a candidate and is sent whether it fails. Candidates are tried from small
to large where that is cheap, as a failure is quick to see and a survival must be waited for.

Frames: first guesses (single frames, the likeliest first), then Zeller's ddmin, of whole kinds of messages and then of
messages, then a pass that takes each frame that is left away alone, so that the result is one-minimal: without any one
of its frames it does not fail.
Payloads: greedy shrinking under one total order (shorter first, then smaller), so that the minimum is one.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
Asking = Generator[T, bool | None, T]
"""Yields candidates, is sent True for one that fails, None where nobody can tell (then it is not smaller), returns the
smallest."""

Frames = tuple[int, ...]


def minimise_frames(
    frames: Sequence[int], guesses: Iterable[int] = (), kinds: Mapping[int, str] | None = None
) -> Asking[Frames]:
    """The smallest subset of ``frames`` (numbers, in order) that fails; that all of them do is known.

    ``guesses`` are frames that may do it alone, the likeliest first. ``kinds`` are those of the frames, where they are
    known: then kinds are left away before single frames are.
    """
    whole = tuple(frames)
    if not whole:
        return whole
    if (yield ()):
        return ()
    if len(whole) == 1:
        return whole
    for guess in guesses:
        if guess in whole and (yield (guess,)):
            return (guess,)
    known: dict[Frames, bool | None] = {(): False, whole: True}
    known.update({(guess,): False for guess in guesses})
    if kinds is not None:
        whole = yield from _by_kind(whole, kinds, known)
    current = yield from _halve(whole, known)
    return (yield from _one_minimal(current, known))


def _by_kind(whole: Frames, kinds: Mapping[int, str], known: dict[Frames, bool | None]) -> Asking[Frames]:
    """The same of whole kinds, the latest last."""
    groups: dict[str, list[int]] = {}
    for frame in whole:
        kind = kinds.get(frame, "")
        groups[kind] = [*groups.pop(kind, []), frame]
    if not 1 < len(groups) < len(whole):
        return whole
    units = list(groups.values())

    def frames_of(chosen: Frames) -> Frames:
        return tuple(sorted(frame for unit in chosen for frame in units[unit]))

    def least() -> Asking[Frames]:
        seen: dict[Frames, bool | None] = {(): False, tuple(range(len(units))): True}
        current = yield from _halve(tuple(range(len(units))), seen)
        return (yield from _one_minimal(current, seen))

    asking = least()
    try:
        chosen = next(asking)
        while True:
            chosen = asking.send((yield from _ask(frames_of(chosen), known)))
    except StopIteration as stop:
        return frames_of(stop.value)


def _ask(candidate: Frames, known: dict[Frames, bool | None]) -> Generator[Frames, bool | None, bool | None]:
    if candidate not in known:
        known[candidate] = yield candidate
    return known[candidate]


def _halve(current: Frames, known: dict[Frames, bool | None]) -> Asking[Frames]:
    """ddmin: subsets, then complements, then finer."""
    parts = 2
    while len(current) >= 2:
        size = -(-len(current) // parts)
        chunks = [current[i : i + size] for i in range(0, len(current), size)]
        # The latter half first: what kills is seldom what came first.
        for chunk in reversed(chunks):
            if (yield from _ask(chunk, known)):
                current, parts = chunk, 2
                break
        else:
            for chunk in chunks if len(chunks) > 2 else ():
                rest = tuple(f for f in current if f not in chunk)
                if (yield from _ask(rest, known)):
                    current, parts = rest, max(parts - 1, 2)
                    break
            else:
                if parts >= len(current):
                    break
                parts = min(len(current), parts * 2)
    return current


def _one_minimal(current: Frames, known: dict[Frames, bool | None]) -> Asking[Frames]:
    again = True
    while again and len(current) > 1:
        again = False
        for frame in current:
            rest = tuple(f for f in current if f != frame)
            if (yield from _ask(rest, known)):
                current, again = rest, True
                break
    return current


# Payloads.


def order(data: bytes) -> tuple[int, bytes]:
    """The total order of payloads: shorter, then lexicographically smaller."""
    return len(data), data


def minimise_payload(data: bytes, *, text: bool, most: int = 200) -> Asking[bytes]:
    """The smallest payload that fails as ``data`` does, as JSON where it is JSON, then as text, then as bytes.

    ``text`` keeps candidates valid UTF-8. At most ``most`` are tried.
    """
    tried = {data}
    left = most
    progress = True
    while progress:
        progress = False
        for candidate in _candidates(data, text):
            if candidate in tried or order(candidate) >= order(data):
                continue
            tried.add(candidate)
            if left <= 0:
                return data
            left -= 1
            if (yield candidate):
                data, progress = candidate, True
                break
    return data


def _candidates(data: bytes, text: bool) -> Iterator[bytes]:
    value = _json(data)
    yield b""
    if value is not _NOT_JSON:
        for smaller in _smaller_values(value):
            yield json.dumps(smaller, separators=(",", ":"), ensure_ascii=False).encode()
    if text:
        try:
            string = data.decode()
        except UnicodeDecodeError:
            text = False
        else:
            yield from (shorter.encode() for shorter in _shorter(string))
            yield from (simple.encode() for simple in _plainer(string))
    if not text:
        yield from _shorter(data)


_NOT_JSON = object()


def _json(data: bytes) -> Any:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return _NOT_JSON
    return value


def _smaller_values(value: Any) -> Iterator[Any]:
    """Values one step simpler: without a part, with a part simplified, or a part by itself."""
    if isinstance(value, dict):
        keys = list(value)
        if len(keys) > 2:
            half = len(keys) // 2
            yield {k: value[k] for k in keys[:half]}
            yield {k: value[k] for k in keys[half:]}
        for key in keys:
            yield {k: v for k, v in value.items() if k != key}
        for key in keys:
            for smaller in _smaller_values(value[key]):
                yield {**value, key: smaller}
    elif isinstance(value, list):
        yield from _shorter(value)
        for i, item in enumerate(value[:16]):
            for smaller in _smaller_values(item):
                yield [*value[:i], smaller, *value[i + 1 :]]
    elif isinstance(value, str):
        if value:
            yield ""
            yield from (v for v in _shorter(value) if v)
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int | float) and value != 0:
        yield 0


S = TypeVar("S", str, bytes, list[Any])


def _shorter(sequence: S) -> Iterator[S]:
    """Without ever smaller pieces, from the largest to single elements (at most 64 of a size)."""
    size = len(sequence)
    step = size // 2
    while step:
        for start in range(0, size, max(step, size // 64)):
            yield sequence[:start] + sequence[start + step :]
        step //= 2


def _plainer(string: str) -> Iterator[str]:
    """Of the same length, but of the letter ``a``: whether it is the content that matters, or the size."""
    plain = "a" * len(string)
    if plain < string:
        yield plain


def minimise_size(low: int, high: int) -> Generator[int, bool | None, tuple[int, int]]:
    """The largest size (bytes) that survives and the smallest that fails, when ``low`` survives and ``high`` fails.

    It is sent None for a size of which nobody can tell, as it ends in another way, say: that is neither, and where
    there are such sizes between the two, they are not next to one another.
    """
    below, strange = low, high
    while high - below > 1:
        middle = (below + high) // 2
        fails = yield middle
        if fails:
            high = middle
        else:
            below = middle
            low, strange = (middle, high) if fails is False else (low, min(strange, middle))
    strange = min(strange, high)
    while strange - low > 1:
        middle = (low + strange) // 2
        if (yield middle) is False:
            low = middle
        else:
            strange = middle
    return low, high
