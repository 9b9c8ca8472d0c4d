"""``hangup diff``: its command line."""

from __future__ import annotations

from typing import Any

import click

EXAMPLES = """\b
Examples:
  hangup diff page.jsonl postman.jsonl              the page against Postman
  hangup diff yesterday.jsonl today.jsonl --conn 2 --conn-b 5
  hangup diff run.jsonl --conn 1 --conn-b 2         two connections of one recording
  hangup diff page.jsonl postman.jsonl --markdown   to paste into an issue
  hangup diff chrome.har run.jsonl --json | jq '.pairs[].handshake'
"""


@click.command(epilog=EXAMPLES)
@click.argument("a", metavar="A")
@click.argument("b", metavar="[B]", required=False)
@click.option("--conn", type=int, metavar="N", help="Only connection N of A (and of B).")
@click.option("--conn-b", type=int, metavar="M", help="Only connection M of B.")
@click.option("--strict", is_flag=True, help="Also report values that change in every run: times, ids, tokens.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown without secrets, to paste into an issue.")
def diff(**options: Any) -> None:
    """Compare two connections: their handshakes, messages and endings.

    A and B are recordings in any format that hangup reads; without B, two connections of A are compared. Values that
    change in every run (times, ids, random tokens) do not count as differences, nor does timing. Exit code 0: no
    differences; 1: differences.
    """
    from hangup.cli.diffing import carry_out  # long to import, and completion waits for what stands above

    carry_out(**options)
