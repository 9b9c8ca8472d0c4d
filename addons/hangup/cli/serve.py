"""``hangup serve``: its command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hangup.cli.replay import speed_option

EXAMPLES = """\b
Examples:
  hangup serve run.jsonl                        then open the frontend with the line that it prints
  hangup serve run.jsonl --conn 3 --stay-open   does the page still hang up?
  hangup serve page.har --listen 127.0.0.1:8000
"""


@click.command(epilog=EXAMPLES)
@click.argument("recording")
@click.option("--conn", type=int, metavar="N", help=(
    "Always play connection N; by default each in turn, and then the last "
    "one."
))
@click.option("--listen", default="127.0.0.1:9000", show_default=True, metavar="HOST:PORT", help=(
    "Where to listen; port 0 picks a free "
    "port."
))
@click.option("--stay-open", is_flag=True, help=(
    "Do not close connections as the recorded server did; heartbeats go "
    "on."
))
@speed_option
@click.option("--filter", "filters", multiple=True, metavar="TEXT", help=(
    "Change traffic, as in `hangup proxy`. "
    "Repeatable."
))
@click.option("--no-correlate", is_flag=True, help=(
    "Send exactly what was recorded, including the recorded client's "
    "ids."
))
@click.option(
    "--record", default="recordings", show_default=True, type=click.Path(path_type=Path), help=(
        "Folder or file to record "
        "into."
    )
)
@click.option("--quiet", is_flag=True, help="Print no line per connection.")
def serve(**options: Any) -> None:
    """Play the recorded server to a real frontend, which then needs no backend.

    The handshake, the greeting, the answers, the heartbeats and the end are as recorded. Each message from the frontend
    is matched with a recorded one: an equal message, or else one of the same JSON shape, in order; the ids in it are
    used in the answers. Each new connection gets the next connection of the recording.
    """
    from hangup.cli.serving import carry_out  # long to import, and completion waits for what stands above

    carry_out(**options)
