"""What a search says: what was tried, what came of it, and the verdict."""

from __future__ import annotations

from msgspec import Struct, field

from hangup.diagnosis import causes
from hangup.errors import HangupError
from hangup.experiment.evidence import Counts, Outcome, claim, fisher
from hangup.experiment.law import Law
from hangup.experiment.timers import Timer
from hangup.replayable.client_rule import ClientRule

PROOF = 0.01
"""How small Fisher's p must be for a proof."""

SHOWN_PAYLOAD = 4096

SAID = 0.005
"""The least share that is no 0 % when it is shown."""

LEAST_SHARE = 0.5
"""Of what still stands so much must agree on a part for it to be told."""


class BudgetSpent(HangupError):
    """The connections or seconds that an experiment may use are used up, or it cannot go on."""


class Tried(Struct):
    """A rung of the ladder, or a step of the minimiser, and what came of it."""

    arm: str
    title: str
    filters: tuple[str, ...]
    counts: Counts
    outcome: Outcome
    another: str = ""
    """How trials of it ended in another way than the failure, in words; empty where none did."""

    def summary(self) -> dict[str, object]:
        """For JSON."""
        return {
            "arm": self.arm,
            "title": self.title,
            "filters": list(self.filters),
            "failed": self.counts.pair(),
            "unresolved": self.counts.unresolved,
            "outcome": self.outcome.value,
        } | ({"another": self.another} if self.another else {})


class Minimal(Struct):
    """The smallest failing exchange: which of the client's frames, and the payload of the one that matters.

    ``neighbour`` is what is nearest to it and does not fail, in words.
    """

    frames: tuple[int, ...]
    payload: bytes | None = None
    opcode: str = ""
    neighbour: str = ""
    size_limit: int | None = None

    def summary(self) -> dict[str, object]:
        """For JSON."""
        payload = None if self.payload is None else self.payload[:SHOWN_PAYLOAD].decode(errors="backslashreplace")
        return {
            "frames": list(self.frames),
            "payload": payload,
            "opcode": self.opcode or None,
            "neighbour": self.neighbour or None,
            "size_limit": self.size_limit,
        }


class Verdict(Struct):
    """What the experiments say. ``cause`` counts trials with the cause, ``without`` those without it."""

    verdict: str = "unknown/"
    proved: bool = False
    reproduced: bool = True
    probability: float = 0.0
    closer: str = "unknown"
    trigger: str = "none"
    frame: int | None = None
    cause: Counts = field(default_factory=Counts)
    without: Counts = field(default_factory=Counts)
    ladder: list[Tried] = field(default_factory=list)
    standing: list[tuple[str, float]] = field(default_factory=list)
    ruled_out: dict[str, str] = field(default_factory=dict)
    minimal: Minimal | None = None
    cure: str = ""
    connections: int = 0
    stopped: str = ""
    titles: dict[str, str] = field(default_factory=dict)
    """What rungs are in words, also before one of them is in the ladder."""
    seed: int = 0
    instead: str = ""
    """What happened, where the failure did not."""
    untried: str = ""
    """Why the exchange could not be tried at all: no backend, or it refuses the handshake."""
    changed: str = ""
    """How the backend does otherwise at the end than it did before, where it was seen: then nothing is proved."""
    place: str = ""
    """Where an experiment showed it to be: ``intermediary`` or ``backend``; empty where none did."""
    unshrunk: str = ""
    """Why the exchange was not made smaller, where that was to be done."""
    contrast: tuple[str, str] | None = None
    """Where nothing cures it: in words, the two things that the counts set against one another."""
    law: Law | None = None
    """What makes the difference, and how well it predicted what was new."""
    neighbour: int | None = None
    """The number of the other recorded connection that must be played beside it, where one must."""
    client_rule: ClientRule | None = None
    """By which rule the client hung up, as its recording tells, where that was played and the server was asked."""
    timers: list[Timer] = field(default_factory=list)
    """The clocks that fit all that was seen, where it is time or a count that ends it."""

    @property
    def p(self) -> float:
        """Fisher's p of the counts."""
        return fisher(self.cause, self.without)

    @property
    def claim(self) -> str:
        """The counts in words."""
        return claim(self.cause, self.without, *([self.contrast] if self.contrast else []))

    @property
    def fitting(self) -> list[tuple[str, float]]:
        """What still stands and was not ruled out, but for what is as good as impossible."""
        return [(name, weight) for name, weight in self.standing if weight >= SAID and name not in self.ruled_out]

    def parts(self) -> dict[str, dict[str, object]]:
        """What is known apart from the name: of trigger, property and place the likeliest value among what still
        stands, with its share; of the place whether an experiment told it."""
        masses: dict[str, dict[str, float]] = {"trigger": {}, "property": {}, "place": {}}
        for name, weight in self.standing:
            if (cause := causes.known().get(name)) is not None:
                for part, value in (("trigger", cause.trigger), ("property", cause.property), ("place", cause.place)):
                    masses[part][value] = masses[part].get(value, 0.0) + weight
        found: dict[str, dict[str, object]] = {}
        for part, mass in masses.items():
            value = max(mass, key=lambda value: mass[value], default="")
            if value and mass[value] >= LEAST_SHARE:
                found[part] = {"value": value, "confidence": round(mass[value], 3)}
        if self.place:
            # Of the backend it may be known which part of it; an intermediary is one.
            known = found.get("place", {}) if self.place == "backend" else {}
            found["place"] = {"value": self.place, "confidence": 1.0} | known | {"proved": self.place}
        return found

    def summary(self) -> dict[str, object]:
        """For JSON."""
        return {
            "verdict": self.verdict,
            "proved": self.proved,
            "reproduced": self.reproduced,
            "probability": round(self.probability, 4),
            "closer": self.closer,
            "trigger": {"kind": self.trigger, "frame": self.frame},
            "counts": {"with": self.cause.pair(), "without": self.without.pair(), "p": self.p},
            "contrast": list(self.contrast) if self.contrast else None,
            "law": self.law.summary() if self.law else None,
            "verdict_confidence": None if self.verdict == "unknown/" else round(self.probability, 4),
            "parts": self.parts(),
            "client_rule": self.client_rule.sentence if self.client_rule is not None else None,
            "neighbour": self.neighbour,
            "timers": [timer.summary() for timer in self.timers],
            "ladder": [tried.summary() for tried in self.ladder],
            "standing": [{"verdict": v, "probability": round(w, 4)} for v, w in self.standing],
            "ruled_out": self.ruled_out,
            "minimal": self.minimal.summary() if self.minimal else None,
            "cure": self.cure or None,
            "connections": self.connections,
            "stopped": self.stopped or None,
            "changed": self.changed or None,
            "instead": self.instead or None,
            "untried": self.untried or None,
            "seed": self.seed,
        }
