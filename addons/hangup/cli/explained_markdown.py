"""A diagnosis and its proof in Markdown, for `hangup why` and the head of an export: all that is needed by somebody who
was not there."""

from __future__ import annotations

from collections.abc import Sequence

from hangup.cli.why import page as why_page
from hangup.experiment.document_file import Proof
from hangup.experiment.summing_up import Doing, Explanation, Summary
from hangup.humanize import duration, plural
from hangup.markup import cell, code, plain, prose
from hangup.recording.formats.markdown import PAYLOAD, SENTENCE


def lead(explanation: Explanation) -> list[str]:
    """Its lines."""
    summary, report, proof = explanation.summary, explanation.report, explanation.proof
    lines = [f"### {prose(summary.headline, SENTENCE)}", "", prose(summary.sentence, SENTENCE), ""]
    lines += [*_facts(summary, proof), ""]
    if evidence := why_page.evidence_lines(report):
        lines += ["**Evidence**", "", *evidence]
    lines += why_page.timeline_lines(report)
    if others := why_page.others_line(report):
        lines += ["", others]
    if proof is not None:
        lines += ["", "**Proof**", "", *_proof(proof)]
    if summary.fix:
        lines += ["", "**Fix**", "", prose(summary.fix)]
    lines += _doing("How to reproduce", summary.reproduce)
    lines += _doing("What to try next", summary.next)
    if remarks := why_page.notes(report):
        lines += ["", "**Notes**", "", *(f"- {prose(each)}" for each in remarks)]
    if summary.reproduce or summary.next:
        lines += ["", "`uvx hangup …` runs these commands without installing anything."]
    return lines


def _doing(title: str, things: Sequence[Doing]) -> list[str]:
    if not things:
        return []
    lines = ["", f"**{title}**", ""]
    for each in things:
        lines.append(f"- {prose(each.text)}{f': {code(each.command)}' if each.command else ''}")
    return lines


def _facts(summary: Summary, proof: Proof | None) -> list[str]:
    paths = ", ".join(code(path, PAYLOAD) for path in summary.paths)
    if summary.more_paths:
        paths += f" and {plural(summary.more_paths, 'other path')}"
    facts = [
        ("backend", code(summary.backend, PAYLOAD)),
        ("path", paths),
        ("when", f"{code(summary.started, PAYLOAD)}, {summary.extent}" if summary.started else summary.extent),
        ("cause", code(summary.verdict, PAYLOAD)),
        ("how sure", prose(summary.sure)),
    ]
    if proof is not None and proof.law is not None:
        boundary = f" ({prose(proof.law.boundary, SENTENCE)})" if proof.law.boundary else ""
        right, predicted = proof.law.predictions
        told = f"; it predicted {right} of {predicted} new exchanges" if predicted else ""
        facts.append(("rule", f"{prose(proof.law.sentence, SENTENCE)}{boundary}{told}"))
    if summary.ending:
        facts.append((f"connection {summary.conn}", prose(summary.ending, SENTENCE)))
    return ["| | |", "|---|---|", *(f"| {name} | {cell(value)} |" for name, value in facts if value)]


def _proof(proof: Proof) -> list[str]:
    lines = [f"{prose(proof.headline, SENTENCE)}{f': {prose(proof.claim, SENTENCE)}' if proof.claim else ''}.", ""]
    if proof.cure:
        lines += [f"Stays open with {code(proof.cure)}.", ""]
    if proof.ladder:
        lines += ["| what was changed | failed | outcome | filter |", "|---|--:|---|---|"]
        for rung in proof.ladder:
            filters = "<br>".join(code(each) for each in rung.filters)
            counts = f"{rung.failed[0]}/{rung.failed[1]}"
            cells = (prose(rung.title, SENTENCE), counts, prose(rung.told, SENTENCE), filters)
            lines.append(f"| {' | '.join(map(cell, cells))} |")
        lines.append("")
    if proof.minimal is not None and proof.minimal.payload is not None:
        said = code(proof.minimal.payload, PAYLOAD) or "(empty)"
        lines.append(f"- smallest message that fails: {said} ({plain(proof.minimal.opcode or 'text', SENTENCE)})")
        if proof.minimal.neighbour:
            lines.append(f"- for comparison: {prose(proof.minimal.neighbour, SENTENCE)}")
    for said in (line for each in proof.log for line in each.text.strip().splitlines()[-1:]):
        lines.append(f"- the backend's log: {code(said, PAYLOAD)}")
    lines += [f"- {prose(line, SENTENCE)}" for line in proof.verification]
    target = f" against {code(proof.target, PAYLOAD)}" if proof.target else ""
    lines.append(f"- {plural(proof.connections, 'connection')}{target} in {duration(proof.seconds)}")
    return lines

