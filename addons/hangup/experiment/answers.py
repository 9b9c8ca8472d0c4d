"""How the clients of a recording answer their server's messages, and either side the other's heartbeats: learned from
those that they did answer."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from msgspec import Struct

from hangup.messages.answers import Answered, repeats, template
from hangup.messages.heartbeats import Beat, recognise
from hangup.messages.kind import Discriminators
from hangup.recording.events import AnyEvent, Frame, Side
from hangup.replayable.client_script import Hear, Send, Step
from hangup.wire.frames import OPCODE_NUMBERS

SOON = 1.0
"""Seconds from a ping to what is taken for its answer."""

ENOUGH = 32
"""Pairs that are learned from."""

PATIENT = 5.0
"""The same for what is no heartbeat."""

PAIRS = 64

RECENT = 16
"""Of so many messages of the server the ids are looked for in what the client says."""

LONGEST = 512
"""Bytes; a longer message is no heartbeat."""


class Reply(Struct, frozen=True):
    """How clients answered the server's messages of a kind, the ``question``: with a message of this ``kind``, as the
    ``template`` says (:mod:`hangup.messages.answers`)."""

    question: str
    kind: str
    template: bytes
    opcode: str = "text"
    direct: float = 0.0
    """The share of these messages before which such a question was the last that was heard."""


def replies(scripts: Iterable[Iterable[Step]], asked: Iterable[tuple[str, bytes]]) -> tuple[Reply, ...]:
    """How the server's messages were answered in these scripts. ``asked`` are others that it sent (opcode, payload),
    which help to tell kinds."""
    theirs, ours = Discriminators(), Discriminators()
    for opcode, data in asked:
        theirs.feed(OPCODE_NUMBERS.get(opcode, 1), data)
    pairs: list[tuple[Hear, Send, bool]] = []
    for steps in scripts:
        heard: list[Hear] = []
        recent: deque[Hear] = deque(maxlen=RECENT)
        for step in steps:
            if isinstance(step, Hear) and step.data is not None and step.opcode in ("text", "binary"):
                heard.append(step)
                recent.append(step)
                theirs.feed(OPCODE_NUMBERS[step.opcode], step.data)
            elif isinstance(step, Send) and step.begins and step.message is not None:
                ours.feed(OPCODE_NUMBERS.get(step.opcode, 1), step.message)
                # It answers the one whose id it repeats; else it may be any of what came since the client spoke last.
                named = [each for each in recent if repeats(each.data or b"", step.message)]
                soon = [each for each in named or heard[-4:] if step.at - each.at <= PATIENT]
                pairs += [(each, step, each is soon[-1]) for each in soon]
                heard = []
    found: dict[tuple[str, str, str], list[tuple[bytes, bytes]]] = {}
    directly: Counter[tuple[str, str, str]] = Counter()
    said: Counter[str] = Counter()
    for question, step, last in pairs[-PAIRS:]:
        data, message = question.data or b"", step.message or b""
        kind = theirs.kind(OPCODE_NUMBERS[question.opcode], data).text
        key = kind, ours.kind(OPCODE_NUMBERS.get(step.opcode, 1), message).text, step.opcode
        found.setdefault(key, []).append((data, message))
        directly[key] += last
        said[key[1]] += last
    made = []
    for (question_kind, kind, opcode), known in sorted(found.items(), key=lambda each: -len(each[1])):
        form = template(known) or known[-1][1]
        share = directly[question_kind, kind, opcode] / max(said[kind], 1)
        made.append(Reply(question_kind, kind, form, opcode, round(share, 3)))
    return tuple(made)


class Answers:
    """Learns from events how each side answers the heartbeats of the other, the asker."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, Side], tuple[float, Beat, bytes]] = {}
        self._pairs: dict[tuple[Side, str], list[tuple[bytes, bytes]]] = {}

    def feed(self, events: Iterable[AnyEvent]) -> None:
        """Takes events, in order."""
        for event in events:
            if isinstance(event, Frame) and event.opcode in ("text", "binary", "continuation"):
                self._frame(event)

    def _frame(self, event: Frame) -> None:
        if event.size > LONGEST or not event.fin:
            return
        data = event.message_bytes
        beat = recognise(OPCODE_NUMBERS.get(event.opcode, 1), data)
        if beat is None:
            return
        asker: Side = "server" if event.side == "client" else "client"
        asked = self._waiting.get((event.conn, asker))
        if asked is not None and event.at - asked[0] <= SOON and (beat.kind == "pong" or beat == asked[1]):
            del self._waiting[event.conn, asker]
            pairs = self._pairs.setdefault((asker, asked[1].form), [])
            if len(pairs) < ENOUGH:
                pairs.append((asked[2], data))
        elif beat.kind == "ping":
            self._waiting[event.conn, event.side] = event.at, beat, data

    def found(self, asker: Side) -> tuple[Answered, ...]:
        """What was learned of the answers to that side, for each form of its pings."""
        made = ((form, template(pairs)) for (side, form), pairs in self._pairs.items() if side == asker)
        return tuple(Answered(form, answer) for form, answer in made if answer is not None)
