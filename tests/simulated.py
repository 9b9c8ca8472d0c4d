"""Simulated backends: what a faulty server makes of a trial, without a socket. For tests of the search."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from random import Random

from hangup.experiment.evidence import Outcome
from hangup.experiment.pacing import lasting
from hangup.experiment.search import BudgetSpent, Search, Verdict
from hangup.experiment.timers import Pulse
from hangup.experiment.trial import Case, ClientFrame, Result, Trial
from hangup.filters import text as filter_text
from hangup.filters.base import Message
from hangup.filters.library.inject import Inject
from hangup.filters.library.timing import Delay, Throttle
from hangup.messages.heartbeats import recognise
from hangup.wire.frames import OPCODE_NUMBERS

Fails = Callable[[list[tuple[str, bytes]], Trial], bool]
"""Given the messages (opcode, payload) that reach the server, in order, and the trial: does it hang up?"""


def frame(n: int, payload: str | bytes, at: float, opcode: str = "") -> ClientFrame:
    data = payload.encode() if isinstance(payload, str) else payload
    kind = opcode or ("text" if isinstance(payload, str) else "binary")
    return ClientFrame(n, kind, data, at, recognise(OPCODE_NUMBERS[kind], data))


def case(*payloads: str | bytes, lifetime: float = 1.0, reaction: float | None = 0.003, **more: object) -> Case:
    """A client that sends these, the last one just before the end."""
    step = lifetime / (len(payloads) + 1)
    frames = [frame(2 * i + 1, p, round(step * (i + 1), 3)) for i, p in enumerate(payloads)]
    return Case(frames, lifetime, reaction if frames else None, **{"how": "abrupt", **more})  # type: ignore[arg-type]


def reaching(case: Case, trial: Trial) -> list[tuple[str, bytes]]:
    """What is left of the client's messages: the frames that are kept, edited, through the real filters."""
    edits = dict(trial.edits)
    out: list[tuple[str, bytes]] = []
    kept = [f for f in case.frames if trial.frames is None or f.n in trial.frames]
    for index, f in enumerate(kept, 1):
        out += [(edit.opcode or "text", edit.payload) for n, edit in trial.before if n == f.n]
        opcode, payload = f.opcode, f.payload
        if f.n in edits:
            opcode, payload = edits[f.n].opcode or opcode, edits[f.n].payload
        for form in trial.filters:
            name, _, rest = form.partition(" ")
            if name == "flip-opcode":
                probe = parsed(f"drop {rest}")
                if _selected(probe, opcode, payload, index):
                    opcode = "binary" if opcode == "text" else "text"
            elif name == "rewrite":
                rest, _, to = rest.partition(" to=")
                if _selected(parsed(f"drop {rest}"), opcode, payload, index):
                    payload = to.encode()
            elif name in ("drop", "drop-heartbeat") and _selected(parsed(form), opcode, payload, index):
                break
        else:
            out.append((opcode, payload))
    return out


Arrivals = list[tuple[float, bytes]]
"""When each of the client's messages reaches the server, in seconds from opening, and what it says."""

Ends = Callable[[Arrivals], float | None]
"""When a server ends a connection on which these arrive, None if it does not."""


