"""The verdict as a document: for programs (:meth:`Document.summary`), in one line, and as Markdown for an issue."""

from __future__ import annotations

import re

from msgspec import Struct, field

from hangup.commands import command_line
from hangup.diagnosis import causes
from hangup.experiment.evidence import Outcome
from hangup.experiment.law import DROPS, Law
from hangup.experiment.place import INTERMEDIARY
from hangup.experiment.search import Minimal, Tried, Verdict
from hangup.humanize import duration, plural
from hangup.markup import block, cell, code, prose
from hangup.recording.events import Log
from hangup.recording.redaction.placeholders import Vault

NOT_REPRODUCED, UNRESOLVED = 3, 4

NAMED = 0.5
"""Probability from which on a proof is called by the name of its cause; below it, by its law."""

SHOWN = 1000
"""Characters of a message that are shown."""

LOG_SHOWN = 20
"""Lines of a backend's log entry that are shown: the last ones."""

_FRAME = re.compile(r'\s*(?:File "|at )')
_LIBRARY = re.compile(r'\s*(?:File "[^"]*(?:-packages[/\\]|lib[/\\]python\d|<frozen)|at .*(?:node_modules|\(?node:))')


class Document(Struct, kw_only=True):
    """A verdict, and what belongs to it. ``about`` says of what: target, recording, the failure looked for.

    ``seconds`` is how long the trials took. ``files`` are what was written: what it is -> its path. ``recording`` and
    ``neighbour`` are the paths of the smallest failing exchange, and of the nearest to it that does not fail, each a
    recording of its own; empty where there is none. ``log`` is what the backend logged at the moment of the failure,
    ``replayed`` the connections that a live bisect used beside the page's, and ``problems`` what could not be written.
    """

    verdict: Verdict
    seconds: float = 0.0
    about: dict[str, object] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    recording: str = ""
    neighbour: str = ""
    log: list[Log] = field(default_factory=list)
    replayed: int = 0
    problems: list[str] = field(default_factory=list)
    verified: bool | None = None
    """Whether the person's own client stayed connected with the fix and was dropped without it; None if unknown."""
    verification: list[str] = field(default_factory=list)
    """What was seen of it, in sentences; empty where it was not asked for."""
    asked: str = ""
    """The target of the request that was recorded."""
    fix: str = ""
    """How to fix what was found; empty where that is not known."""
    vault: Vault = field(default_factory=Vault)
    """Knows the secrets of the exchange, and hides them in what is made for others."""

    @property
    def of(self) -> str:
        """The recording that the verdict is about; empty where there is none."""
        return str(self.about.get("recording") or self.files.get("recording", ""))

    @property
    def headline(self) -> str:
        """The verdict in one line."""
        return headline(self.verdict)

    @property
    def clocks(self) -> str:
        """In a sentence what may time the end; empty where nothing does, or the law says it."""
        told = ", or ".join(map(str, self.verdict.timers))
        law = self.verdict.law
        return f"{DROPS} {told}" if told and (law is None or told not in law.sentence) else ""

    @property
    def where(self) -> str:
        """In a sentence where an experiment showed it to be; empty where none did."""
        if self.verdict.place == INTERMEDIARY:
            return "it does not happen on a direct connection: something between the client and the backend causes it"
        return (
            "it happens on a direct connection too: the cause is in the backend, not in "
            "between"
        ) if self.verdict.place else ""

    @property
    def client_part(self) -> str:
        """Where the recorded client hung up, and its replay did so by the same rule: that rule, and what it leaves
        open; empty where it did not."""
        rule = self.verdict.client_rule
        if rule is None or not self.verdict.reproduced:
            return ""
        found = (
            f"in the recording {rule.sentence}, and so does the replay; this finds what makes the server trigger that"
        )
        if rule.on in ("no-answer", "bad-answer"):
            return found  # every client would, or has no more to say
        return f"{found}. Only your own page can show why it hangs up then: hangup bisect --live TARGET"

    @property
    def exit_code(self) -> int:
        """0: proved, and verified if that was asked for; 3: it does not happen here; 4: not told apart, not to be
        tried, not verified, or stopped before."""
        if not self.verdict.reproduced and not self.verdict.stopped and not self.verdict.untried:
            return NOT_REPRODUCED
        held = self.verified or not self.verification
        return 0 if self.verdict.proved and held else UNRESOLVED

    def summary(self) -> dict[str, object]:
        """For JSON."""
        made = {"headline": self.headline} | self.about | self.verdict.summary()
        made["claim"] = self.verdict.claim if self.verdict.reproduced and self.verdict.without.n else None
        minimal = made["minimal"]
        if self.recording:
            made["minimal"] = {
                **(minimal if isinstance(minimal, dict) else {}),
                "shrunk": isinstance(minimal, dict),
                "recording": self.recording,
                "neighbour_recording": self.neighbour or None,
            }
        log = [{"at": line.at, "source": line.source, "text": line.text} for line in self.log]
        made |= {"log": log, "seconds": round(self.seconds, 3), "files": self.files, "verified": self.verified}
        if self.verification:
            made["verification"] = self.verification
        if self.replayed:
            made["replayed"] = self.replayed
        return made | {"problems": self.problems} if self.problems else made

    def markdown(self) -> str:
        """The page for an issue, without the secrets of the exchange."""
        verdict, hide = self.verdict, self.vault.excerpt
        lines = [f"**{prose(hide(self.headline))}**", ""]
        if known := causes.known().get(verdict.verdict):
            lines += [f"{prose(known.sentence)}.", ""]
        lines += self._facts()
        if verdict.reproduced:
            lines += [prose(hide(verdict.claim)), ""]
        if verdict.cure:
            lines += [f"Stays open with: {code(hide(verdict.cure))}", ""]
        if verdict.law is not None:
            lines += [f"{prose(hide(_rule(verdict.law)))}.", ""]
            lines += [f"Predicted {verdict.law.right} of {verdict.law.predicted} new exchanges.", ""]
        if self.verification:
            lines += [*(prose(hide(line)) for line in self.verification), ""]
        if self.client_part:
            lines += [prose(hide(f"{self.client_part[0].upper()}{self.client_part[1:]}.")), ""]
        if self.where:
            lines += [f"{self.where[0].upper()}{self.where[1:]}.", ""]
        if self.clocks:
            lines += [f"{self.clocks[0].upper()}{self.clocks[1:]}.", ""]
        if verdict.ladder:
            lines += ["| what was changed | failed | outcome | filter |", "|---|---|---|---|"]
        for arm in verdict.ladder:
            filters = "<br>".join(code(hide(each)) for each in arm.filters)
            cells = (prose(hide(arm.title)), str(arm.counts), prose(hide(_outcome(arm))), filters)
            lines.append(f"| {' | '.join(map(cell, cells))} |")
        if verdict.minimal is not None and verdict.minimal.payload is not None:
            lines += ["", *self._minimal(verdict.minimal, verdict.minimal.payload)]
        if self.log:
            told = [line for entry in self.log for line in telling_lines(hide(entry.text))]
            lines += ["", "The backend's log at that moment:", "", *block(told)]
        if verdict.reproduced and self.fix:
            lines += ["", f"How to fix it: {prose(self.fix)}"]
        if verdict.reproduced and self.of:
            lines += ["", f"How to reproduce it: {code(hide(self._again()))}"]
        return "\n".join(lines) + "\n"

    def _facts(self) -> list[str]:
        """Of what it is: the backend, the path, and when."""
        facts = [
            ("backend", self.about.get("target")),
            ("path", self.asked),
            ("recorded", self.about.get("started")),
            ("tried", f"{plural(self.verdict.connections, 'connection')} in {duration(self.seconds)}"),
        ]
        shown = [f"| {name} | {cell(code(self.vault.excerpt(str(value))))} |" for name, value in facts if value]
        return ["| | |", "|---|---|", *shown, ""]

    def _again(self) -> str:
        """The command that shows the failure again."""
        target = str(self.about.get("target") or "TARGET")
        if self.verdict.closer == "client":
            return command_line("serve", self.of)
        return command_line("check", self.of, target)

    def _minimal(self, minimal: Minimal, payload: bytes) -> list[str]:
        # First hidden and then cut: half a secret is not known for one.
        message = code(self.vault.shown(payload), SHOWN) or "(empty)"
        lines = [f"Smallest failing message (client frame {minimal.frames[-1]}, {minimal.opcode}): {message}"]
        if minimal.neighbour:
            lines.append(f"For comparison: {prose(self.vault.excerpt(minimal.neighbour))}")
        return lines


