"""What a recorded client called itself: what each simulated client says another value in the place of.

The server's own values (a session id, a token) are none of these: they are taken from the live run
(:mod:`hangup.replayable.substitutions`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hangup.filters.library.target import UniqueId
from hangup.messages.json_values import values
from hangup.replayable.client_script import Hear, Send, Transcript
from hangup.replayable.handshake_values import request_values

MESSAGES = 12
"""So many of the client's first messages are looked at: who it is, it says early."""

SHORTEST = 3
"""Characters of a value that is replaced wherever it stands."""

_ID = re.compile(
    r"^(client|user|device|player|member|station|peer|visitor|browser|tab)?[_.\-]?(uu|u)?id$|"
    r"[a-z0-9](Id|ID|Uid|UID|Uuid|UUID)$",
    re.I,
)
_CLIENT = re.compile(r"^(client|device|player|station|peer|visitor|tab)$", re.I)


def own_ids(transcript: Transcript) -> list[tuple[str, str]]:
    """Each value that the client calls itself by, and the filter that gives a client another in its place."""
    steps = list(transcript.steps())
    said = [step.message for step in steps if isinstance(step, Send) and step.message is not None]
    found: dict[str, str] = {}
    for value, place in _candidates(transcript, said):
        if value in found or _is_theirs(value, steps):
            continue
        within = value.encode()
        # Cheaper where no message has to be looked through.
        everywhere = place is None or any(within in each for each in said)
        if everywhere and (len(value) < SHORTEST or not value.isascii()):
            continue
        found[value] = str(UniqueId(value=value)) if everywhere or place is None else str(place)
    return list(found.items())


def _candidates(transcript: Transcript, said: list[bytes]) -> Iterator[tuple[str, UniqueId | None]]:
    request = transcript.survey.request
    last = request.target.partition("?")[0].count("/")
    for place, value in request_values(request):
        text, part, name = str(value), str(place[0]), str(place[-1])
        if part == "path" and int(place[1]) + 1 == last > 1 and any(map(str.isdigit, text)):
            yield text, UniqueId()
        elif part == "query" and (_ID.search(name) or _CLIENT.search(name)):
            yield text, UniqueId(query=name)
    for data in said[:MESSAGES]:
        for path, value in values(data):
            if isinstance(value, str | int) and not isinstance(value, bool) and len(str(value)) >= SHORTEST:
                name = str(path[-1]) if path else ""
                # A bare `id` is mostly the message's own.
                if (_ID.search(name) and name.lower() not in ("id", "_id")) or _CLIENT.search(name):
                    yield str(value), None


def _is_theirs(value: str, steps: list[Send | Hear]) -> bool:
    """Whether the server says it before the client does: then it is the server's."""
    within = value.encode()
    for step in steps:
        if isinstance(step, Send) and step.message is not None and within in step.message:
            return False
        if isinstance(step, Hear) and step.data is not None and within in step.data:
            return not any(isinstance(each, Send) for each in steps[: steps.index(step)])
    return False
