"""``python -m faults`` (from ``tests/``) or ``python tests/faults``: list, run, record-all, variants."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults import record  # noqa: E402
from faults.runner import Failed, Skipped, run  # noqa: E402
from faults.shape import Shape  # noqa: E402
from faults.table import FAULTS, Fault, missing  # noqa: E402


def find(name: str) -> Fault:
    """The fault of that name, of that cause, or of the only name that begins so."""
    faults = list(FAULTS.values())
    found = (
        [fault for fault in faults if fault.name == name]
        or [fault for fault in faults if fault.cause == name.upper()]
        or [fault for fault in faults if fault.name.startswith(name)]
    )
    if len(found) != 1:
        sys.exit(f"no fault is called {name!r}; `list` shows them")
    return found[0]


def shape_of(fault: Fault, seed: int | None) -> Shape:
    return record.shape_for(fault, seed) if seed else fault.golden_shape()


def cmd_list(options: argparse.Namespace) -> int:
    for fault in FAULTS.values():
        backend, client = next(iter(fault.backends.values())), next(iter(fault.clients.values()))
        if options.json:
            line = {
                "name": fault.name,
                "cause": fault.cause,
                "verdict": fault.verdict,
                "also": fault.also,
                "closer": fault.closer,
                "trigger": fault.trigger,
                "mend": fault.mend,
                "backends": list(fault.backends),
                "clients": list(fault.clients),
                "missing": missing(backend, client),
            }
            print(json.dumps(line))
            continue
        print(f"{fault.name:34} {fault.cause:3} {fault.verdict:40}", end="")
        print(f" {fault.closer or '-':7} {fault.trigger:7} {fault.title}")
        print(f"{'':38} backends: {', '.join(fault.backends)}; clients: {', '.join(fault.clients)}", end="")
        print(f"; skipped: {reason}" if (reason := missing(backend, client)) else "")
    return 0


def cmd_run(options: argparse.Namespace) -> int:
    fault = find(options.name)
    path = None
    if not options.direct:
        path = Path(options.record or f"{fault.name}.jsonl").resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        result = asyncio.run(
            run(
                fault,
                backend=options.backend,
                client=options.client,
                shape=shape_of(fault, options.seed),
                record=path,
                fixed=options.fixed,
                seconds=options.seconds,
                connections=options.connections,
                tell=print,
            )
        )
    except (Failed, Skipped) as error:
        print(f"{type(error).__name__.lower()}: {error}", file=sys.stderr)
        return 3 if isinstance(error, Skipped) else 1
    if options.backend_log:
        print(result.backend_log, file=sys.stderr)
    print(f"{fault.name}: {result.summary()}")
    problems = result.problems()
    for problem in problems:
        print(f"  unlike the table: {problem}")
    if path is not None:
        print(f"  recorded {path}")
    return 1 if problems else 0


def cmd_scenario(options: argparse.Namespace) -> int:
    fault = find(options.name)
    if fault.scenario is None:
        sys.exit(f"{fault.name} has a client of its own")
    print(json.dumps(fault.scenario(shape_of(fault, options.seed), options.fixed)))
    return 0


def cmd_record_all(options: argparse.Namespace) -> int:
    return asyncio.run(record.golden(Path(options.out), options.only, options.jobs))


def cmd_verify(options: argparse.Namespace) -> int:
    return asyncio.run(record.verify(options.only, options.jobs, options.all_stacks, options.seed, options.fixed))


def cmd_variants(options: argparse.Namespace) -> int:
    return asyncio.run(record.variants(Path(options.out), options.count, options.seed, options.jobs, options.resume))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("list", help="the faults, their verdicts, and what they can be run on")
    command.add_argument("--json", action="store_true")
    command.set_defaults(command=cmd_list)

    command = commands.add_parser("run", help="run one, recorded by hangup's proxy")
    command.add_argument("name")
    command.add_argument("--direct", action="store_true", help="without the proxy, and so without a recording")
    command.add_argument("--backend", default="", help="another stack")
    command.add_argument("--client", default="", help="another client")
    command.add_argument("--seed", type=int, help="another shape of its traffic")
    command.add_argument("--fixed", action="store_true", help="mended")
    command.add_argument("--seconds", type=float, help="at most this long")
    command.add_argument("--connections", type=int, help="until so many have ended")
    command.add_argument("--record", help="where to (default: NAME.jsonl here)")
    command.add_argument("--backend-log", action="store_true", help="show the end of the backend's log")
    command.set_defaults(command=cmd_run)

    command = commands.add_parser("scenario", help="what a fault's frontend does, as JSON for frontend.mjs")
    command.add_argument("name")
    command.add_argument("--seed", type=int)
    command.add_argument("--fixed", action="store_true")
    command.set_defaults(command=cmd_scenario)

    command = commands.add_parser("record-all", help="record the golden ones anew, redacted")
    command.add_argument("--out", default=str(Path(__file__).resolve().parents[2] / "recordings"))
    command.add_argument("--only", action="append", default=[], help="this one (repeatable)")
    command.add_argument("--jobs", type=int, default=2)
    command.set_defaults(command=cmd_record_all)

    command = commands.add_parser("verify", help="run all without the proxy: does each end as the table says?")
    command.add_argument("--only", action="append", default=[], help="this one (repeatable)")
    command.add_argument("--all-stacks", action="store_true", help="each backend, the clients in turn")
    command.add_argument("--seed", type=int, help="another shape of the traffic")
    command.add_argument("--fixed", action="store_true", help="mended: does nothing end any more?")
    command.add_argument("--jobs", type=int, default=4)
    command.set_defaults(command=cmd_verify)

    command = commands.add_parser("variants", help="record the same faults in other shapes and on other stacks")
    command.add_argument("--out", required=True)
    command.add_argument("--count", type=int, default=200)
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--jobs", type=int, default=4)
    command.add_argument("--resume", action="store_true", help="keep what was recorded there before")
    command.set_defaults(command=cmd_variants)

    options = parser.parse_args()
    return int(options.command(options))


if __name__ == "__main__":
    sys.exit(main())