def arrivals(case: Case, trial: Trial, until: float, rng: Random) -> Arrivals:
    """What of the client's messages is said when: at the trial's speed, kept back and repeated by its filters. The
    network is slow by up to two milliseconds, and keeps the order."""
    edits = dict(trial.edits)
    said = []
    for frame in case.frames:
        if trial.frames is None or frame.n in trial.frames:
            edit = edits.get(frame.n)
            said.append((frame.at / trial.speed, frame.opcode, frame.payload if edit is None else edit.payload))
    for form in trial.filters:
        filter = parsed(form)
        if isinstance(filter, Throttle):
            said = list(_kept_back(filter, said))
        elif isinstance(filter, Inject):
            assert filter.every is not None
            said += [(n * filter.every, "text", filter.send) for n in range(1, int(until / filter.every) + 1)]
        elif isinstance(filter, Delay):
            said = [(at + filter.by, *rest) for at, *rest in said]  # type: ignore[misc]
        elif form.startswith("drop"):
            said = [each for each in said if not _selected(filter, each[1], each[2], 1)]
        elif form.startswith("flip-opcode"):
            continue
        elif form.startswith("rewrite"):
            which, _, to = form.removeprefix("rewrite ").partition(" to=")
            drop = parsed(f"drop {which}")
            said = [(at, o, to.encode() if _selected(drop, o, payload, 1) else payload) for at, o, payload in said]
        else:
            assert form.startswith(("answer-ping", "keepalive")), form
    made: Arrivals = []
    for at, _, payload in sorted(said, key=lambda each: each[0]):
        made.append((max(at + rng.uniform(0, 0.002), made[-1][0] if made else 0.0), payload))
    return [(at, payload) for at, payload in made if at <= until]


def _kept_back(filter: Throttle, said: list[tuple[float, str, bytes]]) -> Iterator[tuple[float, str, bytes]]:
    free = last = 0.0
    for at, opcode, payload in said:
        if _selected(parsed(f"drop kind={filter.kind}" if filter.kind else "drop side=client"), opcode, payload, 1):
            start = max(at, free)
            free = start + (1 / filter.messages if filter.messages else len(payload) / (filter.rate or 1))
            at = start if filter.messages else free
        last = max(at, last)
        yield last, opcode, payload


def carried_out(search: Search[Verdict], play: Callable[[Trial], Result], most: int) -> Verdict:
    """Carries out a search, of whose trials ``play`` says what comes; after ``most`` connections it is stopped."""
    used = 0
    try:
        trial = next(search)
        while True:
            used += trial.clients
            if used > most:
                trial = search.throw(BudgetSpent(f"{most} connections are used up"))
            else:
                trial = search.send(play(trial))
    except StopIteration as stop:
        verdict: Verdict = stop.value
        return verdict


def timed(search: Search[Verdict], case: Case, ends: Ends, *, seed: int = 0, most: int = 500) -> Verdict:
    """Carries out a search on a simulated server that minds when things are said."""
    rng = Random(seed)
    within = 1.5 * case.lifetime + 0.5

    def play(trial: Trial) -> Result:
        bound = lasting(trial, case, within)
        until = trial.patience if trial.patience is not None else bound + 0.25
        said = arrivals(case, trial, until, rng)
        end = ends(said)
        failed = end is not None and end <= min(bound, until)
        age = end if failed and end is not None else until
        pulse = Pulse(age, failed, tuple((at, True) for at, _ in said if at <= age))
        return Result(Outcome.FAILED if failed else Outcome.SURVIVED, age, pulse=pulse)

    return carried_out(search, play, most)


parsed = cache(filter_text.parse)


def _selected(filter: object, opcode: str, payload: bytes, index: int) -> bool:
    message = Message("client", OPCODE_NUMBERS[opcode], payload, index, index, index, 0.0, 0.0)
    state = filter.begin(None)  # type: ignore[attr-defined]
    return bool(filter.apply(message, state))  # type: ignore[attr-defined]


def run(
    search: Search[Verdict], case: Case, fails: Fails, *, rate: float = 1.0, seed: int = 0, most: int = 500
) -> Verdict:
    """Carries out a search on a simulated server that fails with probability ``rate`` where it would fail."""
    random = Random(seed)

    def play(trial: Trial) -> Result:
        failed = fails(reaching(case, trial), trial) and random.random() < rate
        return Result(Outcome.FAILED if failed else Outcome.SURVIVED)

    return carried_out(search, play, most)


def not_json(messages: list[tuple[str, bytes]]) -> bool:
    """Whether a server that reads each message as JSON would meet one that is none."""
    for _, payload in messages:
        try:
            json.loads(payload)
        except ValueError:
            return True
    return False