def _outcome(arm: Tried) -> str:
    if arm.another and arm.outcome is Outcome.UNRESOLVED:
        return f"another failure: {arm.another}"
    return arm.outcome.words


def _rule(law: Law) -> str:
    """A rule in a sentence, with its boundary where it held."""
    if law.told != law.sentence:
        return f"{law.told[0].upper()}{law.told[1:]}"
    return f"The rule: {law.sentence}" + (f" ({law.boundary})" if law.boundary else "")


def headline(verdict: Verdict) -> str:
    """The verdict in one line."""
    if not verdict.reproduced and verdict.stopped:
        return "stopped before it was known whether the failure happens here"
    if verdict.untried:
        return f"could not be tried: {verdict.untried}"
    if not verdict.reproduced:
        return f"the failure does not happen here: {verdict.instead or 'nothing to bisect'}"
    if verdict.changed:
        return f"unresolved: the backend changed during the search: {verdict.changed}"
    if verdict.verdict.startswith("unknown"):
        if verdict.proved and verdict.law is not None:
            return f"proved: {verdict.law.sentence} (which cause that is cannot be told)"
        return "budget exhausted before one explanation stood out" if verdict.stopped else "no explanation stands out"
    if verdict.proved and verdict.client_rule is not None and verdict.law is not None:
        return f"proved of the server: {verdict.law.sentence}"
    if verdict.proved and verdict.law is not None and verdict.probability < NAMED:
        return f"proved: {verdict.law.sentence}; most probably {verdict.verdict} ({verdict.probability:.0%})"
    if verdict.proved:
        return f"proved: {verdict.verdict}"
    return f"most probably {verdict.verdict} ({verdict.probability:.0%}), not proved"


def telling_lines(text: str) -> list[str]:
    """A log entry without what libraries called one another: of a traceback the frames of the backend's own code, and
    the end, which names the exception."""
    lines: list[str] = []
    skipping = False
    for line in text.splitlines():
        if _FRAME.match(line):
            skipping = _LIBRARY.match(line) is not None
        elif not line.startswith("    "):
            skipping = False
        if not skipping:
            lines.append(line)
        elif lines and lines[-1] != "  …":
            lines.append("  …")
    return lines if len(lines) <= LOG_SHOWN else ["…", *lines[-LOG_SHOWN:]]
