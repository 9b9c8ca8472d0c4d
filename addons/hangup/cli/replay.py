"""``hangup replay``: its command line."""

from __future__ import annotations

from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any

import click

from hangup.cli.params import Time
from hangup.cli.targets import connecting_options, path_option
from hangup.errors import UsageError
from hangup.replay import PATIENCE

EXAMPLES = """\b
Examples:
  hangup replay run.jsonl ws://localhost:8000              the last connection that failed
  hangup replay run.jsonl ws://localhost:8000 --conn 3 --filter 'drop-heartbeat side=client'
  hangup replay run.jsonl ws://localhost:8000 --all --speed max
  hangup replay page.har wss://staging.example.org --header 'Cookie: id=42'
  hangup replay run.jsonl --show-correlations              what is taken from the new run
"""


def _speed(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """A factor, or ``max``."""
    if value == "max":
        return inf
    with suppress(ValueError):
        speed = float(value)
        if 0 < speed < inf:
            return speed
    raise UsageError(f"--speed {value}: write a factor like 2 or 0.5, or max")


speed_option = click.option(
    "--speed", callback=_speed, default="1", show_default=True, metavar="N|max", help=(
        "Speed factor: 2 is twice as "
        "fast."
    )
)


pace_option = click.option(
    "--pace",
    type=click.Choice(["causal", "clock"]),
    default="causal",
    show_default=True,
    help="Wait for as many server messages as in the recording, or follow the recorded times only.",
)
header_option = click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    help="Replace this recorded header; without a value, leave it out. Repeatable.",
)
filter_option = click.option("--filter", "filters", multiple=True, metavar="TEXT", help=(
    "Change traffic, as in `hangup proxy`. Repeatable."
))


@click.command(epilog=EXAMPLES)
@click.argument("recording")
@click.argument("target", required=False)
@click.option("--conn", type=int, metavar="N", help="The connection to play; by default the last one that failed.")
@click.option("--all", "everything", is_flag=True, help=(
    "Play all connections, each starting when it did in the "
    "recording."
))
@header_option
@filter_option
@path_option
@speed_option
@pace_option
@click.option(
    "--record", default="recordings", show_default=True, type=click.Path(path_type=Path), help=(
        "Folder or file to record "
        "into."
    )
)
@click.option("--show-correlations", is_flag=True, help="List the values that are taken from the new run, and exit.")
@click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="Set such a value yourself. Repeatable.")
@click.option("--no-correlate", is_flag=True, help=(
    "Send exactly what was recorded, whatever the server says; times of day stay those of the recording."
))
@connecting_options("handshake")
@click.option(
    "--patience",
    type=Time(zero=True),
    default=PATIENCE,
    show_default=True,
    metavar="TIME",
    help="How late server messages may be, in total.",
)
@click.option(
    "--survive",
    type=Time(zero=True),
    metavar="TIME",
    help=(
        "Count it as fixed when it is still open this long after opening; by default as long as recorded, "
        "plus a margin."
    ),
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def replay(**options: Any) -> None:
    """Play the recorded client against TARGET, and say whether it ends as it did before.

    Its frames are sent exactly as recorded: opcodes, fragments, compression, pings, malformed bytes, its close frame.
    Values that the server generates anew in each run (a session id, a token, a sequence number) are taken from this
    run. The recorded path is requested; a path in TARGET is the base that it lies below, as in VITE_WS_BASE. The run is
    recorded, too.

    Exit code 0: it ended as recorded; 1: it did not, for instance because it stayed open; 74: as recorded, but this
    run's own recording is incomplete.
    """
    from hangup.cli.replaying import carry_out  # long to import, and completion waits for what stands above

    carry_out(**options)
