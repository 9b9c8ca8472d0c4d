"""The one command: runs the measures in turn and reports."""

from __future__ import annotations

import argparse
import gc
import json
import resource
import sys
from dataclasses import replace

import psutil

from benchmarks import report
from benchmarks.client import Broken, Connection
from benchmarks.contestants import CONTESTANTS, Contestant, running
from benchmarks.measures import FULL, MEASURES, QUICK, Measure, Sample, Scale, Subject
from benchmarks.report import Row
from benchmarks.traffic import message

SLOW = 1 / 20  # of the million messages: what a slow contestant gets


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def once(measure: Measure, subject: Subject) -> Sample | str:
    """One sample, or why there is none; and what it cost the contestant."""
    gc.collect()
    if subject.process and subject.process.problem:
        return subject.process.problem
    try:
        before = subject.process.cpu() if subject.process else 0.0
        sample = measure.run(subject)
    except (Broken, OSError, psutil.Error) as error:
        return f"{type(error).__name__}: {error}"
    if subject.process:
        sample["late"] = subject.process.settle()
        sample["lost"] = subject.process.lost()
        if "messages" in sample:
            sample["cpu"] = (subject.process.cpu() - before) * 1e6 / sample["messages"]
    sample["share"] = subject.scale.share
    return sample


def run_measure(measure: Measure, contestants: list[Contestant], scale: Scale) -> Row:
    """All rounds of one measure, the contestants in turn; those that fail leave."""
    row: Row = {}
    rounds = 1 if measure.memory else scale.large_rounds if measure.large else scale.rounds
    if measure.memory:
        # One at a time and one round: what counts is the process, and the others need not stand by.
        groups = [[each] for each in contestants if each.command]
    else:
        groups = [contestants]
    for group in groups:
        with running(group) as ports:
            if measure.large:
                # The server learns the message before anybody's time is taken.
                with Connection(ports["server"][0]) as direct:
                    direct.stream(message(scale.large, binary=measure.name.endswith("binary")), 1)
            for number in range(rounds):
                for each in group:
                    port, process = ports[each.name]
                    if isinstance(row.get(each.name), str) or (number and each.slow and measure.large):
                        continue  # it failed before, or one round of it is longer than all others' together
                    share = SLOW if each.slow and measure.name == "frames" else 1.0
                    sample = once(measure, Subject(port, process, replace(scale, share=share)))
                    if isinstance(sample, str):
                        row[each.name] = told = sample
                    else:
                        so_far = row.setdefault(each.name, [])
                        assert isinstance(so_far, list)
                        so_far.append(sample)
                        told = f"{sample['value']:,.{measure.digits}f} {measure.unit}"
                    say(f"{measure.name:14} {number + 1}/{rounds}  {each.name:14} {told}")
    return row


def open_files(idle: int) -> int:
    """Raises the limit of open files as far as it goes; how many idle connections a proxy can then have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return idle if hard == resource.RLIM_INFINITY else min(idle, (hard - 200) // 2)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [each.name for each in MEASURES]
    who = [each.name for each in CONTESTANTS]
    flag = parser.add_argument
    flag("--quick", action="store_true", help="less of everything: two minutes instead of fifteen")
    flag("--only", action="append", metavar="NAME", choices=names, help="a measure: " + ", ".join(names))
    flag("--contestant", action="append", metavar="NAME", choices=who, help="a contestant: " + ", ".join(who))
    flag("--rounds", type=int, metavar="N", help="instead of 11")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="every sample, for programs")
    output.add_argument("--markdown", action="store_true", help="for the README")
    flag("--check", action="store_true", help="exit code 1 when a target is missed")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None, scale: Scale | None = None) -> int:
    options = parse(arguments)
    scale = scale or (QUICK if options.quick else FULL)
    if options.rounds:
        scale = replace(scale, rounds=options.rounds, large_rounds=options.rounds)
    scale = replace(scale, idle=open_files(scale.idle))
    results: report.Results = {}
    for measure in MEASURES:
        if measure.name not in options.only if options.only else measure.optional:
            continue
        chosen = [each for each in CONTESTANTS if each.name in (options.contestant or [each.name])]
        contestants = [each for each in chosen if each.takes_part(measure.name)]
        if contestants:
            results[measure.name] = run_measure(measure, contestants, scale)
    if options.json:
        print(json.dumps(report.as_json(results), indent=1))
    elif options.markdown:
        print(report.markdown(results, scale))
    else:
        report.show(results, scale)
    missed = any(row["met"] is False for row in report.judge(results))
    return 1 if options.check and missed else 0
