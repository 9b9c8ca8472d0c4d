"""``hangup show``: its command line."""

from __future__ import annotations

from typing import Any

import click

from hangup.cli.params import TIME

ROWS = 100
"""So many connections are shown where nobody says how many."""

EXAMPLES = """\b
Examples:
  hangup show                       the newest in recordings/
  hangup show --conn 3              every frame of connection 3
  hangup show --failed --since 10min
  hangup show --follow              while the proxy is running
  hangup show recordings/           the recordings of a folder
  hangup show run.jsonl --markdown  to paste into an issue
  hangup show run.jsonl --json | jq '.connections[].ending.sentence'
"""


@click.command(epilog=EXAMPLES)
@click.argument("recording", required=False)
@click.option("--conn", type=int, metavar="N", help="The handshake and every frame of connection N.")
@click.option("--follow", "following", is_flag=True, help="Keep showing what is added to the recording.")
@click.option("--path", default="", metavar="PATTERN", help="Only connections whose path matches, such as '/ws/*'.")
@click.option("--failed", is_flag=True, help="Only those that failed.")
@click.option("--since", type=TIME, metavar="TIME", help="Only those open within TIME of the end, such as 10min.")
@click.option("--loop", "looping", is_flag=True, help="Only those that are part of a loop.")
@click.option("--rows", type=click.IntRange(min=0), default=ROWS, show_default=True, help="The last N; 0: all of them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs; with --conn, its events too.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown without secrets, to paste into an issue.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of a recording's lines.")
def show(**options: Any) -> None:
    """Show a recording: its connections, who ended each one and how, and its reconnect loops.

    RECORDING is a file in any format that hangup reads, a folder, or - for standard input.
    """
    from hangup.cli.show.printing import carry_out  # long to import, and completion waits for what stands above

    carry_out(**options)
